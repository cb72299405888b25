package authres

import (
	"strings"
	"unicode/utf8"
)

// fold is how long lines get, in bytes (RFC 5322, section 2.1.1).
const fold = 78

// Name is the name of the field.
const Name = "Authentication-Results"

// Format returns the value for a field Authentication-Results: folded with LF and a tab,
// a result on each line, no line longer than 78 bytes unless a word alone is longer. It
// begins without a space. Values that want quotes get them, and come last in their
// result; what no header may hold becomes "?".
func (h Header) Format() string {
	f := formatter{column: len(Name) + len(": "), utf8: h.UTF8}
	f.word(f.value(h.ID))
	if h.Version != "" {
		f.word(f.value(h.Version))
	}
	if len(h.Results) == 0 {
		f.put(";")
		f.word("none")
		return f.b.String()
	}
	for _, r := range h.Results {
		f.put(";")
		f.newLine()
		f.result(r)
	}
	return f.b.String()
}

// A formatter writes words and folds between them.
type formatter struct {
	b      strings.Builder
	column int
	begun  bool // something is in this line
	utf8   bool
}

// put writes without folding; a byte is always left for it.
func (f *formatter) put(s string) {
	f.b.WriteString(s)
	f.column += len(s)
	f.begun = true
}

func (f *formatter) newLine() {
	f.b.WriteString("\n\t")
	f.column, f.begun = 8, false
}

// word writes a word, on the next line if this one has no room for it and a semicolon.
func (f *formatter) word(s string) {
	switch {
	case !f.begun:
	case f.column+1+len(s)+1 > fold:
		f.newLine()
	default:
		f.put(" ")
	}
	f.put(s)
}

func (f *formatter) result(r Result) {
	f.word(f.value(r.Method) + "=" + f.value(r.Value))
	if r.Comment != "" {
		f.comment(r.Comment)
	}
	if r.Reason != "" {
		f.word("reason=" + f.value(r.Reason))
	}
	var quoted []string
	for _, p := range r.Props {
		name := f.value(p.Name)
		if p.Type != "" {
			name = f.value(p.Type) + "." + name
		}
		v := f.property(p.Value)
		if strings.HasPrefix(v, `"`) {
			quoted = append(quoted, name+"="+v)
			continue
		}
		f.word(name + "=" + v)
	}
	// Python's authres 1.2 reads a quoted value only where nothing follows.
	for _, p := range quoted {
		f.word(p)
	}
}

// What is escaped in comments and in quoted strings (RFC 5322, section 3.2.1). To make one
// for each word would cost more than all the rest here.
var (
	inComment = strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`)
	inQuotes  = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
)

// comment writes a comment, which may be folded between its words.
func (f *formatter) comment(s string) {
	words := strings.Fields(f.clean(s))
	for i, w := range words {
		w = inComment.Replace(w)
		if i == 0 {
			w = "(" + w
		}
		if i == len(words)-1 {
			w += ")"
		}
		f.word(w)
	}
}

// clean replaces what a header may not hold.
func (f *formatter) clean(s string) string {
	if len(s) > maxWord {
		s = s[:maxWord]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f || r == utf8.RuneError, r >= 0x80 && r < 0xa0, r >= 0x80 && !f.utf8:
			return '?'
		}
		return r
	}, s)
}

// value returns a value as RFC 8601, section 2.2, wants it: a token of RFC 2045, else
// quoted.
func (f *formatter) value(s string) string {
	s = f.clean(s)
	if s != "" && strings.IndexFunc(s, notToken) < 0 {
		return s
	}
	return `"` + inQuotes.Replace(s) + `"`
}

// notToken tells whether a character is none of a token (RFC 2045, section 5.1).
func notToken(r rune) bool { return r <= ' ' || strings.ContainsRune(`()<>@,;:\"/[]?=`, r) }

// property returns a value, of which an address with an ordinary local part may stand
// without quotes. Where UTF-8 isn't allowed, an address whose local part has it is given
// by its domain alone.
func (f *formatter) property(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return f.value(s)
	}
	local, domain := s[:at], s[at+1:]
	if !f.utf8 && strings.IndexFunc(local, func(r rune) bool { return r >= 0x80 }) >= 0 {
		return f.value(domain)
	}
	plain := func(s string) bool {
		return strings.IndexFunc(s, notToken) < 0 && f.clean(s) == s && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".") && !strings.Contains(s, "..")
	}
	if domain != "" && plain(local) && plain(domain) {
		return s
	}
	return f.value(s)
}
