package ucl

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Limits of one set of files.
const (
	maxFile     = 4 << 20  // bytes of one file
	maxTotal    = 16 << 20 // bytes of all files, counted as often as they are included
	maxFiles    = 1000     // files, counted likewise
	maxIncludes = 16       // files within files
	maxNodes    = 1 << 20  // directives and values
)

// A Loader reads a set of files into trees and collects what is wrong with them.
// The zero Loader is not usable: set FS to read files. It is not safe for
// concurrent use.
type Loader struct {
	// FS is the file system from its root: /etc/rmilter.conf is its
	// etc/rmilter.conf. Names are shown with the slash.
	FS fs.FS
	// Vars are the variables which $NAME and ${NAME} stand for. Other names stay as
	// they are.
	Vars map[string]string
	// Builtin are the texts of files that need not exist, by their base names.
	Builtin map[string]string
	// Raw are the names of sections at the top level whose content is skipped
	// unread, since it is in another language.
	Raw []string
	// Diagnostics are the remarks so far.
	Diagnostics Diagnostics

	files   []file
	total   int
	nodes   int
	entries int  // names of files that were compared with patterns
	work    int  // steps of all scanners
	order   int  // sources so far
	stopped bool // a limit of the whole set was passed
	sum     hash.Hash
	reading *scanner // of the file that is read at present, nil between the files
}

// A file is one that was read.
type file struct {
	name string
	info fs.FileInfo // nil for texts
}

func (f file) same(g file) bool {
	return f.name == g.name || f.info != nil && g.info != nil && os.SameFile(f.info, g.info)
}

// Read reads a file with those that it includes. What is wrong is told in
// l.Diagnostics; the block holds what could be read all the same.
func (l *Loader) Read(name string) *Block {
	b := &Block{}
	name = path.Clean(name)
	if err := l.readFile(b, name, nil, 0); err != nil {
		l.Diagnostics.Add(Fault, Pos{}, "%s: %s", name, reason(err))
	}
	return b
}

// ReadText reads a text as if it were a file of that name.
func (l *Loader) ReadText(name, text string) *Block {
	b := &Block{}
	l.parse(b, &source{name: name, text: text}, []file{{name: name}}, 0)
	return b
}

// Files returns the names of the files that were read, in order.
func (l *Loader) Files() []string {
	var names []string
	for _, f := range l.files {
		names = append(names, f.name)
	}
	return names
}

// WasRead tells whether a file was read already, by whatever name.
func (l *Loader) WasRead(name string) bool {
	f := file{name: path.Clean(name)}
	if info, err := fs.Stat(l.FS, fsName(f.name)); err == nil {
		f.info = info
	}
	return slices.ContainsFunc(l.files, f.same)
}

// Exists tells whether there is something of that name, readable or not.
func (l *Loader) Exists(name string) bool {
	_, err := fs.Stat(l.FS, fsName(path.Clean(name)))
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// fsName returns the name of a path within an fs.FS.
func fsName(name string) string {
	if name = strings.TrimPrefix(name, "/"); name == "" {
		return "."
	}
	return name
}

// readFile reads a file into b. An error is one of reading it; faults within it
// are told in l.Diagnostics.
func (l *Loader) readFile(b *Block, name string, stack []file, priority int) error {
	switch {
	case l.stopped:
		return nil
	case l.FS == nil:
		return fs.ErrNotExist
	}
	info, err := fs.Stat(l.FS, fsName(name))
	if err != nil {
		return err
	}
	f := file{name: name, info: info}
	switch {
	case slices.ContainsFunc(stack, f.same):
		return errors.New("it includes itself: " + chain(stack, f))
	case info.IsDir():
		return errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	}
	text, err := l.readText(name)
	if err != nil {
		return err
	}
	l.files = append(l.files, f)
	src := &source{name: name, text: text, mode: info.Mode().Perm()}
	l.parse(b, src, append(slices.Clip(stack), f), priority)
	return nil
}

func (l *Loader) readText(name string) (string, error) {
	r, err := l.FS.Open(fsName(name))
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxFile {
		return "", errors.New("it is larger than 4 MB")
	}
	return string(text), nil
}

// chain returns the files of an include loop for people.
func chain(stack []file, last file) string {
	var names []string
	for _, f := range stack {
		if len(names) > 0 || f.same(last) {
			names = append(names, f.name)
		}
	}
	return strings.Join(append(names, last.name), ", ")
}

// reason returns the text of an error of reading a file without the file's name.
func reason(err error) string {
	var pe *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	case errors.As(err, &pe):
		return pe.Err.Error()
	}
	return err.Error()
}

// parse parses a source into b.
func (l *Loader) parse(b *Block, src *source, stack []file, priority int) {
	l.order++
	src.order = l.order
	src.indexLines()
	fmt.Fprintf(l.hash(), "%d %s %d ", len(src.name), src.name, len(src.text))
	io.WriteString(l.hash(), src.text)
	p := &parser{scanner: newScanner(l, src), stack: stack, priority: priority}
	outer := l.reading
	defer func() { l.reading = outer }()
	if outer == nil { // otherwise a file that is too much is told where it is included
		l.reading = p.scanner
	}
	if l.grow(len(src.text)); l.stopped {
		return
	}
	l.reading = p.scanner
	switch what := otherwise(src.text); what {
	case "":
		p.body(b, -1)
	case notText:
		l.Diagnostics.place(Fault, p.pos(p.off), "the file %s", what)
	default:
		p.fault(p.off, "the file %s", what)
	}
}

// grow counts bytes of a file or of what a variable stands for against the limit of the
// set.
func (l *Loader) grow(n int) {
	if l.total += n; l.total > maxTotal || l.order > maxFiles {
		l.stop("the files are too large or too many together; expected at most 16 MB in 1000 files")
	}
}

// hash returns the running hash over what was read.
func (l *Loader) hash() hash.Hash {
	if l.sum == nil {
		l.sum = sha256.New()
	}
	return l.sum
}

// Sum returns 64 hexadecimal digits which are the same as long as the names and
// texts of all that was read are.
func (l *Loader) Sum() string { return hex.EncodeToString(l.hash().Sum(nil)) }

// count counts a directive or value against the limit of the set; it is false when
// that is passed, and the scanner then is at its end.
func (l *Loader) count(s *scanner) bool {
	if l.nodes++; l.nodes > maxNodes {
		l.stop("too many values; expected at most a million")
	}
	if l.stopped {
		s.off = len(s.text)
	}
	return !l.stopped
}

// stop ends all reading. No line is shown: a password in it may not be known as one yet.
func (l *Loader) stop(why string) {
	if !l.stopped {
		l.stopped = true
		l.Diagnostics.place(Fault, l.reading.pos(l.reading.off), "%s", why)
	}
}
