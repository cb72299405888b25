package redis

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rmilter/internal/store"
	"rmilter/internal/ucl"
	"rmilter/test/redisd"
)

// TestSlow wants a server that answers later than mail waits to stay down, however many
// probes it answers, and mail to find a connection when it is up again.
func TestSlow(t *testing.T) {
	t.Parallel()
	lag := redisd.NewLag(t, redisd.Single(t, redisd.Options{}))
	p := opened(t, configFor(t, lag.Address()))
	p.works()
	lag.Set(store.Operation + 50*time.Millisecond) // a probe has more time
	if err := p.operations("k")["Put"](soon(t)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Put on a slow server: %v, want ErrUnavailable", err)
	}
	p.await("down")
	const probes = 6
	before := lag.Accepted()
	poll(t, "no more probes", func() bool { return lag.Accepted() >= before+probes })
	p.await("down")
	p.fails()
	poll(t, "the reason isn't told", func() bool { return strings.Contains(p.Health().Reason, "take more than 250ms") })
	lag.Set(0)
	p.await("down", "up")
	after := lag.Accepted()
	if _, err := p.Get(long(t), "k"); err != nil {
		t.Error(err)
	}
	if got := lag.Accepted(); got != after {
		t.Errorf("mail needed %d new connections after the outage, want none", got-after)
	}
}

// A paces is an environment whose clock stands and whose pauses are noted, not waited
// for. A node that is up is probed only when there is doubt.
type paces struct {
	*environment
	mu    sync.Mutex
	now   time.Time
	out   []time.Duration // pauses of a node that is down
	least []time.Duration
	ends  chan bool // true: an outage has ended
	log   bytes.Buffer
}

func newPaces(t *testing.T, c Config) (*paces, *node) {
	t.Helper()
	p := &paces{now: time.Unix(1e9, 0), ends: make(chan bool, 100)}
	p.environment = newEnvironment(c, Env{
		Now: func() time.Time { p.mu.Lock(); defer p.mu.Unlock(); return p.now },
		Up:  func(store.Health) { p.ends <- true },
		Log: slog.New(slog.NewTextHandler(lockedWriter{&p.mu, &p.log}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	p.random = func() float64 { return 0.5 }
	p.after = func(d time.Duration) <-chan time.Time {
		p.mu.Lock()
		defer p.mu.Unlock()
		if d == pauseUp {
			return nil
		}
		if d == shortest || d == unhurried {
			p.least = append(p.least, d)
		} else {
			p.out = append(p.out, d)
		}
		over := make(chan time.Time, 1)
		over <- time.Time{}
		return over
	}
	set, err := p.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return p, set.Main.(*Store).router.known()[0]
}

type lockedWriter struct {
	mu *sync.Mutex
	to io.Writer
}

func (w lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(b)
}

// TestFlapping wants a server that fails for mail again and again to be tried less and
// less often, though its probes are answered, until it was up for a while.
func TestFlapping(t *testing.T) {
	t.Parallel()
	c := configFor(t, redisd.Single(t, redisd.Options{}).Address())
	c.DeadTime = ucl.Duration(9 * time.Second)
	p, n := newPaces(t, c)
	outage := func() {
		t.Helper()
		poll(t, "no connections", func() bool { return n.check() == nil })
		n.learn(n.clients.Load(), forMail, refused, io.EOF, 0)
		select {
		case <-p.ends:
		case <-time.After(redisd.Patience):
			t.Fatal("the outage never ends")
		}
	}
	// A probe that fails on a busy machine makes one pause more: they only must come in
	// their order.
	check := func(outages int) {
		t.Helper()
		p.mu.Lock()
		defer p.mu.Unlock()
		for i, got := range p.out {
			if want := p.pause(i + 1); got != want {
				t.Errorf("pause %d is %s, want %s: %v", i+1, got, want, p.out)
			}
		}
		if len(p.out) < outages-1 {
			t.Errorf("%d pauses in %d outages: %v, want one before all but the first", len(p.out), outages, p.out)
		}
		p.out, p.now = nil, p.now.Add(steady)
	}
	for range 2 {
		for range 8 {
			outage()
		}
		check(8)
	}
}

// TestSteadyDoubt wants a server that refuses some keys to be probed once a second at
// most, and that to be told once an hour.
func TestSteadyDoubt(t *testing.T) {
	t.Parallel()
	s := redisd.Single(t, redisd.Options{Args: []string{
		"--user", "rmilter", "on", ">correct-horse", "~grey.*", "~rmilter.probe*", "&*", "+@all"}})
	c := configFor(t, s.Address())
	c.Username, c.Password = "rmilter", ucl.NewSecret("correct-horse")
	p, n := newPaces(t, c)
	probes := func() []time.Duration {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.Clone(p.least)
	}
	refused := func(want int) {
		t.Helper()
		poll(t, "no probes", func() bool {
			r := &request{key: "white.k", args: []any{"GET", "white.k"}}
			n.send(long(t), forMail, []*request{r})
			if err := r.cmd.Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
				t.Fatalf("Get of a key without permission: %v", err)
			}
			return len(probes()) >= want
		})
	}
	refused(10)
	want := append(slices.Repeat([]time.Duration{shortest}, hurried), slices.Repeat([]time.Duration{unhurried}, 7)...)
	if got := probes()[:10]; !slices.Equal(got, want) {
		t.Errorf("the least times between probes are %v, want %v", got, want)
	}
	if why := n.check(); why != nil {
		t.Errorf("the node is down: %v", why)
	}
	warnings := func() []string {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.Collect(strings.Lines(p.log.String()))
	}
	if got := warnings(); len(got) != 1 || !strings.Contains(got[0], "level=WARN") || !strings.Contains(got[0], "NOPERM") || strings.Contains(got[0], "correct-horse") {
		t.Errorf("told %q, want one warning with NOPERM and no password", got)
	}
	p.mu.Lock()
	p.now = p.now.Add(warnAgain)
	p.mu.Unlock()
	refused(15)
	if got := warnings(); len(got) != 2 {
		t.Errorf("told %q after an hour, want a second one", got)
	}
	for i := range 10 * warnMost {
		p.warn("a", strings.Repeat("x", i))
	}
	if got := warnings(); len(got) > 2+warnMost {
		t.Errorf("told %d things within an hour, want %d at most", len(got), warnMost)
	}
}
