package ucl

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// expand replaces $NAME and ${NAME} where NAME is known, and with escapes the
// backslash sequences of JSON. A dollar sign before anything else stays, since
// password hashes have them; $$NAME gives $NAME. An unknown escape stays as it is,
// since old files have backslashes which mean themselves.
func (l *Loader) expand(raw string, escapes bool) string {
	if !strings.ContainsAny(raw, `\$`) {
		return raw
	}
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw) && !l.stopped; {
		n, text := 1, ""
		switch {
		case raw[i] == '$':
			n, text = l.variable(raw[i:])
		case raw[i] == '\\' && escapes:
			n, text = unescape(raw[i:])
		default:
			text = raw[i : i+1]
		}
		b.WriteString(text)
		i += n
	}
	return b.String()
}

// variable reads what begins with a dollar sign and returns how much it is of s,
// and what stands for it.
func (l *Loader) variable(s string) (int, string) {
	if strings.HasPrefix(s, "$$") {
		if n, _, ok := l.lookUp(s[1:]); ok {
			return n + 1, s[1 : n+1]
		}
		return 2, "$$"
	}
	if n, value, ok := l.lookUp(s); ok {
		l.grow(len(value))
		return n, value
	}
	return 1, "$"
}

// lookUp returns the length and the value of the $NAME or ${NAME} at the beginning
// of s.
func (l *Loader) lookUp(s string) (n int, value string, ok bool) {
	name := s[1:min(len(s), 66)]
	if inside, braced := strings.CutPrefix(name, "{"); braced {
		name, _, braced = strings.Cut(inside, "}")
		value, ok = l.Vars[name]
		return len(name) + 3, value, ok && braced
	}
	i := 0
	for i < len(name) && (name[i] == '_' || name[i] >= 'A' && name[i] <= 'Z') {
		i++
	}
	value, ok = l.Vars[name[:i]]
	return i + 1, value, ok
}

// unescape reads what begins with a backslash and returns how much it is of s, and
// what stands for it.
func unescape(s string) (int, string) {
	if len(s) < 2 {
		return 1, `\`
	}
	switch s[1] {
	case '"', '\\', '/', '\'':
		return 2, s[1:2]
	case 'n':
		return 2, "\n"
	case 'r':
		return 2, "\r"
	case 't':
		return 2, "\t"
	case 'b':
		return 2, "\b"
	case 'f':
		return 2, "\f"
	case '\n': // the line goes on
		return 2, ""
	case 'u':
		r, ok := hex4(s)
		if !ok {
			break
		}
		if r2, ok := hex4(s[6:]); ok && utf16.IsSurrogate(r) {
			if full := utf16.DecodeRune(r, r2); full != utf8.RuneError {
				return 12, string(full)
			}
		}
		return 6, string(r)
	}
	return 2, s[:2]
}

// hex4 reads \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(v), err == nil
}
