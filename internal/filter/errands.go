package filter

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// Bounds of errands: so many wait, so many run at once, and one may take so long.
const (
	maxErrands     = 4096
	maxErrandBytes = 64 << 20
	errandsAt      = 8
	errandTime     = 5 * time.Second
)

// Errands are what has to be done after a message, out of the MTA's way: to remember
// it, to give back what it took. They outlive the Filters. When too many wait, new ones
// are dropped: a store that slow is an outage, and mail doesn't wait for it.
type Errands struct {
	queue chan errand
	env   ErrandsEnv

	mu      sync.Mutex // guards what follows
	running int
	held    int // bytes
	closed  bool
	idle    chan struct{} // closed when closed and nothing runs
}

// An errand is a function and the bytes that it holds.
type errand struct {
	f    func(context.Context)
	size int
}

// ErrandsEnv is who is told of errands that are not done. Each may be nil.
type ErrandsEnv struct {
	Dropped  func()                    // one was dropped
	Panicked func(v any, stack []byte) // one panicked
}

// NewErrands returns errands. Nothing runs as long as there is nothing to do.
func NewErrands(env ErrandsEnv) *Errands {
	return &Errands{queue: make(chan errand, maxErrands), env: env, idle: make(chan struct{})}
}

// Do has f done soon, on another goroutine. Its context ends after a few seconds. f is
// dropped after Close, or when too many wait; Do tells whether it was taken.
func (e *Errands) Do(f func(context.Context)) bool { return e.DoHolding(0, f) }

// DoHolding is Do for an f that holds so many bytes until it is done. It is dropped, too,
// when all that wait would hold too many.
func (e *Errands) DoHolding(size int, f func(context.Context)) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed && (e.held == 0 || e.held+size <= maxErrandBytes) {
		select {
		case e.queue <- errand{f, size}:
			e.held += size
			if e.running < errandsAt {
				e.running++
				go e.run()
			}
			return true
		default:
		}
	}
	if e.env.Dropped != nil {
		e.env.Dropped()
	}
	return false
}

// run does what waits until nothing does.
func (e *Errands) run() {
	for {
		select {
		case one := <-e.queue:
			e.do(one)
			continue
		default:
		}
		e.mu.Lock()
		if len(e.queue) == 0 { // Do adds to it with the lock held
			e.running--
			if e.closed && e.running == 0 {
				close(e.idle)
			}
			e.mu.Unlock()
			return
		}
		e.mu.Unlock()
	}
}

func (e *Errands) do(one errand) {
	ctx, cancel := context.WithTimeout(context.Background(), errandTime)
	defer cancel()
	defer func() {
		if v := recover(); v != nil && e.env.Panicked != nil {
			e.env.Panicked(v, debug.Stack())
		}
		e.mu.Lock()
		e.held -= one.size
		e.mu.Unlock()
	}()
	one.f(ctx)
}

// Close takes no more errands and waits until those that wait are done, or ctx ends.
// It may be called once.
func (e *Errands) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	if e.running == 0 {
		close(e.idle)
	}
	e.mu.Unlock()
	select {
	case <-e.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
