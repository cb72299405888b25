package miltertest

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// start gives a client of a filter on the other end of a pipe. The filter's
// error is reported when the test ends.
func start(t *testing.T, f *Filter) *Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- f.Serve(theirs) }()
	c := NewConn(ours)
	t.Cleanup(func() {
		c.Close()
		if err := <-done; err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("filter: %v", err)
		}
	})
	return c
}

// wantViolation fails the test unless err is a Violation that says what.
func wantViolation(t *testing.T, err error, what string) {
	t.Helper()
	var v *Violation
	if !errors.As(err, &v) || !strings.Contains(v.What, what) {
		t.Errorf("got error %v, want a violation with %q", err, what)
	}
}

func TestSessionUnderEveryFlag(t *testing.T) {
	for bit := range 21 {
		flags := uint32(1) << bit
		t.Run("", func(t *testing.T) { session(t, 6, flags) })
	}
	for version := uint32(2); version <= 6; version++ {
		_, all := Offer(version)
		const declined = NoConnect | NoHelo | NoMail | NoRcpt | NoBody | NoHeaders | NoEOH | NoData | NoUnknown
		t.Run("", func(t *testing.T) { session(t, version, 0) })
		t.Run("", func(t *testing.T) { session(t, version, all&^declined) })
		t.Run("", func(t *testing.T) { session(t, version, all) })
	}
}

// session goes through all events and compares what the filter saw with what
// version and flags allow.
func session(t *testing.T, version, flags uint32) {
	var got strings.Builder
	c := start(t, &Filter{Protocol: flags, Actions: AllActions, Answer: func(cmd Command, _ []byte) []Packet {
		got.WriteByte(byte(cmd))
		return nil
	}})
	actions, protocol := Offer(version)
	if err := c.Negotiate(version, actions, protocol); err != nil {
		t.Fatal(err)
	}
	if c.Version() != version || c.Protocol() != protocol&flags || c.Actions() != actions {
		t.Fatalf("negotiated %d %#x %#x, want %d %#x %#x", c.Version(), c.Actions(), c.Protocol(), version, actions, protocol&flags)
	}
	steps := []struct {
		cmd  Command
		send func() (Reply, error)
	}{
		{CmdConnect, func() (Reply, error) { return c.Connect("mx.sender.example", Inet, 25, "192.0.2.1") }},
		{CmdHelo, func() (Reply, error) { return c.Helo("mx.sender.example") }},
		{CmdMail, func() (Reply, error) { return c.Mail("<joe@sender.example>", "SIZE=3") }},
		{CmdRcpt, func() (Reply, error) { return c.Rcpt("<alice@example.com>") }},
		{CmdUnknown, func() (Reply, error) { return c.Unknown("XYZZY") }},
		{CmdData, c.Data},
		{CmdHeader, func() (Reply, error) { return c.Header("Subject", " x") }},
		{CmdEOH, c.EOH},
		{CmdBody, func() (Reply, error) { return c.Body([]byte("x\r\n")) }},
		{CmdEOM, func() (Reply, error) { return c.EOM() }},
	}
	want := "O"
	for _, s := range steps {
		r, err := s.send()
		if err != nil {
			t.Fatalf("version %d flags %#x: %v: %v", version, flags, s.cmd, err)
		}
		no, nr, since := s.cmd.rules()
		sent := version >= since && protocol&flags&no == 0
		if sent {
			want += string(rune(s.cmd))
		}
		if answered := sent && protocol&flags&nr == 0; r.Answered != answered || r.Action != ReplyContinue {
			t.Errorf("version %d flags %#x: %v: got %v, answered %v, want continue, answered %v", version, flags, s.cmd, r.Action, r.Answered, answered)
		}
	}
	if err := c.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := c.QuitNC(); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	if want += "AKQ"; got.String() != want {
		t.Errorf("version %d flags %#x: filter saw %s, want %s", version, flags, got.String(), want)
	}
}

func TestNegotiateRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer Packet
		what   string
	}{
		{"other packet", Packet{Code: ReplyContinue}, "answered by continue"},
		{"short", Packet{Code(CmdOptneg), make([]byte, 11)}, "11 bytes"},
		{"version above the offer", Packet{Code(CmdOptneg), optneg(5, 0, 0)}, "version 5"},
		{"version 1", Packet{Code(CmdOptneg), optneg(1, 0, 0)}, "version 1"},
		{"action", Packet{Code(CmdOptneg), optneg(4, ActAddHeaders|ActChangeFrom, 0)}, "actions 0x40"},
		{"step", Packet{Code(CmdOptneg), optneg(4, 0, NoBody|NRHelo)}, "protocol steps 0x2000"},
		{"macros not offered", Packet{Code(CmdOptneg), append(optneg(4, 0, 0), 0, 0, 0, 0, 'i', 0)}, "6 bytes too many"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := start(t, &Filter{Answer: func(Command, []byte) []Packet { return []Packet{tt.answer} }})
			wantViolation(t, c.Negotiate(4, 0x3f, 0x37f), tt.what)
		})
	}
}

