package redis

import (
	"slices"
	"sync"
	"time"

	"rmilter/internal/store"
)

// A condition is how well a store does: its outages, of which one begins with the first
// of its parts that fails and ends when none does any more, and its latency.
type condition struct {
	env    *environment
	health func() store.Health

	telling sync.Mutex // around Env's functions: beginnings and ends are told in their order
	mu      sync.Mutex
	failing []failure // the parts that are down, the first one first
	since   time.Time // up or down
	last    time.Time
	lasted  time.Duration
	times   [64]time.Duration // what the latest operations took
	next    int               // of times, counted on
}

type failure struct{ part, why string }

// begin says that a part is down.
func (c *condition) begin(part, why string) {
	c.telling.Lock()
	defer c.telling.Unlock()
	if c.add(part, why) && c.env.Down != nil {
		c.env.Down(c.health())
	}
}

// add notes why a part is down and tells whether it is the first one.
func (c *condition) add(part, why string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.find(part); i >= 0 {
		c.failing[i].why = why
		return false
	}
	c.failing = append(c.failing, failure{part, why})
	if len(c.failing) > 1 {
		return false
	}
	c.since = c.env.Now()
	return true
}

// end says that a part is up, or no part any more.
func (c *condition) end(part string) {
	c.telling.Lock()
	defer c.telling.Unlock()
	if c.remove(part) && c.env.Up != nil {
		c.env.Up(c.health())
	}
}

// remove forgets that a part is down and tells whether it was the last one.
func (c *condition) remove(part string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.find(part)
	if i < 0 {
		return false
	}
	c.failing = slices.Delete(c.failing, i, i+1)
	if len(c.failing) > 0 {
		return false
	}
	now := c.env.Now()
	c.last, c.lasted, c.since = c.since, now.Sub(c.since), now
	return true
}

func (c *condition) find(part string) int {
	return slices.IndexFunc(c.failing, func(f failure) bool { return f.part == part })
}

// took notes what an operation took.
func (c *condition) took(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times[c.next%len(c.times)] = d
	c.next++
}

// fill sets what a condition knows of a store's health.
func (c *condition) fill(h *store.Health) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.Up, h.Since, h.LastOutage, h.LastLasted = len(c.failing) == 0, c.since, c.last, c.lasted
	for i, f := range c.failing {
		if i > 0 {
			h.Reason += "; "
		}
		h.Reason += f.part + ": " + f.why
	}
	if n := min(c.next, len(c.times)); n > 0 {
		sorted := c.times
		slices.Sort(sorted[:n])
		h.Latency = sorted[n/2]
	}
}
