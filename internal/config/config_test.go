package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/ucl"
)

// files makes a file system of names and texts, with an empty /tmp and an empty
// /elsewhere/tmp.
func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{"tmp": {Mode: fs.ModeDir | 0o755}, "var/spool": {Mode: fs.ModeDir | 0o755}}
	for i := 0; i < len(pairs); i += 2 {
		m[strings.TrimPrefix(pairs[i], "/")] = &fstest.MapFile{Data: []byte(pairs[i+1]), Mode: 0o640}
	}
	return m
}

// load loads /etc/rmilter.conf of a file system, with a resolver that knows one name.
func load(m fs.FS) (*Config, []ucl.Diagnostic, error) {
	return Load("/etc/rmilter.conf", Options{FS: m, Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
		if host == "mx.example.com" {
			return []netip.Addr{netip.MustParseAddr("192.0.2.25")}, nil
		}
		return nil, errors.New("no such host")
	}})
}

// mustLoad loads a text as the main file and fails the test on any remark.
func mustLoad(t *testing.T, text string) *Config {
	t.Helper()
	c, remarks, err := load(files("/etc/rmilter.conf", text))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range remarks {
		t.Errorf("got remark %s", r)
	}
	return c
}

func dump(t *testing.T, c *Config, section string) string {
	t.Helper()
	var b strings.Builder
	if err := c.Dump(&b, section, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// list writes the faults and remarks of a load, one after the other.
func list(remarks []ucl.Diagnostic, err error) string {
	var all []string
	if err != nil {
		all = append(all, err.Error())
	}
	for _, r := range remarks {
		all = append(all, r.String())
	}
	return strings.Join(all, "\n")
}

func TestEmptyFileIsDefault(t *testing.T) {
	if diff := cmp.Diff(dump(t, Default(), ""), dump(t, mustLoad(t, ""), "")); diff != "" {
		t.Errorf("(-default +empty file):\n%s", diff)
	}
}

func TestDefaultServer(t *testing.T) {
	t.Setenv("TMPDIR", "")
	c := Default()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	c.Server.Hostname = ucl.String(strings.Replace(string(c.Server.Hostname), host, "HOST", 1))
	want := `bind_socket = inet:9900@127.0.0.1;
max_connections = 2000;
shutdown_timeout = 20s;
data_dir = "/var/lib/rmilter";
tempdir = "/tmp";
spool_limit = 256M;
pidfile = "";
log = auto;
format = text;
log_level = info;
syslog_name = "rmilter";
control_socket = "/run/rmilter/control.sock";
hostname = "HOST";
`
	if got := dump(t, c, "")[:len(want)]; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	want = "worker \"controller\" {\n    bind_socket = 127.0.0.1:11334;\n    password = \"\";\n    enable_password = \"\";\n    secure_ip = [];\n}\n"
	want += "worker \"normal\" {\n    bind_socket = 127.0.0.1:11333;\n}\n"
	if got := dump(t, c, "worker"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFileOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		want  string // max_size, our_networks, thresholds greylist and reject
	}{
		{"main", files("/etc/rmilter.conf", "max_size = 1M"), "1M | 127.0.0.0/8, [::1]/128 | 4 15"},
		{"local merges", files("/etc/rmilter.conf", "max_size = 1M; our_networks = 192.0.2.1; actions { greylist = 1 }",
			"/etc/rmilter.conf.local", "max_size = 2M; our_networks += 192.0.2.2; actions { reject = 12 }"), "2M | 192.0.2.1, 192.0.2.2 | 1 12"},
		{"conf.d after local, by name", files("/etc/rmilter.conf", "max_size = 1M", "/etc/rmilter.conf.local", "max_size = 2M",
			"/etc/rmilter.conf.d/20-b.conf", "max_size = 4M", "/etc/rmilter.conf.d/10-a.conf", "max_size = 3M; actions { greylist = 2 }", "/etc/rmilter.conf.d/30.bak", "max_size = 5M"), "4M | 127.0.0.0/8, [::1]/128 | 2 15"},
		{"override replaces sections", files("/etc/rmilter.conf", "max_size = 1M; our_networks = 192.0.2.1; actions { greylist = 1 }",
			"/etc/rmilter.conf.local", "actions { reject = 2 }", "/etc/rmilter.conf.d/x.conf", "actions { reject = 3 }",
			"/etc/rmilter.conf.local.override", "actions { greylist = 3 }; our_networks += 192.0.2.9"), "1M | 192.0.2.1, 192.0.2.9 | 3 15"},
		{"override has several of one section", files("/etc/rmilter.conf", "actions { greylist = 1; reject = 2 }",
			"/etc/rmilter.conf.local.override", "actions { greylist = 3 }\nactions { reject = 8 }"), "10M | 127.0.0.0/8, [::1]/128 | 3 8"},
		{"included and implicit: once", files("/etc/rmilter.conf", "our_networks = []\n.try_include /etc/rmilter.conf.local\n.try_include /etc/rmilter.conf.d/*.conf\nmax_size = 9M",
			"/etc/rmilter.conf.local", "our_networks += 192.0.2.1; max_size = 1M", "/etc/rmilter.conf.d/x.conf", "our_networks += 192.0.2.2"), "9M | 192.0.2.1, 192.0.2.2 | 4 15"},
		{"one conf.d file included", files("/etc/rmilter.conf", "our_networks = []\n.include rmilter.conf.d/b.conf",
			"/etc/rmilter.conf.d/a.conf", "our_networks += 192.0.2.1", "/etc/rmilter.conf.d/b.conf", "our_networks += 192.0.2.2"), "10M | 192.0.2.2, 192.0.2.1 | 4 15"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf, remarks, err := load(c.files)
			if err != nil || len(remarks) > 0 {
				t.Fatalf("got %s", list(remarks, err))
			}
			actions := dump(t, conf, "actions")
			grep := func(name string) string {
				_, rest, _ := strings.Cut(actions, " "+name+" = ")
				value, _, _ := strings.Cut(rest, ";")
				return value
			}
			got := conf.Filter.MaxSize.String() + " | " + conf.Filter.OurNetworks.String() + " | " + grep("greylist") + " " + grep("reject")
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestOverrideReplacesOneBlockOfSeveral(t *testing.T) {
	c, remarks, err := load(files("/etc/rmilter.conf", "settings a { rcpt = a; enable = no }\nsettings b { rcpt = b; enable = no }",
		"/etc/rmilter.conf.local.override", "settings a { rcpt = x }"))
	if err != nil || len(remarks) > 0 {
		t.Fatal(list(remarks, err))
	}
	if got := dump(t, c, "settings"); strings.Count(got, "enable = no") != 1 || !strings.Contains(got, "rcpt = x;") || strings.Contains(got, "rcpt = a;") {
		t.Errorf("got\n%s", got)
	}
}

// TestAllFaultsAtOnce has faults of every kind in every file.
func TestAllFaultsAtOnce(t *testing.T) {
	_, remarks, err := load(files(
		"/etc/rmilter.conf", "max_siez = 1\nactions { reject = never again; rejcet = 5 }\nspf_domains = a\n.include /etc/extra.conf\nbind_socket = 9900\ntempdir = /no/such;",
		"/etc/extra.conf", "our_networks = 300.1.2.3",
		"/etc/rmilter.conf.local", "worker \"contoller\" { }\ngreylisting { timeout = whatever }",
		"/etc/rmilter.conf.d/a.conf", "spamd { spam_header = \"X Spam\" }\nlog = loudly\n}",
		"/etc/rmilter.conf.local.override", "actions { greylst = 5 }\nmax_connections = 0; data_dir = lib",
	))
	want := `/etc/rmilter.conf:1:1: unknown directive "max_siez"; did you mean max_size?
    max_siez = 1
/etc/rmilter.conf:2:20: reject: "never again" is not a threshold; expected a score as in 6.5, or off
    actions { reject = never again; rejcet = 5 }
/etc/rmilter.conf:2:33: unknown directive "rejcet" in section actions; did you mean reject?
    actions { reject = never again; rejcet = 5 }
/etc/rmilter.conf:5:15: bind_socket: "9900" is not a socket; expected inet:PORT@HOST, unix:PATH, fd:N, systemd:NAME or HOST:PORT
    bind_socket = 9900
/etc/rmilter.conf:6:1: tempdir: "/no/such" is no directory; expected one that exists
    tempdir = /no/such;
/etc/extra.conf:1:16: our_networks: "300.1.2.3" is not a network; expected an address such as 192.0.2.0/24 or [2001:db8::]/32, or a host name
    our_networks = 300.1.2.3
/etc/rmilter.conf.local:1:1: unknown worker "contoller"; did you mean controller?
    worker "contoller" { }
/etc/rmilter.conf.local:2:25: timeout: "whatever" is not a time; expected a number with ms, s, m, h, d or w as in 30s
    greylisting { timeout = whatever }
/etc/rmilter.conf.d/a.conf:1:23: spam_header: "X Spam" can't name the spam header; expected a header field's name that begins with X-
    spamd { spam_header = "X Spam" }
/etc/rmilter.conf.d/a.conf:2:7: log: "loudly" is not known here; expected auto, journald, syslog or stderr
    log = loudly
/etc/rmilter.conf.d/a.conf:3:1: a } which closes nothing; expected a directive
    }
/etc/rmilter.conf.local.override:1:11: unknown directive "greylst" in section actions; did you mean greylist?
    actions { greylst = 5 }
/etc/rmilter.conf.local.override:2:19: max_connections: 0 is out of range; expected 1 to 1000000
    max_connections = 0; data_dir = lib
/etc/rmilter.conf.local.override:2:33: data_dir: "lib" is not a path; expected one that begins with /
    max_connections = 0; data_dir = lib
/etc/rmilter.conf:3:1: warning: spf_domains has no effect: there is no list of domains for SPF any more
    spf_domains = a`
	if diff := cmp.Diff(want, list(remarks, err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var e *ucl.Error
	if !errors.As(err, &e) || len(e.Faults) != 14 {
		t.Errorf("got %T with other than 14 faults", err)
	}
}

func TestFaults(t *testing.T) {
	for in, want := range map[string]string{
		"hostname = \"mx 1\"":                       `hostname: "mx 1" is not valid; expected a host name`,
		"syslog_name = \"r[1]\"":                    `syslog_name: "r[1]" is not valid; expected a name without blanks, at most 48 characters`,
		"syslog_name = \"\"":                        `syslog_name: "" is not valid; expected a name without blanks, at most 48 characters`,
		"bind_socket = []":                          `bind_socket: an empty list; expected at least one socket`,
		"shutdown_timeout = 20":                     `shutdown_timeout: the time 20 has no unit; expected ms, s, m, h, d or w: did you mean 20s?`,
		"shutdown_timeout = 1h":                     `shutdown_timeout: 1h is out of range; expected 0s to 10m`,
		"spool_limit = 5k":                          `spool_limit: 5k is out of range; expected 1M to 1024G`,
		"control_socket = run/x":                    `control_socket: "run/x" is not a path; expected one that begins with /`,
		"data_dir = \"\"":                           `data_dir: "" is not a path; expected one that begins with /`,
		"format = xml":                              `format: "xml" is not known here; expected text or json`,
		"worker { count = 1 }":                      `section worker has no name; expected worker "controller" { }`,
		"worker { type = fuzy }":                    `unknown worker "fuzy"; expected controller or normal`,
		"worker controller { bind = \"*:1\" }":      `unknown directive "bind" in section worker "controller"`,
		"actions { bind_socket = fd:3 }":            `unknown directive "bind_socket" in section actions; it belongs at the top level, outside of any section`,
		"reject = 5":                                `unknown directive "reject"; it belongs in section actions`,
		"settings { rcpt = a }":                     `section settings has no name; expected settings "NAME" { }`,
		"spamd { servers = a }\nspamd \"x\" { }":    `section spamd takes no name; expected spamd { }`,
		"bind_socket = unix:/run/x mode=0660":       `unknown directive "mode"; expected ";" before it, or quotes around the value of bind_socket`,
		"max_size += 1M":                            `max_size takes one value; expected = instead of +=`,
		"tempdir = /etc/rmilter.conf":               `tempdir: "/etc/rmilter.conf" is no directory; expected one that exists`,
		".include /etc/nothing.conf":                `cannot include "/etc/nothing.conf": there is no such file`,
		".include http://example.com/x":             `cannot include "http://example.com/x" from the network; expected the path of a file`,
		"our_networks = 127.0.0.1/32, [::1]/128, [": `a list that is not closed; expected ] at its end`,
	} {
		_, _, err := load(files("/etc/rmilter.conf", in))
		var e *ucl.Error
		if !errors.As(err, &e) || len(e.Faults) != 1 {
			t.Errorf("%s: got %v, want one fault", in, err)
			continue
		}
		if got := e.Faults[0].Text; got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestFaultsInReplacedSections(t *testing.T) {
	_, remarks, err := load(files("/etc/rmilter.conf", "actions { greylst = 1 }\nspamd { servers = a }", "/etc/rmilter.conf.local.override", "actions { }\nspamd { }"))
	want := "/etc/rmilter.conf:1:11: unknown directive \"greylst\" in section actions; did you mean greylist?\n    actions { greylst = 1 }"
	if got := list(remarks, err); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMissingFile(t *testing.T) {
	_, _, err := load(files())
	if err == nil || err.Error() != "/etc/rmilter.conf: there is no such file" {
		t.Errorf("got %v", err)
	}
}

func TestHostNames(t *testing.T) {
	c, remarks, err := load(files("/etc/rmilter.conf", "trusted_relays = mx.example.com, gone.example.com\nworker controller { secure_ip = mx.example.com }"))
	want := "/etc/rmilter.conf:1:34: warning: cannot look up the host name \"gone.example.com\": no such host; it is left out of the list\n    trusted_relays = mx.example.com, gone.example.com"
	if got := list(remarks, err); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	a := netip.MustParseAddr("192.0.2.25")
	if !c.Filter.TrustedRelays.Contains(a) || !c.Server.Controller.SecureIP.Contains(a) {
		t.Error("the address of a host name is not in the list")
	}
}

func TestWorkers(t *testing.T) {
	const password = "worker \"controller\" {\n    bind_socket = 127.0.0.1:11334;\n    password = \"********\";\n    enable_password = \"\";\n    secure_ip = [];\n}\n"
	for _, c := range []struct{ name, in, want string }{
		{"keyed", `worker "controller" { password = x }`, password},
		{"keyed, with type", `worker "controller" { type = "controller"; password = x; }`, password},
		{"bare, with type", `worker { password = x; type = "controller" }`, password},
		{"bare, by the included name", `worker { password = x; .include "$CONFDIR/worker-controller.inc" }`, password},
		{"keys within", `worker { controller { password = x } }`, password},
		{"merged", "worker controller { }\nworker controller { password = x }", password},
		{"lists add up", "worker controller { bind_socket = \"localhost:1\"; bind_socket = \"127.0.0.1:2\"; secure_ip = 192.0.2.1; secure_ip = \"::1\" }",
			"worker \"controller\" {\n    bind_socket = localhost:1, 127.0.0.1:2;\n    password = \"\";\n    enable_password = \"\";\n    secure_ip = 192.0.2.1, [::1]/128;\n}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, dump(t, mustLoad(t, c.in), "worker controller")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestIncludedWorkerFile(t *testing.T) {
	c, remarks, err := load(files("/etc/rmilter.conf", `worker { bind_socket = "*:1"; .include "$CONFDIR/worker-controller.inc" }`,
		"/etc/worker-controller.inc", `password = "x"; bind_socket = "*:2";`))
	if err != nil || len(remarks) > 0 {
		t.Fatal(list(remarks, err))
	}
	if got, want := c.Server.Controller.BindSocket.String(), `"*:2"`; got != want || c.Server.Controller.Password.Reveal() != "x" {
		t.Errorf("got bind_socket %s, want %s and the password", got, want)
	}
}

func TestRestartNeeded(t *testing.T) {
	before := mustLoad(t, "max_size = 1M; bind_socket = fd:3; worker controller { password = a }")
	for _, c := range []struct{ in, want string }{
		{"max_size = 2M; bind_socket = fd:3; worker controller { password = b }", ""},
		{"bind_socket = fd:3, fd:4; data_dir = /x", "bind_socket data_dir"},
		{"bind_socket = fd:3; worker controller { bind_socket = \"localhost:1\" }", `worker "controller" bind_socket`},
	} {
		if got := strings.Join(mustLoad(t, c.in).RestartNeeded(before), " "); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
	if got := Default().RestartNeeded(Default()); got != nil {
		t.Errorf("got %v for no change", got)
	}
}

func TestHash(t *testing.T) {
	hash := func(pairs ...string) string {
		c, _, err := load(files(pairs...))
		if err != nil {
			t.Fatal(err)
		}
		return c.Hash
	}
	one := hash("/etc/rmilter.conf", "max_size = 1M")
	if again := hash("/etc/rmilter.conf", "max_size = 1M"); again != one || len(one) != 6 {
		t.Errorf("got %s and %s for the same files, want the same six digits", one, again)
	}
	if other := hash("/etc/rmilter.conf", "max_size = 1M", "/etc/rmilter.conf.local", ""); other == one {
		t.Errorf("got %s for other files, too", other)
	}
}

func TestDataDirOption(t *testing.T) {
	c, _, err := Load("/etc/rmilter.conf", Options{FS: files("/etc/rmilter.conf", "data_dir = /x"), DataDir: "state"})
	if err != nil || c.Server.DataDir != "state" {
		t.Errorf("got %v, %v, want data_dir state", c.Server.DataDir, err)
	}
}

func TestDump(t *testing.T) {
	c, _, err := load(files("/etc/rmilter.conf", "max_size = 1M\nour_networks += 192.0.2.1\nsettings \"vip\" { rcpt = a@example.com }", "/etc/rmilter.conf.local", "our_networks += mx.example.com\nworker controller { password = hunter2 }"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := c.Dump(&b, "", true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"max_size = 1M;  # /etc/rmilter.conf:1\n",
		"our_networks = 127.0.0.0/8, [::1]/128, 192.0.2.1, mx.example.com;  # /etc/rmilter.conf:2, /etc/rmilter.conf.local:1\n",
		"dry_run = no;  # default\n",
		"worker \"controller\" {\n    bind_socket = 127.0.0.1:11334;  # default\n    password = \"********\";  # /etc/rmilter.conf.local:2\n",
		"settings \"vip\" {\n    rcpt = a@example.com;  # /etc/rmilter.conf:3\n    enable = yes;  # default\n",
		"    actions {\n        greylist = default;  # default\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("missing %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "hunter2") {
		t.Error("the password is shown")
	}
	if err := c.Dump(&b, "nothing", false); err == nil || err.Error() != `no section or option "nothing"` {
		t.Errorf("got %v for a section that is none", err)
	}
}

// TestRealFiles reads files from the disk.
func TestRealFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode fs.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
	}
	write("rmilter.conf", "tempdir = \"$CONFDIR\"\nworker controller { password = hunter2; enable_password = hunter3 }\n.include link.conf", 0o644)
	write("rmilter.conf.d/a.conf", "max_size = 2M", 0o640)
	if err := os.Symlink("rmilter.conf.d/a.conf", filepath.Join(dir, "link.conf")); err != nil {
		t.Fatal(err)
	}
	main := filepath.Join(dir, "rmilter.conf")
	c, remarks, err := Load(main, Options{})
	want := main + ":2:21: warning: password stands in a file that everybody can read (mode 0644); expected 0640 or stricter\n    worker controller { password ********"
	if got := list(remarks, err); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if string(c.Server.TempDir) != dir || c.Filter.MaxSize != 2<<20 {
		t.Errorf("got tempdir %s and max_size %s, want %s and 2M", c.Server.TempDir, c.Filter.MaxSize, dir)
	}

	loop := filepath.Join(dir, "loop.conf")
	write("loop.conf", ".include other.conf", 0o640)
	if err := os.Symlink("loop.conf", filepath.Join(dir, "other.conf")); err != nil {
		t.Fatal(err)
	}
	_, _, err = Load(loop, Options{})
	if want := "it includes itself: " + loop + ", " + filepath.Join(dir, "other.conf"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want a fault with %s", err, want)
	}
}

func TestNormalSockets(t *testing.T) {
	for in, want := range map[string]string{
		"":                                   "127.0.0.1:11333 true",
		"worker normal { bind_socket = [] }": "",
		"worker normal { bind_socket = 127.0.0.1:1, /run/scan }": "127.0.0.1:1 false, unix:/run/scan false",
	} {
		var got []string
		for _, s := range mustLoad(t, in).Server.NormalSockets() {
			got = append(got, fmt.Sprint(s.Socket, " ", s.Default))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: got %v, want %s", in, got, want)
		}
	}
}

func TestControlSockets(t *testing.T) {
	for in, want := range map[string]string{
		"": "unix:/run/rmilter/control.sock true, 127.0.0.1:11334 true",
		"control_socket = \"\"; worker controller { bind_socket = \"*:1\", /run/x; password = x }": "*:1 false, unix:/run/x false",
		"control_socket = /run/c; worker controller { bind_socket = [] }":                          "unix:/run/c false",
	} {
		var got []string
		c := mustLoad(t, in)
		for _, s := range c.Server.ControlSockets() {
			got = append(got, fmt.Sprint(s.Socket, " ", s.Default))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: got %v, want %s", in, got, want)
		}
	}
}

// TestMergePanics shows that two declarations of a word in one section are found.
func TestMergePanics(t *testing.T) {
	flag := new(ucl.Flag)
	for name, pair := range map[string][2]*ucl.Section{
		"options":            {{Name: "s", Options: []ucl.Option{{Name: "a", Value: flag}}}, {Name: "s", Options: []ucl.Option{{Name: "a", Value: flag}}}},
		"alias":              {{Options: []ucl.Option{{Name: "a", Value: flag}}}, {Options: []ucl.Option{{Name: "b", Aliases: []string{"a"}, Value: flag}}}},
		"option and ignored": {{Options: []ucl.Option{{Name: "a", Value: flag}}}, {Ignored: []ucl.Ignored{{Name: "a"}}}},
		"keyed":              {{Name: "s", Repeat: func(string) *ucl.Section { return nil }}, {Name: "s"}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			top := &ucl.Section{}
			merge(top, pair[0])
			merge(top, pair[1])
		})
	}
}

// TestUnreadableFiles has files that are there and cannot be read.
func TestUnreadableFiles(t *testing.T) {
	for _, name := range []string{"/etc/rmilter.conf.local", "/etc/rmilter.conf.local.override", "/etc/rmilter.conf.d/x.conf"} {
		m := files("/etc/rmilter.conf", "", name+"/inside", "")
		_, _, err := load(m)
		if want := name + ": it is a directory"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
