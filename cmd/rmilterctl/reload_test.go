package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/controller"
)

// reloadedAs serves a daemon whose reloads end so, and counts them.
func reloadedAs(t *testing.T, policy controller.Policy, r controller.Reload, err error) (socket, host string, count *atomic.Int64) {
	t.Helper()
	count = new(atomic.Int64)
	socket, host = serve(t, controller.Options{
		Policy: policy,
		Reload: func() (controller.Reload, error) {
			count.Add(1)
			return r, err
		},
	})
	return socket, host, count
}

// done is a reload with all that may be told of one that went well.
func done() controller.Reload {
	return controller.Reload{
		Success: true, Config: "/etc/rmilter.conf", Hash: "9c1f2a", Faults: []string{},
		Warnings: []string{"/etc/rmilter.conf:3:1: warning: one\n    a = 1;"},
		Notices:  []string{"/etc/rmilter.conf:2:1: notice: two\x1b[31m"},
		Restart:  []string{"bind_socket", "max_connections"},
	}
}

// faulty is one that was refused.
func faulty() controller.Reload {
	return controller.Reload{
		Config: "/etc/rmilter.conf", Hash: "9c1f2a", Warnings: []string{}, Notices: []string{}, Restart: []string{},
		Faults: []string{"/etc/rmilter.conf:3:1: bad\n    no = 1;", "/etc/rmilter.conf:4:1: worse"},
	}
}

func TestReload(t *testing.T) {
	tests := []struct {
		name           string
		reload         controller.Reload
		code           int
		stdout, stderr string
	}{
		{"done", done(), 0,
			"reloaded: /etc/rmilter.conf 9c1f2a\nneeds a restart, until then as before: bind_socket\nneeds a restart, until then as before: max_connections\n",
			"rmilterctl: /etc/rmilter.conf:3:1: warning: one\n    a = 1;\nrmilterctl: /etc/rmilter.conf:2:1: notice: two?[31m\n"},
		{"faults", faulty(), 1, "",
			"rmilterctl: /etc/rmilter.conf:3:1: bad\n    no = 1;\nrmilterctl: /etc/rmilter.conf:4:1: worse\n" +
				"rmilterctl: not reloaded: the configuration before stays in force: /etc/rmilter.conf 9c1f2a\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket, host, count := reloadedAs(t, controller.Policy{Password: "p"}, tt.reload, nil)
			for i, args := range [][]string{{"--socket", socket}, {"-h", host, "-P", "p"}, {"--socket", filepath.Join(t.TempDir(), "none"), "-h", host, "-P", "p"}} {
				got := call(noStdin(t), nil, append([]string{"reload"}, args...)...)
				if diff := cmp.Diff(result{tt.code, tt.stdout, tt.stderr}, got, cmp.AllowUnexported(result{})); diff != "" {
					t.Errorf("%v, -want +got:\n%s", args, diff)
				}
				if got := count.Load(); got != int64(i+1) {
					t.Errorf("%v: %d reloads, want one", args, got-int64(i))
				}
			}
			got := call(noStdin(t), nil, "reload", "--json", "--socket", socket)
			var back controller.Reload
			if err := json.Unmarshal([]byte(got.stdout), &back); err != nil || got.code != tt.code || got.stderr != "" {
				t.Errorf("--json: got %+v, %v, want code %d", got, err, tt.code)
			}
			if diff := cmp.Diff(tt.reload, back); diff != "" {
				t.Errorf("--json, -want +got:\n%s", diff)
			}
		})
	}
}

