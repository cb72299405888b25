package oddtraffic

import (
	"slices"
	"strings"

	"rmilter/milter/miltertest"
)

// packet is one packet of a dialogue.
type packet struct {
	cmd     miltertest.Command
	payload string
}

func (p packet) bytes() []byte { return p.cmd.Packet(p.payload) }

// dialogue is what an MTA sends over one connection.
type dialogue []packet

func (d dialogue) bytes() []byte {
	var b []byte
	for _, p := range d {
		b = append(b, p.bytes()...)
	}
	return b
}

// verdicts counts the answers due under the protocol steps agreed on.
func (d dialogue) verdicts(protocol uint32) int {
	n := 0
	for _, p := range d {
		if p.cmd.Answers(protocol) {
			n++
		}
	}
	return n
}

func (d *dialogue) add(cmd miltertest.Command, payload ...string) {
	*d = append(*d, packet{cmd, strings.Join(payload, "")})
}

func (d *dialogue) macro(stage miltertest.Command, kv ...string) {
	d.add(miltertest.CmdMacro, string(rune(stage)), strings.Join(kv, "\x00"), "\x00")
}

func offer(version, actions, protocol uint32) string {
	var b strings.Builder
	for _, n := range []uint32{version, actions, protocol} {
		b.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	return b.String()
}

// postfix is a connection as Postfix makes it: one message with a second recipient,
// ABORT after the verdict, another message without macros, quit.
func postfix() dialogue {
	var d dialogue
	d.add(miltertest.CmdOptneg, offer(6, miltertest.AllActions, miltertest.AllProtocol))
	d.macro(miltertest.CmdConnect, "j", "mail.example.com", "{daemon_name}", "smtpd", "v", "Postfix 3.7.11")
	d.add(miltertest.CmdConnect, "mx.sender.example\x004\x1f\x90198.51.100.7\x00")
	d.add(miltertest.CmdMacro, "H")
	d.add(miltertest.CmdHelo, "mx.sender.example\x00")
	d.macro(miltertest.CmdMail, "{mail_addr}", "joe@sender.example", "{mail_host}", "sender.example")
	d.add(miltertest.CmdMail, "<joe@sender.example>\x00SIZE=120\x00")
	for _, r := range []string{"alice", "bob"} {
		d.macro(miltertest.CmdRcpt, "{rcpt_addr}", r+"@example.com")
		d.add(miltertest.CmdRcpt, "<", r, "@example.com>\x00")
	}
	d.macro(miltertest.CmdData, "i", "4AB2C9A12409")
	d.add(miltertest.CmdData)
	for _, h := range []string{"From\x00 Joe <joe@sender.example>\x00", "Subject\x00 hello\n there\x00"} {
		d.macro(miltertest.CmdHeader, "i", "4AB2C9A12409")
		d.add(miltertest.CmdHeader, h)
	}
	d.macro(miltertest.CmdEOH, "i", "4AB2C9A12409")
	d.add(miltertest.CmdEOH)
	d.macro(miltertest.CmdBody, "i", "4AB2C9A12409")
	d.add(miltertest.CmdBody, "Dear Alice,\r\nbye.\r\n")
	d.macro(miltertest.CmdEOM, "i", "4AB2C9A12409")
	d.add(miltertest.CmdEOM)
	d.add(miltertest.CmdAbort)
	d.message()
	d.add(miltertest.CmdAbort)
	d.add(miltertest.CmdQuit)
	return d
}

// sendmail is a connection with two SMTP sessions, the second over IPv6, and the
// last piece of the body in the packet that ends it.
func sendmail() dialogue {
	var d dialogue
	d.add(miltertest.CmdOptneg, offer(6, miltertest.AllActions, miltertest.AllProtocol))
	d.macro(miltertest.CmdConnect, "j", "mail.example.com", "_", "mx.sender.example [198.51.100.7]")
	d.add(miltertest.CmdConnect, "mx.sender.example\x004\x1f\x90198.51.100.7\x00")
	d.add(miltertest.CmdHelo, "mx.sender.example\x00")
	d.macro(miltertest.CmdMail, "i", "xAM1", "{mail_addr}", "joe@sender.example")
	d.message()
	d.add(miltertest.CmdQuitNC)
	d.add(miltertest.CmdConnect, "[IPv6:2001:db8::7]\x006\x1f\x90IPv6:2001:db8::7\x00")
	d.add(miltertest.CmdHelo, "[IPv6:2001:db8::7]\x00")
	d.add(miltertest.CmdMail, "<>\x00")
	d.add(miltertest.CmdRcpt, "<alice@example.com>\x00")
	d.add(miltertest.CmdData)
	d.add(miltertest.CmdEOH)
	d.add(miltertest.CmdEOM, "last piece\r\n")
	d.add(miltertest.CmdQuit)
	return d
}

// old is a connection of version 2, which has no DATA.
func old() dialogue {
	var d dialogue
	d.add(miltertest.CmdOptneg, offer(2, 0x3f, 0x7f))
	d.add(miltertest.CmdConnect, "localhost\x00U")
	d.add(miltertest.CmdHelo, "localhost\x00")
	d.add(miltertest.CmdMail, "<joe@sender.example>\x00")
	d.add(miltertest.CmdRcpt, "<alice@example.com>\x00")
	d.add(miltertest.CmdHeader, "Subject\x00hello\x00")
	d.add(miltertest.CmdEOH)
	d.add(miltertest.CmdBody, "bye\r\n")
	d.add(miltertest.CmdEOM)
	d.add(miltertest.CmdQuit)
	return d
}

// message is a small message without macros.
func (d *dialogue) message() {
	d.add(miltertest.CmdMail, "<joe@sender.example>\x00")
	d.add(miltertest.CmdRcpt, "<alice@example.com>\x00")
	d.add(miltertest.CmdData)
	d.add(miltertest.CmdHeader, "Subject\x00 hello\x00")
	d.add(miltertest.CmdEOH)
	d.add(miltertest.CmdBody, "bye\r\n")
	d.add(miltertest.CmdEOM)
}

// stages gives the beginnings of a dialogue that bring a connection to each state,
// by name.
func stages() map[string]dialogue {
	negotiated := postfix()[:1]
	var mail, rcpt, header, body, end dialogue
	for _, d := range []*dialogue{&mail, &rcpt, &header, &body, &end} {
		*d = append(*d, negotiated...)
		d.add(miltertest.CmdConnect, "mx.sender.example\x004\x1f\x90198.51.100.7\x00")
		d.add(miltertest.CmdHelo, "mx.sender.example\x00")
		d.add(miltertest.CmdMail, "<joe@sender.example>\x00")
	}
	for _, d := range []*dialogue{&rcpt, &header, &body, &end} {
		d.add(miltertest.CmdRcpt, "<alice@example.com>\x00")
	}
	for _, d := range []*dialogue{&header, &body, &end} {
		d.add(miltertest.CmdData)
		d.add(miltertest.CmdHeader, "Subject\x00 hello\x00")
	}
	for _, d := range []*dialogue{&body, &end} {
		d.add(miltertest.CmdEOH)
		d.add(miltertest.CmdBody, "bye\r\n")
	}
	end.add(miltertest.CmdEOM)
	// Clipped, so that nobody who appends writes into what another holds.
	return map[string]dialogue{
		"new": nil, "negotiated": slices.Clip(negotiated), "after MAIL": slices.Clip(mail), "after RCPT": slices.Clip(rcpt),
		"in the header": slices.Clip(header), "in the body": slices.Clip(body), "after EOM": slices.Clip(end),
	}
}
