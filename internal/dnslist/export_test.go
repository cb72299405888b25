package dnslist

import "net/netip"

// Read returns what an answer means: symbols, whether the list doesn't answer us, and what
// is not documented.
func (l *List) Read(ask Asks, addrs []netip.Addr) (hits []Hit, blocked bool, unknown []netip.Addr) {
	m := l.meaning(ask, addrs)
	return m.hits, m.blocked.IsValid(), m.unknown
}
