package milter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rmilter/milter"
	"rmilter/milter/miltertest"
)

// A recorder is a Session that writes down what happens and answers as it is told.
type recorder struct {
	conn milter.Conn

	mu     sync.Mutex
	events []string
	mail   func() milter.Reply
	rcpt   func(addr string) milter.Reply
	data   func() milter.Reply
	end    func(ctx context.Context) milter.Answer
	panics string // the event that panics
	closed chan struct{}
}

func (r *recorder) note(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	r.mu.Lock()
	r.events = append(r.events, s)
	r.mu.Unlock()
	if r.panics != "" && strings.HasPrefix(s, r.panics) {
		panic("told to")
	}
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.events
	r.events = nil
	return e
}

func (r *recorder) macro(names ...string) string {
	var out []string
	for _, n := range names {
		if v, ok := r.conn.Macro(n); ok {
			out = append(out, n+"="+v)
		}
	}
	return strings.Join(out, " ")
}

func (r *recorder) Connect(c milter.Connect) {
	r.note("connect %s %c %s %d %s", c.Hostname, c.Family, c.Addr, c.Port, c.Path)
}
func (r *recorder) Helo(name string) { r.note("helo %s", name) }
func (r *recorder) Mail(_ context.Context, p milter.Path) milter.Reply {
	r.note("mail %s %q %s", p.Addr, p.Args, r.macro("j", "i", "{auth_authen}", "{rcpt_addr}"))
	if r.mail != nil {
		return r.mail()
	}
	return milter.Reply{}
}
func (r *recorder) Rcpt(_ context.Context, p milter.Path) milter.Reply {
	r.note("rcpt %s %q %s", p.Addr, p.Args, r.macro("{rcpt_addr}"))
	if r.rcpt != nil {
		return r.rcpt(p.Addr)
	}
	return milter.Reply{}
}
func (r *recorder) Data(context.Context) milter.Reply {
	r.note("data")
	if r.data != nil {
		return r.data()
	}
	return milter.Reply{}
}
func (r *recorder) Header(name, value string) { r.note("header %s:%s", name, value) }
func (r *recorder) EndHeaders()               { r.note("eoh %s", r.macro("i")) }
func (r *recorder) Chunk(b []byte)            { r.note("chunk %d %.20q", len(b), b) }
func (r *recorder) End(ctx context.Context) milter.Answer {
	r.note("end")
	if r.end != nil {
		return r.end(ctx)
	}
	return milter.Answer{}
}
func (r *recorder) Answered() { r.note("answered") }
func (r *recorder) Abort()    { r.note("abort") }
func (r *recorder) Close()    { r.note("close"); close(r.closed) }

// A rig is a server on loopback whose connections all talk to recorders.
type rig struct {
	t    *testing.T
	srv  *milter.Server
	addr string
	log  *lockedBuffer
	next chan *recorder
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, c milter.Config, prepare func(*recorder)) *rig {
	t.Helper()
	r := &rig{t: t, log: &lockedBuffer{}, next: make(chan *recorder, 100)}
	c.Log = slog.New(slog.NewTextHandler(r.log, nil))
	c.NewSession = func(conn milter.Conn) milter.Session {
		rec := &recorder{conn: conn, closed: make(chan struct{})}
		if prepare != nil {
			prepare(rec)
		}
		r.next <- rec
		return rec
	}
	r.srv = milter.NewServer(c)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- r.srv.Serve(ln, false) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r.srv.Shutdown(ctx)
		if err := <-served; !errors.Is(err, milter.ErrServerClosed) {
			t.Errorf("Serve returned %v, want ErrServerClosed", err)
		}
		if n := r.srv.Open(); n != 0 {
			t.Errorf("%d connections are open after Shutdown", n)
		}
	})
	return r
}

// dial connects and negotiates as an MTA of that version does.
func (r *rig) dial(version uint32) (*miltertest.Conn, *recorder) {
	r.t.Helper()
	c, err := miltertest.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	actions, protocol := miltertest.Offer(version)
	must(r.t, c.Negotiate(version, actions, protocol))
	return c, <-r.next
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want fails unless an event was answered with that code.
func want(t *testing.T, code miltertest.Code) func(miltertest.Reply, error) {
	return func(r miltertest.Reply, err error) {
		t.Helper()
		if err != nil || r.Action != code {
			t.Fatalf("got %v, %v; want %v", r, err, code)
		}
	}
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("events (-want +got):\n%s", d)
	}
}

