package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"rmilter/internal/store"
)

// A faulty disk fails operations of a kind on files of a kind while it is broken.
type faulty struct {
	broken atomic.Bool
	hits   atomic.Int64
	match  func(errorfs.Op) bool
	err    error
	free   atomic.Uint64
}

// String implements errorfs.Injector.
func (f *faulty) String() string { return "faulty" }

// MaybeError implements errorfs.Injector.
func (f *faulty) MaybeError(op errorfs.Op) error {
	if f.broken.Load() && f.match(op) {
		f.hits.Add(1)
		return &fs.PathError{Op: "test", Path: op.Path, Err: f.err}
	}
	return nil
}

// A disk is a file system with faults and a size.
type disk struct {
	vfs.FS
	faults *faulty
}

func newDisk(f *faulty) *disk {
	f.free.Store(1 << 40)
	return &disk{errorfs.Wrap(vfs.NewMem(), f), f}
}

// GetDiskUsage implements vfs.FS.
func (d *disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.faults.free.Load(), TotalBytes: 1 << 40}, nil
}

func openFaulty(t *testing.T, fs vfs.FS) *Store {
	t.Helper()
	s, err := open(Options{}, fs, backoff{time.Millisecond, 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// poll waits for something that comes by itself.
func poll(t *testing.T, what string, over func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !over() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30s", what)
		}
		<-tick.C
	}
}

func put(s *Store, key, value string, volatile bool) error {
	_, err := s.Put(context.Background(), store.Change{Key: key, Value: []byte(value), Volatile: volatile})
	return err
}

func get(t *testing.T, s *Store, key string) string {
	t.Helper()
	v, err := s.Get(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(v[0])
}

// TestFaults fails each kind of operation on each kind of file, under load, and wants
// the store to say so, to come back by itself and to have all that it acknowledged.
func TestFaults(t *testing.T) {
	kinds := map[string][]errorfs.OpKind{
		"write":  {errorfs.OpFileWrite},
		"sync":   {errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo},
		"create": {errorfs.OpCreate, errorfs.OpReuseForWrite},
		"rename": {errorfs.OpRename},
		"all":    {errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpRename, errorfs.OpFilePreallocate},
	}
	for _, c := range []struct{ kind, file string }{
		{"write", ".log"}, {"sync", ".log"}, {"create", ".log"},
		{"write", ".sst"}, {"sync", ".sst"}, {"create", ".sst"},
		{"write", "MANIFEST-"}, {"sync", "MANIFEST-"}, {"create", "synced."}, {"rename", "synced."},
		{"all", ""},
	} {
		for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
			if errno == syscall.EIO && c.kind != "sync" && os.Getenv("RMILTER_DRILL") == "" {
				continue // pebble treats them alike
			}
			t.Run(fmt.Sprintf("%s%s/%d", c.kind, c.file, errno), func(t *testing.T) {
				f := &faulty{err: errno, match: func(op errorfs.Op) bool {
					for _, k := range kinds[c.kind] {
						if op.Kind == k && strings.Contains(filepath.Base(op.Path), c.file) {
							return true
						}
					}
					return false
				}}
				testFault(t, f)
			})
		}
	}
}

func testFault(t *testing.T, f *faulty) {
	s := openFaulty(t, newDisk(f))
	// What a key may read: the value that was acknowledged, or one of a later try that
	// failed, which may be there or not.
	acknowledged := map[string][]int{}
	var mu sync.Mutex
	var load sync.WaitGroup
	end := make(chan struct{})
	stop := sync.OnceFunc(func() {
		close(end)
		load.Wait()
	})
	defer stop()
	for w := range 8 {
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-end:
					return
				default:
				}
				key, value := fmt.Sprintf("%d.%d", w, i%50), valueOf(i)
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				_, err := s.Put(ctx, store.Change{Key: key, Value: []byte(value), Volatile: w > 3})
				cancel()
				mu.Lock()
				switch {
				case err == nil && w <= 3:
					acknowledged[key] = []int{i}
				case err != nil && !errors.Is(err, store.ErrUnavailable):
					t.Errorf("got %v, want ErrUnavailable", err)
				case errors.Is(err, context.DeadlineExceeded):
					t.Errorf("hung: %v", err)
				case err != nil && acknowledged[key] != nil:
					acknowledged[key] = append(acknowledged[key], i)
				}
				mu.Unlock()
			}
		})
	}
	poll(t, "load", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged) > 10
	})
	f.broken.Store(true)
	poll(t, "the failure", func() bool { return f.hits.Load() > 0 && !s.Health().Up })
	if h := s.Health(); h.Reason == "" {
		t.Errorf("health without a reason: %+v", h)
	}
	f.broken.Store(false)
	poll(t, "the return", func() bool { return s.Health().Up && put(s, "after", "x", false) == nil })
	stop()
	h := s.Health()
	if h.LastOutage.IsZero() || h.LastLasted <= 0 {
		t.Errorf("no outage in %+v", h)
	}
	for k, tries := range acknowledged {
		var got int
		v := get(t, s, k)
		if _, err := fmt.Sscan(v, &got); err != nil || v != valueOf(got) || !slices.Contains(tries, got) {
			t.Errorf("%s: got %.20q…, acknowledged was %d, tried since %v", k, v, tries[0], tries[1:])
		}
	}
}

