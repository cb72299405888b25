package oddtraffic

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say how much to replay.
type Options struct {
	Full     bool          // every combination of flags and much more noise
	Deadline time.Duration // for each connection to end; default 10 s
	Clients  int           // how many at once, default 8
	Crowd    int           // clients at once in the crowd at the end, default 0: no crowd
	For      time.Duration // how long the crowd stays, default 1 min
	Seed     uint64        // of the random part, default 1
}

// FromEnvironment gives the options of a normal test run, or, with RMILTER_DRILL=1 in
// the environment, those of the drill: everything, and 200 clients for a minute.
func FromEnvironment() Options {
	if os.Getenv("RMILTER_DRILL") != "1" {
		return Options{}
	}
	return Options{Full: true, Crowd: 200}
}

func (o Options) withDefaults() Options {
	if o.Deadline == 0 {
		o.Deadline = 10 * time.Second
	}
	if o.Clients == 0 {
		o.Clients = 8
	}
	if o.For == 0 {
		o.For = time.Minute
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	return o
}

// Run replays odd traffic against a filter, in subtests by family. After each family
// the filter must hold no more than before, have logged no panic, and still serve an
// ordinary session.
func Run(t *testing.T, target Target, o Options) {
	r := newRunner(target, o)
	for _, f := range r.families() {
		t.Run(f.name, func(t *testing.T) {
			begin := time.Now()
			report(t, r.family(f))
			t.Logf("%d connections in %v", len(f.runs), time.Since(begin).Round(time.Millisecond))
		})
	}
	if r.Crowd > 0 {
		t.Run("crowd", func(t *testing.T) {
			n, faults := r.crowd()
			report(t, faults)
			t.Logf("%d connections by %d clients in %v", n, r.Crowd, r.For)
		})
	}
}

func report(t *testing.T, faults []error) {
	t.Helper()
	for i, err := range faults {
		if i == maxFaults {
			t.Errorf("and %d more", len(faults)-i)
			return
		}
		t.Error(err)
	}
}

// maxFaults is how many faults of a family are told; the family ends there.
const maxFaults = 10

// runner plays against one target.
type runner struct {
	Target
	Options
	base Counts
	told int // faults of the log that have been reported
}

func newRunner(target Target, o Options) *runner {
	return &runner{Target: target, Options: o.withDefaults()}
}

// begin notes what the filter holds, once. What is just going away, of a test before,
// is not to count: the least of some looks does. It is called where the comparison is
// made later, as a subtest is a goroutine too.
func (r *runner) begin() {
	if r.Count == nil || r.base != (Counts{}) {
		return
	}
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	r.base = r.Count()
	for range 10 {
		<-look.C
		now := r.Count()
		r.base = Counts{min(r.base.Goroutines, now.Goroutines), min(r.base.Descriptors, now.Descriptors)}
	}
}

// run is one connection.
type run struct {
	name string
	do   func() error
}

// family is a number of connections of one kind.
type family struct {
	name string
	runs []run
}

func (r *runner) families() []family {
	f := family{name: "sessions"}
	for _, s := range sessions(r.Full) {
		f.runs = append(f.runs, run{s.name, func() error { return s.run(r.Dial, r.Deadline) }})
	}
	out := []family{f}
	for _, g := range groups(r.Full, r.Seed) {
		f := family{name: g.name}
		for _, p := range g.plays {
			f.runs = append(f.runs, run{p.name, func() error { return p.run(r.Dial, r.Deadline) }})
		}
		out = append(out, f)
	}
	return out
}

// family plays all of a family, several at once, and looks after the filter.
func (r *runner) family(f family) []error {
	r.begin()
	var c collector
	next := make(chan run)
	var wg sync.WaitGroup
	for range r.Clients {
		wg.Go(func() {
			for x := range next {
				c.add(x.name, x.do())
			}
		})
	}
	for _, x := range f.runs {
		if c.full() {
			break
		}
		next <- x
	}
	close(next)
	wg.Wait()
	return append(c.faults, r.aftermath()...)
}

// aftermath is what must hold when all is over.
func (r *runner) aftermath() []error {
	var out []error
	s := session{"an ordinary session afterwards", sessions(false)[0].talk}
	if err := s.run(r.Dial, r.Deadline); err != nil {
		out = append(out, fmt.Errorf("%s: %w", s.name, err))
	}
	if err := r.settle(); err != nil {
		out = append(out, err)
	}
	if r.Faults != nil {
		lines := r.Faults()
		lines, r.told = lines[r.told:], len(lines)
		if len(lines) > 0 {
			out = append(out, fmt.Errorf("the log tells of %d faults:\n%s", len(lines), strings.Join(lines[:min(len(lines), 5)], "\n")))
		}
	}
	return out
}

// settle waits until the filter holds no more than at the beginning.
func (r *runner) settle() error {
	if r.Count == nil {
		return nil
	}
	over := time.NewTimer(r.Deadline)
	defer over.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		now := r.Count()
		if !now.over(r.base) {
			return nil
		}
		select {
		case <-look.C:
		case <-over.C:
			return fmt.Errorf("left behind: %d goroutines and %d descriptors, at first %d and %d", now.Goroutines, now.Descriptors, r.base.Goroutines, r.base.Descriptors)
		}
	}
}

// crowd lets many clients at once do whatever comes to their minds. It gives the
// number of connections.
func (r *runner) crowd() (int, []error) {
	r.begin()
	var c collector
	families := r.families()
	end := time.Now().Add(r.For)
	var wg sync.WaitGroup
	counts := make([]int, r.Crowd)
	for i := range r.Crowd {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(r.Seed, uint64(i)))
			for time.Now().Before(end) && !c.full() {
				// Half of them are ordinary: they must not suffer from the others.
				f := families[0]
				if rng.IntN(2) == 0 {
					f = families[1+rng.IntN(len(families)-1)]
				}
				x := f.runs[rng.IntN(len(f.runs))]
				c.add(f.name+", "+x.name, x.do())
				counts[i]++
			}
		})
	}
	wg.Wait()
	n := 0
	for _, k := range counts {
		n += k
	}
	return n, append(c.faults, r.aftermath()...)
}

// collector gathers faults.
type collector struct {
	mu     sync.Mutex
	faults []error
}

func (c *collector) add(name string, err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, fmt.Errorf("%s: %w", name, err))
}

func (c *collector) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.faults) > maxFaults
}