// message sends header, body and end and returns the answer.
func message(t *testing.T, c *miltertest.Conn) miltertest.Reply {
	t.Helper()
	ok := want(t, miltertest.ReplyContinue)
	ok(c.Header("Subject", " hello"))
	ok(c.EOH())
	ok(c.Body([]byte("body\r\n")))
	r, err := c.EOM()
	must(t, err)
	return r
}

// TestSession is the whole of a session as Postfix holds it, in every version.
func TestSession(t *testing.T) {
	for version := uint32(2); version <= 6; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			rig := start(t, milter.Config{}, nil)
			c, rec := rig.dial(version)
			if c.Version() != version {
				t.Errorf("agreed on version %d, want %d", c.Version(), version)
			}
			ok := want(t, miltertest.ReplyContinue)
			must(t, c.Macro(miltertest.CmdConnect, "j", "mx.example.com", "{daemon_name}", "smtpd"))
			ok(c.Connect("client.example.org", miltertest.Inet, 4711, "192.0.2.7"))
			ok(c.Helo("client.example.org"))
			must(t, c.Macro(miltertest.CmdMail, "{auth_authen}", "joe"))
			ok(c.Mail("<joe@example.org>", "SIZE=100", "BODY=8BITMIME"))
			must(t, c.Macro(miltertest.CmdRcpt, "{rcpt_addr}", "alice@example.com"))
			ok(c.Rcpt("<alice@example.com>", "NOTIFY=NEVER"))
			events := []string{
				"connect client.example.org 4 192.0.2.7 4711 ",
				"helo client.example.org",
				`mail <joe@example.org> ["SIZE=100" "BODY=8BITMIME"] j=mx.example.com {auth_authen}=joe`,
				`rcpt <alice@example.com> ["NOTIFY=NEVER"] {rcpt_addr}=alice@example.com`,
			}
			if version >= 4 {
				ok(c.Data())
				events = append(events, "data")
			}
			must(t, c.Macro(miltertest.CmdEOH, "i", "QUEUED"))
			if r := message(t, c); r.Action != miltertest.ReplyContinue {
				t.Errorf("end of message answered with %v", r)
			}
			must(t, c.Quit())
			<-rec.closed
			equal(t, rec.take(), append(events, "header Subject: hello", "eoh i=QUEUED", `chunk 6 "body\r\n"`, "end", "answered", "close"))
		})
	}
}

// TestMessagesOnOneConnection covers what go-milter forgets: the client after a
// message, the sender after a refused recipient, and what sendmail's QUIT_NC and
// Postfix's XCLIENT begin anew.
func TestMessagesOnOneConnection(t *testing.T) {
	rig := start(t, milter.Config{}, func(r *recorder) {
		r.rcpt = func(addr string) milter.Reply {
			if strings.HasPrefix(addr, "<no") {
				return milter.Reply{Action: milter.Respond, Code: 451, Enhanced: "4.7.1", Text: "not now"}
			}
			return milter.Reply{}
		}
		r.mail = func() milter.Reply { return milter.Reply{} }
	})
	c, rec := rig.dial(6)
	ok := want(t, miltertest.ReplyContinue)
	must(t, c.Macro(miltertest.CmdConnect, "j", "mx.example.com"))
	ok(c.Connect("[192.0.2.7]", miltertest.Inet, 25, "192.0.2.7"))
	ok(c.Helo("one"))
	ok(c.Connect("other.example.org", miltertest.Inet6, 25, "IPv6:2001:db8::1")) // XCLIENT
	ok(c.Helo("two"))
	must(t, c.Macro(miltertest.CmdMail, "i", "Q1"))
	ok(c.Mail("<joe@example.org>"))
	want(t, miltertest.ReplyCode)(c.Rcpt("<no@example.com>"))
	ok(c.Rcpt("<yes@example.com>"))
	ok(c.Data())
	message(t, c)
	ok(c.Mail("<>")) // without macros of its own: Q1 was the first message's
	ok(c.Rcpt("<yes@example.com>"))
	must(t, c.Abort())
	ok(c.Mail("<again@example.org>"))
	ok(c.Mail("<twice@example.org>")) // an MTA that leaves ABORT out
	ok(c.Mail(""))                    // Postfix's own bounces
	must(t, c.QuitNC())
	ok(c.Connect("third.example.org", miltertest.Unix, 0, "/run/socket"))
	ok(c.Connect("localhost", miltertest.Unspecified, 0, ""))
	ok(c.Mail("<last@example.org>"))
	must(t, c.Close())
	<-rec.closed
	equal(t, rec.take(), []string{
		"connect [192.0.2.7] 4 192.0.2.7 25 ", "helo one",
		"connect other.example.org 6 2001:db8::1 25 ", "helo two",
		"mail <joe@example.org> [] j=mx.example.com i=Q1",
		"rcpt <no@example.com> [] ", "rcpt <yes@example.com> [] ", "data",
		"header Subject: hello", "eoh i=Q1", `chunk 6 "body\r\n"`, "end", "answered",
		"mail <> [] j=mx.example.com", "rcpt <yes@example.com> [] ", "abort",
		"mail <again@example.org> [] j=mx.example.com", "abort",
		"mail <twice@example.org> [] j=mx.example.com", "abort",
		"mail <> [] j=mx.example.com", "abort",
		"connect third.example.org L invalid IP 0 /run/socket",
		"connect localhost U invalid IP 0 ",
		"mail <last@example.org> [] ", "close",
	})
}

