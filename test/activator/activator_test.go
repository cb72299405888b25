package activator_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rmilter/test/activator"
)

// The test binary is also the daemon that is supervised.
func TestMain(m *testing.M) {
	if how := os.Getenv("ACTIVATOR_TEST_DAEMON"); how != "" {
		os.Exit(daemon(how))
	}
	os.Exit(m.Run())
}

// daemon answers each connection to its first socket with its process id and the
// socket's name.
func daemon(how string) int {
	say := func(lines string) {
		c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
		if err == nil {
			fmt.Fprint(c, lines)
			c.Close()
		}
	}
	fmt.Println("daemon begins")
	sig := make(chan os.Signal, 8)
	signal.Notify(sig, syscall.SIGTERM, syscall.SIGHUP)
	if how == "dies" {
		return 3
	}
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		fmt.Println("LISTEN_PID", os.Getenv("LISTEN_PID"))
		return 4
	}
	n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	for i, name := range strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")[:n] {
		f := os.NewFile(uintptr(3+i), name)
		if strings.HasPrefix(name, "kept-") {
			fmt.Fprintf(f, "%d again", os.Getpid())
			f.Close()
			say("FDSTOREREMOVE=1\nFDNAME=" + name)
			continue
		}
		l, err := net.FileListener(f)
		if err != nil {
			fmt.Println(err)
			return 5
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				fmt.Fprintf(c, "%d %s", os.Getpid(), name)
				if how == "stores" {
					if err := store(c.(interface{ File() (*os.File, error) }), "kept-"+name); err != nil {
						fmt.Println(err)
					}
				}
				c.Close()
			}
		}()
	}
	say("STATUS=watchdog " + os.Getenv("WATCHDOG_USEC") + "\nREADY=1\n")
	for s := range sig {
		if s == syscall.SIGTERM {
			break
		}
		say("RELOADING=1")
		say("READY=1")
	}
	if how == "fails" {
		return 1
	}
	return 0
}

// store gives a connection into the supervisor's keeping, and waits until it has it.
func store(c interface{ File() (*os.File, error) }, name string) error {
	f, err := c.File()
	if err != nil {
		return err
	}
	defer f.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	// Package net sends descriptors over unconnected datagram sockets only.
	u, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		return err
	}
	defer u.Close()
	manager := &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"}
	_, _, err = u.WriteMsgUnix([]byte("FDSTORE=1\nFDNAME="+name), syscall.UnixRights(int(f.Fd())), manager)
	if err != nil {
		return err
	}
	_, _, err = u.WriteMsgUnix([]byte("BARRIER=1"), syscall.UnixRights(int(w.Fd())), manager)
	w.Close()
	if err != nil {
		return err
	}
	_, err = io.ReadAll(r) // ends when the supervisor closes its copy of w
	return err
}

// ask connects to a socket of the supervisor and returns what the daemon says.
func ask(a net.Addr) (string, error) {
	c, err := net.DialTimeout(a.Network(), a.String(), time.Minute)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	b, err := io.ReadAll(c)
	return string(b), err
}

func newSupervisor(t *testing.T, how string) (*activator.Supervisor, *bytes.Buffer) {
	t.Helper()
	out := new(bytes.Buffer)
	s, err := activator.New(activator.Config{
		Command: []string{os.Args[0], "an argument", "$another"},
		// The race detector would make every end last a second.
		Env: []string{"ACTIVATOR_TEST_DAEMON=" + how, "GORACE=atexit_sleep_ms=0"},
		Sockets: []activator.Socket{
			{Name: "one", Network: "tcp", Address: "127.0.0.1:0"},
			{Name: "two", Network: "unix", Address: filepath.Join(t.TempDir(), "s")},
		},
		Watchdog: 7 * time.Second,
		Output:   out,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, out
}

func TestRestartKeepsConnectionsWaiting(t *testing.T) {
	s, _ := newSupervisor(t, "works")
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Last("STATUS"), "watchdog 7000000"; got != want {
		t.Errorf("status %q, want %q", got, want)
	}
	for i, name := range []string{"one", "two"} {
		got, err := ask(s.Addr(i))
		if want := fmt.Sprint(s.Pid(), " ", name); got != want || err != nil {
			t.Errorf("socket %d: %q, %v; want %q", i, got, err, want)
		}
	}
	pid := s.Pid()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	answers := make(chan string, 10)
	for range cap(answers) {
		wg.Go(func() {
			got, err := ask(s.Addr(0))
			answers <- fmt.Sprint(got, err)
		})
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if s.Pid() == pid {
		t.Error("the daemon has its old process id")
	}
	close(answers)
	for got := range answers {
		if want := fmt.Sprint(s.Pid(), " one", "<nil>"); got != want {
			t.Errorf("a connection made while the daemon was away: %q, want %q", got, want)
		}
	}
	if err := s.Restart(); err != nil {
		t.Error(err)
	}
}

func TestKillAndReload(t *testing.T) {
	s, out := newSupervisor(t, "works")
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil {
		t.Error(err)
	}
	if got := s.Said("RELOADING=1"); got != 1 {
		t.Errorf("RELOADING=1 came %d times, want once", got)
	}
	if err := s.Kill(); err != nil {
		t.Error(err)
	}
	if err := s.Stop(); err == nil {
		t.Error("stopping a daemon that was killed is no error")
	}
	if err := s.Start(); err != nil {
		t.Error(err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if got := strings.Count(out.String(), "daemon begins\n"); got != 2 {
		t.Errorf("output of %d runs, want 2:\n%s", got, out)
	}
}

func TestStoredDescriptors(t *testing.T) {
	s, _ := newSupervisor(t, "stores")
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	first := s.Pid()
	c, err := net.Dial("tcp", s.Addr(0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := s.WaitSaid("BARRIER=1", 1); err != nil {
		t.Fatal(err)
	}
	if got := s.Stored(); got != 1 {
		t.Errorf("%d descriptors are stored, want 1", got)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitSaid("FDSTOREREMOVE=1", 1); err != nil {
		t.Fatal(err)
	}
	if got := s.Stored(); got != 0 {
		t.Errorf("%d descriptors are stored after the removal, want none", got)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	got, err := io.ReadAll(c)
	if want := fmt.Sprintf("%d one%d again", first, s.Pid()); string(got) != want || err != nil {
		t.Errorf("the connection that outlived its process got %q, %v; want %q", got, err, want)
	}
}

func TestFaultsAreTold(t *testing.T) {
	s, _ := newSupervisor(t, "dies")
	if err := s.Start(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v, want exit status 3", err)
	}
	s, _ = newSupervisor(t, "fails")
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("got %v, want exit status 1", err)
	}
}
