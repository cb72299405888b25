package policy

import (
	"strings"
	"unicode/utf8"
)

// printable returns s as at most n bytes of printable ASCII: white space and control
// characters as single spaces, what lies beyond ASCII as "?".
func printable(s string, n int) string {
	b := make([]byte, 0, min(len(s), n))
	for _, r := range s {
		switch {
		case r <= ' ' || r == 0x7f:
			if len(b) == 0 || b[len(b)-1] == ' ' {
				continue
			}
			r = ' '
		case r >= utf8.RuneSelf:
			r = '?'
		}
		if len(b) == n {
			break
		}
		b = append(b, byte(r))
	}
	return strings.TrimRight(string(b), " ")
}
