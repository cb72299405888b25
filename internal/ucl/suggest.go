package ucl

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// hint returns what to say of a directive which a section does not know.
func (d *decoder) hint(dir *Directive, s *Section) string {
	name := dir.Name
	if other := s.Others[strings.ToLower(name)]; other != "" {
		return "; " + other
	}
	if home := d.home(dir, d.root, s); home != "" && dir.glued == "" {
		return "; it belongs " + home
	}
	if path, last, ok := strings.Cut(name, "."); ok {
		if e, _ := d.lookUp(s, path); e.section != nil {
			return "; expected " + path + " { " + quoteItem(last) + " = VALUE }"
		}
	}
	if _, last, ok := strings.Cut(name, " "); ok { // set max_size = 10M
		if _, known := d.lookUp(s, last); known {
			return "; did you mean " + last + "?"
		}
		if other := s.Others[strings.ToLower(last)]; other != "" {
			return "; " + other
		}
	}
	hint := suggest(name, s.known())
	for _, r := range name {
		if r >= utf8.RuneSelf && hint != "" {
			return hint + fmt.Sprintf(" (%q is %U)", r, r)
		}
	}
	return hint
}

// suggest returns `; did you mean NAME?` with the known name that is nearest to a
// word, "" when none is near.
func suggest(word string, known []string) string {
	const longest = 64
	if len(word) > longest {
		return ""
	}
	best, name := 1+max(1, min(3, len(word)/3)), ""
	folded := fold(word)
	for _, k := range known {
		if n := distance(folded, fold(k), best); n < best {
			best, name = n, k
		}
	}
	if name == "" {
		return ""
	}
	return "; did you mean " + name + "?"
}

// fold makes alike what people mix up: case, hyphens and blanks.
func fold(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(s), "-", "_"), " ", "_")
}

// distance returns how many letters must be inserted, deleted, changed or swapped
// with their neighbour to make b of a (optimal string alignment), or any number
// from limit on when there are so many.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
