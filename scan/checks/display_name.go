package checks

import (
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	fromNeqName = symbol("FROM_NEQ_DISPLAY_NAME", 4, "headers", "The display name in From shows an address of another domain than the real one.")
	spoofName   = symbol("SPOOF_DISPLAY_NAME", 8, "headers", "The display name in From shows an address of the recipient's domain, and the real one is of another.")
)

// DisplayName looks for an address in the display name of From: many programs show
// nothing else.
var DisplayName = &scan.Spec[struct{}, struct{}]{
	Name:    "display_name",
	Doc:     "Addresses in the display name of From that are not the sender's.",
	Symbols: []*scan.Symbol{fromNeqName, spoofName},
	Reads:   []scan.Check{MailingList},
	New:     plain(runDisplayName),
}

func runDisplayName(p *scan.Pass) {
	from := first(p.Message, "From")
	if from == nil || from.Address.Domain == "" {
		return
	}
	domain := addressIn(from.Name)
	if domain == "" || mail.RegisteredDomain(domain) == mail.RegisteredDomain(from.Address.Domain) {
		return
	}
	if strings.Contains(from.Name, " via ") && fromList(p) {
		return // "joe@example.com via List" is how lists write for those whose DMARC policy forbids it
	}
	s := fromNeqName
	if namesDomain(p, domain) {
		s = spoofName
	}
	p.Report(s, shown(from.Address.Domain), shown(domain))
}

// addressIn returns the domain of the first address in a text, "" if there is none.
// One in brackets behind a name doesn't count: services that write for others put it
// there, and the name before it is what people read.
func addressIn(text string) string {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '(':
			if i > 0 {
				depth++
			}
		case ')':
			depth = max(depth-1, 0)
		case '@':
			if depth > 0 || i == 0 || strings.IndexByte(" \t<([\"',;:", text[i-1]) >= 0 {
				continue
			}
			end := i + 1
			for end < len(text) && (isWord(text[end]) || text[end] == '.' || text[end] == '-') {
				end++
			}
			domain := strings.TrimRight(text[i+1:end], ".-")
			if dot := strings.LastIndexByte(domain, '.'); dot > 0 && len(domain)-dot > 2 {
				return mail.ParseAddress("x@" + domain).Domain
			}
			i = end - 1
		}
	}
	return ""
}

// namesDomain tells whether a recipient is of a domain.
func namesDomain(p *scan.Pass, domain string) bool {
	for to := range recipients(p.Message) {
		if to.Address.Domain == domain {
			return true
		}
	}
	for i := range p.Envelope.Rcpts {
		if p.Envelope.Rcpts[i].Domain == domain {
			return true
		}
	}
	return false
}
