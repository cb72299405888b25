package checks

import (
	"context"
	"runtime/debug"
	"time"

	"rmilter/internal/mail"
	"rmilter/scan"
)

// A Scanner runs the checks. It is a scan.Scanner and safe for concurrent use.
type Scanner struct {
	now    func() time.Time
	checks []check
}

// A check adds what it finds to the report.
type check struct {
	name string
	run  func(context.Context, *mail.Envelope, *mail.Message, *scan.Report) error
}

// NewScanner returns a Scanner with the test strings given; now is its clock.
func NewScanner(p Patterns, now func() time.Time) *Scanner {
	return &Scanner{now: now, checks: []check{{gtubeName, func(_ context.Context, e *mail.Envelope, m *mail.Message, r *scan.Report) error {
		gtube(p, e, m, r)
		return nil
	}}}}
}

// Scan runs all checks in order. What a check that fails has found is dropped; it is
// listed in Failed, with a *scan.PanicError if it panicked, and so are the checks that
// ctx left no time for.
func (s *Scanner) Scan(ctx context.Context, e *mail.Envelope, m *mail.Message) *scan.Report {
	start := s.now()
	r := &scan.Report{}
	for _, c := range s.checks {
		part := &scan.Report{}
		err := ctx.Err()
		if err == nil {
			err = guarded(ctx, c, e, m, part)
		}
		if err != nil {
			if r.Failed == nil {
				r.Failed = make(map[string]error)
			}
			r.Failed[c.name] = err
			continue
		}
		r.Findings = append(r.Findings, part.Findings...)
		if p := part.Passthrough; p != nil && (r.Passthrough == nil || p.Action > r.Passthrough.Action) {
			r.Passthrough = p
		}
	}
	r.Took = s.now().Sub(start)
	return r
}

// guarded runs one check and turns its panic into an error.
func guarded(ctx context.Context, c check, e *mail.Envelope, m *mail.Message, r *scan.Report) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &scan.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return c.run(ctx, e, m, r)
}
