package embedded

import (
	"context"
	"math/bits"
	"sync/atomic"
)

// Bounds of a filter. With 12 bits for a key, one in about a hundred that aren't there
// is looked for on the disk nevertheless.
const (
	filterLeast = 1 << 16 // keys that it is made for at least: 96 KB
	filterMost  = 1 << 24 // and at most: 24 MB; a store with half as many has none
	filterBits  = 12
	filterTries = 6
)

// A filter knows which keys are certainly not on the disk: a Bloom filter whose bits for
// one key are in one line of the processor's cache. Most keys that mail asks for aren't
// there. It is safe for concurrent use.
type filter struct {
	blocks []block
	room   int64 // keys that it is made for
	keys   atomic.Int64
}

type block [8]atomic.Uint64

// newFilter makes a filter for some keys and as many again; nil when they are too many.
func newFilter(keys int64) *filter {
	room := max(2*keys, filterLeast)
	if room > filterMost {
		return nil
	}
	return &filter{blocks: make([]block, room*filterBits/512+1), room: room}
}

// at returns the block for a key's hash.
func (f *filter) at(h uint64) *block {
	n, _ := bits.Mul64(h*0x9e3779b97f4a7c15, uint64(len(f.blocks)))
	return &f.blocks[n]
}

func (f *filter) add(h uint64) {
	b := f.at(h)
	for range filterTries {
		b[h>>6&7].Or(1 << (h & 63))
		h = bits.RotateLeft64(h, 9)
	}
	f.keys.Add(1)
}

// lacks tells whether a key isn't there. A filter that is nil doesn't know.
func (f *filter) lacks(h uint64) bool {
	if f == nil {
		return false
	}
	b := f.at(h)
	for range filterTries {
		if b[h>>6&7].Load()&(1<<(h&63)) == 0 {
			return true
		}
		h = bits.RotateLeft64(h, 9)
	}
	return false
}

// full tells whether a filter has more keys than it is made for.
func (f *filter) full() bool { return f != nil && f.keys.Load() > f.room }

// written tells the filters of a key that goes to the disk. The caller holds its stripe.
func (e *engine) written(key []byte) {
	h := e.memory.hash(key)
	// The next one first: it may take the place of the other in between.
	next, now := e.next.Load(), e.filter.Load()
	for _, f := range []*filter{next, now} {
		if f != nil {
			f.add(h)
		}
	}
}

// learnSoon has a new filter made beside everything else.
func (e *engine) learnSoon() {
	go func() {
		if e.enter(context.Background()) == nil {
			defer e.leave()
			_ = e.guarded(e.learn)
		}
	}()
}

// learn makes a new filter from what is on the disk, without what has gone.
func (e *engine) learn() error {
	if !e.learning.TryLock() {
		return nil
	}
	defer e.learning.Unlock()
	count := int64(0)
	if err := e.hashes(func(uint64) { count++ }); err != nil {
		return err
	}
	next := newFilter(count)
	e.next.Store(next)
	defer e.next.Store(nil)
	if next == nil {
		e.filter.Store(nil)
		return nil
	}
	// Whoever didn't see the new filter when he wrote has written before it is filled.
	for i := range e.memory.all {
		e.memory.all[i].mu.Lock()
		e.memory.all[i].unlock()
	}
	if err := e.hashes(next.add); err != nil {
		return err
	}
	e.filter.Store(next)
	return nil
}

// hashes calls f for the hash of each key and lease on the disk.
func (e *engine) hashes(f func(uint64)) error {
	_, err := e.each([]byte{kindLease}, []byte{kindKey + 1}, nil, func(key, _ []byte, _ int) (bool, error) {
		f(e.memory.hash(key))
		select {
		case <-e.gone:
			return false, errClosed
		default:
			return true, nil
		}
	})
	return err
}
