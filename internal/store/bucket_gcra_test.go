package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(s float64) time.Time { return time.UnixMicro(1_700_000_000_000_000 + int64(s*1e6)) }

func TestBucketBurst(t *testing.T) {
	for _, burst := range []int64{1, 3, 31, 32, 33, 100, 1000} {
		l := Limit{burst, time.Second}
		var s BucketState
		taken := int64(0)
		for range burst + 50 {
			if g := s.Take(at(0), l); g.Taken {
				taken++
				if g.Used != taken || !g.At.Equal(at(0)) || g.Wait != 0 {
					t.Fatalf("burst %d, piece %d: got %+v", burst, taken, g)
				}
			} else if g.Wait != time.Second || g.Used != burst {
				t.Fatalf("burst %d, refused: got %+v, want Used %d and Wait 1s", burst, g, burst)
			}
		}
		if taken != burst {
			t.Errorf("burst %d let %d through at once", burst, taken)
		}
		if g := s.Take(at(0.999999), l); g.Taken || g.Wait != time.Microsecond {
			t.Errorf("burst %d: a microsecond early: got %+v", burst, g)
		}
		if g := s.Take(at(1), l); !g.Taken {
			t.Errorf("burst %d: after the wait: got %+v", burst, g)
		}
	}
}

func TestBucketWaitIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		l := Limit{1 + r.Int64N(5), time.Duration(1+r.Int64N(3_000_000)) * time.Microsecond}
		var s BucketState
		now := at(0)
		for range 40 {
			now = now.Add(time.Duration(r.Int64N(int64(l.Every))))
			g := s.Take(now, l)
			if g.Taken {
				continue
			}
			early, right := s, s
			if g := early.Take(now.Add(g.Wait-time.Microsecond), l); g.Taken {
				t.Fatalf("%+v: taken a microsecond before the wait of %s", l, g.Wait)
			}
			if g := right.Take(now.Add(g.Wait), l); !g.Taken {
				t.Fatalf("%+v: not taken after the wait: %+v", l, g)
			}
		}
	}
}

// TestBucketGive compares buckets that things are given back to with buckets where these
// were never taken.
func TestBucketGive(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 0))
		l := Limit{1 + r.Int64N(200), time.Duration(1+r.Int64N(20_000_000)) * time.Microsecond}
		var s BucketState
		var kept []int64 // takes that weren't given back
		now, exact, given := at(0), true, 0
		for range 300 {
			now = now.Add(time.Duration(r.Int64N(int64(l.Every))))
			if len(kept) > 0 && r.IntN(3) == 0 {
				i := len(kept) - 1 - r.IntN(min(len(kept), 40))
				exact = exact && slices.Contains(s.open, kept[i])
				s.Give(now, time.UnixMicro(kept[i]), l)
				kept, given = slices.Delete(kept, i, i+1), given+1
			} else if g := s.Take(now, l); g.Taken {
				kept = append(kept, g.At.UnixMicro())
			}
			var never int64
			for _, k := range kept {
				never = arrive(never, k, l.Every.Microseconds())
			}
			has := s.arrival(l.Every.Microseconds())
			if exact && has != never {
				t.Fatalf("seed %d: arrival %d, where the takings had never happened %d", seed, has, never)
			}
			if max(has, now.UnixMicro()) < never {
				t.Fatalf("seed %d: more room than if the takings had never happened: %d < %d", seed, has, never)
			}
			if len(s.open) > openTakes {
				t.Fatalf("seed %d: %d open takes", seed, len(s.open))
			}
		}
		if given < 20 {
			t.Errorf("seed %d: only %d given back", seed, given)
		}
	}
}

func TestBucketGiveExact(t *testing.T) {
	l := Limit{5, 10 * time.Second}
	var s, never BucketState
	for i := range 3 {
		s.Take(at(float64(i)), l)
		if i != 1 {
			never.Take(at(float64(i)), l)
		}
	}
	s.Give(at(4), at(1), l)
	if got, want := string(s.Append(nil)), string(never.Append(nil)); got != want {
		t.Errorf("given back: %s, never taken: %s", got, want)
	}
	s.Give(at(4), at(7), l) // not yet
	if got, want := string(s.Append(nil)), string(never.Append(nil)); got != want {
		t.Errorf("giving back what will be taken: %s, want %s", got, want)
	}
	s.Give(at(4), time.Time{}, l)
	s.Give(at(4), time.Unix(-1<<40, 0), l)
	if got, want := string(s.Append(nil)), string(never.Append(nil)); got != want {
		t.Errorf("giving back what was never taken: %s, want %s", got, want)
	}
}

