package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
	"rmilter/internal/policy"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// rewrite returns the header after the subject was rewritten.
func rewrite(template string, score float64, subjects ...string) (mail.Header, []policy.Edit) {
	c := policy.DefaultConfig()
	if template != "" {
		c.Subject = ucl.String(template)
	}
	c.SpamAddHeader = false
	f := demanded(scan.RewriteSubject, mail.Stranger)
	f.Report.Findings = []scan.Finding{{Symbol: &scan.Symbol{Name: "TEST", Score: score}, Strength: 1}}
	f.Header = nil
	for _, s := range subjects {
		f.Header = append(f.Header, mail.Field{Name: "Subject", Raw: s})
	}
	edits := policy.Decide(&c, f).Edits
	return policy.Apply(f.Header, edits), edits
}

func TestSubject(t *testing.T) {
	for _, c := range []struct {
		name, template, old string
		want                string // the value
		shown               string // what a reader sees
	}{
		{"plain", "", " hello", "***SPAM*** hello", "***SPAM*** hello"},
		{"no leading space", "", "hello", "***SPAM*** hello", "***SPAM*** hello"},
		{"empty", "", "", "***SPAM***", "***SPAM***"},
		{"blank", "", " \r\n\t ", "***SPAM***", "***SPAM***"},
		{"encoded", "", " =?utf-8?q?caf=C3=A9?=", "***SPAM*** =?utf-8?q?caf=C3=A9?=", "***SPAM*** café"},
		{"Japanese, folded", "", " =?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?=\r\n =?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?=", "***SPAM*** =?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?=\n =?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?=", "***SPAM*** テストテスト"},
		{"emoji raw", "", " 🎁 for you", "***SPAM*** 🎁 for you", "***SPAM*** 🎁 for you"},
		{"8-bit raw", "", " caf\xe9", "***SPAM*** caf\xe9", "***SPAM*** café"},
		{"folded lf", "", " one\n two\n\tthree", "***SPAM*** one\n two\n\tthree", "***SPAM*** one two\tthree"},
		{"fold first", "", "\r\n one\r\n two", "***SPAM*** one\n two", "***SPAM*** one two"},
		{"no gap, plain", "[SPAM]%s", " hello", "[SPAM]hello", "[SPAM]hello"},
		{"no gap, encoded", "[SPAM]%s", " =?utf-8?q?caf=C3=A9?=", "[SPAM] =?utf-8?q?caf=C3=A9?=", "[SPAM] café"},
		{"suffix", "%s (spam)", " =?utf-8?q?caf=C3=A9?=", "=?utf-8?q?caf=C3=A9?= (spam)", "café (spam)"},
		{"suffix, no gap", "%s(spam)", " =?utf-8?q?caf=C3=A9?=", "=?utf-8?q?caf=C3=A9?= (spam)", "café (spam)"},
		{"score", "[%d] %s", " hello", "[7.50] hello", "[7.50] hello"},
		{"percent", "100%% %s %x", " hello", "100% hello %x", "100% hello %x"},
		{"percent last", "%s 5%", " hello", "hello 5%", "hello 5%"},
		{"twice", "%s / %s", " hello", "hello / hello", "hello / hello"},
		{"without the old", "spam", " hello", "spam", "spam"},
		{"other script, plain", "⚠ spam: %s", " hello", "=?utf-8?b?4pqgIHNwYW06?= hello", "⚠ spam: hello"},
		{"other script, encoded", "⚠ spam: %s", " =?utf-8?q?caf=C3=A9?=", "=?utf-8?q?=E2=9A=A0_spam:_?=\n =?utf-8?q?caf=C3=A9?=", "⚠ spam: café"},
		{"other script, encoded, no gap", "⚠%s", " =?utf-8?q?caf=C3=A9?=", "=?utf-8?b?4pqg?=\n =?utf-8?q?caf=C3=A9?=", "⚠café"},
		{"other script behind", "%s ⚠", " =?utf-8?q?caf=C3=A9?=", "=?utf-8?q?caf=C3=A9?=\n =?utf-8?b?IOKaoA==?=", "café ⚠"},
		{"other script, raw", "⚠ %s", " 🎁", "=?utf-8?b?4pqg?= 🎁", "⚠ 🎁"},
		{"other script alone", "⚠ спам %s", "", "=?utf-8?b?4pqgINGB0L/QsNC8?=", "⚠ спам"},
		{"around", "⚠ %s ⚠", " =?utf-8?q?caf=C3=A9?=", "=?utf-8?b?4pqgIA==?=\n =?utf-8?q?caf=C3=A9?=\n =?utf-8?b?IOKaoA==?=", "⚠ café ⚠"},
		{"control in the template", "a\r\nX-Evil: b %s", " hello", "a  X-Evil: b hello", "a  X-Evil: b hello"},
		{"bare lf", "", " a\nX-Evil: 1", "***SPAM*** a\n X-Evil: 1", "***SPAM*** a X-Evil: 1"},
		{"bare cr and nul", "", " a\rb\x00c", "***SPAM*** a b c", "***SPAM*** a b c"},
		{"tag not at the start", "", " Re: ***SPAM*** hello", "***SPAM*** Re: ***SPAM*** hello", "***SPAM*** Re: ***SPAM*** hello"},
		{"list with a bracket", "[%d] %s", " [list] hello", "[7.50] [list] hello", "[7.50] [list] hello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, edits := rewrite(c.template, 7.5, c.old)
			if len(edits) != 1 || edits[0].Kind != policy.ChangeHeader || edits[0].Index != 1 || edits[0].Value != c.want {
				t.Errorf("edits: got %+v, want %q", edits, c.want)
			}
			if got := h[0].Text(); got != c.shown {
				t.Errorf("shown: got %q, want %q", got, c.shown)
			}
		})
	}
}

