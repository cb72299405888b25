package oddtraffic

import (
	"context"
	"log"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"rmilter/milter"
	"rmilter/milter/miltertest"
)

// plain is a session that lets everything through with one field more, and sees to it
// that events come in an order that can be.
type plain struct {
	t *testing.T

	open   bool // a message is
	rcpts  int
	closed bool
}

func (p *plain) event(name string, needsMessage bool) {
	if p.closed {
		p.t.Errorf("%s after Close", name)
	}
	if needsMessage && !p.open {
		p.t.Errorf("%s without Mail", name)
	}
}

func (p *plain) Connect(milter.Connect) { p.event("Connect", false) }
func (p *plain) Helo(string)            { p.event("Helo", false) }

func (p *plain) Mail(_ context.Context, path milter.Path) milter.Reply {
	p.event("Mail", false)
	if p.open {
		p.t.Error("Mail while a message is open")
	}
	p.open, p.rcpts = true, 0
	return milter.Reply{}
}

func (p *plain) Rcpt(_ context.Context, path milter.Path) milter.Reply {
	p.event("Rcpt", true)
	if strings.Contains(path.Addr, "bob") {
		return milter.Reply{Action: milter.Respond, Code: 451, Enhanced: "4.7.1", Text: "100% full\nof mail"}
	}
	p.rcpts++
	return milter.Reply{}
}

func (p *plain) Data(context.Context) milter.Reply { p.event("Data", true); return milter.Reply{} }
func (p *plain) Header(string, string)             { p.event("Header", true) }
func (p *plain) EndHeaders()                       { p.event("EndHeaders", true) }
func (p *plain) Chunk([]byte)                      { p.event("Chunk", true) }

func (p *plain) End(context.Context) milter.Answer {
	p.event("End", true)
	p.open = false
	return milter.Answer{Edits: []milter.Edit{{Op: milter.InsertHeader, Index: 1, Name: "X-Spam", Value: "no"}}}
}

func (p *plain) Answered() { p.event("Answered", false) }
func (p *plain) Abort()    { p.event("Abort", false); p.open = false }
func (p *plain) Close()    { p.event("Close", false); p.closed = true }

// listen gives a listener that is closed when the test ends, and its dialer.
func listen(t *testing.T, network string) (net.Listener, func() (net.Conn, error)) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = t.TempDir() + "/m"
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, func() (net.Conn, error) { return net.Dial(network, l.Addr().String()) }
}

// TestServer replays everything against the milter server with a session that does
// next to nothing.
func TestServer(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			watch := new(Log)
			// The milter library reports what it recovers from on the standard logger.
			old := log.Writer()
			log.SetOutput(watch)
			defer log.SetOutput(old)
			l, dial := listen(t, network)
			srv := milter.NewServer(milter.Config{
				NewSession: func(milter.Conn) milter.Session { return &plain{t: t} },
				Log:        slog.New(slog.NewTextHandler(watch, nil)),
			})
			served := make(chan error, 1)
			go func() { served <- srv.Serve(l, false) }()
			o := FromEnvironment()
			if network == "unix" {
				o.Crowd = 0 // one crowd is enough
			}
			Run(t, Target{Dial: dial, Count: InProcess, Faults: watch.Faults}, o)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := srv.Shutdown(ctx); err != nil {
				t.Errorf("shutdown: %v with %d connections open", err, srv.Open())
			}
			<-served
		})
	}
}

// bad serves connections with a handler that does something wrong.
func bad(t *testing.T, handle func(net.Conn)) func() (net.Conn, error) {
	t.Helper()
	l, dial := listen(t, "tcp")
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go handle(nc)
		}
	}()
	return dial
}

