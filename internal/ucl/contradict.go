package ucl

import (
	"fmt"
	"slices"
)

// Contradictions calls the Check of a section and of those within it, once all trees
// are decoded and finished, and adds what they find as warnings.
func Contradictions(s *Section, ds *Diagnostics) {
	if s.Check != nil {
		s.Check(func(option, format string, args ...any) {
			ds.Add(Warning, s.origin(option), "%s: %s", option, fmt.Sprintf(format, args...))
		})
	}
	for _, sub := range append(slices.Clip(s.Sections), s.blocks...) {
		Contradictions(sub, ds)
	}
}

// origin returns where an option of the section was set last. For one that has its
// default it is where the section begins, the zero Pos when no file has it.
func (s *Section) origin(option string) Pos {
	if set := s.option(option).set; len(set) > 0 {
		return set[len(set)-1]
	}
	return s.pos
}

// option returns an option of the section. A name that is not declared is a mistake in
// the program.
func (s *Section) option(name string) *Option {
	for i := range s.Options {
		if s.Options[i].Name == name {
			return &s.Options[i]
		}
	}
	panic(fmt.Sprintf("ucl: section %q has no option %s", s.Name, name))
}
