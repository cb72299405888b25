// Package maps holds lists of networks, domains, addresses and texts that
// administrators keep in files.
//
// A file has one entry to a line. What stands behind a "#" at the beginning of a line
// or behind a blank is a comment. Behind the entry, and a blank, a number may stand:
// what the entry counts. An entry with blanks, or one that would otherwise have
// another meaning, stands in double quotes. What it can be depends on the kind of the
// list; in all but lists of networks it can be /REGEXP/FLAGS (package regexp; flags i,
// m, s) or a pattern with * and ?, too.
//
// A file is valid as a whole or not at all: one bad line must not go unnoticed, as a
// list that lets through or refuses half of what it should.
package maps

import (
	"net/netip"

	"rmilter/internal/mail"
	"rmilter/internal/match"
)

// A Kind says what a list has entries of.
type Kind byte

// The kinds of lists.
const (
	// Networks: 192.0.2.1, 192.0.2.0/24, 2001:db8::/32, also in brackets.
	Networks Kind = iota
	// Domains: example.com is that name alone, *.example.com all names below it,
	// .example.com both.
	Domains
	// Addresses: user@example.com, user@ at any domain, and @ before all that
	// Domains can have; <> is the sender of bounces.
	Addresses
	// Headers: "Name: entry of Texts", or "Name:" for any content.
	Headers
	// Texts: the whole text. Neither case nor the amount of white space counts.
	Texts
)

// String returns what an entry of the kind is.
func (k Kind) String() string {
	names := [...]string{"network", "domain", "address", "header", "text"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown kind"
}

// An Entry is one that was found in a list.
type Entry struct {
	Key    string  // as it would be written in the file
	Score  float64 // the number behind it
	Scored bool    // whether there is one
}

// A List holds the entries of some files. It never changes and is safe for concurrent
// use. The nil *List is empty.
type List struct {
	kind     Kind
	nets     networks
	keys     table
	patterns []pattern
	regexps  *match.Regexps      // of patterns
	fields   map[string]struct{} // the names of the header fields of Headers, lower case
}

// A pattern is an entry that is a regular expression or has wildcards.
type pattern struct {
	field string // lower-case name of the header field; "" in other kinds
	entry Entry
}

// Len returns the number of different entries.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return l.nets.len() + l.keys.n + len(l.patterns)
}

// Network looks up an address in a list of Networks: the smallest network counts.
func (l *List) Network(a netip.Addr) (Entry, bool) {
	if l == nil || !a.IsValid() {
		return Entry{}, false
	}
	return l.nets.find(a.Unmap().WithZone(""))
}

// Domain looks up a name, in lower-case A-labels, in a list of Domains: the name
// itself first, then those above it, then patterns.
func (l *List) Domain(name string) (Entry, bool) {
	if l == nil || name == "" {
		return Entry{}, false
	}
	if e, ok := l.below("", name); ok {
		return e, true
	}
	return l.match("", name)
}

// Address looks up an address in a list of Addresses: the address itself first, then
// without the extension that one of the characters of delimiter begins, then the
// domain, the local part, and patterns.
func (l *List) Address(a mail.Address, delimiter string) (Entry, bool) {
	if l == nil {
		return Entry{}, false
	}
	if a.IsNull() {
		return l.keys.find("<>")
	}
	bare := a
	bare.Local = a.Strip(delimiter)
	for _, x := range []mail.Address{a, bare} {
		if e, ok := l.keys.find(x.Key()); ok && x.Domain != "" {
			return e, true
		}
	}
	if a.Domain != "" {
		if e, ok := l.below("@", a.Domain); ok {
			return e, true
		}
	}
	for _, x := range []mail.Address{a, bare} {
		if e, ok := l.keys.find(mail.Address{Local: x.Local}.Key() + "@"); ok && x.Local != "" {
			return e, true
		}
	}
	return l.match("", a.Key())
}

// HasField tells whether a list of Headers has entries for a field.
func (l *List) HasField(name string) bool {
	if l == nil {
		return false
	}
	_, ok := l.fields[lower(name)]
	return ok
}

// Header looks up the decoded content of a header field in a list of Headers.
func (l *List) Header(name, text string) (Entry, bool) {
	if !l.HasField(name) {
		return Entry{}, false
	}
	name = lower(name)
	for _, key := range []string{name + ": " + plain(text), name + ":"} {
		if e, ok := l.keys.find(key); ok {
			return e, true
		}
	}
	return l.match(name, text)
}

// Text looks up a text in a list of Texts.
func (l *List) Text(text string) (Entry, bool) {
	if l == nil {
		return Entry{}, false
	}
	if e, ok := l.keys.find(plain(text)); ok {
		return e, true
	}
	return l.match("", text)
}

// below looks up a name, and the names above it that have a dot or "*." before them.
func (l *List) below(prefix, name string) (Entry, bool) {
	if l.keys.n == 0 {
		return Entry{}, false
	}
	var buf [maxLine]byte
	try := func(before, name string) (Entry, bool) {
		key := append(append(append(buf[:0], prefix...), before...), name...)
		return l.keys.findBytes(key)
	}
	if e, ok := try("", name); ok {
		return e, true
	}
	if e, ok := try(".", name); ok {
		return e, true
	}
	for i := range len(name) {
		if name[i] != '.' {
			continue
		}
		for _, before := range []string{".", "*."} {
			if e, ok := try(before, name[i+1:]); ok {
				return e, true
			}
		}
	}
	return Entry{}, false
}

// match looks for a pattern.
func (l *List) match(field, text string) (e Entry, ok bool) {
	if l.regexps == nil {
		return Entry{}, false
	}
	q := l.regexps.Search(match.NewBudget(match.MaxTime))
	defer q.Close()
	q.Text(text[:min(len(text), maxText)], func(i int) bool { return !ok && l.patterns[i].field == field }, func(i, _, _ int) {
		if !ok {
			e, ok = l.patterns[i].entry, true
		}
	})
	return e, ok
}

// maxText is how much of a text is compared with patterns, in bytes.
const maxText = 64 << 10
