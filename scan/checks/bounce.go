package checks

import (
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	bounce          = symbol("BOUNCE", -0.1, "headers", "The message is a notice of an MTA about a message that it could or couldn't deliver.")
	subjBounceWords = symbol("SUBJ_BOUNCE_WORDS", 0, "headers", "The subject is one that notices of MTAs have.")
)

// Bounce recognises the notices of MTAs (RFC 3464), also those of old ones.
var Bounce = &scan.Spec[struct{}, struct{}]{
	Name:    "bounce",
	Doc:     "Notices about messages that could or couldn't be delivered.",
	Symbols: []*scan.Symbol{bounce, subjBounceWords},
	New:     plain(runBounce),
}

// bounceWords are parts of the subjects of notices in lower case. Nobody writes to it.
var bounceWords = [...]string{
	"could not send message", "couldn't be delivered", "delivery failed", "delivery failure",
	"delivery has failed", "delivery report", "delivery status", "delivery warning", "failure delivery",
	"failure notice", "hasn't been delivered", "mail failure", "returned mail", "undeliverable", "undelivered",
}

func runBounce(p *scan.Pass) {
	subject := strings.ToLower(p.Message.Subject())
	words := false
	for _, w := range bounceWords {
		if words = strings.Contains(subject[:min(len(subject), 1000)], w); words {
			p.Report(subjBounceWords, w)
			break
		}
	}
	if !p.Envelope.From.IsNull() {
		return
	}
	if root := p.Message.Parts()[0]; root.Type() == "multipart/report" {
		switch strings.ToLower(root.Param("report-type")) {
		case "delivery-status", "disposition-notification":
			p.Report(bounce, "report")
			return
		}
	}
	sender := bounceSender(p.Message)
	switch original := words || sender != ""; {
	case sender == "mdaemon":
		p.Report(bounce, sender)
	case sender != "" && words:
		p.ReportScaled(bounce, 0.5, sender, "subject")
	case original && hasOriginal(p.Message):
		if sender != "" {
			p.ReportScaled(bounce, 0.5, sender, "original")
		} else {
			p.ReportScaled(bounce, 0.2, "subject", "original")
		}
	}
}

// bounceSender returns the name under which MTAs write, in lower case; "" when the
// message is from somebody else.
func bounceSender(m *mail.Message) string {
	from := first(m, "From")
	if from == nil {
		return ""
	}
	switch s := strings.ToLower(from.Address.Local); s {
	case "postmaster", "mailer-daemon":
		return s
	case "mdaemon":
		if m.Header().Count("X-MDDSN-Message") > 0 {
			return s
		}
	}
	return ""
}

// hasOriginal tells whether the message has another one in it, or its header.
func hasOriginal(m *mail.Message) bool {
	parts := m.Parts()
	for _, part := range parts[:min(len(parts), 10)] {
		switch part.Type() {
		case "message/rfc822", "message/rfc822-headers", "text/rfc822-headers":
			return true
		}
	}
	return false
}
