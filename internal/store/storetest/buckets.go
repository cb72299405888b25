package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/store"
)

// never is a time in which nothing comes back while a test runs.
const never = 100 * 24 * time.Hour

func (s *suite) take(key string, l store.Limit) store.Grant {
	s.Helper()
	grants, err := s.Take(s.ctx(), store.Bucket{Key: key, Limit: l})
	s.must(err)
	if len(grants) != 1 {
		s.Fatalf("one bucket gave %d grants", len(grants))
	}
	g := grants[0]
	if g.Taken == g.At.IsZero() || g.Taken == (g.Wait > 0) || g.Wait < 0 {
		s.Fatalf("grant %+v: want a time when something is taken, a wait when not", g)
	}
	return g
}

func testTake(s *suite) {
	k, l := s.key("k"), store.Limit{Burst: 40, Every: never}
	before := time.Now()
	for i := range l.Burst {
		g := s.take(k, l)
		if !g.Taken || g.Used != i+1 {
			s.Errorf("piece %d of %d: %+v", i+1, l.Burst, g)
		}
		if d := g.At.Sub(before).Abs(); d > time.Hour {
			s.Errorf("piece %d was taken at %s, now it is %s", i+1, g.At, before)
		}
	}
	for range 3 {
		if g := s.take(k, l); g.Taken || g.Used != l.Burst || g.Wait > never || g.Wait < never-time.Hour {
			s.Errorf("beyond the burst: %+v", g)
		}
	}
	if got := s.lifetime(k); got < never || got > 41*never {
		s.Errorf("the bucket lives %s, want until it has all its room", got)
	}
	if s.get(k) == "-" {
		s.Error("the bucket isn't there")
	}
}

func testTakeSeveral(s *suite) {
	a := store.Bucket{Key: s.key("a"), Limit: store.Limit{Burst: 2, Every: never}}
	b := store.Bucket{Key: s.key("b"), Limit: store.Limit{Burst: 1, Every: never}}
	grants, err := s.Take(s.ctx(), a, b, a, b, a, b)
	s.must(err)
	var taken []bool
	for _, g := range grants {
		taken = append(taken, g.Taken)
	}
	if diff := cmp.Diff([]bool{true, true, true, false, false, false}, taken); diff != "" {
		s.Errorf("taken (-want +got):\n%s", diff)
	}
	if grants, err := s.Take(s.ctx()); err != nil || len(grants) != 0 {
		s.Errorf("Take from nothing = %+v, %v", grants, err)
	}
	if err := s.Give(s.ctx()); err != nil {
		s.Errorf("Give of nothing: %v", err)
	}
}

// testTakeAgain sees that there is room again after the wait, not before.
func testTakeAgain(s *suite) {
	k, l := s.key("k"), store.Limit{Burst: 3, Every: s.brief()}
	for range l.Burst {
		s.take(k, l)
	}
	g := s.take(k, l)
	if g.Taken {
		// A server that took longer than it takes for a piece to come back.
		s.Logf("the clock ran on: %+v", g)
	}
	if s.o.Clock {
		if g.Taken || g.Wait != s.brief() {
			s.Errorf("beyond the burst: %+v, want a wait of %s", g, s.brief())
		}
		s.clock.add(s.brief() - time.Microsecond)
		if g := s.take(k, l); g.Taken || g.Wait != time.Microsecond {
			s.Errorf("a microsecond early: %+v", g)
		}
		s.clock.add(time.Microsecond)
		if g := s.take(k, l); !g.Taken {
			s.Errorf("in time: %+v", g)
		}
		if g := s.take(k, l); g.Taken {
			s.Errorf("one came back, two were given: %+v", g)
		}
		return
	}
	s.poll("room for one", func() bool { return s.take(k, l).Taken })
}

