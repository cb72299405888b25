package rspamc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	// The programs are built from them: without these imports go test would take an old
	// result for that of changed ones.
	_ "rmilter/internal/controller"
	_ "rmilter/internal/server"
	"rmilter/test/activator"
)

// patience bounds every run of a client.
const patience = time.Minute

// binaryEnv names the variable that leads the tests to the daemon's program.
const binaryEnv = "RMILTER_TEST_BINARY"

// A machine is a running rmilter, and what asks it.
type machine struct {
	t                  *testing.T
	dir                string
	ctl                string // program
	socket             string
	worker, controller string // addresses
	log                syncBuffer
}

// A syncBuffer takes what the daemon writes.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// clientPath returns rspamc's program.
func clientPath(t *testing.T) string {
	t.Helper()
	root := os.Getenv("RMILTER_TEST_CACHE")
	if root == "" {
		root = "/var/cache/rmilter-test"
	}
	path := filepath.Join(root, "rspamd/usr/bin/rspamc")
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v; run test/install.sh", err)
		}
		t.Skipf("%v; run test/install.sh", err)
	}
	return path
}

// programsEnv names the variable that leads the tests to the folder of the programs that TestMain builds.
const programsEnv = "RMILTER_TEST_PROGRAMS"

// TestMain builds the programs once for all tests.
func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rspamc-programs")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("go", "build", "-o", dir+"/", "rmilter/cmd/rmilter", "rmilter/cmd/rmilterctl")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "the programs don't build:", err)
		return 1
	}
	os.Setenv(programsEnv, dir)
	if os.Getenv(binaryEnv) == "" {
		os.Setenv(binaryEnv, filepath.Join(dir, "rmilter"))
	}
	return m.Run()
}

// start starts the daemon.
func start(t *testing.T, conf string) *machine {
	t.Helper()
	clientPath(t)
	dir, err := os.MkdirTemp("", "rspamc") // short: paths of sockets end at 103 bytes
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &machine{t: t, dir: dir, ctl: filepath.Join(os.Getenv(programsEnv), "rmilterctl"), socket: filepath.Join(dir, "control.sock")}
	text := fmt.Sprintf("bind_socket = \"unix:%s/milter.sock\";\ncontrol_socket = %q;\ndns { nameserver = \"127.0.0.1:9\"; }\ndata_dir = %q;\nhostname = mx.example.com;\nlog = stderr;\n"+
		"worker controller { bind_socket = \"127.0.0.1:0\"; }\nworker normal { bind_socket = \"127.0.0.1:0\"; }\n%s", dir, m.socket, filepath.Join(dir, "data"), conf)
	must(t, os.WriteFile(filepath.Join(dir, "rmilter.conf"), []byte(text), 0o600))
	s, err := activator.New(activator.Config{Command: []string{os.Getenv(binaryEnv), "-c", filepath.Join(dir, "rmilter.conf")}, Output: &m.log})
	must(t, err)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("%v\n%s", err, m.log.String())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Start(); err != nil {
		t.Fatalf("%v\n%s", err, m.log.String())
	}
	m.findListeners()
	return m
}

// findListeners asks for the addresses.
func (m *machine) findListeners() {
	m.t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", m.socket)
	}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get("http://localhost/status")
	must(m.t, err)
	defer resp.Body.Close()
	var status struct {
		Listeners []struct{ Name, Address string }
	}
	must(m.t, json.NewDecoder(resp.Body).Decode(&status))
	for _, l := range status.Listeners {
		switch {
		case l.Name == "scan":
			m.worker = l.Address
		case l.Name == "control" && !strings.HasPrefix(l.Address, "unix:"):
			m.controller = l.Address
		}
	}
	if m.worker == "" || m.controller == "" {
		m.t.Fatalf("got listeners %v, want a worker and a controller", status.Listeners)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A result is what a program left.
type result struct {
	code   int
	stdout string
	stderr string
}

// run runs a program.
func (m *machine) run(stdin io.Reader, env []string, program string, args ...string) result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = m.dir, append([]string{"HOME=" + m.dir, "TMPDIR=" + m.dir}, env...), stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		m.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// rspamc asks a server.
func (m *machine) rspamc(server, stdin string, args ...string) result {
	m.t.Helper()
	path := clientPath(m.t)
	lib := filepath.Join(filepath.Dir(filepath.Dir(path)), "lib/rspamd")
	return m.run(strings.NewReader(stdin), []string{"LD_LIBRARY_PATH=" + lib}, path, append([]string{"-h", server}, args...)...)
}

// rmilterctl asks over the control socket.
func (m *machine) rmilterctl(stdin string, args ...string) result {
	m.t.Helper()
	return m.run(strings.NewReader(stdin), nil, m.ctl, append([]string{"--socket", m.socket}, args...)...)
}

// file writes a message to a file and returns its name.
func (m *machine) file(name, text string) string {
	m.t.Helper()
	must(m.t, os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600))
	return name
}

