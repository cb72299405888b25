package dmarc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
)

// A Code is a result in the words of RFC 7489, section 11.2.
type Code string

// The codes.
const (
	None      Code = "none"      // there is no policy, no domain that could have one, or no SPF result to judge by
	Pass      Code = "pass"      // an aligned domain has authenticated the message
	Fail      Code = "fail"      // none has
	TempError Code = "temperror" // the DNS failed for now
	PermError Code = "permerror" // the record is broken
)

// An Identifier is a domain that SPF or a DKIM signature speaks of, and what came of it.
type Identifier struct {
	Domain   string // what SPF has checked, or d=
	Selector string // s= of a signature
	Scope    string // of SPF: "mfrom" or "helo"
	Result   string // in the words of RFC 8601: "pass", "fail", "temperror" …
}

// A Query is what is to be evaluated.
type Query struct {
	From     []string     // the domains of the addresses in the From field; A-labels or Unicode
	SPF      Identifier   // zero when SPF wasn't checked
	NoSPF    bool         // nobody could check SPF: it might have passed
	DKIM     []Identifier // one for each signature
	Suffixes *Suffixes    // nil for the list that is built in
	// Random returns a number from 0 to n-1, to choose the messages that pct= means.
	// nil means that all are meant.
	Random func(n int) int
}

// A Result is what was found out. The zero Result is none.
type Result struct {
	Code   Code
	Domain string // of From, as a lower-case A-label
	At     string // the domain whose record it is: Domain or its organizational domain; "" when there is none
	Record Record

	Policy      Policy // what At asks for Domain, before sampling; "" without a record
	Subdomain   bool   // Policy is that for subdomains: At is not Domain
	Nonexistent bool   // Policy is that of np=: Domain does not exist
	SampledOut  bool   // pct= or t= has spared this message
	Disposition Policy // what At wants done with this message: Monitor when Code isn't Fail

	// Domains are lower-case A-labels.
	SPF  string   // the domain by which SPF passes aligned; "" when it doesn't
	DKIM []string // the domains of aligned signatures that pass, each once

	Reason string // why there is no other Code, printable ASCII; "" for Pass
}

// String returns one line for people, printable ASCII.
func (r Result) String() string {
	var b strings.Builder
	code := r.Code
	if code == "" {
		code = None
	}
	fmt.Fprintf(&b, "dmarc=%s", code)
	if r.Domain != "" {
		fmt.Fprintf(&b, " from=%s", r.Domain)
	}
	if r.At != "" {
		fmt.Fprintf(&b, " policy=%s of %s", r.Policy, r.At)
	}
	if r.Disposition != NoPolicy {
		fmt.Fprintf(&b, " disposition=%s", r.Disposition)
	}
	if r.SPF != "" {
		fmt.Fprintf(&b, " spf=%s", r.SPF)
	}
	if len(r.DKIM) > 0 {
		fmt.Fprintf(&b, " dkim=%s", strings.Join(r.DKIM, ","))
	}
	if r.Reason != "" {
		fmt.Fprintf(&b, ": %s", r.Reason)
	}
	return b.String()
}

// Comment returns what Authentication-Results fields say of a policy, in the words that
// large receivers use: "p=REJECT sp=NONE dis=NONE". It is "" without a policy.
func (r Result) Comment() string {
	if r.At == "" || r.Policy == NoPolicy {
		return ""
	}
	sub := r.Record.Subdomain
	if sub == NoPolicy {
		sub = r.Record.Policy
	}
	return fmt.Sprintf("p=%s sp=%s dis=%s", upper(r.Record.Policy), upper(sub), upper(r.Disposition))
}

func upper(p Policy) string { return strings.ToUpper(string(p)) }

// Evaluate finds the policy for a message and tells whether it passes (RFC 7489, section
// 6.6). When ctx ends, the result is TempError.
func Evaluate(ctx context.Context, l dns.Lookuper, q Query) Result {
	r := Result{Code: None, Disposition: Monitor}
	if r.Domain, r.Reason = fromDomain(q.From); r.Domain == "" {
		return r
	}
	org := q.Suffixes.OrgDomain(r.Domain)
	if err := r.discover(ctx, l, org); err != nil {
		r.Reason = mail.PrintableASCII(err.Error(), 200)
		switch {
		case errors.Is(err, ErrPolicy) || errors.Is(err, ErrTooLong):
			r.Code = PermError
		case errors.Is(err, ErrSeveral): // RFC 7489, section 6.6.3: as if there were none
		case temporary(err):
			r.Code = TempError
		}
		return r
	}
	if r.At == "" {
		r.Reason = "no policy"
		return r
	}
	r.choose(ctx, l)
	if q.SPF.Result == "pass" && q.Suffixes.aligned(q.SPF.Domain, r.Domain, r.Record.SPF) {
		r.SPF, _ = toASCII(strings.Trim(q.SPF.Domain, "."))
	}
	for _, s := range q.DKIM {
		if s.Result != "pass" || !q.Suffixes.aligned(s.Domain, r.Domain, r.Record.DKIM) {
			continue
		}
		if d, _ := toASCII(strings.Trim(s.Domain, ".")); !slices.Contains(r.DKIM, d) {
			r.DKIM = append(r.DKIM, d)
		}
	}
	switch {
	case r.SPF != "" || len(r.DKIM) > 0:
		r.Code = Pass
	case r.pending(q) != "":
		// RFC 7489, section 6.6.2: the message might pass later.
		r.Code, r.Reason = TempError, r.pending(q)
	case q.NoSPF:
		// It is not known whether the message fails.
		r.Reason = "no SPF result, and no aligned signature passes"
	default:
		r.Code, r.Reason = Fail, "nothing aligned passes"
		r.dispose(q.Random)
	}
	return r
}

