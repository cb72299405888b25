package greylist_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"rmilter/greylist"
	"rmilter/internal/store"
	"rmilter/internal/store/embedded"
)

// TestOneRecord has 64 goroutines of two machines, whose clocks differ, on one new message:
// there is one record, and all go by it. When the time is over, one is the first to pass.
func TestOneRecord(t *testing.T) {
	both(t, func(t *testing.T, two bool) {
		for _, q := range []greylist.Query{query(), query(noContent), query(domain("sender.example"))} {
			w := newWorld(t, two, nil)
			other := &clock{}
			other.set(time.Duration(w.clock.since.Load()) + 2*time.Second)
			second := greylist.New(greylist.DefaultConfig(), greylist.Env{Now: other.now, Location: time.UTC, Delimiter: "+", GreyPrefix: "grey", WhitePrefix: "white"})
			all := func() []greylist.Verdict {
				verdicts := make([]greylist.Verdict, 64)
				start := make(chan struct{})
				var wg sync.WaitGroup
				for i := range verdicts {
					g := []*greylist.Greylist{w.Greylist, second}[i%2]
					wg.Go(func() {
						<-start
						verdicts[i] = g.Check(context.Background(), w.stores, q)
					})
				}
				close(start)
				wg.Wait()
				return verdicts
			}
			first := 0
			verdicts := all()
			for i, v := range verdicts {
				if v.State == greylist.First {
					first++
				}
				if u := verdicts[0]; v.Err != nil || !v.Defer || !v.Since.Equal(u.Since) || !v.Until.Equal(u.Until) || !v.Expires.Equal(u.Expires) {
					t.Errorf("verdict %d: got %+v, the first is %+v", i, v, u)
				}
			}
			if first != 1 {
				t.Errorf("%d were the first, want 1", first)
			}
			w.clock.add(5*time.Minute + 2*time.Second)
			other.add(5*time.Minute + 2*time.Second)
			passed := 0
			for i, v := range all() {
				switch {
				case v.Err != nil || v.Defer:
					t.Errorf("verdict %d after the delay: got %+v", i, v)
				case v.State == greylist.Passed:
					passed++
				case v.State != greylist.White || v.Waited != 0:
					t.Errorf("verdict %d after the delay: got %+v", i, v)
				}
			}
			if passed != 1 {
				t.Errorf("%d passed for the first time, want 1", passed)
			}
		}
	})
}

// TestRestart has a store on a disk that is closed and opened again.
func TestRestart(t *testing.T) {
	c := &clock{}
	dir := t.TempDir()
	w := &world{t: t, clock: c}
	w.configure(nil)
	var s *embedded.Store
	restart := func() {
		t.Helper()
		if s != nil {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if s, err = embedded.Open(embedded.Options{Dir: dir, Now: c.now, MinFree: -1}); err != nil {
			t.Fatal(err)
		}
		w.stores = store.Same(s)
	}
	restart()
	w.want("first message ever", query(body("0"), to("bob@example.com")), greylist.Warmup)
	c.add(time.Hour)
	restart()
	w.want("new", query(), greylist.First)
	restart()
	w.want("at once", query(), greylist.Early)
	c.add(5 * time.Minute)
	restart()
	w.want("after the delay", query(), greylist.Passed)
	restart()
	w.want("again", query(), greylist.White)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
