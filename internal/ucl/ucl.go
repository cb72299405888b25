// Package ucl reads the configuration language of rmilter.conf: the old rmilter's
// grammar and rspamd's UCL in one.
//
// A [Loader] turns files into a tree of [Block], [Directive] and [Node], each with
// its position. A package that has options declares them as a [Section] of
// [Option] values, in the manner of package flag: the value of an option lives
// where the pointer in its Value points. [Decode] carries the tree over into the
// sections and collects every fault on the way.
//
// The package knows the language and the types of values. It knows no option.
//
// Where libucl, which reads rspamd's files, would do something else:
//
//   - a number with a suffix stays text until the type of its option reads it: a [Size]
//     counts in 1024, "m" in a [Duration] means minutes
//   - a repeated section merges with the earlier one unless its declaration says
//     otherwise; a repeated directive replaces the earlier one; libucl keeps both
//   - commas make a list without brackets, too; a semicolon within an array means that
//     its bracket is missing; nothing before the semicolon is an empty list
//   - += adds to a list
//   - brackets around a single IPv6 address belong to it
//   - {a, b} after an equals sign or in a list are mirrored servers
//   - a directive may follow another on one line, so `a = x b = 1` sets both
//   - several words before the sign or brace are one name with blanks, or a name and keys
//   - a quotation mark within a word is a fault
//   - a backslash outside of quotes is an ordinary character, as is one in double
//     quotes before a letter that makes no escape
//   - double quotes may go over several lines; names may stand in single quotes
//   - $$NAME stands for $NAME
//   - a comment may hold quotation marks, and /* within a word begins none
//   - lines may end in CRLF anywhere, and a file may begin with a byte order mark
//   - a name and its brace need no blank between them and may stand on two lines
//   - after a file in braces as a whole more may follow; it cannot be an array
package ucl

import (
	"fmt"
)

// A Section declares the directives of one block. It is built afresh for every
// load, since Decode writes through its pointers and notes where values came from.
// It is not safe for concurrent use.
type Section struct {
	// Name is the word before the block; "" is the top level of the file.
	Name string
	// Doc says in a sentence or two what the section is for.
	Doc string
	// Options are the directives of the section, in the order of the documentation.
	Options []Option
	// Sections are the blocks within this one.
	Sections []*Section
	// Key is the placeholder of the documentation for the name of a keyed block,
	// for example "NAME" in `settings "NAME" { }`; "" when the section has none.
	Key string
	// Keys are the known keys, for the documentation and for suggestions; nil when
	// any key is accepted.
	Keys []string
	// Repeat, when not nil, is called once for every block of this name with its
	// key ("" when it has none) and returns the declaration to read the block
	// with; nil refuses the key. Returning the same Section twice merges the
	// blocks. Options and Sections are not used when Repeat is set.
	Repeat func(key string) *Section
	// Ignored are directives and blocks which are accepted and have no effect.
	Ignored []Ignored
	// Others are words of other programs for what the section has, in lower case, with
	// what a fault about them says: "did you mean max_size?".
	Others map[string]string
	// Hidden tells that the section is another way to write what a section does that is
	// documented: neither the documentation nor a dump shows it.
	Hidden bool
	// Unserved tells that this version does not act on the section; one notice says
	// so. Its options are read and checked as any others.
	Unserved bool
	// Opaque tells that only the syntax of the content is checked. An opaque section
	// has neither Options nor Sections, and is Unserved.
	Opaque bool
	// Check, when not nil, finds what contradicts itself: see [Contradictions]. It
	// calls warn with the name of one of the section's Options, at which the warning
	// then stands, and with what was found; expected what.
	Check func(warn func(option, format string, args ...any))

	blocks []*Section     // what Repeat returned, in order and without duplicates
	key    string         // the key with which Repeat was called for it
	pos    Pos            // where its first block begins
	listed bool           // in the blocks of the section whose Repeat returned it
	told   map[place]bool // of the root: sections about which a notice was given
}

