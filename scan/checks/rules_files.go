package checks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rmilter/internal/maps"
	"rmilter/internal/ucl"
)

// A pathList is a list of absolute paths, or of patterns of them.
type pathList []string

// Set implements ucl.Value.
func (v *pathList) Set(n *ucl.Node, add bool) error {
	items, err := n.Texts()
	if err != nil {
		return err
	}
	var list []string
	if add {
		list = slices.Clip(*v)
	}
	for _, item := range items {
		if _, err := filepath.Match(item.Text, ""); err != nil || !strings.HasPrefix(item.Text, "/") || strings.ContainsRune(item.Text, 0) {
			return item.Errorf("%.80q is not a path; expected one that begins with /", item.Text)
		}
		list = append(list, item.Text)
	}
	*v = list
	return nil
}

// IsList returns true: += adds to the list.
func (v *pathList) IsList() bool { return true }

// String returns the paths separated by commas.
func (v *pathList) String() string { return (*ucl.Strings)(v).String() }

// A rulesRead is what was read from files last.
type rulesRead struct {
	done  bool
	paths []string // of the files, included ones too
	stamp maps.Stamp
	err   error
}

// maxRules bounds the rules of a configuration.
const maxRules = 20_000

// Refresh implements scan.Refresher.
func (r *rulesRunner) Refresh(taken func(string) string) error {
	found, err := r.conf.files.find()
	paths := slices.Compact(slices.Sorted(slices.Values(slices.Concat(found, r.read.paths))))
	stamp := maps.NewStamp(paths, r.now())
	if r.read.done && r.read.stamp.Same(stamp) {
		return r.read.err
	}
	var included []string
	if err == nil {
		included, err = r.load(found, taken)
		slices.Sort(included)
		if !slices.Equal(included, paths) {
			stamp = maps.NewStamp(included, r.now())
		}
	}
	r.read = rulesRead{true, included, stamp, err}
	return err
}

// find returns the paths of the files, in alphabetical order for each pattern.
func (v pathList) find() ([]string, error) {
	var all []string
	var errs []error
	for _, pattern := range v {
		names, err := filepath.Glob(pattern)
		if err == nil && len(names) == 0 && !strings.ContainsAny(pattern, `*?[\`) {
			_, err = os.Stat(pattern)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("rule_files: %w", err))
		}
		for _, name := range names {
			if !slices.Contains(all, name) && !strings.HasPrefix(filepath.Base(name), ".") {
				all = append(all, name)
			}
		}
	}
	return all, errors.Join(errs...)
}

// load puts the rules of the configuration and of files in force, all or none. It
// returns the paths that it read.
func (r *rulesRunner) load(files []string, taken func(string) string) ([]string, error) {
	blocks := newRuleBlocks()
	top := &ucl.Section{Sections: []*ucl.Section{blocks.section()}}
	l := ucl.Loader{FS: os.DirFS("/")}
	for _, f := range files {
		if !l.WasRead(f) {
			ucl.Decode(l.Read(f), top, &l.Diagnostics)
		}
	}
	ucl.Finish(top)
	paths := l.Files()
	if err := l.Diagnostics.Err(); err != nil {
		return paths, err
	}
	var rules []rule
	var errs []error
	add := func(c *ruleConfig) {
		made, err := c.rule()
		if other := taken(c.name); err == nil && other != "" {
			err = fmt.Errorf("%s: regexp %q: %s has a symbol of that name", c.re.pos, c.name, other)
		}
		if err != nil {
			errs = append(errs, err)
		}
		rules = append(rules, made)
	}
	for _, name := range r.conf.rules.order {
		add(r.conf.rules.byName[name])
	}
	for _, name := range blocks.order {
		c := blocks.byName[name]
		if r.conf.rules.byName[name] != nil {
			errs = append(errs, fmt.Errorf("%s: regexp %.60q is in the configuration, too", c.re.pos, name))
			continue
		}
		add(c)
	}
	if len(rules) > maxRules {
		errs = append(errs, fmt.Errorf("%d rules; expected at most %d", len(rules), maxRules))
	}
	if err := errors.Join(errs...); err != nil {
		return paths, err
	}
	set, err := newRuleset(rules)
	if err == nil {
		r.set.Store(set)
	}
	return paths, err
}
