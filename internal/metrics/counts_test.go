package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	if got := bucket(maxMicros * time.Microsecond); got != buckets-1 {
		t.Fatalf("bucket of the longest: got %d, want %d", got, buckets-1)
	}
	if got := bucket(math.MaxInt64); got != buckets-1 {
		t.Errorf("bucket of what is too long: got %d, want %d", got, buckets-1)
	}
	if got := bucket(-time.Second); got != 0 {
		t.Errorf("bucket of a negative: got %d, want 0", got)
	}
	for i := range buckets {
		if got := bucket(middle(i)); got != i {
			t.Errorf("bucket(middle(%d)): got %d", i, got)
		}
		if i > 0 && middle(i) <= middle(i-1) {
			t.Errorf("middle(%d) = %v is not above middle(%d) = %v", i, middle(i), i-1, middle(i-1))
		}
	}
}

func TestQuantiles(t *testing.T) {
	ms := func(v ...float64) []time.Duration {
		var list []time.Duration
		for _, x := range v {
			list = append(list, time.Duration(x*float64(time.Millisecond)))
		}
		return list
	}
	tests := []struct {
		name        string
		in          []time.Duration
		median, p99 float64
	}{
		{"none", nil, 0, 0},
		{"one", ms(14), 14, 14},
		{"two: the lower is the median", ms(10, 20), 10, 20},
		{"three", ms(1, 50, 900), 50, 900},
		{"exact below 16 microseconds", ms(0.003), 0.003, 0.003},
		{"one slow of a hundred is not in p99", append(slices.Repeat(ms(5), 99), ms(3000)...), 5, 5},
		{"two slow of a hundred are", append(slices.Repeat(ms(5), 98), ms(3000, 3000)...), 5, 3000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h histogram
			for _, d := range tt.in {
				h.record(d)
			}
			got := h.read()
			if got.Count != int64(len(tt.in)) || !near(got.Median, tt.median) || !near(got.P99, tt.p99) {
				t.Errorf("got %+v, want %d, median %v, p99 %v", got, len(tt.in), tt.median, tt.p99)
			}
		})
	}
}

// TestQuantilesRandom compares with the exact quantiles of 10,000 log-uniform values.
func TestQuantilesRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(math.Exp(rnd.Float64()*17) * float64(time.Microsecond))
		all = append(all, d)
		h.record(d)
	}
	slices.Sort(all)
	got := h.read()
	median, p99 := float64(all[4999])/1e6, float64(all[9899])/1e6
	if !near(got.Median, median) || !near(got.P99, p99) {
		t.Errorf("got %+v, want median %v, p99 %v", got, median, p99)
	}
}

// near allows what Times promises.
func near(got, want float64) bool {
	return math.Abs(got-want) <= 0.04*want+0.001
}
