package mail_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
)

func TestHeader(t *testing.T) {
	h := mail.Header{
		{Name: "SUBJECT", Raw: " one\r\n\ttwo "},
		{Name: "To", Raw: " alice@example.com"},
		{Name: "Subject", Raw: " =?utf-8?Q?f=C3=BCnf?=\n =?utf-8?B?IMO8YmVy?="},
		{Name: "\u017fubject", Raw: " long s is no S to an MTA"},
	}
	if got := h.Get("subject"); got != "one\ttwo" {
		t.Errorf("Get: got %q, want %q", got, "one\ttwo")
	}
	if got := h.Get("From"); got != "" {
		t.Errorf("Get of a field that isn't there: got %q", got)
	}
	if got := h.Count("subject"); got != 2 {
		t.Errorf("Count: got %d, want 2", got)
	}
	want := []string{"one\ttwo", "=?utf-8?Q?f=C3=BCnf?= =?utf-8?B?IMO8YmVy?="}
	if d := cmp.Diff(want, h.Values("Subject")); d != "" {
		t.Errorf("Values (-want +got):\n%s", d)
	}
	if got := h[2].Text(); got != "fünf über" {
		t.Errorf("Text: got %q", got)
	}
	if got := h.Text("to"); got != "alice@example.com" {
		t.Errorf("Text: got %q", got)
	}
}

func TestDecodeText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"plain text", "plain text"},
		{"ünïcode as it is", "ünïcode as it is"},
		{"latin \xfc", "latin ü"},
		{"=?utf-8?q?caf=C3=A9_noir?=", "café noir"},
		{"=?UTF-8?B?Y2Fmw6k=?=", "café"},
		{"=?UTF-8?B?Y2Fmw6k?=", "café"},
		{"=?utf-8*fr?q?caf=C3=A9?=", "café"},
		{"a =?utf-8?q?b?= c", "a b c"},
		{"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
		{"=?utf-8?q?a?= \t =?iso-8859-1?q?=FC?=", "aü"},
		{"=?utf-8?q?a?==?utf-8?q?b?=", "ab"},
		{"x=?utf-8?q?a?=y", "xay"},
		// A character cut in two between words of one charset.
		{"=?utf-8?b?w7zD?= =?UTF-8?q?=BC?=", "üü"},
		{"=?windows-1251?Q?=CF=F0?= =?windows-1251?Q?=E8?=", "При"},
		{"=?koi8-r?B?8NLJ18XU?=", "Привет"},
		{"=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=", "テスト"},
		{"=?shift_jis?B?g2WDWINn?=", "テスト"},
		{"=?gb2312?B?suLK1A==?=", "测试"},
		{"=?us-ascii?q?caf=E9?=", "café"},
		{"=?no-such-charset?q?caf=C3=A9?=", "café"},
		{"=?no-such-charset?q?caf=E9?=", "café"},
		{"=?utf-8?q?100%?=", "100%"},
		{"=?utf-8?q?a=ZZb=?=", "a=ZZb="},
		{"=?utf-8?q?one two?=", "one two"},
		{"=?utf-8?q?really??=", "really?"},
		{"=?utf-8?q?never closed", "=?utf-8?q?never closed"},
		{"=?utf-8?q?never closed =?utf-8?q?closed?=", "=?utf-8?q?never closed closed"},
		{"=?utf-8?x?what?=", "=?utf-8?x?what?="},
		{"=??q?a?=", "=??q?a?="},
		{"=?utf-8?b?Y2 Fm!w6k=?=", "café"},
		{"=?utf-8?b?YQ==YQ==?=", "aa"},
		{"=?utf-8?q??=", ""},
		{"2=?3", "2=?3"},
		{"=?", "=?"},
		{"=?utf-8?q?a?= ", "a "},
	} {
		if got := mail.DecodeText(c.in); got != c.want {
			t.Errorf("DecodeText(%q): got %q, want %q", c.in, got, c.want)
		}
	}
}

// Words that look as if they went on to the end must not be looked through again and
// again: quadratic time would be minutes here.
func TestDecodeTextLinear(t *testing.T) {
	const n = 500_000
	for _, s := range []string{
		strings.Repeat("=?a?q?", n),
		strings.Repeat(" =?a?q?", n) + "?=",
		strings.Repeat("=?a?q?", n) + " =?a?q?x?=",
		strings.Repeat("=?a?q?x?=", n),
		strings.Repeat("=?utf-8?q?x?= ", n),
		strings.Repeat("=?", n),
		strings.Repeat("=?koi8-r?q?a?==?iso-8859-2?q?b?=", n),
		strings.Repeat("=?a?b", n),
		"=?a?q?x?=" + strings.Repeat(" ", n) + "\xff",
		strings.Repeat("=?a?q?x?= \t", n),
	} {
		if got := mail.DecodeText(s); got == "" {
			t.Errorf("%.30q…: got nothing", s)
		}
	}
}

func FuzzDecodeText(f *testing.F) {
	for _, s := range []string{"=?utf-8?q?a?= =?b?b?b?=", "=?iso-2022-jp?B?GyRC?=", "=?utf-16?b?AAA=?=", "=?utf-8?q?=?=", "\xff=?hz-gb-2312?q?~{?="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := mail.DecodeText(s)
		if !utf8.ValidString(got) {
			t.Errorf("not UTF-8: %q", got)
		}
		if len(got) > 16*len(s)+16 {
			t.Errorf("%d bytes became %d", len(s), len(got))
		}
		if !strings.Contains(s, "=?") && utf8.ValidString(s) && got != s {
			t.Errorf("plain text: got %q, want %q", got, s)
		}
	})
}

// FuzzEncodedWord wants UTF-8 of bounded size, and text without encoded words as it is.
func FuzzEncodedWord(f *testing.F) {
	for _, s := range []string{
		"=?utf-8?B?w7zD?= =?UTF-8?q?=BC?=", "=?utf-8?Q?never closed =?utf-8?Q?a?=", "=?x?b?=?=", "=?iso-2022-jp?B?GyRC?=", "a =?koi8-r*ru?Q?=C1_?= \t b", "=?utf-7?Q?+AOk-?=", "\xff=?",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := mail.DecodeText(s)
		if !utf8.ValidString(got) {
			t.Errorf("DecodeText(%q): not UTF-8: %q", s, got)
		}
		if len(got) > 3*len(s) {
			t.Errorf("DecodeText(%q): %d bytes", s, len(got))
		}
		if !strings.Contains(s, "=?") && utf8.ValidString(s) && got != s {
			t.Errorf("DecodeText(%q): got %q", s, got)
		}
	})
}
