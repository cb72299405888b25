package spf_test

import (
	"strings"
	"testing"

	"rmilter/internal/dns/dnstest"
	"rmilter/internal/mail"
	"rmilter/internal/spf"
	"rmilter/test/suites"
)

const local4, local6 = "192.0.2.1", "2001:db8::1"

// A row is a case: the record of example.org, a client and sender, and what comes of it.
type row struct {
	section string // of RFC 7208
	record  string // of example.org
	ip      string // 192.0.2.1 when empty
	from    string // user@example.org when empty
	want    spf.Code
	term    string // Mechanism, "" for any
	via     string // Via with spaces
	explain string // Explanation, "-" for none
	reason  string // part of Reason
}

// zone is what the rows find besides example.org.
const zone = `
	pass.example          TXT "v=spf1 ip4:192.0.2.0/24 -all"
	fail.example          TXT "v=spf1 -all exp=exp.example.net"
	soft.example          TXT "v=spf1 ~all"
	neutral.example       TXT "v=spf1 ?all"
	open.example          TXT "v=spf1 +all"
	none.example          TXT "hello"
	none.example          A   192.0.2.1
	broken.example        TXT "v=spf1 foo"
	twice.example         TXT "v=spf1 -all"
	twice.example         TXT "v=spf1 +all"
	loop.example          TXT "v=spf1 include:loop.example -all"
	round.example         TXT "v=spf1 redirect=round.example"
	down.example          TXT "v=spf1 -all"
	a.example             A   192.0.2.1
	a.example             A   198.51.100.1
	a.example             AAAA 2001:db8::1
	four.example          A   192.0.2.77
	alias.example         CNAME a.example
	mx.example            MX  10 a.example
	mx.example            MX  20 four.example
	v4mx.example          MX  10 four.example
	v4mx.example          MX  20 none.example
	v4mx.example          MX  30 four4.example
	v4mx.example          MX  40 four5.example
	four4.example         A   203.0.113.1
	four5.example         A   203.0.113.2
	nullmx.example        MX  0 .
	1.2.0.192.in-addr.arpa PTR www.example.org
	1.2.0.192.in-addr.arpa PTR forged.example.net
	www.example.org       A   192.0.2.1
	forged.example.net    A   203.0.113.9
	1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR six.example.org
	six.example.org       AAAA 2001:db8::1
	exp.example.net       TXT "%{i} may not send as %{s} (%{h}, %{d}, %{r}, %{t}, %{c}, %{v}, %{p}, %{o}, %{l})"
	plain.example.net     TXT "See http://example.org/?s=%{S}%%%_%-."
	bad.example.net       TXT "100% of %{x}"
	several.example.net   TXT "one"
	several.example.net   TXT "two"
	user.by.example.org   A   127.0.0.2
	1.2.0.192.list.example A  127.0.0.2
	1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.list.example A 127.0.0.2
`

