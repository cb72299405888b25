package htmltext

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestEntity bounds "&name;": the longest name has 31 letters.
const longestEntity = 33

// maxLookups bounds the lookups in the large table of entities for one document.
const maxLookups = 50_000

// An entityTable decodes entities by name. It remembers what it looked up.
type entityTable struct {
	known   map[string]string
	lookups int
}

// text returns what an entity stands for, itself if nothing.
func (e *entityTable) text(entity string) string {
	if t, ok := e.known[entity]; ok {
		return t
	}
	if e.lookups++; e.lookups > maxLookups {
		return entity
	}
	t := html.UnescapeString(entity)
	if e.known == nil {
		e.known = map[string]string{}
	}
	if len(e.known) < 500 {
		e.known[entity] = t
	}
	return t
}

// unescape returns s with its entities decoded (section 13.2.5.72 and following). In
// an attribute an entity without its semicolon counts only where nothing like a name
// goes on behind it, so that the parameters of a URL stay.
func (e *entityTable) unescape(s string, attribute bool) string {
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i >= 0 {
		b = append(b, s[:i]...)
		var n int
		b, n = e.append(b, s[i:], attribute)
		s = s[i+n:]
		i = strings.IndexByte(s, '&')
	}
	return string(append(b, s...))
}

// append decodes the entity that s begins with and returns its length. What is none
// stays as it is.
func (e *entityTable) append(b []byte, s string, attribute bool) ([]byte, int) {
	if len(s) > 1 && s[1] == '#' {
		return appendNumeric(b, s)
	}
	n := 1
	for n < len(s) && n < longestEntity && (letter(s[n]) || s[n] >= '0' && s[n] <= '9') {
		n++
	}
	if n == 1 {
		return append(b, '&'), 1
	}
	closed := n < len(s) && s[n] == ';'
	if closed {
		n++
		switch s[:n] {
		case "&amp;":
			return append(b, '&'), n
		case "&lt;":
			return append(b, '<'), n
		case "&gt;":
			return append(b, '>'), n
		case "&quot;":
			return append(b, '"'), n
		case "&nbsp;":
			return append(b, "\u00a0"...), n
		}
	}
	text := e.text(s[:n])
	if attribute {
		switch {
		case closed && len(text) > 1 && strings.HasSuffix(text, ";"):
			text = s[:n] // only the begin of it is a name
		case !closed && (n < len(s) && s[n] == '=' || utf8.RuneCountInString(text) > 1):
			text = s[:n]
		}
	}
	return append(b, text...), n
}

// appendNumeric decodes "&#65;" and "&#x41;"; the semicolon may be missing.
func appendNumeric(b []byte, s string) ([]byte, int) {
	n, base := 2, rune(10)
	if n < len(s) && s[n]|0x20 == 'x' {
		n, base = 3, 16
	}
	begin, r := n, rune(0)
	for ; n < len(s); n++ {
		d := rune(99)
		switch c := s[n]; {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case base == 16 && letter(c):
			d = rune(c|0x20-'a') + 10
		}
		if d >= base {
			break
		}
		if r <= utf8.MaxRune {
			r = r*base + d
		}
	}
	if n == begin {
		return append(b, '&'), 1
	}
	if n < len(s) && s[n] == ';' {
		n++
	}
	if r >= 0x80 && r < 0xa0 {
		// Windows-1252, as the standard has it.
		return append(b, html.UnescapeString(s[:n])...), n
	}
	if r == 0 || !utf8.ValidRune(r) {
		r = utf8.RuneError
	}
	return utf8.AppendRune(b, r), n
}

// CleanURL returns the target of an attribute as a browser takes it: without control
// characters and white space around it and line breaks and tabs inside it, with
// backslashes in front of the path turned into slashes.
func CleanURL(s string) string {
	s = strings.Trim(s, trimURL)
	if strings.ContainsAny(s, "\t\r\n") {
		b := make([]byte, 0, len(s))
		for i := range len(s) {
			if c := s[i]; c != '\t' && c != '\r' && c != '\n' {
				b = append(b, c)
			}
		}
		s = string(b)
	}
	if i := strings.IndexByte(s, '\\'); i >= 0 && isWeb(s) {
		end := len(s)
		if j := strings.IndexAny(s, "?#"); j >= 0 {
			end = j
		}
		s = strings.ReplaceAll(s[:end], "\\", "/") + s[end:]
	}
	return s
}

// isWeb tells whether a URL has a scheme in which backslashes are slashes, or none.
func isWeb(s string) bool {
	i := strings.IndexAny(s, ":/\\?#")
	if i < 0 || s[i] != ':' {
		return true
	}
	switch strings.ToLower(s[:i]) {
	case "http", "https", "ftp", "ws", "wss", "file":
		return true
	}
	return false
}

const trimURL = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f "

// StripInvisible takes characters without a glyph out of s: zero-width ones, soft
// hyphens, fillers, marks of direction that change none. It tells how many.
func StripInvisible(s string) (string, int) {
	i := 0
	for ; i < len(s); i++ {
		if s[i] >= 0xc2 {
			if r, _ := utf8.DecodeRuneInString(s[i:]); invisible(r) {
				break
			}
		}
	}
	if i == len(s) {
		return s, 0
	}
	b := make([]byte, 0, len(s))
	b = append(b, s[:i]...)
	n := 0
	for _, r := range s[i:] {
		if invisible(r) {
			n++
			continue
		}
		b = utf8.AppendRune(b, r)
	}
	return string(b), n
}

