package embedded

import (
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"rmilter/internal/store"
)

// Bounds of what is kept in memory: 4 MB in all, and as much again at the worst while a
// disk is slow.
const (
	stripes     = 256
	stripeBytes = 16 << 10 // of a stripe's entries
	entryBytes  = 8 << 10  // of a value: what is larger isn't kept
	entryCosts  = 160      // bytes for an entry besides its key and value
	tries       = 3        // to get a lock before others are let by
)

// A memory has what was read from the disk or changed lately, by the key on disk: also
// that there is nothing. Nobody else changes the disk, so it is never out of date. What
// may be lost is here alone at first, and follows with the next flush.
//
// It is in stripes, which are locks as well: whoever changes a key holds its stripe.
type memory struct {
	seed maphash.Seed
	all  [stripes]stripe
	shut atomic.Bool // nobody may go by what is here
}

// A stripe has the entries of a share of the keys in two generations: when the young ones
// are too many, those that weren't used since the last time are forgotten.
type stripe struct {
	mu         sync.Mutex
	all        map[string]*entry
	generation int      // of the young ones
	bytes      int      // of these
	dirty      []*entry // that the disk may not have
	pending    int      // bytes of these
}

// An entry is what is known of a key.
type entry struct {
	key        string
	record     record
	bucket     *store.BucketState // when not nil it is the value
	there      bool               // else there is no record
	dirty      bool               // the disk has something older
	generation int
	size       int
}

// value returns the value as it is on disk. It is not to be changed.
func (en *entry) value() []byte {
	if en.bucket != nil {
		return en.bucket.Append(nil)
	}
	return en.record.value
}

// rest makes a bucket the text that it is on disk, which takes less to keep than one that
// is in use.
func (en *entry) rest() { en.record.value, en.bucket = en.value(), nil }

func (m *memory) of(key []byte) *stripe { return &m.all[m.index(key)] }

func (m *memory) index(key []byte) int { return int(m.hash(key) % stripes) }

func (m *memory) hash(key []byte) uint64 { return maphash.Bytes(m.seed, key) }

// lock locks the stripes of keys, always in the same order, and returns what unlocks them.
func (m *memory) lock(keys ...[]byte) func() {
	if len(keys) == 1 {
		st := m.of(keys[0])
		st.mu.Lock()
		return st.unlock
	}
	which := m.indices(nil, keys)
	for _, w := range which {
		m.all[w].mu.Lock()
	}
	return func() {
		for _, w := range which {
			m.all[w].unlock()
		}
	}
}

// tryLock locks the stripes of keys unless somebody holds one of them, and tells whether
// it did. which are their indices, in a list that is the caller's.
func (m *memory) tryLock(which []int) bool {
	for range tries {
		n := 0
		for n < len(which) && m.all[which[n]].mu.TryLock() {
			n++
		}
		if n == len(which) {
			return true
		}
		for _, w := range which[:n] {
			m.all[w].mu.Unlock()
		}
		runtime.Gosched()
	}
	return false
}

// indices appends the stripes of keys, each once, in their order.
func (m *memory) indices(to []int, keys [][]byte) []int {
	for _, k := range keys {
		to = append(to, m.index(k))
	}
	slices.Sort(to)
	return slices.Compact(to)
}

// forget drops all entries and waits for those who use them.
func (m *memory) forget() {
	for i := range m.all {
		st := &m.all[i]
		st.mu.Lock()
		st.all, st.bytes, st.dirty, st.pending = nil, 0, nil, 0
		st.mu.Unlock()
	}
}

// unlock ends the use of a stripe.
func (st *stripe) unlock() {
	if st.bytes > stripeBytes/2 {
		st.age()
	}
	st.mu.Unlock()
}

// age forgets the old entries but for those that the disk doesn't have, and makes the
// young ones old.
func (st *stripe) age() {
	for k, en := range st.all {
		if en.generation != st.generation && !en.dirty {
			delete(st.all, k)
		}
	}
	st.generation++
	st.bytes = 0
}

// find returns the entry of a key, which is young then, or nil when nothing is known.
func (st *stripe) find(key []byte) *entry {
	en := st.all[string(key)]
	if en != nil && en.generation != st.generation {
		en.generation = st.generation
		st.bytes += en.size
	}
	return en
}

// learn notes what the disk has of a key of which nothing is known.
func (st *stripe) learn(key []byte, r record, there bool) *entry {
	en := &entry{key: string(key), record: r, there: there, generation: st.generation, size: len(key) + len(r.value) + entryCosts}
	if st.all == nil {
		st.all = map[string]*entry{}
	}
	st.all[en.key] = en
	st.bytes += en.size
	return en
}

// set changes an entry that is young: there is a record from now on, or none. What is
// later is not on the disk yet, and left to the next flush.
func (st *stripe) set(en *entry, r record, there, later bool) {
	en.record, en.bucket, en.there = r, nil, there
	st.grow(en, len(en.key)+len(r.value)+entryCosts)
	if later && !en.dirty {
		st.dirty = append(st.dirty, en)
		st.pending += en.size
	}
	en.dirty = later
}

// setBucket is set for a bucket, whose state is the entry's from now on.
func (st *stripe) setBucket(en *entry, ends int64, b *store.BucketState, later bool) {
	st.set(en, record{ends: ends}, true, later)
	en.bucket = b
	st.grow(en, len(en.key)+b.Size()+entryCosts)
}

// grow notes the size of an entry that is young.
func (st *stripe) grow(en *entry, size int) {
	st.bytes += size - en.size
	en.size = size
}

// crowded tells whether what waits for the disk has become too much.
func (st *stripe) crowded() bool { return st.pending > stripeBytes }

// keepSmall forgets an entry that is too large to be kept.
func (st *stripe) keepSmall(en *entry) {
	if len(en.record.value) > entryBytes {
		st.drop(en)
	}
}

// drop forgets an entry. What only memory has of it is lost.
func (st *stripe) drop(en *entry) {
	if st.all[en.key] != en {
		return
	}
	delete(st.all, en.key)
	if en.dirty = false; en.generation == st.generation {
		st.bytes -= en.size
	}
}