func TestSubjectAbsent(t *testing.T) {
	_, got := rewrite("", 0)
	want := []policy.Edit{{Kind: policy.AddHeader, Name: "Subject", Value: "***SPAM***"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	// An empty value would delete the field.
	if _, got := rewrite("%s", 0, ""); got != nil {
		t.Errorf("empty value: got %+v", got)
	}
	if _, got := rewrite("\t ", 0, "hello"); got != nil {
		t.Errorf("blank template: got %+v", got)
	}
	if _, got := rewrite("%s", 0); got != nil {
		t.Errorf("empty value, absent: got %+v", got)
	}
}

func TestSubjectSeveral(t *testing.T) {
	_, got := rewrite("", 0, " one", " ***SPAM*** two", " =?utf-8?q?***SPAM***_three?=", "four")
	want := []policy.Edit{
		{Kind: policy.ChangeHeader, Index: 1, Name: "Subject", Value: "***SPAM*** one"},
		{Kind: policy.ChangeHeader, Index: 4, Name: "Subject", Value: "***SPAM*** four"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A subject that was rewritten once is left alone the second time, whatever the
// template and the score.
func TestSubjectTwice(t *testing.T) {
	for _, template := range []string{"***SPAM*** %s", "⚠ спам %s", "[SPAM %d] %s", "%s ⚠", "%s [spam]"} {
		for _, old := range []string{" hello", "", " =?utf-8?q?caf=C3=A9?=", " 🎁"} {
			h, _ := rewrite(template, 7.5, old)
			_, again := rewrite(template, 9, h[0].Raw)
			if again != nil {
				t.Errorf("template %q, old %q: got %+v", template, old, again)
			}
		}
	}
}

func TestSubjectLong(t *testing.T) {
	word := "=?utf-8?q?" + strings.Repeat("=C3=A9", 400) + "?="
	for _, c := range []struct{ name, old, shown string }{
		{"words", " " + strings.TrimSpace(strings.Repeat("word ", 1000)), "***SPAM*** " + strings.TrimSpace(strings.Repeat("word ", 1000))},
		{"just fits", " " + strings.Repeat("x", 970), "***SPAM*** " + strings.Repeat("x", 970)},
		{"needs a fold", " " + strings.Repeat("x", 980), "***SPAM*** " + strings.Repeat("x", 980)},
		{"encoded word", " " + word, "***SPAM*** " + strings.Repeat("é", 400)},
		{"spaces", " a" + strings.Repeat(" ", 3000) + "\r\n" + strings.Repeat("\t", 2000) + "\n b", "***SPAM*** a b"},
		{"no space", " " + strings.Repeat("é", 1000), ""},
		{"8-bit", " " + strings.Repeat("\xe9", 3000), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, edits := rewrite("", 0, c.old)
			lines := strings.Split("Subject: "+edits[0].Value, "\n")
			for i, l := range lines {
				if len(l) > 998 || strings.TrimSpace(l) == "" || i > 0 && l[0] != ' ' && l[0] != '\t' {
					t.Errorf("line %d of %d bytes: %.40q", i, len(l), l)
				}
			}
			if got := h[0].Text(); c.shown != "" && got != c.shown {
				t.Errorf("shown: got %.200q, want %.200q", got, c.shown)
			}
			if got, want := strings.Count(h[0].Text(), "é"), strings.Count(mail.DecodeText(c.old), "é"); got != want {
				t.Errorf("characters: got %d, want %d", got, want)
			}
		})
	}
}
