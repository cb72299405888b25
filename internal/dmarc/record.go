package dmarc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rmilter/internal/mail"
)

// A Policy is what a domain owner wants done with mail that fails.
type Policy string

// The policies.
const (
	NoPolicy   Policy = ""           // the record says nothing
	Monitor    Policy = "none"       // nothing is to be done
	Quarantine Policy = "quarantine" // treat it as suspicious
	Reject     Policy = "reject"     // reject it
)

// A Mode is how alike two domains have to be.
type Mode string

// The modes of alignment (RFC 7489, section 3.1).
const (
	Relaxed Mode = "r" // of the same organizational domain
	Strict  Mode = "s" // equal
)

// Bounds of what is read.
const (
	maxRecord  = 8 << 10 // bytes of a record
	maxTags    = 64      // tags of a record
	maxURIs    = 16      // addresses of one tag
	maxURI     = 1024    // bytes of an address
	maxDefects = 16
)

// A Record is a policy record that has been read (RFC 7489, section 6.3). What is absent
// or can't be read has its default.
type Record struct {
	Text       string // as published, with "?" for what isn't printable ASCII
	Policy     Policy // p=
	Subdomain  Policy // sp=; "" when absent, which means Policy
	NotExist   Policy // np= of RFC 9091; "" when absent, which means Subdomain
	SPF        Mode   // aspf=; relaxed
	DKIM       Mode   // adkim=; relaxed
	Percent    int    // pct=, 0 to 100; 100
	Testing    bool   // t=y, which is like pct=0
	Failure    string // fo=, the options with colons between them; "0"
	Interval   int    // ri= in seconds; 86400
	Aggregate  []URI  // rua=
	Forensic   []URI  // ruf=
	Substitute bool   // p= or sp= is broken or absent; because of rua=, "none" stands for it
	Defects    []string
}

// A URI is where reports go (RFC 7489, section 6.2).
type URI struct {
	Address string // such as mailto:dmarc@example.org
	Limit   uint64 // the largest report in bytes, 0 for no limit
}

// The errors of ParseRecord.
var (
	ErrNoRecord = errors.New("no DMARC record")
	ErrSeveral  = errors.New("several DMARC records")
	ErrPolicy   = errors.New("DMARC record without a valid policy")
	ErrTooLong  = errors.New("DMARC record too long")
)

// IsRecord tells whether a TXT record is for DMARC: its first tag is v=DMARC1 (RFC 7489,
// section 6.3).
func IsRecord(txt string) bool {
	first, _, _ := strings.Cut(txt, ";")
	name, value, ok := cutTag(first)
	return ok && name == "v" && value == "DMARC1"
}

// ParseRecord reads the one record among the TXT records of a name (RFC 7489, section
// 6.6.3). Everything but the policy is allowed to be broken: it then has its default,
// and Defects says so. ErrPolicy comes with what was read all the same.
func ParseRecord(texts []string) (Record, error) {
	found := ""
	for _, t := range texts {
		switch {
		case !IsRecord(t):
		case found != "":
			return Record{}, ErrSeveral
		default:
			found = t
		}
	}
	switch {
	case found == "":
		return Record{}, ErrNoRecord
	case len(found) > maxRecord:
		return Record{}, ErrTooLong
	}
	r := Record{Text: mail.PrintableASCII(found, maxRecord), SPF: Relaxed, DKIM: Relaxed, Percent: 100, Failure: "0", Interval: 86400}
	seen := map[string]bool{}
	broken := false
	for i, tag := range strings.SplitN(found, ";", maxTags+1) {
		if i == maxTags {
			r.defect("too many tags")
			break
		}
		if strings.Trim(tag, " \t\r\n") == "" {
			continue
		}
		name, value, ok := cutTag(tag)
		switch {
		case !ok:
			r.defect("%q is no tag", mail.PrintableASCII(tag, 40))
		case seen[name]:
			r.defect("%s= occurs twice, the first counts", name)
		default:
			seen[name] = true
			if !r.set(name, value) {
				r.defect("%s=%s is not valid", name, mail.PrintableASCII(value, 40))
				broken = broken || name == "sp"
			}
		}
	}
	if r.Policy != NoPolicy && !broken {
		return r, nil
	}
	if len(r.Aggregate) == 0 {
		return r, ErrPolicy
	}
	// RFC 7489, section 6.6.3, step 6.
	r.Substitute, r.Policy, r.Subdomain, r.NotExist = true, Monitor, NoPolicy, NoPolicy
	return r, nil
}

