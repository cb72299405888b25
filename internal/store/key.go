package store

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// hashDigits is how much of a hash a cut key ends in.
const hashDigits = 20

// AppendKey appends a text to a key as printable ASCII: everything else, a space, what
// has a meaning to stores or in keys, % { } | and ~, and the bytes of more are written as
// %XX.
func AppendKey(key []byte, text, more string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(text) {
		c := text[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("%{}|~", c) >= 0 || strings.IndexByte(more, c) >= 0 {
			key = append(key, '%', digits[c>>4], digits[c&15])
			continue
		}
		key = append(key, c)
	}
	return key
}

// KeyText is the reverse of AppendKey. An escape that isn't whole stays as it is.
func KeyText(part string) string {
	if !strings.Contains(part, "%") {
		return part
	}
	text := make([]byte, 0, len(part))
	for i := 0; i < len(part); i++ {
		if part[i] == '%' && i+2 < len(part) {
			if c, err := hex.DecodeString(part[i+1 : i+3]); err == nil {
				text = append(text, c[0])
				i += 2
				continue
			}
		}
		text = append(text, part[i])
	}
	return string(text)
}

// BoundKey returns a key of at most n bytes: the end of a longer one gives way to ~ and
// 20 hex digits of the hash of all of it. As AppendKey writes no ~, none can be taken for
// another.
func BoundKey(key []byte, n int) string {
	if len(key) <= n {
		return string(key)
	}
	sum := sha256.Sum256(key)
	short := append(make([]byte, 0, n), key[:n-hashDigits-1]...)
	return string(hex.AppendEncode(append(short, '~'), sum[:hashDigits/2]))
}
