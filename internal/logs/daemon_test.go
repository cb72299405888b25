package logs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// patience bounds what a test waits for something that must come.
const patience = 10 * time.Second

// socketDir is a directory with a short name: socket paths end at 104 bytes.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "logs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listenDatagrams(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func receive(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 256<<10)
	c.SetReadDeadline(time.Now().Add(patience))
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// open is New for tests: it closes at the end.
func open(t *testing.T, o Options) (*slog.Logger, io.Closer) {
	t.Helper()
	if o.Stderr == nil {
		o.Stderr = tempFile(t)
	}
	l, closer, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closer.Close() })
	return l, closer
}

func tempFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// fields reads a record of the journal's protocol.
func fields(t *testing.T, b string) map[string]string {
	t.Helper()
	m := make(map[string]string)
	for b != "" {
		name, rest, ok := strings.Cut(b, "\n")
		if !ok {
			t.Fatalf("field without end: %q", b)
		}
		value := ""
		if n, v, ok := strings.Cut(name, "="); ok {
			name, value = n, v
		} else {
			if len(rest) < 8 {
				t.Fatalf("field without length: %q", b)
			}
			n := binary.LittleEndian.Uint64([]byte(rest[:8]))
			if n >= uint64(len(rest)-8) || rest[8+n] != '\n' {
				t.Fatalf("field with wrong length %d: %q", n, b)
			}
			value, rest = rest[8:8+n], rest[8+n+1:]
		}
		if _, double := m[name]; double {
			t.Fatalf("field %q twice", name)
		}
		m[name], b = value, rest
	}
	return m
}

