package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/dnslist"
	"rmilter/internal/mail"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// A listRig runs the checks of DNS lists with a real resolver and a server with the lists'
// zones.
type listRig struct {
	t        testing.TB
	server   *dnstest.Server
	resolver *dns.Resolver
	watch    *dnslist.Watch
	engine   *scan.Engine

	mu       sync.Mutex
	problems []string
}

// onlyLists are two lists of the test's own and no other.
func onlyLists(more string) string {
	var b strings.Builder
	for _, l := range dnslist.Catalog() {
		fmt.Fprintf(&b, "%s { list %q { enabled = no; } }\n", l.Section, l.Name)
	}
	return b.String() + more
}

// testPoints are the records by which lists of addresses pass their tests.
func testPoints(zones ...string) string {
	var b strings.Builder
	for _, z := range zones {
		fmt.Fprintf(&b, "2.0.0.127.%s A 127.0.0.2\n", z)
	}
	return b.String()
}

// newListRig returns a rig whose clock moves when the server drops a query, so that a
// timeout takes no time.
func newListRig(t testing.TB, conf, zone string, env scan.Env) *listRig {
	t.Helper()
	r := &listRig{t: t, server: dnstest.Start(t, zone)}
	a := r.server.Addr()
	clock := dnstest.NewClock(frozen())
	r.server.OnDrop(func() { clock.Advance(clockStep) })
	var err error
	r.resolver, err = dns.New(dns.Config{Nameservers: ucl.Servers{{Host: a.Addr().String(), Port: int(a.Port())}}},
		dns.Env{Now: clock.Now, AfterFunc: clock.AfterFunc, Try: clockStep, ResolvConf: filepath.Join(t.TempDir(), "resolv.conf")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.resolver.Close)
	r.watch = dnslist.NewWatch(dnslist.Env{Now: clock.Now, DNS: r.resolver, Resolvers: r.resolver.Servers, Raise: func(p dnslist.Problem) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.problems = append(r.problems, p.Text)
	}})
	env.Lists, env.Now = r.watch, frozen
	if r.engine, err = build(conf, env, DKIM, RBL, SURBL); err != nil {
		t.Fatal(err)
	}
	r.watch.Use(r.engine.Lists())
	r.watch.Check(t.Context())
	return r
}

// scan runs the checks over a message and returns what the lists found.
func (r *listRig) scan(e *mail.Envelope, raw string) (*scan.Report, string) {
	r.t.Helper()
	m := mail.Parse([]byte(raw), mail.DefaultLimits)
	names := r.resolver.ForMessage(dns.Budget{Queries: 1000})
	defer names.Close()
	report := r.engine.Scan(r.t.Context(), e, m, aids(r.t.Context(), names, m))
	for name, err := range report.Failed {
		r.t.Errorf("check %s failed: %v", name, err)
	}
	found := slices.DeleteFunc(slices.Clone(report.Findings), func(f scan.Finding) bool { return slices.Contains(DKIM.Symbols, f.Symbol) })
	return report, told(found)
}

