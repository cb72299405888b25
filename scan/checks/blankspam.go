package checks

import (
	"bytes"
	"strconv"

	"rmilter/scan"
)

var (
	completelyEmpty  = symbol("COMPLETELY_EMPTY", 15, "blankspam", "The message has neither a header nor a body.")
	missingEssential = symbol("MISSING_ESSENTIAL_HEADERS", 7, "blankspam", "The message has none of the fields that messages have: no From, To, Subject, Date and so on.")
	singleShortPart  = symbol("SINGLE_SHORT_PART", 0, "blankspam", "The message is one text of less than 64 bytes.")
	shortBadHeaders  = symbol("SHORT_PART_BAD_HEADERS", 7, "blankspam", "The message is one short text, and has none of the fields that messages have.")
)

// BlankSpam looks for messages in which hardly anything stands: they find out whether
// an address exists. It says nothing about the mail of our own users, which sendmail
// completes.
var BlankSpam = &scan.Spec[struct{}, struct{}]{
	Name:    "blankspam",
	Doc:     "Messages in which hardly anything stands.",
	Symbols: []*scan.Symbol{completelyEmpty, missingEssential, singleShortPart, shortBadHeaders},
	New:     plain(runBlankSpam),
}

const shortPart = 64 // bytes from which on a text isn't short

func runBlankSpam(p *scan.Pass) {
	m := p.Message
	if p.Envelope.Trust.Ours() {
		return
	}
	if len(bytes.TrimSpace(m.Raw())) == 0 {
		p.Report(completelyEmpty)
		return
	}
	parts := m.Parts()
	short := false
	if part := parts[0]; len(parts) == 1 && part.IsText() {
		text := bytes.TrimSpace(part.Decoded())
		if n := len(text) - bytes.Count(text[:min(len(text), 2*shortPart)], []byte{'\r'}); n < shortPart {
			short = true
			p.Report(singleShortPart, strconv.Itoa(n))
		}
	}
	if m.HeaderCut() {
		return
	}
	for _, f := range m.Header() {
		for i := range uniqueFields {
			if f.Is(uniqueFields[i].name) {
				return
			}
		}
	}
	p.Report(missingEssential)
	if short {
		p.Report(shortBadHeaders)
	}
}
