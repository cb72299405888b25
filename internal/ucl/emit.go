package ucl

import (
	"strings"
)

// Format writes a tree in the language. Reading it again gives the same tree but
// for positions; includes are written as what they brought.
func Format(b *Block) string {
	var w strings.Builder
	formatBlock(&w, b, 0)
	return w.String()
}

func formatBlock(w *strings.Builder, b *Block, depth int) {
	for _, d := range b.Directives {
		indent(w, depth)
		w.WriteString(formatName(d.Name))
		for _, key := range d.Keys {
			w.WriteByte(' ')
			w.WriteString(Quote(key))
		}
		switch {
		case d.Value.Kind == BlockKind && !d.Add:
			w.WriteByte(' ')
			formatNode(w, d.Value, depth)
			w.WriteByte('\n')
			continue
		case d.Add:
			w.WriteString(" += ")
		default:
			w.WriteString(" = ")
		}
		formatNode(w, d.Value, depth)
		w.WriteString(";\n")
	}
}

// formatNode writes a value. Lists are always arrays: they have no ambiguity.
func formatNode(w *strings.Builder, n *Node, depth int) {
	switch n.Kind {
	case TextKind:
		w.WriteString(quoteItem(n.Text))
	case ListKind:
		w.WriteByte('[')
		for i, item := range n.Items {
			if i > 0 {
				w.WriteString(", ")
			}
			formatNode(w, item, depth)
		}
		w.WriteByte(']')
	case BlockKind:
		w.WriteString("{\n")
		formatBlock(w, n.Block, depth+1)
		indent(w, depth)
		w.WriteByte('}')
	}
}

func formatName(name string) string {
	if name == "" {
		return `""`
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return Quote(name)
		}
	}
	return name
}

func indent(w *strings.Builder, depth int) {
	for range depth {
		w.WriteString("    ")
	}
}
