package checks

import (
	"strings"
	"testing"

	"rmilter/internal/mail"
)

func TestBlankSpam(t *testing.T) {
	const html = "Content-Type: text/html"
	runFixtures(t, BlankSpam, []fixture{
		{"nothing", nil, "", "COMPLETELY_EMPTY"},
		{"empty lines", nil, "\n\n \n", "COMPLETELY_EMPTY"},
		{"nothing, ours", trust(mail.Local), "", ""},
		{"a short text", nil, "Subject: Hi\n\nHello\n", "SINGLE_SHORT_PART{5}"},
		{"63 bytes", nil, "Subject: Hi\n\n" + strings.Repeat("x", 63) + "\n\n", "SINGLE_SHORT_PART{63}"},
		{"64 bytes", nil, "Subject: Hi\n\n" + strings.Repeat("x", 64) + "\n", ""},
		{"a short picture", nil, "Subject: Hi\nContent-Type: image/png\n\nx\n", ""},
		{"a short alternative", nil, "Subject: Hi\n" + multi("alternative", "text/plain", "text/html"), ""},
		{"no field that counts", nil, "X-Odd: 1\nReceived: by x; now\n\n" + strings.Repeat("word ", 20) + "\n", "MISSING_ESSENTIAL_HEADERS"},
		{"no field that counts, short", nil, "X-Odd: 1\n\ntest\n", "SINGLE_SHORT_PART{4} MISSING_ESSENTIAL_HEADERS SHORT_PART_BAD_HEADERS"},
		{"no header", nil, "\ntest\n", "SINGLE_SHORT_PART{4} MISSING_ESSENTIAL_HEADERS SHORT_PART_BAD_HEADERS"},
		{"no header, ours", trust(mail.Local), "\ntest\n", ""},
		{"one field that counts", nil, "X-Odd: 1\n" + html + "\n\ntest\n", "SINGLE_SHORT_PART{4}"},
	})
}

func TestBlankSpamCut(t *testing.T) {
	m := mail.Parse([]byte("X-One: 1\nX-Two: 2\nSubject: Hi\n\ntext"), mail.Limits{Fields: 2})
	if got, want := findings(scanWith(t, "", stranger(), m, BlankSpam)), "SINGLE_SHORT_PART{4}"; got != want {
		t.Errorf("a header that was cut off: got %s, want %s", got, want)
	}
}
