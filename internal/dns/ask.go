package dns

import (
	"context"
	"slices"
)

// maxTries is how many packets one question may take: to other servers, or to the same
// one if there is no other.
const maxTries = 4

// A group are the servers for some names, in the order in which they are asked. It never
// changes, and answers in the cache belong to it.
type group struct{ servers []*server }

// order returns the servers with those that are out at the end. It is never empty.
func (g *group) order() []*server {
	list := make([]*server, 0, len(g.servers))
	var out []*server
	for _, s := range g.servers {
		if s.isOut() {
			out = append(out, s)
		} else {
			list = append(list, s)
		}
	}
	return append(list, out...)
}

// A tried is how one try ended.
type tried struct {
	try   int
	reply *reply
	err   *Error
}

// An asking is one question to the servers of a group.
type asking struct {
	r       *Resolver
	ctx     context.Context // ends with the question
	q       question
	servers []*server // those that may be asked; a definite failure takes one out
	asked   []*server // by try
	ended   []bool    // by try
	results chan tried
	slow    chan int // tries that take long
	stops   []func() bool
	worst   *Error // what to say if no try succeeds
}

// ask asks the servers of a group until one answers. A server that is slow is not given
// up: the next is asked beside it, and the first good answer counts. ctx bounds it all.
func (r *Resolver) ask(ctx context.Context, g *group, q question) (*reply, *Error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &asking{r: r, ctx: ctx, q: q, servers: g.order(), results: make(chan tried, maxTries), slow: make(chan int, maxTries)}
	defer func() {
		for _, stop := range a.stops {
			stop()
		}
	}()
	a.begin()
	for open := 1; ; {
		began := false
		select {
		case t := <-a.results:
			if a.end(t) {
				return t.reply, nil
			}
			open--
			began = a.begin()
		case try := <-a.slow:
			if a.ended[try] {
				continue
			}
			a.asked[try].timeouts.Add(1)
			r.count.timeouts.Add(1)
			r.noAnswer(a.asked[try])
			began = a.begin()
		case <-ctx.Done():
			return nil, a.failure(failure(Timeout, ""))
		}
		if began {
			open++
		}
		if open == 0 {
			return nil, a.failure(a.worst)
		}
	}
}

// begin begins the next try, unless there were enough or no server is left.
func (a *asking) begin() bool {
	try := len(a.asked)
	if try == maxTries || len(a.servers) == 0 || a.ctx.Err() != nil {
		return false
	}
	s := a.next()
	a.asked, a.ended = append(a.asked, s), append(a.ended, false)
	// The clock is set before the packet leaves.
	a.stops = append(a.stops, a.r.env.AfterFunc(a.r.env.Try, func() { a.slow <- try }))
	started := a.r.spawn(func() {
		rep, err := a.r.exchange(a.ctx, s, a.q)
		a.results <- tried{try, rep, err}
	})
	if !started {
		a.results <- tried{try: try, err: failure(Canceled, "the resolver is closed")}
	}
	return true
}

// next returns the first of the servers that was asked least.
func (a *asking) next() *server {
	times := func(s *server) (n int) {
		for _, t := range a.asked {
			if t == s {
				n++
			}
		}
		return n
	}
	return slices.MinFunc(a.servers, func(s, t *server) int { return times(s) - times(t) })
}

// end notes how a try ended and tells whether it has the answer.
func (a *asking) end(t tried) bool {
	a.ended[t.try] = true
	s, err := a.asked[t.try], t.err
	if err == nil {
		if err = t.reply.verdict(); err == nil {
			return true
		}
	}
	failed := *err
	failed.Server = s.addr
	// What a server says counts for more than that one says nothing.
	if a.worst == nil || a.worst.Kind == Unreachable || a.worst.Kind == Timeout {
		a.worst = &failed
	}
	// The same packet would get the same answer from it.
	a.servers = slices.DeleteFunc(a.servers, func(other *server) bool { return other == s })
	return false
}

// failure returns the error for the question.
func (a *asking) failure(otherwise *Error) *Error {
	if a.worst != nil {
		return a.worst
	}
	if len(a.asked) > 0 {
		otherwise.Server = a.asked[len(a.asked)-1].addr
	}
	return otherwise
}
