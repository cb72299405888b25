package config

import (
	"fmt"
	"slices"
	"strings"

	"rmilter/internal/ucl"
)

// DefaultPath is the main file unless the command line names another.
const DefaultPath = "/etc/rmilter.conf"

// A Value is an option with the value in force, for programs.
type Value struct {
	Path     string   `json:"path"`     // sections and name as in the file, for example `worker "controller" password`
	Value    string   `json:"value"`    // as the file would have it; a password as asterisks
	Origin   []string `json:"origin"`   // FILE:LINE of what set it; empty for the default
	Restart  bool     `json:"restart"`  // a change needs a restart of the daemon
	Unserved bool     `json:"unserved"` // this version does not act on it
}

// Values returns the options that a selector names, in the order of the documentation:
// all for "", otherwise those of a section (`actions`, `worker "controller"`, without
// quotes too) or a single one (`actions reject`, `actions.reject`). An unknown selector
// is an error.
func (c *Config) Values(selector string) ([]Value, error) {
	chosen, err := c.choose(selector)
	if err != nil {
		return nil, err
	}
	list := []Value{}
	for _, e := range chosen {
		list = append(list, Value{e.path, e.option.Value.String(), places(e.option), e.option.Restart, e.unserved})
	}
	return list, nil
}

// choose returns the options that a selector names.
func (c *Config) choose(selector string) ([]element, error) {
	all := flatten(c.top)
	// A key may have dots: they divide words only where nothing has them.
	for _, text := range []string{selector, strings.ReplaceAll(selector, ".", " ")} {
		wanted := pathWords(text)
		var chosen []element
		for _, e := range all {
			if path := pathWords(e.path); len(path) >= len(wanted) && slices.Equal(path[:len(wanted)], wanted) {
				chosen = append(chosen, e)
			}
		}
		if len(chosen) > 0 {
			return chosen, nil
		}
		// A keyed section that nobody wrote has no options.
		if len(wanted) == 1 && slices.ContainsFunc(c.top.Sections, func(s *ucl.Section) bool { return s.Name == wanted[0] }) {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("no section or option %q%s", selector, elsewhere(all, selector))
}

// elsewhere names options whose last word is that of a selector.
func elsewhere(all []element, selector string) string {
	wanted := pathWords(strings.ReplaceAll(selector, ".", " "))
	if len(wanted) == 0 {
		return ""
	}
	var paths []string
	for _, e := range all {
		if e.option.Name == wanted[len(wanted)-1] && len(paths) < 3 {
			paths = append(paths, e.path)
		}
	}
	if paths == nil {
		return ""
	}
	return "; there is " + strings.Join(paths, ", ")
}

// pathWords cuts a path into its words; a word in quotes may hold blanks.
func pathWords(path string) []string {
	var words []string
	var word []byte
	begun, quoted := false, false
	end := func() {
		if begun {
			words = append(words, string(word))
		}
		word, begun = nil, false
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '"':
			begun, quoted = true, !quoted
		case c == '\\' && quoted && i+1 < len(path):
			i++
			word = append(word, path[i])
		case (c == ' ' || c == '\t') && !quoted:
			end()
		default:
			begun = true
			word = append(word, c)
		}
	}
	end()
	return words
}

// places returns FILE:LINE of what set an option, never nil.
func places(o *ucl.Option) []string {
	list := []string{}
	for _, pos := range o.Origin() {
		list = append(list, fmt.Sprintf("%s:%d", pos.File(), pos.Line()))
	}
	return list
}
