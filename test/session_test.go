package test

import (
	"fmt"
	"sync"
	"testing"

	"rmilter/test/mta"
	"rmilter/test/smtpclient"
)

func clean(id string) letter { return letter{id: id, subject: "hello", body: "this is " + id + "\n"} }
func spam(id string) letter {
	return letter{id: id, subject: "hello", body: "this is " + id + "\n" + pattern('X') + "\n"}
}

func TestSeveralMessagesOnOneConnection(t *testing.T) {
	d := startDaemon(t, setup{conf: strangers})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		id := serial("several-" + s.mta.Name())
		c := s.dial()
		for range 2 {
			l := clean(id())
			s.accepted(c, l.String())
			same(t, "alice's", s.next("alice"), l.String())
			d.account(t, "mid", l.messageID()).check(t, "ip", s.clientIP(), "helo", "mx.sender.example", "from", "<joe@sender.example>", "nrcpt", "1")

			l = spam(id())
			d.account(t, "id", s.refused(c, l.String(), 554, "5.7.1", "bob@example.com")).
				check(t, "ip", s.clientIP(), "helo", "mx.sender.example", "rcpt", "<bob@example.com>", "nrcpt", "1", "mid", l.messageID())

			// Nothing of the message before is left over.
			l = clean(id())
			s.accepted(c, l.String(), "bob@example.com", "carol@example.com")
			same(t, "bob's", s.next("bob"), l.String())
			same(t, "carol's", s.next("carol"), l.String())
			d.account(t, "mid", l.messageID()).check(t, "ip", s.clientIP(), "rcpt", "<bob@example.com>", "nrcpt", "2", "action", "no action")
		}
		if err := c.Quit(); err != nil {
			t.Error(err)
		}
		s.none()
	})
}

func TestRefusedRecipients(t *testing.T) {
	const unknown = "nobody-at-all@example.com"
	d := startDaemon(t, setup{conf: strangers})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		id := serial("rcpt-" + s.mta.Name())
		c := s.dial()
		l := clean(id())
		res := s.send(c, l.String(), "alice@example.com", unknown, "bob@example.com")
		if len(res.Rcpts) != 3 || !res.Rcpts[0].Is(250) || !res.Rcpts[1].Is(550, "5.1.1") || !res.Rcpts[2].Is(250) || !res.End.Is(250) {
			t.Fatalf("got %v, want the second recipient alone refused", res)
		}
		same(t, "alice's", s.next("alice"), l.String())
		same(t, "bob's", s.next("bob"), l.String())
		d.account(t, "mid", l.messageID()).check(t, "from", "<joe@sender.example>", "rcpt", "<alice@example.com>", "nrcpt", "2", "ip", s.clientIP())

		l = spam(id())
		d.account(t, "id", s.refused(c, l.String(), 554, "5.7.1", unknown, "carol@example.com")).
			check(t, "from", "<joe@sender.example>", "rcpt", "<carol@example.com>", "nrcpt", "1")

		// A transaction given up after a refusal leaves nothing behind.
		givenUp := "<given-up-" + s.mta.Name() + "@sender.example>"
		replies, err := c.Pipeline("MAIL FROM:"+givenUp, "RCPT TO:<alice@example.com>", "RCPT TO:<"+unknown+">", "RSET")
		if got := fmt.Sprint(codes(replies)); got != "[250 250 550 250]" || err != nil {
			t.Fatalf("replies %v, %v", got, err)
		}
		l = clean(id())
		s.accepted(c, l.String(), "bob@example.com")
		// Postfix tells of the end of a transaction only when the next one begins.
		d.account(t, "from", givenUp).check(t, "action", "abort", "nrcpt", "1")
		same(t, "bob's", s.next("bob"), l.String())
		d.account(t, "mid", l.messageID()).check(t, "from", "<joe@sender.example>", "rcpt", "<bob@example.com>", "nrcpt", "1")

		// So does one that has no recipient left.
		if res := s.send(c, l.String(), unknown, unknown); res.Data.Code != 0 {
			t.Errorf("DATA without recipients: %v", res)
		}
		if r, err := c.Cmd("RSET"); !r.Is(250) || err != nil {
			t.Fatal(r, err)
		}
		l = spam(id())
		s.refused(c, l.String(), 554, "5.7.1")
		s.none()
	})
}

func TestNullSender(t *testing.T) {
	d := startDaemon(t, setup{conf: strangers})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		id := serial("null-" + s.mta.Name())
		for _, l := range []letter{clean(id()), spam(id())} {
			res, err := s.dial().Send("", []string{"alice@example.com"}, smtpclient.CRLF(l.String()))
			if err != nil {
				t.Fatal(err)
			}
			a := d.account(t, "mid", l.messageID())
			a.check(t, "from", "<>", "rcpt", "<alice@example.com>")
			if a["action"] == "reject" {
				if refusalID(t, res.End) != a["id"] || !res.End.Is(554, "5.7.1") {
					t.Errorf("got %v, want 554 5.7.1 … [%s]", res, a["id"])
				}
				continue
			}
			same(t, "delivered", s.next("alice"), l.String())
		}
		s.none()
	})
}

