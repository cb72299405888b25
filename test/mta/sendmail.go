package mta

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Sendmail is a Server: sendmail 8, unpacked by test/install.sh. It has no XCLIENT, so
// its clients are always 127.0.0.1.
type Sendmail struct {
	dir  string
	root string // where the package is unpacked
	addr string

	mu  sync.Mutex
	log strings.Builder
}

var _ Server = (*Sendmail)(nil)

// devices are what sendmail and the programs that it starts need of /dev.
var devices = []string{"null", "zero", "random", "urandom"}

// sendmailRoot returns the folder that test/install.sh unpacks sendmail into.
func sendmailRoot() string {
	cache := os.Getenv("RMILTER_TEST_CACHE")
	if cache == "" {
		cache = "/var/cache/rmilter-test"
	}
	return filepath.Join(cache, "sendmail")
}

// StartSendmail starts a sendmail that is stopped when the test ends. It skips the
// test if there is none.
func StartSendmail(t testing.TB, o Options) *Sendmail {
	t.Helper()
	s := &Sendmail{root: sendmailRoot()}
	o, err := o.defaults()
	if err != nil {
		t.Fatal(err)
	}
	Need(t, s.binary(), "m4", "unshare", "hostname", "mount")
	if out, err := exec.Command("unshare", "--uts", "--mount", "true").CombinedOutput(); err != nil {
		miss(t, "sendmail needs a host name of its own: unshare: %v: %s", err, out)
	}
	s.dir = newFolder(t, "sendmail")
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := s.configure(o, port); err != nil {
		t.Fatal(err)
	}
	stopLog, err := s.listenLog()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stopLog)
	// sendmail waits a minute if the host has no domain name, and logs to /dev/log
	// alone: it gets a host name and a /dev of its own.
	script := "hostname mail.example.com\n"
	for _, d := range devices {
		script += fmt.Sprintf("mount --bind /dev/%[1]s \"$0/%[1]s\"\n", d)
	}
	script += "mount --rbind \"$0\" /dev\nexec \"$@\"\n"
	cmd := exec.Command("unshare", "--uts", "--mount", "sh", "-ec", script, s.path("dev"),
		s.binary(), "-C"+s.path("cf", "sendmail.cf"), "-bD", "-q30s", "-X", s.path("transcript"))
	proc, err := start(cmd, s.addr)
	if err != nil {
		t.Fatalf("sendmail: %v\n%s", err, s.Log())
	}
	t.Cleanup(func() {
		if err := proc.stop(); err != nil {
			t.Errorf("sendmail: %v", err)
		}
		if t.Failed() {
			t.Logf("the end of sendmail's log:\n%s", tail(s.Log(), 60))
		}
	})
	return s
}

// Name returns "sendmail".
func (s *Sendmail) Name() string { return "sendmail" }

// Addr returns the address of the SMTP port.
func (s *Sendmail) Addr() string { return s.addr }

func (s *Sendmail) binary() string { return filepath.Join(s.root, "usr/libexec/sendmail/sendmail") }

func (s *Sendmail) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// Deliveries returns what the delivery program got. The messages begin with the
// Return-Path that sendmail adds.
func (s *Sendmail) Deliveries(user string) ([][]byte, error) {
	return files(s.path("mail"), user+".")
}

// Queue reads the queue: "hold" is quarantined mail, "deferred" all other.
func (s *Sendmail) Queue() ([]Queued, error) {
	entries, err := os.ReadDir(s.path("queue"))
	var q []Queued
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, "hf"):
			q = append(q, Queued{Where: "hold", ID: name[2:]})
		case strings.HasPrefix(name, "qf"), strings.HasPrefix(name, "Qf"), strings.HasPrefix(name, "df"):
			// A body without a queue file is a message on its way in. A quarantined
			// one has been counted: "df" < "hf" only by name, so look.
			if name[:2] == "df" && s.hasControl(name[2:]) {
				continue
			}
			q = append(q, Queued{Where: "deferred", ID: name[2:]})
		}
	}
	return q, err
}

