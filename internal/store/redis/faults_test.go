package redis

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rmilter/internal/store"
	"rmilter/internal/ucl"
	"rmilter/test/redisd"
)

func TestStoppedAtStart(t *testing.T) {
	t.Parallel()
	s := redisd.Single(t, redisd.Options{})
	s.Stop()
	p := opened(t, configFor(t, s.Address()))
	p.await("down")
	p.fails()
	s.Start()
	p.await("down", "up")
	p.works()
	if h := p.Health(); h.LastOutage.IsZero() || h.LastLasted <= 0 {
		t.Errorf("Health knows nothing of the outage that has ended: %+v", h)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options      redisd.Options
		fault, mend  func(s *redisd.Server)
		reason, data string
	}{
		"stopped": {
			fault:  (*redisd.Server).Stop,
			mend:   (*redisd.Server).Start,
			reason: "connection refused",
		},
		"stopped with data": {
			fault:  func(s *redisd.Server) { s.Save(); s.Stop() },
			mend:   (*redisd.Server).Start,
			reason: "connection refused",
			data:   "v",
		},
		"killed": {
			fault:  (*redisd.Server).Kill,
			mend:   (*redisd.Server).Start,
			reason: "connection refused",
		},
		"black hole": {
			fault:  (*redisd.Server).Pause,
			mend:   (*redisd.Server).Resume,
			reason: "no answer",
			data:   "v",
		},
		"full": {
			fault:  (*redisd.Server).Fill,
			mend:   (*redisd.Server).Drain,
			reason: "OOM",
			data:   "v",
		},
		"another password": {
			options: redisd.Options{Password: "correct-horse"},
			fault:   func(s *redisd.Server) { s.SetPassword("battery-staple") },
			mend:    func(s *redisd.Server) { s.SetPassword("correct-horse") },
			reason:  "WRONGPASS",
			data:    "v",
		},
		"read only": {
			fault:  func(s *redisd.Server) { s.CLI("REPLICAOF", "127.0.0.1", "1") },
			mend:   func(s *redisd.Server) { s.CLI("REPLICAOF", "NO", "ONE") },
			reason: "READONLY",
			data:   "v",
		},
		"stopped, with TLS": {
			options: redisd.Options{TLS: true, Clients: true},
			fault:   (*redisd.Server).Stop,
			mend:    (*redisd.Server).Start,
			reason:  "connection refused",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redisd.Single(t, test.options)
			c := configFor(t, s.Address())
			c.Password = ucl.NewSecret(test.options.Password)
			if test.options.TLS {
				c.TLS = true
				c.CAFile, c.CertFile, c.KeyFile = ucl.String(s.File("ca.pem")), ucl.String(s.File("client.pem")), ucl.String(s.File("client.key"))
			}
			p := opened(t, c)
			p.put("k", "v")
			p.works()
			p.put("kept", "v")
			test.fault(s)
			if err := p.operations("k")["Add"](soon(t)); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("the first operation after the fault: %v, want ErrUnavailable", err)
			}
			p.await("down")
			p.fails("correct-horse", "battery-staple")
			if h := p.Health(); !strings.Contains(h.Reason, test.reason) {
				t.Errorf("the reason is %q, want %q", h.Reason, test.reason)
			}
			if test.mend == nil {
				return
			}
			test.mend(s)
			p.await("down", "up")
			p.has("kept", test.data)
			p.works()
			p.await("down", "up")
		})
	}
}

// TestRestart wants connections that died while they were idle not to be a fault.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]redisd.Options{"plain": {}, "tls": {TLS: true, Clients: true}, "unix": {Unix: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redisd.Single(t, o)
			c := configFor(t, s.Address())
			if o.TLS {
				c.TLS = true
				c.CAFile, c.CertFile, c.KeyFile = ucl.String(s.File("ca.pem")), ucl.String(s.File("client.pem")), ucl.String(s.File("client.key"))
			}
			p := opened(t, c)
			p.works()
			s.Stop()
			s.Start()
			p.works()
			p.await()
			s.Hangup()
			p.works()
			p.await()
		})
	}
}

