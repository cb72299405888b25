package storetest

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"rmilter/internal/store"
)

func testTogetherIfAbsent(s *suite) {
	for round := range 10 {
		k := s.key(fmt.Sprint(round))
		const n = 64
		var first, equal atomic.Int64
		var winner sync.Map
		s.together(n, func(i int) {
			value := fmt.Sprint("of ", i)
			out, err := s.Put(s.ctx(), store.Change{Key: k, Value: []byte(value), Lifetime: time.Hour, If: store.IfAbsent})
			switch {
			case err != nil:
				s.Error(err)
			case out[0].Done:
				first.Add(1)
				winner.Store(value, true)
			default:
				winner.LoadOrStore(string(out[0].Current), true)
				equal.Add(1)
			}
		})
		values := 0
		winner.Range(func(any, any) bool { values++; return true })
		if first.Load() != 1 || equal.Load() != n-1 || values != 1 {
			s.Errorf("%d came first, %d later, with %d values, want 1, %d and 1", first.Load(), equal.Load(), values, n-1)
		}
	}
}

// testTogetherUnchanged counts by replacing what hasn't changed.
func testTogetherUnchanged(s *suite) {
	const writers, each = 8, 15
	k := s.key("k")
	s.put(k, "0")
	s.together(writers, func(int) {
		old := []byte("0")
		for done := 0; done < each; {
			n, _ := strconv.Atoi(string(old))
			value := fmt.Append(nil, n+1)
			out, err := s.Put(s.ctx(), store.Change{Key: k, Value: value, If: store.Unchanged, Old: old, Volatile: true})
			if err != nil {
				s.Error(err)
				return
			}
			if out[0].Done {
				done, old = done+1, value
			} else {
				old = out[0].Current
			}
		}
	})
	s.wants("after all", k, fmt.Sprintf("%q", fmt.Sprint(writers*each)))
}

func testTogetherAdd(s *suite) {
	const writers, each = 64, 20
	a, b := s.key("a"), s.key("b")
	var largest atomic.Int64
	s.together(writers, func(int) {
		for range each {
			sums, err := s.Add(s.ctx(), store.Increment{Key: a, By: 3}, store.Increment{Key: b, By: -1})
			if err != nil {
				s.Error(err)
				return
			}
			for was := largest.Load(); was < sums[0] && !largest.CompareAndSwap(was, sums[0]); was = largest.Load() {
			}
		}
	})
	s.wants("a", a, fmt.Sprintf("%q", fmt.Sprint(3*writers*each)))
	s.wants("b", b, fmt.Sprintf("%q", fmt.Sprint(-writers*each)))
	if largest.Load() != 3*writers*each {
		s.Errorf("the largest sum that anybody saw is %d, want %d", largest.Load(), 3*writers*each)
	}
}

func testTogetherTake(s *suite) {
	for _, burst := range []int64{1, 32, 100} {
		b := store.Bucket{Key: s.key(fmt.Sprint(burst)), Limit: store.Limit{Burst: burst, Every: never}}
		var taken atomic.Int64
		s.together(64, func(int) {
			for range 5 {
				grants, err := s.Take(s.ctx(), b)
				if err != nil {
					s.Error(err)
				} else if grants[0].Taken {
					taken.Add(1)
				}
			}
		})
		if taken.Load() != burst {
			s.Errorf("64 at once took %d from a burst of %d", taken.Load(), burst)
		}
	}
}

// testTogetherGive takes and gives back; in the end the bucket has what was kept.
func testTogetherGive(s *suite) {
	const takers, each = 16, 10
	b := store.Bucket{Key: s.key("k"), Limit: store.Limit{Burst: takers + takers*each, Every: never}}
	s.together(takers, func(int) {
		for i := range each {
			grants, err := s.Take(s.ctx(), b)
			if err != nil || !grants[0].Taken {
				s.Errorf("Take = %+v, %v", grants, err)
				return
			}
			if i == 0 {
				continue
			}
			if err := s.Give(s.ctx(), store.Return{Bucket: b, At: grants[0].At}); err != nil {
				s.Error(err)
			}
		}
	})
	g := s.take(b.Key, b.Limit)
	// Where many takes pass between taking and giving back, the time that passed isn't
	// given back: less than a piece each, which counts as one.
	if g.Used < takers+1 || g.Used > takers+2 {
		s.Errorf("%d pieces are in use, want %d that were kept and the last", g.Used, takers)
	}
}

func testTogetherLease(s *suite) {
	for round := range 5 {
		name := s.key(fmt.Sprint(round))
		var got atomic.Int64
		var holders sync.Map
		s.together(32, func(i int) {
			me := fmt.Sprint("holder ", i)
			has, err := s.Lease(s.ctx(), name, me, time.Hour)
			if err != nil {
				s.Error(err)
				return
			}
			if has == me {
				got.Add(1)
			}
			holders.Store(has, true)
		})
		n := 0
		holders.Range(func(any, any) bool { n++; return true })
		if got.Load() != 1 || n != 1 {
			s.Errorf("%d got the lease, %d holders were named, want 1 and 1", got.Load(), n)
		}
	}
}

// testTogetherAll does everything at once, so that the race detector and deadlocks show
// what is wrong.
func testTogetherAll(s *suite) {
	l := store.Limit{Burst: 10, Every: time.Hour}
	s.together(24, func(i int) {
		for round := range 6 {
			key := s.key(fmt.Sprint((i + round) % 3))
			var changes []store.Change
			for j := range 8 {
				changes = append(changes, store.Change{Key: s.key(fmt.Sprint("v", (i+j*j)%7)), Value: []byte("x"), Volatile: i%2 == 0})
			}
			if _, err := s.Put(s.ctx(), changes...); err != nil {
				s.Error(err)
			}
			if _, err := s.Take(s.ctx(), store.Bucket{Key: key, Limit: l}, store.Bucket{Key: s.key("b"), Limit: l}); err != nil {
				s.Error(err)
			}
			if _, err := s.Append(s.ctx(), s.key("log"), []byte("x")); err != nil {
				s.Error(err)
			}
			if _, _, err := s.List(s.ctx(), s.name, "", 5); err != nil {
				s.Error(err)
			}
			if _, err := s.Delete(s.ctx(), s.key("v1"), key, s.key("log")); err != nil {
				s.Error(err)
			}
			s.Health()
		}
	})
}
