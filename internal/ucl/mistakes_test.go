package ucl

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMistakes has what other languages, editors and tools leave in a file: each is
// told once, and what stands behind it is read.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ name, in, tree, remarks string }{
		{"signs", "a == 1; b := 2; c => 3; d ?= 4; e -= 5; f =+ 6; g = 7", "g = 7;",
			"1:3 unexpected \"==\"; expected = or +=|1:11 unexpected \":=\"; expected = or +=|1:19 unexpected \"=>\"; expected = or +=|" +
				"1:27 unexpected \"?=\"; expected = or +=|1:35 unexpected \"-=\"; expected = or +=|1:43 unexpected \"=+\"; expected = or +="},
		{"signs that are right", "a =-5; b = =; c += 1", "a = -5; c += 1;", "1:12 unexpected \"=\"; expected \";\" before the directive, or quotes around the value"},
		{"section without brace", "s\n a = 1\n b {\n c = 2\n }\n}\nd = 3", "d = 3;", "1:1 \"s\" has no value; expected s = VALUE or s { }"},
		{"key without brace", "s \"k\"\n a = 1\n}\nd = 3", "d = 3;", "1:6 a section without its brace; expected s \"k\" { }"},
		{"key below which nothing is indented", "s \"k\"\nd = 3", "s = k; d = 3;", ""},
		{"round brackets", "s (\n a = 1\n)\nd = 3", "d = 3;", "1:3 unexpected \"(\"; expected {"},
		{"square brackets", "s [\n a = 1\n]\nd = 3", "d = 3;", "1:3 unexpected \"[\"; expected {"},
		{"braces twice", "s {{ a = 1 }\nd = 3", "s { a = 1; } d = 3;", "1:4 unexpected \"{\"; expected the name of a directive"},
		{"braces twice at both ends", "s {{ a = 1 }}\nd = 3", "s { a = 1; } d = 3;", "1:4 unexpected \"{\"; expected the name of a directive"},
		{"values in braces", "a { 1; 2; }\nb = { \"x\"; }\nc = 3", "c = 3;",
			"1:5 a value in braces; expected a = VALUE, or a = A, B for a list|2:7 a value in braces; expected b = VALUE, or b = A, B for a list"},
		{"YAML", "a:\n  b: 1\n\n  # c\n  c: 2\nd: 3", "d = 3;", "1:1 \"a\" has its content below it as in YAML; expected a { }"},
		{"YAML list", "a:\n- 1\n- 2\nd: 3", "d = 3;", "1:1 \"a\" has a list below it as in YAML; expected a = [A, B]"},
		{"value below its colon", "a:\n  1\nd: 3", "a = 1; d = 3;", ""},
		{"INI", "a = 1\n[s]\nb = 2\n[ t]\n[u] # x\nc = 3", "a = 1;", "2:1 a section with its name in brackets; expected s { }|4:1 unexpected \"[\"; expected the name of a directive|5:1 a section with its name in brackets; expected u { }"},
		{"Apache", "a = 1\n<s>\n  b = 2\n</s>\nc = 3", "a = 1; c = 3;", "2:1 a section with its name in angle brackets; expected s { }"},
		{"array", "[1, 2]\n", "", "1:1 unexpected \"[\"; expected the name of a directive"},
		{"merge conflict", "<<<<<<< a\nb = 1\n||||||| c\nb = 2\n=======\nb = 3\n>>>>>>> d\ne = 4", "b = 1; e = 4;", "1:1 a merge conflict; expected one version without the marks"},
		{"merge conflict without end", "<<<<<<< a\nb = 1\n=======\nb = 2", "b = 1; b = 2;", "1:1 a merge conflict; expected one version without the marks"},
		{"merge conflict in list", "a = 1,\n<<<<<<< a\n2\n=======\n3\n>>>>>>> b\nc = 4", "c = 4;", "2:1 a merge conflict; expected one version without the marks"},
		{"templates", "{{ a }}\nb = {{ c }}\n{% if d %}\ne = 1", "e = 1;",
			"1:1 a template that was not filled in; expected what it stands for|2:5 a template that was not filled in; expected what it stands for|3:1 a template that was not filled in; expected what it stands for"},
		{"heredoc of the shell", "a = <<-X\nb\n X\nc = 1", "c = 1;", "1:5 unexpected \"<<-X\"; expected <<EOD and the text from the next line on, or quotes around the value"},
		{"typographic", "“a” = 1\ns “k” { b = 2 }\nc = \"x”;\nd = 3", "d = 3;",
			"1:1 a typographic quotation mark; expected \"|2:3 a typographic quotation mark; expected \"|3:7 a typographic quotation mark; expected \""},
		{"invisible", "a\u00a0= 1\n\u200bb = 2\nc\u00a0= 3", "b = 2;", "1:2 the invisible character U+00A0; expected a blank or nothing"},
		{"closers behind an open text", "s { t { a = \"x; } }\nb = 1", "s { t { } } b = 1;", "1:13 a text that is not closed; expected \" at its end"},
		{"escaped end", "a = \"x\\\";\nb = 1", "b = 1;", "1:5 a text that is not closed; expected \" at its end (\\\" stands for one within it)"},
		{"name in JSON", "{\n\"a: \"1\",\n\"b\": 2\n}", "b = 2;", "2:1 a text that is not closed; expected \" before the colon"},
		{"blocks that are too deep and open", strings.Repeat("a {\n", 40), strings.Repeat("a { ", 33) + strings.TrimSpace(strings.Repeat("} ", 33)), "33:3 nested too deep; expected at most 32 levels"},
		{"broken address in brackets", "a = [2001:db8::12345], [b:1]", "a = [\"[2001:db8::12345]\", [b:1]];", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &Loader{}
			tree := strings.Join(strings.Fields(Format(l.ReadText("f", c.in))), " ")
			if tree != c.tree {
				t.Errorf("%q is read as\n     %s\nwant %s", c.in, tree, c.tree)
			}
			var got []string
			for _, d := range l.Diagnostics.All() {
				got = append(got, strings.TrimPrefix(d.Pos.String(), "f:")+" "+d.Text)
			}
			if diff := cmp.Diff(c.remarks, strings.Join(got, "|")); diff != "" {
				t.Errorf("%q (-want +got):\n%s", c.in, diff)
			}
		})
	}
}