// invisible tells whether a character has no glyph. Overrides of direction are left:
// they change what is seen.
func invisible(r rune) bool {
	switch {
	case r < 0xad:
		return false
	case r == 0xad, r == 0x34f, r == 0x61c, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xfeff, r == 0xffa0:
		return true
	case r >= 0x180b && r <= 0x180f, r >= 0x200b && r <= 0x200f, r >= 0x2060 && r <= 0x206f, r >= 0xfe00 && r <= 0xfe0f:
		return true
	case r >= 0xe0000 && r <= 0xe0fff:
		return true
	}
	return false
}

// text takes text between tags.
func (p *parser) text(s string, entities bool) {
	hides := p.top().hides
	if hides != Shown {
		p.hide(s, entities, hides)
		return
	}
	pre := p.top().pre
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case plain[c]:
			j := i + 1
			for j < len(s) && plain[s[j]] {
				j++
			}
			p.write(s[i:j])
			i = j
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\n' && !pre:
			p.gap = max(p.gap, spaceGap)
			i++
		case c == '\n':
			p.gap = lineGap
			i++
		case c == '&' && entities:
			var buf [longestEntity + utf8.UTFMax]byte
			b, n := p.entities.append(buf[:0], s[i:], false)
			if i += n; len(b) == 1 && plain[b[0]] || b[0] == '&' {
				p.before(rune(b[0]))
				p.out = append(p.out, b...)
				continue
			}
			for len(b) > 0 {
				r, size := utf8.DecodeRune(b)
				p.rune(r)
				b = b[size:]
			}
		case c == 0:
			p.doc.Faults[NULByte]++
			i++
		case c < utf8.RuneSelf:
			p.write(s[i : i+1])
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			p.rune(r)
			i += size
		}
	}
}

// plain are the characters that go into text as they are. Nobody writes to it.
var plain = func() (t [256]bool) {
	for c := '!'; c <= '~'; c++ {
		t[c] = c != '&'
	}
	return t
}()

// write takes visible text without white space.
func (p *parser) write(s string) {
	p.before(rune(s[0]))
	p.out = append(p.out, s...)
}

// rune takes one visible character.
func (p *parser) rune(r rune) {
	switch {
	case blank(r):
		p.gap = max(p.gap, spaceGap)
		return
	case r == '\u2028' || r == '\u2029' || r == '\u0085':
		p.gap = lineGap
		return
	case invisible(r):
		p.doc.Invisible++
		return
	}
	p.before(r)
	p.out = utf8.AppendRune(p.out, r)
}

// before writes the gap before the character that comes next.
func (p *parser) before(r rune) {
	if len(p.out) > 0 {
		switch p.gap {
		case spaceGap:
			p.out = append(p.out, ' ')
		case lineGap:
			p.out = append(p.out, '\n')
		default:
			if p.broken && isLetter(r) {
				if last, _ := utf8.DecodeLastRune(p.out); isLetter(last) {
					p.doc.Faults[CommentInWord]++
				}
			}
		}
	}
	p.gap, p.broken, p.runs = noGap, false, Shown
	if p.link >= 0 && p.doc.Links[p.link].Begin < 0 {
		p.doc.Links[p.link].Begin = len(p.out)
	}
	if p.inCell && p.cell < 0 {
		p.cell = len(p.out)
	}
}

// hide takes text that the eye doesn't see.
func (p *parser) hide(s string, entities bool, why Reason) {
	if entities && strings.IndexByte(s, '&') >= 0 {
		s = p.entities.unescape(s, false)
	}
	n := 0
	for i := 0; i < len(s); {
		if plain[s[i]] || s[i] == '&' {
			j := i + 1
			for j < len(s) && (plain[s[j]] || s[j] == '&') {
				j++
			}
			p.keep(s[i:j])
			n += j - i
			i = j
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if blank(r) || r < ' ' {
			p.hidGap = true
		} else if !invisible(r) {
			p.keep(s[i : i+size])
			n += size
		}
		i += size
	}
	if n == 0 {
		return
	}
	p.doc.HiddenBytes[why] += n
	if p.runs != why {
		p.doc.HiddenRuns++
		p.runs = why
	}
}

// keep takes hidden text without white space.
func (p *parser) keep(s string) {
	if len(p.hidden)+1+len(s) > p.lim.Hidden {
		return
	}
	if p.hidGap && len(p.hidden) > 0 {
		p.hidden = append(p.hidden, ' ')
	}
	p.hidGap = false
	p.hidden = append(p.hidden, s...)
}

// blank tells whether a character is white space within a line.
func blank(r rune) bool {
	switch r {
	case ' ', '\t', '\n', '\r', '\f', '\v', 0xa0, 0x1680, 0x202f, 0x205f, 0x3000, 0x2800:
		return true
	}
	return r >= 0x2000 && r <= 0x200a
}

func isLetter(r rune) bool {
	if r < utf8.RuneSelf {
		return letter(byte(r))
	}
	return unicode.IsLetter(r)
}

// collapse makes one line of a text, its white space collapsed.
func collapse(s string) string {
	s, _ = StripInvisible(s)
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return blank(r) || r < ' ' }), " ")
}
