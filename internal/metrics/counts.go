package metrics

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// counts are the counters behind Counts. The zero value is ready to use.
type counts struct {
	in, ours                           atomic.Int64
	deadlineHits, failedChecks, panics atomic.Int64
	verdicts                           tally
	scan                               histogram
	stateCounts
}

func (c *counts) message(action string, ours bool) {
	if ours {
		c.ours.Add(1)
	} else {
		c.in.Add(1)
	}
	c.verdicts.add(action)
}

func (c *counts) read() Counts {
	r := Counts{
		In:           c.in.Load(),
		Ours:         c.ours.Load(),
		Verdicts:     c.verdicts.read(),
		Scan:         c.scan.read(),
		DeadlineHits: c.deadlineHits.Load(),
		FailedChecks: c.failedChecks.Load(),
		Panics:       c.panics.Load(),
	}
	r.Messages = r.In + r.Ours
	c.stateCounts.read(&r)
	return r
}

// maxNames bounds the names of a tally: they should be a handful, and if they
// come from outside by mistake, memory must not grow.
const maxNames = 32

// A tally counts by name.
type tally struct {
	names sync.Map // string to *atomic.Int64
	mu    sync.Mutex
	known int // names stored; guarded by mu
}

func (t *tally) add(name string) {
	c, ok := t.names.Load(name)
	if !ok {
		c = t.insert(name)
	}
	c.(*atomic.Int64).Add(1)
}

func (t *tally) insert(name string) any {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c, ok := t.names.Load(name); ok {
		return c
	}
	if t.known >= maxNames {
		name = "other"
	}
	c, loaded := t.names.LoadOrStore(name, new(atomic.Int64))
	if !loaded {
		t.known++
	}
	return c
}

func (t *tally) read() map[string]int64 {
	m := make(map[string]int64)
	for name, c := range t.names.Range {
		m[name.(string)] = c.(*atomic.Int64).Load()
	}
	return m
}

// A histogram has log-linear buckets over microseconds: every power of two is cut
// into perOctave equal parts, so that the middle of a bucket is within 1/32 of
// each value in it. Values below perOctave are exact.
type histogram struct {
	buckets [buckets]atomic.Int64
}

const (
	perOctave  = 16
	maxOctaves = 36                           // up to 2^36 microseconds, 19 hours
	maxMicros  = 1<<maxOctaves - 1            // longer durations count as this
	buckets    = perOctave * (maxOctaves - 3) // bucket(maxMicros) + 1
)

func (h *histogram) record(d time.Duration) { h.buckets[bucket(d)].Add(1) }

// bucket returns the index for a duration; negative ones count as zero.
func bucket(d time.Duration) int {
	us := uint64(min(max(d, 0)/time.Microsecond, maxMicros))
	if us < perOctave {
		return int(us)
	}
	shift := bits.Len64(us) - 5 // leaves perOctave to 2*perOctave-1
	return perOctave*shift + int(us>>shift)
}

// middle returns the duration that stands for a bucket.
func middle(i int) time.Duration {
	if i < perOctave {
		return time.Duration(i) * time.Microsecond
	}
	shift := i/perOctave - 1
	low := uint64(i%perOctave+perOctave) << shift
	return time.Duration(low)*time.Microsecond + time.Duration(uint64(1)<<shift)*time.Microsecond/2
}

func (h *histogram) read() Times {
	var seen [buckets]int64
	var t Times
	for i := range h.buckets {
		seen[i] = h.buckets[i].Load()
		t.Count += seen[i]
	}
	if t.Count > 0 {
		t.Median = milliseconds(quantile(seen[:], t.Count, 0.5))
		t.P99 = milliseconds(quantile(seen[:], t.Count, 0.99))
	}
	return t
}

// quantile returns the smallest value that a share q of the n values in seen does
// not exceed.
func quantile(seen []int64, n int64, q float64) time.Duration {
	rank := max(1, int64(math.Ceil(q*float64(n))))
	for i, c := range seen {
		if rank -= c; rank <= 0 {
			return middle(i)
		}
	}
	return middle(len(seen) - 1)
}

// milliseconds rounds to the microsecond.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}
