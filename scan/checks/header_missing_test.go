package checks

import (
	"strings"
	"testing"

	"rmilter/internal/mail"
)

func TestHeaderMissing(t *testing.T) {
	const full = "From: joe@example.net\nTo: alice@example.com\nSubject: Hi\nDate: Sun, 22 Nov 2026 12:00:00 +0000\nMessage-ID: <1@example.net>\n\ntext\n"
	without := func(name string) string {
		var b strings.Builder
		for line := range strings.Lines(full) {
			if !strings.HasPrefix(line, name+":") {
				b.WriteString(line)
			}
		}
		return b.String()
	}
	blank := func(name string) string {
		before, rest, _ := strings.Cut(full, name+":")
		_, after, _ := strings.Cut(rest, "\n")
		return before + name + ":\n" + after
	}
	runFixtures(t, HeaderMissing, []fixture{
		{"all there", nil, full, ""},
		{"no From", nil, without("From"), "MISSING_FROM"},
		{"empty From", nil, blank("From"), "MISSING_FROM"},
		{"no To", nil, without("To"), "MISSING_TO"},
		{"empty To", nil, blank("To"), ""},
		{"Cc in place of To", nil, strings.Replace(full, "To:", "Cc:", 1), ""},
		{"Bcc in place of To", nil, strings.Replace(full, "To:", "bcc:", 1), ""},
		{"no Subject", nil, without("Subject"), "MISSING_SUBJECT"},
		{"empty Subject", nil, blank("Subject"), "EMPTY_SUBJECT"},
		{"blank Subject", nil, strings.Replace(full, "Hi", " \t\n ", 1), "EMPTY_SUBJECT"},
		{"a second Subject has text", nil, "Subject:\n" + full, ""},
		{"no Date", nil, without("Date"), "MISSING_DATE"},
		{"empty Date", nil, blank("Date"), "MISSING_DATE"},
		{"no Message-ID", nil, without("Message-ID"), "MISSING_MID"},
		{"empty Message-ID", nil, blank("Message-ID"), "MISSING_MID"},
		{"names in other case", nil, strings.ToLower(full), ""},
		{"nothing at all", nil, "", "MISSING_FROM MISSING_TO MISSING_SUBJECT MISSING_DATE MISSING_MID"},
		{"only a body", nil, "\nFrom: joe@example.net\n", "MISSING_FROM MISSING_TO MISSING_SUBJECT MISSING_DATE MISSING_MID"},
		{"our user", trust(mail.Authenticated), "From: joe@example.com\nTo: bob@example.net\nSubject: Hi\n\ntext\n", ""},
		{"our machine", trust(mail.Local), "\ntext\n", "MISSING_FROM MISSING_TO MISSING_SUBJECT"},
		{"our relay", trust(mail.TrustedRelay), without("Date"), "MISSING_DATE"},
		{"only asked", inspect, without("Date"), "MISSING_DATE"},
	})
}

func TestHeaderMissingCut(t *testing.T) {
	m := mail.Parse([]byte("X-One: 1\nX-Two: 2\nSubject: Hi\n\ntext"), mail.Limits{Fields: 2})
	if r := scanWith(t, "", stranger(), m, HeaderMissing); findings(r) != "" {
		t.Errorf("a header that was cut off: got %s, want nothing", findings(r))
	}
}
