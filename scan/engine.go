package scan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rmilter/internal/ucl"
)

// A Config is the configuration of a list of checks, of their symbols' weights, and
// of the composites. It is read by package config through Sections.
type Config struct {
	weighting
	nodes []*node
}

// NewConfig returns the defaults for a list of checks. The order of the list is that
// of the findings, as far as Reads allows. It panics on a list that is wrong, which is
// a mistake in the program; see Validate.
func NewConfig(checks []Check) *Config {
	nodes, err := graph(checks)
	if err != nil {
		panic(err)
	}
	for _, n := range nodes {
		n.conf = n.check.configure()
	}
	c := &Config{nodes: nodes}
	c.weighting.init(nodes)
	return c
}

// Sections declares the options; see package ucl.
func (c *Config) Sections() []*ucl.Section {
	top := &ucl.Section{}
	list := []*ucl.Section{top}
	for _, n := range c.nodes {
		top.Options = append(top.Options, n.conf.top...)
		list = append(append(list, n.conf.section), n.conf.sections...)
	}
	return append(list, c.weighting.sections()...)
}

// A node is a check in the graph of an engine.
type node struct {
	facts
	check    Check
	conf     configured
	index    int     // in the order of running
	deps     []*node // of reads
	async    bool    // runs beside the others
	declared map[*Symbol]bool
	reads    []link
	runner   runner
}

// A link is a check that another reads.
type link struct {
	check   Check
	index   int
	enabled bool
}

// Validate tells what is wrong with a list of checks: doubled names or symbols,
// missing documentation, a check that reads one that isn't listed, and circles.
func Validate(checks []Check) error {
	_, err := graph(checks)
	return err
}

// graph returns the nodes of a list, each after those that it reads.
func graph(checks []Check) ([]*node, error) {
	g := grapher{nodes: map[Check]*node{}, state: map[*node]byte{}}
	names, symbols := map[string]bool{}, map[string]string{}
	for _, c := range checks {
		n := &node{facts: c.facts(), check: c}
		g.nodes[c] = n
		g.fact(n, names, symbols)
	}
	for _, c := range checks {
		g.visit(g.nodes[c], nil)
	}
	return g.order, errors.Join(g.errs...)
}

type grapher struct {
	nodes map[Check]*node
	state map[*node]byte // 1 while it is visited, 2 when it is in order
	order []*node
	errs  []error
}

func (g *grapher) fail(format string, args ...any) {
	g.errs = append(g.errs, fmt.Errorf("scan: "+format, args...))
}

// fact checks what a check says of itself.
func (g *grapher) fact(n *node, names map[string]bool, symbols map[string]string) {
	if n.name == "" || strings.Trim(n.name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		g.fail("check %q: the name is not lower-case letters, digits and underscores", n.name)
	}
	if names[n.name] {
		g.fail("check %s is listed twice", n.name)
	}
	names[n.name] = true
	if !strings.HasSuffix(n.doc, ".") {
		g.fail("check %s: the documentation is no sentence: %q", n.name, n.doc)
	}
	if n.early && !n.network {
		g.fail("check %s is early and not one that waits for the network", n.name)
	}
	for _, s := range n.symbols {
		if other, twice := symbols[s.Name]; twice {
			g.fail("symbol %s is declared by %s and by %s", s.Name, other, n.name)
		}
		symbols[s.Name] = n.name
		if err := s.valid(); err != nil {
			g.fail("check %s: %w", n.name, err)
		}
	}
	for _, c := range n.combined {
		if other, twice := symbols[c.Symbol.Name]; twice {
			g.fail("composite %s is declared by %s and by %s", c.Symbol.Name, other, n.name)
		}
		symbols[c.Symbol.Name] = n.name
		if err := c.valid(); err != nil {
			g.fail("check %s: %w", n.name, err)
		}
	}
}

// visit appends a node to the order, behind those that it reads.
func (g *grapher) visit(n *node, path []string) {
	path = append(path, n.name)
	switch g.state[n] {
	case 1:
		g.fail("checks read each other in a circle: %s", strings.Join(path[slices.Index(path, n.name):], ", "))
		return
	case 2:
		return
	}
	g.state[n] = 1
	n.async = n.network
	for _, c := range n.facts.reads {
		dep := g.nodes[c]
		if dep == nil {
			g.fail("check %s reads %s, which is not listed", n.name, c.facts().name)
			continue
		}
		g.visit(dep, path)
		n.deps = append(n.deps, dep)
		n.async = n.async || dep.async
	}
	g.state[n] = 2
	n.index = len(g.order)
	g.order = append(g.order, n)
}

// An Engine runs checks and holds the weights in force. It never changes, but for the
// files that checks read again at Refresh, and is safe for concurrent use.
type Engine struct {
	env      Env
	nodes    []*node       // the enabled ones, in the order of running
	pure     []*node       // those of them that run one after the other
	patience time.Duration // the shortest time that one of those may take
	weights  *Weights
	owners   map[string]string // of the names that no Runner may give to a symbol
	unknown  []string          // names of symbols that have a weight and that nothing reports

	refreshing sync.Mutex // held by Refresh
}

// NewEngine makes the runners of a configuration. The configuration belongs to the
// engine from now on. An error names the section that it is about.
func NewEngine(c *Config, env Env) (*Engine, error) {
	e := &Engine{env: env, patience: DefaultTimeout}
	var errs []error
	for _, n := range c.nodes {
		if !*n.conf.enabled {
			continue
		}
		r, err := n.conf.make(env)
		if err != nil {
			errs = append(errs, fmt.Errorf("section %s: %w", n.name, err))
			continue
		}
		n.runner = r
		n.declared = map[*Symbol]bool{}
		for _, s := range n.symbols {
			n.declared[s] = true
		}
		n.index = len(e.nodes)
		e.nodes = append(e.nodes, n)
		if !n.async {
			e.pure = append(e.pure, n)
			e.patience = min(e.patience, n.timeout)
		}
	}
	for _, n := range e.nodes {
		n.reads = nil
		for _, d := range n.deps {
			n.reads = append(n.reads, link{d.check, d.index, bool(*d.conf.enabled)})
		}
	}
	e.owners = c.owners()
	if err := e.Refresh(); err != nil {
		errs = append(errs, err)
	}
	for name := range c.symbols {
		if e.owner(name, nil) == "" {
			e.unknown = append(e.unknown, name)
		}
	}
	slices.Sort(e.unknown)
	var err error
	if e.weights, err = c.weighting.weights(e.nodes); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return e, nil
}

// Unknown returns the names of symbols to which the configuration gives a weight and
// which nothing reports, sorted: misspelt, or of a later version.
func (e *Engine) Unknown() []string { return e.unknown }

// Weights returns the weights in force.
func (e *Engine) Weights() *Weights { return e.weights }
