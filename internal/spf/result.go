package spf

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"rmilter/internal/mail"
)

// A Code is a result in the words of RFC 7208, section 2.6.
type Code string

// The codes.
const (
	None      Code = "none"      // there is no record, or no domain that could have one
	Neutral   Code = "neutral"   // the domain says nothing of the client
	Pass      Code = "pass"      // the client may send
	Fail      Code = "fail"      // the client may not send
	SoftFail  Code = "softfail"  // the client may probably not send
	TempError Code = "temperror" // the DNS failed for now
	PermError Code = "permerror" // the record, or one that it needs, is broken
)

// An Identity is what of the SMTP session was checked (RFC 7208, section 2).
type Identity string

// The identities.
const (
	MailFrom Identity = "mailfrom"
	HELO     Identity = "helo"
)

// A Query is what is to be checked.
type Query struct {
	IP       netip.Addr   // of the client; IPv4-mapped is IPv4, a zone is ignored
	Helo     string       // what the client said, any bytes
	From     mail.Address // of MAIL FROM; for the null path the HELO identity is checked instead
	Receiver string       // our host's name for %{r}; "unknown" when empty
	Now      time.Time    // for %{t}
}

// A Result is what was found out. The zero Result is none.
type Result struct {
	Code     Code
	Identity Identity
	Domain   string // what was checked, in lower case without the final dot
	IP       netip.Addr
	Record   string // of Domain, with "?" for what isn't printable ASCII; "" when there is none

	// Mechanism is the one that decided, with its qualifier: "-all",
	// "+ip4:192.0.2.0/24". It is "" when none matched and for errors.
	Mechanism string
	// Via are the steps from Domain's record to the one with Mechanism, or to the one
	// at fault: "include:_spf.example.org", "redirect=example.net".
	Via []string
	// Anyone tells that Code is Pass and that nearly every address would pass: the
	// deciding mechanism is "all", or one of networks of a record that together hold a
	// sixteenth of all IPv4 addresses, or 2^116 of IPv6.
	Anyone bool

	// Explanation is what the domain wants the sender to be told of a Fail (RFC 7208,
	// section 6.2), printable ASCII of at most 500 bytes; mostly "". It is the word of
	// a stranger.
	Explanation string
	// Reason says in words why there is no other Code; "" when Mechanism says it all.
	// It is printable ASCII.
	Reason string

	Terms   int // terms that ask the DNS, of 10 (RFC 7208, section 4.6.4)
	Void    int // of them without an answer, of 2
	Queries int // different questions to the DNS
}

// String returns one line for people, printable ASCII.
func (r Result) String() string {
	var b strings.Builder
	code := r.Code
	if code == "" {
		code = None
	}
	fmt.Fprintf(&b, "spf=%s", code)
	if r.Domain != "" {
		fmt.Fprintf(&b, " %s=%s", r.Identity, r.Domain)
	}
	if r.Mechanism != "" {
		fmt.Fprintf(&b, ": %s matches %s", r.IP, r.Mechanism)
	} else if r.Reason != "" {
		fmt.Fprintf(&b, ": %s", r.Reason)
	}
	if len(r.Via) > 0 {
		fmt.Fprintf(&b, " by %s", strings.Join(r.Via, " "))
	}
	if r.Terms > 0 {
		fmt.Fprintf(&b, " (%d of %d terms with lookups)", r.Terms, maxTerms)
	}
	return b.String()
}
