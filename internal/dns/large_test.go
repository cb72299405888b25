package dns_test

import (
	"fmt"
	"strings"
	"testing"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/ucl"
)

// TestLarge looks up records of all sizes, over UDP and, from about 1 KB on, over TCP.
func TestLarge(t *testing.T) {
	for _, n := range []int{200, 1000, 1200, 1400, 4000, 9000, 30_000, 60_000} {
		s := dnstest.Start(t, "example.com TXT "+strings.Repeat(fmt.Sprintf(" %q", strings.Repeat("x", 200)), n/200))
		c := dns.DefaultConfig()
		c.Nameservers = ucl.Servers{{Host: s.Addr().Addr().String(), Port: int(s.Addr().Port())}}
		r, err := dns.New(c, dns.Env{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := r.Lookup(t.Context(), "example.com", dns.TypeTXT)
		if err != nil || len(a.Texts) != 1 || len(a.Texts[0]) != n {
			t.Errorf("%d bytes: got %d texts, %v", n, len(a.Texts), err)
		}
		r.Close()
	}
}
