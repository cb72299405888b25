package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/policy"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// load reads a configuration of weights and composites.
func load(t *testing.T, text string) func(*scan.Config) {
	return func(c *scan.Config) {
		var l ucl.Loader
		ucl.Decode(l.ReadText("a.conf", text), &ucl.Section{Sections: c.Sections()[1:]}, &l.Diagnostics)
		if err := l.Diagnostics.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestExplanation is about a message with all that there may be.
func TestExplanation(t *testing.T) {
	r := sampled(t, func(r *rig) {
		r.pol.Blocks = []*policy.Block{vip()}
		r.conf.OurNetworks = ucl.MustNetworks("192.0.2.0/24")
		r.conf.Whitelist = ucl.MustRecipients("postmaster")
		r.set = load(t, `composite "BOTH" { expression = "ONE & FIVE"; score = 3; description = "Both at once."; }`)
	})
	got := r.check("Subject: =?utf-8?q?h=C3=A9?=\n\nreport: ONE x\nreport: FIVE\nreport: SIX y\n", "Flags", "explain",
		"Rcpt", "alice@example.com, bob@example.com, vip@example.com, postmaster@example.com", "Ip", "203.0.113.7", "From", "joe@sender.example")
	if len(got.Symbols) != 2 || got.Score != 9 {
		t.Errorf("symbols: %v, score %v; want BOTH and SIX with 9", got.Symbols, got.Score)
	}
	x := got.Explanation
	if x == nil {
		t.Fatal("no explanation")
	}
	for i := range x.Checks {
		x.Checks[i].Time = 0
	}
	settings := func(name string, skip, counts bool, add, reject float64, action string, rcpts ...string) ShareOf {
		return ShareOf{Name: name, Recipients: rcpts, Count: len(rcpts), Skip: skip, Thresholds: map[string]float64{"greylist": 4, "add header": add, "reject": reject},
			Score: 9, Action: action, Counts: counts}
	}
	vips := settings("vip", false, true, 1, 100, "add header", "<vip@example.com>")
	delete(vips.Thresholds, "greylist")
	want := &Explanation{
		ID: "0123456789", Size: 71, Trust: "-", IP: "203.0.113.7", From: "<joe@sender.example>", Subject: "hé",
		Rows: []Row{
			{Symbol: "ONE", Score: 0, Full: 1, Metric: 1, RemovedBy: "BOTH", Hidden: true, Group: "small", Check: "sample", Description: "The sentence of ONE.", Options: []string{"x"}},
			{Symbol: "FIVE", Score: 0, Full: 5, Metric: 5, RemovedBy: "BOTH", Hidden: true, Group: "subject", Check: "sample", Description: "The sentence of FIVE."},
			{Symbol: "SIX", Score: 6, Full: 6, Metric: 6, Group: "subject", Check: "sample", Description: "The sentence of SIX.", Options: []string{"y"}},
			{Symbol: "BOTH", Score: 3, Full: 3, Metric: 3, Group: "composite", Description: "Both at once.", Options: []string{"ONE", "FIVE"}},
		},
		Shares: []ShareOf{
			settings("default", false, true, 6, 15, "add header", "<alice@example.com>", "<bob@example.com>"),
			vips,
			settings("default", true, false, 6, 15, "no action", "<postmaster@example.com>"),
		},
		Edits:   []HeaderEdit{{Op: "add", Name: "X-Spam", Value: "yes"}},
		Missing: []string{"the client's name", "the HELO"},
		Checks:  []CheckResult{{Name: "sample"}},
	}
	want.Shares[1].Counts = false
	want.Shares[2].Score = 0
	if diff := cmp.Diff(want, x); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	x = r.check("\nreport: SIX\n", "Flags", "explain", "Ip", "192.0.2.1", "Hostname", "pc.example.com", "Helo", "pc", "From", "<>").Explanation
	if x.Skipped != "ours" || x.Trust != "net" || x.Softened != "add header" || len(x.Rows) != 1 {
		t.Errorf("ours, inspected: got %+v", x)
	}
	if diff := cmp.Diff([]string{"the recipients"}, x.Missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	x = r.check("\nfail: sulking\n", "Flags", "explain").Explanation
	if len(x.Checks) != 1 || x.Checks[0].Failed != "sulking" || x.Rows == nil {
		t.Errorf("a failed check: got %+v", x)
	}
}

// TestExplainedDemand forces an action.
func TestExplainedDemand(t *testing.T) {
	r := build(t, nil)
	x := r.check(clean+testString("X"), "Flags", "explain").Explanation
	if diff := cmp.Diff(&Demand{"reject", "gtube", "Gtube pattern"}, x.Passthrough); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if x.Reply != "554 5.7.1 Gtube pattern [0123456789]" || x.Softened != "" {
		t.Errorf("got reply %q, softened %q", x.Reply, x.Softened)
	}
}
