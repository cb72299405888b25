package test

import (
	"fmt"
	"mime"
	"net/mail"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/test/mta"
	"rmilter/test/smtpclient"
)

// The strings that stand for the actions, in parts so that no scanner takes this file
// for spam.
func pattern(letter byte) string {
	return string(letter) + "JS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
}

// A letter is a message in the making. Lines end in LF.
type letter struct {
	id      string   // left part of its Message-ID
	subject string   // the whole value of Subject; "-" leaves the field out
	fields  []string // further header fields, after the usual ones
	body    string
}

// String returns the message. All fields that an MTA would add are there.
func (l letter) String() string {
	s := "From: Joe <joe@sender.example>\nTo: Alice <alice@example.com>\n"
	if l.subject != "-" {
		s += "Subject: " + l.subject + "\n"
	}
	s += "Date: Thu, 01 Jan 2026 12:00:00 +0000\nMessage-ID: " + l.messageID() + "\n"
	for _, f := range l.fields {
		s += f + "\n"
	}
	return s + "\n" + l.body
}

func (l letter) messageID() string { return "<" + l.id + "@sender.example>" }

// with returns the message with a field appended to its header.
func with(text, field string) string {
	header, body, _ := strings.Cut(text, "\n\n")
	return header + "\n" + field + "\n\n" + body
}

// without returns the message without the header fields whose name matches.
func without(text, name string) string {
	header, body, _ := strings.Cut(text, "\n\n")
	header = regexp.MustCompile(`(?mi)^(`+name+`):.*\n([ \t].*\n)*`).ReplaceAllString(header+"\n", "")
	return header + "\n" + body
}

// values returns the values of the header fields of this name, unfolded.
func values(text, name string) []string {
	header, _, _ := strings.Cut(text, "\n\n")
	var all []string
	for _, m := range regexp.MustCompile(`(?mi)^`+name+`:[ \t]?(.*(?:\n[ \t].*)*)`).FindAllStringSubmatch(header, -1) {
		all = append(all, strings.ReplaceAll(m[1], "\n", ""))
	}
	return all
}

// decoded returns what a reader sees of a header field's value.
func decoded(t *testing.T, value string) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		t.Errorf("%q: %v", value, err)
	}
	return s
}

// traceFields are what an MTA puts on top on the way to the mailbox.
var traceFields = regexp.MustCompile(`^(?:(?:Return-Path|X-Original-To|Delivered-To): .*\n)*Received: (?:from|by) .*\n(?:[ \t].*\n)*`)

// authResults is what we put below the MTA's trace into mail that is judged: nothing of it
// can be proved where the DNS doesn't answer. A line more is for messages with signatures.
var authResults = regexp.MustCompile(`^Authentication-Results: \S+;\n\tspf=(?:temperror|none) .*\n(?:\t.*\n)*?\tdkim=.*\n(?:\t.*\n)*?\tdmarc=.*\n(?:\t.*\n)*`)

// untraced returns a delivered message without what the MTA has put on top of it, and
// without our Authentication-Results below that; TestAuthenticationResults has that.
func untraced(t *testing.T, delivered []byte) string {
	t.Helper()
	s := string(delivered)
	trace := traceFields.FindString(s)
	if !strings.Contains(trace, "by mail.example.com") {
		t.Errorf("no trace of the MTA on top of\n%.2000s", s)
	}
	s = s[len(trace):]
	return s[len(authResults.FindString(s)):]
}

// same compares two messages.
func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	if len(got) > 20000 || len(want) > 20000 {
		t.Errorf("%s: %d bytes, want %d; they part at byte %d", what, len(got), len(want), common(got, want))
		return
	}
	t.Errorf("%s (-want +got):\n%s", what, cmp.Diff(want, got))
}

// common returns how many bytes two strings share at their beginnings.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// idTag finds the id at the end of a refusal.
var idTag = regexp.MustCompile(` \[([0-9a-f]{10})\]$`)

// refusalID returns the id that a refusal must end in, on each of its lines.
func refusalID(t *testing.T, r smtpclient.Reply) string {
	t.Helper()
	id := ""
	for _, line := range r.Lines {
		m := idTag.FindStringSubmatch(line)
		if m == nil || id != "" && m[1] != id {
			t.Errorf("reply %q does not end in the id of the log line", r)
			return ""
		}
		id = m[1]
	}
	return id
}

// A sender sends mail to one MTA and looks into its mailboxes.
type sender struct {
	t    *testing.T
	mta  mta.Server
	seen map[string]int // messages of each user that were looked at
}

func newSender(t *testing.T, s mta.Server) *sender {
	return &sender{t: t, mta: s, seen: map[string]int{}}
}

