package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A fence is a block of code in a document.
type fence struct{ language, text string }

// fences returns the blocks of code of a document, without their indentation.
func fences(t *testing.T, name string) []fence {
	t.Helper()
	doc, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var list []fence
	for _, m := range regexp.MustCompile("(?ms)^( *)```([a-z]*)\n(.*?)^ *```$").FindAllStringSubmatch(string(doc), -1) {
		text := regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[3], "")
		list = append(list, fence{m[2], text})
	}
	return list
}

// TestMigratingExamples puts the files of docs/migrating.md below a folder, runs its
// commands there and compares what they print; it starts the daemon with the trial's
// file, and has the tool compare that with the lines for Postfix.
func TestMigratingExamples(t *testing.T) {
	programs, dir := buildPrograms(t), t.TempDir()
	move := strings.NewReplacer("/etc/", dir+"/etc/", "/var/lib/", dir+"/var/lib/", "inet:9901", "inet:0")
	files, commands := 0, 0
	for _, f := range fences(t, "../../docs/migrating.md") {
		if path := regexp.MustCompile(`^# (/etc/\S+)\n`).FindStringSubmatch(f.text); path != nil {
			files++
			name := filepath.Join(dir, path[1])
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			text := f.text
			if !strings.HasSuffix(name, "main.cf") {
				text = move.Replace(text)
			}
			if err := os.WriteFile(name, []byte(text), 0o640); err != nil {
				t.Fatal(err)
			}
		}
		if f.language == "console" {
			commands++
			runExample(t, programs, dir, move, f.text)
		}
	}
	if files != 4 || commands != 2 {
		t.Errorf("%d files and %d commands found, want 4 and 2", files, commands)
	}
	if err := os.MkdirAll(dir+"/var/lib", 0o755); err != nil {
		t.Fatal(err)
	}
	daemon := startWay(t, programs+"/rmilter", dir+"/etc/rmilter-trial.conf")
	for _, address := range daemon.milters {
		negotiate(t, address)
	}
	if len(daemon.milters) != 1 {
		t.Errorf("the daemon of the trial listens at %v, want one address:\n%s", daemon.milters, daemon.log)
	}
	t.Run("postfix", func(t *testing.T) { postfixExample(t, programs) })
	c, remarks, err := Load(dir+"/etc/rmilter-others.conf", Options{})
	got, want := strings.Join(texts(remarks), ", "), ""
	if err != nil || got != want {
		t.Fatalf("got %s, error %v, want %s", got, err, want)
	}
	if got := c.Greylist.ExpireWhite.String(); got != "35d" {
		t.Errorf("got expire_white %s, want 35d", got)
	}
}

// runExample runs a command of a document and compares what it prints.
func runExample(t *testing.T, programs, dir string, move *strings.Replacer, text string) {
	t.Helper()
	line, want, _ := strings.Cut(text, "\n")
	command, ok := strings.CutPrefix(line, "$ ")
	if !ok {
		t.Fatalf("no command in\n%s", text)
	}
	cmd := exec.Command("sh", "-c", move.Replace(command))
	cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", command, err)
	}
	if diff := cmp.Diff(want, strings.ReplaceAll(string(out), dir, "")); diff != "" {
		t.Errorf("%s (-documented +printed):\n%s", command, diff)
	}
}

