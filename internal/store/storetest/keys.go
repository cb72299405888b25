package storetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/store"
)

func testGet(s *suite) {
	binary := "\x00\xff\r\n\" %{}" + strings.Repeat("\xe2\x82", 100)
	s.put(s.key("a"), "1")
	s.put(s.key("empty"), "")
	s.put(s.key("binary"), binary)
	values, err := s.Get(s.ctx(), s.key("binary"), s.key("none"), s.key("a"), s.key("empty"), s.key("a"))
	s.must(err)
	want := [][]byte{[]byte(binary), nil, []byte("1"), {}, []byte("1")}
	if diff := cmp.Diff(want, values); diff != "" {
		s.Errorf("values (-want +got):\n%s", diff)
	}
	if values, err = s.Get(s.ctx()); err != nil || len(values) != 0 {
		s.Errorf("Get of nothing = %q, %v", values, err)
	}
}

func testPut(s *suite) {
	k := s.key("k")
	for _, v := range []string{"1", "another", "", strings.Repeat("x", 70000)} {
		s.put(k, v)
		s.wants("after Put", k, fmt.Sprintf("%q", v))
	}
	out, err := s.Put(s.ctx(),
		store.Change{Key: s.key("v"), Value: []byte("v"), Volatile: true},
		store.Change{Key: s.key("nil")})
	s.must(err)
	if diff := cmp.Diff([]store.Outcome{{Done: true}, {Done: true}}, out); diff != "" {
		s.Errorf("outcomes (-want +got):\n%s", diff)
	}
	s.wants("volatile", s.key("v"), `"v"`)
	s.wants("a value of nil is empty", s.key("nil"), `""`)
	if out, err := s.Put(s.ctx()); err != nil || len(out) != 0 {
		s.Errorf("Put of nothing = %+v, %v", out, err)
	}
}

func testPutIfAbsent(s *suite) {
	k := s.key("k")
	for i, want := range []store.Outcome{{Done: true}, {Current: []byte("0")}, {Current: []byte("0")}} {
		out, err := s.Put(s.ctx(), store.Change{Key: k, Value: fmt.Append(nil, i), If: store.IfAbsent})
		s.must(err)
		if diff := cmp.Diff([]store.Outcome{want}, out); diff != "" {
			s.Errorf("time %d (-want +got):\n%s", i, diff)
		}
	}
	s.wants("after three", k, `"0"`)
	s.put(k, "")
	out, err := s.Put(s.ctx(), store.Change{Key: k, Value: []byte("x"), If: store.IfAbsent})
	s.must(err)
	if diff := cmp.Diff([]store.Outcome{{Current: []byte{}}}, out); diff != "" {
		s.Errorf("an empty value is a value (-want +got):\n%s", diff)
	}
}

func testPutUnchanged(s *suite) {
	k := s.key("k")
	try := func(old, value string) store.Outcome {
		s.Helper()
		out, err := s.Put(s.ctx(), store.Change{Key: k, Value: []byte(value), If: store.Unchanged, Old: []byte(old)})
		s.must(err)
		if len(out) != 1 {
			s.Fatalf("outcomes: %+v", out)
		}
		return out[0]
	}
	for _, c := range []struct {
		has, old, value string // has "-" is none
		want            store.Outcome
	}{
		{"-", "", "new", store.Outcome{}},
		{"-", "x", "new", store.Outcome{}},
		{"a", "a", "b", store.Outcome{Done: true}},
		{"a", "A", "b", store.Outcome{Current: []byte("a")}},
		{"a", "", "b", store.Outcome{Current: []byte("a")}},
		{"", "", "b", store.Outcome{Done: true}},
		{"", "x", "b", store.Outcome{Current: []byte{}}},
		{"\x00\xff", "\x00\xff", "\xff\x00", store.Outcome{Done: true}},
		{"1", "1.0", "b", store.Outcome{Current: []byte("1")}},
	} {
		what := fmt.Sprintf("%q is there, old is %q", c.has, c.old)
		if c.has != "-" {
			s.put(k, c.has)
		}
		if diff := cmp.Diff(c.want, try(c.old, c.value)); diff != "" {
			s.Errorf("%s (-want +got):\n%s", what, diff)
		}
		want := fmt.Sprintf("%q", c.value)
		if !c.want.Done {
			if want = fmt.Sprintf("%q", c.has); c.has == "-" {
				want = "-"
			}
		}
		s.wants(what, k, want)
	}
}

