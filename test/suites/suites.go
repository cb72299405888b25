// Package suites reads the conformance suites of sender authentication for tests, serves
// their zones and holds the one list of the cases that are answered otherwise on purpose.
//
// The suites are no part of this repository. They are looked for in the folder that
// RMILTER_SHARED names, else in shared beside the project's own. Where they aren't, tests
// skip; they fail when RMILTER_SHARED is set.
package suites

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/ucl"
)

// Now returns the time at which the suites take place.
func Now() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

// Read returns a file of the suites.
func Read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder(t), "conformance", name))
	switch {
	case err == nil:
	case os.Getenv("RMILTER_SHARED") != "":
		t.Fatalf("no suites: %v (RMILTER_SHARED names their folder)", err)
	default:
		t.Skipf("no suites: %v (RMILTER_SHARED names their folder)", err)
	}
	return string(b)
}

// folder returns where the suites may be.
func folder(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("RMILTER_SHARED"); dir != "" {
		return dir
	}
	return filepath.Join(root(t), "../shared")
}

// root returns the project's folder, which the folder of every test is in.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// Resolver returns a resolver that asks a server. Its clock begins at Now and moves when
// the server drops a query, so that a timeout takes no time.
func Resolver(t testing.TB, s *dnstest.Server) *dns.Resolver {
	t.Helper()
	clock := dnstest.NewClock(Now())
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

// CRLF returns a message with the line ends of SMTP.
func CRLF(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// Cut255 cuts a text into the strings of a TXT record.
func Cut255(s string) []string {
	var list []string
	for len(s) > 255 {
		list, s = append(list, s[:255]), s[255:]
	}
	return append(list, s)
}
