package scan_test

import (
	"errors"
	"math"
	"testing"

	"rmilter/scan"
)

func TestThresholdsAction(t *testing.T) {
	usual := scan.Thresholds{scan.Greylist: 4, scan.AddHeader: 6, scan.RewriteSubject: math.NaN(), scan.Reject: 15}
	for _, c := range []struct {
		ts    scan.Thresholds
		score float64
		want  scan.Action
	}{
		{usual, -3, scan.NoAction},
		{usual, 3.99, scan.NoAction},
		{usual, 4, scan.Greylist},
		{usual, 6, scan.AddHeader},
		{usual, 14.99, scan.AddHeader},
		{usual, 15, scan.Reject},
		{usual, math.Inf(1), scan.Reject},
		{usual, math.NaN(), scan.NoAction},
		{nil, 1000, scan.NoAction},
		// A threshold out of order counts as it stands.
		{scan.Thresholds{scan.AddHeader: 6, scan.Reject: 5}, 5, scan.Reject},
		{scan.Thresholds{scan.AddHeader: -1}, 0, scan.AddHeader},
	} {
		if got := c.ts.Action(c.score); got != c.want {
			t.Errorf("%v at %v: got %v, want %v", c.ts, c.score, got, c.want)
		}
	}
}

func TestActionString(t *testing.T) {
	for a, want := range map[scan.Action]string{
		scan.NoAction: "no action", scan.Greylist: "greylist", scan.AddHeader: "add header",
		scan.RewriteSubject: "rewrite subject", scan.Quarantine: "quarantine",
		scan.SoftReject: "soft reject", scan.Reject: "reject", scan.Discard: "discard",
		200: "unknown action",
	} {
		if got := a.String(); got != want {
			t.Errorf("action %d: got %q, want %q", a, got, want)
		}
	}
}

func TestPanicError(t *testing.T) {
	var err error = &scan.PanicError{Value: "boom", Stack: []byte("stack")}
	if got, want := err.Error(), "panic: boom"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var p *scan.PanicError
	if !errors.As(err, &p) || string(p.Stack) != "stack" {
		t.Errorf("stack: got %+v", p)
	}
}
