package ucl

import (
	"strings"
	"testing"
)

// TestMended has what the old rmilter's reader got wrong or refused.
func TestMended(t *testing.T) {
	for _, c := range []struct {
		bug   string
		value Value
		in    string
		want  string
	}{
		{"m after a time was a size", new(Duration), "5m;", "5m"},
		{"ms was taken for minutes", new(Duration), "500ms;", "500ms"},
		{"a time of zero needed a unit", new(Duration), "0", "0s"},
		{"m after a size stays a mebibyte", new(Size), "10m;", "10M"},
		{"recipients had no digits", new(Recipients), "user1, @mx2.example.com, a3@example.org", "user1, @mx2.example.com, a3@example.org"},
		{"recipients of a list had to be in lower case", new(Recipients), "Postmaster, @Example.COM", "postmaster, @example.com"},
		{"a comment had to begin its line", new(Size), "10M; # ten\n", "10M"},
		{"a comment had to begin its line, no semicolon", new(Flag), "yes # why not", "yes"},
		{"/tmp/ was a regular expression", new(String), "/tmp/;", `"/tmp/"`},
		{"file names had no underscore", new(String), "/etc/dkim_keys/my_key.pem;", `"/etc/dkim_keys/my_key.pem"`},
		{"file names had no blank, even in quotes", new(String), `"/etc/my keys/a.pem";`, `"/etc/my keys/a.pem"`},
		{"file names with a blank and no quotes", new(String), "/etc/my keys/a.pem;", `"/etc/my keys/a.pem"`},
		{"flags were lower or upper case only", new(Flag), "Yes;", "yes"},
		{"flags in mixed case", new(Flag), "oFf", "no"},
		{"1 was no flag", new(Flag), "1", "yes"},
		{"a quotation mark in quotes ended them", new(String), `"say \"no\""`, `"say \"no\""`},
		{"IPv6 needed brackets or quotes", new(Networks), "::1, 2001:db8::/32", "[::1]/128, [2001:db8::]/32"},
		{"a mask after brackets", new(Networks), "[2001:db8::]/32", "[2001:db8::]/32"},
		{"servers had neither IPv6 nor sockets", new(Servers), "[2001:db8::1]:6379, /run/redis.sock", `"[2001:db8::1]:6379", /run/redis.sock`},
		{"a float needed its point", new(Float), "1", "1"},
	} {
		if got := set(t, c.value, c.in); got != c.want {
			t.Errorf("%s: %s: got %s, want %s", c.bug, c.in, got, c.want)
		}
	}
}

// TestMendedGrammar has the same of statements.
func TestMendedGrammar(t *testing.T) {
	for _, c := range []struct{ bug, in, want string }{
		{"directives in a section needed a semicolon", "s { a = 1\n b = 2 }", "s { a = 1; b = 2; }"},
		{"so did a block within it", "dkim { domain { key = /k }\n enable = yes }", "dkim { domain { key = /k; } enable = yes; }"},
		{"a semicolon after a section", "s { a = 1; };\nt { };;", "s { a = 1; } t { }"},
		{"an empty section", "clamav { }\nspamd {}", "clamav { } spamd { }"},
		{"only some lists could be added to", "whitelist += a; clamav { whitelist = 192.0.2.1; whitelist += 192.0.2.2 }", "whitelist += a; clamav { whitelist = 192.0.2.1; whitelist += 192.0.2.2; }"},
		{"paths of includes ended at a blank, even in quotes", ".try_include \"/no such/file\"\na = 1", "a = 1;"},
	} {
		l := &Loader{FS: files()}
		got := strings.Join(strings.Fields(Format(l.ReadText("f", c.in))), " ")
		if err := l.Diagnostics.Err(); got != c.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", c.bug, got, err, c.want)
		}
	}
}
