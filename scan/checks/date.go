package checks

import (
	"context"
	"fmt"
	"time"

	"rmilter/scan"
)

var (
	invalidDate  = symbol("INVALID_DATE", 1.5, "headers", "The Date field is no date as mail has it.")
	dateInFuture = symbol("DATE_IN_FUTURE", 4, "headers", "The Date field is more than two hours ahead of the time at which the message came.")
	dateInPast   = symbol("DATE_IN_PAST", 1, "headers", "The Date field is more than a day behind the time at which the message came.")
)

// How far a date may be from the time at which the message came.
const (
	futureLimit = 2 * time.Hour
	pastLimit   = 24 * time.Hour
)

// Date compares the date of a message with the time at which it came. It says nothing
// about the mail of our own users, whose laptops were off or have clocks of their own.
var Date = &scan.Spec[struct{}, struct{}]{
	Name:    "date",
	Doc:     "The Date field against the time at which the message came.",
	Symbols: []*scan.Symbol{invalidDate, dateInFuture, dateInPast},
	New: func(_ struct{}, env scan.Env) (scan.Runner[struct{}], error) {
		return scan.RunnerFunc[struct{}](func(_ context.Context, p *scan.Pass) (struct{}, error) {
			runDate(p, env.Now)
			return struct{}{}, nil
		}), nil
	},
}

func runDate(p *scan.Pass, now func() time.Time) {
	f, ok := p.Message.Header().Field("Date")
	if !ok || p.Envelope.Trust.Ours() || f.Value() == "" {
		return // see HeaderMissing
	}
	date, _, err := p.Message.Date()
	if err != nil {
		p.Report(invalidDate, shown(f.Value()))
		return
	}
	came, old := arrival(p, now)
	if ahead := date.Sub(came); ahead > futureLimit {
		p.Report(dateInFuture, hours(ahead))
	}
	if behind := came.Sub(date); behind > pastLimit && !old {
		p.Report(dateInPast, hours(behind))
	}
}

// arrival returns when the message came to our site. One that is only inspected may
// have come long ago: its topmost Received field tells, and without one it is old.
func arrival(p *scan.Pass, now func() time.Time) (came time.Time, old bool) {
	if p.Envelope.Inspect {
		if hops := p.Message.Received(); len(hops) > 0 && !hops[0].Date.IsZero() {
			return hops[0].Date, false
		}
		return now(), true
	}
	if !p.Envelope.Time.IsZero() {
		return p.Envelope.Time, false
	}
	return now(), false
}

// hours writes a time span for people.
func hours(d time.Duration) string { return fmt.Sprintf("%dh", int64(d/time.Hour)) }