const clean = `From: Joe <joe@sender.example>
To: <alice@example.com>
Subject: lunch
Message-ID: <1@sender.example>
Date: Sun, 22 Nov 2026 11:59:00 +0000
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Tuesday? See http://www.example.net/menu?day=2 or write to cook@example.org.
`

var gtube = strings.Replace(clean, "Tuesday?", "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-"+"STANDARD-ANTI-UBE-TEST-EMAIL*C.34X", 1)

// lines leaves out what differs from run to run: how long it took, and the id.
func lines(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if i := strings.Index(line, " seconds)"); i >= 0 {
			line = line[:strings.LastIndexByte(line[:i], '(')] + "\n"
		}
		if i := strings.LastIndexByte(line, '['); i >= 0 && strings.HasPrefix(line, "Message - ") {
			line = line[:i] + "\n"
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "")
}

// TestSymbols has both clients print the same, at every way into the daemon.
func TestSymbols(t *testing.T) {
	m := start(t, "")
	m.file("clean.eml", clean)
	m.file("gtube.eml", gtube)
	envelope := []string{"-F", "joe@sender.example", "-r", "alice@example.com", "-r", "bob@example.com", "--helo", "mx.sender.example"}
	for _, args := range [][]string{
		{"symbols", "clean.eml"},
		{"symbols", "gtube.eml"},
		append([]string{"symbols", "clean.eml", "-u", "joe"}, envelope...),
		append([]string{"symbols", "-i", "203.0.113.7", "--hostname", "mx.sender.example", "gtube.eml"}, envelope...),
	} {
		want := m.rmilterctl("", args...)
		if want.code != 0 || !strings.Contains(want.stdout, "\nScore: ") || !strings.Contains(want.stdout, "\nUrls: [\"www.example.net\"]\n") {
			t.Errorf("rmilterctl %v: got %+v, want a score and a URL", args, want)
		}
		servers := []string{m.controller, m.worker}
		if slices.Contains(args, "-i") {
			servers = servers[:1] // at the worker it is mail, which some checks see otherwise
		}
		for _, server := range servers {
			for _, packed := range []bool{false, true} {
				all := args
				if packed {
					all = append([]string{"-z"}, args...)
				}
				got := m.rspamc(server, "", all...)
				if got.code != 0 {
					t.Errorf("rspamc %v: %+v", all, got)
				}
				if diff := cmp.Diff(lines(want.stdout), lines(got.stdout)); diff != "" {
					t.Errorf("%v (-rmilterctl +rspamc at %s):\n%s", all, server, diff)
				}
			}
		}
	}
	// The symbols that rspamc prints add up to its score.
	got := m.rspamc(m.worker, "", "symbols", "gtube.eml").stdout
	if !strings.Contains(got, "\nAction: reject\n") || !strings.Contains(got, "\nMessage - smtp_message: Gtube pattern [") {
		t.Errorf("GTUBE: got %s", got)
	}
}

// TestInput gives messages in all ways that rspamc has.
func TestInput(t *testing.T) {
	m := start(t, "")
	var names []string
	for i := range 20 {
		names = append(names, m.file(fmt.Sprintf("%d.eml", i), strings.Replace(clean, "<1@", fmt.Sprintf("<%d@", i), 1)))
	}
	for _, server := range []string{m.worker, m.controller} {
		got := m.rspamc(server, "", append([]string{"-n", "8"}, names...)...)
		for i := range names {
			if n := strings.Count(got.stdout, fmt.Sprintf("\nMessage-ID: %d@sender.example\n", i)); n != 1 || got.code != 0 {
				t.Errorf("%s: message %d was printed %d times, exit code %d, want once and 0", server, i, n, got.code)
			}
		}
		if got := m.rspamc(server, clean); got.code != 0 || !strings.Contains(got.stdout, "Results for file: stdin") {
			t.Errorf("standard input: %+v", got)
		}
		if got := m.rspamc(server, "", "-E"); got.code != 0 || !strings.Contains(got.stdout, "\nScore: 0.00 / 15.00\n") {
			t.Errorf("nothing: %+v", got)
		}
		if got := m.rspamc(server, clean+strings.Repeat("all work and no play\n", 100_000), "-z"); got.code != 0 || !strings.Contains(got.stdout, "\nMessage-ID: 1@sender.example\n") {
			t.Errorf("2 MB: %+v", got)
		}
		for _, refused := range []string{"File:/etc/passwd", "Compression:gzip"} {
			if got := m.rspamc(server, clean, "--header", refused); got.code != 1 || !strings.Contains(got.stdout+got.stderr, "HTTP error: 400") {
				t.Errorf("--header %s: got %+v, want exit code 1 and HTTP error 400", refused, got)
			}
		}
	}
}

