package greylist_test

import (
	"context"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rmilter/greylist"
	"rmilter/internal/mail"
	"rmilter/internal/store"
	"rmilter/internal/store/embedded"
)

// A clock is set by tests.
type clock struct{ since atomic.Int64 }

// begin is the time at which clocks begin; it has no whole number of seconds.
var begin = time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC)

func (c *clock) now() time.Time       { return begin.Add(time.Duration(c.since.Load())) }
func (c *clock) add(d time.Duration)  { c.since.Add(int64(d)) }
func (c *clock) set(at time.Duration) { c.since.Store(int64(at)) }

// A spy is a store that counts round trips, and fails in the one that failAt says: 1 is the
// first. It is down from then on when dead is set.
type spy struct {
	store.Store
	calls  atomic.Int64
	failAt atomic.Int64
	dead   bool
	before func() // called before each Put
}

func (s *spy) call() error {
	n, at := s.calls.Add(1), s.failAt.Load()
	if at > 0 && (n == at || s.dead && n > at) {
		return store.ErrUnavailable
	}
	return nil
}

func (s *spy) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if err := s.call(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, keys...)
}

func (s *spy) Put(ctx context.Context, changes ...store.Change) ([]store.Outcome, error) {
	if err := s.call(); err != nil {
		return nil, err
	}
	if s.before != nil {
		s.before()
	}
	return s.Store.Put(ctx, changes...)
}

// A world is a Greylist with its stores and its clock.
type world struct {
	*greylist.Greylist
	t           testing.TB
	clock       *clock
	grey, white *spy // the same for one store
	stores      *store.Set
}

// newWorld returns a world with the default configuration but for what change does. Its
// warmup is over.
func newWorld(t testing.TB, two bool, change func(*greylist.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{}}
	w.grey = &spy{Store: open(t, w.clock)}
	w.white = w.grey
	if two {
		w.white = &spy{Store: open(t, w.clock)}
	}
	w.stores = store.Same(w.grey)
	w.stores.White = w.white
	w.configure(change)
	w.check(query(func(q *greylist.Query) { q.Rcpts = rcpts("nobody@example.net") }))
	w.clock.add(time.Hour)
	w.reset()
	return w
}

func (w *world) configure(change func(*greylist.Config)) {
	c := greylist.DefaultConfig()
	if change != nil {
		change(&c)
	}
	w.Greylist = greylist.New(c, greylist.Env{Now: w.clock.now, Location: time.FixedZone("", 3600), Delimiter: "+", GreyPrefix: "grey", WhitePrefix: "white"})
}

// reset begins to count round trips anew.
func (w *world) reset() {
	for _, s := range []*spy{w.grey, w.white} {
		s.calls.Store(0)
		s.failAt.Store(0)
		s.dead = false
	}
}

func (w *world) check(q greylist.Query) greylist.Verdict {
	return w.Check(context.Background(), w.stores, q)
}

// want checks a message and wants a state.
func (w *world) want(what string, q greylist.Query, want greylist.State) greylist.Verdict {
	w.t.Helper()
	v := w.check(q)
	if v.State != want || v.Err != nil || v.Defer != (want == greylist.First || want == greylist.Early) || v.Defer != (v.Text != "") {
		w.t.Fatalf("%s at %s: got %+v, want state %s", what, time.Duration(w.clock.since.Load()), v, want)
	}
	return v
}

func open(t testing.TB, c *clock) store.Store {
	t.Helper()
	s, err := embedded.Open(embedded.Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// query returns a message of joe to alice with the changes made.
func query(changes ...func(*greylist.Query)) greylist.Query {
	q := greylist.Query{
		Client:  netip.MustParseAddr("192.0.2.7"),
		From:    mail.ParseAddress("<joe@sender.example>"),
		Rcpts:   rcpts("alice@example.com"),
		Content: &greylist.Content{From: "joe@sender.example", Subject: "Hello", Body: []byte("How are you?\r\n")},
	}
	for _, change := range changes {
		change(&q)
	}
	return q
}

func rcpts(list ...string) []mail.Address {
	var all []mail.Address
	for _, r := range list {
		all = append(all, mail.ParseAddress("<"+r+">"))
	}
	return all
}

func client(ip string) func(*greylist.Query) {
	return func(q *greylist.Query) { q.Client = netip.MustParseAddr(ip) }
}

func body(text string) func(*greylist.Query) {
	return func(q *greylist.Query) {
		q.Content = &greylist.Content{From: "joe@sender.example", Subject: "Hello", Body: []byte(text)}
	}
}

func noContent(q *greylist.Query) { q.Content = nil }

func domain(name string) func(*greylist.Query) {
	return func(q *greylist.Query) { q.Domain = name }
}

func to(list ...string) func(*greylist.Query) {
	return func(q *greylist.Query) { q.Rcpts = rcpts(list...) }
}

func from(address string) func(*greylist.Query) {
	return func(q *greylist.Query) { q.From = mail.ParseAddress(address) }
}

// items returns what a store has below a prefix.
func items(t testing.TB, s store.Store, prefix string) []store.Item {
	t.Helper()
	var all []store.Item
	for next := ""; ; {
		some, after, err := s.List(context.Background(), prefix, next, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range some {
			if !strings.HasSuffix(item.Key, "}.since") {
				all = append(all, item)
			}
		}
		if next = after; next == "" {
			return all
		}
	}
}
