package embedded

import (
	"context"
	"sync"
	"time"
)

// Bounds of one piece of sweeping.
const (
	sweepRecords = 50000 // that are looked at
	sweepAtOnce  = 512   // that are removed under one lock
)

// A sweeper remembers how far the sweeping has come.
type sweeper struct {
	mu      sync.Mutex
	cursor  []byte // the last key on disk that was looked at
	keys    int64  // alive so far
	removed int    // so far
	counted bool   // the whole store once
}

// A Swept tells what a piece of sweeping did.
type Swept struct {
	Looked  int  // at so many records
	Removed int  // of them, since they had expired
	Through bool // it came to the end of the store; the next piece begins anew
}

// Sweep removes what has expired by a time from the disk: the next piece of at most
// 50000 records. The store does it by itself, a piece a minute.
func (s *Store) Sweep(ctx context.Context, now time.Time) (Swept, error) {
	w := &s.sweeper
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cursor == nil {
		w.cursor, w.keys, w.removed = []byte{kindLease}, 0, 0
	}
	from := w.cursor
	type piece struct {
		Swept
		cursor []byte
		keys   int64
	}
	p, err := run(ctx, s, func(e *engine) (piece, error) {
		p := piece{cursor: from}
		if err := e.flush(); err != nil {
			return p, err
		}
		for !p.Through && p.Looked < sweepRecords && ctx.Err() == nil {
			looked, expired, keys, err := e.expired(p.cursor, now, &p.cursor)
			if err != nil {
				return p, err
			}
			p.keys += keys
			p.Looked += looked
			p.Through = looked == 0
			n, err := s.removeExpired(e, expired, now)
			p.Removed += n
			if err != nil {
				return p, err
			}
		}
		return p, nil
	})
	if err != nil {
		return p.Swept, err
	}
	w.cursor = p.cursor
	w.keys += p.keys
	w.removed += p.Removed
	if p.Through {
		s.state.counted(w.keys, -1)
		w.cursor, w.counted = nil, true
		if w.removed > sweepRecords/5 {
			_, err = run(ctx, s, func(e *engine) (<-chan struct{}, error) { return e.db.AsyncFlush() })
		}
	}
	return p.Swept, err
}

// expired looks at some records after a key and returns those that have expired, how
// many of the others are keys, and the last that it looked at.
func (e *engine) expired(from []byte, now time.Time, last *[]byte) (looked int, expired [][]byte, keys int64, err error) {
	_, err = e.each([]byte{kindLease}, []byte{kindKey + 1}, from, func(key, raw []byte, seen int) (bool, error) {
		looked = seen
		*last = append([]byte(nil), key...)
		if r, err := parseRecord(raw); err == nil && !r.alive(now) {
			expired = append(expired, *last)
		} else if key[0] == kindKey {
			keys++
		}
		return seen < 10000 && len(expired) < sweepAtOnce, nil
	})
	return looked, expired, keys, err
}

// removeExpired removes those of the records that are expired still, with the keys
// locked: they may have been written anew.
func (s *Store) removeExpired(e *engine, keys [][]byte, now time.Time) (int, error) {
	if len(keys) == 0 {
		return 0, nil
	}
	if err := s.writable(true); err != nil {
		return 0, err
	}
	removed := 0
	wait, err := e.changePiece(keys, 0, len(keys), now, func(p *piece, i int) error {
		en, st, err := p.any(i)
		if err == nil && (!en.there || !en.record.alive(p.now)) {
			p.remove(i, false)
			st.drop(en) // nobody asks for it any more
			removed++
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return removed, wait()
}
