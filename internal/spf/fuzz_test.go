package spf

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
)

// One is a DNS in which every name has this record and this address.
type one string

func (o one) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	switch t {
	case dns.TypeTXT:
		return dns.Answer{Texts: []string{string(o)}}, nil
	case dns.TypeMX:
		return dns.Answer{MXs: []dns.MX{{Host: name}}}, nil
	case dns.TypePTR:
		return dns.Answer{Names: []string{string(o), "host.example.org"}}, nil
	}
	return dns.Answer{Addrs: []netip.Addr{netip.MustParseAddr("198.51.100.7")}}, nil
}

// FuzzRecord evaluates any record for any sender.
func FuzzRecord(f *testing.F) {
	for _, s := range []string{
		"v=spf1 -all", "v=spf1 a/24//64 mx:example.org/8 ptr:x.example ip4:192.0.2.0/24 ip6:2001:db8::/32 exists:%{ir}.%{v}.%{d2}.example ~all",
		"v=spf1 include:%{l1r-+}.example redirect=_spf.%{o}", "v=spf1 exp=%{S}.example ?all", "v=spf1 %%%_%-=%{p} +all", "v=spf1 a:%{h}/0",
	} {
		f.Add(s, "user", "mx.example.org", true)
	}
	f.Fuzz(func(t *testing.T, txt, local, helo string, six bool) {
		ip := "192.0.2.1"
		if six {
			ip = "2001:db8::1"
		}
		if len(txt) > 4096 || len(local) > 512 {
			return
		}
		q := Query{IP: netip.MustParseAddr(ip), Helo: helo, From: mail.Address{Local: local, Domain: "example.org"}}
		r := Check(t.Context(), one(txt), q)
		switch r.Code {
		case None, Neutral, Pass, Fail, SoftFail, TempError, PermError:
		default:
			t.Fatalf("code %q", r.Code)
		}
		if r.Terms > maxTerms || r.Queries > 1+maxTerms*(2+maxMX)+maxPTR+2 || len(r.Explanation) > maxExplanation {
			t.Fatalf("over the limits: %+v", r)
		}
		for _, s := range []string{r.String(), r.Explanation, r.Reason, r.Record, r.Mechanism} {
			if mail.PrintableASCII(s, len(s)) != s {
				t.Fatalf("not printable: %q", s)
			}
		}
		if (r.Code == PermError || r.Code == None) && (r.Reason == "" || r.Mechanism != "") {
			t.Fatalf("no reason: %+v", r)
		}
		_, err := parse(txt)
		if err != nil && isRecord(txt) && r.Code != PermError {
			t.Fatalf("%v, but the result is %v", err, r)
		}
	})
}

// FuzzMacro reads and expands any macro-string.
func FuzzMacro(f *testing.F) {
	for _, s := range []string{"%{s}", "%{d2r.-+,/_=}", "%%%_%-", "%{L999999999999r-}", "a%{p}.example.", "%{", "%", "%{}", "%{d0}", "%{i3R}"} {
		f.Add(s, "a-b.c+d", "example.org")
	}
	f.Fuzz(func(t *testing.T, s, local, domain string) {
		if len(s) > 4096 || len(local) > 512 || len(domain) > 253 {
			return
		}
		c := check{ctx: t.Context(), lookuper: one("host.example.org"), ip: netip.MustParseAddr("192.0.2.1"), local: local, domain: domain, known: map[question]reply{}}
		m, err := parseMacros(s, explanation)
		if err != nil {
			return
		}
		for _, p := range m {
			v := c.expand(p, domain)
			if p.letter != 0 && p.url && strings.IndexFunc(v, func(r rune) bool { return r <= ' ' || r >= 0x7f }) >= 0 {
				t.Fatalf("%q is not escaped", v)
			}
		}
		if name, ok := c.name(m, domain); ok {
			if got, ok := dns.Normalize(name); !ok || got != name {
				t.Fatalf("%q can't be asked", name)
			}
		}
	})
}
