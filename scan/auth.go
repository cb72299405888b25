package scan

import (
	"slices"
	"strings"

	"rmilter/internal/authres"
	"rmilter/internal/dmarc"
	"rmilter/internal/mail"
)

// auth is what a check has found out about who sent the message.
type auth struct {
	sender  string
	reply   mail.ReplyKind
	results []authres.Result
	row     *dmarc.Row
}

// add puts what another check has found behind a.
func (r *Report) add(a *auth) {
	if r.Sender == "" {
		r.Sender = a.sender
	}
	r.Reply = max(r.Reply, a.reply)
	r.Auth = append(r.Auth, a.results...)
	if r.DMARC == nil {
		r.DMARC = a.row
	}
}

// Authenticate notes the sender's registered domain, in lower case, which SPF or DKIM
// has proved. Of several checks the first in order counts.
func (p *Pass) Authenticate(domain string) { p.auth.sender = domain }

// Recognise notes what a message is worth as an answer to one of ours, now that it is
// known who wrote it.
func (p *Pass) Recognise(k mail.ReplyKind) { p.auth.reply = k }

// AddAuth adds a result to what an Authentication-Results field will say.
func (p *Pass) AddAuth(r authres.Result) { p.auth.results = append(p.auth.results, r) }

// CountDMARC gives what an aggregate report of DMARC counts for this message.
func (p *Pass) CountDMARC(r dmarc.Row) { p.auth.row = &r }

// AuthWord returns what authentication came to, for the log: "spf:fail,dkim:pass,
// dmarc:fail", each method once, with pass where one of its results is that and else
// the first. It is "-" when nothing was asked.
func (r *Report) AuthWord() string {
	var methods, values []string
	for i := range r.Auth {
		a := &r.Auth[i]
		switch at := slices.Index(methods, a.Method); {
		case at < 0:
			methods, values = append(methods, a.Method), append(values, a.Value)
		case a.Value == "pass":
			values[at] = a.Value
		}
	}
	if methods == nil {
		return "-"
	}
	for i := range methods {
		methods[i] += ":" + values[i]
	}
	return strings.Join(methods, ",")
}
