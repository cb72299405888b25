package checks

import (
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	hasReplyTo         = symbol("HAS_REPLYTO", 0, "headers", "The message has a Reply-To field.")
	replyToUnparseable = symbol("REPLYTO_UNPARSEABLE", 1, "headers", "The Reply-To field holds no address.")
	replyToInvalid     = symbol("REPLYTO_INVALID", 1, "headers", "The address in Reply-To is not well-formed.")
	replyToEqFrom      = symbol("REPLYTO_EQ_FROM", 0, "headers", "Reply-To is the same as From.")
	replyToAddrEqFrom  = symbol("REPLYTO_ADDR_EQ_FROM", 0, "headers", "The address in Reply-To is that in From.")
	replyToDomEq       = symbol("REPLYTO_DOM_EQ_FROM_DOM", 0, "headers", "The address in Reply-To is of the same domain as that in From.")
	replyToDomNeq      = symbol("REPLYTO_DOM_NEQ_FROM_DOM", 0, "headers", "The address in Reply-To is of another domain than that in From.")
	replyToNameEq      = symbol("REPLYTO_DN_EQ_FROM_DN", 0, "headers", "The display name in Reply-To is that in From.")
	replyToEqTo        = symbol("REPLYTO_EQ_TO_ADDR", 5, "headers", "Answers go to the recipient himself, and the sender is of another domain.")
	replyToTitle       = symbol("REPLYTO_EMAIL_HAS_TITLE", 2, "headers", "The address in Reply-To begins with the title that the name in From has.")
	spoofReplyTo       = symbol("SPOOF_REPLYTO", 6, "headers", "A message of a stranger is from the recipient's own domain, but answers go to another.")
)

// ReplyTo looks at where answers go.
var ReplyTo = &scan.Spec[struct{}, struct{}]{
	Name: "reply_to",
	Doc:  "The Reply-To field: where answers go, and whether that is where the sender is.",
	Symbols: []*scan.Symbol{
		hasReplyTo, replyToUnparseable, replyToInvalid, replyToEqFrom, replyToAddrEqFrom, replyToDomEq,
		replyToDomNeq, replyToNameEq, replyToEqTo, replyToTitle, spoofReplyTo,
	},
	Reads: []scan.Check{From, MailingList},
	New:   plain(runReplyTo),
}

func runReplyTo(p *scan.Pass) {
	h := p.Message.Header()
	f, ok := h.Field("Reply-To")
	if !ok {
		return
	}
	reply := first(p.Message, "Reply-To")
	if reply == nil || reply.Address.Local == "" {
		p.Report(replyToUnparseable, shown(f.Value()))
		return
	}
	p.Report(hasReplyTo, shownAddress(reply.Address))
	if !reply.Valid {
		p.Report(replyToInvalid, shown(reply.Raw))
	}
	if title, err := scan.Result(p, From); err == nil && title != "" && len(reply.Address.Local) >= len(title) && strings.EqualFold(reply.Address.Local[:len(title)], title) {
		p.Report(replyToTitle, title)
	}
	from := first(p.Message, "From")
	if from == nil {
		return
	}
	if h.Get("From") == f.Value() {
		p.Report(replyToEqFrom)
		return
	}
	compareReplyTo(p, from, reply)
	if spoofsReplyTo(p, from.Address, reply.Address) {
		p.Report(spoofReplyTo, shown(from.Address.Domain), shown(reply.Address.Domain))
	}
}

// compareReplyTo compares the mailboxes.
func compareReplyTo(p *scan.Pass, from, reply *mail.Mailbox) {
	switch {
	case sameAddress(from.Address, reply.Address):
		p.Report(replyToAddrEqFrom)
	case from.Address.Domain == "" || reply.Address.Domain == "":
	case from.Address.Domain == reply.Address.Domain:
		p.Report(replyToDomEq)
	case toSelf(p, reply.Address):
		p.Report(replyToEqTo)
	default:
		p.Report(replyToDomNeq)
	}
	if from.Name != "" && strings.EqualFold(from.Name, reply.Name) {
		p.Report(replyToNameEq)
	}
}

// listMarks are fields of lists and programs, whose answers go where the message went.
// Nobody writes to it.
var listMarks = [...]string{
	"List-Id", "List-Post", "List-Unsubscribe", "Mailing-List", "X-Mailing-List", "X-BeenThere", "X-Loop",
	"X-To-Get-Off-This-List", "X-List", "Auto-Submitted",
}

// toSelf tells whether answers go to the first recipient, for no reason known.
func toSelf(p *scan.Pass, reply mail.Address) bool {
	to := first(p.Message, "To")
	if to == nil || !sameAddress(to.Address, reply) || fromList(p) {
		return false
	}
	for _, f := range p.Message.Header() {
		for _, name := range listMarks {
			if f.Is(name) {
				return false
			}
		}
		if f.Is("Precedence") {
			switch strings.ToLower(f.Value()) {
			case "list", "bulk", "junk":
				return false
			}
		}
	}
	return true
}

// spoofsReplyTo tells whether a stranger passes for somebody of the recipient's
// domain and wants the answers elsewhere. Forms on web pages write to the sender
// himself; lists bring back what members of our domain sent to them.
func spoofsReplyTo(p *scan.Pass, from, reply mail.Address) bool {
	if p.Envelope.Trust.Ours() || from.Domain == "" || reply.Domain == "" || mail.RegisteredDomain(reply.Domain) == mail.RegisteredDomain(from.Domain) {
		return false
	}
	if to := first(p.Message, "To"); to != nil && sameAddress(to.Address, from) {
		return false
	}
	rcpts := p.Envelope.Rcpts
	if len(rcpts) == 1 && sameAddress(rcpts[0].Address, from) {
		return false
	}
	for i := range rcpts {
		if rcpts[i].Domain == from.Domain {
			return !fromList(p)
		}
	}
	return false
}
