package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"rmilter/internal/filter"
	"rmilter/internal/mail"
	"rmilter/internal/metrics"
	"rmilter/internal/policy"
	"rmilter/scan"
)

// A refresher is a Scanner whose files have faults.
type refresher struct{ err error }

func (*refresher) Scan(context.Context, *mail.Envelope, *mail.Message, scan.Aids) *scan.Report {
	return &scan.Report{}
}
func (*refresher) Weights() *scan.Weights  { return nil }
func (*refresher) Symbols() []scan.Listing { return nil }
func (r *refresher) Refresh() error        { return r.err }

// TestCheckFiles wants one problem for bad rules or lists, a line in the log for each new
// fault, and another when they are mended.
func TestCheckFiles(t *testing.T) {
	var log bytes.Buffer
	r := &refresher{}
	d := &daemon{log: slog.New(slog.NewTextHandler(&log, nil)), figures: metrics.New(time.Now)}
	d.filter.Store(filter.New(filter.DefaultConfig(), policy.DefaultConfig(), filter.Rules{Scanner: r}, &filter.Env{}))
	for i, s := range []struct {
		err      error
		problem  string
		logLines int // so far
	}{
		{nil, "", 0},
		{errors.New("section rules: /etc/a.conf:3:1: bad\n    bad line"), "section rules: /etc/a.conf:3:1: bad", 1},
		{errors.New("section rules: /etc/a.conf:3:1: bad\n    bad line"), "section rules: /etc/a.conf:3:1: bad", 1},
		{errors.New("section rules: /etc/a.conf:4:1: bad"), "section rules: /etc/a.conf:4:1: bad", 2},
		{errors.New("section rules: /etc/a.conf:4:1: bad\nsection lists: /b.list:1: bad"), "section rules: /etc/a.conf:4:1: bad (and 1 more, see the log)", 3},
		{nil, "", 4},
		{nil, "", 4},
	} {
		r.err = s.err
		d.checkFiles()
		problem := ""
		for _, p := range d.figures.Snapshot().Problems {
			problem += p.Text
		}
		if lines := strings.Count(log.String(), "\n"); problem != s.problem || lines != s.logLines {
			t.Errorf("step %d: got the problem %q and %d lines in the log, want %q and %d", i, problem, lines, s.problem, s.logLines)
		}
	}
}