// An Option declares one directive.
type Option struct {
	// Name is rmilter.conf's word, lower case with underscores.
	Name string
	// Aliases are other words for it which old files use.
	Aliases []string
	// Value holds the default when declared and is set by Decode.
	Value Value
	// Doc says in one or two sentences what it does, with unit and range.
	Doc string
	// Example is what the example file shows, commented out, where that should
	// differ from the default. Optional.
	Example string
	// Default is what the documentation says of the default where that depends on
	// the machine, for example "the machine's name"; such an option needs an
	// Example, too. Optional.
	Default string
	// Restart tells that a change needs a restart of the daemon.
	Restart bool
	// Unserved tells that this version does not act on the option; a notice says so
	// when a file sets it.
	Unserved bool
	// Required tells that every block of the section must set it, for sections which
	// Repeat returns.
	Required bool
	// Gather tells that several directives of this name in one file add up, as
	// rspamd's do. Otherwise the last one counts.
	Gather bool

	set      []Pos // where the present value was set; empty for the default
	priority int   // of the include which set it
}

// Origin returns where the option's present value was set: one position, more
// when += or Gather added to it, none when it is the default.
func (o *Option) Origin() []Pos { return o.set }

// IsSet tells whether a file sets an option of the section. A name that is not declared
// is a mistake in the program.
func (s *Section) IsSet(option string) bool { return len(s.option(option).set) > 0 }

// FirstSet returns the name of the first option of the section that a file sets, ""
// when none does.
func (s *Section) FirstSet() string {
	for i := range s.Options {
		if len(s.Options[i].set) > 0 {
			return s.Options[i].Name
		}
	}
	return ""
}

// Blocks returns the sections that Repeat returned during Decode, in the order of
// their first appearance.
func (s *Section) Blocks() []*Section { return s.blocks }

// BlockKey returns the key with which this section was made by Repeat.
func (s *Section) BlockKey() string { return s.key }

// Words returns every word which the section knows, in the order of its declaration:
// options with their aliases, sections, and what is ignored.
func (s *Section) Words() []string {
	words := s.known()
	for _, i := range s.Ignored {
		words = append(words, i.Name)
	}
	return words
}

// Ignored names a directive or a block that is accepted without effect.
type Ignored struct {
	// Name is the word in the file.
	Name string
	// Note tells the administrator what to do, for the warning that follows the
	// word: "removed in rmilter 1.9; use greylisting". When it is empty, a single
	// notice for the whole section says that this version does not serve it.
	Note string
	// Same are the words, in lower case, that ask for what is so anyway: there is no
	// warning about them.
	Same []string
}

// A Value is the value of an option. The pointer types of this package implement
// it, and other packages' own enumerations may.
//
// A Value which accepts += also has the method IsList() bool and returns true, one
// which accepts a block IsBlock() bool.
// A Value with the method Finish() has it called once after all directives were
// read.
type Value interface {
	// Set reads the value from a node. With add it appends (+=); otherwise it
	// replaces what was there. An error says what was wrong and what was
	// expected; the position is added by Decode, or by Node.Errorf when it lies
	// within the node. After an error the value is as it was. What is only doubtful
	// it tells by Node.Warnf.
	Set(n *Node, add bool) error
	// String returns the value as it would be written in the file.
	String() string
}

// A Kind tells what a Node is.
type Kind byte

// The kinds of nodes.
const (
	TextKind  Kind = iota // a word, a quoted string or a heredoc
	ListKind              // a comma list or an array
	BlockKind             // a block in braces
)

