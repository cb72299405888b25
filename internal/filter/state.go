package filter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"rmilter/greylist"
	"rmilter/internal/dnslist"
	"rmilter/internal/mail"
	"rmilter/internal/policy"
	"rmilter/internal/replies"
	"rmilter/internal/signing"
	"rmilter/internal/store"
	"rmilter/milter"
	"rmilter/ratelimit"
	"rmilter/scan"
)

// Rules are what a Filter asks about mail. All but Scanner may be nil: they are off then.
type Rules struct {
	Scanner   scan.Scanner
	Greylist  *greylist.Greylist
	Limits    *ratelimit.Limiter
	Replies   *replies.Replies
	Signing   *signing.Signing
	ReplySkip []string // checks and groups that don't count for a recognised reply
	Channels  Channels
	Lists     []*dnslist.List // that Env.Lists knows, for people to ask
}

// A view is what one message may use of the stores.
type view struct {
	budget *store.Budget    // what they may take of its time
	stores *store.Set       // nil when there are none
	asked  bool             // greylisting was asked at DATA
	grey   greylist.Verdict // what it said then

	evidence *evidence // for signatures; nil when there was none to gather
}

// view returns the stores for a new message.
func (env *Env) view() view {
	v := view{budget: store.NewBudget(store.Transaction, env.Now)}
	if env.Stores != nil {
		v.stores = v.budget.OnSet(env.Stores)
	}
	return v
}

// thread asks what a message of a stranger has to do with our users' mail.
func (f *Filter) thread(ctx context.Context, st *store.Set, e *mail.Envelope, m *mail.Message) mail.Thread {
	if f.rules.Replies == nil {
		return mail.Thread{}
	}
	return f.rules.Replies.Lookup(ctx, st, e, m)
}

// skipped returns the symbols that don't count for a recognised reply.
func skipped(rules *Rules) map[string]bool {
	if len(rules.ReplySkip) == 0 {
		return nil
	}
	off := map[string]bool{}
	for _, l := range rules.Scanner.Symbols() {
		if slices.Contains(rules.ReplySkip, l.Check) || slices.Contains(rules.ReplySkip, l.Symbol.Group) {
			off[l.Symbol.Name] = true
		}
	}
	return off
}

// withoutSkipped takes off what doesn't count for a recognised reply.
func (f *Filter) withoutSkipped(r *scan.Report) {
	if r.Reply == mail.Reply && len(f.replySkip) > 0 {
		r.Findings = slices.DeleteFunc(r.Findings, func(x scan.Finding) bool { return f.replySkip[x.Symbol.Name] })
	}
}

// greylist asks greylisting about a message that is doubtful. Nobody has to come again
// whose mail answers ours or returns it.
func (f *Filter) greylist(ctx context.Context, st *store.Set, e *mail.Envelope, j *judgement) (asked bool) {
	if f.rules.Greylist == nil || e.Inspect || e.RcptsCut || !j.verdict.Doubtful(e.Trust) {
		return false
	}
	if j.report.Reply == mail.Reply || e.Thread.Bounce == mail.OurBounce {
		return false
	}
	q := greylistQuery(e)
	q.Domain = j.report.Sender
	// A proof for another domain says nothing about the author that our users know.
	q.Known = e.Thread.KnownBy && within(e.Thread.Author.Domain, q.Domain)
	q.Content = &greylist.Content{Subject: j.message.Subject(), Body: j.message.Body()}
	if from := j.message.Mailboxes("From"); len(from) > 0 {
		q.Content.From = strings.Trim(from[0].Address.String(), "<>")
	}
	j.grey = f.rules.Greylist.Check(ctx, st, q)
	f.env.greylisted(&j.grey)
	return true
}

// within tells whether one of two domains is the other or lies below it.
func within(a, b string) bool {
	return a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a)
}

// greylistQuery returns what is known before the message.
func greylistQuery(e *mail.Envelope) greylist.Query {
	q := greylist.Query{Client: e.ClientIP, Hostname: e.Hostname, From: e.From.Address}
	for _, r := range e.Rcpts {
		q.Rcpts = append(q.Rcpts, r.Address)
	}
	return q
}

// greylisted counts what greylisting said.
func (env *Env) greylisted(v *greylist.Verdict) {
	switch {
	case v.Defer:
		env.Figures.Greylisted(v.State == greylist.First)
	case v.State == greylist.Passed || v.State == greylist.White:
		env.Figures.GreylistPassed(v.Waited)
	}
}

