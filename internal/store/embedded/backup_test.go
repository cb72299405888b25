package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"rmilter/internal/store"
)

// filled returns a store with everything in it that a backup has.
func filled(t testing.TB, now func() time.Time) *Store {
	s := opened(t, Options{Now: now})
	ctx := context.Background()
	_, err := s.Put(ctx,
		store.Change{Key: "text", Value: []byte("größer <&> \u2028\n")},
		store.Change{Key: "empty"},
		store.Change{Key: "\xff\xfe", Value: []byte("\x00\xff")},
		store.Change{Key: "hour", Value: []byte("h"), Lifetime: time.Hour},
		store.Change{Key: "second", Value: []byte("s"), Lifetime: time.Second},
		store.Change{Key: "long", Value: bytes.Repeat([]byte{1}, 50_000)},
	)
	_, err2 := s.Add(ctx, store.Increment{Key: "counter", By: 7})
	_, err3 := s.Take(ctx, store.Bucket{Key: "bucket", Limit: store.Limit{Burst: 2, Every: time.Hour}})
	_, err4 := s.Append(ctx, "log", []byte("a"), []byte("\xff"), nil)
	_, err5 := s.Append(ctx, "l", []byte("other"))
	_, err6 := s.Append(ctx, "trimmed", []byte("gone"))
	_, err7 := s.Lease(ctx, "lease", "me", time.Hour)
	if err := errors.Join(err, err2, err3, err4, err5, err6, err7, s.Trim(ctx, "trimmed", "1")); err != nil {
		t.Fatal(err)
	}
	return s
}

// contents is all that a store has, as text.
func contents(t testing.TB, s *Store) []string {
	t.Helper()
	ctx := context.Background()
	var all []string
	items, next, err := s.List(ctx, "", "", 1000)
	if err != nil || next != "" {
		t.Fatal(next, err)
	}
	for _, i := range items {
		all = append(all, fmt.Sprintf("%q = %.60q for %s", i.Key, i.Value, i.Lifetime))
	}
	for _, log := range []string{"log", "l", "trimmed", "later"} {
		entries, err := s.Read(ctx, log, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, fmt.Sprintf("%s %s %q", log, e.At, e.Data))
		}
	}
	return all
}

