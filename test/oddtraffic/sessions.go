package oddtraffic

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"rmilter/milter/miltertest"
)

// session is one connection in good order with something odd about it; its answers
// are checked strictly.
type session struct {
	name string
	talk func(c *miltertest.Conn) error
}

func (s session) run(dial func() (net.Conn, error), deadline time.Duration) error {
	nc, err := dial()
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	c := miltertest.NewConn(nc)
	defer c.Close()
	c.SetTimeout(deadline)
	if err := s.talk(c); err != nil {
		return err
	}
	return c.Quit()
}

// sessions makes all of them; unless full is true, not every combination of flags.
func sessions(full bool) []session {
	out := []session{
		{"plain", func(c *miltertest.Conn) error { return ordinary(c, 6, miltertest.AllActions, miltertest.AllProtocol) }},
		{"QUIT_NC and a new session", quitNC},
		{"XCLIENT", xclient},
		{"10,000 macros", manyMacros},
		{"1000 recipients, 2000 fields", manyParts},
		{"empty message", emptyMessage},
		{"last piece in EOM", lastPiece},
	}
	return slices.Concat(out, aborts(), flags(full))
}

// greet opens a connection and an SMTP session.
func greet(c *miltertest.Conn, version, actions, protocol uint32) error {
	if err := c.Negotiate(version, actions, protocol); err != nil {
		return err
	}
	return hello(c, "198.51.100.7")
}

func hello(c *miltertest.Conn, addr string) error {
	if _, err := c.Connect("mx.sender.example", miltertest.Inet, 8080, addr); err != nil {
		return err
	}
	_, err := c.Helo("mx.sender.example")
	return err
}

func letter() miltertest.Delivery {
	return miltertest.Delivery{
		From:    miltertest.Path{Addr: "<joe@sender.example>", Args: []string{"SIZE=100"}},
		Rcpts:   []miltertest.Path{{Addr: "<alice@example.com>"}, {Addr: "<bob@example.com>"}},
		Message: miltertest.ParseMessage([]byte("From: Joe <joe@sender.example>\nTo: alice@example.com\nSubject: hello\n\nDear Alice,\nbye.\n")),
	}
}

// deliver sends the letter, which must be answered; any verdict will do.
func deliver(c *miltertest.Conn) error {
	_, err := c.Deliver(letter(), miltertest.Options{Macros: func(miltertest.Command) []string { return []string{"i", "4AB2C9A12409"} }})
	return err
}

// ordinary is a session with an unknown command and two messages.
func ordinary(c *miltertest.Conn, version, actions, protocol uint32) error {
	if err := greet(c, version, actions, protocol); err != nil {
		return err
	}
	if _, err := c.Unknown("XYZZY"); err != nil {
		return err
	}
	if err := deliver(c); err != nil {
		return fmt.Errorf("first message: %w", err)
	}
	if err := deliver(c); err != nil {
		return fmt.Errorf("second message: %w", err)
	}
	return nil
}

func quitNC(c *miltertest.Conn) error {
	if err := ordinary(c, 6, miltertest.AllActions, miltertest.AllProtocol); err != nil {
		return err
	}
	for range 20 {
		if err := c.QuitNC(); err != nil {
			return err
		}
		if err := hello(c, "192.0.2.9"); err != nil {
			return err
		}
		if err := deliver(c); err != nil {
			return err
		}
	}
	return nil
}

func xclient(c *miltertest.Conn) error {
	if err := greet(c, 6, miltertest.AllActions, miltertest.AllProtocol); err != nil {
		return err
	}
	for i := range 20 {
		if err := hello(c, fmt.Sprintf("192.0.2.%d", i)); err != nil {
			return err
		}
		if err := deliver(c); err != nil {
			return err
		}
	}
	return nil
}

func manyMacros(c *miltertest.Conn) error {
	if err := greet(c, 6, miltertest.AllActions, miltertest.AllProtocol); err != nil {
		return err
	}
	kv := make([]string, 0, 20000)
	for i := range 10000 {
		kv = append(kv, fmt.Sprintf("{macro_%d}", i), "value")
	}
	for range 3 {
		if err := c.Macro(miltertest.CmdMail, kv...); err != nil {
			return err
		}
	}
	return deliver(c)
}

