package redis

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// blame is how long an operation has to wait in vain before that counts against the
// server: one that came with hardly any time says nothing.
const blame = 100 * time.Millisecond

// A node is a server, or a master behind sentinels, with its connections and a breaker:
// when it fails, nobody asks it any more but a probe in the background.
type node struct {
	name      string // its address, for people and for choosing among nodes
	env       *environment
	connect   func(purpose) *goredis.Client
	probeKey  func() string // a key that this node has
	failed    func()        // is called after each probe that fails
	condition *condition    // of its store

	clients atomic.Pointer[clients] // are others after each outage
	refusal atomic.Pointer[string]  // the latest that doesn't look like an outage
	why     atomic.Pointer[string]  // it is down; nil when it is up
	keys    atomic.Int64            // how many it has; -1 unknown

	mu      sync.Mutex
	vain    atomic.Int64 // operations in a row without an answer
	since   time.Time    // when the first of them was
	retired bool         // it belongs to no store any more
	doubted chan struct{}
	stop    context.CancelFunc
}

// clients are those that operations use.
type clients struct{ mail, bulk *goredis.Client }

func (c *clients) close() {
	c.mail.Close()
	c.bulk.Close()
}

// start fills in what the maker of a node left out and begins to watch it.
func (n *node) start(ctx context.Context, running *sync.WaitGroup) {
	n.doubted = make(chan struct{}, 1)
	n.keys.Store(-1)
	n.clients.Store(n.newClients(n.connect(forMail)))
	ctx, n.stop = context.WithCancel(ctx)
	running.Go(func() {
		n.watch(ctx)
		n.clients.Load().close()
	})
}

func (n *node) newClients(mail *goredis.Client) *clients { return &clients{mail, n.connect(forBulk)} }

// check returns an error while the node is down.
func (n *node) check() error {
	if why := n.why.Load(); why != nil {
		return unavailable(n.name, *why, nil)
	}
	return nil
}

// send sends requests and waits for all answers: one round trip. Each has its answer or
// its error then.
func (n *node) send(ctx context.Context, p purpose, requests []*request) {
	use := n.clients.Load()
	client := use.mail
	if p == forBulk {
		client = use.bulk
	}
	start := time.Now()
	if len(requests) == 1 && !requests[0].asking {
		client.Process(ctx, requests[0].command(ctx))
	} else {
		pipe := client.Pipeline()
		for _, r := range requests {
			if r.asking {
				pipe.Do(ctx, "ASKING")
			}
			pipe.Process(ctx, r.command(ctx))
		}
		execute(ctx, pipe)
	}
	took := time.Since(start)
	worst := fine
	var err error
	for _, r := range requests {
		switch k := judge(ctx, r.cmd.Err()); k {
		case silent, refused, broken, unable:
			worst, err = k, r.cmd.Err()
		case cancelled:
			return
		}
	}
	n.learn(use, p, worst, err, took)
	if worst == fine && p == forMail {
		n.condition.took(took)
	}
}

// execute sends a pipeline. Afterwards each command has an answer or an error: go-redis
// leaves them without either when the server refused the connection by an answer, as it
// does a wrong password.
func execute(ctx context.Context, pipe goredis.Pipeliner) {
	commands, err := pipe.Exec(ctx)
	if err == nil || slices.ContainsFunc(commands, func(c goredis.Cmder) bool { return c.Err() != nil }) {
		return
	}
	for _, c := range commands {
		c.SetErr(err)
	}
}

// learn draws the conclusions from what became of operations that used certain clients.
// Those from before the end of an outage say nothing.
func (n *node) learn(use *clients, p purpose, worst kind, err error, took time.Duration) {
	if use != n.clients.Load() {
		return
	}
	switch worst {
	case fine:
		if n.vain.Load() != 0 {
			n.vain.Store(0)
		}
		return
	case refused:
		n.down(use, n.env.reason(err))
		return
	case silent:
		if p == forMail && took >= blame && n.countVain() {
			n.down(use, fmt.Sprintf("no answer to %d operations in a row", n.env.config.MaxErrors))
			return
		}
	case unable:
		why := n.env.reason(err)
		n.refusal.Store(&why)
	}
	n.doubt()
}

// doubt has the node probed soon.
func (n *node) doubt() {
	select {
	case n.doubted <- struct{}{}:
	default:
	}
}

// countVain counts an operation without an answer and tells whether there were too many.
func (n *node) countVain() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := n.env.Now(); n.vain.Load() == 0 || now.Sub(n.since) > n.env.config.ErrorTime.Std() {
		n.vain.Store(0)
		n.since = now
	}
	return n.vain.Add(1) >= int64(n.env.config.MaxErrors)
}

// down begins an outage of the node, or tells another reason of it.
func (n *node) down(use *clients, why string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.retired || use != n.clients.Load() {
		return
	}
	began := n.why.Swap(&why) == nil
	n.condition.begin(n.name, why)
	if began {
		n.doubt() // the watcher sleeps as for one that is up
	}
}

// up ends an outage of the node. It has other connections then, of which one stands:
// those from before may be dead, and go-redis goes on for a second to tell that nobody is
// there.
func (n *node) up(mail *goredis.Client) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.retired || n.why.Load() == nil {
		mail.Close()
		return
	}
	n.vain.Store(0)
	n.refusal.Store(nil)
	go n.clients.Swap(n.newClients(mail)).close()
	n.why.Store(nil)
	n.condition.end(n.name)
}

// retireTime is for what runs.
const retireTime = 10 * time.Second

// retire ends the part of a node in its store. What runs may finish.
func (n *node) retire() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.retired = true
	n.condition.end(n.name)
	time.AfterFunc(retireTime, n.stop)
}
