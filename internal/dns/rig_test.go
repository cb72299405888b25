package dns_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/ucl"
)

// started is when the clocks of the tests stand.
var started = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A rig is a resolver with a clock of its own.
type rig struct {
	*dns.Resolver
	t     *testing.T
	clock *dnstest.Clock
	log   *buffer
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func nameservers(list ...*dnstest.Server) ucl.Servers {
	var servers ucl.Servers
	for _, s := range list {
		a := s.Addr()
		servers = append(servers, ucl.Server{Host: a.Addr().String(), Port: int(a.Port())})
	}
	return servers
}

func config(list ...*dnstest.Server) dns.Config { return dns.Config{Nameservers: nameservers(list...)} }

// open returns a resolver over a configuration.
func open(t *testing.T, c dns.Config, change ...func(*dns.Env)) *rig {
	t.Helper()
	r := &rig{t: t, clock: dnstest.NewClock(started), log: &buffer{}}
	env := dns.Env{
		Now: r.clock.Now, AfterFunc: r.clock.AfterFunc, Log: slog.New(slog.NewTextHandler(r.log, nil)),
		ResolvConf: filepath.Join(t.TempDir(), "resolv.conf"),
	}
	for _, f := range change {
		f(&env)
	}
	var err error
	if r.Resolver, err = dns.New(c, env); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// passes has dropped queries move the clock on by the time of one try, so that a timeout
// takes no time.
func (r *rig) passes(list ...*dnstest.Server) {
	for _, s := range list {
		s.OnDrop(func() { r.clock.Advance(time.Second) })
	}
}

// kind looks a name up and wants this kind of error, "" for none.
func (r *rig) kind(name string, typ dns.Type, want dns.Kind) dns.Answer {
	r.t.Helper()
	a, err := r.Lookup(r.t.Context(), name, typ)
	if got := dns.KindOf(err); got != want || (err == nil) != (want == "") {
		r.t.Errorf("%v %s: got error %v, want kind %q", typ, name, err, want)
	}
	if want == "" && a.Len() == 0 {
		r.t.Errorf("%v %s: got no records and no error", typ, name)
	}
	return a
}

func temporary(err error) bool {
	e, ok := errors.AsType[*dns.Error](err)
	return ok && e.Temporary()
}

// asked wants that a server had so many queries for a name.
func asked(t *testing.T, s *dnstest.Server, name, typ string, want int) {
	t.Helper()
	if got := s.Queries(name, typ); got != want {
		t.Errorf("%d queries for %q %s, want %d", got, name, typ, want)
	}
}

// poll waits until something is so.
func poll(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}
