package options

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync/atomic"

	"rmilter/milter/miltertest"
)

// Clients of the mail server.
const (
	stranger = "203.0.113.7"
	ours     = "127.0.0.1"
)

// pattern returns a test string that asks for an action by its first letter: X reject,
// Y add header, Z rewrite subject, S soft reject, A no action.
func pattern(letter string) string {
	return letter + "JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" + "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n"
}

// A letter is a message with its envelope and its client. The zero letter is harmless
// mail of a stranger to alice@example.com.
type letter struct {
	client string   // address
	host   string   // its name; client.sender.example
	helo   string   // its greeting; the same
	user   string   // SASL login
	from   string   // envelope sender without brackets; "-" is the null sender
	daemon string   // name of the mail server's listener
	rcpts  []string // addresses
	header string   // fields besides Subject and Message-ID
	body   string
}

// serial numbers the messages of all tests.
var serial atomic.Int64

// dial begins a client's SMTP session with a daemon of the base configuration.
func (d *daemon) dial(l letter) *miltertest.Conn {
	d.t.Helper()
	c, err := miltertest.Dial("unix", d.path("milter.sock"))
	d.must(err)
	d.sessions = append(d.sessions, c)
	d.must(c.Negotiate(6, miltertest.AllActions, miltertest.AllProtocol))
	if l.daemon != "" {
		d.must(c.Macro(miltertest.CmdConnect, "{daemon_name}", l.daemon))
	}
	if l.client == "" {
		l.client = stranger
	}
	family := miltertest.Inet
	if netip.MustParseAddr(l.client).Is6() {
		family = miltertest.Inet6
	}
	_, err = c.Connect(cmp.Or(l.host, "client.sender.example"), family, 4711, l.client)
	d.must(err)
	_, err = c.Helo(cmp.Or(l.helo, l.host, "client.sender.example"))
	d.must(err)
	return c
}

func (d *daemon) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatalf("%v\n%s", err, d.logged())
	}
}

// A fate is what became of a letter.
type fate struct {
	d    *daemon
	mid  string
	said string
	left miltertest.Message // as it goes on, if it does
}

// String tells the replies and edits, as in "continue, add X-Spam: yes".
func (f fate) String() string { return f.said }

// send sends a letter in a session of its own.
func (d *daemon) send(l letter) fate {
	d.t.Helper()
	return d.deliver(d.dial(l), l)
}

// deliver sends a letter in a session that stands.
func (d *daemon) deliver(c *miltertest.Conn, l letter) fate {
	d.t.Helper()
	f := fate{d: d, mid: fmt.Sprintf("<%d@sender.example>", serial.Add(1))}
	m := miltertest.Delivery{
		From:    miltertest.Path{Addr: "<" + strings.TrimPrefix(cmp.Or(l.from, "joe@sender.example"), "-") + ">"},
		Message: miltertest.ParseMessage([]byte(l.header + "Subject: hello\nMessage-ID: " + f.mid + "\n\n" + l.body)),
	}
	if l.rcpts == nil {
		l.rcpts = []string{"alice@example.com"}
	}
	for _, r := range l.rcpts {
		m.Rcpts = append(m.Rcpts, miltertest.Path{Addr: "<" + r + ">"})
	}
	o, err := c.Deliver(m, miltertest.Options{Macros: func(stage miltertest.Command) []string {
		switch {
		case stage == miltertest.CmdEOH:
			return []string{"i", "4cQueueID"}
		case stage == miltertest.CmdMail && l.user != "":
			return []string{"{auth_authen}", l.user}
		}
		return nil
	}})
	d.must(err)
	var parts []string
	for _, r := range o.Refused {
		parts = append(parts, l.rcpts[r.Rcpt]+" "+r.Reply.String())
	}
	end := o.Reply.String()
	if o.Stage != miltertest.CmdEOM {
		end = o.Stage.String() + " " + end
	}
	parts = append(parts, end)
	for _, e := range o.Reply.Edits {
		parts = append(parts, edit(e))
	}
	f.said = d.plain(strings.Join(parts, ", "))
	f.left = m.Apply(o.Reply.Edits, true).Message
	return f
}

