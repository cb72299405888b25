package checks

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"rmilter/internal/mail"
)

// Bounds of what is looked at in From. What is beyond maxFromField or maxMailbox bytes
// counts as malformed, as it isn't parsed to the end.
const (
	maxAuthors   = 5 // domains
	maxFromField = 64 << 10
	maxMailbox   = 8 << 10
)

// An authorship is what From says of who wrote the message: the domains of its addresses.
// A From that isn't well-formed is shown by each mail program in its own way, so each
// domain in it that follows an "@" counts as one of an author.
type authorship struct {
	domains []string // distinct, at most maxAuthors
	more    bool     // there are further ones
	mended  bool     // one of them stands there with empty labels: "example..org"
	fields  int      // fields of the name
	reason  string   // why there are no domains
}

// authorsOf reads From.
func authorsOf(m *mail.Message) *authorship {
	a := &authorship{}
	list := m.Mailboxes("From")
	clear := len(list) <= maxFroms
	for i := range list {
		a.add(list[i].Address.Domain)
		clear = clear && isClear(&list[i])
	}
	for _, f := range m.Header().Fields("From") {
		a.fields++
		if clear && len(f.Raw) <= maxFromField {
			continue
		}
		value := f.Value()
		for _, text := range []string{value, withoutComments(value), f.Text()} {
			a.search(text)
		}
	}
	switch {
	case len(a.domains) > 0:
	case len(list) > 0:
		a.reason = "No domain in From header"
	default:
		a.reason = "No From header"
	}
	return a
}

// one returns the one domain of all authors, "" when there is none or are several.
func (a *authorship) one() string {
	if len(a.domains) != 1 || a.more || a.mended {
		return ""
	}
	return a.domains[0]
}

// add takes a domain as an address has it.
func (a *authorship) add(domain string) {
	name := strings.Join(strings.FieldsFunc(domain, func(r rune) bool { return r == '.' }), ".")
	if name == "" {
		return
	}
	a.mended = a.mended || name != domain
	switch {
	case slices.Contains(a.domains, name):
	case len(a.domains) == maxAuthors:
		a.more = true
	default:
		a.domains = append(a.domains, name)
	}
}

// search takes what can be a domain behind each "@" of a text: up to the first white
// space, and with the white space beside dots left out, which is obsolete syntax (RFC
// 5322, section 4.4).
func (a *authorship) search(s string) {
	for !a.more {
		_, rest, ok := strings.Cut(s, "@")
		if !ok {
			return
		}
		s = strings.TrimLeft(rest, " \t")
		for _, joined := range []bool{false, true} {
			if d := mail.ParseAddress("x@" + domainOf(s, joined)).Domain; strings.Contains(strings.Trim(d, "."), ".") {
				a.add(d)
			}
		}
	}
}

// domainOf returns the characters of a domain that a text begins with.
func domainOf(s string, joined bool) string {
	const most = 1020 // bytes; mail.ParseAddress takes no more
	var b strings.Builder
	space, dot := false, false
	for _, r := range s {
		isDot := strings.ContainsRune(".\u3002\uff0e\uff61", r) // those of IDNA
		switch {
		case joined && (r == ' ' || r == '\t'):
			space = true
			continue
		case !isDot && r != '-' && r != '_' && !unicode.In(r, unicode.Letter, unicode.Digit, unicode.Mark),
			space && !dot && !isDot, b.Len() > most:
			return b.String()
		}
		space, dot = false, isDot
		b.WriteRune(r)
	}
	return b.String()
}

// encodedWord is one of RFC 2047. Nothing in it is syntax.
var encodedWord = regexp.MustCompile(`=\?[^?\s]+\?[BbQq]\?[^?\s]*\?=`)

// isClear tells whether every mail program takes the same address from an entry of From.
func isClear(b *mail.Mailbox) bool {
	if !b.Valid || len(b.Raw) > maxMailbox || strings.Contains(b.Address.Local, "@") {
		return false
	}
	s, ok := syntaxOf(encodedWord.ReplaceAllString(b.Raw, ""))
	angles := strings.Count(s, "<")
	return ok && strings.Count(s, "@") == 1 && angles <= 1 && strings.Count(s, ">") == angles && !strings.ContainsAny(s, ",;:[]")
}

// syntaxOf returns what of an entry is neither quoted nor in comments; ok is false when
// quotes and comments don't close, or when something else is escaped.
func syntaxOf(s string) (rest string, ok bool) {
	var b strings.Builder
	quoted, depth := false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			if i++; i == len(s) || !quoted && depth == 0 {
				return "", false
			}
		case c == '"' && depth == 0:
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return "", false
			}
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String(), !quoted && depth == 0
}

// withoutComments takes out all that is in parentheses.
func withoutComments(s string) string {
	depth := 0
	return strings.Map(func(r rune) rune {
		switch {
		case r == '(':
			depth++
			return -1
		case r == ')':
			depth = max(depth-1, 0)
			return -1
		case depth > 0:
			return -1
		}
		return r
	}, s)
}