// TestEdits sends every edit and looks at the message that comes of it.
func TestEdits(t *testing.T) {
	for _, protocol := range []uint32{miltertest.AllProtocol, miltertest.AllProtocol &^ miltertest.LeadSpace} {
		rig := start(t, milter.Config{}, func(r *recorder) {
			r.end = func(context.Context) milter.Answer {
				return milter.Answer{Edits: []milter.Edit{
					{Op: milter.DeleteHeader, Name: "X-Old", Index: 1},
					{Op: milter.DeleteHeader, Name: "X-Old", Index: 2},
					{Op: milter.ChangeHeader, Name: "Subject", Index: 1, Value: "folded\n\tvalue"},
					{Op: milter.AddHeader, Name: "X-Added", Value: "at the end\x00"},
					{Op: milter.InsertHeader, Name: "X-Top", Index: 0, Value: "first\r\n second"},
					{Op: milter.ChangeFrom, Value: "<new@example.org>", Args: "BODY=8BITMIME"},
					{Op: milter.AddRcpt, Value: "bob@example.com"},
					{Op: milter.AddRcpt, Value: "carol@example.com", Args: "NOTIFY=NEVER"},
					{Op: milter.DeleteRcpt, Value: "<alice@example.com>"},
					{Op: milter.Quarantine, Value: "held"},
					{Op: 99},
				}}
			}
		})
		c, err := miltertest.Dial("tcp", rig.addr)
		must(t, err)
		defer c.Close()
		must(t, c.Negotiate(6, miltertest.AllActions, protocol))
		ok := want(t, miltertest.ReplyContinue)
		ok(c.Connect("localhost", miltertest.Inet, 25, "192.0.2.7"))
		d := miltertest.Delivery{
			From:  miltertest.Path{Addr: "<joe@example.org>"},
			Rcpts: []miltertest.Path{{Addr: "<alice@example.com>"}},
			Message: miltertest.Message{
				Header: []miltertest.Field{{Name: "X-Old", Value: " a"}, {Name: "Subject", Value: " was"}, {Name: "X-Old", Value: " b"}, {Name: "X-Old", Value: " c"}},
				Body:   []byte("body\r\n"),
			},
		}
		o, err := c.Deliver(d, miltertest.Options{})
		must(t, err)
		got := d.Apply(o.Reply.Edits, c.Protocol()&miltertest.LeadSpace != 0)
		wanted := miltertest.Delivery{
			From:  miltertest.Path{Addr: "<new@example.org>", Args: []string{"BODY=8BITMIME"}},
			Rcpts: []miltertest.Path{{Addr: "<bob@example.com>"}, {Addr: "<carol@example.com>", Args: []string{"NOTIFY=NEVER"}}},
			Message: miltertest.Message{
				Header: []miltertest.Field{{Name: "X-Top", Value: " first\n second"}, {Name: "Subject", Value: " folded\n\tvalue"}, {Name: "X-Old", Value: " c"}, {Name: "X-Added", Value: " at the end"}},
				Body:   []byte("body\r\n"),
			},
			Quarantine: "held",
		}
		if d := cmp.Diff(wanted, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("protocol %#x: delivery (-want +got):\n%s", protocol, d)
		}
		if !strings.Contains(rig.log.String(), "unknown edit") {
			t.Error("the edit that doesn't exist was not logged")
		}
	}
}

