package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
	"rmilter/internal/store/embedded"
	"rmilter/internal/ucl"
)

// A clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// open returns an empty store in memory.
func open(tb testing.TB, now func() time.Time) store.Store {
	tb.Helper()
	st, err := embedded.Open(embedded.Options{Now: now})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	return st
}

// A counting store counts round trips of the operations that this package uses, and may
// fail.
type counting struct {
	store.Store
	mu    sync.Mutex
	trips []string // "take 3"
	fail  map[string]error
}

func (c *counting) trip(op string, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trips = append(c.trips, fmt.Sprint(op, " ", n))
	return c.fail[op]
}

// taken returns the round trips since the last call.
func (c *counting) made() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := strings.Join(c.trips, ", ")
	c.trips = nil
	return s
}

func (c *counting) Take(ctx context.Context, b ...store.Bucket) ([]store.Grant, error) {
	if err := c.trip("take", len(b)); err != nil {
		return nil, err
	}
	return c.Store.Take(ctx, b...)
}

func (c *counting) Give(ctx context.Context, r ...store.Return) error {
	if err := c.trip("give", len(r)); err != nil {
		return err
	}
	return c.Store.Give(ctx, r...)
}

func (c *counting) Put(ctx context.Context, changes ...store.Change) ([]store.Outcome, error) {
	if err := c.trip("put", len(changes)); err != nil {
		return nil, err
	}
	return c.Store.Put(ctx, changes...)
}

func (c *counting) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if err := c.trip("get", len(keys)); err != nil {
		return nil, err
	}
	return c.Store.Get(ctx, keys...)
}

func (c *counting) Delete(ctx context.Context, keys ...string) (int, error) {
	if err := c.trip("delete", len(keys)); err != nil {
		return 0, err
	}
	return c.Store.Delete(ctx, keys...)
}

func (c *counting) List(ctx context.Context, prefix, from string, n int) ([]store.Item, string, error) {
	if err := c.trip("list", 1); err != nil {
		return nil, "", err
	}
	return c.Store.List(ctx, prefix, from, n)
}

var errDown = fmt.Errorf("203.0.113.1:6379: no answer: %w", store.ErrUnavailable)

// everything is a configuration with all buckets on.
func everything() Config {
	c := DefaultConfig()
	c.User = ucl.Bucket{Burst: 200, Rate: 200.0 / 3600}
	c.To = ucl.Bucket{Burst: 20, Rate: 1.0 / 60}
	c.ToIP = ucl.Bucket{Burst: 30, Rate: 1.0 / 40}
	c.ToIPFrom = ucl.Bucket{Burst: 100, Rate: 1.0 / 30}
	c.BounceTo = ucl.Bucket{Burst: 5, Rate: 1.0 / 3600}
	c.BounceToIP = ucl.Bucket{Burst: 5, Rate: 1.0 / 3600}
	return c
}

func ask(trust mail.Trust, client, user, from, rcpt string) Query {
	q := Query{Trust: trust, User: user, From: mail.ParseAddress(from), Rcpt: mail.ParseAddress(rcpt)}
	if client != "" {
		q.Client = netip.MustParseAddr(client)
	}
	return q
}

// stranger is a Query that the buckets to_ip_from, to_ip and to count.
func stranger() Query {
	return ask(mail.Stranger, "192.0.2.1", "", "<al@example.org>", "<bob@example.com>")
}

// keys returns the keys of the buckets that a Query concerns, without their prefix.
func keys(l *Limiter, q Query) []string {
	var all []string
	for _, b := range l.concerned(&q) {
		all = append(all, strings.TrimPrefix(b.Key, prefix))
	}
	return all
}

// stored returns the keys of all buckets in a store that aren't full.
func stored(t *testing.T, l *Limiter, st store.Store) []string {
	t.Helper()
	var all []string
	for from := ""; ; {
		entries, next, err := l.List(t.Context(), st, Filter{}, from, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Used > 0 {
				all = append(all, fmt.Sprintf("%s=%d", strings.TrimPrefix(e.Key, prefix), e.Used))
			}
		}
		if from = next; from == "" {
			slices.Sort(all)
			return all
		}
	}
}

func unavailable(err error) bool { return errors.Is(err, store.ErrUnavailable) }
