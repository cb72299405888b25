package mail_test

import (
	"strings"
	"testing"

	"rmilter/internal/mail"
)

// TestObfuscated finds links that only people understand.
func TestObfuscated(t *testing.T) {
	for in, want := range map[string]string{
		"see hxxp://example.com/a":                         "http://example.com/a",
		"see hXXps://example[.]com/a.":                     "https://example.com/a",
		"(h**p://www.example.com/a)":                       "http://www.example.com/a",
		"hxxps[:]//evil[.]example[.]com:8080/x":            "https://evil.example.com:8080/x",
		"hxxp://192.0.2.1/x":                               "http://192.0.2.1/x",
		"fxp://ftp[.]example.com":                          "ftp://ftp.example.com",
		"http://example[.]com/x":                           "http://example.com/x",
		"http://example (dot) com/x?y":                     "http://example.com/x?y",
		"http://example dot com is it":                     "http://example.com",
		"http://example . com":                             "http://example.com",
		"visit www dot example dot com today":              "http://www.example.com",
		"visit www . example . com today":                  "http://www.example.com",
		"visit WWW DOT EXAMPLE DOT COM/x":                  "http://WWW.EXAMPLE.COM/x",
		"visit www[.]example[.]com!":                       "http://www.example.com",
		"visit www.example[.]com/a":                        "http://www.example.com/a",
		"visit www.example (.) com":                        "http://www.example.com",
		"at mail.example[.]com, or":                        "http://mail.example.com",
		"at example[dot]com, or":                           "http://example.com",
		"at example {dot} co [dot] uk now":                 "http://example.co.uk",
		"bad-site(.)com":                                   "http://bad-site.com",
		"bücher[.]com":                                     "http://bücher.com",
		"example[.]com, example(dot)org":                   "http://example.com http://example.org",
		"www.example.com . In the evening":                 "",
		"www.example.com dot in":                           "",
		"www . example . com . In the evening":             "http://www.example.com",
		"a polka dot com":                                  "",
		"the dot com bubble":                               "",
		"example dot com":                                  "",
		"joe [at] example [dot] com":                       "",
		"joe at example [dot] com":                         "",
		"joe@example[.]com":                                "",
		"joe(at)example(dot)com":                           "",
		"x[.]com":                                          "",
		"b[.]example[.]com":                                "http://b.example.com",
		"or (.)net":                                        "",
		"or(.) net":                                        "",
		"array[.]length a(.)b {.} [.] ( . ) [dot] [dot":    "",
		"re(.)match, foo[.]bar[.]notatld":                  "",
		"the files [.] and [..]":                           "",
		"http://example.com. In short":                     "",
		"http://example.com (dot) notatld":                 "",
		"hxxp:// hxxp hxxp:example.com hyyp://example.com": "",
		"meet me (Dot) common":                             "",
	} {
		var got []string
		for _, l := range mail.TextLinks(in) {
			if l.Kind == mail.LinkObfuscated {
				got = append(got, l.URL)
				if !strings.Contains(in, l.Text) || l.Text == "" {
					t.Errorf("%q: shown as %q", in, l.Text)
				}
				if to, ok := l.Target(); !ok || !to.Disguised {
					t.Errorf("%q: %s leads to %+v, %t", in, l.URL, to, ok)
				}
			}
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// What is disguised hides no link behind it, and no link before it.
func TestObfuscatedNeighbours(t *testing.T) {
	const in = "http://a.example/ hxxp://b[.]com joe@example.com www . c . com http://d.example/ [http://e.example/] (www.f.com)[.]x"
	var got []string
	for _, l := range mail.TextLinks(in) {
		got = append(got, l.URL)
	}
	const want = "http://a.example/ http://b.com mailto:joe@example.com http://www.c.com http://d.example/ http://e.example/ http://www.f.com"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}