func valueOf(i int) string { return strings.Repeat(fmt.Sprint(i, " "), 10_000) }

// TestNearlyFull refuses changes before the disk is full, and goes on reading.
func TestNearlyFull(t *testing.T) {
	f := &faulty{match: func(errorfs.Op) bool { return false }}
	s := openFaulty(t, newDisk(f))
	s.roomFor = 0 // sees it at once
	if err := put(s, "k", "v", false); err != nil {
		t.Fatal(err)
	}
	f.free.Store(MinFree - 1)
	ctx := context.Background()
	b := store.Bucket{Key: "b", Limit: store.Limit{Burst: 1, Every: time.Second}}
	for name, op := range map[string]func() error{
		"Put":    func() error { return put(s, "k", "w", true) },
		"Add":    func() error { _, err := s.Add(ctx, store.Increment{Key: "n"}); return err },
		"Take":   func() error { _, err := s.Take(ctx, b); return err },
		"Append": func() error { _, err := s.Append(ctx, "l", nil); return err },
		"Lease":  func() error { _, err := s.Lease(ctx, "l", "me", time.Hour); return err },
	} {
		if err := op(); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "disk nearly full") {
			t.Errorf("%s: got %v, want ErrUnavailable: disk nearly full", name, err)
		}
	}
	if h := s.Health(); h.Up || !strings.Contains(h.Reason, "disk nearly full: 63 MB free, 72 MB wanted") {
		t.Errorf("health: %+v", h)
	}
	if got := get(t, s, "k"); got != "v" {
		t.Errorf("read %q, want v", got)
	}
	if n, err := s.Delete(ctx, "k"); n != 1 || err != nil {
		t.Errorf("what makes room: deleted %d, %v", n, err)
	}
	if _, err := s.Sweep(ctx, time.Now()); err != nil {
		t.Error(err)
	}
	f.free.Store(MinFree + MinFree/8 - 1)
	if err := put(s, "k", "v", false); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("with little more room: %v", err)
	}
	f.free.Store(MinFree + MinFree/8)
	if err := put(s, "k", "v", false); err != nil {
		t.Error(err)
	}
	if h := s.Health(); !h.Up || h.LastOutage.IsZero() {
		t.Errorf("health afterwards: %+v", h)
	}
}