// postfixExample has the tool compare the trial's file with the lines for Postfix.
func postfixExample(t *testing.T, programs string) {
	if _, err := exec.LookPath("postconf"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("there is no postconf")
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range fences(t, "../../docs/migrating.md") {
		switch {
		case strings.HasPrefix(f.text, "# /etc/postfix/main.cf\n"):
			write("main.cf", "compatibility_level = 3.6\nmynetworks = 127.0.0.0/8 [::1]/128 192.0.2.0/24\nmyhostname = mx.example.com\n"+f.text)
		case strings.HasPrefix(f.text, "# /etc/rmilter.conf\n"):
			write("rmilter.conf", f.text)
		case strings.HasPrefix(f.text, "# /etc/rmilter-trial.conf\n"):
			write("trial.conf", "hostname = mx.example.com;\n"+strings.ReplaceAll(f.text, "/etc/", dir+"/"))
		}
	}
	write("master.cf", "smtp inet n - y - - smtpd\nsubmission inet n - y - - smtpd\n  -o milter_macro_daemon_name=ORIGINATING\n"+
		"cleanup unix n - y - 0 cleanup\npickup unix n - y 60 1 pickup\n")
	cmd := exec.Command(programs+"/rmilterctl", "configtest", "-c", dir+"/trial.conf", "--postfix", dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("configtest: %v\n%s", err, out)
	}
	_, postfix, _ := strings.Cut(string(out), "configuration is fine\n")
	if n := strings.Count(postfix, "asks rmilter at inet:127.0.0.1:9901"); n != 3 {
		t.Errorf("%d services ask the trial's rmilter, want 3:\n%s", n, out)
	}
	if strings.Contains(postfix, "warning:") {
		t.Errorf("the tool warns of the documented lines:\n%s", postfix)
	}
}

// TestMigratingDifferences holds what docs/migrating.md says of values against what
// they are.
func TestMigratingDifferences(t *testing.T) {
	doc, err := os.ReadFile("../../docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		phrase  string // in the document
		main    string // the main file
		want    string // a line of the dump
		remarks string
	}{
		{"`smtp_codes = rmilter` gives 452 again", "smtp_codes = rmilter;", "smtp_codes = rmilter;", ""},
		{"| `max_size` unset | no limit | 10M |", "", "max_size = 10M;", ""},
		{"| `our_networks` unset | nobody | 127.0.0.0/8, [::1]/128 |", "", "our_networks = 127.0.0.0/8, [::1]/128;", ""},
		{"`=` replaces, `+=` adds", ".include /etc/a.conf\n.include /etc/b.conf", "whitelist = 192.0.2.2;", "notice: section clamav: not served by this version"},
		{"read in alphabetical order, the last wins", ".include /etc/[ab].conf", "syslog_name = \"b\";", "notice: section clamav: not served by this version"},
		{"| `5m` is refused | five minutes |", "shutdown_timeout = 5m;", "shutdown_timeout = 5m;", ""},
		{"| `500ms` is 500 minutes | half a second |", "shutdown_timeout = 500ms;", "shutdown_timeout = 500ms;", ""},
		{"`\\n`, `\\t`, `\\\"`, `\\\\`, `\\u0041` as in JSON", `control_socket = "/\u0041\\\"\d";`, `control_socket = "/A\\\"\\d";`, ""},
		{"and in `'…'`, itself", `control_socket = '/\u0041\n';`, `control_socket = "/\\u0041\\n";`, ""},
		{"begins a comment; in texts that have one use quotes", "syslog_name = x # y", `syslog_name = "x";`, ""},
		{"| `greylisting { expire_white }` unset | 3d | 30d |", "", "expire_white = 30d;", ""},
		{"relaxed, relaxed, sha256; sha1 is read as sha256", "dkim { enable = no; sign_alg = sha1 }", "body_canon = relaxed;",
			"warning: sign_alg has no effect: RFC 8301 forbids sha1; sha256 is taken"},
		{"| about 2 % of the messages | every message |", "redis { servers = localhost; copy_probability = 1.0 }", "copy_probability = 1;", ""},
		{"the second is ignored, with a warning", "redis { servers_grey = {a, b} }", "servers_grey = a;",
			"warning: servers_grey: mirrored servers; expected one, the first counts"},
		{"`\"unix:PATH mode=0666\"` or `group=postfix`", `bind_socket = "unix:/run/x mode=0666 group=postfix";`, `bind_socket = "unix:/run/x mode=0666 group=postfix";`, ""},
	} {
		if !strings.Contains(string(doc), c.phrase) {
			t.Errorf("the document doesn't say %q", c.phrase)
		}
		conf, remarks, err := load(files("/etc/rmilter.conf", c.main, "/etc/a.conf", "syslog_name = a;\nclamav { servers = a; whitelist = 192.0.2.1; }",
			"/etc/b.conf", "syslog_name = b;\nclamav { whitelist = 192.0.2.2; }"))
		if err != nil {
			t.Errorf("%s: %v", c.main, err)
			continue
		}
		if text := dump(t, conf, ""); !regexp.MustCompile(`(?m)^ *` + regexp.QuoteMeta(c.want) + `$`).MatchString(text) {
			t.Errorf("%q: no line %s in\n%s", c.main, c.want, text)
		}
		if got := strings.Join(texts(remarks), ", "); got != c.remarks {
			t.Errorf("%q: got remarks %s, want %s", c.main, got, c.remarks)
		}
	}
}
