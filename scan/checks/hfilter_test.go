package checks

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/mail"
	"rmilter/scan"
)

const hfilterZone = `
	mx.example.net     A     203.0.113.7
	example.net        MX    10 mx.example.net
	7.113.0.203.in-addr.arpa   PTR  back.example.net
	back.example.net   A     203.0.113.7
	8.113.0.203.in-addr.arpa   PTR  lying.example.net
	lying.example.net  A     198.51.100.1
	9.113.0.203.in-addr.arpa   PTR  lost.example.net
	10.113.0.203.in-addr.arpa  PTR  lost.example.net
	10.113.0.203.in-addr.arpa  PTR  back.example.org
	back.example.org   A     203.0.113.10
	11.113.0.203.in-addr.arpa  PTR  dsl-11.113.pool.example.net
	dsl-11.113.pool.example.net A 203.0.113.11
	12.113.0.203.in-addr.arpa  PTR  gone.example.net
	1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa  PTR  six.example.net
	six.example.net    AAAA  2001:db8::1
	other.example.org  A     198.51.100.1
	other.example.net  A     198.51.100.1
	both.example.org   AAAA  2001:db8::1
	only.example.org   MX    10 gone.example.org
	only.example.org   MX    20 void.example.org
	takes.example.org  MX    10 mx.example.net
	down.example.org   MX    10 lost.example.net
	host.example.org   A     198.51.100.1
	v6.example.org     AAAA  2001:db8::1
	null.example.org   MX    0 .
	many.example.org   MX    10 a.gone.example
	many.example.org   MX    20 b.gone.example
	many.example.org   MX    30 c.gone.example
	many.example.org   MX    40 d.gone.example
	many.example.org   MX    50 e.gone.example
	text.example.org   TXT   hello
`

func helo(name string) func(*mail.Envelope) { return func(e *mail.Envelope) { e.Helo = name } }

// unnamed is a client that the MTA has no name for.
func unnamed(ip string) func(*mail.Envelope) {
	return func(e *mail.Envelope) { e.ClientIP, e.Hostname = netip.MustParseAddr(ip), "" }
}

func named(ip, name string) func(*mail.Envelope) {
	return func(e *mail.Envelope) { e.ClientIP, e.Hostname, e.Helo = netip.MustParseAddr(ip), name, name }
}

