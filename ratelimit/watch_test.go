package ratelimit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
	"rmilter/internal/ucl"
)

func refused(user string) Verdict {
	return Verdict{Refused: true, Bucket: "user", Key: "limit.user." + user, Limit: store.Limit{Burst: 2, Every: time.Minute}, Wait: time.Minute}
}

// TestWatch has a user over his limit, who is told of once by two machines.
func TestWatch(t *testing.T) {
	c := newClock()
	st := &counting{Store: open(t, c.now)}
	conf := DefaultConfig()
	conf.User = ucl.Bucket{Burst: 2, Rate: 1.0 / 60}
	l := New(conf, Env{Now: c.now})
	here, there := NewWatch(c.now), NewWatch(c.now)
	begin := c.now()
	take := func(w *Watch) (Alert, bool) {
		q := ask(mail.Authenticated, "192.0.2.1", "Alice", "<al@example.com>", "<bob@example.org>")
		_, v := l.Take(t.Context(), st, q)
		if v.Err != nil {
			t.Fatal(v.Err)
		}
		return w.Note(t.Context(), st, q.User, v)
	}
	for range 2 {
		if a, raise := take(here); raise || a != (Alert{}) {
			t.Errorf("within the limit: %+v %t", a, raise)
		}
	}
	st.made()
	want := Alert{User: "alice", Limit: store.Limit{Burst: 2, Every: time.Minute}, Since: begin}
	if a, raise := take(here); !raise || a != want {
		t.Errorf("first refusal: %+v %t, want %+v", a, raise, want)
	}
	if got := st.made(); got != "take 1, put 1" {
		t.Errorf("first refusal: %s", got)
	}
	c.step(time.Second)
	if _, raise := take(here); raise {
		t.Error("second refusal raises an alert")
	}
	if got := st.made(); got != "take 1" {
		t.Errorf("second refusal: %s", got)
	}
	if a, raise := take(there); raise || a.User != "alice" {
		t.Errorf("another machine raises an alert: %+v", a)
	}
	over := here.Over()
	if len(over) != 1 || over[0] != (Over{Alert: want, Last: begin.Add(time.Second), Refused: 2}) {
		t.Errorf("over their limits: %+v", over)
	}
	values, err := st.Get(t.Context(), "limit.alert.alice")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(values[0]); got != `{"user":"alice","burst":2,"every":"1m0s","since":"2026-03-01T12:00:00Z"}` {
		t.Errorf("stored: %s", got)
	}

	c.step(Quiet - time.Microsecond)
	if len(here.Over()) != 1 {
		t.Error("forgotten too early")
	}
	c.step(time.Microsecond)
	if over := here.Over(); over != nil {
		t.Errorf("after an hour: %+v", over)
	}
	for range 2 {
		take(here)
	}
	if _, raise := take(there); !raise {
		t.Error("an hour later there is no new alert")
	}
	if _, raise := take(here); raise {
		t.Error("an hour later there are two alerts")
	}
}

// TestWatchQuiet has that who goes on is told of once, until he has been quiet.
func TestWatchQuiet(t *testing.T) {
	c := newClock()
	w, st := NewWatch(c.now), open(t, c.now)
	alerts := 0
	for range 30 {
		if _, raise := w.Note(t.Context(), st, "alice", refused("alice")); raise {
			alerts++
		}
		c.step(Quiet - time.Second)
	}
	c.step(time.Second)
	if _, raise := w.Note(t.Context(), st, "alice", refused("alice")); alerts != 1 || !raise {
		t.Errorf("%d alerts, want 1; another one after quiet: %t, want true", alerts, raise)
	}
}

// TestWatchOthers has that only refusals of users count.
func TestWatchOthers(t *testing.T) {
	c := newClock()
	st, w := &counting{}, NewWatch(c.now)
	for _, v := range []Verdict{{}, {Err: errDown}, {Refused: true, Bucket: "to", Key: "limit.to.bob"}} {
		if a, raise := w.Note(t.Context(), st, "alice", v); raise || a != (Alert{}) {
			t.Errorf("%+v: %+v %t", v, a, raise)
		}
	}
	if w.Over() != nil || st.made() != "" {
		t.Errorf("somebody is over his limit: %+v", w.Over())
	}
}