func TestBucketGiveFolded(t *testing.T) {
	l := Limit{openTakes + 50, 100 * time.Second}
	const taken = openTakes + 40
	var s BucketState
	for range taken {
		s.Take(at(0), l)
	}
	for i := range taken {
		if got, want := s.Used(at(0), l), int64(taken-i); got != want {
			t.Errorf("used after %d returns: %d, want %d", i, got, want)
		}
		s.Give(at(0), at(0), l)
	}
	s.Take(at(0), l)
	if g := s.Take(at(700), l); !g.Taken || g.Used != 1 { // the first is folded and long over
		t.Errorf("got %+v", g)
	}
	s.Give(at(700), at(0), l)
	if got := s.Used(at(700), l); got != 1 {
		t.Errorf("what time has restored was given again: %d in use, want 1", got)
	}
}

func TestBucketClockBack(t *testing.T) {
	l := Limit{2, time.Second}
	var s BucketState
	s.Take(at(10), l)
	s.Take(at(10), l)
	if g := s.Take(at(-50), l); g.Taken || g.Wait != time.Second || s.Moved() {
		t.Errorf("with the clock back by a minute: got %+v, moved %t, want a wait of 1s", g, s.Moved())
	}
	if g := s.Take(at(5), l); g.Taken || g.Wait != time.Second {
		t.Errorf("with the clock back: got %+v, want a wait of 1s", g)
	}
	if g := s.Take(at(11), l); !g.Taken || !g.At.Equal(at(11)) {
		t.Errorf("later: got %+v", g)
	}
}

// TestBucketClockAhead wants a bucket that was taken from by a clock that was ahead to be
// as full when the clock is right again, and to go on from there.
func TestBucketClockAhead(t *testing.T) {
	l := Limit{3, 10 * time.Second}
	var s BucketState
	for i := range 5 {
		s.Take(at(86400+float64(i)), l)
	}
	var returned BucketState
	for _, now := range []float64{0, 1} {
		returned = s
		if g := s.Take(at(now), l); g.Taken || g.Wait != time.Duration(8-now)*time.Second || g.Used != 3 {
			t.Errorf("at %g: got %+v, want a wait of %g s", now, g, 8-now)
		}
		if s.Moved() != (now == 0) {
			t.Errorf("at %g: moved %t", now, s.Moved())
		}
		s = ParseBucket(s.Append(nil)) // as a store keeps it
		if newest := time.UnixMicro(s.newest()); !newest.Equal(at(0)) {
			t.Errorf("the newest take is at %s, want %s", newest, at(0))
		}
	}
	if g := s.Take(at(8), l); !g.Taken || s.Moved() {
		t.Errorf("after the wait: got %+v, moved %t", g, s.Moved())
	}
	if returned.Give(at(2), at(0), l); returned.Used(at(2), l) != 2 {
		t.Errorf("after one was given back: %d in use, want 2", returned.Used(at(2), l))
	}
}

