package checks

import (
	"testing"
	"time"

	"rmilter/internal/mail"
)

func TestDate(t *testing.T) {
	dated := func(offset time.Duration) string {
		return "Date: " + frozen().Add(offset).Format(time.RFC1123Z) + "\n\n"
	}
	const received = "Received: from mx.example.net by mx.example.com; Fri, 20 Nov 2026 12:00:00 +0000\n"
	runFixtures(t, Date, []fixture{
		{"now", nil, dated(0), ""},
		{"two hours ahead", nil, dated(2 * time.Hour), ""},
		{"a second more", nil, dated(2*time.Hour + time.Second), "DATE_IN_FUTURE{2h}"},
		{"years ahead", nil, "Date: Mon, 19 Jan 2099 03:14:07 +0000\n\n", "DATE_IN_FUTURE{632535h}"},
		{"ages ahead", nil, "Date: 1 Jan 9999 00:00:00 +0000\n\n", "DATE_IN_FUTURE{2562047h}"},
		{"a day behind", nil, dated(-24 * time.Hour), ""},
		{"a second less", nil, dated(-24*time.Hour - time.Second), "DATE_IN_PAST{24h}"},
		{"the epoch", nil, "Date: Thu, 1 Jan 1970 00:00:00 +0000\n\n", "DATE_IN_PAST{498708h}"},
		{"ages behind", nil, "Date: 1 Jan 0001 00:00:00 +0000\n\n", "DATE_IN_PAST{2562047h}"},
		{"another zone", nil, "Date: Sun, 22 Nov 2026 23:30:00 +1100\n\n", ""},
		{"another zone, too early", nil, "Date: Sun, 22 Nov 2026 12:00:00 -0900\n\n", "DATE_IN_FUTURE{9h}"},
		{"without seconds and weekday", nil, "Date: 22 Nov 2026 12:00 GMT\n\n", ""},
		{"with a comment", nil, "Date: Sun, 22 Nov 2026 12:00:00 +0000 (UTC)\n\n", ""},
		{"folded", nil, "Date:\n Sun, 22 Nov 2026\n 12:00:00 +0000\n\n", ""},
		{"no date", nil, "Date: yesterday\n\n", "INVALID_DATE{yesterday}"},
		{"no such day", nil, "Date: Sun, 31 Nov 2026 12:00:00 +0000\n\n", "INVALID_DATE{Sun, 31 Nov 2026 12:00:00 +0000}"},
		{"control characters", nil, "Date: \x00\x1b[2J\n\n", "INVALID_DATE{??[2J}"},
		{"missing", nil, "Subject: Hi\n\n", ""},
		{"empty", nil, "Date:\n\n", ""},
		{"the first counts", nil, dated(0)[:38] + "Date: 1 Jan 2000 00:00:00 +0000\n\n", ""},
		{"our user", trust(mail.Authenticated), dated(-100 * time.Hour), ""},
		{"our user, no date", trust(mail.OurNetwork), "Date: yesterday\n\n", ""},
		{"our relay", trust(mail.TrustedRelay), dated(-100 * time.Hour), "DATE_IN_PAST{100h}"},
		{"the envelope's time counts", func(e *mail.Envelope) { e.Time = frozen().Add(-100 * time.Hour) }, dated(-100 * time.Hour), ""},
		{"no time in the envelope", func(e *mail.Envelope) { e.Time = time.Time{} }, dated(-100 * time.Hour), "DATE_IN_PAST{100h}"},
		{"only asked: it came long ago", inspect, received + dated(-48*time.Hour), ""},
		{"only asked: it was old when it came", inspect, received + dated(-73*time.Hour), "DATE_IN_PAST{25h}"},
		{"only asked: it was ahead when it came", inspect, received + dated(0), "DATE_IN_FUTURE{48h}"},
		{"only asked: nobody knows when it came", inspect, dated(-1000 * time.Hour), ""},
		{"only asked: ahead in any case", inspect, dated(3 * time.Hour), "DATE_IN_FUTURE{3h}"},
	})
}
