package mime

import "slices"

// Values of base64Values that are no digits.
const (
	b64Bad   = 0xff // no character of base64
	b64Space = 0xfe // white space
	b64Pad   = 0xfd // "="
)

// base64Values is the value of each character. Nobody writes to it.
var base64Values = base64Table()

func base64Table() (t [256]byte) {
	for i := range t {
		t[i] = b64Bad
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	for _, c := range []byte(" \t\r\n\v\f") {
		t[c] = b64Space
	}
	t['='] = b64Pad
	return t
}

// AppendBase64 appends the bytes that src stands for in base64 (RFC 2045, section 6.8).
// White space and characters outside the alphabet are passed over, padding may be
// missing at the end. Behind padding the decoding goes on only if all that is left is
// base64 of whole groups: some programs join encoded pieces, others add their own text
// at the end. bad counts what is broken: foreign characters, anything behind padding,
// missing padding.
func AppendBase64[T ~string | ~[]byte](dst []byte, src T) (out []byte, bad int) {
	begin := len(dst)
	dst = slices.Grow(dst, len(src)/4*3+3)
	buf := dst[begin : begin+len(src)/4*3+3]
	var bits uint32
	k, n, padded, joined := 0, 0, 0, false // bytes written, digits in bits, paddings seen, more pieces may follow
	for i := 0; i < len(src); i++ {
		for n == 0 && padded == 0 && i+4 <= len(src) {
			a, b, c, d := base64Values[src[i]], base64Values[src[i+1]], base64Values[src[i+2]], base64Values[src[i+3]]
			if a|b|c|d >= 64 {
				break
			}
			v := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(d)
			buf[k], buf[k+1], buf[k+2] = byte(v>>16), byte(v>>8), byte(v)
			k, i = k+3, i+4
		}
		if i == len(src) {
			break
		}
		switch v := base64Values[src[i]]; {
		case v < 64:
			if padded > 0 {
				bad++
				if !joined && !wholeGroups(src[i:]) {
					return dst[:begin+k], bad
				}
				padded, n, joined = 0, 0, true
			}
			bits = bits<<6 | uint32(v)
			if n++; n > 1 {
				buf[k] = byte(bits >> (6*n - 8*(n-1)))
				k++
			}
			n &= 3
		case v == b64Pad:
			padded++
		case v == b64Bad:
			bad++
		}
	}
	if n != 0 && (n == 1 || padded < 4-n) {
		bad++
	}
	return dst[:begin+k], bad
}

// wholeGroups tells whether src is base64 alone, in groups of four.
func wholeGroups[T ~string | ~[]byte](src T) bool {
	n := 0
	for i := range len(src) {
		switch base64Values[src[i]] {
		case b64Bad:
			return false
		case b64Space:
		default:
			n++
		}
	}
	return n%4 == 0
}
