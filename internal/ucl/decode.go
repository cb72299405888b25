package ucl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Decode carries a tree over into the options of a section and of those within it.
// It goes on after a fault, so that all are told at once. It may be called several
// times with the trees of several files; call [Finish] after the last one.
func Decode(b *Block, s *Section, ds *Diagnostics) {
	if s.told == nil {
		s.told = map[place]bool{}
	}
	d := &decoder{root: s, ds: ds, words: map[*Section]map[string]entry{}, warned: map[*source]bool{}, unserved: map[place]*unserved{}, added: map[*Option][]*Directive{}}
	d.block(b, s, s.Name)
	for _, o := range d.lists {
		d.flush(o)
	}
	d.notices()
}

// Finish prepares the values of a section and of those within it for use, once all
// trees are decoded.
func Finish(s *Section) {
	s.walk(func(o *Option) {
		if f, ok := o.Value.(interface{ Finish() }); ok {
			f.Finish()
		}
	})
}

// walk calls fn for every option of the section, of those within it, and of the
// blocks that Decode found.
func (s *Section) walk(fn func(*Option)) {
	for i := range s.Options {
		fn(&s.Options[i])
	}
	for _, sub := range s.Sections {
		sub.walk(fn)
	}
	for _, sub := range s.blocks {
		sub.walk(fn)
	}
}

type decoder struct {
	root     *Section
	ds       *Diagnostics
	words    map[*Section]map[string]entry
	warned   map[*source]bool // files whose mode was complained about
	unserved map[place]*unserved
	order    []place                  // of unserved
	added    map[*Option][]*Directive // what adds to a list, until flush
	lists    []*Option                // the keys of added
	within   int                      // unserved sections around the present one: theirs is the only notice
}

// An entry is what a word means in a section; one field is set.
type entry struct {
	option  *Option
	section *Section
	ignored *Ignored
}

// A place is a section, or a block in it, which has something without effect.
type place struct{ section, block string }

// An unserved is the directives of a section which this version does not serve.
type unserved struct {
	pos   Pos
	names []string
}

// lookUp returns what a word means in a section.
func (d *decoder) lookUp(s *Section, word string) (entry, bool) {
	m := d.words[s]
	if m == nil {
		m = map[string]entry{}
		for i := range s.Ignored {
			m[s.Ignored[i].Name] = entry{ignored: &s.Ignored[i]}
		}
		for _, sub := range s.Sections {
			m[sub.Name] = entry{section: sub}
		}
		for i := range s.Options {
			o := &s.Options[i]
			for _, name := range append([]string{o.Name}, o.Aliases...) {
				m[name] = entry{option: o}
			}
		}
		d.words[s] = m
	}
	e, ok := m[word]
	return e, ok
}

// block decodes a block into a section. The path is the section's name for people.
func (d *decoder) block(b *Block, s *Section, path string) {
	if s.Opaque {
		return
	}
	if s.Unserved {
		d.within++
		defer func() { d.within-- }()
	}
	for _, dir := range b.Directives {
		e, ok := d.lookUp(s, dir.Name)
		switch {
		case !ok:
			d.unknown(dir, s, path)
		case e.ignored != nil:
			d.ignore(dir, e.ignored, path)
		case e.option != nil:
			d.option(dir, e.option, path)
		default:
			d.section(dir, e.section, path)
		}
	}
}

// ignore tells about a directive without effect.
func (d *decoder) ignore(dir *Directive, i *Ignored, path string) {
	if word, err := dir.Value.Word(); err == nil && slices.Contains(i.Same, strings.ToLower(word)) {
		return
	}
	if i.Note != "" {
		d.ds.Add(Warning, dir.Pos, "%s has no effect: %s", dir.Name, i.Note)
		return
	}
	at := place{section: path}
	if dir.Value.Kind == BlockKind {
		at.block = dir.Name
	}
	d.notServed(at, dir)
}

// notServed notes a directive for the notices.
func (d *decoder) notServed(at place, dir *Directive) {
	if d.within > 0 || at.block != "" && d.root.told[at] {
		return
	}
	u := d.unserved[at]
	if u == nil {
		u = &unserved{pos: dir.Pos}
		d.unserved[at] = u
		d.order = append(d.order, at)
	}
	if !slices.Contains(u.names, dir.Name) {
		u.names = append(u.names, dir.Name)
	}
}

// notices tells about what this version does not serve, once for each section.
func (d *decoder) notices() {
	for _, at := range d.order {
		if at.block != "" {
			d.root.told[at] = true
		}
		u := d.unserved[at]
		what := strings.Join(u.names, ", ")
		if at.block != "" {
			what = "section " + at.block
		}
		if at.section != "" {
			what += " in section " + at.section
		}
		d.ds.Add(Notice, u.pos, "%s: not served by this version", what)
	}
}