// hasControl tells whether the message has a queue file of any kind.
func (s *Sendmail) hasControl(id string) bool {
	for _, kind := range []string{"qf", "Qf", "hf"} {
		if _, err := os.Stat(s.path("queue", kind+id)); err == nil {
			return true
		}
	}
	return false
}

// Held returns the queue file of a quarantined message, which holds the header, and
// its body.
func (s *Sendmail) Held(id string) ([]byte, error) {
	qf, err := os.ReadFile(s.path("queue", "hf"+id))
	if err != nil {
		return nil, err
	}
	body, err := os.ReadFile(s.path("queue", "df"+id))
	return append(qf, body...), err
}

// Log returns what sendmail wrote to syslog.
func (s *Sendmail) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// listenLog makes the folder that becomes /dev and gathers what is logged there.
func (s *Sendmail) listenLog() (stop func(), err error) {
	if err := os.Mkdir(s.path("dev"), 0o755); err != nil {
		return nil, err
	}
	for _, d := range devices {
		if err := os.WriteFile(s.path("dev", d), nil, 0o644); err != nil {
			return nil, err
		}
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path("dev", "log"), Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(s.path("dev", "log"), 0o666); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 16<<10)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			line := strings.TrimRight(string(buf[:n]), "\n\x00")
			s.mu.Lock()
			fmt.Fprintf(&s.log, "%s %s\n", time.Now().Format("15:04:05.000"), line)
			s.mu.Unlock()
		}
	}()
	return func() {
		c.Close()
		<-done
	}, nil
}

// configure writes the configuration, the alias database and the delivery program.
func (s *Sendmail) configure(o Options, port int) error {
	for dir, mode := range map[string]os.FileMode{"cf": 0o755, "queue": 0o700, "mail": 0o777} {
		if err := errors.Join(os.Mkdir(s.path(dir), 0o700), os.Chmod(s.path(dir), mode)); err != nil {
			return err
		}
	}
	v, err := s.values(o, port)
	if err != nil {
		return err
	}
	mc, err := expand("sendmail.mc", v)
	if err != nil {
		return err
	}
	deliver, err := expand("deliver", v)
	if err != nil {
		return err
	}
	err = errors.Join(
		os.WriteFile(s.path("deliver"), []byte(deliver), 0o755),
		os.WriteFile(s.path("cf", "sendmail.mc"), []byte(mc), 0o644),
		os.WriteFile(s.path("statistics"), nil, 0o600),
		os.WriteFile(s.path("cf", "service.switch"), []byte("hosts files\naliases files\n"), 0o644),
		os.WriteFile(s.path("cf", "names"), []byte(Domain+"\n"), 0o644),
		os.WriteFile(s.path("cf", "aliases"), []byte("postmaster: carol\nmailer-daemon: postmaster\n"), 0o644),
	)
	if err != nil {
		return err
	}
	share := filepath.Join(s.root, "usr/share/sendmail/cf") + "/"
	m4 := exec.Command("m4", "-D_CF_DIR_="+share, share+"m4/cf.m4", s.path("cf", "sendmail.mc"))
	cf, err := m4.Output()
	if err != nil {
		return fmt.Errorf("m4: %w", err)
	}
	return os.WriteFile(s.path("cf", "sendmail.cf"), cf, 0o644)
}

// values are what the templates of the configuration ask for.
func (s *Sendmail) values(o Options, port int) (any, error) {
	v := struct {
		Options
		Dir, Domain string
		Port        int
		Tempfail    bool
	}{o, s.dir, Domain, port, o.DefaultAction == "tempfail"}
	if tcp, ok := strings.CutPrefix(o.Milter, "inet:"); ok {
		host, p, err := net.SplitHostPort(tcp)
		if err != nil {
			return nil, err
		}
		v.Milter = "inet:" + p + "@" + host
	}
	return v, nil
}
