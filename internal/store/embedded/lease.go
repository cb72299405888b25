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
		wait, err := e.changePiece([][]byte{diskKey(kindLease, name)}, 0, 1, s.now(), func(p *piece, i int) error {
			en, err := p.entry(i)
			switch {
			case err != nil:
				return err
			case en != nil && string(en.value()) != holder:
				has = string(en.value())
			case lifetime > 0:
				p.put(i, record{ends(p.now, lifetime), []byte(holder)}, true)
			default:
				has = ""
				p.remove(i, true)
			}
			return nil
		})
		if err != nil {
			return "", err
		}
		return has, wait()
	})
}
