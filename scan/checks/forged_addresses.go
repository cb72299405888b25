package checks

import (
	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	forgedRecipients = symbol("FORGED_RECIPIENTS", 2, "headers", "The header names other recipients than the envelope, of other domains.")
	forgedSender     = symbol("FORGED_SENDER", 0.3, "headers", "The address in From is not the sender of the envelope, and neither a list nor a forwarder explains it.")
)

// ForgedAddresses compares the addresses of the header with those of the envelope.
var ForgedAddresses = &scan.Spec[struct{}, struct{}]{
	Name:    "forged_addresses",
	Doc:     "Recipients and sender of the header that are not those of the envelope.",
	Symbols: []*scan.Symbol{forgedRecipients, forgedSender},
	Reads:   []scan.Check{MailingList, Forwarding},
	New:     plain(runForgedAddresses),
}

func runForgedAddresses(p *scan.Pass) {
	e := p.Envelope
	if e.Trust != mail.Stranger || len(e.Rcpts) == 0 || fromList(p) {
		return
	}
	if explained, err := scan.Result(p, Forwarding); err == nil && explained {
		return
	}
	if sender := e.From.Address; !sender.IsNull() {
		from := first(p.Message, "From")
		switch {
		case from == nil:
			p.Report(forgedSender, "none", shownAddress(sender))
		case !sameAddress(from.Address, sender):
			p.Report(forgedSender, shownAddress(from.Address), shownAddress(sender))
		}
	}
	named, rcpt := strangersNamed(p)
	if named != "" && rcpt != "" {
		p.Report(forgedRecipients, "m:"+named, "s:"+rcpt)
	}
}

// strangersNamed returns a recipient that only the header names and one that only the
// envelope has, each "" if there is none. Addresses of one domain pass for one: aliases
// and distribution lists are behind them. Who sends a copy to himself names nobody.
func strangersNamed(p *scan.Pass) (named, rcpt string) {
	e := p.Envelope
	delivered := mail.ParseAddress(p.Message.Header().Get("Delivered-To"))
	domains := make(map[string]bool, len(e.Rcpts))
	for i := range e.Rcpts {
		domains[e.Rcpts[i].Domain] = true
	}
	seen := make(map[string]bool)
	for b := range recipients(p.Message) {
		a := b.Address
		if a.Domain == "" {
			continue
		}
		seen[a.Domain] = true
		if named == "" && !domains[a.Domain] && !sameAddress(a, delivered) {
			named = shownAddress(a)
		}
	}
	for i := range e.Rcpts {
		if a := e.Rcpts[i].Address; !seen[a.Domain] && !sameAddress(a, e.From.Address) {
			return named, shownAddress(a)
		}
	}
	return named, ""
}
