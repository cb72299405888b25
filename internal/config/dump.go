package config

import (
	"fmt"
	"io"
	"strings"

	"rmilter/internal/ucl"
)

// Dump writes the effective configuration, or one section of it, in the form of the
// file; passwords are not shown. With origin a comment after each value tells the
// place where it was set, or that it is the default. An unknown section is an error,
// as is one of w.
func (c *Config) Dump(w io.Writer, section string, origin bool) error {
	out := &printer{origin: origin}
	found := section == ""
	if found {
		out.options(c.top, 0)
	}
	for _, s := range c.top.Sections {
		if section != "" && s.Name != section {
			continue
		}
		found = true
		for _, b := range blocks(s) {
			out.block(b, 0)
		}
	}
	if !found {
		return fmt.Errorf("no section %q", section)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// A printer writes sections with their values.
type printer struct {
	strings.Builder
	origin bool
}

func (p *printer) block(b block, depth int) {
	indent := strings.Repeat("    ", depth)
	fmt.Fprintf(p, "%s%s {\n", indent, b.title)
	p.options(b.section, depth+1)
	for _, s := range b.section.Sections {
		for _, inner := range blocks(s) {
			p.block(inner, depth+1)
		}
	}
	fmt.Fprintf(p, "%s}\n", indent)
}

func (p *printer) options(s *ucl.Section, depth int) {
	for i := range s.Options {
		o := &s.Options[i]
		fmt.Fprintf(p, "%s%s = %s;", strings.Repeat("    ", depth), o.Name, o.Value)
		if p.origin {
			fmt.Fprintf(p, "  # %s", origin(o))
		}
		p.WriteByte('\n')
	}
}

// origin tells where the value of an option comes from.
func origin(o *ucl.Option) string {
	var places []string
	for _, pos := range o.Origin() {
		places = append(places, fmt.Sprintf("%s:%d", pos.File(), pos.Line()))
	}
	if places == nil {
		return "default"
	}
	return strings.Join(places, ", ")
}
