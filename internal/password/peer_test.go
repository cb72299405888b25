package password

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// rspamadm returns what runs the one that test/install.sh unpacks.
func rspamadm(t *testing.T) func(args ...string) string {
	t.Helper()
	root := filepath.Join(cmp.Or(os.Getenv("RMILTER_TEST_CACHE"), "/var/cache/rmilter-test"), "rspamd")
	program := filepath.Join(root, "usr/bin/rspamadm")
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("test/install.sh was not run:", err)
	}
	return func(args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = t.TempDir()
		cmd.Env = []string{"LD_LIBRARY_PATH=" + filepath.Join(root, "usr/lib/rspamd")}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("rspamadm %q: %v: %s", args, err, out)
		}
		return strings.TrimSuffix(string(out), "\n")
	}
}

// TestPeer has rspamadm encrypt passwords of many kinds: made anew with its salt, ours
// must come out the same.
func TestPeer(t *testing.T) {
	run := rspamadm(t)
	// It takes no others than ASCII from the command line.
	passwords := []string{"a", "secret", " a b ", "$1$x$y", strings.Repeat("0123456789abcdef", 4)}
	for _, n := range []int{63, 65, 127, 128, 129, 255, 500} {
		passwords = append(passwords, strings.Repeat("x", n))
	}
	for _, kind := range []string{"pbkdf2", "catena"} {
		for i, p := range passwords {
			if kind == "catena" && len(p) > maxCatena {
				continue
			}
			text := run("pw", "--quiet", "--encrypt", "--type", kind, "--password", p)
			e, err := Parse(text)
			if err != nil || e.String() != text {
				t.Errorf("%s: %q is read as %q, %v", kind, text, e, err)
				continue
			}
			if kind == "pbkdf2" {
				if !e.Verify(p) {
					t.Errorf("%q doesn't match %q", text, p)
				}
				continue
			}
			ours, err := New(p, bytes.NewReader(e.salt[:]))
			if err != nil || ours != e {
				t.Errorf("password %d with the same salt: got %s, %v, rspamadm has %s", i, ours, err, text)
			}
		}
	}
	if def := run("pw", "--quiet", "--encrypt", "--password", "secret"); !strings.HasPrefix(def, fmt.Sprintf("$%c$", kindCatena)) {
		t.Errorf("rspamadm's default is %s", def)
	}
}