func TestNegotiateMacros(t *testing.T) {
	list := func(b ...byte) Packet { return Packet{Code(CmdOptneg), append(optneg(6, ActSetSymList, 0), b...)} }
	for _, tt := range []struct {
		name   string
		answer Packet
		what   string // of the violation, "" for none
	}{
		{"good", list(0, 0, 0, 5, 'i', 0, 0, 0, 0, 0, 'j', ' ', 'v', 0), ""},
		{"no NUL", list(0, 0, 0, 5, 'i'), "cut off"},
		{"no name", list(0, 0, 0, 5), "cut off"},
		{"stage 7", list(0, 0, 0, 7, 'i', 0), "stage 7"},
		{"twice", list(0, 0, 0, 5, 'i', 0, 0, 0, 0, 5, 'i', 0), "two lists"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := start(t, &Filter{Answer: func(Command, []byte) []Packet { return []Packet{tt.answer} }})
			err := c.Negotiate(6, AllActions, AllProtocol)
			if tt.what != "" {
				wantViolation(t, err, tt.what)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if l := c.SymLists(); len(l) != 2 || l[5] != "i" || l[0] != "j v" {
				t.Errorf("got macros %v, want i for 5, j v for 0", l)
			}
		})
	}
}

// A surplus answer is read as the answer to the next event, so that the last one
// is left over: Quit must tell.
func TestSurplusAnswerShows(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := Filter{Protocol: NRHelo, Answer: func(cmd Command, _ []byte) []Packet {
		if cmd == CmdHelo {
			return []Packet{{Code: ReplyContinue}}
		}
		return nil
	}}
	go func() {
		if nc, err := l.Accept(); err == nil {
			f.Serve(nc)
		}
	}()
	c, err := Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Negotiate(6, AllActions, AllProtocol); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Helo("mx.sender.example"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Mail("<joe@sender.example>"); err != nil {
		t.Fatal(err)
	}
	// Two answers may have come in one read or not: the one or the other place tells.
	if _, err := c.Rcpt("<alice@example.com>"); err != nil {
		wantViolation(t, err, "unasked")
		return
	}
	wantViolation(t, c.Quit(), "unasked")
}

func TestUnaskedWithTheAnswer(t *testing.T) {
	c := start(t, &Filter{Answer: func(cmd Command, _ []byte) []Packet {
		if cmd == CmdHelo {
			return []Packet{{Code: ReplyContinue}, {Code: ReplyContinue}}
		}
		return nil
	}})
	if err := c.Negotiate(6, AllActions, AllProtocol); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Helo("mx.sender.example"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Mail("<joe@sender.example>")
	wantViolation(t, err, "unasked")
	wantViolation(t, c.Abort(), "unasked")
	wantViolation(t, c.QuitNC(), "unasked")
}

func TestDeadlines(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := NewConn(ours)
	defer c.Close()
	c.SetTimeout(20 * time.Millisecond)
	if err := c.Negotiate(6, 0, 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("writing to a filter that doesn't read: got %v, want a deadline", err)
	}

	ours, theirs = net.Pipe()
	defer theirs.Close()
	go io.Copy(io.Discard, theirs)
	c = NewConn(ours)
	c.SetTimeout(20 * time.Millisecond)
	if err := c.Negotiate(6, 0, 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a filter that doesn't answer: got %v, want a deadline", err)
	}
	if err := c.Quit(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a filter that doesn't close: got %v, want a deadline", err)
	}
}

func TestLengthsAreBounded(t *testing.T) {
	for _, tt := range []struct {
		head string
		what string
	}{
		{"\x00\x00\x00\x00", "packet of 0 bytes"},
		{"\xff\xff\xff\xff", "packet of 4294967295 bytes"},
	} {
		ours, theirs := net.Pipe()
		go theirs.Write([]byte(tt.head))
		c := NewConn(ours)
		_, _, err := c.ReadPacket()
		wantViolation(t, err, tt.what)
		c.Close()
		theirs.Close()
	}
}

func TestMacroPairs(t *testing.T) {
	var got []byte
	c := start(t, &Filter{Answer: func(cmd Command, b []byte) []Packet {
		if cmd == CmdMacro {
			got = b
		}
		return nil
	}})
	if err := c.Macro(CmdMail, "i", "4A", "{auth_authen}"); err == nil {
		t.Error("a name without a value was taken")
	}
	if err := c.Macro(CmdMail, "i", "4A", "{auth_authen}", "joe"); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	if want := "Mi\x004A\x00{auth_authen}\x00joe\x00"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDialUnix(t *testing.T) {
	l, err := net.Listen("unix", t.TempDir()+"/m")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		nc, err := l.Accept()
		if err == nil {
			err = new(Filter).Serve(nc)
		}
		done <- err
	}()
	c, err := Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Negotiate(6, AllActions, AllProtocol); err != nil {
		t.Error(err)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("filter: %v", err)
	}
}
