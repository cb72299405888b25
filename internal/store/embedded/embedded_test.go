package embedded

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rmilter/internal/store"
	"rmilter/internal/store/storetest"
)

func TestStoreInMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now func() time.Time) store.Store {
		return opened(t, Options{Now: now})
	}, storetest.Options{Clock: true})
}

func TestStoreOnDisk(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now func() time.Time) store.Store {
		return opened(t, Options{Dir: t.TempDir(), Now: now})
	}, storetest.Options{Clock: true})
}

func opened(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestExactUnderLoad takes from one bucket as fast as 256 can while time goes on.
func TestExactUnderLoad(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	var passed atomic.Int64
	s := opened(t, Options{Now: func() time.Time { return start.Add(time.Duration(passed.Load())) }})
	defer s.Close()
	b := store.Bucket{Key: "b", Limit: store.Limit{Burst: 100, Every: 10 * time.Millisecond}}
	var asked, taken atomic.Int64
	end := make(chan struct{})
	var all sync.WaitGroup
	for range 256 {
		all.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				grants, err := s.Take(context.Background(), b)
				if err != nil {
					t.Error(err)
					return
				}
				asked.Add(1)
				if grants[0].Taken {
					taken.Add(1)
				}
			}
		})
	}
	const steps, step = 100, 20 * time.Millisecond
	for range steps {
		more := asked.Load() + 300
		poll(t, "300 more", func() bool { return asked.Load() >= more || t.Failed() })
		passed.Add(int64(step))
	}
	more := asked.Load() + 300
	poll(t, "300 more", func() bool { return asked.Load() >= more || t.Failed() })
	close(end)
	all.Wait()
	if want := b.Limit.Burst + int64(steps*step/b.Limit.Every); taken.Load() != want {
		t.Errorf("%d of %d were taken, want %d: the burst and one each 10ms", taken.Load(), asked.Load(), want)
	}
}
