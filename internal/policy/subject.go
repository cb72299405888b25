package policy

import (
	"mime"
	"slices"
	"strings"
	"unicode/utf8"

	"rmilter/internal/mail"
)

// maxLine bounds the lines of a rewritten subject in bytes, with the field's name in
// the first: RFC 5322, section 2.1.1 allows 998.
const maxLine = 990

// subjectEdits returns the changes that mark the subject: of every Subject field,
// since programs differ about which of several they show, and a new one if there is
// none. Fields that bear the mark already are left.
func subjectEdits(h mail.Header, template string, score float64) []Edit {
	t := parseTemplate(template, score)
	var edits []Edit
	n := 0
	for _, f := range h {
		if !f.Is("Subject") {
			continue
		}
		if n++; n > maxForeign {
			break
		}
		// To a milter an empty value means to delete the field.
		if value := t.render(f.Raw); value != "" && !t.marked(f.Text()) {
			edits = append(edits, Edit{Kind: ChangeHeader, Index: n, Name: "Subject", Value: value})
		}
	}
	if value := t.render(""); n == 0 && value != "" {
		edits = append(edits, Edit{Kind: AddHeader, Name: "Subject", Value: value})
	}
	return edits
}

// A template is the text around the old subject: one more text than there are places
// for it.
type template struct {
	texts []string
	mark  string // text without score by which a marked subject is known; "" when there is none
	last  bool   // the mark is at the end
}

// parseTemplate replaces %d and %% and cuts at %s. Another character after a percent
// sign means nothing special.
func parseTemplate(s string, score float64) template {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	var t template
	var text, run strings.Builder // run is the part of text since the last score
	var fixed []string            // the texts between old subjects and scores
	for i := 0; i < len(s); i++ {
		verb := byte(0)
		if s[i] == '%' && i+1 < len(s) {
			verb = s[i+1]
		}
		switch verb {
		case 's':
			t.texts = append(t.texts, text.String())
			text.Reset()
		case 'd':
			text.WriteString(points(score))
		case '%':
			text.WriteByte('%')
			run.WriteByte('%')
			i++
			continue
		default:
			text.WriteByte(s[i])
			run.WriteByte(s[i])
			continue
		}
		fixed = append(fixed, run.String())
		run.Reset()
		i++
	}
	t.texts = append(t.texts, text.String())
	t.setMark(append(fixed, run.String()))
	return t
}

// setMark chooses what a marked subject is known by.
func (t *template) setMark(fixed []string) {
	first, last := strings.TrimSpace(fixed[0]), strings.TrimSpace(fixed[len(fixed)-1])
	switch {
	case telling(first):
		t.mark = first
	case telling(last):
		t.mark, t.last = last, true
	}
}

