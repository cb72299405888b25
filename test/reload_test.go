package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rmilter/internal/metrics"
	"rmilter/milter/miltertest"

	"rmilter/test/e2e"
)

// nobody is a user without rights, for whom a file can be unreadable.
const nobody = 65534

// A loaded daemon judges messages all the time while its configuration changes. It has
// the race detector.
type loaded struct {
	daemon
	t    *testing.T
	dir  string
	ctl  string // the program rmilterctl
	cmd  *exec.Cmd
	addr string // of the milter

	stop chan struct{} // closed to end the load
	load sync.WaitGroup

	// epoch counts the changes of verdicts: it is even while one configuration is in
	// force, and odd while either of two may be.
	epoch  atomic.Int64
	judged atomic.Int64
	wants  sync.Map // even epoch to the verdict on spam
}

// Verdicts on spam.
const (
	refuses = "554 5.7.1 Gtube pattern"
	marks   = "continue X-Spam: yes"
	marksNo = "continue X-Spam: indeed"
)

// startLoaded builds and starts the daemon, and the load.
func startLoaded(t *testing.T) *loaded {
	t.Helper()
	dir, err := os.MkdirTemp("", "rmilter-reload-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &loaded{t: t, dir: dir, ctl: filepath.Join(dir, "rmilterctl"), stop: make(chan struct{})}
	d.confPath = filepath.Join(dir, "rmilter.conf")
	for name, args := range map[string][]string{"rmilter": {"-race"}, "rmilterctl": nil} {
		cmd := exec.Command("go", append(append([]string{"build", "-o", filepath.Join(dir, name)}, args...), "rmilter/cmd/"+name)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s does not build: %v\n%s", name, err, out)
		}
	}
	d.conf = fmt.Sprintf("log = stderr;\ngtube_patterns = all;\ncontrol_socket = %q;\ndns { nameserver = \"127.0.0.1:9\"; }\nworker \"controller\" { bind_socket = []; } worker \"normal\" { bind_socket = []; }\nbind_socket = \"unix:%s\";\ntempdir = %q;\n",
		d.path("control.sock"), d.path("milter.sock"), dir)
	d.addr = d.path("milter.sock")
	d.configure(t, "")
	if err := errors.Join(os.Mkdir(d.path("rmilter.conf.d"), 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(d.path("rmilter"), "-c", d.confPath, "-data-dir", d.path("state"))
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		d.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.finish)
	if !e2e.Eventually(func() bool { return strings.Contains(d.log.String(), " started ") }) {
		t.Fatal("the daemon does not start")
	}
	d.wants.Store(int64(0), refuses)
	for n := range 4 {
		d.load.Go(func() { d.send(n) })
	}
	return d
}

func (d *loaded) path(name string) string { return filepath.Join(d.dir, name) }

// finish ends load and daemon and looks at the log.
func (d *loaded) finish() {
	close(d.stop)
	d.load.Wait()
	d.cmd.Process.Signal(syscall.SIGTERM)
	watch := time.AfterFunc(e2e.Patience, func() { d.cmd.Process.Kill() })
	defer watch.Stop()
	if err := d.cmd.Wait(); err != nil {
		d.t.Errorf("the daemon ended with %v", err)
	}
	log := d.log.String()
	for _, bad := range []string{"panic", "DATA RACE", "goroutine "} {
		if strings.Contains(log, bad) {
			d.t.Errorf("the daemon's log speaks of %q", bad)
		}
	}
	if got, want := len(d.accounts(d.t)), int(d.judged.Load()); got != want {
		d.t.Errorf("%d log lines of %d messages", got, want)
	}
	if d.t.Failed() {
		lines := strings.Split(log, "\n")
		d.t.Logf("the end of the daemon's log:\n%s", strings.Join(lines[max(0, len(lines)-60):], "\n"))
	}
	d.t.Logf("%d messages judged", d.judged.Load())
}

// send sends spam and other messages in turn, five in each session, until the load ends.
func (d *loaded) send(n int) {
	for m := 0; ; {
		c, err := miltertest.Dial("unix", d.addr)
		if err != nil {
			d.t.Errorf("the milter is gone: %v", err)
			return
		}
		c.SetTimeout(e2e.Patience)
		err = c.Negotiate(6, miltertest.AllActions, miltertest.AllProtocol)
		if err == nil {
			_, err = c.Connect("mx.sender.example", miltertest.Inet, 4711, "203.0.113.7")
		}
		for range 5 {
			select {
			case <-d.stop:
				c.Close()
				return
			default:
			}
			if err == nil {
				err = d.message(c, n, m)
			}
			m++
		}
		if err = errors.Join(err, c.Quit()); err != nil {
			d.t.Errorf("client %d: %v", n, err)
			return
		}
		c.Close()
	}
}

// message sends a message and looks at the verdict. That must be of the configuration
// that was in force at its MAIL.
func (d *loaded) message(c *miltertest.Conn, n, m int) error {
	id := fmt.Sprintf("load-%d-%d", n, m)
	l, isSpam := clean(id), m%2 == 1
	if isSpam {
		l = spam(id)
	}
	from := d.epoch.Load()
	r, err := c.Mail("<joe@sender.example>")
	to := d.epoch.Load()
	if err == nil && r.Continues() {
		r, err = c.Rcpt("<alice@example.com>")
	}
	if err == nil && r.Continues() {
		r, err = c.Data()
	}
	text := miltertest.ParseMessage([]byte(l.String()))
	for _, f := range text.Header {
		if err == nil && r.Continues() {
			r, err = c.Header(f.Name, f.Value)
		}
	}
	if err == nil && r.Continues() {
		r, err = c.EOH()
	}
	if err == nil && r.Continues() {
		r, err = c.Body(text.Body)
	}
	if err == nil && r.Continues() {
		r, err = c.EOM()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	got := strings.TrimSpace(idTag.ReplaceAllString(r.String(), ""))
	told := 0
	for _, e := range r.Edits {
		if e.Name == "Authentication-Results" {
			told++
			continue
		}
		got += " " + e.Name + ":" + e.Value
	}
	if passes := strings.HasPrefix(got, "continue"); told > 1 || (told == 1) != passes {
		d.t.Errorf("%s: %d fields Authentication-Results, want one in what goes on: %q", id, told, got)
	}
	want := []string{"continue"}
	if isSpam {
		want = nil
		for e := from - from%2; e <= to+to%2; e += 2 {
			v, _ := d.wants.Load(e)
			want = append(want, v.(string))
		}
	}
	if !slices.Contains(want, got) {
		d.t.Errorf("%s, begun in epoch %d to %d: %q, want %q", id, from, to, got, want)
	}
	d.judged.Add(1)
	return nil
}

// more waits until so many more messages have been judged.
func (d *loaded) more(n int64) {
	d.t.Helper()
	if before := d.judged.Load(); !e2e.Eventually(func() bool { return d.judged.Load() >= before+n }) {
		d.t.Errorf("the load has come to a stand: %d messages more, want %d", d.judged.Load()-before, n)
	}
}

// ask runs rmilterctl.
func (d *loaded) ask(args ...string) (code int, stdout, stderr string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), e2e.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.ctl, append(args, "--socket", d.path("control.sock"))...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		d.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// status returns what rmilterctl status tells.
func (d *loaded) status() (s metrics.Status) {
	d.t.Helper()
	_, stdout, stderr := d.ask("status", "--json")
	if err := json.Unmarshal([]byte(stdout), &s); err != nil {
		d.t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	return s
}

// hup says SIGHUP and waits until the configuration has been read.
func (d *loaded) hup() {
	d.t.Helper()
	before := d.status().Config.ReloadTime
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		d.t.Fatal(err)
	}
	if !e2e.Eventually(func() bool { return d.status().Config.ReloadTime.After(before) }) {
		d.t.Error("SIGHUP does nothing")
	}
}

// becomes changes the configuration, reloads in one of the two ways, and says what
// becomes of spam whose MAIL comes after that.
func (d *loaded) becomes(verdict string, bySignal bool, change func()) {
	d.t.Helper()
	d.more(20)
	e := d.epoch.Load()
	d.wants.Store(e+2, verdict)
	d.epoch.Store(e + 1)
	change()
	if bySignal {
		d.hup()
	} else if code, stdout, stderr := d.ask("reload"); code != 0 || stderr != "" || !strings.HasPrefix(stdout, "reloaded: "+d.confPath+" ") {
		d.t.Errorf("reload: %d, %q, %q", code, stdout, stderr)
	}
	d.epoch.Store(e + 2)
	if s := d.status(); s.State != metrics.OK || len(s.Problems) != 0 || s.Config.ReloadResult != "ok" {
		d.t.Errorf("status after a reload: %s %+v %+v", s.State, s.Problems, s.Config)
	}
	d.more(20)
}

// A breakage makes a configuration that can't be used.
type breakage struct {
	name   string
	break_ func(d *loaded) error
	want   []string // how its faults begin, after the folder
}

// write writes a file in the daemon's folder.
func (d *loaded) write(name, text string) error {
	return os.WriteFile(d.path(name), []byte(text), 0o644)
}

func breakages() []breakage {
	return []breakage{
		{"two faults", func(d *loaded) error {
			return d.write("rmilter.conf", d.conf+"no_such_option = 1;\nmax_size = many;\n")
		}, []string{`/rmilter.conf:8:1: `, `/rmilter.conf:9:12: `}},
		{"cut off", func(d *loaded) error {
			return d.write("rmilter.conf", d.conf+"spamd {\n")
		}, []string{`/rmilter.conf:\d+:\d+: `}},
		{"fault in conf.d", func(d *loaded) error {
			return d.write("rmilter.conf.d/50-x.conf", "spamd { spam_headr = X-Spam; }\n")
		}, []string{`/rmilter.conf.d/50-x.conf:1:9: `}},
		{"include gone", func(d *loaded) error {
			return d.write("rmilter.conf", d.conf+".include \"$CONFDIR/gone.conf\"\n")
		}, []string{`/rmilter.conf:8:\d+: `}},
		{"include loop", func(d *loaded) error {
			return errors.Join(d.write("loop.conf", ".include \"$CONFDIR/loop.conf\"\n"), d.write("rmilter.conf", d.conf+".include \"$CONFDIR/loop.conf\"\n"))
		}, []string{`/loop.conf:1:\d+: `}},
		{"unreadable", func(d *loaded) error { return os.Chmod(d.confPath, 0) }, []string{`/rmilter.conf: .*permission`}},
		{"unreadable in conf.d", func(d *loaded) error {
			return errors.Join(d.write("rmilter.conf.d/50-x.conf", ""), os.Chmod(d.path("rmilter.conf.d/50-x.conf"), 0))
		}, []string{`/rmilter.conf.d/50-x.conf: .*permission`}},
		{"missing", func(d *loaded) error { return os.Remove(d.confPath) }, []string{`/rmilter.conf: .*no such file`}},
		{"a directory", func(d *loaded) error {
			return errors.Join(os.Remove(d.confPath), os.Mkdir(d.confPath, 0o755))
		}, []string{`/rmilter.conf: .*directory`}},
	}
}

// TestReloadUnderLoad changes the configuration for better and for worse while messages
// come in: each has the verdict of the configuration in force at its MAIL, and a broken
// one is never in force.
func TestReloadUnderLoad(t *testing.T) {
	d := startLoaded(t)
	mild := func() { d.configure(t, "spamd { spamd_never_reject = yes; }\n") }
	strict := func() { d.configure(t, "") }
	dropIn := d.path("rmilter.conf.d/10-header.conf")
	verdict := refuses
	for i, b := range breakages() {
		before := d.status().Config.Hash
		d.more(10)
		if err := b.break_(d); err != nil {
			t.Fatal(err)
		}
		d.refusesReload(b, before)
		d.more(40)
		// Mended, with another verdict than before.
		next, change := marks, mild
		if verdict == marks {
			next, change = refuses, strict
		}
		d.becomes(next, i%2 == 0, func() {
			for _, name := range []string{"rmilter.conf.d/50-x.conf", "loop.conf"} {
				if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
			}
			if info, err := os.Stat(d.confPath); err == nil && (info.IsDir() || info.Mode().Perm() == 0) {
				if err := os.Remove(d.confPath); err != nil {
					t.Fatal(err)
				}
			}
			change()
		})
		verdict = next
		if t.Failed() {
			t.Fatalf("so much for %s", b.name)
		}
	}
	// A file in conf.d comes and goes.
	d.becomes(marks, false, mild)
	for _, bySignal := range []bool{true, false} {
		d.becomes(marksNo, bySignal, func() {
			if err := os.WriteFile(dropIn, []byte("spamd { spam_header_value = indeed; }\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		})
		d.becomes(marks, bySignal, func() {
			if err := os.Remove(dropIn); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// refusesReload wants both ways to reload to tell the faults and to change nothing.
func (d *loaded) refusesReload(b breakage, hash string) {
	d.t.Helper()
	logged := len(d.log.String())
	code, stdout, stderr := d.ask("reload")
	if code != 1 || stdout != "" || !strings.HasSuffix(stderr, "rmilterctl: not reloaded: the configuration before stays in force: "+d.confPath+" "+hash+"\n") {
		d.t.Errorf("%s: reload ends with %d, %q, %q", b.name, code, stdout, stderr)
	}
	d.hup()
	log := d.log.String()[logged:]
	if got := strings.Count(log, "configuration not reloaded: the one before stays"); got != 2 {
		d.t.Errorf("%s: the log says %d times that the configuration stays, want 2", b.name, got)
	}
	for _, want := range b.want {
		fault := regexp.QuoteMeta(d.dir) + want
		if got := len(regexp.MustCompile("(?m)^rmilterctl: "+fault).FindAllString(stderr, -1)); got != 1 {
			d.t.Errorf("%s: %d faults at %s, want 1, in the answer:\n%s", b.name, got, want, stderr)
		}
		if got := len(regexp.MustCompile("(?m)^.* ERROR "+fault+".*$").FindAllString(log, -1)); got != 2 {
			d.t.Errorf("%s: %d lines with a fault at %s, want 2, in the log:\n%s", b.name, got, want, log)
		}
	}
	if got := strings.Count(stderr, "rmilterctl: "+d.dir); got != len(b.want) {
		d.t.Errorf("%s: %d faults, want %d:\n%s", b.name, got, len(b.want), stderr)
	}
	s := d.status()
	if s.State != metrics.Degraded || len(s.Problems) != 1 || s.Problems[0].ID != "config" || s.Config.Hash != hash {
		d.t.Errorf("%s: status %s, hash %s, problems %+v; want the hash %s and one problem", b.name, s.State, s.Config.Hash, s.Problems, hash)
	}
	if code, stdout, _ := d.ask("status"); code != 1 || !strings.Contains(stdout, "configuration not reloaded: "+d.dir) {
		d.t.Errorf("%s: status ends with %d: %s", b.name, code, stdout)
	}
}