func TestHFilter(t *testing.T) {
	r := newAuthRig(t, "", hfilterZone, HFilter)
	r.server.Script("lost.example.net", "A", dnstest.ServFail)
	r.server.Script("lost.example.net", "AAAA", dnstest.ServFail)
	r.server.Script("99.113.0.203.in-addr.arpa", "PTR", dnstest.ServFail)
	r.server.Script("servfail.example.org", "A", dnstest.ServFail)
	r.server.Script("servfail.example.org", "MX", dnstest.ServFail)
	from := func(domain string) func(*mail.Envelope) { return sender("<joe@" + domain + ">") }
	bounce := func(n int) func(*mail.Envelope) {
		return func(e *mail.Envelope) { e.From, e.Rcpts = mail.Path{}, make([]mail.Path, n) }
	}
	client := func(name string) func(*mail.Envelope) { return named("203.0.113.7", name) }
	cases := []fixture{
		{"a mail server", nil, plainText, ""},
		{"our user", both(trust(mail.Authenticated), both(unnamed("203.0.113.200"), helo("x"))), plainText, ""},
		{"our network", both(trust(mail.OurNetwork), both(unnamed("203.0.113.200"), helo("[192.168.0.1]"))), plainText, ""},
		{"only asked", inspect, plainText, "HFILTER_FROM_BOUNCE"},

		{"no name", unnamed("203.0.113.200"), plainText, "HFILTER_HOSTNAME_UNKNOWN{203.0.113.200} RDNS_NONE{203.0.113.200} HFILTER_HELO_IP_A{mx.example.net}"},
		{"a name that leads elsewhere", both(unnamed("203.0.113.8"), helo("mx.example.org")), plainText, "HFILTER_HOSTNAME_UNKNOWN{203.0.113.8} HFILTER_HELO_NORES_A_OR_MX{mx.example.org}"},
		{"a name that is gone", both(unnamed("203.0.113.12"), helo("mx.example.org")), plainText, "HFILTER_HOSTNAME_UNKNOWN{203.0.113.12} HFILTER_HELO_NORES_A_OR_MX{mx.example.org}"},
		{"a name that the MTA has missed", unnamed("203.0.113.7"), plainText, ""},
		{"a name that can't be confirmed now", both(unnamed("203.0.113.9"), helo("")), plainText, "RDNS_DNSFAIL{203.0.113.9}"},
		{"one of two names is right", both(unnamed("203.0.113.10"), helo("back.example.org")), plainText, ""},
		{"no answer about the name", both(unnamed("203.0.113.99"), helo("")), plainText, "RDNS_DNSFAIL{203.0.113.99}"},
		{"IPv6", both(unnamed("2001:db8::1"), helo("six.example.net")), plainText, ""},
		{"IPv6 without a name", both(unnamed("2001:db8::2"), helo("")), plainText, "HFILTER_HOSTNAME_UNKNOWN{2001:db8::2} RDNS_NONE{2001:db8::2}"},
		{"a private client", both(unnamed("192.168.0.7"), helo("")), plainText, ""},
		{"a customer's line, as we find out", both(unnamed("203.0.113.11"), helo("")), plainText, "HFILTER_HOSTNAME_4{dsl-11.113.pool.example.net}"},
		{"a trusted relay's client", both(trust(mail.TrustedRelay), both(unnamed("203.0.113.200"), helo(""))), plainText, "HFILTER_HOSTNAME_UNKNOWN{203.0.113.200} RDNS_NONE{203.0.113.200}"},

		{"grade 1", client("static-203-0-113-7.example.net"), plainText, "HFILTER_HOSTNAME_1{static-203-0-113-7.example.net}"},
		{"grade 2", client("203-0-113-7.example.net"), plainText, "HFILTER_HOSTNAME_2{203-0-113-7.example.net}"},
		{"grade 3", client("customer-203-0-113-7.example.net"), plainText, "HFILTER_HOSTNAME_3{customer-203-0-113-7.example.net}"},
		{"grade 4", client("adsl-203-0-113-7.example.net"), plainText, "HFILTER_HOSTNAME_4{adsl-203-0-113-7.example.net}"},
		{"grade 5", client("203-0-113-7.dyn.example.net"), plainText, "HFILTER_HOSTNAME_5{203-0-113-7.dyn.example.net}"},
		{"greeting of grade 1", helo("static-203-0-113-7.example.net"), plainText, "HFILTER_HELO_1{static-203-0-113-7.example.net} HFILTER_HELO_NORES_A_OR_MX{static-203-0-113-7.example.net}"},
		{"greeting of grade 2", helo("203-0-113-7.example.net"), plainText, "HFILTER_HELO_2{203-0-113-7.example.net} HFILTER_HELO_NORES_A_OR_MX{203-0-113-7.example.net}"},
		{"greeting of grade 3", helo("user-203-0-113-7.example.net"), plainText, "HFILTER_HELO_3{user-203-0-113-7.example.net} HFILTER_HELO_NORES_A_OR_MX{user-203-0-113-7.example.net}"},
		{"greeting of grade 4", helo("ftth-203-0-113-7.example.net"), plainText, "HFILTER_HELO_4{ftth-203-0-113-7.example.net} HFILTER_HELO_NORES_A_OR_MX{ftth-203-0-113-7.example.net}"},
		{"greeting of grade 5", helo("ppp-203-0-113-7.example.net"), plainText, "HFILTER_HELO_5{ppp-203-0-113-7.example.net} HFILTER_HELO_NORES_A_OR_MX{ppp-203-0-113-7.example.net}"},
		{"the worse of two names", both(client("203-0-113-7.example.net"), helo("mx.example.net")), plainText, "HFILTER_HOSTNAME_2{203-0-113-7.example.net}"},

		{"greeting with an address", helo("203.0.113.7"), plainText, "HFILTER_HELO_BAREIP{203.0.113.7}"},
		{"greeting with a literal", helo("[203.0.113.7]"), plainText, "HFILTER_HELO_BAREIP{[203.0.113.7]}"},
		{"greeting with a literal of IPv6", helo("[IPv6:2001:db8::1]"), plainText, "HFILTER_HELO_BAREIP{[IPv6:2001:db8::1]}"},
		{"greeting with a private address", helo("[192.168.1.2]"), plainText, "HFILTER_HELO_BADIP{[192.168.1.2]}"},
		{"greeting with a loopback address", helo("127.0.0.1"), plainText, "HFILTER_HELO_BADIP{127.0.0.1}"},
		{"greeting with no address", helo("0.0.0.0"), plainText, "HFILTER_HELO_BADIP{0.0.0.0}"},
		{"greeting with a word", helo("friend"), plainText, "HFILTER_HELO_NOT_FQDN{friend}"},
		{"greeting with numbers", helo("203.0.113.777"), plainText, "HFILTER_HELO_NOT_FQDN{203.0.113.777}"},
		{"greeting with a control character", helo("a\x00.example.net"), plainText, "HFILTER_HELO_NOT_FQDN{a?.example.net}"},
		{"greeting that is long", helo(strings.Repeat("a", 300) + ".example.net"), plainText, "HFILTER_HELO_NOT_FQDN{" + strings.Repeat("a", 100) + "…}"},
		{"greeting with a final dot", helo("mx.example.net."), plainText, ""},
		{"greeting in capitals", helo("MX.Example.NET"), plainText, ""},
		{"greeting with another's name", helo("other.example.org"), plainText, "HFILTER_HELO_IP_A{other.example.org}"},
		{"greeting with a sibling's name", helo("other.example.net"), plainText, ""},
		{"greeting with a name of the other family", helo("both.example.org"), plainText, ""},
		{"greeting with a name of mail only", helo("takes.example.org"), plainText, ""},
		{"greeting with a name of mail that leads nowhere", helo("only.example.org"), plainText, "HFILTER_HELO_NORESOLVE_MX{only.example.org}"},
		{"greeting with a name that is none", helo("gone.example.org"), plainText, "HFILTER_HELO_NORES_A_OR_MX{gone.example.org}"},
		{"greeting that the DNS fails for", helo("servfail.example.org"), plainText, ""},

		{"sender's domain has a host", from("host.example.org"), plainText, ""},
		{"sender's domain has a host with IPv6", from("v6.example.org"), plainText, ""},
		{"sender's domain is none", from("gone.example.org"), plainText, "HFILTER_FROMHOST_NORES_A_OR_MX{gone.example.org}"},
		{"sender's domain has neither", from("text.example.org"), plainText, "HFILTER_FROMHOST_NORES_A_OR_MX{text.example.org}"},
		{"sender's domain takes no mail", from("null.example.org"), plainText, "HFILTER_FROMHOST_NORES_A_OR_MX{null.example.org}"},
		{"sender's MX lead nowhere", from("only.example.org"), plainText, "HFILTER_FROMHOST_NORESOLVE_MX{only.example.org}"},
		{"sender's MX can't be asked for", from("down.example.org"), plainText, ""},
		{"sender's domain can't be asked for", from("servfail.example.org"), plainText, ""},
		{"sender has many MX", from("many.example.org"), plainText, ""},
		{"sender's domain is a word", from("localhost"), plainText, "HFILTER_FROMHOST_NOT_FQDN{joe@localhost}"},
		{"sender's domain is an address", from("[192.0.2.1]"), plainText, "HFILTER_FROMHOST_NOT_FQDN{joe@[192.0.2.1]}"},
		{"sender without a domain", sender("<root>"), plainText, "HFILTER_FROMHOST_NOT_FQDN{root}"},
		{"a bounce", bounce(1), plainText, "HFILTER_FROM_BOUNCE"},
		{"a bounce to three", bounce(3), plainText, "HFILTER_FROM_BOUNCE HFILTER_RCPT_BOUNCEMOREONE{3}"},
	}
	for name, c := range map[string]struct{ body, want string }{
		"a link only":                   {"http://a.example/x\n", "HFILTER_URL_ONLY{1}"},
		"links only":                    {"\n<http://a.example/x>\n\n  www.b.example\n", "HFILTER_URL_ONLY{2}"},
		"a disguised link only":         {"hxxp://a[.]com/x\n", "HFILTER_URL_ONLY{1}"},
		"a link, wow":                   {"wow! http://a.example/x\n", "HFILTER_URL_ONLY{1}"},
		"a line with a link":            {"Look at this: http://a.example/x :-)\n", "HFILTER_URL_ONELINE{18}"},
		"a long line with a link":       {strings.Repeat("Look at this. ", 6) + "http://a.example/x\n", ""},
		"two lines with a link":         {"Look at this please:\nhttp://a.example/x\n", ""},
		"a text with a link":            {"Hello,\n\nsee http://a.example/x for it.\n\nJoe\n", ""},
		"no link":                       {"Hello\n", ""},
		"no text":                       {"", ""},
		"an address only":               {"joe@example.com\n", ""},
		"a name only":                   {"example.com\n", ""},
		"more links than are looked at": {strings.Repeat("http://a.example/x\n", 1000), ""},
	} {
		cases = append(cases, fixture{name, nil, "Subject: x\n\n" + c.body, c.want})
	}
	cases = append(cases, fixture{"HTML with a link that shows itself", nil, "Content-Type: text/html\n\n<p><a href='http://b.example/'>http://a.example/</a></p>", "HFILTER_URL_ONLY{1}"},
		fixture{"HTML with a button", nil, "Content-Type: text/html\n\n<p><a href='http://b.example/'>Click</a></p>", ""})
	r.fixtures(t, HFilter.Symbols, cases)
}

