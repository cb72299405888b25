package options

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rmilter/internal/dns/dnstest"
	"rmilter/internal/metrics"
	"rmilter/milter/miltertest"
	"rmilter/test/activator"
	"rmilter/test/redisd"
)

// patience bounds every wait for something that happens at once.
const patience = 30 * time.Second

// host is the daemons' name where the configuration doesn't say otherwise.
const host = "mx.example.com"

// A daemon is a running rmilter with a folder of its own.
type daemon struct {
	*activator.Supervisor
	t        *testing.T
	dir      string
	base     string // the configuration without the option that is looked at
	stderr   *os.File
	begin    int64 // of the run's part of stderr
	redis    []*redisd.Server
	dns      []*dnstest.Server
	sessions []*miltertest.Conn
}

// base is the configuration that lets daemons run side by side, and that finds nothing
// in mail unless it was asked for. An option that is looked at is left out of it.
func base(dir, resolver, without string) string {
	var b strings.Builder
	directives := [][2]string{
		{"bind_socket", `"unix:` + dir + `/milter.sock"`},
		{"control_socket", `"` + dir + `/control.sock"`},
		{`worker "controller" bind_socket`, `"127.0.0.1:0"`},
		{`worker "normal" bind_socket`, `[]`},
		{"data_dir", `"` + dir + `/data"`},
		{"hostname", host},
		{"log", "stderr"},
		{"greylisting enable", "no"},
		{"dns nameserver", resolver},
	}
	for _, name := range builtin() {
		directives = append(directives, [2]string{name + " enabled", "no"})
	}
	for _, d := range directives {
		if d[0] != without {
			b.WriteString(directive(d[0], d[1]))
		}
	}
	return b.String()
}

// directive writes an option as the file has it.
func directive(path, value string) string {
	var open []string
	words := strings.Fields(path)
	for _, w := range words[:len(words)-1] {
		if strings.HasPrefix(w, `"`) {
			open[len(open)-1] += " " + w
		} else {
			open = append(open, w)
		}
	}
	text := words[len(words)-1] + " = " + value + ";"
	for i := len(open) - 1; i >= 0; i-- {
		text = open[i] + " { " + text + " }"
	}
	return text + "\n"
}

