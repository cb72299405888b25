package password

import (
	"errors"
	"fmt"
	"strings"
)

// alphabet has the letters of zbase32. Unlike there the first letter stands for the
// lowest five bits.
const alphabet = "ybndrfg8ejkmcpqxot1uwisza345h769"

// encode writes bytes as letters, the lowest bits first.
func encode(b []byte) string {
	var s strings.Builder
	bits, n := uint(0), 0
	for _, c := range b {
		bits |= uint(c) << n
		for n += 8; n >= 5; n -= 5 {
			s.WriteByte(alphabet[bits&31])
			bits >>= 5
		}
	}
	if n > 0 {
		s.WriteByte(alphabet[bits])
	}
	return s.String()
}

// decode reads what encode has written for as many bytes as dst has. There is one way
// only to write them.
func decode(dst []byte, s string) error {
	if want := (len(dst)*8 + 4) / 5; len(s) != want {
		return fmt.Errorf("has %d characters; expected %d", len(s), want)
	}
	bits, n := uint(0), 0
	for i := range len(s) {
		v := strings.IndexByte(alphabet, s[i])
		if v < 0 {
			return fmt.Errorf("has a character at place %d that doesn't belong there; expected letters and digits without l, v, 0 and 2, all lower case", i+1)
		}
		bits |= uint(v) << n
		if n += 5; n >= 8 {
			dst[0], dst = byte(bits), dst[1:]
			bits >>= 8
			n -= 8
		}
	}
	if bits != 0 {
		return errors.New("ends in a character that can't stand there; expected all of what was printed")
	}
	return nil
}