func TestJournal(t *testing.T) {
	path := filepath.Join(socketDir(t), "socket")
	c := listenDatagrams(t, path)
	l, _ := open(t, Options{Target: Journal, JournalSocket: path, Level: slog.LevelDebug})
	long := strings.Repeat("ü", maxLine)
	tests := []struct {
		name     string
		log      func()
		priority string
		message  string
	}{
		{"line about a mail", func() { l.Info(messageLine) }, "6", messageLine},
		{"attributes", func() { l.Warn("slow", "took", 3*time.Second, "by", "a\nPRIORITY=0") }, "4", `slow took=3s by="a\nPRIORITY=0"`},
		{"error", func() { l.Error("gone") }, "3", "gone"},
		{"notice", func() { l.Log(t.Context(), slog.LevelInfo+2, "note") }, "5", "note"},
		{"debug", func() { l.Debug("detail") }, "7", "detail"},
		{"lines", func() { l.Error("panic: x\n\tat y\nPRIORITY=0\n") }, "3", "panic: x\n\tat y\nPRIORITY=0\n"},
		{"empty", func() { l.Info("") }, "6", ""},
		{"too long", func() { l.Info(long) }, "6", long[:maxLine-6] + " [cut]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.log()
			want := map[string]string{"PRIORITY": tt.priority, "SYSLOG_FACILITY": "2", "SYSLOG_IDENTIFIER": "rmilter", "MESSAGE": tt.message}
			if diff := cmp.Diff(want, fields(t, receive(t, c))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func FuzzJournalRecord(f *testing.F) {
	f.Add([]byte("m"))
	f.Add([]byte("a\nMESSAGE=b\n\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, line []byte) {
		m := fields(t, string(journalRecord("rmilter", entry{line: line})))
		if len(m) != 4 || m["MESSAGE"] != string(line) {
			t.Errorf("got %q, want message %q", m, line)
		}
	})
}

func TestJournalJSON(t *testing.T) {
	path := filepath.Join(socketDir(t), "socket")
	c := listenDatagrams(t, path)
	l, _ := open(t, Options{Target: Journal, Format: JSON, Name: "test", JournalSocket: path})
	l.Error("a\nb", "k", 1)
	got := fields(t, receive(t, c))
	message := regexp.MustCompile(`^\{"time":"[^"]+","level":"ERROR","msg":"a\\nb","k":1\}$`)
	if got["PRIORITY"] != "3" || got["SYSLOG_IDENTIFIER"] != "test" || !message.MatchString(got["MESSAGE"]) {
		t.Errorf("got %q", got)
	}
}

func TestSyslog(t *testing.T) {
	at := time.Date(2026, 3, 4, 12, 13, 14, 0, time.UTC)
	long := strings.Repeat("x", 8000)
	tests := []struct {
		name string
		log  func(*slog.Logger)
		want string
	}{
		{"line about a mail", func(l *slog.Logger) { l.Info(messageLine) }, "<22>Mar  4 12:13:14 rmilter[PID]: " + messageLine},
		{"attributes", func(l *slog.Logger) { l.Warn("slow", "by", "a\n<0>b") }, `<20>Mar  4 12:13:14 rmilter[PID]: slow by="a\n<0>b"`},
		{"error", func(l *slog.Logger) { l.Error("x\ny") }, `<19>Mar  4 12:13:14 rmilter[PID]: x\ny`},
		{"debug", func(l *slog.Logger) { l.Debug("x") }, "<23>Mar  4 12:13:14 rmilter[PID]: x"},
		{"too long", func(l *slog.Logger) { l.Info(long) }, "<22>Mar  4 12:13:14 rmilter[PID]: " + long[:7894] + " [cut]"},
	}
	for _, network := range []string{"unixgram", "unix"} {
		t.Run(network, func(t *testing.T) {
			path := filepath.Join(socketDir(t), "log")
			next := syslogd(t, network, path)
			l, _ := open(t, Options{Target: Syslog, SyslogSocket: path, Level: slog.LevelDebug})
			l = slog.New(timeHandler{l.Handler(), at})
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					tt.log(l)
					want := strings.Replace(tt.want, "PID", fmt.Sprint(os.Getpid()), 1)
					if diff := cmp.Diff(want, next()); diff != "" {
						t.Errorf("-want +got:\n%s", diff)
					}
				})
			}
		})
	}
}

// syslogd listens on path and returns what reads the next record.
func syslogd(t *testing.T, network, path string) func() string {
	t.Helper()
	if network == "unixgram" {
		c := listenDatagrams(t, path)
		return func() string { return receive(t, c) }
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	var c net.Conn
	return func() string {
		t.Helper()
		if c == nil {
			if c, err = ln.Accept(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		}
		c.SetReadDeadline(time.Now().Add(patience))
		var record []byte
		for one := make([]byte, 1); ; record = append(record, one[0]) {
			if _, err := io.ReadFull(c, one); err != nil {
				t.Fatal(err)
			}
			if one[0] == '\n' {
				return string(record)
			}
		}
	}
}

// TestSyslogRestarts replaces the daemon's socket: no record may be lost.
func TestSyslogRestarts(t *testing.T) {
	path := filepath.Join(socketDir(t), "log")
	stderr := tempFile(t)
	first := listenDatagrams(t, path)
	o := Options{Target: Syslog, SyslogSocket: path, Stderr: stderr}.withDefaults()
	q := newQueue(&syslog{path: path, name: "rmilter"}, o, &textEncoder{})
	q.retry = time.Millisecond
	l := slog.New(&handler{enc: q.enc, out: q, level: slog.LevelInfo})
	l.Info("one")
	if got := receive(t, first); !strings.HasSuffix(got, ": one") {
		t.Errorf("got %q, want one", got)
	}
	first.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l.Info("two")
	l.Info("three")
	second := listenDatagrams(t, path)
	for _, want := range []string{"two", "three"} {
		if got := receive(t, second); !strings.HasSuffix(got, ": "+want) {
			t.Errorf("got %q, want %s", got, want)
		}
	}
	q.Close()
	if got := q.Dropped(); got != 0 {
		t.Errorf("dropped: got %d, want 0", got)
	}
	if b, _ := os.ReadFile(stderr.Name()); strings.Count(string(b), "\n") > 1 {
		t.Errorf("standard error: got %q, want at most one line", b)
	}
}

// A gate is a transport that tests open, close and hold up.
type gate struct {
	mu     sync.Mutex
	up     bool
	err    error // of send
	dials  int
	closes int
	lines  []string
	dialed chan struct{} // receives one value per failed dial, unless full
	sent   chan string
	wait   chan struct{} // send waits for a value, if not nil
}

func (g *gate) maxLine() int   { return 1000 }
func (g *gate) String() string { return "gate" }

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closes++
}

func (g *gate) dial() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dials++
	if g.up {
		return nil
	}
	select {
	case g.dialed <- struct{}{}:
	default:
	}
	return errors.New("no such socket\n")
}

func (g *gate) send(e entry) error {
	if g.wait != nil {
		<-g.wait
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return g.err
	}
	g.lines = append(g.lines, string(e.line))
	select {
	case g.sent <- string(e.line):
	default:
	}
	return nil
}

func (g *gate) set(up bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.up = up
}

func newGate(t *testing.T, g *gate) (*queue, *os.File) {
	t.Helper()
	g.dialed = make(chan struct{}, 1)
	g.sent = make(chan string, 4*queueSize)
	stderr := tempFile(t)
	q := newQueue(g, Options{Stderr: stderr}.withDefaults(), &textEncoder{})
	t.Cleanup(func() { q.Close() })
	return q, stderr
}

// TestQueueOutage fills the buffer while the daemon is away: putting never waits,
// what does not fit is counted, and told when the daemon is back.
func TestQueueOutage(t *testing.T) {
	g := &gate{}
	q, stderr := newGate(t, g)
	q.retry = time.Millisecond
	put := func(i int) error { return q.put(slog.LevelInfo, time.Time{}, fmt.Appendf(nil, "%d", i)) }
	put(0)
	<-g.dialed // the goroutine holds record 0 now
	for i := 1; i <= queueSize; i++ {
		if err := put(i); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	for i := range 3 {
		if err := put(queueSize + 1 + i); !errors.Is(err, errFull) {
			t.Errorf("record that does not fit: got %v, want errFull", err)
		}
	}
	g.set(true)
	if got, want := <-g.sent, "log records dropped count=3 total=3"; got != want {
		t.Errorf("first line: got %q, want %q", got, want)
	}
	for i := range queueSize + 1 {
		if got := <-g.sent; got != fmt.Sprint(i) {
			t.Fatalf("got %q, want record %d", got, i)
		}
	}
	q.Close()
	if got := q.Dropped(); got != 3 {
		t.Errorf("dropped: got %d, want 3", got)
	}
	b, err := os.ReadFile(stderr.Name())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(b), "WARN log: gate does not answer, up to 1024 records wait: \"no such socket\\n\"\n"; got != want {
		t.Errorf("standard error: got %q, want %q", got, want)
	}
}

// TestQueueBadRecord has a daemon that refuses a record again and again: it is
// dropped and does not hold up the others.
func TestQueueBadRecord(t *testing.T) {
	tests := []struct {
		name  string
		err   error
		dials int
	}{
		{"refused", errors.New("message too long"), 2},
		{"slow", fmt.Errorf("write: %w", os.ErrDeadlineExceeded), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := &gate{up: true, err: tt.err}
			q, _ := newGate(t, g)
			q.put(slog.LevelInfo, time.Time{}, []byte("bad"))
			q.Close()
			if g.dials != tt.dials || q.Dropped() != 1 || g.closes == 0 {
				t.Errorf("got %d dials, %d dropped, %d closes, want %d, 1, some", g.dials, q.Dropped(), g.closes, tt.dials)
			}
		})
	}
}

// TestQueueClose closes with records waiting: they are written when the daemon is
// there, and given up when it is not.
func TestQueueClose(t *testing.T) {
	t.Run("there", func(t *testing.T) {
		g := &gate{up: true, wait: make(chan struct{})}
		q, _ := newGate(t, g)
		for i := range 10 {
			q.put(slog.LevelInfo, time.Time{}, fmt.Appendf(nil, "%d", i))
		}
		go func() {
			<-q.stop
			close(g.wait)
		}()
		q.Close()
		if got, want := strings.Join(g.lines, " "), "0 1 2 3 4 5 6 7 8 9"; got != want || q.Dropped() != 0 {
			t.Errorf("got %q, %d dropped, want %q, 0", got, q.Dropped(), want)
		}
		if err := q.put(slog.LevelInfo, time.Time{}, nil); !errors.Is(err, errClosed) || q.Dropped() != 1 {
			t.Errorf("after Close: got %v, %d dropped, want errClosed, 1", err, q.Dropped())
		}
		if err := q.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
	t.Run("away", func(t *testing.T) {
		g := &gate{}
		q, _ := newGate(t, g)
		q.retry = time.Hour
		for range 10 {
			q.put(slog.LevelInfo, time.Time{}, []byte("x"))
		}
		q.Close()
		if got := q.Dropped(); got != 10 {
			t.Errorf("dropped: got %d, want 10", got)
		}
	})
}

// TestNotConnected sends without a connection, as after a failed attempt.
func TestNotConnected(t *testing.T) {
	for _, tr := range []transport{&journal{path: "/nonexistent"}, &syslog{path: "/nonexistent"}} {
		if err := tr.dial(); err == nil {
			t.Errorf("%s: dial succeeded", tr)
		}
		if err := tr.send(entry{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: send: got %v, want net.ErrClosed", tr, err)
		}
		tr.close()
	}
}

// TestSyslogCutOff has a daemon that stops reading in the middle of a record: the
// connection is given up, so that the next record does not continue that one.
func TestSyslogCutOff(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	s := &syslog{conn: near, stream: true}
	go func() {
		far.Read(make([]byte, 10))
		far.Close()
	}()
	if err := s.send(entry{line: bytes.Repeat([]byte("x"), 100)}); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("send: got %v, want an error that asks for a new connection", err)
	}
	if s.conn != nil {
		t.Error("the connection is still there")
	}
}
