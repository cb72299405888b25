package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rmilter/test/mta"
)

// A tool is the program rmilterctl with a place for files.
type tool struct {
	t      *testing.T
	dir    string // open to all users
	binary string
	n      int // files made
}

// newTool builds rmilterctl where every user may run it.
func newTool(t *testing.T) *tool {
	t.Helper()
	dir, err := os.MkdirTemp("", "rmilter-tool-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := &tool{t: t, dir: dir, binary: filepath.Join(dir, "rmilterctl")}
	cmd := exec.Command("go", "build", "-o", c.binary, "rmilter/cmd/rmilterctl")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("rmilterctl does not build: %v\n%s", err, out)
	}
	return c
}

// config writes a configuration of rmilter.
func (c *tool) config(text string) string {
	c.t.Helper()
	c.n++
	path := filepath.Join(c.dir, fmt.Sprintf("rmilter%d.conf", c.n))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// variant copies the configuration of a Postfix and adds lines to it.
func (c *tool) variant(etc, mainCf, masterCf string) string {
	c.t.Helper()
	c.n++
	dir := filepath.Join(c.dir, fmt.Sprintf("etc%d", c.n))
	if err := os.Mkdir(dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
	// Postfix waits a second or two if it finds a file younger than that.
	past := time.Now().Add(-time.Minute)
	for name, more := range map[string]string{"main.cf": mainCf, "master.cf": masterCf} {
		b, err := os.ReadFile(filepath.Join(etc, name))
		if err != nil {
			c.t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, append(b, more...), 0o644), os.Chtimes(path, past, past)); err != nil {
			c.t.Fatal(err)
		}
	}
	return dir
}

// A configtested is what configtest --json printed.
type configtested struct {
	Success      bool
	Faults       []string
	Warnings     []string
	PostfixError string `json:"postfix_error"`
	Postfix      struct {
		Version  string
		Services []struct{ Service, Role, Milter string }
		Findings []struct{ Severity, ID, Text, Effect, File, Line string }
	}
}

// ids lists severity and id of the findings.
func (r configtested) ids() []string {
	list := []string{}
	for _, f := range r.Postfix.Findings {
		list = append(list, f.Severity+" "+f.ID)
	}
	return list
}

// run runs configtest as a user and returns its answer and exit code.
func (c *tool) run(as *syscall.Credential, args ...string) (configtested, int) {
	c.t.Helper()
	cmd := exec.Command(c.binary, append([]string{"configtest", "--json"}, args...)...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	var r configtested
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		c.t.Fatalf("%v: %v\n%s%s", args, err, stdout.Bytes(), stderr.Bytes())
	}
	if stderr.Len() > 0 {
		c.t.Errorf("%v: stderr: %s", args, stderr.Bytes())
	}
	return r, cmd.ProcessState.ExitCode()
}

// ordinary returns the user nobody.
func ordinary(t *testing.T) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// TestConfigtest asks a real Postfix about itself, as it runs and with what people do
// to its configuration.
func TestConfigtest(t *testing.T) {
	mta.Need(t, "postfix", "postconf")
	port, err := mta.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	p := mta.StartPostfix(t, mta.Options{Milter: fmt.Sprintf("inet:127.0.0.1:%d", port), Local: true})
	etc := p.Config()
	c := newTool(t)
	conf := fmt.Sprintf("bind_socket = inet:%d@127.0.0.1;\nhostname = mail.example.com;\nmax_size = 50M;\n", port)
	// As the daemon's folder is: of nobody else's business.
	data := filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(filepath.Join(data, "lists"), 0o700); err != nil {
		t.Fatal(err)
	}
	fine := c.config(conf + "data_dir = \"" + data + "\";\n")

	for name, as := range map[string]*syscall.Credential{"root": nil, "an ordinary user": ordinary(t)} {
		r, code := c.run(as, "-c", fine, "--postfix", etc, "--strict")
		if code != 0 || !r.Success || len(r.ids()) > 0 {
			t.Errorf("as %s: got code %d and %+v, want 0 and no finding", name, code, r)
		}
		var asking int
		for _, s := range r.Postfix.Services {
			if s.Milter == fmt.Sprintf("inet:127.0.0.1:%d", port) {
				asking++
			}
		}
		if asking != 3 || r.Postfix.Version == "" {
			t.Errorf("as %s: got %+v, want two services and local mail that ask rmilter", name, r.Postfix)
		}
	}

	for _, tt := range []struct {
		name, main, master, conf string
		code                     int // with --strict
		want                     []string
	}{
		{"short times", "milter_content_timeout = 5s\nmilter_command_timeout = 1s\n", "", "", 2, []string{"warning content-timeout", "warning command-timeout"}},
		{"times of one milter", fmt.Sprintf("smtpd_milters = { inet:127.0.0.1:%d, content_timeout = 5s }\n", port), "", "", 2, []string{"warning content-timeout"}},
		{"a network that is missing", "mynetworks = 127.0.0.0/8 192.0.2.0/24\n", "", "", 2, []string{"warning networks-missing"}},
		{"a network too many", "", "", "our_networks += 203.0.113.0/24;\n", 2, []string{"warning networks-wider"}},
		{"mynetworks in a table", "mynetworks = 127.0.0.0/8 cidr:/etc/postfix/networks\n", "", "", 0, []string{"note networks-unknown"}},
		{"mynetworks empty", "mynetworks =\n", "", "", 0, []string{}},
		{"a wrong daemon name", "", "", "originating_daemons = SUBMIT;\n", 2, []string{"warning daemon-name"}},
		{"port 25 is ours", "", "25 inet n - n - - smtpd -o milter_macro_daemon_name=ORIGINATING\n", "", 2, []string{"warning daemon-name-public"}},
		{"port 25 without milters", "", "25 inet n - n - - smtpd\n  -o { smtpd_milters = }\n", "", 2, []string{"warning not-asked"}},
		{"re-injection", "content_filter = smtp:[127.0.0.1]:10024\n", "127.0.0.1:10025 inet n - n - - smtpd -o smtpd_milters= -o content_filter=\n", "", 2, []string{"note not-asked", "warning reinjection"}},
		{"not connected", "smtpd_milters =\n", "", "", 2, []string{"warning not-connected"}},
		{"other port", "smtpd_milters = inet:127.0.0.1:9, inet:localhost:8891\n", "", "", 2, []string{"warning not-connected"}},
		{"other family", fmt.Sprintf("smtpd_milters = inet:[::1]:%d\n", port), "", "", 2, []string{"warning address"}},
		{"by a parameter of one's own", fmt.Sprintf("our_milters = inet:127.0.0.1:%d\nsmtpd_milters = $our_milters\n", port), "25 inet n - n - - smtpd -o smtpd_milters=$our_milters\n", "", 0, []string{}},
		{"old helpers", "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, check_policy_service inet:127.0.0.1:10023\n", "", "", 0, []string{"note policy-service"}},
		{"an old protocol", "milter_protocol = 2\n", "", "", 2, []string{"warning protocol"}},
		{"a typing error", "smtpd_milter = inet:localhost:8891\n", "", "", 0, []string{"note unused"}},
		{"large messages", "message_size_limit = 0\n", "", "", 0, []string{"note size"}},
	} {
		r, code := c.run(nil, "-c", c.config(conf+tt.conf), "--postfix", c.variant(etc, tt.main, tt.master), "--strict")
		if got := r.ids(); code != tt.code || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got code %d, %q, want %d, %q: %+v", tt.name, code, got, tt.code, tt.want, r.Postfix.Findings)
		}
	}

	example, err := filepath.Abs("../rmilter.conf.example")
	if err != nil {
		t.Fatal(err)
	}
	r, code := c.run(nil, "-c", example, "--postfix", c.variant(etc, "smtpd_milters = inet:127.0.0.1:9900\n", ""), "--strict")
	if code != 0 || len(r.Postfix.Services) == 0 {
		t.Errorf("the example: got code %d, %q, want 0 and no warning: %+v", code, r.Warnings, r.Postfix)
	}
	r, code = c.run(nil, "-c", fine, "--postfix", c.dir)
	if code != 0 || !strings.Contains(r.PostfixError, "main.cf") {
		t.Errorf("no main.cf: got code %d, %q, want 0 and the reason", code, r.PostfixError)
	}
	r, code = c.run(nil, "-c", c.config("max_size = lots;\n"), "--postfix", etc)
	if code != 1 || r.Success || len(r.Faults) != 1 || r.Postfix.Version != "" {
		t.Errorf("a fault: got code %d, %+v, want 1, the fault and no word of Postfix", code, r)
	}
	testUnixSocket(c, etc)
}

// testUnixSocket looks at rights: user postfix has to open the socket.
func testUnixSocket(c *tool, etc string) {
	c.t.Helper()
	path := filepath.Join(c.dir, "milter.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer l.Close()
	conf := c.config(fmt.Sprintf("bind_socket = \"unix:%s\";\nhostname = mail.example.com;\nmax_size = 50M;\n", path))
	postfix := c.variant(etc, "smtpd_milters = unix:"+path+"\n", "")
	for mode, want := range map[os.FileMode][]string{0o600: {"warning unix-rights"}, 0o666: {}} {
		if err := os.Chmod(path, mode); err != nil {
			c.t.Fatal(err)
		}
		if r, _ := c.run(nil, "-c", conf, "--postfix", postfix); !slices.Equal(r.ids(), want) {
			c.t.Errorf("unix socket of mode %o: got %+v, want %q", mode, r.Postfix.Findings, want)
		}
	}
}
