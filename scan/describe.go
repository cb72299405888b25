package scan

import "rmilter/internal/dnslist"

// A Description is what a check says of itself.
type Description struct {
	Name    string
	Doc     string    // a sentence
	Symbols []*Symbol // all but those that its configuration names
	// Composites are symbols for what its symbols mean together with others.
	Composites []Composite
}

// Describe returns what a check says of itself.
func Describe(c Check) Description {
	f := c.facts()
	return Description{Name: f.name, Doc: f.doc, Symbols: f.symbols, Composites: f.combined}
}

// A Listing is a symbol that a message may get, with what it counts for.
type Listing struct {
	Symbol *Symbol
	Check  string  // the check that reports it; "" for a composite
	Weight float64 // in force; 0 when it doesn't count
}

// Symbols returns all symbols that a message may get: those of the checks that are
// enabled, in their order, then the composites.
func (e *Engine) Symbols() []Listing {
	var list []Listing
	add := func(s *Symbol, check string) {
		list = append(list, Listing{Symbol: s, Check: check, Weight: e.weights.Weight(s)})
	}
	for _, n := range e.nodes {
		for _, s := range n.symbols {
			add(s, n.name)
		}
		if n.runner.symbols != nil {
			for _, s := range n.runner.symbols() {
				add(s, n.name)
			}
		}
	}
	for _, c := range e.weights.composites {
		add(c.symbol, "")
	}
	return list
}

// Weight returns what one finding of a symbol counts for, 0 when it doesn't count.
func (w *Weights) Weight(s *Symbol) float64 {
	score, _, ok := w.score(s)
	if !ok {
		return 0
	}
	return score
}

// Cap returns the most that the symbols of a group add to the score together; 0 is no
// limit.
func (w *Weights) Cap(group string) float64 {
	if w == nil {
		return 0
	}
	return w.groups[group].cap
}

// Lists returns the DNS lists of the checks that are enabled, in their order: those of a
// Runner with a method Lists() []*dnslist.List. They are for Env.Lists to use.
func (e *Engine) Lists() []*dnslist.List {
	var all []*dnslist.List
	for _, n := range e.nodes {
		if n.runner.lists != nil {
			all = append(all, n.runner.lists()...)
		}
	}
	return all
}
