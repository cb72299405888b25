// Package smtpclient is an SMTP client for tests: it says exactly what it is told,
// step by step or pipelined, and returns every reply as it came (RFC 5321).
//
// Nothing is checked or mended on the way out, so that odd dialogues can be held.
// Every step has a deadline.
package smtpclient

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Timeout bounds each step of a dialogue: writing a command and reading its reply.
const Timeout = 90 * time.Second

// maxReply bounds the lines of one reply.
const maxReply = 1000

// A Reply is an SMTP reply. The zero Reply is none at all.
type Reply struct {
	Code  int      // three digits
	Lines []string // texts of its lines, without the code
}

// Text returns the lines' texts, separated by "\n".
func (r Reply) Text() string { return strings.Join(r.Lines, "\n") }

// String returns the reply in one line, as one would quote it.
func (r Reply) String() string {
	return strings.TrimSuffix(fmt.Sprintf("%d %s", r.Code, strings.Join(r.Lines, " / ")), " ")
}

// Is tells whether the reply has this code, and the enhanced status code too if one is
// given: Is(554, "5.7.1").
func (r Reply) Is(code int, enhanced ...string) bool {
	if r.Code != code {
		return false
	}
	for _, e := range enhanced {
		for _, l := range r.Lines {
			if l != e && !strings.HasPrefix(l, e+" ") {
				return false
			}
		}
	}
	return true
}

// A Conn is one SMTP session. It is for one goroutine.
type Conn struct {
	Greeting Reply // what the server said first

	nc net.Conn
	br *bufio.Reader
}

// Dial connects and reads the greeting.
func Dial(addr string) (*Conn, error) {
	nc, err := net.DialTimeout("tcp", addr, Timeout)
	if err != nil {
		return nil, err
	}
	c := &Conn{nc: nc, br: bufio.NewReader(nc)}
	c.Greeting, err = c.Read()
	if err == nil && c.Greeting.Code != 220 {
		err = fmt.Errorf("greeting: %v", c.Greeting)
	}
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return c, nil
}

