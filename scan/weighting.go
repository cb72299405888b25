package scan

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"rmilter/internal/ucl"
)

// A weighting is the part of a Config that is about weights.
type weighting struct {
	nodes      []*node
	symbols    map[string]*symbolConfig
	groups     map[string]*groupConfig
	composites map[string]*compositeConfig
	order      []string // of composites
}

// A symbolConfig is `symbol "NAME" { }`.
type symbolConfig struct {
	section *ucl.Section
	weight  *ucl.Float // nil: the symbol's own
	oneShot *ucl.Flag  // nil: the symbol's own
	enabled ucl.Flag
}

// A groupConfig is `group "NAME" { }`.
type groupConfig struct {
	section *ucl.Section
	cap     ucl.Float
	enabled ucl.Flag
}

// A compositeConfig is `composite "NAME" { }`.
type compositeConfig struct {
	section    *ucl.Section
	expression expression
	score      ucl.Float
	group      ucl.String
	doc        ucl.String
	policy     removal
	enabled    ucl.Flag
}

// defaultCaps are rspamd's.
func defaultCaps() map[string]ucl.Float {
	return map[string]ucl.Float{
		"headers": 8, "subject": 6, "phishing": 10, "surbl": 12.5, "mime_types": 10, "url": 9,
		"whitelist": 10, "excessqp": 2.4, "excessb64": 3, "senderscore": 4,
	}
}

func (w *weighting) init(nodes []*node) {
	w.nodes = nodes
	w.symbols, w.groups, w.composites = map[string]*symbolConfig{}, map[string]*groupConfig{}, map[string]*compositeConfig{}
	for name, limit := range defaultCaps() {
		w.group(name).cap = limit
	}
	for _, n := range nodes {
		for _, declared := range n.combined {
			w.declare(declared)
		}
	}
}

// declare takes the composite of a check; Validate has seen that it is right.
func (w *weighting) declare(d Composite) {
	c := w.composite(d.Symbol.Name)
	c.score, c.group, c.doc, c.policy = ucl.Float(d.Symbol.Score), ucl.String(d.Symbol.Group), ucl.String(d.Symbol.Doc), removal(d.Policy)
	c.expression.expr, _ = parseExpr(d.Expression)
	c.expression.text = d.Expression
}

// sections declares the options.
func (w *weighting) sections() []*ucl.Section {
	symbol := func(name string) *ucl.Section { return w.symbol(name).section }
	composite := func(name string) *ucl.Section { return w.composite(name).section }
	group := func(name string) *ucl.Section {
		s := w.group(name).section
		if s.Sections == nil {
			s.Sections = []*ucl.Section{
				keyed("symbol", true, "A symbol, as outside of the group.", symbol),
				keyed("symbols", true, "Symbols, as outside of the group.", symbol),
			}
		}
		return s
	}
	return []*ucl.Section{
		keyed("symbol", false, "What a symbol weighs; docs/symbols.md lists them all with their defaults. For several there is symbols { NAME { weight = 1; } }.", symbol),
		keyed("symbols", true, "What several symbols weigh.", symbol),
		keyed("group", false, "What a group of symbols may weigh altogether.", group),
		keyed("composite", false, "A symbol of your own that stands for an expression over others.", composite),
		keyed("composites", true, "Several of them.", composite),
	}
}

// keyed declares blocks with a name.
func keyed(word string, hidden bool, doc string, block func(name string) *ucl.Section) *ucl.Section {
	return &ucl.Section{Name: word, Key: "NAME", Doc: doc, Hidden: hidden, Repeat: func(key string) *ucl.Section {
		if key == "" {
			return nil
		}
		return block(key)
	}}
}

// symbol returns the configuration of a symbol.
func (w *weighting) symbol(name string) *symbolConfig {
	if s := w.symbols[name]; s != nil {
		return s
	}
	s := &symbolConfig{enabled: true}
	s.section = &ucl.Section{Name: "symbol", Key: "NAME", Options: []ucl.Option{
		{Name: "weight", Aliases: []string{"score"}, Value: ucl.Optional(&s.weight, "number; expected one as in 4.5, or default"), Doc: "What it adds to the score; default is that of docs/symbols.md."},
		{Name: "one_shot", Value: ucl.Optional(&s.oneShot, "choice; expected yes, no or default"), Doc: "Whether it counts once, however often it is seen; default is the symbol's own."},
		{Name: "enabled", Value: &s.enabled, Doc: "Whether it counts at all."},
	}, Ignored: []ucl.Ignored{{Name: "description", Note: "symbols describe themselves"}}}
	w.symbols[name] = s
	return s
}

// group returns the configuration of a group.
func (w *weighting) group(name string) *groupConfig {
	if g := w.groups[name]; g != nil {
		return g
	}
	g := &groupConfig{enabled: true}
	g.section = &ucl.Section{Name: "group", Key: "NAME", Options: []ucl.Option{
		{Name: "max_score", Value: ucl.Within(&g.cap, 0, 1000), Doc: "The most that the group's symbols add to the score together; 0 is no limit. What they subtract isn't limited."},
		{Name: "enabled", Value: &g.enabled, Doc: "Whether its symbols count at all."},
	}, Ignored: []ucl.Ignored{{Name: "description", Note: "groups describe themselves"}}}
	w.groups[name] = g
	return g
}

