package dmarc

import (
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"rmilter/test/suites"
)

// TestPublicSuffixes runs the test of the list with the list that is built in and with
// the one that lies beside the test.
func TestPublicSuffixes(t *testing.T) {
	list, err := ParseSuffixes(strings.NewReader(suites.SuffixList(t)))
	if err != nil {
		t.Fatal(err)
	}
	if len(list.rules) < 9000 {
		t.Errorf("%d rules, want more than 9000", len(list.rules))
	}
	cases, suite := suites.Suffixes(t), suites.SuffixSuite()
	for _, c := range cases {
		want := c.Want // the deviations are of mail, whose domains are read before
		if a, err := idna.Lookup.ToASCII(want); err == nil {
			want = a
		}
		if got := list.OrgDomain(c.Name); got != want {
			t.Errorf("%q: got %q, want %q", c.Name, got, want)
		}
		if got := (*Suffixes)(nil).OrgDomain(c.Name); got != want {
			t.Errorf("%q, built in: got %q, want %q", c.Name, got, want)
		}
	}
	t.Logf("%s: %d cases with both lists", suite.Name, len(cases))
	if len(cases) != suite.Cases {
		t.Errorf("%d cases, want %d", len(cases), suite.Cases)
	}
}

// TestSuffixes reads a list of our own.
func TestSuffixes(t *testing.T) {
	s, err := ParseSuffixes(strings.NewReader("// a comment\r\ncom\nuk\nco.uk and more\n*.ck\n!www.ck\n*.b.example\n\nbücher.example\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"com": "", "a.com": "a.com", "A.B.COM.": "b.com", "co.uk": "", "a.b.co.uk": "b.co.uk", "a.b.uk": "b.uk",
		"ck": "", "x.ck": "", "a.x.ck": "a.x.ck", "www.ck": "www.ck", "a.www.ck": "www.ck",
		"example": "", "b.example": "b.example", "x.b.example": "", "y.x.b.example": "y.x.b.example",
		"net": "", "a.net": "a.net", "x.bücher.example": "x.xn--bcher-kva.example", "xn--bcher-kva.example": "",
		"": "", ".com": "", "a..com": "", "a b.com": "", "user@a.com": "", "[192.0.2.1]": "",
	} {
		if got := s.OrgDomain(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	for _, bad := range []string{"", "// nothing\n", "a..b\n", "*.*.com\n", "a\\b\n", strings.Repeat("x", 5000)} {
		if _, err := ParseSuffixes(strings.NewReader(bad)); err == nil {
			t.Errorf("%.40q was taken", bad)
		}
	}
}

func FuzzSuffixes(f *testing.F) {
	f.Add("com\n*.ck\n!www.ck\n// x\n", "a.www.ck")
	f.Fuzz(func(t *testing.T, list, name string) {
		s, err := ParseSuffixes(strings.NewReader(list))
		if err != nil {
			return
		}
		org := s.OrgDomain(name)
		if org == "" {
			return
		}
		if again := s.OrgDomain(org); again != org {
			t.Fatalf("%q: %q, then %q", name, org, again)
		}
		if !s.aligned(name, org, Relaxed) {
			t.Fatalf("%q is not aligned with %q", name, org)
		}
	})
}
