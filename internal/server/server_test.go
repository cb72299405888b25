package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rmilter/internal/metrics"
	"rmilter/milter/miltertest"
)

// A rig is a daemon in the test's process.
type rig struct {
	*daemon
	t       *testing.T
	dir     string
	dns     string // the resolver's server; none that listens when it is ""
	signals chan os.Signal
	exit    chan int

	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *rig) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

// configure writes the configuration: what every test needs and text.
func (r *rig) configure(text string) {
	r.t.Helper()
	base := fmt.Sprintf("bind_socket = inet:0@127.0.0.1;\ncontrol_socket = %q;\ndns { nameserver = %q; } rbl { enabled = no; } surbl { enabled = no; }\nworker \"controller\" { bind_socket = \"127.0.0.1:0\"; } worker \"normal\" { bind_socket = \"127.0.0.1:0\"; }\ndata_dir = %q;\ntempdir = %q;\npidfile = %q;\nhostname = \"mx.example.com\";\n",
		r.path("control.sock"), cmp.Or(r.dns, "127.0.0.1:9"), r.path("data"), r.path("tmp"), r.path("pid"))
	if err := os.WriteFile(r.path("rmilter.conf"), []byte(base+text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// boot starts a daemon.
func boot(t *testing.T, text string) *rig {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "tmp"), 0o700))
	return bootIn(t, dir, "", text, nil)
}

// bootIn starts a daemon with its files in a folder, which may be those of one before, with
// the address of a DNS server, "" for none, and with a clock, nil for the system's.
func bootIn(t *testing.T, dir, dns, text string, now func() time.Time) *rig {
	t.Helper()
	r := &rig{t: t, dir: dir, dns: dns, signals: make(chan os.Signal, 4), exit: make(chan int, 1)}
	r.configure(text)
	o := Options{ConfigPath: r.path("rmilter.conf"), Now: now}
	conf, err := load(o, r)
	if err != nil {
		t.Fatal(r.logged())
	}
	r.daemon = newDaemon(o, conf, slog.New(slog.NewTextHandler(r, nil)), new(slog.LevelVar))
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.exit <- r.run(r.signals) }()
	t.Cleanup(func() {
		r.signals <- syscall.SIGTERM
		r.signals <- syscall.SIGTERM
		if code := <-r.exit; code != exitOK {
			t.Errorf("exit code %d, want 0", code)
		}
		r.exit <- exitOK // for a test that stops it itself
	})
	return r
}

// stop tells the daemon to stop and returns when it has.
func (r *rig) stop() {
	r.t.Helper()
	r.signals <- syscall.SIGTERM
	select {
	case code := <-r.exit:
		r.exit <- code
	case <-time.After(30 * time.Second):
		r.t.Fatal("the daemon doesn't stop")
	}
}

// until polls for something that happens soon.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// session opens a stranger's SMTP session, or with addr another's.
func (r *rig) session(addr string) *miltertest.Conn {
	r.t.Helper()
	c, err := miltertest.Dial(r.listeners[0].Addr().Network(), r.listeners[0].Addr().String())
	must(r.t, err)
	r.t.Cleanup(func() { c.Close() })
	must(r.t, c.Negotiate(6, miltertest.AllActions, miltertest.AllProtocol))
	_, err = c.Connect("client.example.org", miltertest.Inet, 4711, addr)
	must(r.t, err)
	return c
}