// TestFullAtStart wants a store that comes when there is room.
func TestFullAtStart(t *testing.T) {
	f := &faulty{match: func(errorfs.Op) bool { return false }}
	d := newDisk(f)
	f.free.Store(5)
	s := openFaulty(t, d)
	if err := put(s, "k", "v", false); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if h := s.Health(); h.Up || !strings.Contains(h.Reason, "nearly full") {
		t.Errorf("health: %+v", h)
	}
	f.free.Store(1 << 40)
	poll(t, "room", func() bool { return put(s, "k", "v", false) == nil })
}

// TestBrokenAtStart wants a store that comes when the disk does, whatever fails first.
func TestBrokenAtStart(t *testing.T) {
	for nth := range 25 {
		left := atomic.Int64{}
		left.Store(int64(nth))
		f := &faulty{err: syscall.ENOSPC, match: func(op errorfs.Op) bool {
			switch op.Kind {
			case errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpCreate, errorfs.OpRename, errorfs.OpFileClose:
				return left.Add(-1) < 0
			}
			return false
		}}
		f.broken.Store(true)
		s := openFaulty(t, newDisk(f))
		if f.hits.Load() == 0 && nth < 10 {
			t.Errorf("operation %d: nothing failed", nth)
		}
		f.broken.Store(false)
		poll(t, "the disk", func() bool { return put(s, "k", "v", false) == nil })
	}
}

// TestHangingDisk wants callers to be free when the disk neither works nor fails.
func TestHangingDisk(t *testing.T) {
	free := make(chan struct{})
	f := &faulty{match: func(op errorfs.Op) bool {
		if strings.HasSuffix(op.Path, ".log") && op.Kind == errorfs.OpFileSyncData {
			<-free
		}
		return false
	}}
	s := openFaulty(t, newDisk(f))
	if err := put(s, "k", "v", false); err != nil {
		t.Fatal(err)
	}
	f.broken.Store(true)
	var all sync.WaitGroup
	for i := range 2 * atOnce { // more than work at a time
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			_, err := s.Put(ctx, store.Change{Key: fmt.Sprint(i)})
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want ErrUnavailable and DeadlineExceeded", err)
			}
		})
	}
	all.Wait()
	close(free)
	poll(t, "the disk", func() bool { return put(s, "k", "w", false) == nil })
}

// TestHangIsTold wants a disk that hangs to be an outage that is told of once, that nobody
// waits for, and that ends by itself.
func TestHangIsTold(t *testing.T) {
	free := make(chan struct{})
	f := &faulty{match: func(op errorfs.Op) bool {
		if strings.HasSuffix(op.Path, ".log") && op.Kind == errorfs.OpFileSyncData {
			<-free
		}
		return false
	}}
	var downs, ups atomic.Int64
	s, err := open(Options{Down: func(store.Health) { downs.Add(1) }, Up: func(store.Health) { ups.Add(1) }}, newDisk(f), newBackoff())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e, err := s.engine()
	if err != nil {
		t.Fatal(err)
	}
	e.patience = 20 * time.Millisecond
	if err := put(s, "before", "v", true); err != nil {
		t.Fatal(err)
	}
	f.broken.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n := 0
	poll(t, "the outage", func() bool {
		n++
		_, err := s.Put(ctx, store.Change{Key: fmt.Sprint(n), Volatile: true})
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Fatal(err)
		}
		return err != nil
	})
	if h := s.Health(); h.Up || h.Reason != "the disk hangs" {
		t.Errorf("health: %+v", h)
	}
	for range 1000 { // each would take a worker otherwise
		if _, err := s.Get(ctx, "absent"); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("got %v, want ErrUnavailable", err)
		}
	}
	if busy := len(e.slots); busy > 4 {
		t.Errorf("%d workers hang", busy)
	}
	close(free)
	poll(t, "the return", func() bool { return s.Health().Up && put(s, "after", "v", false) == nil })
	if got := get(t, s, "before"); got != "v" || downs.Load() != 1 || ups.Load() != 1 {
		t.Errorf("before is %q; told %d times of outages and %d times of their ends", got, downs.Load(), ups.Load())
	}
}