func manyParts(c *miltertest.Conn) error {
	if err := greet(c, 6, miltertest.AllActions, miltertest.AllProtocol); err != nil {
		return err
	}
	d := letter()
	for i := range 1000 {
		d.Rcpts = append(d.Rcpts, miltertest.Path{Addr: fmt.Sprintf("<user%d@example.com>", i)})
	}
	for i := range 2000 {
		d.Message.Header = append(d.Message.Header, miltertest.Field{Name: fmt.Sprintf("X-Field-%d", i), Value: " x"})
	}
	d.Message.Body = []byte(strings.Repeat("All work and no play.\r\n", 1000))
	_, err := c.Deliver(d, miltertest.Options{Chunk: 7})
	return err
}

func emptyMessage(c *miltertest.Conn) error {
	if err := greet(c, 6, miltertest.AllActions, miltertest.AllProtocol); err != nil {
		return err
	}
	d := letter()
	d.From, d.Message = miltertest.Path{Addr: "<>"}, miltertest.Message{}
	_, err := c.Deliver(d, miltertest.Options{AbortAfterEnd: true})
	return err
}

func lastPiece(c *miltertest.Conn) error {
	if err := greet(c, 6, miltertest.AllActions, miltertest.AllProtocol); err != nil {
		return err
	}
	for _, step := range []func() (miltertest.Reply, error){
		func() (miltertest.Reply, error) { return c.Mail("<joe@sender.example>") },
		func() (miltertest.Reply, error) { return c.Rcpt("<alice@example.com>") },
		c.Data,
		func() (miltertest.Reply, error) { return c.Header("Subject", " hello") },
		c.EOH,
		func() (miltertest.Reply, error) { return c.Body([]byte("first piece\r\n")) },
		func() (miltertest.Reply, error) { return c.EOM([]byte("last piece\r\n")) },
	} {
		if _, err := step(); err != nil {
			return err
		}
	}
	return deliver(c)
}

// aborts gives up at every place of a transaction; the next message must be taken as
// if nothing had been.
func aborts() []session {
	var out []session
	for n := range 8 {
		out = append(out, session{fmt.Sprintf("ABORT after %d events", n), func(c *miltertest.Conn) error {
			if err := greet(c, 6, miltertest.AllActions, miltertest.AllProtocol); err != nil {
				return err
			}
			for range 3 {
				if err := begin(c, n); err != nil {
					return err
				}
				if err := c.Abort(); err != nil {
					return err
				}
			}
			return deliver(c)
		}})
	}
	return out
}

// begin sends the first n events of a message.
func begin(c *miltertest.Conn, n int) error {
	for i, step := range []func() (miltertest.Reply, error){
		func() (miltertest.Reply, error) { return c.Mail("<joe@sender.example>") },
		func() (miltertest.Reply, error) { return c.Rcpt("<alice@example.com>") },
		c.Data,
		func() (miltertest.Reply, error) { return c.Header("Subject", " hello") },
		c.EOH,
		func() (miltertest.Reply, error) { return c.Body([]byte("one\r\n")) },
		func() (miltertest.Reply, error) { return c.Body([]byte("two\r\n")) },
	} {
		if i == n {
			return nil
		}
		if r, err := step(); err != nil || !r.Continues() {
			return err
		}
	}
	return nil
}

// flags offers every version with every single action and step, with all but one,
// and with combinations of the steps that decide who answers what.
func flags(full bool) []session {
	var out []session
	add := func(v, a, p uint32) {
		out = append(out, session{fmt.Sprintf("version %#x, actions %#x, steps %#x", v, a, p), func(c *miltertest.Conn) error { return ordinary(c, v, a, p) }})
	}
	for _, v := range []uint32{2, 3, 4, 5, 6, 7, 0xffffffff} {
		actions, protocol := miltertest.Offer(v)
		for bit := range 32 {
			add(v, actions, 1<<bit)
			add(v, actions, protocol&^(1<<bit))
			add(v, 1<<bit, protocol)
			add(v, actions&^(1<<bit), protocol)
		}
		for _, mask := range []uint32{0, miltertest.AllProtocol, 0xffffffff} {
			add(v, mask, mask)
			add(v, 0, mask)
			add(v, mask, 0)
		}
	}
	step := uint32(7) // thinned out; prime to the powers of two, so that every pair of flags occurs
	if full {
		step = 1
	}
	nr := []uint32{
		miltertest.NRHeader, miltertest.NRConnect, miltertest.NRHelo, miltertest.NRMail, miltertest.NRRcpt, miltertest.NRData,
		miltertest.NRUnknown, miltertest.NREOH, miltertest.NRBody, miltertest.LeadSpace, miltertest.NoUnknown,
	}
	for set := uint32(0); set < 1<<len(nr); set += step {
		var mask uint32
		for i, flag := range nr {
			if set>>i&1 != 0 {
				mask |= flag
			}
		}
		add(6, miltertest.AllActions, mask)
	}
	return out
}
