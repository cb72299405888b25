package ucl

import (
	"net/netip"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A scanner moves through the text of one source. Every step is counted in
// Loader.work, so that a test can show that the work grows with the text alone.
type scanner struct {
	l    *Loader
	src  *source
	text string
	off  int

	// A position that was asked for last: positions mostly go forward, and the
	// next is counted from here, since a line may be megabytes long.
	atLine, atOff, atCol int

	unclosed [2]stretch       // where closing found no end for a " or a '
	odd      [2]stretch       // where shortQuoted found none
	heredocs map[string][]int // offsets of lines that may end a heredoc; nil until the first
	nul      bool             // a NUL byte was reported
	hidden   int              // invisible characters so far
}

func newScanner(l *Loader, src *source) *scanner {
	s := &scanner{l: l, src: src, text: src.text, atCol: 1}
	s.text = strings.TrimPrefix(s.text, "\ufeff")
	if n := len(src.text) - len(s.text); n > 0 { // keep offsets those of the file
		s.text, s.off, s.atOff = src.text, n, n
	}
	return s
}

// pos returns the position of an offset.
func (s *scanner) pos(off int) Pos {
	line := s.atLine
	for line+1 < len(s.src.lines) && s.src.lines[line+1] <= off {
		line++
		s.l.work++
	}
	for s.src.lines[line] > off {
		line--
		s.l.work++
	}
	if line != s.atLine {
		s.atLine, s.atOff, s.atCol = line, s.src.lines[line], 1
	}
	if off >= s.atOff {
		s.atCol += utf8.RuneCountInString(s.text[s.atOff:off])
		s.l.work += off - s.atOff
	} else {
		s.atCol -= utf8.RuneCountInString(s.text[off:s.atOff])
		s.l.work += s.atOff - off
	}
	s.atOff = off
	return Pos{src: s.src, line: int32(line + 1), col: int32(s.atCol), off: int32(off)}
}

// fault reports a fault at an offset.
func (s *scanner) fault(off int, format string, args ...any) {
	if s.l.Diagnostics.full(Fault) {
		s.l.Diagnostics.count[Fault]++
		return
	}
	s.l.Diagnostics.Add(Fault, s.pos(off), format, args...)
}

// peek returns the byte at the present offset, 0 at the end.
func (s *scanner) peek() byte { return s.at(s.off) }

func (s *scanner) at(off int) byte {
	if off < len(s.text) {
		return s.text[off]
	}
	return 0
}

func (s *scanner) eof() bool { return s.off >= len(s.text) }

// blanks skips white space and comments, and tells whether it crossed a line.
func (s *scanner) blanks() (newline bool) {
	from := s.off
	defer func() { s.l.work += s.off - from + 1 }()
	for !s.eof() {
		switch c := s.text[s.off]; {
		case c == '\n':
			newline = true
			s.off++
		case c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f':
			s.off++
		case c == 0:
			if !s.nul {
				s.nul = true
				s.fault(s.off, "a NUL byte; expected text")
			}
			s.off++
		case c == '#':
			s.off = s.lineEnd(s.off)
		case c == '/' && s.at(s.off+1) == '*':
			newline = s.comment() || newline
		case invisible(s.text[s.off:]) > 0:
			s.unseen()
		default:
			return newline
		}
	}
	return newline
}

// unseen skips a character that nobody sees, and tells about the first one of a file.
func (s *scanner) unseen() {
	s.hidden++
	if r, _ := utf8.DecodeRuneInString(s.text[s.off:]); s.hidden == 1 {
		s.fault(s.off, "the invisible character %U; expected a blank or nothing", r)
	}
	s.off += invisible(s.text[s.off:])
}

// lineEnd returns the offset of the line break at or after off.
func (s *scanner) lineEnd(off int) int {
	if i := strings.IndexByte(s.text[off:], '\n'); i >= 0 {
		return off + i
	}
	return len(s.text)
}

// comment skips a comment, in which others may be nested.
func (s *scanner) comment() (newline bool) {
	open, depth := s.off, 0
	for s.off < len(s.text) {
		switch {
		case strings.HasPrefix(s.text[s.off:], "/*"):
			depth++
			s.off += 2
		case strings.HasPrefix(s.text[s.off:], "*/"):
			depth--
			s.off += 2
			if depth == 0 {
				return newline
			}
		default:
			newline = newline || s.text[s.off] == '\n'
			s.off++
		}
	}
	s.fault(open, "a comment that is not closed; expected */")
	return true
}

// spaces returns the offset of the first byte at or after off which is no space or
// tab.
func (s *scanner) spaces(off int) int {
	from := off
	for off < len(s.text) && (s.text[off] == ' ' || s.text[off] == '\t') {
		off++
	}
	s.l.work += off - from + 1
	return off
}

// white is spaces which also crosses lines.
func (s *scanner) white(off int) int {
	from := off
	for off < len(s.text) && strings.IndexByte(" \t\r\n\v\f", s.text[off]) >= 0 {
		off++
	}
	s.l.work += off - from + 1
	return off
}

// directiveLine tells whether the line at off looks like a directive, a section or
// an include.
func (s *scanner) directiveLine(off int) bool {
	const enough = 64 // blanks and letters that are looked at
	i := off
	for i < len(s.text) && i < off+enough && (s.text[i] == ' ' || s.text[i] == '\t') {
		i++
	}
	if strings.HasPrefix(s.text[i:], ".include") || strings.HasPrefix(s.text[i:], ".try_include") {
		return true
	}
	name := i
	for i < len(s.text) && i < name+enough && isNameByte(s.text[i]) {
		i++
	}
	if i == name {
		return false
	}
	for i < len(s.text) && i < name+2*enough && (s.text[i] == ' ' || s.text[i] == '\t') {
		i++
	}
	s.l.work += i - off
	return s.at(i) == '=' || s.at(i) == '{' || s.at(i) == '+' && s.at(i+1) == '='
}

// heredoc reads a text of the form <<EOD, lines, EOD. The first result is false
// when there is none here, the third after a fault.
func (s *scanner) heredoc() (is bool, text string, ok bool) {
	open, i := s.off, s.off+2
	if !strings.HasPrefix(s.text[open:], "<<") {
		return false, "", true
	}
	for i < len(s.text) && i < open+66 && isNameByte(s.text[i]) {
		i++
	}
	word, begin := s.text[open+2:i], s.spaces(i)
	if s.at(begin) == '\r' {
		begin++
	}
	if word == "" || !isLetter(word[0]) || begin < len(s.text) && s.text[begin] != '\n' {
		return s.badHeredoc(), "", false
	}
	s.l.work += begin - open
	if s.heredocs == nil {
		s.indexHeredocs()
	}
	ends := s.heredocs[word]
	n := sort.SearchInts(ends, begin+1)
	if begin >= len(s.text) || n == len(ends) {
		s.fault(open, "a text that is not closed; expected %s alone at the beginning of a line", word)
		s.off = begin
		s.skipText("")
		return true, "", false
	}
	end := ends[n]
	s.off = end + len(word)
	text = strings.ReplaceAll(s.text[begin+1:max(begin+1, end-1)], "\r\n", "\n")
	return true, s.l.expand(strings.TrimSuffix(text, "\r"), false), true
}

// badHeredoc tells about what is a heredoc in other languages, and skips it. It is
// false when there is none.
func (s *scanner) badHeredoc() bool {
	end := s.word(s.off)
	word := strings.Trim(s.text[s.off+2:end], "-~'\" \t")
	if after := s.white(end); after < len(s.text) && after <= s.lineEnd(end) || strings.IndexFunc(word, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) }) >= 0 || word == "" {
		return false
	}
	s.fault(s.off, "unexpected %s; expected <<EOD and the text from the next line on, or quotes around the value", quoteFor(s.text[s.off:end]))
	s.off = s.lineEnd(end)
	s.skipText(word)
	return true
}

