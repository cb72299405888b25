package test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"rmilter/test/e2e"
	"rmilter/test/mta"
	"rmilter/test/smtpclient"
)

// generated finds the fields that the MTAs add where they are missing and that differ
// from one message to the next. The dates of the tests' own messages have another form.
var generated = regexp.MustCompile(`(?m)^(?:(Date): .* (?:GMT|[+-]\d{4} \([A-Z]+\))|(Message-Id): <.*@mail\.example\.com>)$`)

// timeless returns a message without what differs from one delivery to the next.
func timeless(text string) string {
	header, body, ok := strings.Cut(text, "\n\n")
	header = generated.ReplaceAllString(header, "$1$2: …")
	if ok {
		header += "\n\n"
	}
	return header + body
}

// TestBodiesUntouched compares what arrives through rmilter with what arrives through
// the same MTA without a milter.
func TestBodiesUntouched(t *testing.T) {
	const head = "From: Joe <joe@sender.example>\nTo: alice@example.com\nSubject: odd\n" +
		"Date: Thu, 01 Jan 2026 12:00:00 +0000\nMessage-ID: <odd@sender.example>\n"
	tests := []struct{ name, text string }{
		{"plain", head + "\nhi\n"},
		{"8-bit body", head + "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGrüße, こんにちは 🎉\n"},
		{"latin-1 body without a declaration", head + "\nGr\xfc\xdfe\n"},
		{"8-bit header", head + "X-Name: J\xf6rg\n\nhi\n"},
		{"header only", head},
		{"header and empty line only", head + "\n"},
		{"nothing at all", ""},
		{"body only", "\nhi\n"},
		{"no header but text", "this is no header field\nhi\n"},
		{"no newline at the end", head + "\nhi"},
		{"empty lines at the end", head + "\nhi\n\n\n\n"},
		{"dots", head + "\n.\n..\n.hi\n"},
		{"long line", head + "\n" + strings.Repeat("x", 900) + "\n"},
		{"white space", head + "X-Space:   \t much \t\nX-Fold: a\n\t\t b\n   c\nX-None:\nX-Tight:value\n\n \t hi \t\n"},
		{"same field many times", head + strings.Repeat("X-Many: one\nX-many: two\n", 40) + "\nhi\n"},
		{"multipart", head + "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\none\n--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nAAECAw==\n--b--\nepilogue\n"},
	}
	d := startDaemon(t, setup{conf: strangers + "actions { greylist = off; add_header = off; reject = off; }\n"})
	both := func(t *testing.T, with, plain *sender) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				with.t, plain.t = t, t
				before := len(d.accounts(t))
				with.accepted(with.dial(), test.text)
				plain.accepted(plain.dial(), test.text)
				same(t, "delivered", timeless(with.next("alice")), timeless(plain.next("alice")))
				if !e2e.Eventually(func() bool { return len(d.accounts(t)) > before }) {
					t.Error("no log line")
				}
			})
		}
		with.none()
	}
	t.Run("postfix", func(t *testing.T) {
		both(t, newSender(t, mta.StartPostfix(t, mta.Options{Milter: d.milter})), newSender(t, mta.StartPostfix(t, mta.Options{})))
	})
	t.Run("sendmail", func(t *testing.T) {
		both(t, newSender(t, mta.StartSendmail(t, mta.Options{Milter: d.milter})), newSender(t, mta.StartSendmail(t, mta.Options{})))
	})
}

// TestOddMessagesAreMarked marks messages of the shapes that are easily spoiled.
func TestOddMessagesAreMarked(t *testing.T) {
	d := startDaemon(t, setup{conf: strangers + "actions { reject = off; }\n"})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		l := letter{id: "marked-" + s.mta.Name(), subject: "hello", fields: []string{"MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"},
			body: "Grüße\n" + pattern('Y') + "\nこんにちは 🎉\n\n\n"}
		s.accepted(s.dial(), l.String())
		same(t, "8-bit", s.next("alice"), marked(l.String()))

		s.accepted(s.dial(), "\n"+pattern('Y')+"\n")
		got := s.next("alice")
		if v := values(got, "X-Spam"); len(v) != 1 || v[0] != "yes" || !strings.HasSuffix(got, "\n\n"+pattern('Y')+"\n") {
			t.Errorf("a body without a header came out as\n%s", got)
		}
		s.none()
	})
}

func TestLargeMessages(t *testing.T) {
	const size = 20 << 20
	random := rand.New(rand.NewPCG(1, 2))
	var body bytes.Buffer
	for body.Len() < size {
		for range 9 {
			fmt.Fprintf(&body, "%08x", random.Uint32())
		}
		body.WriteByte('\n')
	}
	d := startDaemon(t, setup{conf: strangers}) // max_size is 10M
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		l := letter{id: "large-" + s.mta.Name(), subject: "large", body: body.String()}
		s.accepted(s.dial(), l.String())
		same(t, "delivered", s.next("alice"), l.String())
		d.account(t, "mid", l.messageID()).check(t, "action", "no action", "size", fmt.Sprint(len(smtpclient.CRLF(l.String()))))

		l = letter{id: "large-spam-" + s.mta.Name(), subject: "large", body: pattern('X') + "\n" + body.String()}
		id := s.refused(s.dial(), l.String(), 554, "5.7.1")
		d.account(t, "id", id).check(t, "action", "reject", "mid", l.messageID())

		l = letter{id: "large-marked-" + s.mta.Name(), subject: "large", body: pattern('Y') + "\n" + body.String()}
		s.accepted(s.dial(), l.String())
		same(t, "marked", s.next("alice"), marked(l.String()))
		s.none()
	})
}

func TestSMTPUTF8(t *testing.T) {
	d := startDaemon(t, setup{})
	p := content(t, mta.StartPostfix(t, mta.Options{Milter: d.milter, Users: []string{"jürgen"}}))
	s := newSender(t, p)
	send := func(l letter) smtpclient.Result {
		t.Helper()
		res, err := s.dial().Send("jörg@sénder.example SMTPUTF8 BODY=8BITMIME", []string{"jürgen@example.com"}, smtpclient.CRLF(l.String()))
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	l := letter{id: "utf8-1", subject: "こんにちは", fields: []string{"X-Name: Jörg"}, body: "Grüße\n"}
	if res := send(l); !res.End.Is(250, "2.0.0") {
		t.Fatal(res)
	}
	same(t, "clean", s.next("jürgen"), l.String())
	d.account(t, "mid", l.messageID()).check(t, "rcpt", "<jürgen@example.com>", "nrcpt", "1", "action", "no action")

	l = letter{id: "utf8-2", subject: "こんにちは 🎉", body: pattern('Z') + "\n"}
	if res := send(l); !res.End.Is(250, "2.0.0") {
		t.Fatal(res)
	}
	got := s.next("jürgen")
	if v := values(got, "Subject"); len(v) != 1 || decoded(t, v[0]) != "***SPAM*** こんにちは 🎉" {
		t.Errorf("subjects %q", v)
	}
	same(t, "the rest", without(got, "Subject"), marked(without(l.String(), "Subject")))

	l = letter{id: "utf8-3", subject: "こんにちは", body: pattern('X') + "\n"}
	res := send(l)
	if !res.End.Is(554, "5.7.1") {
		t.Fatal(res)
	}
	d.account(t, "id", refusalID(t, res.End)).check(t, "mid", l.messageID())
	mta.WaitQueue(t, p)
}