const (
	stranger = "203.0.113.7"
	ours     = "127.0.0.1"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// gtube sends GTUBE and returns the reply and the edits.
func (r *rig) gtube(c *miltertest.Conn) string {
	r.t.Helper()
	o, err := c.Deliver(miltertest.Delivery{
		From:    miltertest.Path{Addr: "<joe@sender.example>"},
		Rcpts:   []miltertest.Path{{Addr: "<alice@example.com>"}},
		Message: miltertest.ParseMessage([]byte("Subject: x\n\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" + "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n")),
	}, miltertest.Options{})
	must(r.t, err)
	s := o.Reply.String()
	for _, e := range o.Reply.Edits {
		s += " " + e.Name + ":" + e.Value
	}
	return s
}

// hasID tells whether the id at the end of a refusal stands in exactly one log line.
func (r *rig) hasID(reply miltertest.Reply) bool {
	text := reply.String()
	id := strings.Trim(text[strings.LastIndexByte(text, '['):], "[]")
	n := 0
	for line := range strings.Lines(r.logged()) {
		if strings.Contains(line, id) {
			n++
		}
	}
	return len(id) == 10 && n == 1
}

func (r *rig) reloadAndWait() string {
	r.t.Helper()
	before := r.status().Config.ReloadTime
	r.signals <- syscall.SIGHUP
	until(r.t, "reloaded", func() bool { return r.status().Config.ReloadTime.After(before) })
	return r.status().Config.ReloadResult
}

// TestRelativePath starts a daemon with a relative path: what it says of its file has
// the whole one.
func TestRelativePath(t *testing.T) {
	r := &rig{t: t, dir: t.TempDir()}
	must(t, os.Mkdir(r.path("tmp"), 0o700))
	r.configure("")
	t.Chdir(r.dir)
	o := Options{ConfigPath: "rmilter.conf"}
	conf, err := load(o, r)
	must(t, err)
	r.daemon = newDaemon(o, conf, slog.New(slog.NewTextHandler(r, nil)), new(slog.LevelVar))
	must(t, r.start())
	signals := make(chan os.Signal, 2)
	exit := make(chan int)
	go func() { exit <- r.run(signals) }()
	_, answer, _ := r.post()
	if status := r.status().Config.Path; status != r.path("rmilter.conf") || answer.Config != status {
		t.Errorf("got %s in the status and %s in the answer, want %s", status, answer.Config, r.path("rmilter.conf"))
	}
	r.configure("nonsense;")
	r.post()
	signals <- syscall.SIGTERM
	if code := <-exit; code != exitOK {
		t.Errorf("exit code %d, want %d", code, exitOK)
	}
	for _, message := range []string{"started", `"configuration reloaded"`, `"configuration not reloaded: the one before stays"`} {
		if want := "msg=" + message; !regexp.MustCompile(regexp.QuoteMeta(want) + ` .*config=` + regexp.QuoteMeta(r.path("rmilter.conf"))).MatchString(r.logged()) {
			t.Errorf("the log lacks %s with the path: %s", want, r.logged())
		}
	}
}

// spamHeader is what becomes of GTUBE that isn't refused. Nothing can be asked about a
// stranger's mail here, and that is told, too.
var spamHeader = regexp.MustCompile(`^continue X-Spam: yes Authentication-Results: mx\.example\.com;\s+spf=temperror [^;]*;\s+dkim=none;\s+dmarc=none reason="No From header"$`)

func TestReload(t *testing.T) {
	r := boot(t, "")
	c := r.session(stranger)
	if got := r.gtube(c); !strings.HasPrefix(got, "554 5.7.1 Gtube pattern [") {
		t.Fatalf("got %q, want a reject", got)
	}
	hash := r.status().Config.Hash
	r.configure("spamd { spamd_never_reject = yes; }\nmax_connections = 7;\n")
	if got := r.reloadAndWait(); got != "ok" {
		t.Fatalf("reload: %s", got)
	}
	if got := r.gtube(c); !spamHeader.MatchString(got) {
		t.Errorf("after the reload got %q, want the spam header", got)
	}
	if got := r.status(); got.Config.Hash == hash || len(got.Config.Hash) != 6 {
		t.Errorf("hash was %q and is %q", hash, got.Config.Hash)
	}
	r.reloadAndWait()
	if log := r.logged(); strings.Count(log, "needs a restart") != 2 || strings.Count(log, "option=max_connections") != 2 {
		t.Errorf("the log doesn't say at each reload that max_connections needs a restart: %s", log)
	}
	if got := r.status().Sessions.Max; got != 2000 {
		t.Errorf("max_connections is %d, want the old one", got)
	}

	r.configure("spamd { spamd_never_reject = yes; }\nno_such_option = 1;\nmax_size = many;\n")
	if got := r.reloadAndWait(); !strings.Contains(got, "rmilter.conf:10:") {
		t.Errorf("reload of a faulty file: %q, want file and line", got)
	}
	if s := r.status(); s.State != metrics.Degraded || len(s.Problems) != 1 || s.Problems[0].ID != "config" {
		t.Errorf("status after a faulty reload: %s, %+v", s.State, s.Problems)
	}
	for _, want := range []string{"rmilter.conf:10:", "no_such_option", "rmilter.conf:11:", "max_size", "the one before stays"} {
		if !strings.Contains(r.logged(), want) {
			t.Errorf("the log lacks %q: %s", want, r.logged())
		}
	}
	if got := r.gtube(c); !spamHeader.MatchString(got) {
		t.Errorf("after the faulty reload got %q, want what was before", got)
	}
	r.configure("")
	if got := r.reloadAndWait(); got != "ok" || r.status().State != metrics.OK {
		t.Errorf("after the fault was mended: %s, %s", got, r.status().State)
	}
}

// TestDrain sees a stop through: new mail of strangers is refused, ours is served, and
// nothing is left when the last session has ended.
func TestDrain(t *testing.T) {
	r := boot(t, "actions { reject = off; }\n") // the message that has begun is empty
	idle, begun, user := r.session(stranger), r.session(stranger), r.session(ours)
	_, err := begun.Mail("<joe@sender.example>")
	must(t, err)
	if b, err := os.ReadFile(r.path("pid")); err != nil || strings.TrimSpace(string(b)) != fmt.Sprint(os.Getpid()) {
		t.Errorf("pidfile: %q, %v", b, err)
	}
	r.signals <- syscall.SIGTERM
	until(t, "draining", func() bool { return strings.Contains(r.logged(), "draining") })
	if got := r.gtube(idle); !strings.HasPrefix(got, "421 4.3.2 mx.example.com restarting, try again [") {
		t.Errorf("a stranger's next message got %q", got)
	}
	if got := r.gtube(user); got != "continue" {
		t.Errorf("our message got %q", got)
	}
	if _, err := begun.Rcpt("<alice@example.com>"); err != nil {
		t.Errorf("a message that has begun: %v", err)
	}
	if reply, err := begun.EOM(); err != nil || !reply.Continues() {
		t.Errorf("a message that has begun got %v, %v", reply, err)
	}
	select {
	case <-r.exit:
		t.Fatal("the daemon ended while sessions lived")
	default:
	}
	for _, c := range []*miltertest.Conn{idle, begun, user} {
		must(t, c.Quit())
	}
	if code := <-r.exit; code != exitOK {
		t.Errorf("exit code %d", code)
	}
	r.exit <- exitOK
	for _, name := range []string{"pid", "control.sock"} {
		if _, err := os.Stat(r.path(name)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}

// TestMain is rmilter -hold for the daemons of these tests.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-hold" {
		n, _ := strconv.Atoi(os.Args[2])
		os.Exit(Hold(n, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestShutdownInMessage cuts off sessions in the middle of a message that is larger
// than what the kernel buffers: the MTA must be able to write the rest, and then read
// the answer.
func TestShutdownInMessage(t *testing.T) {
	for _, network := range []string{"inet", "unix"} {
		t.Run(network, func(t *testing.T) {
			conf := "shutdown_timeout = 10ms;\n"
			if network == "unix" {
				conf += fmt.Sprintf("bind_socket = \"unix:%s/milter.sock\";\n", t.TempDir())
			}
			r := boot(t, conf)
			c := r.session(stranger)
			ok := func(reply miltertest.Reply, err error) {
				t.Helper()
				if err != nil || !reply.Continues() {
					t.Fatalf("got %v, %v", reply, err)
				}
			}
			ok(c.Mail("<joe@sender.example>"))
			ok(c.Rcpt("<alice@example.com>"))
			ok(c.Data())
			r.stop()
			ok(c.Header("Subject", " large"))
			ok(c.EOH())
			for range 200 {
				ok(c.Body(make([]byte, 65535)))
				must(t, c.Flush())
			}
			reply, err := c.EOM()
			if err != nil || !strings.HasPrefix(reply.String(), "421 4.3.2 mx.example.com restarting, try again [") || !r.hasID(reply) {
				t.Errorf("the message got %v, %v; want the parting answer", reply, err)
			}
			if !strings.Contains(r.logged(), "connections left to a process of their own") || strings.Contains(r.logged(), "pid=-1") {
				t.Errorf("log: %s", r.logged())
			}
		})
	}
}

// TestShutdownTimeout cuts off a session that outlives the drain.
func TestShutdownTimeout(t *testing.T) {
	r := boot(t, "shutdown_timeout = 10ms;\n")
	c := r.session(ours)
	must(t, c.Flush())
	until(t, "connected", func() bool { return r.status().Sessions.Open == 1 })
	r.stop()
	reply, err := c.Mail("<joe@example.com>")
	if err != nil || !strings.HasPrefix(reply.String(), "421 4.3.2 mx.example.com restarting, try again [") || !r.hasID(reply) {
		t.Errorf("the session's next message got %v, %v; want the parting answer", reply, err)
	}
}

func TestStatus(t *testing.T) {
	r := boot(t, "")
	r.gtube(r.session(stranger))
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", r.path("control.sock"))
	}}}
	get := func() (s metrics.Status) {
		t.Helper()
		resp, err := client.Get("http://rmilter/status")
		must(t, err)
		defer resp.Body.Close()
		must(t, json.NewDecoder(resp.Body).Decode(&s))
		return s
	}
	// A message is counted when its answer has left.
	until(t, "counted", func() bool { return get().Today.Verdicts["reject"] == 1 })
	s := get()
	if s.State != metrics.OK || s.Hostname != "mx.example.com" || s.Config.Path != r.path("rmilter.conf") ||
		s.Sessions.Max != 2000 || s.Spool.Limit != 256<<20 {
		t.Errorf("got %+v", s)
	}
	var names []string
	for _, l := range s.Listeners {
		names = append(names, l.Name+" "+strings.Split(l.Address, ":")[0])
	}
	if got := strings.Join(names, ", "); got != "milter inet, control unix, control 127.0.0.1, scan 127.0.0.1" {
		t.Errorf("listeners: %s", got)
	}
	if fi, err := os.Stat(r.path("control.sock")); err != nil || fi.Mode().Perm() != 0o660 {
		t.Errorf("control socket: mode %v, %v; want 0660", fi.Mode(), err)
	}
	if fi, err := os.Stat(r.path("data")); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("data_dir: mode %v, %v; want 0700", fi.Mode(), err)
	}

	must(t, os.Remove(r.path("tmp")))
	r.checkHealth()
	r.checkHealth()
	if s := get(); s.State != metrics.Degraded || len(s.Problems) != 1 || !strings.Contains(s.Problems[0].Text, "tempdir") {
		t.Errorf("without tempdir: %+v", s.Problems)
	}
	if n := strings.Count(r.logged(), "spool fails"); n != 1 {
		t.Errorf("%d log lines about one outage", n)
	}
	must(t, os.Mkdir(r.path("tmp"), 0o700))
	r.checkHealth()
	if s := get(); s.State != metrics.OK || !strings.Contains(r.logged(), "spool works again") {
		t.Errorf("with tempdir again: %+v", s.Problems)
	}
}

// TestListenerFails has a listener end by itself.
func TestListenerFails(t *testing.T) {
	r := boot(t, "")
	r.listeners[0].Close()
	until(t, "noticed", func() bool { return r.status().State == metrics.NotFiltering })
}

// TestCannotStart is about what a daemon needs.
func TestCannotStart(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	for name, tt := range map[string]struct {
		conf string
		code int
		want string
	}{
		"milter port in use":     {"bind_socket = inet:" + port + "@127.0.0.1;", exitUnavailable, "bind_socket inet:" + port},
		"controller port in use": {"worker \"controller\" { bind_socket = \"127.0.0.1:" + port + "\"; }", exitUnavailable, "address already in use"},
		"scan port in use":       {"worker normal { bind_socket = \"127.0.0.1:" + port + "\"; }", exitUnavailable, "worker normal bind_socket 127.0.0.1:" + port},
		"no tempdir":             {"tempdir = /nonexistent/tmp;", exitConfig, "tempdir"},
		"no data_dir":            {"data_dir = /dev/null/x;", exitUnavailable, "data_dir"},
		"no pidfile":             {"pidfile = /nonexistent/pid;", exitUnavailable, "pidfile"},
		"fault":                  {"bind_sockte = inet:0@127.0.0.1;", exitConfig, "bind_socket"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rig{t: t, dir: t.TempDir()}
			must(t, os.Mkdir(r.path("tmp"), 0o700))
			r.configure("log = stderr;\n" + tt.conf)
			var stderr bytes.Buffer
			if code := Run(Options{ConfigPath: r.path("rmilter.conf")}, &stderr); code != tt.code || !strings.Contains(stderr.String(), tt.want) {
				t.Errorf("exit %d, want %d; stderr %q, want %q in it", code, tt.code, &stderr, tt.want)
			}
		})
	}
}

