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
	seen := map[string]bool{}
	word := func(name, what string) {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			c.fail("%s: %s %q: not lower-case letters, digits and underscores", path, what, name)
		}
		if seen[name] {
			c.fail("%s: %s: declared twice", path, name)
		}
		seen[name] = true
	}
	if s.Name != "" && !sentence(s.Doc) && s.Key == "" {
		c.fail("%s: the documentation is no sentence: %q", path, s.Doc)
	}
	for i := range s.Options {
		word(s.Options[i].Name, "directive")
		c.option(&s.Options[i], path)
	}
	for _, o := range s.Options {
		for _, a := range o.Aliases {
			word(strings.ReplaceAll(a, " ", "_")+"_alias", "alias") // "add header" is no name
		}
	}
	for _, i := range s.Ignored {
		word(i.Name, "ignored")
	}
	for _, sub := range s.Sections {
		word(sub.Name, "section")
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
