package spf

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
)

// Limits of RFC 7208, section 4.6.4.
const (
	maxTerms = 10 // terms that ask the DNS
	maxVoid  = 2  // of them without an answer
	maxMX    = 10 // hosts of one mx
	maxPTR   = 10 // names of the client that are looked at
)

// Check evaluates check_host() of RFC 7208, section 4, for the sender of a message, or
// for the client's HELO name when the sender is the null path. When ctx ends, the result
// is TempError.
func Check(ctx context.Context, l dns.Lookuper, q Query) Result {
	c := check{
		ctx: ctx, lookuper: l, query: q, ip: q.IP.Unmap().WithZone(""),
		local: q.From.Local, domain: q.From.Domain, known: map[question]reply{},
	}
	res := Result{Identity: MailFrom, IP: c.ip}
	if q.From.IsNull() {
		res.Identity, c.domain = HELO, q.Helo
	}
	if c.local == "" {
		c.local = "postmaster" // RFC 7208, section 4.3
	}
	name, ok := domainName(c.domain)
	switch {
	case !c.ip.IsValid():
		res.Code, res.Reason = None, "no address of the client"
		return res
	case !ok:
		res.Code, res.Reason = None, string(res.Identity)+" has no domain"
		return res
	}
	res.Domain, c.domain = name, name
	o := c.host(name)
	res.Code, res.Mechanism, res.Via, res.Reason = o.code, o.mechanism, o.via, o.reason
	res.Anyone = o.anyone && o.code == Pass
	res.Record = mail.PrintableASCII(c.top, maxRecord)
	if o.code == Fail && o.exp != nil {
		res.Explanation = c.explain(o.exp, o.expDomain)
	}
	res.Terms, res.Void, res.Queries = c.terms, c.void, len(c.known)
	return res
}

// A check is one evaluation.
type check struct {
	ctx           context.Context
	lookuper      dns.Lookuper
	query         Query
	ip            netip.Addr
	local, domain string // of the sender

	top         string // the first record
	terms, void int
	known       map[question]reply
	names       []string // of the client, validated
	named       bool     // names is set
}

// An outcome is the result of one check_host().
type outcome struct {
	code      Code
	mechanism string
	via       []string
	anyone    bool
	reason    string
	exp       macros
	expDomain string // the current domain where exp is
}

// An exit is an error of evaluation, which ends all of it. Its code is TempError or
// PermError.
type exit struct {
	code   Code
	reason string
	via    []string
}

func permError(format string, args ...any) *exit {
	return &exit{code: PermError, reason: fmt.Sprintf(format, args...)}
}

// domainName returns a name in lower case, and whether it has two labels at least
// (RFC 7208, section 4.3).
func domainName(s string) (string, bool) {
	name, ok := dns.Normalize(s)
	if !ok || !strings.Contains(name, ".") || strings.HasPrefix(name, "[") {
		return "", false
	}
	return name, true
}

// host is check_host() for a domain.
func (c *check) host(domain string) outcome {
	name, ok := domainName(domain)
	if !ok {
		return outcome{code: None, reason: fmt.Sprintf("%s is no name of a domain", mail.PrintableASCII(domain, 80))}
	}
	txt, o := c.find(name)
	if txt == "" {
		return o
	}
	if c.top == "" {
		c.top = txt
	}
	r, err := parse(txt)
	if err != nil {
		return outcome{code: PermError, reason: fmt.Sprintf("record of %s: %v", mail.PrintableASCII(name, 80), err)}
	}
	for i := range r.mechanisms {
		m := &r.mechanisms[i]
		o, x := c.match(m, name)
		if x != nil {
			return outcome{code: x.code, reason: x.reason, via: x.via}
		}
		if o != nil {
			o.code, o.exp, o.expDomain = m.code, r.exp, name
			o.anyone = o.anyone || r.open(m, c.ip.Is4())
			return *o
		}
	}
	if r.redirect != nil {
		return c.redirect(r.redirect, name)
	}
	return outcome{code: Neutral, reason: "nothing in the record matches"}
}

// find returns the one record of a domain, or the outcome without it (RFC 7208, sections
// 4.4 and 4.5).
func (c *check) find(name string) (string, outcome) {
	a, err := c.lookup(name, dns.TypeTXT)
	if temporary(err) {
		return "", outcome{code: TempError, reason: failure(err)}
	}
	found := ""
	for _, txt := range a.Texts {
		switch {
		case !isRecord(txt):
		case found != "":
			return "", outcome{code: PermError, reason: fmt.Sprintf("%s has several records", mail.PrintableASCII(name, 80))}
		default:
			found = txt
		}
	}
	if found == "" {
		return "", outcome{code: None, reason: fmt.Sprintf("%s has no record", mail.PrintableASCII(name, 80))}
	}
	return found, outcome{}
}

