package match

import (
	"slices"
	"sync"
	"time"
)

// Regexps is a list of regular expressions of which only those run on a text in which
// one of their literals was seen. It never changes and is safe for concurrent use.
type Regexps struct {
	list   []*Regexp
	set    *Set
	owner  []int32 // of each literal: the expression
	length []int   // of each literal
	always []int   // expressions without literals
	pool   sync.Pool
}

// NewRegexps returns the list of some expressions. An error is ErrTooLarge.
func NewRegexps(list []*Regexp) (*Regexps, error) {
	s := &Regexps{list: list}
	var literals []string
	for i, re := range list {
		if re.needs == nil {
			s.always = append(s.always, i)
		}
		for _, text := range re.needs {
			literals = append(literals, text)
			s.owner = append(s.owner, int32(i))
			s.length = append(s.length, len(text))
		}
	}
	var err error
	s.set, err = New(literals, false)
	return s, err
}

// Budget bounds what all expressions together may cost on one message: when it runs
// short, each looks at less. It is for one goroutine.
type Budget struct{ left time.Duration }

// NewBudget returns a budget. The time is what the expressions would take at worst,
// which is several times of what they take as a rule; it isn't measured.
func NewBudget(d time.Duration) *Budget { return &Budget{left: d} }

// A Search goes through the texts of one message. It is for one goroutine.
type Search struct {
	set    *Regexps
	budget *Budget
	*memory
}

// memory is what a search needs and the next one can use again.
type memory struct {
	folded folded
	marks  Marks
	search uint64      // number of the search
	text   uint64      // number of the text
	state  []candidate // by expression
	chosen []int       // the candidates of the present text
}

// A candidate is an expression that may match the present text.
type candidate struct {
	search uint64        // in which left was set
	text   uint64        // in which the rest was set
	left   time.Duration // what it may still cost
	wanted bool
	hits   int    // places of its literals
	pieces []span // around them; nil for the whole text
}

// Search begins a search. End it with Close.
func (s *Regexps) Search(b *Budget) *Search {
	m, _ := s.pool.Get().(*memory)
	if m == nil {
		m = &memory{state: make([]candidate, len(s.list))}
	}
	m.search++
	return &Search{set: s, budget: b, memory: m}
}

// Close gives the memory of the search back.
func (q *Search) Close() {
	q.set.pool.Put(q.memory)
	q.memory = nil
}

const (
	maxHits  = 256 // places of literals that are noted for one expression in one text
	smallest = 256 // bytes from which on an expression runs on pieces of the text
	margin   = 4   // bytes beside a piece: a character, for \b
)

// Text looks for the expressions in a text. It asks wanted for those that may match,
// and calls found with each that does, in the order of the list, with the first match
// as offsets.
func (q *Search) Text(text string, wanted func(i int) bool, found func(i, begin, end int)) {
	q.choose(text, wanted)
	if len(q.chosen) == 0 {
		return
	}
	share := q.share(len(text))
	for _, i := range q.chosen {
		c, re := &q.state[i], q.set.list[i]
		left := c.left
		if share < 1 {
			left = time.Duration(share * float64(c.estimate(re, len(text))))
		}
		before := left
		loc := re.find(text, c.pieces, &left)
		c.left -= before - left
		q.budget.left -= before - left
		if loc != nil {
			found(i, loc[0], loc[1])
		}
	}
}

// share returns how much of the text the candidates may look at, so that all of them
// together take no more than half of what the budget still has.
func (q *Search) share(n int) float64 {
	sum := time.Duration(0)
	for _, i := range q.chosen {
		sum += q.state[i].estimate(q.set.list[i], n)
	}
	if half := max(0, q.budget.left) / 2; sum > half {
		return float64(half) / float64(sum)
	}
	return 1
}

// estimate returns what the expression would cost on a text of n bytes.
func (c *candidate) estimate(re *Regexp, n int) time.Duration {
	if c.pieces != nil {
		n = 0
		for _, p := range c.pieces {
			n += p.end - p.begin
		}
	}
	return min(c.left, time.Duration(n)*re.cost+callCost)
}

// choose finds the candidates of a text.
func (q *Search) choose(text string, wanted func(i int) bool) {
	q.chosen = q.chosen[:0]
	q.text++
	add := func(i int) *candidate {
		c := &q.state[i]
		if c.search != q.search {
			c.search, c.left = q.search, MaxTime
		}
		if c.text != q.text {
			c.text, c.hits, c.pieces = q.text, 0, c.pieces[:0]
			if c.wanted = wanted(i); c.wanted {
				q.chosen = append(q.chosen, i)
			}
		}
		return c
	}
	for _, i := range q.set.always {
		add(i).pieces = nil
	}
	if len(q.set.owner) > 0 {
		q.folded.fold(text)
		q.set.set.Scan(q.folded.text, &q.marks, func(literal, end int) bool {
			i := int(q.set.owner[literal])
			c := add(i)
			if !c.wanted {
				return false
			}
			reach := q.set.list[i].reach
			if c.hits++; reach == 0 || c.hits > maxHits || len(text) < smallest {
				c.pieces, c.hits = nil, maxHits
				return false
			}
			first, last := q.folded.offset(end-q.set.length[literal]), q.folded.offset(end)
			c.add(text, last-reach-margin, first+reach+margin)
			return true
		})
	}
	slices.Sort(q.chosen)
}

// add adds a piece of the text. Pieces come in the order of their ends.
func (c *candidate) add(text string, begin, end int) {
	begin, end = boundary(text, max(begin, 0)), boundary(text, min(end, len(text)))
	for n := len(c.pieces); n > 0 && begin <= c.pieces[n-1].end; n-- {
		begin, end = min(begin, c.pieces[n-1].begin), max(end, c.pieces[n-1].end)
		c.pieces = c.pieces[:n-1]
	}
	c.pieces = append(c.pieces, span{begin, end})
}
