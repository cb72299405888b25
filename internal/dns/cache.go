package dns

import (
	"hash/maphash"
	"sync"
	"time"
)

// Lifetimes of what is remembered.
const (
	minTTL      = time.Second      // of any answer, so that one message doesn't ask twice
	maxTTL      = 24 * time.Hour   // of records
	noTTL       = 30 * time.Second // of "not found" without an SOA record
	maxNoTTL    = time.Hour        // of "not found"
	failureTTL  = 5 * time.Second  // of a failure (RFC 9520, section 3.2)
	maxStale    = 24 * time.Hour   // records are kept so long after they expired (RFC 8767, section 5)
	staleRetry  = 30 * time.Second // a failure is not asked again so soon while there is a stale answer
	maxShards   = 16
	entryMemory = 400 // bytes of an entry besides what its answer points to
	maxEntry    = 128 << 10
)

// An entry is what is remembered of a question. Only retry and the links change, under
// the lock of the shard.
type entry struct {
	question   question
	group      *group // whose servers said it
	answer     Answer
	err        error // nil, or *Error
	expires    time.Time
	stale      time.Time // until then it may be given while nobody can be asked
	retry      time.Time // until then a stale one is given without asking
	size       int
	prev, next *entry
}

// found returns what an entry says at a time when it has not expired.
func (e *entry) found(now time.Time) (Answer, error) {
	a := e.answer
	a.Cached, a.TTL = true, e.expires.Sub(now)
	return a, e.err
}

// old returns what an entry says when it has expired.
func (e *entry) old() (Answer, error) {
	a := e.answer
	a.Cached, a.Stale, a.TTL = true, true, 0
	return a, nil
}

// A cache keeps answers within a bound of entries and of bytes; what was not asked for
// longest goes first.
type cache struct {
	seed   maphash.Seed
	shards []*shard
}

type shard struct {
	mu      sync.Mutex
	entries map[question]*entry
	root    entry // of the ring: root.next was used last
	bytes   int
	maxLen  int
	maxSize int
}

// newCache returns a cache with these bounds, of which each shard has its part.
func newCache(entries, bytes int) *cache {
	n := maxShards
	if entries < 100*n {
		n = 1
	}
	c := &cache{seed: maphash.MakeSeed()}
	for range n {
		s := &shard{entries: map[question]*entry{}, maxLen: max(1, entries/n), maxSize: bytes / n}
		s.root.prev, s.root.next = &s.root, &s.root
		c.shards = append(c.shards, s)
	}
	return c
}

func (c *cache) shard(q question) *shard {
	return c.shards[maphash.String(c.seed, q.name)%uint64(len(c.shards))]
}

// get returns the entry of a question that is good, or one that may be given if nobody
// can be asked. Answers of other servers than those of the group are neither.
func (c *cache) get(q question, g *group, now time.Time) (fresh, stale *entry) {
	s := c.shard(q)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[q]
	switch {
	case e == nil || e.group != g:
		return nil, nil
	case now.Before(e.expires):
		s.unlink(e)
		s.link(e)
		return e, nil
	case now.Before(e.stale):
		return nil, e
	}
	return nil, nil
}

// resting tells whether a stale entry is given without asking.
func (c *cache) resting(e *entry, now time.Time) bool {
	s := c.shard(e.question)
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(e.retry)
}

// rest lets a stale entry be given without asking for a while.
func (c *cache) rest(e *entry, now time.Time) {
	s := c.shard(e.question)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.retry = now.Add(staleRetry)
}

// put remembers an entry in place of an older one of the question.
func (c *cache) put(e *entry) {
	e.size = entryMemory + e.answer.size()
	s := c.shard(e.question)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.entries[e.question]; old != nil {
		s.remove(old)
	}
	if e.size > min(maxEntry, s.maxSize) {
		return
	}
	s.entries[e.question] = e
	s.bytes += e.size
	s.link(e)
	for s.bytes > s.maxSize || len(s.entries) > s.maxLen {
		s.remove(s.root.prev)
	}
}

func (s *shard) link(e *entry) {
	e.prev, e.next = &s.root, s.root.next
	e.prev.next, e.next.prev = e, e
}

func (s *shard) unlink(e *entry) { e.prev.next, e.next.prev = e.next, e.prev }

func (s *shard) remove(e *entry) {
	s.unlink(e)
	delete(s.entries, e.question)
	s.bytes -= e.size
}

// usage returns how much the cache holds.
func (c *cache) usage() (entries, bytes int) {
	for _, s := range c.shards {
		s.mu.Lock()
		entries += len(s.entries)
		bytes += s.bytes
		s.mu.Unlock()
	}
	return entries, bytes
}

// lifetime returns how long an outcome is remembered, 0 when not at all.
func lifetime(kind Kind, ttl time.Duration) time.Duration {
	switch kind {
	case "":
		return min(max(ttl, minTTL), maxTTL)
	case NotFound, NoData:
		return min(max(ttl, minTTL), maxNoTTL)
	case ServFail, Refused, Timeout, Truncated, Malformed:
		return failureTTL
	}
	return 0
}