// asked returns the names that a zone was asked for, sorted, without the tests.
func (r *listRig) asked(zone string) string {
	var list []string
	for _, q := range r.server.Asked() {
		if name, ok := strings.CutSuffix(q.Name, "."+zone); ok && name != "2.0.0.127" && name != "1.0.0.127" && name != "invalid" && name != "listed.test" && q.Type == "A" {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// Lists of the tests' own, which are asked everything.
const (
	ownLists = `rbl { list all { rbl = addr.example.net; checks = from, received; ipv6 = yes; returncodes = "ADDR_CLIENT:127.0.0.2", "ADDR_OTHER:127.0.0.3"; } }
		rbl { list names { rbl = names.example.net; checks = helo, rdns, fromdomain, replyto, dkim; test_listed = listed.test; returncodes = "NAMED:127.0.0.2"; } }
		surbl { list links { rbl = links.example.net; checks = urls, emails; test_listed = listed.test; returnbits = "LINK_ONE:2", "LINK_TWO:4"; } }
		surbl { list where { rbl = where.example.net; checks = urls; resolve_ip = yes; test_listed = 127.0.0.2; test_clean = 127.0.0.1; returncodes = "LINK_ADDR:127.0.0.2"; } }
		surbl { list hashes { rbl = hashes.example.net; checks = emails, replyto; hash = md5; returncodes = "ADDRESS:127.0.0.2"; } }`
	ownPoints = "2.0.0.127.addr.example.net A 127.0.0.2\nlisted.test.names.example.net A 127.0.0.2\nlisted.test.links.example.net A 127.0.0.2\n2.0.0.127.where.example.net A 127.0.0.2\n"
)

// TestDNSListsOfAll asks lists of one's own about everything that there is in a message.
func TestDNSListsOfAll(t *testing.T) {
	raw := "Received: from a.example (a.example [198.51.100.1]) by b.example; Mon, 2 Mar 2026 10:00:00 +0100\n" +
		"Received: from c.example (c.example [2001:db8::1]) by a.example; Mon, 2 Mar 2026 10:00:00 +0100\n" +
		"Received: from d.example (d.example [10.0.0.1]) by c.example; Mon, 2 Mar 2026 10:00:00 +0100\n" +
		"Received: from e.example (e.example [203.0.113.7]) by d.example; Mon, 2 Mar 2026 10:00:00 +0100\n" +
		"Received: from ours.example (ours.example [192.0.2.25]) by e.example; Mon, 2 Mar 2026 10:00:00 +0100\n" +
		"From: Joe <joe@from.example.org>\nReply-To: jim@reply.example.org\nSubject: Hello\nMIME-Version: 1.0\nContent-Type: text/html\n\n" +
		`<a href="http://www.spam.example/x">x</a> <a href="http://WWW.spam.example/y">y</a> <a href="http://198.51.100.77/">z</a> <a href="http://alice.example.com/">own</a> <a href="mailto:sales@shop.example">mail</a>` + "\n"
	hash := func(s string) string {
		l := &dnslist.List{Zone: "z", Asks: dnslist.Emails, Hash: dnslist.MD5}
		name, _ := l.Question(dnslist.Query{Ask: dnslist.Emails, Email: s})
		return strings.TrimSuffix(name, ".z")
	}
	zone := ownPoints + keyZone(t, "signer.example.org") + `
		7.113.0.203.addr.example.net A 127.0.0.2
		1.100.51.198.addr.example.net A 127.0.0.3
		signer.example.names.example.net A 127.0.0.2
		example.org.names.example.net A 127.0.0.2
		spam.example.links.example.net A 127.0.0.6
		77.100.51.198.links.example.net A 127.0.0.2
		www.spam.example A 198.51.100.9
		9.100.51.198.where.example.net A 127.0.0.2
		` + hash("sales@shop.example") + `.hashes.example.net A 127.0.0.2
	`
	env := scan.Env{Ours: func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.25") }, Domains: []string{"mx.example.com"}}
	r := newListRig(t, onlyLists(ownLists), zone, env)
	e := stranger()
	e.Helo, e.Hostname = "helo.example.info", "mx.example.com"
	_, got := r.scan(e, signed(t, raw, "signer.example.org"))
	want := "ADDR_CLIENT{203.0.113.7:127.0.0.2,7.113.0.203.addr.example.net} ADDR_OTHER{198.51.100.1:127.0.0.3,1.100.51.198.addr.example.net} " +
		"NAMED{from.example.org:127.0.0.2,example.org.names.example.net} " +
		"LINK_ONE{www.spam.example:127.0.0.6,spam.example.links.example.net,198.51.100.77:127.0.0.2,77.100.51.198.links.example.net} LINK_TWO{www.spam.example:127.0.0.6,spam.example.links.example.net} " +
		"LINK_ADDR{198.51.100.9:127.0.0.2,9.100.51.198.where.example.net} ADDRESS{sales@shop.example:127.0.0.2," + hash("sales@shop.example") + ".hashes.example.net}"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for zone, want := range map[string]string{
		"addr.example.net":   "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2 1.100.51.198 7.113.0.203",
		"names.example.net":  "example.info example.net example.org",
		"links.example.net":  "77.100.51.198 example.org shop.example spam.example",
		"where.example.net":  "77.100.51.198 9.100.51.198",
		"hashes.example.net": strings.Join(slices.Sorted(slices.Values([]string{hash("sales@shop.example"), hash("jim@reply.example.org")})), " "),
	} {
		if got := r.asked(zone); got != want {
			t.Errorf("%s was asked for %q, want %q", zone, got, want)
		}
	}
	if len(r.problems) > 0 {
		t.Errorf("problems: %q, want none", r.problems)
	}
}

// TestDNSListsNotAsked has mail about which nobody is asked.
func TestDNSListsNotAsked(t *testing.T) {
	r := newListRig(t, onlyLists(ownLists), ownPoints+"*.addr.example.org A 127.0.0.2\n", scan.Env{})
	raw := "From: Joe <joe@from.example.org>\n\nhttp://www.spam.example/\n"
	for _, k := range []mail.Trust{mail.OurNetwork, mail.OurDaemon, mail.Authenticated, mail.Local} {
		e := stranger()
		e.Trust = k
		if _, got := r.scan(e, raw); got != "" {
			t.Errorf("%v: got %s", k, got)
		}
	}
	for _, zone := range []string{"addr.example.net", "names.example.net", "links.example.net"} {
		if got := r.asked(zone); got != "" {
			t.Errorf("%s was asked for %q of our own mail", zone, got)
		}
	}
	e := stranger()
	e.Trust = mail.TrustedRelay
	r.scan(e, raw)
	if got := r.asked("addr.example.net"); got != "7.113.0.203" {
		t.Errorf("a relay's client: asked %q, want its address", got)
	}
	// Without a resolver, or a Watch, nothing is found.
	m := mail.Parse([]byte(raw), mail.DefaultLimits)
	if got := told(r.engine.Scan(t.Context(), stranger(), m, scan.Aids{}).Findings); got != "" {
		t.Errorf("without a resolver: got %s", got)
	}
	bare, err := build(onlyLists(ownLists), scan.Env{Now: frozen}, DKIM, RBL, SURBL)
	if err != nil {
		t.Fatal(err)
	}
	if got := told(bare.Scan(t.Context(), stranger(), m, scan.Aids{DNS: r.resolver}).Findings); got != "" {
		t.Errorf("without a Watch: got %s", got)
	}
}

// TestDNSListsBounds has a message name more than is asked about.
func TestDNSListsBounds(t *testing.T) {
	var body strings.Builder
	for i := range 500 {
		fmt.Fprintf(&body, "http://host%d.example/ http://host%d.example/again\n", i, i)
	}
	var head strings.Builder
	for i := range 50 {
		fmt.Fprintf(&head, "Received: from a (b [198.51.100.%d]) by c; Mon, 2 Mar 2026 10:00:00 +0100\n", i)
	}
	zone := ownPoints + keyZone(t, "signer.example.org") + "*.links.example.net A 127.0.0.2\ninvalid.links.example.net TXT none\n"
	r := newListRig(t, onlyLists(ownLists)+"surbl { max_names = 7; }", zone, scan.Env{})
	_, got := r.scan(stranger(), signed(t, head.String()+"From: Joe <joe@from.example.org>\nSubject: x\n\n"+body.String(), "signer.example.org"))
	if n := len(strings.Fields(r.asked("links.example.net"))); n != 7 {
		t.Errorf("%d names were asked about, want 7: %s", n, r.asked("links.example.net"))
	}
	if n := strings.Count(got, ":127.0.0.2"); n != maxListShown || !strings.HasPrefix(got, "LINK_ONE{host0.example:127.0.0.2,host0.example.links.example.net,host1.example") {
		t.Errorf("%d things are shown, want %d, the first ones: %s", n, maxListShown, got)
	}
	if n := len(strings.Fields(r.asked("addr.example.net"))); n != 1+maxListHops {
		t.Errorf("%d addresses were asked about, want the client and %d hops", n, maxListHops)
	}
	if !strings.Contains(r.asked("names.example.net"), "example.org") {
		t.Errorf("asked %q, want the signer among them", r.asked("names.example.net"))
	}
}

// TestDNSListsFail has lists that don't answer as they should.
func TestDNSListsFail(t *testing.T) {
	conf := onlyLists(`rbl { list good { rbl = good.example.net; symbol = GOOD; } list bad { rbl = bad.example.net; returncodes = "BAD:127.0.0.2"; } }`)
	for _, c := range []struct {
		name, answer, want string
		fault              dnstest.Fault
	}{
		{"blocked", "127.255.255.254", "bad.example.net:blocked:127.255.255.254", dnstest.OK},
		{"undocumented", "127.0.0.99", "bad.example.net:undocumented:127.0.0.99", dnstest.OK},
		{"not of a list", "192.0.2.1", "bad.example.net:undocumented:192.0.2.1", dnstest.OK},
		{"refused", "127.0.0.2", "bad.example.net:blocked", dnstest.Refused},
		{"server failure", "127.0.0.2", `bad.example.net:server failed`, dnstest.ServFail},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newListRig(t, conf, testPoints("good.example.net", "bad.example.net")+"7.113.0.203.good.example.net A 127.0.0.2\n7.113.0.203.bad.example.net A "+c.answer+"\n", scan.Env{})
			r.server.Script("7.113.0.203.bad.example.net", "", c.fault)
			_, got := r.scan(stranger(), "Subject: x\n\n")
			if want := "GOOD{203.0.113.7:127.0.0.2,7.113.0.203.good.example.net} RBL_FAIL{" + c.want + "}"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestDNSListsDead has a list that never answers: what the others say counts.
func TestDNSListsDead(t *testing.T) {
	conf := onlyLists(`rbl { list good { rbl = good.example.net; symbol = GOOD; } list dead { rbl = dead.example.net; symbol = DEAD; } }`)
	r := newListRig(t, conf, testPoints("good.example.net", "dead.example.net")+"7.113.0.203.good.example.net A 127.0.0.2\n", scan.Env{})
	r.server.Script("7.113.0.203.dead.example.net", "", dnstest.Drop)
	_, got := r.scan(stranger(), "Subject: x\n\n")
	if want := "GOOD{203.0.113.7:127.0.0.2,7.113.0.203.good.example.net} RBL_FAIL{dead.example.net:timeout}"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestDNSListSymbols wants names of symbols that are free.
func TestDNSListSymbols(t *testing.T) {
	for conf, want := range map[string]string{
		`rbl { list own { rbl = own.example.net; symbol = OWN; } }`:                                                     "",
		`rbl { list own { rbl = own.example.net; symbol = RBL_SEM; } }`:                                                 "",
		`rbl { list own { rbl = own.example.net; symbol = R_DKIM_ALLOW; } }`:                                            "symbol R_DKIM_ALLOW belongs to check dkim_verify",
		`rbl { list own { rbl = own.example.net; symbol = DBL_SPAM; } }`:                                                "symbol DBL_SPAM belongs to check surbl",
		`rbl { list a { rbl = a.example.net; symbol = OWN; } } surbl { list b { rbl = b.example.net; symbol = OWN; } }`: "symbol OWN belongs to check",
		`rbl { enabled = no; list own { rbl = own.example.net; symbol = R_DKIM_ALLOW; } }`:                              "",
	} {
		e, err := build(conf, scan.Env{Now: frozen}, DKIM, RBL, SURBL)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", conf, err, want)
		}
		if err == nil && strings.Contains(conf, "enabled = no") && slices.ContainsFunc(e.Lists(), func(l *dnslist.List) bool { return l.Section == dnslist.RBL }) {
			t.Errorf("%s: got lists of rbl", conf)
		}
	}
}

// A panicking resolver is a mistake in the program.
type panicking struct{}

func (panicking) Lookup(context.Context, string, dns.Type) (dns.Answer, error) { panic("boom") }

// TestDNSListsPanic has the questions panic, which must not end more than the checks.
func TestDNSListsPanic(t *testing.T) {
	r := newListRig(t, onlyLists(ownLists), ownPoints, scan.Env{})
	m := mail.Parse([]byte("From: Joe <joe@from.example.org>\n\nhttp://www.spam.example/\n"), mail.DefaultLimits)
	report := r.engine.Scan(t.Context(), stranger(), m, scan.Aids{DNS: panicking{}})
	for _, name := range []string{"rbl", "surbl"} {
		if _, ok := errors.AsType[*scan.PanicError](report.Failed[name]); !ok {
			t.Errorf("%s: got %v, want a panic", name, report.Failed[name])
		}
	}
}

// BenchmarkDNSLists is what all lists that are on by default add to a message with three
// links when the cache has all answers: one operation is a message. "off" is the same
// engine without the two checks.
func BenchmarkDNSLists(b *testing.B) {
	zone := ""
	for _, l := range dnslist.Catalog() {
		if what := l.TestListed; what != "" {
			if a, err := netip.ParseAddr(what); err == nil {
				what = dns.ReverseLabels(a)
			}
			zone += what + "." + l.Zone + " A 127.0.0.2\n"
		}
	}
	const raw = "Received: from a (b [198.51.100.1]) by c; Mon, 2 Mar 2026 10:00:00 +0100\nFrom: Joe <joe@example.net>\nReply-To: joe@example.org\nSubject: x\n\n" +
		"http://www.example.net/ http://www.example.info/ http://spam.example/ and write to ann@mail.example\n"
	for name, conf := range map[string]string{"on": "", "off": "rbl { enabled = no; } surbl { enabled = no; }"} {
		b.Run(name, func(b *testing.B) {
			r := newListRig(b, conf, zone, scan.Env{})
			m := mail.Parse([]byte(raw), mail.DefaultLimits)
			e := stranger()
			one := func() {
				names := r.resolver.ForMessage(dns.Budget{})
				r.engine.Scan(b.Context(), e, m, scan.Aids{DNS: names})
				names.Close()
			}
			one()
			asked := r.server.Queries("", "")
			b.ReportAllocs()
			for b.Loop() {
				one()
			}
			if n := r.server.Queries("", "") - asked; n != 0 {
				b.Errorf("%d questions went out; the cache has all answers", n)
			}
		})
	}
}