// skipText moves from the end of a line to where a text that isn't closed probably
// should have ended: behind a line with the word alone, or before one that looks like
// a directive or the end of a section.
func (s *scanner) skipText(word string) {
	from := s.off
	for !s.eof() && !s.directiveLine(s.off+1) {
		end := s.lineEnd(s.off + 1)
		line := strings.Trim(s.text[s.off+1:end], " \t\r;,")
		if strings.HasPrefix(line, "}") {
			break
		}
		if s.off = end; word != "" && line == word {
			break
		}
	}
	s.l.work += s.off - from
}

// indexHeredocs notes every line that may end a heredoc, once for all of them.
func (s *scanner) indexHeredocs() {
	s.heredocs = map[string][]int{}
	s.l.work += len(s.text)
	for n, start := range s.src.lines {
		_, end := s.src.lineBounds(n + 1)
		i := start
		for i < end && i < start+64 && isNameByte(s.text[i]) {
			i++
		}
		if i > start && i < start+64 && ends(s.text[i:end]) {
			s.heredocs[s.text[start:i]] = append(s.heredocs[s.text[start:i]], start)
		}
	}
}

// ends tells whether a heredoc may end before the rest of a line: blanks, separators
// and, after them, a comment.
func ends(rest string) bool {
	after := strings.TrimLeft(rest, " \t\r;,")
	return after == "" || len(after) < len(rest) && after[0] == '#'
}

