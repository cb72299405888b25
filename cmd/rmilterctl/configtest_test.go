package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"rmilter/internal/config"
)

// writeConfig writes a configuration with a mode, as umask has no say.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rmilter.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// postfix is what a Postfix that is connected as the documentation tells prints.
const postfix = `config_directory = /etc/postfix
inet_protocols = all
mail_owner = postfix
mail_version = 3.7.11
message_size_limit = 10240000
milter_command_timeout = 30s
milter_connect_macros = j {daemon_name} v
milter_connect_timeout = 30s
milter_content_timeout = 300s
milter_default_action = accept
milter_macro_daemon_name = mx.example.com
milter_mail_macros = i {auth_authen}
milter_protocol = 6
myhostname = mx.example.com
mynetworks = 127.0.0.0/8 [::1]/128
non_smtpd_milters = inet:127.0.0.1:9900
queue_directory = /var/spool/postfix
recipient_delimiter = +
smtpd_milters = inet:127.0.0.1:9900
`

// fakePostconf makes a program postconf that prints parameters, and returns its
// directory as PATH.
func fakePostconf(t *testing.T, main string) []string {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf(`#!/bin/sh
for a; do case $a in
-x) cat <<'X'
%sX
;;
-n) echo mynetworks = x;;
-M) echo smtp inet n - y - - smtpd; echo submission inet n - y - - smtpd; echo cleanup unix n - y - 0 cleanup;;
-Px) echo submission/inet/milter_macro_daemon_name = ORIGINATING;;
esac; done
`, main)
	if err := os.WriteFile(filepath.Join(dir, "postconf"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return []string{"PATH", dir}
}

const fine = "hostname = mx.example.com;\n"

func TestConfigtest(t *testing.T) {
	path := writeConfig(t, fine)
	got := call(noStdin(t), fakePostconf(t, postfix), "configtest", "-c", path, "--strict")
	want := result{0, path + `: configuration is fine
Postfix 3.7.11, /etc/postfix
    smtp inet        asks rmilter at inet:127.0.0.1:9900; without an answer mail passes unfiltered (milter_default_action = accept)
    submission inet  asks rmilter at inet:127.0.0.1:9900; without an answer mail passes unfiltered (milter_default_action = accept); its mail is ours (ORIGINATING)
    local mail       asks rmilter at inet:127.0.0.1:9900; without an answer mail passes unfiltered (milter_default_action = accept)
`, ""}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestConfigtestPostfix wants each finding with its effect and the line to put where.
func TestConfigtestPostfix(t *testing.T) {
	path := writeConfig(t, fine+"our_networks = 127.0.0.0/8;\n")
	main := postfix + "milter_command_timeout = 1s\nmynetworks = 127.0.0.0/8 192.0.2.0/24 hash:/etc/\x1b[1mnets\n"
	got := call(noStdin(t), fakePostconf(t, main), "configtest", "-c", path)
	for _, part := range []string{
		"\nwarning: milter_command_timeout = 1s is short: ",
		"\n    where Postfix gives up, mail passes unfiltered (milter_default_action = accept)\n    mend it in /etc/postfix/main.cf: milter_command_timeout = 30s\n",
		"\nwarning: our_networks lacks 192.0.2.0/24 of Postfix's mynetworks\n",
		"\n    mend it in " + path + ": our_networks += 192.0.2.0/24;\n",
		"hash:/etc/?[1mnets",
	} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("lacks %q:\n%s", part, got.stdout)
		}
	}
	if got.code != 0 || got.stderr != "" {
		t.Errorf("got code %d, %q, want 0 and nothing", got.code, got.stderr)
	}
	if got := call(noStdin(t), fakePostconf(t, main), "configtest", "-c", path, "--strict"); got.code != exitStrict {
		t.Errorf("--strict: got code %d, want %d", got.code, exitStrict)
	}
}

// TestConfigtestManual wants the manual to show what is printed.
func TestConfigtestManual(t *testing.T) {
	b, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "$ rmilterctl configtest\n")
	want, _, ok := strings.Cut(after, "```\n")
	if !ok {
		t.Fatal("docs/operations.md shows no configtest")
	}
	path := writeConfig(t, fine)
	got := call(noStdin(t), fakePostconf(t, postfix+"mynetworks = 127.0.0.0/8 [::1]/128 192.0.2.0/24\n"), "configtest", "-c", path)
	if diff := cmp.Diff(want, strings.ReplaceAll(got.stdout, path, "/etc/rmilter.conf")); diff != "" {
		t.Errorf("-docs/operations.md +printed:\n%s", diff)
	}
}

