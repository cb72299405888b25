package metrics

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestWaiting is the gauge of those that were deferred and have not come again.
func TestWaiting(t *testing.T) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, cet())
	c := &clock{t: noon}
	f := New(c.now)
	want := func(when string, n int64) {
		t.Helper()
		if got := f.Snapshot().Waiting; got != n {
			t.Errorf("%s: got %d, want %d", when, got, n)
		}
	}
	want("at first", 0)
	f.Greylisted(true)
	f.Greylisted(true)
	f.Greylisted(false)
	want("two of which one has come again too early", 2)
	c.add(50 * time.Minute)
	f.Greylisted(true)
	want("another in the same hour", 3)
	c.add(20 * time.Minute)
	f.GreylistPassed(70 * time.Minute)
	want("one of the first two has passed", 2)
	f.GreylistPassed(0)
	want("one that is known", 2)
	c.add(-90 * time.Minute)
	f.GreylistPassed(30 * time.Minute)
	want("one that was deferred before the start", 2)
	c.set(noon.Add(23*time.Hour + 59*time.Minute))
	want("within a day", 2)
	c.set(noon.Add(24 * time.Hour))
	want("nobody comes after a day", 0)
	f.GreylistPassed(24 * time.Hour)
	want("but one did", 0)
	f.Greylisted(true)
	want("the same hour of the next day", 1)
	c.set(time.Unix(-3600*24, 0))
	f.Greylisted(true)
	if got := f.Snapshot().Waiting; got < 0 {
		t.Errorf("long before 1970: got %d, want none or more", got)
	}
}

// TestWaitingConcurrent counts within one hour from many goroutines: nothing is lost.
func TestWaitingConcurrent(t *testing.T) {
	c := &clock{t: time.Date(2026, 3, 4, 12, 30, 0, 0, cet())}
	f := New(c.now)
	f.Greylisted(true) // the hour has begun
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 500 {
				f.Greylisted(true)
				if i%5 == 0 {
					f.GreylistPassed(time.Minute)
				}
				f.Limited(fmt.Sprint("limit", i%3))
			}
		})
	}
	all.Wait()
	s := f.Snapshot()
	if s.Waiting != 1+8*400 || s.Total.Greylist.New != 1+8*500 || s.Total.Greylist.Passed != 8*100 || s.Total.Limited["limit2"] != 8*166 {
		t.Errorf("got %d waiting and %+v, want 3201 waiting, 4001 new, 800 passed and 1328 refused by limit2", s.Waiting, s.Total)
	}
}

// TestStateMidnight begins the day's counters anew, not those since the start, nor those
// who wait.
func TestStateMidnight(t *testing.T) {
	c := &clock{t: time.Date(2026, 3, 4, 23, 55, 0, 0, cet())}
	f := New(c.now)
	f.Greylisted(true)
	f.Limited("user")
	f.Remembered()
	c.add(10 * time.Minute)
	f.GreylistPassed(10 * time.Minute)
	f.Greylisted(true)
	s := f.Snapshot()
	if got := s.Today; got.Greylist.New != 1 || got.Greylist.Passed != 1 || len(got.Limited) != 0 || got.Replies.Stored != 0 {
		t.Errorf("today: got %+v, want one new and one passed", got)
	}
	if got := s.Total; got.Greylist.New != 2 || got.Limited["user"] != 1 || got.Replies.Stored != 1 || s.Waiting != 1 {
		t.Errorf("in all: got %+v and %d waiting, want two new, one refused, one stored, one waiting", got, s.Waiting)
	}
}

// TestLimitNamesBounded bounds the names of limits as those of verdicts.
func TestLimitNamesBounded(t *testing.T) {
	f := New(time.Now)
	for i := range 1000 {
		f.Limited(fmt.Sprint(i))
	}
	if got := f.Snapshot().Total.Limited; len(got) != maxNames+1 || got["other"] != 1000-maxNames {
		t.Errorf("got %d names, other=%d, want %d and %d", len(got), got["other"], maxNames+1, 1000-maxNames)
	}
}
