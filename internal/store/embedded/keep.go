package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"rmilter/internal/store"
)

// A backoff says how long to wait before a failed store is opened anew: at first, and at
// most. The wait doubles each time. What has been well for an hour begins anew.
type backoff struct{ first, most time.Duration }

func newBackoff() backoff { return backoff{time.Second, 10 * time.Minute} }

// between is the time between two looks at the disk and two pieces of sweeping.
const between = time.Minute

// start opens an engine. What the disk can't do now wraps store.ErrUnavailable, what is
// wrong with the folder doesn't.
func (s *Store) start() error {
	if err := s.room(1); err != nil {
		return s.unavailable(err)
	}
	e, err := openEngine(s.dir, s.fs, s.patience, s.hangs, s.engineFailed, func(err error) { s.down(s.damaged(err)) })
	var disk *diskError
	if errors.As(err, &disk) {
		return s.unavailable(disk)
	}
	if err != nil {
		return s.damaged(err)
	}
	if err := s.resume(e); err != nil {
		return errors.Join(err, e.close())
	}
	s.hung.Store(false)
	s.current.Store(e)
	e.learnSoon()
	if e.fails.Load() {
		s.engineFailed(e, e.cause())
	}
	return nil
}

// damaged says what is to be done about a folder whose files aren't as they were written.
func (s *Store) damaged(err error) error {
	return fmt.Errorf("the embedded store %s is damaged: %w. Nothing was removed. "+
		"Move the folder away and start again with an empty one, then restore the latest backup", s.address, err)
}

// hangAfter is how long the disk may take to write what came up in a tenth of a second.
const hangAfter = 3 * time.Second

// errHangs is why the store is unavailable while a flush doesn't come to its end.
var errHangs = errors.New("the disk hangs")

// hangs is told when the disk begins to hang, and when it has come back. Nobody asks it
// in between: each would wait for it in vain.
func (s *Store) hangs(e *engine, now bool) {
	if s.current.Load() != e {
		return // it was left behind
	}
	s.hung.Store(now)
	if now {
		s.down(errHangs)
	} else if s.current.Load() != nil && !s.full.Load() {
		s.well()
	}
}

// engineFailed is told by an engine that it has failed. Files that are damaged will be
// when they are opened again: that is left to people.
func (s *Store) engineFailed(e *engine, err error) {
	switch {
	case !s.current.CompareAndSwap(e, nil):
	case pebble.IsCorruptionError(err):
		s.down(s.damaged(err))
	default:
		s.failed(err)
	}
}

// failed notes that there is no engine and has the next one opened.
func (s *Store) failed(err error) {
	s.down(err)
	select {
	case s.broken <- struct{}{}:
	default:
	}
}

// down notes that the store is down and tells it once.
func (s *Store) down(why error) {
	s.telling.Lock()
	defer s.telling.Unlock()
	if !s.state.down(s.now(), why.Error()) {
		return
	}
	if panicked, ok := errors.AsType[*panicError](why); ok {
		s.log.Error("a programming error in the embedded store was caught", "folder", s.address, "reason", why.Error(), "stack", string(panicked.stack))
	}
	s.onDown(s.Health())
}

// well notes that the store is up again and tells it once.
func (s *Store) well() {
	s.telling.Lock()
	defer s.telling.Unlock()
	if s.state.well(s.now()) {
		s.onUp(s.Health())
	}
}

// keep looks after the store until it is closed.
func (s *Store) keep() {
	wait, up := s.retry.first, time.Now()
	tick := time.NewTicker(between)
	defer tick.Stop()
	s.look()
	for {
		select {
		case <-s.closed:
			return
		case <-tick.C:
			s.look()
		case <-s.broken:
			if time.Since(up) > time.Hour {
				wait = s.retry.first
			}
			for s.current.Load() == nil {
				select {
				case <-s.closed:
					return
				case <-time.After(wait):
				}
				wait = min(2*wait, s.retry.most)
				s.reopen()
			}
			up = time.Now()
		}
	}
}

// reopen tries to get a failed store to work again.
func (s *Store) reopen() {
	if err := s.probe(); err != nil {
		s.down(err)
		return
	}
	if err := s.start(); err != nil {
		s.down(err)
		return
	}
	s.well()
}

// probeSize is what the disk has to take before an engine is opened on it again. An
// engine that fails at once leaves more behind than a file that does.
const probeSize = 8 << 20

// probe writes and removes a file.
func (s *Store) probe() error {
	name := s.fs.PathJoin(s.dir, "probe")
	f, err := s.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return &diskError{fmt.Errorf("create probe: %w", cause(err))}
	}
	block := make([]byte, 64<<10)
	for n := 0; n < probeSize && err == nil; n += len(block) {
		_, err = f.Write(block)
	}
	err = errors.Join(err, f.Sync(), f.Close(), s.fs.Remove(name))
	if err != nil {
		return &diskError{fmt.Errorf("write probe: %w", cause(err))}
	}
	return nil
}

// room tells whether the disk has a share of the room that has to be free.
func (s *Store) room(share int64) error {
	if s.minFree <= 0 {
		return nil
	}
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return fmt.Errorf("the room on the disk isn't known: %w", cause(err))
	}
	want := uint64(s.minFree / share)
	if s.full.Load() && share == 1 {
		want += want / 8 // so that what is written then doesn't end it at once
	}
	if usage.AvailBytes < want {
		return fmt.Errorf("disk nearly full: %d MB free, %d MB wanted", usage.AvailBytes>>20, want>>20)
	}
	return nil
}

// roomFor is how long the disk is taken to have the room that it had: far less than it
// takes to write MinFree bytes.
const roomFor = 20 * time.Millisecond

// roomy tells whether the disk had room a moment ago.
func (s *Store) roomy(now time.Time) bool {
	return s.minFree <= 0 || !s.full.Load() && now.UnixNano()-s.roomAt.Load() < int64(s.roomFor)
}

// writable refuses changes when the disk is nearly full. What makes room may use half of
// what has to stay free.
func (s *Store) writable(makesRoom bool) error {
	share, now := int64(1), time.Now()
	if makesRoom {
		share = 2
	} else if s.roomy(now) {
		return nil
	}
	if err := s.room(share); err != nil {
		s.full.Store(true)
		s.down(err)
		return fmt.Errorf("%w: embedded store %s: %w", store.ErrUnavailable, s.address, err)
	}
	if makesRoom {
		return nil
	}
	s.roomAt.Store(now.UnixNano())
	if s.full.Load() {
		s.full.Store(false)
		if s.current.Load() != nil && !s.hung.Load() {
			s.well()
		}
	}
	return nil
}

// look does what is due from time to time.
func (s *Store) look() {
	ctx, cancel := context.WithTimeout(context.Background(), between)
	defer cancel()
	go func() {
		select {
		case <-s.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	if s.full.Load() {
		_ = s.writable(false)
	}
	_, _ = s.Sweep(ctx, s.now())
	if size, err := run(ctx, s, func(e *engine) (int64, error) {
		return int64(e.db.Metrics().DiskSpaceUsage()), nil
	}); err == nil {
		s.state.counted(-1, size)
	}
}
