package dns_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
)

func TestTypes(t *testing.T) {
	s := dnstest.Start(t, `
		example.org      TXT  "v=spf1 " "mx -all"
		example.org      TXT  second one
		example.org 60   MX   10 MX1.Example.ORG.
		example.org 30   MX   20 mx2.example.org
		null.example     MX   0 .
		example.org      NS   ns.example.org
		mx1.example.org  A    192.0.2.1
		mx1.example.org  A    192.0.2.2
		mx1.example.org  AAAA 2001:db8::1
		1.2.0.192.in-addr.arpa PTR MX1.example.org
		www.example.org  CNAME  web.example.net
		web.example.net 20 CNAME mx1.example.org
		*.list.example   A    127.0.0.2
	`)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	s.AddTXT("bytes.example", string(every[:200]), string(every[200:]))
	r := open(t, config(s))
	addrs := func(list ...string) (a []netip.Addr) {
		for _, s := range list {
			a = append(a, netip.MustParseAddr(s))
		}
		return a
	}
	for _, want := range []dns.Answer{
		{Name: "example.org", Type: dns.TypeTXT, Texts: []string{"v=spf1 mx -all", "second one"}, TTL: 300 * time.Second},
		{Name: "example.org", Type: dns.TypeMX, MXs: []dns.MX{{10, "mx1.example.org"}, {20, "mx2.example.org"}}, TTL: 30 * time.Second},
		{Name: "null.example", Type: dns.TypeMX, MXs: []dns.MX{{0, ""}}, TTL: 300 * time.Second},
		{Name: "example.org", Type: dns.TypeNS, Names: []string{"ns.example.org"}, TTL: 300 * time.Second},
		{Name: "mx1.example.org", Type: dns.TypeA, Addrs: addrs("192.0.2.1", "192.0.2.2"), TTL: 300 * time.Second},
		{Name: "mx1.example.org", Type: dns.TypeAAAA, Addrs: addrs("2001:db8::1"), TTL: 300 * time.Second},
		{Name: "1.2.0.192.in-addr.arpa", Type: dns.TypePTR, Names: []string{"mx1.example.org"}, TTL: 300 * time.Second},
		{Name: "www.example.org", Type: dns.TypeAAAA, Canonical: "mx1.example.org", Addrs: addrs("2001:db8::1"), TTL: 20 * time.Second},
		{Name: "2.0.0.127.list.example", Type: dns.TypeA, Addrs: addrs("127.0.0.2"), TTL: 300 * time.Second},
		{Name: "bytes.example", Type: dns.TypeTXT, Texts: []string{string(every)}, TTL: 300 * time.Second},
	} {
		if want.Canonical == "" {
			want.Canonical = want.Name
		}
		want.Server = s.Addr()
		for _, cached := range []bool{false, true} {
			want.Cached = cached
			got, err := r.Lookup(t.Context(), strings.ToUpper(want.Name)+".", want.Type)
			if err != nil {
				t.Errorf("%s: %v", want.Name, err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
				t.Errorf("%v %s, cached %v (-want +got):\n%s", want.Type, want.Name, cached, diff)
			}
		}
	}
	for _, q := range s.Asked() {
		if q.EDNS != 1232 || q.TCP {
			t.Errorf("got %+v, want EDNS 1232 by UDP", q)
		}
	}
	if got := len(s.Asked()); got != 10 {
		t.Errorf("%d queries, want 10", got)
	}
}

// TestDrills scripts every failure for one server. It has to become a temporary error.
func TestDrills(t *testing.T) {
	for name, c := range map[string]struct {
		fault   dnstest.Fault
		want    dns.Kind
		queries int
	}{
		"drop":              {dnstest.Drop, dns.Timeout, 4},
		"servfail":          {dnstest.ServFail, dns.ServFail, 1},
		"refused":           {dnstest.Refused, dns.Refused, 1},
		"bare":              {dnstest.Bare, dns.Refused, 1},
		"formerr":           {dnstest.FormErr, dns.ServFail, 2},
		"referral":          {dnstest.Referral, dns.ServFail, 1},
		"truncated, no TCP": {dnstest.TruncateNoTCP, dns.Truncated, 2},
		"truncated twice":   {dnstest.TruncateTwice, dns.Truncated, 2},
		"truncated, no end": {dnstest.TruncateDropTCP, dns.Timeout, 8},
		"garbage":           {dnstest.Garbage, dns.Malformed, 1},
		"short":             {dnstest.Short, dns.Malformed, 1},
		"pointers":          {dnstest.Pointers, dns.Malformed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := dnstest.Start(t, `example.org TXT "v=spf1 -all"`)
			s.Script("", "TXT", c.fault)
			r := open(t, config(s), func(e *dns.Env) { e.Total = 4 * time.Second })
			r.passes(s)
			for _, n := range []string{"gone.example.org", "example.org"} {
				a, err := r.Lookup(t.Context(), n, dns.TypeTXT)
				if dns.KindOf(err) != c.want || !temporary(err) {
					t.Errorf("%s: got %v, want the kind %q, temporary", n, err, c.want)
				}
				if a.Len() != 0 {
					t.Errorf("%s: got records %v with an error", n, a)
				}
				asked(t, s, n, "TXT", c.queries)
			}
			s.Script("", "TXT")
			r.kind("example.org", dns.TypeTXT, c.want) // a failure is remembered for a moment
			r.clock.Advance(6 * time.Second)
			r.kind("example.org", dns.TypeTXT, "")
		})
	}
}

