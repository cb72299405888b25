package authres

import "strings"

// Bounds of what is read of a field.
const (
	maxValue   = 64 << 10 // bytes
	maxResults = 100
	maxProps   = 32
	maxWord    = 1024 // bytes of one word
	maxDepth   = 16   // comments within comments
)

// Parse reads the value of a field, folded or not. It takes what RFC 8601, section 2.2,
// allows and what is found in the wild: no authserv-id, no types of properties, values
// with characters that want quotes, comments with any bytes. It never fails; see Broken.
func Parse(value string) Header {
	var h Header
	if len(value) > maxValue {
		value, h.Broken = value[:maxValue], true
	}
	segments, whole := cut(value)
	h.Broken = h.Broken || !whole
	if len(segments) > 0 && !isResult(segments[0]) {
		h.identify(segments[0])
		segments = segments[1:]
	}
	for _, s := range segments {
		switch {
		case len(s.words) == 0 && s.comment == "":
		case len(s.words) == 1 && strings.EqualFold(s.words[0].text, "none") && !s.words[0].equals:
		case len(h.Results) == maxResults:
			h.Broken = true
			return h
		default:
			r, ok := result(s)
			if !ok {
				h.Broken = true
				continue
			}
			h.Broken = h.Broken || len(s.words)-1 > maxProps
			h.Results = append(h.Results, r)
		}
	}
	return h
}

// A segment is what stands between semicolons.
type segment struct {
	words   []word
	comment string // the first
}

// A word is NAME=VALUE, or one without "=".
type word struct {
	text   string // in front of "="
	value  string // behind it
	equals bool
}

// identify reads the authserv-id and its version.
func (h *Header) identify(s segment) {
	for i, w := range s.words {
		text := w.text
		if w.equals {
			text += "=" + w.value
		}
		switch i {
		case 0:
			h.ID = text
		case 1:
			h.Version = text
			h.Broken = h.Broken || strings.Trim(text, "0123456789") != ""
		default:
			h.Broken = true
		}
	}
}

// isResult tells whether the first segment is a result already: METHOD=VALUE.
func isResult(s segment) bool {
	return len(s.words) > 0 && s.words[0].equals && s.words[0].text != "" && !strings.ContainsAny(s.words[0].text, ".@")
}

// result makes a result of a segment, and tells whether it is one.
func result(s segment) (Result, bool) {
	if len(s.words) == 0 || !s.words[0].equals {
		return Result{}, false
	}
	// The version of a method, "dkim/1", says nothing so far.
	method, _, _ := strings.Cut(s.words[0].text, "/")
	if method == "" {
		return Result{}, false
	}
	r := Result{Method: strings.ToLower(method), Value: strings.ToLower(s.words[0].value), Comment: s.comment}
	for _, w := range s.words[1:] {
		typ, name, typed := strings.Cut(strings.ToLower(w.text), ".")
		if !typed {
			typ, name = "", typ
		}
		switch {
		case !w.equals || name == "":
			// Words that belong to nothing are dropped.
		case !typed && name == "reason":
			r.Reason = w.value
		case len(r.Props) < maxProps:
			r.Props = append(r.Props, Prop{typ, name, w.value})
		}
	}
	return r, true
}

// A reader goes through a value once.
type reader struct {
	s     string
	i     int
	whole bool // no comment or quoted string without end so far
	keep  int  // bytes of a word or a comment that are returned
}

// cut reads all segments, and tells whether every comment and quoted string has its end.
func cut(s string) ([]segment, bool) {
	r := &reader{s: s, whole: true, keep: maxWord}
	var list []segment
	for {
		seg := r.segment()
		if len(list) <= maxResults+1 {
			list = append(list, seg)
		}
		if r.i >= len(s) {
			return list, r.whole
		}
		r.i++ // the semicolon
	}
}

// segment reads up to a semicolon or the end.
func (r *reader) segment() segment {
	var s segment
	for {
		comment := r.space()
		if s.comment == "" {
			s.comment = comment
		}
		if r.i >= len(r.s) || r.s[r.i] == ';' {
			return s
		}
		w := word{text: r.word(true)}
		end := r.i
		r.space()
		if r.i < len(r.s) && r.s[r.i] == '=' {
			r.i++
			w.equals = true
			r.space()
			w.value = r.word(false)
		} else {
			r.i = end // the comment is read again
		}
		if len(s.words) <= maxProps+1 {
			s.words = append(s.words, w)
		}
	}
}

// space skips white space and comments, and returns the first comment.
func (r *reader) space() string {
	first := ""
	for r.i < len(r.s) {
		switch r.s[r.i] {
		case ' ', '\t', '\r', '\n':
			r.i++
		case '(':
			if c := r.comment(); first == "" {
				first = c
			}
		default:
			return first
		}
	}
	return first
}

// comment reads a comment, which may hold others, and returns what is in it.
func (r *reader) comment() string {
	var b strings.Builder
	depth := 0
	for ; r.i < len(r.s); r.i++ {
		c := r.s[r.i]
		switch {
		case c == '\\' && r.i+1 < len(r.s):
			r.i++
			c = r.s[r.i]
		case c == '(':
			if depth++; depth > maxDepth {
				r.whole = false
			}
			if depth == 1 {
				continue
			}
		case c == ')':
			if depth--; depth == 0 {
				r.i++
				return strings.TrimSpace(b.String())
			}
		case c == '\r' || c == '\n' || c == '\t':
			c = ' '
		}
		if b.Len() < r.keep {
			b.WriteByte(c)
		}
	}
	r.whole = false
	return strings.TrimSpace(b.String())
}

// word reads a word, of which parts may be quoted. A name ends at "=", too. It always
// goes on by a byte at least, unless at a semicolon or a white space.
func (r *reader) word(name bool) string {
	var b strings.Builder
	for r.i < len(r.s) {
		c := r.s[r.i]
		switch {
		case c == ';' || c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '(' || name && c == '=':
			return b.String()
		case c == '"':
			r.quoted(&b)
			continue
		}
		if b.Len() < r.keep {
			b.WriteByte(c)
		}
		r.i++
	}
	return b.String()
}

// quoted reads a quoted string.
func (r *reader) quoted(b *strings.Builder) {
	for r.i++; r.i < len(r.s); r.i++ {
		c := r.s[r.i]
		switch {
		case c == '\\' && r.i+1 < len(r.s):
			r.i++
			c = r.s[r.i]
		case c == '"':
			r.i++
			return
		case c == '\r' || c == '\n':
			continue
		}
		if b.Len() < r.keep {
			b.WriteByte(c)
		}
	}
	r.whole = false
}
