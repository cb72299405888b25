package config

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"rmilter/internal/ucl"
)

// Dump writes the effective configuration, or what a selector names of it (see Values),
// in the form of the file; passwords are not shown. With origin a comment after each
// value tells the place where it was set, or that it is the default. Another marks what
// this version does not serve. An unknown selector is an error, as is one of w.
func (c *Config) Dump(w io.Writer, selector string, origin bool) error {
	chosen, err := c.choose(selector)
	if err != nil {
		return err
	}
	out := &printer{origin: origin, chosen: map[*ucl.Option]bool{}}
	for _, e := range chosen {
		out.chosen[e.option] = true
	}
	out.options(c.top, 0)
	for _, s := range c.top.Sections {
		for _, b := range blocks(s) {
			out.block(b, 0)
		}
	}
	_, err = w.Write(out.Bytes())
	return err
}

// A printer writes sections with their values.
type printer struct {
	bytes.Buffer
	origin bool
	chosen map[*ucl.Option]bool // what is to be written
}

// block writes a section, unless nothing of it is chosen.
func (p *printer) block(b block, depth int) {
	start := p.Len()
	indent := strings.Repeat("    ", depth)
	fmt.Fprintf(p, "%s%s {", indent, b.title)
	if b.section.Unserved {
		fmt.Fprintf(p, "  # %s", unserved)
	}
	p.WriteByte('\n')
	head := p.Len()
	p.options(b.section, depth+1)
	for _, s := range b.section.Sections {
		for _, inner := range blocks(s) {
			p.block(inner, depth+1)
		}
	}
	if p.Len() == head {
		p.Truncate(start)
		return
	}
	fmt.Fprintf(p, "%s}\n", indent)
}

func (p *printer) options(s *ucl.Section, depth int) {
	for i := range s.Options {
		o := &s.Options[i]
		if !p.chosen[o] {
			continue
		}
		fmt.Fprintf(p, "%s%s = %s;", strings.Repeat("    ", depth), o.Name, o.Value)
		var notes []string
		if p.origin {
			notes = append(notes, origin(o))
		}
		if o.Unserved {
			notes = append(notes, unserved)
		}
		if notes != nil {
			fmt.Fprintf(p, "  # %s", strings.Join(notes, "; "))
		}
		p.WriteByte('\n')
	}
}

// unserved marks what this version reads and does not act on.
const unserved = "not served by this version"

// origin tells where the value of an option comes from.
func origin(o *ucl.Option) string {
	list := places(o)
	if len(list) == 0 {
		return "default"
	}
	return strings.Join(list, ", ")
}
