package ucl

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Pos is a place in a file. The zero Pos is no place at all. Pos values are
// comparable.
type Pos struct {
	src  *source
	line int32 // from 1
	col  int32 // in characters, from 1
	off  int32 // in bytes, from the beginning of the file
}

// File returns the name of the file, "" for the zero Pos.
func (p Pos) File() string {
	if p.src == nil {
		return ""
	}
	return p.src.name
}

// Line returns the number of the line, the first is 1; 0 for the zero Pos.
func (p Pos) Line() int { return int(p.line) }

// Col returns the number of the character in its line, the first is 1; 0 for the
// zero Pos.
func (p Pos) Col() int { return int(p.col) }

// IsValid tells whether p is a place in a file.
func (p Pos) IsValid() bool { return p.src != nil }

// after returns the place behind a text that begins at p.
func (p Pos) after(text string) Pos {
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		p.line += int32(strings.Count(text, "\n"))
		p.col = 1 + int32(utf8.RuneCountInString(text[i+1:]))
	} else {
		p.col += int32(utf8.RuneCountInString(text))
	}
	p.off += int32(len(text))
	return p
}

// String returns FILE:LINE:COL, or "" for the zero Pos.
func (p Pos) String() string {
	if p.src == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", p.src.name, p.line, p.col)
}

// A source is one text that was read.
type source struct {
	name  string
	text  string
	order int         // files are numbered as they are read
	mode  fs.FileMode // permission bits; 0 for what stands in no file
	lines []int       // offset of each line's beginning

	secrets [][2]int // where values begin and end that seem to be passwords, in order
}

// indexLines finds the beginnings of the lines.
func (s *source) indexLines() {
	s.lines = []int{0}
	for i := 0; ; {
		j := strings.IndexByte(s.text[i:], '\n')
		if j < 0 {
			return
		}
		i += j + 1
		s.lines = append(s.lines, i)
	}
}

// lineBounds returns the offset of the beginning of a line, and of its end without
// the line break.
func (s *source) lineBounds(line int) (start, end int) {
	start, end = s.lines[line-1], len(s.text)
	if line < len(s.lines) {
		end = s.lines[line] - 1
	}
	if end > start && s.text[end-1] == '\r' {
		end--
	}
	return start, end
}

const (
	maxLine   = 160  // bytes of a line which are shown with a fault
	redactLen = 2000 // bytes before those in which a word for a password is looked for
)

// show returns the line of p for people: cut around p, without secrets, with
// control characters as spaces or "?". It takes bounded time for lines of any length.
func (s *source) show(p Pos) string {
	start, end := s.lineBounds(int(p.line))
	from, to := start, end
	if at := int(p.off); at-start > maxLine*3/4 {
		from = at - maxLine/2
	}
	from = min(from, end)
	to = min(to, from+maxLine)
	for from > start && from < to && !utf8.RuneStart(s.text[from]) {
		from++
	}
	for to > from && to < end && !utf8.RuneStart(s.text[to]) {
		to--
	}
	text := s.text[from:to]
	if cut := s.secret(max(start, from-redactLen), to); cut >= 0 {
		text = text[:max(0, cut-from)] + " ********"
		to = end
	}
	if from == 0 {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	text = visible(text)
	if from > start {
		text = "…" + text
	}
	if to < end {
		text += "…"
	}
	return strings.TrimSpace(text)
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// visible replaces what a terminal or a log would not show as it is.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
			return '?'
		}
		return r
	}, text)
}
