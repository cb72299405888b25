package ucl

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Limits of the patterns of one set of files.
const (
	maxPath    = 4096   // bytes of a path
	maxEntries = 10_000 // names of files that are compared with patterns
)

var errEntries = fmt.Errorf("there are too many files; expected patterns that look at no more than %d", maxEntries)

// Glob returns the names of the files that match a pattern, in alphabetical order,
// without hidden ones unless the pattern asks for them. What goes wrong is told in
// l.Diagnostics.
func (l *Loader) Glob(pattern string) []string {
	names, err := l.glob(pattern)
	if err != nil {
		l.Diagnostics.Add(Fault, Pos{}, "cannot read %s: %s", quoteFor(pattern), reason(err))
	}
	return names
}

// glob is Glob with an error for a directory that cannot be read. What cannot be read
// below a directory that only a pattern names is no error.
func (l *Loader) glob(pattern string) ([]string, error) {
	if l.FS == nil {
		return nil, nil
	}
	found := []string{"/"}
	sure := true // there is no pattern so far
	for word := range strings.SplitSeq(strings.TrimPrefix(path.Clean(pattern), "/"), "/") {
		if !isPattern(word) {
			for i := range found {
				found[i] = path.Join(found[i], word)
			}
			continue
		}
		var next []string
		for _, dir := range found {
			names, err := l.matches(dir, word)
			if err != nil && (sure || err == errEntries) {
				return nil, err
			}
			next = append(next, names...)
		}
		found, sure = next, false
	}
	if !isPattern(path.Base(pattern)) { // otherwise the directories have the names, if only of links to nowhere
		found = slices.DeleteFunc(found, func(name string) bool { return !l.Exists(name) })
	}
	slices.Sort(found)
	return found, nil
}

// isPattern tells whether a word of a path is a pattern.
func isPattern(word string) bool { return strings.ContainsAny(word, "*?[") }

// matches returns the paths of the files in a directory whose names match a pattern.
func (l *Loader) matches(dir, pattern string) ([]string, error) {
	f, err := l.FS.Open(fsName(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, errors.New("it is not a directory")
	}
	var names []string
	for {
		entries, err := d.ReadDir(256)
		for _, e := range entries {
			if l.entries++; l.entries > maxEntries {
				return nil, errEntries
			}
			hidden := strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(pattern, ".")
			if ok, _ := path.Match(pattern, e.Name()); ok && !hidden {
				names = append(names, path.Join(dir, e.Name()))
			}
		}
		switch {
		case err == io.EOF:
			return names, nil
		case err != nil:
			return nil, err
		}
	}
}
