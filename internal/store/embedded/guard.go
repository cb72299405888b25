package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A guard stands between pebble and the disk. Pebble ends the process, panics, or tries
// again for ever when it can't write. With a guard it never learns of such a failure:
// the first one stops every later operation of this pebble where it stands, for good,
// and tells the store, which leaves this pebble behind and opens another one. Its files
// are closed, so that nothing of it reaches the disk any more.
type guard struct {
	vfs.FS
	failed  func(error)
	stopped atomic.Bool
	mu      sync.Mutex
	files   map[*guardedFile]struct{}
}

func newGuard(fs vfs.FS, failed func(error)) *guard {
	return &guard{FS: fs, failed: failed, files: map[*guardedFile]struct{}{}}
}

// stop ends all use of the disk.
func (g *guard) stop() {
	if g.stopped.Swap(true) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for f := range g.files {
		// A file that is in the middle of an operation, perhaps a hanging one, is
		// closed when that has come to its end.
		if f.use.TryLock() {
			_ = f.File.Close()
			f.use.Unlock()
			continue
		}
		go func() {
			f.use.Lock()
			defer f.use.Unlock()
			_ = f.File.Close()
		}()
	}
	g.files = nil
}

// pass blocks for ever when the guard has stopped.
func (g *guard) pass() {
	if g.stopped.Load() {
		select {}
	}
}

// wrote blocks for ever when a change of the disk failed.
func (g *guard) wrote(what, name string, err error) error {
	if err != nil {
		g.failed(fmt.Errorf("%s %s: %w", what, g.PathBase(name), cause(err)))
		g.stop()
	}
	g.pass()
	return err
}

// cause is what the operating system said.
func cause(err error) error {
	var path *os.PathError
	var link *os.LinkError
	var call *os.SyscallError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	case errors.As(err, &call):
		return call.Err
	}
	return err
}

func (g *guard) file(f vfs.File, name string, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	guarded := &guardedFile{File: f, guard: g, name: name}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.files == nil {
		_ = f.Close()
	} else {
		g.files[guarded] = struct{}{}
	}
	return guarded, nil
}

// Create implements vfs.FS.
func (g *guard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	g.pass()
	f, err := g.FS.Create(name, category)
	if err == nil {
		err = private(f)
	}
	if err := g.wrote("create", name, err); err != nil {
		return nil, err
	}
	return g.file(f, name, nil)
}

// private makes a file of the disk readable for its owner alone.
func private(f vfs.File) error {
	if f.Fd() == vfs.InvalidFd {
		return nil
	}
	return syscall.Fchmod(int(f.Fd()), 0o600)
}

// Link implements vfs.FS.
func (g *guard) Link(oldname, newname string) error {
	g.pass()
	return g.wrote("link", newname, g.FS.Link(oldname, newname))
}

// Open implements vfs.FS.
func (g *guard) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	g.pass()
	f, err := g.FS.Open(name, opts...)
	return g.file(f, name, err)
}

// OpenReadWrite implements vfs.FS.
func (g *guard) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	g.pass()
	f, err := g.FS.OpenReadWrite(name, category, opts...)
	if err := g.wrote("open", name, err); err != nil {
		return nil, err
	}
	return g.file(f, name, nil)
}

// OpenDir implements vfs.FS.
func (g *guard) OpenDir(name string) (vfs.File, error) {
	g.pass()
	f, err := g.FS.OpenDir(name)
	return g.file(f, name, err)
}

// Remove implements vfs.FS. A file that can't be removed takes room and harms nobody.
func (g *guard) Remove(name string) error {
	g.pass()
	if base := g.PathBase(name); strings.HasPrefix(base, manifestPrefix) {
		_ = g.FS.Remove(g.PathJoin(g.PathDir(name), notePrefix+base))
	}
	return g.FS.Remove(name)
}

// RemoveAll implements vfs.FS.
func (g *guard) RemoveAll(name string) error {
	g.pass()
	return g.FS.RemoveAll(name)
}

// Rename implements vfs.FS.
func (g *guard) Rename(oldname, newname string) error {
	g.pass()
	return g.wrote("rename", newname, g.FS.Rename(oldname, newname))
}

// ReuseForWrite implements vfs.FS.
func (g *guard) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	g.pass()
	f, err := g.FS.ReuseForWrite(oldname, newname, category)
	if err := g.wrote("reuse", newname, err); err != nil {
		return nil, err
	}
	return g.file(f, newname, nil)
}

