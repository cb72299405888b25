package filter

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"rmilter/greylist"
	"rmilter/internal/mail"
	"rmilter/internal/policy"
	"rmilter/scan"
)

// An Inquiry is a message that came by another way than milter, with what its sender
// tells of it.
type Inquiry struct {
	// Envelope is what is known of the envelope; ID, Time and Trust are set by Check.
	// With Inspect the message is scanned whoever sent it, and neither counted nor
	// logged as mail.
	Envelope mail.Envelope
	NRcpt    int    // recipients, also those that Envelope lacks as there were too many
	Raw      []byte // the message
	// Settings are those that count in place of the recipients'; nil for none.
	Settings *policy.Settings
	NoLog    bool // see Result
	Explain  bool // fill in Result.Shares
}

// A Share is a message as some of its recipients would have it if they were alone.
type Share struct {
	Settings policy.Settings // theirs
	Rcpts    []mail.Path     // those that are kept of them
	Verdict  policy.Verdict
}

// Check judges a message that came by another way than milter. It returns when ctx
// ends or the time for a message is over; what was not found out until then is in the
// report. The message must stay as it is until the report's Late. An error says that
// there is no judgement.
func (f *Filter) Check(ctx context.Context, q Inquiry) (*Result, error) {
	start := f.env.Now()
	e, raw := &q.Envelope, q.Raw
	e.ID, e.Time = f.env.NewID(), start
	e.Hostname = hostname(e.Hostname)
	e.Trust = f.trustAddr(e.ClientIP, e.User, e.DaemonName)
	r := &Result{NRcpt: max(q.NRcpt, len(e.Rcpts)), Size: int64(len(raw)), NoLog: q.NoLog}
	if int64(len(raw)) > f.SizeLimit() && !e.Inspect {
		raw = raw[:min(len(raw), headSize)]
		r.Flags = append(r.Flags, "oversize")
	}
	var settings []policy.Settings
	if q.Settings != nil {
		settings = []policy.Settings{*q.Settings}
	}
	ctx, cancel := context.WithTimeout(ctx, f.env.HardEnd)
	defer cancel()
	j, ok := f.guarded(ctx, e, raw, settings, f.env.view())
	if !ok {
		return nil, fmt.Errorf("the message could not be judged; the log has the reason under %s", e.ID)
	}
	r.take(e, j)
	if q.Explain {
		r.Shares = f.shares(e, &j, settings)
	}
	r.Took = f.env.Now().Sub(start)
	if !e.Inspect {
		r.Reply = answer(j.verdict).Reply
		f.env.Figures.Message(r.Verdict.Action.String(), e.Trust.Ours())
		f.afterwards(r)
		f.env.Done(r)
	}
	return r, nil
}

// guarded judges a message; false means that it panicked, which is counted and logged.
func (f *Filter) guarded(ctx context.Context, e *mail.Envelope, raw []byte, settings []policy.Settings, v view) (j judgement, ok bool) {
	// A disk that fails under a mapped spool file is a panic then, and no more.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			f.env.Figures.Panicked()
			f.env.Log.Error("panic while judging a message", "id", e.ID, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	return f.judge(ctx, e, raw, settings, v), true
}

// take notes what came of a message.
func (r *Result) take(e *mail.Envelope, j judgement) {
	r.Skipped = j.skipped
	if j.skipped != "" && !e.Inspect {
		r.Flags = append(r.Flags, j.skipped)
	}
	if j.noStore != nil && !slices.Contains(r.Flags, noStoreFlag) {
		r.Flags = append(r.Flags, noStoreFlag)
	}
	if j.grey != (greylist.Verdict{}) {
		r.Greylist = j.grey
	}
	r.Envelope, r.Message, r.Report, r.Verdict = *e, j.message, j.report, j.verdict
	if j.message != nil {
		r.MessageID = strings.TrimSpace(j.message.Header().Get("Message-ID"))
	}
}

// shares tells what each of the distinct settings leads to.
func (f *Filter) shares(e *mail.Envelope, j *judgement, settings []policy.Settings) []Share {
	var all []Share
	for _, rcpt := range e.Rcpts {
		if settings != nil {
			break
		}
		s := f.settings(rcpt.Address)
		i := slices.IndexFunc(all, func(t Share) bool { return t.Settings.Name == s.Name && t.Settings.Same(&s) })
		if i < 0 {
			i = len(all)
			all = append(all, Share{Settings: s})
		}
		all[i].Rcpts = append(all[i].Rcpts, rcpt)
	}
	if all == nil {
		if settings == nil {
			settings = f.distinct(nil)
		}
		all = []Share{{Settings: settings[0], Rcpts: e.Rcpts}}
	}
	for i := range all {
		all[i].Verdict = f.decide(e, j, []policy.Settings{all[i].Settings})
	}
	return all
}

// Named returns the settings of a settings block, or the usual ones under the name
// policy.DefaultSettings; false when there is no block of that name.
func (f *Filter) Named(name string) (*policy.Settings, bool) { return f.book.Named(name) }

// Mailbox returns the settings of a mailbox, as they are for a recipient.
func (f *Filter) Mailbox(a mail.Address) policy.Settings { return f.settings(a) }

// Symbols returns the symbols that a message may get.
func (f *Filter) Symbols() []scan.Listing { return f.scanner.Symbols() }

// Refresh has the checks read the administrator's files that have changed: rules and
// lists. With an error they go on with what they had.
func (f *Filter) Refresh() error { return f.scanner.Refresh() }

// Thresholds returns the scores from which an action is taken for recipients without
// settings of their own.
func (f *Filter) Thresholds() scan.Thresholds { return f.book.For("", "").Thresholds }

// DryRun tells whether nothing is carried out.
func (f *Filter) DryRun() bool { return bool(f.conf.DryRun) }
