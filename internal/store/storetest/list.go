package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/store"
)

// list returns all keys with a prefix and their values, asked for n at a time.
func (s *suite) list(prefix string, n int, each func()) map[string]store.Item {
	s.Helper()
	found := map[string]store.Item{}
	from := ""
	for calls := 0; ; calls++ {
		items, next, err := s.List(s.ctx(), prefix, from, n)
		s.must(err)
		for _, i := range items {
			if !strings.HasPrefix(i.Key, prefix) {
				s.Errorf("listed %q, which doesn't begin with %q", i.Key, prefix)
			}
			found[i.Key] = i
		}
		if next == "" {
			return found
		}
		if calls > 100_000 {
			s.Fatal("the list has no end")
		}
		from = next
		each()
	}
}

func testList(s *suite) {
	want := map[string]string{}
	for i := range 150 {
		k := s.key(fmt.Sprintf("list.%d", i))
		want[k] = fmt.Sprint("value ", i)
		s.put(k, want[k])
	}
	_, err := s.Put(s.ctx(), store.Change{Key: s.key("list.brief"), Value: []byte("b"), Lifetime: 10 * 24 * time.Hour})
	s.must(err)
	want[s.key("list.brief")] = "b"
	_, err = s.Add(s.ctx(), store.Increment{Key: s.key("list.counter"), By: 12})
	s.must(err)
	want[s.key("list.counter")] = "12"
	s.take(s.key("list.bucket"), store.Limit{Burst: 1, Every: time.Hour})
	want[s.key("list.bucket")] = strings.Trim(s.get(s.key("list.bucket")), `"`)
	s.put(s.key("other"), "x")
	s.append(s.key("list.log"), "x")
	for _, n := range []int{1, 7, 1000, store.MaxBatch + 1} {
		got := map[string]string{}
		found := s.list(s.key("list."), n, func() {})
		for k, i := range found {
			got[k] = string(i.Value)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			s.Errorf("%d at a time (-want +got):\n%s", n, diff)
		}
		brief, forever := found[s.key("list.brief")].Lifetime, found[s.key("list.0")].Lifetime
		if forever != store.Forever || brief > 10*24*time.Hour || brief < 10*24*time.Hour-time.Minute {
			s.Errorf("lifetimes in the list: %s and %s, want Forever and ten days", forever, brief)
		}
	}
}

func testListPrefix(s *suite) {
	for _, k := range []string{"a*b.1", "axb.1", "a?b.1", "a[x]b.1", "a[x]b.2", `a\*b.1`, "a.1", "a", "B.1", "\xff\xff.1", "\xff.1"} {
		s.put(s.key(k), k)
	}
	for _, c := range []struct {
		prefix string
		want   []string
	}{
		{"a*b", []string{"a*b.1"}},
		{"a?b", []string{"a?b.1"}},
		{"a[x]b", []string{"a[x]b.1", "a[x]b.2"}},
		{`a\*b`, []string{`a\*b.1`}},
		{"a.", []string{"a.1"}},
		{"b", nil},
		{"B.1", []string{"B.1"}},
		{"B.1.", nil},
		{"\xff", []string{"\xff.1", "\xff\xff.1"}},
		{"none", nil},
	} {
		var got []string
		for _, k := range slices.Sorted(maps.Keys(s.list(s.key(c.prefix), 2, func() {}))) {
			got = append(got, strings.TrimPrefix(k, s.name))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			s.Errorf("prefix %q (-want +got):\n%s", c.prefix, diff)
		}
	}
}

// testListDuringChanges sees that what is there all the time is listed, whatever comes
// and goes meanwhile.
func testListDuringChanges(s *suite) {
	const n = 200
	for i := range n {
		s.put(s.key(fmt.Sprint("stays.", i)), "s")
		s.put(s.key(fmt.Sprint("goes.", i)), "g")
	}
	i := 0
	found := s.list(s.name, 10, func() {
		if i < n {
			s.put(s.key(fmt.Sprint("comes.", i)), "c")
			s.put(s.key(fmt.Sprint("stays.", i)), "changed")
			_, err := s.Delete(s.ctx(), s.key(fmt.Sprint("goes.", i)))
			s.must(err)
		}
		i++
	})
	for i := range n {
		if _, ok := found[s.key(fmt.Sprint("stays.", i))]; !ok {
			s.Errorf("stays.%d wasn't listed", i)
		}
	}
}

