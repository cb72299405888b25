package embedded

import (
	"hash/maphash"
	"slices"
	"sync"
)

const stripes = 1024

// locks keep changes of one key apart: stripes of locks that keys share by their hash.
type locks struct {
	seed maphash.Seed
	all  [stripes]sync.Mutex
}

// lock locks the stripes of keys on disk, always in the same order, and returns what
// unlocks them.
func (l *locks) lock(keys ...[]byte) func() {
	which := make([]uint16, len(keys))
	for i, k := range keys {
		which[i] = uint16(maphash.Bytes(l.seed, k) % stripes)
	}
	slices.Sort(which)
	which = slices.Compact(which)
	for _, w := range which {
		l.all[w].Lock()
	}
	return func() {
		for _, w := range which {
			l.all[w].Unlock()
		}
	}
}
