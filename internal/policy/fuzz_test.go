package policy_test

import (
	"strings"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/policy"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// safe fails when an edit could end its field or begin another.
func safe(t *testing.T, e policy.Edit) {
	t.Helper()
	for i := range len(e.Value) {
		switch c := e.Value[i]; {
		case c == 0 || c == '\r':
			t.Errorf("%s: a byte %q in the value %q", e.Name, c, e.Value)
		case c == '\n' && (i+1 == len(e.Value) || e.Value[i+1] != ' ' && e.Value[i+1] != '\t'):
			t.Errorf("%s: a line that isn't folded in the value %q", e.Name, e.Value)
		}
	}
	if e.Kind == policy.ChangeHeader && e.Value == "" {
		t.Errorf("%s: an empty value would delete it", e.Name)
	}
	for i, line := range strings.Split(e.Value, "\n") {
		if n := len(line); n > 998 || i == 0 && n+len(e.Name)+2 > 998 {
			t.Errorf("%s: line %d has %d bytes", e.Name, i, n)
		}
	}
}

// check decides about a message in every way and looks at what must always hold.
func check(t *testing.T, c *policy.Config, f *policy.Facts) {
	for _, a := range allActions {
		for _, trust := range allTrusts {
			f.Report.Passthrough.Action, f.Envelope.Trust = a, trust
			v := policy.Decide(c, f)
			for _, e := range v.Edits {
				safe(t, e)
			}
			if r := v.Reply; r.Code != 0 {
				if trust == mail.Local || trust == mail.TrustedRelay || len(v.Edits) > 0 {
					t.Errorf("%v from %v: got %+v", a, trust, v)
				}
				if !strings.HasSuffix(r.Text, "["+id+"]") || strings.Trim(r.Text, printableASCII) != "" || len(r.Text) > 420 {
					t.Errorf("reply: got %q", r.Text)
				}
			}
			if v.Reply.Code != 0 || v.Discard {
				continue // nothing is delivered
			}
			after(t, c, f, v)
		}
	}
}

// after looks at the header as it is delivered.
func after(t *testing.T, c *policy.Config, f *policy.Facts, v policy.Verdict) {
	ours := map[string]int{}
	for _, e := range v.Edits {
		if e.Kind == policy.AddHeader {
			ours[strings.ToLower(e.Name)]++
		}
	}
	h := policy.Apply(f.Header, v.Edits)
	for _, field := range h {
		name := strings.ToLower(field.Name)
		if strings.HasPrefix(name, "x-spam") || strings.HasPrefix(name, "x-rspamd-") || strings.HasPrefix(name, "x-rmilter-") || name == strings.ToLower(string(c.SpamHeader)) {
			if ours[name]--; ours[name] < 0 {
				t.Errorf("%v from %v: a foreign %s is left", v.Action, f.Envelope.Trust, field.Name)
			}
		}
	}
	if got := h.Count(string(c.SpamHeader)); f.Envelope.Trust.Ours() && f.Envelope.Trust != mail.Local && got > 0 {
		t.Errorf("mail from %v is marked", f.Envelope.Trust)
	}
}

const printableASCII = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

// FuzzDecide is the property test: whatever stands in the message, in symbols and in
// texts of checks, no header field can be injected and no foreign mark stays.
func FuzzDecide(f *testing.F) {
	f.Add("Subject: a\nX-Spam: no\nx-spam: yes\n\n", "SYM", "detail", "message", "***SPAM*** %s", "host", 3.5)
	f.Add("Subject: =?utf-8?q?x?=\r\n y\nSubject:\n\n", "A\r\nB: c", "x\ny\x00", "a\r\n250 ok", "⚠ %s %d%%", "h\ni", -1.0)
	f.Add("X-Spamd-Bar: x\nX-Rspamd-Foo: y\nX-Junk: z\n X\n\n", "", "é", "%", "%s", "", 0.0)
	f.Fuzz(func(t *testing.T, header, symbol, detail, message, template, host string, weight float64) {
		c := policy.DefaultConfig()
		c.ExtendedHeaders = true
		c.Subject = ucl.String(template)
		c.SpamHeader = "X-Junk"
		c.SpamHeaderValue = ucl.String(detail)
		c.RejectMessage = ucl.String(host)
		check(t, &c, &policy.Facts{
			Envelope: &mail.Envelope{ID: id, QueueID: host},
			Header:   mail.Parse([]byte(header), mail.DefaultLimits).Header(),
			Hostname: host,
			Report: &scan.Report{
				Took:        time.Second,
				Findings:    []scan.Finding{{Symbol: &scan.Symbol{Name: symbol, Score: weight}, Strength: 1, Details: []string{detail, symbol}}},
				Passthrough: &scan.Passthrough{Message: message},
			},
		})
	})
}

// FuzzSubject: what a reader sees is the template around what he would have seen.
func FuzzSubject(f *testing.F) {
	for _, s := range []string{"hello", "=?utf-8?q?caf=C3=A9?=", "=?utf-8?b?w7zD?=\n =?UTF-8?q?=BC?=", "🎁 a\xff", "=?x?= ?="} {
		f.Add(" " + s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		field := mail.Field{Name: "Subject", Raw: raw}
		old := field.Text()
		h, edits := rewrite("[SPAM] %s", 0, raw)
		for _, e := range edits {
			safe(t, e)
		}
		if strings.ContainsAny(raw, "\r\n\x00") || len(raw) > 900 || strings.HasPrefix(old, "[SPAM]") {
			return // white space changes; the table shows how
		}
		want := strings.TrimRight("[SPAM] "+old, " \t")
		if got := strings.TrimRight(h[0].Text(), " \t"); got != want && !strings.HasPrefix(old, " ") {
			t.Errorf("shown: got %q, want %q", got, want)
		}
	})
}
