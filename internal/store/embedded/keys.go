package embedded

import (
	"bytes"
	"context"
	"math"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"rmilter/internal/store"
)

// Bounds of what is done in one piece.
const (
	pieceOps   = 256
	pieceBytes = 1 << 20
	listBytes  = 16 << 20 // of values that one call returns, but for the last of them
)

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := s.read(ctx, keys, func(i int, en *entry, now time.Time) {
		if en.there && en.record.alive(now) {
			values[i] = append([]byte{}, en.value()...)
		}
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// Lifetime implements store.Store.
func (s *Store) Lifetime(ctx context.Context, keys ...string) ([]time.Duration, error) {
	lifetimes := make([]time.Duration, len(keys))
	err := s.read(ctx, keys, func(i int, en *entry, now time.Time) {
		if lifetimes[i] = store.Absent; en.there && en.record.alive(now) {
			lifetimes[i] = en.record.lifetime(now)
		}
	})
	if err != nil {
		return nil, err
	}
	return lifetimes, nil
}

// read hands over what there is of keys. What isn't in memory is read by the engine, also
// after the caller has gone.
func (s *Store) read(ctx context.Context, keys []string, each func(i int, en *entry, now time.Time)) error {
	if err := store.CheckKeys(keys...); err != nil {
		return err
	}
	disk, now := diskKeys(len(keys), func(i int) string { return keys[i] }), s.now()
	from, err := s.readQuick(ctx, disk, func(i int, en *entry) { each(i, en, now) })
	if err != nil || from == len(disk) {
		return err
	}
	_, err = run(ctx, s, func(e *engine) (struct{}, error) {
		for i := from; i < len(disk); i++ {
			if err := e.read(disk[i], func(en *entry) { each(i, en, now) }); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// read hands over what there is of a key.
func (e *engine) read(key []byte, do func(*entry)) error {
	defer e.memory.lock(key)()
	st := e.memory.of(key)
	en, err := e.entry(st, key)
	if err != nil {
		return err
	}
	do(en)
	st.keepSmall(en)
	return nil
}

// entry returns what there is of a key, whose stripe is locked.
func (e *engine) entry(st *stripe, key []byte) (*entry, error) {
	if en := e.known(st, key); en != nil {
		return en, nil
	}
	r, there, err := e.get(key)
	if err != nil {
		return nil, err
	}
	return st.learn(key, r, there), nil
}

// known is entry without the disk: nil when it isn't known what there is.
func (e *engine) known(st *stripe, key []byte) *entry {
	en := st.find(key)
	if en == nil && e.lacks(key) {
		en = st.learn(key, record{}, false)
	}
	return en
}

// lacks tells whether a key of which memory knows nothing isn't on the disk either.
func (e *engine) lacks(key []byte) bool { return e.filter.Load().lacks(e.memory.hash(key)) }

// A piece is some of the changes of one call: they see those before them, and go to the
// disk together.
type piece struct {
	e       *engine
	now     time.Time
	keys    [][]byte      // all of the call
	from    int           // the place of the first that is its own; these are locked
	entries []*entry      // of its own, nil for those that weren't asked for yet
	batch   *pebble.Batch // nil as long as nothing goes to the disk now
	durable bool
	quick   bool // nothing may
	later   bool // something is in memory alone
}

// entry returns what there is of a key, and nil when nothing of it is alive.
func (p *piece) entry(i int) (*entry, error) {
	en, _, err := p.any(i)
	if err != nil || !en.there || !en.record.alive(p.now) {
		return nil, err
	}
	return en, nil
}

// any returns what there is of a key, dead or alive, and its stripe.
func (p *piece) any(i int) (en *entry, st *stripe, err error) {
	st = p.e.memory.of(p.keys[i])
	known := &p.entries[i-p.from]
	if *known == nil {
		*known, err = p.e.entry(st, p.keys[i])
	}
	return *known, st, err
}

// blank is any for a key whose old value doesn't matter.
func (p *piece) blank(i int) (*entry, *stripe) {
	st := p.e.memory.of(p.keys[i])
	known := &p.entries[i-p.from]
	if *known == nil {
		if *known = st.find(p.keys[i]); *known == nil {
			*known = st.learn(p.keys[i], record{}, false)
		}
	}
	return *known, st
}

// patient tells whether a change of a stripe can wait for the next flush.
func (p *piece) patient(st *stripe) bool { return p.quick || !st.crowded() }

// put changes a key. What is volatile goes to memory alone, where it finds room.
func (p *piece) put(i int, r record, volatile bool) {
	en, st := p.blank(i)
	later := volatile && len(r.value) <= entryBytes && p.patient(st)
	st.set(en, r, true, later)
	if !p.leave(later) {
		p.e.set(p.batch, p.keys[i], r)
	}
}

// putBucket is put for a bucket, as long as it says anything. It is always volatile.
func (p *piece) putBucket(i int, b *store.BucketState, l store.Limit) {
	lifetime := b.Lifetime(p.now, l)
	if lifetime == 0 {
		p.remove(i, true)
		return
	}
	en, st := p.blank(i)
	later, ends := p.patient(st), ends(p.now, lifetime)
	st.setBucket(en, ends, b, later)
	if !p.leave(later) {
		p.e.set(p.batch, p.keys[i], record{ends, b.Append(nil)})
	}
}

func (p *piece) remove(i int, volatile bool) {
	en, st := p.blank(i)
	later := volatile && p.patient(st)
	st.set(en, record{}, false, later)
	if !p.leave(later) {
		_ = p.batch.Delete(p.keys[i], nil) // fails for indexed batches alone
	}
}

// leave tells whether a change is left for later; there is a batch for it otherwise.
func (p *piece) leave(later bool) bool {
	if later {
		p.later = true
	} else if p.batch == nil {
		p.batch = p.e.db.NewBatch()
	}
	return later
}

// change does changes, each on the key at its place, at once in memory where that is all
// that they need, else in pieces, which is also done after the caller has gone. It returns
// when those that mustn't be lost are on the disk.
func (s *Store) change(ctx context.Context, keys [][]byte, volatile bool, size func(int) int, do func(*piece, int) error) error {
	if volatile {
		if done, err := s.changeQuick(ctx, keys, do); done {
			return err
		}
	}
	_, err := run(ctx, s, func(e *engine) (struct{}, error) {
		if err := s.writable(false); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.changePieces(e, keys, size, do)
	})
	return err
}

// changePieces does changes in pieces. Each change has a size.
func (s *Store) changePieces(e *engine, keys [][]byte, size func(int) int, do func(*piece, int) error) error {
	var waits []func() error
	defer func() {
		for _, w := range waits {
			_ = w()
		}
	}()
	for from := 0; from < len(keys); {
		to, bytes := from, 0
		for to < len(keys) && to-from < pieceOps && bytes < pieceBytes {
			bytes += size(to)
			to++
		}
		wait, err := e.changePiece(keys, from, to, s.now(), do)
		if wait != nil {
			waits = append(waits, wait)
		}
		if err != nil {
			return err
		}
		from = to
	}
	for len(waits) > 0 {
		w := waits[0]
		waits = waits[1:]
		if err := w(); err != nil {
			return err
		}
	}
	return nil
}

// changePiece does the changes of one piece, from one place to before another. What was done before an error stays done.
func (e *engine) changePiece(keys [][]byte, from, to int, now time.Time, do func(*piece, int) error) (func() error, error) {
	defer e.memory.lock(keys[from:to]...)()
	p := &piece{e: e, now: now, keys: keys, from: from, entries: make([]*entry, to-from)}
	var failed error
	for i := from; i < to && failed == nil; i++ {
		failed = do(p, i)
	}
	wait, err := p.finish()
	if err != nil {
		return nil, err
	}
	return wait, failed
}

// finish makes the changes of a piece visible, see apply.
func (p *piece) finish() (func() error, error) {
	for i, en := range p.entries {
		if en != nil {
			p.e.memory.of(p.keys[p.from+i]).keepSmall(en)
		}
	}
	if p.later {
		p.e.flushSoon()
	}
	if p.batch == nil {
		return func() error { return nil }, nil
	}
	wait, err := p.e.apply(p.batch, p.durable)
	if err != nil {
		for i, en := range p.entries {
			if en != nil {
				p.e.memory.of(p.keys[p.from+i]).drop(en)
			}
		}
	}
	return wait, err
}

func noSize(int) int { return 0 }

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, changes ...store.Change) ([]store.Outcome, error) {
	if err := store.CheckBatch(len(changes)); err != nil {
		return nil, err
	}
	own := make([]store.Change, len(changes)) // shares nothing with the caller
	volatile := true
	for i, c := range changes {
		if err := checkChange(c); err != nil {
			return nil, err
		}
		c.Value, c.Old = bytes.Clone(c.Value), bytes.Clone(c.Old)
		own[i] = c
		volatile = volatile && c.Volatile && len(c.Value) <= entryBytes
	}
	keys := diskKeys(len(own), func(i int) string { return own[i].Key })
	outcomes := make([]store.Outcome, len(own))
	err := s.change(ctx, keys, volatile, func(i int) int { return len(own[i].Value) }, func(p *piece, i int) error {
		c := own[i]
		if c.If != store.Always {
			old, err := p.entry(i)
			if err != nil {
				return err
			}
			if there := old != nil; there == (c.If == store.IfAbsent) || there && !bytes.Equal(old.value(), c.Old) {
				if there {
					outcomes[i].Current = append([]byte{}, old.value()...)
				}
				return nil
			}
		}
		outcomes[i].Done = true
		p.durable = p.durable || !c.Volatile
		p.put(i, record{ends(p.now, c.Lifetime), c.Value}, c.Volatile)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

func checkChange(c store.Change) error {
	if err := store.CheckKeys(c.Key); err != nil {
		return err
	}
	if err := store.CheckValue(c.Value); err != nil {
		return err
	}
	return store.CheckLifetime(c.Lifetime)
}

// Add implements store.Store.
func (s *Store) Add(ctx context.Context, increments ...store.Increment) ([]int64, error) {
	if err := store.CheckBatch(len(increments)); err != nil {
		return nil, err
	}
	own := append([]store.Increment(nil), increments...)
	for _, n := range own {
		if err := store.CheckKeys(n.Key); err != nil {
			return nil, err
		}
		if err := store.CheckLifetime(n.Lifetime); err != nil {
			return nil, err
		}
	}
	keys := diskKeys(len(own), func(i int) string { return own[i].Key })
	sums := make([]int64, len(own))
	var corrupt error
	err := s.change(ctx, keys, true, noSize, func(p *piece, i int) error {
		old, err := p.entry(i)
		if err != nil {
			return err
		}
		was, until := int64(0), ends(p.now, own[i].Lifetime)
		if old != nil {
			if was, err = parseCounter(old.value()); err != nil {
				corrupt = fmtCorrupt(own[i].Key, "counter")
				return nil
			}
			until = old.record.ends
		}
		sums[i] = sum(was, own[i].By)
		p.put(i, record{until, strconv.AppendInt(nil, sums[i], 10)}, true)
		return nil
	})
	if err == nil {
		err = corrupt
	}
	if err != nil {
		return nil, err
	}
	return sums, nil
}

// sum adds; what doesn't fit stays at the bound.
func sum(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}

// parseCounter reads the only form that a counter has.
func parseCounter(value []byte) (int64, error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err == nil && strconv.FormatInt(n, 10) != string(value) {
		err = strconv.ErrSyntax
	}
	return n, err
}