// MkdirAll implements vfs.FS.
func (g *guard) MkdirAll(dir string, _ os.FileMode) error {
	g.pass()
	return g.wrote("create", dir, g.FS.MkdirAll(dir, 0o700))
}

// Lock implements vfs.FS. The store has locked the folder itself, for longer than any
// pebble lives.
func (g *guard) Lock(string) (io.Closer, error) {
	g.pass()
	return io.NopCloser(nil), nil
}

// List implements vfs.FS.
func (g *guard) List(dir string) ([]string, error) {
	g.pass()
	return g.FS.List(dir)
}

// Stat implements vfs.FS.
func (g *guard) Stat(name string) (vfs.FileInfo, error) {
	g.pass()
	return g.FS.Stat(name)
}

// Unwrap implements vfs.FS.
func (g *guard) Unwrap() vfs.FS { return g.FS }

// A guardedFile is a file of a guard.
type guardedFile struct {
	vfs.File
	guard *guard
	name  string
	size  int64        // of a manifest: how much was written
	use   sync.RWMutex // held for reading by operations, for writing by the guard's stop
}

// begin blocks for ever when the guard has stopped, and keeps the file open otherwise.
func (f *guardedFile) begin() {
	f.use.RLock()
	if f.guard.stopped.Load() {
		f.use.RUnlock()
		select {}
	}
}

// ended ends an operation that reads.
func (f *guardedFile) ended() { f.use.RUnlock() }

// wrote ends an operation that writes.
func (f *guardedFile) wrote(what string, err error) error {
	f.use.RUnlock()
	return f.guard.wrote(what, f.name, err)
}

// Close implements vfs.File.
func (f *guardedFile) Close() error {
	f.begin()
	err := f.File.Close()
	f.guard.mu.Lock()
	delete(f.guard.files, f)
	f.guard.mu.Unlock()
	if errors.Is(err, os.ErrClosed) {
		f.ended()
		return err
	}
	return f.wrote("close", err)
}

// Read implements vfs.File.
func (f *guardedFile) Read(p []byte) (int, error) {
	f.begin()
	defer f.ended()
	return f.File.Read(p)
}

// ReadAt implements vfs.File.
func (f *guardedFile) ReadAt(p []byte, off int64) (int, error) {
	f.begin()
	defer f.ended()
	return f.File.ReadAt(p, off)
}

// Write implements vfs.File.
func (f *guardedFile) Write(p []byte) (int, error) {
	f.begin()
	n, err := f.File.Write(p)
	f.size += int64(n)
	return n, f.wrote("write", err)
}

// WriteAt implements vfs.File.
func (f *guardedFile) WriteAt(p []byte, off int64) (int, error) {
	f.begin()
	n, err := f.File.WriteAt(p, off)
	return n, f.wrote("write", err)
}

// Preallocate implements vfs.File. It is a hint: file systems that don't know it do
// without.
func (f *guardedFile) Preallocate(offset, length int64) error {
	f.begin()
	err := f.File.Preallocate(offset, length)
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) && !errors.Is(err, syscall.EIO) {
		err = nil
	}
	return f.wrote("preallocate", err)
}

// Stat implements vfs.File.
func (f *guardedFile) Stat() (vfs.FileInfo, error) {
	f.begin()
	defer f.ended()
	return f.File.Stat()
}

// Sync implements vfs.File.
func (f *guardedFile) Sync() error {
	f.begin()
	return f.wrote("sync", f.synced(f.File.Sync()))
}

// SyncTo implements vfs.File.
func (f *guardedFile) SyncTo(length int64) (bool, error) {
	f.begin()
	full, err := f.File.SyncTo(length)
	return full, f.wrote("sync", err)
}

// SyncData implements vfs.File.
func (f *guardedFile) SyncData() error {
	f.begin()
	return f.wrote("sync", f.synced(f.File.SyncData()))
}

// synced notes how much of a manifest is on the disk.
func (f *guardedFile) synced(err error) error {
	if err != nil || f.size == 0 || !strings.HasPrefix(f.guard.PathBase(f.name), manifestPrefix) {
		return err
	}
	return note(f.guard.FS, f.name, f.size)
}

// Prefetch implements vfs.File.
func (f *guardedFile) Prefetch(offset, length int64) error {
	f.begin()
	defer f.ended()
	return f.File.Prefetch(offset, length)
}
