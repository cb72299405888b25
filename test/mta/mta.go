// Package mta runs private mail servers, Postfix and sendmail, for end-to-end tests:
// each with a configuration, a queue and ports of its own, gone when the test ends.
//
// Both take mail for alice, bob and carol at example.com and keep every delivered
// message in a file of its own, so that a test can compare bytes. They need root and
// the packages that test/install.sh installs.
package mta

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// Domain is the domain that every Server delivers.
const Domain = "example.com"

// startTimeout and stopTimeout are far above what a server needs.
const (
	startTimeout = time.Minute
	stopTimeout  = 10 * time.Second
)

// Options say how a Server is set up. The zero value is a server without a milter.
type Options struct {
	Milter        string   // where the milter listens, "inet:HOST:PORT" or "unix:PATH"; "" is none
	DefaultAction string   // what happens without the milter: "accept", also for "", or "tempfail"
	Local         bool     // Postfix: the milter sees local mail too (non_smtpd_milters)
	Internal      string   // Postfix: internal_mail_filter_classes
	Users         []string // further local parts at example.com beside alice, bob and carol
	Extra         []string // lines added to main.cf or sendmail.mc
}

// A Server is a running mail server. Its methods are safe for concurrent use.
type Server interface {
	// Name is "postfix" or "sendmail".
	Name() string
	// Addr is HOST:PORT of the SMTP port.
	Addr() string
	// Deliveries returns the messages delivered to a user so far, oldest first, as
	// they stand in the mailbox: lines end in LF.
	Deliveries(user string) ([][]byte, error)
	// Queue lists the messages that are not delivered yet.
	Queue() ([]Queued, error)
	// Held returns a quarantined message's text as it stands in the queue: for
	// Postfix header and body, for sendmail its queue file and then its body.
	Held(id string) ([]byte, error)
	// Log returns what the server has logged so far.
	Log() string
}

// Queued is one message in the queue of a Server.
type Queued struct {
	Where string // "maildrop", "incoming", "active", "deferred" or "hold"
	ID    string // queue id
}

// Need skips the test with a reason when it can't run here, that is without root or
// the programs named. With CI=true in the environment it fails the test instead.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		miss(t, "a mail server of the test's own needs root")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			miss(t, "%v; run test/install.sh", err)
		}
	}
}

// miss skips the test, or fails it with CI=true.
func miss(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// WaitDeliveries waits until a user has at least n messages and returns all that
// there are then.
func WaitDeliveries(t testing.TB, s Server, user string, n int) [][]byte {
	t.Helper()
	var got [][]byte
	err := poll(startTimeout, func() (bool, error) {
		var err error
		got, err = s.Deliveries(user)
		return len(got) >= n, err
	})
	if err != nil {
		t.Fatalf("%s: %d messages for %s, want %d: %v", s.Name(), len(got), user, n, err)
	}
	return got
}

// WaitQueue waits until the queue holds exactly the messages wanted, each given as
// its place ("hold", "deferred"), in any order; none at all means an empty queue. It
// returns them. An empty queue also means that every delivery has been made.
func WaitQueue(t testing.TB, s Server, want ...string) []Queued {
	t.Helper()
	sort.Strings(want)
	var q []Queued
	var got []string
	err := poll(startTimeout, func() (bool, error) {
		var err error
		q, err = s.Queue()
		got = got[:0]
		for _, e := range q {
			got = append(got, e.Where)
		}
		sort.Strings(got)
		return strings.Join(got, " ") == strings.Join(want, " "), err
	})
	if err != nil {
		t.Fatalf("%s: queue %v, want %v: %v", s.Name(), q, want, err)
	}
	return q
}

// poll calls done until it says yes or fails.
func poll(limit time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %v", limit)
		}
	}
}

// newFolder makes a folder that the server's own users can reach, and removes it
// when the test ends.
func newFolder(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rmilter-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A killed child may write until it is gone.
		var err error
		poll(stopTimeout, func() (bool, error) {
			err = os.RemoveAll(dir)
			return err == nil, nil
		})
		if err != nil {
			t.Errorf("%s left files behind: %v", name, err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		fi, err := os.Stat(d)
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm()&0o001 == 0 {
			t.Fatalf("%s is closed to other users; set TMPDIR to a folder that isn't", d)
		}
		if d == filepath.Dir(d) {
			return dir
		}
	}
}

// FreePort finds a TCP port of 127.0.0.1 that nobody uses. It stays below the ports
// that the kernel gives to clients, so none of those takes it in the meantime.
func FreePort() (int, error) {
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, errors.New("no free port")
}

//go:embed conf
var conf embed.FS

// expand returns a file of the configuration with its values filled in.
func expand(name string, values any) (string, error) {
	t, err := template.ParseFS(conf, "conf/"+name)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, values)
	return b.String(), err
}

// defaults returns the options with what "" stands for.
func (o Options) defaults() (Options, error) {
	switch o.DefaultAction {
	case "":
		o.DefaultAction = "accept"
	case "accept", "tempfail":
	default:
		return o, fmt.Errorf("default action %q", o.DefaultAction)
	}
	if o.Milter != "" && !strings.HasPrefix(o.Milter, "inet:") && !strings.HasPrefix(o.Milter, "unix:") {
		return o, fmt.Errorf("milter %q", o.Milter)
	}
	return o, nil
}

// process is a server's master process, leader of a session of its own.
type process struct {
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan struct{} // closed when the master has ended
}

// start starts a master process and waits until it accepts connections on addr.
func start(cmd *exec.Cmd, addr string) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	// The server must not outlive a test binary that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	cmd.WaitDelay = stopTimeout
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	err := poll(startTimeout, func() (bool, error) {
		select {
		case <-p.done:
			return false, fmt.Errorf("ended at once: %v\n%s", cmd.ProcessState, p.out.Bytes())
		default:
		}
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return false, nil
		}
		return true, c.Close()
	})
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// stop ends the master and everything that it started.
func (p *process) stop() error {
	pid := p.cmd.Process.Pid
	p.cmd.Process.Signal(syscall.SIGTERM)
	var err error
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		err = fmt.Errorf("process %d did not stop in %v", pid, stopTimeout)
	}
	// What is left of its session, children at work for example.
	syscall.Kill(-pid, syscall.SIGKILL)
	<-p.done
	return err
}

// files reads the files of a folder whose names begin with prefix, oldest first. A
// folder that isn't there yet is empty.
func files(dir, prefix string) ([][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var infos []os.FileInfo
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		fi, err := e.Info()
		if err != nil {
			return nil, err
		}
		infos = append(infos, fi)
	}
	sort.SliceStable(infos, func(i, j int) bool { return infos[i].ModTime().Before(infos[j].ModTime()) })
	var all [][]byte
	for _, fi := range infos {
		b, err := os.ReadFile(filepath.Join(dir, fi.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// tail returns the last n lines of a log.
func tail(log string, n int) string {
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
