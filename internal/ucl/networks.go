package ucl

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Networks is a list of IP networks. In the file an item is an IPv4 or IPv6
// address, the latter with or without brackets, with an optional /mask, or a host
// name, which is looked up when the configuration is loaded (see Resolve); a mask
// up to /32 after a name counts for its IPv4 addresses, a longer one for its IPv6
// addresses. A quoted item may hold several, separated by commas, semicolons or
// blanks. The zero Networks is empty. Once loaded it is safe for concurrent use.
type Networks struct {
	items []network
	v4    []span // sorted, without overlaps; nil until Finish
	v6    []span
	done  bool
}

// A network is one item of the list.
type network struct {
	prefix netip.Prefix // invalid for a host name
	host   string
	bits   int            // mask after a host name, -1 when there is none
	found  []netip.Prefix // what the host name stood for
	pos    Pos
}

// A span is a range of addresses of one family, both ends included.
type span struct{ first, last netip.Addr }

// MustNetworks returns the networks of a list in the form of the file. It panics
// on a fault: it is meant for defaults and tests.
func MustNetworks(items ...string) Networks {
	var n Networks
	if err := n.Set(ListNode(items...), false); err != nil {
		panic("ucl: " + err.Error())
	}
	n.Finish()
	return n
}

// Set implements Value.
func (ns *Networks) Set(n *Node, add bool) error {
	list, err := readItems(n, add, ns.items, parseNetwork)
	if err == nil {
		*ns = Networks{items: list}
	}
	return err
}

// readItems reads the items of a list, appending them to old with add. A quoted text
// may hold several. All faults are told at once.
func readItems[T any](n *Node, add bool, old []T, parse func(*Node, string) (T, error)) ([]T, error) {
	texts, err := n.Texts()
	if err != nil {
		return nil, err
	}
	var list []T
	if add {
		list = slices.Clip(old)
	}
	var errs []error
	for _, t := range texts {
		for part := range t.parts {
			item, err := parse(part, part.Text)
			if err != nil {
				if errs = append(errs, err); len(errs) > maxDiagnostics {
					return nil, join(errs)
				}
				continue
			}
			list = append(list, item)
		}
	}
	return list, join(errs)
}

// IsList returns true: += adds to the list.
func (ns *Networks) IsList() bool { return true }

// parts yields the several items that a quoted text may hold, each in the same node
// with its own position where the text stands in the file as it is.
func (n *Node) parts(yield func(*Node) bool) {
	const between = ",; \t\r\n"
	part := &Node{}
	pos, literal := n.literal()
	for rest := n.Text; ; {
		blank := len(rest) - len(strings.TrimLeft(rest, between))
		if literal {
			pos = pos.after(rest[:blank])
		}
		if rest = rest[blank:]; rest == "" {
			return
		}
		end := strings.IndexAny(rest, between)
		if end < 0 {
			end = len(rest)
		}
		part.Pos, part.Text = pos, rest[:end]
		if len(rest) == len(n.Text) {
			part.Pos = n.Pos // of the quotation mark, as for any text
		}
		if !yield(part) {
			return
		}
		n.warnings = append(n.warnings, part.warnings...)
		if part.warnings = nil; literal {
			pos = pos.after(rest[:end])
		}
		rest = rest[end:]
	}
}

// literal returns where the text of a node begins, behind its quotation mark, and
// whether it stands in the file as it is.
func (n *Node) literal() (Pos, bool) {
	if !n.Pos.IsValid() {
		return n.Pos, false
	}
	src := n.Pos.src.text[n.Pos.off:]
	pos := n.Pos
	if strings.HasPrefix(src, `"`) || strings.HasPrefix(src, "'") {
		pos, src = pos.after(src[:1]), src[1:]
	}
	if !strings.HasPrefix(src, n.Text) {
		return n.Pos, false
	}
	return pos, true
}

func parseNetwork(n *Node, word string) (network, error) {
	const want = "expected an address such as 192.0.2.0/24 or [2001:db8::]/32, or a host name"
	addr, mask, masked := strings.Cut(unbracket(word), "/")
	a, err := netip.ParseAddr(addr)
	if err != nil && !hostName(addr) {
		return network{}, n.Errorf("%s is not a network; %s", quoteFor(word), want)
	}
	bits := -1
	if masked {
		v, err := strconv.ParseUint(mask, 10, 16)
		if err != nil {
			return network{}, n.Errorf("%s has no valid mask; %s", quoteFor(word), want)
		}
		bits = int(v)
	}
	if err != nil {
		if bits > 128 {
			return network{}, n.Errorf("the mask of %s is too long; expected at most /32 for IPv4, /128 for IPv6", quoteFor(word))
		}
		return network{host: strings.ToLower(addr), bits: bits, pos: n.Pos}, nil
	}
	if a.Zone() != "" {
		return network{}, n.Errorf("%s has a zone; %s", quoteFor(word), want)
	}
	p, ok := makePrefix(a, bits)
	if !ok {
		return network{}, n.Errorf("the mask of %s is too long; expected at most /%d", quoteFor(word), a.BitLen())
	}
	return network{prefix: p, pos: n.Pos}, nil
}

