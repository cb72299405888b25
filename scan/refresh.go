package scan

import (
	"errors"
	"fmt"
)

// A Refresher is a Runner that reads files of the administrator.
//
// Refresh reads them when they have changed since it last did. The engine calls it
// once before it uses the Runner, and whenever its own Refresh is called. taken
// returns what else has a symbol of that name, "" when it is free. An error says what
// is wrong, with file and line where there are any; the Runner then goes on with what
// it had. It returns the same error again as long as that is so.
type Refresher interface {
	Refresh(taken func(symbol string) string) error
}

// Refresh has the checks look whether the files of the administrator that they read
// have changed. An error, with a line for each fault, says which can't be used; the
// checks go on with what they had. It may be called at any time, and takes little time
// when nothing has changed.
func (e *Engine) Refresh() error {
	e.refreshing.Lock()
	defer e.refreshing.Unlock()
	var errs []error
	for _, n := range e.nodes {
		if n.runner.refresh == nil {
			continue
		}
		err := n.runner.refresh.Refresh(func(symbol string) string { return e.owner(symbol, n) })
		if err != nil {
			errs = append(errs, fmt.Errorf("section %s: %w", n.name, err))
		}
	}
	return errors.Join(errs...)
}

// owner returns what has a symbol, other than a check itself.
func (e *Engine) owner(symbol string, asks *node) string {
	if o := e.owners[symbol]; o != "" {
		return o
	}
	for _, n := range e.nodes {
		if n == asks || n.runner.symbols == nil {
			continue
		}
		for _, s := range n.runner.symbols() {
			if s.Name == symbol {
				return "check " + n.name
			}
		}
	}
	return ""
}

// owners returns the names of symbols that are given away, and to what.
func (c *Config) owners() map[string]string {
	owners := map[string]string{GroupCap.Name: "the caps of groups"}
	for name := range c.composites {
		owners[name] = "a composite"
	}
	for _, n := range c.nodes {
		for _, s := range n.symbols {
			owners[s.Name] = "check " + n.name
		}
	}
	return owners
}
