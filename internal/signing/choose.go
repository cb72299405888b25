package signing

import (
	"strings"

	"rmilter/dkim"
	"rmilter/internal/mail"
)

// A Query is a message whose header is complete.
type Query struct {
	Envelope *mail.Envelope
	Header   mail.Header // as received
}

// The words of a Choice that doesn't sign.
const (
	NotOurs      = "not_ours"      // the mail of a stranger
	Off          = "off"           // no key is configured, or enable = no
	NoFrom       = "no_from"       // From is missing, or has no address that can be used
	SeveralFrom  = "several_from"  // there are several From, or authors in several domains
	NoKey        = "no_key"        // there is no key for the domain of author and sender
	KeyMissing   = "key_missing"   // there should be one, whose file is missing or can't be used
	UserMismatch = "user_mismatch" // the user is of another domain
)

// A Choice says with which keys a message is signed.
type Choice struct {
	Keys   []dkim.SigningKey // all of one domain; empty when it isn't signed
	Domain string            // d= of the signatures; "" when there are none
	Word   string            // "DOMAIN/SELECTOR,SELECTOR", or why it isn't signed
}

// LogWord returns the word for the log line: "-" for the mail of strangers, of which
// nothing is to be told.
func (c Choice) LogWord() string {
	if c.Word == NotOurs || c.Word == "" {
		return "-"
	}
	return c.Word
}

// Choose says with which keys a message is signed: those of the domain of its author,
// or of one above it, and when there are none those of the domain of its sender; with
// sign_domain = envelope in the other order.
func (s *Signing) Choose(q Query) Choice {
	e := q.Envelope
	switch {
	case !e.Trust.Ours() && !s.conf.SignNetworks.Contains(e.ClientIP):
		return Choice{Word: NotOurs}
	case len(s.blocks) == 0:
		return Choice{Word: Off}
	}
	author, word := authorDomain(q.Header)
	if word != "" {
		return Choice{Word: word}
	}
	domains := []string{author, e.From.Domain}
	if s.conf.SignDomain == OfEnvelope {
		domains = []string{e.From.Domain, author}
	}
	absent := false
	for _, d := range domains {
		keys, missed := s.keysAbove(d)
		absent = absent || missed
		switch {
		case len(keys) == 0:
		case !s.may(e.User, d):
			return Choice{Word: UserMismatch}
		default:
			return Choice{Keys: keys, Domain: keys[0].Domain, Word: signedWord(keys)}
		}
	}
	if absent {
		return Choice{Word: KeyMissing}
	}
	return Choice{Word: NoKey}
}

// may tells whether a user may sign for a domain: his own, and those below it. A login
// with an "@" and no domain that can be used is of none; one without is of all.
func (s *Signing) may(user, domain string) bool {
	if bool(s.conf.AllowUsernameMismatch) || !strings.Contains(user, "@") {
		return true
	}
	own := mail.ParseAddress(user).Domain
	return own != "" && (domain == own || strings.HasSuffix(domain, "."+own))
}

// authorDomain returns the domain of From, or the word for a From that nobody can sign
// for.
func authorDomain(h mail.Header) (domain, word string) {
	fields := h.Fields("From")
	switch {
	case len(fields) == 0:
		return "", NoFrom
	case len(fields) > 1:
		return "", SeveralFrom
	}
	for _, m := range mail.ParseMailboxes(fields[0].Raw) {
		switch d := m.Address.Domain; {
		case !m.Valid || d == "":
			return "", NoFrom
		case domain != "" && d != domain:
			return "", SeveralFrom
		default:
			domain = d
		}
	}
	if domain == "" {
		return "", NoFrom
	}
	return domain, ""
}

// signedWord returns the word for keys of one domain.
func signedWord(keys []dkim.SigningKey) string {
	var selectors []string
	for _, k := range keys {
		selectors = append(selectors, k.Selector)
	}
	return keys[0].Domain + "/" + strings.Join(selectors, ",")
}
