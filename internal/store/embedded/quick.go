package embedded

import (
	"context"
	"time"
)

// quickKeys is how many keys a call may have to be done in memory alone.
const quickKeys = 64

// idleWorkers is how many workers wait for something to do.
const idleWorkers = 16

// give has a job done by a worker. A goroutine that has worked with pebble before has the
// stack that this needs; a new one would have to grow it each time.
func (e *engine) give(job func()) {
	select {
	case e.jobs <- job:
	default:
		go e.work(job)
	}
}

// work does jobs, until there is nothing to do and enough others wait for more.
func (e *engine) work(job func()) {
	for {
		job()
		if e.idle.Add(1) > idleWorkers {
			e.idle.Add(-1)
			return
		}
		select {
		case job = <-e.jobs:
			e.idle.Add(-1)
		case <-e.gone:
			return
		case <-e.dead:
			return
		}
	}
}

// ready returns the engine when there is one to be used at once.
func (s *Store) ready(ctx context.Context) (*engine, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.unavailable(err)
	}
	return s.engine()
}

// readQuick hands over what memory has of keys, without waiting for anybody. It returns
// the place of the first that it doesn't have.
func (s *Store) readQuick(ctx context.Context, keys [][]byte, each func(int, *entry)) (int, error) {
	e, err := s.ready(ctx)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	var nothing entry
	for i, k := range keys {
		w := [1]int{e.memory.index(k)}
		if !e.memory.tryLock(w[:]) {
			return i, nil
		}
		st := &e.memory.all[w[0]]
		en := st.find(k)
		if en == nil && e.lacks(k) {
			en = &nothing // to remember it would cost more than to find it out again
		}
		known := en != nil && !e.memory.shut.Load()
		if known {
			each(i, en)
		}
		st.unlock()
		if !known {
			return i, nil
		}
	}
	s.state.took(time.Since(start))
	return len(keys), nil
}

// changeQuick does changes that may be lost in memory, and tells whether it did: whether
// all that they need is there, and nobody holds them up.
func (s *Store) changeQuick(ctx context.Context, keys [][]byte, do func(*piece, int) error) (bool, error) {
	start := time.Now()
	if len(keys) > quickKeys || !s.roomy(start) {
		return false, nil
	}
	e, err := s.ready(ctx)
	if err != nil {
		return true, err
	}
	var list [quickKeys]int
	which := e.memory.indices(list[:0], keys)
	if !e.memory.tryLock(which) {
		return false, nil
	}
	defer func() {
		for _, w := range which {
			e.memory.all[w].unlock()
		}
	}()
	if e.memory.shut.Load() {
		return false, nil
	}
	p := &piece{e: e, now: s.now(), keys: keys, entries: make([]*entry, len(keys)), quick: true}
	for i, k := range keys {
		st := e.memory.of(k)
		if p.entries[i] = e.known(st, k); p.entries[i] == nil || st.crowded() {
			return false, nil
		}
	}
	for i := range keys {
		if err := do(p, i); err != nil {
			return true, s.explain(err)
		}
	}
	if p.later {
		e.flushSoon()
	}
	s.state.took(time.Since(start))
	return true, nil
}
