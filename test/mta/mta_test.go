package mta_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"rmilter/test/mta"
	"rmilter/test/smtpclient"
)

const message = "From: Joe <joe@sender.example>\n" +
	"To: alice@example.com\n" +
	"Subject: hello\n" +
	"Date: Thu, 01 Jan 2026 12:00:00 +0000\n" +
	"Message-ID: <1@sender.example>\n" +
	"\n" +
	"hi\n.dot\n"

// both runs a test with each kind of server.
func both(t *testing.T, o mta.Options, test func(t *testing.T, s mta.Server)) {
	t.Run("postfix", func(t *testing.T) { test(t, mta.StartPostfix(t, o)) })
	t.Run("sendmail", func(t *testing.T) { test(t, mta.StartSendmail(t, o)) })
}

func dial(t *testing.T, s mta.Server) *smtpclient.Conn {
	t.Helper()
	c, err := smtpclient.DialHello(s.Addr(), "mx.sender.example")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestDeliveriesHoldTheMessageUnchanged(t *testing.T) {
	both(t, mta.Options{}, func(t *testing.T, s mta.Server) {
		c := dial(t, s)
		for i := range 3 {
			text := strings.Replace(message, "hi", fmt.Sprint("message ", i), 1)
			res, err := c.Send("joe@sender.example", []string{"alice@example.com", "bob@example.com"}, smtpclient.CRLF(text))
			if err != nil || !res.Last().Is(250, "2.0.0") {
				t.Fatalf("message %d: %v, %v", i, res, err)
			}
			for _, user := range []string{"alice", "bob"} {
				all := mta.WaitDeliveries(t, s, user, i+1)
				if got := all[len(all)-1]; len(all) != i+1 || !bytes.HasSuffix(got, []byte(text)) {
					t.Errorf("%d messages for %s, the last is\n%s\nwant %d, ending in\n%s", len(all), user, got, i+1, text)
				}
			}
		}
		if err := c.Quit(); err != nil {
			t.Error(err)
		}
		mta.WaitQueue(t, s)
		if got, err := s.Deliveries("carol"); len(got) != 0 || err != nil {
			t.Errorf("carol has %d messages, %v; want none", len(got), err)
		}
		if !strings.Contains(s.Log(), "joe@sender.example") {
			t.Errorf("the log does not name the sender:\n%s", s.Log())
		}
	})
}

func TestUnknownUserIsRefused(t *testing.T) {
	both(t, mta.Options{}, func(t *testing.T, s mta.Server) {
		res, err := dial(t, s).Send("joe@sender.example", []string{"nobody-at-all@example.com"}, nil)
		if err != nil || !res.Last().Is(550, "5.1.1") {
			t.Errorf("got %v, %v; want 550 5.1.1", res, err)
		}
	})
}

func TestMilterThatIsAway(t *testing.T) {
	tests := []struct {
		action string
		code   int
	}{{"accept", 250}, {"", 250}, {"tempfail", 451}}
	for _, test := range tests {
		t.Run("default "+test.action, func(t *testing.T) {
			both(t, mta.Options{Milter: "unix:/nonexistent/milter.sock", DefaultAction: test.action}, func(t *testing.T, s mta.Server) {
				c, err := smtpclient.Dial(s.Addr())
				if err != nil {
					// sendmail refuses at the greeting.
					if test.code/100 != 4 || !strings.Contains(err.Error(), "451 4.") {
						t.Error(err)
					}
					return
				}
				defer c.Close()
				if _, err := c.Cmd("EHLO mx.sender.example"); err != nil {
					t.Fatal(err)
				}
				res, err := c.Send("joe@sender.example", []string{"alice@example.com"}, smtpclient.CRLF(message))
				if err != nil || !res.Last().Is(test.code) {
					t.Errorf("got %v, %v; want %d", res, err, test.code)
				}
			})
		})
	}
}

func TestPostfixHoldAndSendmail(t *testing.T) {
	p := mta.StartPostfix(t, mta.Options{Users: []string{"dave"}, Extra: []string{
		"smtpd_sender_restrictions = check_sender_access inline:{{ joe@sender.example = HOLD }}"}})
	res, err := dial(t, p).Send("joe@sender.example", []string{"alice@example.com"}, smtpclient.CRLF(message))
	if err != nil || !res.Last().Is(250) {
		t.Fatal(res, err)
	}
	q := mta.WaitQueue(t, p, "hold")
	held, err := p.Held(q[0].ID)
	if err != nil || !strings.HasSuffix(string(held), message) {
		t.Errorf("held message, %v:\n%s\nwant it to end in\n%s", err, held, message)
	}
	if err := p.Release(q[0].ID); err != nil {
		t.Fatal(err)
	}
	mta.WaitDeliveries(t, p, "alice", 1)

	if err := p.Sendmail([]byte(message), "-i", "-f", "joe@sender.example", "dave+ext"); err != nil {
		t.Fatal(err)
	}
	if got := string(mta.WaitDeliveries(t, p, "dave", 1)[0]); !strings.HasSuffix(got, message) {
		t.Errorf("got\n%s\nwant it to end in\n%s", got, message)
	}
	mta.WaitQueue(t, p)
}

func TestPostfixXclient(t *testing.T) {
	p := mta.StartPostfix(t, mta.Options{})
	for _, ip := range []string{"203.0.113.7", "2001:db8::7"} {
		c, err := smtpclient.DialAs(p.Addr(), ip, "mx.sender.example")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		res, err := c.Send("joe@sender.example", []string{"x@elsewhere.example"}, nil)
		if err != nil || !res.Last().Is(554, "5.7.1") {
			t.Errorf("a stranger at %s relays: %v, %v", ip, res, err)
		}
	}
	for _, addr := range []string{p.Addr(), p.Originating()} {
		c, err := smtpclient.DialHello(addr, "client.example.com")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		res, err := c.Send("alice@example.com", []string{"x@elsewhere.example"}, smtpclient.CRLF(message))
		if err != nil || !res.Last().Is(250) {
			t.Errorf("a local client does not relay: %v, %v", res, err)
		}
	}
	mta.WaitQueue(t, p)
}
