package state

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rmilter/milter/miltertest"

	"rmilter/test/e2e"
)

// pace is the time between two messages of one client.
const pace = 20 * time.Millisecond

// A kind is what a message of the load is.
type kind string

// The kinds of messages.
const (
	plain   kind = "plain"   // nobody doubts it
	fresh   kind = "fresh"   // doubtful, and nobody has seen its sender and recipient together
	regular kind = "regular" // doubtful, and somebody's who has passed greylisting before
	own     kind = "own"     // one of our users'
)

// An outcome is what became of a message.
type outcome struct {
	kind         kind
	id           string // Message-ID without brackets
	began, ended time.Time
	deferred     bool
}

func (o outcome) took() time.Duration { return o.ended.Sub(o.began) }

// A load is some clients that send messages all the time.
type load struct {
	t       testing.TB
	addr    string
	clients int
	serial  atomic.Int64
	stop    chan struct{}
	running sync.WaitGroup

	mu   sync.Mutex
	outs []outcome
}

// newLoad returns a load that hasn't begun.
func newLoad(t testing.TB, addr string, clients int) *load {
	return &load{t: t, addr: addr, clients: clients, stop: make(chan struct{})}
}

// begin makes regulars of those who are to be some, and has the clients begin. It ends with
// the test, if not before.
func (l *load) begin() {
	l.t.Helper()
	c := l.session(0)
	defer c.Close()
	// A new store lets everything pass for a time.
	if !e2e.Eventually(func() bool { return l.send(c, 0, fresh).deferred }) {
		l.t.Fatal("no doubtful message is deferred")
	}
	if !e2e.Eventually(func() bool {
		waiting := false
		for n := range l.clients {
			waiting = l.send(c, n, regular).deferred || waiting
		}
		return !waiting
	}) {
		l.t.Fatal("the regulars don't pass")
	}
	for n := range l.clients {
		l.running.Go(func() { l.client(n) })
	}
	l.t.Cleanup(l.end)
}

// end stops the clients.
func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.running.Wait()
}

// client sends messages of all kinds until the end, five in each session.
func (l *load) client(n int) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	kinds := []kind{plain, fresh, regular}
	if n%4 == 3 {
		kinds = []kind{own}
	}
	var c *miltertest.Conn
	for m := 0; ; m++ {
		select {
		case <-l.stop:
			if c != nil {
				c.Close()
			}
			return
		case <-tick.C:
		}
		if c == nil {
			if c = l.session(n); c == nil {
				return
			}
		}
		o := l.send(c, n, kinds[m%len(kinds)])
		if o.ended.IsZero() {
			return
		}
		l.mu.Lock()
		l.outs = append(l.outs, o)
		l.mu.Unlock()
		if m%5 == 4 {
			if err := c.Quit(); err != nil {
				l.t.Errorf("QUIT: %v", err)
			}
			c = nil
		}
	}
}

// session opens a session of a client; nil when that fails, which is an error of the test.
func (l *load) session(n int) *miltertest.Conn {
	ip := fmt.Sprintf("203.0.113.%d", n+1)
	if n%4 == 3 {
		ip = fmt.Sprintf("192.0.2.%d", n+1)
	}
	c, err := openSession(l.addr, ip)
	if err != nil {
		l.t.Errorf("connecting: %v", err)
		return nil
	}
	return c
}

// openSession opens a session as an SMTP client with an address.
func openSession(addr, ip string) (*miltertest.Conn, error) {
	c, err := miltertest.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c.SetTimeout(e2e.Patience)
	if err = c.Negotiate(6, miltertest.AllActions, miltertest.AllProtocol); err == nil {
		_, err = c.Connect("mx.sender.example", miltertest.Inet, 4711, ip)
	}
	if err == nil {
		_, err = c.Helo("mx.sender.example")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// send sends a message of a kind; an outcome without an end is an error of the test.
func (l *load) send(c *miltertest.Conn, n int, k kind) outcome {
	serial := l.serial.Add(1)
	e := envelope{id: fmt.Sprintf("load-%d@sender.example", serial), from: fmt.Sprintf("%s@sender.example", k),
		to: fmt.Sprintf("box-%d@example.com", n), subject: "hello"}
	switch k {
	case fresh:
		e.to, e.subject = fmt.Sprintf("new-%d@example.com", serial), "doubtful offer"
	case regular:
		e.subject = "doubtful newsletter"
	case own:
		e.from, e.to, e.user = "alice@example.com", fmt.Sprintf("friend-%d@sender.example", serial%50), "alice"
	}
	o := outcome{kind: k, id: e.id, began: time.Now()}
	deferred, err := deliver(c, e)
	if err != nil {
		l.t.Errorf("%s %s: %v", k, e.id, err)
		return o
	}
	o.deferred, o.ended = deferred, time.Now()
	return o
}

// An envelope is what is particular about a message.
type envelope struct{ id, from, to, user, subject string }

// deliver sends a message and tells whether it is to come again. Whatever else becomes of
// it but being accepted is an error.
func deliver(c *miltertest.Conn, e envelope) (deferred bool, err error) {
	text := fmt.Sprintf("From: <%s>\nTo: <%s>\nSubject: %s\nDate: %s\nMessage-ID: <%s>\n\nSome text for %s.\n",
		e.from, e.to, e.subject, time.Now().Format(time.RFC1123Z), e.id, e.id)
	var o miltertest.Options
	if e.user != "" {
		o.Macros = func(stage miltertest.Command) []string {
			if stage == miltertest.CmdMail {
				return []string{"{auth_authen}", e.user}
			}
			return nil
		}
	}
	out, err := c.Deliver(miltertest.Delivery{
		From:    miltertest.Path{Addr: "<" + e.from + ">"},
		Rcpts:   []miltertest.Path{{Addr: "<" + e.to + ">"}},
		Message: miltertest.ParseMessage([]byte(text)),
	}, o)
	switch reply := out.Reply.String(); {
	case err != nil:
		return false, err
	case out.Stage == miltertest.CmdEOM && out.Reply.Continues():
		return false, nil
	case out.Stage == miltertest.CmdEOM && strings.HasPrefix(reply, "451 4.7.1 Try again later ["):
		return true, nil
	default:
		return false, fmt.Errorf("%v is answered %q", out.Stage, reply)
	}
}

// more waits until so many more messages have been answered.
func (l *load) more(n int) {
	l.t.Helper()
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.outs)
	}
	before := count()
	if !e2e.Eventually(func() bool { return count() >= before+n || l.t.Failed() }) {
		l.t.Errorf("the load has come to a stand: %d messages more, want %d", count()-before, n)
	}
}

// within returns what became of the messages of a time, from their beginning to their end.
func (l *load) within(from, to time.Time) (outs []outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.outs {
		if !o.began.Before(from) && !o.ended.After(to) {
			outs = append(outs, o)
		}
	}
	return outs
}
