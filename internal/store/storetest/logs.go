package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/store"
)

func (s *suite) append(log string, entries ...string) store.Position {
	s.Helper()
	var raw [][]byte
	for _, e := range entries {
		raw = append(raw, []byte(e))
	}
	at, err := s.Append(s.ctx(), log, raw...)
	s.must(err)
	if at == "" {
		s.Fatal("Append returned no position")
	}
	return at
}

// read returns the entries after a position and the position of the last.
func (s *suite) read(log string, after store.Position, n int) ([]string, store.Position) {
	s.Helper()
	entries, err := s.Read(s.ctx(), log, after, n)
	s.must(err)
	data := []string{}
	for _, e := range entries {
		data = append(data, string(e.Data))
		after = e.At
	}
	return data, after
}

func (s *suite) reads(what, log string, after store.Position, n int, want ...string) store.Position {
	s.Helper()
	got, at := s.read(log, after, n)
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		s.Errorf("%s (-want +got):\n%s", what, diff)
	}
	return at
}

func testLog(s *suite) {
	l := s.key("log")
	s.reads("a log that isn't there", l, "", 10)
	binary := "\x00\xff\r\n" + strings.Repeat("y", 100_000)
	first := s.append(l, "a")
	last := s.append(l, "b", "", binary)
	s.append(s.key("log2"), "of another")
	s.append(s.key("lo"), "of another")
	s.reads("all", l, "", 10, "a", "b", "", binary)
	at := s.reads("two", l, "", 2, "a", "b")
	if at := s.reads("the next two", l, at, 2, "", binary); at != last {
		s.Errorf("the last is at %q, Append said %q", at, last)
	}
	s.reads("after the first", l, first, 1, "b")
	s.reads("after the last", l, last, 10)
	s.reads("none", l, "", 0)
	end := s.append(l, "c")
	if got := s.reads("what came", l, last, 10, "c"); got != end {
		s.Errorf("c is at %q, Append said %q", got, end)
	}
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprint(i))
	}
	s.append(l, many...)
	s.reads("many", l, end, 1000, many...)
}

func testLogTrim(s *suite) {
	l := s.key("log")
	s.must(s.Trim(s.ctx(), l, ""))
	a, b := s.append(l, "a"), s.append(l, "b")
	c := s.append(l, "c")
	s.must(s.Trim(s.ctx(), l, ""))
	s.reads("trimmed before the first", l, "", 10, "a", "b", "c")
	s.must(s.Trim(s.ctx(), l, b))
	s.reads("trimmed up to b", l, "", 10, "c")
	s.reads("read from what is trimmed", l, a, 10, "c")
	s.must(s.Trim(s.ctx(), l, a))
	s.reads("trimmed where it is trimmed", l, "", 10, "c")
	s.must(s.Trim(s.ctx(), l, c))
	s.reads("trimmed up to the last", l, "", 10)
	s.append(l, "d")
	s.reads("what comes after all was trimmed", l, c, 10, "d")
	s.reads("all that is left", l, "", 10, "d")
}

func testLogDelete(s *suite) {
	l, other := s.key("log"), s.key("log2")
	s.append(l, "a", "b")
	s.append(other, "x")
	n, err := s.Delete(s.ctx(), l)
	s.must(err)
	if n != 1 {
		s.Errorf("deleted %d, want 1", n)
	}
	s.reads("a deleted log", l, "", 10)
	s.reads("another", other, "", 10, "x")
	s.append(l, "c")
	s.reads("what comes after the log was deleted", l, "", 10, "c")
}

// testLogTogether sees that nothing is lost between those who append at once and one who
// reads along.
func testLogTogether(s *suite) {
	const writers, each = 8, 40
	l := s.key("log")
	var all []string
	var reading sync.WaitGroup
	reading.Go(func() {
		var at store.Position
		deadline := time.Now().Add(60 * time.Second)
		for len(all) < writers*each && time.Now().Before(deadline) {
			entries, err := s.Read(s.ctx(), l, at, 7)
			if err != nil {
				s.Error(err)
				return
			}
			for _, e := range entries {
				all, at = append(all, string(e.Data)), e.At
			}
		}
	})
	s.together(writers, func(w int) {
		for i := range each {
			if _, err := s.Append(s.ctx(), l, fmt.Appendf(nil, "%d.%d", w, i)); err != nil {
				s.Error(err)
			}
		}
	})
	reading.Wait()
	next := map[string]int{}
	for _, e := range all {
		w, i, _ := strings.Cut(e, ".")
		if n, _ := strconv.Atoi(i); n != next[w] {
			s.Errorf("entry %s came where %s.%d was due", e, w, next[w])
		}
		next[w]++
	}
	if len(all) != writers*each {
		s.Errorf("read %d entries, want %d", len(all), writers*each)
	}
	again, _ := s.read(l, "", math.MaxInt32)
	if !slices.Equal(all, again) {
		s.Error("the log reads otherwise the second time")
	}
}

