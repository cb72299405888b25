package state

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rmilter/internal/dns/dnstest"
	"rmilter/internal/metrics"
	"rmilter/test/activator"
	"rmilter/test/e2e"
)

// doubtful makes mail doubtful by its subject. What is told to come again may do so after
// a second.
const doubtful = `
regexp "DOUBTFUL" { re = '/^doubtful/'; where = subject; score = 5; }
greylisting { timeout = 1s; }
`

// A daemon is a running rmilter.
type daemon struct {
	*activator.Supervisor
	t      testing.TB
	dir    string // that it may use, and the test
	client http.Client
	read   int                // how much of the log accounts has read
	known  map[string]account // what it found

	mu  sync.Mutex
	log bytes.Buffer
}

// Write takes what a daemon writes to its log.
func (d *daemon) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(b)
}

// logged returns the log from a position on.
func (d *daemon) logged(from int) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.log.Bytes()[from:])
}

// mark returns the position at which the log ends now.
func (d *daemon) mark() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Len()
}

// startDaemon starts a daemon with its state in a folder, "" for one of its own, and stops
// it when the test ends.
func startDaemon(t testing.TB, data, conf string) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: t.TempDir(), known: map[string]account{}}
	if data == "" {
		data = filepath.Join(d.dir, "data")
	}
	control := filepath.Join(d.dir, "control.sock")
	text := fmt.Sprintf("log = stderr;\ncontrol_socket = %q;\ndns { nameserver = %q; }\nrbl { enabled = no; } surbl { enabled = no; }\ntempdir = %q;\nour_networks = 192.0.2.0/24;\n"+
		"worker \"controller\" { bind_socket = \"127.0.0.1:0\"; }\nworker \"normal\" { bind_socket = []; }\n", control, dnstest.Start(t, "").Addr().String(), d.dir)
	path := filepath.Join(d.dir, "rmilter.conf")
	if err := os.WriteFile(path, []byte(text+conf), 0o600); err != nil {
		t.Fatal(err)
	}
	d.client.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", control)
	}}
	var err error
	d.Supervisor, err = activator.New(activator.Config{
		Command: []string{os.Getenv(e2e.BinaryEnv), "-c", path, "-data-dir", data},
		Sockets: []activator.Socket{{Name: "milter", Network: "tcp", Address: "127.0.0.1:0"}},
		Output:  d,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.end)
	d.begin()
	return d
}

// begin starts the daemon, the first time or after its end.
func (d *daemon) begin() {
	d.t.Helper()
	if err := d.Start(); err != nil {
		d.t.Fatalf("the daemon doesn't start: %v\n%s", err, d.tail())
	}
}

// end stops the daemon and looks for what must never be in a log.
func (d *daemon) end() {
	if d.Exited() != nil {
		select {
		case <-d.Exited():
		default:
			if err := d.Stop(); err != nil {
				d.t.Error(err)
			}
		}
	}
	if err := d.Close(); err != nil {
		d.t.Error(err)
	}
	log := d.logged(0)
	for _, bad := range []string{"panic", "DATA RACE", "goroutine "} {
		if strings.Contains(log, bad) {
			d.t.Errorf("the daemon's log speaks of %q", bad)
		}
	}
	if d.t.Failed() {
		d.t.Logf("what the daemon logged but for messages:\n%s", d.tail())
	}
}

// tail returns the end of the log without the lines of messages.
func (d *daemon) tail() string {
	var kept []string
	for line := range strings.Lines(d.logged(0)) {
		if !strings.Contains(line, ": action=") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept[max(0, len(kept)-60):], "")
}

// An account is what the log line of a message tells.
type account struct {
	grey, flags string
}

// accounts returns the log lines of all messages so far, by Message-ID. Two of one message
// are an error. It is for one goroutine.
func (d *daemon) accounts() map[string]account {
	d.t.Helper()
	text := d.logged(d.read)
	text = text[:strings.LastIndexByte(text, '\n')+1]
	d.read += len(text)
	for line := range strings.Lines(text) {
		id := strings.Trim(value(line, "mid"), "<>")
		if id == "" {
			continue
		}
		if _, twice := d.known[id]; twice {
			d.t.Errorf("%s has two log lines", id)
		}
		d.known[id] = account{grey: value(line, "grey"), flags: value(line, "flags")}
	}
	return d.known
}

// value returns a value of the log line of a message, "" when it is none.
func value(line, name string) string {
	if !strings.Contains(line, ": action=") {
		return ""
	}
	_, rest, _ := strings.Cut(line, " "+name+"=")
	rest, _, _ = strings.Cut(rest, " ")
	return rest
}

// status asks the daemon how it does.
func (d *daemon) status() (s metrics.Status) {
	d.t.Helper()
	resp, err := d.client.Get("http://rmilter/status")
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		d.t.Fatal(err)
	}
	return s
}

// await waits until the daemon is in a state.
func (d *daemon) await(want metrics.State) {
	d.t.Helper()
	var last metrics.Status
	if !e2e.Eventually(func() bool { last = d.status(); return last.State == want }) {
		d.t.Fatalf("the daemon's state is %s, want %s; problems: %+v; stores: %+v\n%s", last.State, want, last.Problems, last.Stores, d.tail())
	}
}

// blink is how long a server may be away without that being an outage here: one on a
// machine that is busy with other things may get no time to answer.
const blink = 300 * time.Millisecond

// maxBlinks is how often that may happen at a time.
const maxBlinks = 2

// outages returns how many outages the log tells from a position on, beginnings and ends.
func (d *daemon) outages(from int) (begun, ended int) {
	d.t.Helper()
	silent, blinks := false, 0 // the last one began without an answer
	for line := range strings.Lines(d.logged(from)) {
		switch {
		case strings.Contains(line, "store unavailable:"):
			begun++
			silent = strings.Contains(line, "no answer in time")
		case strings.Contains(line, "store works again"):
			ended++
			_, text, _ := strings.Cut(strings.TrimSpace(line), " after=")
			lasted, err := time.ParseDuration(text)
			if err != nil {
				d.t.Errorf("%q: %v", line, err)
			}
			if silent && lasted < blink && blinks < maxBlinks {
				begun, ended, blinks = begun-1, ended-1, blinks+1
			}
		}
	}
	if blinks > 0 {
		d.t.Logf("%d times a server was too busy for an answer", blinks)
	}
	return begun, ended
}