// TestCrowded has more MTAs connect than there may be.
func TestCrowded(t *testing.T) {
	r := boot(t, "max_connections = 1;\n")
	state := func() (metrics.State, string) {
		r.checkHealth()
		s := r.status()
		if len(s.Problems) == 0 {
			return s.State, ""
		}
		return s.State, s.Problems[0].ID
	}
	if got, _ := state(); got != metrics.OK {
		t.Errorf("no connection: %s", got)
	}
	conns := []*miltertest.Conn{r.session(stranger)}
	if got, id := state(); got != metrics.Degraded || id != "connections" {
		t.Errorf("as many as there may be: %s %s", got, id)
	}
	for !r.milter.Full() {
		c, err := miltertest.Dial("tcp", r.listeners[0].Addr().String())
		must(t, err)
		conns = append(conns, c)
		until(t, "accepted", func() bool { return r.milter.Open() == len(conns) })
	}
	if got, id := state(); got != metrics.NotFiltering || id != "connections" {
		t.Errorf("none accepted: %s %s", got, id)
	}
	for _, c := range conns {
		c.Close()
	}
	until(t, "all closed", func() bool { return r.milter.Open() == 0 })
	if got, id := state(); got != metrics.OK {
		t.Errorf("all closed: %s %s", got, id)
	}
}
