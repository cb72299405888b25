package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rmilter/internal/metrics"
)

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.conf", "max_size = 5M;\n")
	bad := write("bad.conf", "max_size = 5M;\nmax_siez = 5M;\ndry_run = perhaps;\n")
	for _, tt := range []struct {
		args   []string
		code   int
		stdout string
		stderr []string
	}{
		{[]string{"-v"}, 0, "rmilter " + metrics.Version, nil},
		{[]string{"-t", "-c", good}, 0, "configuration is fine", nil},
		{[]string{"-n", "-t", "-c", good}, 0, "configuration is fine", nil},
		{[]string{"-t", "-c", bad}, 78, "", []string{bad + ":2:", "max_siez", "max_size", bad + ":3:", "dry_run"}},
		{[]string{"-c", bad}, 78, "", []string{bad + ":2:"}},
		{[]string{"-t", "-c", filepath.Join(dir, "none.conf")}, 78, "", []string{"none.conf"}},
		{[]string{"-x"}, 64, "", []string{"usage: rmilter"}},
		{[]string{"-t", "extra"}, 64, "", []string{`unexpected argument "extra"`}},
		{[]string{"-h"}, 0, "", []string{"usage: rmilter"}},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(tt.args, &stdout, &stderr); code != tt.code {
			t.Errorf("%v: exit %d, want %d\n%s", tt.args, code, tt.code, &stderr)
		}
		if !strings.Contains(stdout.String(), tt.stdout) {
			t.Errorf("%v: stdout %q, want %q in it", tt.args, &stdout, tt.stdout)
		}
		for _, want := range tt.stderr {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%v: stderr %q, want %q in it", tt.args, &stderr, want)
			}
		}
	}
}

// TestManual wants every flag in the manual page.
func TestManual(t *testing.T) {
	page, err := os.ReadFile("../../docs/man/rmilter.8")
	if err != nil {
		t.Fatal(err)
	}
	var usage bytes.Buffer
	run([]string{"-h"}, &usage, &usage)
	flags := regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllStringSubmatch(usage.String(), -1)
	if len(flags) < 6 {
		t.Fatalf("%d flags in the usage, want 6 at least: %s", len(flags), &usage)
	}
	for _, f := range flags {
		if want := `\-` + strings.ReplaceAll(f[1], "-", `\-`); !strings.Contains(string(page), want) {
			t.Errorf("docs/man/rmilter.8 doesn't name -%s", f[1])
		}
	}
	if !strings.Contains(string(page), "rmilter "+metrics.Version) {
		t.Errorf("docs/man/rmilter.8 is of another version than %s", metrics.Version)
	}
}
