package dns_test

import (
	"sync/atomic"
	"testing"
	"time"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
)

// TestFigures asks in every way that has a figure of its own.
func TestFigures(t *testing.T) {
	s := dnstest.Start(t, "*.example 60 A 192.0.2.1")
	r := open(t, config(s))
	for _, step := range []struct {
		what string
		do   func()
		want dns.Stats // so far
	}{
		{"a new name", func() { r.kind("a.example", dns.TypeA, "") }, dns.Stats{Lookups: 1, Queries: 1}},
		{"the same again", func() { r.kind("a.example", dns.TypeA, "") }, dns.Stats{Lookups: 2, Queries: 1, Hits: 1}},
		{"what doesn't exist", func() { r.kind("example.org", dns.TypeA, dns.NotFound) }, dns.Stats{Lookups: 3, Queries: 2, Hits: 1, NotFound: 1}},
		{"no name", func() { r.kind("a..example", dns.TypeA, dns.BadName) }, dns.Stats{Lookups: 4, Queries: 2, Hits: 1, NotFound: 1}},
		{"a failure", func() {
			s.Script("", "", dnstest.ServFail)
			r.kind("b.example", dns.TypeA, dns.ServFail)
		}, dns.Stats{Lookups: 5, Queries: 3, Hits: 1, NotFound: 1, Failures: 1, Unanswered: 1}},
		{"a failure that is remembered", func() { r.kind("b.example", dns.TypeA, dns.ServFail) },
			dns.Stats{Lookups: 6, Queries: 3, Hits: 2, NotFound: 1, Failures: 1, Unanswered: 2}},
		{"a stale answer", func() {
			r.clock.Advance(time.Hour)
			r.kind("a.example", dns.TypeA, "")
		}, dns.Stats{Lookups: 7, Queries: 4, Hits: 2, Stale: 1, NotFound: 1, Failures: 2, Unanswered: 2}},
	} {
		step.do()
		got := r.Stats()
		want := step.want
		if got.Lookups != want.Lookups || got.Queries != want.Queries || got.Hits != want.Hits || got.Stale != want.Stale ||
			got.NotFound != want.NotFound || got.Failures != want.Failures || got.Unanswered != want.Unanswered {
			t.Errorf("%s: got %+v, want %+v", step.what, got, want)
		}
	}
	if st := r.Stats().Servers; len(st) != 1 || st[0].Queries != 4 || st[0].Answers != 4 || st[0].Out {
		t.Errorf("got %+v, want one server with 4 queries and answers", st)
	}
}

// TestLatency has answers take longer and longer: the median is that of the last 64.
func TestLatency(t *testing.T) {
	s := dnstest.Start(t, "*.example A 192.0.2.1")
	var step, passed atomic.Int64 // milliseconds
	r := open(t, config(s), func(e *dns.Env) {
		now := e.Now
		// Each look at the clock moves it on.
		e.Now = func() time.Time { return now().Add(time.Duration(passed.Add(step.Load())) * time.Millisecond) }
	})
	if got := r.Stats(); got.Latency != 0 || got.Servers[0].Latency != 0 {
		t.Errorf("before any answer: got %v and %v, want 0", got.Latency, got.Servers[0].Latency)
	}
	for i := range 100 {
		step.Store(int64(i + 1))
		r.kind(string(rune('a'+i%26))+string(rune('a'+i/26))+".example", dns.TypeA, "")
		want, look := map[int]time.Duration{0: 1, 2: 2, 99: 69}[i] // at last of 37 to 100
		if want *= time.Millisecond; !look {
			continue
		}
		if got := r.Stats(); got.Latency != want || got.Servers[0].Latency != want {
			t.Errorf("after %d answers: got %v and %v, want %v", i+1, got.Latency, got.Servers[0].Latency, want)
		}
	}
}
