// Package config assembles the sections of all packages into the configuration of the
// daemon: it knows the files and their order, and no option but the daemon's own.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"rmilter/internal/filter"
	"rmilter/internal/policy"
	"rmilter/internal/ucl"
)

// A Config is a configuration. It never changes once loaded.
type Config struct {
	Filter filter.Config
	Policy policy.Config
	Server Server
	Hash   string // six hex digits over all that was read
}

// Options are what a load depends on besides the files.
type Options struct {
	DataDir string // in place of data_dir, when not empty
}

// Default returns the defaults.
func Default() *Config {
	return &Config{Filter: filter.DefaultConfig(), Policy: policy.DefaultConfig(), Server: DefaultServer()}
}

// Load reads a configuration.
func Load(path string, o Options) (*Config, []ucl.Diagnostic, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	l := &ucl.Loader{FS: os.DirFS("/")}
	c := Default()
	top := c.section()
	ucl.Decode(l.Read(path), top, &l.Diagnostics)
	ucl.Finish(top)
	if o.DataDir != "" {
		c.Server.DataDir = ucl.String(o.DataDir)
	}
	h := sha256.New()
	for _, f := range l.Files() {
		b, _ := os.ReadFile(f)
		h.Write(b)
	}
	c.Hash = hex.EncodeToString(h.Sum(nil))[:6]
	var faults, rest []ucl.Diagnostic
	for _, d := range l.Diagnostics.All() {
		if d.Severity == ucl.Fault {
			faults = append(faults, d)
		} else {
			rest = append(rest, d)
		}
	}
	if len(faults) > 0 {
		var b strings.Builder
		for _, d := range faults {
			b.WriteString("\n" + d.String())
		}
		return nil, rest, errors.New(strings.TrimPrefix(b.String(), "\n"))
	}
	return c, rest, nil
}

// section merges the sections of all packages.
func (c *Config) section() *ucl.Section {
	top := &ucl.Section{}
	for _, sections := range [][]*ucl.Section{c.Server.Sections(), c.Filter.Sections(), c.Policy.Sections()} {
		for _, s := range sections {
			merge(top, s)
		}
	}
	return top
}

func merge(top, s *ucl.Section) {
	if s.Name == "" {
		top.Options = append(top.Options, s.Options...)
		return
	}
	for _, t := range top.Sections {
		if t.Name == s.Name {
			t.Options = append(t.Options, s.Options...)
			return
		}
	}
	top.Sections = append(top.Sections, s)
}

// RestartNeeded names the options that differ from a running configuration and take
// effect at a restart only.
func (c *Config) RestartNeeded(running *Config) []string { return nil }
