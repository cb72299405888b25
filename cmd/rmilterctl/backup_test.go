package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/greylist"
	"rmilter/internal/controller"
	"rmilter/internal/store"
	"rmilter/internal/store/embedded"
)

// everything is all that the commands tell of the state.
func (k *kept) everything() string {
	k.t.Helper()
	var b strings.Builder
	for _, c := range []string{"greylist", "ratelimit"} {
		got := k.call(c, "list")
		b.WriteString(got.stdout + got.stderr)
	}
	return b.String()
}

// TestBackupRestore makes a backup, changes everything and puts it back, over the socket
// and over HTTP.
func TestBackupRestore(t *testing.T) {
	k := newKept(t, func(k *kept, o *controller.Options) { o.Archive = k.store })
	k.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com")
	k.taken("joe@example.com", "joe@example.com", "zoe@example.org", 2)
	for i := range 2000 {
		k.taken("", "al@example.net", fmt.Sprintf("r%04d@example.com", i), 1+i%3)
	}
	before := k.everything()
	for _, way := range [][]string{{"--socket", k.socket}, {"-h", k.host, "-P", "write"}} {
		file := filepath.Join(t.TempDir(), "state.backup")
		if err := os.WriteFile(file+".tmp", []byte("of one that was killed"), 0o644); err != nil {
			t.Fatal(err)
		}
		got := call(noStdin(t), nil, append(way, "backup", file)...)
		info, err := os.Stat(file)
		if err != nil || info.Mode() != 0o600 || got.code != 0 || got.stderr != "" {
			t.Fatalf("backup: got %+v, %v, %v, want a file for its owner", got, info, err)
		}
		if want := fmt.Sprintf("%s: %s bytes\n", file, thousands(info.Size())); got.stdout != want {
			t.Errorf("backup: got %q, want %q", got.stdout, want)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(left) != 1 {
			t.Errorf("left behind: %v", left)
		}

		if got := k.call("greylist", "clear", "--all"); got.code != 0 {
			t.Fatalf("clear: %+v", got)
		}
		k.seen(greylist.First, "192.0.2.7", "ann@sender.example", "bob@example.com")
		if got := k.call("ratelimit", "reset", "joe@example.com"); got.code != 0 {
			t.Fatalf("reset: %+v", got)
		}
		if changed := k.everything(); changed == before {
			t.Fatal("nothing was changed")
		}
		got = call(noStdin(t), nil, append(way, "restore", "--yes", file)...)
		if got.code != 0 || !strings.HasPrefix(got.stdout, "restored: 2,") || got.stderr != "" {
			t.Errorf("restore: got %+v", got)
		}
		if diff := cmp.Diff(before, k.everything()); diff != "" {
			t.Errorf("restored, -want +got:\n%s", diff)
		}
	}
	k.seen(greylist.Early, "192.0.2.7", "joe@sender.example", "alice@example.com")
}

// TestBackupPipe makes a backup on standard output and restores from standard input.
func TestBackupPipe(t *testing.T) {
	k := newKept(t, func(k *kept, o *controller.Options) { o.Archive = k.store })
	k.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com")
	backup := k.call("backup", "-")
	if backup.code != 0 || backup.stdout == "" || backup.stderr != "" {
		t.Fatalf("backup -: got %d, %d bytes, %q", backup.code, len(backup.stdout), backup.stderr)
	}
	k.call("greylist", "clear", "--all")
	got := call(strings.NewReader(backup.stdout), nil, "--socket", k.socket, "restore", "--yes", "-", "--json")
	var r controller.Restored
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || got.code != 0 || r.Keys < 1 || r.Bytes != int64(len(backup.stdout)) {
		t.Errorf("restore -: got %+v, %v", got, err)
	}
	k.seen(greylist.Early, "192.0.2.7", "joe@sender.example", "alice@example.com")
	file := filepath.Join(t.TempDir(), "b")
	var made struct {
		File  string
		Bytes int64
	}
	if err := json.Unmarshal([]byte(k.call("backup", "--json", file).stdout), &made); err != nil || made.File != file || made.Bytes == 0 {
		t.Errorf("backup --json: got %+v, %v", made, err)
	}
	if got := call(noStdin(t), nil, "-h", k.host, "-P", "-", "restore", "--yes", "-"); got.code != 64 || !strings.Contains(got.stderr, "can't be both the password and the backup") {
		t.Errorf("password and backup on standard input: got %+v", got)
	}
}

// A broken archive breaks off after some bytes.
type broken struct{ embedded.Store }

func (*broken) Backup(_ context.Context, w io.Writer) error {
	for range 100 {
		if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<10)); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: the disk has gone", store.ErrUnavailable)
}

