package filter

import (
	"context"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/policy"
	"rmilter/milter"
	"rmilter/scan"
)

// judge asks the Filter, and does without it when there is nothing to judge, when it
// panics or takes too long, or when the process must end.
func (s *Session) judge(ctx context.Context, t *transaction, r *Result) judgement {
	raw, err := t.contents()
	if err != nil {
		s.env.Log.Error("message not kept", "id", t.env.ID, "reason", err.Error())
		r.Flags = append(r.Flags, "spool")
		return t.filter.unkept(&t.env, err)
	}
	j, e, ok := s.bounded(ctx, t, raw)
	switch {
	case ctx.Err() != nil && t.env.Trust != mail.Local && t.env.Trust != mail.TrustedRelay:
		// The MTA has been told so already, or the connection is closed: the account
		// must not say otherwise.
		r.Flags = append(r.Flags, "shutdown")
		again := s.restarting(t.env.ID)
		return judgement{verdict: policy.Verdict{Action: scan.SoftReject,
			Reply: policy.Reply{Code: again.Code, Enhanced: again.Enhanced, Text: again.Text}}}
	case !ok:
		r.Flags = append(r.Flags, "failed")
		return t.filter.broken(&t.env)
	}
	t.env = e
	if j.report != nil && j.report.Late() != nil { // a check that was given up still reads it
		buf := t.buf
		t.buf = nil
		go func() { <-j.report.Late(); buf.Close() }()
	}
	return j
}

// contents returns what was kept of the message.
func (t *transaction) contents() ([]byte, error) {
	if t.spoolErr != nil {
		return nil, t.spoolErr
	}
	return t.buf.Bytes()
}

// bounded runs the Filter until env.HardEnd at the latest; false means that there is
// no judgement. A Filter that doesn't come back keeps the message until it does.
func (s *Session) bounded(ctx context.Context, t *transaction, raw []byte) (judgement, mail.Envelope, bool) {
	type outcome struct {
		j  judgement
		e  mail.Envelope
		ok bool
	}
	grace := s.env.HardEnd / 10 // for checks to end after their time is over
	ctx, cancel := context.WithTimeout(ctx, s.env.HardEnd-grace)
	defer cancel()
	got := make(chan outcome, 1)
	go func() {
		o := outcome{e: t.env}
		o.j, o.ok = t.filter.guarded(ctx, &o.e, raw, nil, t.view)
		got <- o
	}()
	select {
	case o := <-got:
		return o.j, o.e, o.ok
	case <-ctx.Done():
	}
	select {
	case o := <-got:
		return o.j, o.e, o.ok
	case <-time.After(grace):
	}
	s.env.Figures.DeadlineHit()
	s.env.Log.Error("message not judged in time", "id", t.env.ID, "after", s.env.HardEnd.String())
	buf := t.buf
	t.buf = nil
	go func() { <-got; buf.Close() }()
	return judgement{}, mail.Envelope{}, false
}

// answer renders a verdict for the MTA.
func answer(v policy.Verdict) milter.Answer {
	switch {
	case v.Reply.Code != 0:
		return milter.Answer{Reply: milter.Reply{Action: milter.Respond,
			Code: v.Reply.Code, Enhanced: v.Reply.Enhanced, Text: v.Reply.Text}}
	case v.Discard:
		return milter.Answer{Reply: milter.Reply{Action: milter.Discard}}
	}
	ops := map[policy.EditKind]milter.Op{
		policy.DeleteHeader: milter.DeleteHeader,
		policy.ChangeHeader: milter.ChangeHeader,
		policy.AddHeader:    milter.AddHeader,
		policy.InsertHeader: milter.InsertHeader,
		policy.AddRcpt:      milter.AddRcpt,
		policy.Quarantine:   milter.Quarantine,
	}
	var a milter.Answer
	for _, e := range v.Edits {
		a.Edits = append(a.Edits, milter.Edit{Op: ops[e.Kind], Index: e.Index, Name: e.Name, Value: e.Value})
	}
	return a
}
