package embedded

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"rmilter/internal/store"
)

func fmtCorrupt(name, what string) error {
	return fmt.Errorf("%q holds no %s: %w", name, what, store.ErrCorrupt)
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, keys ...string) (int, error) {
	if err := store.CheckKeys(keys...); err != nil {
		return 0, err
	}
	own := append([]string(nil), keys...)
	disk := diskKeys(len(own), func(i int) string { return own[i] })
	return run(ctx, s, func(e *engine) (int, error) {
		if err := s.writable(true); err != nil {
			return 0, err
		}
		there := make([]bool, len(own))
		err := s.changePieces(e, disk, noSize, func(p *piece, i int) error {
			en, err := p.entry(i)
			if there[i] = en != nil; there[i] {
				p.durable = true
				p.remove(i, false)
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		n := 0
		for i, k := range own {
			was, err := e.removeLog(k)
			if err != nil {
				return n, err
			}
			if there[i] || was {
				n++
			}
		}
		return n, nil
	})
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, from string, n int) ([]store.Item, string, error) {
	if len(prefix) > store.MaxKey || len(from) > store.MaxKey {
		return nil, "", fmt.Errorf("prefix of %d bytes, at most %d: %w", max(len(prefix), len(from)), store.MaxKey, store.ErrTooLarge)
	}
	n = min(max(n, 1), store.MaxBatch)
	now := s.now()
	type page struct {
		items []store.Item
		next  string
	}
	p, err := run(ctx, s, func(e *engine) (page, error) {
		var p page
		if err := e.flush(); err != nil {
			return p, err
		}
		size := 0
		lower := diskKey(kindKey, prefix)
		through, err := e.each(lower, after(lower), diskKey(kindKey, from), func(key, raw []byte, seen int) (bool, error) {
			r, err := parseRecord(raw)
			if err != nil {
				return false, err
			}
			if r.alive(now) {
				p.items = append(p.items, store.Item{Key: string(key[1:]), Value: append([]byte{}, r.value...), Lifetime: r.lifetime(now)})
				size += len(r.value)
			}
			p.next = string(key[1:])
			return len(p.items) < n && seen < 10*n+1000 && size < listBytes, nil
		})
		if through {
			p.next = ""
		}
		return p, err
	})
	return p.items, p.next, err
}

// each calls f for the keys on disk from lower to before upper that come after another
// key, in their order, until f says false. It tells whether it came to the end.
func (e *engine) each(lower, upper, from []byte, f func(key, value []byte, seen int) (bool, error)) (through bool, err error) {
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return false, err
	}
	defer func() {
		if e := it.Close(); err == nil {
			err = e
		}
	}()
	valid := it.SeekGE(from)
	if valid && bytes.Equal(it.Key(), from) {
		valid = it.Next()
	}
	for seen := 1; valid; seen++ {
		value, err := it.ValueAndErr()
		if err != nil {
			return false, err
		}
		if on, err := f(it.Key(), value, seen); err != nil || !on {
			return false, err
		}
		valid = it.Next()
	}
	return it.Error() == nil, it.Error()
}