// option sets an option.
func (d *decoder) option(dir *Directive, o *Option, path string) {
	blocker, _ := o.Value.(interface{ IsBlock() bool })
	if len(dir.Keys) > 0 || dir.Value.Kind == BlockKind && (blocker == nil || !blocker.IsBlock()) {
		d.ds.Add(Fault, dir.Pos, "%s is a directive; expected %s = VALUE instead of a section", dir.Name, o.Name)
		return
	}
	if dir.Priority < o.priority && !dir.Add {
		return
	}
	add := dir.Add
	lister, _ := o.Value.(interface{ IsList() bool })
	if dir.Value.nothing && (lister == nil || !lister.IsList()) {
		d.ds.Add(Fault, dir.Pos, noValue, quoteFor(dir.Name))
		return
	}
	if add && (lister == nil || !lister.IsList()) {
		d.ds.Add(Fault, dir.Pos, "%s takes one value; expected = instead of +=", dir.Name)
		return
	}
	if n := len(o.set); n > 0 && !add && o.set[n-1].src == dir.Pos.src && dir.Priority == o.priority {
		add = o.Gather
		if !o.Gather {
			d.ds.Add(Warning, dir.Pos, "%s was set before in line %d; this line replaces that one", dir.Name, o.set[n-1].line)
		}
	}
	if add {
		if d.added[o] == nil {
			d.lists = append(d.lists, o)
		}
		d.added[o] = append(d.added[o], dir)
	} else {
		d.flush(o)
		err := o.Value.Set(dir.Value, false)
		if d.warnings(dir, dir.Value); err != nil {
			d.faults(dir, err)
			return
		}
		o.set = nil
	}
	if o.Unserved {
		d.notServed(place{section: path}, dir)
	}
	o.set = append(o.set, dir.Pos)
	o.priority = dir.Priority
	d.guard(dir, o)
}

// flush adds to a list what several directives add to it, all at once: a list is copied
// when it grows, so that values never share their memory.
func (d *decoder) flush(o *Option) {
	dirs := d.added[o]
	if len(dirs) == 0 {
		return
	}
	d.added[o] = dirs[:0]
	n := dirs[0].Value
	if len(dirs) > 1 {
		n = &Node{Kind: ListKind, Pos: n.Pos}
		for _, dir := range dirs {
			if dir.Value.Kind == ListKind && !dir.Value.Mirrored {
				n.Items = append(n.Items, dir.Value.Items...)
			} else {
				n.Items = append(n.Items, dir.Value)
			}
		}
	}
	err := o.Value.Set(n, true)
	for _, dir := range dirs {
		d.warnings(dir, dir.Value)
	}
	if err != nil {
		d.faults(dirs[0], err)
	}
}

// warnings tells what a Value noted about its node and those within it.
func (d *decoder) warnings(dir *Directive, n *Node) {
	for _, text := range n.warnings {
		d.ds.Add(Warning, n.Pos, "%s: %s", dir.Name, text)
	}
	n.warnings = nil
	for _, item := range n.Items {
		d.warnings(dir, item)
	}
}

// guard warns about a password in a file which everybody can read.
func (d *decoder) guard(dir *Directive, o *Option) {
	s, ok := o.Value.(interface{ isSecret() bool })
	src := dir.Pos.src
	if !ok || !s.isSecret() || src == nil || src.mode&0o004 == 0 || d.warned[src] {
		return
	}
	d.warned[src] = true
	d.ds.Add(Warning, dir.Pos, "%s stands in a file that everybody can read (mode %04o); expected 0640 or stricter", dir.Name, src.mode)
}

// faults tells the error of a Value, or each of several.
func (d *decoder) faults(dir *Directive, err error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range several.Unwrap() {
			d.faults(dir, err)
		}
		return
	}
	pos := dir.Value.Pos
	var ne *NodeError
	if errors.As(err, &ne) && ne.Pos.IsValid() {
		pos = ne.Pos
	}
	d.ds.Add(Fault, pos, "%s: %s", dir.Name, err)
}

// section decodes one or several blocks of a section.
func (d *decoder) section(dir *Directive, s *Section, path string) {
	blocks := []*Node{dir.Value}
	if dir.Value.Kind == ListKind && !dir.Value.nothing {
		blocks = dir.Value.Items
	}
	for _, n := range blocks {
		if n.Kind != BlockKind {
			d.ds.Add(Fault, n.Pos, "%s is a section; expected %s", dir.Name, s.form())
			return
		}
		switch {
		case s.Repeat != nil:
			d.repeated(dir, n.Block, s, path)
		case len(dir.Keys) > 0:
			d.ds.Add(Fault, dir.Pos, "section %s takes no name; expected %s", dir.Name, s.form())
		default:
			if s.Unserved {
				d.notServed(place{path, s.Name}, dir)
			}
			s.begins(dir)
			d.block(n.Block, s, s.Name)
		}
	}
}

