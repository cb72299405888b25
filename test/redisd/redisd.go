// Package redisd runs real Redis servers for tests: single ones, sets with sentinels and
// clusters, on free ports of the loopback, each in a folder of its own, and does to them
// what happens to servers.
//
// Servers end with the test that started them, or with its process. Where Redis isn't
// installed the test is skipped; with CI=true in the environment it fails. A Server is
// for one goroutine.
package redisd

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a server may take for anything that a test waits for.
const Patience = 30 * time.Second

// Options say how a server is started. The zero Options are a plain one that keeps
// nothing on disk.
type Options struct {
	Args     []string // further arguments, such as "--databases", "2"
	Password string   // of the default user; "" is none
	TLS      bool     // TLS alone, with a certificate that File("ca.pem") proves
	Clients  bool     // with TLS: clients need a certificate, too: client.pem and client.key
	Unix     bool     // a Unix socket alone
}

// A Server is one redis-server or redis-sentinel.
type Server struct {
	// Host and Port are where it listens, Path is its Unix socket when it has one instead.
	Host string
	Port int
	Path string

	t        testing.TB
	name     string // of the program
	dir      string
	args     []string
	options  Options
	password string // that the tools of this package use
	cmd      *exec.Cmd
	ended    chan struct{}
}

// Single starts one server.
func Single(t testing.TB, o Options) *Server {
	t.Helper()
	return start(t, "redis-server", o, nil)
}

// Several starts n servers that know nothing of each other.
func Several(t testing.TB, n int, o Options) []*Server {
	t.Helper()
	all := make([]*Server, n)
	for i := range all {
		all[i] = Single(t, o)
	}
	return all
}

// start starts a server on a free port. With conf it is a sentinel, whose file is what
// conf returns.
func start(t testing.TB, name string, o Options, conf []string) *Server {
	t.Helper()
	need(t, name)
	s := &Server{t: t, name: name, dir: t.TempDir(), options: o, password: o.Password, Host: "127.0.0.1"}
	if o.TLS {
		s.certificates()
	}
	if conf != nil {
		s.write("sentinel.conf", strings.Join(conf, "\n")+"\n")
	}
	t.Cleanup(s.end)
	for try := 0; ; try++ {
		s.Port = freePort(t)
		s.arguments()
		err := s.run(true)
		if err == nil {
			return s
		}
		if try == 5 {
			t.Fatalf("%s doesn't start: %v", name, err)
		}
	}
}

// need skips or fails the test when a program isn't there.
func need(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v; test/install.sh installs it", err)
		}
		t.Skipf("%v; test/install.sh installs it", err)
	}
}

// freePort returns a port that was free now, below those that the system gives to
// connections by itself.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 12000 + rand.IntN(20000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// arguments sets the command line.
func (s *Server) arguments() {
	var args []string
	if s.name == "redis-sentinel" {
		args = append(args, s.File("sentinel.conf"))
	}
	port := strconv.Itoa(s.Port)
	args = append(args, "--bind", s.Host, "--dir", s.dir, "--daemonize", "no", "--loglevel", "notice")
	switch {
	case s.options.Unix:
		if s.Path == "" {
			folder, err := os.MkdirTemp("", "redisd") // a socket's path must be short
			if err != nil {
				s.t.Fatal(err)
			}
			s.t.Cleanup(func() { os.RemoveAll(folder) })
			s.Path = filepath.Join(folder, "redis.sock")
		}
		args = append(args, "--port", "0", "--unixsocket", s.Path, "--unixsocketperm", "700")
	case s.options.TLS:
		clients := "no"
		if s.options.Clients {
			clients = "yes"
		}
		args = append(args, "--port", "0", "--tls-port", port, "--tls-auth-clients", clients, "--tls-replication", "yes",
			"--tls-cert-file", s.File("server.pem"), "--tls-key-file", s.File("server.key"), "--tls-ca-cert-file", s.File("ca.pem"))
	default:
		args = append(args, "--port", port)
	}
	if s.name == "redis-server" {
		args = append(args, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0")
		if s.options.Password != "" {
			args = append(args, "--requirepass", s.options.Password, "--masterauth", s.options.Password)
		}
	}
	s.args = append(args, s.options.Args...)
}

// run starts the process and waits until it answers, and with ready until it has read
// its file.
func (s *Server) run(ready bool) error {
	log, err := os.OpenFile(s.File("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(s.name, s.args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		cmd.Wait()
		close(ended)
	}(s.cmd, s.ended)
	if s.poll(func() bool { return s.answers(ready) }) {
		return nil
	}
	s.end()
	return fmt.Errorf("no answer; its log ends in:\n%s", s.log())
}

// poll waits until a condition holds; false means that it never did, or that the server
// ended.
func (s *Server) poll(holds func() bool) bool {
	late := time.After(Patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-s.ended:
			return false
		case <-late:
			return false
		}
	}
	return true
}

// Await waits until a condition holds, of which what says "never ...", and fails the test
// when it never does or the server ends.
func (s *Server) Await(what string, holds func() bool) {
	s.t.Helper()
	if !s.poll(holds) {
		s.t.Fatalf("%s on port %d: never %s; its log ends in:\n%s", s.name, s.Port, what, s.log())
	}
}

// answers tells whether somebody answers at all, be it with an error, and with ready not
// while he reads his file.
func (s *Server) answers(ready bool) bool {
	network, address := "tcp", s.Address()
	if s.Path != "" {
		network = "unix"
	}
	c, err := net.DialTimeout(network, address, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	if s.options.TLS {
		return true
	}
	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		return false
	}
	answer := make([]byte, 64)
	n, _ := c.Read(answer)
	return n > 0 && !(ready && bytes.HasPrefix(answer[:n], []byte("-LOADING")))
}

// Address returns HOST:PORT or the path of the socket.
func (s *Server) Address() string {
	if s.Path != "" {
		return s.Path
	}
	return net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
}

// File returns the path of a file in the server's folder.
func (s *Server) File(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) write(name, text string) {
	if err := os.WriteFile(s.File(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// log returns the end of the server's log.
func (s *Server) log() string {
	text, _ := os.ReadFile(s.File("log"))
	return string(text[max(0, len(text)-2000):])
}

// Try runs redis-cli and returns what it printed. An error's text is part of it.
func (s *Server) Try(args ...string) (string, error) {
	var own []string
	switch {
	case s.Path != "":
		own = []string{"-s", s.Path}
	case s.options.TLS:
		own = []string{"-h", s.Host, "-p", strconv.Itoa(s.Port), "--tls", "--cacert", s.File("ca.pem"), "--cert", s.File("client.pem"), "--key", s.File("client.key")}
	default:
		own = []string{"-h", s.Host, "-p", strconv.Itoa(s.Port)}
	}
	cmd := exec.Command("redis-cli", append(append(own, "-e"), args...)...)
	if s.password != "" {
		cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+s.password)
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimRight(string(out), "\n"), err
}

// CLI is Try for what must not fail.
func (s *Server) CLI(args ...string) string {
	s.t.Helper()
	need(s.t, "redis-cli")
	out, err := s.Try(args...)
	if err != nil {
		s.t.Fatalf("redis-cli %q: %v: %s", args, err, out)
	}
	return out
}
