package test

import (
	"fmt"
	"strings"
	"testing"

	"rmilter/test/e2e"
	"rmilter/test/mta"
)

// TestLocalMail hands mail over as programs of the machine do. Whatever is in it, it
// must be delivered: a refusal would leave it in the maildrop folder for ever.
func TestLocalMail(t *testing.T) {
	for _, conf := range []struct{ name, conf string }{
		{"by default", ""},
		{"loopback not ours", strangers},
		{"strict_auth", "strict_auth = yes;\n"},
	} {
		t.Run(conf.name, func(t *testing.T) {
			d := startDaemon(t, setup{conf: conf.conf})
			p := content(t, mta.StartPostfix(t, mta.Options{Milter: d.milter, Local: true}))
			s := newSender(t, p)
			t.Run("thirty recipients", func(t *testing.T) { s.t = t; s.thirty(d, p) })
			for _, l := range []byte("AXYZSGQD") {
				t.Run("cron and pattern "+string(l), func(t *testing.T) { s.t = t; s.cron(d, p, l) })
			}
		})
	}
}

// thirty sends one message to thirty recipients by sendmail -t.
func (s *sender) thirty(d *daemon, p *mta.Postfix) {
	s.t.Helper()
	l := letter{id: "thirty", subject: "to many", body: pattern('X') + "\n"}
	var to []string
	for i := range 30 {
		to = append(to, fmt.Sprintf("%s+%d@example.com", []string{"alice", "bob", "carol"}[i%3], i))
	}
	text := strings.Replace(l.String(), "To: Alice <alice@example.com>", "To: "+strings.Join(to, ",\n\t"), 1)
	if err := p.Sendmail([]byte(text), "-t", "-i", "-f", "alice@example.com"); err != nil {
		s.t.Fatal(err)
	}
	for _, user := range []string{"alice", "bob", "carol"} {
		for range 10 {
			got := s.next(user)
			same(s.t, "delivered but for a mark", without(got, "X-Spam"), text)
		}
	}
	s.none()
	d.account(s.t, "mid", l.messageID()).check(s.t, "reply", "-", "nrcpt", "30", "from", "<alice@example.com>")
}

// cron sends what a job has printed, as cron does.
func (s *sender) cron(d *daemon, p *mta.Postfix, pat byte) {
	s.t.Helper()
	before := len(d.accounts(s.t))
	text := "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@mail> run-parts /etc/cron.daily\n\n" + pattern(pat) + "\n"
	if err := p.Sendmail([]byte(text), "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"); err != nil {
		s.t.Fatal(err)
	}
	if got := s.next("carol"); !strings.HasSuffix(got, "\n\n"+pattern(pat)+"\n") {
		s.t.Errorf("delivered:\n%s", got)
	}
	s.none()
	var accounts []account
	e2e.Eventually(func() bool { accounts = d.accounts(s.t); return len(accounts) > before })
	if len(accounts) != before+1 {
		s.t.Fatalf("%d log lines, want 1", len(accounts)-before)
	}
	accounts[before].check(s.t, "reply", "-", "ip", "-")
}

// TestBounce lets Postfix return spam to one of our users. The bounce holds the
// message that is returned, and must arrive all the same.
func TestBounce(t *testing.T) {
	for _, conf := range []struct{ name, conf string }{{"by default", ""}, {"loopback not ours", strangers}} {
		t.Run(conf.name, func(t *testing.T) {
			d := startDaemon(t, setup{conf: conf.conf})
			p := content(t, mta.StartPostfix(t, mta.Options{Milter: d.milter, Local: true, Internal: "bounce"}))
			l := letter{id: "bounced", subject: "will come back", body: pattern('X') + "\n"}
			if err := p.Sendmail([]byte(l.String()), "-i", "-f", "alice@example.com", "nobody-at-all@example.com"); err != nil {
				t.Fatal(err)
			}
			got := string(mta.WaitDeliveries(t, p, "alice", 1)[0])
			for _, want := range []string{"Subject: Undelivered Mail Returned to Sender", "Message-ID: " + l.messageID(), pattern('X')} {
				if !strings.Contains(got, want) {
					t.Errorf("the bounce lacks %q:\n%s", want, got)
				}
			}
			mta.WaitQueue(t, p)
			d.account(t, "mid", l.messageID()).check(t, "reply", "-", "from", "<alice@example.com>")
			d.account(t, "from", "<>").check(t, "reply", "-", "ip", "-", "rcpt", "<alice@example.com>")
		})
	}
}
