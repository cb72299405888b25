package checks

import (
	"strings"
	"testing"
)

func TestSubject(t *testing.T) {
	subject := func(s string) string { return "Subject: " + s + "\n\n" }
	runFixtures(t, Subject, []fixture{
		{"none", nil, "\n", ""},
		{"empty", nil, subject(""), ""},
		{"blank", nil, subject("=?utf-8?q?__?="), ""},
		{"usual", nil, subject("Minutes of the meeting"), ""},

		{"capitals", nil, subject("YOU HAVE WON"), "SUBJ_ALL_CAPS*0.3{12}"},
		{"long capitals", nil, subject("CONGRATULATIONS DEAR WINNER, CLAIM IT NOW"), "SUBJ_ALL_CAPS{41}"},
		{"capitals of an answer", nil, subject("Re: FW:  YOU HAVE WON"), "SUBJ_ALL_CAPS*0.3{12}"},
		{"capitals with digits", nil, subject("INVOICE 2026-11"), "SUBJ_ALL_CAPS*0.375{15}"},
		{"one small letter", nil, subject("YOU HAVE WON iPHONE"), ""},
		{"Cyrillic capitals", nil, subject("=?utf-8?b?0J/QoNCY0JLQldCi?="), "SUBJ_ALL_CAPS*0.15{6}"},
		{"digits", nil, subject("2026-11-22"), ""},
		{"Japanese with an acronym", nil, subject("=?utf-8?b?5Lya6K2w44Gu6LOH5paZ77yIUERG77yJ?="), ""},
		{"Japanese with capitals mostly", nil, subject("=?utf-8?b?5pelIEFCQ0RFRg==?="), "SUBJ_ALL_CAPS*0.2{8}"},
		{"only an answer", nil, subject("RE:"), "SUBJ_ALL_CAPS*0.075{3}"},

		{"200 characters", nil, subject(strings.Repeat("word ", 39) + "words"), ""},
		{"201 characters", nil, subject(strings.Repeat("word ", 39) + "wordss"), "LONG_SUBJ*0.5025{201}"},
		{"400 characters", nil, subject(strings.Repeat("word ", 80) + "x"), "LONG_SUBJ{401}"},
		{"200 characters of UTF-8", nil, subject(strings.Repeat("=?utf-8?q?=C3=A9=C3=A9?=\n ", 99) + "=?utf-8?b?w6nDqQ==?="), ""},

		{"a link alone", nil, subject("https://example.org/x"), "URL_IN_SUBJECT{https://example.org/x}"},
		{"a link and text", nil, subject("see HTTP://example.org/x now"), "URL_IN_SUBJECT*0.25{HTTP://example.org/x}"},
		{"a web server", nil, subject("see www.example.org now"), "URL_IN_SUBJECT*0.1{www.example.org}"},
		{"the worst counts", nil, subject("www.example.org https://example.org"), "URL_IN_SUBJECT*0.25{https://example.org}"},
		{"a domain", nil, subject("example.org expires soon"), ""},
		{"a file", nil, subject("patch for configure.in and Main.pm"), ""},
		{"an address", nil, subject("alice@example.com"), ""},

		{"ends with !", nil, subject("Act now!"), "SUBJECT_ENDS_EXCLAIM"},
		{"ends with ! and blanks", nil, subject("Act now! "), "SUBJECT_ENDS_SPACES SUBJECT_ENDS_EXCLAIM"},
		{"has !", nil, subject("Act! now"), "SUBJECT_HAS_EXCLAIM"},
		{"ends with ?", nil, subject("Lunch?"), "SUBJECT_ENDS_QUESTION"},
		{"has ?", nil, subject("Lunch? I"), "SUBJECT_HAS_QUESTION"},
		{"has both", nil, subject("What?!"), "SUBJECT_ENDS_EXCLAIM SUBJECT_HAS_QUESTION"},
		{"encoded ?", nil, subject("=?utf-8?q?Lunch=3F?="), "SUBJECT_ENDS_QUESTION"},
		{"dollar", nil, subject("Win $1000"), "SUBJECT_HAS_CURRENCY{$}"},
		{"euro", nil, subject("=?utf-8?q?only_=E2=82=AC_5?="), "SUBJECT_HAS_CURRENCY{€}"},
		{"euro in letters", nil, subject("only 5 EUR"), ""},
		{"ends with a space", nil, subject("Hi "), "SUBJECT_ENDS_SPACES"},
		{"ends with a tab", nil, subject("Hi\t"), "SUBJECT_ENDS_SPACES"},
		{"ends with an encoded space", nil, subject("=?utf-8?q?Hi=20?="), "SUBJECT_ENDS_SPACES"},
		{"the first counts", nil, "Subject: Hi\nSubject: What?\n\n", ""},
		{"huge", nil, subject(strings.Repeat("A", 1_000_000)), "SUBJ_ALL_CAPS{8192} LONG_SUBJ{8192}"},
	})
}