// Without DNS nothing is held against anybody that only the DNS could tell.
func TestHFilterWithoutDNS(t *testing.T) {
	e := stranger()
	both(unnamed("203.0.113.200"), helo("gone.example.org"))(e)
	e.From = path("<joe@gone.example.org>")
	if got := findings(scanWith(t, "", e, mail.Parse([]byte(plainText), mail.DefaultLimits), HFilter)); got != "" {
		t.Errorf("got %s, want nothing", got)
	}
}

// A DNS that says nothing costs nobody a point, and what needs no DNS is found.
func TestHFilterDNSDead(t *testing.T) {
	r := newAuthRig(t, "", "", HFilter)
	for _, name := range []string{"200.113.0.203.in-addr.arpa", "gone.example.org", "example.net"} {
		for _, kind := range []string{"PTR", "A", "AAAA", "MX"} {
			r.server.Script(name, kind, dnstest.ServFail)
		}
	}
	e := stranger()
	both(unnamed("203.0.113.200"), helo("gone.example.org"))(e)
	if got, want := own(r.scan(e, "Subject: x\n\nhttp://a.example/\n"), HFilter.Symbols), "RDNS_DNSFAIL{203.0.113.200} HFILTER_URL_ONLY{1}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Each option turns its symbols off.
func TestHFilterOptions(t *testing.T) {
	e := stranger()
	both(named("203.0.113.7", "203-0-113-7.dyn.example.net"), helo("friend"))(e)
	e.From, e.Rcpts = mail.Path{}, make([]mail.Path, 2)
	m := mail.Parse([]byte("Subject: x\n\nhttp://a.example/\n"), mail.DefaultLimits)
	all := "HFILTER_HOSTNAME_5{203-0-113-7.dyn.example.net} HFILTER_HELO_NOT_FQDN{friend} HFILTER_FROM_BOUNCE HFILTER_RCPT_BOUNCEMOREONE{2} HFILTER_URL_ONLY{1}"
	for option, gone := range map[string]string{
		"": "", "hostname": "HFILTER_HOSTNAME_5{203-0-113-7.dyn.example.net} ", "helo": "HFILTER_HELO_NOT_FQDN{friend} ", "from": "HFILTER_FROM_BOUNCE ",
		"rcpt": "HFILTER_RCPT_BOUNCEMOREONE{2} ", "url": " HFILTER_URL_ONLY{1}",
	} {
		conf := ""
		if option != "" {
			conf = "hfilter { " + option + "_enabled = no; }"
		}
		if got, want := findings(scanWith(t, conf, e, m, HFilter)), strings.Replace(all, gone, "", 1); got != want {
			t.Errorf("%s: got %s, want %s", conf, got, want)
		}
	}
}

// A mistake in a question fails the check, not the daemon.
func TestTogether(t *testing.T) {
	done := false
	err := together([]func(){func() { panic("a mistake") }, func() { done = true }})
	if p, ok := errors.AsType[*scan.PanicError](err); !ok || p.Value != "a mistake" || len(p.Stack) == 0 || !done {
		t.Errorf("got %v, the other one done: %t", err, done)
	}
	if err := together(nil); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
}

// BenchmarkHFilter measures the check with all answers in the cache: of a mail server with a
// name, and of a client whose every name has to be looked up.
func BenchmarkHFilter(b *testing.B) {
	r := newAuthRig(b, "", hfilterZone)
	engine := newEngine(b, "", HFilter)
	m := mail.Parse([]byte(plainText), mail.DefaultLimits)
	for name, change := range map[string]func(*mail.Envelope){
		"named":   func(*mail.Envelope) {},
		"unnamed": both(unnamed("203.0.113.8"), helo("mx.example.org")),
	} {
		b.Run(name, func(b *testing.B) {
			e := stranger()
			change(e)
			b.ReportAllocs()
			for b.Loop() {
				names := r.resolver.ForMessage(dns.Budget{})
				engine.Scan(b.Context(), e, m, scan.Aids{DNS: names})
				names.Close()
			}
		})
	}
}