func backup(t testing.TB, s *Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Backup(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unpacked(t testing.TB, b []byte) string {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func packed(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(z, text)
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBackupRestore(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var later atomic.Int64
	clock := func() time.Time { return now.Add(time.Duration(later.Load())) }
	s := filled(t, clock)
	defer s.Close()
	want := contents(t, s)
	b := backup(t, s)

	ctx := context.Background()
	for i := range 5 {
		if err := put(s, fmt.Sprint("new.", i), "x", false); err != nil {
			t.Fatal(err)
		}
	}
	_, err1 := s.Delete(ctx, "text", "l")
	_, err2 := s.Append(ctx, "log", []byte("later"))
	_, err3 := s.Append(ctx, "later", []byte("later"))
	_, err4 := s.Lease(ctx, "lease", "me", 0)
	_, err5 := s.Lease(ctx, "lease", "you", time.Hour)
	if err := errors.Join(err1, err2, err3, err4, err5, put(s, "empty", "changed", false)); err != nil {
		t.Fatal(err)
	}
	r, err := s.Restore(ctx, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Restored{Keys: 8, Logs: 3, Entries: 4}, r); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, contents(t, s)); diff != "" {
		t.Errorf("after the restore (-want +got):\n%s", diff)
	}
	if has, err := s.Lease(ctx, "lease", "me", time.Hour); has != "you" || err != nil {
		t.Errorf("the lease is %q's, %v, want it as it was", has, err)
	}
	for log, want := range map[string]store.Position{"log": "5", "l": "2", "later": "2", "trimmed": "2"} {
		if at, err := s.Append(ctx, log, nil); at != want || err != nil {
			t.Errorf("%s goes on at %s, %v, want %s: no position twice", log, at, err, want)
		}
	}

	later.Store(int64(time.Minute))
	other := opened(t, Options{Now: clock})
	defer other.Close()
	if r, err = other.Restore(ctx, bytes.NewReader(b)); err != nil || r.Keys != 7 || r.Expired != 1 {
		t.Errorf("a minute later in another store: %+v, %v", r, err)
	}
	if all, err := other.Lifetime(ctx, "hour", "second", "text"); err != nil || all[0] != 59*time.Minute || all[1] != store.Absent || all[2] != store.Forever {
		t.Errorf("lifetimes %v, %v", all, err)
	}
}

// TestBackupText pins the format, which later versions have to read.
func TestBackupText(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := opened(t, Options{Now: func() time.Time { return now }})
	defer s.Close()
	_, err := s.Put(context.Background(), store.Change{Key: "a", Value: []byte("1"), Lifetime: time.Second}, store.Change{Key: "\xff", Value: []byte{0xfe}})
	_, err2 := s.Append(context.Background(), "log", []byte("x"))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	want := `{"format":"rmilter-backup","version":1,"made":"2023-11-14T22:13:20Z"}
{"key":"a","expires":1700000001000000,"value":"1"}
{"key64":"/w==","value64":"/g=="}
{"log":"log","last":1}
{"log":"log","at":1,"value":"x"}
{"end":true,"lines":5,"sha256":"281b551494ac5c502f418a06b514c4a05c6eb5769721152e2949eba8b4d63815"}
`
	got := unpacked(t, backup(t, s))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("backup (-want +got):\n%s", diff)
	}
}

// TestLongestLine wants what a store takes to fit in a line.
func TestLongestLine(t *testing.T) {
	key := diskKey(kindKey, strings.Repeat("\x01", store.MaxKey))
	l, _, err := lineOf(kindKey, key, record{1 << 60, bytes.Repeat([]byte{1}, store.MaxValue)}.encode(), time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(l)
	if err != nil || len(raw) > maxLine || len(raw) < 6*store.MaxValue {
		t.Errorf("%d bytes, %v, want %d at most", len(raw), err, maxLine)
	}
}

// TestRestoreRefuses wants an error that says where, and nothing changed.
func TestRestoreRefuses(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := filled(t, func() time.Time { return now })
	defer s.Close()
	if _, err := s.Delete(context.Background(), "long"); err != nil {
		t.Fatal(err)
	}
	good := backup(t, s)
	text := unpacked(t, good)
	lines := strings.SplitAfter(text, "\n")
	lines = lines[:len(lines)-1]
	change := func(n int, to string) []byte {
		l := append([]string(nil), lines...)
		l[n] = to
		return packed(t, strings.Join(l, ""))
	}
	type refused struct {
		name string
		in   []byte
		want string
	}
	cases := []refused{
		{"nothing", nil, "after line 0"},
		{"text", []byte("hello, this is no backup"), "not a backup"},
		{"empty zstd", packed(t, ""), "cut short after line 0"},
		{"no format", change(0, "{}\n"), `line 1 of the backup: want a line with format "rmilter-backup"`},
		{"version", change(0, `{"format":"rmilter-backup","version":2}`+"\n"), "line 1 of the backup: backup of version 2"},
		{"no JSON", change(2, "key: value\n"), "line 3 of the backup: want a JSON object"},
		{"two objects", change(2, strings.TrimSpace(lines[2])+"{}\n"), "line 3 of the backup: want nothing after"},
		{"unknown member", change(2, `{"key":"a","value":"b","shell":"rm"}`+"\n"), "line 3 of the backup: want a JSON object"},
		{"no name", change(2, `{"value":"b"}`+"\n"), "line 3 of the backup: want the name"},
		{"two names", change(2, `{"key":"b","log":"c","value":"b"}`+"\n"), "line 3 of the backup: want the name"},
		{"two values", change(2, `{"key":"b","value":"b","value64":"AAAA"}`+"\n"), "line 3 of the backup: want a key"},
		{"no value", change(2, `{"key":"c"}`+"\n"), "line 3 of the backup: want a key with a value"},
		{"order", change(2, lines[1]), "line 3 of the backup: \"bucket\" isn't in its place"},
		{"long key", change(2, `{"key":"`+strings.Repeat("k", 513)+`","value":"b"}`+"\n"), "line 3 of the backup: key of 513 bytes"},
		{"expires", change(2, `{"key":"c","value":"b","expires":-5}`+"\n"), "line 3 of the backup: \"c\" expires at -5"},
		{"changed", change(2, strings.Replace(lines[2], "7", "8", 1)), "have the SHA-256"},
		{"line lost", change(2, ""), "lines come before it"},
		{"no end", packed(t, strings.Join(lines[:len(lines)-1], "")), "cut short after line"},
		{"after the end", packed(t, text+"{}\n"), "want nothing after the last line"},
		{"long line", packed(t, lines[0]+strings.Repeat("x", maxLine+5)+"\n"), "line 2 of the backup: longer than"},
		{"entry without log", change(len(lines)-2, `{"log":"zzz","at":1,"value":"b"}`+"\n"), "which ended at 0"},
	}
	for n := 1; n < len(good); n += 1 + len(good)/60 {
		cases = append(cases, refused{fmt.Sprint("cut at ", n), good[:n], ""})
	}
	for n := 0; n < len(good); n += 1 + len(good)/60 {
		bad := bytes.Clone(good)
		bad[n] ^= 0x55
		cases = append(cases, refused{fmt.Sprint("changed at ", n), bad, ""})
	}
	want := contents(t, s)
	for _, c := range cases {
		r, err := s.Restore(context.Background(), bytes.NewReader(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: got %+v, %v, want an error with %q", c.name, r, err, c.want)
		}
	}
	if diff := cmp.Diff(want, contents(t, s)); diff != "" {
		t.Errorf("what was refused changed something (-want +got):\n%s", diff)
	}
	if _, err := s.fs.Stat(s.fs.PathJoin(s.dir, uncheckedName)); err == nil {
		t.Error("the copy of a refused backup is there still")
	}
}

// TestBackupWhileChanging takes a backup while everything changes: two keys that always
// change together read alike in it.
func TestBackupWhileChanging(t *testing.T) {
	s := opened(t, Options{})
	defer s.Close()
	end := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			default:
			}
			v := fmt.Append(nil, i)
			if _, err := s.Put(context.Background(), store.Change{Key: "a", Value: v, Volatile: true}, store.Change{Key: "z", Value: v, Volatile: true}); err != nil {
				t.Error(err)
			}
		}
	})
	poll(t, "first change", func() bool { return get(t, s, "z") != "" })
	for range 5 {
		b := backup(t, s)
		other := opened(t, Options{})
		if _, err := other.Restore(context.Background(), bytes.NewReader(b)); err != nil {
			t.Error(err)
		}
		if a, z := get(t, other, "a"), get(t, other, "z"); a != z || a == "" {
			t.Errorf("a is %q, z is %q", a, z)
		}
		if _, err := s.Restore(context.Background(), bytes.NewReader(b)); err != nil {
			t.Errorf("into the store in use: %v", err)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}
	close(end)
	load.Wait()
}

func TestBackupErrors(t *testing.T) {
	s := filled(t, nil)
	if err := s.Backup(context.Background(), brokenWriter{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("to a broken writer: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Backup(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	b := backup(t, s)
	if _, err := s.Restore(ctx, bytes.NewReader(b)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := s.Restore(context.Background(), io.MultiReader(bytes.NewReader(b[:50]), brokenReader{})); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("from a broken reader: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(context.Background(), io.Discard); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("of a closed store: %v", err)
	}
	if _, err := s.Restore(context.Background(), bytes.NewReader(b)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("into a closed store: %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

// TestRestoreInterrupted fails the disk in the middle of a restore, which is complete
// when the disk is well again.
func TestRestoreInterrupted(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	from := filled(t, func() time.Time { return now })
	defer from.Close()
	want, b := contents(t, from), backup(t, from)
	f := &faulty{err: syscall.ENOSPC, match: func(op errorfs.Op) bool {
		return op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".log")
	}}
	fs := newDisk(f)
	s, err := open(Options{Now: func() time.Time { return now }}, fs, backoff{time.Millisecond, time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := put(s, "old", "x", false); err != nil {
		t.Fatal(err)
	}
	f.broken.Store(true)
	if _, err := s.Restore(context.Background(), bytes.NewReader(b)); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "isn't complete") {
		t.Errorf("got %v, want that it isn't complete", err)
	}
	f.broken.Store(false)
	poll(t, "the disk", func() bool { return s.Health().Up })
	if diff := cmp.Diff(want, contents(t, s)); diff != "" {
		t.Errorf("after the disk came back (-want +got):\n%s", diff)
	}
	if _, err := fs.Stat(fs.PathJoin(s.dir, checkedName)); err == nil {
		t.Error("the copy of the backup is there still")
	}
}

func FuzzReadBackup(f *testing.F) {
	s := filled(f, func() time.Time { return time.Unix(1_700_000_000, 0) })
	if _, err := s.Delete(context.Background(), "long"); err != nil {
		f.Fatal(err)
	}
	text := unpacked(f, backup(f, s))
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(text), true)
	f.Add(packed(f, text), false)
	f.Add([]byte(`{"format":"rmilter-backup","version":1}`+"\n"+`{"log":"a","last":18446744073709551615}`+"\n"), true)
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in []byte, pack bool) {
		if pack {
			in = z.EncodeAll(in, nil)
		}
		b, err := newBackupReader(bytes.NewReader(in))
		if err != nil {
			return
		}
		defer b.close()
		for {
			key, value, err := b.next()
			if err != nil {
				return
			}
			if len(key) < 2 || len(key) > store.MaxKey+3+8 || len(value) > store.MaxValue+8 {
				t.Errorf("key of %d bytes, value of %d", len(key), len(value))
			}
			if _, ok, err := lineOf(key[0], key, value, time.Unix(0, 0)); !ok || err != nil {
				t.Errorf("%q = %q can't be written: %v", key, value, err)
			}
		}
	})
}

var _ vfs.FS = (*disk)(nil)