// TestConfigtestFaults wants all faults, and no word about Postfix.
func TestConfigtestFaults(t *testing.T) {
	path := writeConfig(t, "max_size = lots;\nno_such_option = 1;\nuse_dcc = yes;\n")
	got := call(noStdin(t), fakePostconf(t, postfix), "configtest", "-c", path, "--strict")
	for _, part := range []string{path + ":1:12: max_size: ", path + ":2:1: ", path + ":3:1: warning: use_dcc"} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("lacks %q:\n%s", part, got.stdout)
		}
	}
	if got.code != exitFaults || strings.Contains(got.stdout, "Postfix") || strings.Contains(got.stdout, "fine") {
		t.Errorf("got code %d and\n%s", got.code, got.stdout)
	}
	got = call(noStdin(t), nil, "configtest", "-c", filepath.Join(t.TempDir(), "none.conf"))
	if got.code != exitFaults || !strings.Contains(got.stdout, "none.conf") {
		t.Errorf("no file: got code %d, %q", got.code, got.stdout)
	}
}

// TestConfigtestFiles wants what the configuration names to be read: rules, lists and
// signing keys, as the daemon's start does.
func TestConfigtestFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"rules.conf": "nonsense {\n", "key": "no key\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := func(name string) string {
		return fmt.Sprintf("dkim { domain { domain = \"example.com\"; selector = \"s\"; key = %q; } }\n", filepath.Join(dir, name))
	}
	env := fakePostconf(t, postfix)
	for _, c := range []struct {
		conf string
		code int // with --strict
		want []string
	}{
		{key("key"), exitFaults, []string{"dkim: " + dir + "/key: "}},
		{key("gone"), exitStrict, []string{"warning: a signing key can't be used reason=\"dkim: " + dir + "/gone: there is no such file", "configuration is fine"}},
		{"rule_files = \"" + dir + "/rules.conf\";\n" + key("key"), exitFaults, []string{dir + "/rules.conf:1:", "dkim: " + dir + "/key: "}},
		{"data_dir = \"" + dir + "\";\n", 0, []string{"configuration is fine"}},
	} {
		path := writeConfig(t, fine+c.conf)
		got := call(noStdin(t), env, "configtest", "-c", path, "--strict")
		if got.code != c.code || got.stderr != "" {
			t.Errorf("%s: got code %d and %q, want %d", c.conf, got.code, got.stderr, c.code)
		}
		for _, want := range c.want {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%s: lacks %q:\n%s", c.conf, want, got.stdout)
			}
		}
		if got.code == exitFaults && strings.Contains(got.stdout, "fine") {
			t.Errorf("%s: faults, and the configuration is fine:\n%s", c.conf, got.stdout)
		}
	}
}

// TestConfigtestStrict wants warnings about rmilter's own configuration to count.
func TestConfigtestStrict(t *testing.T) {
	path := writeConfig(t, fine+"use_dcc = yes;\n")
	env := fakePostconf(t, postfix)
	if got := call(noStdin(t), env, "configtest", "-c", path); got.code != 0 || !strings.Contains(got.stdout, "warning: use_dcc") {
		t.Errorf("got code %d, %q, want 0 and a warning", got.code, got.stdout)
	}
	if got := call(noStdin(t), env, "configtest", "-c", path, "--strict"); got.code != exitStrict {
		t.Errorf("--strict: got code %d, want %d", got.code, exitStrict)
	}
}