// TestForeign has answers to something else, which may be forged: they don't count.
func TestForeign(t *testing.T) {
	for name, fault := range map[string]dnstest.Fault{
		"noise": dnstest.Noise, "id": dnstest.WrongID, "question": dnstest.WrongQuestion, "type": dnstest.WrongType,
	} {
		t.Run(name, func(t *testing.T) {
			s := dnstest.Start(t, `example.org TXT "v=spf1 -all"`)
			s.Script("", "", fault)
			r := open(t, config(s))
			done := make(chan error)
			go func() {
				_, err := r.Lookup(t.Context(), "example.org", dns.TypeTXT)
				done <- err
			}()
			for i := int64(1); i <= 4; i++ {
				poll(t, fmt.Sprint(i, " foreign packets"), func() bool { return r.Stats().Foreign >= i })
				s.Await("example.org", "TXT", int(i))
				r.clock.Advance(time.Second)
			}
			r.clock.Advance(time.Second)
			if err := <-done; dns.KindOf(err) != dns.Timeout || !temporary(err) {
				t.Errorf("got %v, want a timeout", err)
			}
			asked(t, s, "example.org", "TXT", 4)
		})
	}
}

func TestTruncation(t *testing.T) {
	s := dnstest.Start(t, `example.org TXT "v=spf1 -all"`)
	big := strings.Repeat("0123456789", 1000)
	s.Add("big.example", "TXT", big)
	s.Script("example.org", "", dnstest.Truncate)
	r := open(t, config(s))
	if a := r.kind("example.org", dns.TypeTXT, ""); a.Texts[0] != "v=spf1 -all" {
		t.Errorf("got %v", a)
	}
	if a := r.kind("big.example", dns.TypeTXT, ""); a.Texts[0] != big {
		t.Errorf("got %d bytes, want %d", len(a.Texts[0]), len(big))
	}
	if got := r.Stats(); got.TCP != 2 || got.Queries != 4 || got.Failures != 0 {
		t.Errorf("got %+v, want 2 of 4 queries by TCP", got)
	}
}

// TestSlow has an answer that comes after the other tries began, within the time.
func TestSlow(t *testing.T) {
	s := dnstest.Start(t, `example.org TXT "v=spf1 -all"`)
	s.Script("", "", dnstest.Hold, dnstest.Drop)
	r := open(t, config(s))
	done := make(chan error)
	go func() {
		_, err := r.Lookup(t.Context(), "example.org", dns.TypeTXT)
		done <- err
	}()
	for i := 1; i <= 4; i++ {
		s.Await("example.org", "TXT", i)
		if i < 4 {
			r.clock.Advance(time.Second)
		}
	}
	s.Release()
	if err := <-done; err != nil {
		t.Errorf("got %v, want the answer", err)
	}
}

func TestFailover(t *testing.T) {
	for name, fault := range map[string]dnstest.Fault{
		"drop": dnstest.Drop, "servfail": dnstest.ServFail, "refused": dnstest.Refused, "bare": dnstest.Bare, "garbage": dnstest.Garbage,
		"no TCP": dnstest.TruncateNoTCP, "TCP hangs": dnstest.TruncateDropTCP, "referral": dnstest.Referral, "short": dnstest.Short,
	} {
		t.Run(name, func(t *testing.T) {
			bad, good := dnstest.Start(t, ""), dnstest.Start(t, `example.org TXT "v=spf1 -all"`)
			bad.Script("", "", fault)
			r := open(t, config(bad, good))
			r.passes(bad)
			if a := r.kind("example.org", dns.TypeTXT, ""); a.Server != good.Addr() {
				t.Errorf("the answer is from %v, want %v", a.Server, good.Addr())
			}
			r.kind("gone.example.org", dns.TypeTXT, dns.NotFound)
			if bad.Queries("example.org", "TXT") == 0 {
				t.Error("the bad server was not asked first")
			}
		})
	}
}

