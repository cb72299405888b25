package embedded

import (
	"slices"
	"sync"
	"time"

	"rmilter/internal/store"
)

// A state is how well a store does.
type state struct {
	mu         sync.Mutex
	up         bool
	why        string
	since      time.Time
	lastOutage time.Time
	lastLasted time.Duration
	keys, size int64
	times      [63]time.Duration // of the latest operations, a ring
	n          int               // operations in all
}

func (s *state) begin(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up, s.since, s.keys, s.size = true, now, -1, -1
}

// down notes that the store is down and tells whether that is news.
func (s *state) down(now time.Time, why string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.up
	if news {
		s.up, s.since = false, now
	}
	s.why = why
	return news
}

// well notes that the store is up and tells whether that is news.
func (s *state) well(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.up {
		return false
	}
	s.lastOutage, s.lastLasted = s.since, now.Sub(s.since)
	s.up, s.why, s.since = true, "", now
	return true
}

func (s *state) reason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why == "" {
		return "not open"
	}
	return s.why
}

func (s *state) took(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times[s.n%len(s.times)] = d
	s.n++
}

// counted notes how large the store is. Less than 0 isn't known and changes nothing.
func (s *state) counted(keys, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if keys >= 0 {
		s.keys = keys
	}
	if size >= 0 {
		s.size = size
	}
}

func (s *state) health() store.Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := store.Health{
		Kind: "embedded", Up: s.up, Reason: s.why, Since: s.since,
		LastOutage: s.lastOutage, LastLasted: s.lastLasted, Keys: s.keys, Size: s.size,
	}
	if n := min(s.n, len(s.times)); n > 0 {
		times := slices.Clone(s.times[:n])
		slices.Sort(times)
		h.Latency = times[n/2]
	}
	return h
}

// Health implements store.Store.
func (s *Store) Health() store.Health {
	h := s.state.health()
	h.Address = s.address
	return h
}
