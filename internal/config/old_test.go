package config

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOldFiles loads files as they were written for the old milter and for rspamd.
// All start; testdata/old/NAME.want has the remarks and what differs from the defaults.
func TestOldFiles(t *testing.T) {
	names, err := filepath.Glob("testdata/old/*.conf")
	if err != nil || len(names) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			c, remarks, err := load(files("/etc/rmilter.conf", string(text),
				"/etc/rmilter.conf.common", "tempdir = /tmp;\nspamd {\n  servers = r:localhost:11333;\n  whitelist = 127.0.0.1/32;\n};\n",
				"/etc/rmilter.conf.local", "# mine\nspamd { whitelist += 192.0.2.7; reject_message = \"No\"; };\n"))
			if err != nil {
				t.Fatal(err)
			}
			got := list(remarks, nil) + "\n--\n" + changed(c)
			want, err := os.ReadFile(name[:len(name)-len("conf")] + "want")
			if *update {
				err = os.WriteFile(name[:len(name)-len("conf")]+"want", []byte(got), 0o644)
				want = []byte(got)
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// changed returns the options that a configuration sets, one on each line.
func changed(c *Config) string {
	var b strings.Builder
	for _, e := range flatten(c.top) {
		if len(e.option.Origin()) > 0 {
			b.WriteString(e.path + " = " + e.option.Value.String() + "\n")
		}
	}
	return b.String()
}

func FuzzConfig(f *testing.F) {
	names, err := filepath.Glob("testdata/old/*.conf")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), "")
	}
	f.Add(uncomment(Example()), "actions { reject = 5 }\nworker { type = controller; password = x }\n.include \"$CONFDIR/*.conf\"")
	f.Add("our_networks = mx.example.com, 10.0.0.0/8, [::1]; spamd { spam_header = Y }", "settings a { rcpt = a; actions { reject = off } } settings { b { enable = no } }")
	f.Fuzz(func(t *testing.T, main, override string) {
		o := Options{Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }}
		o.FS = files("/etc/rmilter.conf", main, "/etc/rmilter.conf.local.override", override)
		c, _, err := Load("/etc/rmilter.conf", o)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error without a text")
			}
			return
		}
		var once, twice strings.Builder
		if err := c.Dump(&once, "", false); err != nil {
			t.Fatal(err)
		}
		o.FS = files("/etc/rmilter.conf", once.String())
		c, _, err = Load("/etc/rmilter.conf", o)
		if err != nil {
			t.Fatalf("the dump\n%s\nhas faults:\n%v", once.String(), err)
		}
		if err := c.Dump(&twice, "", false); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(once.String(), twice.String()); diff != "" {
			t.Errorf("the dump is read as something else (-dump +read):\n%s", diff)
		}
	})
}