// begins notes where a section stands.
func (s *Section) begins(dir *Directive) {
	if !s.pos.IsValid() {
		s.pos = dir.Pos
	}
}

// form returns how a section is written.
func (s *Section) form() string {
	switch {
	case s.Key == "":
		return s.Name + " { }"
	case len(s.Keys) > 0:
		return s.Name + " " + Quote(s.Keys[0]) + " { }"
	}
	return s.Name + " " + Quote(s.Key) + " { }"
}

// repeated decodes a block of a section with Repeat.
func (d *decoder) repeated(dir *Directive, b *Block, s *Section, path string) {
	key := ""
	switch len(dir.Keys) {
	case 0:
	case 1:
		key = dir.Keys[0]
	default:
		d.ds.Add(Fault, dir.Pos, "section %s has several names; expected %s", dir.Name, s.form())
		return
	}
	target := s.Repeat(key)
	switch {
	case target != nil:
		target.key = key
		if !target.listed {
			target.listed = true
			s.blocks = append(s.blocks, target)
		}
		name := s.Name
		if key != "" {
			name += " " + Quote(key)
		}
		if target.Unserved {
			d.notServed(place{path, name}, dir)
		}
		target.begins(dir)
		d.required(dir, b, target, name)
		d.block(b, target, name)
	case key != "" && len(s.Keys) == 0:
		d.ds.Add(Fault, dir.Pos, "section %s cannot be named %s; expected another name", s.Name, quoteFor(key))
	case key != "":
		hint := suggest(key, s.Keys)
		if hint == "" {
			hint = "; expected " + orList(s.Keys)
		}
		d.ds.Add(Fault, dir.Pos, "unknown %s %s%s", s.Name, quoteFor(key), hint)
	default:
		d.keysWithin(dir, b, s, path)
	}
}

// required tells which of the required options a block lacks.
func (d *decoder) required(dir *Directive, b *Block, s *Section, path string) {
	var missing []string
	for i := range s.Options {
		o := &s.Options[i]
		if o.Required && !slices.ContainsFunc(b.Directives, func(d *Directive) bool { return d.Name == o.Name || slices.Contains(o.Aliases, d.Name) }) {
			missing = append(missing, o.Name)
		}
	}
	if missing != nil {
		d.ds.Add(Fault, dir.Pos, "section %s is not complete; expected %s in it", path, wordList(missing, " and "))
	}
}

// keysWithin decodes `settings { vip { } }`, which means `settings "vip" { }`.
func (d *decoder) keysWithin(dir *Directive, b *Block, s *Section, path string) {
	for _, inner := range b.Directives {
		if inner.Value.Kind != BlockKind || len(inner.Keys) > 0 {
			d.ds.Add(Fault, dir.Pos, "section %s has no name; expected %s", dir.Name, s.form())
			return
		}
	}
	for _, inner := range b.Directives {
		d.repeated(&Directive{Name: dir.Name, Keys: []string{inner.Name}, Pos: inner.Pos, Value: inner.Value}, inner.Value.Block, s, path)
	}
}

// unknown tells about a word which a section does not know.
func (d *decoder) unknown(dir *Directive, s *Section, path string) {
	if d.ds.full(Fault) { // the search for a similar word is the costly part
		d.ds.count[Fault]++
		return
	}
	if secretName(dir.glued) {
		d.ds.Add(Fault, dir.Pos, behindSecret, dir.glued)
		return
	}
	kind := "directive"
	if dir.Value.Kind == BlockKind {
		kind = "section"
	}
	where := ""
	if path != "" {
		where = " in section " + path
	}
	hint := d.hint(dir, s)
	if dir.glued != "" {
		hint += fmt.Sprintf(`; expected ";" before it, or quotes around the value of %s`, dir.glued)
	}
	d.ds.Add(Fault, dir.Pos, "unknown %s %s%s%s", kind, quoteFor(dir.Name), where, hint)
}

// behindSecret is said of what may be a part of a password.
const behindSecret = "unexpected text behind %s; expected quotes around its value"

// known returns the names of a section, for suggestions.
func (s *Section) known() []string {
	var names []string
	for _, o := range s.Options {
		names = append(append(names, o.Name), o.Aliases...)
	}
	for _, sub := range s.Sections {
		names = append(names, sub.Name)
	}
	return names
}

// home returns where a directive is known, when that is not in the section but
// elsewhere; a block is known where there is such a section, and nothing else is.
func (d *decoder) home(dir *Directive, in, not *Section) string {
	e, _ := d.lookUp(in, dir.Name)
	if block := dir.Value.Kind == BlockKind; in != not && (e.section != nil && block || e.option != nil && !block) {
		if in == d.root {
			return "at the top level, outside of any section"
		}
		return "in section " + in.Name
	}
	for _, sub := range in.Sections {
		if home := d.home(dir, sub, not); home != "" {
			return home
		}
	}
	return ""
}
