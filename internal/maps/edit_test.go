package maps

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAdd(t *testing.T) {
	for _, c := range []struct {
		kind                          Kind
		before, entry, comment, after string
		fault                         string
	}{
		{Addresses, "", "Joe@Example.COM", "", "joe@example.com\n", ""},
		{Addresses, "# top\na@example.com", "b@example.com", "why not", "# top\na@example.com\nb@example.com # why not\n", ""},
		{Addresses, "a@example.com # x\r\n", "b@example.com 5", "", "a@example.com # x\r\nb@example.com 5\n", ""},
		{Addresses, "A@example.com\n", "<a@EXAMPLE.com>", "", "", "it is there already"},
		{Addresses, "bad\n", "a@example.com", "", "", `file:1: "bad" is no address`},
		{Addresses, "", "bad", "", "", `"bad" is no address`},
		{Addresses, "", "", "", "", "no entry; expected one of kind address"},
		{Addresses, "", "a@example.com # x", "", "", "holds a comment"},
		{Addresses, "", "a@example.com", "two\nlines", "", "the comment: "},
		{Addresses, "", "a@example.com\nb@example.com", "", "", "control character"},
		{Addresses, "", "bücher@BÜCHER.example", "", "bücher@xn--bcher-kva.example\n", ""},
		{Addresses, "", `"o*o@example.com"`, "", "\"o*o@example.com\"\n", ""},
		{Addresses, `"o*o@example.com"` + "\n", `o*o@example.com`, "", `"o*o@example.com"` + "\no*o@example.com\n", ""},
		{Domains, "*.example.com\n", ".Example.com", "", "*.example.com\n.example.com\n", ""},
		{Domains, "", "/^mx/i", "", "/^mx/i\n", ""},
		{Domains, "/^mx/i\n", "/^mx/i", "", "", "it is there already"},
		{Networks, "192.0.2.0/24\n", "192.0.2.77/24", "", "", "192.0.2.0/24: it is there already"},
		{Networks, "192.0.2.0/24\n", "[2001:DB8::]/32", "", "192.0.2.0/24\n2001:db8::/32\n", ""},
		{Headers, "", `Subject: "Free  Money"`, "", "Subject: \"Free  Money\"\n", ""},
		{Headers, "Subject: \"Free  Money\"\n", `subject: "free money"`, "", "", "it is there already"},
		{Headers, "", `Subject: free money`, "", "", "is no number"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "file")
		if c.before != "" {
			write(t, path, c.before)
		}
		_, err := Add(path, c.kind, c.entry, c.comment)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("add %q to %q: got %v, want %s", c.entry, c.before, err, c.fault)
			}
			if b, _ := os.ReadFile(path); string(b) != c.before {
				t.Errorf("add %q to %q: the file is now %q", c.entry, c.before, b)
			}
		} else if err != nil || read(t, path) != c.after {
			t.Errorf("add %q to %q: got %v and %q, want %q", c.entry, c.before, err, read(t, path), c.after)
		}
		if files, _ := os.ReadDir(dir); len(files) > 1 {
			t.Errorf("add %q to %q: left %v", c.entry, c.before, files)
		}
	}
}

func TestDelete(t *testing.T) {
	for _, c := range []struct {
		kind                 Kind
		before, entry, after string
		fault                string
	}{
		{Addresses, "# top\na@example.com # x\nb@example.com\n", "A@example.com", "# top\nb@example.com\n", ""},
		{Addresses, "b@example.com\na@example.com 5", "a@example.com", "b@example.com\n", ""},
		{Addresses, "a@example.com\nA@EXAMPLE.COM\n", "a@example.com", "", ""},
		{Addresses, "\ufeffa@example.com\r\nb@example.com\r\n", "a@example.com", "b@example.com\r\n", ""},
		{Addresses, "a@example.com\n", "b@example.com", "", "b@example.com: it is not there"},
		{Addresses, "", "b@example.com", "", "it is not there"},
		{Addresses, "@example.com\n", "b@example.com", "", "it is not there"},
		{Networks, "192.0.2.0/24\n192.0.2.0/25\n", "192.0.2.1/25", "192.0.2.0/24\n", ""},
		{Headers, "List-Id: <a.example>\nList-Id: <b.example>\n", "list-id: <A.example>", "List-Id: <b.example>\n", ""},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if c.before != "" {
			write(t, path, c.before)
		}
		_, faults, err := Delete(path, c.kind, c.entry)
		if faults != nil {
			t.Errorf("delete %q from %q: faults %v", c.entry, c.before, faults)
		}
		if c.fault != "" {
			if !errors.Is(err, ErrNotThere) || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("delete %q from %q: got %v, want %s", c.entry, c.before, err, c.fault)
			}
		} else if err != nil || read(t, path) != c.after {
			t.Errorf("delete %q from %q: got %v and %q, want %q", c.entry, c.before, err, read(t, path), c.after)
		}
	}
}