// fromDomain returns the one domain of the From field as an A-label, or why there is none.
func fromDomain(list []string) (domain, why string) {
	for _, f := range list {
		d, ok := toASCII(f)
		switch {
		case !ok || !strings.Contains(d, "."):
			return "", "From has an address without a domain"
		case domain != "" && d != domain:
			// RFC 7489, section 6.6.1, leaves it open.
			return "", "From has several domains"
		}
		domain = d
	}
	if domain == "" {
		return "", "no From address"
	}
	return domain, ""
}

// discover finds the record (RFC 7489, section 6.6.3).
func (r *Result) discover(ctx context.Context, l dns.Lookuper, org string) error {
	places := []string{r.Domain}
	if org != "" && org != r.Domain {
		places = append(places, org)
	}
	for _, at := range places {
		name, ok := dns.Normalize("_dmarc." + at)
		if !ok {
			continue
		}
		a, err := l.Lookup(ctx, name, dns.TypeTXT)
		if temporary(err) {
			return err
		}
		r.Record, err = ParseRecord(a.Texts)
		switch {
		case err == nil:
			r.At = at
			return nil
		case !errors.Is(err, ErrNoRecord):
			return fmt.Errorf("%s: %w", mail.PrintableASCII(name, 253), err)
		}
	}
	return nil
}

// temporary tells whether it isn't known what there is. A failure that is none of
// package dns counts as that.
func temporary(err error) bool {
	if err == nil {
		return false
	}
	e, ok := errors.AsType[*dns.Error](err)
	return !ok || e.Temporary()
}

// choose takes the policy that is for the domain.
func (r *Result) choose(ctx context.Context, l dns.Lookuper) {
	r.Policy, r.Subdomain = r.Record.Policy, r.At != r.Domain
	if !r.Subdomain {
		return
	}
	if r.Record.Subdomain != NoPolicy {
		r.Policy = r.Record.Subdomain
	}
	if r.Record.NotExist != NoPolicy && r.Record.NotExist != r.Policy && !exists(ctx, l, r.Domain) {
		r.Nonexistent, r.Policy = true, r.Record.NotExist
	}
}

// exists tells whether a name has an address or a mail exchanger, in the sense of RFC
// 9091, section 2.7. It does when that can't be known.
func exists(ctx context.Context, l dns.Lookuper, name string) bool {
	for _, t := range []dns.Type{dns.TypeA, dns.TypeAAAA, dns.TypeMX} {
		_, err := l.Lookup(ctx, name, t)
		switch {
		case err == nil || temporary(err):
			return true
		case dns.KindOf(err) == dns.NotFound:
			return false
		}
	}
	return false
}

// pending names what might have passed if the DNS hadn't failed, "" when nothing would.
func (r *Result) pending(q Query) string {
	const temp = "temperror"
	if q.SPF.Result == temp && q.Suffixes.aligned(q.SPF.Domain, r.Domain, r.Record.SPF) {
		return "SPF of the aligned domain failed for now"
	}
	for _, s := range q.DKIM {
		if s.Result == temp && q.Suffixes.aligned(s.Domain, r.Domain, r.Record.DKIM) {
			return "an aligned signature could not be verified for now"
		}
	}
	return ""
}

// dispose chooses what is to be done with a message that fails. One that is spared gets
// the next milder policy (RFC 7489, section 6.6.4).
func (r *Result) dispose(random func(int) int) {
	r.Disposition = r.Policy
	percent := r.Record.Percent
	if r.Record.Testing {
		percent = 0
	}
	if random == nil || percent == 100 || random(100) < percent {
		return
	}
	switch r.Policy {
	case Reject:
		r.SampledOut, r.Disposition = true, Quarantine
	case Quarantine:
		r.SampledOut, r.Disposition = true, Monitor
	}
}
