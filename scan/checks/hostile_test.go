package checks

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"rmilter/internal/mail"
	"rmilter/scan"
)

// checkReport finds what no report may have, whatever the message is.
func checkReport(t *testing.T, r *scan.Report) {
	t.Helper()
	for name, err := range r.Failed {
		t.Errorf("check %s failed: %v", name, err)
	}
	if len(r.Findings) > 200 {
		t.Errorf("%d findings", len(r.Findings))
	}
	for _, f := range r.Findings {
		if len(f.Details) > 20 || !(f.Strength >= 0 && f.Strength <= 1) {
			t.Errorf("%s: strength %v, %d details", f.Symbol.Name, f.Strength, len(f.Details))
		}
		for _, d := range f.Details {
			if len(d) > 2*maxEvidence || !utf8.ValidString(d) || strings.ContainsFunc(d, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: detail %.300q", f.Symbol.Name, d)
			}
		}
	}
}

// hostile are messages of about n bytes each.
func hostile(n int) map[string]string {
	rep := func(s string) string { return strings.Repeat(s, n/len(s)) }
	var parts, fields strings.Builder
	for parts.Len() < n {
		parts.WriteString("--b\nContent-Type: text/html; charset=x\n\nx\n--b\nContent-Type: application/octet-stream\n\nx\n")
	}
	for i := 0; fields.Len() < n; i++ {
		fmt.Fprintf(&fields, "X-%d: a\nFrom: a%d@b.example\nSubject: =?utf-8?q?x?=\nReceived: from user by b\n", i, i)
	}
	return map[string]string{
		"fields":           fields.String() + "\n",
		"fields of a name": rep("From:a@b.example\n") + "\n",
		"one field":        "Subject: " + rep("a") + "\n\n",
		"encoded words":    "Subject: " + rep("=?utf-8?q?x?= ") + "\n\n",
		"begun words":      "Subject: " + rep("=?") + "\nFrom: " + rep("=?utf-8?q?") + "\n\n",
		"NULs":             "Subject: " + rep("\x00") + "\nFrom: " + rep("\x00") + "\n\n" + rep("\x00"),
		"folds":            "Subject: x" + rep("\n ") + "\nFrom: x" + rep("\n ") + " <a@b.example>\n\n",
		"names":            "Subject: " + rep("www.a.example ") + "\n\n",
		"senders":          "From: " + rep("a@b.example, ") + "\n\n",
		"sender":           "From: \"" + rep("@a(") + "\" <a@b.example>\nReply-To: " + rep("a@(") + "\n\n",
		"brackets":         "From: " + rep("<") + rep(">") + "\nMessage-ID: " + rep("<>") + "\nTo: " + rep("(") + "\n\n",
		"recipients":       "From: a@b.example\nTo: " + rep("a@b.example, ") + "\nCc: " + rep("\"a\" <aa@b.example>, ") + "\n\n",
		"Message-ID":       "From: a@a\nMessage-ID: <" + rep("a@a") + ">\n\n",
		"Received":         rep("Received: from a (b [192.0.2.1]) by c with ESMTPSA id d for <a@b.example>; now\n") + "\n",
		"one Received":     "Received: from " + rep("(a ") + "\n\n",
		"date":             "Date: " + rep("Mon, ") + "\n\n",
		"parts":            "Content-Type: multipart/alternative; boundary=b\n\n" + parts.String(),
		"nested":           strings.Repeat("Content-Type: multipart/alternative; boundary=b\n\n--b\n", n/60),
		"messages":         strings.Repeat("Content-Type: message/rfc822\n\n", n/30),
		"8-bit":            "Content-Type: text/plain\nContent-Transfer-Encoding: 7bit\n\n" + rep("é"),
		"base64":           "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + rep("QUFB"),
		"signatures":       rep("DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; h=from; bh=eA==; b=eA==\n") + "From: a@b.example\n\n",
		"seals":            rep("ARC-Seal: i=1; a=rsa-sha256; cv=none; d=a.example; s=s; b=eA==\n") + "From: a@b.example\n\n",
		"header in body":   "From: a@b.example\n\n" + rep("Subject:\n"),
	}
}

// TestHostile looks at the reports of messages that want to hurt.
func TestHostile(t *testing.T) {
	engine, env := newEngine(t, "", All()...), manyRecipients()
	for name, text := range hostile(100_000) {
		t.Run(name, func(t *testing.T) {
			m := mail.Parse([]byte(text), mail.DefaultLimits)
			checkReport(t, engine.Scan(context.Background(), env, m, aids(context.Background(), texts{"example.net": "v=spf1 -all", "_dmarc.b.example": "v=DMARC1; p=reject"}, m)))
		})
	}
}

// BenchmarkHostile shows that four times the message takes about four times the time.
func BenchmarkHostile(b *testing.B) {
	engine, env := newEngine(b, "", All()...), manyRecipients()
	for _, n := range []int{100_000, 400_000} {
		for name, text := range hostile(n) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				raw := []byte(text)
				for b.Loop() {
					engine.Scan(context.Background(), env, mail.Parse(raw, mail.DefaultLimits), scan.Aids{})
				}
			})
		}
	}
}

// manyRecipients returns the envelope of a stranger's message to thousands.
func manyRecipients() *mail.Envelope {
	env := stranger()
	for range 5000 {
		env.Rcpts = append(env.Rcpts, path("<bob@example.org>"))
	}
	return env
}

// FuzzChecks runs all checks over any message: none fails, and twice the same message
// gives twice the same report.
func FuzzChecks(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(g.raw, g.envelope.From.Raw, "<alice@example.com>", g.envelope.Helo, byte(g.envelope.Trust))
	}
	for _, text := range hostile(300) {
		f.Add([]byte(text), "", "", "", byte(0))
	}
	engine := newEngine(f, "", All()...)
	f.Fuzz(func(t *testing.T, raw []byte, from, rcpt, helo string, trust byte) {
		env := stranger()
		env.From, env.Helo, env.Trust = path(from), helo, mail.Trust(trust%6)
		env.Rcpts = append(env.Rcpts, path(rcpt))
		env.Inspect = trust >= 128
		var accounts [2]string
		for i := range accounts {
			r := engine.Scan(context.Background(), env, mail.Parse(bytes.Clone(raw), mail.DefaultLimits), scan.Aids{})
			checkReport(t, r)
			accounts[i] = account(engine.Weights(), r)
		}
		if accounts[0] != accounts[1] {
			t.Errorf("first\n%s\nthen\n%s", accounts[0], accounts[1])
		}
	})
}
