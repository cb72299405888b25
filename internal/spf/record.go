package spf

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"rmilter/internal/mail"
)

// maxRecord bounds a record in bytes. Published ones rarely have 2,000; RFC 7208,
// section 3.4, wants 450.
const maxRecord = 16 << 10

// A kind says which mechanism it is.
type kind int

const (
	mechAll kind = iota
	mechInclude
	mechA
	mechMX
	mechPTR
	mechIP4
	mechIP6
	mechExists
)

// mechanisms are the names of RFC 7208, section 5.
var mechanisms = map[string]kind{
	"all": mechAll, "include": mechInclude, "a": mechA, "mx": mechMX,
	"ptr": mechPTR, "ip4": mechIP4, "ip6": mechIP6, "exists": mechExists,
}

// codes are what a mechanism that matches means, by qualifier (RFC 7208, section 4.6.2).
var codes = map[byte]Code{'+': Pass, '-': Fail, '~': SoftFail, '?': Neutral}

// A mechanism is a directive of a record.
type mechanism struct {
	kind       kind
	code       Code
	text       string       // with its qualifier
	spec       macros       // its domain-spec, nil when it has none
	bits4      int          // of a and mx
	bits6      int          // of a and mx
	prefix     netip.Prefix // of ip4 and ip6
	lengthZero bool         // a network of length 0 is in it
}

// What a record may allow before everybody counts as allowed, in bits of a network: a
// sixteenth of all IPv4 addresses, and of IPv6 what a regional registry gives out. Nobody
// has so many mail servers; and ten includes don't make half of it all.
const (
	openBits4 = 4
	openBits6 = 12
)

// partBits is how many bits longer a network may be to count as a part of what is open: a
// record hasn't room for more than some 2^10.
const partBits = 10

// share returns the bits of the network that a mechanism allows addresses of one kind to
// be in; ok is false when it allows none, or none that the record tells.
func (m *mechanism) share(v4 bool) (bits int, ok bool) {
	switch {
	case m.code != Pass:
		return 0, false
	case m.kind == mechIP4 || m.kind == mechIP6:
		return m.prefix.Bits(), v4 == (m.kind == mechIP4)
	case m.kind != mechA && m.kind != mechMX:
		return 0, false
	case v4:
		return m.bits4, true
	}
	return m.bits6, true
}

// open tells whether a mechanism is one of those that together allow nearly everybody.
// They are summed up without a look at what others exclude, as all isn't looked at either.
func (r *record) open(m *mechanism, v4 bool) bool {
	most := openBits6
	if v4 {
		most = openBits4
	}
	if bits, ok := m.share(v4); !ok || bits > most+partBits {
		return false
	}
	sum := 0.0
	for i := range r.mechanisms {
		if bits, ok := r.mechanisms[i].share(v4); ok {
			sum += math.Ldexp(1, most-bits)
		}
	}
	return sum >= 1
}

// A record is one that has been read.
type record struct {
	mechanisms []mechanism
	redirect   macros // nil when there is none
	exp        macros // nil when there is none
}

// isRecord tells whether a TXT record is for SPF (RFC 7208, section 4.5).
func isRecord(txt string) bool {
	const version = "v=spf1"
	return len(txt) >= len(version) && strings.EqualFold(txt[:len(version)], version) &&
		(len(txt) == len(version) || txt[len(version)] == ' ')
}

// parse reads a record. An error anywhere in it is an error of the record (RFC 7208,
// section 4.6).
func parse(txt string) (record, error) {
	var r record
	if !isRecord(txt) {
		return r, fmt.Errorf("record doesn't begin with v=spf1")
	}
	if len(txt) > maxRecord {
		return r, fmt.Errorf("record of %d bytes is too long", len(txt))
	}
	// Only spaces separate (RFC 7208, section 4.6.1); Fields would take more.
	for term := range strings.SplitSeq(txt[len("v=spf1"):], " ") {
		if term == "" {
			continue
		}
		if err := r.term(term); err != nil {
			return r, fmt.Errorf("%q: %w", mail.PrintableASCII(term, 80), err)
		}
	}
	return r, nil
}

