package mime

import (
	"bytes"
	"slices"
)

// AppendQuotedPrintable appends the bytes that src stands for in quoted-printable (RFC
// 2045, section 6.7). Lower-case digits are taken, white space at the end of lines is
// dropped, also behind the "=" of a soft line break. bad counts escapes that are
// none; they stay as they are.
func AppendQuotedPrintable(dst, src []byte) (out []byte, bad int) {
	dst = slices.Grow(dst, len(src))
	for len(src) > 0 {
		line, ending := src, []byte(nil)
		if i := bytes.IndexByte(src, '\n'); i >= 0 {
			line, ending, src = src[:i], src[i:i+1], src[i+1:]
			if i > 0 && line[i-1] == '\r' {
				line, ending = line[:i-1], line[i-1:i+1]
			}
		} else {
			src = nil
		}
		n := len(line)
		for n > 0 && (line[n-1] == ' ' || line[n-1] == '\t') {
			n--
		}
		if n > 0 && line[n-1] == '=' {
			n, ending = n-1, nil
		}
		line = line[:n]
		for i := 0; i < len(line); {
			if line[i] != '=' {
				j := bytes.IndexByte(line[i:], '=')
				if j < 0 {
					j = len(line) - i
				}
				dst = append(dst, line[i:i+j]...)
				i += j
				continue
			}
			if i+2 < len(line) && unhex(line[i+1])|unhex(line[i+2]) < 16 {
				dst = append(dst, unhex(line[i+1])<<4|unhex(line[i+2]))
				i += 3
				continue
			}
			bad++
			dst = append(dst, '=')
			i++
		}
		dst = append(dst, ending...)
	}
	return dst, bad
}

// AppendQ appends the bytes that s stands for in the Q encoding of encoded words (RFC
// 2047, section 4.2). bad counts escapes that are none; they stay as they are.
func AppendQ(dst []byte, s string) (out []byte, bad int) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '_':
			dst = append(dst, ' ')
		case s[i] != '=':
			dst = append(dst, s[i])
		case i+2 < len(s) && unhex(s[i+1])|unhex(s[i+2]) < 16:
			dst = append(dst, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			dst = append(dst, '=')
			bad++
		}
	}
	return dst, bad
}

// AppendPercent appends s with its %XX escapes undone, as in RFC 2231, section 4. bad
// counts escapes that are none; they stay as they are.
func AppendPercent(dst []byte, s string) (out []byte, bad int) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '%':
			dst = append(dst, s[i])
		case i+2 < len(s) && unhex(s[i+1])|unhex(s[i+2]) < 16:
			dst = append(dst, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			dst = append(dst, '%')
			bad++
		}
	}
	return dst, bad
}

// hexValues is the value of each hexadecimal digit, 255 for anything else. Nobody
// writes to it.
var hexValues = hexTable()

func hexTable() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i := range byte(10) {
		t['0'+i] = i
	}
	for i := range byte(6) {
		t['a'+i], t['A'+i] = 10+i, 10+i
	}
	return t
}

// unhex returns the value of a hexadecimal digit, 255 for anything else.
func unhex(c byte) byte { return hexValues[c] }
