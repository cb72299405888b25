package scan

import (
	"fmt"
	"math"
	"slices"

	"rmilter/internal/ucl"
)

// Weights are what symbols count for: their scores, the caps of groups, and the
// composites. They never change and are safe for concurrent use. The nil *Weights has
// the defaults of the symbols and neither caps nor composites.
type Weights struct {
	symbols    map[string]override
	groups     map[string]groupRule
	composites []*composite // each after those that it reads
}

// An override is what a configuration says of a symbol.
type override struct {
	score    *ucl.Float // nil: the symbol's own
	oneShot  *ucl.Flag  // nil: the symbol's own
	disabled bool
}

// A groupRule is what a configuration says of a group.
type groupRule struct {
	cap      float64 // highest sum; 0 means none
	disabled bool
}

// GroupCap is the symbol of the rows that take off what a group's cap doesn't allow,
// so that the rows add up to the score.
var GroupCap = &Symbol{
	Name:  "GROUP_CAP",
	Group: "caps",
	Doc:   "What the symbols of a group weigh more than the group may altogether.",
}

// A Score is what findings weigh.
type Score struct {
	Total float64 // rounded to hundredths
	Rows  []Row   // in the order of the findings, then composites, then caps; they add up to Total
}

// A Row is a symbol with its weight on one message.
type Row struct {
	Symbol  *Symbol
	Weight  float64  // what it adds to the total
	Details []string // the evidence of all its findings
	// RemovedBy is the composite that took the weight away, "" when none did.
	RemovedBy string
	// Full is the weight without RemovedBy.
	Full float64
	// Hidden tells that a composite stands for the symbol, too: it is only shown by
	// what explains a score.
	Hidden bool
}

// maxRowDetails bounds the evidence of one row.
const maxRowDetails = 50

// Score weighs findings. It is pure: the same findings give the same score.
func (w *Weights) Score(findings []Finding) Score {
	t := tally{w: w, at: make(map[string]int, len(findings))}
	for _, f := range findings {
		t.add(f)
	}
	if w != nil {
		for _, c := range w.composites {
			t.compose(c)
		}
		t.caps()
	}
	s := Score{Rows: t.rows}
	for _, r := range t.rows {
		s.Total += r.Weight
	}
	s.Total = math.Round(s.Total*100) / 100
	return s
}

// score returns the weight in force of a symbol, and whether it counts once.
func (w *Weights) score(s *Symbol) (score float64, oneShot, ok bool) {
	score, oneShot = s.Score, s.OneShot
	if w == nil {
		return score, oneShot, true
	}
	o := w.symbols[s.Name]
	if o.score != nil {
		score = float64(*o.score)
	}
	if o.oneShot != nil {
		oneShot = bool(*o.oneShot)
	}
	return score, oneShot, !o.disabled && !w.groups[s.Group].disabled
}

// A tally is a score in the making.
type tally struct {
	w    *Weights
	rows []Row
	at   map[string]int // index of the row by the symbol's name
}

// add takes a finding.
func (t *tally) add(f Finding) {
	score, oneShot, ok := t.w.score(f.Symbol)
	if !ok {
		return
	}
	weight := 0.0
	if f.Strength != 0 { // no "-0.00"
		weight = score * f.Strength
	}
	i, again := t.at[f.Symbol.Name]
	if !again {
		t.at[f.Symbol.Name] = len(t.rows)
		t.rows = append(t.rows, Row{Symbol: f.Symbol, Weight: weight, Full: weight, Details: f.Details})
		return
	}
	r := &t.rows[i]
	if !oneShot {
		r.Weight += weight
		r.Full += weight
	}
	for _, d := range f.Details {
		if len(r.Details) < maxRowDetails && !slices.Contains(r.Details, d) {
			r.Details = append(slices.Clip(r.Details), d)
		}
	}
}

// compose adds the row of a composite that holds, and takes away what it stands for.
func (t *tally) compose(c *composite) {
	var parts []part
	if !c.expr.holds(t, &parts) {
		return
	}
	score, _, ok := t.w.score(c.symbol)
	if !ok {
		return
	}
	row := Row{Symbol: c.symbol, Weight: score, Full: score}
	for _, p := range parts {
		r := &t.rows[p.row]
		row.Details = append(row.Details, r.Symbol.Name)
		weight, symbol := c.policy.takes(p.prefix)
		if weight && r.RemovedBy == "" {
			r.Weight, r.RemovedBy = 0, c.symbol.Name
		}
		r.Hidden = r.Hidden || symbol
	}
	t.at[c.symbol.Name] = len(t.rows)
	t.rows = append(t.rows, row)
}

// caps adds a row for each group whose positive sum is above its cap.
func (t *tally) caps() {
	sums := map[string]float64{}
	var order []string
	for _, r := range t.rows {
		if r.Weight > 0 && t.w.groups[r.Symbol.Group].cap > 0 {
			if _, known := sums[r.Symbol.Group]; !known {
				order = append(order, r.Symbol.Group)
			}
			sums[r.Symbol.Group] += r.Weight
		}
	}
	row := Row{Symbol: GroupCap}
	for _, g := range order {
		if over := sums[g] - t.w.groups[g].cap; over > 0 {
			row.Weight -= over
			row.Details = append(row.Details, fmt.Sprintf("%s %.2f of %.2f", g, t.w.groups[g].cap, sums[g]))
		}
	}
	if row.Full = row.Weight; row.Details != nil {
		t.rows = append(t.rows, row)
	}
}
