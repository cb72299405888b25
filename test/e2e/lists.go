package e2e

import (
	"fmt"
	"net/netip"
	"strings"

	"rmilter/internal/dns"
	"rmilter/internal/dnslist"
)

// ListZones returns the records by which the known DNS lists pass their tests, as text for
// package dnstest.
func ListZones() string {
	var b strings.Builder
	for _, l := range dnslist.Catalog() {
		what := l.TestListed
		if what == "" {
			continue
		}
		if a, err := netip.ParseAddr(what); err == nil {
			what = dns.ReverseLabels(a)
		}
		fmt.Fprintf(&b, "%s.%s A 127.0.0.2\n", what, l.Zone)
	}
	return b.String()
}