// TestEditsNotAllowed asks for edits of an MTA that allows none.
func TestEditsNotAllowed(t *testing.T) {
	rig := start(t, milter.Config{}, func(r *recorder) {
		r.end = func(context.Context) milter.Answer {
			return milter.Answer{Edits: []milter.Edit{{Op: milter.AddHeader, Name: "X-Added", Value: "v"}}}
		}
	})
	c, err := miltertest.Dial("tcp", rig.addr)
	must(t, err)
	defer c.Close()
	must(t, c.Negotiate(6, 0, 0))
	ok := want(t, miltertest.ReplyContinue)
	ok(c.Connect("localhost", miltertest.Inet, 25, "192.0.2.7"))
	ok(c.Helo("h"))
	ok(c.Unknown("NONSENSE"))
	ok(c.Mail("<joe@example.org>"))
	ok(c.Rcpt("<alice@example.com>"))
	ok(c.Data())
	if r := message(t, c); len(r.Edits) != 0 || r.Action != miltertest.ReplyContinue {
		t.Errorf("got %v, want no edits", r)
	}
}

// TestReplies sends every kind of answer from every stage that has one.
func TestReplies(t *testing.T) {
	long := strings.Repeat("x", 2000) + " [0123456789]"
	replies := []struct {
		reply milter.Reply
		code  miltertest.Code
		text  string
	}{
		{milter.Reply{}, miltertest.ReplyContinue, ""},
		{milter.Reply{Action: milter.Accept}, miltertest.ReplyAccept, ""},
		{milter.Reply{Action: milter.Discard}, miltertest.ReplyDiscard, ""},
		{milter.Reply{Action: milter.TempFail}, miltertest.ReplyTempFail, ""},
		{milter.Reply{Action: milter.Reject}, miltertest.ReplyReject, ""},
		{milter.Reply{Action: milter.Respond, Code: 554, Enhanced: "5.7.1", Text: "no 100% way"}, miltertest.ReplyCode, "554 5.7.1 no 100% way"},
		{milter.Reply{Action: milter.Respond, Code: 451, Enhanced: "4.7.1", Text: "one\r\ntwo\nthree"}, miltertest.ReplyCode,
			"451 4.7.1 one / two / three"},
		{milter.Reply{Action: milter.Respond, Code: 451, Enhanced: "5.7.1", Text: "wrong class"}, miltertest.ReplyCode, "451 wrong class"},
		{milter.Reply{Action: milter.Respond, Code: 250, Text: "no refusal\x07ä"}, miltertest.ReplyCode, "451 no refusal???"},
		{milter.Reply{Action: milter.Respond, Code: 554, Text: long}, miltertest.ReplyCode, "554 " + long[:437] + "..." + long[len(long)-40:]},
	}
	for _, stage := range []string{"mail", "rcpt", "data", "end"} {
		for i, tt := range replies {
			t.Run(fmt.Sprintf("%s/%d", stage, i), func(t *testing.T) {
				rig := start(t, milter.Config{}, func(r *recorder) {
					reply := func() milter.Reply { return tt.reply }
					switch stage {
					case "mail":
						r.mail = reply
					case "rcpt":
						r.rcpt = func(string) milter.Reply { return tt.reply }
					case "data":
						r.data = reply
					case "end":
						r.end = func(context.Context) milter.Answer { return milter.Answer{Reply: tt.reply} }
					}
				})
				c, _ := rig.dial(6)
				want(t, miltertest.ReplyContinue)(c.Connect("localhost", miltertest.Inet, 25, "192.0.2.7"))
				r, err := c.Mail("<joe@example.org>")
				for _, next := range []struct {
					stage string
					send  func() (miltertest.Reply, error)
				}{
					{"rcpt", func() (miltertest.Reply, error) { return c.Rcpt("<alice@example.com>") }},
					{"data", func() (miltertest.Reply, error) { return c.Data() }},
					{"end", func() (miltertest.Reply, error) { return c.EOM() }},
				} {
					if err != nil || r.Action != miltertest.ReplyContinue || stage == "mail" {
						break
					}
					r, err = next.send()
					if next.stage == stage {
						break
					}
				}
				must(t, err)
				if r.Action != tt.code || r.String() != tt.text && tt.text != "" {
					t.Errorf("got %v %q, want %v %q", r.Action, r, tt.code, tt.text)
				}
			})
		}
	}
}

