package ucl

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFaults has texts that are not in the language: what is read of them all the
// same, and every remark.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ in, tree, remarks string }{
		{"a", "", "f:1:1: \"a\" has no value; expected a = VALUE or a { }\n    a"},
		{"a;", "", "f:1:1: \"a\" has no value; expected a = VALUE or a { }\n    a;"},
		{"a = 192.0.2.0/24\n  198.51.100.0/24\n  <x@y>;", "a = 192.0.2.0/24;", "f:2:3: unexpected \"198.51.100.0/24\"; expected a directive, or a comma before it where a list goes on\n    198.51.100.0/24\n" +
			"f:3:3: unexpected \"<x@y>\"; expected a directive, or a comma before it where a list goes on\n    <x@y>;"},
		{"a =", "", "f:1:1: \"a\" has no value; expected one after it\n    a ="},
		{"a =\nb = 1", "b = 1;", "f:1:1: \"a\" has no value; expected one after it\n    a ="},
		{"a = \nb { }", "b { }", "f:1:1: \"a\" has no value; expected one after it\n    a ="},
		{"s { a = }", "s { }", "f:1:5: \"a\" has no value; expected one after it\n    s { a = }"},
		{"a : ", "", "f:1:1: \"a\" has no value; expected one after it\n    a :"},
		{"a +=", "", "f:1:1: \"a\" has no value; expected one after it\n    a +="},
		{"= 5", "", "f:1:1: unexpected \"=\"; expected the name of a directive\n    = 5"},
		{"a == 5", "", "f:1:3: unexpected \"==\"; expected = or +=\n    a == 5"},
		{"a = b = c", "", "f:1:7: unexpected \"=\"; expected \";\" before the directive, or quotes around the value\n    a = b = c"},
		{"a = b += c", "", "f:1:7: unexpected \"=\"; expected \";\" before the directive, or quotes around the value\n    a = b += c"},
		{"a = = c", "", "f:1:5: unexpected \"=\"; expected \";\" before the directive, or quotes around the value\n    a = = c"},
		{"a = ,", "", "f:1:1: \"a\" has no value; expected one after it\n    a = ,"},
		{"a = b, = c", "", "f:1:8: unexpected \"=\"; expected \";\" before the directive, or quotes around the value\n    a = b, = c"},
		{"a = ]", "", "f:1:5: unexpected \"]\"; expected a value\n    a = ]"},
		{`a = "x`, "", "f:1:5: a text that is not closed; expected \" at its end\n    a = \"x"},
		{"a = \"x\nb = 2", "b = 2;", "f:1:5: a text that is not closed; expected \" at its end\n    a = \"x"},
		{"a = 'x\nb=1", "b = 1;", "f:1:5: a text that is not closed; expected ' at its end\n    a = 'x"},
		{"a = \"x\n b += 1", "b += 1;", "f:1:5: a text that is not closed; expected \" at its end\n    a = \"x"},
		{"a = \"x\n\tt {\n}", "t { }", "f:1:5: a text that is not closed; expected \" at its end\n    a = \"x"},
		{"a = \"x\n.include y", "", "f:1:5: a text that is not closed; expected \" at its end\n    a = \"x\nf:2:1: cannot include \"y\": there is no such file\n    .include y"},
		{`a = "x" y`, "a = x;", "f:1:9: unexpected \"y\" after the value of \"a\"; expected \";\" or a new line, or quotes around the whole value\n    a = \"x\" y"},
		{`a = "x" "y"`, "a = x;", "f:1:9: unexpected '\"y\"' after the value of \"a\"; expected \";\" or a new line, or quotes around the whole value\n    a = \"x\" \"y\""},
		{`a = x"y"`, "", "f:1:6: a quotation mark within a word; expected quotes around the whole value\n    a = x\"y\""},
		{`a = x "y"`, "a = x;", "f:1:7: unexpected '\"y\"' after the value of \"a\"; expected \";\" or a new line, or quotes around the whole value\n    a = x \"y\""},
		{"a = “x”", "", "f:1:5: a typographic quotation mark; expected \"\n    a = “x”"},
		{"a = ‘x’", "", "f:1:5: a typographic quotation mark; expected \"\n    a = ‘x’"},
		{`"a = 1`, "", "f:1:1: a text that is not closed; expected \" at its end\n    \"a = 1"},
		{`"a" ; x`, "", "f:1:1: \"a\" has no value; expected a = VALUE or a { }\n    \"a\" ; x\nf:1:7: \"x\" has no value; expected x = VALUE or x { }\n    \"a\" ; x"},
		{`s "k = 1`, "", "f:1:3: a text that is not closed; expected \" at its end\n    s \"k = 1"},
		{"a = {", "", "f:1:5: the section \"a\" is not closed; expected } at its end\n    a = {"},
		{"s {", "", "f:1:3: the section \"s\" is not closed; expected } at its end\n    s {"},
		{"s { a = 1\nt { }", "", "f:1:3: the section \"s\" is not closed; expected } at its end\n    s { a = 1"},
		{"s {\n t {\n}", "", "f:1:3: the section \"s\" is not closed; expected } at its end\n    s {"},
		{"}", "", "f:1:1: a } which closes nothing; expected a directive\n    }"},
		{"s { } }", "s { }", "f:1:7: a } which closes nothing; expected a directive\n    s { } }"},
		{"a = /x; }; b = 2", "a = /x; b = 2;", "f:1:9: a } which closes nothing; expected a directive\n    a = /x; }; b = 2"},
		{"{ a = 1", "", "f:1:1: a block that is not closed; expected }\n    { a = 1"},
		{"a = 1; { b = 2 }", "a = 1; b = 2;", "f:1:8: unexpected \"{\"; expected the name of a directive\n    a = 1; { b = 2 }"},
		{"a = b{ c = 1 }", "a = b;", "f:1:6: unexpected \"{\" after the value of \"a\"; expected \";\" or a new line, or quotes around the whole value\n    a = b{ c = 1 }"},
		{"a = [b, c", "", "f:1:5: a list that is not closed; expected ] at its end\n    a = [b, c"},
		{"a = [b, c;\nd = 1", "d = 1;", "f:1:5: a list that is not closed; expected ] at its end\n    a = [b, c;"},
		{"a = [b\nc = 1\n", "c = 1;", "f:1:5: a list that is not closed; expected ] at its end\n    a = [b"},
		{"a = [b }", "", "f:1:5: a list that is not closed; expected ] at its end\n    a = [b }\nf:1:8: a } which closes nothing; expected a directive\n    a = [b }"},
		{"a = 1 ]", "a = 1;", "f:1:7: unexpected \"]\" after the value of \"a\"; expected \";\" or a new line, or quotes around the whole value\n    a = 1 ]"},
		{"]", "", "f:1:1: unexpected \"]\"; expected the name of a directive\n    ]"},
		{"[a]", "", "f:1:1: a section with its name in brackets; expected a { }\n    [a]"},
		{"a = [b] c", "a = [b];", "f:1:9: unexpected \"c\" after the value of \"a\"; expected \";\" or a new line, or quotes around the whole value\n    a = [b] c"},
		{"a = {b, c", "", "f:1:5: a list that is not closed; expected } at its end\n    a = {b, c"},
		{"/* x\na = 1", "", "f:1:1: a comment that is not closed; expected */\n    /* x"},
		{"// x = 1\na = 1; // x\n-- x", "a = 1;", "f:1:1: a comment of another language; expected # in place of //\n    // x = 1\n" +
			"f:2:8: a comment of another language; expected # in place of //\n    a = 1; // x\nf:3:1: a comment of another language; expected # in place of --\n    -- x"},
		{"a = 1 /* x", "a = 1;", "f:1:7: a comment that is not closed; expected */\n    a = 1 /* x"},
		{"/* /* */", "", "f:1:1: a comment that is not closed; expected */\n    /* /* */"},
		{"a = <<EOD\nx\n", "", "f:1:5: a text that is not closed; expected EOD alone at the beginning of a line\n    a = <<EOD"},
		{"a = <<EOD\nx y\nEODx\nb = 1", "b = 1;", "f:1:5: a text that is not closed; expected EOD alone at the beginning of a line\n    a = <<EOD"},
		{"a = <<EOD", "", "f:1:5: a text that is not closed; expected EOD alone at the beginning of a line\n    a = <<EOD"},
		{"a\x00b = 1\x00\x00", "", "f:1:2: a NUL byte; expected text\n    a?b = 1??\nf:1:5: unexpected \"=\"; expected \";\" before the directive, or quotes around the value\n    a?b = 1??"},
		{"\x00\x00a = 1", "a = 1;", "f:1:1: a NUL byte; expected text\n    ??a = 1"},
		{"\xff\xfea\x00", "", "f:1:1: the file is in UTF-16; expected UTF-8\n    ??a?"},
		{"\xfe\xff\x00a", "", "f:1:1: the file is in UTF-16; expected UTF-8\n    ???a"},
		{"\x7fELF\x02\x01\x01\x03\x04\x05\x06\x07\x08 x", "", "f:1:1: the file is not text; expected directives"},
		{"\ufeff<!doctype html>", "", "f:1:1: the file is HTML or XML; expected directives\n    <!doctype html>"},
		{".foo x", "", "f:1:1: unknown macro \".foo\"; expected .include or .try_include\n    .foo x"},
		{".include", "", "f:1:1: .include has no path; expected the name of a file\n    .include"},
		{".include ;", "", "f:1:1: .include has no path; expected the name of a file\n    .include ;"},
		{`.include "x`, "", "f:1:10: a path that is not closed; expected \" at its end\n    .include \"x"},
		{`.include(try=true "x"`, "", "f:1:9: the arguments of .include are not closed; expected ) on the line\n    .include(try=true \"x\""},
		{`.include(foo=1) "x"`, "", "f:1:9: unknown argument \"foo\" of .include; expected try or priority\n    .include(foo=1) \"x\""},
		{".include(priority=99) x", "", "f:1:9: \"99\" is no value for \"priority\"; expected try=true or false, or priority=0 to 15\n    .include(priority=99) x"},
		{".include(try=perhaps) x", "", "f:1:9: \"perhaps\" is no value for \"try\"; expected try=true or false, or priority=0 to 15\n    .include(try=perhaps) x"},
		{".include http://example.com/x", "", "f:1:1: cannot include \"http://example.com/x\" from the network; expected the path of a file\n    .include http://example.com/x"},
		{".include /no/such", "", "f:1:1: cannot include \"/no/such\": there is no such file\n    .include /no/such"},
		{".lua { x }", "", "f:1:1: unknown macro \".lua\"; expected .include or .try_include\n    .lua { x }"},
		{`password = "sec" ret`, "password = sec;", "f:1:18: unexpected text after the value of \"password\"; expected \";\" or a new line, or quotes around the whole value\n    password ********"},
		{`a b c = "x" z`, `"a b c" = x;`, "f:1:13: unexpected \"z\" after the value of \"a b c\"; expected \";\" or a new line, or quotes around the whole value\n    a b c = \"x\" z"},
	} {
		l := &Loader{}
		tree := strings.Join(strings.Fields(Format(l.ReadText("f", c.in))), " ")
		if tree != c.tree {
			t.Errorf("%q is read as %s, want %s", c.in, tree, c.tree)
		}
		if diff := cmp.Diff(c.remarks, remarks(&l.Diagnostics)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.in, diff)
		}
	}
}
