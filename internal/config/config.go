// Package config assembles the sections of all packages into the configuration of the
// daemon, from the files in their order.
//
// It knows the files, the directives of old which have no effect any more, and no
// option but the daemon's own. The others are declared by the packages that have
// them, see package ucl; this package also writes the example file and the
// documentation from those declarations.
package config

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"rmilter/greylist"
	"rmilter/internal/dns"
	"rmilter/internal/filter"
	"rmilter/internal/policy"
	"rmilter/internal/replies"
	"rmilter/internal/signing"
	"rmilter/internal/store/redis"
	"rmilter/internal/ucl"
	"rmilter/ratelimit"
	"rmilter/scan"
	"rmilter/scan/checks"
)

// A Config is a configuration. It never changes once loaded and is then safe for
// concurrent use.
type Config struct {
	Filter   filter.Config
	Policy   policy.Config
	Scan     *scan.Config
	Server   Server
	Redis    redis.Config
	Greylist greylist.Config
	Limits   ratelimit.Config
	Replies  replies.Config
	DKIM     signing.Config
	DNS      dns.Config
	Later    Later  // read and checked, not served by this version
	Hash     string // six hex digits over the names and texts of all files

	top *ucl.Section // the declarations, with the origins of the values
}

// Options are what a load depends on besides the files.
type Options struct {
	// DataDir is in place of data_dir when not empty.
	DataDir string
	// FS is the file system from its root; nil is the machine's.
	FS fs.FS
	// Lookup looks up the host names in lists of networks; nil asks the machine's
	// resolver.
	Lookup ucl.LookupFunc
}

// Default returns the defaults.
func Default() *Config {
	c := &Config{
		Filter: filter.DefaultConfig(), Policy: policy.DefaultConfig(), Scan: scan.NewConfig(checks.All()), Server: DefaultServer(),
		Redis: redis.DefaultConfig(), Greylist: greylist.DefaultConfig(), Limits: ratelimit.DefaultConfig(), Replies: replies.DefaultConfig(),
		DKIM:  signing.DefaultConfig(),
		DNS:   dns.DefaultConfig(),
		Later: DefaultLater(),
	}
	c.top = c.sections()
	return c
}

