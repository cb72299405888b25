package dns_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
)

func TestTTL(t *testing.T) {
	s := dnstest.Start(t, `
		a.example 60         A 192.0.2.1
		zero.example 0       A 192.0.2.1
		long.example 9999999 A 192.0.2.1
		huge.example 4294967295 A 192.0.2.1
	`)
	r := open(t, config(s))
	r.kind("a.example", dns.TypeA, "")
	r.clock.Advance(59 * time.Second)
	if a := r.kind("a.example", dns.TypeA, ""); a.TTL != time.Second || !a.Cached {
		t.Errorf("got %+v, want 1 s left", a)
	}
	r.clock.Advance(time.Second)
	if a := r.kind("a.example", dns.TypeA, ""); a.TTL != time.Minute || a.Cached {
		t.Errorf("got %+v, want it asked again", a)
	}
	for name, want := range map[string]time.Duration{"zero.example": time.Second, "long.example": 24 * time.Hour, "huge.example": time.Second} {
		if a := r.kind(name, dns.TypeA, ""); a.TTL != want {
			t.Errorf("%s: TTL %v, want %v", name, a.TTL, want)
		}
	}
}

func TestNegative(t *testing.T) {
	s := dnstest.Start(t, `
		a.example   SOA 90
		a.example   TXT x
		long.example SOA 999999
		long.example TXT x
		low.example 20 SOA 90
		low.example TXT x
	`)
	r := open(t, config(s))
	for _, c := range []struct {
		name string
		kind dns.Kind
		good time.Duration
		soa  bool
	}{
		{"gone.a.example", dns.NotFound, 90 * time.Second, true},
		{"a.example", dns.NoData, 90 * time.Second, true},
		{"gone.low.example", dns.NotFound, 20 * time.Second, true},
		{"gone.long.example", dns.NotFound, 300 * time.Second, true},
		{"other.a.example", dns.NotFound, 30 * time.Second, false},
		{"long.example", dns.NoData, 30 * time.Second, false},
	} {
		s.Set(dnstest.Options{NoSOA: !c.soa})
		a := r.kind(c.name, dns.TypeA, c.kind)
		if want := map[dns.Kind]dns.RCode{dns.NotFound: dns.RCodeNXDomain, dns.NoData: dns.RCodeNoError}[c.kind]; a.RCode != want || a.Server != s.Addr() {
			t.Errorf("%s: got %v from %v, want %v", c.name, a.RCode, a.Server, want)
		}
		r.clock.Advance(c.good - time.Second)
		r.kind(c.name, dns.TypeA, c.kind)
		asked(t, s, c.name, "A", 1)
		r.clock.Advance(time.Second)
		r.kind(c.name, dns.TypeA, c.kind)
		asked(t, s, c.name, "A", 2)
	}
}

// TestStale has servers that fail after an answer has expired.
func TestStale(t *testing.T) {
	s := dnstest.Start(t, `
		example.org 60 TXT "v=spf1 -all"
		gone.example SOA 60
	`)
	r := open(t, config(s))
	r.kind("example.org", dns.TypeTXT, "")
	r.kind("a.gone.example", dns.TypeTXT, dns.NotFound)
	r.clock.Advance(time.Hour)
	s.Script("", "", dnstest.ServFail)
	a := r.kind("example.org", dns.TypeTXT, "")
	if !a.Stale || a.Texts[0] != "v=spf1 -all" || a.TTL != 0 {
		t.Errorf("got %+v, want the stale answer", a)
	}
	// That a name is not there is never told without a server that says so.
	r.kind("a.gone.example", dns.TypeTXT, dns.ServFail)
	asked(t, s, "example.org", "TXT", 2)

	r.clock.Advance(29 * time.Second)
	r.kind("example.org", dns.TypeTXT, "")
	asked(t, s, "example.org", "TXT", 2)
	r.clock.Advance(time.Second)
	r.kind("example.org", dns.TypeTXT, "")
	asked(t, s, "example.org", "TXT", 3)

	r.clock.Advance(23*time.Hour + 30*time.Second) // a day after it expired
	r.kind("example.org", dns.TypeTXT, dns.ServFail)
	s.Script("", "")
	r.clock.Advance(5 * time.Second)
	if a := r.kind("example.org", dns.TypeTXT, ""); a.Stale {
		t.Errorf("got %+v, want a new answer", a)
	}
	if got := r.Stats().Stale; got != 3 {
		t.Errorf("%d stale answers counted, want 3", got)
	}
}

