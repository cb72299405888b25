package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/policy"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// set sets an option by section and name.
func set(t *testing.T, sections []*ucl.Section, section, name, text string) error {
	t.Helper()
	for _, s := range sections {
		if s.Name != section {
			continue
		}
		for _, o := range s.Options {
			if o.Name == name {
				return o.Value.Set(ucl.TextNode(text), false)
			}
		}
	}
	t.Fatalf("no option %q in section %q", name, section)
	return nil
}

// find returns the section of this name.
func find(t *testing.T, sections []*ucl.Section, name string) *ucl.Section {
	t.Helper()
	for _, s := range sections {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no section %q", name)
	return nil
}

func TestDefaults(t *testing.T) {
	c := policy.DefaultConfig()
	want := policy.Settings{Name: policy.DefaultSettings, Thresholds: scan.Thresholds{scan.Greylist: 4, scan.AddHeader: 6, scan.Reject: 15}}
	if d := cmp.Diff(want, *c.Book(nil).For("alice", "example.com")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Every option takes its own default back, says what it is, and its documentation
// ends in a full stop.
func TestOptions(t *testing.T) {
	c := policy.DefaultConfig()
	sections := c.Sections()
	block := find(t, sections, "settings").Repeat("vip")
	all := append(sections, block)
	all = append(all, block.Sections...)
	n := 0
	for _, s := range all {
		for _, o := range s.Options {
			n++
			before := o.Value.String()
			node := ucl.TextNode(strings.Trim(before, `"`))
			if before == "[]" {
				node = ucl.ListNode()
			}
			if err := o.Value.Set(node, false); err != nil || o.Value.String() != before {
				t.Errorf("%s %s: default %s gives %v and %s", s.Name, o.Name, before, err, o.Value)
			}
			if !strings.HasSuffix(o.Doc, ".") {
				t.Errorf("%s %s: documentation %q", s.Name, o.Name, o.Doc)
			}
		}
	}
	if n != 3+9+8+5+7 {
		t.Errorf("got %d options", n)
	}
}

func TestSettingsFor(t *testing.T) {
	c := policy.DefaultConfig()
	sections := c.Sections()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	settings := find(t, sections, "settings")
	vip := settings.Repeat("vip")
	must(set(t, []*ucl.Section{vip}, "settings", "rcpt", "alice@example.com"))
	must(set(t, []*ucl.Section{vip}, "settings", "spamd_never_reject", "on"))
	must(set(t, vip.Sections, "actions", "reject", "20.5"))
	must(set(t, vip.Sections, "actions", "greylist", "off"))
	off := settings.Repeat("off")
	must(set(t, []*ucl.Section{off}, "settings", "rcpt", "@example.com"))
	must(set(t, []*ucl.Section{off}, "settings", "enable", "no"))
	must(set(t, []*ucl.Section{off}, "settings", "spamd_never_reject", "no"))
	if settings.Repeat("vip") != vip {
		t.Error("a repeated block isn't merged")
	}
	if settings.Repeat("") != nil || settings.Repeat("default") != nil {
		t.Error("a block without a name of its own is taken")
	}
	// The main sections come last in this file.
	must(set(t, sections, "actions", "rewrite_subject", "9"))
	must(set(t, sections, "spamd", "spamd_never_reject", "yes"))

	for _, w := range []struct {
		local, domain string
		want          policy.Settings
	}{
		{"alice", "example.com", policy.Settings{Name: "vip", NeverReject: true, Thresholds: scan.Thresholds{scan.AddHeader: 6, scan.RewriteSubject: 9, scan.Reject: 20.5}}},
		{"bob", "example.com", policy.Settings{Name: "off", Skip: true, Thresholds: scan.Thresholds{scan.Greylist: 4, scan.AddHeader: 6, scan.RewriteSubject: 9, scan.Reject: 15}}},
		{"bob", "example.org", policy.Settings{Name: policy.DefaultSettings, NeverReject: true, Thresholds: scan.Thresholds{scan.Greylist: 4, scan.AddHeader: 6, scan.RewriteSubject: 9, scan.Reject: 15}}},
	} {
		if d := cmp.Diff(w.want, *c.Book(nil).For(w.local, w.domain)); d != "" {
			t.Errorf("%s@%s (-want +got):\n%s", w.local, w.domain, d)
		}
	}
}

// TestFile reads the options as a file has them.
func TestFile(t *testing.T) {
	const text = `
smtp_codes = rmilter;
spamd { spam_header = "X-Junk"; spamd_temp_fail = yes; extended_headers_rcpt = postmaster, @example.org; }
settings "vip" { rcpt = alice@example.com; actions { reject = 30; "add header" = off } }
actions { "add header" = 7; reject = null; soft_reject = 12; subject = "[SPAM] %s"; }
settings vip { rcpt += bob@example.com; }
`
	c := policy.DefaultConfig()
	var l ucl.Loader
	// internal/config merges the sections of all packages; here the nameless one
	// holds the others.
	sections := c.Sections()
	top := sections[0]
	top.Sections = sections[1:]
	ucl.Decode(l.ReadText("test.conf", text), top, &l.Diagnostics)
	ucl.Finish(top)
	for _, d := range l.Diagnostics.All() {
		t.Error(d)
	}
	main := scan.Thresholds{scan.Greylist: 4, scan.AddHeader: 7, scan.SoftReject: 12}
	vip := scan.Thresholds{scan.Greylist: 4, scan.SoftReject: 12, scan.Reject: 30}
	for local, want := range map[string]policy.Settings{
		"alice": {Name: "vip", Thresholds: vip},
		"bob":   {Name: "vip", Thresholds: vip},
		"carol": {Name: policy.DefaultSettings, Thresholds: main},
	} {
		if d := cmp.Diff(want, *c.Book(nil).For(local, "example.com")); d != "" {
			t.Errorf("%s (-want +got):\n%s", local, d)
		}
	}
	if c.SMTPCodes != policy.RmilterCodes || c.SpamHeader != "X-Junk" || !bool(c.TempfailOnError) || c.Subject != "[SPAM] %s" || !c.ExtendedHeadersRcpt.Match("bob", "example.org") {
		t.Errorf("got %+v", c)
	}
}

func TestSame(t *testing.T) {
	c := policy.DefaultConfig()
	a, b := *c.Book(nil).For("", ""), *c.Book(nil).For("", "")
	b.Name = "other"
	if !a.Same(&b) {
		t.Error("settings that differ in name only: got not the same")
	}
	for name, change := range map[string]func(*policy.Settings){
		"skip":      func(s *policy.Settings) { s.Skip = true },
		"never":     func(s *policy.Settings) { s.NeverReject = true },
		"threshold": func(s *policy.Settings) { s.Thresholds[scan.Reject] = 16 },
		"absent":    func(s *policy.Settings) { delete(s.Thresholds, scan.Greylist) },
	} {
		b := *c.Book(nil).For("", "")
		if change(&b); a.Same(&b) {
			t.Errorf("%s: got the same", name)
		}
	}
}

func TestValues(t *testing.T) {
	for _, v := range []struct{ section, name, text, want string }{
		{"actions", "reject", "12.5", "12.5"},
		{"actions", "reject", "-3", "-3"},
		{"actions", "reject", "OFF", "off"},
		{"actions", "reject", "null", "off"},
		{"actions", "reject", "default", ""},
		{"actions", "reject", "high", ""},
		{"actions", "reject", "NaN", ""},
		{"actions", "reject", "1e9", ""},
		{"spamd", "spam_header", "X-Junk", `"X-Junk"`},
		{"spamd", "spam_header", "Subject", ""},
		{"spamd", "spam_header", "X-", ""},
		{"spamd", "spam_header", "X-Bad:", ""},
		{"spamd", "spam_header", "X-Bad Name", ""},
		{"spamd", "spam_header", "X-Bad\r\nReceived", ""},
		{"", "smtp_codes", "RMILTER", "rmilter"},
		{"", "smtp_codes", "exim", ""},
		{"block", "reject", "default", "default"},
		{"block", "reject", "low", ""},
		{"block", "spamd_never_reject", "maybe", ""},
		{"block", "spamd_never_reject", "default", "default"},
		{"block", "spamd_never_reject", "TRUE", "yes"},
	} {
		c := policy.DefaultConfig()
		sections := c.Sections()
		section := v.section
		if section == "block" {
			block := find(t, sections, "settings").Repeat("vip")
			sections = []*ucl.Section{{Name: "block", Options: append(block.Options, block.Sections[0].Options...)}}
		}
		var value ucl.Value
		for _, o := range find(t, sections, section).Options {
			if o.Name == v.name {
				value = o.Value
			}
		}
		before := value.String()
		err := value.Set(ucl.TextNode(v.text), false)
		if got := value.String(); err == nil && got != v.want || err != nil && (v.want != "" || got != before) {
			t.Errorf("%s %s = %q: got %s and error %v, want %q", v.section, v.name, v.text, got, err, v.want)
		}
		if err != nil && !strings.Contains(err.Error(), "expected") {
			t.Errorf("%s %s = %q: the error doesn't say what was expected: %v", v.section, v.name, v.text, err)
		}
	}
}
