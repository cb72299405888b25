// Package embedded keeps state in a folder of this machine, for one process: a
// store.Store on top of pebble.
//
// What Put is given is on the disk when it has returned, unless it is Volatile; that, buckets
// and counters are changed in memory and follow within a tenth of a second. What was used
// lately is kept in memory, too. What has expired is invisible at once
// and is removed from the disk later, see Sweep.
//
// When the disk is nearly full, changes are refused and reading goes on. When the disk
// fails, the store is unavailable and opens its files anew from time to time until that
// succeeds. Neither ends or halts the process.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rmilter/internal/store"
)

// MinFree is how many bytes of the disk stay free unless Options say otherwise.
const MinFree = 64 << 20

// Options say where and how a store is kept.
type Options struct {
	// Dir is the folder, which is made when it isn't there. "" keeps the store in
	// memory alone.
	Dir string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log gets what happens besides outages; nil is silent.
	Log *slog.Logger
	// Down and Up are called once each when an outage of the store begins and when it
	// ends, in this order, Down also within Open. They must not use the store but for its
	// Health.
	Down, Up func(store.Health)
	// MinFree is how many bytes of the disk have to be free for changes to be taken; 0
	// is the constant MinFree, less than 0 none.
	MinFree int64
}

// A Store is a store.Store in a folder.
type Store struct {
	dir     string
	address string
	now     func() time.Time
	log     *slog.Logger
	onDown  func(store.Health)
	onUp    func(store.Health)
	minFree int64
	fs      vfs.FS
	lock    *os.File // nil in memory
	retry   backoff

	closed   chan struct{}
	once     sync.Once // closes
	ending   sync.WaitGroup
	broken   chan struct{} // has one when there is no engine
	current  atomic.Pointer[engine]
	full     atomic.Bool   // the last change was refused, for the disk is nearly full
	roomAt   atomic.Int64  // when the disk had room, in nanoseconds since 1970
	roomFor  time.Duration // see the constant
	hung     atomic.Bool   // a flush doesn't come to its end
	patience time.Duration // see hangAfter
	telling  sync.Mutex    // around what changes state and tells of it
	state    state
	sweeper  sweeper

	restoring sync.Mutex // one restore at a time
}

var _ store.Store = (*Store)(nil)

// Open opens the store of a folder. It fails when another process has the folder, or
// when what is in there is damaged; then nothing of it has been changed. When the disk
// is full or fails there is a store that is unavailable until the disk is well again.
func Open(o Options) (*Store, error) {
	if o.Dir == "" {
		o.MinFree = -1
		return open(o, vfs.NewMem(), newBackoff())
	}
	return open(o, vfs.Default, newBackoff())
}

// open is Open with another file system below and another patience.
func open(o Options, fs vfs.FS, retry backoff) (*Store, error) {
	s := &Store{
		dir: o.Dir, address: o.Dir, now: o.Now, log: o.Log, onDown: o.Down, onUp: o.Up, minFree: o.MinFree, fs: fs, retry: retry, roomFor: roomFor, patience: hangAfter,
		closed: make(chan struct{}), broken: make(chan struct{}, 1),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	silent := func(store.Health) {}
	if s.onDown == nil {
		s.onDown = silent
	}
	if s.onUp == nil {
		s.onUp = silent
	}
	if s.minFree == 0 {
		s.minFree = MinFree
	}
	if s.dir == "" {
		s.dir, s.address = "memory", "memory"
		if err := fs.MkdirAll(s.dir, 0o700); err != nil {
			return nil, err
		}
	} else {
		lock, err := lockFolder(s.dir)
		if err != nil {
			return nil, err
		}
		s.lock = lock
	}
	s.state.begin(s.now())
	if err := s.start(); err != nil {
		if !errors.Is(err, store.ErrUnavailable) {
			if s.lock != nil {
				_ = s.lock.Close()
			}
			return nil, err
		}
		s.failed(err)
	}
	s.ending.Go(s.keep)
	return s, nil
}

// Close implements store.Store. What was promised to be kept is on the disk afterwards,
// and what could have been lost too.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closed)
		s.ending.Wait()
		if e := s.current.Swap(nil); e != nil {
			err = e.close()
		}
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}
	})
	return err
}

// engine returns the pebble that is at work.
func (s *Store) engine() (*engine, error) {
	select {
	case <-s.closed:
		return nil, s.unavailable(errClosed)
	default:
	}
	if s.hung.Load() {
		return nil, s.unavailable(errHangs)
	}
	if e := s.current.Load(); e != nil {
		return e, nil
	}
	return nil, s.unavailable(errors.New(s.state.reason()))
}

// unavailable makes the error of what can't be done now.
func (s *Store) unavailable(why error) error {
	if errors.Is(why, store.ErrUnavailable) {
		return why
	}
	return fmt.Errorf("%w: embedded store %s: %w", store.ErrUnavailable, s.address, why)
}

// run lets the engine do some work, until the context ends or the engine fails. Work
// that a disk holds up goes on by itself: it shares nothing with the caller.
func run[T any](ctx context.Context, s *Store, work func(*engine) (T, error)) (T, error) {
	var none T
	e, err := s.ready(ctx)
	if err != nil {
		return none, err
	}
	if err := e.enter(ctx); err != nil {
		return none, s.unavailable(err)
	}
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	start := time.Now()
	e.give(func() {
		defer e.leave()
		var a answer
		a.err = e.guarded(func() (err error) {
			a.value, err = work(e)
			return err
		})
		answered <- a
	})
	select {
	case a := <-answered:
		s.state.took(time.Since(start))
		if a.err != nil {
			return none, s.explain(a.err)
		}
		return a.value, nil
	case <-ctx.Done():
		e.flushSoon() // finds out whether the disk hangs
		s.state.took(time.Since(start))
		return none, s.unavailable(ctx.Err())
	case <-e.dead:
		return none, s.unavailable(e.cause())
	}
}

// explain makes an error of the engine one of this package's interface.
func (s *Store) explain(err error) error {
	for _, known := range []error{store.ErrTooLarge, store.ErrCorrupt} {
		if errors.Is(err, known) {
			return err
		}
	}
	return s.unavailable(err)
}
