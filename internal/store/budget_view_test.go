package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A slow store answers each Get after a time, and counts what it is asked.
type slow struct {
	Store
	takes time.Duration
	err   error
	mu    sync.Mutex
	asked int
	left  []time.Duration
}

func (s *slow) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	deadline, _ := ctx.Deadline()
	s.mu.Lock()
	s.asked++
	s.left = append(s.left, time.Until(deadline))
	s.mu.Unlock()
	select {
	case <-time.After(s.takes):
		return [][]byte{[]byte("v")}, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *slow) Close() error   { return nil }
func (s *slow) Health() Health { return Health{Kind: "slow"} }

func TestBudgetOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging, quick := &slow{takes: time.Hour}, &slow{}
		b := NewBudget(Transaction, time.Now)
		start := time.Now()
		_, err := b.On(hanging).Get(context.Background(), "k")
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no answer in 250ms") {
			t.Errorf("got %v, want ErrUnavailable: no answer in 250ms", err)
		}
		if got := time.Since(start); got != Operation {
			t.Errorf("waited %s, want %s", got, Operation)
		}
		if b.Err() != err {
			t.Errorf("Err() = %v, want %v", b.Err(), err)
		}
		start = time.Now()
		if _, err := b.On(quick).Get(context.Background(), "k"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("another store after the end: got %v, want ErrUnavailable", err)
		}
		if quick.asked != 0 || time.Since(start) != 0 {
			t.Errorf("another store was asked %d times in %s after the end", quick.asked, time.Since(start))
		}
	})
}

func TestBudgetTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: 150 * time.Millisecond}
		v := NewBudget(Transaction, time.Now)
		for i := range 6 {
			time.Sleep(time.Minute) // time outside of stores doesn't count
			_, err := v.On(s).Get(context.Background(), "k")
			if ok := i < 3; ok != (err == nil) {
				t.Errorf("operation %d: %v, want success %v", i, err, ok)
			}
		}
		ms := time.Millisecond
		if diff := cmp.Diff([]time.Duration{250 * ms, 250 * ms, 230 * ms, 90 * ms}, s.left); diff != "" {
			t.Errorf("time that operations had (-want +got):\n%s", diff)
		}
	})
}

// TestBudgetQuick wants a message to many recipients to go on for as long as the store
// answers at once.
func TestBudgetQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Transaction, time.Now)
		for _, takes := range []time.Duration{time.Millisecond, free} {
			s := &slow{takes: takes}
			v := b.On(s)
			for i := range 1000 {
				if _, err := v.Get(context.Background(), "k"); err != nil {
					t.Fatalf("operation %d of 1000, each of %s: %v", i, takes, err)
				}
			}
		}
		if b.spent != 0 || b.Err() != nil {
			t.Errorf("spent %s, %v, want nothing", b.spent, b.Err())
		}
	})
}

// TestBudgetSpent wants what is beyond the free time of each operation to end the budget.
func TestBudgetSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: free + 5*time.Millisecond}
		b := NewBudget(Transaction, time.Now)
		done := 0
		for range 1000 {
			if _, err := b.On(s).Get(context.Background(), "k"); err == nil {
				done++
			}
		}
		if done != 100 || s.asked != 100 || !strings.Contains(b.Err().Error(), "the 500ms for this message are spent") {
			t.Errorf("%d operations done, %d asked, then %v, want 100 that each waited 5ms", done, s.asked, b.Err())
		}
	})
}

// TestBudgetConcurrent wants what several wait at the same time to count once.
func TestBudgetConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Transaction, time.Now)
		var want time.Duration
		for _, round := range []struct {
			begin, takes []time.Duration // in milliseconds
			waited       time.Duration
		}{
			{[]time.Duration{0, 0, 0, 0}, []time.Duration{100, 100, 100, 100}, 90},
			{[]time.Duration{0, 50, 50}, []time.Duration{100, 20, 5}, 90}, // short ones within a long one
			{[]time.Duration{0, 50}, []time.Duration{60, 40}, 80},         // one after the other
			{[]time.Duration{0, 5, 12, 20}, []time.Duration{9, 9, 9, 9}, 0},
		} {
			var all sync.WaitGroup
			for i := range round.begin {
				all.Go(func() {
					time.Sleep(round.begin[i] * time.Millisecond)
					if _, err := b.On(&slow{takes: round.takes[i] * time.Millisecond}).Get(context.Background(), "k"); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if want += round.waited * time.Millisecond; b.spent != want {
				t.Errorf("after %+v: spent %s, want %s", round, b.spent, want)
			}
		}
		if len(b.running) != 0 {
			t.Errorf("%d operations run", len(b.running))
		}
	})
}

// TestBudgetOneDown wants a store that fails at once to leave the others alone, and one
// that was waited for not to.
func TestBudgetOneDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := fmt.Errorf("%w: out of order", ErrUnavailable)
		down, well := &slow{err: failure, takes: free - 1}, &slow{}
		b := NewBudget(Transaction, time.Now)
		for range 3 {
			if _, err := b.On(down).Get(context.Background(), "k"); err != failure {
				t.Errorf("a store that is down: %v, want %v", err, failure)
			}
			if _, err := b.On(well).Get(context.Background(), "k"); err != nil {
				t.Errorf("another store: %v", err)
			}
		}
		if b.Err() != failure || down.asked != 3 || well.asked != 3 {
			t.Errorf("Err() = %v, want %v; asked %d and %d times, want 3 each", b.Err(), failure, down.asked, well.asked)
		}
		slowly := &slow{err: fmt.Errorf("%w: broken at last", ErrUnavailable), takes: free}
		b.On(slowly).Get(context.Background(), "k")
		if _, err := b.On(well).Get(context.Background(), "k"); err != slowly.err || well.asked != 3 {
			t.Errorf("after a failure that was waited for: %v, want %v; asked %d times", err, slowly.err, well.asked)
		}
		if b.Err() != failure {
			t.Errorf("Err() = %v, want the first: %v", b.Err(), failure)
		}
	})
}

func TestBudgetErrors(t *testing.T) {
	other := errors.New("other")
	for _, c := range []struct {
		name  string
		err   error
		noted bool
	}{
		{"unavailable", fmt.Errorf("%w: broken", ErrUnavailable), true},
		{"corrupt", ErrCorrupt, false},
		{"too large", ErrTooLarge, false},
		{"no channels", ErrNoChannels, false},
		{"other", other, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &slow{err: c.err}
			b := NewBudget(Transaction, time.Now)
			if v, err := b.On(s).Get(context.Background(), "k"); !errors.Is(err, c.err) || v != nil {
				t.Errorf("got %q, %v, want %v", v, err, c.err)
			}
			if noted := b.Err() != nil; noted != c.noted {
				t.Errorf("Err() = %v, want one: %v", b.Err(), c.noted)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := NewBudget(Transaction, time.Now).On(&slow{takes: time.Hour}).Get(ctx, "k")
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want ErrUnavailable and context.Canceled", err)
		}
	})
}

func TestBudgetOnSet(t *testing.T) {
	one, two := &slow{}, &slow{}
	set := Same(one)
	set.Limits = two
	b := NewBudget(Transaction, time.Now)
	views := b.OnSet(set)
	if got := len(views.All()); got != 2 {
		t.Errorf("%d views of two stores, want 2", got)
	}
	if views.Main != views.Copy || views.Main == views.Limits {
		t.Error("views don't stand for the stores of the set")
	}
	if got := views.Main.Health().Kind; got != "slow" {
		t.Errorf("Health().Kind = %q, want slow", got)
	}
	if err := views.Close(); err != nil {
		t.Error(err)
	}
}