func (r *Record) defect(format string, args ...any) {
	if len(r.Defects) < maxDefects {
		r.Defects = append(r.Defects, fmt.Sprintf(format, args...))
	}
}

// cutTag cuts NAME=VALUE. The name is returned in lower case.
func cutTag(s string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(s, "=")
	name = strings.ToLower(strings.Trim(name, " \t\r\n"))
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (i == 0 || (c < '0' || c > '9') && c != '_') {
			return "", "", false
		}
	}
	return name, strings.Trim(value, " \t\r\n"), ok && name != "" && len(name) <= 32
}

// set takes a tag over and tells whether its value is valid. Unknown tags are (RFC 7489,
// section 6.3).
func (r *Record) set(name, value string) bool {
	low := strings.ToLower(value)
	ok := true
	switch name {
	case "p":
		r.Policy, ok = policy(low)
	case "sp":
		r.Subdomain, ok = policy(low)
	case "np":
		r.NotExist, ok = policy(low)
	case "aspf":
		ok = setMode(&r.SPF, low)
	case "adkim":
		ok = setMode(&r.DKIM, low)
	case "pct":
		ok = setNumber(&r.Percent, value, 100)
	case "ri":
		ok = setNumber(&r.Interval, value, 1<<31-1)
	case "t":
		r.Testing = low == "y"
		ok = low == "y" || low == "n"
	case "fo":
		ok = r.setFailure(low)
	case "rf":
		// afrf is the only format that there is (RFC 7489, section 6.3).
		for _, f := range strings.Split(low, ":") {
			ok = ok && strings.TrimSpace(f) == "afrf"
		}
	case "rua":
		r.Aggregate, ok = uris(value)
	case "ruf":
		r.Forensic, ok = uris(value)
	}
	return ok
}

func policy(s string) (Policy, bool) {
	switch p := Policy(s); p {
	case Monitor, Quarantine, Reject:
		return p, true
	}
	return NoPolicy, false
}

func setMode(m *Mode, s string) bool {
	if s != string(Relaxed) && s != string(Strict) {
		return false
	}
	*m = Mode(s)
	return true
}

func setNumber(n *int, s string, most int) bool {
	v, err := strconv.ParseUint(s, 10, 32)
	if err != nil || v > uint64(most) {
		return false
	}
	*n = int(v)
	return true
}

// setFailure takes over those of the options that exist.
func (r *Record) setFailure(s string) bool {
	var list []string
	ok := true
	for _, o := range strings.Split(s, ":") {
		switch o = strings.TrimSpace(o); {
		case o != "0" && o != "1" && o != "d" && o != "s":
			ok = false
		case len(list) < 4:
			list = append(list, o)
		}
	}
	if len(list) > 0 {
		r.Failure = strings.Join(list, ":")
	}
	return ok
}

// uris reads addresses of reports and tells whether all are valid. Those that aren't are
// left out.
func uris(s string) ([]URI, bool) {
	var list []URI
	ok := true
	for _, part := range strings.SplitN(s, ",", maxURIs+1) {
		u, valid := parseURI(strings.Trim(part, " \t\r\n"))
		if !valid || len(list) == maxURIs {
			ok = false
			continue
		}
		list = append(list, u)
	}
	return list, ok
}

// parseURI reads an address with an optional limit behind "!" (RFC 7489, section 6.4).
func parseURI(s string) (URI, bool) {
	address, limit, limited := strings.Cut(s, "!")
	scheme, rest, ok := strings.Cut(address, ":")
	if !ok || scheme == "" || rest == "" || len(address) > maxURI || mail.PrintableASCII(address, maxURI) != address || strings.Contains(address, " ") {
		return URI{}, false
	}
	for i := range len(scheme) {
		if c := scheme[i] | 0x20; (c < 'a' || c > 'z') && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(scheme[i]))) {
			return URI{}, false
		}
	}
	if strings.EqualFold(scheme, "mailto") {
		to, _, _ := strings.Cut(rest, "?")
		local, domain, ok := strings.Cut(to, "@")
		if !ok || local == "" || domain == "" {
			return URI{}, false
		}
	}
	u := URI{Address: address}
	if !limited {
		return u, true
	}
	shift := 0
	if n := len(limit); n > 0 {
		if i := strings.IndexByte("kmgt", limit[n-1]|0x20); i >= 0 {
			shift, limit = 10*(i+1), limit[:n-1]
		}
	}
	n, err := strconv.ParseUint(limit, 10, 24)
	u.Limit = n << shift
	return u, err == nil
}
