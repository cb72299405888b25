package signing

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"rmilter/dkim"
	"rmilter/internal/maps"
)

const (
	// checkEvery is how often a file is looked at, at most.
	checkEvery = 5 * time.Second
	// maxKeyFile bounds a key file in bytes; an RSA key of 8192 bits has about 6500.
	maxKeyFile = 64 << 10
)

// A keyFile is the path of a key, of a directory of keys, or of nothing. It may be used
// from many goroutines.
type keyFile struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	looked  bool // the fields below are of a look at the file
	at      time.Time
	stamp   maps.Stamp
	content content
	warned  fs.FileMode // about which mode there was a warning
}

// A content is what is at a path.
type content struct {
	key *dkim.PrivateKey // the last that could be read; nil when there is none
	dir bool             // it is a directory
	err error            // why it can't be used; fs.ErrNotExist when there is nothing
	bad bool             // err is about what the file holds
}

// missing tells that there is nothing at the path.
func (c content) missing() bool { return errors.Is(c.err, fs.ErrNotExist) }

// fault says why there is no key at a path where something else is; c is that.
func (f *keyFile) fault(c content) error {
	if c.key != nil {
		return fmt.Errorf("dkim: %s: %w; the key before stays in use", f.path, c.err)
	}
	return fmt.Errorf("dkim: %s: %w", f.path, c.err)
}

// current returns what is there, or was some seconds ago. A file that can't be read any
// more leaves the key in use; one that is gone takes it away.
func (f *keyFile) current(now time.Time) content {
	f.mu.Lock()
	defer f.mu.Unlock()
	if age := now.Sub(f.at); f.looked && age >= 0 && age < checkEvery {
		return f.content
	}
	return f.look(now)
}

// anew is current, but of what is there now.
func (f *keyFile) anew(now time.Time) content {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.look(now)
}

// look looks at the file, and reads it when it may have changed. f.mu is held.
func (f *keyFile) look(now time.Time) content {
	stamp := maps.NewStamp([]string{f.path}, now)
	if f.looked && f.stamp.Same(stamp) {
		f.at = now
		return f.content
	}
	before := f.content
	c := f.read()
	if c.err != nil && !c.missing() {
		c.key = before.key
	}
	if f.looked && c.err == nil && c.key != nil && (before.key == nil || before.key.Record() != c.key.Record()) {
		f.log.Info("signing key read", "file", f.path, "key", c.key.String())
	}
	f.looked, f.at, f.stamp, f.content = true, now, stamp, c
	return c
}

// read reads what is at the path.
func (f *keyFile) read() content {
	// Opening a pipe must not wait for somebody to write into it.
	file, err := os.OpenFile(f.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENOTDIR) {
		err = fs.ErrNotExist
	}
	if err != nil {
		var e *fs.PathError // its text has the path, and ours do without
		if errors.As(err, &e) {
			err = e.Err
		}
		return content{err: err}
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return content{err: errors.New("its size can't be read")}
	case info.IsDir():
		return content{dir: true}
	case !info.Mode().IsRegular():
		return content{bad: true, err: errors.New("it is no regular file")}
	case info.Size() > maxKeyFile:
		return content{bad: true, err: errors.New("it is too large for a key")}
	}
	data, err := io.ReadAll(io.LimitReader(file, maxKeyFile))
	if err != nil {
		return content{err: errors.New("it can't be read")}
	}
	key, err := dkim.ParseKey(data)
	if err != nil {
		return content{bad: true, err: err}
	}
	f.warn(info.Mode())
	return content{key: key}
}

// warn tells of a key that others can read, once.
func (f *keyFile) warn(mode fs.FileMode) {
	if mode.Perm()&0o007 != 0 && mode != f.warned {
		f.log.Warn("other users of this machine can read a signing key", "file", f.path, "mode", fmt.Sprintf("%04o", mode.Perm()), "expected", "0600 or 0640")
	}
	f.warned = mode
}
