package ucl

import (
	"fmt"
	"strings"
	"testing"
)

// patterns are texts which, repeated, make careless parsers go back and forth.
func patterns() map[string]string {
	return map[string]string{
		"directives":               "a = 1;\n",
		"one line":                 "a = 1; ",
		"words":                    "a ",
		"words and signs":          "a = b c = d ",
		"unclosed quotes":          "a = \"x\n",
		"unclosed single quotes":   "a = 'x\n",
		"odd quotes":               "\"\\\"'\n",
		"odd quotes, one line":     "\"\\\"' ",
		"escaped quotes":           "a = \"\\\"\\\n",
		"unclosed heredocs":        "a = <<X\n",
		"heredocs of other names":  "a = <<X\nY\n",
		"open blocks":              "a { ",
		"open lists":               "a = [",
		"open lists in lines":      "a = [\n",
		"open braces":              "{",
		"open brackets":            "[",
		"open addresses":           "[::1",
		"closing braces":           "}",
		"closing brackets":         "]",
		"open comments":            "/* ",
		"comments":                 "/**/",
		"comments within comments": "/*/",
		"hash signs":               "# ",
		"commas":                   ",",
		"list":                     "a, ",
		"list of quoted":           "\"a\", ",
		"list of names":            "a,\n\n\n",
		"semicolons":               ";",
		"equals":                   "= ",
		"plus equals":              "a += ",
		"dollars":                  "${",
		"variables":                "a = $CONFDIR ${CONFDIR",
		"blanks":                   "                    \n",
		"tabs before a brace":      "a \t\t\t\t\t\t\t\t\t\t\n",
		"keys":                     "a \"b\" ",
		"key on a line":            "a \"b\"\n\n",
		"macros":                   ".foo ",
		"macro arguments":          ".include(",
		"NULs":                     "\x00",
		"invalid UTF-8":            "\xff\xfe",
		"wide letters":             "ä = ö ",
		"mirrored":                 "a = {b,",
		"colons":                   "a: ",
		"conflicts":                "<<<<<<< a\n",
		"conflicts without end":    "<<<<<<< a\n=======\n",
		"conflicts in lists":       "a = b,\n<<<<<<< c\n",
		"names in brackets":        "[a]\n",
		"names in double brackets": "[[a]]\n b = 1\n",
		"open names in brackets":   "[a ",
		"values in braces":         "a { \"b\"; ",
		"values in closed braces":  "a { 1; }",
		"indented sections":        "a\n b = 1\n",
		"deeper and deeper":        "a\n b = 1\n  c\n   d = 1\n",
		"keys without braces":      "a \"b\"\n c = 1\n",
		"keys on one line":         "a \"b\"; ",
		"round brackets":           "a (\n b = 1\n)\n",
		"YAML":                     "a:\n  b: 1\n",
		"YAML lists":               "a:\n- b\n",
		"YAML without content":     "a:\n\n\n",
		"heredocs of the shell":    "a = <<-X\n",
		"heredocs with text":       "a = <<-X\ny\n",
		"signs":                    "a == ",
		"signs after words":        "a b - = ",
		"invisible":                "\u00a0",
		"invisible in names":       "a\u200bb = ",
		"typographic":              "a = “b” ",
		"typographic ends":         "a = \"b”\n",
		"templates":                "{{ a }}",
		"open templates":           "a = {{ ",
		"variables and quotes":     "${a}\"",
		"variables and signs":      "${a}+=$",
		"variables as names":       "${a}b\"",
		"escaped quotes, one line": "= \\\";",
		"escaped quotes alone":     "\\\"",
		"escaped quotes in lines":  "/\\\"<<<<<<< a\n",
		"single escaped quotes":    "a'\\' ",
	}
}

// TestWorkIsLinear reads texts that make careless parsers go back and forth. It
// counts steps, not time.
func TestWorkIsLinear(t *testing.T) {
	for name, part := range patterns() {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{2_500, 50_000} {
				for _, first := range []string{"", "a = ", "s { ", "a = \"", "a = [", "a = x, "} {
					text := first + strings.Repeat(part, size/len(part)) + "\nb = 1"
					l := &Loader{Vars: map[string]string{"CONFDIR": "/etc"}}
					l.ReadText("t.conf", text)
					if limit := maxWork*len(text) + 1000; l.work > limit {
						t.Errorf("%d bytes after %q: %d steps, want at most %d", len(text), first, l.work, limit)
					}
				}
			}
		})
	}
}

// TestLongLines has values of a megabyte, and faults far out in lines of that
// length.
func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	l := &Loader{}
	b := l.ReadText("t.conf", "a = "+long+"; b = \""+long+"\"; "+long+" = 1; c = 2 ]; d = 3")
	if n := len(b.Directives); n != 5 {
		t.Fatalf("got %d directives, want 5", n)
	}
	if got := b.Directives[0].Value.Text; got != long {
		t.Errorf("got a value of %d bytes, want %d", len(got), len(long))
	}
	want := fmt.Sprintf("t.conf:1:%d: unexpected \"]\" after the value of \"c\"; expected \";\" or a new line, or quotes around the whole value\n    …xxxx", 3*len(long)+27)
	got := l.Diagnostics.Err().Error()
	if !strings.HasPrefix(got, want) || len(got) > 400 || !strings.HasSuffix(got, "xxx = 1; c = 2 ]; d = 3") {
		t.Errorf("got  %s\nwant %s…", got, want)
	}
}