var rows = []row{
	{section: "3.1", record: "v=spf1 a:\xc3\xa9.example -all", want: spf.PermError, reason: "character 0xc3"},
	{section: "4.3", record: "v=spf1 -all", from: "user@localhost", want: spf.None},
	{section: "4.3", record: "v=spf1 -all", from: "user@[192.0.2.1]", want: spf.None},
	{section: "4.3", record: "v=spf1 -all", from: "user", want: spf.None},
	{section: "4.3", record: "v=spf1 -all", from: "user@a..example", want: spf.None},
	{section: "4.3", record: "v=spf1 -all exp=plain.example.net", from: "@example.org", want: spf.Fail, explain: "See http://example.org/?s=postmaster%40example.org% %20."},
	{section: "4.3", record: "v=spf1 -all", from: "user@EXAMPLE.ORG.", want: spf.Fail},
	{section: "4.4", record: "", from: "user@gone.example", want: spf.None, reason: "no record"},
	{section: "4.4", record: "", from: "user@down.example", want: spf.TempError},
	{section: "4.5", record: "v=spf10 -all", want: spf.None},
	{section: "4.5", record: "v=spf1", want: spf.Neutral},
	{section: "4.5", record: "V=SPF1 -ALL", want: spf.Fail, term: "-ALL"},
	{section: "4.5", record: "", from: "user@twice.example", want: spf.PermError, reason: "several records"},
	{section: "4.6", record: "v=spf1 ip4:192.0.2.1 -all nonsense", want: spf.PermError, reason: "unknown mechanism"},
	{section: "4.6.1", record: "v=spf1   -all  ", want: spf.Fail},
	{section: "4.6.1", record: "v=spf1\t-all", want: spf.None},
	{section: "4.6.1", record: "v=spf1 -all\t", want: spf.PermError},
	{section: "4.6.1", record: "v=spf1 +redirect=pass.example", want: spf.PermError},
	{section: "4.6.2", record: "v=spf1 ?ip4:192.0.2.1 -all", want: spf.Neutral, term: "?ip4:192.0.2.1"},
	{section: "4.6.4", record: "v=spf1 a a a a a a a a a a ip4:192.0.2.1", ip: "192.0.2.77", want: spf.PermError, reason: "found nothing"},
	{section: "4.6.4", record: "v=spf1" + strings.Repeat(" a:a.example", 10) + " ip4:203.0.113.9", ip: "203.0.113.9", want: spf.Pass},
	{section: "4.6.4", record: "v=spf1" + strings.Repeat(" a:a.example", 11) + " ip4:203.0.113.9", ip: "203.0.113.9", want: spf.PermError, reason: "more than 10 terms"},
	{section: "4.6.4", record: "v=spf1 a:gone.example mx:gone.example -all", want: spf.Fail},
	{section: "4.6.4", record: "v=spf1 a:gone.example mx:gone.example exists:gone.example -all", want: spf.PermError, reason: "found nothing"},
	{section: "4.6.4", record: "v=spf1 mx:v4mx.example ip6:2001:db8::/32 -all", ip: local6, want: spf.Pass},
	{section: "4.6.4", record: "v=spf1 mx:many.example -all", want: spf.PermError, reason: "more than 10 MX"},
	{section: "4.6.4", record: "", from: "user@loop.example", want: spf.PermError, reason: "more than 10 terms"},
	{section: "4.6.4", record: "", from: "user@round.example", want: spf.PermError, reason: "more than 10 terms"},
	{section: "4.7", record: "v=spf1 ip4:198.51.100.0/24", want: spf.Neutral, reason: "nothing"},
	{section: "4.8", record: "v=spf1 a:a..example -all", want: spf.Fail},
	{section: "5", record: "v=spf1 ip4:192.0.2.1 -all", ip: "::ffff:192.0.2.1", want: spf.Pass},
	{section: "5", record: "v=spf1 ip6:::ffff:192.0.2.1 -all", ip: "::ffff:192.0.2.1", want: spf.Fail},
	{section: "5.1", record: "v=spf1 all:x.example", want: spf.PermError},
	{section: "5.1", record: "v=spf1 -all ip4:192.0.2.1", want: spf.Fail},
	{section: "5.2", record: "v=spf1 include:pass.example -all", want: spf.Pass, term: "+ip4:192.0.2.0/24", via: "include:pass.example"},
	{section: "5.2", record: "v=spf1 -include:pass.example +all", want: spf.Fail, via: "-include:pass.example"},
	{section: "5.2", record: "v=spf1 include:fail.example ~all", want: spf.SoftFail, explain: "-"},
	{section: "5.2", record: "v=spf1 include:soft.example -all", want: spf.Fail},
	{section: "5.2", record: "v=spf1 include:neutral.example -all", want: spf.Fail},
	{section: "5.2", record: "v=spf1 include:none.example -all", want: spf.PermError, via: "include:none.example"},
	{section: "5.2", record: "v=spf1 include:broken.example -all", want: spf.PermError},
	{section: "5.2", record: "v=spf1 include:down.example -all", want: spf.TempError, via: "include:down.example"},
	{section: "5.2", record: "v=spf1 include:localhost -all", want: spf.PermError},
	{section: "5.2", record: "v=spf1 include -all", want: spf.PermError},
	{section: "5.3", record: "v=spf1 a:a.example -all", want: spf.Pass},
	{section: "5.3", record: "v=spf1 a:A.EXAMPLE. -all", ip: local6, want: spf.Pass},
	{section: "5.3", record: "v=spf1 a:alias.example -all", want: spf.Pass},
	{section: "5.3", record: "v=spf1 a:four.example/24//64 -all", want: spf.Pass},
	{section: "5.3", record: "v=spf1 a:four.example//24 -all", want: spf.Fail},
	{section: "5.3", record: "v=spf1 a:a.example//64 -all", ip: "2001:db8::ffff", want: spf.Pass},
	{section: "5.3", record: "v=spf1 a:four.example/33 -all", want: spf.PermError},
	{section: "5.3", record: "v=spf1 a:four.example/024 -all", want: spf.PermError},
	{section: "5.3", record: "v=spf1 a:four.example//129 -all", want: spf.PermError},
	{section: "5.3", record: "v=spf1 a:four.example/ -all", want: spf.PermError},
	{section: "5.3", record: "v=spf1 a:down.example -all", want: spf.TempError},
	{section: "5.4", record: "v=spf1 mx:mx.example -all", want: spf.Pass},
	{section: "5.4", record: "v=spf1 mx:a.example -all", want: spf.Fail},
	{section: "5.4", record: "v=spf1 mx:nullmx.example -all", want: spf.Fail},
	{section: "5.4", record: "v=spf1 mx:down.example -all", want: spf.TempError},
	{section: "5.5", record: "v=spf1 ptr -all", want: spf.Pass, term: "+ptr"},
	{section: "5.5", record: "v=spf1 ptr:example.net -all", want: spf.Fail},
	{section: "5.5", record: "v=spf1 ptr:ample.org -all", want: spf.Fail},
	{section: "5.5", record: "v=spf1 ptr -all", ip: local6, want: spf.Pass},
	{section: "5.5", record: "v=spf1 ptr -all", ip: "203.0.113.50", want: spf.Fail},
	{section: "5.6", record: "v=spf1 ip4:192.0.2 -all", want: spf.PermError},
	{section: "5.6", record: "v=spf1 ip4:192.0.02.1 -all", want: spf.PermError},
	{section: "5.6", record: "v=spf1 ip4:2001:db8::1 -all", want: spf.PermError},
	{section: "5.6", record: "v=spf1 ip6:192.0.2.1 -all", want: spf.PermError},
	{section: "5.6", record: "v=spf1 ip6:2001:db8::/32 -all", ip: "2001:db8:1::1", want: spf.Pass},
	{section: "5.6", record: "v=spf1 ip6:fe80::1%eth0 -all", want: spf.PermError},
	{section: "5.7", record: "v=spf1 exists:a.example -all", ip: "203.0.113.1", want: spf.Pass},
	{section: "5.7", record: "v=spf1 exists:%{ir}.list.example -all", want: spf.Pass},
	{section: "5.7", record: "v=spf1 exists:six.example.org -all", ip: local6, want: spf.Fail},
	{section: "5.7", record: "v=spf1 exists:down.example -all", want: spf.TempError},
	{section: "6", record: "v=spf1 -all redirect=pass.example redirect=fail.example", want: spf.PermError, reason: "twice"},
	{section: "6", record: "v=spf1 unknown=%{i} -all", want: spf.Fail},
	{section: "6.1", record: "v=spf1 redirect=pass.example", want: spf.Pass, via: "redirect=pass.example"},
	{section: "6.1", record: "v=spf1 ?ip4:192.0.2.1 redirect=fail.example", want: spf.Neutral},
	{section: "6.1", record: "v=spf1 redirect=none.example", want: spf.PermError, via: "redirect=none.example"},
	{section: "6.1", record: "v=spf1 redirect=down.example", want: spf.TempError},
	{section: "6.1", record: "v=spf1 redirect=%{l}", from: "x..y@example.org", want: spf.PermError},
	{section: "6.2", record: "v=spf1 redirect=fail.example exp=plain.example.net", want: spf.Fail,
		explain: "192.0.2.1 may not send as user@example.org (client.example.org, fail.example, mx.example.com, 1795176000, 192.0.2.1, in-addr, www.example.org, example.org, user)"},
	{section: "6.2", record: "v=spf1 -all exp=bad.example.net", want: spf.Fail, explain: "-"},
	{section: "6.2", record: "v=spf1 -all exp=several.example.net", want: spf.Fail, explain: "-"},
	{section: "6.2", record: "v=spf1 -all exp=gone.example", want: spf.Fail, explain: "-"},
	{section: "6.2", record: "v=spf1 -all exp=down.example", want: spf.Fail, explain: "-"},
	{section: "6.2", record: "v=spf1 -all exp=", want: spf.PermError},
	{section: "6.2", record: "v=spf1 ip4:192.0.2.1 -all exp=plain.example.net", want: spf.Pass, explain: "-"},
	{section: "7.1", record: "v=spf1 exists:%{l}.by.%{d2} -all", want: spf.Pass},
	{section: "7.1", record: "v=spf1 exists:%{d0}.example -all", want: spf.PermError, reason: "no parts"},
	{section: "7.1", record: "v=spf1 exists:%{c}.example -all", want: spf.PermError, reason: "outside of an explanation"},
	{section: "7.1", record: "v=spf1 exists:%{z}.example -all", want: spf.PermError},
	{section: "7.1", record: "v=spf1 exists:%{d!}.example -all", want: spf.PermError},
	{section: "7.1", record: "v=spf1 exists:%d.example -all", want: spf.PermError},
	{section: "7.1", record: "v=spf1 exists:x.example% -all", want: spf.PermError},
	{section: "7.1", record: "v=spf1 exists:%{d -all", want: spf.PermError},
	{section: "7.1", record: "v=spf1 a:example.123 -all", want: spf.PermError},
	{section: "7.1", record: "v=spf1 a:museum -all", want: spf.PermError},
	{section: "7.3", record: "v=spf1 exists:%{ir}.%{v}.list.example -all", ip: local6, want: spf.Pass},
	{section: "RFC 8616, 4", record: "v=spf1 include:%{l}.example ~all", from: "\xc3\xbcser@example.org", want: spf.SoftFail},
	{section: "5.2", record: "v=spf1 include:%{l}..example ~all", want: spf.PermError},
	{section: "RFC 8616, 4", record: "v=spf1 exists:%{l}.by.example.org exists:a.example -all", from: "\xc3\xbcser@example.org", want: spf.Pass, term: "+exists:a.example"},
}