// TestProgress sees the MTA told that work goes on.
func TestProgress(t *testing.T) {
	release := make(chan struct{})
	rig := start(t, milter.Config{ProgressInterval: time.Millisecond}, func(r *recorder) {
		r.end = func(context.Context) milter.Answer {
			<-release
			return milter.Answer{Edits: []milter.Edit{{Op: milter.AddHeader, Name: "X-A", Value: "v"}}}
		}
	})
	c, _ := rig.dial(6)
	ok := want(t, miltertest.ReplyContinue)
	ok(c.Connect("localhost", miltertest.Inet, 25, "192.0.2.7"))
	ok(c.Mail("<joe@example.org>"))
	ok(c.Rcpt("<alice@example.com>"))
	ok(c.Data())
	must(t, c.Send(miltertest.CmdEOM))
	for range 3 {
		code, _, err := c.ReadPacket()
		if err != nil || code != miltertest.ReplyProgress {
			t.Fatalf("got %v, %v while End is at work; want progress", code, err)
		}
	}
	close(release)
	r, err := c.ReadReply(miltertest.CmdEOM)
	if err != nil || r.Action != miltertest.ReplyContinue || len(r.Edits) != 1 {
		t.Fatalf("got %v, %v; want the answer after progress", r, err)
	}
	ok(c.Mail("<joe@example.org>"))
}

// TestDeadlines lets each kind of wait run out.
func TestDeadlines(t *testing.T) {
	tests := []struct {
		name string
		conf milter.Config
		talk func(t *testing.T, c *miltertest.Conn)
	}{
		{"negotiation", milter.Config{NegotiateTimeout: time.Millisecond}, func(*testing.T, *miltertest.Conn) {}},
		{"idle", milter.Config{IdleTimeout: time.Millisecond}, func(*testing.T, *miltertest.Conn) {}},
		{"packet", milter.Config{PacketTimeout: time.Millisecond}, func(t *testing.T, c *miltertest.Conn) {
			must(t, c.SendRaw([]byte("\x00\x00\x00\x20Mxyz")))
		}},
		{"packet length", milter.Config{PacketTimeout: time.Millisecond}, func(t *testing.T, c *miltertest.Conn) {
			must(t, c.SendRaw([]byte("\x00\x00")))
		}},
		{"body", milter.Config{PacketTimeout: time.Millisecond}, func(t *testing.T, c *miltertest.Conn) {
			want(t, miltertest.ReplyContinue)(c.Mail("<joe@example.org>"))
			must(t, c.SendRaw([]byte("\x00\x00\x00\x20Bxyz")))
		}},
		{"message", milter.Config{MessageTimeout: time.Millisecond}, func(t *testing.T, c *miltertest.Conn) {
			want(t, miltertest.ReplyContinue)(c.Mail("<joe@example.org>"))
			must(t, c.Send(miltertest.CmdEOH))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rig := start(t, tt.conf, nil)
			c, err := miltertest.Dial("tcp", rig.addr)
			must(t, err)
			defer c.Close()
			if tt.name != "negotiation" {
				must(t, c.Negotiate(6, miltertest.AllActions, miltertest.AllProtocol))
			}
			rec := <-rig.next
			tt.talk(t, c)
			must(t, c.Flush())
			if _, _, err := c.ReadPacket(); !errors.Is(err, io.EOF) {
				t.Errorf("got %v, want the connection closed", err)
			}
			<-rec.closed
			if log := rig.log.String(); !strings.Contains(log, "timeout") {
				t.Errorf("log doesn't tell of the timeout: %s", log)
			}
		})
	}
}

