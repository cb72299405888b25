package filter

import (
	"context"
	"slices"

	"rmilter/dkim"
	"rmilter/internal/authres"
	"rmilter/internal/dns"
	"rmilter/internal/mail"
	"rmilter/internal/signing"
	"rmilter/scan"
)

// maxVerified bounds the header that is kept for signatures to be verified, in bytes;
// the verifier refuses what is longer.
const maxVerified = 512 << 10

// maxQuestions bounds the questions of one message to the DNS: those about its lists must
// not take the place of those about its sender.
const maxQuestions = 500

// An evidence is what is gathered while a message arrives for its signatures to be
// verified.
type evidence struct {
	verifier *dkim.Verifier
	cancel   context.CancelFunc
}

// verifies tells whether signatures of a message are of interest: those of others', as
// long as the check runs that looks at them.
func (f *Filter) verifies(e *mail.Envelope) bool {
	return f.verify && (!e.Trust.Ours() || e.Inspect)
}

// hasCheck tells whether a check is enabled.
func hasCheck(s scan.Scanner, name string) bool {
	return slices.ContainsFunc(s.Symbols(), func(l scan.Listing) bool { return l.Check == name })
}

// evidence begins with a header that is complete, and has the keys of its signatures
// looked up. bareLF says that the message doesn't come from SMTP.
func (f *Filter) evidence(h mail.Header, bareLF bool) *evidence {
	ctx, cancel := context.WithCancel(context.Background())
	v := dkim.NewVerifier(h, dkim.VerifyOptions{Now: f.env.Now(), BareLF: bareLF})
	v.Start(ctx, signing.KeyLookup{Resolver: f.env.DNS})
	return &evidence{v, cancel}
}

// write takes a piece of the body.
func (ev *evidence) write(b []byte) {
	if ev != nil {
		ev.verifier.Write(b)
	}
}

// close ends the lookups that are still on their way.
func (ev *evidence) close() {
	if ev != nil {
		ev.cancel()
	}
}

// authOf returns what is told of a message's authentication; nothing of our own.
func authOf(e *mail.Envelope, r *scan.Report) []authres.Result {
	if r == nil || e.Trust.Ours() {
		return nil
	}
	return r.Auth
}

// aids returns what the checks of a message may use, and what has to be called when they
// are done.
func (f *Filter) aids(e *mail.Envelope, m *mail.Message, ev *evidence) (scan.Aids, func()) {
	if f.env.DNS == nil {
		return scan.Aids{}, func() {}
	}
	own := ev
	if ev == nil && f.verifies(e) {
		own = f.evidence(m.Header(), true)
		own.verifier.Write(m.Body())
	}
	names := f.env.DNS.ForMessage(dns.Budget{Queries: maxQuestions})
	a := scan.Aids{DNS: names}
	if own != nil {
		a.DKIM = own.verifier
	}
	return a, func() {
		names.Close()
		if ev == nil {
			own.close()
		}
	}
}