func TestRows(t *testing.T) {
	s := dnstest.Start(t, zone)
	for i := range 11 {
		s.Add("many.example", "MX", "1"+string(rune('0'+i%10))+" a.example")
		s.Add("many.example", "MX", "2"+string(rune('0'+i%10))+" four.example")
	}
	s.Script("down.example", "", dnstest.ServFail)
	for _, c := range rows {
		t.Run(c.section+" "+c.record, func(t *testing.T) {
			s.Remove("example.org", "TXT")
			if c.record != "" {
				s.AddTXT("example.org", suites.Cut255(c.record)...)
			}
			ip, from := c.ip, c.from
			if ip == "" {
				ip = local4
			}
			if from == "" {
				from = "user@example.org"
			}
			got := spf.Check(t.Context(), suites.Resolver(t, s), ask(ip, "client.example.org", from))
			explain := got.Explanation
			if explain == "" {
				explain = "-"
			}
			switch {
			case got.Code != c.want:
				t.Errorf("got %v, want %s", got, c.want)
			case c.term != "" && got.Mechanism != c.term:
				t.Errorf("got mechanism %q, want %q", got.Mechanism, c.term)
			case c.via != "" && strings.Join(got.Via, " ") != c.via:
				t.Errorf("got via %q, want %q", got.Via, c.via)
			case c.explain != "" && explain != c.explain:
				t.Errorf("got explanation\n%q, want\n%q", explain, c.explain)
			case !strings.Contains(got.Reason, c.reason):
				t.Errorf("got reason %q, want %q in it", got.Reason, c.reason)
			}
		})
	}
}