// telling tells whether a text is more than the bracket that lists put before their
// subjects, too.
func telling(s string) bool {
	n := 0
	for _, r := range s {
		if n++; n >= 3 || r >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// marked tells whether a decoded subject bears the mark.
func (t *template) marked(subject string) bool {
	subject = strings.TrimSpace(subject)
	switch {
	case t.mark == "":
		return false
	case t.last:
		return strings.HasSuffix(subject, t.mark)
	}
	return strings.HasPrefix(subject, t.mark)
}

// A chunk is a piece of the new subject: one of ours or the old subject.
type chunk struct {
	gap     string // white space before it
	text    string
	ours    bool
	encoded bool // ours: to be encoded
}

// begins and ends tell whether a reader takes the first or last word of the chunk for
// an encoded word.
func (c chunk) begins() bool { return c.encoded || !c.ours && strings.HasPrefix(c.text, "=?") }
func (c chunk) ends() bool   { return c.encoded || !c.ours && strings.HasSuffix(c.text, "?=") }

// render returns the new value for an old one.
func (t *template) render(raw string) string {
	chunks := t.chunks(tidy(raw))
	var b strings.Builder
	for i, c := range chunks {
		gap := c.gap
		if i > 0 {
			before, encoded := &chunks[i-1], c.begins()
			switch {
			case before.ends() && encoded:
				// RFC 2047, section 6.2: readers drop the white space between two
				// encoded words.
				gap = "\n "
			case before.ends() || encoded:
				// RFC 2047, section 5: an encoded word stands apart from text.
				if gap == "" {
					gap = " "
				}
			}
		}
		b.WriteString(gap)
		if c.encoded {
			b.WriteString(encode(c.text))
		} else {
			b.WriteString(c.text)
		}
	}
	return foldLong(b.String(), maxLine-len("Subject: "))
}

// chunks puts the template's texts and the old subject in a row, without white space
// at either end. White space between two encoded words goes into the one of ours.
func (t *template) chunks(old string) []chunk {
	if old == "" {
		text := strings.TrimSpace(strings.Join(t.texts, ""))
		return []chunk{{text: text, ours: true, encoded: !ascii(text)}}
	}
	var all []chunk
	gap := ""
	for i, text := range t.texts {
		if i > 0 {
			all = append(all, chunk{gap: gap, text: old})
			gap = ""
		}
		inner := strings.TrimSpace(text)
		if inner == "" {
			gap += text
			continue
		}
		begin := strings.Index(text, inner)
		all = append(all, chunk{gap: gap + text[:begin], text: inner, ours: true, encoded: !ascii(inner)})
		gap = text[begin+len(inner):]
	}
	if len(all) == 0 {
		return nil
	}
	all[0].gap = ""
	for i := 1; i < len(all); i++ {
		left, right := &all[i-1], &all[i]
		if !left.ends() || !right.begins() {
			continue
		}
		if right.ours {
			right.text = right.gap + right.text
		} else if left.ours {
			left.text += right.gap
		}
	}
	return all
}

// tidy returns the old value with folds as "\n" and white space, without white space
// around it, and with nothing in it that could end the field.
func tidy(raw string) string {
	raw = strings.Trim(raw, " \t\r\n\x00")
	if !strings.ContainsAny(raw, "\r\n\x00") {
		return raw
	}
	b := make([]byte, 0, len(raw)+8)
	for i := range len(raw) {
		switch c := raw[i]; c {
		case '\r':
			if raw[i+1] != '\n' { // the last byte is none of these
				b = append(b, ' ')
			}
		case '\n':
			b = append(b, '\n')
			if raw[i+1] != ' ' && raw[i+1] != '\t' {
				b = append(b, ' ')
			}
		case 0:
			b = append(b, ' ')
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// encode returns text as encoded words of at most 75 bytes, each on its own line but
// the first.
func encode(text string) string {
	q := mime.QEncoding.Encode("utf-8", text)
	if b := mime.BEncoding.Encode("utf-8", text); len(b) < len(q) {
		q = b
	}
	return strings.ReplaceAll(q, "?= =?", "?=\n =?")
}

// foldLong folds the lines that are longer than n bytes.
func foldLong(s string, n int) string {
	lines := strings.Split(s, "\n")
	if !slices.ContainsFunc(lines, func(l string) bool { return len(l) > n }) {
		return s
	}
	var out []string
	for _, line := range lines {
		if len(line) <= n {
			out = append(out, line)
			continue
		}
		out = append(out, foldLine(line, n)...)
	}
	return strings.Join(out, "\n")
}

// foldLine folds one line between its words, which are then one space apart. A line
// of white space alone vanishes: it would look like the end of the header to careless
// programs.
func foldLine(line string, n int) (out []string) {
	now := ""
	if line[0] == ' ' || line[0] == '\t' {
		now = line[:1]
	}
	empty := true
	for _, word := range words(line, n-1) {
		if !empty && len(now)+1+len(word) > n {
			out, now, empty = append(out, now), " ", true
		}
		if !empty {
			now += " "
		}
		now, empty = now+word, false
	}
	if !empty {
		out = append(out, now)
	}
	return out
}

// words returns the words of a line, none longer than n bytes. An overlong encoded
// word is encoded anew; other overlong words are cut between characters, where readers
// will then see a space.
func words(line string, n int) (all []string) {
	for _, w := range strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' }) {
		if len(w) > n && strings.HasPrefix(w, "=?") && strings.HasSuffix(w, "?=") {
			if text := mail.DecodeText(w); !ascii(text) {
				all = append(all, strings.Split(encode(text), "\n ")...)
				continue
			}
		}
		for len(w) > n {
			end := n
			for end > n-utf8.UTFMax && !utf8.RuneStart(w[end]) {
				end--
			}
			all, w = append(all, w[:end]), w[end:]
		}
		all = append(all, w)
	}
	return all
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
