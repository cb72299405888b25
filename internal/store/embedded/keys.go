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
	if err := store.CheckKeys(keys...); err != nil {
		return nil, err
	}
	keys, now := append([]string(nil), keys...), s.now()
	return run(ctx, s, func(e *engine) ([][]byte, error) {
		values := make([][]byte, len(keys))
		for i, k := range keys {
			r, ok, err := e.get(diskKey(kindKey, k), now)
			if err != nil {
				return nil, err
			}
			if ok {
				values[i] = r.value
			}
		}
		return values, nil
	})
}

// Lifetime implements store.Store.
func (s *Store) Lifetime(ctx context.Context, keys ...string) ([]time.Duration, error) {
	if err := store.CheckKeys(keys...); err != nil {
		return nil, err
	}
	keys, now := append([]string(nil), keys...), s.now()
	return run(ctx, s, func(e *engine) ([]time.Duration, error) {
		lifetimes := make([]time.Duration, len(keys))
		for i, k := range keys {
			r, ok, err := e.get(diskKey(kindKey, k), now)
			if err != nil {
				return nil, err
			}
			if lifetimes[i] = store.Absent; ok {
				lifetimes[i] = r.lifetime(now)
			}
		}
		return lifetimes, nil
	})
}

// A piece is some of the changes of one call: they see those before them, and go to the
// disk together. The keys are locked.
type piece struct {
	e       *engine
	now     time.Time
	keys    [][]byte
	changed map[string]*record // by changes before; nil is removed
	batch   *pebble.Batch
	durable bool
}

// record returns what a key has, if that is alive.
func (p *piece) record(key []byte) (record, bool, error) {
	if r, ok := p.changed[string(key)]; ok {
		if r == nil {
			return record{}, false, nil
		}
		return *r, true, nil
	}
	r, alive, err := p.e.get(key, p.now)
	if !alive {
		r = record{}
	}
	return r, alive, err
}

func (p *piece) put(key []byte, r record) {
	p.note(key, &r)
	_ = p.batch.Set(key, r.encode(), nil)
}

func (p *piece) remove(key []byte) {
	p.note(key, nil)
	_ = p.batch.Delete(key, nil)
}

// note remembers a change for those that come after it.
func (p *piece) note(key []byte, r *record) {
	if len(p.keys) == 1 {
		return
	}
	if p.changed == nil {
		p.changed = make(map[string]*record, len(p.keys))
	}
	p.changed[string(key)] = r
}

// change does n changes in pieces: each works on the key at its place, and has a size.
// It returns when those that mustn't be lost are on the disk.
func (s *Store) change(e *engine, keys [][]byte, size func(int) int, do func(*piece, int) error) error {
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
		wait, err := e.changePiece(keys[from:to], s.now(), func(p *piece, i int) error { return do(p, from+i) })
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

// changePiece does the changes of one piece. What was done before an error stays done.
func (e *engine) changePiece(keys [][]byte, now time.Time, do func(*piece, int) error) (func() error, error) {
	defer e.locks.lock(keys...)()
	p := &piece{e: e, now: now, keys: keys, batch: e.db.NewBatch()}
	var failed error
	for i := range keys {
		if failed = do(p, i); failed != nil {
			break
		}
	}
	wait, err := e.apply(p.batch, p.durable)
	if err != nil {
		return nil, err
	}
	return wait, failed
}

func noSize(int) int { return 0 }

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, changes ...store.Change) ([]store.Outcome, error) {
	if err := store.CheckBatch(len(changes)); err != nil {
		return nil, err
	}
	own := make([]store.Change, len(changes)) // shares nothing with the caller
	keys := make([][]byte, len(changes))
	for i, c := range changes {
		if err := checkChange(c); err != nil {
			return nil, err
		}
		c.Value, c.Old = bytes.Clone(c.Value), bytes.Clone(c.Old)
		own[i], keys[i] = c, diskKey(kindKey, c.Key)
	}
	return run(ctx, s, func(e *engine) ([]store.Outcome, error) {
		if err := s.writable(false); err != nil {
			return nil, err
		}
		outcomes := make([]store.Outcome, len(own))
		err := s.change(e, keys, func(i int) int { return len(own[i].Value) }, func(p *piece, i int) error {
			c := own[i]
			if c.If != store.Always {
				old, there, err := p.record(keys[i])
				if err != nil {
					return err
				}
				if there == (c.If == store.IfAbsent) || there && !bytes.Equal(old.value, c.Old) {
					if there {
						outcomes[i].Current = append([]byte{}, old.value...)
					}
					return nil
				}
			}
			outcomes[i].Done = true
			p.durable = p.durable || !c.Volatile
			p.put(keys[i], record{ends(p.now, c.Lifetime), c.Value})
			return nil
		})
		return outcomes, err
	})
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
	own, keys := append([]store.Increment(nil), increments...), make([][]byte, len(increments))
	for i, n := range own {
		if err := store.CheckKeys(n.Key); err != nil {
			return nil, err
		}
		if err := store.CheckLifetime(n.Lifetime); err != nil {
			return nil, err
		}
		keys[i] = diskKey(kindKey, n.Key)
	}
	return run(ctx, s, func(e *engine) ([]int64, error) {
		if err := s.writable(false); err != nil {
			return nil, err
		}
		sums := make([]int64, len(own))
		var corrupt error
		err := s.change(e, keys, noSize, func(p *piece, i int) error {
			r, there, err := p.record(keys[i])
			if err != nil {
				return err
			}
			var was int64
			if !there {
				r.ends = ends(p.now, own[i].Lifetime)
			} else if n, err := parseCounter(r.value); err != nil {
				corrupt = fmtCorrupt(own[i].Key, "counter")
				return nil
			} else {
				was = n
			}
			sums[i] = sum(was, own[i].By)
			r.value = strconv.AppendInt(nil, sums[i], 10)
			p.put(keys[i], r)
			return nil
		})
		if err == nil {
			err = corrupt
		}
		return sums, err
	})
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
