package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is rmilter itself where a test starts this program as a daemon.
func TestMain(m *testing.M) {
	if os.Getenv("RMILTER_TEST_MAIN") != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestLogReaderGone has the reader of stderr end, as when a logger restarts: the daemon
// must go on, and end well when it is told to.
func TestLogReaderGone(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "rmilter.conf")
	socket := filepath.Join(dir, "milter.sock")
	text := fmt.Sprintf("bind_socket = \"unix:%s\";\ncontrol_socket = \"\";\ndns { nameserver = \"127.0.0.1:9\"; }\nworker \"controller\" { bind_socket = \"127.0.0.1:0\"; } worker \"normal\" { bind_socket = []; }\ndata_dir = %q;\nlog = stderr;\n", socket, dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-c", conf)
	cmd.Env = append(os.Environ(), "RMILTER_TEST_MAIN=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watch := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer watch.Stop()
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "started") {
	}
	stderr.Close()
	for range 5 {
		// Each is logged.
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatalf("the daemon is gone: %v", err)
		}
		c.Write([]byte("\x00\x00\x00\x00"))
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		c.Read(make([]byte, 1)) // until it is closed, which is logged too
		c.Close()
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the daemon ended with %v, want 0", err)
	}
}
