// Package signing chooses the keys that sign a message of ours.
//
// A [Signing] holds the keys of the section dkim { }. When the header of a message is
// complete, Choose says which of them sign, or in one word why none does; Begin opens a
// [dkim.Signer] with them, which takes the body as it comes and signs the header as it
// is after the last edit.
//
// Mail of strangers is never signed, whatever address it bears.
package signing

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"rmilter/dkim"
)

const (
	// maxFiles bounds how many files of directories are kept in memory.
	maxFiles = 10_000
	// maxLevels bounds in how many domains above an author's a key is looked for.
	maxLevels = 8
	// maxName is how long a file name may be in bytes.
	maxName = 255
)

// Env is what a Signing uses of the process that it runs in. All fields must be set.
type Env struct {
	Now func() time.Time // the clock
	Log *slog.Logger     // what an administrator has to know
}

// A Signing holds the keys. It may be used from many goroutines.
type Signing struct {
	conf   Config
	env    Env
	blocks []*block

	mu    sync.Mutex
	files map[string]*keyFile // of directories, by path
}

// A block is a block of the configuration.
type block struct {
	domain   string // A-labels, or anyDomain; a part of the domain where the file is a directory
	selector string
	file     *keyFile
}

// New returns the Signing of a configuration and reads its keys. The error names every
// file that holds no usable key. One that isn't there or can't be read is told in the
// log, and mail goes out without its signature until it can.
func New(c Config, env Env) (*Signing, error) {
	s := build(c, env)
	var errs []error
	now := env.Now()
	for _, b := range s.blocks {
		c := b.file.current(now)
		switch err := b.fault(c); {
		case err == nil:
		case c.bad:
			errs = append(errs, err)
		default:
			env.Log.Warn("a signing key can't be used", "reason", err.Error())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// build makes a Signing without reading a file.
func build(c Config, env Env) *Signing {
	s := &Signing{conf: c, env: env, files: map[string]*keyFile{}}
	for _, d := range c.Domains {
		if !c.Enable {
			break
		}
		s.blocks = append(s.blocks, &block{d.name(), string(d.Selector), &keyFile{path: filepath.Clean(string(d.Key)), log: env.Log}})
	}
	return s
}

// fault says why a block can't sign; c is what its file has.
func (b *block) fault(c content) error {
	switch {
	case c.err != nil && c.key != nil:
		return fmt.Errorf("dkim: %s: %w; the key before stays in use", b.file.path, c.err)
	case c.missing():
		return fmt.Errorf("dkim: %s: there is no such file, so nothing is signed with selector %s", b.file.path, b.selector)
	case c.err != nil:
		return fmt.Errorf("dkim: %s: %w", b.file.path, c.err)
	case !c.dir && b.domain == anyDomain:
		return fmt.Errorf("dkim: %s: it is a file and signs nothing; expected a directory, or the domain of the key in place of *", b.file.path)
	}
	return nil
}

// Refresh looks at the files that may have changed. The error has one line for each
// that can't be used, and has it again as long as that is so; the key before stays in
// use unless its file is gone.
func (s *Signing) Refresh() error {
	now := s.env.Now()
	var errs []error
	for _, b := range s.blocks {
		errs = append(errs, b.fault(b.file.current(now)))
	}
	for _, f := range s.known() {
		switch c := f.current(now); {
		case c.err == nil && c.key != nil:
		case c.missing(), c.dir:
			s.mu.Lock()
			delete(s.files, f.path) // it is found again when a message asks for it
			s.mu.Unlock()
		case c.key != nil:
			errs = append(errs, fmt.Errorf("dkim: %s: %w; the key before stays in use", f.path, c.err))
		default:
			errs = append(errs, fmt.Errorf("dkim: %s: %w", f.path, c.err))
		}
	}
	return errors.Join(errs...)
}

// known returns the files of directories that are in memory, in the order of their
// paths.
func (s *Signing) known() []*keyFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedFiles(s.files)
}

// within returns the file of a directory where the key of a domain would be. The domain
// and the selector are names in the DNS. ok is false when no file can have that name.
func (s *Signing) within(dir, domain, selector string) (f *keyFile, ok bool) {
	name := domain + "." + selector + keySuffix
	if len(name) > maxName {
		return nil, false
	}
	path := filepath.Join(dir, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.files[path]; f != nil {
		return f, true
	}
	if len(s.files) >= maxFiles {
		for other := range s.files { // any: its key is read again when it is needed
			delete(s.files, other)
			break
		}
	}
	f = &keyFile{path: path, log: s.env.Log}
	s.files[path] = f
	return f, true
}

// keys returns the keys of a domain alone. absent tells that there should be one, which
// can't be used.
func (s *Signing) keys(domain string, now time.Time) (keys []dkim.SigningKey, absent bool) {
	seen := map[string]bool{} // selectors
	for _, b := range s.blocks {
		if seen[b.selector] || dkim.RecordName(domain, b.selector) == "" {
			continue
		}
		c := b.file.current(now)
		switch {
		case c.dir && (b.domain == anyDomain || strings.Contains(domain, b.domain)):
			f, ok := s.within(b.file.path, domain, b.selector)
			if !ok {
				continue
			}
			c = f.current(now)
			if c.missing() && b.domain != domain {
				continue
			}
		case c.dir, b.domain != domain:
			continue
		}
		if c.key == nil {
			absent = true
			continue
		}
		seen[b.selector] = true
		keys = append(keys, dkim.SigningKey{Domain: domain, Selector: b.selector, Key: c.key})
	}
	return keys, absent
}

// keysAbove returns the keys of a domain, or of the next one above it that has some.
func (s *Signing) keysAbove(domain string) (keys []dkim.SigningKey, absent bool) {
	now := s.env.Now()
	keys, absent = s.keys(domain, now)
	for len(keys) == 0 {
		if _, domain, _ = strings.Cut(domain, "."); !strings.Contains(domain, ".") {
			return nil, absent
		}
		if strings.Count(domain, ".") < maxLevels {
			var missed bool
			keys, missed = s.keys(domain, now)
			absent = absent || missed
		}
	}
	return keys, absent
}

// Begin opens a Signer with the keys of a choice. Without any it returns nil.
func (s *Signing) Begin(c Choice) (*dkim.Signer, error) {
	if len(c.Keys) == 0 {
		return nil, nil
	}
	return dkim.NewSigner(c.Keys, dkim.SignOptions{
		Now:         s.env.Now(),
		HeaderCanon: s.conf.HeaderCanon.canon(),
		BodyCanon:   s.conf.BodyCanon.canon(),
	})
}

// canon returns the canonicalization as package dkim has it.
func (c Canon) canon() dkim.Canon {
	if c == Simple {
		return dkim.Simple
	}
	return dkim.Relaxed
}
