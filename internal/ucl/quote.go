package ucl

import (
	"fmt"
	"strings"
)

// Quote returns text as a double-quoted string of the language.
func Quote(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 2)
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		case '$':
			if variable(text[i+1:]) {
				b.WriteString(`\u0024`) // not a variable
			} else {
				b.WriteByte(c)
			}
		default:
			if c < ' ' {
				fmt.Fprintf(&b, `\u%04x`, c)
			} else {
				b.WriteByte(c)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}

// variable tells whether what follows a dollar sign may be the name of a variable.
func variable(text string) bool {
	return text != "" && (text[0] == '{' || text[0] == '_' || text[0] >= 'A' && text[0] <= 'Z')
}

// quoteItem returns text as an item of a list: bare where that reads the same.
func quoteItem(text string) string {
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("@._-/+:", c) >= 0 && (i > 0 || c == '@' || c == '/'):
		case c == '-' && len(text) > 1 && text[1] >= '0' && text[1] <= '9':
		default:
			return Quote(text)
		}
	}
	if text == "" || strings.Contains(text, "/*") {
		return Quote(text)
	}
	return text
}

// heredoc returns a text of several lines as a heredoc. It is false for a text of one
// line, and for one that would not be read as it is.
func heredoc(text string) (string, bool) {
	if !strings.Contains(text, "\n") {
		return "", false
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\n' && c != '\t' || c == '$' && variable(text[i+1:]) {
			return "", false
		}
	}
	word := "EOD"
	for strings.Contains("\n"+text, "\n"+word) {
		if word += "X"; len(word) > 32 {
			return "", false
		}
	}
	return "<<" + word + "\n" + text + "\n" + word, true
}
