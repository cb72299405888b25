package replies

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
	"rmilter/internal/store/embedded"
)

// A clock is moved by hand.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.at.Store(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// counting counts the round trips of a store and the operations in them.
type counting struct {
	store.Store
	trips, ops atomic.Int64
	down       atomic.Bool
}

var errDown = fmt.Errorf("test: %w", store.ErrUnavailable)

func (c *counting) trip(ops int) error {
	c.trips.Add(1)
	c.ops.Add(int64(ops))
	if c.down.Load() {
		return errDown
	}
	return nil
}

func (c *counting) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if err := c.trip(len(keys)); err != nil {
		return nil, err
	}
	return c.Store.Get(ctx, keys...)
}

func (c *counting) Put(ctx context.Context, changes ...store.Change) ([]store.Outcome, error) {
	if err := c.trip(len(changes)); err != nil {
		return nil, err
	}
	return c.Store.Put(ctx, changes...)
}

func (c *counting) Add(ctx context.Context, increments ...store.Increment) ([]int64, error) {
	if err := c.trip(len(increments)); err != nil {
		return nil, err
	}
	return c.Store.Add(ctx, increments...)
}

// taken returns what was counted since the last time.
func (c *counting) taken() (trips, ops int64) { return c.trips.Swap(0), c.ops.Swap(0) }

// A desk is where mail is sent and received in tests.
type desk struct {
	t testing.TB
	*clock
	*Replies
	st    *store.Set
	count *counting
}

func newDesk(t testing.TB, change func(*Config)) *desk {
	t.Helper()
	d := &desk{t: t, clock: newClock()}
	s, err := embedded.Open(embedded.Options{Now: d.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	d.count = &counting{Store: s}
	d.st = store.Same(d.count)
	c := DefaultConfig()
	if change != nil {
		change(&c)
	}
	d.Replies = New(c, Env{Now: d.now, IDPrefix: "id", Delimiter: "+"})
	return d
}

func path(s string) mail.Path { return mail.Path{Address: mail.ParseAddress(s)} }

func envelope(from string, rcpts ...string) *mail.Envelope {
	e := &mail.Envelope{ClientIP: netip.MustParseAddr("203.0.113.7"), From: path(from)}
	for _, s := range rcpts {
		e.Rcpts = append(e.Rcpts, path(s))
	}
	return e
}

func message(lines ...string) *mail.Message {
	return mail.Parse([]byte(strings.Join(lines, "\n")+"\n\ntext\n"), mail.DefaultLimits)
}

// send lets a user of ours send a message.
func (d *desk) send(user string, e *mail.Envelope, lines ...string) {
	d.t.Helper()
	e.Trust, e.User = mail.Authenticated, user
	if err := d.Remember(d.t.Context(), d.st, d.Sent(e, message(lines...))); err != nil {
		d.t.Fatal(err)
	}
}

// alice writes to somebody: the message with the id 1@example.com.
func (d *desk) alice(rcpts ...string) {
	d.t.Helper()
	d.send("alice", envelope("<alice@example.com>", rcpts...),
		"From: Alice <alice@example.com>", "To: "+strings.Join(rcpts, ", "), "Message-ID: <1@example.com>")
}

// get looks a stranger's message up.
func (d *desk) get(e *mail.Envelope, lines ...string) mail.Thread {
	return d.Lookup(context.Background(), d.st, e, message(lines...))
}

// told writes a thread shortly.
func told(t mail.Thread) string {
	var all []string
	add := func(is bool, s string) {
		if is {
			all = append(all, s)
		}
	}
	add(t.Reply == mail.Reply, "reply")
	add(t.Reply == mail.ClaimedReply, "claimed")
	add(t.Bounce == mail.OurBounce, "our bounce")
	add(t.Bounce == mail.UnknownBounce, "unknown bounce")
	add(t.ID != "", t.ID)
	add(t.KnownBy, "by")
	add(t.KnownTo, "to")
	add(t.Seen, "seen")
	add(t.Failed, "failed")
	return strings.Join(all, " ")
}

func isUnavailable(err error) bool { return errors.Is(err, store.ErrUnavailable) }