// A Node is the value of a directive, or an item of a list.
type Node struct {
	// Kind tells which of the fields below are used.
	Kind Kind
	// Pos is where the node begins.
	Pos Pos
	// Text is the text of a TextKind, with escapes and variables resolved.
	Text string
	// Items are the items of a ListKind.
	Items []*Node
	// Mirrored tells that a ListKind stood in braces, as the mirrored servers {a, b}
	// of old files do.
	Mirrored bool
	// Block is the content of a BlockKind.
	Block *Block

	nothing  bool     // nothing stood before the semicolon: an empty list where one may be
	warnings []string // by Warnf, until Decode tells them
}

// TextNode returns a node for a text that stands in no file.
func TextNode(s string) *Node { return &Node{Text: s} }

// ListNode returns a node for a list of texts that stands in no file.
func ListNode(items ...string) *Node {
	n := &Node{Kind: ListKind}
	for _, s := range items {
		n.Items = append(n.Items, TextNode(s))
	}
	return n
}

// Word returns the text of a node which must be a single text. A list of one text
// is accepted, too.
func (n *Node) Word() (string, error) {
	switch {
	case n.Kind == TextKind:
		return n.Text, nil
	case n.Kind == ListKind && len(n.Items) == 1:
		return n.Items[0].Word()
	case n.Kind == ListKind && len(n.Items) == 0:
		return "", n.Errorf("an empty list; expected one value")
	case n.Kind == ListKind && len(n.Items) == 2 && fraction(n.Items[0].Text, n.Items[1].Text):
		return "", n.Errorf("a list of 2 values; expected one value (a fraction has a point, as in %s.%.20s)", n.Items[0].Text, n.Items[1].Text)
	case n.Kind == ListKind:
		return "", n.Errorf("a list of %d values; expected one value (a text with commas needs quotes)", len(n.Items))
	}
	return "", n.Errorf("a block; expected one value")
}

// Texts returns the texts of a node which must be a text or a list of texts, each
// as a node with its position.
func (n *Node) Texts() ([]*Node, error) {
	switch n.Kind {
	case TextKind:
		return []*Node{n}, nil
	case BlockKind:
		return nil, n.Errorf("a block; expected a list of values")
	}
	for _, item := range n.Items {
		if item.Kind != TextKind {
			return nil, item.Errorf("a %s within a list; expected a list of values", item.Kind)
		}
	}
	return n.Items, nil
}

// String returns "text", "list" or "block".
func (k Kind) String() string {
	switch k {
	case ListKind:
		return "list"
	case BlockKind:
		return "block"
	}
	return "text"
}

// Errorf returns an error at the position of the node. Its text should read
// "what was found; expected what".
func (n *Node) Errorf(format string, args ...any) error {
	return &NodeError{Pos: n.Pos, Text: fmt.Sprintf(format, args...)}
}

// Warnf notes a warning about the node, which Decode tells at its position. Its text
// should read "what was found; expected what".
func (n *Node) Warnf(format string, args ...any) {
	n.warnings = append(n.warnings, fmt.Sprintf(format, args...))
}

// A NodeError is an error with the position of the node that it is about. A Value
// may return several, joined by errors.Join.
type NodeError struct {
	Pos  Pos    // the zero Pos stands for the directive's value
	Text string // what was found; expected what
}

// Error returns the text without the position.
func (e *NodeError) Error() string { return e.Text }

// A Block is the content of a file or of a section.
type Block struct {
	// Directives are in the order of the file, those of included files in the
	// place of the include.
	Directives []*Directive
	// Includes are the paths of .include and .try_include in this block, as
	// written but with variables resolved, whether or not such a file was there.
	Includes []string
}

// A Directive is one `name = value` or `name "key" { }`.
type Directive struct {
	// Name is the word as written.
	Name string
	// Keys are the words between the name and the block.
	Keys []string
	// Pos is where the name begins.
	Pos Pos
	// Add tells that it was written with +=.
	Add bool
	// Value is never nil.
	Value *Node
	// Priority is that of the include which it came by; 0 is the normal one. A
	// lower one does not replace what a higher one has set.
	Priority int

	glued string // name of the directive before it on the same line, when no ";" stood between
}
