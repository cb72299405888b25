package ucl

import (
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
			if i+1 < len(text) && (text[i+1] == '{' || text[i+1] == '_' || text[i+1] >= 'A' && text[i+1] <= 'Z') {
				b.WriteString(`\u0024`) // not a variable
			} else {
				b.WriteByte(c)
			}
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// quoteItem returns text as an item of a list: bare where that reads the same.
func quoteItem(text string) string {
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("@._-/+:", c) >= 0 && (i > 0 || c == '@' || c == '/'):
		default:
			return Quote(text)
		}
	}
	if text == "" || strings.Contains(text, "/*") {
		return Quote(text)
	}
	return text
}
