package dnslist_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/dnslist"
	"rmilter/internal/ucl"
)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// started is when the clocks of the tests stand.
var started = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A rig is a Watch with a resolver, a server that has all lists, and a clock.
type rig struct {
	*dnslist.Watch
	t        *testing.T
	server   *dnstest.Server
	resolver *dns.Resolver
	clock    *dnstest.Clock

	mu        sync.Mutex
	log       bytes.Buffer
	problems  map[string]dnslist.Problem
	raised    int
	resolvers []netip.AddrPort // what the Watch is told; nil: the server
}

// Write takes what is logged.
func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

// logged returns what was logged so far.
func (r *rig) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// newRig starts a server with records, and a Watch that uses the lists and has tested none.
func newRig(t *testing.T, zone string, lists ...*dnslist.List) *rig {
	t.Helper()
	r := &rig{t: t, server: dnstest.Start(t, zone), clock: dnstest.NewClock(started), problems: map[string]dnslist.Problem{}}
	a := r.server.Addr()
	c := dns.Config{Nameservers: ucl.Servers{{Host: a.Addr().String(), Port: int(a.Port())}}}
	// A question without an answer moves the clock, so that nobody waits.
	r.server.OnDrop(func() { r.clock.Advance(5 * time.Second) })
	resolver, err := dns.New(c, dns.Env{Now: r.clock.Now, AfterFunc: r.clock.AfterFunc, ResolvConf: filepath.Join(t.TempDir(), "none")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(resolver.Close)
	r.resolver = resolver
	r.Watch = dnslist.NewWatch(dnslist.Env{
		Now: r.clock.Now, DNS: resolver, Log: slog.New(slog.NewTextHandler(r, nil)),
		Resolvers: func(string) []netip.AddrPort {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.resolvers != nil {
				return r.resolvers
			}
			return []netip.AddrPort{a}
		},
		Raise: func(p dnslist.Problem) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.problems[p.Key] = p
			r.raised++
		},
		Clear: func(key string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if _, ok := r.problems[key]; !ok {
				t.Errorf("problem %q is cleared and was not raised", key)
			}
			delete(r.problems, key)
		},
	})
	r.Use(lists)
	return r
}

// told returns the texts of the problems that are raised.
func (r *rig) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, p := range r.problems {
		list = append(list, p.Text)
	}
	slices.Sort(list)
	return list
}

// ask asks a list for a message that has all the time of the clock, which dropped packets
// move.
func (r *rig) ask(l *dnslist.List, q dnslist.Query) (dnslist.Finding, error) {
	r.t.Helper()
	m := r.resolver.ForMessage(dns.Budget{Time: time.Hour})
	defer m.Close()
	return r.Ask(context.Background(), m, l, q)
}

// state returns the state of the first list.
func (r *rig) state() dnslist.Status { return r.Status()[0] }

// list returns a list of the catalogue, enabled.
func list(name string) *dnslist.List {
	for _, l := range dnslist.Catalog() {
		if l.Name == name {
			l.Enabled = true
			return l
		}
	}
	panic("no list " + name)
}

// healthy returns the records of a list by which its test succeeds.
func healthy(l *dnslist.List) string {
	zone := l.Zone + " NS ns.example.com\n"
	if l.TestListed == "" {
		return zone
	}
	what := l.TestListed
	if a, err := netip.ParseAddr(what); err == nil {
		what = dns.ReverseLabels(a)
	}
	return zone + what + "." + l.Zone + " A 127.0.0.2\n"
}

// symbols returns the symbols of a finding.
func symbols(f dnslist.Finding) string {
	var list []string
	for _, h := range f.Hits {
		list = append(list, fmt.Sprintf("%s %g", h.Code.Symbol, h.Code.Weight))
	}
	return strings.Join(list, ", ")
}