// TestBucketClockJumps takes with a clock that jumps. Of the same steps as they are after
// the jumps, without them, a bucket that has all takes folded gives the same: moving
// changes nothing but when things were.
func TestBucketClockJumps(t *testing.T) {
	moved := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := Limit{1 + r.Int64N(40), time.Duration(1+r.Int64N(20_000_000)) * time.Microsecond}
		var s, want BucketState
		now, wrong := at(0), time.Duration(0)
		for range 300 {
			if r.IntN(20) == 0 { // ahead, the more the further, or right again
				if wrong += maxAhead + time.Microsecond + time.Duration(r.Int64N(int64(time.Hour))); r.IntN(2) == 0 {
					wrong = 0
				}
			}
			step := time.Duration(r.Int64N(int64(l.Every)))
			now = now.Add(step)
			ahead := time.Duration(max(0, s.newest()-now.Add(wrong).UnixMicro())) * time.Microsecond
			g := s.Take(now.Add(wrong), l)
			if s.Moved() != (ahead > maxAhead) {
				t.Fatalf("seed %d: the newest take %s ahead, moved %t", seed, ahead, s.Moved())
			}
			if s.Moved() {
				// What was in use when the newest was taken is in use now.
				moved++
				want = ParseBucket(s.Append(nil))
			} else if w := want.Take(now.Add(wrong), l); cmp.Diff(w, g) != "" {
				t.Fatalf("seed %d: got %+v, want %+v", seed, g, w)
			}
			s = ParseBucket(s.Append(nil))
			if used := s.Used(now.Add(wrong), l); used > l.Burst {
				t.Fatalf("seed %d: %d of %d in use", seed, used, l.Burst)
			}
			if g.Wait > l.Every {
				t.Fatalf("seed %d: %+v of %+v: a wait for more than one piece", seed, g, l)
			}
		}
	}
	if moved < 500 {
		t.Errorf("moved %d times only", moved)
	}
}

// TestBucketGiveMessage gives back what a message to many recipients took, among the
// takes of others, and wants the bucket as if the message had never been.
func TestBucketGiveMessage(t *testing.T) {
	for _, l := range []Limit{{200, time.Minute}, {1000, 10 * time.Millisecond}, {75, time.Second}} {
		var s, never BucketState
		var message []time.Time
		for i := 0; len(message) < 150; i++ {
			now := at(float64(i) / 2)
			if i%4 == 0 {
				s.Take(now, l)
				never.Take(now, l)
			} else if g := s.Take(now, l); g.Taken {
				message = append(message, g.At)
			} else {
				break // the limit has refused the rest
			}
		}
		end := at(150)
		for _, at := range message {
			s.Give(end, at, l)
		}
		if got, want := string(s.Append(nil)), string(never.Append(nil)); got != want {
			t.Errorf("%+v: %d given back: %s, never taken: %s", l, len(message), got, want)
		}
	}
}

func TestBucketExtremes(t *testing.T) {
	most := Limit{1e9, 1000 * 24 * time.Hour}
	var s BucketState
	for range 100 {
		s.Take(at(0), most)
	}
	if got := ParseBucket(s.Append(nil)); cmp.Diff(got, s, cmp.AllowUnexported(BucketState{})) != "" {
		t.Errorf("got %+v, want %+v", got, s)
	}
	least := Limit{1, time.Microsecond}
	for _, now := range []time.Time{{}, time.Unix(math.MinInt32*1000, 0), time.Unix(1<<40, 0), at(0)} {
		var s BucketState
		if g := s.Take(now, least); !g.Taken {
			t.Errorf("first take at %s: %+v", now, g)
		}
		if d := s.Lifetime(now, least); d <= 0 {
			t.Errorf("lifetime at %s: %s", now, d)
		}
	}
}

// TestBucketStricter wants sums to stay within what a duration and Lua's numbers hold
// when a bucket that many have taken from gets the slowest limit.
func TestBucketStricter(t *testing.T) {
	var s BucketState
	for i := range openTakes {
		s.Take(at(float64(i)), Limit{1e9, time.Microsecond})
	}
	l := Limit{1, maxEvery}
	g := s.Take(at(openTakes), l)
	if want := time.Duration(maxArrival-at(openTakes).UnixMicro()) * time.Microsecond; g.Taken || g.Wait != want {
		t.Errorf("got %+v, want a wait of %s", g, want)
	}
	if d := s.Lifetime(at(openTakes), l); d < g.Wait {
		t.Errorf("it lives %s, shorter than the wait of %s", d, g.Wait)
	}
}

func TestBucketLifetime(t *testing.T) {
	l := Limit{3000, time.Second}
	var s BucketState
	if got := s.Lifetime(at(0), l); got != 0 {
		t.Errorf("empty: %s, want 0", got)
	}
	s.Take(at(0), l)
	if got := s.Lifetime(at(0), l); got != openFor+time.Second {
		t.Errorf("one take: %s, want 10m1s", got)
	}
	for range 1000 {
		s.Take(at(0), l)
	}
	if got := s.Lifetime(at(0.0001), l); got != 1001*time.Second {
		t.Errorf("1001 takes: %s, want 16m41s, rounded up", got)
	}
}

