// Package storetest is the suite that every store has to pass: it holds each sentence of
// store.Store to account, and measures each operation.
package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"rmilter/internal/store"
)

// Options say what the suite can ask of a store.
type Options struct {
	// Clock says that the store's time is what the function given to open returns. Where
	// it isn't, the suite uses short lifetimes and waits for their end.
	Clock bool
	// Channels says that the store can publish.
	Channels bool
}

// An Opener returns a store for one test, which is closed by the test when it ends. It
// may be one that has keys of others: the suite's begin with a name that nobody else
// has.
type Opener func(t *testing.T, now func() time.Time) store.Store

// Run runs the suite.
func Run(t *testing.T, open Opener, o Options) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			clock := &clock{now: time.Now().Truncate(time.Millisecond)}
			s := open(t, clock.Now)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			c.test(&suite{T: t, Store: s, o: o, clock: clock, name: "storetest." + rand.Text()[:10] + "."})
		})
	}
}

// A check is one test of the suite.
type check struct {
	name string
	test func(*suite)
}

func cases() []check {
	return []check{
		{"Get", testGet},
		{"Put", testPut},
		{"PutIfAbsent", testPutIfAbsent},
		{"PutUnchanged", testPutUnchanged},
		{"PutInOrder", testPutInOrder},
		{"PutShared", testPutShared},
		{"Lifetime", testLifetime},
		{"LifetimeReplaced", testLifetimeReplaced},
		{"ExpiredIsAbsent", testExpiredIsAbsent},
		{"Add", testAdd},
		{"AddBounds", testAddBounds},
		{"AddCorrupt", testAddCorrupt},
		{"AddLifetime", testAddLifetime},
		{"Take", testTake},
		{"TakeSeveral", testTakeSeveral},
		{"TakeAgain", testTakeAgain},
		{"TakeGarbage", testTakeGarbage},
		{"TakeClockAhead", testTakeClockAhead},
		{"Give", testGive},
		{"GiveNothing", testGiveNothing},
		{"Log", testLog},
		{"LogTrim", testLogTrim},
		{"LogDelete", testLogDelete},
		{"LogTogether", testLogTogether},
		{"Lease", testLease},
		{"LeaseEnds", testLeaseEnds},
		{"Delete", testDelete},
		{"List", testList},
		{"ListPrefix", testListPrefix},
		{"ListDuringChanges", testListDuringChanges},
		{"Keys", testKeys},
		{"Bounds", testBounds},
		{"Batch", testBatch},
		{"Cancelled", testCancelled},
		{"Closed", testClosed},
		{"Health", testHealth},
		{"Publish", testPublish},
		{"TogetherIfAbsent", testTogetherIfAbsent},
		{"TogetherUnchanged", testTogetherUnchanged},
		{"TogetherAdd", testTogetherAdd},
		{"TogetherTake", testTogetherTake},
		{"TogetherGive", testTogetherGive},
		{"TogetherLease", testTogetherLease},
		{"TogetherAll", testTogetherAll},
	}
}

// A clock is one that the suite moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A suite is one test of it.
type suite struct {
	*testing.T
	store.Store
	o     Options
	clock *clock
	name  string // begins all keys of the test
}

func (s *suite) ctx() context.Context { return s.Context() }

// key returns a key of the test.
func (s *suite) key(name string) string { return s.name + name }

// brief is a lifetime that passes within the test.
func (s *suite) brief() time.Duration {
	if s.o.Clock {
		return time.Hour
	}
	return 150 * time.Millisecond
}

// pass lets the time of a brief lifetime pass.
func (s *suite) pass(what string, over func() bool) {
	s.Helper()
	if s.o.Clock {
		s.clock.add(s.brief())
		if !over() {
			s.Errorf("%s: not over after %s", what, s.brief())
		}
		return
	}
	s.poll(what, over)
}

// poll waits for something that comes by itself.
func (s *suite) poll(what string, over func() bool) {
	s.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !over() {
		if time.Now().After(deadline) {
			s.Fatalf("%s: not over after 20s", what)
		}
		<-tick.C
	}
}

// must ends the test on an error.
func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// put sets a value for ever.
func (s *suite) put(key, value string) {
	s.Helper()
	out, err := s.Put(s.ctx(), store.Change{Key: key, Value: []byte(value)})
	s.must(err)
	if len(out) != 1 || !out[0].Done {
		s.Fatalf("Put(%q) = %+v, want it done", key, out)
	}
}

// get returns how a value reads: "-" where there is none.
func (s *suite) get(key string) string {
	s.Helper()
	values, err := s.Get(s.ctx(), key)
	s.must(err)
	if len(values) != 1 {
		s.Fatalf("Get of one key returned %d values", len(values))
	}
	if values[0] == nil {
		return "-"
	}
	return fmt.Sprintf("%q", values[0])
}

// wants compares what a key has with what it should have.
func (s *suite) wants(what, key, want string) {
	s.Helper()
	if got := s.get(key); got != want {
		s.Errorf("%s: the value is %s, want %s", what, got, want)
	}
}

// lifetime returns what remains of a key.
func (s *suite) lifetime(key string) time.Duration {
	s.Helper()
	all, err := s.Lifetime(s.ctx(), key)
	s.must(err)
	if len(all) != 1 {
		s.Fatalf("Lifetime of one key returned %d", len(all))
	}
	return all[0]
}

// together runs a function many times at once and waits for all.
func (s *suite) together(n int, f func(i int)) {
	s.Helper()
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}
