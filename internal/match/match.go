// Package match finds many literal texts in one pass.
//
// It is the prefilter of regular expressions: one that cannot match without a literal
// text needs to run only where that text was seen. The method is that of Aho and
// Corasick (Efficient string matching, 1975), as a table of all transitions over
// classes of bytes.
package match

import (
	"errors"
	"math/bits"
)

// maxTable bounds the table of transitions, in entries of four bytes.
const maxTable = 16 << 20

// ErrTooLarge is returned for literals whose table would take more than 64 MB: some
// hundred thousand bytes of them together.
var ErrTooLarge = errors.New("match: too many literals")

// hit marks a transition to a state at which literals end.
const hit = 1 << 31

// A Set is a set of literals. It never changes and is safe for concurrent use.
type Set struct {
	n     int        // literals
	class [256]uint8 // of each byte
	shift uint8      // log2 of the number of entries per state
	next  []uint32   // transitions: state<<shift | class of byte -> state, with hit
	ends  [][]int32  // literals that end at a state, without those of its suffixes
	link  []uint32   // the longest proper suffix of a state at which literals end; 0 for none
}

// New returns the set of some literals, which are told apart by their index. With
// fold, ASCII letters match without regard to case. An empty literal is in every
// text. An error is ErrTooLarge.
func New(literals []string, fold bool) (*Set, error) {
	s := &Set{n: len(literals)}
	classes := s.classify(literals, fold)
	s.shift = uint8(bits.Len(uint(classes - 1)))
	b := builder{Set: s, fail: []uint32{0}}
	b.grow()
	for i, text := range literals {
		if err := b.add(int32(i), text); err != nil {
			return nil, err
		}
	}
	b.connect()
	return s, nil
}

// classify gives every byte that stands in a literal a class of its own, and all
// others class 0. It returns the number of classes.
func (s *Set) classify(literals []string, fold bool) int {
	classes := 1
	for _, text := range literals {
		for i := range len(text) {
			c := text[i]
			if fold {
				c = lower(c)
			}
			// When all 256 bytes stand in literals, the last one takes class 0: there
			// are no others then.
			if s.class[c] == 0 && classes < 256 {
				s.class[c] = uint8(classes)
				classes++
				if up := c - 'a' + 'A'; fold && c >= 'a' && c <= 'z' {
					s.class[up] = s.class[c]
				}
			}
		}
	}
	return classes
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// A builder makes the table.
type builder struct {
	*Set
	fail []uint32 // the longest proper suffix of each state that is a state
}

// grow appends a state.
func (b *builder) grow() uint32 {
	id := uint32(len(b.ends))
	b.next = append(b.next, make([]uint32, 1<<b.shift)...)
	b.ends = append(b.ends, nil)
	b.link = append(b.link, 0)
	return id
}

// add appends a literal to the tree.
func (b *builder) add(id int32, text string) error {
	state := uint32(0)
	for i := range len(text) {
		at := state<<b.shift | uint32(b.class[text[i]])
		if b.next[at] == 0 {
			if len(b.next)+1<<b.shift > maxTable {
				return ErrTooLarge
			}
			child := b.grow() // moves b.next
			b.next[at] = child
			b.fail = append(b.fail, 0)
		}
		state = b.next[at]
	}
	b.ends[state] = append(b.ends[state], id)
	return nil
}

// connect turns the tree into the table, level by level: where a state has no child,
// it goes where its longest suffix goes.
func (b *builder) connect() {
	queue := []uint32{0}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		for c := range uint32(1) << b.shift {
			at := state<<b.shift | c
			child := b.next[at]
			if state == 0 {
				if child != 0 {
					queue = append(queue, child)
				}
				continue
			}
			onward := b.next[b.fail[state]<<b.shift|c] &^ hit
			if child == 0 {
				b.next[at] = onward
				continue
			}
			b.fail[child] = onward
			b.link[child] = onward
			if b.ends[onward] == nil {
				b.link[child] = b.link[onward]
			}
			queue = append(queue, child)
		}
	}
	for i, to := range b.next {
		if b.ends[to] != nil && to != 0 || b.link[to] != 0 {
			b.next[i] = to | hit
		}
	}
}

// Len returns the number of literals.
func (s *Set) Len() int { return s.n }

// Marks is the memory of Scan, for one goroutine at a time. The zero value is ready.
type Marks struct {
	now  uint32
	done []uint32 // by state: now when none of its literals and of its suffixes' is wanted any more
}

// begin forgets what was marked.
func (m *Marks) begin(states int) {
	if m.now++; m.now == 0 || len(m.done) < states {
		m.now, m.done = 1, make([]uint32, states)
	}
}

// Scan calls fn for the literals that stand in text, each with its index and the offset
// behind it, in the order of their ends. A literal for which fn returns false isn't
// wanted any more; fn may hear of it again all the same. When fn wants each literal a
// bounded number of times only, the time grows with the length of text alone. An empty
// literal is told once, at 0.
func (s *Set) Scan(text []byte, m *Marks, fn func(literal, end int) bool) {
	for _, id := range s.ends[0] {
		fn(int(id), 0)
	}
	m.begin(len(s.ends))
	state := uint32(0)
	for i, c := range text {
		to := s.next[state<<s.shift|uint32(s.class[c])]
		state = to &^ hit
		if to&hit != 0 && m.done[state] != m.now {
			s.tell(state, i+1, m, fn)
		}
	}
}

// tell calls fn for the literals of a state and of its suffixes.
func (s *Set) tell(state uint32, end int, m *Marks, fn func(literal, end int) bool) {
	wanted := false
	for at := state; at != 0 && m.done[at] != m.now; at = s.link[at] {
		here := false
		for _, id := range s.ends[at] {
			here = fn(int(id), end) || here
		}
		wanted = wanted || here
	}
	if !wanted {
		m.done[state] = m.now
	}
}