// DialAs connects, pretends by XCLIENT (Postfix) to be a client with this address and
// name, and says EHLO. The name is also the HELO name.
func DialAs(addr, ip, name string) (*Conn, error) {
	c, err := Dial(addr)
	if err != nil {
		return nil, err
	}
	if err := c.Become(ip, name); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// DialHello connects and says EHLO with this name.
func DialHello(addr, name string) (*Conn, error) {
	c, err := Dial(addr)
	if err != nil {
		return nil, err
	}
	if _, err := c.want(250, "EHLO %s", name); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Become says XCLIENT, which Postfix takes before EHLO too, and EHLO. The client's port
// is unknown then, as with most who use XCLIENT.
func (c *Conn) Become(ip, name string) error {
	if strings.Contains(ip, ":") {
		ip = "IPV6:" + ip
	}
	if _, err := c.want(220, "XCLIENT ADDR=%s NAME=%s", ip, name); err != nil {
		return err
	}
	_, err := c.want(250, "EHLO %s", name)
	return err
}

// want says a command and makes an error of any reply but the one wanted.
func (c *Conn) want(code int, format string, args ...any) (Reply, error) {
	r, err := c.Cmd(format, args...)
	if err == nil && r.Code != code {
		err = fmt.Errorf("%s: %v", fmt.Sprintf(format, args...), r)
	}
	return r, err
}

// Cmd says one command and reads the reply. CRLF is added.
func (c *Conn) Cmd(format string, args ...any) (Reply, error) {
	if err := c.Write([]byte(fmt.Sprintf(format, args...) + "\r\n")); err != nil {
		return Reply{}, err
	}
	return c.Read()
}

// Pipeline says several commands in one write and reads a reply to each
// (RFC 2920). It stops at the first reply that doesn't come.
func (c *Conn) Pipeline(cmds ...string) ([]Reply, error) {
	if err := c.Write([]byte(strings.Join(cmds, "\r\n") + "\r\n")); err != nil {
		return nil, err
	}
	var rs []Reply
	for range cmds {
		r, err := c.Read()
		if err != nil {
			return rs, err
		}
		rs = append(rs, r)
	}
	return rs, nil
}

// Write writes bytes as they are.
func (c *Conn) Write(b []byte) error {
	c.nc.SetDeadline(time.Now().Add(Timeout))
	_, err := c.nc.Write(b)
	return err
}

// Read reads one reply, which may have several lines.
func (c *Conn) Read() (Reply, error) {
	c.nc.SetDeadline(time.Now().Add(Timeout))
	var r Reply
	for range maxReply {
		line, err := c.br.ReadString('\n')
		if err != nil {
			return r, err
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 3 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
			return r, fmt.Errorf("malformed reply %q", line)
		}
		code, err := strconv.Atoi(line[:3])
		if err != nil || r.Code != 0 && r.Code != code {
			return r, fmt.Errorf("malformed reply %q after %v", line, r)
		}
		r.Code = code
		if len(line) == 3 {
			return r, nil
		}
		r.Lines = append(r.Lines, line[4:])
		if line[3] == ' ' {
			return r, nil
		}
	}
	return r, errors.New("endless reply")
}

// Body sends a message after DATA was answered 354: dots are stuffed, a final CRLF is
// added if it is missing, and then the end. The bytes are otherwise sent as they are.
func (c *Conn) Body(message []byte) (Reply, error) {
	if err := c.Write(Stuffed(message)); err != nil {
		return Reply{}, err
	}
	return c.Read()
}

// Stuffed returns what goes over the wire for a message, with the final dot.
func Stuffed(message []byte) []byte {
	b := bytes.ReplaceAll(message, []byte("\n."), []byte("\n.."))
	if bytes.HasPrefix(b, []byte(".")) {
		b = append([]byte("."), b...)
	}
	if len(b) > 0 && !bytes.HasSuffix(b, []byte("\r\n")) {
		b = append(b[:len(b):len(b)], "\r\n"...)
	}
	return append(b[:len(b):len(b)], ".\r\n"...)
}

// A Result is how a transaction went.
type Result struct {
	Mail  Reply   // answer to MAIL FROM
	Rcpts []Reply // answers to RCPT TO, in order
	Data  Reply   // answer to DATA; none if it wasn't said
	End   Reply   // answer to the end of the message; none if it wasn't sent
}

// Last returns the answer that settled the message: the last of those that came.
func (r Result) Last() Reply {
	for _, last := range []Reply{r.End, r.Data} {
		if last.Code != 0 {
			return last
		}
	}
	if n := len(r.Rcpts); n > 0 {
		return r.Rcpts[n-1]
	}
	return r.Mail
}

// Send sends one message step by step as a real client does: it goes on as long as
// MAIL and at least one RCPT are taken. Addresses are without angle brackets; what
// follows a space is ESMTP parameters. An error is a dialogue broken off; the answers
// up to there are returned with it.
func (c *Conn) Send(from string, rcpts []string, message []byte) (Result, error) {
	var res Result
	var err error
	if res.Mail, err = c.Cmd("MAIL FROM:%s", path(from)); err != nil || res.Mail.Code != 250 {
		return res, err
	}
	taken := false
	for _, to := range rcpts {
		r, err := c.Cmd("RCPT TO:%s", path(to))
		if err != nil {
			return res, err
		}
		res.Rcpts = append(res.Rcpts, r)
		taken = taken || r.Code/100 == 2
	}
	if !taken {
		return res, nil
	}
	if res.Data, err = c.Cmd("DATA"); err != nil || res.Data.Code != 354 {
		return res, err
	}
	res.End, err = c.Body(message)
	return res, err
}

// path puts the address into angle brackets and leaves parameters outside.
func path(addr string) string {
	addr, params, ok := strings.Cut(addr, " ")
	if ok {
		return "<" + addr + "> " + params
	}
	return "<" + addr + ">"
}

// Quit says QUIT and closes the connection.
func (c *Conn) Quit() error {
	_, err := c.want(221, "QUIT")
	return errors.Join(err, c.Close())
}

// Closed waits until the server closes the connection. Anything that it says before
// is an error.
func (c *Conn) Closed() error {
	c.nc.SetDeadline(time.Now().Add(Timeout))
	_, err := c.br.Peek(1)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("not closed: %v", err)
}

// Close drops the connection without a word.
func (c *Conn) Close() error { return c.nc.Close() }

// CRLF returns text with every LF made CRLF. The text must not hold CR.
func CRLF(text string) []byte {
	return []byte(strings.ReplaceAll(text, "\n", "\r\n"))
}
