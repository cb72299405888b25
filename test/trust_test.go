package test

import (
	"testing"

	"rmilter/test/mta"
	"rmilter/test/smtpclient"
)

// TestXclientTwice changes who the client is within one milter connection.
func TestXclientTwice(t *testing.T) {
	d := startDaemon(t, setup{})
	s := newSender(t, mta.StartPostfix(t, mta.Options{Milter: d.milter,
		Extra: []string{"smtpd_authorized_xclient_hosts = 0.0.0.0/0, [::]/0"}}))
	id := serial("xclient")
	c := s.dial()
	l := spam(id())
	d.account(t, "id", s.refused(c, l.String(), 554, "5.7.1")).check(t, "ip", "203.0.113.7", "host", "mx.sender.example", "helo", "mx.sender.example")
	for _, client := range []struct{ ip, name string }{{"198.51.100.9", "dsl-9.isp.example"}, {"2001:db8::9", "six.isp.example"}} {
		if err := c.Become(client.ip, client.name); err != nil {
			t.Fatal(err)
		}
		l = spam(id())
		d.account(t, "id", s.refused(c, l.String(), 554, "5.7.1")).
			check(t, "ip", client.ip, "host", client.name, "helo", client.name, "mid", l.messageID())
	}
	// One of ours, and a stranger again: trust isn't carried over.
	for _, cmd := range []string{"XCLIENT ADDR=127.0.0.1 NAME=localhost PORT=4711", "EHLO mail.example.com"} {
		if r, err := c.Cmd("%s", cmd); r.Code/100 != 2 || err != nil {
			t.Fatal(cmd, r, err)
		}
	}
	l = spam(id())
	s.accepted(c, l.String())
	same(t, "ours", s.next("alice"), l.String())
	d.account(t, "mid", l.messageID()).check(t, "ip", "127.0.0.1", "action", "no action")
	if err := c.Become("203.0.113.7", "mx.sender.example"); err != nil {
		t.Fatal(err)
	}
	s.refused(c, spam(id()).String(), 554, "5.7.1")
	s.none()
}

// TestOurs sends what would be refused from clients that are ours.
func TestOurs(t *testing.T) {
	tests := []struct {
		name, conf string
		port       func(p *mta.Postfix) string
		ip         string // for XCLIENT; "" for none
		code       int
	}{
		{"loopback by default", "", (*mta.Postfix).Addr, "", 250},
		{"a network of ours", "our_networks = 203.0.113.0/24;\n", (*mta.Postfix).Addr, "203.0.113.7", 250},
		{"an IPv6 network of ours", "our_networks = [2001:db8::]/32;\n", (*mta.Postfix).Addr, "2001:db8::7", 250},
		{"loopback no longer ours", strangers, (*mta.Postfix).Addr, "", 554},
		{"originating daemon", "", (*mta.Postfix).Originating, "203.0.113.7", 250},
		{"another daemon's name", "originating_daemons = SUBMISSION;\n", (*mta.Postfix).Originating, "203.0.113.7", 554},
		{"strict_auth", "strict_auth = yes;\n", (*mta.Postfix).Originating, "203.0.113.7", 554},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := startDaemon(t, setup{conf: test.conf})
			p := content(t, mta.StartPostfix(t, mta.Options{Milter: d.milter}))
			s := newSender(t, p)
			dial := smtpclient.DialHello
			if test.ip != "" {
				dial = func(addr, name string) (*smtpclient.Conn, error) { return smtpclient.DialAs(addr, test.ip, name) }
			}
			c, err := dial(test.port(p), "client.example")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			l := spam("ours")
			if test.code == 554 {
				s.refused(c, l.String(), 554, "5.7.1")
			} else {
				s.accepted(c, l.String())
				same(t, "delivered", s.next("alice"), l.String())
			}
			s.none()
		})
	}
}

// TestTrustedRelay sends spam by way of a backup MX: it is marked and never refused,
// and the client is the one that the relay took it from.
func TestTrustedRelay(t *testing.T) {
	d := startDaemon(t, setup{conf: "trusted_relays = 198.51.100.5;\n"})
	s := newSender(t, content(t, mta.StartPostfix(t, mta.Options{Milter: d.milter})))
	c, err := smtpclient.DialAs(s.mta.Addr(), "198.51.100.5", "backup.example.net")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, pat := range []byte("XSQDG") {
		l := letter{id: string(rune('a'+i)) + "-relay", subject: "hello", body: pattern(pat) + "\n"}
		text := "Received: from mx.sender.example (mx.sender.example [203.0.113.7])\n\tby backup.example.net (Postfix) with ESMTP id 4711\n\tfor <alice@example.com>; Thu, 01 Jan 2026 12:00:00 +0000 (UTC)\n" + l.String()
		want := marked(text)
		if pat == 'G' {
			want = text
		}
		s.accepted(c, text)
		same(t, "delivered", s.next("alice"), want)
		d.account(t, "mid", l.messageID()).check(t, "ip", "203.0.113.7", "reply", "-")
	}
	s.none()
}
