package state

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rmilter/internal/metrics"
	"rmilter/milter/miltertest"

	"rmilter/test/e2e"
)

// An applicant is somebody unknown who sends doubtful mail until it passes.
type applicant struct {
	to    string
	tried time.Time
	id    string // of the message that passed
}

// A school is a load of applicants on a daemon that is killed now and then. Its clients
// stop when their connection breaks.
type school struct {
	t      *testing.T
	d      *daemon
	serial int // of rounds

	mu     sync.Mutex
	passed []applicant // those who were told that their message is accepted
}

// waiting is for how long an applicant has to wait.
const waiting = 300 * time.Millisecond

// round has clients send until enough applicants have passed, and kills the daemon in the
// middle of it. It returns who has passed for certain, as the log says that it was after
// greylisting.
func (s *school) round(clients, enough int) []applicant {
	s.t.Helper()
	s.serial++
	s.passed = nil
	var running sync.WaitGroup
	for n := range clients {
		running.Go(func() { s.client(n) })
	}
	if !e2e.Eventually(func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.passed) >= enough }) {
		s.t.Error("the load has come to a stand")
	}
	if err := s.d.Kill(); err != nil {
		s.t.Fatal(err)
	}
	running.Wait()
	var certain []applicant
	accounts := s.d.accounts()
	for _, a := range s.passed {
		if accounts[a.id].grey != "" && accounts[a.id].grey != "nostore" && accounts[a.id].flags == "-" {
			certain = append(certain, a)
		}
	}
	return certain
}

// client sends for applicants until its connection breaks.
func (s *school) client(n int) {
	c, err := openSession(s.d.Addr(0).String(), fmt.Sprintf("203.0.113.%d", n+1))
	if err != nil {
		return
	}
	defer c.Close()
	var queue []applicant
	for m := 0; ; m++ {
		var a applicant
		if len(queue) > 0 && time.Since(queue[0].tried) > waiting+waiting/2 {
			a, queue = queue[0], queue[1:]
		} else {
			a = applicant{to: fmt.Sprintf("box-%d-%d-%d@example.com", s.serial, n, m), tried: time.Now()}
		}
		a.id = fmt.Sprintf("%d-%d-%d@sender.example", s.serial, n, m)
		deferred, err := deliver(c, applies(a))
		switch {
		case err != nil:
			return
		case deferred:
			queue = append(queue, a)
		default:
			s.mu.Lock()
			s.passed = append(s.passed, a)
			s.mu.Unlock()
		}
	}
}

// applies returns the message of an applicant.
func applies(a applicant) envelope {
	return envelope{id: a.id, from: "joe@sender.example", to: a.to, subject: "doubtful application"}
}

// remembered wants those who have passed to pass at once.
func (s *school) remembered(c *miltertest.Conn, passed []applicant) {
	s.t.Helper()
	for i, a := range passed {
		a.id = fmt.Sprintf("again-%d-%d@sender.example", s.serial, i)
		deferred, err := deliver(c, applies(a))
		if err != nil {
			s.t.Fatal(err)
		}
		if deferred {
			s.t.Errorf("round %d: %s was accepted before the daemon was killed, and has to come again after it", s.serial, a.to)
		}
	}
}

// TestEmbeddedKilled kills the daemon under load again and again: what it has promised to
// remember it does.
func TestEmbeddedKilled(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	d := startDaemon(t, data, doubtful+fmt.Sprintf("greylisting { timeout = %dms; warmup = 0s; }\nlimits { limit_to = \"1000000 / 1h\"; }\n", waiting.Milliseconds()))
	s := &school{t: t, d: d}
	var all []applicant
	for range counted(2, 50) {
		certain := s.round(8, 100)
		if len(certain) < 50 {
			t.Fatalf("only %d applicants have passed for certain", len(certain))
		}
		d.begin()
		c, err := openSession(d.Addr(0).String(), "203.0.113.200")
		if err != nil {
			t.Fatal(err)
		}
		if deferred, err := deliver(c, applies(applicant{id: fmt.Sprintf("new-%d@sender.example", s.serial), to: fmt.Sprintf("new-%d@example.com", s.serial)})); err != nil || !deferred {
			t.Fatalf("round %d: somebody new isn't deferred: %v", s.serial, err)
		}
		s.remembered(c, certain)
		c.Close()
		all = append(all, certain...)
		if t.Failed() {
			t.Fatalf("so much for round %d", s.serial)
		}
	}
	s.serial++
	c, err := openSession(d.Addr(0).String(), "203.0.113.200")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.remembered(c, all)
	t.Logf("killed %d times; %d have passed and are all remembered", s.serial-1, len(all))
	t.Run("second process", func(t *testing.T) { refused(t, d, data) })
}

// refused starts a second daemon on the data of the first.
func refused(t *testing.T, d *daemon, data string) {
	path := filepath.Join(t.TempDir(), "rmilter.conf")
	text := fmt.Sprintf("log = stderr;\nbind_socket = inet:0@127.0.0.1;\ncontrol_socket = %q;\ndns { nameserver = \"127.0.0.1:9\"; }\nrbl { enabled = no; } surbl { enabled = no; }\nworker \"controller\" { bind_socket = []; }\nworker \"normal\" { bind_socket = []; }\n",
		filepath.Join(filepath.Dir(path), "control.sock"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(os.Getenv(e2e.BinaryEnv), "-c", path, "-data-dir", data).CombinedOutput()
	want := fmt.Sprintf("is in use by process %d", d.Pid())
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 69 || !strings.Contains(string(out), want) {
		t.Errorf("a second process: got %v and %q, want exit code 69 and %q", err, out, want)
	}
	if d.status().State != metrics.OK {
		t.Error("the first one isn't well")
	}
}

// need skips the test, or fails it with CI=true.
func need(t *testing.T, ok bool, why string) {
	t.Helper()
	switch {
	case ok:
	case os.Getenv("CI") == "true":
		t.Fatal(why)
	default:
		t.Skip(why)
	}
}

// smallDisk returns a folder that is a disk of so many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	need(t, os.Geteuid() == 0, "a disk of the test's own needs root")
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size)); err != nil {
		need(t, false, fmt.Sprintf("no disk of the test's own: %v", err))
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill takes all room of a disk but what is to be left, and returns what gives it back.
func fill(t *testing.T, dir string, left int64) (drain func()) {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, fs.Bsize)
	for n := int64(fs.Bavail)*fs.Bsize - left; n > 0; n -= fs.Bsize {
		if _, err := f.Write(block); err != nil {
			break // full to the last block
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskFull takes the room of the disk on which the daemon keeps its state: nearly all,
// and all of it.
func TestDiskFull(t *testing.T) {
	disk := smallDisk(t, 256<<20)
	d := startDaemon(t, filepath.Join(disk, "data"), doubtful+fmt.Sprintf("greylisting { warmup = %s; }\nlimits { limit_to = \"1000000 / 1h\"; }\n", warmup))
	x := &drill{t: t, d: d, load: newLoad(t, d.Addr(0).String(), counted(6, 8)), messages: counted(120, 1000)}
	x.begin()
	x.quiet()
	for name, left := range map[string]int64{"nearly full": 16 << 20, "full": 0} {
		var drain func()
		x.outage(name, func() { drain = fill(t, disk, left) }, func() { drain() })
	}
}
