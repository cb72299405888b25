package maps

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"rmilter/internal/match"
)

// Bounds of one list.
const (
	maxFile     = 1 << 30 // bytes of one file
	maxPatterns = 10_000  // regular expressions and patterns
	maxFaults   = 20      // faults of one file that are told
)

// A Fault is one bad line.
type Fault struct {
	File string
	Line int   // the first is 1
	Err  error // what is wrong
}

// Error returns FILE:LINE: TEXT.
func (f *Fault) Error() string { return fmt.Sprintf("%s:%d: %v", f.File, f.Line, f.Err) }

// Unwrap returns what is wrong.
func (f *Fault) Unwrap() error { return f.Err }

// A reading is a list that is being read.
type reading struct {
	list List
	res  []*match.Regexp
}

// file reads the entries of a file. An error is one of opening or reading it, or joins
// the Faults of its lines.
func (r *reading) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return &fs.PathError{Op: "read", Path: path, Err: errors.New("it is a directory")}
	case info.Size() > maxFile:
		return &fs.PathError{Op: "read", Path: path, Err: errors.New("it is larger than 1 GB")}
	}
	if r.list.kind != Networks && cap(r.list.keys.arena) == 0 {
		r.list.keys.arena = make([]byte, 0, info.Size()+info.Size()/16)
	}
	return r.text(path, io.LimitReader(f, maxFile))
}

// text reads the entries of a text as if it were a file of that name.
func (r *reading) text(name string, in io.Reader) error {
	return each(name, r.list.kind, in, func(_ int, _ []byte, l *line) error { return r.add(l) })
}

// lines calls fn with each line, as it stands with its end, and its number, until it
// returns false. Of a line that is far too long it comes in pieces, of which the first
// is too long still and the others have number 0.
func lines(in io.Reader, fn func(number int, raw []byte) bool) error {
	b := bufio.NewReaderSize(in, 64<<10)
	for number, begin := 1, true; ; {
		raw, err := b.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return err
		}
		n := 0
		if begin {
			n = number
			number++
		}
		if len(raw) > 0 && !fn(n, raw) || err == io.EOF {
			return nil
		}
		begin = err == nil
	}
}

// content returns a line without its end and without a byte order mark.
func content(number int, raw []byte) []byte {
	if number == 1 {
		raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
}

// each calls fn with each line, as it stands and understood. An error joins the Faults
// of the lines and those of fn.
func each(name string, k Kind, in io.Reader, fn func(number int, raw []byte, l *line) error) error {
	r := reader{kind: k}
	var errs []error
	err := lines(in, func(number int, raw []byte) bool {
		if number == 0 {
			return true
		}
		l, err := r.read(content(number, raw))
		if err == nil {
			err = fn(number, raw, l)
		}
		if err != nil {
			errs = append(errs, &Fault{name, number, err})
		}
		return len(errs) < maxFaults
	})
	if err != nil {
		errs = append(errs, &fs.PathError{Op: "read", Path: name, Err: err})
	}
	return errors.Join(errs...)
}

// add takes a line.
func (r *reading) add(l *line) error {
	switch {
	case l.blank:
		return nil
	case r.list.kind == Networks:
		r.list.nets.add(l.network, l.score, l.scored)
		return nil
	case l.field != "" && !r.list.HasField(l.field):
		if r.list.fields == nil {
			r.list.fields = map[string]struct{}{}
		}
		r.list.fields[strings.Clone(l.field)] = struct{}{}
	}
	if l.re == nil {
		if len(r.list.keys.arena) > maxArena {
			return errors.New("the list is too large")
		}
		r.list.keys.add(l.key, l.score, l.scored)
		return nil
	}
	if len(r.res) >= maxPatterns {
		return fmt.Errorf("there are too many patterns and regular expressions; expected at most %d", maxPatterns)
	}
	r.res = append(r.res, l.re)
	r.list.patterns = append(r.list.patterns, pattern{l.field, Entry{string(l.key), l.score, l.scored}})
	return nil
}

// finish ends the reading.
func (r *reading) finish() (*List, error) {
	if len(r.res) > 0 {
		var err error
		if r.list.regexps, err = match.NewRegexps(r.res); err != nil {
			return nil, err
		}
	}
	r.list.nets.seal()
	r.list.keys.seal()
	return &r.list, nil
}
