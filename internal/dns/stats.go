package dns

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// counts are what a resolver counts. The zero value is ready to use.
type counts struct {
	lookups, hits, stale, joined, busy, queries, tcp, timeouts, foreign atomic.Int64
	notFound, failures, waiting                                         atomic.Int64
}

// outcome counts a question that ended without records.
func (c *counts) outcome(k Kind) {
	if k == NotFound || k == NoData {
		c.notFound.Add(1)
		return
	}
	c.failures.Add(1)
}

// Stats are the figures of a resolver. All but InFlight, Waiting, Entries, Bytes and
// Servers are totals since it began.
type Stats struct {
	Lookups  int64 `json:"lookups"`   // questions of callers
	Hits     int64 `json:"hits"`      // of them answered from the cache
	Stale    int64 `json:"stale"`     // of them answered by what had expired
	Joined   int64 `json:"joined"`    // of them that waited for the same question of another
	Busy     int64 `json:"busy"`      // of them not asked, because too many were in flight
	Queries  int64 `json:"queries"`   // packets to servers, probes too
	TCP      int64 `json:"tcp"`       // of them over TCP
	Timeouts int64 `json:"timeouts"`  // packets without an answer in the time of one try
	Foreign  int64 `json:"foreign"`   // packets that answered something else
	NotFound int64 `json:"not_found"` // questions whose answer was that there is nothing
	Failures int64 `json:"failures"`  // questions that no server answered
	InFlight int   `json:"in_flight"` // questions on their way
	Waiting  int64 `json:"waiting"`   // of them waiting for their turn
	Entries  int   `json:"entries"`   // answers in the cache
	Bytes    int   `json:"bytes"`     // their size, about

	Servers []ServerStats `json:"servers"` // by address
}

// ServerStats are the figures of one server since a configuration first had it.
type ServerStats struct {
	Address  netip.AddrPort `json:"address"`
	Zones    []string       `json:"zones,omitempty"` // which it serves; none for all other names
	Out      bool           `json:"out"`             // it did not answer and is asked last
	Since    time.Time      `json:"since,omitzero"`  // since when
	Queries  int64          `json:"queries"`
	Answers  int64          `json:"answers"`
	Timeouts int64          `json:"timeouts"`   // no answer in the time of one try
	Failures int64          `json:"failures"`   // no connection, or an answer that can't be read
	Latency  time.Duration  `json:"latency_ns"` // of its last answers
}

// Stats returns the figures.
func (r *Resolver) Stats() Stats {
	c := &r.count
	s := Stats{
		Lookups: c.lookups.Load(), Hits: c.hits.Load(), Stale: c.stale.Load(), Joined: c.joined.Load(), Busy: c.busy.Load(),
		Queries: c.queries.Load(), TCP: c.tcp.Load(), Timeouts: c.timeouts.Load(), Foreign: c.foreign.Load(),
		NotFound: c.notFound.Load(), Failures: c.failures.Load(), Waiting: c.waiting.Load(),
	}
	s.Entries, s.Bytes = r.cache.usage()
	r.mu.Lock()
	s.InFlight = len(r.flights)
	r.mu.Unlock()
	set := r.settings.Load()
	zones := map[*server][]string{}
	for name, g := range set.zones {
		for _, server := range g.servers {
			zones[server] = append(zones[server], name)
		}
	}
	for _, server := range set.main.servers {
		s.Servers = append(s.Servers, server.stats(zones[server]))
		delete(zones, server)
	}
	for server, names := range zones {
		s.Servers = append(s.Servers, server.stats(names))
	}
	slices.SortFunc(s.Servers, func(a, b ServerStats) int { return a.Address.Compare(b.Address) })
	return s
}

func (s *server) stats(zones []string) ServerStats {
	slices.Sort(zones)
	s.mu.Lock()
	defer s.mu.Unlock()
	st := ServerStats{
		Address: s.addr, Zones: zones, Out: s.out, Queries: s.queries.Load(), Answers: s.answers.Load(),
		Timeouts: s.timeouts.Load(), Failures: s.failures.Load(), Latency: time.Duration(s.latency.Load()),
	}
	if s.out {
		st.Since = s.since
	}
	return st
}