// composite returns the configuration of a composite.
func (w *weighting) composite(name string) *compositeConfig {
	if c := w.composites[name]; c != nil {
		return c
	}
	c := &compositeConfig{enabled: true, policy: removeAll, group: "composite"}
	c.section = &ucl.Section{Name: "composite", Key: "NAME", Options: []ucl.Option{
		{Name: "expression", Value: &c.expression, Doc: "Symbols joined by & (and), | (or), ! (not) and brackets, or counted as in A + B + C >= 2; g:NAME is any symbol of a group, g+:NAME one that weighs more than nothing. A prefix says what happens to that part: - nothing, ~ it isn't shown, ^ it isn't shown and has no weight.", Example: `"MISSING_SUBJECT & MISSING_DATE"`},
		{Name: "score", Aliases: []string{"weight"}, Value: &c.score, Doc: "What it adds to the score."},
		{Name: "policy", Value: ucl.Enum(&c.policy, removeAll, removeWeight, removeSymbol, leave), Doc: "What happens to the symbols that make it hold: their weight doesn't count (remove_weight), they aren't shown (remove_symbol), both (remove_all) or nothing (leave)."},
		{Name: "group", Value: &c.group, Doc: "The group that it belongs to."},
		{Name: "description", Value: &c.doc, Doc: "A sentence that says what it means."},
		{Name: "enabled", Value: &c.enabled, Doc: "Whether it counts at all."},
	}}
	w.composites[name] = c
	w.order = append(w.order, name)
	return c
}

// weights makes the Weights of a configuration. The nodes are those that are enabled.
func (w *weighting) weights(nodes []*node) (*Weights, error) {
	out := &Weights{symbols: map[string]override{}, groups: map[string]groupRule{}}
	for name, s := range w.symbols {
		out.symbols[name] = override{s.weight, s.oneShot, !bool(s.enabled)}
	}
	for name, g := range w.groups {
		out.groups[name] = groupRule{float64(g.cap), !bool(g.enabled)}
	}
	known := map[string]bool{}
	for _, n := range nodes {
		for s := range n.declared {
			known[s.Name] = true
		}
		if n.runner.symbols != nil {
			for _, s := range n.runner.symbols() {
				known[s.Name] = true
			}
		}
	}
	var err error
	out.composites, err = w.sorted(known)
	return out, err
}

// sorted returns the enabled composites, each after those that it reads.
func (w *weighting) sorted(known map[string]bool) ([]*composite, error) {
	var list []*composite
	var errs []error
	state := map[string]byte{}
	var visit func(name string, path []string)
	visit = func(name string, path []string) {
		c := w.composites[name]
		if c == nil || !bool(c.enabled) || state[name] == 2 {
			return
		}
		if path = append(path, name); state[name] == 1 {
			errs = append(errs, fmt.Errorf("composites read each other in a circle: %s", strings.Join(path[slices.Index(path, name):], ", ")))
			return
		}
		state[name] = 1
		switch {
		case known[name]:
			errs = append(errs, fmt.Errorf("composite %q has the name of a symbol", name))
		case c.expression.expr == nil:
			errs = append(errs, fmt.Errorf("composite %q has no expression", name))
		default:
			c.expression.names(func(s string) { visit(s, path) })
			list = append(list, &composite{&Symbol{Name: name, Score: float64(c.score), Group: string(c.group), Doc: string(c.doc)}, c.expression.expr, c.policy})
		}
		state[name] = 2
	}
	for _, name := range w.order {
		visit(name, nil)
	}
	return list, errors.Join(errs...)
}

// With returns the weights with symbols and groups changed: for the settings of some
// recipients. A NaN score means that the symbol doesn't count.
func (w *Weights) With(scores map[string]float64, groupsOff []string) *Weights {
	if len(scores) == 0 && len(groupsOff) == 0 {
		return w
	}
	out := &Weights{symbols: map[string]override{}, groups: map[string]groupRule{}}
	if w != nil {
		maps.Copy(out.symbols, w.symbols)
		maps.Copy(out.groups, w.groups)
		out.composites = w.composites
	}
	for name, score := range scores {
		o := out.symbols[name]
		o.score, o.disabled = (*ucl.Float)(&score), math.IsNaN(score)
		out.symbols[name] = o
	}
	for _, name := range groupsOff {
		g := out.groups[name]
		g.disabled = true
		out.groups[name] = g
	}
	return out
}

// An expression is that of a composite.
type expression struct {
	expr
	text string
}

// Set implements ucl.Value.
func (v *expression) Set(n *ucl.Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	if text == "" {
		*v = expression{}
		return nil
	}
	e, err := parseExpr(text)
	if err != nil {
		return n.Errorf("%v", err)
	}
	v.expr, v.text = e, text
	return nil
}

// String returns the expression in quotes.
func (v *expression) String() string { return ucl.Quote(v.text) }
