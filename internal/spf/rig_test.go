package spf_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/mail"
	"rmilter/internal/spf"
	"rmilter/internal/ucl"
)

// now is when the tests take place.
var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// resolver returns a resolver that asks a server. Its clock moves when the server drops
// a query, so that a timeout takes no time.
func resolver(t testing.TB, s *dnstest.Server) *dns.Resolver {
	t.Helper()
	clock := dnstest.NewClock(now)
	s.OnDrop(func() { clock.Advance(2 * time.Second) })
	a := s.Addr()
	r, err := dns.New(dns.Config{Nameservers: ucl.Servers{{Host: a.Addr().String(), Port: int(a.Port())}}},
		dns.Env{Now: clock.Now, AfterFunc: clock.AfterFunc, ResolvConf: filepath.Join(t.TempDir(), "resolv.conf")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// ask makes a query as the tests write it.
func ask(ip, helo, from string) spf.Query {
	return spf.Query{
		IP: netip.MustParseAddr(ip), Helo: helo, From: mail.ParseAddress(from),
		Receiver: "mx.example.com", Now: now,
	}
}

// shared returns a file of the suites, which are no part of this repository. Where they
// aren't, the test skips; it fails when RMILTER_SHARED names their folder.
func shared(t testing.TB, sub string) string {
	t.Helper()
	root := os.Getenv("RMILTER_SHARED")
	if root == "" {
		root = "../../../shared"
	}
	b, err := os.ReadFile(filepath.Join(root, "conformance", sub))
	if err != nil {
		if os.Getenv("RMILTER_SHARED") != "" || os.Getenv("CI") == "true" {
			t.Fatalf("no suites: %v (RMILTER_SHARED names their folder)", err)
		}
		t.Skipf("no suites: %v (RMILTER_SHARED names their folder)", err)
	}
	return string(b)
}