// TestOutput wants the reply in all forms that rspamc has.
func TestOutput(t *testing.T) {
	m := start(t, "actions { add_header = -100; }\n")
	type reply struct {
		Action     string             `json:"action"`
		Score      float64            `json:"score"`
		Thresholds map[string]float64 `json:"thresholds"`
		URLs       []any              `json:"urls"`
		Profile    map[string]float64 `json:"profile"`
		Groups     map[string]any     `json:"groups"`
	}
	for _, args := range [][]string{{"-j"}, {"--compact"}} {
		var r reply
		got := m.rspamc(m.worker, clean, append(args, "--profile", "--extended-urls", "--header", "X-Nothing:x")...)
		if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
			t.Fatalf("%v: %v in %s", args, err, got.stdout)
		}
		if r.Action != "add header" || r.Thresholds["reject"] != 15 || len(r.Profile) == 0 || len(r.URLs) != 1 || r.URLs[0].(map[string]any)["tld"] != "example.net" {
			t.Errorf("%v: got %+v", args, r)
		}
	}
	got := m.rspamc(m.worker, clean, "-m")
	head, body, _ := strings.Cut(got.stdout, "\n\n")
	for _, want := range []string{"From: Joe <joe@sender.example>\n", "X-Spam: yes\n", "X-Spam-Action: add header\n", "X-Spam-Score: "} {
		if !strings.Contains(head+"\n", want) {
			t.Errorf("-m: the header lacks %q:\n%s", want, head)
		}
	}
	if _, want, _ := strings.Cut(clean, "\n\n"); strings.TrimSpace(body) != strings.TrimSpace(want) {
		t.Errorf("-m: the body is %q, want %q", body, want)
	}
}

// TestMail shows which requests are mail: those at the worker with client and
// recipients, which have a line in the log.
func TestMail(t *testing.T) {
	m := start(t, "")
	mail := []string{"-i", "203.0.113.7", "-r", "alice@example.com", "-r", `"b,c"@example.com`, "-F", "<joe@sender.example>", "--helo", "helo.sender.example",
		"--hostname", "mx.sender.example", "--header", "Queue-ID:4XYZ"}
	for _, c := range []struct {
		server string
		args   []string
	}{{m.controller, mail}, {m.worker, []string{"-i", "203.0.113.7"}}, {m.worker, []string{"-r", "alice@example.com"}}} {
		m.rspamc(c.server, gtube, c.args...)
	}
	if strings.Contains(m.log.String(), "action=") {
		t.Errorf("an inspection is logged: %s", m.log.String())
	}
	if got := m.rspamc(m.worker, gtube, mail...); got.code != 0 {
		t.Errorf("got %+v", got)
	}
	log := m.log.String()
	for _, want := range []string{`action=reject reply="554 5.7.1"`, " ip=203.0.113.7 host=mx.sender.example helo=helo.sender.example user=- from=<joe@sender.example> rcpt=<alice@example.com> nrcpt=2 qid=4XYZ mid=<1@sender.example> "} {
		if strings.Count(log, want) != 1 {
			t.Errorf("the log should have %q once: %s", want, log)
		}
	}
}

// TestPassword has a controller with a password.
func TestPassword(t *testing.T) {
	m := start(t, "worker controller { password = \"open sesame\"; }\n")
	for _, c := range []struct {
		server string
		args   []string
		code   int
	}{
		{m.controller, nil, 1},
		{m.controller, []string{"-P", "wrong"}, 1},
		{m.controller, []string{"-P", "open sesame"}, 0},
		{m.worker, nil, 0},
		{m.worker, []string{"-P", "wrong"}, 0},
	} {
		if got := m.rspamc(c.server, clean, c.args...); got.code != c.code {
			t.Errorf("%s %v: exit code %d, want %d: %s", c.server, c.args, got.code, c.code, got.stdout)
		}
	}
}

// TestExplain has rmilterctl explain what rspamc prints.
func TestExplain(t *testing.T) {
	m := start(t, "")
	got := m.rmilterctl(gtube, "explain", "-i", "203.0.113.7", "-r", "alice@example.com", "-F", "joe@sender.example", "-")
	for _, want := range []string{"message     <1@sender.example>  \"lunch\"", "\nclient      203.0.113.7  a stranger\n", "\nto          <alice@example.com>  settings default\n",
		"  GTUBE ", "\nforced by   gtube: reject \"Gtube pattern\"\n", "\naction      reject\n", "\nnot told    the client's name, the HELO: "} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("the explanation lacks %q:\n%s", want, got.stdout)
		}
	}
	if got.code != 0 || got.stderr != "" {
		t.Errorf("got %+v", got)
	}
}