// TestPanic has each event panic: the connection ends, the server goes on.
func TestPanic(t *testing.T) {
	for _, event := range []string{"connect", "helo", "mail", "rcpt", "data", "header", "eoh", "chunk", "end", "answered", "abort"} {
		t.Run(event, func(t *testing.T) {
			first := true
			var panics atomic.Int32
			rig := start(t, milter.Config{Panicked: func() { panics.Add(1) }}, func(r *recorder) {
				if first {
					r.panics, first = event, false
				}
			})
			c, rec := rig.dial(6)
			c.Connect("localhost", miltertest.Inet, 25, "192.0.2.7")
			c.Helo("x")
			c.Mail("<joe@example.org>")
			c.Rcpt("<alice@example.com>")
			if event == "abort" {
				c.Abort()
				c.Flush()
			} else {
				c.Data()
				c.Header("Subject", " x")
				c.EOH()
				c.Body([]byte("x"))
				c.EOM()
				c.Mail("<again@example.org>")
			}
			<-rec.closed
			if n := panics.Load(); n == 0 {
				t.Error("the panic was not counted")
			}
			if log := rig.log.String(); !strings.Contains(log, "panic in a milter session") || !strings.Contains(log, "told to") {
				t.Errorf("the panic was not logged: %s", log)
			}
			c2, _ := rig.dial(6)
			want(t, miltertest.ReplyContinue)(c2.Mail("<next@example.org>"))
		})
	}
}

// TestCrowded opens more connections than there may be.
func TestCrowded(t *testing.T) {
	rig := start(t, milter.Config{MaxConns: 2}, nil)
	for i := range 4 {
		c, rec := rig.dial(6)
		want(t, miltertest.ReplyContinue)(c.Mail("<joe@example.org>"))
		if got, want := rec.conn.Crowded(), i >= 2; got != want {
			t.Errorf("connection %d: Crowded is %v, want %v", i+1, got, want)
		}
	}
}

// TestShutdown looks at what connections find that outlive a shutdown, in every
// state that an MTA can leave them in.
func TestShutdown(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	parting := milter.Reply{Action: milter.Respond, Code: 421, Enhanced: "4.3.2", Text: "mx.example.com restarting, try again"}
	rig := start(t, milter.Config{}, func(r *recorder) {
		r.conn.SetParting(parting)
		r.end = func(ctx context.Context) milter.Answer { <-ctx.Done(); return milter.Answer{} }
	})
	ok := want(t, miltertest.ReplyContinue)
	open := func() *miltertest.Conn {
		c, _ := rig.dial(6)
		ok(c.Connect("client.example.org", miltertest.Inet, 25, "192.0.2.7"))
		must(t, c.Flush())
		return c
	}
	idle, mail, atEnd, local := open(), open(), open(), open()
	ok(mail.Mail("<joe@example.org>"))
	ok(atEnd.Mail("<joe@example.org>"))
	must(t, atEnd.Send(miltertest.CmdEOM))
	must(t, atEnd.Flush())
	gone := open()
	done := make(chan error, 1)
	// The last of them is local mail: it is never refused.
	want(t, miltertest.ReplyContinue)(local.Mail("<root@example.com>"))
	rig.srv.Drain()
	go func() { done <- rig.srv.Shutdown(ctx) }()
	must(t, gone.Quit()) // sessions that end while the server drains are none of its business
	late, _ := rig.dial(6)
	ok(late.Mail("<late@example.org>")) // a listener of our own is open until the end
	must(t, late.Quit())
	select {
	case err := <-done:
		t.Fatalf("Shutdown returned %v while sessions were open", err)
	default:
	}
	cancel()
	check := func(name string, r miltertest.Reply, err error) {
		t.Helper()
		if err != nil || r.String() != "421 4.3.2 mx.example.com restarting, try again" {
			t.Errorf("%s: got %v, %v; want the parting answer", name, r, err)
		}
	}
	for _, c := range []*miltertest.Conn{idle, mail, atEnd} {
		awaitAnswer(t, c) // it is there before the MTA asks
	}
	r, err := idle.Mail("<joe@example.org>")
	check("MAIL", r, err)
	r, err = mail.Rcpt("<alice@example.com>")
	check("RCPT", r, err)
	r, err = atEnd.ReadReply(miltertest.CmdEOM)
	check("EOM", r, err)
	for _, c := range []*miltertest.Conn{idle, mail, atEnd, local} {
		c.Close()
	}
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown returned %v, want context.Canceled", err)
	}
}

// awaitAnswer returns when something can be read, and leaves it to be read.
func awaitAnswer(t *testing.T, c *miltertest.Conn) {
	t.Helper()
	raw, err := c.NetConn().(*net.TCPConn).SyscallConn()
	must(t, err)
	must(t, c.NetConn().SetReadDeadline(time.Now().Add(10*time.Second)))
	must(t, raw.Read(func(fd uintptr) bool {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		return err == nil && n == 1
	}))
}

