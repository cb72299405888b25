package ucl

import (
	"strings"
	"unicode/utf8"
)

// quoted reads a quoted text. The second result is false after a fault.
func (s *scanner) quoted() (string, bool) {
	open, q := s.off, s.text[s.off]
	end, ok := s.closing(open)
	if !ok {
		s.off = s.lineEnd(open)
		line := strings.TrimRight(s.text[open:s.off], " \t\r;,")
		if _, n := utf8.DecodeLastRuneInString(line); n > 1 && quoteMark(line[len(line)-n:]) != "" {
			s.fault(open+len(line)-n, typographic)
		} else if strings.HasSuffix(line, `\"`) {
			s.fault(open, `a text that is not closed; expected " at its end (\" stands for one within it)`)
		} else {
			s.fault(open, "a text that is not closed; expected %c at its end", q)
		}
		return "", false
	}
	s.off = end + 1
	raw := s.text[open+1 : end]
	if strings.Contains(raw, "\r\n") {
		raw = strings.ReplaceAll(raw, "\r\n", "\n")
	}
	if q == '\'' {
		return strings.ReplaceAll(strings.ReplaceAll(raw, `\'`, "'"), "\\\n", ""), true
	}
	return s.l.expand(raw, true), true
}

// closing returns the offset of the quotation mark that closes the one at open. A
// text may go over several lines, but one in which a line looks like a directive
// has lost its end.
func (s *scanner) closing(open int) (int, bool) {
	q, kind := s.text[open], s.quoteKind(open)
	i := open + 1
	if s.unclosed[kind].has(open) {
		return 0, false
	}
	defer func() { s.l.work += i - open }()
	for ; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == q:
			return i, true
		case c == '\\' && (q == '"' || s.at(i+1) == '\''):
			if s.at(i+1) != '\n' {
				i++
			}
		case c == '\n' && s.directiveLine(i+1):
			s.unclosed[kind] = stretch{open, i}
			return 0, false
		}
	}
	s.unclosed[kind] = stretch{open, len(s.text)}
	return 0, false
}

// shortQuoted returns the quoted text at off, which must end on its line.
func (p *parser) shortQuoted(off int) (end int, text string, bad bool) {
	odd := &p.odd[p.quoteKind(off)]
	if odd.has(off) {
		return odd.to, "", true
	}
	i := off + 1
	for ; i < len(p.text) && p.text[i] != '\n'; i++ {
		if p.text[i] == p.text[off] {
			p.l.work += i - off
			if text = p.text[off+1 : i]; p.text[off] == '"' {
				return i + 1, p.l.expand(text, true), false
			}
			return i + 1, strings.ReplaceAll(text, `\'`, "'"), false
		}
		if p.text[i] == '\\' {
			i++
		}
	}
	p.l.work += i - off
	*odd = stretch{off, min(i, len(p.text))}
	return odd.to, "", true
}

// A stretch is a part of the text in which a quotation mark was not closed: each further
// one of its kind has a backslash before it, so none of them is closed there either.
type stretch struct{ from, to int }

func (s stretch) has(off int) bool { return off >= s.from && off < s.to }

// quoteKind returns 0 for a double quotation mark at off and 1 for a single one.
func (s *scanner) quoteKind(off int) int {
	if s.text[off] == '\'' {
		return 1
	}
	return 0
}
