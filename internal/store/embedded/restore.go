package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A restore has two steps. First the backup is copied into the folder and read from its
// first to its last byte, which changes nothing. Then the copy gets the name that says
// that it is good, and replaces what is in the store; a restore that is interrupted goes
// on from that copy when the store is opened again.
const (
	uncheckedName = "restore.new"
	checkedName   = "restore.checked"
)

// Restored tells what a backup brought back.
type Restored struct {
	Keys    int64 // values, counters and buckets
	Expired int64 // keys that have expired since, which aren't restored
	Logs    int64
	Entries int64 // of logs
}

// Restore replaces all keys and logs of the store with those of a backup. Lifetimes end
// when they would have ended; leases stay as they are; no log gives a position twice.
// While the store is replaced its operations wait. An error that doesn't wrap
// store.ErrUnavailable means that the backup is no good and nothing was changed.
func (s *Store) Restore(ctx context.Context, r io.Reader) (Restored, error) {
	s.restoring.Lock()
	defer s.restoring.Unlock()
	e, err := s.engine()
	if err != nil {
		return Restored{}, err
	}
	checked := s.fs.PathJoin(s.dir, checkedName)
	unchecked := s.fs.PathJoin(s.dir, uncheckedName)
	defer func() { _ = s.fs.Remove(unchecked) }()
	if err := s.spool(ctx, r, unchecked); err != nil {
		return Restored{}, err
	}
	if _, err := s.readBackup(ctx, unchecked, func([]byte, []byte) error { return nil }); err != nil {
		return Restored{}, err
	}
	if err := e.occupy(ctx); err != nil {
		return Restored{}, s.unavailable(err)
	}
	defer e.vacate()
	if err := rename(s.fs, unchecked, checked); err != nil {
		return Restored{}, s.unavailable(err)
	}
	return s.replace(ctx, e)
}

// spool copies a backup into the folder.
func (s *Store) spool(ctx context.Context, r io.Reader, path string) (err error) {
	f, err := s.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return s.unavailable(cause(err))
	}
	if err := private(f); err != nil {
		return errors.Join(s.unavailable(cause(err)), f.Close())
	}
	block := make([]byte, 256<<10)
	for {
		if err := errors.Join(ctx.Err(), s.room(1)); err != nil {
			return errors.Join(s.unavailable(err), f.Close())
		}
		n, readErr := io.ReadFull(r, block)
		if _, err := f.Write(block[:n]); err != nil {
			return errors.Join(s.unavailable(cause(err)), f.Close())
		}
		if readErr == io.EOF || readErr == io.ErrUnexpectedEOF {
			break
		}
		if readErr != nil {
			return errors.Join(fmt.Errorf("reading the backup: %w", readErr), f.Close())
		}
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return s.unavailable(cause(err))
	}
	return nil
}

// rename renames a file for good.
func rename(fs vfs.FS, from, to string) error {
	if err := fs.Rename(from, to); err != nil {
		return cause(err)
	}
	dir, err := fs.OpenDir(fs.PathDir(to))
	if err != nil {
		return cause(err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// readBackup reads a backup in the folder and hands over what it says for the disk.
func (s *Store) readBackup(ctx context.Context, path string, each func(key, value []byte) error) (Restored, error) {
	f, err := s.fs.Open(path)
	if err != nil {
		return Restored{}, s.unavailable(cause(err))
	}
	defer f.Close()
	b, err := newBackupReader(f)
	if err != nil {
		return Restored{}, err
	}
	defer b.close()
	var r Restored
	now := s.now()
	for {
		if err := ctx.Err(); err != nil {
			return r, s.unavailable(err)
		}
		key, value, err := b.next()
		if err == io.EOF {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		switch key[0] {
		case kindTail:
			r.Logs++
		case kindLog:
			r.Entries++
		case kindKey:
			if rec, err := parseRecord(value); err != nil || !rec.alive(now) {
				r.Expired++
				continue
			}
			r.Keys++
		}
		if err := each(key, value); err != nil {
			return r, err
		}
	}
}

// replace replaces what is in the store with the backup that was found good. Nobody else
// uses the engine.
func (s *Store) replace(ctx context.Context, e *engine) (Restored, error) {
	path := s.fs.PathJoin(s.dir, checkedName)
	done := make(chan error, 1)
	var r Restored
	go func() {
		done <- e.guarded(func() (err error) {
			r, err = s.fillFrom(e, path)
			return err
		})
	}()
	select {
	case err := <-done:
		if err != nil {
			return Restored{}, s.unavailable(fmt.Errorf("the restore isn't complete, it goes on when the store is opened again: %w", err))
		}
	case <-e.dead:
		return Restored{}, s.unavailable(fmt.Errorf("the restore isn't complete, it goes on when the disk is well again: %w", e.cause()))
	}
	if err := s.fs.Remove(path); err != nil {
		return r, s.unavailable(cause(err))
	}
	s.state.counted(r.Keys, -1)
	return r, nil
}

// fillFrom empties the store and fills it from a backup.
func (s *Store) fillFrom(e *engine, path string) (Restored, error) {
	if err := e.flush(); err != nil { // leases
		return Restored{}, err
	}
	e.memory.forget()
	e.filter.Store(nil)
	defer e.learnSoon()
	b := e.db.NewBatch()
	_ = b.DeleteRange([]byte{kindKey}, []byte{kindKey + 1}, nil)
	_ = b.DeleteRange([]byte{kindLog}, []byte{kindLog + 1}, nil)
	r, err := s.readBackup(context.Background(), path, func(key, value []byte) error {
		if key[0] == kindTail {
			last, err := e.tail(string(key[1:]))
			if err != nil {
				return err
			}
			value = binary.BigEndian.AppendUint64(nil, max(last, binary.BigEndian.Uint64(value)))
		}
		_ = b.Set(key, value, nil)
		if b.Len() < pieceBytes {
			return nil
		}
		err := e.db.Apply(b, pebble.NoSync)
		b = e.db.NewBatch()
		return err
	})
	if err != nil {
		return r, err
	}
	if err := e.db.Apply(b, pebble.Sync); err != nil {
		return r, err
	}
	return r, e.db.Flush()
}

// resume completes a restore that was interrupted.
func (s *Store) resume(e *engine) error {
	path := s.fs.PathJoin(s.dir, checkedName)
	if _, err := s.fs.Stat(path); err != nil {
		return nil // there is none
	}
	start := time.Now()
	r, err := s.replace(context.Background(), e)
	if err == nil {
		s.log.Info("an interrupted restore is complete", "folder", s.address, "keys", r.Keys, "took", time.Since(start).Round(time.Millisecond))
	}
	return err
}

// occupy waits until nobody else works with the engine, and keeps others out, also those who
// need nothing but memory.
func (e *engine) occupy(ctx context.Context) error {
	for n := range atOnce {
		if err := e.enter(ctx); err != nil {
			for range n {
				e.leave()
			}
			return err
		}
	}
	e.memory.shut.Store(true)
	return nil
}

func (e *engine) vacate() {
	e.memory.shut.Store(false)
	for range atOnce {
		e.leave()
	}
}
