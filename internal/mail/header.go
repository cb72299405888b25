package mail

import "strings"

// A Field is one header field as it stood in the message.
type Field struct {
	Name string // without the colon, in the sender's case
	Raw  string // all behind the colon: leading space and folds (LF or CRLF) kept, without the last line's end
}

// Is tells whether the field has this name; case doesn't matter.
func (f Field) Is(name string) bool { return equalName(f.Name, name) }

// Value returns the field's value unfolded and without white space around it. It is
// not decoded and may hold any byte but CR and LF.
func (f Field) Value() string { return strings.Trim(unfold(f.Raw), " \t") }

// Text returns the field's value as people read it: unfolded, encoded words decoded
// (RFC 2047), always UTF-8. Line breaks and other control characters that were
// encoded are in it.
func (f Field) Text() string { return DecodeText(f.Value()) }

// A Header is the fields of a message in order, the topmost first.
type Header []Field

// Count returns how many fields have this name.
func (h Header) Count(name string) int {
	n := 0
	for _, f := range h {
		if f.Is(name) {
			n++
		}
	}
	return n
}

// Get returns the Value of the first field of this name, "" if there is none.
func (h Header) Get(name string) string {
	for _, f := range h {
		if f.Is(name) {
			return f.Value()
		}
	}
	return ""
}

// Text returns the Text of the first field of this name, "" if there is none.
func (h Header) Text(name string) string {
	for _, f := range h {
		if f.Is(name) {
			return f.Text()
		}
	}
	return ""
}

// Values returns the Value of every field of this name in order.
func (h Header) Values(name string) []string {
	var all []string
	for _, f := range h {
		if f.Is(name) {
			all = append(all, f.Value())
		}
	}
	return all
}

// equalName compares as the MTAs do, by ASCII letters alone: they count fields of a
// name so, and Unicode's folding knows other letters that equal K and S.
func equalName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}

// unfold removes line breaks; the white space that follows them stays (RFC 5322,
// section 2.2.3). Where none follows, which only headers of parts have, a space keeps
// the lines apart.
func unfold(s string) string {
	if strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		switch {
		case s[i] != '\r' && s[i] != '\n':
			b = append(b, s[i])
		case s[i] == '\n' && i+1 < len(s) && s[i+1] > ' ':
			b = append(b, ' ')
		}
	}
	return string(b)
}