func TestParseBucket(t *testing.T) {
	long := strings.Repeat(" 1", openTakes)
	for _, c := range []struct {
		in   string
		want BucketState
	}{
		{"0", BucketState{}},
		{"5 1 2 2 3", BucketState{tat: 5, open: []int64{1, 2, 2, 3}}},
		{"0" + long, BucketState{open: slices.Repeat([]int64{1}, openTakes)}},
		{"0" + long + " 1", BucketState{}},
		{"", BucketState{}},
		{"x", BucketState{}},
		{"5 2 1", BucketState{}},
		{"-5", BucketState{}},
		{"+5", BucketState{}},
		{"05", BucketState{}},
		{"5  1", BucketState{}},
		{"5 ", BucketState{}},
		{" 5", BucketState{}},
		{"5\n", BucketState{}},
		{"9007199254740991", BucketState{tat: 1<<53 - 1}},
		{"9007199254740992", BucketState{}},
		{"99999999999999999999", BucketState{}},
		{"18446744073709551617", BucketState{}},
		{"00000000000000001", BucketState{}},
		{`{"a":1}`, BucketState{}},
	} {
		if diff := cmp.Diff(c.want, ParseBucket([]byte(c.in)), cmp.AllowUnexported(BucketState{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.in, diff)
		}
	}
}

func FuzzParseBucket(f *testing.F) {
	for _, s := range []string{"", "0", "1700000000000000 1700000000000001", "5 2 1", "9007199254740991 1"} {
		f.Add([]byte(s), int64(5), int64(1000), int64(1_700_000_000_000_000))
	}
	f.Fuzz(func(t *testing.T, value []byte, burst, every, now int64) {
		s := ParseBucket(value)
		if text := string(s.Append(nil)); text != string(value) && (s.tat != 0 || s.open != nil) {
			t.Errorf("%q reads as %q", value, text)
		}
		l := Limit{1 + max(burst%1e9, -burst%1e9), time.Duration(1+max(every%1e6, -every%1e6)) * time.Microsecond}
		at := time.UnixMicro(now)
		first := s
		g := s.Take(at, l)
		if g.Taken == (g.Wait > 0) || g.Used < 0 || g.Wait < 0 {
			t.Errorf("%q: %+v", value, g)
		}
		if !g.Taken && !s.Moved() {
			if diff := cmp.Diff(first, s, cmp.AllowUnexported(BucketState{})); diff != "" {
				t.Errorf("refused, but changed:\n%s", diff)
			}
		}
		if !g.Taken {
			return
		}
		if len(s.open) > openTakes || s.Lifetime(at, l) < openFor {
			t.Errorf("%d open takes, lifetime %s", len(s.open), s.Lifetime(at, l))
		}
		used := s.Used(at, l)
		s.Give(at, g.At, l)
		if after := s.Used(at, l); after > used || after < 0 {
			t.Errorf("%d in use before giving back, %d after", used, after)
		}
	})
}

func BenchmarkBucketTake(b *testing.B) {
	for _, open := range []int{0, openFew, openTakes} {
		b.Run(fmt.Sprint(open), func(b *testing.B) {
			l := Limit{1e9, time.Second}
			var s BucketState
			for i := range open {
				s.Take(at(float64(i)), l)
			}
			text := s.Append(nil)
			var next []byte
			for b.Loop() {
				s := ParseBucket(text)
				s.Take(at(openTakes), l)
				next = s.Append(next[:0])
			}
		})
	}
}

func BenchmarkBucketGive(b *testing.B) {
	l := Limit{1e9, time.Second}
	var s BucketState
	for i := range openTakes {
		s.Take(at(float64(i)), l)
	}
	text := s.Append(nil)
	var next []byte
	for b.Loop() {
		s := ParseBucket(text)
		s.Give(at(openTakes), at(openTakes/2), l)
		next = s.Append(next[:0])
	}
}