// TestReloadRefused has a daemon that says no, or nothing: no other way is tried, as the
// first one has led somewhere.
func TestReloadRefused(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	_, open, _ := reloadedAs(t, controller.Policy{}, done(), nil)
	_, split, _ := reloadedAs(t, controller.Policy{Password: "p", EnablePassword: "e"}, done(), nil)
	stopping, _, _ := reloadedAs(t, controller.Policy{}, done(), errors.New("rmilter is stopping: x"))
	_, other, count := reloadedAs(t, controller.Policy{Password: "p"}, done(), nil)
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"read-only", []string{"--socket", none, "-h", open},
			"refused: " + none + ": connect: no such file or directory; " + open + ": HTTP 403: Forbidden: without a password HTTP is read-only; use the control socket, or set enable_password or secure_ip in worker \"controller\""},
		{"password missing", []string{"-h", split}, "refused: " + split + ": password missing or wrong: use -P or RMILTER_PASSWORD"},
		{"password that reads", []string{"-h", split, "-P", "p"}, "refused: " + split + ": HTTP 403: Forbidden: this password only reads; use enable_password"},
		{"stopping", []string{"--socket", stopping, "-h", other, "-P", "p"}, "refused: " + stopping + ": HTTP 503: rmilter is stopping: x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := call(noStdin(t), nil, append(tt.args, "reload")...)
			if diff := cmp.Diff(result{3, "", "rmilterctl: " + tt.want + "\n"}, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			got = call(noStdin(t), nil, append(tt.args, "reload", "--json")...)
			var answer struct {
				Success *bool
				Error   string
			}
			if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || got.code != 3 || answer.Success == nil || *answer.Success || answer.Error != tt.want {
				t.Errorf("--json: got %+v, %v", got, err)
			}
		})
	}
	if got := count.Load(); got != 0 {
		t.Errorf("the second way was asked %d times", got)
	}
}

// TestReloadOthers asks a socket at whose other end there is no rmilter, or one that
// breaks off.
func TestReloadOthers(t *testing.T) {
	_, second, count := reloadedAs(t, controller.Policy{Password: "p"}, done(), nil)
	again := " it may have been done all the same"
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   string // part of it
	}{
		{"not found", http.NotFound, ": HTTP 404, is this rmilter?"},
		{"text", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }, "the answer tells nothing of a reload, is this rmilter?"},
		{"other JSON", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"success":true}`) }, "the answer tells nothing of a reload"},
		{"contradiction", func(w http.ResponseWriter, _ *http.Request) {
			json.NewEncoder(w).Encode(faulty())
		}, "the answer tells nothing of a reload"},
		{"breaks off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF;" + again},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "{")
		}, "unexpected EOF;" + again},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+second+"/reload", http.StatusTemporaryRedirect)
		}, "HTTP 307, is this rmilter?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket := filepath.Join(shortDir(t), "s")
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			s := httptest.NewUnstartedServer(tt.answer)
			s.Listener.Close()
			s.Listener = l
			s.Start()
			defer s.Close()
			got := call(noStdin(t), nil, "reload", "--socket", socket, "-h", second, "-P", "p")
			if got.code != 3 || got.stdout != "" || !strings.Contains(got.stderr, tt.want) {
				t.Errorf("got %+v, want 3 and %q", got, tt.want)
			}
		})
	}
	if got := count.Load(); got != 0 {
		t.Errorf("the second way was asked %d times", got)
	}
}

// FuzzReload takes any answer: a reload or an error, and printable lines.
func FuzzReload(f *testing.F) {
	for _, r := range []controller.Reload{done(), faulty()} {
		b, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(200, b)
		f.Add(409, b)
	}
	f.Add(200, []byte(`{"success":true,"config":"\u001b","hash":"\n","restart":["\n\n"]}`))
	f.Fuzz(func(t *testing.T, code int, body []byte) {
		r, err := parseReload(answer{code, body})
		if err != nil {
			return
		}
		var stdout, stderr strings.Builder
		(&app{stdout: &stdout, stderr: &stderr}).printReload(r)
		all := stdout.String() + stderr.String()
		if line := strings.ReplaceAll(all, "\n", ""); printable(line, len(line)) != line {
			t.Errorf("not printable: %q", all)
		}
		if n, want := strings.Count(all, "\n"), 1+len(r.Restart)+2*(len(r.Faults)+len(r.Warnings)+len(r.Notices)); n > want {
			t.Errorf("got %d lines, want at most %d: %q", n, want, all)
		}
	})
}
