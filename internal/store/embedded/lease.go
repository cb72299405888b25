package embedded

import (
	"context"
	"time"

	"rmilter/internal/store"
)

// Lease implements store.Store.
func (s *Store) Lease(ctx context.Context, name, holder string, lifetime time.Duration) (string, error) {
	if err := store.CheckKeys(name, holder); err != nil {
		return "", err
	}
	if err := store.CheckLifetime(lifetime); err != nil {
		return "", err
	}
	return run(ctx, s, func(e *engine) (string, error) {
		if err := s.writable(lifetime == 0); err != nil {
			return "", err
		}
		has := holder
		wait, err := e.changePiece([][]byte{diskKey(kindLease, name)}, s.now(), func(p *piece, _ int) error {
			key := p.keys[0]
			r, taken, err := p.record(key)
			switch {
			case err != nil:
				return err
			case taken && string(r.value) != holder:
				has = string(r.value)
			case lifetime > 0:
				p.put(key, record{ends(p.now, lifetime), []byte(holder)})
			default:
				has = ""
				p.remove(key)
			}
			return nil
		})
		if err != nil {
			return "", err
		}
		return has, wait()
	})
}
