package test

import (
	"strings"
	"testing"

	"rmilter/test/mta"
)

// foreignSpamFields are what a sender may put into a message to fool a filter further
// on. Those in between must stay.
var foreignSpamFields = []string{
	"X-Spam: no", "X-Mailer: first", "X-Spam-Status: No, score=-9.0\n\ttests=none", "x-SPAM: maybe",
	"X-Spa: kept", "X-Spamd-Result: default: False [0.00 / 15.00]", "X-Rspamd-Queue-ID: forged",
	"X-Rmilter-Greylist: forged", "X-Spam: no", "X-Mailer: last",
}

// An actionCase is a message, the answer to it and what is delivered.
type actionCase struct {
	name     string
	letter   letter
	code     int    // of the answer; 0 for 250
	enhanced string // with code
	action   string // in the log line
	want     func(text string) string
}

func unchanged(text string) string { return text }
func marked(text string) string    { return with(text, "X-Spam: yes") }
func nothing(string) string        { return "" }
func cleansed(text string) string {
	return without(text, "X-Spam|X-Spam-Status|X-Spamd-Result|X-Rspamd-Queue-ID|X-Rmilter-Greylist")
}

func actionCases() []actionCase {
	spam := func(l byte) letter { return letter{subject: "hello", body: "hi\n\n" + pattern(l) + "\nbye\n"} }
	foreign := func(body string) letter { return letter{subject: "hello", fields: foreignSpamFields, body: body} }
	folded := letter{subject: "a subject\n\ton two lines", fields: []string{"X-Long:\n  " + strings.Repeat("word ", 20) + "\n\tend"}, body: ".\n..\n.leading dots\n"}
	cases := []actionCase{
		{name: "clean", letter: letter{subject: "hello", body: "hi\n"}, action: "no action", want: unchanged},
		{name: "clean and folded", letter: folded, action: "no action", want: unchanged},
		{name: "no action", letter: spam('A'), action: "no action", want: unchanged},
		{name: "reject", letter: spam('X'), code: 554, enhanced: "5.7.1", action: "reject", want: nothing},
		{name: "add header", letter: spam('Y'), action: "add header", want: marked},
		{name: "soft reject", letter: spam('S'), code: 451, enhanced: "4.7.1", action: "soft reject", want: nothing},
		{name: "discard", letter: spam('D'), action: "discard", want: nothing},
		{name: "foreign spam fields", letter: foreign("hi\n"), action: "no action", want: cleansed},
		{name: "foreign spam fields and add header", letter: foreign(pattern('Y') + "\n"), action: "add header",
			want: func(text string) string { return marked(cleansed(text)) }},
	}
	id := serial("action")
	for i := range cases {
		cases[i].letter.id = id()
	}
	return cases
}

func TestActions(t *testing.T) {
	d := startDaemon(t, setup{conf: strangers})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		for _, c := range actionCases() {
			c.letter.id += "-" + s.mta.Name()
			t.Run(c.name, func(t *testing.T) { s.run(t, d, c) })
		}
	})
}

// run sends the message of a case in a session of its own and checks answer, mailbox
// and log line.
func (s *sender) run(t *testing.T, d *daemon, c actionCase) {
	t.Helper()
	s.t = t
	text := c.letter.String()
	conn := s.dial()
	var a account
	if c.code == 0 {
		s.accepted(conn, text)
		a = d.account(t, "mid", c.letter.messageID())
		a.check(t, "reply", map[bool]string{true: "discard", false: "-"}[c.action == "discard"])
	} else {
		a = d.account(t, "id", s.refused(conn, text, c.code, c.enhanced))
		a.check(t, "reply", strings.TrimSpace(map[int]string{451: "451 4.7.1", 554: "554 5.7.1"}[c.code]), "mid", c.letter.messageID())
	}
	if err := conn.Quit(); err != nil {
		t.Error(err)
	}
	if want := c.want(text); want != "" {
		got := s.next("alice")
		if s.mta.Name() == "sendmail" && c.action == "add header" {
			got = last(got, "X-Spam")
		}
		same(t, "delivered", got, want)
	}
	s.none()
	a.check(t, "action", c.action, "ip", s.clientIP(), "helo", "mx.sender.example", "user", "-",
		"from", "<joe@sender.example>", "rcpt", "<alice@example.com>", "nrcpt", "1", "dry", "0")
}

// last returns the message with the fields of this name at the end of its header:
// sendmail puts a field that is added where one of that name was deleted.
func last(text, name string) string {
	rest := without(text, name)
	for _, v := range values(text, name) {
		rest = with(rest, name+": "+v)
	}
	return rest
}

