package checks

import (
	"net/netip"
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	invalidMsgID = symbol("INVALID_MSGID", 1.7, "headers", "The Message-ID is not well-formed: something, an @, something, and no spaces.")

	midMissingBrackets = symbol("MID_MISSING_BRACKETS", 0.5, "Message ID", "The Message-ID does not stand in angle brackets.")
	midBareIP          = symbol("MID_BARE_IP", 2, "Message ID", "Behind the @ of the Message-ID stands an IP address without brackets.")
	midIPLiteral       = symbol("MID_RHS_IP_LITERAL", 0.5, "Message ID", "Behind the @ of the Message-ID stands an IP address in brackets.")
	midNotFQDN         = symbol("MID_RHS_NOT_FQDN", 0.5, "Message ID", "Behind the @ of the Message-ID stands a name without a dot.")
	midWWW             = symbol("MID_RHS_WWW", 0.5, "Message ID", "Behind the @ of the Message-ID stands the name of a web server.")
	midContainsFrom    = symbol("MID_CONTAINS_FROM", 1, "Message ID", "The Message-ID contains the address of the sender.")
	midMatchFrom       = symbol("MID_RHS_MATCH_FROM", 0, "Message ID", "The Message-ID ends in the domain of the sender.")
	midMatchFromTLD    = symbol("MID_RHS_MATCH_FROMTLD", 0, "Message ID", "The Message-ID ends in a name of the same registered domain as the sender's.")
	midContainsTo      = symbol("MID_CONTAINS_TO", 1, "Message ID", "The Message-ID contains the address of the first recipient, who is not of the sender's domain.")
	midMatchTo         = symbol("MID_RHS_MATCH_TO", 1, "Message ID", "The Message-ID ends in the domain of the first recipient, which is not the sender's.")
)

// MessageID looks at the Message-ID. It says nothing about the mail of our own users,
// whose programs leave it to the MTA.
var MessageID = &scan.Spec[struct{}, struct{}]{
	Name: "message_id",
	Doc:  "The form of the Message-ID, and whose names are in it.",
	Symbols: []*scan.Symbol{
		invalidMsgID, midMissingBrackets, midBareIP, midIPLiteral, midNotFQDN, midWWW,
		midContainsFrom, midMatchFrom, midMatchFromTLD, midContainsTo, midMatchTo,
	},
	Reads: []scan.Check{MailingList},
	New:   plain(runMessageID),
}

// maxMessageID bounds what is looked at of a Message-ID.
const maxMessageID = 2000

func runMessageID(p *scan.Pass) {
	value := p.Message.Header().Get("Message-ID")
	if value == "" || p.Envelope.Trust.Ours() {
		return
	}
	value = value[:min(len(value), maxMessageID)]
	id := withoutBrackets(value)
	left, right := id, ""
	if at := strings.LastIndexByte(id, '@'); at >= 0 {
		left, right = id[:at], id[at+1:]
	}
	// Two @ and dots at the ends are in use.
	if strings.ContainsAny(id, "<>\\ ") || left == "" || right == "" || !isPlain(id, announced(p.Envelope)) {
		p.Report(invalidMsgID, shown(value))
	}
	if !strings.HasPrefix(value, "<") || strings.IndexByte(value, '>') != len(value)-1 {
		p.Report(midMissingBrackets)
	}
	right = strings.ToLower(right)
	runRightSide(p, right)
	runMessageIDNames(p, strings.ToLower(id), right)
}

// withoutBrackets returns the id itself. A comment may follow it (RFC 5322, section
// 3.6.4).
func withoutBrackets(value string) string {
	id := strings.TrimPrefix(value, "<")
	if i := strings.IndexByte(id, '>'); i >= 0 && strings.HasPrefix(strings.TrimLeft(id[i+1:], " \t"), "(") {
		id = id[:i+1]
	}
	return strings.Trim(strings.TrimSuffix(id, ">"), " \t")
}

// isPlain tells whether s has no control characters, and only ASCII if it isn't UTF-8
// by agreement.
func isPlain(s string, utf8 bool) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c >= 0x80 && !utf8 {
			return false
		}
	}
	return true
}

// runRightSide looks at what stands behind the @.
func runRightSide(p *scan.Pass, right string) {
	switch {
	case right == "":
	case right[0] == '[':
		literal := strings.TrimPrefix(strings.Trim(right, "[]"), "ipv6:")
		if _, err := netip.ParseAddr(literal); err == nil {
			p.Report(midIPLiteral, shown(right))
		}
	case strings.IndexByte(right, '.') < 0:
		p.Report(midNotFQDN, shown(right))
	case strings.HasPrefix(right, "www."):
		p.Report(midWWW, shown(right))
	default:
		if ip, err := netip.ParseAddr(right); err == nil && ip.Is4() {
			p.Report(midBareIP, shown(right))
		}
	}
}

// runMessageIDNames looks for the sender and the first recipient in the Message-ID,
// which is in lower case.
func runMessageIDNames(p *scan.Pass, id, right string) {
	domain := ""
	if from := first(p.Message, "From"); from != nil && from.Address.Domain != "" {
		a := from.Address
		domain = a.Domain
		switch {
		case containsAddress(id, a):
			p.Report(midContainsFrom)
		case right == domain:
			p.Report(midMatchFrom)
		case right != "" && mail.RegisteredDomain(right) == mail.RegisteredDomain(domain):
			p.Report(midMatchFromTLD)
		}
	}
	for to := range recipients(p.Message) {
		if a := to.Address; a.Domain != "" && a.Domain != domain {
			switch {
			case containsAddress(id, a):
				p.Report(midContainsTo)
			case right == a.Domain && !fromList(p): // lists give ids of their own
				p.Report(midMatchTo)
			}
		}
		break
	}
}

// containsAddress tells whether a text in lower case contains an address, not only the
// end of a longer one.
func containsAddress(text string, a mail.Address) bool {
	for from, key := 0, a.Key(); ; {
		i := strings.Index(text[from:], key)
		if i < 0 {
			return false
		}
		i += from
		if i == 0 || !isWord(text[i-1]) || !isWord(key[0]) {
			return true
		}
		from = i + 1
	}
}

// isWord tells whether a byte is a letter or digit, or part of one beyond ASCII.
func isWord(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c >= 0x80
}
