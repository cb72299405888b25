package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rmilter/test/mta"
	"rmilter/test/smtpclient"
)

// TestServiceManager looks at what the daemon tells its supervisor.
func TestServiceManager(t *testing.T) {
	d := startDaemon(t, setup{held: true, watchdog: 100 * time.Millisecond})
	if err := d.WaitSaid("WATCHDOG=1", 3); err != nil {
		t.Error(err)
	}
	if err := d.Reload(); err != nil {
		t.Error(err)
	}
	if got := d.Said("RELOADING=1"); got != 1 {
		t.Errorf("RELOADING=1 was said %d times, want once", got)
	}
	before := d.Pid()
	if err := d.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := d.Said("STOPPING=1"); got != 1 || d.Pid() == before {
		t.Errorf("STOPPING=1 was said %d times by process %d, now %d; want once, and another process", got, before, d.Pid())
	}
}

// TestReload changes the configuration under way. A message is judged by the one that
// was in force at its MAIL FROM.
func TestReload(t *testing.T) {
	d := startDaemon(t, setup{conf: strangers})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		id := serial("reload-" + s.mta.Name())
		reload := func(more string) {
			t.Helper()
			d.configure(t, more)
			if err := d.Reload(); err != nil {
				t.Fatal(err)
			}
		}
		const mild = "spamd { spamd_never_reject = yes; }\n"
		c := s.dial()
		s.refused(c, spam(id()).String(), 554, "5.7.1")

		// Half a message before the reload and half after it.
		l := spam(id())
		text := smtpclient.Stuffed(smtpclient.CRLF(l.String()))
		for _, cmd := range []string{"MAIL FROM:<joe@sender.example>", "RCPT TO:<alice@example.com>", "DATA"} {
			if r, err := c.Cmd("%s", cmd); r.Code >= 400 || err != nil {
				t.Fatal(cmd, r, err)
			}
		}
		if err := c.Write(text[:len(text)/2]); err != nil {
			t.Fatal(err)
		}
		reload(mild)
		if err := c.Write(text[len(text)/2:]); err != nil {
			t.Fatal(err)
		}
		if r, err := c.Read(); !r.Is(554, "5.7.1") || err != nil {
			t.Errorf("a message that was begun before the reload: %v, %v; want 554 5.7.1", r, err)
		}

		l = spam(id())
		s.accepted(c, l.String())
		same(t, "after the reload", s.next("alice"), marked(l.String()))

		// A configuration with faults changes nothing.
		reload("no_such_option = 1;\n")
		l = spam(id())
		s.accepted(c, l.String())
		same(t, "after the failed reload", s.next("alice"), marked(l.String()))

		reload("")
		s.refused(c, spam(id()).String(), 554, "5.7.1")
		s.none()
	})
	if !strings.Contains(d.log.String(), "no_such_option") {
		t.Error("the fault is not in the log")
	}
}

// TestKill kills the daemon without warning. What happens then is the MTA's default
// action and nothing worse, and all is well when the daemon is back.
func TestKill(t *testing.T) {
	for _, action := range []string{"accept", "tempfail"} {
		t.Run(action, func(t *testing.T) {
			d := startDaemon(t, setup{conf: strangers + extended, held: true})
			o := mta.Options{Milter: d.milter, DefaultAction: action}
			t.Run("postfix", func(t *testing.T) { testKill(t, d, newSender(t, mta.StartPostfix(t, o)), action) })
			t.Run("sendmail", func(t *testing.T) { testKill(t, d, newSender(t, mta.StartSendmail(t, o)), action) })
		})
	}
}

// extended makes the daemon put its header on every message of a stranger.
const extended = "spamd { extended_spam_headers = yes; }\n"

// filtered tells whether a message bears the daemon's header.
func filtered(text string) bool { return len(values(text, "X-Spamd-Result")) == 1 }

func testKill(t *testing.T, d *daemon, s *sender, action string) {
	id := serial(fmt.Sprint("kill-", s.mta.Name(), "-", action))
	// defaulted sends, or goes on sending, what the daemon can't judge any more.
	defaulted := func(what string, l letter, r smtpclient.Reply, err error) {
		t.Helper()
		switch {
		case err != nil:
			t.Fatalf("%s: %v", what, err)
		case action == "tempfail":
			if r.Code != 451 {
				t.Errorf("%s: %v, want 451", what, r)
			}
		case !r.Is(250):
			t.Errorf("%s: %v, want 250", what, r)
		default:
			same(t, what, s.next("alice"), l.String())
		}
	}
	idle := s.dial()
	s.accepted(idle, clean(id()).String())
	if !filtered(s.next("alice")) {
		t.Error("the first message is not filtered")
	}
	half := s.dial()
	l := clean(id())
	text := smtpclient.Stuffed(smtpclient.CRLF(l.String()))
	for _, cmd := range []string{"MAIL FROM:<joe@sender.example>", "RCPT TO:<alice@example.com>", "DATA"} {
		if r, err := half.Cmd("%s", cmd); r.Code >= 400 || err != nil {
			t.Fatal(cmd, r, err)
		}
	}
	if err := half.Write(text[:len(text)/2]); err != nil {
		t.Fatal(err)
	}
	if err := d.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := half.Write(text[len(text)/2:]); err != nil {
		t.Fatal(err)
	}
	r, err := half.Read()
	defaulted("killed in mid-message", l, r, err)

	l = clean(id())
	res, err := idle.Send("joe@sender.example", []string{"alice@example.com"}, smtpclient.CRLF(l.String()))
	defaulted("killed between messages", l, res.Last(), err)

	// A session that begins while the daemon is away waits for it.
	l = clean(id())
	done := make(chan error, 1)
	go func() {
		c, err := smtpclient.DialHello(s.mta.Addr(), "mx.sender.example")
		if err == nil {
			defer c.Close()
			res, err = c.Send("joe@sender.example", []string{"alice@example.com"}, smtpclient.CRLF(l.String()))
			if err == nil && !res.End.Is(250) {
				err = fmt.Errorf("%v", res)
			}
		}
		done <- err
	}()
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("begun while the daemon was away: %v", err)
	}
	if got := s.next("alice"); !filtered(got) {
		t.Errorf("begun while the daemon was away, not filtered:\n%s", got)
	}
	s.refused(s.dial(), spam(id()).String(), 554, "5.7.1")
	s.none()
}
