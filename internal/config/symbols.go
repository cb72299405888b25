package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rmilter/scan"
	"rmilter/scan/checks"
)

// symbolsText is the part of docs/symbols.md that no declaration holds.
const symbolsText = `# Symbols

<!-- Generated from the declarations of the checks: go test ./internal/config -update -->

What rmilter may find in a message, by group. The weights of all symbols that are found make the
score, from which the action follows: see ` + "`actions { }`" + ` in [configuration.md](configuration.md).
` + "`rmilterctl explain FILE`" + ` shows it for a message.

A symbol that is found several times counts several times, unless it says once. The weights are the
defaults; ` + "`symbol \"NAME\" { weight = 1; }`" + ` changes one, ` + "`group \"NAME\" { max_score = 5; }`" + ` what a group may
add altogether. Symbols of your own come from composites and rules.

`

// Symbols returns docs/symbols.md: every symbol of the built-in checks, and the checks.
func Symbols() string {
	type entry struct {
		*scan.Symbol
		check string
	}
	groups := map[string][]entry{}
	var b, list strings.Builder
	for _, c := range checks.All() {
		d := scan.Describe(c)
		fmt.Fprintf(&list, "| `%s` | %s |\n", d.Name, cell(d.Doc))
		for _, s := range d.Symbols {
			groups[s.Group] = append(groups[s.Group], entry{s, d.Name})
		}
		for _, c := range d.Composites {
			groups[c.Symbol.Group] = append(groups[c.Symbol.Group], entry{c.Symbol, d.Name})
		}
	}
	groups[scan.GroupCap.Group] = append(groups[scan.GroupCap.Group], entry{scan.GroupCap, ""})
	weights := defaultWeights()
	b.WriteString(symbolsText)
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(&b, "## %s\n\n", name)
		if limit := weights.Cap(name); limit > 0 {
			fmt.Fprintf(&b, "Together they add %s at most.\n\n", points(limit))
		}
		b.WriteString("| Symbol | Weight | What was found | Check |\n|---|---:|---|---|\n")
		slices.SortFunc(groups[name], func(x, y entry) int { return cmp.Compare(x.Name, y.Name) })
		for _, s := range groups[name] {
			weight, check := points(s.Score), "–"
			if s.OneShot {
				weight += ", once"
			}
			if s.check != "" {
				check = "`" + s.check + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, weight, cell(s.Doc), check)
		}
		b.WriteString("\n")
	}
	b.WriteString("# Checks\n\nEach has a section of its name in the configuration; `enabled = no` there turns it off.\n\n| Check | What it looks at |\n|---|---|\n")
	b.WriteString(list.String())
	return b.String()
}

// defaultWeights returns the weights of the defaults.
func defaultWeights() *scan.Weights {
	e, err := scan.NewEngine(scan.NewConfig(nil), scan.Env{})
	if err != nil {
		panic(err) // without checks and composites nothing can be wrong
	}
	return e.Weights()
}

// points writes a weight.
func points(v float64) string { return fmt.Sprintf("%.4g", v) }
