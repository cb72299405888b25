package config

import (
	"path"
	"strings"

	"rmilter/internal/ucl"
)

// translate puts what rspamd and the oldest rmilter say in other words into rmilter's.
func translate(b *ucl.Block, ds *ucl.Diagnostics) {
	var kept []*ucl.Directive
	for _, d := range b.Directives {
		if d.Value.Kind != ucl.BlockKind {
			kept = append(kept, d)
			continue
		}
		switch d.Name {
		case "worker":
			typeWorker(d)
		case "memcached":
			ds.Add(ucl.Warning, d.Pos, "memcached is read as redis: its servers must speak Redis; expected redis { }")
			d.Name = "redis"
		case "whitelist": // rmilter's is a directive
			ds.Add(ucl.Notice, d.Pos, "section whitelist: not served by this version")
			continue
		case "metric":
			kept = append(kept, splitMetric(d, ds)...)
			continue
		}
		kept = append(kept, d)
	}
	b.Directives = kept
}

// typeWorker gives a `worker { }` without a name in quotes the one that its type
// directive says or that the name of an included file tells, and takes the type
// directive away.
func typeWorker(d *ucl.Directive) {
	kind := includedWorker(d.Value.Block)
	if t := takeText(d.Value.Block, "type"); t != "" {
		kind = t
	}
	if len(d.Keys) == 0 && kind != "" {
		d.Keys = []string{kind}
	}
}

// takeText takes the directives of a name away that have a text, and returns the text
// of the last one.
func takeText(b *ucl.Block, name string) string {
	text := ""
	var kept []*ucl.Directive
	for _, d := range b.Directives {
		if d.Name == name && d.Value.Kind == ucl.TextKind {
			text = d.Value.Text
			continue
		}
		kept = append(kept, d)
	}
	b.Directives = kept
	return text
}

// splitMetric returns what stands for a metric: its groups and symbols, sections
// actions for its actions and its subject, and itself with what else it has.
func splitMetric(d *ucl.Directive, ds *ucl.Diagnostics) []*ucl.Directive {
	const one = "default"
	name, b := takeText(d.Value.Block, "name"), d.Value.Block
	if len(d.Keys) > 0 {
		name = d.Keys[0]
	}
	if ds := b.Directives; name == "" && len(ds) == 1 && ds[0].Name == one && ds[0].Value.Kind == ucl.BlockKind {
		b = ds[0].Value.Block
	}
	if name != "" && name != one {
		ds.Add(ucl.Warning, d.Pos, "metric %.80q has no effect: there is one metric, \"%s\"", name, one)
		return nil
	}
	var split, rest []*ucl.Directive
	for _, inner := range b.Directives {
		switch {
		case inner.Name == "actions" && len(inner.Keys) == 0:
			split = append(split, inner)
		case inner.Value.Kind == ucl.BlockKind && (inner.Name == "group" || inner.Name == "symbol" || inner.Name == "symbols"):
			split = append(split, inner)
		case inner.Name == "subject":
			block := &ucl.Block{Directives: []*ucl.Directive{inner}}
			split = append(split, &ucl.Directive{Name: "actions", Pos: inner.Pos, Value: &ucl.Node{Kind: ucl.BlockKind, Pos: inner.Pos, Block: block}})
		default:
			rest = append(rest, inner)
		}
	}
	if rest == nil {
		return split
	}
	d.Keys = []string{one}
	d.Value = &ucl.Node{Kind: ucl.BlockKind, Pos: d.Value.Pos, Block: &ucl.Block{Directives: rest}}
	return append(split, d)
}

// includedWorker returns the worker type for which rspamd's file of that name stands.
func includedWorker(b *ucl.Block) string {
	kind := ""
	for _, name := range b.Includes {
		word, isWorker := strings.CutPrefix(path.Base(name), "worker-")
		word, isInc := strings.CutSuffix(word, ".inc")
		if isWorker && isInc {
			kind = word
		}
	}
	if kind == "proxy" {
		return "rspamd_proxy"
	}
	return kind
}
