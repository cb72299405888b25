package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"rmilter/internal/store"
)

// onDisk counts the records of keys and leases, expired or not.
func onDisk(t *testing.T, s *Store) int {
	t.Helper()
	n, err := run(context.Background(), s, func(e *engine) (int, error) {
		n := 0
		_, err := e.each([]byte{kindLease}, []byte{kindKey + 1}, nil, func([]byte, []byte, int) (bool, error) {
			n++
			return true, nil
		})
		return n, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sweepAll sweeps the whole store and tells how often it took and what was removed.
func sweepAll(t *testing.T, s *Store, now time.Time) (pieces, removed int) {
	t.Helper()
	for {
		w, err := s.Sweep(context.Background(), now)
		if err != nil {
			t.Fatal(err)
		}
		if w.Looked > sweepRecords+10000 {
			t.Errorf("a piece looked at %d records, want about %d at most", w.Looked, sweepRecords)
		}
		pieces, removed = pieces+1, removed+w.Removed
		if w.Through {
			return pieces, removed
		}
	}
}

func TestSweep(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := opened(t, Options{Now: func() time.Time { return now }})
	defer s.Close()
	ctx := context.Background()
	const n = 60_000
	var changes []store.Change
	for i := range n {
		c := store.Change{Key: fmt.Sprint("k", i), Volatile: true}
		if i%3 != 0 {
			c.Lifetime = time.Hour
		}
		if changes = append(changes, c); len(changes) == store.MaxBatch {
			if _, err := s.Put(ctx, changes...); err != nil {
				t.Fatal(err)
			}
			changes = nil
		}
	}
	_, err1 := s.Lease(ctx, "lease", "me", time.Hour)
	_, err2 := s.Lease(ctx, "longer", "me", 2*time.Hour)
	_, err3 := s.Append(ctx, "log", []byte("x"))
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	poll(t, "the first sweep", func() bool { return s.Health().Keys >= 0 })
	sweepAll(t, s, now) // to the end of what the store itself has begun
	if pieces, removed := sweepAll(t, s, now); pieces < 2 || removed != 0 {
		t.Errorf("before anything expired: %d pieces removed %d, want 2 at least and none", pieces, removed)
	}
	if h := s.Health(); h.Keys != n {
		t.Errorf("%d keys, want %d", h.Keys, n)
	}
	now = now.Add(time.Hour)
	if pieces, removed := sweepAll(t, s, now); pieces < 2 || removed != n/3*2+1 {
		t.Errorf("%d pieces removed %d, want %d", pieces, removed, n/3*2+1)
	}
	if got := onDisk(t, s); got != n/3+1 {
		t.Errorf("%d records on the disk, want %d", got, n/3+1)
	}
	if h := s.Health(); h.Keys != n/3 {
		t.Errorf("%d keys, want %d", h.Keys, n/3)
	}
	if entries, err := s.Read(ctx, "log", "", 5); len(entries) != 1 || err != nil {
		t.Errorf("the log has %v, %v", entries, err)
	}
	if has, err := s.Lease(ctx, "longer", "you", time.Hour); has != "me" || err != nil {
		t.Errorf("the lease that goes on is %q's, %v", has, err)
	}
}

// TestSweepGivesRoomBack wants the disk to be smaller when all has expired.
func TestSweepGivesRoomBack(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	dir := t.TempDir()
	s := opened(t, Options{Dir: dir, Now: func() time.Time { return now }})
	defer s.Close()
	ctx := context.Background()
	r := rand.NewChaCha8([32]byte{})
	for i := range 10 {
		var changes []store.Change
		for j := range 100 {
			c := store.Change{Key: fmt.Sprint("k", i*100+j), Value: make([]byte, 10_000), Lifetime: time.Hour, Volatile: true}
			_, _ = r.Read(c.Value)
			changes = append(changes, c)
		}
		if _, err := s.Put(ctx, changes...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := run(ctx, s, func(e *engine) (any, error) { return nil, e.db.Flush() }); err != nil {
		t.Fatal(err)
	}
	before := tableBytes(t, dir)
	now = now.Add(time.Hour)
	if _, removed := sweepAll(t, s, now); removed == 0 {
		if got := onDisk(t, s); got != 0 {
			t.Fatalf("nothing was removed, %d records are there", got)
		}
	}
	if _, err := run(ctx, s, func(e *engine) (any, error) { return nil, e.db.Flush() }); err != nil {
		t.Fatal(err)
	}
	poll(t, "the room", func() bool { return tableBytes(t, dir) < before/10 })
	t.Logf("tables had %d kB, have %d kB", before>>10, tableBytes(t, dir)>>10)
}

func tableBytes(t *testing.T, dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".sst") {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

// TestSweepSparesTheNew sweeps while what has expired is written anew.
func TestSweepSparesTheNew(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := opened(t, Options{Now: func() time.Time { return now }})
	defer s.Close()
	const n = 2000
	end := make(chan struct{})
	go func() {
		defer close(end)
		for i := range n {
			if err := put(s, fmt.Sprint(i), "new", true); err != nil {
				t.Error(err)
			}
		}
	}()
	for done := false; !done; {
		select {
		case <-end:
			done = true
		default:
		}
		_, err := s.Put(context.Background(), store.Change{Key: fmt.Sprint("old", time.Now().UnixNano()), Lifetime: time.Millisecond, Volatile: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sweep(context.Background(), now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		if got := get(t, s, fmt.Sprint(i)); got != "new" {
			t.Fatalf("%d has %q, want new", i, got)
		}
	}
}

// TestTold wants to be told once when the store goes down and once when it is back.
func TestTold(t *testing.T) {
	f := &faulty{err: syscall.EIO, match: func(op errorfs.Op) bool {
		return op.Kind == errorfs.OpFileWrite
	}}
	var told []store.Health
	tell := func(h store.Health) { told = append(told, h) } // in turn, and read after Close
	s, err := open(Options{Down: tell, Up: tell}, newDisk(f), backoff{time.Millisecond, time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	f.broken.Store(true)
	for range 20 {
		if err := put(s, "k", "v", false); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	}
	poll(t, "a few tries to reopen", func() bool { return f.hits.Load() > 5 })
	f.broken.Store(false)
	poll(t, "the return", func() bool { return put(s, "k", "v", false) == nil && s.Health().Up })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if len(told) != 2 || told[0].Up || !strings.Contains(told[0].Reason, "input/output error") || !told[1].Up || told[1].LastLasted <= 0 {
		t.Errorf("want to be told of the outage and of its end, got %+v", told)
	}
}