// Load reads the configuration from a file and those that belong to it (see Files).
// The diagnostics are warnings and notices, in order. An error is a *ucl.Error with
// every fault of all files; there is no configuration then.
func Load(path string, o Options) (*Config, []ucl.Diagnostic, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	if o.FS == nil {
		o.FS = os.DirFS("/")
	}
	if o.Lookup == nil {
		o.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	c := Default()
	l := newLoader(path, o.FS, string(c.Server.Hostname))
	blocks, replaced := readFiles(l, path)
	for _, b := range blocks {
		ucl.Decode(b, c.top, &l.Diagnostics)
	}
	// What the override replaces has no effect, but its faults are told all the same.
	var unused ucl.Diagnostics
	ucl.Decode(replaced, Default().top, &unused)
	l.Diagnostics.Append(&unused, ucl.Fault)
	ucl.Resolve(context.Background(), c.top, o.Lookup, &l.Diagnostics)
	ucl.Finish(c.top)
	c.check(o, l)
	if o.DataDir != "" {
		c.Server.DataDir = ucl.String(o.DataDir)
	}
	c.Hash = l.Sum()[:6]
	var remarks []ucl.Diagnostic
	for _, d := range l.Diagnostics.All() {
		if d.Severity != ucl.Fault {
			remarks = append(remarks, d)
		}
	}
	if err := l.Diagnostics.Err(); err != nil {
		return nil, remarks, err
	}
	return c, remarks, nil
}

// option returns an option by its path, for example `worker "controller" password`.
func (c *Config) option(path string) *ucl.Option {
	s, rest := c.top, path
	for {
		for i := range s.Options {
			if s.Options[i].Name == rest {
				return &s.Options[i]
			}
		}
		if s, rest = within(s, rest); s == nil {
			panic("config: no option " + path)
		}
	}
}

// within returns the section within s with whose title a path begins, and the rest of
// the path.
func within(s *ucl.Section, path string) (sub *ucl.Section, rest string) {
	for _, sub := range s.Sections {
		if !strings.HasPrefix(path, sub.Name+" ") {
			continue
		}
		for _, b := range blocks(sub) {
			if rest, ok := strings.CutPrefix(path, b.title+" "); ok {
				return b.section, rest
			}
		}
	}
	return nil, ""
}

// sections merges the sections of all packages.
func (c *Config) sections() *ucl.Section {
	top := &ucl.Section{Doc: "Options outside of any section."}
	for _, list := range [][]*ucl.Section{c.Server.Sections(), c.Filter.Sections(), c.Policy.Sections(), c.Greylist.Sections(), c.Limits.Sections(),
		c.Replies.Sections(), c.Redis.Sections(), c.DKIM.Sections(), c.DNS.Sections(), c.Scan.Sections(), c.Later.Sections(), rspamd(), old()} {
		for _, s := range list {
			merge(top, s)
		}
	}
	hints(top)
	return top
}

// merge adds a section to those declared before. A word that two packages declare in
// the same section is a mistake in the program.
func merge(top, s *ucl.Section) {
	to := top
	if s.Name != "" {
		to = nil
		for _, t := range top.Sections {
			if t.Name == s.Name {
				to = t
			}
		}
		if to == nil {
			top.Sections = append(top.Sections, s)
			return
		}
	}
	if to.Repeat != nil || s.Repeat != nil {
		panic(fmt.Sprintf("config: section %s is declared twice, and one of them is keyed", s.Name))
	}
	words := map[string]bool{}
	for _, w := range append(to.Words(), s.Words()...) {
		if words[w] {
			panic(fmt.Sprintf("config: %s is declared twice in section %q", w, s.Name))
		}
		words[w] = true
	}
	if to.Doc == "" {
		to.Doc = s.Doc
	}
	to.Options = append(to.Options, s.Options...)
	to.Sections = append(to.Sections, s.Sections...)
	to.Ignored = append(to.Ignored, s.Ignored...)
	if first := to.Check; first == nil {
		to.Check = s.Check
	} else if s.Check != nil {
		to.Check = func(warn func(option, format string, args ...any)) { first(warn); s.Check(warn) }
	}
}

// RestartNeeded names the options that differ from those of the running configuration
// and take effect at a restart only, in the order of the documentation.
func (c *Config) RestartNeeded(running *Config) []string {
	is, was := flatten(c.top), flatten(running.top)
	values := map[string]*ucl.Option{}
	for _, e := range was {
		values[e.path] = e.option
	}
	var names []string
	for _, e := range is {
		if before := values[e.path]; e.option.Restart && !e.unserved && (before == nil || before.Value.String() != e.option.Value.String()) {
			names = append(names, e.path)
		}
	}
	return names
}

// An element is an option with its path, for example `worker "controller" password`.
type element struct {
	path     string
	option   *ucl.Option
	unserved bool // this version does not act on it
}

// flatten returns all options of a section and of those within it.
func flatten(s *ucl.Section) []element {
	var list []element
	var walk func(s *ucl.Section, prefix string, unserved bool)
	walk = func(s *ucl.Section, prefix string, unserved bool) {
		for i := range s.Options {
			list = append(list, element{prefix + s.Options[i].Name, &s.Options[i], unserved || s.Options[i].Unserved})
		}
		for _, sub := range s.Sections {
			for _, b := range blocks(sub) {
				walk(b.section, prefix+b.title+" ", unserved || sub.Unserved)
			}
		}
	}
	walk(s, "", false)
	return list
}

// A block is a section as it stands in a file.
type block struct {
	title   string // name and key
	section *ucl.Section
}

// blocks returns what stands for a section in the effective configuration: itself, or
// the blocks of a keyed one that there are, those with known keys in any case. What has
// no options is left out.
func blocks(s *ucl.Section) []block {
	var list []block
	known := map[*ucl.Section]bool{}
	add := func(key string, b *ucl.Section) {
		if len(b.Options)+len(b.Sections) > 0 && !known[b] {
			known[b] = true
			list = append(list, block{strings.TrimSuffix(s.Name+" "+ucl.Quote(key), ` ""`), b})
		}
	}
	if s.Hidden {
		return nil
	}
	if s.Repeat == nil {
		add("", s)
		return list
	}
	for _, key := range s.Keys {
		add(key, s.Repeat(key))
	}
	for _, b := range s.Blocks() {
		add(b.BlockKey(), b)
	}
	return list
}