// word returns the end of the bare word at off: up to white space or a delimiter.
// A pair of square brackets within it belongs to it, as in inet6:9900@[::1], and one
// of braces without blanks, as in a{1,3}.
func (s *scanner) word(off int) int { return s.wordWithin(off, len(s.text)) }

// wordWithin is word for a word of which nothing from limit on is looked for.
func (s *scanner) wordWithin(off, limit int) int {
	from, depth := off, 0
	defer func() { s.l.work += off - from + 1 }()
	for ; off < limit; off++ {
		switch s.text[off] {
		case ' ', '\t', '\r', '\n', '\v', '\f', 0, ';', ',', '#', '}':
			return off
		case '{':
			if end := s.braces(off); off > from && end > 0 {
				off = end
			} else if off == from || s.text[off-1] != '$' {
				return off
			}
		case '[':
			depth++
		case ']':
			if depth == 0 {
				return off
			}
			depth--
		default:
			if invisible(s.text[off:]) > 0 {
				return off
			}
		}
	}
	return off
}

// braces returns the offset of the brace which closes the one of "${NAME" or of a
// repetition "x{1,3", 0 when it is not closed at once.
func (s *scanner) braces(off int) int {
	for i := off + 1; i < len(s.text) && i < off+64; i++ {
		if c := s.text[i]; c == '}' && i > off+1 {
			return i
		} else if !isNameByte(c) && c != ',' {
			break
		}
	}
	return 0
}

// bracketedAddress tells whether an IPv6 address or network in brackets is at off, or
// what is meant as one.
func (s *scanner) bracketedAddress(off int) bool {
	if c := s.at(off + 1); c != ':' && !isNameByte(c) {
		return false
	}
	inside, _, ok := strings.Cut(s.text[off+1:min(len(s.text), off+64)], "]")
	s.l.work += len(inside)
	addr, _, _ := strings.Cut(inside, "/")
	a, err := netip.ParseAddr(addr)
	broken := strings.Count(inside, ":") > 1 && strings.Trim(inside, "0123456789abcdefABCDEF:./") == ""
	return ok && (err == nil && a.Is6() || broken)
}

// name returns the end of a directive's name at off.
func (s *scanner) name(off int) int {
	from := off
	for off < len(s.text) && strings.IndexByte(" \t\r\n\v\f\x00=:{}[];,#\"'", s.text[off]) < 0 &&
		!strings.HasPrefix(s.text[off:], "+=") && !strings.HasPrefix(s.text[off:], "/*") && invisible(s.text[off:]) == 0 {
		off++
	}
	s.l.work += off - from + 1
	return off
}

// startsDirective tells whether a directive begins at the present offset, where a
// further word or item might stand as well: `name =`, `name +=`, `name {`,
// `name "key" {`, and after a comma also `name key {` and `name: ` (in JSON style,
// where the present directive has a colon, without the blank).
func (s *scanner) startsDirective(comma, colon bool) bool {
	i := s.off
	if rest := s.text[i:]; comma && (strings.HasPrefix(rest, ".include") || strings.HasPrefix(rest, ".try_include")) {
		return true
	}
	if c := s.peek(); c == '"' || c == '\'' {
		end, ok := s.closing(i)
		if !ok || end-i >= 256 {
			return false
		}
		return s.at(s.white(end+1)) == ':' || s.signOrBrace(end+1, comma)
	}
	for i < len(s.text) && i < s.off+64 && isNameByte(s.text[i]) {
		i++
	}
	s.l.work += i - s.off
	if i == s.off || !isLetter(s.text[s.off]) {
		return false
	}
	if end := s.spaces(i); comma && s.at(end) == ':' {
		return colon || strings.IndexByte(" \t\r\n", s.at(end+1)) >= 0
	}
	return s.signOrBrace(i, comma)
}

// signOrBrace tells whether a sign comes next after a name, or a brace. Keys may be
// before the brace, also bare words where bare is true.
func (s *scanner) signOrBrace(i int, bare bool) bool {
	if next := s.white(i); s.at(next) == '=' || strings.HasPrefix(s.text[next:], "+=") {
		return true
	}
	i = s.spaces(i)
	for range 4 {
		from, q := i, s.at(i)
		switch {
		case q == '"' || q == '\'':
			end := strings.IndexByte(s.text[i+1:min(len(s.text), i+256)], q)
			s.l.work += end + 1
			if end < 0 || strings.IndexByte(s.text[i:i+1+end], '\n') >= 0 {
				return false
			}
			i += end + 2
		case bare:
			for i < len(s.text) && i < from+64 && isNameByte(s.text[i]) {
				i++
			}
			s.l.work += i - from
		}
		if i == from {
			break
		}
		i = s.spaces(i)
	}
	return s.at(s.white(i)) == '{'
}
