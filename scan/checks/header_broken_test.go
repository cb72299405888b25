package checks

import (
	"strings"
	"testing"

	"rmilter/internal/mail"
)

func TestHeaderBroken(t *testing.T) {
	const from = "From: joe@example.net\n"
	runFixtures(t, HeaderBroken, []fixture{
		{"sound", nil, from + "To: alice@example.com\nSubject: Hi\n\nSubject: of the body\nDate: today\n", ""},
		{"the rest in the body", nil, from + "This is no field\nSubject: Hi\nMIME-Version: 1.0\n\ntext\n", "BROKEN_HEADERS{Subject,MIME-Version}"},
		{"the rest behind an empty line", nil, from + "\nThis is no field\nSubject: Hi\nDate: today\n\ntext\n", "BROKEN_HEADERS{Subject,Date}"},
		{"an empty line too many", nil, from + "\nSubject: Hi\nContent-Type: text/html\n\ntext\n", ""},
		{"one field is none", nil, from + "\nHm\nSubject: Hi\n\ntext\n", ""},
		{"one field twice is none", nil, from + "\nHm\nSubject: Hi\nSubject: Hi\n\ntext\n", ""},
		{"behind the first paragraph", nil, from + "\nHello\n\nSubject: Hi\nDate: today\n", ""},
		{"a message quoted", nil, from + "To: alice@example.com\nSubject: Fwd: Hi\nDate: x\n\n-----Original Message-----\nFrom: bob@example.org\nTo: joe@example.net\nSubject: Hi\nDate: y\n\ntext\n", ""},
		{"no header", nil, "\nHm\nSubject: Hi\nDate: today\n\ntext\n", ""},
		{"far down", nil, from + "\n" + strings.Repeat("word\n", maxStray/5) + "Subject: Hi\nDate: today\n", ""},

		{"doubled From", nil, from + from + "\n", "MULTIPLE_UNIQUE_HEADERS{From}"},
		{"doubled Subject", nil, "Subject: a\nSUBJECT: b\n\n", "MULTIPLE_UNIQUE_HEADERS*0.7{Subject}"},
		{"doubled Message-ID", nil, "Message-ID: <1@example.net>\nMessage-Id: <2@example.net>\n\n", "MULTIPLE_UNIQUE_HEADERS*0.7{Message-ID}"},
		{"doubled References", nil, "References: <1@example.net>\nReferences: <2@example.net>\n\n", "MULTIPLE_UNIQUE_HEADERS*0.3{References}"},
		{"doubled To", nil, "To: a@example.com\nTo: b@example.com\n\n", "MULTIPLE_UNIQUE_HEADERS*0.2{To}"},
		{"doubled Date", nil, "Date: x\nDate: x\n\n", "MULTIPLE_UNIQUE_HEADERS*0.1{Date}"},
		{"several doubled", nil, "Cc: a@example.com\nCc: a@example.com\nReply-To: a@example.com\nReply-To: b@example.com\nTo: x@example.com\n\n", "MULTIPLE_UNIQUE_HEADERS{Reply-To,Cc}"},
		{"three of one", nil, from + from + from + "\n", "MULTIPLE_UNIQUE_HEADERS{From}"},
		{"fields that may repeat", nil, "Received: a\nReceived: b\nComments: a\nComments: b\nKeywords: a\nKeywords: b\nX-Spam: a\nX-Spam: b\nDKIM-Signature: a\nDKIM-Signature: b\n\n", ""},

		{"From", nil, "From:joe@example.net\n\n", "HEADER_FROM_EMPTY_DELIMITER"},
		{"To", nil, "To:a@example.com\n\n", "HEADER_TO_EMPTY_DELIMITER"},
		{"Cc", nil, "Cc:a@example.com\n\n", "HEADER_CC_EMPTY_DELIMITER"},
		{"Reply-To", nil, "Reply-To:a@example.com\n\n", "HEADER_REPLYTO_EMPTY_DELIMITER"},
		{"Date", nil, "Date:Sun, 22 Nov 2026 12:00:00 +0000\n\n", "HEADER_DATE_EMPTY_DELIMITER"},
		{"Subject may", nil, "Subject:Hi\n\n", ""},
		{"a tab", nil, "From:\tjoe@example.net\n\n", ""},
		{"a fold", nil, "From:\n joe@example.net\n\n", ""},
		{"empty", nil, "From:\nTo:\n\n", ""},
	})
}

func TestHeaderTooLarge(t *testing.T) {
	m := mail.Parse([]byte("From: joe@example.net\nX-One: 1\nX-Two: 2\n\ntext"), mail.Limits{Fields: 2})
	want := "BROKEN_HEADERS{too large}"
	if r := scanWith(t, "", stranger(), m, HeaderBroken); findings(r) != want {
		t.Errorf("got %s, want %s", findings(r), want)
	}
}