// TestConfigtestNoPostfix wants one line and no failure where Postfix can't be asked,
// unless it was named.
func TestConfigtestNoPostfix(t *testing.T) {
	path := writeConfig(t, fine)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "postconf"), []byte("#!/bin/sh\necho 'postconf: fatal: open main.cf: No such file' >&2\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH", dir}
	want := path + ": configuration is fine\nPostfix isn't looked at: postconf: fatal: open main.cf: No such file\n"
	if got := call(noStdin(t), env, "configtest", "-c", path, "--strict"); got.code != 0 || got.stdout != want {
		t.Errorf("got code %d, %q, want 0, %q", got.code, got.stdout, want)
	}
	if got := call(noStdin(t), env, "configtest", "-c", path, "--strict", "--postfix", dir); got.code != exitStrict || got.stdout != want {
		t.Errorf("with --postfix: got code %d, %q, want %d, %q", got.code, got.stdout, exitStrict, want)
	}
}

func TestConfigtestJSON(t *testing.T) {
	path := writeConfig(t, fine+"use_dcc = yes;\n")
	got := call(noStdin(t), fakePostconf(t, postfix+"milter_protocol = 4\n"), "configtest", "-c", path, "--json")
	var a struct {
		Success                   bool
		Config, Hash              string
		Faults, Warnings, Notices []string
		Postfix                   struct {
			Dir, Version string
			Services     []struct{ Service, Role, Milter, Without string }
			Findings     []struct{ Severity, ID, Text, Effect, File, Line string }
		}
	}
	if err := json.Unmarshal([]byte(got.stdout), &a); err != nil {
		t.Fatalf("%v:\n%s", err, got.stdout)
	}
	if !a.Success || a.Config != path || len(a.Hash) != 6 || a.Faults == nil || len(a.Warnings) != 1 || a.Notices == nil ||
		a.Postfix.Version != "3.7.11" || len(a.Postfix.Services) != 3 || a.Postfix.Services[0].Role != "smtp" ||
		len(a.Postfix.Findings) != 1 || a.Postfix.Findings[0].ID != "protocol" || a.Postfix.Findings[0].Line != "milter_protocol = 6" {
		t.Errorf("got\n%s", got.stdout)
	}
	got = call(noStdin(t), nil, "--json", "configtest", "-c", writeConfig(t, "max_size = lots;\n"))
	if err := json.Unmarshal([]byte(got.stdout), &a); err != nil || got.code != exitFaults || a.Success || len(a.Faults) != 1 || got.stderr != "" {
		t.Errorf("faults: got code %d, %v,\n%s%s", got.code, err, got.stdout, got.stderr)
	}
}

func TestConfigdump(t *testing.T) {
	path := writeConfig(t, "max_size = 5M;\nuse_dcc = yes;\nworker \"controller\" { password = \"hunter2\"; }\nsettings \"my vip\" { rcpt = a@example.com; }\n")
	for _, tt := range []struct {
		args []string
		want string // all of it, or with … its beginning
	}{
		{[]string{"max_size"}, "max_size = 5M;\n"},
		{[]string{"--origin", "max_size"}, "max_size = 5M;  # " + path + ":1\n"},
		{[]string{"--origin", "actions.greylist"}, "actions {\n    greylist = 4;  # default\n}\n"},
		{[]string{"worker", "controller", "password"}, "worker \"controller\" {\n    password = \"********\";\n}\n"},
		{[]string{"settings", "my vip", "rcpt"}, "settings \"my vip\" {\n    rcpt = a@example.com;\n}\n"},
		{[]string{`settings "my vip"`}, "settings \"my vip\" {\n    rcpt = a@example.com;\n    enable = yes;\n…"},
		{nil, "bind_socket = inet:9900@127.0.0.1;\n…"},
	} {
		got := call(noStdin(t), nil, append([]string{"configdump", "-c", path}, tt.args...)...)
		begin, cut := strings.CutSuffix(tt.want, "…")
		if ok := got.stdout == begin || cut && strings.HasPrefix(got.stdout, begin); !ok || got.code != 0 {
			t.Errorf("%q: got code %d and\n%s\nwant\n%s", tt.args, got.code, got.stdout, tt.want)
		}
		if strings.Contains(got.stdout, "hunter2") {
			t.Errorf("%q shows the password", tt.args)
		}
		if !strings.Contains(got.stderr, "warning: use_dcc") {
			t.Errorf("%q: the warning isn't on stderr: %q", tt.args, got.stderr)
		}
	}
}

