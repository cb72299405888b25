package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/controller"
	"rmilter/internal/metrics"
)

// post asks for a reload over the control socket.
func (r *rig) post() (code int, answer controller.Reload, body string) {
	r.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", r.path("control.sock"))
	}}}
	resp, err := client.Post("http://rmilter/reload", "", nil)
	must(r.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(r.t, err)
	must(r.t, json.Unmarshal(b, &answer))
	return resp.StatusCode, answer, string(b)
}

// over asks the controller over TCP, with a password when it isn't "".
func (r *rig) over(method, path, password string) int {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+r.listeners[2].Addr().String()+path, nil)
	must(r.t, err)
	if password != "" {
		req.Header.Set("Password", password)
	}
	resp, err := http.DefaultClient.Do(req)
	must(r.t, err)
	resp.Body.Close()
	return resp.StatusCode
}

// TestReloadAnswer looks at what a reload over the control socket returns.
func TestReloadAnswer(t *testing.T) {
	r := boot(t, "")
	started := r.status().Config.Hash

	r.configure("max_connections = 7;\nspool_limit = 1G;\nuse_dcc = yes;\n")
	code, got, _ := r.post()
	if code != 200 || !got.Success || got.Config != r.path("rmilter.conf") || len(got.Hash) != 6 || got.Hash == started || len(got.Faults) != 0 {
		t.Errorf("got %d %+v, want a success and a new hash", code, got)
	}
	if diff := cmp.Diff([]string{"max_connections", "spool_limit"}, got.Restart); diff != "" {
		t.Errorf("restart, -want +got:\n%s", diff)
	}
	if remarks := append(got.Warnings, got.Notices...); len(remarks) != 1 || !strings.Contains(remarks[0], "rmilter.conf:11:") || !strings.Contains(remarks[0], "use_dcc") {
		t.Errorf("remarks: %q, want one about use_dcc", remarks)
	}
	hash := got.Hash
	waiting := func(want ...string) {
		t.Helper()
		if got := r.status().Config.Restart; !slices.Equal(got, want) {
			t.Errorf("options that wait for a restart by status: got %q, want %q", got, want)
		}
	}
	waiting("max_connections", "spool_limit")

	r.configure("no_such_option = 1;\nmax_size = many;\nworker \"controller\" { password = \"hidden-word\" nonsense; }\n")
	code, got, body := r.post()
	if code != 409 || got.Success || got.Hash != hash || len(got.Restart) != 0 {
		t.Errorf("got %d %s, want a conflict and the hash %s", code, body, hash)
	}
	if len(got.Faults) != 3 || !strings.HasPrefix(got.Faults[0], r.path("rmilter.conf")+":9:1: ") || !strings.Contains(got.Faults[0], "\n    no_such_option = 1") {
		t.Errorf("faults: %q, want three, with place and line", got.Faults)
	}
	var want bytes.Buffer
	if Test(Options{ConfigPath: r.path("rmilter.conf")}, io.Discard, &want) != exitConfig {
		t.Error("rmilter -t finds nothing")
	}
	var printed strings.Builder
	for _, line := range slices.Concat(got.Warnings, got.Notices, got.Faults) {
		printed.WriteString("rmilter: " + line + "\n")
	}
	if diff := cmp.Diff(want.String(), printed.String()); diff != "" {
		t.Errorf("rmilter -t prints something else, -want +got:\n%s", diff)
	}
	s := r.status()
	if s.Config.Hash != hash || s.State != metrics.Degraded || !strings.Contains(s.Config.ReloadResult, ":9:1: ") || strings.Contains(s.Config.ReloadResult, "\n") {
		t.Errorf("status: %+v, %s", s.Config, s.State)
	}
	waiting("max_connections", "spool_limit") // as this reload changed nothing
	log := r.logged()
	for _, place := range []string{":9:1: ", ":10:12: ", ":11:"} {
		n := 0
		for line := range strings.Lines(log) {
			if strings.Contains(line, "level=ERROR") && strings.Contains(line, "rmilter.conf"+place) && strings.Contains(line, " line=") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d log lines of the fault at %s, want 1: %s", n, place, log)
		}
	}
	if !strings.Contains(log, `reload asked for" client="control socket"`) {
		t.Errorf("the log doesn't say who asked: %s", log)
	}
	if strings.Contains(log+body, "hidden-word") {
		t.Errorf("a password is shown: %s%s", log, body)
	}
	r.configure("")
	if code, got, _ = r.post(); code != 200 || got.Hash != started || r.status().State != metrics.OK {
		t.Errorf("mended: got %d %+v, status %s", code, got, r.status().State)
	}
	waiting()
}