// TestUnreachable has a server whose port is closed.
func TestUnreachable(t *testing.T) {
	s := dnstest.Start(t, `example.org TXT "v=spf1 -all"`)
	s.Stop()
	r := open(t, config(s))
	_, err := r.Lookup(t.Context(), "example.org", dns.TypeTXT)
	if dns.KindOf(err) != dns.Unreachable || !temporary(err) {
		t.Errorf("got %v, want %q", err, dns.Unreachable)
	}
	s.Restart()
	r.kind("example.org", dns.TypeTXT, "") // not remembered: it costs nothing to ask again
}

// TestHealth has a server die and come back.
func TestHealth(t *testing.T) {
	first, second := dnstest.Start(t, "*.example A 192.0.2.1"), dnstest.Start(t, "*.example A 192.0.2.2")
	r := open(t, config(first, second))
	r.kind("a.example", dns.TypeA, "")
	asked(t, second, "", "", 0)
	first.Script("", "", dnstest.Drop)
	first.OnDrop(func() { r.clock.Advance(time.Second) })
	for _, n := range []string{"b.example", "c.example", "d.example"} {
		r.kind(n, dns.TypeA, "")
	}
	first.OnDrop(nil)
	first.Await("", "NS", 1) // the probe
	r.clock.Advance(2 * time.Second)
	poll(t, "the log tells of the server", func() bool { return strings.Contains(r.log.String(), "DNS server does not answer") })
	before := first.Queries("", "A")
	for i := range 20 {
		r.kind(fmt.Sprintf("e%d.example", i), dns.TypeA, "")
	}
	if got := first.Queries("", "A"); got != before {
		t.Errorf("the dead server was asked %d times more", got-before)
	}
	if st := r.Stats(); !st.Servers[0].Out && !st.Servers[1].Out {
		t.Errorf("got %+v, want a server out", st.Servers)
	}

	// Both are dead: the one that is out is asked all the same.
	second.Stop()
	first.Script("", "A", dnstest.OK)
	if a := r.kind("f.example", dns.TypeA, ""); a.Server != first.Addr() {
		t.Errorf("got %v", a)
	}
	second.Restart()
	if got := strings.Count(r.log.String(), "answers again"); got != 1 {
		t.Errorf("the log tells %d times that the server is back, want 1:\n%s", got, r.log)
	}
	r.kind("g.example", dns.TypeA, "")
}

// TestProbe has a dead server found well by a probe alone.
func TestProbe(t *testing.T) {
	first, second := dnstest.Start(t, "*.example A 192.0.2.1"), dnstest.Start(t, "*.example A 192.0.2.2")
	first.Stop()
	r := open(t, config(first, second), func(e *dns.Env) { e.Try = 700 * time.Millisecond })
	for _, n := range []string{"a.example", "b.example", "c.example"} {
		r.kind(n, dns.TypeA, "")
	}
	out := func() bool {
		for _, s := range r.Stats().Servers {
			if s.Address == first.Addr() {
				return s.Out
			}
		}
		return false
	}
	poll(t, "the log tells of the server", func() bool { return strings.Contains(r.log.String(), "DNS server does not answer") })
	if !out() {
		t.Error("the dead server is not out")
	}
	poll(t, "a probe is due", func() bool { return r.clock.Next() == time.Second })
	r.clock.Advance(time.Second)
	poll(t, "the next probe is due", func() bool { return r.clock.Next() == 2*time.Second })
	first.Restart()
	r.clock.Advance(time.Second)
	asked(t, first, "", "NS", 0) // the pause doubles
	r.clock.Advance(time.Second)
	poll(t, "the server is found well", func() bool { return !out() })
	if a := r.kind("d.example", dns.TypeA, ""); a.Server != first.Addr() {
		t.Errorf("the answer is from %v, want the first server", a.Server)
	}
}

