package config

import (
	"fmt"
	"strings"

	"rmilter/internal/ucl"
)

// A screenLine is a line of the example's first screen.
type screenLine struct {
	section string // "" for an option of the top level
	options string // names, separated by blanks
	comment string
	as      shownAs
	text    string // in place of options: the line of a block that has no defaults, commented out
}

// shownAs says how a line of the first screen stands there.
type shownAs int

const (
	inForce shownAs = iota // with the defaults
	advised                // in force with the options' examples, which are not the defaults
	off                    // commented out, with the options' examples
)

// screen returns the options which most people want to see.
func screen() []screenLine {
	return []screenLine{
		{options: "bind_socket", comment: "or unix:PATH, inet6:…, fd:N"},
		{options: "dry_run", comment: "first week: compute and log, change nothing", as: off},
		{options: "our_networks", comment: "your mynetworks: signed, never marked"},
		{options: "trusted_relays", comment: "backup MX, forwarders: marked, never rejected", as: off},
		{options: "recipient_delimiter"},
		{options: "max_size"},
		{section: "actions", options: "greylist add_header reject", comment: "rewrite_subject: off"},
		{section: "redis", options: "servers", comment: "absent: own store in data_dir (one MX only)", as: off},
		{options: "data_dir"},
		{section: "dns", options: "nameserver", comment: "your own resolver; absent: those of resolv.conf", as: off},
		{section: "greylisting", options: "enable timeout expire expire_white"},
		{section: "limits", options: "user", comment: "stolen accounts; rmilter's five buckets: see below", as: advised},
		{text: `dkim { domain { domain = "*"; selector = "dkim"; key = "/etc/dkim"; } }`, comment: "see rmilterctl dkim_keygen", as: off},
		{section: `worker "controller"`, options: "bind_socket", comment: "for rmilterctl and monitoring"},
	}
}

const (
	commentColumn = 43
	proseColumn   = 92
)

// Example returns rmilter.conf.example: a first screen which is in force, and then
// every option with its default, commented out.
func Example() string {
	c := Default()
	var b strings.Builder
	b.WriteString(`# rmilter.conf: every default works as it is. Check: rmilter -t    Apply: systemctl reload rmilter
# Postfix main.cf:  smtpd_milters = inet:127.0.0.1:9900      non_smtpd_milters = $smtpd_milters
#                   milter_protocol = 6      milter_default_action = accept   (tempfail = never unfiltered)
# master.cf, submission:  -o milter_macro_daemon_name=ORIGINATING
`)
	for _, line := range screen() {
		b.WriteString(c.screenLine(line) + "\n")
	}
	b.WriteString(`
# Everything else, with its default. To change something take the # away in front of it and, in a
# section, in front of the section's lines. Changes in rmilter.conf.local or rmilter.conf.d/*.conf
# survive upgrades: they are read after this file.
`)
	w := &exampleWriter{Builder: &b, above: map[string]bool{}}
	for _, line := range screen() {
		for _, name := range strings.Fields(line.options) {
			w.above[strings.TrimSpace(line.section+" "+name)] = line.as != off
		}
	}
	w.options(c.top, 0, "")
	for _, s := range c.top.Sections {
		if s.Unserved {
			continue
		}
		for _, t := range templates(s) {
			b.WriteString("\n")
			writeProse(&b, "# ", s.Doc)
			fmt.Fprintf(&b, "#%s {\n", t.title)
			w.section(t, 1)
			b.WriteString("#}\n")
		}
	}
	return b.String()
}

// screenLine returns one line of the first screen.
func (c *Config) screenLine(line screenLine) string {
	var parts []string
	for _, name := range strings.Fields(line.options) {
		o := c.option(strings.TrimSpace(line.section + " " + name))
		value := o.Value.String()
		if line.as != inForce && o.Example != "" {
			value = o.Example
		}
		if f, ok := o.Value.(*ucl.Flag); ok && line.as == off {
			value = (!*f).String()
		}
		parts = append(parts, fmt.Sprintf("%s = %s;", name, value))
	}
	text := strings.Join(parts, " ")
	if line.section != "" {
		text = fmt.Sprintf("%s { %s }", line.section, text)
	}
	if line.text != "" {
		text = line.text
	}
	if line.as == off {
		text = "# " + text
	}
	if line.comment != "" {
		text = fmt.Sprintf("%-*s # %s", commentColumn-1, text, line.comment)
	}
	return text
}

// templates returns what the documentation shows for a section: itself, or a block of
// a keyed one with each of its known keys, or with the placeholder.
func templates(s *ucl.Section) []block {
	if s.Hidden || s.Repeat == nil || len(s.Keys) > 0 {
		return blocks(s)
	}
	return []block{{s.Name + " " + ucl.Quote(s.Key), s.Repeat(s.Key)}}
}

// An exampleWriter writes sections, commented out.
type exampleWriter struct {
	*strings.Builder
	above map[string]bool // paths of the options that are in force on the first screen
}

// section writes the content of a section.
func (w *exampleWriter) section(b block, depth int) {
	w.options(b.section, depth, b.title+" ")
	indent := "#" + strings.Repeat("    ", depth)
	for _, sub := range b.section.Sections {
		for _, t := range templates(sub) {
			w.WriteString("#\n")
			writeProse(w.Builder, indent+"# ", sub.Doc)
			fmt.Fprintf(w, "%s%s {\n", indent, t.title)
			w.section(block{b.title + " " + t.title, t.section}, depth+1)
			fmt.Fprintf(w, "%s}\n", indent)
		}
	}
}

// options writes the options of a section, each with its sentences and a line between
// them. Of those on the first screen there are the sentences only: a second line
// would replace the first.
func (w *exampleWriter) options(s *ucl.Section, depth int, prefix string) {
	indent, prose, gap := "#"+strings.Repeat("    ", depth), "# ", "\n"
	if depth > 0 {
		prose, gap = indent+"# ", "#\n"
	}
	for i := range s.Options {
		o := &s.Options[i]
		if o.Unserved {
			continue
		}
		if depth == 0 || i > 0 {
			w.WriteString(gap)
		}
		if w.above[prefix+o.Name] {
			writeProse(w.Builder, prose, o.Name+", above: "+sentences(o))
			continue
		}
		writeProse(w.Builder, prose, sentences(o))
		fmt.Fprintf(w, "%s%s = %s;\n", indent, o.Name, shown(o))
	}
}

// shown returns the value which the example shows for an option.
func shown(o *ucl.Option) string {
	if o.Example != "" {
		return o.Example
	}
	return o.Value.String()
}

// byDefault returns the default of an option for people.
func byDefault(o *ucl.Option) string {
	value := o.Value.String()
	switch {
	case o.Default != "":
		return o.Default
	case o.Required || value == "[]" || value == `""`:
		return "none"
	}
	return value
}

// sentences returns what there is to say about an option.
func sentences(o *ucl.Option) string {
	text := o.Doc
	if o.Example != "" && o.Example != o.Value.String() {
		text += " Default: " + byDefault(o) + "."
	}
	if o.Restart {
		text += " A change needs a restart."
	}
	return text
}

// writeProse writes a text in lines that each begin with the prefix.
func writeProse(b *strings.Builder, prefix, text string) {
	line := prefix
	for _, word := range strings.Fields(text) {
		if len(line) > len(prefix) && len([]rune(line))+len([]rune(word)) > proseColumn {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = prefix
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
