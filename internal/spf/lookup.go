package spf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
)

// A question is what one can ask the DNS.
type question struct {
	name string
	typ  dns.Type
}

// A reply is what became of it.
type reply struct {
	answer dns.Answer
	err    error
}

// lookup asks each question once.
func (c *check) lookup(name string, t dns.Type) (dns.Answer, error) {
	q := question{name, t}
	if r, ok := c.known[q]; ok {
		return r.answer, r.err
	}
	a, err := c.lookuper.Lookup(c.ctx, name, t)
	if err == nil && a.Len() == 0 {
		err = &dns.Error{Name: name, Type: t, Kind: dns.NoData}
	}
	if err != nil {
		a = dns.Answer{}
	}
	c.known[q] = reply{a, err}
	return a, err
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

// failure says what failed.
func failure(err error) string { return mail.PrintableASCII(err.Error(), 200) }

// judge turns a failure into an exit, and counts a term without an answer.
func (c *check) judge(err error, void bool) *exit {
	switch {
	case err == nil:
		return nil
	case temporary(err):
		return &exit{code: TempError, reason: failure(err)}
	case !void || dns.KindOf(err) == dns.BadName:
		return nil
	}
	if c.void++; c.void > maxVoid {
		return permError("more than %d lookups found nothing", maxVoid)
	}
	return nil
}

// ended tells whether bounds of ours have kept the DNS from being asked, in contrast to
// failures of the DNS, which ptr has to overlook.
func (c *check) ended() bool {
	if c.ctx.Err() != nil {
		return true
	}
	for _, r := range c.known {
		switch dns.KindOf(r.err) {
		case dns.OverBudget, dns.Busy, dns.Canceled:
			return true
		}
	}
	return false
}

// validated returns the names of the client whose addresses include the client's
// (RFC 7208, section 5.5). It asks once for all of a check.
func (c *check) validated() []string {
	if c.named {
		return c.names
	}
	c.named = true
	a, _ := c.lookup(dns.Reverse(c.ip), dns.TypePTR)
	t := dns.TypeA
	if c.ip.Is6() {
		t = dns.TypeAAAA
	}
	for _, name := range a.Names[:min(len(a.Names), maxPTR)] {
		name, ok := dns.Normalize(name)
		if !ok {
			continue
		}
		a, _ := c.lookup(name, t)
		for _, addr := range a.Addrs {
			if addr == c.ip {
				c.names = append(c.names, name)
				break
			}
		}
	}
	return c.names
}

// unmatchable tells whether a domain-spec holds a local part that no name of the DNS can
// hold. Such a term matches nothing (RFC 8616, section 4).
func (c *check) unmatchable(spec macros) bool {
	if ascii(c.local) {
		return false
	}
	for _, p := range spec {
		if p.letter == 's' || p.letter == 'l' {
			return true
		}
	}
	return false
}

// name expands a domain-spec to what can be asked, in lower case without the final dot,
// and whether it can be asked.
func (c *check) name(spec macros, domain string) (string, bool) {
	if c.unmatchable(spec) {
		return "", false
	}
	// Only the last 253 bytes count (RFC 7208, section 7.3), so it begins at the end,
	// and what a piece would be that is too far to the left doesn't matter.
	const most = 254 // with a final dot
	var values []string
	size := 0
	for i := len(spec) - 1; i >= 0 && size <= most; i-- {
		v := c.expand(spec[i], domain)
		values = append(values, v)
		size += len(v)
	}
	var b strings.Builder
	for i := len(values) - 1; i >= 0; i-- {
		b.WriteString(values[i])
	}
	s := strings.TrimSuffix(b.String(), ".")
	for len(s) > most-1 {
		_, rest, ok := strings.Cut(s, ".")
		if !ok {
			return s, false
		}
		s = rest
	}
	name, ok := dns.Normalize(s)
	if !ok {
		return s, false
	}
	return name, true
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// expand returns the text of a piece (RFC 7208, section 7.2).
func (c *check) expand(p piece, domain string) string {
	if p.letter == 0 {
		return p.literal
	}
	v := ""
	switch p.letter {
	case 's':
		v = c.local + "@" + c.domain
	case 'l':
		v = c.local
	case 'o':
		v = c.domain
	case 'd':
		v = domain
	case 'i':
		v = c.dotted()
	case 'p':
		v = c.clientName(domain)
	case 'v':
		v = "in-addr"
		if c.ip.Is6() {
			v = "ip6"
		}
	case 'h':
		v = c.query.Helo[:min(len(c.query.Helo), 512)]
	case 'c':
		v = c.ip.String()
	case 'r':
		v = c.query.Receiver
		if v == "" {
			v = "unknown"
		}
	case 't':
		v = "0"
		if !c.query.Now.IsZero() {
			v = strconv.FormatInt(c.query.Now.Unix(), 10)
		}
	}
	return p.apply(v)
}

// dotted returns the client's address with dots, for IPv6 between the digits.
func (c *check) dotted() string {
	if c.ip.Is4() {
		return c.ip.String()
	}
	bytes := c.ip.As16()
	digits := fmt.Sprintf("%X", bytes[:])
	return strings.Join(strings.Split(digits, ""), ".")
}

// clientName is the macro %{p}: a validated name, best the domain itself or one below it.
func (c *check) clientName(domain string) string {
	best, rank := "unknown", 0
	for _, name := range c.validated() {
		r := 1
		if name == domain {
			r = 3
		} else if within(name, domain) {
			r = 2
		}
		if r > rank {
			best, rank = name, r
		}
	}
	return best
}

// maxExplanation bounds what a sender is told, in bytes.
const maxExplanation = 500

// explain fetches and expands the explanation of a Fail, "" when there is none that can
// be used (RFC 7208, section 6.2). It counts against no limit.
func (c *check) explain(spec macros, domain string) string {
	name, ok := c.name(spec, domain)
	if !ok {
		return ""
	}
	a, err := c.lookup(name, dns.TypeTXT)
	if err != nil || len(a.Texts) != 1 || len(a.Texts[0]) > maxRecord {
		return ""
	}
	m, err := parseMacros(a.Texts[0], explanation)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, p := range m {
		if b.WriteString(c.expand(p, domain)); b.Len() >= maxExplanation {
			break
		}
	}
	return mail.PrintableASCII(b.String(), maxExplanation)
}
