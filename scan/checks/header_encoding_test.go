package checks

import (
	"strings"
	"testing"
)

func TestHeaderEncoding(t *testing.T) {
	field := func(name, s string) string { return name + ": " + s + "\n\n" }
	runFixtures(t, HeaderEncoding, []fixture{
		{"plain", nil, "From: Joe <joe@example.net>\nTo: alice@example.com\nSubject: Hi\n\n", ""},
		{"encoded", nil, "From: =?utf-8?q?J=C3=B6?= <joe@example.net>\nSubject: =?utf-8?B?w6k=?=\n\n", ""},

		{"From in UTF-8", nil, field("From", "Jö <joe@example.net>"), "FROM_NEEDS_ENCODING"},
		{"From in Latin-1", nil, field("From", "J\xf6 <joe@example.net>"), "FROM_NEEDS_ENCODING"},
		{"To in UTF-8", nil, field("To", "Jö <joe@example.net>"), "TO_NEEDS_ENCODING"},
		{"Subject in UTF-8", nil, field("Subject", "Grüße"), "SUBJECT_NEEDS_ENCODING"},
		{"Subject in UTF-8, announced", sender("<joe@example.net>", "SIZE=1000", "smtputf8"), field("Subject", "Grüße"), ""},
		{"Subject with a control character", nil, field("Subject", "a\x07b"), "SUBJECT_NEEDS_ENCODING"},
		{"Subject with DEL", nil, field("Subject", "a\x7fb"), "SUBJECT_NEEDS_ENCODING"},
		{"Subject folded, with a tab", nil, field("Subject", "a\tb\n\tc"), ""},
		{"Cc in UTF-8", nil, field("Cc", "Jö <joe@example.net>"), ""},
		{"encoded words and UTF-8", nil, field("Subject", "=?utf-8?q?=C3=A9?= é"), ""},

		{"From in QP", nil, field("From", "=?utf-8?Q?Joe?= <joe@example.net>"), "FROM_EXCESS_QP{Joe <joe@example.net>}"},
		{"To in QP", nil, field("To", "=?iso-8859-1?q?Joe?= <joe@example.net>"), "TO_EXCESS_QP{Joe <joe@example.net>}"},
		{"Cc in QP", nil, field("Cc", "=?us-ascii?q?Joe?= <joe@example.net>"), "CC_EXCESS_QP{Joe <joe@example.net>}"},
		{"Reply-To in QP", nil, field("Reply-To", "=?utf-8?Q?Joe?= <joe@example.net>"), "REPLYTO_EXCESS_QP{Joe <joe@example.net>}"},
		{"Subject in QP", nil, field("Subject", "=?utf-8?Q?Hi_there?="), "SUBJ_EXCESS_QP{Hi there}"},
		{"From in base64", nil, field("From", "=?utf-8?B?Sm9l?= <joe@example.net>"), "FROM_EXCESS_BASE64{Joe <joe@example.net>}"},
		{"To in base64", nil, field("To", "=?utf-8?b?Sm9l?= <joe@example.net>"), "TO_EXCESS_BASE64{Joe <joe@example.net>}"},
		{"Cc in base64", nil, field("Cc", "=?utf-8?b?Sm9l?= <joe@example.net>"), "CC_EXCESS_BASE64{Joe <joe@example.net>}"},
		{"Reply-To in base64", nil, field("Reply-To", "=?utf-8?b?Sm9l?= <joe@example.net>"), "REPLYTO_EXCESS_BASE64{Joe <joe@example.net>}"},
		{"Subject in base64", nil, field("Subject", "=?utf-8?B?SGk=?="), "SUBJ_EXCESS_BASE64{Hi}"},
		{"Subject in both", nil, field("Subject", "=?utf-8?B?SGk=?= =?utf-8?Q?Hi?="), "SUBJ_EXCESS_QP{HiHi} SUBJ_EXCESS_BASE64{HiHi}"},
		{"an encoded line break", nil, field("Subject", "=?utf-8?Q?Hi=0A?="), "SUBJ_EXCESS_QP{Hi?}"},
		{"an encoded control character", nil, field("Subject", "=?utf-8?Q?Hi=07?="), ""},
		{"no encoded word", nil, field("Subject", "1 =? 2 ?= 3 =?x?y?z?="), ""},
		{"cut off", nil, field("Subject", "=?utf-8?"), ""},
		{"the first counts", nil, "Subject: Hi\nSubject: =?utf-8?B?SGk=?=\n\n", ""},
		{"hostile", nil, field("Subject", strings.Repeat("=?", 50_000)), ""},
	})
}