// TestStaleReplaced has a server say that what is stale is gone.
func TestStaleReplaced(t *testing.T) {
	s := dnstest.Start(t, `example.org 60 TXT "v=spf1 -all"`)
	r := open(t, config(s))
	r.kind("example.org", dns.TypeTXT, "")
	r.clock.Advance(time.Hour)
	s.Remove("example.org", "")
	r.kind("example.org", dns.TypeTXT, dns.NotFound)
	s.Script("", "", dnstest.ServFail)
	r.clock.Advance(time.Hour)
	r.kind("example.org", dns.TypeTXT, dns.ServFail)
}

// TestStaleSoon gives the stale answer before the servers are given up.
func TestStaleSoon(t *testing.T) {
	s := dnstest.Start(t, `example.org 60 TXT "v=spf1 -all"`)
	r := open(t, config(s))
	r.kind("example.org", dns.TypeTXT, "")
	r.clock.Advance(time.Hour)
	s.Script("", "", dnstest.Hold)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if a := r.kind("example.org", dns.TypeTXT, ""); !a.Stale {
				t.Errorf("got %+v, want it stale", a)
			}
		})
	}
	s.Await("", "", 2)
	r.clock.Advance(1800 * time.Millisecond)
	all.Wait()
	s.Release()
	poll(t, "the late answer arrives", func() bool { return r.Stats().InFlight == 0 })
	if a := r.kind("example.org", dns.TypeTXT, ""); a.Stale || !a.Cached {
		t.Errorf("got %+v, want the late answer", a)
	}
}

func TestZones(t *testing.T) {
	main := dnstest.Start(t, "*.example A 192.0.2.1")
	list, deep := dnstest.Start(t, "*.list.example A 127.0.0.2\nalias.list.example CNAME a.example"), dnstest.Start(t, "*.deep.list.example A 127.0.0.3")
	list.Set(dnstest.Options{CutAliases: true})
	c := config(main)
	c.Zones = []*dns.Zone{{"list.example", nameservers(list)}, {"deep.list.example", nameservers(deep)}}
	r := open(t, c)
	for name, want := range map[string]*dnstest.Server{
		"a.example": main, "notlist.example": main, "1.list.example": list, "1.2.3.list.example": list,
		"1.deep.list.example": deep, "1.notdeep.list.example": list, "alias.list.example": main,
	} {
		if a := r.kind(name, dns.TypeA, ""); a.Server != want.Addr() {
			t.Errorf("%s: from %v, want %v", name, a.Server, want.Addr())
		}
	}
	var zones []string
	for _, st := range r.Stats().Servers {
		zones = append(zones, strings.Join(st.Zones, " "))
	}
	if got := strings.Join(zones, ","); !strings.Contains(got, "deep.list.example") || len(zones) != 3 {
		t.Errorf("got the zones %q", got)
	}
}