func (s *suite) lease(name, holder string, d time.Duration, want string) {
	s.Helper()
	has, err := s.Lease(s.ctx(), name, holder, d)
	s.must(err)
	if has != want {
		s.Errorf("Lease(%q, %s): %q has it, want %q", holder, d, has, want)
	}
}

func testLease(s *suite) {
	n := s.key("lease")
	s.lease(n, "b", 0, "")
	s.lease(n, "a", time.Hour, "a")
	s.lease(n, "b", time.Hour, "a")
	s.lease(n, "a", 2*time.Hour, "a")
	s.lease(n, "b", 0, "a")
	s.lease(n, "b", time.Hour, "a")
	s.lease(s.key("other"), "b", time.Hour, "b")
	s.lease(n, "a", 0, "")
	s.lease(n, "a", 0, "")
	s.lease(n, "b", time.Hour, "b")
	s.lease(n, "a", time.Hour, "b")
}

func testLeaseEnds(s *suite) {
	n, kept := s.key("lease"), s.key("kept")
	s.lease(n, "a", s.brief(), "a")
	s.lease(kept, "a", s.brief(), "a")
	s.lease(kept, "a", 10*24*time.Hour, "a")
	if s.o.Clock {
		s.clock.add(s.brief() - time.Millisecond)
		s.lease(n, "b", time.Hour, "a")
		s.clock.add(time.Millisecond - s.brief())
	}
	s.pass("lease", func() bool {
		has, err := s.Lease(s.ctx(), n, "b", 10*24*time.Hour)
		s.must(err)
		return has == "b"
	})
	s.lease(n, "a", time.Hour, "b")
	s.lease(kept, "b", time.Hour, "a")
}

func testDelete(s *suite) {
	s.put(s.key("value"), "v")
	s.put(s.key("empty"), "")
	s.put(s.key("kept"), "k")
	_, err := s.Add(s.ctx(), store.Increment{Key: s.key("counter"), By: 1})
	s.must(err)
	s.take(s.key("bucket"), store.Limit{Burst: 1, Every: time.Hour})
	s.append(s.key("log"), "x")
	keys := []string{s.key("value"), s.key("none"), s.key("empty"), s.key("counter"), s.key("bucket"), s.key("log")}
	for _, want := range []int{5, 0} {
		n, err := s.Delete(s.ctx(), keys...)
		s.must(err)
		if n != want {
			s.Errorf("deleted %d, want %d", n, want)
		}
	}
	for _, k := range keys[:5] {
		s.wants("deleted", k, "-")
	}
	s.wants("not deleted", s.key("kept"), `"k"`)
	if n, err := s.Delete(s.ctx(), s.key("kept"), s.key("kept")); n != 1 || err != nil {
		s.Errorf("one key twice: deleted %d, %v, want 1", n, err)
	}
	if n, err := s.Delete(s.ctx()); n != 0 || err != nil {
		s.Errorf("nothing: deleted %d, %v", n, err)
	}
}

func testHealth(s *suite) {
	s.put(s.key("k"), "v")
	for range 5 {
		s.get(s.key("k"))
	}
	h := s.Health()
	if h.Kind == "" || h.Address == "" || !h.Up || h.Reason != "" || h.Since.IsZero() || h.Latency <= 0 {
		s.Errorf("health of a store that is well: %+v", h)
	}
	if !h.LastOutage.IsZero() || h.LastLasted != 0 || h.Keys < -1 || h.Size < -1 {
		s.Errorf("health of a store that never failed: %+v", h)
	}
}

func testPublish(s *suite) {
	n, err := s.Publish(s.ctx(), s.key("channel"), []byte("message"))
	if s.o.Channels {
		if n != 0 || err != nil {
			s.Errorf("to nobody: %d, %v", n, err)
		}
		return
	}
	if !errors.Is(err, store.ErrNoChannels) || errors.Is(err, store.ErrUnavailable) {
		s.Errorf("got %v, want ErrNoChannels", err)
	}
}
