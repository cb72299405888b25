package postconf

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// maxPatterns bounds the patterns of mynetworks that are looked at.
const maxPatterns = 5000

// A span is a range of addresses of one family, both ends included.
type span struct{ first, last netip.Addr }

// A set is addresses as sorted spans that neither overlap nor touch.
type set []span

// prefixSpan returns the addresses of a network.
func prefixSpan(p netip.Prefix) span {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return span{p.Masked().Addr(), last}
}

// newSet returns the addresses of networks.
func newSet(prefixes []netip.Prefix) set {
	var s set
	for _, p := range prefixes {
		s = append(s, prefixSpan(p))
	}
	return s.tidy()
}

// tidy sorts spans and joins those that overlap or touch.
func (s set) tidy() set {
	slices.SortFunc(s, func(a, b span) int { return a.first.Compare(b.first) })
	out := s[:0]
	for _, x := range s {
		n := len(out)
		if n > 0 && (x.first.Compare(out[n-1].last) <= 0 || out[n-1].last.Next() == x.first) {
			if out[n-1].last.Less(x.last) {
				out[n-1].last = x.last
			}
			continue
		}
		out = append(out, x)
	}
	return slices.Clip(out)
}

// union returns the addresses that are in either.
func (s set) union(t set) set { return slices.Concat(s, t).tidy() }

// minus returns the addresses of s that aren't in t.
func (s set) minus(t set) set {
	var out set
	i := 0
	for _, x := range s {
		for i < len(t) && t[i].last.Less(x.first) {
			i++
		}
		for j := i; x.first.IsValid() && j < len(t) && t[j].first.Compare(x.last) <= 0; j++ {
			if x.first.Less(t[j].first) {
				out = append(out, span{x.first, t[j].first.Prev()})
			}
			if t[j].last.Compare(x.last) >= 0 {
				x.first = netip.Addr{} // nothing is left of it
			} else {
				x.first = t[j].last.Next()
			}
		}
		if x.first.IsValid() {
			out = append(out, x)
		}
	}
	return out
}

// and returns the addresses that are in both.
func (s set) and(t set) set { return s.minus(s.minus(t)) }

// prefixes returns the set as networks, at most limit of them, and whether there are
// more.
func (s set) prefixes(limit int) (list []netip.Prefix, more bool) {
	for _, x := range s {
		for a := x.first; a.IsValid() && a.Compare(x.last) <= 0; {
			if len(list) == limit {
				return list, true
			}
			p := netip.PrefixFrom(a, a.BitLen())
			for p.Bits() > 0 {
				wider := netip.PrefixFrom(a, p.Bits()-1)
				if wider.Masked().Addr() != a || x.last.Less(prefixSpan(wider).last) {
					break
				}
				p = wider
			}
			list = append(list, p)
			a = prefixSpan(p).last.Next()
		}
	}
	return list, false
}

// String lists the networks of a set as both configurations write them.
func (s set) String() string {
	list, more := s.prefixes(5)
	var items []string
	for _, p := range list {
		items = append(items, prefixText(p))
	}
	text := strings.Join(items, ", ")
	if more {
		text += " and more"
	}
	return text
}

func prefixText(p netip.Prefix) string {
	addr := p.Addr().String()
	if p.Addr().Is6() {
		return "[" + addr + "]/" + strconv.Itoa(p.Bits())
	}
	if p.IsSingleIP() {
		return addr
	}
	return p.String()
}

// parseNetworks reads mynetworks. The first pattern that matches an address counts, so
// that a ! takes addresses away from those after it. Tables, files and what else can't
// be told without Postfix are named in unknown.
func parseNetworks(text string) (s set, unknown []string) {
	patterns := splitList(text)
	if n := len(patterns); n > maxPatterns {
		unknown = append(unknown, strconv.Itoa(n-maxPatterns)+" further patterns")
		patterns = patterns[:maxPatterns]
	}
	// From the last to the first, runs of one sign at a time.
	var run set
	not := false
	apply := func() {
		if run = run.tidy(); not {
			s = s.minus(run)
		} else {
			s = s.union(run)
		}
		run = nil
	}
	var strange []string
	for _, word := range slices.Backward(patterns) {
		pattern := strings.TrimLeft(word, "!")
		negated := (len(word)-len(pattern))%2 == 1
		p, ok := parsePrefix(pattern)
		if !ok {
			strange = append(strange, word)
			continue
		}
		if negated != not {
			apply()
			not = negated
		}
		run = append(run, prefixSpan(p))
	}
	apply()
	slices.Reverse(strange)
	return s, append(strange, unknown...)
}

// parsePrefix reads an address or a network of mynetworks. Postfix refuses one with
// address bits beyond its mask.
func parsePrefix(word string) (netip.Prefix, bool) {
	addr, mask, masked := strings.Cut(word, "/")
	if inner, ok := strings.CutPrefix(addr, "["); ok {
		if addr, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Prefix{}, false
		}
	}
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	bits := a.BitLen()
	if masked {
		n, err := strconv.ParseUint(mask, 10, 8)
		if err != nil || int(n) > a.BitLen() {
			return netip.Prefix{}, false
		}
		bits = int(n)
	}
	if a.Is4In6() && bits >= 96 {
		a, bits = a.Unmap(), bits-96
	}
	p := netip.PrefixFrom(a, bits)
	return p, p == p.Masked()
}