// dial opens a session as a stranger, at 203.0.113.7 where the MTA knows XCLIENT.
func (s *sender) dial() *smtpclient.Conn {
	s.t.Helper()
	var c *smtpclient.Conn
	var err error
	if _, ok := s.mta.(*mta.Postfix); ok {
		c, err = smtpclient.DialAs(s.mta.Addr(), "203.0.113.7", "mx.sender.example")
	} else {
		c, err = smtpclient.DialHello(s.mta.Addr(), "mx.sender.example")
	}
	if err != nil {
		s.t.Fatalf("%s: %v", s.mta.Name(), err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// clientIP is the address that dial's sessions come from.
func (s *sender) clientIP() string {
	if _, ok := s.mta.(*mta.Postfix); ok {
		return "203.0.113.7"
	}
	return "127.0.0.1"
}

// send sends a message on a session and returns how it went. No recipients stand for
// alice.
func (s *sender) send(c *smtpclient.Conn, text string, rcpts ...string) smtpclient.Result {
	s.t.Helper()
	if len(rcpts) == 0 {
		rcpts = []string{"alice@example.com"}
	}
	from := "joe@sender.example"
	if strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) {
		from += " BODY=8BITMIME"
	}
	res, err := c.Send(from, rcpts, smtpclient.CRLF(text))
	if err != nil {
		s.t.Fatalf("%s: %v after %v", s.mta.Name(), err, res)
	}
	return res
}

// accepted sends a message as send does and wants it to be taken.
func (s *sender) accepted(c *smtpclient.Conn, text string, rcpts ...string) {
	s.t.Helper()
	if res := s.send(c, text, rcpts...); !res.End.Is(250, "2.0.0") {
		s.t.Fatalf("%s: %v, want 250 2.0.0", s.mta.Name(), res)
	}
}

// refused sends a message as send does and wants it to be refused so. It returns the
// id that the refusal ends in.
func (s *sender) refused(c *smtpclient.Conn, text string, code int, enhanced string, rcpts ...string) string {
	s.t.Helper()
	res := s.send(c, text, rcpts...)
	if !res.End.Is(code, enhanced) {
		s.t.Fatalf("%s: %v, want %d %s", s.mta.Name(), res, code, enhanced)
	}
	return refusalID(s.t, res.End)
}

// next waits for the user's next message and returns it without trace fields.
func (s *sender) next(user string) string {
	s.t.Helper()
	all := mta.WaitDeliveries(s.t, s.mta, user, s.seen[user]+1)
	s.seen[user]++
	return untraced(s.t, all[s.seen[user]-1])
}

// none waits until the queue is empty and wants no further message in any mailbox.
func (s *sender) none() {
	s.t.Helper()
	mta.WaitQueue(s.t, s.mta)
	for _, user := range []string{"alice", "bob", "carol"} {
		all, err := s.mta.Deliveries(user)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(all) > s.seen[user] {
			s.t.Errorf("%s: %d messages more than expected for %s, the first is\n%.2000s", s.mta.Name(), len(all)-s.seen[user], user, all[s.seen[user]])
			s.seen[user] = len(all)
		}
	}
}

// bothMTAs runs a test against each MTA. Both use the same daemon.
func bothMTAs(t *testing.T, d *daemon, test func(t *testing.T, s *sender)) {
	t.Helper()
	t.Run("postfix", func(t *testing.T) {
		test(t, newSender(t, content(t, mta.StartPostfix(t, mta.Options{Milter: d.milter}))))
	})
	t.Run("sendmail", func(t *testing.T) {
		test(t, newSender(t, content(t, mta.StartSendmail(t, mta.Options{Milter: d.milter}))))
	})
}

// complaints finds what an MTA logs when it is not content with its milter.
var complaints = regexp.MustCompile(`warning: .*milter.*|Milter \(rmilter\): .*`)

// content wants the MTA to have nothing to complain of its milter when the test ends.
func content[S mta.Server](t *testing.T, s S) S {
	t.Cleanup(func() {
		for _, line := range complaints.FindAllString(s.Log(), 10) {
			t.Errorf("%s complains: %s", s.Name(), line)
		}
	})
	return s
}

// validHeader fails the test if a mail program could stumble over the header.
func validHeader(t *testing.T, text string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Errorf("malformed header: %v in\n%.2000s", err, text)
		return
	}
	for name := range m.Header {
		for _, v := range m.Header[name] {
			if strings.ContainsFunc(v, func(r rune) bool { return r >= 0x7f }) {
				t.Errorf("%s: %q is not ASCII", name, v)
			}
		}
	}
}

// serial returns a function that gives each message of a test an id of its own.
func serial(prefix string) func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("%s-%d", prefix, n) }
}
