package dns

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// How long a server that does not answer is left alone.
const (
	maxFailures   = 3 // in a row, before the server is asked last
	firstRecovery = time.Second
	maxRecovery   = 30 * time.Second
)

// A server is one address with what is known of its health. It outlives configurations.
type server struct {
	addr  netip.AddrPort
	plain atomic.Bool // it refuses EDNS(0)
	left  atomic.Bool // no configuration has it any more

	queries, answers, timeouts, failures atomic.Int64
	latency                              recent

	mu    sync.Mutex
	row   int       // failures since the last answer
	out   bool      // asked last
	since time.Time // since when it is out
	told  bool      // the log has it
}

// isOut tells whether the server is asked last.
func (s *server) isOut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out
}

// failed notes that the server did not answer. It tells whether that put it out, so
// that a probe has to be begun.
func (s *server) failed(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.row++; s.row < maxFailures || s.out {
		return false
	}
	s.out, s.since = true, now
	return true
}

// answered notes that the server answered, be it with an error. It returns for how long
// it had been out if the log was told so, otherwise 0.
func (s *server) answered(now time.Time, took time.Duration) time.Duration {
	s.answers.Add(1)
	s.latency.add(took)
	s.mu.Lock()
	defer s.mu.Unlock()
	told, out := s.told, now.Sub(s.since)
	s.row, s.out, s.told = 0, false, false
	if !told {
		return 0
	}
	return max(out, 1)
}

// noAnswer notes a failure and, when it was one too many, begins to probe the server.
func (r *Resolver) noAnswer(s *server) {
	if s.failed(r.env.Now()) {
		r.spawn(func() { r.probe(s, firstRecovery) })
	}
}

// probe asks a server that is out for something that every server can answer somehow.
// A list or zone that is dead makes a good server look bad, so the first probe comes at
// once, and only what it finds is told.
func (r *Resolver) probe(s *server, wait time.Duration) {
	if s.left.Load() {
		return
	}
	ctx, cancel := r.within(r.ctx, 2*r.env.Try)
	_, err := r.exchange(ctx, s, question{"", TypeNS})
	cancel()
	if !s.isOut() || r.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	first := !s.told
	s.told = true
	s.mu.Unlock()
	if first {
		r.env.Log.Warn("DNS server does not answer", "server", s.addr.String(), "error", err.Error())
	}
	r.env.AfterFunc(wait, func() {
		r.spawn(func() { r.probe(s, min(2*wait, maxRecovery)) })
	})
}

// within returns a context that ends after some time of the resolver's clock.
func (r *Resolver) within(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	stop := r.env.AfterFunc(d, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}
