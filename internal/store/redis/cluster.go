package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// slots is how many slots a cluster has.
const slots = 16384

// How a cluster's topology is learned.
const (
	topologyTime   = time.Second // for each node that is asked
	topologyPause  = 30 * time.Second
	topologyMostly = 16 // so many nodes are asked at most
)

// A topology is who has which slots.
type topology struct {
	owners  [slots]atomic.Pointer[node]
	masters []*node // by their names
}

// A cluster is a router of a Redis Cluster, which it asks in the background who has
// what, and at once when an answer shows that this has changed.
type cluster struct {
	store   *Store
	ctx     context.Context
	seeds   []address
	current atomic.Pointer[topology] // nil before the first
	tried   chan struct{}            // is closed after the first attempt to learn it
	once    sync.Once                // closes it
	changed chan struct{}

	mu     sync.Mutex
	byName map[string]*node
}

func (s *Store) newCluster(seeds []address) *cluster {
	return &cluster{store: s, ctx: s.ctx, seeds: seeds, tried: make(chan struct{}), changed: make(chan struct{}, 1), byName: map[string]*node{}}
}

// watch keeps the topology.
func (c *cluster) watch() {
	env, name := c.store.env, c.store.address
	for try := 0; ; {
		err := c.learn()
		if c.ctx.Err() != nil {
			return
		}
		pause := topologyPause
		if err == nil {
			try = 0
			c.store.condition.end(name)
		} else {
			try++
			pause = env.pause(try)
			env.Log.Debug("nobody tells who has what in the cluster", "cluster", name, "reason", env.reason(err))
			if c.current.Load() == nil {
				c.store.condition.begin(name, env.reason(err))
			}
		}
		c.once.Do(func() { close(c.tried) })
		if env.rest(c.ctx, pause, shortest, c.changed); c.ctx.Err() != nil {
			return
		}
	}
}

// doubt has the topology learned anew soon.
func (c *cluster) doubt() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// An opinion is what a node says of the cluster.
type opinion struct {
	epoch string // of the cluster, as a number
	well  bool
	slots []goredis.ClusterSlot
	host  string // of the node that says it
	err   error
}

// learn asks nodes for the topology and takes the newest.
func (c *cluster) learn() error {
	ask := slices.Clone(c.seeds)
	for _, n := range c.known() {
		if a := (address{"tcp", n.name}); !slices.Contains(ask, a) {
			ask = append(ask, a)
		}
	}
	ask = ask[:min(len(ask), topologyMostly)]
	answers := make(chan opinion, len(ask))
	for _, a := range ask {
		go func() { answers <- c.ask(a) }()
	}
	var best opinion
	var err error
	for range ask {
		o := <-answers
		switch {
		case o.err != nil:
			err = o.err
		case best.slots == nil || o.newer(best):
			best = o
		}
	}
	if best.slots == nil {
		return err
	}
	c.adopt(best)
	return nil
}

func (o opinion) newer(than opinion) bool {
	if o.well != than.well {
		return o.well
	}
	if len(o.epoch) != len(than.epoch) {
		return len(o.epoch) > len(than.epoch)
	}
	return o.epoch > than.epoch
}

// ask asks one node.
func (c *cluster) ask(a address) opinion {
	ctx, cancel := context.WithTimeout(c.ctx, topologyTime)
	defer cancel()
	client := c.store.env.client(a, forProbe)
	defer client.Close()
	pipe := client.Pipeline()
	info, slots := pipe.ClusterInfo(ctx), pipe.ClusterSlots(ctx)
	execute(ctx, pipe)
	o := opinion{host: hostOf(a.text)}
	if o.slots, o.err = slots.Result(); o.err != nil {
		o.err = fmt.Errorf("%s: %w", a.text, o.err)
		return o
	}
	if len(o.slots) == 0 {
		o.err = fmt.Errorf("%s: the cluster has no slots", a.text)
	}
	for line := range strings.Lines(info.Val()) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
		case "cluster_state":
			o.well = value == "ok"
		case "cluster_current_epoch":
			o.epoch = value
		}
	}
	return o
}

func hostOf(address string) string { return address[:max(0, strings.LastIndexByte(address, ':'))] }

