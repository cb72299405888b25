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
	notFound, failures, unanswered, waiting                             atomic.Int64
	latency                                                             recent
}

// A recent keeps the last durations of something. The zero value is ready to use.
type recent struct {
	n     atomic.Uint64
	times [64]atomic.Int64 // nanoseconds
}

func (r *recent) add(d time.Duration) {
	r.times[(r.n.Add(1)-1)%uint64(len(r.times))].Store(int64(d))
}

// median returns the median of what there is, 0 of nothing.
func (r *recent) median() time.Duration {
	n := min(r.n.Load(), uint64(len(r.times)))
	if n == 0 {
		return 0
	}
	times := make([]int64, n)
	for i := range times {
		times[i] = r.times[i].Load()
	}
	slices.Sort(times)
	return time.Duration(times[n/2])
}

// outcome counts a question that ended without records.
func (c *counts) outcome(k Kind) {
	if k == NotFound || k == NoData {
		c.notFound.Add(1)
		return
	}
	c.failures.Add(1)
}

// Stats are the figures of a resolver. All but InFlight, Waiting, Entries, Bytes, Latency
// and Servers are totals since it began.
type Stats struct {
	Lookups  int64 // questions of callers
	Hits     int64 // of them answered from the cache
	Stale    int64 // of them answered by what had expired
	Joined   int64 // of them that waited for the same question of another
	Busy     int64 // of them not asked, because too many were in flight
	Queries  int64 // packets to servers, probes too
	TCP      int64 // of them over TCP
	Timeouts int64 // packets without an answer in the time of one try
	Foreign  int64 // packets that answered something else
	NotFound int64 // questions whose answer was that there is nothing
	Failures int64 // questions that no server answered
	// Unanswered are Lookups that ended with a temporary error. Those whose caller gave up
	// are none.
	Unanswered int64
	InFlight   int           // questions on their way
	Waiting    int64         // of them waiting for their turn
	Entries    int           // answers in the cache
	Bytes      int           // their size, about
	Latency    time.Duration // median of the last answers of all servers; 0 without any

	Servers []ServerStats // by address
}

// ServerStats are the figures of one server since a configuration first had it.
type ServerStats struct {
	Address  netip.AddrPort
	Zones    []string  // which it serves; none for all other names
	Out      bool      // it did not answer and is asked last
	Since    time.Time // since when
	Queries  int64
	Answers  int64
	Timeouts int64         // no answer in the time of one try
	Failures int64         // no connection, or an answer that can't be read
	Latency  time.Duration // median of its last answers; 0 without any
}

// Stats returns the figures.
func (r *Resolver) Stats() Stats {
	c := &r.count
	s := Stats{
		Lookups: c.lookups.Load(), Hits: c.hits.Load(), Stale: c.stale.Load(), Joined: c.joined.Load(), Busy: c.busy.Load(),
		Queries: c.queries.Load(), TCP: c.tcp.Load(), Timeouts: c.timeouts.Load(), Foreign: c.foreign.Load(),
		NotFound: c.notFound.Load(), Failures: c.failures.Load(), Unanswered: c.unanswered.Load(), Waiting: c.waiting.Load(),
		Latency: c.latency.median(),
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
		Timeouts: s.timeouts.Load(), Failures: s.failures.Load(), Latency: s.latency.median(),
	}
	if s.out {
		st.Since = s.since
	}
	return st
}

// Servers returns the servers that are asked for a name, in the order of the configuration;
// none for what is no name.
func (r *Resolver) Servers(name string) []netip.AddrPort {
	normal, ok := Normalize(name)
	if !ok {
		return nil
	}
	var list []netip.AddrPort
	for _, s := range r.current(r.env.Now()).group(normal).servers {
		list = append(list, s.addr)
	}
	return list
}
