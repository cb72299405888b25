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

// TestFaults loads sets of files with the mistakes that people, editors, scripts and
// attackers make. Each tells what rmilter -t prints of it: where the mistake is, what
// was found, what was expected. A case that is changed on purpose is written anew with
// -update; what is then in the file has to be read.
func TestFaultyFiles(t *testing.T) {
	for _, c := range readCases(t, "testdata/faults", 200) {
		t.Run(c.name, func(t *testing.T) {
			conf, remarks, err := load(c.fs())
			if conf == nil && err == nil || conf != nil && err != nil {
				t.Errorf("got a configuration %t and error %v", conf != nil, err)
			}
			var b strings.Builder
			Report(&b, "", remarks, err)
			got := b.String()
			if got == "" {
				t.Fatal("nothing is said of these files")
			}
			if got != c.words["want"] && *update {
				rewriteWant(t, filepath.Join("testdata/faults", c.name+".txt"), got)
			} else if diff := cmp.Diff(c.words["want"], got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// rewriteWant replaces the last section of a case, which is what is wanted.
func rewriteWant(t *testing.T, name, want string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(text), "-- want --\n")
	if !ok || strings.Contains(after, "{{") {
		t.Fatalf("%s has to be changed by hand", name)
	}
	if err := os.WriteFile(name, []byte(before+"-- want --\n"+want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestFaultyFilesAsUser runs rmilter -t on some of the cases, from the disk.
func TestFaultyFilesAsUser(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "rmilter")
	if out, err := exec.Command("go", "build", "-o", bin, "rmilter/cmd/rmilter").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cases := map[string]testCase{}
	for _, c := range readCases(t, "testdata/faults", 200) {
		cases[c.name] = c
	}
	loop, err := parseCase("Links in circles, which only a real file system has.\n" +
		"-- rmilter.conf --\n.include other.conf\n-- other.conf link=/etc/rmilter.conf --\n-- rmilter.conf.local link=/etc/rmilter.conf.local --\n" +
		"-- want --\n/etc/rmilter.conf:1:1: cannot include \"/etc/other.conf\": it includes itself: /etc/rmilter.conf, /etc/other.conf\n    .include other.conf\n" +
		"/etc/rmilter.conf.local: too many levels of symbolic links\n")
	if err != nil {
		t.Fatal(err)
	}
	cases["links"] = loop
	for name, code := range map[string]int{
		"word-letters-swapped": 78, "time-without-unit": 78, "quotes-of-word-processor": 78, "encoding-utf16": 78, "html-page": 78,
		"merge-conflict": 78, "parts-with-faults": 78, "include-with-faults": 78, "include-without-dot": 78, "faults-by-the-thousand": 78,
		"secret-on-the-line": 78, "main-cf": 78, "file-is-directory": 78, "file-missing": 78, "links": 78,
		"file-writable-by-all": 0, "twice-in-one-file": 0, "network-everybody": 0,
	} {
		t.Run(name, func(t *testing.T) {
			c, ok := cases[name]
			if !ok {
				t.Fatal("there is no such case")
			}
			dir := t.TempDir()
			c.write(t, dir)
			var stdout, stderr strings.Builder
			cmd := exec.Command(bin, "-t", "-c", filepath.Join(dir, "etc/rmilter.conf"))
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
				t.Errorf("got %v, want exit code %d", err, code)
			}
			if fine := stdout.String() == filepath.Join(dir, "etc/rmilter.conf")+": configuration is fine\n"; fine != (code == 0) {
				t.Errorf("got %q on the standard output with exit code %d", &stdout, code)
			}
			want := regexp.MustCompile(`(?m)^\S`).ReplaceAllString(c.words["want"], "rmilter: $0")
			if diff := cmp.Diff(want, strings.ReplaceAll(stderr.String(), dir, "")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
