package server

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rmilter/internal/config"
)

// prepare returns a daemon that isn't started.
func prepare(t *testing.T, dir, text string) *rig {
	t.Helper()
	r := &rig{t: t, dir: dir}
	r.configure(text)
	o := Options{ConfigPath: r.path("rmilter.conf")}
	conf, err := load(o, r)
	if err != nil {
		t.Fatal(r.logged())
	}
	r.daemon = newDaemon(o, conf, slog.New(slog.NewTextHandler(r, nil)), new(slog.LevelVar))
	return r
}

// newFolder makes the folder of a daemon.
func newFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "tmp"), 0o700))
	return dir
}

// TestTestSaysWhatStartSays has key files that the start refuses or warns of: the test of
// the configuration does the same, in the same words. It finds what a reload refuses, too.
func TestTestSaysWhatStartSays(t *testing.T) {
	dir := newFolder(t)
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), mode))
		return path
	}
	seed := strings.Repeat("A", 43) + "="
	good, open, broken, gone := write("good", seed, 0o600), write("open", seed, 0o604), write("broken", "no key\n", 0o600), filepath.Join(dir, "gone")
	listed := write("example.com.listed.key", "no key\n", 0o600)
	key := func(path, selector string) string {
		return `dkim { domain { domain = "example.com"; selector = "` + selector + `"; key = "` + path + `"; } }` + "\n"
	}
	for _, c := range []struct {
		name, conf string
		says       string // by the test of the configuration
		warns      string // the log of the start; "" when the start fails, or has nothing to say
		code       int
		starts     bool // all the same
	}{
		{name: "a good key", conf: key(good, "s")},
		{name: "a directory", conf: `dkim { domain { domain = "*"; selector = "s"; key = "` + dir + `"; } }`},
		{name: "signing is off", conf: key(broken, "s") + "dkim { enable = no; }\n"},
		{name: "a broken key", conf: key(broken, "s"), code: exitConfig, says: "dkim: " + broken + ": "},
		{name: "broken keys and a good one", conf: key(broken, "s") + key(good, "t") + key("/dev/null", "u"), code: exitConfig,
			says: "\ndkim: /dev/null: it is no regular file\n"},
		{name: "a broken key in a directory", conf: `dkim { domain { domain = "*"; selector = "listed"; key = "` + dir + `"; } }`, code: exitConfig, starts: true,
			says:  "dkim: " + listed + ": the file holds no private key\n",
			warns: "level=WARN msg=\"a signing key can't be used\" reason=\"dkim: " + listed + ": the file holds no private key\"\n"},
		{name: "no such key", conf: key(gone, "s"),
			says:  "warning: a signing key can't be used reason=\"dkim: " + gone + ": there is no such file, so nothing is signed with selector s\"\n",
			warns: "level=WARN msg=\"a signing key can't be used\" reason=\"dkim: " + gone + ": there is no such file, so nothing is signed with selector s\"\n"},
		{name: "a key that all can read", conf: key(open, "s"),
			says:  "warning: other users of this machine can read a signing key file=" + open + " mode=0604 expected=\"0600 or 0640\"\n",
			warns: "level=WARN msg=\"other users of this machine can read a signing key\" file=" + open + " mode=0604 expected=\"0600 or 0640\"\n"},
		{name: "an unknown symbol", conf: `metric "default" { symbol "NO_SUCH" { weight = 2; } }`,
			says:  "warning: symbols that no check reports have a weight, which has no effect symbols=NO_SUCH\n",
			warns: "level=WARN msg=\"symbols that no check reports have a weight, which has no effect\" symbols=NO_SUCH\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := prepare(t, dir, c.conf)
			var stdout, stderr bytes.Buffer
			code := Test(Options{ConfigPath: r.path("rmilter.conf")}, &stdout, &stderr)
			if code != c.code || !strings.Contains(stderr.String(), c.says) || c.says == "" && stderr.Len() > 0 {
				t.Errorf("got exit code %d and %q, want %d and %q", code, &stderr, c.code, c.says)
			}
			if fine := strings.HasSuffix(stdout.String(), ": configuration is fine\n"); fine != (code == exitOK) {
				t.Errorf("got exit code %d and %q", code, &stdout)
			}
			err := r.start()
			if err == nil {
				r.abandon()
			}
			if (err == nil) != (c.code == exitOK || c.starts) {
				t.Fatalf("the start ends with %v", err)
			}
			var want bytes.Buffer
			if err != nil {
				config.Report(&want, "rmilter: ", nil, err)
				if got := stderr.String(); got != want.String() {
					t.Errorf("the test says %q, the start %q", got, &want)
				}
			}
			if got := r.logged(); !strings.Contains(got, c.warns) || c.warns == "" && err == nil && strings.Contains(got, "signing key") {
				t.Errorf("the start logs %q, want %q", got, c.warns)
			}
		})
	}
}

// TestFailedStart has a start fail at each of its last steps. Nothing stays open: another
// daemon of the same process, with the same store and sockets, starts at once.
func TestFailedStart(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer busy.Close()
	broken := filepath.Join(t.TempDir(), "broken")
	must(t, os.WriteFile(broken, []byte("no key\n"), 0o600))
	for _, c := range []struct{ name, conf, want string }{
		{"a broken key", `dkim { domain { domain = "example.com"; selector = "s"; key = "` + broken + `"; } }`, "dkim: " + broken},
		{"the milter's port is taken", "bind_socket = inet:" + port(busy) + "@127.0.0.1;", "bind_socket "},
		{"the controller's port is taken", `worker "controller" { bind_socket = "` + busy.Addr().String() + `"; }`, "worker controller bind_socket "},
		{"the worker's port is taken", `worker "normal" { bind_socket = "` + busy.Addr().String() + `"; }`, "worker normal bind_socket "},
		{"no place for the pidfile", `pidfile = "/dev/null/pid";`, "pidfile: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := newFolder(t)
			r := prepare(t, dir, c.conf)
			err := r.start()
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("got %v, want an error that begins with %q", err, c.want)
			}
			for _, l := range r.listeners {
				if conn, err := net.Dial(l.Addr().Network(), l.Addr().String()); err == nil {
					conn.Close()
					t.Errorf("%s %s still listens", l.name, l.address)
				}
			}
			// The store's lock and the control socket are free.
			bootIn(t, dir, "", "", nil)
		})
	}
}

func port(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
