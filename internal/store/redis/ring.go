package redis

import (
	"context"
	"hash/fnv"

	goredis "github.com/redis/go-redis/v9"
)

// A router knows which node has which key.
type router interface {
	// pick returns the node of a key.
	pick(ctx context.Context, key string) (*node, error)
	// nodes returns all that have keys, in an order that all machines agree upon.
	nodes(ctx context.Context) ([]*node, error)
	// known returns the nodes that are known now.
	known() []*node
	// publisher returns a node from which a message gets to all who listen on a channel.
	publisher(ctx context.Context, channel string) (*node, error)
	// redirect returns the node that an answer MOVED or ASK names, and remembers who has
	// the key when it has moved for good; nil when there are no such things here.
	redirect(key, address string, forGood bool) *node
}

// A ring is a fixed number of nodes, to which keys belong by rendezvous hashing: each
// key to the node with the highest hash of both names. Keys with the same part in braces
// are together, as in a cluster.
type ring []*node

func (r ring) pick(_ context.Context, key string) (*node, error) {
	best, highest := r[0], uint64(0)
	if len(r) == 1 {
		return best, nil
	}
	key = together(key)
	for _, n := range r {
		if h := weight(n.name, key); h > highest {
			best, highest = n, h
		}
	}
	return best, nil
}

// weight is a hash of two names, with the finish of MurmurHash3: FNV alone hardly lets
// the first name change the order.
func weight(name, key string) uint64 {
	f := fnv.New64a()
	f.Write([]byte(name))
	f.Write([]byte{0})
	f.Write([]byte(key))
	h := f.Sum64()
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (r ring) nodes(context.Context) ([]*node, error) { return r, nil }
func (r ring) known() []*node                         { return r }
func (r ring) redirect(string, string, bool) *node    { return nil }

func (r ring) publisher(ctx context.Context, channel string) (*node, error) {
	return r.pick(ctx, channel)
}

// newRing makes the nodes of a store that is no cluster.
func (s *Store) newRing(addresses []address) ring {
	if s.env.config.Mode == Sentinel {
		return ring{{
			name:    s.address,
			connect: func(p purpose) *goredis.Client { return s.env.failoverClient(addresses, p) },
		}}
	}
	var r ring
	for _, a := range addresses {
		r = append(r, &node{
			name:    a.text,
			connect: func(p purpose) *goredis.Client { return s.env.client(a, p) },
		})
	}
	return r
}
