package mime

import (
	"encoding/binary"
	"strings"
	utf16pkg "unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// decodeUTF7 reads RFC 2152. What can't be decoded stays as it is.
func decodeUTF7(b []byte) (string, int) {
	var out strings.Builder
	out.Grow(len(b))
	bad := 0
	var raw []byte
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c >= utf8.RuneSelf:
			bad++
			out.WriteRune(utf8.RuneError)
		case c != '+':
			out.WriteByte(c)
		case i+1 < len(b) && b[i+1] == '-':
			out.WriteByte('+')
			i++
		default:
			j := i + 1
			for j < len(b) && base64Values[b[j]] < 64 {
				j++
			}
			raw, _ = AppendBase64(raw[:0], b[i+1:j])
			bad += appendUTF16(&out, binary.BigEndian, raw)
			if j == i+1 {
				out.WriteByte('+')
				bad++
			}
			if j < len(b) && b[j] == '-' && j > i+1 {
				j++
			}
			i = j - 1
		}
	}
	return out.String(), bad
}

// appendUTF16 writes the characters of UTF-16.
func appendUTF16(out *strings.Builder, order binary.ByteOrder, b []byte) (bad int) {
	for i := 0; i+1 < len(b); i += 2 {
		r := rune(order.Uint16(b[i:]))
		if utf16pkg.IsSurrogate(r) {
			if r = utf16pkg.DecodeRune(r, unitAt(order, b, i+2)); r == utf8.RuneError {
				bad++
			} else {
				i += 2
			}
		}
		out.WriteRune(r)
	}
	return bad
}

// unitAt returns the 16 bits at i, 0 where there are none.
func unitAt(order binary.ByteOrder, b []byte, i int) rune {
	if i+1 >= len(b) {
		return 0
	}
	return rune(order.Uint16(b[i:]))
}

// decodeUTF16 follows the byte order mark, then the charset's name, then where the
// zero bytes of ASCII characters are.
func decodeUTF16(name string, b []byte) (string, int) {
	var order binary.ByteOrder = binary.BigEndian
	switch {
	case len(b) >= 2 && b[0] == 0xff && b[1] == 0xfe:
		order, b = binary.LittleEndian, b[2:]
	case len(b) >= 2 && b[0] == 0xfe && b[1] == 0xff:
		b = b[2:]
	case strings.HasSuffix(name, "le") || name == "unicodefeff":
		order = binary.LittleEndian
	case strings.HasSuffix(name, "be") || name == "unicodefffe":
	default:
		even, odd := 0, 0
		for i := 0; i+1 < min(len(b), 1024); i += 2 {
			if b[i] == 0 {
				even++
			}
			if b[i+1] == 0 {
				odd++
			}
		}
		if odd > even {
			order = binary.LittleEndian
		}
	}
	var out strings.Builder
	out.Grow(len(b))
	bad := appendUTF16(&out, order, b)
	if len(b)%2 == 1 {
		bad++
		out.WriteRune(utf8.RuneError)
	}
	return out.String(), bad
}

func decodeUTF32(name string, b []byte) (string, int) {
	var order binary.ByteOrder = binary.BigEndian
	if strings.HasSuffix(name, "le") || len(b) >= 4 && b[0] == 0xff && b[1] == 0xfe {
		order = binary.LittleEndian
	}
	var out strings.Builder
	out.Grow(len(b) / 2)
	bad := 0
	for i := 0; i < len(b); i += 4 {
		r := rune(utf8.RuneError)
		if i+4 <= len(b) {
			if u := order.Uint32(b[i:]); u <= utf8.MaxRune {
				r = rune(u)
			}
		}
		if i == 0 && r == '\uFEFF' {
			continue
		}
		if !utf8.ValidRune(r) || r == utf8.RuneError {
			r = utf8.RuneError
			bad++
		}
		out.WriteRune(r)
	}
	return out.String(), bad
}

// decodeShifted reads ISO-2022-KR and the GB 2312 of ISO-2022-CN: between SO and SI
// the characters of EUC without their high bits. Escape sequences only announce.
func decodeShifted(kind charsetKind, b []byte) (string, int) {
	out := make([]byte, 0, len(b))
	high := byte(0)
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == 0x0e:
			high = 0x80
		case c == 0x0f:
			high = 0
		case c == 0x1b && i+3 < len(b) && b[i+1] == '$' && (b[i+2] == ')' || b[i+2] == '*'):
			i += 3
		case c == '\n':
			high = 0
			out = append(out, c)
		case c > ' ' && c < 0x7f:
			out = append(out, c|high)
		default:
			out = append(out, c)
		}
	}
	enc := korean.EUCKR
	if kind == iso2022cn {
		enc = simplifiedchinese.GBK
	}
	text, err := decodeTable(enc, out)
	if err != nil {
		return decodeUTF8(b, true)
	}
	return text, strings.Count(text, "\uFFFD")
}
