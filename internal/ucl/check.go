package ucl

import (
	"errors"
	"fmt"
	"strings"
)

// Check tells what is wrong with a declaration: for tests. It needs one that was
// never decoded into, and sets its values.
func Check(s *Section) error {
	c := checker{}
	c.section(s, "top level")
	return errors.Join(c.errs...)
}

type checker struct{ errs []error }

func (c *checker) fail(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

func (c *checker) section(s *Section, path string) {
	if s.Name != "" && !sentence(s.Doc) && s.Key == "" {
		c.fail("%s: the documentation is no sentence: %q", path, s.Doc)
	}
	if s.Opaque && (!s.Unserved || len(s.Words()) > 0) {
		c.fail("%s: an opaque section is unserved and declares nothing", path)
	}
	c.words(s, path)
	for i := range s.Options {
		c.option(&s.Options[i], path)
	}
	for _, sub := range s.Sections {
		c.section(sub, "section "+sub.Name)
	}
	if s.Repeat == nil {
		return
	}
	if !sentence(s.Doc) || s.Key == "" {
		c.fail("%s: a section with Repeat needs Doc and Key", path)
	}
	keys := s.Keys
	if keys == nil {
		keys = []string{s.Key}
	}
	for _, key := range keys {
		target := s.Repeat(key)
		if target == nil {
			c.fail("%s: refuses its own key %q", path, key)
			continue
		}
		c.section(target, path+" "+Quote(key))
	}
}

// words checks that names are well-formed and that none has two meanings.
func (c *checker) words(s *Section, path string) {
	seen := map[string]bool{}
	for _, w := range s.Words() {
		if seen[w] {
			c.fail("%s: %s is declared twice", path, w)
		}
		seen[w] = true
	}
	for _, o := range s.Options {
		for _, a := range o.Aliases {
			delete(seen, a) // old words may look as they like
		}
	}
	for _, w := range s.Words() {
		if !seen[w] {
			continue
		}
		if w == "" || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			c.fail("%s: %q is not lower-case letters, digits and underscores", path, w)
		}
	}
}

// sentence tells whether a text begins and ends as one does.
func sentence(doc string) bool {
	return len(doc) > 3 && doc[len(doc)-1] == '.' && strings.TrimSpace(doc) == doc && !strings.Contains(doc, "\n")
}

// option checks that the option is documented, and that its default and its example
// are read as they are written.
func (c *checker) option(o *Option, path string) {
	path += ", " + o.Name
	if !sentence(o.Doc) {
		c.fail("%s: the documentation is no sentence: %q", path, o.Doc)
	}
	if o.Default != "" && o.Example == "" {
		c.fail("%s: a default in words needs an example", path)
	}
	if o.Required { // its default is no value
		c.reread(o, path, "example", o.Example)
		return
	}
	before := o.Value.String()
	c.reread(o, path, "default", before)
	if o.Example != "" {
		c.reread(o, path, "example", o.Example)
		c.reread(o, path, "default", before)
	}
	if got := o.Value.String(); got != before {
		c.fail("%s: the default %s is read as %s", path, before, got)
	}
}

func (c *checker) reread(o *Option, path, what, text string) {
	l := &Loader{}
	b := l.ReadText("default", "x = "+text+";")
	if err := l.Diagnostics.Err(); err != nil || len(b.Directives) != 1 {
		c.fail("%s: the %s %s is no value: %v", path, what, text, err)
		return
	}
	if err := o.Value.Set(b.Directives[0].Value, false); err != nil {
		c.fail("%s: the %s %s is refused: %v", path, what, text, err)
	}
}
