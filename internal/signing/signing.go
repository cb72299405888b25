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
	// maxTold bounds of how many files of directories is told at once.
	maxTold = 20
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
	told  map[string]bool     // faults that the log has
}

// A block is a block of the configuration.
type block struct {
	domain   string // A-labels, or anyDomain; a part of the domain where the file is a directory
	selector string
	file     *keyFile
}

// New returns the Signing of a configuration and reads its keys: those that the blocks
// name, and those in their directories, of each as many as Check looks at. The error
// names every file of a block that holds no usable key. One in a directory that holds
// none, and one that isn't there or can't be read, is told in the log, and mail goes out
// without its signature until it can.
func New(c Config, env Env) (*Signing, error) {
	s := build(c, env, nil)
	if err := s.load(false); err != nil {
		return nil, err
	}
	return s, nil
}

// Test reads the keys of a configuration as Next does. The error is that of Next.
func Test(c Config, env Env) error { return build(c, env, nil).load(true) }

// Next returns the Signing of the configuration that comes after that of s. It goes on
// with the keys of the same files. Here the error names the files in directories, too,
// that hold no usable key; s is still good then.
func (s *Signing) Next(c Config) (*Signing, error) {
	known := map[string]*keyFile{}
	for _, f := range s.known() {
		known[f.path] = f
	}
	for _, b := range s.blocks {
		known[b.file.path] = b.file
	}
	next := build(c, s.env, known)
	if err := next.load(true); err != nil {
		return nil, err
	}
	return next, nil
}

// build makes a Signing without reading a file. Those that are known, by their paths,
// are taken over.
func build(c Config, env Env, known map[string]*keyFile) *Signing {
	s := &Signing{conf: c, env: env, files: map[string]*keyFile{}, told: map[string]bool{}}
	if !c.Enable {
		return s
	}
	paths := map[string]bool{}
	for _, d := range c.Domains {
		path := filepath.Clean(string(d.Key))
		paths[path] = true
		f := known[path]
		if f == nil {
			f = &keyFile{path: path, log: env.Log}
		}
		s.blocks = append(s.blocks, &block{d.name(), string(d.Selector), f})
	}
	for path, f := range known {
		if paths[filepath.Dir(path)] && len(s.files) < maxFiles {
			s.files[path] = f
		}
	}
	return s
}

// load reads the keys. The error names the files of blocks that hold none, and when
// strict those in directories, too. The log tells of the others that can't be used.
func (s *Signing) load(strict bool) error {
	now := s.env.Now()
	var faults, broken, unread []error
	seen := map[string]bool{}
	for _, b := range s.blocks {
		c := b.file.anew(now)
		seen[b.file.path] = true
		switch err := b.fault(c); {
		case err == nil:
		case c.bad:
			faults = append(faults, err)
		default:
			s.warn(err)
		}
	}
	for _, b := range s.blocks {
		if !b.file.current(now).dir {
			continue
		}
		for _, f := range s.filesOf(b) {
			if seen[f.path] {
				continue
			}
			seen[f.path] = true
			switch c := f.anew(now); {
			case c.missing(), c.err == nil:
			case c.bad && strict:
				broken = append(broken, f.fault(c))
			default:
				unread = append(unread, f.fault(c))
			}
		}
	}
	for _, err := range few(unread) {
		s.warn(err)
	}
	return errors.Join(append(faults, few(broken)...)...)
}

// warn tells the log of a key, unless it has been told.
func (s *Signing) warn(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text := err.Error(); !s.told[text] {
		s.told[text] = true
		s.env.Log.Warn("a signing key can't be used", "reason", text)
	}
}

// forget has the log be told again of all faults but these when they come back.
func (s *Signing) forget(but []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := map[string]bool{}
	for _, err := range but {
		told[err.Error()] = s.told[err.Error()]
	}
	s.told = told
}

// filesOf returns the files in the directory of a block that have names of keys.
func (s *Signing) filesOf(b *block) (files []*keyFile) {
	domains, _ := b.listed() // dkim_check tells what there is to say of an error
	for _, d := range domains {
		if f, ok := s.within(b.file.path, d, b.selector); ok {
			files = append(files, f)
		}
	}
	return files
}

// few returns the first of some errors, and that there are more.
func few(errs []error) []error {
	if more := len(errs) - maxTold; more > 0 {
		return append(errs[:maxTold:maxTold], fmt.Errorf("dkim: %d more keys can't be used", more))
	}
	return errs
}

// fault says why a block can't sign; c is what its file has.
func (b *block) fault(c content) error {
	switch {
	case c.missing():
		return fmt.Errorf("dkim: %s: there is no such file, so nothing is signed with selector %s", b.file.path, b.selector)
	case c.err != nil:
		return b.file.fault(c)
	case !c.dir && dkim.RecordName(b.domain, b.selector) == "": // * and parts of names
		return fmt.Errorf("dkim: %s: it is a file and signs nothing; expected a directory, or the domain of the key in place of %s", b.file.path, b.domain)
	}
	return nil
}

// Refresh looks at the files that may have changed. The error has one line for each
// that can't be used, and has it again as long as that is so, and the log has it once;
// the key before stays in use unless its file is gone.
func (s *Signing) Refresh() error {
	now := s.env.Now()
	var errs []error
	seen := map[string]bool{}
	for _, b := range s.blocks {
		seen[b.file.path] = true
		if err := b.fault(b.file.current(now)); err != nil {
			errs = append(errs, err)
		}
	}
	var within []error
	for _, f := range s.known() {
		switch c := f.current(now); {
		case c.err == nil && c.key != nil, seen[f.path]:
		case c.missing(), c.dir:
			s.mu.Lock()
			delete(s.files, f.path) // it is found again when a message asks for it
			s.mu.Unlock()
		default:
			within = append(within, f.fault(c))
		}
	}
	errs = append(errs, few(within)...)
	s.forget(errs)
	for _, err := range errs {
		s.warn(err)
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
	f = &keyFile{path: path, log: s.env.Log}
	if len(s.files) < maxFiles { // one too many is read whenever it is needed
		s.files[path] = f
	}
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
