package greylist_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"rmilter/greylist"
	"rmilter/internal/store"
)

// newcomer returns a message that nobody has seen, with a tag that depends on n.
func newcomer(n int) greylist.Query {
	return query(to(fmt.Sprintf("user%d@example.com", n)), body(fmt.Sprint("text ", n)))
}

// TestWarmup begins with empty stores: for ten minutes from the first message on all pass,
// whatever their tags are, and they aren't deferred right after it.
func TestWarmup(t *testing.T) {
	both(t, func(t *testing.T, two bool) {
		w := newWorld(t, two, nil)
		w.forget(t, w.grey, "")
		w.forget(t, w.white, "")
		for n := range 100 {
			if v := w.want("in the warmup", newcomer(n), greylist.Warmup); !strings.HasPrefix(v.Header, "0 seconds passed, not greylisted") || v.Waited != 0 {
				t.Fatalf("got %+v", v)
			}
			w.clock.add(6 * time.Second)
		}
		for n := range 100 {
			w.want("after the warmup, new", newcomer(100+n), greylist.First)
			want := greylist.Passed
			if n > 50 {
				want = greylist.Warmup // its record is younger than timeout
			}
			if v := w.want(fmt.Sprint("after the warmup, again ", n), newcomer(n), want); v.Waited != 0 {
				t.Errorf("it waited for %s, but was never deferred", v.Waited)
			}
		}
		if n := len(w.markers(t)); n != 128 {
			t.Errorf("%d times since when a store is in use, want 128", n)
		}
	})
}

// forget deletes what a store has below a prefix.
func (w *world) forget(t *testing.T, s store.Store, prefix string) {
	t.Helper()
	list, next, err := s.List(context.Background(), prefix, "", 10000)
	if err != nil || next != "" {
		t.Fatal(err, next)
	}
	for _, item := range list {
		if _, err := s.Delete(context.Background(), item.Key); err != nil {
			t.Fatal(err)
		}
	}
}

// markers returns the keys of the times since when stores are in use.
func (w *world) markers(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, s := range []*spy{w.grey, w.white} {
		list, _, err := s.List(context.Background(), "", "", 10000)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range list {
			if strings.HasSuffix(item.Key, "}.since") {
				found[item.Key] = true
			}
		}
	}
	return found
}

// TestPartEmptied has one tag's keys gone, as when one node of several is emptied: those
// of that tag have a warmup, the others don't.
func TestPartEmptied(t *testing.T) {
	for _, prefix := range []string{"grey.", "white."} {
		w := newWorld(t, false, nil)
		w.want("before", newcomer(1), greylist.First)
		emptied := w.tags(t)[newcomer(1).Rcpts[0].Key()]
		w.forget(t, w.grey, prefix+emptied)
		states := map[string]greylist.State{}
		for n := range 400 {
			states[newcomer(1000 + n).Rcpts[0].Key()] = w.check(newcomer(1000 + n)).State
		}
		same := 0
		for rcpt, tag := range w.tags(t) {
			state, asked := states[rcpt]
			want := greylist.First
			if tag == emptied {
				want = greylist.Warmup
				same++
			}
			if asked && state != want {
				t.Errorf("%s: tag %s of %s: got %s, want %s", prefix, tag, rcpt, state, want)
			}
		}
		if same == 0 {
			t.Errorf("%s: none of 400 messages has tag %s", prefix, emptied)
		}
		w.clock.add(11 * time.Minute)
		for n := range 200 {
			w.want(prefix+" after the warmup", newcomer(2000+n), greylist.First)
		}
	}
}

// tags returns the tags of the keys in braces, by the recipient.
func (w *world) tags(t *testing.T) map[string]string {
	t.Helper()
	tags := map[string]string{}
	for _, item := range items(t, w.grey, "grey.") {
		parts := strings.Split(item.Key, "|")
		tags[parts[len(parts)-1]] = item.Key[strings.Index(item.Key, "{") : strings.Index(item.Key, "}")+1]
	}
	return tags
}

// TestWhiteEmptied has the white records in a store of their own that was emptied: regular
// correspondents pass, even where a grey record waits.
func TestWhiteEmptied(t *testing.T) {
	w := newWorld(t, true, nil)
	waits := query(client("203.0.113.9"), body("other"))
	w.want("new", query(), greylist.First)
	w.clock.add(6 * time.Minute)
	w.want("passed", query(), greylist.Passed)
	w.clock.add(25 * time.Hour)
	w.want("another", waits, greylist.First)
	w.clock.add(time.Minute)
	w.forget(t, w.white, "")
	w.want("another, again", waits, greylist.Warmup)
	w.want("the regular one", query(body("new text")), greylist.Warmup)
	w.clock.add(9 * time.Minute)
	w.want("at the end", query(client("198.51.100.1"), body("3")), greylist.Warmup)
	w.clock.add(time.Minute + time.Millisecond)
	w.want("after the end", query(client("198.51.101.1"), body("4")), greylist.Warmup) // the network's record is warm
	w.want("somebody new after the end", query(client("203.0.213.1"), body("5")), greylist.First)
}

func TestWarmupOffAndBrokenMarkers(t *testing.T) {
	w := newWorld(t, false, func(c *greylist.Config) { c.Warmup = 0 })
	w.forget(t, w.grey, "")
	w.want("warmup = 0", query(), greylist.First)
	if n := len(w.markers(t)); n != 128 {
		t.Errorf("%d times since when a store is in use, want 128", n)
	}
	for _, value := range []string{"x", "{}", `{"since":"2999-01-01T00:00:00Z"}`, ""} {
		w := newWorld(t, false, nil)
		for key := range w.markers(t) {
			if _, err := w.grey.Put(context.Background(), store.Change{Key: key, Value: []byte(value)}); err != nil {
				t.Fatal(err)
			}
		}
		w.want("with "+value, query(), greylist.First)
	}
}