// TestOtherwise tells what a file is that is no configuration.
func TestOtherwise(t *testing.T) {
	for in, want := range map[string]string{
		"a = 1\n":       "",
		"":              "",
		"a\x00b = 1":    "",
		"\x1b[31ma = 1": "",
		"<a = 1":        "",
		"a = \"\r\"":    "",
		"\xff\xfea\x00": "is in UTF-16; expected UTF-8",
		"a\x00 \x00=\x00 \x001\x00\n\x00b\x00 \x00=\x00 \x002\x00": "is in UTF-16; expected UTF-8",
		strings.Repeat("\x00", 100):                                "is not text; expected directives",
		"\x7fELF\x02\x01\x01\x03\x04\x05\x06\x07\x08":              "is not text; expected directives",
		" \n<!doctype html>":                                       "is HTML or XML; expected directives",
		"<?xml version='1.0'?>":                                    "is HTML or XML; expected directives",
		"--- a\n+++ b\n":                                           "is a patch; expected directives",
		"# a\rb = 1\r":                                             "has lines that end with CR; expected LF",
	} {
		if got := otherwise(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestSecretsAreMasked looks for a password in what is said of files that have one.
func TestSecretsAreMasked(t *testing.T) {
	const secret = "q1w2e3"
	section := func() *Section {
		return &Section{Options: []Option{{Name: "password", Value: new(Secret)}, {Name: "a", Value: new(Networks)}, {Name: "b", Value: new(Servers)}, {Name: "c", Value: new(Sockets)}}}
	}
	for _, in := range []string{
		"password = " + secret + "; a = /",
		"a = /; password = " + secret,
		"pasword = " + secret,
		"psswd = " + secret,
		"psasword = " + secret,
		"assword = " + secret,
		"pa&sword = " + secret + "; a = /",
		"pas sword = " + secret + "; a = /",
		"password = \"" + secret,
		"password = \"x\" " + secret,
		"password = x;" + secret,
		"password = x;" + secret + " = y",
		"password = x " + secret + " = y",
		"password = x;" + secret + " { }",
		"password =\n  " + secret + "\"x\"",
		"password = \"x\n" + secret + "\" y",
		"password = <<E\n" + secret + "\n",
		"password = [\"x\",\n\"" + secret + "\"\ny = 1",
		"password {\n" + secret + "\n}",
		"\"password\" = '" + secret + "' x",
		"b = redis://:" + secret + "@192.0.2.1",
		"c = redis://:" + secret + "@192.0.2.1",
		"a = http://x:" + secret + "@192.0.2.1",
		"tokenizer { a = 1 } token = " + secret + " \"",
		strings.Repeat(" ", 300) + "password = " + secret + "; x = 1",
	} {
		l := &Loader{}
		s := section()
		Decode(l.ReadText("f", in), s, &l.Diagnostics)
		said := remarks(&l.Diagnostics)
		if said == "" {
			t.Errorf("%q: nothing is said", in)
		}
		if strings.Contains(said, secret) {
			t.Errorf("%q: the password is shown:\n%s", in, said)
		}
	}
}

// TestPositionsOfItems has several items in one text.
func TestPositionsOfItems(t *testing.T) {
	l := &Loader{}
	s := &Section{Options: []Option{{Name: "a", Value: new(Networks)}, {Name: "b", Value: new(Networks)}, {Name: "c", Value: new(Networks)}}}
	Decode(l.ReadText("f", "a = \"192.0.2.1 é,\n  /, 192.0.2.2\n/ /\"\nb = 192.0.2.1 / /\nc = \"\\u002f /\""), s, &l.Diagnostics)
	var got []string
	for _, d := range l.Diagnostics.All() {
		got = append(got, d.Pos.String())
	}
	if got, want := strings.Join(got, " "), "f:1:16 f:2:3 f:3:1 f:3:3 f:4:15 f:4:17 f:5:5 f:5:5"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestHints has words of other programs, sections with dots and words in front.
func TestHints(t *testing.T) {
	sub := &Section{Name: "s", Options: []Option{{Name: "x_y", Value: new(Flag)}}, Others: map[string]string{"z": "did you mean x_y?"}}
	top := &Section{Options: []Option{{Name: "max_size", Value: new(Size)}}, Sections: []*Section{sub}, Others: map[string]string{"limit": "did you mean max_size?"}}
	l := &Loader{}
	Decode(l.ReadText("f", "Limit = 1\nset max_size = 1\nset limit = 1\ns.x_y = 1\nt.x = 1\nmax–size = 1\ns { Z = 1; x_y = yes }\ns = 1\nx { s = 1 }"), top, &l.Diagnostics)
	var got []string
	for _, d := range l.Diagnostics.All() {
		got = append(got, d.Text)
	}
	want := `unknown directive "Limit"; did you mean max_size?
unknown directive "set max_size"; did you mean max_size?
unknown directive "set limit"; did you mean max_size?
unknown directive "s.x_y"; expected s { x_y = VALUE }
unknown directive "t.x"
unknown directive "max–size"; did you mean max_size? ('–' is U+2013)
unknown directive "Z" in section s; did you mean x_y?
s is a section; expected s { }
unknown section "x"; did you mean s?`
	if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
