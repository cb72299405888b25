package spf

import (
	"fmt"
	"strings"

	"rmilter/internal/mail"
)

// A piece of a macro-string is a literal or a macro (RFC 7208, section 7.1).
type piece struct {
	literal string // of a literal; also of %%, %_ and %-
	escape  bool   // %%, %_ or %-
	letter  byte   // of a macro, in lower case; 0 for a literal
	url     bool   // the letter was a capital: the value is escaped for URLs
	right   int    // how many parts on the right are kept; 0 for all
	reverse bool   // the parts change their order
	delims  string // what separates parts; "" for dots
}

// macros are a macro-string that has been read.
type macros []piece

// A use says where a macro-string stands, which decides what it may hold.
type use int

const (
	domainSpec      use = iota // no spaces; not the letters c, r and t
	unknownModifier            // no spaces
	explanation                // all
)

// parseMacros reads a macro-string.
func parseMacros(s string, u use) (macros, error) {
	var m macros
	for s != "" {
		if s[0] != '%' {
			n := strings.IndexByte(s, '%')
			if n < 0 {
				n = len(s)
			}
			for i := range n {
				if c := s[i]; c < '!' && (c != ' ' || u != explanation) || c > '~' {
					return nil, fmt.Errorf("character %#02x", c)
				}
			}
			m = append(m, piece{literal: s[:n]})
			s = s[n:]
			continue
		}
		if len(s) < 2 {
			return nil, fmt.Errorf("%% at the end")
		}
		switch s[1] {
		case '%':
			m = append(m, piece{literal: "%", escape: true})
		case '_':
			m = append(m, piece{literal: " ", escape: true})
		case '-':
			m = append(m, piece{literal: "%20", escape: true})
		case '{':
			end := strings.IndexByte(s, '}')
			if end < 0 {
				return nil, fmt.Errorf("macro without end")
			}
			p, err := parseMacro(s[2:end], u)
			if err != nil {
				return nil, err
			}
			m = append(m, p)
			s = s[end+1:]
			continue
		default:
			return nil, fmt.Errorf("%% before a character that makes no macro")
		}
		s = s[2:]
	}
	return m, nil
}

// parseMacro reads what stands between the braces.
func parseMacro(s string, u use) (piece, error) {
	if s == "" || !strings.Contains("slodipvhcrt", string(lower(s[0]))) {
		return piece{}, fmt.Errorf("unknown macro %%{%s}", mail.PrintableASCII(s, 20))
	}
	p := piece{letter: lower(s[0]), url: s[0] != lower(s[0])}
	if u == domainSpec && strings.IndexByte("crt", p.letter) >= 0 {
		return p, fmt.Errorf("macro %%{%c} outside of an explanation", p.letter)
	}
	s = s[1:]
	digits := 0
	for digits < len(s) && isDigit(s[digits]) {
		// No value has more parts than this.
		p.right = min(p.right*10+int(s[digits]-'0'), 1<<16)
		digits++
	}
	if digits > 0 && p.right == 0 {
		return p, fmt.Errorf("macro keeps no parts")
	}
	s = s[digits:]
	if s != "" && lower(s[0]) == 'r' {
		p.reverse, s = true, s[1:]
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(".-+,/_=", r) }); i >= 0 {
		return p, fmt.Errorf("bad delimiter in a macro")
	}
	p.delims = s
	return p, nil
}

// parseDomain reads a domain-spec: a macro-string that ends in a macro or in a dot and
// a top label (RFC 7208, section 7.1).
func parseDomain(s string) (macros, error) {
	m, err := parseMacros(s, domainSpec)
	if err != nil {
		return nil, err
	}
	if len(m) == 0 {
		return nil, fmt.Errorf("domain missing")
	}
	last := m[len(m)-1]
	if last.letter != 0 || last.escape {
		return m, nil
	}
	name := strings.TrimSuffix(last.literal, ".")
	if dot := strings.LastIndexByte(name, '.'); dot < 0 || !isTopLabel(name[dot+1:]) {
		return nil, fmt.Errorf("domain without a top label")
	}
	return m, nil
}

// isTopLabel tells whether a label can be the last one: letters, digits and dashes
// within, not digits only.
func isTopLabel(s string) bool {
	other := false
	for i := range len(s) {
		c := s[i]
		switch {
		case isDigit(c):
			continue
		case isLetter(c):
		case c == '-' && i > 0 && i < len(s)-1:
		default:
			return false
		}
		other = true
	}
	return other
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// apply does to a macro's value what its transformers say.
func (p piece) apply(value string) string {
	if p.right > 0 || p.reverse || p.delims != "" {
		delims := p.delims
		if delims == "" {
			delims = "."
		}
		parts := split(value, delims)
		if p.reverse {
			for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
				parts[i], parts[j] = parts[j], parts[i]
			}
		}
		if p.right > 0 && p.right < len(parts) {
			parts = parts[len(parts)-p.right:]
		}
		value = strings.Join(parts, ".")
	}
	if p.url {
		value = escapeURL(value)
	}
	return value
}

// split cuts at each of the characters in delims.
func split(s, delims string) []string {
	var parts []string
	for {
		i := strings.IndexAny(s, delims)
		if i < 0 {
			return append(parts, s)
		}
		parts = append(parts, s[:i])
		s = s[i+1:]
	}
}

// escapeURL escapes all but the unreserved characters of RFC 3986, section 2.3.
func escapeURL(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if isLetter(c) || isDigit(c) || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}