// TestPartingComesAlone cuts a session off right behind an answer. Postfix's smtpd reads
// what is there with the answer to DATA and forgets all but that when it hands the
// connection to cleanup: the parting answer must come later.
func TestPartingComesAlone(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	done := make(chan struct{})
	var rig *rig
	rig = start(t, milter.Config{}, func(r *recorder) {
		r.conn.SetParting(milter.Reply{Action: milter.Respond, Code: 421, Text: "bye"})
		r.data = func() milter.Reply {
			go func() { rig.srv.Shutdown(ctx); close(done) }()
			return milter.Reply{}
		}
	})
	c, _ := rig.dial(6)
	want(t, miltertest.ReplyContinue)(c.Mail("<joe@example.org>"))
	want(t, miltertest.ReplyContinue)(c.Rcpt("<alice@example.com>"))
	must(t, c.Send(miltertest.CmdData))
	must(t, c.Flush())
	awaitAnswer(t, c)
	buf := make([]byte, 4096)
	n, err := c.NetConn().Read(buf)
	must(t, err)
	if got := string(buf[:n]); strings.Contains(got, "bye") && got[4] == 'c' {
		t.Errorf("the answer to DATA and the parting answer came together: %q", got)
	}
	c.Close()
	<-done
}

// TestShutdownOfOneWhoDoesNotRead meets an MTA that sends and never reads: a write to
// it is stuck, and must not keep the shutdown.
func TestShutdownOfOneWhoDoesNotRead(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	stuck := make(chan struct{})
	var once sync.Once
	rig := start(t, milter.Config{LingerTimeout: 50 * time.Millisecond}, func(r *recorder) {
		r.conn.SetParting(milter.Reply{Action: milter.Respond, Code: 421, Text: "bye"})
		r.rcpt = func(string) milter.Reply {
			once.Do(func() { close(stuck) })
			return milter.Reply{Action: milter.Respond, Code: 550, Text: strings.Repeat(strings.Repeat("x", 400)+"\n", 30)}
		}
	})
	c, _ := rig.dial(6)
	want(t, miltertest.ReplyContinue)(c.Mail("<joe@example.org>"))
	go func() {
		for c.Send(miltertest.CmdRcpt, []byte("<alice@example.com>\x00")) == nil && c.Flush() == nil {
		}
	}()
	<-stuck
	begun := time.Now()
	rig.srv.Shutdown(ctx)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the shutdown took %s", took)
	}
	if n := rig.srv.Open(); n != 0 {
		t.Errorf("%d connections are open", n)
	}
}

// TestNoParting has a shutdown meet a session that has nothing to say.
func TestNoParting(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	rig := start(t, milter.Config{LingerTimeout: 50 * time.Millisecond}, nil)
	c, rec := rig.dial(6)
	want(t, miltertest.ReplyContinue)(c.Mail("<root@example.com>"))
	rig.srv.Shutdown(ctx)
	if r, err := c.Rcpt("<alice@example.com>"); err == nil {
		t.Errorf("got %v, want the connection closed without an answer", r)
	}
	<-rec.closed
}

