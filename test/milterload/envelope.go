package main

import (
	"fmt"
	"strings"

	"rmilter/milter/miltertest"
)

// delivery puts an envelope on a message.
func (s *sender) delivery(l *letter) miltertest.Delivery {
	from, rcpts := s.from, []string(nil)
	if s.rcpts != "" {
		rcpts = strings.Split(s.rcpts, ",")
	}
	if s.envelope == "header" {
		if from == "" {
			from = l.from
		}
		if rcpts == nil {
			rcpts = l.rcpts
		}
	}
	if from == "" {
		from = fmt.Sprintf("user%d@%s", s.rng.IntN(1000), pick(s.rng, []string{"sender.example", "news.example.net", "corp.example.org"}))
	}
	if len(rcpts) == 0 {
		for range 1 + s.rng.IntN(s.nrcpt) {
			rcpts = append(rcpts, fmt.Sprintf("user%d@example.com", s.rng.IntN(1000)))
		}
	}
	d := miltertest.Delivery{
		From:    miltertest.Path{Addr: "<" + from + ">", Args: []string{fmt.Sprintf("SIZE=%d", l.size)}},
		Message: l.message,
	}
	for _, r := range rcpts {
		d.Rcpts = append(d.Rcpts, miltertest.Path{Addr: "<" + strings.TrimSpace(r) + ">"})
	}
	return d
}

// connectMacros are those of CONNECT: milter_connect_macros of Postfix and
// confMILTER_MACROS_CONNECT of sendmail, as they are by default.
func (s *sender) connectMacros() []string {
	var kv []string
	switch s.mta {
	case "postfix":
		kv = []string{"j", "mail.example.com", "{daemon_name}", "mail.example.com", "{daemon_addr}", "127.0.0.1", "v", "Postfix 3.7.11", "_", s.host + " [" + s.client.String() + "]"}
	case "sendmail":
		kv = []string{"j", "mail.example.com", "_", s.host + " [" + s.client.String() + "]", "{daemon_name}", "MTA", "{if_name}", "mail.example.com", "{if_addr}", "192.0.2.25"}
	}
	return append(kv, s.macros[miltertest.CmdConnect]...)
}

// macro sends the macros of a stage of the session. Postfix sends the packet even
// when there is nothing to tell.
func (s *sender) macro(stage miltertest.Command, kv []string) error {
	if len(kv) == 0 && s.mta != "postfix" {
		return nil
	}
	return s.conn.Macro(stage, kv...)
}

// messageMacros gives the macros of the stages of a message. Postfix knows the
// queue id from DATA on (smtpd gets it with the first recipient) and sends it
// before every header field and piece of the body; sendmail knows it from MAIL on
// and sends it there.
func (s *sender) messageMacros(id string, d miltertest.Delivery, auth bool) func(miltertest.Command) []string {
	from := strings.Trim(d.From.Addr, "<>")
	_, domain, _ := strings.Cut(from, "@")
	mail := []string{"{mail_addr}", from, "{mail_host}", domain, "{mail_mailer}", "smtp"}
	if auth {
		mail = append(mail, "{auth_authen}", from, "{auth_type}", "PLAIN")
	}
	if s.mta == "sendmail" {
		mail = append([]string{"i", id}, mail...)
	}
	rcpt := 0
	return func(stage miltertest.Command) []string {
		var kv []string
		switch {
		case s.mta == "none":
		case stage == miltertest.CmdMail:
			kv = mail
		case stage == miltertest.CmdRcpt:
			addr := strings.Trim(d.Rcpts[rcpt].Addr, "<>")
			_, host, _ := strings.Cut(addr, "@")
			kv = []string{"{rcpt_addr}", addr, "{rcpt_host}", host, "{rcpt_mailer}", "virtual"}
			rcpt++
		case s.mta == "postfix":
			kv = []string{"i", id}
		case stage == miltertest.CmdEOM:
			kv = []string{"{msg_id}", "<" + id + "@mail.example.com>"}
		}
		if extra := s.macros[stage]; len(extra) > 0 {
			kv = append(kv[:len(kv):len(kv)], extra...)
		}
		return kv
	}
}
