package embedded

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"rmilter/internal/store"
)

// TestModel does many changes of all kinds to few and many keys, small and large, and wants
// the store to say what a map says, also of all keys together, of what a backup brings back
// and after it was closed and opened.
func TestModel(t *testing.T) {
	var passed atomic.Int64
	clock := func() time.Time { return time.Unix(1_700_000_000, passed.Load()) }
	fs, random := vfs.NewMem(), rand.New(rand.NewPCG(1, 2))
	reopen := func() *Store {
		s, err := open(Options{Now: clock, MinFree: -1}, fs, newBackoff())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s, ctx := reopen(), t.Context()
	defer func() { s.Close() }()
	type value struct {
		text string
		ends time.Time
	}
	want := map[string]value{}
	there := func(k string) bool { v, ok := want[k]; return ok && clock().Before(v.ends) }
	key := func() string {
		if random.IntN(2) == 0 {
			return fmt.Sprint("hot.", random.IntN(20))
		}
		return fmt.Sprint("cold.", random.IntN(20_000))
	}
	for n := range 15_000 {
		k := key()
		switch random.IntN(10) {
		case 0, 1, 2:
			text := strings.Repeat("x", random.IntN(64))
			if random.IntN(50) == 0 {
				text = strings.Repeat("large", entryBytes/5+random.IntN(2000))
			}
			life := time.Duration(1+random.IntN(2000)) * time.Second
			change := store.Change{Key: k, Value: []byte(text), Lifetime: life, Volatile: random.IntN(10) > 0, If: store.Condition(random.IntN(2))}
			was := there(k)
			out, err := s.Put(ctx, change)
			if err != nil || out[0].Done != (change.If == store.Always || !was) {
				t.Fatalf("put %+v: %+v, %v, there: %t", change, out, err, was)
			}
			if out[0].Done {
				want[k] = value{text, clock().Add(life)}
			}
		case 3:
			k = "n." + k
			sums, err := s.Add(ctx, store.Increment{Key: k, By: int64(n), Lifetime: 30 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			old := want[k]
			if !there(k) {
				old = value{"0", clock().Add(30 * time.Second)}
			}
			var was int64
			fmt.Sscan(old.text, &was)
			if want[k] = (value{fmt.Sprint(was + int64(n)), old.ends}); sums[0] != was+int64(n) {
				t.Fatalf("%s is %d, want %d", k, sums[0], was+int64(n))
			}
		case 4:
			if deleted, err := s.Delete(ctx, k); err != nil || (deleted == 1) != there(k) {
				t.Fatalf("deleted %s: %d, %v, there: %t", k, deleted, err, there(k))
			}
			delete(want, k)
		default:
			v, err := s.Get(ctx, k)
			if err != nil || (v[0] != nil) != there(k) || there(k) && string(v[0]) != want[k].text {
				t.Fatalf("%s is %.40q, %v, want %.40q, %t", k, v[0], err, want[k].text, there(k))
			}
		}
		passed.Add(int64(random.IntN(200)) * int64(time.Millisecond))
		if n%1500 != 1499 {
			continue
		}
		switch n / 1500 % 3 {
		case 0:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = reopen()
		case 1:
			var b bytes.Buffer
			if err := s.Backup(ctx, &b); err != nil {
				t.Fatal(err)
			}
			if err := put(s, "hot.1", "not in the backup", true); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Restore(ctx, &b); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Sweep(ctx, clock()); err != nil {
			t.Fatal(err)
		}
		alive := map[string]string{}
		for k, v := range want {
			if there(k) {
				alive[k] = v.text
			}
		}
		if diff := cmp.Diff(alive, listed(t, s)); diff != "" {
			t.Fatalf("after %d changes (-want +got):\n%s", n, diff)
		}
	}
}

// listed returns all keys of a store.
func listed(t *testing.T, s *Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for from, more := "", true; more; more = from != "" {
		items, next, err := s.List(t.Context(), "", from, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range items {
			all[i.Key] = string(i.Value)
		}
		from = next
	}
	return all
}

// TestMemoryIsBounded writes and asks for many keys, and wants memory to have no more of
// them than it may, and nothing that the disk doesn't have when it has been flushed.
func TestMemoryIsBounded(t *testing.T) {
	s := opened(t, Options{})
	defer s.Close()
	ctx := t.Context()
	for i := range 40_000 {
		if err := put(s, fmt.Sprint("key.", i), strings.Repeat("v", 100), true); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(ctx, fmt.Sprint("none.", i)); err != nil {
			t.Fatal(err)
		}
	}
	e, err := s.engine()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.flush(); err != nil {
		t.Fatal(err)
	}
	bytes, entries := 0, 0
	for i := range e.memory.all {
		st := &e.memory.all[i]
		st.mu.Lock()
		sum := 0
		for k, en := range st.all {
			entries++
			bytes += en.size
			if en.dirty {
				t.Errorf("%s isn't on the disk", k)
			}
			if want := len(k) + len(en.record.value) + entryCosts; en.size != want {
				t.Errorf("%s has the size %d, want %d", k, en.size, want)
			}
			if en.generation == st.generation {
				sum += en.size
			}
		}
		if sum != st.bytes || len(st.dirty) > 0 || st.pending != 0 {
			t.Errorf("a stripe of %d bytes says %d, %d wait, %d bytes", sum, st.bytes, len(st.dirty), st.pending)
		}
		st.unlock()
	}
	if most := stripes * stripeBytes; bytes > most || entries < 1000 {
		t.Errorf("%d entries of %d bytes, at most %d", entries, bytes, most)
	}
}

// TestLaterIsOnDisk pulls the plug: what may be lost is there nevertheless when a tenth of
// a second has passed.
func TestLaterIsOnDisk(t *testing.T) {
	crashing := vfs.NewCrashableMem()
	s, err := open(Options{MinFree: -1}, crashing, newBackoff())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := t.Context()
	limit := store.Limit{Burst: 3, Every: time.Hour}
	poll(t, "what was written is on the disk", func() bool {
		if err := put(s, "first", "there", true); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Take(ctx, store.Bucket{Key: "bucket", Limit: limit}); err != nil {
			t.Fatal(err)
		}
		after, err := open(Options{MinFree: -1}, crashing.CrashClone(vfs.CrashCloneCfg{}), newBackoff())
		if err != nil {
			t.Fatal(err)
		}
		defer after.Close()
		grants, err := after.Take(ctx, store.Bucket{Key: "bucket", Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		return get(t, after, "first") == "there" && !grants[0].Taken
	})
}

// TestKnownIsQuick wants what is in memory to be at work while everything that works with
// the disk is held up.
func TestKnownIsQuick(t *testing.T) {
	s := opened(t, Options{})
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b := store.Bucket{Key: "bucket", Limit: store.Limit{Burst: 1000, Every: time.Hour}}
	grants, err := s.Take(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	if err := put(s, "known", "v", false); err != nil {
		t.Fatal(err)
	}
	e, err := s.engine()
	if err != nil {
		t.Fatal(err)
	}
	poll(t, "the filter", func() bool { return e.filter.Load() != nil })
	for range atOnce {
		e.slots <- struct{}{}
	}
	defer e.vacate()
	for i := range 500 {
		grants, err := s.Take(ctx, b)
		if err != nil || !grants[0].Taken || grants[0].Used != int64(i+2) {
			t.Fatalf("take %d: %+v, %v", i, grants, err)
		}
	}
	if err := s.Give(ctx, store.Return{Bucket: b, At: grants[0].At}); err != nil {
		t.Error(err)
	}
	if sums, err := s.Add(ctx, store.Increment{Key: "new", By: 2}); err != nil || sums[0] != 2 {
		t.Errorf("added to what isn't there: %d, %v", sums, err)
	}
	if err := put(s, "another", "w", true); err != nil {
		t.Error(err)
	}
	values, err := s.Get(ctx, "known", "another", "absent")
	if err != nil || string(values[0]) != "v" || string(values[1]) != "w" || values[2] != nil {
		t.Errorf("got %q, %v", values, err)
	}
}

// TestFilter wants a filter never to lack what is there, while it is learned anew, and
// seldom to be wrong about what isn't.
func TestFilter(t *testing.T) {
	s := opened(t, Options{})
	defer s.Close()
	ctx := t.Context()
	e, err := s.engine()
	if err != nil {
		t.Fatal(err)
	}
	poll(t, "the first filter", func() bool { return e.filter.Load() != nil })
	const writers, each = 4, 5000
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				k := fmt.Sprint("key.", w, ".", i)
				if err := put(s, k, "v", true); err != nil {
					t.Error(err)
				}
				// What memory has forgotten is asked of the filter.
				key := diskKey(kindKey, k)
				at := e.memory.index(key)
				some := e.memory.all[at : at+1]
				some[0].mu.Lock()
				err := e.flushLocked(some)
				if en := some[0].find(key); en != nil {
					some[0].drop(en)
				}
				some[0].unlock()
				if v, errGet := s.Get(ctx, k); err != nil || errGet != nil || v[0] == nil {
					t.Errorf("%s: %q, %v, %v", k, v, err, errGet)
					return
				}
			}
		})
	}
	for range 20 {
		if err := e.learn(); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	f := newFilter(filterLeast / 2)
	for i := range filterLeast {
		f.add(e.memory.hash(fmt.Append(nil, i)))
	}
	wrong := 0
	for i := range filterLeast {
		if f.lacks(e.memory.hash(fmt.Append(nil, i))) {
			t.Fatalf("%d isn't lacking", i)
		}
		if !f.lacks(e.memory.hash(fmt.Append(nil, "not ", i))) {
			wrong++
		}
	}
	if wrong > filterLeast/50 || f.full() {
		t.Errorf("%d of %d are taken to be there; full: %t", wrong, filterLeast, f.full())
	}
	if newFilter(filterMost) != nil {
		t.Error("a filter for any number of keys")
	}
}

// TestFilterGrows wants a new filter when there are more keys than it was made for.
func TestFilterGrows(t *testing.T) {
	s := opened(t, Options{})
	defer s.Close()
	var changes []store.Change
	for i := range filterLeast + 1000 {
		changes = append(changes, store.Change{Key: fmt.Sprint(i), Volatile: true})
	}
	for some := range slices.Chunk(changes, store.MaxBatch) {
		if _, err := s.Put(t.Context(), some...); err != nil {
			t.Fatal(err)
		}
	}
	e, err := s.engine()
	if err != nil {
		t.Fatal(err)
	}
	poll(t, "a larger filter", func() bool {
		if err := put(s, "one more", "", true); err != nil { // has the next flush look
			t.Fatal(err)
		}
		f := e.filter.Load()
		return f != nil && f.room > filterLeast && f.keys.Load() > filterLeast
	})
}
