package dnslist_test

import (
	"net/netip"
	"strings"
	"testing"

	"rmilter/internal/dns"
	"rmilter/internal/dnslist"
)

func TestQuestion(t *testing.T) {
	own := func(change func(*dnslist.List)) *dnslist.List {
		l := &dnslist.List{Zone: "list.example", Enabled: true, Names: true, IPv4: true, IPv6: true, Asks: 1<<9 - 1}
		change(l)
		return l
	}
	all := own(func(*dnslist.List) {})
	addrs := own(func(l *dnslist.List) { l.Names = false })
	names := own(func(l *dnslist.List) { l.IPv4, l.IPv6 = false, false })
	registered := own(func(l *dnslist.List) { l.Registered = true })
	exempt := own(func(l *dnslist.List) {
		l.Exempt = dnslist.Exempt{Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/28")}, Domains: []string{"example.com"}}
	})
	hash := func(h dnslist.Hash) *dnslist.List { return own(func(l *dnslist.List) { l.Hash = h }) }
	client := func(a string) dnslist.Query { return dnslist.Query{Ask: dnslist.Client, Addr: addr(a)} }
	link := func(name string) dnslist.Query { return dnslist.Query{Ask: dnslist.URLs, Name: name} }
	email := func(e string) dnslist.Query { return dnslist.Query{Ask: dnslist.Emails, Email: e} }
	long := strings.Repeat("a", 60) + "."
	for _, test := range []struct {
		list *dnslist.List
		q    dnslist.Query
		want string // before the zone; "" when nothing is asked
	}{
		{all, client("203.0.113.7"), "7.113.0.203"},
		{all, client("::ffff:203.0.113.7"), "7.113.0.203"},
		{all, client("2001:db8::1%eth0"), "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"},
		{names, client("203.0.113.7"), ""},
		{names, client("2001:db8::1"), ""},
		{all, client("10.1.2.3"), ""},
		{all, client("172.16.0.1"), ""},
		{all, client("192.168.0.1"), ""},
		{all, client("169.254.0.1"), ""},
		{all, client("100.64.0.1"), ""},
		{all, client("127.0.0.2"), ""},
		{all, client("0.0.0.0"), ""},
		{all, client("0.1.2.3"), ""},
		{all, client("224.0.0.1"), ""},
		{all, client("255.255.255.255"), ""},
		{all, client("fd00::1"), ""},
		{all, client("fe80::1"), ""},
		{all, client("::1"), ""},
		{all, dnslist.Query{Ask: dnslist.Client}, ""},
		{exempt, client("203.0.113.7"), ""},
		{exempt, client("203.0.113.77"), "77.113.0.203"},
		{exempt, link("www.example.com"), ""},
		{exempt, link("EXAMPLE.com."), ""},
		{exempt, link("notexample.com"), "notexample.com"},
		{exempt, email("joe@sub.example.com"), ""},
		{all, link("WWW.Example.COM."), "www.example.com"},
		{registered, link("www.shop.example.co.uk"), "example.co.uk"},
		{registered, link("xn--bcher-kva.example"), "xn--bcher-kva.example"},
		{addrs, link("www.example.com"), ""},
		{all, link("203.0.113.7"), "7.113.0.203"},
		{all, link("[2001:db8::1]"), "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"},
		{names, link("203.0.113.7"), ""},
		{all, link("203.0.113"), ""},
		{all, link("localhost"), ""},
		{all, link("b\u00fccher.example"), ""},
		{all, link("a b.example"), ""},
		{all, link("a..example"), ""},
		{all, link("*.example.com"), ""},
		{all, link(""), ""},
		{all, link(long + long + long + "example.com"), long + long + long + "example.com"},
		{all, link(long + long + long + long + "example.com"), ""},
		{all, email("Joe@Mail.Example.com"), "mail.example.com"},
		{hash(dnslist.MD5), email("Joe@Example.com"), "f5b8fb60c6116331da07c65b96a8a1d1"},
		{hash(dnslist.SHA1), email("joe@example.com"), "c19ad2df280aac14d3303ab8dbc22938f50e857e"},
		{hash(dnslist.SHA256), email("joe@example.com"), "esa7g3p4kfokozcrvkw7comqe2kcuapokddnbjqzrc2dz3ydtpba"},
		{hash(dnslist.SHA1), dnslist.Query{Ask: dnslist.Emails, Name: "example.com"}, ""},
		{hash(dnslist.SHA1), link("example.com"), "example.com"},
		{hash(dnslist.SHA1), email("@example.com"), ""},
		{hash(dnslist.SHA1), email("joe@"), ""},
		{hash(dnslist.SHA1), email("joe"), ""},
		{hash(dnslist.SHA1), email(strings.Repeat("j", 600) + "@example.com"), ""},
		{own(func(l *dnslist.List) { l.Asks = dnslist.URLs }), client("203.0.113.7"), ""},
		{own(func(l *dnslist.List) { l.Dynamic = true }), dnslist.Query{Ask: dnslist.Received, Addr: addr("203.0.113.7")}, ""},
		{own(func(l *dnslist.List) { l.Dynamic = true }), client("203.0.113.7"), "7.113.0.203"},
	} {
		if test.want != "" {
			test.want += ".list.example"
		}
		if got, ok := test.list.Question(test.q); got != test.want || ok != (test.want != "") {
			t.Errorf("%+v: got %q, %v, want %q", test.q, got, ok, test.want)
		}
	}
}

// FuzzQuestion: whatever a message names, a question is a name below the list's zone that
// can be asked, it is the same for the same thing, and it tells no key.
func FuzzQuestion(f *testing.F) {
	for _, s := range []string{"www.example.com", "203.0.113.7", "joe@example.com", "[2001:db8::1]", "xn--bcher-kva.example", "a..b", "\x00", strings.Repeat("a.", 130)} {
		f.Add(s, uint16(0x1ff), true, true)
	}
	hashes := []dnslist.Hash{dnslist.NoHash, dnslist.MD5, dnslist.SHA1, dnslist.SHA256}
	f.Fuzz(func(t *testing.T, text string, ask uint16, registered, canonical bool) {
		for _, h := range hashes {
			l := &dnslist.List{Zone: "list.example", Names: true, IPv4: true, IPv6: true, Asks: 1<<9 - 1, Registered: registered, Canonical: canonical, Hash: h}
			a, _ := netip.ParseAddr(text)
			for _, q := range []dnslist.Query{{Ask: dnslist.Asks(ask), Name: text}, {Ask: dnslist.Asks(ask), Email: text}, {Ask: dnslist.Asks(ask), Addr: a}} {
				name, ok := l.Question(q)
				if !ok {
					if name != "" {
						t.Fatalf("%+v: no question, but %q", q, name)
					}
					continue
				}
				normal, valid := dns.Normalize(name)
				if !valid || normal != name || !strings.HasSuffix(name, ".list.example") || strings.ContainsAny(name, " /@*") {
					t.Fatalf("%+v: got %q", q, name)
				}
				if again, _ := l.Question(q); again != name {
					t.Fatalf("%+v: got %q and %q", q, name, again)
				}
			}
		}
	})
}

// FuzzPattern: a pattern that is read is written so that it is read again, and matches only
// what lists answer.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"127.0.0.2", "127.0.0.4-7", "127.0.*.1", "127.0.0.0/24", "127.0.0.*&64", "127.0.%d+.1", "127.255.255.255", "128.0.0.1", "127.0.0.9-2"} {
		f.Add(s, uint32(0x7f000002))
	}
	f.Fuzz(func(t *testing.T, text string, answer uint32) {
		p, err := dnslist.ParsePattern(text)
		if err != nil {
			return
		}
		again, err := dnslist.ParsePattern(p.String())
		if err != nil || again != p {
			t.Fatalf("%q: got %v, which is read as %v, %v", text, p, again, err)
		}
		a := netip.AddrFrom4([4]byte{byte(answer >> 24), byte(answer >> 16), byte(answer >> 8), byte(answer)})
		if p.Matches(a) && a.As4()[0] != 127 {
			t.Fatalf("%v matches %v", p, a)
		}
	})
}
