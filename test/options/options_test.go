package options

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/config"
	"rmilter/test/redisd"
)

// An entry changes one option. An option may have several, the first of which stands
// for it; the others are about more of its values.
//
// In with, value, env, before and after $DIR stands for a folder of the daemon's own; see
// expand for what else is replaced.
type entry struct {
	path  string // the option, as config.Entries has it
	as    string // the same with a name of its own instead of "NAME"; none where that will do
	value string // other than the default, as the file has it
	with  string // configuration that both runs have
	probe probe
	// What the probe sees with the default, and with value.
	before, after string

	redis func(t *testing.T) []*redisd.Server // servers that it needs, see expand
	zones []string                            // of the DNS servers that it needs, see expand; the first is the resolver

	env  []string        // the daemon's environment, as NAME=VALUE
	room bool            // the probe looks at places of the machine
	ends bool            // the probe ends the daemon
	prep func(d *daemon) // before each start
}

// A probe observes what a running daemon does. It must not ask for the configuration.
type probe func(d *daemon) string

// entries are all of them.
func entries() []entry {
	return slices.Concat(processEntries(), controllerEntries(), mailEntries(), spamdEntries(), actionEntries(), settingsEntries(),
		checkEntries(), clientEntries(), listEntries(), ruleEntries(), weightEntries(), greylistEntries(), limitEntries(), replyEntries(), redisEntries(),
		authEntries(), authListEntries(), authFieldEntries(), dnsListEntries(), signEntries())
}

// TestEveryOption wants an entry for every documented option, and no other.
func TestEveryOption(t *testing.T) {
	documented := map[string]bool{}
	for _, e := range config.Entries() {
		documented[e.Path] = true
	}
	seen := map[string]bool{}
	for _, e := range entries() {
		if !documented[e.path] {
			t.Errorf("there is an entry for %s, which is not documented", e.path)
		}
		seen[e.path] = true
	}
	for path := range documented {
		if !seen[path] {
			t.Errorf("%s is documented, and no entry shows that it has an effect", path)
		}
	}
	t.Logf("%d options, %d entries", len(documented), len(entries()))
}

// TestEntriesAreTheReference compares the list of options with the tables of the
// reference, which is docs/configuration.md: path, default and whether a change needs a restart.
func TestEntriesAreTheReference(t *testing.T) {
	heading := regexp.MustCompile("^##+ `(.*) { }`$")
	row := regexp.MustCompile("^\\| `([^`]+)` \\| (.*?) \\| (.*) \\|$")
	var got, want []config.Entry
	section, table := "", false
	for line := range strings.Lines(config.Reference()) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			section, table = "", false
			if m := heading.FindStringSubmatch(line); m != nil {
				section = m[1] + " "
			}
		}
		if line == "| Option | Default | Meaning |" {
			table = true
		}
		if m := row.FindStringSubmatch(line); m != nil && table {
			got = append(got, config.Entry{Path: section + m[1], Default: strings.Trim(m[2], "`"), Restart: strings.Contains(m[3], " A change needs a restart.")})
		}
	}
	for _, e := range config.Entries() {
		e.Default = strings.ReplaceAll(e.Default, "|", `\|`)
		want = append(want, e)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config.Reference is not what config.Entries says (-want +got):\n%s", diff)
	}
}

// TestOptions watches the effect of every option: at a start with the default, at a
// reload with another value, and at a start with that.
func TestOptions(t *testing.T) {
	restart := map[string]bool{}
	for _, e := range config.Entries() {
		restart[e.Path] = e.Restart
	}
	for _, e := range entries() {
		t.Run(e.path+" = "+e.value, func(t *testing.T) {
			if e.room {
				needRoom(t) // one at a time: two entries may want one place
			} else {
				t.Parallel()
			}
			if e.before == e.after {
				t.Fatalf("the table says that nothing changes: %s", e.before)
			}
			e.watch(t, restart[e.path])
		})
	}
}

// watch is the test of one entry.
func (e *entry) watch(t *testing.T, restart bool) {
	d := newDaemon(t, e)
	as := e.path
	if e.as != "" {
		as = e.as
	}
	change := directive(as, e.value)
	e.begin(d, "")
	e.see(d, "with the default", e.before)

	if e.ends {
		d.stop()
		e.begin(d, "")
	}
	d.reload(change)
	const needs = "a changed option needs a restart; the old value stays"
	if restart {
		d.line(needs)
		said := strings.ReplaceAll(strings.Join(d.lines(needs), "\n"), `\`, "") // quoting of text and JSON
		options := 1 + strings.Count(e.value, ";")                              // a value may bring another option along
		if n := len(d.lines(needs)); n != options || !strings.Contains(said, e.path) {
			t.Errorf("the reload said %d times that a restart is needed:\n%s\nwant %d lines, one of them of %s", n, said, options, e.path)
		}
		e.see(d, "after a reload, before the restart that it needs", e.before)
	} else {
		e.see(d, "after a reload", e.after)
		if said := d.lines(needs); said != nil {
			t.Errorf("the reload said %q of an option that needs no restart", said)
		}
	}
	d.stop()

	e.begin(d, change)
	e.see(d, "after a start with "+e.value, e.after)
	d.stop()
}

// begin starts the daemon.
func (e *entry) begin(d *daemon, more string) {
	d.t.Helper()
	if e.prep != nil {
		e.prep(d)
	}
	d.start(more)
}

// see compares what the probe sees with what it should.
func (e *entry) see(d *daemon, when, want string) {
	d.t.Helper()
	got := e.probe(d)
	d.hangUp()
	if diff := cmp.Diff(strings.ReplaceAll(want, "$HOST", machine(d.t)), got); diff != "" {
		d.t.Errorf("%s = %s, %s (-want +got):\n%s\nlog:\n%s", e.path, e.value, when, diff, d.logged())
	}
}

// machine returns the machine's name.
func machine(t *testing.T) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}
