package maps

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// A Stamp tells whether files have changed. The zero Stamp is that of no files.
type Stamp struct {
	files []fileStamp
	young bool
}

// A fileStamp is what is known of a file without reading it.
type fileStamp struct {
	path string
	info fs.FileInfo // nil when there is none
}

// clockStep is the coarsest step of the times that file systems keep.
const clockStep = 2 * time.Second

// NewStamp looks at files. Take it before they are read.
func NewStamp(paths []string, now time.Time) Stamp {
	var s Stamp
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			info = nil
		} else if age := now.Sub(info.ModTime()); age < clockStep && age > -clockStep {
			s.young = true
		}
		s.files = append(s.files, fileStamp{p, info})
	}
	return s
}

// Same tells whether s, the earlier stamp, is for sure of the same files as later. It
// is false once more for files that had just been written to, as they may have been
// again since without a change of their times.
func (s Stamp) Same(later Stamp) bool {
	return !s.young && slices.EqualFunc(s.files, later.files, func(a, b fileStamp) bool {
		if a.path != b.path || a.info == nil || b.info == nil {
			return a.path == b.path && a.info == nil && b.info == nil
		}
		return os.SameFile(a.info, b.info) && a.info.Size() == b.info.Size() && a.info.ModTime().Equal(b.info.ModTime()) && a.info.Mode() == b.info.Mode()
	})
}

// A Watched is a list of files that may change. Refresh is for one goroutine at a
// time, List for any number.
type Watched struct {
	kind    Kind
	paths   []string
	missing string // one of paths that needn't exist
	list    atomic.Pointer[List]
	stamp   Stamp
	read    bool // stamp and err are of a reading
	err     error
}

// Watch returns the list of some files; it is empty before the first Refresh. The file
// of the path optional, which comes first, need not exist; "" is none.
func Watch(k Kind, optional string, paths ...string) *Watched {
	w := &Watched{kind: k, missing: optional}
	if optional != "" {
		w.paths = append(w.paths, optional)
	}
	w.paths = append(w.paths, paths...)
	return w
}

// Refresh reads the files when they have changed. With an error, which is told again
// until the files are mended, the list stays what it was.
func (w *Watched) Refresh(now time.Time) error {
	stamp := NewStamp(w.paths, now)
	if w.read && w.stamp.Same(stamp) {
		return w.err
	}
	list, err := w.load()
	w.stamp, w.err, w.read = stamp, err, true
	if err == nil {
		w.list.Store(list)
	}
	return err
}

func (w *Watched) load() (*List, error) {
	r := &reading{list: List{kind: w.kind}}
	var errs []error
	for _, p := range w.paths {
		err := r.file(p)
		if err != nil && !(p == w.missing && errors.Is(err, fs.ErrNotExist)) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r.finish()
}

// List returns the list as it was when it was last read without a fault.
func (w *Watched) List() *List { return w.list.Load() }
