package config

import "rmilter/internal/ucl"

// An Entry is one option as the reference lists it.
type Entry struct {
	Path    string // sections and name as in the file, for example `worker "controller" password`
	Default string // as in the reference; "none" for an empty one
	Restart bool   // a change needs a restart of the daemon
}

// Entries returns every option that the reference lists, in its order. Keyed sections
// have their placeholder in place of the key, as in `settings "NAME" rcpt`.
func Entries() []Entry {
	var list []Entry
	var walk func(s *ucl.Section, prefix string)
	walk = func(s *ucl.Section, prefix string) {
		for i := range s.Options {
			o := &s.Options[i]
			if !o.Unserved {
				list = append(list, Entry{Path: prefix + o.Name, Default: byDefault(o), Restart: o.Restart})
			}
		}
		for _, sub := range s.Sections {
			if sub.Unserved {
				continue
			}
			for _, t := range templates(sub) {
				walk(t.section, prefix+t.title+" ")
			}
		}
	}
	walk(Default().top, "")
	return list
}