// keepsBadLines deletes an entry from a file that may have bad lines, and makes the file
// as it was again.
func keepsBadLines(t *testing.T, path string, k Kind, entry, before string, had int, faults error) {
	_, told, err := Delete(path, k, entry)
	after := read(t, path)
	if err != nil {
		if after != before {
			t.Fatalf("delete %q failed with %v and changed the file", entry, err)
		}
		return
	}
	has, _ := Show(path, k)
	// Show gives up after many faults, and a byte order mark may come to stand first.
	sure := strings.Count(before, "\n") < maxFaults && !strings.Contains(before, "\ufeff")
	if (told == nil) != (faults == nil) || sure && len(has) >= had {
		t.Fatalf("deleted %q from %q: told %v of %v, and has %v", entry, before, told, faults, has)
	}
	write(t, path, before)
}

// TestDeleteBesideBadLines has files with bad lines: they stay, and are told.
func TestDeleteBesideBadLines(t *testing.T) {
	long := "x@" + strings.Repeat("y", 200_000) + "\n" // comes in pieces
	many := strings.Repeat("bad\n", 100)
	for _, c := range []struct {
		name, before, entry, after string
		faults                     int
		absent                     bool
	}{
		{"before and behind", "bad\na@example.com\n\x1b\n", "a@example.com", "bad\n\x1b\n", 2, false},
		{"no line end", "a@example.com\nbad", "a@example.com", "bad", 1, false},
		{"a long line", long + "a@example.com\n" + long, "a@example.com", long + long, 2, false},
		{"many", many + "a@example.com\n" + many, "a@example.com", many + many, maxFaults, false},
		{"not there", "bad\na@example.com\n", "b@example.com", "bad\na@example.com\n", 1, true},
	} {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, c.before)
		key, faults, err := Delete(path, Addresses, c.entry)
		if key != c.entry || errors.Is(err, ErrNotThere) != c.absent || !c.absent && err != nil {
			t.Errorf("%s: got %q, %v", c.name, key, err)
		}
		if got := read(t, path); got != c.after {
			t.Errorf("%s: got %.100q, want %.100q", c.name, got, c.after)
		}
		if n := len(strings.Split(fmt.Sprint(faults), "\n")); faults == nil || n != c.faults || !strings.Contains(faults.Error(), path+":") {
			t.Errorf("%s: got %d faults, want %d: %v", c.name, n, c.faults, faults)
		}
	}
}

func TestErrThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "a@example.com\n")
	if _, err := Add(path, Addresses, "a@example.com", ""); !errors.Is(err, ErrThere) {
		t.Errorf("got %v, want ErrThere", err)
	}
}

func TestShow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if got, err := Show(path, Addresses); err != nil || got != nil {
		t.Errorf("no file: got %v, %v", got, err)
	}
	write(t, path, "# top\nJoe@example.com 2.5 # a friend\n\n/x/ #\n")
	got, err := Show(path, Addresses)
	if want := "[{2 joe@example.com 2.5 true a friend} {4 /x/ 0 false }]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v, %v, want %s", got, err, want)
	}
	write(t, path, "a@example.com\nbad\n")
	if got, err := Show(path, Addresses); err == nil || len(got) != 1 {
		t.Errorf("with a bad line: got %v, %v, want one entry and a fault", got, err)
	}
}

// TestMode sees that the mode stays and what a new file gets.
func TestMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	mode := func() os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if _, err := Add(path, Addresses, "a@example.com", ""); err != nil || mode() != 0o640 {
		t.Errorf("new file: got %v and mode %v, want 0640", err, mode())
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if _, err := Add(path, Addresses, "b@example.com", ""); err != nil || mode() != 0o604 {
		t.Errorf("old file: got %v and mode %v, want 0604", err, mode())
	}
}

// TestLink sees that a symbolic link stays one.
func TestLink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	write(t, real, "")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Add(link, Addresses, "a@example.com", ""); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 || read(t, real) != "a@example.com\n" {
		t.Errorf("got %v, %v and %q", info, err, read(t, real))
	}
}

