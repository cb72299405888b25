package main

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// load is one run.
type load struct {
	*config
	corpus  []letter
	results io.Writer // one JSON line per message; nil for none

	next       atomic.Int64 // number of the next message
	queueID    atomic.Uint64
	negotiated atomic.Pointer[string]
	mu         sync.Mutex // for results
}

// drive sends the messages and gives the report.
func (l *load) drive(ctx context.Context) (report, error) {
	if l.warmup > 0 {
		l.round(ctx, l.warmup)
	}
	before, err := processTree(l.pid)
	if err != nil {
		return report{}, err
	}
	begin := time.Now()
	tallies := l.round(ctx, l.count)
	took := time.Since(begin)
	after, err := processTree(l.pid)
	if err != nil {
		return report{}, err
	}
	r := newReport(l, tallies, took)
	if l.pid != 0 {
		r.process(before, after)
	}
	return r, nil
}

// round lets all connections send until count messages (0: any number) have been
// begun or the time is over.
func (l *load) round(ctx context.Context, count int) []*tally {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	l.next.Store(0)
	begin := time.Now()
	tallies := make([]*tally, l.conns)
	var wg sync.WaitGroup
	for i := range tallies {
		tallies[i] = newTally()
		wg.Go(func() {
			s := sender{load: l, rng: rand.New(rand.NewPCG(l.seed, uint64(i)+2)), tally: tallies[i]}
			defer s.hangUp()
			for {
				n := int(l.next.Add(1)) - 1
				if count > 0 && n >= count {
					return
				}
				start, ok := l.due(ctx, begin, n)
				if !ok {
					return
				}
				s.send(ctx, &l.corpus[n%len(l.corpus)], start)
			}
		})
	}
	wg.Wait()
	return tallies
}

// due waits until message n is due and gives the time from which its latency
// counts; it is false when the run is over.
func (l *load) due(ctx context.Context, begin time.Time, n int) (time.Time, bool) {
	if l.rate <= 0 {
		return time.Now(), ctx.Err() == nil
	}
	at := begin.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	return at, pause(ctx, time.Until(at))
}

// pause waits; it is false when the run is over.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