// TestThenFails answers twice and then no more.
func TestThenFails(t *testing.T) {
	s := dnstest.Start(t, "*.example A 192.0.2.1")
	s.Script("", "A", dnstest.OK, dnstest.OK, dnstest.ServFail)
	r := open(t, config(s))
	for i, want := range []dns.Kind{"", "", dns.ServFail, dns.ServFail} {
		r.kind(fmt.Sprintf("a%d.example", i), dns.TypeA, want)
	}
}

func TestEDNS(t *testing.T) {
	s := dnstest.Start(t, "*.example A 192.0.2.1")
	s.Set(dnstest.Options{RefuseEDNS: true})
	r := open(t, config(s))
	r.kind("a.example", dns.TypeA, "")
	r.kind("b.example", dns.TypeA, "")
	var got []int
	for _, q := range s.Asked() {
		got = append(got, q.EDNS)
	}
	if diff := cmp.Diff([]int{1232, 0, 0}, got); diff != "" {
		t.Errorf("sizes offered (-want +got):\n%s", diff)
	}
}

// TestRandom sees that ids and ports change.
func TestRandom(t *testing.T) {
	s := dnstest.Start(t, "*.example A 192.0.2.1")
	r := open(t, config(s))
	ids, ports := map[uint16]bool{}, map[uint16]bool{}
	for i := range 50 {
		r.kind(fmt.Sprintf("a%d.example", i), dns.TypeA, "")
	}
	for _, q := range s.Asked() {
		ids[q.ID], ports[q.Port] = true, true
	}
	if len(ids) < 40 || len(ports) < 25 {
		t.Errorf("%d ids and %d ports in 50 queries", len(ids), len(ports))
	}
}

func TestAuthenticated(t *testing.T) {
	s := dnstest.Start(t, "example.org A 192.0.2.1")
	s.Set(dnstest.Options{Authentic: true, Recursive: true})
	r := open(t, config(s))
	if a := r.kind("example.org", dns.TypeA, ""); !a.Authenticated {
		t.Errorf("got %+v, want it authenticated", a)
	}
}

func TestAliases(t *testing.T) {
	const zone = `
		a.example  CNAME b.example
		b.example  CNAME c.example
		c.example  A     192.0.2.1
		gone.example   CNAME nowhere.example
		other.example  CNAME c.example
		loop1.example  CNAME loop2.example
		loop2.example  CNAME loop1.example
		self.example   CNAME self.example
	`
	for _, cut := range []bool{false, true} {
		s := dnstest.Start(t, zone)
		s.Set(dnstest.Options{CutAliases: cut})
		r := open(t, config(s))
		if a := r.kind("a.example", dns.TypeA, ""); a.Canonical != "c.example" || a.Name != "a.example" {
			t.Errorf("got %+v", a)
		}
		r.kind("gone.example", dns.TypeA, dns.NotFound)
		r.kind("other.example", dns.TypeMX, dns.NoData)
		for _, n := range []string{"loop1.example", "self.example"} {
			if _, err := r.Lookup(t.Context(), n, dns.TypeA); !temporary(err) || dns.KindOf(err) != dns.Malformed {
				t.Errorf("%s: got %v, want %q", n, err, dns.Malformed)
			}
		}
		if got := len(s.Asked()); got > 50 {
			t.Errorf("%d queries, want a bound", got)
		}
	}
}

func TestBadNames(t *testing.T) {
	s := dnstest.Start(t, "*.example A 192.0.2.1")
	r := open(t, config(s))
	long := strings.Repeat("a", 63)
	for _, n := range []string{
		"", ".", "..", ".example", "a..example", "example..", "b\xfccher.example", "bücher.example", "a\x00b.example", `a\.example`,
		long + "a.example", strings.Join([]string{long, long, long, long}, "."), "tab\t.example",
	} {
		_, err := r.Lookup(t.Context(), n, dns.TypeA)
		if dns.KindOf(err) != dns.BadName || temporary(err) {
			t.Errorf("%q: got %v, want %q", n, err, dns.BadName)
		}
		if strings.ContainsFunc(err.Error(), func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%q: the error %q has bytes of the name", n, err)
		}
	}
	for _, n := range []string{
		long + ".example", "_dmarc.Example", "xn--bcher-kva.example", "user+tag=x.example", "1.2.3.4.example",
		"with space.example", "semi;colon.example", `quo"te.example`, "at@.example", "br(ack).example", "$x.example", "it's.example",
		strings.Join([]string{long, long, long, strings.Repeat("a", 53), "example"}, "."),
	} {
		r.kind(n, dns.TypeA, "")
	}
	if _, err := r.Lookup(t.Context(), "a.example", dns.Type(255)); dns.KindOf(err) != dns.BadName {
		t.Errorf("type ANY: got %v", err)
	}
	asked(t, s, "", "", 13)
}

