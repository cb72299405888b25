package scan

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"rmilter/internal/mail"
)

// errTimeout is the error of a check that took longer than its Timeout.
var errTimeout = errors.New("no answer in time")

// A run is one message on its way through the checks.
type run struct {
	engine *Engine
	ctx    context.Context

	passes []Pass          // by the nodes' index: each has its own, as one may come back late
	done   []chan struct{} // by the nodes' index: closed when it is over; nil when nobody waits

	mu      sync.Mutex // guards what follows
	states  []state    // by the nodes' index; one that is over doesn't change any more
	missing int        // states that aren't over
	closed  bool       // the report is made: what comes later is dropped
	over    chan struct{}
	busy    int           // checks that are at work, also those that were given up
	late    chan struct{} // closed when busy is 0 after the report; nil when it was before

	worker  int       // number of the goroutine that runs the pure checks
	next    int       // index in engine.pure of the check that it runs, or runs next
	started time.Time // when it began
}

// A state is what became of one check.
type state struct {
	over     bool
	err      error
	result   any
	findings []Finding
	demand   *Passthrough
	auth     auth
	took     time.Duration
}

// Scan implements Scanner. The pure checks run one after the other, those that wait
// for the network beside them. A check that takes longer than its time, or that is
// not through when ctx ends, is left alone and listed in Failed; what it finds later
// is dropped.
func (e *Engine) Scan(ctx context.Context, env *mail.Envelope, m *mail.Message, aids Aids) *Report {
	start := e.env.Now()
	r := &run{engine: e, ctx: ctx, passes: make([]Pass, len(e.nodes)), done: make([]chan struct{}, len(e.nodes)), states: make([]state, len(e.nodes)), missing: len(e.nodes), over: make(chan struct{})}
	for i, n := range e.nodes {
		r.passes[i] = Pass{Envelope: env, Message: m, Aids: aids, node: n, run: r}
	}
	r.begin()
	r.wait()
	report := r.report()
	report.Took = e.env.Now().Sub(start)
	return report
}

// begin starts the checks, those that wait for the network first.
func (r *run) begin() {
	if r.missing == 0 {
		close(r.over)
		return
	}
	for _, n := range r.engine.nodes {
		if !n.async {
			continue
		}
		for _, d := range n.deps {
			if bool(*d.conf.enabled) && r.done[d.index] == nil {
				r.done[d.index] = make(chan struct{})
			}
		}
	}
	for _, n := range r.engine.nodes {
		if n.async {
			go r.beside(n)
		}
	}
	if len(r.engine.pure) > 0 {
		r.started = r.engine.env.Now()
		go r.pure(0)
	}
}

// beside runs a check on its own goroutine, once those that it reads are over.
func (r *run) beside(n *node) {
	for _, d := range n.reads {
		if !d.enabled || n.early {
			continue
		}
		select {
		case <-r.done[d.index]:
		case <-r.ctx.Done():
		}
	}
	r.mu.Lock()
	if r.closed { // the report may have said already that nothing is at work
		r.mu.Unlock()
		return
	}
	r.busy++
	r.mu.Unlock()
	start := r.engine.env.Now()
	ctx, cancel := context.WithTimeout(r.ctx, n.timeout)
	defer cancel()
	s := r.guarded(ctx, n)
	if s.err != nil && r.ctx.Err() == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.err = errTimeout
	}
	s.took = r.engine.env.Now().Sub(start)
	r.mu.Lock()
	r.back()
	r.settle(n, s)
	r.mu.Unlock()
}

// isOver tells whether a check has its result that another one reads. Only one that is
// early may ask too soon.
func (r *run) isOver(reader *node, index int) bool {
	if !reader.early {
		return true
	}
	select {
	case <-r.done[index]:
		return true
	default:
		return false
	}
}

// back notes that a check has come back, in time or not. The caller holds r.mu.
func (r *run) back() {
	if r.busy--; r.busy == 0 && r.late != nil {
		close(r.late)
	}
}

// pure runs the pure checks from the next one on, until all are through or another
// goroutine has taken over because one of them took too long.
func (r *run) pure(worker int) {
	for {
		r.mu.Lock()
		if r.worker != worker || r.closed || r.next == len(r.engine.pure) {
			r.mu.Unlock()
			return
		}
		n, start := r.engine.pure[r.next], r.started
		r.busy++
		r.mu.Unlock()
		s := r.guarded(r.ctx, n)
		end := r.engine.env.Now()
		s.took = end.Sub(start)
		r.mu.Lock()
		r.back()
		if r.worker == worker {
			r.settle(n, s)
			r.next++
			r.started = end
		}
		r.mu.Unlock()
	}
}

// wait returns when all checks are over or have no time left.
func (r *run) wait() {
	timer := time.NewTimer(r.engine.patience)
	defer timer.Stop()
	for {
		select {
		case <-r.over:
			return
		case <-r.ctx.Done():
			return
		case <-timer.C:
			timer.Reset(r.relieve())
		}
	}
}

// relieve gives up the pure check that is running if its time is over, and has
// another goroutine go on with the next one. It returns when to look again.
func (r *run) relieve() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == len(r.engine.pure) {
		return r.engine.patience
	}
	now := r.engine.env.Now()
	if left := r.engine.pure[r.next].timeout - now.Sub(r.started); left > 0 {
		return min(left, r.engine.patience)
	}
	r.settle(r.engine.pure[r.next], state{err: errTimeout, took: now.Sub(r.started)})
	r.next++
	r.worker++
	r.started = now
	go r.pure(r.worker)
	return r.engine.patience
}

// settle notes what became of a check. The caller holds r.mu.
func (r *run) settle(n *node, s state) {
	old := &r.states[n.index]
	if r.closed || old.over {
		return
	}
	if s.err != nil {
		s.result, s.findings, s.demand, s.auth = nil, nil, nil, auth{}
	}
	s.over = true
	*old = s
	if done := r.done[n.index]; done != nil {
		close(done)
	}
	if r.missing--; r.missing == 0 {
		close(r.over)
	}
}

// guarded runs one check and turns its panic into an error. A disk that fails under a
// message that is mapped into memory is a panic, too.
func (r *run) guarded(ctx context.Context, n *node) (s state) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	p := &r.passes[n.index]
	defer func() {
		s.findings, s.demand, s.auth = p.findings, p.demand, p.auth
		if v := recover(); v != nil {
			s.err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if s.err = ctx.Err(); s.err == nil {
		s.result, s.err = n.runner.run(ctx, p)
	}
	return s
}

// report makes the account of what is over.
func (r *run) report() *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	rep := &Report{Times: make([]Timing, 0, len(r.states))}
	if r.busy > 0 {
		r.late = make(chan struct{})
		rep.late = r.late
	}
	for i, n := range r.engine.nodes {
		s := &r.states[i]
		if !s.over {
			s.err = r.ctx.Err()
		}
		if s.err != nil {
			if rep.Failed == nil {
				rep.Failed = make(map[string]error)
			}
			rep.Failed[n.name] = s.err
		}
		rep.Findings = append(rep.Findings, s.findings...)
		if s.demand != nil && (rep.Passthrough == nil || s.demand.Action > rep.Passthrough.Action) {
			rep.Passthrough = s.demand
		}
		rep.add(&s.auth)
		rep.Times = append(rep.Times, Timing{n.name, s.took})
	}
	return rep
}
