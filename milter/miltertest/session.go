package miltertest

import (
	"encoding/binary"
	"errors"
	"strings"
)

// step sends an event unless the filter declined it or its version hasn't got
// it, and reads the answer unless the filter promised none.
func (c *Conn) step(cmd Command, payload ...[]byte) (Reply, error) {
	no, nr, since := cmd.rules()
	if c.version < since || c.protocol&no != 0 {
		return Reply{Action: ReplyContinue}, nil
	}
	if err := c.unasked(cmd); err != nil {
		return Reply{}, err
	}
	if err := c.Send(cmd, payload...); err != nil {
		return Reply{}, err
	}
	if c.protocol&nr != 0 {
		return Reply{Action: ReplyContinue}, nil
	}
	return c.ReadReply(cmd)
}

// zeros joins strings, each ended by a NUL.
func zeros(ss ...string) []byte {
	return append([]byte(strings.Join(ss, "\x00")), 0)
}

// Macro sends macros for the command that follows: names and values in turn.
// Single letters come without braces, longer names with them, as from MTAs.
func (c *Conn) Macro(stage Command, kv ...string) error {
	if len(kv)%2 != 0 {
		return errors.New("miltertest: macro without a value")
	}
	b := []byte{byte(stage)}
	for _, s := range kv {
		b = append(append(b, s...), 0)
	}
	return c.Send(CmdMacro, b)
}

// Connect tells the filter of an SMTP client. Port and addr are left out for
// [Unspecified]. sendmail writes IPv6 addresses as "IPv6:2001:db8::1".
func (c *Conn) Connect(hostname string, family Family, port uint16, addr string) (Reply, error) {
	b := append(zeros(hostname), byte(family))
	if family != Unspecified {
		b = binary.BigEndian.AppendUint16(b, port)
		b = append(b, zeros(addr)...)
	}
	return c.step(CmdConnect, b)
}

// Helo sends the argument of HELO or EHLO.
func (c *Conn) Helo(name string) (Reply, error) { return c.step(CmdHelo, zeros(name)) }

// Mail begins a transaction. The address is sent as given, so with its angle
// brackets; args are ESMTP parameters.
func (c *Conn) Mail(addr string, args ...string) (Reply, error) {
	return c.step(CmdMail, zeros(append([]string{addr}, args...)...))
}

// Rcpt names a recipient, in the form of [Conn.Mail].
func (c *Conn) Rcpt(addr string, args ...string) (Reply, error) {
	return c.step(CmdRcpt, zeros(append([]string{addr}, args...)...))
}

// Data sends the DATA command, from version 4 on.
func (c *Conn) Data() (Reply, error) { return c.step(CmdData) }

// Unknown sends an SMTP command that the MTA doesn't know, from version 3 on.
func (c *Conn) Unknown(line string) (Reply, error) { return c.step(CmdUnknown, zeros(line)) }

// Header sends one field. The value is as it stands after the colon; without
// [LeadSpace] its first space is taken off, as MTAs do (a tab stays).
func (c *Conn) Header(name, value string) (Reply, error) {
	if c.protocol&LeadSpace == 0 {
		value = strings.TrimPrefix(value, " ")
	}
	return c.step(CmdHeader, zeros(name, value))
}

// EOH ends the header.
func (c *Conn) EOH() (Reply, error) { return c.step(CmdEOH) }

// Body sends a piece of the body. MTAs send at most 65535 bytes at once unless
// more was negotiated; this isn't checked.
func (c *Conn) Body(chunk []byte) (Reply, error) { return c.step(CmdBody, chunk) }

// EOM ends the message and reads the edits and the verdict. Sendmail's libmilter
// and old Postfix take a last piece of the body here; give none otherwise.
func (c *Conn) EOM(rest ...[]byte) (Reply, error) { return c.step(CmdEOM, rest...) }

// Abort ends the transaction; there is no answer to it.
func (c *Conn) Abort() error {
	if err := c.unasked(CmdAbort); err != nil {
		return err
	}
	if err := c.Send(CmdAbort); err != nil {
		return err
	}
	return c.Flush()
}

// QuitNC ends the SMTP session but not the connection; the next event is
// Connect. There is no answer to it.
func (c *Conn) QuitNC() error {
	if err := c.unasked(CmdQuitNC); err != nil {
		return err
	}
	if err := c.Send(CmdQuitNC); err != nil {
		return err
	}
	return c.Flush()
}

// Quit ends the connection: it says QUIT, waits for the filter to close, and
// closes. Anything the filter sent without having been asked is a [Violation]:
// the place where a surplus answer in the middle of the session shows.
func (c *Conn) Quit() error {
	err := c.Send(CmdQuit)
	if err == nil {
		err = c.drain(CmdQuit)
	}
	return errors.Join(err, c.Close())
}
