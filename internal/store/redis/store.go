package redis

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rmilter/internal/store"
)

// probePrefix is what keys of probes begin with. They live for a second.
const probePrefix = "rmilter.probe"

// A Store keeps its state in Redis.
type Store struct {
	env       *environment
	address   string // all of them, for people
	router    router
	condition *condition
	ctx       context.Context // ends with the store
	cancel    context.CancelFunc
	running   sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

func (e *environment) newStore(addresses []address) *Store {
	var names []string
	for _, a := range addresses {
		names = append(names, a.text)
	}
	s := &Store{env: e, address: strings.Join(names, ", ")}
	if e.config.Mode == Sentinel {
		s.address = string(e.config.SentinelMaster) + " by " + s.address
	}
	s.condition = &condition{env: e, health: s.Health, since: e.Now()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if e.config.Mode == Cluster {
		c := s.newCluster(addresses)
		s.router = c
		s.running.Go(c.watch)
		return s
	}
	r := s.newRing(addresses)
	s.router = r
	for _, n := range r {
		n.probeKey = func() string { return probePrefix }
		n.failed = func() {}
		s.start(n)
	}
	return s
}

// start makes a node one of the store.
func (s *Store) start(n *node) {
	n.env, n.condition = s.env, s.condition
	n.start(s.ctx, &s.running)
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	requests, err := s.each(ctx, keys, "GET")
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for i, r := range requests {
		if text, ok := r.cmd.Val().(string); ok {
			values[i] = []byte(text)
		}
	}
	return values, nil
}

// each asks by one command for each key.
func (s *Store) each(ctx context.Context, keys []string, command string) ([]*request, error) {
	if err := store.CheckKeys(keys...); err != nil {
		return nil, err
	}
	requests := make([]*request, len(keys))
	for i, k := range keys {
		requests[i] = &request{key: k, args: []any{command, k}}
	}
	return requests, s.do(ctx, forMail, requests)
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, changes ...store.Change) ([]store.Outcome, error) {
	if err := store.CheckBatch(len(changes)); err != nil {
		return nil, err
	}
	// Scripts that the server doesn't know yet are sent again, which mustn't change the
	// order of changes to one key.
	scripts := slices.ContainsFunc(changes, func(c store.Change) bool { return c.If != store.Always })
	requests := make([]*request, len(changes))
	for i, c := range changes {
		if err := check(c.Key, c.Lifetime); err != nil {
			return nil, err
		}
		if err := store.CheckValue(c.Value); err != nil {
			return nil, err
		}
		requests[i] = put(c, scripts)
	}
	if err := s.do(ctx, forMail, requests); err != nil {
		return nil, err
	}
	outcomes := make([]store.Outcome, len(changes))
	for i, r := range requests {
		if r.script == nil {
			outcomes[i].Done = true
			continue
		}
		answer, _ := r.cmd.Val().([]any)
		outcomes[i].Done = number(answer, 0) == 1
		if len(answer) > 1 {
			if text, ok := answer[1].(string); ok {
				outcomes[i].Current = []byte(text)
			}
		}
	}
	return outcomes, nil
}

// put returns the request of a change.
func put(c store.Change, byScript bool) *request {
	if byScript {
		return &request{key: c.Key, script: putScript, args: []any{c.Value, milliseconds(c.Lifetime), int(c.If), c.Old}}
	}
	r := &request{key: c.Key, args: []any{"SET", c.Key, c.Value}}
	if c.Lifetime != store.Forever {
		r.args = append(r.args, "PX", milliseconds(c.Lifetime))
	}
	return r
}

func check(key string, lifetime time.Duration) error {
	if err := store.CheckKeys(key); err != nil {
		return err
	}
	return store.CheckLifetime(lifetime)
}

// milliseconds returns a duration in whole milliseconds, rounded up.
func milliseconds(d time.Duration) string {
	ms := d / time.Millisecond
	if d%time.Millisecond > 0 {
		ms++
	}
	return strconv.FormatInt(int64(ms), 10)
}

// number returns a number of an answer, 0 when there is none.
func number(answer []any, i int) int64 {
	if i >= len(answer) {
		return 0
	}
	n, _ := answer[i].(int64)
	return n
}

// Add implements store.Store.
func (s *Store) Add(ctx context.Context, increments ...store.Increment) ([]int64, error) {
	if err := store.CheckBatch(len(increments)); err != nil {
		return nil, err
	}
	requests := make([]*request, len(increments))
	for i, in := range increments {
		if err := check(in.Key, in.Lifetime); err != nil {
			return nil, err
		}
		bound := int64(math.MaxInt64)
		if in.By < 0 {
			bound = math.MinInt64
		}
		requests[i] = &request{key: in.Key, script: addScript, args: []any{in.By, milliseconds(in.Lifetime), bound}}
	}
	if err := s.do(ctx, forMail, requests); err != nil {
		return nil, err
	}
	sums := make([]int64, len(increments))
	for i, r := range requests {
		text, _ := r.cmd.Val().(string)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", s.address, text, store.ErrCorrupt)
		}
		sums[i] = n
	}
	return sums, nil
}

// Take implements store.Store.
func (s *Store) Take(ctx context.Context, buckets ...store.Bucket) ([]store.Grant, error) {
	if err := store.CheckBatch(len(buckets)); err != nil {
		return nil, err
	}
	requests := make([]*request, len(buckets))
	for i, b := range buckets {
		if err := checkBucket(b); err != nil {
			return nil, err
		}
		requests[i] = &request{key: b.Key, script: takeScript, args: []any{b.Limit.Every.Microseconds(), s.env.bucketTime(), b.Limit.Burst}}
	}
	if err := s.do(ctx, forMail, requests); err != nil {
		return nil, err
	}
	grants := make([]store.Grant, len(buckets))
	for i, r := range requests {
		answer, _ := r.cmd.Val().([]any)
		g := &grants[i]
		g.Taken = number(answer, 0) == 1
		g.Used = number(answer, 2)
		g.Wait = time.Duration(number(answer, 3)) * time.Microsecond
		if g.Taken {
			g.At = time.UnixMicro(number(answer, 1))
		}
	}
	return grants, nil
}

func checkBucket(b store.Bucket) error {
	if err := store.CheckKeys(b.Key); err != nil {
		return err
	}
	return store.CheckLimit(b.Limit)
}

// bucketTime returns the time of buckets in microseconds, "" when it is the server's.
func (e *environment) bucketTime() string {
	if e.Buckets == nil {
		return ""
	}
	return strconv.FormatInt(e.Buckets().UnixMicro(), 10)
}

// Give implements store.Store.
func (s *Store) Give(ctx context.Context, returns ...store.Return) error {
	if err := store.CheckBatch(len(returns)); err != nil {
		return err
	}
	requests := make([]*request, len(returns))
	for i, r := range returns {
		if err := checkBucket(r.Bucket); err != nil {
			return err
		}
		requests[i] = &request{key: r.Bucket.Key, script: giveScript,
			args: []any{r.Bucket.Limit.Every.Microseconds(), s.env.bucketTime(), r.At.UnixMicro()}}
	}
	return s.do(ctx, forMail, requests)
}

// Lease implements store.Store.
func (s *Store) Lease(ctx context.Context, name, holder string, time time.Duration) (string, error) {
	if err := check(name, time); err != nil {
		return "", err
	}
	r := &request{key: name, script: leaseScript, args: []any{holder, milliseconds(time)}}
	if err := s.do(ctx, forMail, []*request{r}); err != nil {
		return "", err
	}
	has, _ := r.cmd.Val().(string)
	return has, nil
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, keys ...string) (int, error) {
	requests, err := s.each(ctx, keys, "UNLINK")
	if err != nil {
		return 0, err
	}
	deleted := 0
	for _, r := range requests {
		n, _ := r.cmd.Val().(int64)
		deleted += int(n)
	}
	return deleted, nil
}

// Lifetime implements store.Store.
func (s *Store) Lifetime(ctx context.Context, keys ...string) ([]time.Duration, error) {
	requests, err := s.each(ctx, keys, "PTTL")
	if err != nil {
		return nil, err
	}
	lifetimes := make([]time.Duration, len(keys))
	for i, r := range requests {
		ms, _ := r.cmd.Val().(int64)
		lifetimes[i] = lifetime(ms)
	}
	return lifetimes, nil
}

// lifetime returns what PTTL's answer means.
func lifetime(ms int64) time.Duration {
	switch {
	case ms == -1:
		return store.Forever
	case ms < 0:
		return store.Absent
	}
	return time.Duration(max(ms, 1)) * time.Millisecond
}

// Publish implements store.Store. In a cluster it counts the listeners of one node.
func (s *Store) Publish(ctx context.Context, channel string, message []byte) (int, error) {
	if err := store.CheckKeys(channel); err != nil {
		return 0, err
	}
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	n, err := s.router.publisher(ctx, channel)
	if err != nil {
		return 0, err
	}
	r := &request{key: channel, args: []any{"PUBLISH", channel, message}, at: n}
	if err := s.do(ctx, forMail, []*request{r}); err != nil {
		return 0, err
	}
	listeners, _ := r.cmd.Val().(int64)
	return int(listeners), nil
}

// Health implements store.Store.
func (s *Store) Health() store.Health {
	h := store.Health{Kind: "redis", Address: s.address, Size: -1}
	s.condition.fill(&h)
	for _, n := range s.router.known() {
		keys := n.keys.Load()
		if keys < 0 {
			h.Keys = -1
			break
		}
		h.Keys += keys
	}
	return h
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.cancel()
	s.running.Wait()
	return nil
}
