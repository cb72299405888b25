package config

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// selected is a configuration with something of each kind to select.
func selected(t *testing.T) *Config {
	t.Helper()
	c, _, err := Load("/etc/rmilter.conf", Options{FS: fstest.MapFS{
		"etc/rmilter.conf": {Mode: 0o600, Data: []byte(`max_size = 5M;
actions { reject = 12; }
worker "controller" { password = "hunter2"; }
settings "my vip" { rcpt = a@example.com; actions { reject = 20; } }
settings "b.example" { rcpt = @b.example; }
`)},
		"etc/rmilter.conf.local": {Data: []byte("our_networks += 192.0.2.0/24;\nour_networks += 198.51.100.0/24;\n")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSelect wants sections and options by all the names that people give them.
func TestSelect(t *testing.T) {
	c := selected(t)
	for selector, want := range map[string]string{
		"max_size":                     "max_size",
		"actions.reject":               "actions reject",
		"actions reject":               "actions reject",
		"worker controller password":   `worker "controller" password`,
		`worker "controller" password`: `worker "controller" password`,
		"worker.controller.password":   `worker "controller" password`,
		`settings "my vip" rcpt`:       `settings "my vip" rcpt`,
		"settings b.example rcpt":      `settings "b.example" rcpt`,
		`settings "b.example" enable`:  `settings "b.example" enable`,
	} {
		got, err := c.Values(selector)
		if err != nil || len(got) != 1 || got[0].Path != want {
			t.Errorf("%s: got %+v, %v, want %s", selector, got, err, want)
		}
	}
	all, err := c.Values("")
	if err != nil || len(all) != len(flatten(c.top)) {
		t.Errorf("everything: got %d options, %v, want %d", len(all), err, len(flatten(c.top)))
	}
	settings, err := c.Values("settings")
	if err != nil || len(settings) < 20 || settings[0].Path != `settings "my vip" rcpt` {
		t.Errorf("settings: got %+v, %v, want both blocks", settings, err)
	}
	if got, err := Default().Values("settings"); err != nil || got == nil || len(got) > 0 {
		t.Errorf("no settings: got %v, %v, want an empty list", got, err)
	}
	for selector, want := range map[string]string{
		"reject":     `no section or option "reject"; there is actions reject, settings "my vip" actions reject, settings "b.example" actions reject`,
		"action":     `no section or option "action"`,
		"max_size x": `no section or option "max_size x"`,
		"  ":         "",
	} {
		_, err := c.Values(selector)
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%q: got %v, want %q", selector, err, want)
		}
	}
}

// TestValues looks at what programs are told of an option.
func TestValues(t *testing.T) {
	c := selected(t)
	for _, want := range []Value{
		{"max_size", "5M", []string{"/etc/rmilter.conf:1"}, false, false},
		{"our_networks", "127.0.0.0/8, [::1]/128, 192.0.2.0/24, 198.51.100.0/24", []string{"/etc/rmilter.conf.local:1", "/etc/rmilter.conf.local:2"}, false, false},
		{"data_dir", `"/var/lib/rmilter"`, []string{}, true, false},
		{`worker "controller" password`, `"********"`, []string{"/etc/rmilter.conf:3"}, false, false},
		{"greylisting timeout", "5m", []string{}, false, false},
		{"redis servers", "[]", []string{}, true, false},
		{"clamav servers", "[]", []string{}, false, true},
	} {
		got, err := c.Values(want.Path)
		if err != nil || len(got) != 1 {
			t.Errorf("%s: got %v, %v", want.Path, got, err)
		} else if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Errorf("%s, -want +got:\n%s", want.Path, diff)
		}
	}
}

// TestDumpSelected wants a part in the form of the file: what is written is read again.
func TestDumpSelected(t *testing.T) {
	c := selected(t)
	for selector, want := range map[string]string{
		"max_size":                         "max_size = 5M;  # /etc/rmilter.conf:1\n",
		"actions.reject":                   "actions {\n    reject = 12;  # /etc/rmilter.conf:2\n}\n",
		`settings "my vip" actions.reject`: "settings \"my vip\" {\n    actions {\n        reject = 20;  # /etc/rmilter.conf:4\n    }\n}\n",
	} {
		var b bytes.Buffer
		if err := c.Dump(&b, selector, true); err != nil || b.String() != want {
			t.Errorf("%s: got %q, %v, want %q", selector, b.String(), err, want)
		}
	}
	var b bytes.Buffer
	if err := c.Dump(&b, "worker controller", false); err != nil || strings.Count(b.String(), "worker ") != 1 || strings.Contains(b.String(), "hunter2") {
		t.Errorf("worker: got %q, %v", b.String(), err)
	}
}

// FuzzSelect takes any selector.
func FuzzSelect(f *testing.F) {
	for _, s := range []string{"actions.reject", `settings "my vip`, `worker "\`, "....", ""} {
		f.Add(s)
	}
	c := Default()
	f.Fuzz(func(t *testing.T, selector string) {
		got, err := c.Values(selector)
		if err == nil && got == nil || err != nil && got != nil {
			t.Errorf("%q: got %v and %v", selector, got, err)
		}
	})
}
