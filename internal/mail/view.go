package mail

import (
	"strings"
	"time"
)

// Subject returns the subject decoded, "" when there is none.
func (m *Message) Subject() string {
	m.titled.Do(func() { m.subject = m.header.Text("Subject") })
	return m.subject
}

// Date returns the time in the first Date field. present tells whether there is one.
// err says what is wrong with it; t may be known nevertheless, and is zero otherwise.
func (m *Message) Date() (t time.Time, present bool, err error) {
	f, ok := m.header.Field("Date")
	if !ok {
		return time.Time{}, false, nil
	}
	t, err = ParseDate(f.Value())
	return t, true, err
}

// MessageID returns the first Message-ID without its angle brackets; ok tells whether
// it is one well-formed msg-id (RFC 5322, section 3.6.4). Of one that isn't, id is
// what stands there.
func (m *Message) MessageID() (id string, ok bool) {
	f, present := m.header.Field("Message-ID")
	if !present {
		return "", false
	}
	return ParseMessageID(f.Value())
}

// ParseMessageID reads the value of a Message-ID field, as Message.MessageID has it.
func ParseMessageID(value string) (id string, ok bool) {
	s := strings.Trim(value, " \t")
	for strings.HasPrefix(s, "(") {
		s = strings.TrimLeft(skipComment(s), " \t")
	}
	if !strings.HasPrefix(s, "<") {
		return strings.Trim(value, " \t<>"), false
	}
	end := strings.IndexByte(s, '>')
	if end < 0 {
		return s[1:], false
	}
	id = s[1:end]
	rest := strings.TrimLeft(s[end+1:], " \t")
	for strings.HasPrefix(rest, "(") {
		rest = strings.TrimLeft(skipComment(rest), " \t")
	}
	left, right, at := strings.Cut(id, "@")
	return id, rest == "" && at && isIDPart(left) && isIDPart(right)
}

// isIDPart tells whether s can be one side of a msg-id. What is in use is taken:
// anything without white space, controls and the characters that end it.
func isIDPart(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f || strings.IndexByte(`<>@()`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// VisibleText returns the text that a reader sees: of all text parts in order that
// aren't attachments, one below the other, at most Limits.TextBytes. Of the parts of a
// multipart/alternative only the one that mail programs show is taken: the last that
// has text or pictures.
func (m *Message) VisibleText() string {
	m.visible.Do(func() {
		var all []string
		size := 0
		m.Parts()[0].gather(func(s string) {
			if s = strings.Trim(s, " \t\r\n"); s != "" && size < m.limits.TextBytes {
				s = cut(s, m.limits.TextBytes-size)
				all = append(all, s)
				size += len(s)
			}
		})
		m.text = strings.Join(all, "\n")
	})
	return m.text
}

// gather gives the texts of the part that a reader sees.
func (p *Part) gather(take func(string)) {
	switch {
	case p.typ == "multipart/alternative" && len(p.children) > 0:
		p.shownAlternative().gather(take)
		return
	case p.IsText() && (p.parent == nil || !p.IsAttachment()):
		take(p.Visible())
	}
	for _, c := range p.children {
		c.gather(take)
	}
}

// shownAlternative returns the last part that shows anything, the last if none does.
func (p *Part) shownAlternative() *Part {
	for i := len(p.children) - 1; i >= 0; i-- {
		if p.children[i].shows() {
			return p.children[i]
		}
	}
	return p.children[len(p.children)-1]
}

// shows tells whether the part has text or pictures to show.
func (p *Part) shows() bool {
	if p.IsText() {
		if p.typ != "text/plain" && !p.isHTML() && p.typ != "text/enriched" && p.typ != "text/richtext" {
			return false // text/calendar, text/x-amp-html
		}
		doc := p.HTML()
		return strings.Trim(p.Visible(), " \t\r\n") != "" || doc != nil && len(doc.Images) > 0
	}
	for _, c := range p.children {
		if c.shows() {
			return true
		}
	}
	return false
}

// Attachments returns the parts that are attachments, in order.
func (m *Message) Attachments() []*Part {
	var all []*Part
	for _, p := range m.Parts() {
		if p.IsAttachment() {
			all = append(all, p)
		}
	}
	return all
}
