package checks

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
	"rmilter/scan"
)

// pattern returns the test string with this first letter.
func pattern(letter string) string { return letter + gtubeTail }

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
		return &scan.Passthrough{Action: a, Source: "gtube", Message: text, AtLeast: true}
	}
	forced := &scan.Passthrough{Action: scan.NoAction, Source: "gtube"}
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
		{"no action, user", AllPatterns, mail.Authenticated, pattern("A"), "no action", forced},
		{"no action, local", AllPatterns, mail.Local, pattern("A"), "no action", forced},
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
			r := scanWith(t, "gtube_patterns = "+string(c.p), &mail.Envelope{Trust: c.trust}, message(c.body), GTUBE)
			if d := cmp.Diff(c.want, r.Passthrough); d != "" {
				t.Errorf("passthrough (-want +got):\n%s", d)
			}
			want := ""
			if c.details != "" {
				want = "GTUBE{" + c.details + "}"
			}
			if got := findings(r); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
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