// TestWatchStoreFails has that an alert that can't be shared is raised.
func TestWatchStoreFails(t *testing.T) {
	c := newClock()
	st := &counting{fail: map[string]error{"put": errDown}}
	w := NewWatch(c.now)
	if _, raise := w.Note(t.Context(), st, "alice", refused("alice")); !raise {
		t.Error("no alert")
	}
	if _, raise := w.Note(t.Context(), st, "alice", refused("alice")); raise {
		t.Error("two alerts")
	}
}

// TestWatchBounds has that many users take bounded memory, and that the latest stay.
func TestWatchBounds(t *testing.T) {
	c := newClock()
	st, w := open(t, c.now), NewWatch(c.now)
	for i := range maxWatched + 100 {
		c.step(time.Millisecond)
		user := fmt.Sprint("user", i, strings.Repeat("\xff", 1000))
		if a, raise := w.Note(t.Context(), st, user, refused(fmt.Sprint("user", i))); !raise || len(a.User) > 250 {
			t.Fatalf("%+v %t", a, raise)
		}
	}
	over := w.Over()
	if len(over) != maxWatched || !strings.HasPrefix(over[0].User, "user1099") || !strings.HasPrefix(over[maxWatched-1].User, "user100") {
		t.Errorf("%d are over their limits, from %.10s to %.10s", len(over), over[0].User, over[len(over)-1].User)
	}
	w.Forget("limit.user.user1099", "limit.user.nobody")
	if over := w.Over(); len(over) != maxWatched-1 || !strings.HasPrefix(over[0].User, "user1098") {
		t.Errorf("after Forget %d are left", len(over))
	}
}

// TestWatchAtOnce has one alert when many processes refuse a user in many goroutines.
func TestWatchAtOnce(t *testing.T) {
	c := newClock()
	st := open(t, c.now)
	watches := []*Watch{NewWatch(c.now), NewWatch(c.now), NewWatch(c.now), NewWatch(c.now)}
	var alerts atomic.Int64
	var all sync.WaitGroup
	for i := range 256 {
		all.Go(func() {
			if _, raise := watches[i%len(watches)].Note(context.Background(), st, "alice", refused("alice")); raise {
				alerts.Add(1)
			}
		})
	}
	all.Wait()
	if n := alerts.Load(); n != 1 {
		t.Errorf("%d alerts, want 1", n)
	}
	for i, w := range watches {
		if o := w.Over(); len(o) != 1 || o[0].Refused != 64 {
			t.Errorf("process %d: %+v, want 64 refusals", i, o)
		}
	}
}

func FuzzAlert(f *testing.F) {
	f.Add("alice")
	f.Add(strings.Repeat("\xff:", 300))
	f.Fuzz(func(t *testing.T, user string) {
		c := newClock()
		l := New(everything(), Env{Now: c.now})
		q := ask(mail.Authenticated, "", user, "", "bob")
		for _, b := range l.concerned(&q) {
			if !strings.HasPrefix(b.Key, "limit.user.") {
				continue
			}
			st := &putting{}
			a, raise := NewWatch(c.now).Note(t.Context(), st, user, Verdict{Refused: true, Bucket: "user", Key: b.Key, Limit: b.Limit})
			if !raise || len(a.User) > maxKey || len(st.last.Key) > maxKey || !strings.HasPrefix(st.last.Key, alertPrefix) || !json.Valid(st.last.Value) {
				t.Errorf("%q: %+v %t, key %q, value %q", user, a, raise, st.last.Key, st.last.Value)
			}
		}
	})
}

// A putting store keeps the last change.
type putting struct {
	store.Store
	last store.Change
}

func (p *putting) Put(_ context.Context, changes ...store.Change) ([]store.Outcome, error) {
	p.last = changes[0]
	return []store.Outcome{{Done: true}}, nil
}
