package checks

import (
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	fwdGoogle  = symbol("FWD_GOOGLE", 0, "forwarding", "A Google mailbox forwarded the message.")
	fwdSRS     = symbol("FWD_SRS", 0, "forwarding", "The message was forwarded, and its sender was rewritten by SRS.")
	forwarded  = symbol("FORWARDED", 0, "forwarding", "The topmost Received field with a recipient names another one than the envelope.")
	previously = symbol("PREVIOUSLY_DELIVERED", 0, "headers", "A Received field names a recipient of the header: the message was forwarded, or went through a list.")
	verp       = symbol("ENVFROM_VERP", 0, "headers", "The sender of the envelope contains the recipient, so that bounces can be told apart.")
	prvs       = symbol("ENVFROM_PRVS", 0, "headers", "The sender of the envelope is that in From with a tag, so that forged bounces can be told apart.")
)

// Forwarding recognises senders of the envelope that were made for the way of the
// message. Its result tells whether that explains a sender or recipient that the header
// doesn't name.
var Forwarding = &scan.Spec[struct{}, bool]{
	Name:    "forwarding",
	Doc:     "Forwarded messages, and senders that are made for one recipient.",
	Symbols: []*scan.Symbol{fwdGoogle, fwdSRS, forwarded, previously, verp, prvs},
	New:     telling(runForwarding),
}

func runForwarding(p *scan.Pass) (explained bool) {
	found := func(s *scan.Symbol, details ...string) {
		p.Report(s, details...)
		explained = true
	}
	sender := strings.ToLower(p.Envelope.From.Local)
	from := first(p.Message, "From")
	if from != nil && isPRVS(sender, p.Envelope.From.Domain, from.Address) {
		found(prvs)
	}
	hop := firstFor(p.Message)
	if hop != "" {
		if a := mail.ParseAddress(hop); namedInHeader(p.Message, a) {
			p.Report(previously, shownAddress(a))
		}
	}
	if len(p.Envelope.Rcpts) != 1 {
		return explained // what follows is made for one recipient each
	}
	rcpt := p.Envelope.Rcpts[0].Address
	key := strings.ReplaceAll(rcpt.Key(), "@", "=")
	srs := strings.HasPrefix(sender, "srs0=") || strings.HasPrefix(sender, "srs1=")
	switch i := strings.Index(sender, "+caf_="+key); {
	case key == "" || sender == "":
	case i > 0:
		found(fwdGoogle, shown(sender[:i]+"@"+p.Envelope.From.Domain))
	case srs && rcpt.Domain != "":
		found(fwdSRS)
	case !srs && strings.Contains(sender, key):
		found(verp)
	}
	if hop != "" {
		a := mail.ParseAddress(hop)
		if strip(a) != strip(rcpt) && !(fromListOf(p.Message, a)) {
			found(forwarded, shownAddress(a))
		}
	}
	return explained
}

// strip returns the Key of an address without its extension.
func strip(a mail.Address) string {
	return mail.Address{Local: a.Strip("+"), Domain: a.Domain}.Key()
}

// firstFor returns the recipient that the topmost Received field with one names.
func firstFor(m *mail.Message) string {
	for _, r := range m.Received() {
		if strings.IndexByte(r.For, '@') > 0 {
			return r.For
		}
	}
	return ""
}

// namedInHeader tells whether To, Cc or Bcc name an address.
func namedInHeader(m *mail.Message, a mail.Address) bool {
	for b := range recipients(m) {
		if sameAddress(b.Address, a) {
			return true
		}
	}
	return false
}

// fromListOf tells whether an address is that of a list, which looks like one that
// forwards.
func fromListOf(m *mail.Message, a mail.Address) bool {
	to := first(m, "To")
	return to != nil && sameAddress(to.Address, a) && m.Header().Count("List-Unsubscribe") > 0
}

// isPRVS tells whether a sender in lower case is an address with a tag against forged
// bounces: prvs=TAG=USER, prvs=USER=TAG, msprvs1=TAG=USER, btv1==TAG==USER.
func isPRVS(local, domain string, a mail.Address) bool {
	user := strings.ToLower(a.Local)
	if domain != a.Domain || user == "" {
		return false
	}
	for _, prefix := range [...]string{"prvs=", "msprvs1=", "btv1=="} {
		rest, ok := strings.CutPrefix(local, prefix)
		if !ok {
			continue
		}
		if _, last, ok := strings.Cut(rest, "="); ok && strings.TrimPrefix(last, "=") == user {
			return true
		}
		return prefix == "prvs=" && strings.HasPrefix(rest, user+"=")
	}
	return false
}
