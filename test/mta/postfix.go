package mta

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Postfix is a Server. Clients on loopback may take any address with XCLIENT; mail to
// other domains than example.com is accepted from loopback and thrown away.
type Postfix struct {
	dir         string
	addr        string
	originating string
	proc        *process
}

var _ Server = (*Postfix)(nil)

// postfixQueues are the folders of the queue whose files are messages.
var postfixQueues = []string{"maildrop", "incoming", "active", "deferred", "hold"}

// StartPostfix starts a Postfix that is stopped when the test ends. It skips the test
// if there is none.
func StartPostfix(t testing.TB, o Options) *Postfix {
	t.Helper()
	o, err := o.defaults()
	if err != nil {
		t.Fatal(err)
	}
	Need(t, "postfix", "postconf", "/usr/lib/postfix/sbin/master")
	p := &Postfix{dir: newFolder(t, "postfix")}
	ports := [2]int{}
	for i := range ports {
		port, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = port
	}
	p.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	p.originating = net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[1]))
	if err := p.configure(o); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/lib/postfix/sbin/master", "-c", p.path("etc"), "-d")
	cmd.Env = p.env()
	proc, err := start(cmd, p.addr)
	if err != nil {
		check := exec.Command("postfix", "-c", p.path("etc"), "check")
		check.Env = p.env()
		why, _ := check.CombinedOutput() // master tells its faults to syslog alone
		t.Fatalf("postfix: %v\n%s%s", err, why, p.Log())
	}
	p.proc = proc
	t.Cleanup(func() {
		if err := proc.stop(); err != nil {
			t.Errorf("postfix: %v", err)
		}
		if t.Failed() {
			t.Logf("the end of Postfix's log:\n%s", tail(p.Log(), 60))
		}
	})
	return p
}

// Name returns "postfix".
func (p *Postfix) Name() string { return "postfix" }

// Addr returns the address of the port for strangers.
func (p *Postfix) Addr() string { return p.addr }

// Originating returns the address of a second port, whose daemon name for milters is
// ORIGINATING, as a submission port has it.
func (p *Postfix) Originating() string { return p.originating }

// Config returns the directory of main.cf and master.cf.
func (p *Postfix) Config() string { return p.path("etc") }

func (p *Postfix) path(elem ...string) string {
	return filepath.Join(append([]string{p.dir}, elem...)...)
}

func (p *Postfix) env() []string {
	return append(os.Environ(), "MAIL_CONFIG="+p.path("etc"), "LC_ALL=C")
}

// Deliveries returns the messages in the user's maildir. They begin with the
// Return-Path, X-Original-To and Delivered-To that virtual(8) adds.
func (p *Postfix) Deliveries(user string) ([][]byte, error) {
	return files(p.path("vmail", Domain, user, "new"), "")
}

// Queue reads the queue's folders. "incoming" may be a message that is still being
// received.
func (p *Postfix) Queue() ([]Queued, error) {
	var q []Queued
	for _, where := range postfixQueues {
		err := filepath.WalkDir(p.path("queue", where), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // moved on meanwhile
			}
			if err == nil && d.Type().IsRegular() {
				q = append(q, Queued{Where: where, ID: d.Name()})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return q, nil
}

// Held returns header and body of a message in the queue.
func (p *Postfix) Held(id string) ([]byte, error) {
	return p.run(nil, "postcat", "-c", p.path("etc"), "-h", "-b", "-q", id)
}

// Release lets a held message go on.
func (p *Postfix) Release(id string) error {
	if _, err := p.run(nil, "postsuper", "-c", p.path("etc"), "-H", id); err != nil {
		return err
	}
	// The message is in the deferred queue now.
	_, err := p.run(nil, "postqueue", "-c", p.path("etc"), "-i", id)
	return err
}

// Flush makes Postfix try all deferred mail now.
func (p *Postfix) Flush() error {
	_, err := p.run(nil, "postqueue", "-c", p.path("etc"), "-f")
	return err
}

// Sendmail hands a message over as local programs do, by running sendmail(1) with the
// arguments given. It returns when the message is in the queue.
func (p *Postfix) Sendmail(message []byte, args ...string) error {
	args = append([]string{"-C", p.path("etc")}, args...)
	_, err := p.run(message, "/usr/sbin/sendmail", args...)
	return err
}

// run runs one of Postfix's programs on this instance and returns what it prints.
func (p *Postfix) run(stdin []byte, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = p.env()
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", name, err, stderr.Bytes())
	}
	return out, nil
}

// Log returns the mail log.
func (p *Postfix) Log() string {
	b, _ := os.ReadFile(p.path("log", "maillog"))
	return string(b)
}

// configure writes the configuration and makes the folders, which postfix-script would
// do far more slowly.
func (p *Postfix) configure(o Options) error {
	postfix, err := userID("postfix")
	if err != nil {
		return err
	}
	postdrop, err := groupID("postdrop")
	if err != nil {
		return err
	}
	nobody, err := userID("nobody")
	if err != nil {
		return err
	}
	if err := p.folders(postfix, postdrop, nobody); err != nil {
		return err
	}
	var boxes strings.Builder
	for _, u := range append([]string{"alice", "bob", "carol"}, o.Users...) {
		fmt.Fprintf(&boxes, "%s@%s %s/%s/\n", u, Domain, Domain, u)
	}
	mainCf, err := expand("main.cf", p.values(o, nobody))
	if err != nil {
		return err
	}
	masterCf, err := expand("master.cf", p.values(o, nobody))
	if err != nil {
		return err
	}
	// Postfix waits a second or two if it finds a file younger than that.
	past := time.Now().Add(-time.Minute)
	for name, text := range map[string]string{
		"main.cf":   mainCf,
		"master.cf": masterCf,
		"boxes":     boxes.String(),
		"aliases":   "root@example.com carol@example.com\npostmaster@example.com carol@example.com\n",
	} {
		path := p.path("etc", name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chtimes(path, past, past)); err != nil {
			return err
		}
	}
	return nil
}

// folders makes the folders with the owners that Postfix wants.
func (p *Postfix) folders(postfix, postdrop, nobody int) error {
	type folder struct {
		name     string
		uid, gid int
		mode     os.FileMode
	}
	all := []folder{
		{"etc", 0, 0, 0o755}, {"log", 0, 0, 0o755}, {"queue", 0, 0, 0o755}, {"queue/pid", 0, 0, 0o755},
		{"data", postfix, 0, 0o700}, {"vmail", nobody, 0, 0o700}, {"vmail/" + Domain, nobody, 0, 0o700},
		{"queue/maildrop", postfix, postdrop, 0o730}, {"queue/public", postfix, postdrop, 0o710},
		{"queue/private", postfix, 0, 0o700},
	}
	for _, q := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "saved", "trace"} {
		all = append(all, folder{"queue/" + q, postfix, 0, 0o700})
	}
	for _, f := range all {
		err := errors.Join(os.Mkdir(p.path(f.name), 0o700), os.Chown(p.path(f.name), f.uid, f.gid), os.Chmod(p.path(f.name), f.mode))
		if err != nil {
			return err
		}
	}
	return nil
}

// values are what the templates of the configuration ask for.
func (p *Postfix) values(o Options, uid int) any {
	return struct {
		Options
		Dir, Domain, Addr, Originating string
		UID                            int
	}{o, p.dir, Domain, p.addr, p.originating, uid}
}

func userID(name string) (int, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Uid)
}

func groupID(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}
