package replies

import (
	"bytes"
	"time"

	"rmilter/internal/mail"
)

// Bounds of what is looked at in a bounce.
const (
	maxReturned = 4        // messages that it returns, and ids that it names besides
	maxParts    = 100      // parts
	maxPart     = 64 << 10 // bytes of a part that is read as a header
)

// A returned message is one that a bounce has in it, whole or its header alone.
type returned struct {
	id   string
	sent time.Time // its Date; zero when there is none that can be relied on
}

// returns are what a bounce says about the message that it is about.
type returns struct {
	messages []returned
	named    []string // ids in the fields of reports
}

// returnsOf looks through the parts of a bounce (RFC 3464, RFC 8098, RFC 6522). What is
// inside of returned messages is theirs. Old MTAs write the message below their text.
func returnsOf(m *mail.Message) returns {
	var r returns
	parts := m.Parts()
	for _, p := range parts[:min(len(parts), maxParts)] {
		if isReturned(p.Parent()) {
			continue
		}
		switch p.Type() {
		case "message/rfc822", "message/global", "message/news":
			if c := p.Children(); len(c) > 0 {
				r.message(c[0].Header())
			}
		case "text/rfc822-headers", "message/rfc822-headers", "message/global-headers":
			r.message(parsePart(p.Decoded()).Header())
		case "message/delivery-status", "message/global-delivery-status",
			"message/disposition-notification", "message/global-disposition-notification":
			r.report(p.Decoded())
		}
	}
	if len(r.messages) == 0 && len(r.named) == 0 {
		for _, p := range parts[:min(len(parts), maxParts)] {
			if p.Type() == "text/plain" {
				r.text(p.Decoded())
				break
			}
		}
	}
	return r
}

// isReturned tells whether a part is an embedded message or in one.
func isReturned(p *mail.Part) bool {
	for ; p != nil; p = p.Parent() {
		if p.IsMessage() {
			return true
		}
	}
	return false
}

// parsePart reads the beginning of a text as a message.
func parsePart(text []byte) *mail.Message {
	return mail.Parse(text[:min(len(text), maxPart)], mail.Limits{Fields: 1000, Parts: 1})
}

// message notes a message that is returned.
func (r *returns) message(h mail.Header) {
	id := ownID(h)
	if id == "" || len(r.messages) >= maxReturned {
		return
	}
	one := returned{id: id}
	if h.Count("Date") == 1 {
		if t, err := mail.ParseDate(h.Get("Date")); err == nil {
			one.sent = t
		}
	}
	r.messages = append(r.messages, one)
}

// report notes the ids in the fields of a report, which may have several paragraphs.
func (r *returns) report(text []byte) {
	for n := 0; n < 10 && len(text) > 0; n++ {
		m := parsePart(text)
		for _, f := range m.Header() {
			if !f.Is("Original-Message-ID") && !f.Is("X-Original-Message-ID") {
				continue
			}
			eachID(plainText(f.Value(), maxInReplyTo, false), func(id string) {
				if len(r.named) < maxReturned {
					r.named = append(r.named, id)
				}
			})
		}
		text = bytes.TrimLeft(m.Body(), "\r\n")
	}
}

// text looks for a header in a text: a paragraph with a Message-ID in it.
func (r *returns) text(text []byte) {
	text = bytes.ReplaceAll(text[:min(len(text), maxPart)], []byte("\r\n"), []byte("\n"))
	for paragraph := range bytes.SplitSeq(text, []byte("\n\n")) {
		if len(r.messages) >= maxReturned {
			return
		}
		r.message(parsePart(bytes.TrimLeft(paragraph, "\n")).Header())
	}
}