func testPutInOrder(s *suite) {
	a, b := s.key("a"), s.key("b")
	out, err := s.Put(s.ctx(),
		store.Change{Key: a, Value: []byte("1"), If: store.IfAbsent},
		store.Change{Key: b, Value: []byte("x"), If: store.Unchanged},
		store.Change{Key: a, Value: []byte("2"), If: store.IfAbsent},
		store.Change{Key: a, Value: []byte("3"), If: store.Unchanged, Old: []byte("1")},
		store.Change{Key: b, Value: []byte("4")},
		store.Change{Key: a, Value: []byte("5"), If: store.IfAbsent},
	)
	s.must(err)
	want := []store.Outcome{{Done: true}, {}, {Current: []byte("1")}, {Done: true}, {Done: true}, {Current: []byte("3")}}
	if diff := cmp.Diff(want, out); diff != "" {
		s.Errorf("outcomes (-want +got):\n%s", diff)
	}
	s.wants("a", a, `"3"`)
	s.wants("b", b, `"4"`)
}

// testPutShared sees that the store shares no memory with its callers.
func testPutShared(s *suite) {
	k, value := s.key("k"), []byte("mine")
	_, err := s.Put(s.ctx(), store.Change{Key: k, Value: value})
	s.must(err)
	copy(value, "!!!!")
	values, err := s.Get(s.ctx(), k)
	s.must(err)
	copy(values[0], "????")
	out, err := s.Put(s.ctx(), store.Change{Key: k, If: store.IfAbsent})
	s.must(err)
	copy(out[0].Current, "####")
	s.wants("after others wrote into what they were given", k, `"mine"`)
}

func testLifetime(s *suite) {
	brief, long, forever := s.key("brief"), s.key("long"), s.key("forever")
	_, err := s.Put(s.ctx(),
		store.Change{Key: brief, Value: []byte("b"), Lifetime: s.brief()},
		store.Change{Key: long, Value: []byte("l"), Lifetime: 10 * 24 * time.Hour},
		store.Change{Key: forever, Value: []byte("f")})
	s.must(err)
	all, err := s.Lifetime(s.ctx(), forever, s.key("none"), long)
	s.must(err)
	if len(all) != 3 || all[0] != store.Forever || all[1] != store.Absent || all[2] > 10*24*time.Hour || all[2] < 10*24*time.Hour-time.Minute {
		s.Errorf("lifetimes %v, want Forever, Absent and ten days", all)
	}
	if s.o.Clock {
		s.clock.add(s.brief() - time.Millisecond)
		s.wants("a millisecond before its end", brief, `"b"`)
		if got := s.lifetime(brief); got != time.Millisecond {
			s.Errorf("a millisecond before its end: lifetime %s", got)
		}
		s.clock.add(time.Millisecond - s.brief())
	}
	s.pass("brief", func() bool { return s.get(brief) == "-" })
	if got := s.lifetime(brief); got != store.Absent {
		s.Errorf("lifetime of what has expired is %s, want Absent", got)
	}
	s.wants("long", long, `"l"`)
	s.wants("forever", forever, `"f"`)
	if all, err := s.Lifetime(s.ctx()); err != nil || len(all) != 0 {
		s.Errorf("Lifetime of nothing = %v, %v", all, err)
	}
}

// testLifetimeReplaced sees that a lifetime goes with its value.
func testLifetimeReplaced(s *suite) {
	a, b, c := s.key("a"), s.key("b"), s.key("c")
	for _, k := range []string{a, b, c} {
		_, err := s.Put(s.ctx(), store.Change{Key: k, Value: []byte("1"), Lifetime: s.brief()})
		s.must(err)
	}
	_, err := s.Put(s.ctx(),
		store.Change{Key: a, Value: []byte("2"), If: store.Unchanged, Old: []byte("1")},
		store.Change{Key: b, Value: []byte("2"), If: store.IfAbsent},
		store.Change{Key: c, Value: []byte("2"), Lifetime: 10 * 24 * time.Hour})
	s.must(err)
	s.pass("b, which wasn't replaced", func() bool { return s.get(b) == "-" })
	s.wants("a", a, `"2"`)
	s.wants("c", c, `"2"`)
	if got := s.lifetime(a); got != store.Forever {
		s.Errorf("lifetime of a is %s, want Forever", got)
	}
	_, err = s.Put(s.ctx(), store.Change{Key: a, Value: []byte("3"), Lifetime: s.brief()})
	s.must(err)
	s.pass("a, which has a lifetime now", func() bool { return s.get(a) == "-" })
}