func TestQuarantine(t *testing.T) {
	d := startDaemon(t, setup{conf: strangers})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		l := letter{id: "quarantine-" + s.mta.Name(), subject: "hello", body: pattern('Q') + "\n"}
		s.accepted(s.dial(), l.String())
		q := mta.WaitQueue(t, s.mta, "hold")
		if all, err := s.mta.Deliveries("alice"); len(all) != 0 || err != nil {
			t.Errorf("alice has %d messages, %v; want none", len(all), err)
		}
		held, err := s.mta.Held(q[0].ID)
		if err != nil || !strings.HasSuffix(string(held), l.body) {
			t.Errorf("held: %v\n%s", err, held)
		}
		d.account(t, "mid", l.messageID()).check(t, "action", "quarantine", "qid", q[0].ID)
		if p, ok := s.mta.(*mta.Postfix); ok {
			if err := p.Release(q[0].ID); err != nil {
				t.Fatal(err)
			}
			same(t, "released", s.next("alice"), l.String())
			s.none()
		}
	})
}

func TestRewriteSubject(t *testing.T) {
	const japanese, emoji = "=?ISO-2022-JP?B?GyRCJDMkcyRLJEEkTxsoQg==?=", "=?UTF-8?B?8J+OiSB5b3Ugd29u?="
	tests := []struct {
		name, subject string
		fields        []string
		want          []string // the values of all Subject fields as people see them
	}{
		{"ascii", "buy this", nil, []string{"***SPAM*** buy this"}},
		{"japanese in utf-8", "=?UTF-8?B?44GT44KT44Gr44Gh44Gv?=", nil, []string{"***SPAM*** こんにちは"}},
		{"japanese on two lines", "=?UTF-8?B?44GT44KT?=\n =?UTF-8?B?44Gr44Gh44Gv?= now", nil, []string{"***SPAM*** こんにちは now"}},
		{"emoji", emoji, nil, []string{"***SPAM*** 🎉 you won"}},
		{"emoji in quoted-printable", "=?utf-8?Q?=F0=9F=8E=89_you_won?=", nil, []string{"***SPAM*** 🎉 you won"}},
		{"absent", "-", nil, []string{"***SPAM***"}},
		{"empty", "", nil, []string{"***SPAM***"}},
		{"duplicate", "one", []string{"Subject: two"}, []string{"***SPAM*** one", "***SPAM*** two"}},
		{"folded", "a long subject\n\tthat goes on\n and on", nil, []string{"***SPAM*** a long subject\tthat goes on and on"}},
	}
	d := startDaemon(t, setup{conf: strangers})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		id := serial("subject-" + s.mta.Name())
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				s.t = t
				l := letter{id: id(), subject: test.subject, fields: test.fields, body: pattern('Z') + "\n"}
				s.accepted(s.dial(), l.String())
				got := s.next("alice")
				validHeader(t, got)
				var subjects []string
				for _, v := range values(got, "Subject") {
					subjects = append(subjects, decoded(t, v))
				}
				if g, w := strings.Join(subjects, "\n"), strings.Join(test.want, "\n"); g != w {
					t.Errorf("subjects %q, want %q", g, w)
				}
				same(t, "the rest", without(got, "Subject"), marked(without(l.String(), "Subject")))
				d.account(t, "mid", l.messageID()).check(t, "action", "rewrite subject")
			})
		}
		t.Run("japanese in its own charset", func(t *testing.T) {
			s.t = t
			l := letter{id: id(), subject: japanese, body: pattern('Z') + "\n"}
			s.accepted(s.dial(), l.String())
			if got, want := values(s.next("alice"), "Subject"), "***SPAM*** "+japanese; len(got) != 1 || got[0] != want {
				t.Errorf("subjects %q, want %q", got, want)
			}
		})
		s.t = t
		s.none()
	})
}

func TestExtendedHeaders(t *testing.T) {
	d := startDaemon(t, setup{conf: strangers + "spamd { extended_spam_headers = yes; }\n"})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		l := letter{id: "extended-" + s.mta.Name(), subject: "hello", fields: foreignSpamFields, body: "hi\n"}
		s.accepted(s.dial(), l.String())
		got := s.next("alice")
		const ours = "X-Spamd-Result|X-Rspamd-Server|X-Rspamd-Scan-Time|X-Rspamd-Queue-ID"
		same(t, "delivered but for the extended fields", without(got, ours), cleansed(l.String()))
		a := d.account(t, "mid", l.messageID())
		for name, want := range map[string]string{"X-Spamd-Result": "default: False [1.20 / 15.00]\tDATE_IN_PAST(1.00)[", "X-Rspamd-Queue-ID": a["qid"]} {
			if v := values(got, name); len(v) != 1 || !strings.HasPrefix(v[0], want) {
				t.Errorf("%s: %q, want one that begins with %q", name, v, want)
			}
		}
		for _, name := range []string{"X-Rspamd-Server", "X-Rspamd-Scan-Time"} {
			if v := values(got, name); len(v) != 1 || v[0] == "" {
				t.Errorf("%s: %q, want one value", name, v)
			}
		}
	})
}