// edit tells a change to a message.
func edit(e miltertest.Edit) string {
	value := strings.TrimPrefix(e.Value, " ")
	switch {
	case e.Op == miltertest.EditAddHeader:
		return fmt.Sprintf("add %s: %s", e.Name, value)
	case e.Op == miltertest.EditInsertHeader:
		return fmt.Sprintf("insert %s: %s", e.Name, value)
	case e.Op == miltertest.EditChangeHeader && e.Value == "":
		return "delete " + e.Name
	case e.Op == miltertest.EditChangeHeader:
		return fmt.Sprintf("change %s: %s", e.Name, value)
	case e.Op == miltertest.EditQuarantine:
		return "quarantine: " + value
	}
	return fmt.Sprintf("%v %s %s", e.Op, e.Name, value)
}

// varying are the parts of texts that differ from run to run, and what stands for them.
var varying = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\[[0-9a-f]{10}\]`), "[ID]"},
	{regexp.MustCompile(`\b[0-9a-f]{10}: action`), "ID: action"},
	{regexp.MustCompile(`"id":"[0-9a-f]{10}"`), `"id":"ID"`},
	{regexp.MustCompile(`<\d+@sender.example>`), "<MID>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "TIME"},
	{regexp.MustCompile(`\d+ seconds`), "N seconds"},
	{regexp.MustCompile(`\bfresh\d+@example.com`), "FRESH"},
	{regexp.MustCompile(`[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d`), "TIME"},
	{regexp.MustCompile(`\bms=\d+`), "ms=MS"},
	{regexp.MustCompile(`"ms":"\d+"`), `"ms":"MS"`},
	{regexp.MustCompile(`size=\d+`), "size=SIZE"},
	{regexp.MustCompile(`"size":"\d+"`), `"size":"SIZE"`},
	{regexp.MustCompile(`rmilter-\d+ \(deleted\)`), "FILE"},
	{regexp.MustCompile(`(Scan-Time:) \d+\.\d\d`), "$1 SECONDS"},
}

// plain replaces what differs from run to run.
func (d *daemon) plain(text string) string {
	text = strings.ReplaceAll(text, d.dir, "DIR")
	text = strings.ReplaceAll(text, fmt.Sprintf("[%d]: ", d.Pid()), "[PID]: ")
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.instead)
	}
	return text
}

// log tells some values of the letter's log line, as "key=value key=value".
func (f fate) log(keys ...string) string {
	f.d.t.Helper()
	line := f.line()
	var parts []string
	for _, key := range keys {
		value := regexp.MustCompile(` ` + key + `=("(?:[^"\\]|\\.)*"|\S*)`).FindString(line)
		if key == "sym" { // the last, with quotes of its own
			value = line[strings.LastIndex(line, " sym="):]
		}
		parts = append(parts, strings.TrimSpace(value))
	}
	return strings.Join(parts, " ")
}

// line waits for the letter's log line, wherever it goes.
func (f fate) line() string {
	f.d.t.Helper()
	return f.d.line(strings.Trim(f.mid, "<>")) // JSON has its own way with "<"
}

// hold begins a message with a body of n bytes and doesn't end it.
func (d *daemon) hold(n int) *miltertest.Conn {
	d.t.Helper()
	c := d.dial(letter{})
	for _, step := range []func() (miltertest.Reply, error){
		func() (miltertest.Reply, error) { return c.Mail("<joe@sender.example>") },
		func() (miltertest.Reply, error) { return c.Rcpt("<alice@example.com>") },
		c.Data,
		func() (miltertest.Reply, error) { return c.Header("Subject", " large") },
		c.EOH,
	} {
		r, err := step()
		d.must(err)
		if !r.Continues() {
			d.t.Fatalf("got %v before the body", r)
		}
	}
	for _, chunk := range chunks(n) {
		_, err := c.Body(chunk)
		d.must(err)
	}
	d.must(c.Flush())
	return c
}

// chunks returns n bytes of lines in pieces as large as MTAs make them.
func chunks(n int) [][]byte {
	body := []byte(text(n))
	var all [][]byte
	for len(body) > 0 {
		k := min(len(body), 65535)
		all = append(all, body[:k])
		body = body[k:]
	}
	return all
}

// text returns lines of n bytes in all.
func text(n int) string {
	const line = "All work and no play makes for a message of some length, line after line.\r\n"
	return strings.Repeat(line, n/len(line)+1)[:n]
}
