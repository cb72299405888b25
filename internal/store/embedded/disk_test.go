package embedded

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rmilter/internal/store"
)

// childVar tells the test binary what to be when a test starts it again.
const childVar = "RMILTER_EMBEDDED_CHILD"

func TestMain(m *testing.M) {
	what, dir, ok := strings.Cut(os.Getenv(childVar), " ")
	if !ok {
		os.Exit(m.Run())
	}
	if err := child(what, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is what a process does that a test starts, with a store in a folder.
func child(what, dir string) error {
	switch what {
	case "hold":
		s, err := Open(Options{Dir: dir})
		if err != nil {
			return err
		}
		fmt.Println("open")
		_, err = io.ReadAll(os.Stdin)
		return errors.Join(err, s.Close())
	case "write":
		return childWrites(dir)
	case "measure":
		return childMeasures(dir)
	case "fill":
		return childFills(dir)
	}
	return fmt.Errorf("unknown task %q", what)
}

// start starts a child that dies with the test.
func start(t *testing.T, what, dir string) (*exec.Cmd, io.WriteCloser, *bufio.Reader) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childVar+"="+what+" "+dir)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	if err := errors.Join(err, err2, c.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c, in, bufio.NewReader(out)
}

func TestSecondProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	c, in, out := start(t, "hold", dir)
	if l, err := out.ReadString('\n'); l != "open\n" {
		t.Fatal(l, err)
	}
	want := fmt.Sprintf("the embedded store %s is in use by process %d: one folder serves one process", dir, c.Process.Pid)
	if s, err := Open(Options{Dir: dir}); err == nil || err.Error() != want {
		t.Errorf("got %v, %v, want %s", s, err, want)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	s := opened(t, Options{Dir: dir})
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("in the same process: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// childWrites writes until it is killed, and prints what was acknowledged.
func childWrites(dir string) error {
	s, err := Open(Options{Dir: dir, MinFree: -1})
	if err != nil {
		return err
	}
	said := make(chan string)
	for w := range 8 {
		go func() {
			ctx := context.Background()
			for i := 0; ; i++ {
				key, value := fmt.Sprintf("%d.%d", w, i%500), fmt.Sprint(i, strings.Repeat("x", i%3000))
				changes := []store.Change{{Key: key, Value: []byte(value)}}
				if _, err := s.Put(ctx, changes...); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				said <- fmt.Sprintf("k %s %s", key, value)
				at, err := s.Append(ctx, fmt.Sprint("log", w), []byte(value))
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				said <- fmt.Sprintf("l log%d %s %s", w, at, value)
				if _, err := s.Add(ctx, store.Increment{Key: "counter", By: 1}); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		}()
	}
	for l := range said {
		fmt.Println(l)
	}
	return nil
}

// TestKilled kills a process that writes, again and again, and wants all that it had
// acknowledged.
func TestKilled(t *testing.T) {
	rounds := 3
	if os.Getenv("RMILTER_DRILL") != "" {
		rounds = 50
	}
	dir := filepath.Join(t.TempDir(), "store")
	logs, total := map[string]string{}, 0
	for round := range rounds {
		c, _, out := start(t, "write", dir)
		keys := map[string]string{}
		for n := 0; ; n++ {
			if n == 300+round*37 {
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			l, err := out.ReadString('\n')
			if err != nil {
				break // what was cut off isn't acknowledged
			}
			f := strings.SplitN(strings.TrimSuffix(l, "\n"), " ", 4)
			if f[0] == "k" {
				keys[f[1]] = f[2]
			} else {
				logs[f[1]+" "+f[2]] = f[3]
			}
			total++
		}
		if err := c.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("round %d: the child ended by itself: %v", round, err)
		}
		checkKilled(t, dir, keys, logs)
	}
	if total < 300*rounds {
		t.Errorf("%d writes were acknowledged, want %d at least", total, 300*rounds)
	}
	t.Logf("%d rounds, %d acknowledged writes are there", rounds, total)
}

// checkKilled wants acknowledged keys and entries of logs. A key may have a later value
// of the same writer, which wasn't acknowledged.
func checkKilled(t *testing.T, dir string, keys, logs map[string]string) {
	t.Helper()
	s := opened(t, Options{Dir: dir})
	for k, want := range keys {
		got := get(t, s, k)
		n, _ := fmt.Sscan(strings.TrimRight(want, "x"), new(int))
		var has, had int
		_, _ = fmt.Sscan(strings.TrimRight(got, "x"), &has)
		_, _ = fmt.Sscan(strings.TrimRight(want, "x"), &had)
		if n != 1 || has < had || got != fmt.Sprint(has, strings.Repeat("x", has%3000)) {
			t.Errorf("%s has %.20q…, acknowledged was %.20q…", k, got, want)
		}
	}
	for w := range 8 {
		log, at := fmt.Sprint("log", w), store.Position("")
		for {
			entries, err := s.Read(context.Background(), log, at, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) == 0 {
				break
			}
			for _, e := range entries {
				at = e.At
				if want, ok := logs[log+" "+string(e.At)]; ok {
					if string(e.Data) != want {
						t.Errorf("%s %s has %.20q…, acknowledged was %.20q…", log, e.At, e.Data, want)
					}
					delete(logs, log+" "+string(e.At))
				}
			}
		}
		if err := s.Trim(context.Background(), log, at); err != nil {
			t.Error(err)
		}
	}
	for at := range logs {
		t.Errorf("acknowledged entry %s isn't there", at)
		delete(logs, at)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestReopened wants everything back after closing, also what could have been lost.
func TestReopened(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "store")
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time { return now }
	ctx := context.Background()
	s := opened(t, Options{Dir: dir, Now: clock})
	b := store.Bucket{Key: "bucket", Limit: store.Limit{Burst: 2, Every: time.Hour}}
	_, err1 := s.Put(ctx, store.Change{Key: "v", Value: []byte("1"), Volatile: true}, store.Change{Key: "hour", Lifetime: time.Hour})
	_, err2 := s.Add(ctx, store.Increment{Key: "n", By: 5})
	_, err3 := s.Take(ctx, b, b)
	_, err4 := s.Append(ctx, "log", []byte("a"), []byte("b"))
	_, err5 := s.Append(ctx, "deleted", []byte("a"), []byte("b"))
	_, err6 := s.Delete(ctx, "deleted")
	if err := errors.Join(err1, err2, err3, err4, err5, err6, s.Trim(ctx, "log", "2"), s.Close()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(30 * time.Minute)
	s = opened(t, Options{Dir: dir, Now: clock})
	defer s.Close()
	if got := []string{get(t, s, "v"), get(t, s, "n")}; got[0] != "1" || got[1] != "5" {
		t.Errorf("values %q, want 1 and 5", got)
	}
	if all, err := s.Lifetime(ctx, "hour"); err != nil || all[0] != 30*time.Minute {
		t.Errorf("lifetime %v, %v, want 30m", all, err)
	}
	if grants, err := s.Take(ctx, b); err != nil || grants[0].Taken || grants[0].Wait != 30*time.Minute {
		t.Errorf("bucket %+v, %v, want a wait of 30m", grants, err)
	}
	for _, log := range []string{"log", "deleted"} {
		if at, err := s.Append(ctx, log, []byte("c")); err != nil || at != "3" {
			t.Errorf("%s goes on at %q, %v, want 3", log, at, err)
		}
	}
	// The store works on meanwhile, and would change a file between its creation and its
	// mode.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
		info, err := d.Info()
		if err != nil {
			t.Fatal(err)
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
		return nil
	})
}

func TestFolderCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if s, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("got %v, %v, want an error that names %s", s, err, file)
		}
	}
}

// damaged copies a folder and damages one file of it.
func damaged(t *testing.T, from, file string, change func([]byte) []byte) string {
	t.Helper()
	to := t.TempDir()
	names, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		raw, err := os.ReadFile(filepath.Join(from, n.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if n.Name() == file {
			if raw = change(raw); raw == nil {
				continue
			}
		}
		if err := os.WriteFile(filepath.Join(to, n.Name()), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func tables(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i] = filepath.Base(all[i])
	}
	return all
}

// damagedKeys is how many values are in the store that is damaged: some in tables, some in
// the log.
const damagedKeys = 60

// TestDamaged damages each file in each way: the store either says so or has
// everything, and never loses a table by being opened.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, Options{Dir: dir})
	r := rand.NewChaCha8([32]byte{})
	value := make([]byte, 90_000)
	for i := range damagedKeys {
		_, _ = r.Read(value)
		if err := put(s, fmt.Sprint(i), string(value), true); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i, n := range names {
		if ext := filepath.Ext(n.Name()); i+1 < len(names) && ext == filepath.Ext(names[i+1].Name()) && (ext == ".log" || ext == ".sst") {
			continue // the last of its kind says as much
		}
		for what, change := range map[string]func([]byte) []byte{
			"gone":    func([]byte) []byte { return nil },
			"empty":   func([]byte) []byte { return []byte{} },
			"half":    func(b []byte) []byte { return b[:len(b)/2] },
			"garbage": func(b []byte) []byte { return bytes.Repeat([]byte("garbage!"), 1+len(b)/8)[:max(1, len(b))] },
			"zeros":   func(b []byte) []byte { return make([]byte, len(b)) },
			"bit":     func(b []byte) []byte { b = append(b, 0); b[len(b)/2] ^= 1; return b[:len(b)-1] },
		} {
			t.Run(n.Name()+"/"+what, func(t *testing.T) {
				if testDamaged(t, damaged(t, dir, n.Name(), change), n.Name()) {
					refused++
				}
			})
		}
	}
	if refused < 10 {
		t.Errorf("%d kinds of damage were refused, want 10 at least", refused)
	}
}

func testDamaged(t *testing.T, dir, file string) (refused bool) {
	before := tables(t, dir)
	defer func() {
		after := tables(t, dir)
		for _, name := range before {
			if refused && !slices.Contains(after, name) {
				t.Errorf("%s was removed though the store said that it is damaged; there are %v", name, after)
			}
		}
	}()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		if !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "Nothing was removed") || strings.Contains(err.Error(), "goroutine") {
			t.Errorf("the error doesn't help: %v", err)
		}
		return true
	}
	defer s.Close()
	lost := 0
	for i := range damagedKeys {
		v, err := s.Get(context.Background(), fmt.Sprint(i))
		if errors.Is(err, store.ErrUnavailable) {
			return true // it says so when it comes to the damage
		}
		if err != nil || v[0] == nil {
			lost++
		}
	}
	// A log is written without end: what is cut off looks like a crash.
	if lost > 0 && !strings.HasSuffix(file, ".log") {
		t.Errorf("%d of %d values are lost, and nobody said so", lost, damagedKeys)
	}
	return false
}