// term reads one directive or modifier.
func (r *record) term(s string) error {
	i := strings.IndexAny(s, ":/=")
	if i >= 0 && s[i] == '=' {
		return r.modifier(s[:i], s[i+1:])
	}
	m := mechanism{bits4: 32, bits6: 128, text: s}
	name, rest := s, ""
	if i >= 0 {
		name, rest = s[:i], s[i:]
	}
	qualifier := byte('+')
	if name != "" && codes[name[0]] != "" {
		qualifier, name = name[0], name[1:]
	} else {
		m.text = "+" + s
	}
	m.code = codes[qualifier]
	var known bool
	if m.kind, known = mechanisms[strings.ToLower(name)]; !known {
		return fmt.Errorf("unknown mechanism")
	}
	if err := m.arguments(rest); err != nil {
		return err
	}
	r.mechanisms = append(r.mechanisms, m)
	return nil
}

// arguments reads what stands behind a mechanism's name, from ":" or "/" on.
func (m *mechanism) arguments(rest string) error {
	var err error
	switch m.kind {
	case mechAll:
		if rest != "" {
			return fmt.Errorf("all takes no arguments")
		}
		m.lengthZero = true
		return nil
	case mechIP4, mechIP6:
		if rest == "" || rest[0] != ':' {
			return fmt.Errorf("network missing")
		}
		return m.network(rest[1:])
	case mechA, mechMX:
		if rest, err = m.dualLength(rest); err != nil {
			return err
		}
	}
	switch {
	case rest == "" && (m.kind == mechInclude || m.kind == mechExists):
		return fmt.Errorf("domain missing")
	case rest == "":
		return nil
	case rest[0] != ':':
		return fmt.Errorf("bad prefix length")
	}
	m.spec, err = parseDomain(rest[1:])
	return err
}

// dualLength takes the lengths off the end of what a and mx have: "/24", "//64" or both
// (RFC 7208, section 5.3). A domain may hold slashes, too.
func (m *mechanism) dualLength(rest string) (string, error) {
	head, digits, ok := cutDigits(rest)
	if ok && strings.HasSuffix(head, "/") {
		n, err := length(digits, 128)
		if err != nil {
			return rest, err
		}
		m.bits6, rest = n, head[:len(head)-1]
		head, digits, ok = cutDigits(rest)
	}
	if ok {
		n, err := length(digits, 32)
		if err != nil {
			return rest, err
		}
		m.bits4, rest = n, head
	}
	m.lengthZero = m.bits4 == 0 || m.bits6 == 0
	return rest, nil
}

// cutDigits cuts a slash and the digits that end s.
func cutDigits(s string) (head, digits string, ok bool) {
	i := len(s)
	for i > 0 && '0' <= s[i-1] && s[i-1] <= '9' {
		i--
	}
	if i == len(s) || i == 0 || s[i-1] != '/' {
		return s, "", false
	}
	return s[:i-1], s[i:], true
}

// length reads a prefix length, which has no leading zeros (RFC 7208, section 5.3).
func length(digits string, most int) (int, error) {
	n := 0
	for i := range len(digits) {
		if n = n*10 + int(digits[i]-'0'); n > most {
			return 0, fmt.Errorf("prefix length above %d", most)
		}
	}
	if len(digits) > 1 && digits[0] == '0' {
		return 0, fmt.Errorf("prefix length with a leading zero")
	}
	return n, nil
}

// network reads the network of ip4 or ip6 (RFC 7208, section 5.6).
func (m *mechanism) network(s string) error {
	bits := 32
	if m.kind == mechIP6 {
		bits = 128
	}
	if host, digits, ok := cutDigits(s); ok {
		n, err := length(digits, bits)
		if err != nil {
			return err
		}
		s, bits = host, n
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Is4() != (m.kind == mechIP4) || a.Zone() != "" {
		return fmt.Errorf("not an address")
	}
	m.prefix, m.lengthZero = netip.PrefixFrom(a, bits), bits == 0
	return nil
}

// modifier reads NAME=VALUE (RFC 7208, section 6).
func (r *record) modifier(name, value string) error {
	if !isName(name) {
		return fmt.Errorf("bad name of a modifier")
	}
	target := (*macros)(nil)
	switch strings.ToLower(name) {
	case "redirect":
		target = &r.redirect
	case "exp":
		target = &r.exp
	default:
		_, err := parseMacros(value, unknownModifier)
		return err
	}
	if *target != nil {
		return fmt.Errorf("occurs twice")
	}
	var err error
	*target, err = parseDomain(value)
	return err
}

// isName tells whether a modifier can be called so.
func isName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case isLetter(c):
		case i > 0 && (isDigit(c) || c == '-' || c == '_' || c == '.'):
		default:
			return false
		}
	}
	return s != ""
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
