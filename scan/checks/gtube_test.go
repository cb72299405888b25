package checks

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
	"rmilter/scan"
)

// pattern returns the test string with this first letter.
func pattern(letter string) string { return letter + gtubeTail }

func frozen() time.Time { return time.Unix(1_800_000_000, 0) }

func message(body string) *mail.Message {
	return mail.Parse([]byte("Subject: "+pattern("X")+"\r\n\r\n"+body), mail.DefaultLimits)
}

func TestPatternLength(t *testing.T) {
	if got := len(pattern("X")); got != 68 {
		t.Errorf("got %d characters, want GTUBE's 68", got)
	}
}

func TestGTUBE(t *testing.T) {
	demand := func(a scan.Action, text string) *scan.Passthrough {
		return &scan.Passthrough{Action: a, Source: "gtube", Message: text}
	}
	reject := demand(scan.Reject, "Gtube pattern")
	for _, c := range []struct {
		name    string
		p       Patterns
		trust   mail.Trust
		body    string
		details string // "" when there is no finding
		want    *scan.Passthrough
	}{
		{"reject", AllPatterns, mail.Stranger, pattern("X"), "reject", reject},
		{"add header", AllPatterns, mail.Stranger, pattern("Y"), "add header", demand(scan.AddHeader, "")},
		{"rewrite subject", AllPatterns, mail.Stranger, pattern("Z"), "rewrite subject", demand(scan.RewriteSubject, "")},
		{"soft reject", AllPatterns, mail.Stranger, pattern("S"), "soft reject", demand(scan.SoftReject, "")},
		{"greylist", AllPatterns, mail.Stranger, pattern("G"), "greylist", demand(scan.Greylist, "")},
		{"quarantine", AllPatterns, mail.Stranger, pattern("Q"), "quarantine", demand(scan.Quarantine, "")},
		{"discard", AllPatterns, mail.Stranger, pattern("D"), "discard", demand(scan.Discard, "")},
		{"no action, stranger", AllPatterns, mail.Stranger, pattern("A"), "no action", nil},
		{"no action, relay", AllPatterns, mail.TrustedRelay, pattern("A"), "no action", nil},
		{"no action, user", AllPatterns, mail.Authenticated, pattern("A"), "no action", demand(scan.NoAction, "")},
		{"no action, local", AllPatterns, mail.Local, pattern("A"), "no action", demand(scan.NoAction, "")},
		{"user", AllPatterns, mail.Authenticated, pattern("X"), "reject", reject},
		{"within a line", AllPatterns, mail.Stranger, "abc" + pattern("X") + "def\r\n", "reject", reject},
		{"far behind", AllPatterns, mail.Stranger, strings.Repeat("harmless text\r\n", 100_000) + pattern("X"), "reject", reject},
		{"several", AllPatterns, mail.Stranger, pattern("A") + "\n" + pattern("Y") + "\n" + pattern("X") + "\n" + pattern("Z"), "reject", reject},
		{"no action does not soften", AllPatterns, mail.Authenticated, pattern("A") + pattern("Y"), "add header", demand(scan.AddHeader, "")},
		{"unknown letter", AllPatterns, mail.Stranger, pattern("B"), "", nil},
		{"unknown letter first", AllPatterns, mail.Stranger, pattern("B") + " " + pattern("X"), "reject", reject},
		{"small letter", AllPatterns, mail.Stranger, pattern("x"), "", nil},
		{"no letter", AllPatterns, mail.Stranger, gtubeTail, "", nil},
		{"cut off", AllPatterns, mail.Stranger, pattern("X")[:67], "", nil},
		{"only in the header", AllPatterns, mail.Stranger, "text", "", nil},
		{"empty", AllPatterns, mail.Stranger, "", "", nil},
		{"only reject: X", RejectPattern, mail.Stranger, pattern("X"), "reject", reject},
		{"only reject: D", RejectPattern, mail.Stranger, pattern("D"), "", nil},
		{"only reject: both", RejectPattern, mail.Stranger, pattern("D") + pattern("X"), "reject", reject},
		{"disabled", NoPatterns, mail.Stranger, pattern("X"), "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := &scan.Report{Passthrough: c.want}
			if c.details != "" {
				want.Findings = []scan.Finding{{Symbol: GTUBE, Details: []string{c.details}}}
			}
			e := &mail.Envelope{Trust: c.trust}
			got := NewScanner(c.p, frozen).Scan(context.Background(), e, message(c.body))
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("report (-want +got):\n%s", d)
			}
		})
	}
}

func TestScannerFailures(t *testing.T) {
	calls := 0
	clock := func() time.Time { calls++; return frozen().Add(time.Duration(calls) * time.Second) }
	s := NewScanner(AllPatterns, clock)
	broken := errors.New("broken")
	add := func(r *scan.Report) {
		r.Findings = append(r.Findings, scan.Finding{Symbol: GTUBE, Weight: 100})
	}
	s.checks = append(s.checks,
		check{"panics", func(_ context.Context, _ *mail.Envelope, _ *mail.Message, r *scan.Report) error {
			add(r)
			panic("boom")
		}},
		check{"fails", func(_ context.Context, _ *mail.Envelope, _ *mail.Message, r *scan.Report) error {
			add(r)
			return broken
		}})
	r := s.Scan(context.Background(), &mail.Envelope{}, message(pattern("Y")))
	if r.Passthrough == nil || r.Passthrough.Action != scan.AddHeader || len(r.Findings) != 1 || r.Score() != 0 {
		t.Errorf("the check that works: got %+v", r)
	}
	var p *scan.PanicError
	if !errors.As(r.Failed["panics"], &p) || p.Value != "boom" || !bytes.Contains(p.Stack, []byte("gtube_test.go")) {
		t.Errorf("panic: got %v", r.Failed["panics"])
	}
	if got := r.Failed["fails"]; got != broken {
		t.Errorf("failure: got %v, want %v", got, broken)
	}
	if len(r.Failed) != 2 {
		t.Errorf("failed: got %v, want two", r.Failed)
	}
	if r.Took != time.Second {
		t.Errorf("took: got %v, want 1s", r.Took)
	}

	// Without an envelope the check itself panics: nothing may get out.
	r = NewScanner(AllPatterns, frozen).Scan(context.Background(), nil, message(pattern("A")))
	if !errors.As(r.Failed["gtube"], &p) {
		t.Errorf("nil envelope: got %v, want a panic in Failed", r.Failed)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r = NewScanner(AllPatterns, frozen).Scan(ctx, &mail.Envelope{}, message(pattern("X")))
	if !errors.Is(r.Failed["gtube"], context.Canceled) || r.Passthrough != nil {
		t.Errorf("no time left: got %+v", r)
	}
}

func FuzzGTUBE(f *testing.F) {
	f.Add("X", "", "D")
	f.Add("A", "text", "Q")
	f.Fuzz(func(t *testing.T, before, between, after string) {
		body := before + gtubeTail + between + gtubeTail + after
		got, found := worstPattern([]byte(body), AllPatterns)
		// The oracle: look at every position.
		want, wantFound := scan.NoAction, false
		for _, letter := range "XYZASGQD" {
			if strings.Contains(body, string(letter)+gtubeTail) {
				a, _ := gtubeAction(byte(letter))
				want, wantFound = max(want, a), true
			}
		}
		if strings.Contains(body, gtubeTail+gtubeTail) {
			return // the end of one is the letter of the next; either reading will do
		}
		if got != want || found != wantFound {
			t.Errorf("%q: got %v %t, want %v %t", body, got, found, want, wantFound)
		}
	})
}