// TestForgotten wants a server that has lost its keys or scripts to be one like any other.
func TestForgotten(t *testing.T) {
	t.Parallel()
	s := redisd.Single(t, redisd.Options{})
	p := opened(t, configFor(t, s.Address()))
	p.put("k", "v")
	s.Flush()
	p.has("k", "")
	p.works()
	s.FlushScripts()
	p.works()
	var many []store.Increment
	for range 100 {
		many = append(many, store.Increment{Key: "many", By: 1})
	}
	s.FlushScripts()
	sums, err := p.Add(long(t), many...)
	if err != nil || len(sums) != 100 || sums[99] != 100 {
		t.Errorf("100 increments after SCRIPT FLUSH: %v, %v", sums, err)
	}
	if got := s.Info("commandstats", "cmdstat_eval"); !strings.HasPrefix(got, "calls=") {
		t.Errorf("no EVAL is counted: %q", got)
	}
	p.await()
}

// TestLate wants every operation to end with its context on a server that never answers,
// and an unfinished outage to need more than one of them.
func TestLate(t *testing.T) {
	t.Parallel()
	for name := range (&probeable{}).operations("k") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redisd.Single(t, redisd.Options{})
			p := opened(t, configFor(t, s.Address()))
			p.works()
			s.Pause()
			// The server never answers: what didn't heed its context would outlast the
			// second one, too, since connections are more patient than that.
			later, cancel := context.WithTimeout(t.Context(), mailPatience/2)
			defer cancel()
			err := p.operations("k")[name](soon(t))
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer in time") {
				t.Errorf("%v, want ErrUnavailable and DeadlineExceeded", err)
			}
			if later.Err() != nil {
				t.Error("it outlived its context")
			}
			p.await("down")
		})
	}
}

func TestForbidden(t *testing.T) {
	t.Parallel()
	s := redisd.Single(t, redisd.Options{Args: []string{
		"--user", "rmilter", "on", ">correct-horse", "~*", "&*", "+@all", "-xadd",
		"--user", "reader", "on", ">correct-horse", "~*", "&*", "+@all", "-set",
	}})
	c := configFor(t, s.Address())
	c.Username, c.Password = "rmilter", ucl.NewSecret("correct-horse")
	p := opened(t, c)
	for range 20 {
		_, err := p.Append(long(t), "log", []byte("e"))
		if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("Append without permission: %v, want ErrUnavailable with NOPERM", err)
		}
	}
	p.put("k", "v")
	p.await()

	c.Username = "reader"
	p = opened(t, c)
	p.await("down")
	if h := p.Health(); !strings.Contains(h.Reason, "can't run this command") {
		t.Errorf("the reason is %q", h.Reason)
	}
}

// TestCrowded wants a server that has too many clients to be told as such.
func TestCrowded(t *testing.T) {
	t.Parallel()
	s := redisd.Single(t, redisd.Options{})
	p := opened(t, configFor(t, s.Address()))
	p.works()
	c, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "CONFIG SET maxclients 1\r\nCLIENT KILL TYPE normal SKIPME yes\r\n")
	c.Read(make([]byte, 10))
	if err := p.operations("k")["Put"](soon(t)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Put on a server with too many clients: %v, want ErrUnavailable", err)
	}
	p.await("down")
	p.fails()
	if h := p.Health(); !strings.Contains(h.Reason, "max number of clients") {
		t.Errorf("the reason is %q", h.Reason)
	}
	io.WriteString(c, "CONFIG SET maxclients 1000\r\n")
	p.await("down", "up")
	p.works()
}

// TestEcho wants no password from a server that repeats what it doesn't know.
func TestEcho(t *testing.T) {
	t.Parallel()
	s := redisd.Single(t, redisd.Options{Args: []string{"--rename-command", "HELLO", "HALLO", "--rename-command", "AUTH", "AUTSCH"}})
	c := configFor(t, s.Address())
	c.Password = ucl.NewSecret("correct-horse")
	p := opened(t, c)
	p.await("down")
	p.fails("correct-horse")
	if h := p.Health(); !strings.Contains(h.Reason, "unknown command") {
		t.Errorf("the reason is %q", h.Reason)
	}
}