func testExpiredIsAbsent(s *suite) {
	names := []string{"ifabsent", "unchanged", "add", "take", "delete", "list"}
	for _, n := range names {
		_, err := s.Put(s.ctx(), store.Change{Key: s.key(n), Value: []byte("7"), Lifetime: s.brief()})
		s.must(err)
	}
	s.pass("all", func() bool {
		for _, n := range names {
			if s.get(s.key(n)) != "-" {
				return false
			}
		}
		return true
	})
	out, err := s.Put(s.ctx(),
		store.Change{Key: s.key("ifabsent"), Value: []byte("8"), If: store.IfAbsent},
		store.Change{Key: s.key("unchanged"), Value: []byte("8"), If: store.Unchanged, Old: []byte("7")})
	s.must(err)
	if diff := cmp.Diff([]store.Outcome{{Done: true}, {}}, out); diff != "" {
		s.Errorf("outcomes (-want +got):\n%s", diff)
	}
	sums, err := s.Add(s.ctx(), store.Increment{Key: s.key("add"), By: 2})
	s.must(err)
	if diff := cmp.Diff([]int64{2}, sums); diff != "" {
		s.Errorf("sums (-want +got):\n%s", diff)
	}
	n, err := s.Delete(s.ctx(), s.key("delete"))
	s.must(err)
	if n != 0 {
		s.Errorf("deleted %d of what had expired", n)
	}
	items, _, err := s.List(s.ctx(), s.key("list"), "", 10)
	s.must(err)
	if len(items) != 0 {
		s.Errorf("listed what had expired: %+v", items)
	}
}

func testAdd(s *suite) {
	a, b := s.key("a"), s.key("b")
	s.put(b, "-40")
	sums, err := s.Add(s.ctx(),
		store.Increment{Key: a, By: 1}, store.Increment{Key: b, By: 2},
		store.Increment{Key: a, By: -5}, store.Increment{Key: s.key("zero")})
	s.must(err)
	if diff := cmp.Diff([]int64{1, -38, -4, 0}, sums); diff != "" {
		s.Errorf("sums (-want +got):\n%s", diff)
	}
	s.wants("a", a, `"-4"`)
	s.wants("b", b, `"-38"`)
	s.wants("zero", s.key("zero"), `"0"`)
	if sums, err := s.Add(s.ctx()); err != nil || len(sums) != 0 {
		s.Errorf("Add of nothing = %v, %v", sums, err)
	}
}

func testAddBounds(s *suite) {
	for i, c := range []struct{ has, by, want int64 }{
		{math.MaxInt64 - 1, 1, math.MaxInt64},
		{math.MaxInt64 - 1, 2, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{math.MinInt64 + 1, -1, math.MinInt64},
		{math.MinInt64 + 1, -2, math.MinInt64},
		{math.MinInt64, math.MinInt64, math.MinInt64},
		{math.MaxInt64, math.MinInt64, -1},
		{math.MinInt64, math.MaxInt64, -1},
		{math.MaxInt64, -1, math.MaxInt64 - 1},
		{1<<53 + 1, 2, 1<<53 + 3},
		{0, math.MinInt64, math.MinInt64},
		{-1, math.MinInt64, math.MinInt64},
	} {
		k := s.key(fmt.Sprint(i))
		s.put(k, fmt.Sprint(c.has))
		sums, err := s.Add(s.ctx(), store.Increment{Key: k, By: c.by})
		s.must(err)
		if diff := cmp.Diff([]int64{c.want}, sums); diff != "" {
			s.Errorf("%d + %d (-want +got):\n%s", c.has, c.by, diff)
		}
		s.wants(fmt.Sprintf("%d + %d", c.has, c.by), k, fmt.Sprintf("%q", fmt.Sprint(c.want)))
	}
}

func testAddCorrupt(s *suite) {
	for _, v := range []string{"", "x", "1.5", " 1", "1 ", "0x10", "9223372036854775808", "1e3", "\x00"} {
		k := s.key("k")
		s.put(k, v)
		if sums, err := s.Add(s.ctx(), store.Increment{Key: k, By: 1}); !errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrUnavailable) {
			s.Errorf("adding to %q = %v, %v, want ErrCorrupt", v, sums, err)
		}
		s.wants("what is no counter stays as it is", k, fmt.Sprintf("%q", v))
	}
}

func testAddLifetime(s *suite) {
	k, other := s.key("k"), s.key("other")
	add := func(key string, lifetime time.Duration) int64 {
		s.Helper()
		sums, err := s.Add(s.ctx(), store.Increment{Key: key, By: 1, Lifetime: lifetime})
		s.must(err)
		return sums[0]
	}
	add(other, store.Forever)
	add(other, s.brief())
	if got := s.lifetime(other); got != store.Forever {
		s.Errorf("lifetime is %s after the second increment, want Forever as at the first", got)
	}
	if s.o.Clock {
		add(k, s.brief())
		s.clock.add(s.brief() - time.Millisecond)
		add(k, s.brief())
		if got := s.lifetime(k); got != time.Millisecond {
			s.Errorf("lifetime is %s after the second increment, want what was left of the first", got)
		}
		s.clock.add(time.Millisecond)
		s.wants("after its lifetime", k, "-")
	}
	add(k, s.brief())
	s.pass("counter", func() bool { return s.get(k) == "-" })
	if got := add(k, s.brief()); got != 1 {
		s.Errorf("after its lifetime a counter begins with %d, want 1", got)
	}
}