// newDaemon makes ready what an entry's daemon needs. It runs nothing yet.
func newDaemon(t *testing.T, e *entry) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "opt") // short: paths of sockets end at 103 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &daemon{t: t, dir: dir}
	if d.stderr, err = os.OpenFile(d.path("stderr"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.stderr.Close() })
	if e.redis != nil {
		d.redis = e.redis(t)
	}
	resolver := "127.0.0.1:9" // where nobody answers
	for _, z := range e.zones {
		d.dns = append(d.dns, dnstest.Start(t, z))
		resolver = d.dns[0].Addr().String()
	}
	d.base = base(dir, resolver, e.path) + d.expand(e.with)
	env := []string{"TMPDIR=", "GORACE=atexit_sleep_ms=0"}
	for _, v := range e.env {
		env = append(env, d.expand(v))
	}
	d.Supervisor, err = activator.New(activator.Config{
		Command: []string{os.Getenv(binaryEnv), "-c", d.path("rmilter.conf")},
		Env:     env,
		Output:  d.stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *daemon) path(name string) string { return filepath.Join(d.dir, name) }

// expand replaces $DIR by the daemon's folder, $STDERR by what names its standard error
// (systemd.exec(5), JOURNAL_STREAM), of the Redis servers $REDIS0 by the address of the
// first and $FILES0 by its folder, and of the DNS servers $DNS0 by the address of the first.
func (d *daemon) expand(text string) string {
	words := []string{"$DIR", d.dir, "$STDERR", fileID(d.t, d.stderr)}
	for i, s := range d.redis {
		words = append(words, fmt.Sprintf("$REDIS%d", i), s.Address(), fmt.Sprintf("$FILES%d", i), filepath.Dir(s.File("x")))
	}
	for i, s := range d.dns {
		words = append(words, fmt.Sprintf("$DNS%d", i), s.Addr().String())
	}
	return strings.NewReplacer(words...).Replace(text)
}

// configure writes the configuration: that of the entry, and more.
func (d *daemon) configure(more string) {
	d.t.Helper()
	if err := os.WriteFile(d.path("rmilter.conf"), []byte(d.base+d.expand(more)), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// start starts the daemon with more configuration than the entry's.
func (d *daemon) start(more string) {
	d.t.Helper()
	d.configure(more)
	info, err := d.stderr.Stat()
	d.must(err)
	d.begin = info.Size()
	if err := d.Start(); err != nil {
		d.t.Fatalf("%v\n%s", err, d.logged())
	}
}

// again restarts the daemon with the configuration as it is. What it had to do after the
// messages is done then.
func (d *daemon) again() {
	d.t.Helper()
	d.hangUp()
	d.must(d.Restart())
}

// reload puts another configuration in force.
func (d *daemon) reload(more string) {
	d.t.Helper()
	d.configure(more)
	if err := d.Reload(); err != nil {
		d.t.Fatalf("%v\n%s", err, d.logged())
	}
}

// stop ends the daemon, unless a probe has, and looks for what must never be seen.
func (d *daemon) stop() {
	d.t.Helper()
	d.hangUp()
	select {
	case <-d.Exited():
	default:
		if err := d.Stop(); err != nil {
			d.t.Errorf("%v\n%s", err, d.logged())
		}
	}
	for _, bad := range []string{"DATA RACE", "fatal error", "\ngoroutine "} {
		if strings.Contains(d.logged(), bad) {
			d.t.Errorf("the daemon's standard error speaks of %q:\n%s", bad, d.logged())
		}
	}
}

// hangUp closes all milter connections.
func (d *daemon) hangUp() {
	for _, c := range d.sessions {
		c.Close()
	}
	d.sessions = nil
}

// logged returns the standard error of the daemon since its start, and what the
// machine's log daemons had from it.
func (d *daemon) logged() string {
	d.t.Helper()
	text, err := os.ReadFile(d.path("stderr"))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text[d.begin:]) + received(d.Pid())
}

// until waits for something that happens soon.
func (d *daemon) until(what string, ok func() bool) {
	d.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			d.t.Fatalf("never: %s\n%s", what, d.logged())
		}
	}
}

// line waits for a log line that has all of some texts in it.
func (d *daemon) line(texts ...string) string {
	d.t.Helper()
	var found string
	d.until(fmt.Sprintf("a log line with %q", texts), func() bool {
		lines := d.lines(texts...)
		if len(lines) > 0 {
			found = lines[len(lines)-1]
		}
		return len(lines) > 0
	})
	return found
}

// lines returns the log lines that have all of some texts in them.
func (d *daemon) lines(texts ...string) []string {
	d.t.Helper()
	var found []string
next:
	for line := range strings.Lines(d.logged()) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue next
			}
		}
		found = append(found, strings.TrimSuffix(line, "\n"))
	}
	return found
}

// An answer is what the controller says.
type answer struct {
	code int // 0: nobody listens there
	body string
}

// A request is one to the controller.
type request struct {
	method   string // GET when empty
	path     string
	host     string // the Host header
	password string
	body     string
}

// ask asks the controller at "/path" or "host:port".
func (d *daemon) ask(at string, q request) answer {
	d.t.Helper()
	network := "tcp"
	if strings.HasPrefix(at, "/") {
		network = "unix"
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, at)
	}}
	req, err := http.NewRequest(q.method, "http://localhost"+q.path, strings.NewReader(q.body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Host = q.host
	if q.password != "" {
		req.Header.Set("Password", q.password)
	}
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Do(req)
	if err != nil {
		return answer{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer{resp.StatusCode, string(body)}
}

// status asks on the control socket of the base configuration.
func (d *daemon) status() (s metrics.Status) {
	d.t.Helper()
	a := d.ask(d.path("control.sock"), request{path: "/status"})
	if err := json.Unmarshal([]byte(a.body), &s); err != nil || a.code != http.StatusOK {
		d.t.Fatalf("status: %d %q, %v", a.code, a.body, err)
	}
	return s
}

// controller returns where the base configuration's controller listens on TCP.
func (d *daemon) controller() string {
	d.t.Helper()
	for _, l := range d.status().Listeners {
		if strings.HasPrefix(l.Address, "127.0.0.1:") {
			return l.Address
		}
	}
	d.t.Fatal("no controller on TCP")
	return ""
}