// TestScored has a message marked for what it is, not for a test string.
func TestScored(t *testing.T) {
	d := startDaemon(t, setup{conf: strangers})
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		l := letter{id: "scored-" + s.mta.Name(), subject: "your account", body: "hi\n"}
		text := strings.Replace(l.String(), "From: Joe", `From: "support@example.com"`, 1)
		s.accepted(s.dial(), text)
		got, want := s.next("alice"), marked(text)
		if s.mta.Name() == "sendmail" {
			got = last(got, "X-Spam")
		}
		if v := values(got, "X-Rmilter-Greylist"); len(v) != 1 {
			t.Errorf("X-Rmilter-Greylist: %q, want one", v)
		}
		same(t, "delivered", without(got, "X-Rmilter-Greylist"), want)
		a := d.account(t, "mid", l.messageID())
		a.check(t, "action", "add header", "grey", "warmup")
		if !strings.Contains(a["sym"], "SPOOF_DISPLAY_NAME(8.00){sender.example,example.com}") {
			t.Errorf("got symbols %s, want SPOOF_DISPLAY_NAME among them", a["sym"])
		}
	})
}

func TestModesThatRefuseNothing(t *testing.T) {
	tests := []struct {
		name, conf, dry, action string
		want                    func(string) string
	}{
		{"never reject", "spamd { spamd_never_reject = yes; }\n", "0", "add header", marked},
		{"dry run", "dry_run = yes;\n", "1", "reject", unchanged},
		{"client whitelist", "spamd { whitelist = 203.0.113.0/24, 127.0.0.1; }\n", "0", "no action", unchanged},
		{"recipient whitelist", "whitelist = alice@example.com;\n", "0", "no action", unchanged},
		{"gtube unknown", "gtube_patterns = disable;\n", "0", "no action", unchanged},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conf := strangers + test.conf
			d := startDaemon(t, setup{conf: conf})
			bothMTAs(t, d, func(t *testing.T, s *sender) {
				l := letter{id: "mode-" + s.mta.Name(), subject: "hello", body: pattern('X') + "\n"}
				s.accepted(s.dial(), l.String())
				same(t, "delivered", s.next("alice"), test.want(l.String()))
				s.none()
				d.account(t, "mid", l.messageID()).check(t, "action", test.action, "dry", test.dry)
			})
		})
	}
}

func TestRecipientsWithDifferentSettings(t *testing.T) {
	const lenient = "settings \"lenient\" { rcpt = bob@example.com; spamd_never_reject = yes; }\nwhitelist = carol@example.com;\n"
	spam := func(id string) letter { return letter{id: id, subject: "hello", body: pattern('X') + "\n"} }
	t.Run("mildest", func(t *testing.T) {
		d := startDaemon(t, setup{conf: strangers + lenient})
		bothMTAs(t, d, func(t *testing.T, s *sender) {
			id := serial("mild-" + s.mta.Name())
			c := s.dial()
			s.refused(c, spam(id()).String(), 554, "5.7.1", "alice@example.com")
			s.refused(c, spam(id()).String(), 554, "5.7.1", "alice@example.com", "carol@example.com")
			l := spam(id())
			s.accepted(c, l.String(), "alice@example.com", "bob@example.com")
			same(t, "alice's", s.next("alice"), marked(l.String()))
			same(t, "bob's", s.next("bob"), marked(l.String()))
			l = spam(id())
			s.accepted(c, l.String(), "carol@example.com")
			same(t, "carol's", s.next("carol"), l.String())
			s.none()
		})
	})
	t.Run("split", func(t *testing.T) {
		d := startDaemon(t, setup{conf: strangers + lenient + "split_recipients = yes;\n"})
		bothMTAs(t, d, func(t *testing.T, s *sender) {
			l := letter{id: "split-" + s.mta.Name(), subject: "hello", body: "hi\n"}
			res := s.send(s.dial(), l.String(), "alice@example.com", "bob@example.com", "alice+folder@example.com")
			if len(res.Rcpts) != 3 || !res.Rcpts[0].Is(250) || !res.Rcpts[1].Is(451, "4.5.3") || !res.Rcpts[2].Is(250) || !res.End.Is(250) {
				t.Fatalf("got %v, want the second recipient deferred", res)
			}
			id := refusalID(t, res.Rcpts[1])
			for range 2 {
				same(t, "alice's", s.next("alice"), l.String())
			}
			s.none()
			d.account(t, "mid", l.messageID()).check(t, "id", id, "nrcpt", "2")
		})
	})
}