// TestLoading wants a server that still reads its file to be told as such.
func TestLoading(t *testing.T) {
	t.Parallel()
	s := redisd.Single(t, redisd.Options{Args: []string{"--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024"}})
	p := opened(t, configFor(t, s.Address()))
	var changes []store.Change
	for i := range 300 { // each takes 10 ms
		changes = append(changes, store.Change{Key: strings.Repeat("k", 100+i), Value: make([]byte, 1000)})
	}
	if _, err := p.Put(long(t), changes...); err != nil {
		t.Fatal(err)
	}
	s.Save()
	s.Kill()
	if err := p.operations("k")["Get"](soon(t)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Get: %v, want ErrUnavailable", err)
	}
	p.await("down")
	s.Launch()
	poll(t, "never LOADING", func() bool { return strings.Contains(p.Health().Reason, "LOADING") })
	p.fails()
	p.await("down", "up")
	p.works()
}

// TestVain wants a server that leaves several operations without an answer to be down
// also when its probes are answered.
func TestVain(t *testing.T) {
	t.Parallel()
	c := configFor(t, "192.0.2.1")
	c.MaxErrors = 3
	now := time.Unix(1e9, 0)
	var events []string
	e := newEnvironment(c, Env{
		Now:  func() time.Time { return now },
		Down: func(h store.Health) { events = append(events, "down: "+h.Reason) },
	})
	n := &node{name: "a", env: e, doubted: make(chan struct{}, 1), connect: func(p purpose) *goredis.Client { return e.client(address{"tcp", "192.0.2.1:6379"}, p) }}
	n.condition = &condition{env: e, health: func() (h store.Health) { n.condition.fill(&h); return h }}
	use := n.newClients(n.connect(forMail))
	defer use.close()
	n.clients.Store(use)
	silence := func(took time.Duration) { n.learn(use, forMail, silent, context.DeadlineExceeded, took) }
	doubted := func() bool {
		select {
		case <-n.doubted:
			return true
		default:
			return false
		}
	}
	for i, step := range []struct {
		do   func()
		down bool
	}{
		{func() { silence(store.Operation); silence(store.Operation) }, false},
		{func() {
			n.learn(use, forMail, fine, nil, time.Millisecond)
			silence(store.Operation)
			silence(store.Operation)
		}, false},
		{func() { now = now.Add(c.ErrorTime.Std() + 1); silence(store.Operation); silence(store.Operation) }, false},
		{func() { silence(blame - 1) }, false},
		{func() { n.learn(use, forBulk, silent, context.DeadlineExceeded, time.Minute) }, false},
		{func() { n.learn(n.newClients(n.connect(forMail)), forMail, refused, io.EOF, 0) }, false},
		{func() { silence(store.Operation) }, true},
	} {
		step.do()
		if got := n.check() != nil; got != step.down {
			t.Errorf("step %d: down is %t, want %t", i, got, step.down)
		}
		if i != 5 && !doubted() {
			t.Errorf("step %d doesn't lead to a probe", i)
		}
	}
	if want := []string{"down: a: no answer to 3 operations in a row"}; !slices.Equal(events, want) {
		t.Errorf("told %q, want %q", events, want)
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	for _, want := range []struct {
		dead   time.Duration
		pauses []time.Duration
	}{
		{300 * time.Second, []time.Duration{200e6, 400e6, 800e6, 1600e6, 3200e6, 6400e6, 10e9, 10e9}},
		{time.Second, []time.Duration{200e6, 400e6, 800e6, 1e9, 1e9}},
		{0, []time.Duration{200e6, 200e6}},
	} {
		c.DeadTime = ucl.Duration(want.dead)
		e := newEnvironment(c, Env{})
		for i, w := range want.pauses {
			if got := e.pause(i + 1); got != w {
				t.Errorf("dead_time %s: pause %d is %s, want %s", want.dead, i+1, got, w)
			}
		}
		if got := e.pause(1 << 40); got > pauseLast {
			t.Errorf("a pause of %s", got)
		}
		for _, random := range []float64{0, 0.5, 0.999} {
			e.random = func() float64 { return random }
			e.after = func(d time.Duration) <-chan time.Time {
				if d != shortest {
					if low, high := 750*time.Millisecond, 1250*time.Millisecond; d < low || d > high {
						t.Errorf("a pause of a second is %s, want %s to %s", d, low, high)
					}
				}
				over := make(chan time.Time, 1)
				over <- time.Time{}
				return over
			}
			e.rest(t.Context(), time.Second, shortest, nil)
		}
	}
}