// adopt makes an opinion the topology and retires the nodes that have no slots any more.
func (c *cluster) adopt(o opinion) {
	t := new(topology)
	for _, s := range o.slots {
		if len(s.Nodes) == 0 || s.Start < 0 || s.End >= slots || s.Start > s.End {
			continue
		}
		name := s.Nodes[0].Addr
		if strings.HasPrefix(name, ":") || strings.HasPrefix(name, "?:") {
			name = o.host + name[strings.IndexByte(name, ':'):] // who doesn't know his own address
		}
		n := c.node(name)
		if n == nil {
			return
		}
		if !slices.Contains(t.masters, n) {
			t.masters = append(t.masters, n)
		}
		for i := s.Start; i <= s.End; i++ {
			t.owners[i].Store(n)
		}
	}
	slices.SortFunc(t.masters, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	c.current.Store(t)
	for _, n := range c.known() {
		if !slices.Contains(t.masters, n) {
			c.mu.Lock()
			delete(c.byName, n.name)
			c.mu.Unlock()
			n.retire()
		}
	}
}

// node returns the node of an address, which it makes when there is none; nil after the
// end of the store.
func (c *cluster) node(name string) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.byName[name]
	if n == nil && c.ctx.Err() == nil {
		a := address{"tcp", name}
		n = &node{name: name, connect: func(p purpose) *goredis.Client { return c.store.env.client(a, p) }}
		n.probeKey = func() string { return c.probeKey(n) }
		n.failed = c.doubt
		c.byName[name] = n
		c.store.start(n)
	}
	return n
}

func (c *cluster) known() []*node {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*node
	for _, n := range c.byName {
		all = append(all, n)
	}
	return all
}

// topology returns who has what. It waits for the first attempt to learn it.
func (c *cluster) topology(ctx context.Context) (*topology, error) {
	if t := c.current.Load(); t != nil {
		return t, nil
	}
	select {
	case <-c.tried:
	case <-ctx.Done():
		return nil, unavailable(c.store.address, "no answer in time", ctx.Err())
	case <-c.ctx.Done():
	}
	if t := c.current.Load(); t != nil {
		return t, nil
	}
	return nil, unavailable(c.store.address, "nobody tells who has what in the cluster", nil)
}

func (c *cluster) pick(ctx context.Context, key string) (*node, error) {
	t, err := c.topology(ctx)
	if err != nil {
		return nil, err
	}
	slot := slotOf(key)
	n := t.owners[slot].Load()
	if n == nil {
		c.doubt()
		return nil, unavailable(c.store.address, fmt.Sprintf("nobody has slot %d of the cluster", slot), nil)
	}
	return n, nil
}

func (c *cluster) nodes(ctx context.Context) ([]*node, error) {
	t, err := c.topology(ctx)
	if err != nil {
		return nil, err
	}
	return t.masters, nil
}

// publisher returns any node: in a cluster they pass messages on to each other.
func (c *cluster) publisher(ctx context.Context, _ string) (*node, error) {
	nodes, err := c.nodes(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if n.check() == nil {
			return n, nil
		}
	}
	return nodes[0], nil
}

func (c *cluster) redirect(key, address string, forGood bool) *node {
	n := c.node(address)
	if t := c.current.Load(); forGood && t != nil && n != nil {
		t.owners[slotOf(key)].Store(n)
		c.doubt()
	}
	return n
}

// probeKey returns a key that a node has, as far as that is known.
func (c *cluster) probeKey(n *node) string {
	if t := c.current.Load(); t != nil {
		for i := range 100 * slots {
			key := fmt.Sprintf("%s.%d", probePrefix, i)
			if t.owners[slotOf(key)].Load() == n {
				return key
			}
		}
	}
	return probePrefix
}

// slotOf returns the slot of a key: its CRC16 (XMODEM), or that of what stands in its
// first braces.
func slotOf(key string) int {
	key = together(key)
	var crc uint16
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % slots
}

// together returns the part of a key that says where it is: what stands in its first
// braces, else all of it.
func together(key string) string {
	if i := strings.IndexByte(key, '{'); i >= 0 {
		if n := strings.IndexByte(key[i+1:], '}'); n > 0 {
			return key[i+1 : i+1+n]
		}
	}
	return key
}
