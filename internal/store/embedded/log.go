package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/cockroachdb/pebble/v2"

	"rmilter/internal/store"
)

// tail returns the position that a log gave last. It outlives the entries, and the log
// itself: no position is given twice.
func (e *engine) tail(name string) (uint64, error) {
	raw, closer, err := e.db.Get(diskKey(kindTail, name))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer closer.Close()
	if len(raw) != 8 {
		return 0, fmt.Errorf("end of the log %q: %w", name, errShort)
	}
	return binary.BigEndian.Uint64(raw), nil
}

func formatPosition(n uint64) store.Position {
	return store.Position(strconv.FormatUint(n, 10))
}

func parsePosition(p store.Position) (uint64, error) {
	if p == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(p), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("position %.40q in a log: %w", string(p), store.ErrCorrupt)
	}
	return n, nil
}

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, log string, entries ...[]byte) (store.Position, error) {
	if err := errors.Join(store.CheckKeys(log), store.CheckBatch(len(entries))); err != nil {
		return "", err
	}
	own := make([][]byte, len(entries))
	for i, e := range entries {
		if err := store.CheckValue(e); err != nil {
			return "", err
		}
		own[i] = append([]byte{}, e...)
	}
	return run(ctx, s, func(e *engine) (store.Position, error) {
		if err := s.writable(false); err != nil {
			return "", err
		}
		position, waits, err := e.append(log, own)
		for _, wait := range waits {
			err = errors.Join(err, wait())
		}
		return formatPosition(position), err
	})
}

// append adds entries to a log. They are on the disk when the functions have returned.
func (e *engine) append(log string, entries [][]byte) (position uint64, waits []func() error, err error) {
	defer e.memory.lock(diskKey(kindTail, log))()
	if position, err = e.tail(log); err != nil {
		return 0, nil, err
	}
	for len(entries) > 0 {
		b := e.db.NewBatch()
		for n := 0; len(entries) > 0 && n < pieceBytes; entries = entries[1:] {
			position++
			_ = b.Set(logKey(log, position), entries[0], nil)
			n += len(entries[0]) + 64
		}
		_ = b.Set(diskKey(kindTail, log), binary.BigEndian.AppendUint64(nil, position), nil)
		wait, err := e.apply(b, true)
		if err != nil {
			return 0, waits, err
		}
		waits = append(waits, wait)
	}
	return position, waits, nil
}

// Read implements store.Store.
func (s *Store) Read(ctx context.Context, log string, position store.Position, n int) ([]store.Entry, error) {
	from, err := parsePosition(position)
	if err = errors.Join(store.CheckKeys(log), err); err != nil || n <= 0 {
		return nil, err
	}
	n = min(n, store.MaxBatch)
	return run(ctx, s, func(e *engine) ([]store.Entry, error) {
		var entries []store.Entry
		size := 0
		_, err := e.each(logPrefix(log), after(logPrefix(log)), logKey(log, from), func(key, value []byte, _ int) (bool, error) {
			_, at, err := parseLogKey(key)
			if err != nil {
				return false, err
			}
			entries = append(entries, store.Entry{At: formatPosition(at), Data: append([]byte{}, value...)})
			size += len(value)
			return len(entries) < n && size < listBytes, nil
		})
		return entries, err
	})
}

// Trim implements store.Store.
func (s *Store) Trim(ctx context.Context, log string, upTo store.Position) error {
	last, err := parsePosition(upTo)
	if err = errors.Join(store.CheckKeys(log), err); err != nil {
		return err
	}
	_, err = run(ctx, s, func(e *engine) (struct{}, error) {
		if err := s.writable(true); err != nil {
			return struct{}{}, err
		}
		b := e.db.NewBatch()
		if err := b.DeleteRange(logPrefix(log), beyond(log, last), nil); err != nil {
			return struct{}{}, err
		}
		wait, err := e.apply(b, false)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, wait()
	})
	return err
}

// beyond is the first key on disk that comes after an entry of a log.
func beyond(log string, position uint64) []byte {
	if position == math.MaxUint64 {
		return after(logPrefix(log))
	}
	return logKey(log, position+1)
}

// removeLog removes the entries of a log and tells whether there were any.
func (e *engine) removeLog(name string) (bool, error) {
	if last, err := e.tail(name); err != nil || last == 0 {
		return false, err
	}
	unlock := e.memory.lock(diskKey(kindTail, name))
	was := false
	_, err := e.each(logPrefix(name), after(logPrefix(name)), nil, func([]byte, []byte, int) (bool, error) {
		was = true
		return false, nil
	})
	if err != nil || !was {
		unlock()
		return false, err
	}
	b := e.db.NewBatch()
	_ = b.DeleteRange(logPrefix(name), after(logPrefix(name)), nil)
	wait, err := e.apply(b, true)
	unlock()
	if err != nil {
		return false, err
	}
	return true, wait()
}

// Publish implements store.Store: nobody can listen here.
func (s *Store) Publish(context.Context, string, []byte) (int, error) {
	return 0, store.ErrNoChannels
}