// TestAtOnce has many add at once: none may get lost.
func TestAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := Add(path, Addresses, fmt.Sprintf("user%d@example.com", i), ""); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if got, err := Show(path, Addresses); err != nil || len(got) != 20 {
		t.Errorf("got %d entries and %v, want 20", len(got), err)
	}
}

func FuzzEdit(f *testing.F) {
	f.Add(byte(2), "a@example.com\n# x\n", "b@example.com", "why")
	f.Add(byte(3), "", `Subject: "free # money" 5`, "")
	f.Add(byte(0), "::1", "192.0.2.1/24", "x # y")
	f.Add(byte(2), "bad\na@example.com\n\x1b", "A@example.com", "")
	f.Fuzz(func(t *testing.T, kind byte, before, entry, comment string) {
		k := Kind(kind % 5)
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, before)
		had, faults := Show(path, k)
		keepsBadLines(t, path, k, entry, before, len(had), faults)
		key, err := Add(path, k, entry, comment)
		if err != nil {
			if read(t, path) != before {
				t.Fatalf("add %q failed with %v and changed the file", entry, err)
			}
			return
		}
		if faults != nil {
			t.Fatalf("added %q to a file with faults: %v", entry, faults)
		}
		has, err := Show(path, k)
		if err != nil || len(has) != len(had)+1 || has[len(had)].Key != key {
			t.Fatalf("added %q (%q) to %q: got %v, %v", entry, key, before, has, err)
		}
		if _, err := Add(path, k, entry, ""); !errors.Is(err, ErrThere) {
			t.Fatalf("added %q twice: %v", entry, err)
		}
		if _, faults, err := Delete(path, k, entry); err != nil || faults != nil {
			t.Fatalf("delete %q: %v, %v", entry, err, faults)
		}
		if after := read(t, path); after != before && after != before+"\n" {
			t.Fatalf("added and deleted %q: %q became %q", entry, before, after)
		}
	})
}

// TestOwner wants root to leave files to the owner of the folder.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("only root can give files away")
		}
		t.Skip("only root can give files away")
	}
	top := t.TempDir()
	if err := os.Chown(top, 12345, 12346); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(top, "lists", "file")
	owner := func(path string) string {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		s := info.Sys().(*syscall.Stat_t)
		return fmt.Sprintf("%d:%d %v", s.Uid, s.Gid, info.Mode().Perm())
	}
	for range 2 {
		if _, err := Add(path, Addresses, "a@example.com", ""); err != nil && !errors.Is(err, ErrThere) {
			t.Fatal(err)
		}
		if got, want := owner(filepath.Dir(path)), "12345:12346 -rwx------"; got != want {
			t.Errorf("folder: got %s, want %s", got, want)
		}
		if got, want := owner(path), "12345:12346 -rw-r-----"; got != want {
			t.Errorf("file: got %s, want %s", got, want)
		}
	}
	if err := os.Chown(path, 12347, 12348); err != nil {
		t.Fatal(err)
	}
	if _, err := Add(path, Addresses, "b@example.com", ""); err != nil {
		t.Fatal(err)
	}
	if got, want := owner(path), "12347:12348 -rw-r-----"; got != want {
		t.Errorf("file of another: got %s, want %s", got, want)
	}
	if _, err := Add(filepath.Join(top, "no", "such", "file"), Addresses, "b@example.com", ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder above: got %v, want that it does not exist", err)
	}
}

func TestOwn(t *testing.T) {
	o, err := ParseOwn("Block", "SENDER")
	if got, want := fmt.Sprintf("%v %v %v %v", o, o.Kind(), o.File("/data"), err), "block sender address /data/lists/block_sender.list <nil>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	files := map[string]bool{}
	for _, side := range []string{"allow", "block"} {
		for _, of := range OwnKinds {
			o, err := ParseOwn(side, of)
			if err != nil || o.String() != side+" "+of {
				t.Errorf("%s %s: got %v, %v", side, of, o, err)
			}
			files[o.File("")] = true
		}
	}
	if len(files) != 10 {
		t.Errorf("got %d files, want 10", len(files))
	}
	for _, c := range [][3]string{{"deny", "sender", `"deny" is no list; expected allow or block`}, {"allow", "subject", `"subject" is no kind of list; expected sender, domain`}} {
		if _, err := ParseOwn(c[0], c[1]); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%v: got %v", c, err)
		}
	}
}