// testKeys uses keys that servers or shells might read as something else.
func testKeys(s *suite) {
	keys := []string{"a b", "{a}b", "a{}b", "{", "}{", "*", "a.b", "a..b", "A.B", "é", "\x00", "\r\n", "\xff\xfe", "%41", "A", `"`,
		strings.Repeat("k", store.MaxKey-len(s.name))}
	for _, k := range keys {
		s.put(s.key(k), "value of "+k)
	}
	for _, k := range keys {
		s.wants(fmt.Sprintf("%q", k), s.key(k), fmt.Sprintf("%q", "value of "+k))
	}
	found := s.list(s.name, 3, func() {})
	for _, k := range keys {
		if got, want := string(found[s.key(k)].Value), "value of "+k; got != want {
			s.Errorf("%q is listed with %q, want %q", k, got, want)
		}
	}
	if len(found) != len(keys) {
		s.Errorf("listed %d keys, want %d", len(found), len(keys))
	}
}

// operations are calls of all operations that have keys, with one that is given.
func (s *suite) operations(ctx context.Context, key string, l store.Limit) map[string]func() error {
	b := store.Bucket{Key: key, Limit: l}
	return map[string]func() error{
		"Get":      func() error { _, err := s.Get(ctx, key); return err },
		"Put":      func() error { _, err := s.Put(ctx, store.Change{Key: key}); return err },
		"Add":      func() error { _, err := s.Add(ctx, store.Increment{Key: key, By: 1}); return err },
		"Take":     func() error { _, err := s.Take(ctx, b); return err },
		"Give":     func() error { return s.Give(ctx, store.Return{Bucket: b, At: time.Now()}) },
		"Append":   func() error { _, err := s.Append(ctx, key, []byte("x")); return err },
		"Read":     func() error { _, err := s.Read(ctx, key, "", 1); return err },
		"Trim":     func() error { return s.Trim(ctx, key, "") },
		"Lease":    func() error { _, err := s.Lease(ctx, key, "me", time.Hour); return err },
		"Delete":   func() error { _, err := s.Delete(ctx, key); return err },
		"Lifetime": func() error { _, err := s.Lifetime(ctx, key); return err },
	}
}

func (s *suite) tooLarge(what string, err error) {
	s.Helper()
	if !errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrUnavailable) {
		s.Errorf("%s: got %v, want ErrTooLarge", what, err)
	}
}

func testBounds(s *suite) {
	good := store.Limit{Burst: 1, Every: time.Hour}
	for name, op := range s.operations(s.ctx(), strings.Repeat("k", store.MaxKey+1), good) {
		s.tooLarge(name+" of a long key", op())
	}
	for name, op := range s.operations(s.ctx(), "", good) {
		s.tooLarge(name+" of an empty key", op())
	}
	for _, l := range []store.Limit{{}, {Burst: 1}, {Every: 1}, {Burst: 1e9 + 1, Every: time.Hour}, {Burst: -1, Every: time.Hour},
		{Burst: 1, Every: 1001 * 24 * time.Hour}, {Burst: 1, Every: time.Nanosecond}} {
		ops := s.operations(s.ctx(), s.key("bucket"), l)
		s.tooLarge(fmt.Sprintf("Take with %+v", l), ops["Take"]())
		s.tooLarge(fmt.Sprintf("Give with %+v", l), ops["Give"]())
	}
	value := make([]byte, store.MaxValue+1)
	_, err := s.Put(s.ctx(), store.Change{Key: s.key("good")}, store.Change{Key: s.key("k"), Value: value})
	s.tooLarge("Put of a long value", err)
	_, err = s.Append(s.ctx(), s.key("log"), []byte("x"), value)
	s.tooLarge("Append of a long entry", err)
	_, err = s.Put(s.ctx(), store.Change{Key: s.key("k"), Lifetime: -time.Second})
	s.tooLarge("Put with a lifetime below 0", err)
	_, err = s.Add(s.ctx(), store.Increment{Key: s.key("k"), Lifetime: time.Microsecond})
	s.tooLarge("Add with a lifetime of a microsecond", err)
	s.wants("what is refused changes nothing", s.key("k"), "-")
	s.wants("nor does what is refused together with it", s.key("good"), "-")
	s.reads("nor a log", s.key("log"), "", 10)
	_, err = s.Put(s.ctx(), store.Change{Key: s.key("k"), Value: value[1:]})
	s.must(err)
	values, err := s.Get(s.ctx(), s.key("k"))
	s.must(err)
	if len(values[0]) != store.MaxValue {
		s.Errorf("the longest value has %d bytes, want %d", len(values[0]), store.MaxValue)
	}
}

