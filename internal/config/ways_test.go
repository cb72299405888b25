package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/ucl"
)

// waysLookup knows the hosts that the ways name.
func waysLookup(_ context.Context, host string) ([]netip.Addr, error) {
	switch host {
	case "mx.example.com":
		return []netip.Addr{netip.MustParseAddr("192.0.2.25"), netip.MustParseAddr("2001:db8::25")}, nil
	case "localhost":
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}, nil
	}
	return nil, errors.New("no such host")
}

// loadWay loads the first file of a case as the main one.
func loadWay(c testCase, fsys fs.FS) (*Config, []ucl.Diagnostic, error) {
	return Load(c.files[0].name, Options{FS: fsys, Lookup: waysLookup})
}

// outcome says what a load gave: whether the daemon starts, the remarks, and after a
// line of dashes every value that is not the default.
func outcome(c *Config, remarks []ucl.Diagnostic, err error) string {
	var b strings.Builder
	b.WriteString("starts\n")
	if err != nil {
		b.Reset()
		b.WriteString("does not start\n")
	}
	if text := list(remarks, err); text != "" {
		b.WriteString(text + "\n")
	}
	if err == nil {
		b.WriteString("--\n" + differing(c))
	}
	return b.String()
}

// differing returns the options whose values are not the defaults, one on each line;
// of blocks that the defaults do not have, those that are set.
func differing(c *Config) string {
	defaults := map[string]string{}
	for _, e := range flatten(Default().top) {
		defaults[e.path] = e.option.Value.String()
	}
	var b strings.Builder
	for _, e := range flatten(c.top) {
		value := e.option.Value.String()
		was, known := defaults[e.path]
		if known && was != value || !known && len(e.option.Origin()) > 0 {
			fmt.Fprintf(&b, "%s = %s\n", e.path, strings.ToValidUTF8(value, "\ufffd"))
		}
	}
	return b.String()
}

// TestWays loads files as people write them. Each starts, or says exactly why not; the
// remarks and the values that come of it are in the section want of the case.
func TestWays(t *testing.T) {
	t.Setenv("TMPDIR", "")
	for _, c := range readCases(t, "testdata/ways", 40) {
		t.Run(c.name, func(t *testing.T) {
			conf, remarks, err := loadWay(c, c.fs())
			got := outcome(conf, remarks, err)
			if *update {
				rewriteWant(t, filepath.Join("testdata/ways", c.name+".txt"), got)
				return
			}
			if diff := cmp.Diff(c.words["want"], got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err == nil {
				rereadDump(t, conf)
			}
		})
	}
}

// rereadDump shows that the dump of a configuration is that configuration, but for
// passwords, which it does not show.
func rereadDump(t *testing.T, c *Config) {
	t.Helper()
	text := dump(t, c, "")
	again, _, err := load(files("/etc/rmilter.conf", text))
	if err != nil {
		t.Fatalf("the dump has faults: %v\n%s", err, text)
	}
	if diff := cmp.Diff(text, dump(t, again, "")); diff != "" {
		t.Errorf("the dump is read as something else (-dump +read):\n%s", diff)
	}
}

// FuzzConfig wants every configuration that is accepted to be read again from its dump.
func FuzzConfig(f *testing.F) {
	for _, c := range readCases(f, "testdata/ways", 40) {
		f.Add(c.files[0].text, "")
	}
	f.Add(uncomment(Example()), "actions { reject = 5 }\nworker { type = controller; password = x }\n.include \"$CONFDIR/*.conf\"")
	f.Add("our_networks = mx.example.com, 10.0.0.0/8, [::1]; spamd { spam_header = Y }", "settings a { rcpt = a; actions { reject = off } } settings { b { enable = no } }")
	f.Fuzz(func(t *testing.T, main, override string) {
		c, _, err := load(files("/etc/rmilter.conf", main, "/etc/rmilter.conf.local.override", override))
		switch {
		case err == nil:
			rereadDump(t, c)
		case strings.TrimSpace(err.Error()) == "":
			t.Error("an error without a text")
		}
	})
}
