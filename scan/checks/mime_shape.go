package checks

import (
	"cmp"
	"strconv"
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	mimeHTMLOnly       = symbol("MIME_HTML_ONLY", 0.2, "headers", "The message has text in HTML alone.")
	missingText        = symbol("MIME_MA_MISSING_TEXT", 2, "headers", "There is a multipart/alternative, but no plain text.")
	missingHTML        = symbol("MIME_MA_MISSING_HTML", 1, "headers", "There is a multipart/alternative, but nothing besides plain text.")
	mixedBogus         = symbol("CTYPE_MIXED_BOGUS", 1, "mime", "The message is a multipart/mixed with nothing but one text in it.")
	missingDisposition = symbol("CTYPE_MISSING_DISPOSITION", 4, "mime", "A part of type application/octet-stream has no Content-Disposition: many programs don't show it as a file.")
)

// MIMEShape looks at how the message is put together. Messages in the message count
// for nothing.
var MIMEShape = &scan.Spec[struct{}, struct{}]{
	Name:    "mime_shape",
	Doc:     "How the message is put together of its parts.",
	Symbols: []*scan.Symbol{mimeHTMLOnly, missingText, missingHTML, mixedBogus, missingDisposition},
	New:     plain(runMIMEShape),
}

// headSize is what there is at least of a message over max_size; what comes behind it
// may be missing.
const headSize = 256 << 10

// A shape is what the parts of a message are.
type shape struct {
	plain, html, calendar int  // texts that are shown
	other                 int  // other parts but multiparts
	alternative           bool // there is a multipart/alternative
	rich                  bool // it has more than plain text
}

func runMIMEShape(p *scan.Pass) {
	parts := p.Message.Parts()
	var s shape
	var binary *mail.Part
	for _, part := range parts {
		if embedded(part) {
			continue
		}
		s.add(part)
		if binary == nil && undeclaredBinary(part) {
			binary = part
		}
	}
	if binary != nil {
		p.Report(missingDisposition, shown(cmp.Or(binary.Filename(), "no name")))
	}
	if s.html > 0 && s.plain+s.calendar == 0 {
		p.Report(mimeHTMLOnly)
	}
	root := parts[0]
	if len(p.Message.Raw()) >= headSize {
		return // what seems to be missing may be what was cut off
	}
	if s.alternative {
		if s.plain+s.calendar == 0 {
			p.Report(missingText)
		}
		if !s.rich {
			p.Report(missingHTML)
		}
	}
	// Two texts one below the other are what multipart/mixed is for: lists add a footer.
	if root.Type() == "multipart/mixed" && s.other+s.calendar == 0 && s.plain+s.html > 0 && len(root.Children()) == 1 {
		p.Report(mixedBogus, strconv.Itoa(len(parts)))
	}
}

// add takes a part.
func (s *shape) add(part *mail.Part) {
	switch {
	case part.Type() == "multipart/alternative":
		s.alternative = true
		return
	case part.IsMultipart(), lost(part):
		return
	case part.IsAttachment():
		s.other++
	case part.Type() == "text/plain":
		s.plain++
		return
	case part.Type() == "text/html":
		s.html++
	case part.Type() == "text/calendar":
		s.calendar++
	default:
		s.other++
	}
	for up := part.Parent(); up != nil; up = up.Parent() {
		if up.Type() == "multipart/alternative" {
			s.rich = true
		}
	}
}

// lost tells whether a part is what a multipart has in place of parts, as its boundary
// never comes. Nobody sees it.
func lost(p *mail.Part) bool {
	up := p.Parent()
	return up != nil && up.IsMultipart() && len(p.Raw()) == len(up.Raw())
}

// embedded tells whether a part is in a message that is in the message.
func embedded(p *mail.Part) bool {
	for up := p.Parent(); up != nil; up = up.Parent() {
		if up.IsMessage() {
			return true
		}
	}
	return false
}

// undeclaredBinary tells whether a part is a file that doesn't say so. Signatures and
// encrypted content have names and places of their own, pictures and the like an id.
func undeclaredBinary(p *mail.Part) bool {
	if p.Type() != "application/octet-stream" || p.ContentType() == "" || p.Disposition() != "" || p.ContentID() != "" {
		return false
	}
	if up := p.Parent(); up != nil {
		switch up.Type() {
		case "multipart/encrypted", "multipart/signed", "multipart/appledouble":
			return false
		}
	}
	return !strings.HasSuffix(strings.ToLower(p.Filename()), ".asc")
}