func testBatch(s *suite) {
	keys := make([]string, store.MaxBatch+1)
	changes := make([]store.Change, len(keys))
	increments := make([]store.Increment, len(keys))
	buckets := make([]store.Bucket, len(keys))
	returns := make([]store.Return, len(keys))
	for i := range keys {
		keys[i] = s.key(fmt.Sprint("batch.", i))
		changes[i] = store.Change{Key: keys[i], Value: fmt.Append(nil, i), Volatile: true}
		increments[i] = store.Increment{Key: keys[i], By: 1}
		buckets[i] = store.Bucket{Key: keys[i], Limit: store.Limit{Burst: 1, Every: time.Hour}}
		returns[i].Bucket = buckets[i]
	}
	_, err := s.Get(s.ctx(), keys...)
	s.tooLarge("Get", err)
	_, err = s.Put(s.ctx(), changes...)
	s.tooLarge("Put", err)
	_, err = s.Add(s.ctx(), increments...)
	s.tooLarge("Add", err)
	_, err = s.Take(s.ctx(), buckets...)
	s.tooLarge("Take", err)
	s.tooLarge("Give", s.Give(s.ctx(), returns...))
	_, err = s.Append(s.ctx(), s.key("log"), make([][]byte, len(keys))...)
	s.tooLarge("Append", err)
	_, err = s.Delete(s.ctx(), keys...)
	s.tooLarge("Delete", err)
	_, err = s.Lifetime(s.ctx(), keys...)
	s.tooLarge("Lifetime", err)

	out, err := s.Put(s.ctx(), changes[1:]...)
	s.must(err)
	sums, err := s.Add(s.ctx(), increments[1:]...)
	s.must(err)
	values, err := s.Get(s.ctx(), keys[1:]...)
	s.must(err)
	for i := range store.MaxBatch {
		if want := fmt.Sprint(i + 2); !out[i].Done || sums[i] != int64(i+2) || string(values[i]) != want {
			s.Fatalf("%d: outcome %+v, sum %d, value %q, want %s", i, out[i], sums[i], values[i], want)
		}
	}
	n, err := s.Delete(s.ctx(), keys[:store.MaxBatch]...)
	s.must(err)
	if n != store.MaxBatch-1 {
		s.Errorf("deleted %d, want %d", n, store.MaxBatch-1)
	}
}

// testCancelled sees that a context that has ended is no answer.
func testCancelled(s *suite) {
	ctx, cancel := context.WithCancel(s.ctx())
	cancel()
	s.put(s.key("there"), "v")
	for _, k := range []string{"k", "there"} {
		for name, op := range s.operations(ctx, s.key(k), store.Limit{Burst: 1, Every: time.Hour}) {
			if err := op(); !errors.Is(err, store.ErrUnavailable) {
				s.Errorf("%s: got %v, want ErrUnavailable", name, err)
			}
		}
	}
	if _, _, err := s.List(ctx, s.name, "", 1); !errors.Is(err, store.ErrUnavailable) {
		s.Errorf("List: got %v, want ErrUnavailable", err)
	}
	s.wants("nothing was done", s.key("k"), "-")
	s.wants("nothing was removed", s.key("there"), `"v"`)
	s.reads("nothing was appended", s.key("k"), "", 1)
	s.lease(s.key("k"), "other", time.Hour, "other")
}

func testClosed(s *suite) {
	s.put(s.key("k"), "v")
	for range 2 {
		if err := s.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
	}
	for name, op := range s.operations(s.ctx(), s.key("k"), store.Limit{Burst: 1, Every: time.Hour}) {
		if err := op(); !errors.Is(err, store.ErrUnavailable) {
			s.Errorf("%s of a closed store: got %v, want ErrUnavailable", name, err)
		}
	}
	if _, _, err := s.List(s.ctx(), s.name, "", 1); !errors.Is(err, store.ErrUnavailable) {
		s.Errorf("List of a closed store: got %v, want ErrUnavailable", err)
	}
	if h := s.Health(); h.Kind == "" {
		s.Errorf("health of a closed store: %+v", h)
	}
}
