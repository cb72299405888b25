package config

import (
	"io/fs"
	"path"
	"runtime"
	"strings"

	"rmilter/internal/ucl"
)

// Files returns the patterns of the files that belong to a main file, in the order
// in which they are read: the main file, FILE.local and FILE.d/*.conf, whose
// directives replace or, with +=, add to the earlier ones, and FILE.local.override,
// whose sections replace the earlier ones as a whole. Each is read once, even when
// another includes it.
func Files(main string) []string {
	return []string{main, main + ".local", main + ".d/*.conf", main + ".local.override"}
}

// newLoader returns the loader for a main file.
func newLoader(main string, fsys fs.FS, hostname string) *ucl.Loader {
	dir := path.Dir(main)
	return &ucl.Loader{
		FS:      fsys,
		Vars:    map[string]string{"CONFDIR": dir, "LOCAL_CONFDIR": dir, "RUNDIR": runDir(runtime.GOOS), "HOSTNAME": hostname},
		Builtin: builtin(),
		Raw:     []string{"rule"},
	}
}

// builtin are the files that rspamd brings and that blocks for it include. Their
// content is rmilter's defaults.
func builtin() map[string]string {
	names := []string{
		"worker-normal.inc", "worker-controller.inc", "worker-proxy.inc", "worker-fuzzy.inc", "worker-hs_helper.inc",
		"rspamd.conf", "rspamd.sysvinit.conf", "rspamd.systemd.conf", "workers.conf", "common.conf", "modules.conf",
		"options.inc", "options.conf", "logging.inc", "logging.conf", "metrics.conf", "actions.conf", "groups.conf",
		"statistic.conf", "composites.conf", "settings.conf", "cgp.inc", "lang_detection.inc",
	}
	for _, group := range []string{
		"content", "excess", "fuzzy", "headers", "hfilter", "mime_types", "mua", "phishing", "policies", "rbl", "statistics",
		"subject", "surbl", "url_suspect", "whitelist",
	} {
		names = append(names, group+"_group.conf")
	}
	texts := map[string]string{}
	for _, name := range names {
		texts[name] = ""
	}
	return texts
}

// relative returns a path as an fs.FS wants it.
func relative(name string) string {
	if name = strings.TrimPrefix(path.Clean(name), "/"); name == "" {
		return "."
	}
	return name
}

// readFiles reads the files that belong to a main file. It returns their trees in
// order, and the sections that the override replaced.
func readFiles(l *ucl.Loader, main string) (trees []*ucl.Block, replaced *ucl.Block) {
	add := func(name string) *ucl.Block {
		b := l.Read(name)
		translate(b, &l.Diagnostics)
		trees = append(trees, b)
		return b
	}
	files := Files(main)
	add(files[0])
	if l.Exists(files[1]) && !l.WasRead(files[1]) {
		add(files[1])
	}
	for _, name := range l.Glob(files[2]) {
		if !l.WasRead(name) {
			add(name)
		}
	}
	replaced = &ucl.Block{}
	if !l.Exists(files[3]) || l.WasRead(files[3]) {
		return trees, replaced
	}
	override := sectionNames(add(files[3]))
	for _, b := range trees[:len(trees)-1] {
		var kept []*ucl.Directive
		for _, d := range b.Directives {
			if override[sectionName(d)] {
				replaced.Directives = append(replaced.Directives, d)
			} else {
				kept = append(kept, d)
			}
		}
		b.Directives = kept
	}
	return trees, replaced
}

// sectionNames returns the names of the sections at the top of a tree.
func sectionNames(b *ucl.Block) map[string]bool {
	names := map[string]bool{}
	for _, d := range b.Directives {
		if name := sectionName(d); name != "" {
			names[name] = true
		}
	}
	return names
}

// sectionName returns the name of a section with its keys, "" for a directive.
func sectionName(d *ucl.Directive) string {
	if d.Value.Kind != ucl.BlockKind {
		return ""
	}
	return strings.Join(append([]string{d.Name}, d.Keys...), " ")
}
