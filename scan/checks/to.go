package checks

import (
	"strconv"
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	rcptCountZero   = symbol("RCPT_COUNT_ZERO", 0, "headers", "To, Cc and Bcc name nobody.")
	rcptCountOne    = symbol("RCPT_COUNT_ONE", 0, "headers", "To, Cc and Bcc name one recipient.")
	rcptCountTwo    = symbol("RCPT_COUNT_TWO", 0, "headers", "To, Cc and Bcc name two recipients.")
	rcptCountThree  = symbol("RCPT_COUNT_THREE", 0, "headers", "To, Cc and Bcc name three or four recipients.")
	rcptCountFive   = symbol("RCPT_COUNT_FIVE", 0, "headers", "To, Cc and Bcc name five or six recipients.")
	rcptCountSeven  = symbol("RCPT_COUNT_SEVEN", 0, "headers", "To, Cc and Bcc name seven to eleven recipients.")
	rcptCountTwelve = symbol("RCPT_COUNT_TWELVE", 0, "headers", "To, Cc and Bcc name twelve to 49 recipients.")
	rcptCountGT50   = symbol("RCPT_COUNT_GT_50", 0, "headers", "To, Cc and Bcc name 50 or more recipients.")

	toNameRecipients = symbol("TO_DN_RECIPIENTS", 2, "headers", `The display name of a recipient is "Recipient" or "Recipients".`)
	toNameNone       = symbol("TO_DN_NONE", 0, "headers", "No recipient has a display name.")
	toNameSome       = symbol("TO_DN_SOME", 0, "headers", "Some recipients have a display name.")
	toNameAll        = symbol("TO_DN_ALL", 0, "headers", "All recipients have a display name.")
	toNameEqSome     = symbol("TO_DN_EQ_ADDR_SOME", 0, "headers", "The display name of some recipients is their address.")
	toNameEqAll      = symbol("TO_DN_EQ_ADDR_ALL", 0, "headers", "The display name of all recipients is their address.")
	toMatchSome      = symbol("TO_MATCH_ENVRCPT_SOME", 0, "headers", "Some of the recipients named are recipients of the envelope.")
	toMatchAll       = symbol("TO_MATCH_ENVRCPT_ALL", 0, "headers", "All of the recipients named are recipients of the envelope.")

	toSpaces   = symbol("TO_WRAPPED_IN_SPACES", 2, "headers", "An address in To has spaces within its angle brackets.")
	undiscRcpt = symbol("R_UNDISC_RCPT", 3, "headers", "To says that the recipients are not disclosed.")
)

// To looks at the recipients that the header names.
var To = &scan.Spec[struct{}, struct{}]{
	Name: "to",
	Doc:  "The recipients that the header names: how many, with what names, and whether they are those of the envelope.",
	Symbols: []*scan.Symbol{
		rcptCountZero, rcptCountOne, rcptCountTwo, rcptCountThree, rcptCountFive, rcptCountSeven, rcptCountTwelve, rcptCountGT50,
		toNameRecipients, toNameNone, toNameSome, toNameAll, toNameEqSome, toNameEqAll, toMatchSome, toMatchAll,
		toSpaces, undiscRcpt,
	},
	New: plain(runTo),
}

func runTo(p *scan.Pass) {
	for _, f := range p.Message.Header() {
		if f.Is("To") && undisclosed(f.Raw) {
			p.Report(undiscRcpt)
			break
		}
	}
	for _, b := range p.Message.Mailboxes("To") {
		if wrapped(b.Raw) {
			p.Report(toSpaces, shown(b.Raw))
			break
		}
	}
	n, named, same, matched, generic := 0, 0, 0, 0, false
	rcpts := envelopeSet(p.Envelope)
	for b := range recipients(p.Message) {
		n++
		key := b.Address.Key()
		switch name := nameOf(b); {
		case strings.EqualFold(name, key):
			same++
		case name != "":
			named++
			generic = generic || strings.EqualFold(name, "recipient") || strings.EqualFold(name, "recipients")
		}
		if rcpts[key] {
			matched++
		}
	}
	p.Report(rcptCount(n), strconv.Itoa(n))
	if n == 0 {
		return
	}
	if generic {
		p.Report(toNameRecipients)
	}
	reportShare(p, n, named, toNameSome, toNameAll)
	reportShare(p, n, same, toNameEqSome, toNameEqAll)
	if named+same == 0 {
		p.Report(toNameNone)
	}
	reportShare(p, n, matched, toMatchSome, toMatchAll)
}

// reportShare reports that some of n, or all of them, have something.
func reportShare(p *scan.Pass, n, have int, some, all *scan.Symbol) {
	switch have {
	case 0:
	case n:
		p.Report(all)
	default:
		p.Report(some)
	}
}

// envelopeSet returns the recipients of the envelope by their Key.
func envelopeSet(e *mail.Envelope) map[string]bool {
	set := make(map[string]bool, len(e.Rcpts))
	for i := range e.Rcpts {
		set[e.Rcpts[i].Key()] = true
	}
	return set
}

// rcptCount returns the symbol for a number of recipients.
func rcptCount(n int) *scan.Symbol {
	switch {
	case n == 0:
		return rcptCountZero
	case n == 1:
		return rcptCountOne
	case n == 2:
		return rcptCountTwo
	case n < 5:
		return rcptCountThree
	case n < 7:
		return rcptCountFive
	case n < 12:
		return rcptCountSeven
	case n < 50:
		return rcptCountTwelve
	}
	return rcptCountGT50
}

// wrapped tells whether an address stands as in "< joe@example.com >".
func wrapped(raw string) bool {
	open := strings.LastIndexByte(raw, '<')
	end := strings.LastIndexByte(raw, '>')
	return open >= 0 && end > open+3 && raw[open+1] == ' ' && raw[end-1] == ' ' && strings.IndexByte(raw[open:end], '@') > 0
}

// undisclosed tells whether a To field says "undisclosed-recipients:;" in one of its
// spellings.
func undisclosed(raw string) bool {
	s := strings.TrimLeft(raw[:min(len(raw), 200)], " \t\r\n<\"")
	const word = "undisclosed"
	if len(s) <= len(word) || !strings.EqualFold(s[:len(word)], word) || s[len(word)] != '-' && s[len(word)] != ' ' {
		return false
	}
	s = s[len(word)+1:]
	const rcpt = "recipient"
	return len(s) > len(rcpt) && strings.EqualFold(s[:len(rcpt)], rcpt) && strings.IndexByte(s, ':') > 0
}