// TestMacros expands the examples of RFC 7208, section 7.4.
func TestMacros(t *testing.T) {
	const domain = "email.example.com"
	s := dnstest.Start(t, "e.example TXT x\n4.2.0.192.in-addr.arpa PTR mx.example.org\nmx.example.org A 192.0.2.3")
	s.AddTXT(domain, "v=spf1 -all exp=e.example")
	for _, c := range []struct{ ip, macro, want string }{
		{"192.0.2.3", "%{s}", "strong-bad@email.example.com"},
		{"192.0.2.3", "%{o}", "email.example.com"},
		{"192.0.2.3", "%{d}", "email.example.com"},
		{"192.0.2.3", "%{d4}", "email.example.com"},
		{"192.0.2.3", "%{d3}", "email.example.com"},
		{"192.0.2.3", "%{d2}", "example.com"},
		{"192.0.2.3", "%{d1}", "com"},
		{"192.0.2.3", "%{dr}", "com.example.email"},
		{"192.0.2.3", "%{d2r}", "example.email"},
		{"192.0.2.3", "%{l}", "strong-bad"},
		{"192.0.2.3", "%{l-}", "strong.bad"},
		{"192.0.2.3", "%{lr}", "strong-bad"},
		{"192.0.2.3", "%{lr-}", "bad.strong"},
		{"192.0.2.3", "%{l1r-}", "strong"},
		{"192.0.2.3", "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
		{"192.0.2.3", "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
		{"192.0.2.3", "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
		{"192.0.2.3", "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
		{"192.0.2.3", "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
		// The digits of IPv6 are capitals, as in the RFC 7208 suite; section 7.4 has them small.
		{"2001:db8::cb01", "%{ir}.%{v}._spf.%{d2}", "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com"},
		{"192.0.2.3", "%{D2} %{L}", "example.com strong-bad"},
		{"192.0.2.3", "%{d99999999999999999999}", "email.example.com"},
		{"192.0.2.3", "%{p}", "unknown"},
	} {
		s.Remove("e.example", "TXT")
		s.AddTXT("e.example", c.macro)
		got := spf.Check(t.Context(), suites.Resolver(t, s), ask(c.ip, "mx.example.org", "strong-bad@"+domain))
		if got.Explanation != c.want {
			t.Errorf("%s for %s: got %q, want %q", c.macro, c.ip, got.Explanation, c.want)
		}
	}
}

// TestIdentity sees which identity is checked and what the result tells of it.
func TestIdentity(t *testing.T) {
	s := dnstest.Start(t, `
		mta.example.org TXT "v=spf1 a -all"
		mta.example.org A   192.0.2.1
		example.org     TXT "v=spf1 -all"
	`)
	r := suites.Resolver(t, s)
	for _, c := range []struct {
		name, helo, from string
		want             string
	}{
		{"bounce", "MTA.example.org", "", "spf=pass helo=mta.example.org: 192.0.2.1 matches +a (1 of 10 terms with lookups)"},
		{"mail", "mta.example.org", "user@example.org", "spf=fail mailfrom=example.org: 192.0.2.1 matches -all"},
		{"bounce of nobody", "localhost", "", "spf=none: helo has no domain"},
		{"no domain", "mta.example.org", "user", "spf=none: mailfrom has no domain"},
	} {
		got := spf.Check(t.Context(), r, ask(local4, c.helo, c.from))
		if got.String() != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := spf.Check(t.Context(), r, spf.Query{From: mail.ParseAddress("a@example.org")}); got.Code != spf.None {
		t.Errorf("without a client: got %v, want none", got)
	}
}

// TestAnyone sees which records let every address pass.
func TestAnyone(t *testing.T) {
	s := dnstest.Start(t, zone+"half.example TXT \"v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all\"\n")
	for record, want := range map[string]bool{
		"v=spf1 +all":                   true,
		"v=spf1 ip4:192.0.2.1 +all":     false,
		"v=spf1 ip4:0.0.0.0/0 -all":     true,
		"v=spf1 a:a.example/0 -all":     true,
		"v=spf1 a:a.example//0 -all":    false,
		"v=spf1 include:open.example":   true,
		"v=spf1 redirect=open.example":  true,
		"v=spf1 include:pass.example":   false,
		"v=spf1 -all":                   false,
		"v=spf1 ip6:::/0 a:a.example":   false,
		"v=spf1 -include:open.example":  false,
		"v=spf1 ?all":                   false,
		"v=spf1 mx:mx.example/0 ?all":   true,
		"v=spf1 exists:a.example ~all":  false,
		"v=spf1 ip4:198.51.100.0/0 all": true,

		"v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all":                     true,
		"v=spf1 -ip4:10.0.0.0/8 ip4:192.0.0.0/4 -all":                   true,
		"v=spf1 ip4:192.0.0.0/14 ip4:128.0.0.0/2 -all":                  true,
		"v=spf1 ip4:192.0.0.0/15 ip4:128.0.0.0/2 -all":                  false, // not by what is open
		"v=spf1 ip4:192.0.0.0/5 -all":                                   false,
		"v=spf1 ip4:192.0.0.0/5 ip4:8.0.0.0/6 ip4:16.0.0.0/6 -all":      true,
		"v=spf1 ip4:192.0.0.0/5 -ip4:8.0.0.0/6 ip6:::/1 ip4:16.0.0.0/6": false,
		"v=spf1 ip4:192.0.2.1 ip4:0.0.0.0/1 ip4:128.0.0.0/1":            false,
		"v=spf1 a:a.example/4 -all":                                     true,
		"v=spf1 a:a.example/5 mx:mx.example/5 -all":                     true,
		"v=spf1 a:a.example/16 -all":                                    false,
		"v=spf1 a:a.example//1 -all":                                    false,
		"v=spf1 ?ip4:128.0.0.0/1":                                       false,
		"v=spf1 include:half.example -all":                              true,
		"v=spf1 redirect=half.example":                                  true,
	} {
		s.Remove("example.org", "TXT")
		s.AddTXT("example.org", record)
		if got := spf.Check(t.Context(), suites.Resolver(t, s), ask(local4, "x", "u@example.org")); got.Anyone != want {
			t.Errorf("%s: got %v, want %v (%v)", record, got.Anyone, want, got)
		}
	}
}

// TestAnyone6 has clients with IPv6.
func TestAnyone6(t *testing.T) {
	s := dnstest.Start(t, zone)
	for record, want := range map[string]bool{
		"v=spf1 ip6:::/1 ip6:8000::/1 -all":                         true,
		"v=spf1 ip6:2000::/3 -all":                                  true,
		"v=spf1 ip6:2001:d00::/14 ip6:2400::/14 -all":               false,
		"v=spf1 ip6:2001:d00::/11 -all":                             true,
		"v=spf1 ip6:2001:db8::/32 ip6:2400::/12 ip6:2600::/12 -all": false,
		"v=spf1 ip6:2001:d80::/20 ip6:2400::/12 ip6:2600::/12 -all": true,
		"v=spf1 ip6:2001:d80::/20 ip4:0.0.0.0/1 ip4:128.0.0.0/1":    false,
		"v=spf1 a:a.example/1 -all":                                 false,
		"v=spf1 a:a.example//12 -all":                               true,
		"v=spf1 ip6:2001:db8::/32 -all":                             false,
	} {
		s.Remove("example.org", "TXT")
		s.AddTXT("example.org", record)
		got := spf.Check(t.Context(), suites.Resolver(t, s), ask(local6, "x", "u@example.org"))
		if got.Code != spf.Pass || got.Anyone != want {
			t.Errorf("%s: got %v, want %v (%v)", record, got.Anyone, want, got)
		}
	}
}
