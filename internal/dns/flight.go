package dns

import (
	"context"
	"sync/atomic"
	"time"
)

// maxWaiting is how many questions may wait for each that may be in flight.
const maxWaiting = 8

// A flight is a question on its way, with those who wait for it.
type flight struct {
	waiters atomic.Int32
	done    chan struct{} // closed when answer and err are set
	late    chan struct{} // closed when a stale answer should be given; nil without one
	answer  Answer
	err     error
}

// join returns the flight of a question, which it begins if there is none. It returns
// the answer instead if that has just arrived, and nothing if too many questions wait.
func (r *Resolver) join(q question, g *group, stale *entry, now time.Time) (*flight, *entry) {
	r.mu.Lock()
	if f := r.flights[q]; f != nil {
		f.waiters.Add(1)
		r.mu.Unlock()
		r.count.joined.Add(1)
		return f, nil
	}
	if fresh, _ := r.cache.get(q, g, now); fresh != nil {
		r.mu.Unlock()
		return nil, fresh
	}
	if r.closed || len(r.flights) >= (1+maxWaiting)*r.env.MaxInFlight {
		r.mu.Unlock()
		r.count.busy.Add(1)
		return nil, nil
	}
	f := &flight{done: make(chan struct{})}
	f.waiters.Add(1)
	if stale != nil {
		f.late = make(chan struct{})
	}
	r.flights[q] = f
	r.tasks.Go(func() { r.fly(f, q, g, stale) })
	r.mu.Unlock()
	return f, nil
}

// fly carries a question out and tells those who wait.
func (r *Resolver) fly(f *flight, q question, g *group, stale *entry) {
	ctx, cancel := r.within(r.ctx, r.env.Total)
	defer cancel()
	if f.late != nil {
		stop := r.env.AfterFunc(staleWait, func() { close(f.late) })
		defer stop()
	}
	a, ttl, err := r.wait(ctx, f, q, g)
	r.settle(f, q, g, stale, a, ttl, err)
	r.mu.Lock()
	delete(r.flights, q)
	r.mu.Unlock()
	close(f.done)
}

// wait asks as soon as few enough questions are in flight.
func (r *Resolver) wait(ctx context.Context, f *flight, q question, g *group) (Answer, time.Duration, *Error) {
	nothing := Answer{Name: q.name, Type: q.typ, Canonical: q.name}
	select {
	case r.slots <- struct{}{}:
	default:
		r.count.waiting.Add(1)
		select {
		case r.slots <- struct{}{}:
			r.count.waiting.Add(-1)
		case <-ctx.Done():
			r.count.waiting.Add(-1)
			return nothing, 0, failure(Busy, "")
		}
	}
	defer func() { <-r.slots }()
	if f.waiters.Load() == 0 {
		return nothing, 0, failure(Canceled, "")
	}
	return r.resolve(ctx, q, g)
}

// resolve asks for a name and, where an answer ends at an alias, for what that names.
func (r *Resolver) resolve(ctx context.Context, q question, g *group) (Answer, time.Duration, *Error) {
	a := Answer{Name: q.name, Type: q.typ, Canonical: q.name, Authenticated: true}
	ttl := uint32(1<<31 - 1)
	for aliases := 0; ; {
		rep, err := r.ask(ctx, g, question{a.Canonical, q.typ})
		if err != nil {
			a.Server, a.Authenticated = err.Server, false
			return a, 0, err
		}
		ttl = min(ttl, rep.ttl)
		canonical, authentic := rep.Canonical, a.Authenticated && rep.Authenticated
		a = rep.Answer
		a.Name, a.Type, a.Authenticated = q.name, q.typ, authentic
		switch {
		case a.Len() > 0:
			return a, time.Duration(ttl) * time.Second, nil
		case a.RCode == RCodeNXDomain:
			return a, rep.nothing(ttl), failure(NotFound, "")
		case !rep.cut:
			return a, rep.nothing(ttl), failure(NoData, "")
		}
		if aliases += rep.aliases; aliases > maxAliases {
			return a, 0, failure(Malformed, "aliases without end")
		}
		if _, ok := Normalize(canonical); !ok {
			// Nobody can have a record there.
			return a, rep.nothing(ttl), failure(NotFound, "an alias of what is no name")
		}
		g = r.settings.Load().group(canonical)
	}
}

// nothing returns for how long the reply says that there is nothing.
func (r *reply) nothing(ttl uint32) time.Duration {
	if !r.soa {
		return noTTL
	}
	return time.Duration(min(ttl, r.negative)) * time.Second
}

// settle remembers an outcome and makes it that of the flight.
func (r *Resolver) settle(f *flight, q question, g *group, stale *entry, a Answer, ttl time.Duration, failed *Error) {
	now := r.env.Now()
	if r.ctx.Err() != nil {
		failed = failure(Canceled, "the resolver is closed")
	}
	e := &entry{question: q, group: g, answer: a}
	kind := Kind("")
	if failed != nil {
		kind = failed.Kind
		e.err = &Error{Name: q.name, Type: q.typ, Kind: kind, Server: failed.Server, Err: failed.Err}
		if failed.Server.IsValid() {
			e.answer.Server = failed.Server
		} else if failed.NotFound() {
			e.err.(*Error).Server = a.Server
		}
		r.count.outcome(kind)
		if stale != nil && failed.Temporary() {
			r.cache.rest(stale, now)
			f.answer, f.err = stale.old()
			return
		}
	}
	life := lifetime(kind, ttl)
	f.answer, f.err = e.answer, e.err
	f.answer.TTL = life
	if life == 0 {
		return
	}
	e.expires = now.Add(life)
	e.stale = e.expires
	if kind == "" {
		e.stale = e.expires.Add(maxStale)
	}
	r.cache.put(e)
}
