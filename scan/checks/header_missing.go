package checks

import "rmilter/scan"

var (
	missingFrom    = symbol("MISSING_FROM", 2, "headers", "The message has no From field, or an empty one.")
	missingTo      = symbol("MISSING_TO", 2, "headers", "The message names no recipients: it has neither To nor Cc nor Bcc.")
	missingSubject = symbol("MISSING_SUBJECT", 2, "headers", "The message has no Subject field.")
	emptySubject   = symbol("EMPTY_SUBJECT", 1, "headers", "The Subject field is empty.")
	missingDate    = symbol("MISSING_DATE", 1, "headers", "A message from outside has no Date field, or an empty one.")
	missingMID     = symbol("MISSING_MID", 2.5, "headers", "A message from outside has no Message-ID field, or an empty one.")
)

// HeaderMissing looks for fields that a message ought to have.
var HeaderMissing = &scan.Spec[struct{}, struct{}]{
	Name:    "header_missing",
	Doc:     "Header fields that every message has and this one lacks.",
	Symbols: []*scan.Symbol{missingFrom, missingTo, missingSubject, emptySubject, missingDate, missingMID},
	New:     plain(runHeaderMissing),
}

func runHeaderMissing(p *scan.Pass) {
	if p.Message.HeaderCut() {
		return // what is missing may be what was cut off
	}
	var from, to, subject, text, date, id bool
	for _, f := range p.Message.Header() {
		switch {
		case f.Is("From"):
			from = from || f.Value() != ""
		case f.Is("To"), f.Is("Cc"), f.Is("Bcc"), f.Is("Apparently-To"):
			to = true
		case f.Is("Subject"):
			subject, text = true, text || f.Value() != ""
		case f.Is("Date"):
			date = date || f.Value() != ""
		case f.Is("Message-ID"):
			id = id || f.Value() != ""
		}
	}
	report := func(s *scan.Symbol, present bool) {
		if !present {
			p.Report(s)
		}
	}
	report(missingFrom, from)
	report(missingTo, to)
	report(missingSubject, subject)
	report(emptySubject, text || !subject)
	if !p.Envelope.Trust.Ours() {
		// Our MTA completes the mail of our own users, sendmail only behind us.
		report(missingDate, date)
		report(missingMID, id)
	}
}
