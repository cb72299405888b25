package embedded

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// atOnce is how many operations an engine works on at a time. More wait, so that a disk
// that hangs doesn't gather them without end.
const atOnce = 256

// syncAfter is when what may be lost goes to the disk at the latest.
const syncAfter = 75 * time.Millisecond

// An engine is one opened pebble. When it fails it is left behind as it is: what hangs in
// it hangs for ever, and another engine takes its place.
type engine struct {
	db       *pebble.DB
	guard    *guard
	memory   memory
	slots    chan struct{}
	jobs     chan func()            // to workers that have nothing to do
	idle     atomic.Int32           // how many these are
	filter   atomic.Pointer[filter] // of what is on the disk; nil as long as that isn't known
	next     atomic.Pointer[filter] // the one that is being made, or nil
	learning sync.Mutex             // around making one
	due      atomic.Bool            // a flush of what may be lost will begin
	flushing sync.Mutex             // around one
	patience time.Duration          // that a flush may take
	hangs    func(*engine, bool)    // is told when one takes longer, and when it is over
	gone     chan struct{}          // closed when it is being closed
	once     sync.Once              // fails
	why      error                  // of the failure; set before the following
	fails    atomic.Bool            // set before the store is told
	dead     chan struct{}          // closed when it has been told
}

// openEngine opens pebble. What ends it is told to failed, once; what it finds damaged and
// can do without for now is told to damaged.
func openEngine(dir string, fs vfs.FS, patience time.Duration, hangs func(*engine, bool), failed func(*engine, error), damaged func(error)) (*engine, error) {
	e := &engine{
		memory:   memory{seed: maphash.MakeSeed()},
		slots:    make(chan struct{}, atOnce),
		jobs:     make(chan func()),
		gone:     make(chan struct{}),
		dead:     make(chan struct{}),
		patience: patience,
		hangs:    hangs,
	}
	e.guard = newGuard(fs, func(err error) { e.fail(err, failed) })
	opened := make(chan error, 1)
	go func() {
		opened <- recovered(func() (err error) {
			if err := checkFolder(fs, dir); err != nil {
				return err
			}
			e.db, err = pebble.Open(dir, options(e.guard, &watcher{e.guard, damaged}))
			return err
		})
	}()
	select {
	case err := <-opened:
		if err != nil {
			e.guard.stop()
			return nil, err
		}
		return e, nil
	case <-e.dead:
		return nil, &diskError{e.cause()}
	}
}

var errClosed = errors.New("closed")

// A diskError is why the disk can't be written: no fault of what is on it.
type diskError struct{ error }

// Unwrap returns what failed.
func (e *diskError) Unwrap() error { return e.error }

// options are pebble's, for a machine that has other things to do: little memory, few
// files, few goroutines.
func options(fs vfs.FS, w *watcher) *pebble.Options {
	o := &pebble.Options{
		FS:                          fs,
		FormatMajorVersion:          pebble.FormatTableFormatV6,
		CacheSize:                   8 << 20,
		MemTableSize:                4 << 20,
		MemTableStopWritesThreshold: 2,
		MaxOpenFiles:                256,
		MaxManifestFileSize:         1 << 20,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000,
		Logger:                      w,
		EventListener: &pebble.EventListener{
			BackgroundError: w.background,
			DataCorruption:  func(info pebble.DataCorruptionInfo) { w.damaged(info.Details) },
		},
	}
	o.Experimental.FileCacheShards = 1
	for i := range o.Levels {
		o.Levels[i].BlockSize = 4 << 10
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// A watcher hears what pebble has to say. What would end the process ends the engine.
type watcher struct {
	guard   *guard
	damaged func(error)
}

// Infof implements pebble.Logger.
func (w *watcher) Infof(string, ...any) {}

// Errorf implements pebble.Logger.
func (w *watcher) Errorf(string, ...any) {}

// Fatalf implements pebble.Logger. It doesn't return: pebble counts on that.
func (w *watcher) Fatalf(format string, args ...any) {
	w.guard.failed(fmt.Errorf(format, args...))
	w.guard.stop()
	select {}
}

// background is told of what failed in a flush or a compaction, which pebble would try
// again at once and for ever.
func (w *watcher) background(err error) {
	w.guard.failed(err)
	w.guard.stop()
}

// fail marks the engine as failed.
func (e *engine) fail(err error, told func(*engine, error)) {
	e.once.Do(func() {
		e.why = err
		e.fails.Store(true)
		told(e, err)
		close(e.dead)
	})
}

// cause is why the engine has failed.
func (e *engine) cause() error {
	<-e.dead
	return e.why
}

// enter waits for one of the slots.
func (e *engine) enter(ctx context.Context) error {
	select {
	case e.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case e.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.gone:
		return errClosed
	case <-e.dead:
		return e.cause()
	}
}

func (e *engine) leave() { <-e.slots }

// guarded runs some work with pebble. A panic is the end of the engine.
func (e *engine) guarded(work func() error) error {
	err := recovered(work)
	var panicked *panicError
	if errors.As(err, &panicked) {
		e.guard.failed(err)
		e.guard.stop()
	}
	return err
}

// recovered runs some work with pebble, which panics where it finds what it hasn't
// foreseen.
func recovered(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p, debug.Stack()}
		}
	}()
	return work()
}

