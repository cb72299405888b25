package mail

import (
	"strings"
	"unicode/utf8"
)

// Bounds of the parsed halves of an address in bytes. RFC 5321, section 4.5.3.1
// allows 64 and 255; local parts of bounce addresses in the wild are longer.
const (
	maxLocal  = 512
	maxDomain = 255
)

// An Address is a mailbox as SMTP names it (RFC 5321, section 4.1.2). The zero
// Address is the null path "<>". Raw is for giving back to the MTA, Local and
// Domain are for everything else.
type Address struct {
	Raw    string // as the MTA gave it, unchanged and of any length; "" for the null path
	Local  string // local part without quoting, in its own case, at most 512 bytes; may hold any byte
	Domain string // lower-case A-labels without the final dot, or "[192.0.2.1]"; "" when there is none; at most 255 bytes
}

// ParseAddress reads the argument of MAIL FROM or RCPT TO, or a macro with an
// address. It takes angle brackets, source routes, quoted local parts and UTF-8
// (RFC 6531), with and without a domain. It never fails: of text that is no
// address, Local is what stands before the last "@" and Domain what stands behind.
func ParseAddress(raw string) Address {
	if raw == "" || raw == "<>" {
		return Address{}
	}
	path := stripRoute(insideBrackets(raw))
	local, domain := path, ""
	at := -1
	eachUnquoted(path, func(i int) bool {
		if path[i] == '@' {
			at = i
		}
		return true
	})
	if at >= 0 && strings.ContainsAny(path[at:], `"\`) {
		at = strings.LastIndexByte(path, '@') // a domain is never quoted
	}
	if at >= 0 {
		local, domain = path[:at], path[at+1:]
	}
	a := Address{Raw: raw, Local: cut(unquote(local), maxLocal), Domain: asciiDomain(domain)}
	if a.IsNull() {
		// Something was there, so it must not pass for a bounce.
		a.Local = cut(path, maxLocal)
	}
	return a
}

// IsNull tells whether this is the null path "<>", the sender of bounces.
func (a Address) IsNull() bool { return a.Local == "" && a.Domain == "" }

// String returns the address in angle brackets for people and logs: the local part
// quoted where RFC 5321 asks for it, control characters and broken UTF-8 shown as
// "?". The null path is "<>".
func (a Address) String() string {
	var b strings.Builder
	b.WriteByte('<')
	if needsQuotes(a.Local) || (a.Local == "" && a.Domain != "") {
		b.WriteByte('"')
		for _, r := range printableRunes(a.Local) {
			if r == '"' || r == '\\' {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		b.WriteByte('"')
	} else {
		b.WriteString(printableRunes(a.Local))
	}
	if a.Domain != "" {
		b.WriteByte('@')
		b.WriteString(printableRunes(a.Domain))
	}
	b.WriteByte('>')
	return b.String()
}

// Key returns local@domain in lower case, equal for all spellings of one address:
// what limits, lists and stores compare. It is the bare local part without a
// domain, and "" for the null path.
func (a Address) Key() string {
	local := strings.ToLower(a.Local)
	if a.Domain == "" {
		return local
	}
	return local + "@" + a.Domain
}

// Strip returns the local part without its extension: with delimiter "+",
// "alice+news" becomes "alice". Any character of delimiter separates, the leftmost
// one counts, as Postfix has it since 2.11. Nothing is stripped when delimiter is
// empty, when the local part begins with a delimiter, and from MAILER-DAEMON and
// double-bounce, which Postfix doesn't split either.
func (a Address) Strip(delimiter string) string {
	if i := strings.IndexAny(a.Local, delimiter); i > 0 &&
		!strings.EqualFold(a.Local, "mailer-daemon") && !strings.EqualFold(a.Local, "double-bounce") {
		return a.Local[:i]
	}
	return a.Local
}

// eachUnquoted calls f with the index of every byte of s that isn't part of a
// quoted string or escaped by a backslash, until f returns false. Where the quotes
// don't pair up they mean nothing, and f gets every byte.
func eachUnquoted(s string, f func(i int) bool) {
	quoting := quotesPair(s)
	inside := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoting && s[i] == '\\':
			i++
		case quoting && s[i] == '"':
			inside = !inside
		case !inside && !f(i):
			return
		}
	}
}

// quotesPair tells whether every quote in s is closed and no backslash ends it.
func quotesPair(s string) bool {
	inside := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i == len(s) {
				return false
			}
		case '"':
			inside = !inside
		}
	}
	return !inside
}

// insideBrackets returns what stands between the first "<" and the next ">".
func insideBrackets(s string) string {
	begin, end := 0, len(s)
	eachUnquoted(s, func(i int) bool {
		switch {
		case s[i] == '<' && begin == 0:
			begin = i + 1
		case s[i] == '>':
			end = i
			return false
		}
		return true
	})
	return strings.Trim(s[begin:end], " \t\r\n")
}

// stripRoute drops the source route of "@a,@b:user@c" (RFC 5321, appendix C). The
// colons of address literals in it don't count.
func stripRoute(s string) string {
	if !strings.HasPrefix(s, "@") {
		return s
	}
	literal := false
	for i := range len(s) {
		switch s[i] {
		case '[':
			literal = true
		case ']':
			literal = false
		case ':':
			if !literal {
				return s[i+1:]
			}
		}
	}
	return s
}

// unquote removes the quotes and backslashes of quoted strings.
func unquote(s string) string {
	if !strings.ContainsAny(s, `"\`) || !quotesPair(s) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
		case '\\':
			i++
			b = append(b, s[i])
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

// asciiDomain returns the domain in lower-case A-labels. A name that IDNA can't map, or
// that has a label that is too long for the DNS, stays as it is but for ASCII case.
func asciiDomain(s string) string {
	// Four bytes of UTF-8 for each of the 255 that a name may have.
	s = cut(strings.TrimRight(strings.Trim(s, " \t\r\n"), "."), 4*maxDomain)
	if isASCII(s) {
		return cut(strings.ToLower(s), maxDomain)
	}
	if utf8.ValidString(s) {
		// Unicode has characters that map to "@" and "/", which must not get in this
		// way.
		if a, ok := aLabels(s); ok && isHostName(a) {
			return cut(strings.ToLower(strings.TrimRight(a, ".")), maxDomain)
		}
	}
	return cut(LowerASCII(s), maxDomain)
}

// isHostName tells whether s holds only letters, digits, "-", "_" and ".".
func isHostName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if !(c >= 'a' && c <= 'z') && !(s[i] >= '0' && s[i] <= '9') && s[i] != '-' && s[i] != '.' && s[i] != '_' {
			return false
		}
	}
	return s != ""
}

// needsQuotes tells whether a local part is no dot-string (RFC 5321, section 4.1.2).
func needsQuotes(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c == 0x7f, strings.IndexByte(`"(),:;<>@[\]`, c) >= 0:
			return true
		}
	}
	return false
}

// printableRunes returns s with control characters and broken UTF-8 as "?".
func printableRunes(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) || r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, s)
}

// cut bounds s to n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for back := n; back > n-utf8.UTFMax; back-- {
		if utf8.RuneStart(s[back]) {
			return s[:back]
		}
	}
	return s[:n]
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
