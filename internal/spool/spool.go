// Package spool holds messages while they arrive: small ones in memory, large ones in
// files, and never more than a limit over all of them.
//
// It knows nothing of what it holds. Files are made in one directory with mode 0600
// and unlinked at once, so that nothing is left when the process ends, however it
// ends.
package spool

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// InMemory is the size in bytes up to which a message is held in memory.
const InMemory = 256 << 10

// ErrFull is what Write wraps when the spool's limit is reached.
var ErrFull = errors.New("spool: full")

// A Spool is the room that all messages share. It is safe for concurrent use.
type Spool struct {
	dir   string
	limit int64
	used  atomic.Int64
	mem   sync.Pool // *[]byte
}

// New returns a Spool of limit bytes whose files are made in dir.
func New(dir string, limit int64) *Spool {
	s := &Spool{dir: dir, limit: limit}
	s.mem.New = func() any { b := make([]byte, 0, 16<<10); return &b }
	return s
}

// Used returns the bytes held now.
func (s *Spool) Used() int64 { return s.used.Load() }

// Limit returns the most bytes that are held.
func (s *Spool) Limit() int64 { return s.limit }

// Check tells whether a file can be made and written in the directory.
func (s *Spool) Check() error {
	f, err := s.create()
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = f.Write([]byte{0}); err != nil {
		return fmt.Errorf("cannot write to tempdir: %w", err)
	}
	return nil
}

func (s *Spool) create() (*os.File, error) {
	f, err := os.CreateTemp(s.dir, "rmilter-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("cannot spool in tempdir: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot unlink spool file: %w", err)
	}
	return f, nil
}

// take reserves n bytes.
func (s *Spool) take(n int64) bool {
	if s.used.Add(n) > s.limit {
		s.used.Add(-n)
		return false
	}
	return true
}

// A Buffer is one message in the spool. It is for one goroutine at a time. The zero
// Buffer is not for use.
type Buffer struct {
	s    *Spool
	mem  *[]byte  // what is held in memory; nil once in a file, or before the first Write
	file *os.File // nil while in memory
	view []byte   // the file's contents as memory
	size int64
}

// New returns an empty Buffer.
func (s *Spool) New() *Buffer { return &Buffer{s: s} }

// Len returns the number of bytes held.
func (b *Buffer) Len() int64 { return b.size }

// Write adds p to the message. After an error the message is as it was before, and
// the error is ErrFull or says what is wrong with the directory.
func (b *Buffer) Write(p []byte) (int, error) {
	if b.view != nil {
		return 0, errors.New("spool: write after Bytes")
	}
	if !b.s.take(int64(len(p))) {
		return 0, fmt.Errorf("%w: %d bytes", ErrFull, b.s.limit)
	}
	if err := b.write(p); err != nil {
		b.s.used.Add(-int64(len(p)))
		return 0, err
	}
	b.size += int64(len(p))
	return len(p), nil
}

func (b *Buffer) write(p []byte) error {
	if b.file == nil {
		if b.size+int64(len(p)) <= InMemory {
			if b.mem == nil {
				b.mem = b.s.mem.Get().(*[]byte)
			}
			*b.mem = append(*b.mem, p...)
			return nil
		}
		if err := b.spill(); err != nil {
			return err
		}
	}
	// At the offset of what is known to be good, so that half a write that failed
	// is overwritten by the next one.
	if _, err := b.file.WriteAt(p, b.size); err != nil {
		return fmt.Errorf("cannot write spool file: %w", err)
	}
	return nil
}

// spill moves the message from memory to a file.
func (b *Buffer) spill() error {
	f, err := b.s.create()
	if err != nil {
		return err
	}
	if b.mem != nil {
		if _, err := f.WriteAt(*b.mem, 0); err != nil {
			f.Close()
			return fmt.Errorf("cannot write spool file: %w", err)
		}
		b.putMem()
	}
	b.file = f
	return nil
}

func (b *Buffer) putMem() {
	if b.mem != nil {
		*b.mem = (*b.mem)[:0]
		b.s.mem.Put(b.mem)
		b.mem = nil
	}
}

// Bytes returns the message. The slice is valid until Close or Truncate and must not
// be written to; no Write may follow.
func (b *Buffer) Bytes() ([]byte, error) {
	switch {
	case b.view != nil:
		return b.view, nil
	case b.file != nil && b.size > 0:
		v, err := syscall.Mmap(int(b.file.Fd()), 0, int(b.size), syscall.PROT_READ, syscall.MAP_SHARED)
		if err != nil {
			return nil, fmt.Errorf("cannot map spool file: %w", err)
		}
		b.view = v
		return v, nil
	case b.mem != nil:
		return *b.mem, nil
	}
	return nil, nil
}

// Truncate keeps the first n bytes, at most InMemory, and gives back the room of the
// rest.
func (b *Buffer) Truncate(n int64) error {
	n = min(n, InMemory)
	if b.size <= n {
		return nil
	}
	if b.file != nil {
		head := b.s.mem.Get().(*[]byte)
		*head = append((*head)[:0], make([]byte, n)...)
		if _, err := b.file.ReadAt(*head, 0); err != nil {
			return fmt.Errorf("cannot read spool file: %w", err)
		}
		b.closeFile()
		b.mem = head
	} else {
		*b.mem = (*b.mem)[:n]
	}
	b.s.used.Add(n - b.size)
	b.size = n
	return nil
}

func (b *Buffer) closeFile() {
	if b.view != nil {
		syscall.Munmap(b.view)
		b.view = nil
	}
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
}

// Close gives the room back. A closed Buffer is empty and may be written to again.
func (b *Buffer) Close() {
	b.closeFile()
	b.putMem()
	b.s.used.Add(-b.size)
	b.size = 0
}