// TestConfigdumpWhole reads what is dumped, and dumps it again.
func TestConfigdumpWhole(t *testing.T) {
	first := call(noStdin(t), nil, "configdump", "--origin", "-c", writeConfig(t, "max_size = 5M;\nour_networks += 192.0.2.0/24;\nspamd { reject_message = 'no \"thanks\"; # {'; }\nsettings \"a b\" { rcpt = x@example.com, @example.org; }\n"))
	again := call(noStdin(t), nil, "configdump", "-c", writeConfig(t, first.stdout))
	if first.code != 0 || again.code != 0 {
		t.Fatalf("got codes %d and %d, want 0:\n%s%s", first.code, again.code, first.stderr, again.stderr)
	}
	plain := ""
	for line := range strings.Lines(first.stdout) {
		line, _, _ = strings.Cut(strings.TrimSuffix(line, "\n"), "  # /")
		line = strings.TrimSuffix(line, "  # default")
		plain += strings.ReplaceAll(line, "  # default; ", "  # ") + "\n"
	}
	if diff := cmp.Diff(plain, again.stdout); diff != "" {
		t.Errorf("-first +again:\n%s", diff)
	}
}

func TestConfigdumpErrors(t *testing.T) {
	faulty := writeConfig(t, "max_size = lots;\nno_such_option = 1;\n")
	for _, json := range [][]string{nil, {"--json"}} {
		got := call(noStdin(t), nil, append(json, "configdump", "-c", faulty)...)
		if got.code != exitFaults || got.stdout != "" || !strings.Contains(got.stderr, ":1:12: max_size") || !strings.Contains(got.stderr, ":2:1: ") {
			t.Errorf("faults: got code %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
		}
		got = call(noStdin(t), nil, append(json, "configdump", "-c", writeConfig(t, ""), "reject")...)
		if got.code != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, "there is actions reject") {
			t.Errorf("unknown: got code %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
		}
	}
}

func TestConfigdumpJSON(t *testing.T) {
	path := writeConfig(t, "max_size = 5M;\n")
	got := call(noStdin(t), nil, "configdump", "--json", "-c", path)
	var list []config.Value
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(v config.Value) bool { return v.Path == "max_size" })
	if i < 0 {
		t.Fatalf("max_size isn't there:\n%s", got.stdout)
	}
	if diff := cmp.Diff(config.Value{Path: "max_size", Value: "5M", Origin: []string{path + ":1"}}, list[i]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got = call(noStdin(t), nil, "configdump", "--json", "-c", path, "settings")
	if got.stdout != "[]\n" {
		t.Errorf("no settings: got %q, want an empty list", got.stdout)
	}
}

// TestConfigFlags wants the flags of the commands in the manual page.
func TestConfigFlags(t *testing.T) {
	b, err := os.ReadFile("../../docs/man/rmilterctl.8")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*cobra.Command{(&app{}).configtestCommand(), (&app{}).configdumpCommand()} {
		flags := regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(c.Flags().FlagUsages(), -1)
		for _, f := range flags {
			if !strings.Contains(string(b), `\-\-`+f[1]) {
				t.Errorf("docs/man/rmilterctl.8 doesn't name --%s of %s", f[1], c.Name())
			}
		}
		if len(flags) < 2 {
			t.Errorf("%s: %d flags seen, want 2 at least", c.Name(), len(flags))
		}
	}
}

// TestConfigPath wants the daemon's file when none is named.
func TestConfigPath(t *testing.T) {
	for _, c := range []*cobra.Command{(&app{}).configtestCommand(), (&app{}).configdumpCommand()} {
		f := c.Flags().ShorthandLookup("c")
		if f == nil || f.DefValue != "/etc/rmilter.conf" {
			t.Errorf("%s: got %+v, want -c with /etc/rmilter.conf", c.Name(), f)
		}
	}
}
