package dnslist

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A Pattern says which answers are meant: those with each byte from that of First to that
// of Last and, unless Bits is 0, with at least one of the Bits in the three bytes behind
// the 127. The zero value matches nothing.
type Pattern struct {
	First, Last [4]byte
	Bits        uint32
}

// maxBits are the bits that an answer can have.
const maxBits = 1<<24 - 1

// ParsePattern reads a pattern: 127.0.0.2, 127.0.0.4-7, 127.0.*.1, 127.0.0.0/24 or
// 127.*.*.*&64. rspamd's patterns for digits, such as %d+, mean the same as *.
func ParsePattern(text string) (Pattern, error) {
	var p Pattern
	rest, bits, masked := strings.Cut(text, "&")
	if masked {
		n, err := strconv.ParseUint(strings.TrimSpace(bits), 10, 32)
		if err != nil || n == 0 || n > maxBits {
			return Pattern{}, fmt.Errorf("%.20q is not a number of bits; expected one from 1 to %d", bits, maxBits)
		}
		p.Bits = uint32(n)
	}
	rest = strings.TrimSpace(rest)
	if prefix, err := netip.ParsePrefix(rest); err == nil && prefix.Addr().Is4() {
		return p.within(prefix)
	}
	for _, digits := range [...]string{"%d+", "%d*", "[0-9]+", `\d+`} {
		rest = strings.ReplaceAll(rest, digits, "*")
	}
	rest = strings.ReplaceAll(rest, "%.", ".")
	bytes := strings.Split(rest, ".")
	if len(bytes) != 4 {
		return Pattern{}, wrongPattern(text)
	}
	for i, b := range bytes {
		first, last, isRange := strings.Cut(b, "-")
		if b == "*" {
			first, last = "0", "255"
		} else if !isRange {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 8)
		to, err2 := strconv.ParseUint(last, 10, 8)
		if err1 != nil || err2 != nil || from > to {
			return Pattern{}, wrongPattern(text)
		}
		p.First[i], p.Last[i] = byte(from), byte(to)
	}
	return p.checked(text)
}

// within returns the pattern for the addresses of a network.
func (p Pattern) within(prefix netip.Prefix) (Pattern, error) {
	p.First = prefix.Masked().Addr().As4()
	for i := range p.Last {
		ones := min(max(prefix.Bits()-8*i, 0), 8)
		p.Last[i] = p.First[i] | byte(0xff>>ones)
	}
	return p.checked(prefix.String())
}

// checked refuses what no list answers.
func (p Pattern) checked(text string) (Pattern, error) {
	if p.First[0] != 127 || p.Last[0] != 127 {
		return Pattern{}, fmt.Errorf("%.40q is not within 127.0.0.0/8, as the answers of lists are (RFC 5782)", text)
	}
	return p, nil
}

func wrongPattern(text string) error {
	return fmt.Errorf("%.40q is not an answer of a list; expected one such as 127.0.0.2, 127.0.0.4-7 or 127.0.*.1", text)
}

// Matches tells whether an answer is meant.
func (p Pattern) Matches(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	b := a.As4()
	for i := range b {
		if b[i] < p.First[i] || b[i] > p.Last[i] {
			return false
		}
	}
	if p.Bits == 0 {
		return p.First[0] != 0
	}
	return (uint32(b[1])<<16|uint32(b[2])<<8|uint32(b[3]))&p.Bits != 0
}

// String returns the pattern as ParsePattern reads it.
func (p Pattern) String() string {
	var b strings.Builder
	for i := range p.First {
		if i > 0 {
			b.WriteByte('.')
		}
		switch {
		case p.First[i] == 0 && p.Last[i] == 255:
			b.WriteByte('*')
		case p.First[i] == p.Last[i]:
			fmt.Fprintf(&b, "%d", p.First[i])
		default:
			fmt.Fprintf(&b, "%d-%d", p.First[i], p.Last[i])
		}
	}
	if p.Bits != 0 {
		fmt.Fprintf(&b, "&%d", p.Bits)
	}
	return b.String()
}

// answer returns a pattern of the catalogue.
func answer(text string) Pattern {
	p, err := ParsePattern(text)
	if err != nil {
		panic("dnslist: " + err.Error())
	}
	return p
}

func answers(texts ...string) []Pattern {
	list := make([]Pattern, len(texts))
	for i, t := range texts {
		list[i] = answer(t)
	}
	return list
}
