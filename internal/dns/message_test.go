package dns_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
)

func TestMessage(t *testing.T) {
	s := dnstest.Start(t, "*.example A 192.0.2.1\ngone.test A 192.0.2.1")
	r := open(t, config(s))
	r.kind("a.example", dns.TypeA, "")
	m := r.ForMessage(dns.Budget{Queries: 4})
	defer m.Close()
	ask := func(name string, typ dns.Type, want dns.Kind) {
		t.Helper()
		if _, err := m.Lookup(t.Context(), name, typ); dns.KindOf(err) != want {
			t.Errorf("%v %s: got %v, want %q", typ, name, err, want)
		}
	}
	ask("a.example", dns.TypeA, "")
	ask("B.example.", dns.TypeA, "")
	ask("x.gone.test", dns.TypeTXT, dns.NotFound)
	s.Script("fails.example", "", dnstest.ServFail)
	ask("fails.example", dns.TypeA, dns.ServFail)
	ask("one.more.example", dns.TypeA, dns.OverBudget)
	ask("bad..name", dns.TypeA, dns.BadName)
	s.Script("", "", dnstest.Refused)
	r.clock.Advance(7 * time.Second) // longer than a failure is remembered by the cache
	for range 3 {
		ask("b.example", dns.TypeA, "")
		ask("x.gone.test", dns.TypeTXT, dns.NotFound)
		ask("fails.example", dns.TypeA, dns.ServFail)
	}
	asked(t, s, "", "", 4)
	want := []dns.Asked{
		{Name: "a.example", Type: dns.TypeA, Records: 1, Server: s.Addr(), Cached: true, Times: 1},
		{Name: "b.example", Type: dns.TypeA, Records: 1, Server: s.Addr(), Times: 4},
		{Name: "x.gone.test", Type: dns.TypeTXT, Kind: dns.NotFound, Server: s.Addr(), Times: 4},
		{Name: "fails.example", Type: dns.TypeA, Kind: dns.ServFail, Server: s.Addr(), Times: 4},
	}
	got := m.Asked()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(s.Addr())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var lines []string
	for _, a := range got {
		a.Took = 1234567
		lines = append(lines, a.String())
	}
	if diff := cmp.Diff([]string{
		"A a.example: 1 record, 1.2 ms, cache", "A b.example: 1 record, 1.2 ms",
		"TXT x.gone.test: not found, 1.2 ms", "A fails.example: server failed, 1.2 ms",
	}, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b, err := json.Marshal(got[2]); err != nil || !strings.Contains(string(b), `"type":"TXT","error":"not found"`) {
		t.Errorf("got %s, %v", b, err)
	}
}

// TestMessageOnce asks what many checks of a message ask at the same time.
func TestMessageOnce(t *testing.T) {
	s := dnstest.Start(t, "*.example 0 TXT x")
	r := open(t, config(s))
	m := r.ForMessage(dns.Budget{})
	defer m.Close()
	var all sync.WaitGroup
	for range 8 {
		for i := range 10 {
			all.Go(func() {
				if _, err := m.Lookup(t.Context(), fmt.Sprintf("a%d.example", i), dns.TypeTXT); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	r.clock.Advance(time.Minute) // expired for the cache, not for the message
	for i := range 10 {
		if _, err := m.Lookup(t.Context(), fmt.Sprintf("a%d.example", i), dns.TypeTXT); err != nil {
			t.Error(err)
		}
		asked(t, s, fmt.Sprintf("a%d.example", i), "TXT", 1)
	}
	if got := len(m.Asked()); got != 10 {
		t.Errorf("%d questions, want 10", got)
	}
}

// TestMessageTime lets the time of a message run out.
func TestMessageTime(t *testing.T) {
	s := dnstest.Start(t, "*.example A 192.0.2.1")
	r := open(t, config(s))
	m := r.ForMessage(dns.Budget{Time: 2 * time.Second})
	defer m.Close()
	if _, err := m.Lookup(t.Context(), "a.example", dns.TypeA); err != nil {
		t.Error(err)
	}
	s.Script("", "", dnstest.Hold)
	done := make(chan error)
	go func() {
		_, err := m.Lookup(t.Context(), "b.example", dns.TypeA)
		done <- err
	}()
	s.Await("b.example", "A", 1)
	r.clock.Advance(2 * time.Second)
	if err := <-done; dns.KindOf(err) != dns.OverBudget || !temporary(err) {
		t.Errorf("got %v, want %q", err, dns.OverBudget)
	}
	if _, err := m.Lookup(t.Context(), "a.example", dns.TypeA); err != nil {
		t.Errorf("what is known: %v", err)
	}
	if _, err := m.Lookup(t.Context(), "c.example", dns.TypeA); dns.KindOf(err) != dns.OverBudget {
		t.Errorf("got %v, want %q", err, dns.OverBudget)
	}
	asked(t, s, "c.example", "", 0)
	s.Release()
}

// TestMessageLeft has a check leave a question that another one then asks.
func TestMessageLeft(t *testing.T) {
	s := dnstest.Start(t, "*.example A 192.0.2.1")
	s.Script("", "", dnstest.Hold)
	r := open(t, config(s))
	m := r.ForMessage(dns.Budget{})
	defer m.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := m.Lookup(ctx, "a.example", dns.TypeA)
		done <- err
	}()
	s.Await("", "", 1)
	cancel()
	if err := <-done; dns.KindOf(err) != dns.Canceled {
		t.Errorf("got %v, want %q", err, dns.Canceled)
	}
	s.Release()
	if _, err := m.Lookup(t.Context(), "a.example", dns.TypeA); err != nil {
		t.Error(err)
	}
	asked(t, s, "", "", 1)
}

func TestNet(t *testing.T) {
	s := dnstest.Start(t, `
		example.org TXT "a" "b"
		example.org MX  10 mx.example.org
		example.org A   192.0.2.1
		example.org AAAA 2001:db8::1
		four.example A  192.0.2.4
		half.example A  192.0.2.4
		1.2.0.192.in-addr.arpa PTR example.org
	`)
	s.Script("fails.example", "", dnstest.ServFail)
	s.Script("half.example", "AAAA", dnstest.Refused)
	n := dns.Net{Lookuper: open(t, config(s))}
	ctx := t.Context()
	txt, err := n.LookupTXT(ctx, "example.org")
	if diff := cmp.Diff([]string{"ab"}, txt); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	mx, err := n.LookupMX(ctx, "example.org")
	if diff := cmp.Diff([]*net.MX{{Host: "mx.example.org.", Pref: 10}}, mx); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	ips, err := n.LookupIPAddr(ctx, "example.org")
	if got := fmt.Sprint(ips); got != "[{192.0.2.1 } {2001:db8::1 }]" || err != nil {
		t.Errorf("%v %v", got, err)
	}
	if ips, err = n.LookupIPAddr(ctx, "four.example"); len(ips) != 1 || err != nil {
		t.Errorf("%v %v", ips, err)
	}
	names, err := n.LookupAddr(ctx, "192.0.2.1")
	if diff := cmp.Diff([]string{"example.org."}, names); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	bare := func(what string, err error, notFound, temporary bool) {
		t.Helper()
		e, ok := err.(*net.DNSError) // as libraries look at it: not wrapped
		if !ok || e.IsNotFound != notFound || e.IsTemporary != temporary || e.Temporary() != temporary {
			t.Errorf("%s: got %#v, want not found %v, temporary %v", what, err, notFound, temporary)
		}
	}
	_, err = n.LookupTXT(ctx, "gone.example")
	bare("NXDOMAIN", err, true, false)
	_, err = n.LookupMX(ctx, "four.example")
	bare("no data", err, true, false)
	_, err = n.LookupIPAddr(ctx, "gone.example")
	bare("no addresses", err, true, false)
	_, err = n.LookupTXT(ctx, "bad..example")
	bare("bad name", err, true, false)
	_, err = n.LookupTXT(ctx, "fails.example")
	bare("SERVFAIL", err, false, true)
	_, err = n.LookupIPAddr(ctx, "half.example")
	bare("half", err, false, true)
	_, err = n.LookupAddr(ctx, "192.0.2")
	bare("no address", err, false, false)
}
