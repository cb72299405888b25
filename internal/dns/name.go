package dns

import (
	"net/netip"
	"strconv"
	"strings"
)

// Bounds of a name (RFC 1035, section 2.3.4), as text without the final dot.
const (
	maxName  = 253
	maxLabel = 63
)

// Normalize returns a name in lower case without the final dot, and whether it can be
// asked: labels of 1 to 63 bytes, 253 bytes in all, printable ASCII without backslash.
// Underscores are fine, and so is whatever a macro of SPF (RFC 7208, section 7) puts in.
// A name in Unicode has to be made A-labels first. The root cannot be asked.
func Normalize(name string) (string, bool) {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxName {
		return "", false
	}
	label, upper := 0, false
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '.':
			if label == 0 {
				return "", false
			}
			label = 0
			continue
		case c < ' ' || c > '~' || c == '\\':
			return "", false
		case 'A' <= c && c <= 'Z':
			upper = true
		}
		if label++; label > maxLabel {
			return "", false
		}
	}
	if label == 0 {
		return "", false
	}
	if upper {
		name = lower(name)
	}
	return name, true
}

// lower maps ASCII letters only, as DNS does (RFC 4343).
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// Reverse returns the name at which PTR records of an address are (RFC 1035, section
// 3.5, and RFC 3596, section 2.5), "" for the zero address.
func Reverse(a netip.Addr) string {
	a = a.Unmap()
	switch {
	case a.Is4():
		return ReverseLabels(a) + ".in-addr.arpa"
	case a.Is6():
		return ReverseLabels(a) + ".ip6.arpa"
	}
	return ""
}

// ReverseLabels returns an address as DNS lists are asked for it (RFC 5782, section 2):
// the bytes of an IPv4 address or the hexadecimal digits of an IPv6 address backwards,
// with dots between them; "" for the zero address. A zone is left out.
func ReverseLabels(a netip.Addr) string {
	a = a.Unmap()
	b := make([]byte, 0, 64)
	switch {
	case a.Is4():
		bytes := a.As4()
		for i := 3; i >= 0; i-- {
			b = append(strconv.AppendUint(b, uint64(bytes[i]), 10), '.')
		}
	case a.Is6():
		const digits = "0123456789abcdef"
		bytes := a.As16()
		for i := 15; i >= 0; i-- {
			b = append(b, digits[bytes[i]&15], '.', digits[bytes[i]>>4], '.')
		}
	default:
		return ""
	}
	return string(b[:len(b)-1])
}

// fromWire returns a name out of a message in the form of this package. The library
// writes special characters as \X and other bytes as \DDD; what this package takes
// in a name comes without the backslash.
func fromWire(name string) string {
	name = strings.TrimSuffix(name, ".")
	if strings.IndexByte(name, '\\') < 0 {
		return lower(name)
	}
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		if c := name[i]; c == '\\' && i+1 < len(name) {
			i++
			if d := name[i]; d == '.' || d == '\\' || '0' <= d && d <= '9' {
				b = append(b, '\\')
			}
		}
		b = append(b, name[i])
	}
	return lower(string(b))
}

// unescape returns the bytes of a string of a TXT record, which the library has with
// \X and \DDD in it.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		if i+2 < len(s) && digit(s[i]) && digit(s[i+1]) && digit(s[i+2]) {
			b = append(b, (s[i]-'0')*100+(s[i+1]-'0')*10+s[i+2]-'0')
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// printable returns a name for a log: as it is, or quoted and cut if it isn't clean.
func printable(name string) string {
	clean := len(name) <= maxName+1
	for i := 0; clean && i < len(name); i++ {
		clean = ' ' < name[i] && name[i] <= '~' && name[i] != '"'
	}
	if clean && name != "" {
		return name
	}
	return strconv.QuoteToASCII(name[:min(len(name), maxName)])
}