// A panicError is a panic that was caught.
type panicError struct {
	value any
	stack []byte
}

// Error says what the panic was.
func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// get returns the record of a key on disk, also one that has expired.
func (e *engine) get(key []byte) (r record, there bool, err error) {
	raw, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return record{}, false, nil
	}
	if err != nil {
		return record{}, false, err
	}
	defer closer.Close()
	r, err = parseRecord(append([]byte(nil), raw...))
	if err != nil {
		return record{}, false, fmt.Errorf("%q: %w", key[1:], err)
	}
	return r, true, nil
}

// set has a batch set a record, whose stripe is locked.
func (e *engine) set(b *pebble.Batch, key []byte, r record) {
	e.written(key)
	_ = b.Set(key, r.encode(), nil) // fails for indexed batches alone
}

// apply makes the changes of a batch visible. The function that it returns waits until
// they are on the disk, or makes sure that they will be soon when they may be lost.
func (e *engine) apply(b *pebble.Batch, durable bool) (func() error, error) {
	if b.Empty() {
		return b.Close, nil
	}
	if !durable {
		if err := e.db.Apply(b, pebble.NoSync); err != nil {
			return nil, err
		}
		e.flushSoon()
		return b.Close, nil
	}
	if err := e.db.ApplyNoSyncWait(b, pebble.Sync); err != nil {
		return nil, err
	}
	return func() error {
		if err := b.SyncWait(); err != nil {
			return err
		}
		return b.Close()
	}, nil
}

// flushSoon sees to a flush and a sync within a tenth of a second. While one hangs, one
// more waits for it.
func (e *engine) flushSoon() {
	if e.due.Swap(true) {
		return
	}
	time.AfterFunc(syncAfter, func() {
		e.flushing.Lock()
		defer e.flushing.Unlock()
		e.due.Store(false)
		if e.enter(context.Background()) != nil {
			return
		}
		defer e.leave()
		defer e.watch()()
		_ = e.guarded(func() error { return errors.Join(e.flush(), e.sync()) })
		if e.filter.Load().full() {
			e.learnSoon() // which may take longer than a flush may
		}
	})
}

// watch tells the store when what begins now takes too long, and when it is over then.
func (e *engine) watch() (over func()) {
	var mu sync.Mutex
	var told, ended bool
	late := time.AfterFunc(e.patience, func() {
		mu.Lock()
		defer mu.Unlock()
		if !ended { // else it would be told of the end before
			told = true
			e.hangs(e, true)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		late.Stop()
		if ended = true; told {
			e.hangs(e, false)
		}
	}
}

// flushAtOnce is how many stripes are locked together for a flush.
const flushAtOnce = 32

// flush writes what only memory has. It is visible then, and on the disk with the next
// sync.
func (e *engine) flush() error {
	for some := range slices.Chunk(e.memory.all[:], flushAtOnce) {
		if err := e.flushSome(some); err != nil {
			return err
		}
	}
	return nil
}

// flushSome is flush for some stripes. They are locked until what was written is visible:
// a change that comes after it would be lost behind it otherwise.
func (e *engine) flushSome(some []stripe) error {
	for i := range some {
		some[i].mu.Lock()
		defer some[i].unlock()
	}
	return e.flushLocked(some)
}

// flushLocked is flush for stripes that are locked.
func (e *engine) flushLocked(some []stripe) error {
	b := e.db.NewBatch()
	for i := range some {
		st := &some[i]
		for _, en := range st.dirty {
			e.writeEntry(b, en)
		}
		clear(st.dirty)
		st.dirty, st.pending = st.dirty[:0], 0
	}
	if b.Empty() {
		return b.Close()
	}
	return errors.Join(e.db.Apply(b, pebble.NoSync), b.Close())
}

// writeEntry writes an entry, if the disk has something older.
func (e *engine) writeEntry(b *pebble.Batch, en *entry) {
	if !en.dirty {
		return
	}
	if key := []byte(en.key); en.there {
		en.rest()
		e.set(b, key, en.record)
	} else {
		_ = b.Delete(key, nil)
	}
	en.dirty = false
}

// snapshot returns what there is at this moment.
func (e *engine) snapshot() (*pebble.Snapshot, error) {
	for i := range e.memory.all {
		e.memory.all[i].mu.Lock()
		defer e.memory.all[i].unlock()
	}
	if err := e.flushLocked(e.memory.all[:]); err != nil {
		return nil, err
	}
	return e.db.NewSnapshot(), nil
}

// sync brings everything that was written before to the disk.
func (e *engine) sync() error {
	return e.db.LogData(nil, pebble.Sync)
}

// closeWithin is how long an engine has to come to its end.
const closeWithin = 15 * time.Second

// close ends the engine when all work with it has come to its end. It doesn't wait for
// an engine that has failed, nor for ever for a disk that hangs.
func (e *engine) close() error {
	close(e.gone)
	closed := make(chan error, 1)
	go func() {
		for range atOnce {
			e.slots <- struct{}{}
		}
		e.memory.shut.Store(true)
		closed <- e.guarded(func() error { return errors.Join(e.flush(), e.sync(), e.db.Close()) })
	}()
	select {
	case err := <-closed:
		return err
	case <-e.dead:
		return e.cause()
	case <-time.After(closeWithin):
		return fmt.Errorf("the disk hangs: not closed within %s", closeWithin)
	}
}