// TestBackupFails leaves files as they were when there is no whole backup, and the state
// as it was when there is nothing to restore.
func TestBackupFails(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "state.backup")
	if err := os.WriteFile(file, []byte("the last one"), 0o600); err != nil {
		t.Fatal(err)
	}
	off := newKept(t, func(_ *kept, o *controller.Options) { o.Archive = new(broken) })
	off.want(1, "", "rmilterctl: "+file+": the daemon broke off: its log tells why\n", "backup", file)
	redis := newKept(t, nil)
	const no = ": HTTP 409: state is kept in Redis; use its own backup\n"
	redis.want(3, "", "rmilterctl: refused: "+redis.socket+no, "backup", file)
	redis.want(3, "", "rmilterctl: refused: "+redis.socket+no, "restore", "--yes", file)
	k := newKept(t, func(k *kept, o *controller.Options) { o.Archive = k.store })
	k.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com")
	none := filepath.Join(dir, "none", "x")
	k.want(1, "", "rmilterctl: "+none+": no such file or directory\n", "backup", none)
	k.want(1, "", "rmilterctl: "+none+": no such file or directory\n", "restore", "--yes", none)
	k.want(64, "", "rmilterctl: restoring replaces all that is kept now: say --yes\n", "restore", file)
	if got := k.call("restore", "--yes", file); got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, file+": HTTP 422: ") || !strings.Contains(got.stderr, "nothing was changed") {
		t.Errorf("restore of something else: got %+v", got)
	}
	if got := k.call("backup", filepath.Join(dir, "cut")); got.code != 0 {
		t.Fatalf("backup: %+v", got)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "cut"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, len(whole) / 2, len(whole) - 1} {
		if err := os.WriteFile(filepath.Join(dir, "cut"), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if got := k.call("restore", "--yes", filepath.Join(dir, "cut")); got.code != 1 || got.stdout != "" {
			t.Errorf("%d of %d bytes: got %+v, want 1", n, len(whole), got)
		}
	}
	k.seen(greylist.Early, "192.0.2.7", "joe@sender.example", "alice@example.com")
	if b, err := os.ReadFile(file); err != nil || string(b) != "the last one" {
		t.Errorf("the file from before: got %q, %v", b, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestProgress shows whole megabytes, once each, and leaves the line empty.
func TestProgress(t *testing.T) {
	var shown strings.Builder
	p := &progress{in: io.MultiReader(bytes.NewReader(make([]byte, 3<<20)), bytes.NewReader(make([]byte, 10))), show: &shown}
	if n, err := io.Copy(io.Discard, struct{ io.Reader }{p}); n != 3<<20+10 || err != nil {
		t.Fatalf("got %d bytes, %v", n, err)
	}
	if want := "\r1 MB\r2 MB\r3 MB\r\x1b[K"; shown.String() != want {
		t.Errorf("got %q, want %q", shown.String(), want)
	}
	p = &progress{out: io.Discard}
	if n, err := p.Write(make([]byte, 5<<20)); n != 5<<20 || err != nil {
		t.Errorf("without a terminal: got %d, %v", n, err)
	}
}

// TestMoving wants a connection to last as long as something moves on it.
func TestMoving(t *testing.T) {
	c := &deadlines{}
	m := newMoving(c, time.Minute)
	first := c.until
	c.until = time.Time{}
	if n, err := m.Write([]byte("x")); n != 1 || err != nil || c.until.Before(first) {
		t.Errorf("after a byte: got %d, %v, until %s, want later than %s", n, err, c.until, first)
	}
	c.until = time.Time{}
	if _, err := m.Read(nil); !errors.Is(err, io.EOF) || !c.until.IsZero() {
		t.Errorf("after nothing: got %v and until %s, want no more time", err, c.until)
	}
}

// A deadlines is a connection that remembers until when it lasts.
type deadlines struct {
	net.Conn
	until time.Time
}

func (d *deadlines) SetDeadline(t time.Time) error { d.until = t; return nil }
func (*deadlines) Read([]byte) (int, error)        { return 0, io.EOF }
func (*deadlines) Write(p []byte) (int, error)     { return len(p), nil }
