package checks

import (
	"context"
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"rmilter/internal/mail"
	"rmilter/scan"
)

// symbol makes the declaration of a symbol.
func symbol(name string, score float64, group, doc string) *scan.Symbol {
	return &scan.Symbol{Name: name, Score: score, Group: group, Doc: doc}
}

// oneShot has a symbol count once, however often it is reported.
func oneShot(s *scan.Symbol) *scan.Symbol {
	s.OneShot = true
	return s
}

// plain is the New of a check without configuration and result.
func plain(run func(*scan.Pass)) func(struct{}, scan.Env) (scan.Runner[struct{}], error) {
	return func(struct{}, scan.Env) (scan.Runner[struct{}], error) {
		return scan.RunnerFunc[struct{}](func(_ context.Context, p *scan.Pass) (struct{}, error) {
			run(p)
			return struct{}{}, nil
		}), nil
	}
}

// telling is the New of a check without configuration whose result others read.
func telling[R any](run func(*scan.Pass) R) func(struct{}, scan.Env) (scan.Runner[R], error) {
	return func(struct{}, scan.Env) (scan.Runner[R], error) {
		return scan.RunnerFunc[R](func(_ context.Context, p *scan.Pass) (R, error) {
			return run(p), nil
		}), nil
	}
}

const maxEvidence = 100 // bytes of a message in one detail

// shown makes evidence of a text from a message: short, and without characters that
// would play tricks on those who read it.
func shown(s string) string { return shownTo(maxEvidence, s) }

// shownTo is shown with a bound of its own.
func shownTo(most int, s string) string {
	more := ""
	if len(s) > most {
		end := most
		for end > most-utf8.UTFMax && !utf8.RuneStart(s[end]) {
			end--
		}
		s, more = s[:end], "…"
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s) + more
}

// shownAddress makes evidence of an address.
func shownAddress(a mail.Address) string {
	if a.Domain == "" {
		return shown(a.Local)
	}
	return shown(a.Local + "@" + a.Domain)
}

// sameAddress compares two addresses as people do: case doesn't matter.
func sameAddress(a, b mail.Address) bool {
	return a.Domain == b.Domain && strings.EqualFold(a.Local, b.Local)
}

// first returns the first mailbox of a field that has an address, nil if none has. One
// without a domain counts only where no other is: it may be a name that a comma cut off.
func first(m *mail.Message, field string) *mail.Mailbox {
	list := m.Mailboxes(field)
	var best *mail.Mailbox
	for i := range list {
		if list[i].Address.Domain != "" {
			return &list[i]
		}
		if best == nil && !list[i].Address.IsNull() {
			best = &list[i]
		}
	}
	return best
}

// nameOf returns the display name of a mailbox. A word alone, as "root", is no name
// but an address that lacks its domain.
func nameOf(b *mail.Mailbox) string {
	if b.Address.Domain == "" && !b.Angle {
		return ""
	}
	return strings.Trim(b.Name, " \t")
}

// announced tells whether the client said that the header may be in UTF-8 (RFC 6531).
func announced(e *mail.Envelope) bool {
	return slices.ContainsFunc(e.From.Args, func(s string) bool { return strings.EqualFold(s, "SMTPUTF8") })
}

// recipients are the mailboxes of To, Cc and Bcc that have an address.
func recipients(m *mail.Message) iter.Seq[*mail.Mailbox] {
	return func(yield func(*mail.Mailbox) bool) {
		for _, field := range [...]string{"To", "Cc", "Bcc"} {
			list := m.Mailboxes(field)
			for i := range list {
				if !list[i].Address.IsNull() && !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// fromList tells whether the message comes from a mailing list. A check that asks
// has MailingList among its Reads. When that check is off, nothing is known to come from
// a list.
func fromList(p *scan.Pass) bool {
	list, err := scan.Result(p, MailingList)
	return err == nil && list
}

// findField returns the first field of a name that has a property.
func findField(h mail.Header, name string, has func(mail.Field) bool) (mail.Field, bool) {
	for _, f := range h {
		if f.Is(name) && has(f) {
			return f, true
		}
	}
	return mail.Field{}, false
}
