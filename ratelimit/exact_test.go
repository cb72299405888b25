package ratelimit

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rmilter/internal/store"
	"rmilter/internal/ucl"
)

const goroutines = 256

// takeAll has every goroutine take n times for one recipient and returns how many passed.
func takeAll(t *testing.T, l *Limiter, st store.Store, n int) int64 {
	t.Helper()
	var passed atomic.Int64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range n {
				_, v := l.Take(context.Background(), st, stranger())
				if v.Err != nil {
					t.Error(v.Err)
				}
				if !v.Refused {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	return passed.Load()
}

func toLimiter(burst, rate float64, now func() time.Time) *Limiter {
	conf := DefaultConfig()
	conf.To = ucl.Bucket{Burst: burst, Rate: rate}
	return New(conf, Env{Now: now})
}

// TestExact has many goroutines share one bucket: at no time do more pass than the burst
// and what time restored, and none fewer.
func TestExact(t *testing.T) {
	c := newClock()
	st, l := open(t, c.now), toLimiter(100, 37, c.now)
	begin, passed := c.now(), int64(0)
	for range 41 {
		passed += takeAll(t, l, st, 1)
		want := 100 + int64(c.now().Sub(begin)/l.limits[kindOf("to")].Every)
		if passed != want {
			t.Fatalf("%d passed after %v, want %d", passed, c.now().Sub(begin), want)
		}
		c.step(250 * time.Millisecond)
	}
	if os.Getenv("RMILTER_DRILL") == "1" {
		t.Run("real time", exactRealTime)
	}
}

// exactRealTime is the same for ten seconds by the machine's clock.
func exactRealTime(t *testing.T) {
	const burst, rate = 100, 50.0
	st, l := open(t, time.Now), toLimiter(burst, rate, time.Now)
	begin, passed := time.Now(), int64(0)
	for time.Since(begin) < 10*time.Second {
		passed += takeAll(t, l, st, 20)
	}
	most := burst + rate*time.Since(begin).Seconds()
	t.Logf("%d passed, at most %.1f", passed, most)
	if float64(passed) > most || float64(passed) < 0.99*most {
		t.Errorf("%d passed, want %.1f at most and 99 %% of it at least", passed, most)
	}
}

// TestExactRefunds has many goroutines take and give back: what is kept in the end is
// the burst, no more and no less.
func TestExactRefunds(t *testing.T) {
	c := newClock()
	st, l := open(t, c.now), toLimiter(100, 0.01, c.now)
	var kept, given atomic.Int64
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			for n := range 20 {
				ticket, v := l.Take(context.Background(), st, stranger())
				switch {
				case v.Err != nil:
					t.Error(v.Err)
				case v.Refused:
				case (i+n)%10 == 0:
					kept.Add(1)
				default:
					given.Add(1)
					if err := Give(context.Background(), st, ticket); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	if kept.Load() > 100 || given.Load() < 100 {
		t.Errorf("%d kept, %d given back", kept.Load(), given.Load())
	}
	if got := kept.Load() + takeAll(t, l, st, 1); got != 100 {
		t.Errorf("%d kept in the end, want 100", got)
	}
}

func BenchmarkTake(b *testing.B) {
	conf := everything()
	conf.To = ucl.Bucket{Burst: 1e9, Rate: 1e6}
	conf.ToIP, conf.ToIPFrom = conf.To, conf.To
	for _, one := range []bool{true, false} {
		name := map[bool]string{true: "one recipient", false: "many recipients"}[one]
		for _, n := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				st, l := open(b, time.Now), New(conf, Env{Now: time.Now})
				b.ReportAllocs()
				b.ResetTimer()
				var next atomic.Int64
				var all sync.WaitGroup
				for range n {
					all.Go(func() {
						q := stranger()
						for {
							i := next.Add(1)
							if i > int64(b.N) {
								return
							}
							if !one {
								q.Rcpt.Local = fmt.Sprint("bob", i%100_000)
							}
							if _, v := l.Take(context.Background(), st, q); v != (Verdict{}) {
								b.Error(v)
								return
							}
						}
					})
				}
				all.Wait()
			})
		}
	}
}