// TestApply changes the configuration.
func TestApply(t *testing.T) {
	one, two := dnstest.Start(t, "*.example A 192.0.2.1"), dnstest.Start(t, "*.example A 192.0.2.2")
	r := open(t, config(one))
	r.kind("a.example", dns.TypeA, "")
	r.kind("a.list.example", dns.TypeA, "")
	c := config(one)
	c.Zones = []*dns.Zone{{"list.example", nameservers(two)}}
	if err := r.Apply(c); err != nil {
		t.Fatal(err)
	}
	if a := r.kind("a.example", dns.TypeA, ""); !a.Cached {
		t.Errorf("got %+v, want the answer kept", a)
	}
	if a := r.kind("a.list.example", dns.TypeA, ""); a.Server != two.Addr() {
		t.Errorf("got %+v, want it from the new server", a)
	}
	if err := r.Apply(config(two)); err != nil {
		t.Fatal(err)
	}
	if a := r.kind("a.example", dns.TypeA, ""); a.Server != two.Addr() {
		t.Errorf("got %+v, want it from the new server", a)
	}
	bad := dns.Config{Zones: []*dns.Zone{{"list..example", nameservers(one)}}}
	if err := r.Apply(bad); err == nil {
		t.Error("a zone without a name is taken")
	}
	if a := r.kind("b.example", dns.TypeA, ""); a.Server != two.Addr() {
		t.Errorf("got %+v, want it from the server before the fault", a)
	}
	if got := len(r.Stats().Servers); got != 1 {
		t.Errorf("%d servers, want 1", got)
	}
}

// TestResolvConf changes the file while the resolver works. Its servers have the port 53,
// where nobody may listen, so what is asked shows in the figures.
func TestResolvConf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, dns.Config{}, func(e *dns.Env) { e.ResolvConf = path })
	servers := func() string {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.Lookup(ctx, "example.invalid", dns.TypeA)
		var list []string
		for _, s := range r.Stats().Servers {
			list = append(list, s.Address.String())
		}
		return strings.Join(list, " ")
	}
	want := func(want string) {
		t.Helper()
		if got := servers(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	want("127.0.0.1:53") // there is no file
	write("search example.org\n nameserver\t127.0.0.2 # mine\nnameserver 127.0.0.3\nnameserver 127.0.0.2\noptions timeout:1\nnameserver localhost\n")
	want("127.0.0.1:53")
	r.clock.Advance(5 * time.Second)
	want("127.0.0.2:53 127.0.0.3:53")
	write("nameserver ::1\nnameserver ::ffff:127.0.0.4\n;nameserver 127.0.0.5\n")
	r.clock.Advance(5 * time.Second)
	want("127.0.0.4:53 [::1]:53")
	write("# nothing\n")
	r.clock.Advance(5 * time.Second)
	want("127.0.0.1:53")
	write("nameserver 127.0.0.6\n")
	r.clock.Advance(5 * time.Second)
	want("127.0.0.6:53")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(5 * time.Second)
	want("127.0.0.1:53")
	if got := strings.Count(r.log.String(), "resolv.conf has changed"); got != 5 {
		t.Errorf("the log tells of %d changes, want 5:\n%s", got, r.log)
	}
}

// TestBounds fills the cache beyond its bounds.
func TestBounds(t *testing.T) {
	s := dnstest.Start(t, "*.example A 192.0.2.1")
	s.Add("big.example", "TXT", strings.Repeat("x", 50_000))
	r := open(t, config(s), func(e *dns.Env) { e.MaxEntries, e.MaxBytes = 10, 6000 })
	for i := range 30 {
		r.kind(fmt.Sprintf("a%d.example", i), dns.TypeA, "")
		r.kind("a0.example", dns.TypeA, "") // used, so it stays
	}
	r.kind("big.example", dns.TypeTXT, "")
	st := r.Stats()
	if st.Entries != 10 || st.Bytes > 6000 || st.Bytes < 4000 {
		t.Errorf("got %d entries and %d bytes, want 10 and at most 6000", st.Entries, st.Bytes)
	}
	asked(t, s, "a0.example", "A", 1)
	r.kind("a1.example", dns.TypeA, "")
	asked(t, s, "a1.example", "A", 2)
	r = open(t, config(s), func(e *dns.Env) { e.MaxEntries, e.MaxBytes = 1000, 4000 })
	for i := range 30 {
		r.kind(fmt.Sprintf("a%d.example", i), dns.TypeA, "")
	}
	if st := r.Stats(); st.Bytes > 4000 || st.Entries == 0 {
		t.Errorf("got %d entries and %d bytes, want at most 4000", st.Entries, st.Bytes)
	}
}