func codes(replies []smtpclient.Reply) []int {
	var all []int
	for _, r := range replies {
		all = append(all, r.Code)
	}
	return all
}

func TestPipelining(t *testing.T) {
	d := startDaemon(t, setup{conf: strangers})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		id := serial("pipeline-" + s.mta.Name())
		c := s.dial()
		for range 3 {
			l := clean(id())
			replies, err := c.Pipeline("MAIL FROM:<joe@sender.example>", "RCPT TO:<alice@example.com>", "RCPT TO:<nobody-at-all@example.com>", "RCPT TO:<bob@example.com>", "DATA")
			if got := fmt.Sprint(codes(replies)); got != "[250 250 550 250 354]" || err != nil {
				t.Fatalf("replies %v, %v", got, err)
			}
			if r, err := c.Body(smtpclient.CRLF(l.String())); !r.Is(250) || err != nil {
				t.Fatal(r, err)
			}
			same(t, "alice's", s.next("alice"), l.String())
			same(t, "bob's", s.next("bob"), l.String())
			d.account(t, "mid", l.messageID()).check(t, "nrcpt", "2")
		}
		s.none()
	})
}

func TestLostClients(t *testing.T) {
	d := startDaemon(t, setup{conf: strangers})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		for i, last := range []string{"MAIL", "RCPT", "DATA", "half a body"} {
			from := fmt.Sprintf("lost-%d-%s@sender.example", i, s.mta.Name())
			c := s.dial()
			cmds := []string{"MAIL FROM:<" + from + ">", "RCPT TO:<alice@example.com>", "DATA"}
			for _, cmd := range cmds[:min(i+1, 3)] {
				if r, err := c.Cmd("%s", cmd); r.Code >= 400 || err != nil {
					t.Fatal(cmd, r, err)
				}
			}
			if last == "half a body" {
				if err := c.Write(smtpclient.CRLF(clean("lost").String())); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			d.account(t, "from", "<"+from+">").check(t, "action", "abort", "ip", s.clientIP())
		}
		l := clean("after-lost-" + s.mta.Name())
		s.accepted(s.dial(), l.String())
		same(t, "alice's", s.next("alice"), l.String())
		s.none()
	})
}

// TestManyClients sends from many sessions at once and wants each message judged by
// its own contents.
func TestManyClients(t *testing.T) {
	const clients, messages = 12, 10
	d := startDaemon(t, setup{conf: strangers})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		var wg sync.WaitGroup
		for n := range clients {
			c := s.dial()
			wg.Go(func() {
				for m := range messages {
					id := fmt.Sprintf("many-%s-%d-%d", s.mta.Name(), n, m)
					l, code := clean(id), 250
					if (n+m)%3 == 0 {
						l, code = spam(id), 554
					}
					res, err := c.Send(id+"@sender.example", []string{"alice@example.com"}, smtpclient.CRLF(l.String()))
					if err != nil || res.End.Code != code {
						t.Errorf("%s: %v, %v; want %d", id, res, err, code)
						return
					}
				}
			})
		}
		wg.Wait()
		mta.WaitQueue(t, s.mta)
		all, err := s.mta.Deliveries("alice")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, m := range all {
			got[untraced(t, m)]++
		}
		accounts := map[string]account{}
		for _, a := range d.accounts(t) {
			accounts[a["mid"]] = a
		}
		for n := range clients {
			for m := range messages {
				id := fmt.Sprintf("many-%s-%d-%d", s.mta.Name(), n, m)
				l, want, action := clean(id), 1, "no action"
				if (n+m)%3 == 0 {
					l, want, action = spam(id), 0, "reject"
				}
				if got[l.String()] != want {
					t.Errorf("%s was delivered %d times, want %d", id, got[l.String()], want)
				}
				delete(got, l.String())
				accounts[l.messageID()].check(t, "action", action, "from", "<"+id+"@sender.example>")
			}
		}
		for text := range got {
			t.Errorf("delivered, but never sent so:\n%.2000s", text)
		}
	})
}

func TestUnixSocket(t *testing.T) {
	d := startDaemon(t, setup{conf: strangers, unix: true})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		id := serial("unix-" + s.mta.Name())
		c := s.dial()
		l := clean(id())
		s.accepted(c, l.String())
		same(t, "alice's", s.next("alice"), l.String())
		s.refused(c, spam(id()).String(), 554, "5.7.1")
		s.none()
	})
}
