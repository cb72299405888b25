package config

import (
	"fmt"
	"strings"

	"rmilter/internal/ucl"
)

// languageText is the part of the documentation that no declaration holds.
const languageText = `# Configuration

<!-- Generated from the declarations of the options: go test ./internal/config -update -->

` + "`rmilter -t`" + ` reads the configuration and tells everything that is wrong with it, each fault with
its file, line and column. ` + "`systemctl reload rmilter`" + ` puts it in force for the next messages; with a
fault, the one before stays.

## Files

1. the main file, ` + "`/etc/rmilter.conf`" + ` unless ` + "`-c`" + ` names another
2. ` + "`rmilter.conf.local`" + ` beside it, if there is one
3. ` + "`rmilter.conf.d/*.conf`" + `, in alphabetical order
4. ` + "`rmilter.conf.local.override`" + `, if there is one

A later file replaces single directives of an earlier one; ` + "`+=`" + ` adds to a list. A section in
` + "`rmilter.conf.local.override`" + ` replaces that section as a whole. No file is read twice, so an
` + "`.include`" + ` of one of them in the main file does no harm.

## Language

` + "```" + `
# a comment                                   /* another, over several lines if need be */
max_size = 10M;                               # the semicolon may be left out at the end of a line
our_networks = 127.0.0.1/32, [::1]/128;       # a list; it may go over several lines
our_networks += 192.0.2.0/24;                 # adds to the list
syslog_name = "rmilter";                      # quotes for what holds blanks, commas or ; # { }
spamd {
    reject_message = <<EOD
a text as it stands: "; # { }"
EOD
}
actions { greylist = 4; reject = 15; }        # a section; a repeated one adds to the first
settings "vip" { rcpt = @example.com; }       # a section with a name
.include "$CONFDIR/more.conf"                 # in place; a pattern such as *.conf works
.try_include /etc/rmilter/extra.conf          # no fault when there is none
` + "```" + `

rspamd's forms are understood, too: ` + "`name: value`" + `, ` + "`name value;`" + `, arrays in square brackets, JSON,
` + "`.include(try=true,priority=1) \"file\"`" + `. In double quotes a backslash has its meaning of JSON; before
anything else it stays. Single quotes have no escapes but ` + "`\\'`" + `. ` + "`$CONFDIR`" + ` is the directory of the
main file.

| Value | Written as |
|---|---|
| flag | ` + "`yes`, `no`, `true`, `false`, `on`, `off`, `1`, `0`" + ` |
| size | a number of bytes, or with ` + "`k`, `m`, `g`" + ` in steps of 1024 |
| time | a number with ` + "`ms`, `s`, `m` (minutes), `h`, `d`, `w`" + ` |
| networks | ` + "`192.0.2.1`, `192.0.2.0/24`, `[2001:db8::]/32`" + `, host names (looked up at start and reload) |
| recipients | ` + "`user`" + ` (at any domain), ` + "`@domain`, `user@domain`" + ` |
| sockets | ` + "`inet:PORT@HOST`, `inet6:PORT@[ADDRESS]`, `unix:PATH`, `fd:N`, `systemd:NAME`, `HOST:PORT`, `*:PORT`" + ` |
| servers | ` + "`HOST`, `HOST:PORT`, `[ADDRESS]:PORT`, `/PATH`" + `; at most 32 |
| bucket | ` + "`BURST:RATE`" + ` with the rate for each second, as in ` + "`20:0.0166`, or `\"100 / 1h\"`" + `; ` + "`0:0`" + ` is off |
| regular expression | ` + "`/PATTERN/FLAGS`" + ` with the flags ` + "`i`, `m`, `s`" + `, or the pattern alone |
| text of several lines | ` + "`<<EOD`" + `, the lines, and ` + "`EOD`" + ` on a line of its own |

`

// Reference returns docs/configuration.md: the language, and every option with its
// default and meaning.
func Reference() string {
	c := Default()
	var b strings.Builder
	b.WriteString(languageText)
	b.WriteString("## Options outside of any section\n\n")
	writeTable(&b, c.top)
	for _, s := range c.top.Sections {
		writeSection(&b, s, "", 2)
	}
	writeOld(&b, c.top)
	return b.String()
}

// writeSection writes a section and those within it.
func writeSection(b *strings.Builder, s *ucl.Section, prefix string, depth int) {
	if s.Unserved {
		return
	}
	for _, t := range templates(s) {
		fmt.Fprintf(b, "%s `%s%s { }`\n\n%s\n\n", strings.Repeat("#", depth), prefix, t.title, s.Doc)
		writeTable(b, t.section)
		for _, sub := range t.section.Sections {
			writeSection(b, sub, prefix+t.title+" ", depth+1)
		}
	}
}

// writeTable writes the options of a section.
func writeTable(b *strings.Builder, s *ucl.Section) {
	b.WriteString("| Option | Default | Meaning |\n|---|---|---|\n")
	for i := range s.Options {
		o := &s.Options[i]
		if o.Unserved {
			continue
		}
		text := o.Doc
		if o.Restart {
			text += " A change needs a restart."
		}
		if len(o.Aliases) > 0 {
			text += " Also: `" + strings.Join(o.Aliases, "`, `") + "`."
		}
		value := byDefault(o)
		if value != "none" && o.Default == "" {
			value = "`" + value + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", o.Name, cell(value), cell(text))
	}
	b.WriteString("\n")
}

// cell returns a text for the cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