// testTakeClockAhead wants nobody to wait for a time that a wrong clock showed.
func testTakeClockAhead(s *suite) {
	if !s.o.Clock {
		return // the store's clock is another's
	}
	k, l := s.key("k"), store.Limit{Burst: 2, Every: time.Hour}
	s.clock.add(24 * time.Hour)
	s.take(k, l)
	s.take(k, l)
	s.clock.add(-24 * time.Hour)
	if g := s.take(k, l); g.Taken || g.Wait != l.Every {
		s.Errorf("from a full bucket with the clock right again: %+v, want a wait of %s", g, l.Every)
	}
	s.clock.add(l.Every)
	if g := s.take(k, l); !g.Taken {
		s.Errorf("after the wait: %+v", g)
	}
	if g := s.take(k, l); g.Taken {
		s.Errorf("one came back, two were given: %+v", g)
	}
}

func testTakeGarbage(s *suite) {
	l := store.Limit{Burst: 2, Every: never}
	for _, v := range []string{"", "x", "5 2 1", "-1", "99999999999999999999", `{"json":true}`, "1 2 3 x"} {
		k := s.key("k")
		s.put(k, v)
		if g := s.take(k, l); !g.Taken || g.Used != 1 {
			s.Errorf("from a bucket that reads %q: %+v", v, g)
		}
		if g := s.take(k, l); !g.Taken || g.Used != 2 {
			s.Errorf("then: %+v", g)
		}
	}
}

func testGive(s *suite) {
	k, l := s.key("k"), store.Limit{Burst: 3, Every: never}
	b := store.Bucket{Key: k, Limit: l}
	var taken []store.Grant
	for range l.Burst {
		taken = append(taken, s.take(k, l))
	}
	if g := s.take(k, l); g.Taken {
		s.Fatalf("beyond the burst: %+v", g)
	}
	s.must(s.Give(s.ctx(), store.Return{Bucket: b, At: taken[1].At}))
	if g := s.take(k, l); !g.Taken || g.Used != 3 {
		s.Errorf("after one was given back: %+v", g)
	}
	if g := s.take(k, l); g.Taken {
		s.Errorf("one was given back, two were taken: %+v", g)
	}
	s.must(s.Give(s.ctx(), store.Return{Bucket: b, At: taken[0].At}, store.Return{Bucket: b, At: taken[2].At}))
	for i := range 3 {
		if g := s.take(k, l); g.Taken != (i < 2) {
			s.Errorf("after two were given back, take %d: %+v", i+1, g)
		}
	}
	// More than a bucket remembers one by one.
	many := store.Bucket{Key: s.key("many"), Limit: store.Limit{Burst: 100, Every: never}}
	var returns []store.Return
	for range 100 {
		returns = append(returns, store.Return{Bucket: many, At: s.take(many.Key, many.Limit).At})
	}
	s.must(s.Give(s.ctx(), returns[:70]...))
	again := 0
	for s.take(many.Key, many.Limit).Taken {
		again++
	}
	if again > 70 || again < 69 {
		s.Errorf("70 were given back, %d could be taken again", again)
	}
}

// testGiveNothing sees that giving back makes nothing out of nothing.
func testGiveNothing(s *suite) {
	b := store.Bucket{Key: s.key("k"), Limit: store.Limit{Burst: 2, Every: never}}
	s.must(s.Give(s.ctx(), store.Return{Bucket: b, At: time.Now()}))
	s.wants("a bucket that nobody took from", b.Key, "-")
	g := s.take(b.Key, b.Limit)
	s.must(s.Give(s.ctx(), store.Return{Bucket: b, At: g.At}))
	for i := range 3 {
		if g := s.take(b.Key, b.Limit); g.Taken != (i < 2) {
			s.Errorf("take %d after all was given back: %+v", i+1, g)
		}
	}
	s.must(s.Give(s.ctx(), store.Return{Bucket: b, At: time.Now().Add(1000 * time.Hour)}))
	if g := s.take(b.Key, b.Limit); g.Taken {
		s.Errorf("what will be taken in the future was given back: %+v", g)
	}
	n, err := s.Delete(s.ctx(), b.Key)
	s.must(err)
	if g := s.take(b.Key, b.Limit); n != 1 || !g.Taken || g.Used != 1 {
		s.Errorf("after %d were deleted: %+v", n, g)
	}
}
