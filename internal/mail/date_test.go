package mail_test

import (
	"net/mail"
	"strings"
	"testing"
	"time"

	ours "rmilter/internal/mail"
)

func TestParseDate(t *testing.T) {
	for _, c := range []struct{ in, want, err string }{
		{"Mon, 6 Jul 2026 10:00:00 +0200", "2026-07-06T10:00:00+02:00", ""},
		{"6 Jul 2026 10:00 -0000", "2026-07-06T10:00:00Z", ""},
		{"Mon,6 Jul 2026 10:00:00 GMT", "2026-07-06T10:00:00Z", ""},
		{"(a (nested) comment) Mon, 06 JUL 2026 10:00:00 (x) pdt (y)", "2026-07-06T10:00:00-07:00", ""},
		{"Monday, 6 July 2026 10:00:00 Z", "2026-07-06T10:00:00Z", ""},
		{"6 Jul 26 1:2:3 ut", "2026-07-06T01:02:03Z", ""},
		{"6 Jul 70 10:00:00 -0130", "1970-07-06T10:00:00-01:30", ""},
		{"6 Jul 126 10:00:00 +0000", "2026-07-06T10:00:00Z", ""},
		{"30 Jun 2012 23:59:60 +0000", "2012-07-01T00:00:00Z", ""},
		{"29 Feb 2024 00:00:00 +0000", "2024-02-29T00:00:00Z", ""},
		{"29 Feb 2026 00:00:00 +0000", "", "no day 29"},
		{"0 Jul 2026 10:00:00 +0000", "", "no day 0"},
		{"32 Jul 2026 10:00:00 +0000", "", "no day 32"},
		{"6 Jul 2026 24:00:00 +0000", "", "no time of the day"},
		{"6 Jul 2026 10:60:00 +0000", "", "no time of the day"},
		{"6 Jul 2026", "", "no time of the day"},
		{"6 Foo 2026 10:00:00 +0000", "", "no month"},
		{"6 Jul 2026 10:00:00", "2026-07-06T10:00:00Z", "no known time zone"},
		{"6 Jul 2026 10:00:00 CEST", "2026-07-06T10:00:00Z", "no known time zone"},
		{"6 Jul 2026 10:00:00 +2500", "2026-07-06T10:00:00Z", "no known time zone"},
		{"6 Jul 2026 10:00:00 +0075", "2026-07-06T10:00:00Z", "no known time zone"},
		{"6 Jul 2026 10:00:00 +0200 and more", "2026-07-06T10:00:00+02:00", "text behind the date"},
		{"Mon Jul  6 10:00:00 2026", "2026-07-06T10:00:00Z", "not a date of RFC 5322"},
		{"2026-07-06T10:00:00+02:00", "2026-07-06T10:00:00+02:00", "not a date of RFC 5322"},
		{"2026-07-06 10:00:00", "2026-07-06T10:00:00Z", "not a date of RFC 5322"},
		{"", "", "no date"},
		{"  ", "", "no date"},
		{"((((", "", "no date"},
		{"yesterday", "", "is no day"},
	} {
		got, err := ours.ParseDate(c.in)
		shown := ""
		if !got.IsZero() {
			shown = got.Format(time.RFC3339)
		}
		if shown != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("ParseDate(%q): got %q, %v; want %q, %q", c.in, shown, err, c.want, c.err)
		}
	}
}

// FuzzDate compares with the standard library: what it reads is read alike.
func FuzzDate(f *testing.F) {
	for _, s := range []string{"Mon, 6 Jul 2026 10:00:00 +0200", "6 Jul 26 10:00 EST", "Mon Jul  6 10:00:00 2026", "(x)6(y)Jul 2026 1:2:3 Z", "29 Feb 2026 0:0:0 +0000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ours.ParseDate(s)
		if err == nil && got.IsZero() && got.Year() > 1 {
			t.Errorf("%q: no time and no error", s)
		}
		want, stdErr := mail.ParseDate(s)
		// The library takes zones by name for UTC, and comments in few places.
		words := strings.Fields(s)
		if stdErr == nil && err == nil && strings.ContainsAny(words[len(words)-1], "+-") && !strings.Contains(s, "(") && !got.Equal(want) {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	})
}
