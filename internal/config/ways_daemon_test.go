package config

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// buildPrograms builds the daemon and its tool and returns the folder that they are in.
func buildPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir+"/", "rmilter/cmd/rmilter", "rmilter/cmd/rmilterctl")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the programs do not build: %v\n%s", err, out)
	}
	return dir
}

// TestWaysDaemon starts the daemon itself with files as people write them, their paths
// below a folder of the test and their ports free ones, and speaks to it as an MTA
// does where the file says that it listens.
func TestWaysDaemon(t *testing.T) {
	programs := buildPrograms(t)
	started := 0
	for _, c := range readCases(t, "testdata/ways", 40) {
		switch c.name {
		case "stock", "debian", "debian-sysvinit", "rpm", "freebsd", "everything", "quickstart", "mailcow", "rmilter16",
			"json", "windows", "one-line", "lists-empty", "sockets-daemon":
		default:
			continue
		}
		started++
		t.Run(c.name, func(t *testing.T) {
			main := moveCase(t, &c)
			daemon := startWay(t, filepath.Join(programs, "rmilter"), main)
			if len(daemon.milters) == 0 {
				t.Fatalf("the daemon listens nowhere:\n%s", daemon.log)
			}
			t.Logf("listening at %s", strings.Join(daemon.milters, ", "))
			for _, address := range daemon.milters {
				negotiate(t, address)
			}
		})
	}
	if started != 14 {
		t.Errorf("%d daemons were started, want 14", started)
	}
}

// moveCase writes the files of a case below a folder of the test, changed so that they
// can be used there, and returns the path of the main one.
func moveCase(t *testing.T, c *testCase) string {
	t.Helper()
	// Short, since the path of a socket may have a hundred bytes only.
	dir, err := os.MkdirTemp("/tmp", "way")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	paths := regexp.MustCompile(`/(?:etc|usr|run|tmp|var)/[\w./*-]+|(tempdir\s*=\s*"?|"tempdir"\s*:\s*")/[\w/]+`)
	ports := regexp.MustCompile(`inet:\d+(@[\w.]+)?`)
	hosts := regexp.MustCompile(`"(\*|localhost|127\.0\.0\.1):1133[34]"`)
	for i := range c.files {
		f := &c.files[i]
		f.text = paths.ReplaceAllStringFunc(f.text, func(path string) string {
			before := path[:strings.IndexByte(path, '/')]
			return before + dir + path[len(before):]
		})
		f.text = ports.ReplaceAllString(f.text, "inet:0@127.0.0.1")
		f.text = hosts.ReplaceAllString(f.text, `"127.0.0.1:0"`)
	}
	for _, folder := range []string{"tmp", "run/rmilter", "var/run/rmilter", "var/tmp", "var/spool", "var/lib", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.write(t, dir)
	main := filepath.Join(dir, c.files[0].name)
	all := ""
	for _, f := range c.files {
		all += f.text
	}
	own := "control_socket = \"" + dir + "/run/control.sock\"; log = stderr; data_dir = \"" + dir + "/var/lib/rmilter\";\n" +
		"dns { nameserver = \"127.0.0.1:9\"; }\n" // none of the machine's
	if !strings.Contains(all, "bind_socket") {
		own += "bind_socket = inet:0@127.0.0.1;\n"
	}
	if !strings.Contains(all, "worker") {
		own += "worker \"controller\" { bind_socket = \"127.0.0.1:0\"; }\n"
	}
	if err := os.WriteFile(main+".local.override", []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	return main
}

// A wayDaemon is a running daemon.
type wayDaemon struct {
	milters []string // addresses where it waits for the MTA, as in its log
	log     string   // what it wrote until it was ready
}

// startWay starts the daemon and waits until it is ready. At the end of the test it is
// stopped and must exit 0.
func startWay(t *testing.T, program, conf string) wayDaemon {
	t.Helper()
	cmd := exec.Command(program, "-c", conf)
	cmd.ExtraFiles = []*os.File{inherited(t)}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watch := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	var d wayDaemon
	var log strings.Builder
	address := regexp.MustCompile(`listening service=milter address=(?:"fd:3 )?([^\s"]+)`)
	lines := bufio.NewScanner(stderr)
	ready := false
	for !ready && lines.Scan() {
		log.WriteString(lines.Text() + "\n")
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			d.milters = append(d.milters, m[1])
		}
		ready = strings.Contains(lines.Text(), "started version=")
	}
	d.log = log.String()
	drained := make(chan struct{})
	go func() { io.Copy(io.Discard, stderr); close(drained) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-drained
		if err := cmd.Wait(); err != nil {
			t.Errorf("the daemon ended with %v, want 0\n%s", err, d.log)
		}
		watch.Stop()
	})
	if !ready {
		t.Fatalf("the daemon did not start:\n%s", d.log)
	}
	return d
}

// inherited returns an open socket as a supervisor passes it: the daemon's fd:3.
func inherited(t *testing.T) *os.File {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close(); f.Close() })
	return f
}

// negotiate connects as an MTA does and offers version 6 of the milter protocol.
func negotiate(t *testing.T, address string) {
	t.Helper()
	network, where := "unix", strings.TrimPrefix(address, "unix:")
	if port, host, ok := strings.Cut(strings.TrimPrefix(address, "inet:"), "@"); ok && where == address {
		network, where = "tcp", net.JoinHostPort(host, port)
	}
	c, err := net.DialTimeout(network, where, 10*time.Second)
	if err != nil {
		t.Errorf("nobody listens on %s: %v", address, err)
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	offer := []byte{0, 0, 0, 13, 'O', 0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0x1f, 0xff, 0xff}
	if _, err := c.Write(offer); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 9)
	if _, err := io.ReadFull(c, answer); err != nil || answer[4] != 'O' || binary.BigEndian.Uint32(answer[5:]) != 6 {
		t.Errorf("%s answers the offer with %x, error %v; want version 6", address, answer, err)
	}
}
