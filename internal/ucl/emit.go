package ucl

import (
	"strconv"
	"strings"
)

// Format writes a tree in the language. Reading it again gives the same tree but for
// positions. Includes are written as what they brought, with its priority.
func Format(b *Block) string {
	var f formatter
	f.block(b, 0)
	return f.String()
}

type formatter struct {
	strings.Builder
	priority int // in force
}

func (f *formatter) block(b *Block, depth int) {
	for _, d := range b.Directives {
		if d.Priority != f.priority {
			f.priority = d.Priority
			f.WriteString(".priority " + strconv.Itoa(f.priority) + "\n")
		}
		f.indent(depth)
		f.WriteString(formatName(d.Name))
		for _, key := range d.Keys {
			f.WriteString(" " + Quote(key))
		}
		switch {
		case d.Value.Kind == BlockKind && !d.Add:
			f.WriteByte(' ')
			f.node(d.Value, depth)
			f.WriteByte('\n')
			continue
		case d.Add:
			f.WriteString(" += ")
		default:
			f.WriteString(" = ")
		}
		if doc, ok := heredoc(d.Value.Text); ok {
			f.WriteString(doc + "\n")
			continue
		}
		f.node(d.Value, depth)
		f.WriteString(";\n")
	}
}

// node writes a value. Lists are always arrays: they have no ambiguity.
func (f *formatter) node(n *Node, depth int) {
	switch {
	case n.Kind == TextKind:
		f.WriteString(quoteItem(n.Text))
	case n.nothing:
	case n.Kind == ListKind:
		opening, closing := byte('['), byte(']')
		if n.Mirrored {
			opening, closing = '{', '}'
		}
		f.WriteByte(opening)
		for i, item := range n.Items {
			if i > 0 {
				f.WriteString(", ")
			}
			if n.Mirrored && item.Kind == TextKind { // in braces a bare word may be a name
				f.WriteString(Quote(item.Text))
			} else {
				f.node(item, depth)
			}
		}
		f.WriteByte(closing)
	case n.Kind == BlockKind:
		f.WriteString("{\n")
		f.block(n.Block, depth+1)
		f.indent(depth)
		f.WriteByte('}')
	}
}

func formatName(name string) string {
	if name == "" {
		return `""`
	}
	for i := range len(name) {
		if !isNameByte(name[i]) || name[0] == '-' {
			return Quote(name)
		}
	}
	return name
}

func (f *formatter) indent(depth int) { f.WriteString(strings.Repeat("    ", depth)) }