// TestFaultsAreFound lets bad filters fail.
func TestFaultsAreFound(t *testing.T) {
	good := &miltertest.Filter{}
	answering := func(out ...miltertest.Packet) func(net.Conn) {
		f := &miltertest.Filter{Answer: func(cmd miltertest.Command, _ []byte) []miltertest.Packet {
			if cmd == miltertest.CmdHelo {
				return out
			}
			return nil
		}}
		return func(nc net.Conn) { f.Serve(nc) }
	}
	for _, tt := range []struct {
		name   string
		handle func(net.Conn)
		what   string
	}{
		{"doesn't read", func(net.Conn) {}, "neither answered to the end nor closed"},
		{"sends garbage", func(nc net.Conn) { nc.Write([]byte("\x00\x00\x00\x02??")); good.Serve(nc) }, "which not every MTA knows"},
		{"sends half a packet", func(nc net.Conn) { nc.Write([]byte("\x00\x00\x00\x02c")); nc.(*net.TCPConn).CloseWrite() }, "unexpected EOF"},
		{"answers too often", answering(miltertest.Packet{Code: miltertest.ReplyContinue}, miltertest.Packet{Code: miltertest.ReplyContinue}), "9 answers and 1 to the offer"},
		{"ill-formed reply", answering(miltertest.Packet{Code: miltertest.ReplyCode, Payload: []byte("550 5.7.1 100%\x00")}), "single %"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dial := bad(t, func(nc net.Conn) {
				tt.handle(nc)
				if tt.name != "doesn't read" {
					nc.Close()
				}
			})
			said := old()
			said = said[:len(said)-1]
			err := play{send: said.bytes(), end: quit, whole: said}.run(dial, 300*time.Millisecond)
			if want := tt.what; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want an error with %q", err, want)
			}
		})
	}
	said := old()
	said = said[:len(said)-1]
	if err := (play{send: said.bytes(), end: quit, whole: said}).run(bad(t, func(nc net.Conn) { good.Serve(nc) }), time.Second); err != nil {
		t.Errorf("a good filter: %v", err)
	}
}

// TestLeaksAreFound gives filters that keep goroutines and descriptors, or that panic.
func TestLeaksAreFound(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	leaky := bad(t, func(nc net.Conn) {
		go func() { <-release }()
		new(miltertest.Filter).Serve(nc)
	})
	r := newRunner(Target{Dial: leaky, Count: InProcess}, Options{Deadline: 200 * time.Millisecond})
	faults := r.family(family{name: "one", runs: []run{{"ordinary", func() error { return sessions(false)[0].run(r.Dial, r.Deadline) }}}})
	if len(faults) != 1 || !strings.Contains(faults[0].Error(), "left behind") {
		t.Errorf("goroutines kept: got %v, want one fault: left behind", faults)
	}

	watch := new(Log)
	r = newRunner(Target{Dial: bad(t, func(nc net.Conn) { new(miltertest.Filter).Serve(nc) }), Faults: watch.Faults}, Options{Deadline: time.Second})
	if faults := r.aftermath(); len(faults) != 0 {
		t.Errorf("a good filter: %v", faults)
	}
	for _, s := range []string{"level=ERROR msg=\"milter Pan", "ic\"\nall well\n"} {
		watch.Write([]byte(s))
	}
	if faults := r.aftermath(); len(faults) != 1 || !strings.Contains(faults[0].Error(), "1 faults") {
		t.Errorf("a panic in the log: got %v, want one fault", faults)
	}
	if faults := r.aftermath(); len(faults) != 0 {
		t.Errorf("the same panic was told twice: %v", faults)
	}
}

// TestEveryPlayIsWellMade guards the generators: names that tell plays apart, and the
// families that must be complete.
func TestEveryPlayIsWellMade(t *testing.T) {
	want := map[string]int{
		"truncated": 2 * (len(postfix().bytes()) + len(sendmail().bytes()) + len(old().bytes())),
		"dropped":   len(postfix()) + len(sendmail()) + len(old()),
		"lengths":   7 * 16 * 5,
	}
	n := len(postfix())
	m := len(sendmail())
	k := len(old())
	want["duplicated"] = want["dropped"]
	want["swapped"] = n*(n-1)/2 + m*(m-1)/2 + k*(k-1)/2
	total := 0
	for _, g := range groups(true, 1) {
		seen := map[string]bool{}
		for _, p := range g.plays {
			if p.name == "" || seen[p.name] {
				t.Errorf("%s: two plays called %q", g.name, p.name)
			}
			seen[p.name] = true
		}
		if w, ok := want[g.name]; ok && len(g.plays) != w {
			t.Errorf("%s: %d plays, want %d", g.name, len(g.plays), w)
		}
		total += len(g.plays)
	}
	t.Logf("%d plays and %d sessions in full", total, len(sessions(true)))
}