// TestContext leaves a question; it goes on for the next one.
func TestContext(t *testing.T) {
	s := dnstest.Start(t, "example.org A 192.0.2.1")
	s.Script("", "", dnstest.Hold)
	r := open(t, config(s))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := r.Lookup(ctx, "example.org", dns.TypeA)
		done <- err
	}()
	s.Await("", "", 1)
	cancel()
	if err := <-done; dns.KindOf(err) != dns.Canceled || !temporary(err) {
		t.Errorf("got %v, want %q", err, dns.Canceled)
	}
	s.Release()
	poll(t, "the answer is in the cache", func() bool { return r.Stats().Entries == 1 })
	if a := r.kind("example.org", dns.TypeA, ""); !a.Cached {
		t.Errorf("got %+v, want it cached", a)
	}
	asked(t, s, "", "", 1)
}

func TestSingleflight(t *testing.T) {
	s := dnstest.Start(t, "example.org A 192.0.2.1")
	s.Script("", "", dnstest.Hold)
	r := open(t, config(s))
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { r.kind("example.org", dns.TypeA, "") })
	}
	s.Await("", "", 1)
	poll(t, "all wait", func() bool { return r.Stats().Joined == 99 })
	s.Release()
	all.Wait()
	asked(t, s, "", "", 1)
}

func TestInFlight(t *testing.T) {
	s := dnstest.Start(t, "*.example A 192.0.2.1")
	s.Script("", "", dnstest.Hold)
	r := open(t, config(s), func(e *dns.Env) { e.MaxInFlight = 2 })
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	kinds := map[dns.Kind]int{}
	for i := range 18 {
		c := t.Context()
		if i >= 8 {
			c = ctx
		}
		all.Go(func() {
			_, err := r.Lookup(c, fmt.Sprintf("a%d.example", i), dns.TypeA)
			mu.Lock()
			defer mu.Unlock()
			kinds[dns.KindOf(err)]++
		})
		poll(t, "it waits", func() bool { return r.Stats().InFlight == i+1 })
		if i == 1 {
			s.Await("", "", 2)
		}
	}
	poll(t, "16 wait", func() bool { return r.Stats().Waiting == 16 })
	r.kind("more.example", dns.TypeA, dns.Busy)
	asked(t, s, "", "", 2)
	cancel() // ten leave
	poll(t, "they left", func() bool { mu.Lock(); defer mu.Unlock(); return kinds[dns.Canceled] == 10 })
	s.Script("", "")
	s.Release()
	all.Wait()
	poll(t, "none is in flight", func() bool { return r.Stats().InFlight == 0 })
	if diff := cmp.Diff(map[dns.Kind]int{"": 8, dns.Canceled: 10}, kinds); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	asked(t, s, "", "", 8) // nobody waited for the others any more
	r.kind("more.example", dns.TypeA, "")
}

// TestQueueEnds has questions wait for their turn until their time is over.
func TestQueueEnds(t *testing.T) {
	s := dnstest.Start(t, "*.example A 192.0.2.1")
	s.Script("", "", dnstest.Hold)
	r := open(t, config(s), func(e *dns.Env) { e.MaxInFlight = 1 })
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() {
			_, err := r.Lookup(t.Context(), fmt.Sprintf("a%d.example", i), dns.TypeA)
			if k := dns.KindOf(err); k != dns.Busy && k != dns.Timeout {
				t.Errorf("got %v, want busy or timeout", err)
			}
		})
	}
	s.Await("", "", 1)
	poll(t, "they wait", func() bool { return r.Stats().Waiting == 4 })
	r.clock.Advance(5 * time.Second)
	all.Wait()
}

func TestClose(t *testing.T) {
	s := dnstest.Start(t, "example.org A 192.0.2.1")
	s.Script("", "", dnstest.Hold)
	r := open(t, config(s))
	var all sync.WaitGroup
	all.Go(func() { r.kind("example.org", dns.TypeA, dns.Canceled) })
	s.Await("", "", 1)
	r.Close()
	all.Wait()
	r.kind("example.org", dns.TypeA, dns.Busy)
	if got := r.clock.Timers(); got != 0 {
		t.Errorf("%d timers are left", got)
	}
}
