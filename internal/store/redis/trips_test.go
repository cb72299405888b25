package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"rmilter/internal/store"
)

// A turnConn counts how often its user writes after he has read.
type turnConn struct {
	*net.TCPConn
	turns   *atomic.Int64
	writing bool
}

func (c *turnConn) Write(p []byte) (int, error) {
	if !c.writing {
		c.writing = true
		c.turns.Add(1)
	}
	return c.TCPConn.Write(p)
}

func (c *turnConn) Read(p []byte) (int, error) {
	c.writing = false
	return c.TCPConn.Read(p)
}

// TestRoundTrips wants one round trip to each node for a call with many operations.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for name, start := range ways(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var turns atomic.Int64
			e := newEnvironment(start(t), Env{})
			connect := e.connect
			e.connect = func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := connect(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return &turnConn{TCPConn: c.(*net.TCPConn), turns: &turns}, nil
			}
			e.after = func(d time.Duration) <-chan time.Time { return nil } // no probe but the first
			set, err := e.open()
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			s := set.Main.(*Store)
			var keys []string
			var changes []store.Change
			var conditions []store.Change
			var increments []store.Increment
			var buckets []store.Bucket
			var returns []store.Return
			for i := range 200 {
				k := fmt.Sprint("k.", i)
				keys = append(keys, k)
				changes = append(changes, store.Change{Key: k, Lifetime: time.Minute})
				conditions = append(conditions, store.Change{Key: k, If: store.IfAbsent})
				increments = append(increments, store.Increment{Key: "n" + k, By: 1})
				buckets = append(buckets, store.Bucket{Key: "b" + k, Limit: store.Limit{Burst: 1, Every: time.Hour}})
				returns = append(returns, store.Return{Bucket: buckets[i], At: time.Now()})
			}
			calls := map[string]func() error{
				"Get":         func() error { _, err := s.Get(long(t), keys...); return err },
				"Put":         func() error { _, err := s.Put(long(t), changes...); return err },
				"Put with If": func() error { _, err := s.Put(long(t), conditions...); return err },
				"Add":         func() error { _, err := s.Add(long(t), increments...); return err },
				"Take":        func() error { _, err := s.Take(long(t), buckets...); return err },
				"Give":        func() error { return s.Give(long(t), returns...) },
				"Lifetime":    func() error { _, err := s.Lifetime(long(t), keys...); return err },
				"Delete":      func() error { _, err := s.Delete(long(t), keys...); return err },
			}
			for range 2 { // connections and scripts come with the first
				for name, call := range calls {
					if err := call(); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
			}
			for _, n := range s.router.known() {
				poll(t, "the first probe still runs", func() bool { return n.keys.Load() >= 0 })
			}
			nodes, err := s.router.nodes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for name, call := range calls {
				before := turns.Load()
				if err := call(); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got := turns.Load() - before; got != int64(len(nodes)) {
					t.Errorf("%s of 200: %d round trips, want one for each of %d nodes", name, got, len(nodes))
				}
			}
			before := turns.Load()
			if err := errors.Join(calls["Get"](), one(s.Get(long(t), "k.1")), one(s.Take(long(t), buckets[0]))); err != nil {
				t.Fatal(err)
			}
			if got, want := turns.Load()-before, int64(len(nodes)+2); got != want {
				t.Errorf("%d round trips, want %d", got, want)
			}
		})
	}
}

func one[T any](_ T, err error) error { return err }