// unbracket takes the brackets off "[::1]/128" and "[::1/128]".
func unbracket(word string) string {
	if !strings.HasPrefix(word, "[") {
		return word
	}
	inside, after, ok := strings.Cut(word[1:], "]")
	if !ok || after != "" && after[0] != '/' || strings.Contains(inside, "/") && after != "" || !strings.Contains(inside, ":") {
		return word
	}
	return inside + after
}

// makePrefix returns the network of a, with -1 for the single address. A mapped
// IPv4 network becomes an IPv4 one.
func makePrefix(a netip.Addr, bits int) (netip.Prefix, bool) {
	if bits < 0 {
		bits = a.BitLen()
	}
	if a.Is4In6() && bits >= 96 {
		a, bits = a.Unmap(), bits-96
	}
	p, err := a.Prefix(bits)
	return p, err == nil
}

// hostName tells whether s can be a host name: letters, digits, hyphens,
// underscores and dots, and not all digits as a broken address would be.
func hostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	letter := false
	for _, label := range strings.Split(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			switch c := label[i] | 0x20; {
			case c >= 'a' && c <= 'z':
				letter = true
			case label[i] >= '0' && label[i] <= '9', label[i] == '-', label[i] == '_':
			default:
				return false
			}
		}
	}
	return letter
}

// Finish prepares the list for fast look-ups. Decode calls it.
func (ns *Networks) Finish() {
	var v4, v6 []span
	for p := range ns.prefixes {
		s := span{p.Addr(), lastAddr(p)}
		if p.Addr().Is4() {
			v4 = append(v4, s)
		} else {
			v6 = append(v6, s)
		}
	}
	ns.v4, ns.v6, ns.done = mergeSpans(v4), mergeSpans(v6), true
}

// prefixes yields every network of the list.
func (ns *Networks) prefixes(yield func(netip.Prefix) bool) {
	for _, item := range ns.items {
		if item.prefix.IsValid() && !yield(item.prefix) {
			return
		}
		for _, p := range item.found {
			if !yield(p) {
				return
			}
		}
	}
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// mergeSpans sorts the spans and joins those that overlap.
func mergeSpans(s []span) []span {
	slices.SortFunc(s, func(a, b span) int { return a.first.Compare(b.first) })
	out := s[:0]
	for _, x := range s {
		if n := len(out); n > 0 && x.first.Compare(out[n-1].last) <= 0 {
			if out[n-1].last.Less(x.last) {
				out[n-1].last = x.last
			}
			continue
		}
		out = append(out, x)
	}
	return slices.Clip(out)
}

// Contains tells whether an address is in one of the networks. A mapped IPv4
// address is looked up as IPv4, a zone is left out of account; the zero Addr is in
// none. It takes logarithmic time and allocates nothing.
func (ns *Networks) Contains(a netip.Addr) bool {
	if ns == nil || !a.IsValid() {
		return false
	}
	a = a.Unmap().WithZone("")
	if !ns.done {
		for p := range ns.prefixes {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	list := ns.v6
	if a.Is4() {
		list = ns.v4
	}
	i, exact := slices.BinarySearchFunc(list, a, func(s span, a netip.Addr) int { return s.first.Compare(a) })
	return exact || i > 0 && a.Compare(list[i-1].last) <= 0
}

// Prefixes returns the networks in the order of the file, with what host names
// stood for.
func (ns *Networks) Prefixes() []netip.Prefix { return slices.Collect(ns.prefixes) }

// Len returns the number of items in the list.
func (ns *Networks) Len() int { return len(ns.items) }

// Equal tells whether two lists have the same items in the same order.
func (ns Networks) Equal(other Networks) bool {
	return slices.EqualFunc(ns.items, other.items, func(a, b network) bool {
		return a.prefix == b.prefix && a.host == b.host && a.bits == b.bits && slices.Equal(a.found, b.found)
	})
}

// String returns the list as the file has it: IPv6 in brackets, host names as
// names.
func (ns Networks) String() string {
	items := make([]string, len(ns.items))
	for i, n := range ns.items {
		items[i] = n.String()
	}
	return joinList(items)
}

func (n network) String() string {
	switch {
	case n.host != "" && n.bits >= 0:
		return n.host + "/" + strconv.Itoa(n.bits)
	case n.host != "":
		return n.host
	case n.prefix.Addr().Is6():
		return "[" + n.prefix.Addr().String() + "]/" + strconv.Itoa(n.prefix.Bits())
	case n.prefix.IsSingleIP():
		return n.prefix.Addr().String()
	}
	return n.prefix.String()
}
