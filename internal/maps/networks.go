package maps

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
)

// networks is a set of networks: for each length of prefix the sorted addresses.
type networks struct {
	v4     [33][]uint32
	v6     [129][]addr6
	scores map[netip.Prefix]float64
}

// An addr6 is an IPv6 address.
type addr6 struct{ high, low uint64 }

func (a addr6) compare(b addr6) int {
	return cmp.Or(cmp.Compare(a.high, b.high), cmp.Compare(a.low, b.low))
}

func split(a netip.Addr) addr6 {
	b := a.As16()
	return addr6{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// add adds a network, whose address is masked; seal must be called before it can be
// found.
func (n *networks) add(p netip.Prefix, score float64, scored bool) {
	if p.Addr().Is4() {
		n.v4[p.Bits()] = append(n.v4[p.Bits()], number(p.Addr()))
	} else {
		n.v6[p.Bits()] = append(n.v6[p.Bits()], split(p.Addr()))
	}
	if !scored {
		return
	}
	if n.scores == nil {
		n.scores = map[netip.Prefix]float64{}
	}
	if _, twice := n.scores[p]; !twice {
		n.scores[p] = score
	}
}

// seal prepares the look-ups.
func (n *networks) seal() {
	for bits, list := range n.v4 {
		slices.Sort(list)
		n.v4[bits] = slices.Clip(slices.Compact(list))
	}
	for bits, list := range n.v6 {
		slices.SortFunc(list, addr6.compare)
		n.v6[bits] = slices.Clip(slices.Compact(list))
	}
}

// len returns the number of networks.
func (n *networks) len() int {
	sum := 0
	for _, list := range n.v4 {
		sum += len(list)
	}
	for _, list := range n.v6 {
		sum += len(list)
	}
	return sum
}

// find looks up an address; the longest prefix counts.
func (n *networks) find(a netip.Addr) (Entry, bool) {
	for bits := a.BitLen(); bits >= 0; bits-- {
		if a.Is4() && len(n.v4[bits]) == 0 || a.Is6() && len(n.v6[bits]) == 0 {
			continue
		}
		p, err := a.Prefix(bits)
		if err != nil {
			return Entry{}, false
		}
		there := false
		if a.Is4() {
			_, there = slices.BinarySearch(n.v4[bits], number(p.Addr()))
		} else {
			_, there = slices.BinarySearchFunc(n.v6[bits], split(p.Addr()), addr6.compare)
		}
		if there {
			score, scored := n.scores[p]
			return Entry{networkKey(p), score, scored}, true
		}
	}
	return Entry{}, false
}

// networkKey returns a network as the file has it.
func networkKey(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
