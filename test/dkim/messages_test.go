package dkim

import (
	"bytes"
	"math/rand/v2"
	"strings"
)

// A message is one to sign. Its lines end in LF here, and in CRLF in text.
type message struct {
	name   string
	header string
	body   string
	large  bool
	// smtp tells that MTAs hand it on as it is: they break long lines and take no header
	// with 8-bit characters without SMTPUTF8, for example.
	smtp bool
	utf8 string // the sender in the envelope, for mail that needs SMTPUTF8
}

// text returns the message with CRLF.
func (m message) text() []byte {
	return bytes.ReplaceAll([]byte(m.header+"\n"+m.body), []byte("\n"), []byte("\r\n"))
}

const head = "From: Joe <joe@example.com>\nTo: alice@example.com\nSubject: hello\n" +
	"Date: Thu, 01 Jan 2026 12:00:00 +0000\nMessage-ID: <1@example.com>\n"

const mime8 = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"

// messages are the ones that signatures are made for.
func messages() []message {
	random := rand.New(rand.NewPCG(6, 6))
	var large strings.Builder
	for large.Len() < 20<<20 {
		for range 1 + random.IntN(90) {
			large.WriteByte(" \tabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+/"[random.IntN(66)])
		}
		large.WriteByte('\n')
	}
	return []message{
		{name: "plain", header: head, body: "hello\n", smtp: true},
		{name: "eight-bit", header: head + mime8, body: "Gr\u00fc\u00dfe, \u3053\u3093\u306b\u3061\u306f\n\xff\xfe no UTF-8\n", smtp: true},
		{name: "long-line", header: head, body: strings.Repeat("x", 900) + "\n" + strings.Repeat("a b\t", 220) + "\n", smtp: true},
		{name: "very-long-line", header: head + "X-Long: " + strings.Repeat("x", 3000) + "\n", body: strings.Repeat("a b\t ", 4000) + "\nend\n"},
		{name: "folded", header: "From: Joe\n\t<joe@example.com>\nTo: alice@example.com,\n\tbob@example.com,\n\tcarol@example.com\n" +
			"Subject: folded\n   more than\n\tonce \n  with   blanks\nDate: Thu, 01 Jan 2026 12:00:00 +0000\nMessage-ID:\n <1@example.com>\nReferences: <a@example.org>\n\t<b@example.org>\n", body: "hello\n", smtp: true},
		{name: "duplicate", header: head + "List-Post: <mailto:a@example.com>\nReply-To: joe@example.com\nList-Post: <mailto:b@example.com>\nList-Post: <mailto:c@example.com>\n", body: "hello\n", smtp: true},
		{name: "duplicate-subject", header: head + "Subject: another\nComments: a\nComments: b\n", body: "hello\n"},
		{name: "empty-body", header: head, smtp: true},
		{name: "blank-body", header: head, body: "\n\n\n", smtp: true},
		{name: "trailing-blank-lines", header: head, body: "hello\n\n \t\n\n\n\n", smtp: true},
		{name: "trailing-blanks", header: head, body: "hello   \n  a \t  b\t\n\n\t\n.\n..\nFrom here\n", smtp: true},
		{name: "blanks-at-the-end", header: head, body: "hello\n   \n", smtp: true},
		{name: "odd-names", header: "FROM: joe@example.com\nto: alice@example.com\nsUBJECT:tight\nDate: Thu, 01 Jan 2026 12:00:00 +0000\nMessage-Id: <1@example.com>\nIn-Reply-To:\n", body: "hello\n"},
		{name: "smtputf8", header: "From: J\u00f6rg <j\u00f6rg@example.com>\nTo: alice@example.com\nSubject: Gr\u00fc\u00dfe \u3053\n Welt\nDate: Thu, 01 Jan 2026 12:00:00 +0000\nMessage-ID: <1@example.com>\n" + mime8,
			body: "Gr\u00fc\u00dfe\n", smtp: true, utf8: "j\u00f6rg@example.com"},
		{name: "smtputf8-domain", header: "From: \u6771\u4eac\n <j\u00f6rg@b\u00fccher.example.com>\nReply-To: \"J\u00f6rg,  again\" <j\u00f6rg@b\u00fccher.example.com>\nTo: alice@example.com\nSubject: \u3053\u3093\u306b\u3061\u306f\n\t\u4e16\u754c  \nDate: Thu, 01 Jan 2026 12:00:00 +0000\nMessage-ID: <2@b\u00fccher.example.com>\n" + mime8,
			body: "\u3053\u3093\u306b\u3061\u306f\n", smtp: true, utf8: "j\u00f6rg@b\u00fccher.example.com"},
		{name: "multipart", header: head + "MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=\"b\"\n", body: "preamble\n--b\n\none\n--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nAAECAw==\n--b--\n", smtp: true},
		{name: "many-recipients", header: strings.Replace(head, "To: alice@example.com\n", "To: alice@example.com"+strings.Repeat(",\n\tbob@example.com", 200)+"\n", 1), body: "hello\n", smtp: true},
		{name: "large", header: head, body: large.String(), large: true, smtp: true},
	}
}