// TestInherited sees that a listener with another owner is left alone at once.
func TestInherited(t *testing.T) {
	srv := milter.NewServer(milter.Config{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln, true) }()
	srv.Drain()
	if err := <-served; !errors.Is(err, milter.ErrServerClosed) {
		t.Errorf("Serve returned %v, want ErrServerClosed", err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open: %v", err)
	}
}

// TestLongCommands sends commands that are longer than any MTA's.
func TestLongCommands(t *testing.T) {
	long := strings.Repeat("x", 16<<10)
	for _, send := range []func(*miltertest.Conn) (miltertest.Reply, error){
		func(c *miltertest.Conn) (miltertest.Reply, error) {
			return c.Connect(long, miltertest.Inet, 1, "192.0.2.1")
		},
		func(c *miltertest.Conn) (miltertest.Reply, error) { return c.Mail("<" + long + ">") },
		func(c *miltertest.Conn) (miltertest.Reply, error) {
			c.Mail("<joe@example.org>")
			return c.Rcpt("<alice@example.com>", long)
		},
	} {
		rig := start(t, milter.Config{}, nil)
		c, rec := rig.dial(6)
		send(c)
		c.Flush()
		if _, _, err := c.ReadPacket(); err == nil {
			t.Error("the connection is open")
		}
		<-rec.closed
		if log := rig.log.String(); !strings.Contains(log, "malformed packet") {
			t.Errorf("log: %s", log)
		}
	}
}

// TestBody sends pieces of all sizes, also one in the last packet.
func TestBody(t *testing.T) {
	var mu sync.Mutex
	total := 0
	rig := start(t, milter.Config{}, nil)
	c, rec := rig.dial(6)
	ok := want(t, miltertest.ReplyContinue)
	ok(c.Mail("<joe@example.org>"))
	for _, n := range []int{0, 1, 65535, 65536, 65537, 1<<20 - 1} {
		ok(c.Body(make([]byte, n)))
		total += n
	}
	_, err := c.EOM(make([]byte, 100))
	must(t, err)
	total += 100
	mu.Lock()
	defer mu.Unlock()
	got := 0
	for _, e := range rec.take() {
		var n int
		if _, err := fmt.Sscanf(e, "chunk %d", &n); err == nil {
			got += n
		}
	}
	if got != total {
		t.Errorf("got %d bytes of body, sent %d", got, total)
	}
}

// TestConnectAddress reads addresses as different MTAs write them.
func TestConnectAddress(t *testing.T) {
	rig := start(t, milter.Config{}, nil)
	for _, tt := range []struct {
		family miltertest.Family
		addr   string
		want   netip.Addr
	}{
		{miltertest.Inet, "192.0.2.7", netip.MustParseAddr("192.0.2.7")},
		{miltertest.Inet6, "2001:db8::1", netip.MustParseAddr("2001:db8::1")},
		{miltertest.Inet6, "IPv6:2001:db8::1", netip.MustParseAddr("2001:db8::1")},
		{miltertest.Inet6, "::ffff:192.0.2.7", netip.MustParseAddr("192.0.2.7")},
		{miltertest.Inet6, "fe80::1%eth0", netip.MustParseAddr("fe80::1")},
		{miltertest.Inet, "unknown", netip.Addr{}},
	} {
		c, rec := rig.dial(6)
		want(t, miltertest.ReplyContinue)(c.Connect("h", tt.family, 25, tt.addr))
		must(t, c.Quit())
		<-rec.closed
		if got := rec.take()[0]; !strings.Contains(got, " "+tt.want.String()+" ") {
			t.Errorf("%s: got %q, want address %s", tt.addr, got, tt.want)
		}
	}
}

// nothing is a Session that lets everything through.
type nothing struct{}

func (nothing) Connect(milter.Connect)                             {}
func (nothing) Helo(string)                                        {}
func (nothing) Mail(context.Context, milter.Path) (r milter.Reply) { return r }
func (nothing) Rcpt(context.Context, milter.Path) (r milter.Reply) { return r }
func (nothing) Data(context.Context) (r milter.Reply)              { return r }
func (nothing) Header(string, string)                              {}
func (nothing) EndHeaders()                                        {}
func (nothing) Chunk([]byte)                                       {}
func (nothing) End(context.Context) (a milter.Answer)              { return a }
func (nothing) Answered()                                          {}
func (nothing) Abort()                                             {}
func (nothing) Close()                                             {}

// A lateListener accepts one connection after it has been closed, as one may that was
// in the middle of it.
type lateListener struct {
	net.Listener
	accepting chan struct{} // closed when Accept waits
	closed    chan struct{} // closed when it is
	once      sync.Once
}

func (l *lateListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *lateListener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	close(l.accepting)
	<-l.closed
	return l.Listener.Accept()
}

// TestAcceptedLast has a connection taken from an inherited listener just as the server
// begins to drain: it must be served, not closed before it could negotiate.
func TestAcceptedLast(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	late := &lateListener{Listener: ln, accepting: make(chan struct{}), closed: make(chan struct{})}
	srv := milter.NewServer(milter.Config{NewSession: func(milter.Conn) milter.Session { return nothing{} }})
	go srv.Serve(late, true)
	<-late.accepting
	done := make(chan struct{})
	go func() { srv.Shutdown(context.Background()); close(done) }()
	<-late.closed
	c, err := miltertest.Dial("tcp", ln.Addr().String())
	must(t, err)
	defer c.Close()
	must(t, c.Negotiate(6, miltertest.AllActions, miltertest.AllProtocol))
	want(t, miltertest.ReplyContinue)(c.Mail("<joe@example.org>"))
	must(t, c.Quit())
	<-done
}
