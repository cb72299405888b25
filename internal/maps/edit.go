package maps

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Errors of editing.
var (
	// ErrThere is the error of Add for an entry that the file has already.
	ErrThere = errors.New("it is there already")
	// ErrNotThere is the error of Delete for an entry that the file doesn't have.
	ErrNotThere = errors.New("it is not there")
)

// A Line is an entry as a file has it.
type Line struct {
	Number  int     // of the line; the first is 1
	Key     string  // the entry, in the form in which Add returns it
	Score   float64 // the number behind it
	Scored  bool    // whether there is one
	Comment string  // what stands behind the "#"
}

// Show returns the entries of a file in order; none when there is no file. An error
// joins the Faults of its lines.
func Show(path string, k Kind) ([]Line, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []Line
	err = each(path, k, f, func(number int, _ []byte, l *line) error {
		if !l.blank {
			all = append(all, Line{number, l.name(), l.score, l.scored, l.comment})
		}
		return nil
	})
	return all, err
}

// name returns the entry as it is looked up, in the form of a file: it tells the entry
// from all others.
func (l *line) name() string {
	switch {
	case l.network.IsValid():
		return networkKey(l.network)
	case l.re != nil:
		return string(l.key)
	}
	text, before := string(l.key), ""
	if l.field != "" {
		before, text = text[:len(l.field)+1], strings.TrimPrefix(text[len(l.field)+1:], " ")
	}
	if needsQuotes(text) {
		text = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	return strings.TrimSpace(before + " " + text)
}

// needsQuotes tells whether a text would mean something else without quotes.
func needsQuotes(s string) bool {
	return s != "" && (strings.IndexByte(`"/#`, s[0]) >= 0 || strings.ContainsAny(s, " \t") || bytes.ContainsAny(wildcards([]byte(s)), "*?"))
}

// Add appends an entry to a file, with a comment unless that is empty. The file is made
// when there is none, and replaced as a whole, so that nobody sees half of it; its
// owner and mode stay. It returns the entry in the form that tells it from all others:
// in lower case, domains as A-labels, networks masked. The error wraps ErrThere when the
// file has it; other faults of the file keep it from being changed, too.
func Add(path string, k Kind, entry, comment string) (key string, err error) {
	l, err := parseEntry(k, entry)
	if err != nil {
		return "", err
	}
	key = l.name()
	text := strings.TrimSpace(entry)
	if k != Headers && k != Texts && l.re == nil {
		text = key
		if l.scored {
			text += " " + strconv.FormatFloat(l.score, 'g', -1, 64)
		}
	}
	if comment = strings.TrimSpace(comment); comment != "" {
		text += " # " + comment
	}
	if _, err := (&reader{kind: k}).read([]byte(text)); err != nil {
		return "", fmt.Errorf("the comment: %w", err)
	}
	return key, edit(path, func(old io.Reader, w *bufio.Writer) error {
		ended := true
		err := each(path, k, old, func(number int, raw []byte, l *line) error {
			if !l.blank && l.name() == key {
				return fmt.Errorf("%s: %w", key, ErrThere)
			}
			ended = raw[len(raw)-1] == '\n'
			_, err := w.Write(raw)
			return err
		})
		if err != nil {
			return err
		}
		if !ended {
			w.WriteByte('\n')
		}
		w.WriteString(text + "\n")
		return nil
	})
}

// Delete takes an entry out of a file, however it is written there, with its comment.
// It returns the entry as Add does. Bad lines stay as they are; faults joins a Fault for
// each. The error wraps ErrNotThere when the file doesn't have the entry.
func Delete(path string, k Kind, entry string) (key string, faults, err error) {
	wanted, err := parseEntry(k, entry)
	if err != nil {
		return "", nil, err
	}
	key = wanted.name()
	var bad []error
	err = edit(path, func(old io.Reader, w *bufio.Writer) error {
		r, found := reader{kind: k}, false
		err := lines(old, func(number int, raw []byte) bool {
			if number > 0 {
				l, err := r.read(content(number, raw))
				switch {
				case err == nil && !l.blank && l.name() == key:
					found = true
					return true
				case err != nil && len(bad) < maxFaults:
					bad = append(bad, &Fault{path, number, err})
				}
			}
			w.Write(raw) // edit sees to errors
			return true
		})
		switch {
		case err != nil:
			return &fs.PathError{Op: "read", Path: path, Err: err}
		case !found:
			return fmt.Errorf("%s: %w", key, ErrNotThere)
		}
		return nil
	})
	return key, errors.Join(bad...), err
}

// parseEntry reads an entry without number and comment.
func parseEntry(k Kind, entry string) (*line, error) {
	l, err := (&reader{kind: k}).read([]byte(entry))
	switch {
	case err != nil:
		return nil, err
	case l.blank:
		return nil, fmt.Errorf("no entry; expected one of kind %s", k)
	case l.comment != "":
		return nil, fmt.Errorf("%.60q holds a comment; an entry with # needs quotes", entry)
	}
	return l, nil
}

// edit replaces a file by what change makes of it. Others that edit files of the same
// folder wait.
func edit(path string, change func(old io.Reader, w *bufio.Writer) error) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	dir, err := openDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close() // unlocks
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return &fs.PathError{Op: "lock", Path: dir.Name(), Err: err}
	}
	like, old, err := original(path, dir)
	if err != nil {
		return err
	}
	defer old.Close()
	f, err := os.CreateTemp(dir.Name(), ".list-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // when it hasn't become the file
	defer f.Close()
	w := bufio.NewWriter(f)
	if err := change(old, w); err != nil {
		return err
	}
	if err := errors.Join(w.Flush(), dress(f, like), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return dir.Sync()
}

// openDir opens a folder. One that isn't there is made, for the owner of the one that
// it is in.
func openDir(path string) (*os.File, error) {
	d, err := os.Open(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	above, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if d, err = os.Open(path); err != nil {
		return nil, err
	}
	if err := give(d, above); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// original opens the file that is edited. like is whose owner and mode the new one
// gets: those of the file, or of the folder when there is no file.
func original(path string, dir *os.File) (like fs.FileInfo, old io.ReadCloser, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		like, err = dir.Stat()
		return like, io.NopCloser(strings.NewReader("")), err
	} else if err != nil {
		return nil, nil, err
	}
	if like, err = f.Stat(); err != nil {
		f.Close()
		return nil, nil, err
	}
	return like, f, nil
}

// dress gives a new file the owner and the mode of another. Of a folder it takes the
// owner alone.
func dress(f *os.File, like fs.FileInfo) error {
	mode := like.Mode().Perm()
	if like.IsDir() {
		mode = 0o640
	}
	return errors.Join(give(f, like), f.Chmod(mode))
}

// give gives a file the owner of another. Only root can, and only root has to.
func give(f *os.File, like fs.FileInfo) error {
	s, ok := like.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(int(s.Uid), int(s.Gid))
}
