package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
	"rmilter/internal/ucl"
)

// A model is what buckets would do if no piece that was given back had ever been taken.
type model struct {
	limits map[string]store.Limit
	kept   map[string][]time.Time // by key, in order
}

// room tells whether a bucket has a piece at a time: no window that ends then may hold
// more than the burst and what time restored within it.
func (m *model) room(key string, at time.Time) bool {
	kept, l := m.kept[key], m.limits[key]
	for i := range kept {
		if int64(len(kept)-i) >= l.Burst+int64(at.Sub(kept[i])/l.Every) {
			return false
		}
	}
	return true
}

// refuses returns the key of the first bucket without a piece; "" when all have one.
func (m *model) refuses(asked []store.Bucket, at time.Time) string {
	for _, b := range asked {
		m.limits[b.Key] = b.Limit
		if !m.room(b.Key, at) {
			return b.Key
		}
	}
	return ""
}

func (m *model) take(t Ticket) {
	for _, r := range t.returns {
		m.kept[r.Bucket.Key] = append(m.kept[r.Bucket.Key], r.At)
	}
}

func (m *model) give(t Ticket) {
	for _, r := range t.returns {
		kept := m.kept[r.Bucket.Key]
		i := slices.IndexFunc(kept, r.At.Equal)
		m.kept[r.Bucket.Key] = slices.Delete(kept, i, i+1)
	}
}

// TestRefunds takes and gives back at random, while time passes. No refund may make room
// that time would not have made; those that come soon leave no trace at all.
func TestRefunds(t *testing.T) {
	seeds := uint64(4)
	if os.Getenv("RMILTER_DRILL") == "1" {
		seeds = 60
	}
	for name, c := range map[string]struct {
		latest time.Duration // when pieces are given back at the latest
		steps  func(r *rand.Rand) time.Duration
		conf   func(c *Config)
	}{
		"soon": {8 * time.Minute, func(r *rand.Rand) time.Duration { return time.Duration(r.Int64N(int64(40 * time.Second))) }, func(c *Config) {
			c.To, c.ToIP, c.User = ucl.Bucket{Burst: 6, Rate: 1.0 / 60}, ucl.Bucket{Burst: 3, Rate: 1.0 / 100}, ucl.Bucket{Burst: 8, Rate: 1.0 / 40}
		}},
		"late": {3 * time.Hour, func(r *rand.Rand) time.Duration { return time.Duration(r.ExpFloat64() * float64(3*time.Minute)) }, func(c *Config) {
			c.To, c.ToIP, c.User = ucl.Bucket{Burst: 4, Rate: 1.0 / 3600}, ucl.Bucket{Burst: 60, Rate: 1.0 / 90}, ucl.Bucket{Burst: 50, Rate: 1.0 / 600}
		}},
		"at once": {time.Second, func(r *rand.Rand) time.Duration { return time.Duration(r.Int64N(3)) * time.Microsecond }, func(c *Config) {
			c.To, c.ToIP, c.User = ucl.Bucket{Burst: 30, Rate: 1e5}, ucl.Bucket{Burst: 50, Rate: 2e5}, ucl.Bucket{Burst: 300, Rate: 1e6}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range seeds {
				conf := DefaultConfig()
				conf.Ours = true
				c.conf(&conf)
				refunds(t, seed, conf, c.latest, c.steps, name == "soon")
			}
		})
	}
}

func refunds(t *testing.T, seed uint64, conf Config, latest time.Duration, step func(*rand.Rand) time.Duration, exact bool) {
	r := rand.New(rand.NewPCG(seed, 5))
	c := newClock()
	st, l := open(t, c.now), New(conf, Env{Now: c.now})
	m := &model{map[string]store.Limit{}, map[string][]time.Time{}}
	type held struct {
		Ticket
		until time.Time
	}
	var open []held
	passed, refused, given := 0, 0, 0
	for i := range 1000 {
		d := step(r)
		if r.IntN(20) == 0 && !exact {
			// A clock that goes back. By more than a minute it is taken for one that was
			// wrong before, and all times go back with it.
			d = -min(d/4, time.Minute)
		}
		c.step(d)
		if len(open) > 0 && r.IntN(3) == 0 {
			k := r.IntN(len(open))
			h := open[k]
			open = slices.Delete(open, k, k+1)
			if r.IntN(4) > 0 && !c.now().After(h.until) {
				if err := Give(t.Context(), st, h.Ticket); err != nil {
					t.Fatal(err)
				}
				m.give(h.Ticket)
				given++
			}
			continue
		}
		q := ask(mail.Authenticated, "192.0.2.1", fmt.Sprint("user", r.IntN(2)), "", fmt.Sprint("rcpt", r.IntN(3)))
		asked := l.concerned(&q)
		ticket, v := l.Take(t.Context(), st, q)
		if v.Err != nil {
			t.Fatal(v.Err)
		}
		at := c.now()
		if !ticket.Empty() {
			passed++
			for _, ret := range ticket.returns {
				if m.limits[ret.Bucket.Key] = ret.Bucket.Limit; !m.room(ret.Bucket.Key, ret.At) {
					t.Fatalf("seed %d, step %d: %s gave a piece at %v that time had not made, beside %v", seed, i, ret.Bucket.Key, ret.At, m.kept[ret.Bucket.Key])
				}
			}
			m.take(ticket)
			open = append(open, held{ticket, at.Add(latest)})
			continue
		}
		refused++
		if want := m.refuses(asked, at); exact && want != v.Key {
			t.Fatalf("seed %d, step %d: %s refuses beside %v, want %q to refuse", seed, i, v.Key, m.kept[v.Key], want)
		}
	}
	if passed < 50 || refused < 20 || given < 20 {
		t.Errorf("seed %d: %d passed, %d refused, %d given back: too few to tell anything", seed, passed, refused, given)
	}
}
