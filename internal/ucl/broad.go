package ucl

import "net/netip"

// TooBroad returns the first network of the list that is larger than anybody's own, as
// the file would have it: IPv4 shorter than /8, IPv6 shorter than /16 unless it is for
// private use.
func (ns *Networks) TooBroad() (item string, broad bool) {
	for p := range ns.prefixes {
		if p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 16 && !private(p) {
			return network{prefix: p}.String(), true
		}
	}
	return "", false
}

// private tells whether all of an IPv6 network is for use within one site: unique
// local (RFC 4193) or link-local (RFC 4291, section 2.5.6).
func private(p netip.Prefix) bool {
	a := p.Addr()
	return a.IsPrivate() && p.Bits() >= 7 || a.IsLinkLocalUnicast() && p.Bits() >= 10
}
