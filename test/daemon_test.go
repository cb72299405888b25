package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"rmilter/test/activator"
	"rmilter/test/e2e"
	"rmilter/test/mta"
)

// strangers is the configuration that makes 127.0.0.1, which every client of sendmail
// is, a stranger.
const strangers = "our_networks = 192.0.2.0/24;\n"

// A setup says how a daemon is started.
type setup struct {
	conf string // added to its configuration
	held bool   // the supervisor holds the milter's socket
	unix bool   // that is a unix socket

	watchdog time.Duration // how often the supervisor wants a sign of life; 0 for never
}

// A daemon is a running rmilter.
type daemon struct {
	*activator.Supervisor
	milter   string // where the milter listens, as package mta wants it
	confPath string
	conf     string
	log      e2e.Log
}

// startDaemon starts the daemon, and stops it when the test ends: it must then exit 0
// and have written one log line for each message.
func startDaemon(t *testing.T, s setup) *daemon {
	t.Helper()
	mta.Need(t)
	under := ""
	if s.unix {
		under = "/run" // sendmail wants no socket below a folder that all may write to
	}
	dir, err := os.MkdirTemp(under, "rmilter-daemon-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the MTA's users reach a socket in it
		t.Fatal(err)
	}
	d := &daemon{confPath: filepath.Join(dir, "rmilter.conf")}
	sup := activator.Config{
		Command:  []string{os.Getenv(e2e.BinaryEnv), "-c", d.confPath, "-data-dir", filepath.Join(dir, "state")},
		Watchdog: s.watchdog,
		Output:   &d.log,
	}
	d.conf = fmt.Sprintf("log = stderr;\ngtube_patterns = all;\ncontrol_socket = \"%s/control.sock\";\ndns { nameserver = \"127.0.0.1:9\"; }\nworker \"controller\" { bind_socket = \"127.0.0.1:0\"; } worker \"normal\" { bind_socket = []; }\n", dir) + s.conf
	path := filepath.Join(dir, "milter.sock")
	switch {
	case s.held && s.unix:
		sup.Sockets = []activator.Socket{{Name: "milter", Network: "unix", Address: path}}
	case s.held:
		sup.Sockets = []activator.Socket{{Name: "milter", Network: "tcp", Address: "127.0.0.1:0"}}
	case s.unix:
		d.milter = "unix:" + path
		d.conf += fmt.Sprintf("bind_socket = \"%s\";\n", d.milter)
	default:
		port, err := mta.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		d.milter = fmt.Sprintf("inet:127.0.0.1:%d", port)
		d.conf += fmt.Sprintf("bind_socket = inet:%d@127.0.0.1;\n", port)
	}
	d.configure(t, "")
	d.Supervisor, err = activator.New(sup)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case s.held && s.unix:
		d.milter = "unix:" + path
	case s.held:
		d.milter = "inet:" + d.Addr(0).String()
	}
	t.Cleanup(func() { d.end(t) })
	if err := d.Start(); err != nil {
		t.Fatalf("%v\n%s", err, d.log.String())
	}
	if s.unix { // Postfix connects as a user of its own
		if err := os.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// configure writes the configuration file: what the daemon was started with, and more.
func (d *daemon) configure(t *testing.T, more string) {
	t.Helper()
	if err := os.WriteFile(d.confPath, []byte(d.conf+more), 0o644); err != nil {
		t.Fatal(err)
	}
}

// end stops the daemon and looks for what must never be in a log.
func (d *daemon) end(t *testing.T) {
	t.Helper()
	if d.Exited() != nil {
		select {
		case <-d.Exited(): // a test has stopped or killed it
		default:
			if err := d.Stop(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	log := d.log.String()
	for _, bad := range []string{"panic", "DATA RACE", "goroutine "} {
		if strings.Contains(log, bad) {
			t.Errorf("the daemon's log speaks of %q", bad)
		}
	}
	d.accounts(t)
	if t.Failed() {
		lines := strings.Split(log, "\n")
		t.Logf("the end of the daemon's log:\n%s", strings.Join(lines[max(0, len(lines)-100):], "\n"))
	}
}

// An account is the log line of one message: its values by name, and its id as "id".
type account map[string]string

// accountLine finds the log line of a message.
var accountLine = regexp.MustCompile(`(?m)\b([0-9a-f]{10}): (action=.*)$`)

// parseAccount reads the names and values of a log line.
func parseAccount(id, s string) (account, error) {
	a := account{"id": id}
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("no = in %q", s)
		}
		value := rest
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, fmt.Errorf("%w: %q", err, rest)
			}
			rest = rest[len(quoted):]
			if value, err = strconv.Unquote(quoted); err != nil {
				return nil, err
			}
		} else {
			value, _, _ = strings.Cut(rest, " ")
			rest = rest[len(value):]
		}
		if _, twice := a[name]; twice || rest != "" && rest[0] != ' ' {
			return nil, fmt.Errorf("malformed at %q", s)
		}
		a[name] = value
		s = strings.TrimPrefix(rest, " ")
		if name == "sym" { // the last, with quotes of its own
			break
		}
	}
	return a, nil
}

// accounts returns the log lines of all messages so far, in order. An id that comes
// twice is an error.
func (d *daemon) accounts(t *testing.T) []account {
	t.Helper()
	var all []account
	seen := map[string]bool{}
	for _, m := range accountLine.FindAllStringSubmatch(d.log.String(), -1) {
		a, err := parseAccount(m[1], m[2])
		if err != nil {
			t.Errorf("log line %q: %v", m[0], err)
			continue
		}
		if seen[m[1]] {
			t.Errorf("the id %s has two log lines", m[1])
		}
		seen[m[1]] = true
		all = append(all, a)
	}
	return all
}

// account waits for the one log line whose value of this name is the one given.
func (d *daemon) account(t *testing.T, name, value string) account {
	t.Helper()
	var found []account
	ok := e2e.Eventually(func() bool {
		found = found[:0]
		for _, a := range d.accounts(t) {
			if a[name] == value {
				found = append(found, a)
			}
		}
		return len(found) > 0
	})
	if !ok || len(found) != 1 {
		t.Errorf("%d log lines with %s=%s, want 1", len(found), name, value)
		return account{}
	}
	return found[0]
}

// check compares some values of a log line, given as name and value in turn.
func (a account) check(t *testing.T, want ...string) {
	t.Helper()
	for i := 0; i < len(want); i += 2 {
		if got := a[want[i]]; got != want[i+1] {
			t.Errorf("log line: %s=%q, want %q", want[i], got, want[i+1])
		}
	}
}
