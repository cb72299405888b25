package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/controller"
	"rmilter/internal/metrics"
)

// A result is what a call of the program left.
type result struct {
	code           int
	stdout, stderr string
}

// call runs the program; env is a list of name, value.
func call(stdin io.Reader, env []string, args ...string) result {
	var stdout, stderr bytes.Buffer
	getenv := func(name string) string {
		for i := 0; i < len(env); i += 2 {
			if env[i] == name {
				return env[i+1]
			}
		}
		return ""
	}
	code := run(args, stdin, &stdout, &stderr, getenv)
	return result{code, stdout.String(), stderr.String()}
}

// noStdin fails the test when it is read.
func noStdin(t *testing.T) io.Reader {
	return readerFunc(func([]byte) (int, error) {
		t.Error("standard input was read")
		return 0, io.EOF
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// daemon serves a status on a unix socket and on TCP.
func daemon(t *testing.T, password string, status metrics.Status) (socket, host string) {
	t.Helper()
	return serve(t, controller.Options{
		Status: func() metrics.Status { return status },
		Policy: controller.Policy{Password: password},
	})
}

// shortDir is a directory with a short name: socket paths end at 104 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// serve runs a controller on a unix socket and on TCP.
func serve(t *testing.T, o controller.Options) (socket, host string) {
	t.Helper()
	s, err := controller.New(o)
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(shortDir(t), "control.sock")
	unix, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	for _, l := range []net.Listener{unix, tcp} {
		go func() { done <- s.Serve(l) }()
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-done, <-done); err != nil {
			t.Error(err)
		}
	})
	return socket, tcp.Addr().String()
}

func TestStatusExitCodes(t *testing.T) {
	for state, want := range map[metrics.State]int{metrics.OK: 0, metrics.Degraded: 1, metrics.NotFiltering: 2} {
		s := exampleStatus()
		s.State = state
		socket, host := daemon(t, "", s)
		for _, args := range [][]string{{"--socket", socket, "status"}, {"status", "-h", host}, {"status", "--json", "-h", host}} {
			got := call(noStdin(t), nil, args...)
			if got.code != want || got.stderr != "" {
				t.Errorf("state %s, %v: got code %d, stderr %q, want %d and nothing", state, args[0], got.code, got.stderr, want)
			}
		}
	}
}

func TestStatusOutput(t *testing.T) {
	socket, host := daemon(t, "", exampleStatus())
	want := renderStatus(exampleStatus())
	for _, args := range [][]string{
		{"--socket", socket},
		{"-h", host},
		{"-h", host, "--socket", socket},
		{"-h", host, "--socket", filepath.Join(t.TempDir(), "none")}, // falls back to HTTP
		{"-h", "127.0.0.1:1", "--socket", socket},                    // the socket comes first
	} {
		got := call(noStdin(t), nil, append([]string{"status"}, args...)...)
		if diff := cmp.Diff(want, got.stdout); diff != "" {
			t.Errorf("status %v, -want +got:\n%s%s", args, diff, got.stderr)
		}
	}
	got := call(noStdin(t), nil, "--json", "status", "--socket", socket)
	wantJSON, err := json.MarshalIndent(exampleStatus(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(wantJSON)+"\n", got.stdout); diff != "" {
		t.Errorf("status --json, -want +got:\n%s", diff)
	}
}

func TestPassword(t *testing.T) {
	const secret = "correct horse"
	socket, host := daemon(t, secret, exampleStatus())
	refused := "password missing or wrong: use -P or RMILTER_PASSWORD"
	tests := []struct {
		name   string
		stdin  io.Reader
		env    []string
		args   []string
		code   int
		stderr string // part of it
	}{
		{"option", nil, nil, []string{"-h", host, "-P", secret}, 1, ""},
		{"long option", nil, nil, []string{"--connect=" + host, "--password=" + secret}, 1, ""},
		{"environment", nil, []string{"RMILTER_PASSWORD", secret}, []string{"-h", host}, 1, ""},
		{"option before environment", nil, []string{"RMILTER_PASSWORD", "wrong"}, []string{"-h", host, "-P", secret}, 1, ""},
		{"standard input", strings.NewReader(secret + "\n"), nil, []string{"-h", host, "-P", "-"}, 1, ""},
		{"standard input without line feed", strings.NewReader(secret), nil, []string{"-h", host, "-P", "-"}, 1, ""},
		{"standard input from Windows", strings.NewReader(secret + "\r\nmore"), nil, []string{"-h", host, "-P-"}, 1, ""},
		{"socket does not ask", nil, nil, []string{"--socket", socket, "-P", "-"}, 1, ""},
		{"missing", nil, nil, []string{"-h", host}, 3, refused},
		{"wrong", nil, nil, []string{"-h", host, "-P", "hidden-word"}, 3, refused},
		{"nothing on standard input", strings.NewReader(""), nil, []string{"-h", host, "-P", "-"}, 3, refused},
		{"standard input fails", iotest.ErrReader(errors.New("broken")), nil, []string{"-h", host, "-P", "-"}, 64, "cannot read the password: broken"},
		{"control characters", nil, nil, []string{"-h", host, "-P", "hidden-word\r\nX: y"}, 64, "control characters"},
		{"too long", nil, nil, []string{"-h", host, "-P", "hidden-word" + strings.Repeat("x", 2000)}, 64, "too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.stdin == nil {
				tt.stdin = noStdin(t)
			}
			got := call(tt.stdin, tt.env, append(tt.args, "status")...)
			if got.code != tt.code || !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("got code %d, %q, want %d, %q", got.code, got.stderr, tt.code, tt.stderr)
			}
			for _, word := range []string{secret, "hidden-word"} {
				if strings.Contains(got.stdout+got.stderr, word) {
					t.Errorf("the password was printed: %q %q", got.stdout, got.stderr)
				}
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	want := "unreachable: " + none + ": connect: no such file or directory; " + closed + ": connect: connection refused"
	got := call(noStdin(t), nil, "status", "--socket", none, "-h", closed)
	if got.code != 3 || got.stdout != "" || got.stderr != "rmilterctl: "+want+"\n" {
		t.Errorf("got %+v, want 3 and %q", got, want)
	}
	got = call(noStdin(t), nil, "status", "--json", "--socket", none, "-h", closed)
	var answer struct{ State, Error string }
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || got.code != 3 || answer.State != "unreachable" || answer.Error != want {
		t.Errorf("--json: got %+v, %v, want 3, unreachable and %q", got, err, want)
	}
}

// TestOthers asks servers that are not rmilter, or not well.
func TestOthers(t *testing.T) {
	stolen := make(chan string, 1)
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen <- r.Header.Get("Password") }))
	defer thief.Close()
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"not found", http.NotFound, "HTTP 404, is this rmilter?"},
		{"error", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			io.WriteString(w, `{"error":"Forbidden\u001b"}`)
		}, "HTTP 403: Forbidden?"},
		{"text", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }, "the answer is not a status, is this rmilter?"},
		{"other JSON", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"version":"3.4"}`) }, `the answer has no known state but "", is this rmilter?`},
		{"too long", func(w http.ResponseWriter, _ *http.Request) {
			for range maxAnswer/(1<<20) + 1 {
				w.Write(bytes.Repeat([]byte(" "), 1<<20))
			}
		}, "the answer is too long"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "{")
		}, "unexpected EOF"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL, http.StatusFound) }, "HTTP 302, is this rmilter?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewServer(tt.answer)
			defer s.Close()
			host := s.Listener.Addr().String()
			got := call(noStdin(t), nil, "status", "-h", host, "-P", "secret")
			if want := "rmilterctl: unreachable: " + host + ": " + tt.want + "\n"; got.code != 3 || got.stderr != want || got.stdout != "" {
				t.Errorf("got %+v, want 3 and %q", got, want)
			}
		})
	}
	select {
	case p := <-stolen:
		t.Errorf("a redirect was followed with password %q", p)
	default:
	}
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		code   int
		stdout string // part of it
		stderr string // part of it
	}{
		{"help", []string{"--help"}, 0, "-h, --connect HOST[:PORT]", ""},
		{"help of a command", []string{"status", "--help"}, 0, "exit code 0 ok, 1 degraded, 2 not filtering, 3 unreachable", ""},
		{"nothing", nil, 64, "", "which command?"},
		{"unknown command", []string{"stauts"}, 64, "", `unknown command "stauts"`},
		{"unknown option", []string{"status", "--colour"}, 64, "", "unknown flag: --colour"},
		{"surplus argument", []string{"status", "now"}, 64, "", `unknown command "now" for "rmilterctl status"`},
		{"-h without host", []string{"status", "-h"}, 64, "", "flag needs an argument: 'h' in -h"},
		{"bad host", []string{"status", "-h", "http://mx1/"}, 64, "", `"http://mx1/" is not HOST[:PORT]`},
		{"version", []string{"version"}, 0, "rmilterctl " + metrics.Version + " (go", ""},
		{"version, JSON", []string{"version", "--json"}, 0, `"version": "` + metrics.Version + `"`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := call(noStdin(t), nil, tt.args...)
			if got.code != tt.code || !strings.Contains(got.stdout, tt.stdout) || !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("got %+v, want %d, %q, %q", got, tt.code, tt.stdout, tt.stderr)
			}
			if (got.code == 0) != (got.stderr == "") || (got.code == 0) != (got.stdout != "") {
				t.Errorf("got %+v, want output on one of the two", got)
			}
		})
	}
}

func TestWays(t *testing.T) {
	tests := []struct {
		name, host, socket string
		want               []way
	}{
		{"none given", "", "", []way{{"unix", defaultSocket}, {"tcp", "127.0.0.1:11334"}}},
		{"host", "mx1", "", []way{{"tcp", "mx1:11334"}}},
		{"socket", "", "/x", []way{{"unix", "/x"}}},
		{"both", "mx1:1", "/x", []way{{"unix", "/x"}, {"tcp", "mx1:1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := (&client{host: tt.host, socket: tt.socket}).ways()
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(way{})); diff != "" || err != nil {
				t.Errorf("error %v, -want +got:\n%s", err, diff)
			}
		})
	}
}

func TestHostPort(t *testing.T) {
	for in, want := range map[string]string{
		"mx1":                "mx1:11334",
		"mx1.example.com:80": "mx1.example.com:80",
		"127.0.0.1":          "127.0.0.1:11334",
		"2001:db8::1":        "[2001:db8::1]:11334",
		"[2001:db8::1]":      "[2001:db8::1]:11334",
		"[2001:db8::1]:80":   "[2001:db8::1]:80",
		"[fe80::1%eth0]:80":  "[fe80::1%eth0]:80",
		"":                   "",
		":80":                "",
		"mx1:":               "",
		"mx1:x":              "",
		"mx1:http":           "",
		"mx1:0":              "",
		"mx1:65536":          "",
		"mx1:1:2":            "",
		"[::1":               "",
		"http://mx1":         "",
		"user@mx1":           "",
		"mx1/status":         "",
		"mx1\r\nX: y":        "",
	} {
		got, err := hostPort(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("hostPort(%q): got %q, %v, want %q", in, got, err, want)
		}
	}
}