// redirect goes on with the record of another domain (RFC 7208, section 6.1).
func (c *check) redirect(spec macros, domain string) outcome {
	if x := c.count(); x != nil {
		return outcome{code: x.code, reason: x.reason}
	}
	name, ok := c.name(spec, domain)
	if !ok {
		return outcome{code: PermError, reason: "redirect to no name of a domain"}
	}
	o := c.host(name)
	if o.code == None {
		o.code = PermError
	}
	o.via = append([]string{"redirect=" + mail.PrintableASCII(name, 253)}, o.via...)
	return o
}

// count counts a term that asks the DNS.
func (c *check) count() *exit {
	if c.terms == maxTerms {
		return permError("more than %d terms with lookups", maxTerms)
	}
	c.terms++
	return nil
}

// match tells whether a mechanism matches. The outcome is nil when it doesn't; its code
// is left to the caller.
func (c *check) match(m *mechanism, domain string) (*outcome, *exit) {
	hit := &outcome{mechanism: m.text, anyone: m.lengthZero}
	switch m.kind {
	case mechAll:
		return hit, nil
	case mechIP4, mechIP6:
		if m.prefix.Contains(c.ip) {
			return hit, nil
		}
		return nil, nil
	}
	if x := c.count(); x != nil {
		return nil, x
	}
	name, ok := domain, true
	if m.spec != nil {
		name, ok = c.name(m.spec, domain)
	}
	if m.kind == mechInclude {
		return c.include(m, name, ok)
	}
	if !ok {
		// RFC 7208, section 4.8, leaves open what a name means that can't be asked.
		return nil, nil
	}
	var found bool
	var x *exit
	switch m.kind {
	case mechA:
		found, x = c.address(m, name, true)
	case mechMX:
		found, x = c.exchangers(m, name)
	case mechPTR:
		found, x = c.pointers(name)
	case mechExists:
		found, x = c.exists(name)
	}
	if x != nil || !found {
		return nil, x
	}
	// The networks of a and mx are for addresses that have to be there first.
	hit.anyone = m.lengthZero && (c.ip.Is4() && m.bits4 == 0 || c.ip.Is6() && m.bits6 == 0)
	return hit, nil
}

// include evaluates the record of another domain, of which only Pass matches (RFC 7208,
// section 5.2).
func (c *check) include(m *mechanism, name string, ok bool) (*outcome, *exit) {
	if c.unmatchable(m.spec) {
		return nil, nil
	}
	o := outcome{code: None, reason: "include of no name of a domain"}
	if ok {
		o = c.host(name)
	}
	step := strings.TrimPrefix(m.text[:len("+include:")]+mail.PrintableASCII(name, 253), "+")
	via := append([]string{step}, o.via...)
	switch o.code {
	case Pass:
		return &outcome{mechanism: o.mechanism, via: via, anyone: o.anyone}, nil
	case TempError:
		return nil, &exit{TempError, o.reason, via}
	case PermError, None:
		return nil, &exit{PermError, o.reason, via}
	}
	return nil, nil
}

// address tells whether the client is in a network around an address of a name. void
// tells whether to count it when there are none.
func (c *check) address(m *mechanism, name string, void bool) (bool, *exit) {
	t, bits := dns.TypeA, m.bits4
	if c.ip.Is6() {
		t, bits = dns.TypeAAAA, m.bits6
	}
	a, err := c.lookup(name, t)
	if x := c.judge(err, void); x != nil {
		return false, x
	}
	network, err := c.ip.Prefix(bits)
	if err != nil {
		return false, nil
	}
	for _, addr := range a.Addrs {
		if network.Contains(addr) {
			return true, nil
		}
	}
	return false, nil
}

// exchangers is the mechanism mx (RFC 7208, section 5.4).
func (c *check) exchangers(m *mechanism, name string) (bool, *exit) {
	a, err := c.lookup(name, dns.TypeMX)
	if x := c.judge(err, true); x != nil {
		return false, x
	}
	if len(a.MXs) > maxMX {
		return false, permError("%s has more than %d MX", mail.PrintableASCII(name, 80), maxMX)
	}
	for _, mx := range a.MXs {
		host, ok := dns.Normalize(mx.Host)
		if !ok {
			continue
		}
		// The limit of void lookups is on terms; a host without an address of the
		// client's kind is nothing unusual.
		if found, x := c.address(m, host, false); found || x != nil {
			return found, x
		}
	}
	return false, nil
}

// exists is the mechanism of that name, which asks for A always (RFC 7208, section 5.7).
func (c *check) exists(name string) (bool, *exit) {
	_, err := c.lookup(name, dns.TypeA)
	if x := c.judge(err, true); x != nil {
		return false, x
	}
	return err == nil, nil
}

// pointers is the mechanism ptr (RFC 7208, section 5.5).
func (c *check) pointers(target string) (bool, *exit) {
	for _, name := range c.validated() {
		if within(name, target) {
			return true, nil
		}
	}
	if c.ended() {
		return false, &exit{code: TempError, reason: "time or questions are used up"}
	}
	return false, nil
}

// within tells whether a name is a domain or below it; both in lower case.
func within(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}