// TestReloadsTakeTurns asks for many at once, in both ways.
func TestReloadsTakeTurns(t *testing.T) {
	r := boot(t, "")
	const n = 20
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if code, got, _ := r.post(); code != 200 || !got.Success {
				t.Errorf("got %d %+v", code, got)
			}
		})
	}
	r.signals <- syscall.SIGHUP
	all.Wait()
	until(t, "the signal's reload", func() bool { return strings.Count(r.logged(), "configuration reloaded") == n+1 })
}

// TestReloadWhileStopping asks a daemon that drains.
func TestReloadWhileStopping(t *testing.T) {
	r := boot(t, "")
	c := r.session(ours)
	_, err := c.Mail("<joe@example.com>")
	must(t, err)
	before := r.status().Config
	r.signals <- syscall.SIGTERM
	until(t, "draining", func() bool { return strings.Contains(r.logged(), "draining") })
	r.configure("spamd { spamd_never_reject = yes; }\n")
	code, _, body := r.post()
	if want := `{"error":"rmilter is stopping: the next start reads the configuration"}` + "\n"; code != 503 || body != want {
		t.Errorf("got %d %s, want 503 %s", code, body, want)
	}
	r.signals <- syscall.SIGHUP
	until(t, "refused", func() bool { return strings.Contains(r.logged(), "no reload") })
	if diff := cmp.Diff(before, r.status().Config); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	must(t, c.Quit())
}

// TestEncryptedPassword has encrypted passwords in the file, those of a reload, too.
func TestEncryptedPassword(t *testing.T) {
	// All of the password "secret".
	const (
		one = "$1$cfkiarzypgd1meouo1cjw8xuetgoacyx$479g59ipjccci9f6ga499oxfgtbrzfougxywsx4npzwpj64oczhy"
		two = "$2$bhhgt1uyybysmca95n975id6puzfjj19$qhs585gbx8fftot5n4okthuffia4xa7toz78phoqge9g9i5gupry"
	)
	r := boot(t, "worker \"controller\" { password = \""+one+"\"; enable_password = \"other\"; }\n")
	check := func(password string, status, reload int) {
		t.Helper()
		if got := r.over("GET", "/status", password); got != status {
			t.Errorf("GET /status with %q: got %d, want %d", password, got, status)
		}
		if got := r.over("POST", "/reload", password); got != reload {
			t.Errorf("POST /reload with %q: got %d, want %d", password, got, reload)
		}
	}
	check("", 401, 401)
	check(one, 401, 401)
	check("secret", 200, 403)
	check("other", 200, 200)
	r.configure("worker \"controller\" { password = " + two + "; }\n")
	if got := r.reloadAndWait(); got != "ok" {
		t.Fatal(got)
	}
	check("secret", 200, 200)
	check("other", 401, 401)
	if got := r.status().WrongPasswords; got != 4 {
		t.Errorf("%d wrong passwords counted, want 4", got)
	}
	r.configure("worker \"controller\" {\n enable_password = \"" + two[:len(two)-1] + "\"; }\n")
	if got, want := r.reloadAndWait(), "rmilter.conf:10:20: enable_password: the key of the encrypted password has 51 characters; expected 52"; !strings.HasSuffix(got, want) {
		t.Errorf("malformed: got %q, want %q", got, want)
	}
	check("secret", 200, 409) // the file is still broken
	if log := r.logged(); strings.Contains(log, two[3:20]) || strings.Contains(log, "secret") {
		t.Errorf("a password is shown: %s", log)
	}
}