// greylistAtData asks greylisting before the message is sent, where the configuration
// wants that of every stranger's mail.
func (s *Session) greylistAtData(ctx context.Context, t *transaction) milter.Reply {
	f := t.filter
	if f.rules.Greylist == nil || bool(f.conf.SpamdGreylist) || t.env.Trust != mail.Stranger || t.env.RcptsCut {
		return milter.Reply{}
	}
	t.asked = true
	t.grey = f.rules.Greylist.Check(ctx, t.stores, greylistQuery(&t.env))
	s.env.greylisted(&t.grey)
	if !t.grey.Defer || bool(f.conf.DryRun) {
		return milter.Reply{}
	}
	r := f.policy.ComeAgain(t.env.ID, t.grey.Text)
	return milter.Reply{Action: milter.Respond, Code: r.Code, Enhanced: r.Enhanced, Text: r.Text}
}

// verdictOf returns what policy wants to know of greylisting; nil when it wasn't asked.
func verdictOf(v *greylist.Verdict) *policy.Greylist {
	switch v.State {
	case greylist.Off, greylist.Exempt, greylist.NoStore:
		if v.Header == "" {
			return nil
		}
	}
	return &policy.Greylist{Defer: v.Defer, Text: v.Text, Header: v.Header}
}

// remember keeps of a message of ours that was accepted what its answers will be known
// by.
func (f *Filter) remember(r *Result) {
	switch {
	case f.rules.Replies == nil:
	case r.Envelope.Trust.Ours() && r.Message == nil: // it could not be judged
		f.rules.Replies.Missed()
	case r.Message == nil:
	case r.Envelope.Trust.Ours():
		sent := f.rules.Replies.Sent(&r.Envelope, r.Message)
		named := r.MessageID != ""
		taken := f.env.Errands.Do(func(ctx context.Context) {
			if f.rules.Replies.Remember(ctx, f.env.Stores, sent) == nil && named {
				f.env.Figures.Remembered()
			}
		})
		if !taken {
			f.rules.Replies.Missed()
		}
	case r.Envelope.Trust == mail.Stranger && r.Verdict.Action == scan.NoAction && r.Report != nil:
		thread := r.Envelope.Thread
		// Texts of its own, so that what waits doesn't hold whole headers in memory.
		thread.ID, thread.Author = "", mail.Address{Local: strings.Clone(thread.Author.Local), Domain: strings.Clone(thread.Author.Domain)}
		f.env.Errands.Do(func(ctx context.Context) { _ = f.rules.Replies.Saw(ctx, f.env.Stores, thread) })
	}
}

// noStoreFlag says in the log line that a store could not be asked, so that greylisting,
// limits or replies have no say.
const noStoreFlag = "no_store"

// afterwards is what an answered message leaves behind, out of the MTA's way.
func (f *Filter) afterwards(r *Result) {
	if r.Envelope.Inspect {
		return
	}
	if r.Report != nil && r.Report.Reply == mail.Reply {
		f.env.Figures.Recognised()
	}
	f.countDMARC(r)
	if r.Reply.Action != milter.Respond {
		f.remember(r)
	}
	f.publish(r)
}

// rowLife is how long what an aggregate report of DMARC needs is kept: a report covers a
// day and may be late.
const rowLife = 72 * time.Hour

// countDMARC counts a message for the report of its domain.
func (f *Filter) countDMARC(r *Result) {
	if r.Report == nil || r.Report.DMARC == nil || f.env.Stores == nil || r.Verdict.DryRun {
		return
	}
	row := []byte(r.Report.DMARC.Key())
	sum := sha256.Sum256(row)
	id := f.env.Now().UTC().Format(time.DateOnly) + "." + hex.EncodeToString(sum[:16])
	f.env.Errands.Do(func(ctx context.Context) {
		st := f.env.Stores.Main
		counts, err := st.Add(ctx, store.Increment{Key: "dmarc.count." + id, By: 1, Lifetime: rowLife})
		if err == nil && counts[0] == 1 { // the first of its kind today
			_, _ = st.Put(ctx, store.Change{Key: "dmarc.row." + id, Value: row, Lifetime: rowLife, Volatile: true})
		}
	})
}
