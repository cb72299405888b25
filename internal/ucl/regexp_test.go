package ucl

import (
	"strings"
	"testing"
)

func TestRegexp(t *testing.T) {
	for _, c := range []struct{ in, want, matches string }{
		{"/^spam/i", "'/(?i)^spam/'", "SPAM today"},
		{`'/\bfoo\b/'`, `'/\bfoo\b/'`, "a foo b"},
		{`"/\d+\.\d+/"`, `'/\d+\.\d+/'`, "1.5"},
		{"/a.b/siu", "'/(?si)a.b/'", "A\nB"},
		{`'/^b$/m'`, `'/(?m)^b$/'`, "a\nb"},
		{"/a/b/", "'/a/b/'", "xa/b"},
		{`"/don't; #{1}/"`, `"/don't; #{1}/"`, "don't; #"},
		{"foo", "'/foo/'", "a foo"},
		{`"foo|bar"`, "'/foo|bar/'", "bar"},
		{`'/(?i)x|y/'`, "'/(?i)x|y/'", "Y"},
	} {
		var r Regexp
		if got := set(t, &r, c.in); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
			continue
		}
		if !r.Std().MatchString(c.matches) {
			t.Errorf("%s doesn't match %q", c.in, c.matches)
		}
		if again := set(t, new(Regexp), c.want); again != c.want {
			t.Errorf("%s is written as %s, which is then read as %s", c.in, c.want, again)
		}
	}
	r := Regexp{}
	set(t, &r, "x")
	if got := set(t, &r, `""`); got != `""` || r.Std() != nil {
		t.Errorf("an empty text: got %s, %v", got, r.Std())
	}
}

func TestRegexpFaults(t *testing.T) {
	for in, want := range map[string]string{
		"/":                                   `"/" is not a regular expression; expected /PATTERN/FLAGS`,
		"//":                                  `"//" is not a regular expression; expected /PATTERN/FLAGS`,
		"/foo":                                `"/foo" is not a regular expression; expected /PATTERN/FLAGS`,
		"/foo/xU":                             `unknown flags "xU" after the regular expression; expected i, m, s or u`,
		"/etc/mail/list":                      `unknown flags "list" after the regular expression; expected i, m, s or u`,
		"/(foo/":                              `"/(foo/" is not a regular expression: missing closing ) in "(foo"`,
		"'/(?=x)/'":                           `"/(?=x)/" is not a regular expression: invalid or unsupported Perl syntax in "(?="`,
		"'/a{2000}/'":                         `"/a{2000}/" is not a regular expression: invalid repeat count in "{2000}"`,
		`"/\bfoo/"`:                           `\b in double quotes is a backspace; expected single quotes around the regular expression`,
		"'/\xff/'":                            "\"/?/\" is not a regular expression: invalid UTF-8 in \"?\"",
		"a, b":                                `a list of 2 values; expected one value (a text with commas needs quotes)`,
		"{ a = 1 }":                           `a block; expected one value`,
		"'/((((a{100}){100}){100}){100})/'":   `"/((((a{100}){100}){100}){100})/" is not a regular expression: invalid repeat count in "{100}"`,
		"'" + strings.Repeat("x", 4097) + "'": `a regular expression of 4097 bytes; expected at most 4096`,
	} {
		var r Regexp
		if got := set(t, &r, in); got != "ERR "+want {
			t.Errorf("%s:\n got %s\nwant ERR %s", in, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"one line", `"one line"`},
		{`"a\nb"`, "<<EOD\na\nb\nEOD"},
		{"<<X\na \"b\" $CONFDIR\n\n  d\nX\n", "<<EOD\na \"b\" /etc/rmilter\n\n  d\nEOD"},
		{"'$CONFDIR\n$1'", `"\u0024CONFDIR\n$1"`},
		{`"\n"`, "<<EOD\n\n\nEOD"},
		{`"EOD\nEODX_"`, "<<EODXX\nEOD\nEODX_\nEODXX"},
		{`"a\r\nb"`, `"a\r\nb"`},
		{`""`, `""`},
		{"a, b", "ERR a list of 2 values; expected one value (a text with commas needs quotes)"},
		{"{ a = 1 }", "ERR a block; expected one value"},
	} {
		if got := set(t, new(Text), c.in); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, got, c.want)
		}
		if strings.HasPrefix(c.want, "ERR") {
			continue
		}
		for _, end := range []string{"", ";", ";  # origin", "\n", "\r\n"} {
			if got := set(t, new(Text), c.want+end); got != c.want {
				t.Errorf("%s is written as %s, which with %q after it is then read as %s", c.in, c.want, end, got)
			}
		}
	}
}
