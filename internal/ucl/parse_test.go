package ucl

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// read parses a text and fails the test on any fault.
func read(t *testing.T, text string) *Block {
	t.Helper()
	l := &Loader{Vars: map[string]string{"CONFDIR": "/etc/rmilter"}}
	b := l.ReadText("t.conf", text)
	if err := l.Diagnostics.Err(); err != nil {
		t.Fatalf("faults in %q:\n%v", text, err)
	}
	return b
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"blanks only", " \t\r\n\v\f\n", ""},
		{"no line break at the end", "a = 1", "a = 1;"},
		{"semicolon optional", "a = 1\nb = 2;c = 3", "a = 1; b = 2; c = 3;"},
		{"colon", "a: 1\nb : 2;", "a = 1; b = 2;"},
		{"no sign", "a 1;b x y;", `a = 1; b = "x y";`},
		{"no sign, quoted", `a "x"; b 'y'`, "a = x; b = y;"},
		{"name on a line, value on the next", "a =\n  1;", "a = 1;"},
		{"several directives on a line as rmilter had them", "a = 1 b = 2 c { d = 3; } e=x f=y", "a = 1; b = 2; c { d = 3; } e = x; f = y;"},
		{"stray separators", ";;a = x;; ,b = 2;,;", "a = x; b = 2;"},

		{"section", "s { a = 1; b = 2 }", "s { a = 1; b = 2; }"},
		{"section, empty", "s{}", "s { }"},
		{"section, brace on the next line", "s\n\n{ a = 1\n}", "s { a = 1; }"},
		{"section, brace after a comment", "s # why\n{ a = 1 }", "s { a = 1; }"},
		{"section, semicolon after it", "s { a = 1; }; t { }", "s { a = 1; } t { }"},
		{"section with key", `worker "controller" { a = 1; }`, `worker "controller" { a = 1; }`},
		{"section with key, bare and single-quoted", "w normal { } w 'x y' { }", `w "normal" { } w "x y" { }`},
		{"section with keys", `a "b" c { }`, `a "b" "c" { }`},
		{"section with key, brace on the next line", "w \"x\"\n{ }", `w "x" { }`},
		{"section by assignment", "s = { a = 1 }", "s { a = 1; }"},
		{"section by colon", "s: { a: 1 }", "s { a = 1; }"},
		{"sections nested", "a { b { c { d = 1 } } e = 2 }", "a { b { c { d = 1; } } e = 2; }"},
		{"list of sections", "s = [{ a = 1 }, { a = 2 }]", "s = [{ a = 1; }, { a = 2; }];"},
		{"directive after a section on the line", "s { } a = 1", "s { } a = 1;"},

		{"JSON", `{"a": 1, "b": {"c": [1, {"d": 2}]}, "e": "x"}`, "a = 1; b { c = [1, { d = 2; }]; } e = x;"},
		{"JSON, no blanks", `{"a":1,"b":{"c":[true,null]},"d":"x"}`, "a = 1; b { c = [true, null]; } d = x;"},
		{"JSON style, blanks before the colons", "{ a : 1, b : x,\n c : [d], e { f : 1, g : 2 } }", "a = 1; b = x; c = [d]; e { f = 1; g = 2; }"},
		{"JSON style, blocks without blanks", "{a:1,b:{c:2},d:[{e:3,f:4},{g=5}],h={i=6}}", "a = 1; b { c = 2; } d = [{ e = 3; f = 4; }, { g = 5; }]; h { i = 6; }"},
		{"JSON style, sections with keys", "a = 1, b \"c\" 'd' { }, e f { }, g = 2", `a = 1; b "c" "d" { } e "f" { } g = 2;`},
		{"values on the next line", "a =\n x\nb \"k\" {\n}\nc:\n  'y'\nd {\n}", `a = x; b "k" { } c = y; d { }`},
		{"JSON style, bare names", "s { a: 1, b: 2, c:3 }", "s { a = 1; b = 2; c = 3; }"},
		{"quoted names", `"add header" = 6; 'b' = 1`, `"add header" = 6; b = 1;`},
		{"name with a blank", "add header = 6;", `"add header" = 6;`},

		{"comma list", "n = 127.0.0.1/32, [::1]/128, 192.168.0.0/16;", `n = [127.0.0.1/32, "[::1]/128", 192.168.0.0/16];`},
		{"comma list over lines", "n = a,\n  b, # two\n  c\nm = 1", "n = [a, b, c]; m = 1;"},
		{"comma list, comma on the next line", "n = a\n  , b\nm = 1", "n = [a, b]; m = 1;"},
		{"comma list, quoted items", `n = "a b", 'c', d`, `n = ["a b", c, d];`},
		{"comma list, stray comma at the end", "n = a, b,\nm = 1", "n = [a, b]; m = 1;"},
		{"comma list, stray comma before ;", "n = a,; m = 1", "n = a; m = 1;"},
		{"append without blanks", "n+=<>;m+=*@x", `n += "<>"; m += "*@x";`},
		{"comma list, stray comma in front", "n = , a, b; m = 1", "n = [a, b]; m = 1;"},
		{"comma list, empty", "n = ; m =\n  ;o = ,;", "n = ; m = ; o = ;"},
		{"comma list, stray comma before a section", "n = a, b,\ns\n{ }", "n = [a, b]; s { }"},
		{"comma list, stray comma before a keyed section", "n = a, b,\nw \"x\" { }", "n = [a, b]; w \"x\" { }"},
		{"comma list, stray comma before +=", "n = a,\nn += b", "n = a; n += b;"},
		{"comma list, stray comma before an include", "n = a,\n.try_include none", "n = a;"},
		{"comma list, stray comma before }", "s { n = a, }", "s { n = a; }"},
		{"comma list of things with colons", "n = r:localhost:11333, inet:9900@h, unix:/x", "n = [r:localhost:11333, inet:9900@h, unix:/x];"},
		{"bracketed address alone", "n = [::1];", `n = "[::1]";`},
		{"bracketed network", "n = [2001:db8::]/32", `n = "[2001:db8::]/32";`},
		{"bracketed address within a word", "n = inet6:9900@[::1]", `n = "inet6:9900@[::1]";`},
		{"array", "n = [a, b];", "n = [a, b];"},
		{"array of one", "n = [a]", "n = [a];"},
		{"array, empty", "n = []", "n = [];"},
		{"array over lines without commas", "n = [\n a\n b\n]", "n = [a, b];"},
		{"array of addresses", "n = [::1, ::2]", `n = ["::1", "::2"];`},
		{"array of bracketed addresses", "n = [[::1], 10.0.0.0/8]", `n = ["[::1]", 10.0.0.0/8];`},
		{"arrays nested", "n = [[a], [b, [c]]]", "n = [[a], [b, [c]]];"},
		{"mirrored servers with ports", "n = {a:1, b:2}, {c:3,d}", `n = [{"a:1", "b:2"}, {"c:3", "d"}];`},
		{"mirrored servers", "n = {a, b}, {c}, d", `n = [{"a", "b"}, {"c"}, d];`},
		{"append", "n += a, b", "n += [a, b];"},
		{"append without blanks", "n+=a", "n += a;"},

		{"text with blanks", "m = Spam message rejected; n = 1", `m = "Spam message rejected"; n = 1;`},
		{"text with an apostrophe", "m = Don't; n = 1", `m = "Don't"; n = 1;`},
		{"text with a colon", "m = Error: go away", `m = "Error: go away";`},
		{"text of marks", "m = ***SPAM*** %s;", `m = "***SPAM*** %s";`},
		{"base64", "m = abc=;n = x==", `m = "abc="; n = "x==";`},
		{"repetitions", "m = /a{2}[0-9]{1,3}/; n = x{y}z", `m = "/a{2}[0-9]{1,3}/"; n = "x{y}z";`},
		{"word with braces", "m = ${NOT}x", `m = "\u0024{NOT}x";`},
		{"escapes", `m = "a\"b\\c\n\t\u00e4\ud83d\ude00\/\'"`, "m = <<EOD a\"b\\c ä😀/' EOD"},
		{"unknown escapes stay", `m = "\d+\x"; n = "\u12"`, `m = "\\d+\\x"; n = "\\u12";`},
		{"single quotes, line continued", "m = 'a\\\nb\\n'", `m = "ab\\n";`},
		{"no escapes in single quotes", `m = 'a\n\'b'`, `m = "a\\n'b";`},
		{"quoted text with everything", `m = "a; b # c, { } [ = "`, `m = "a; b # c, { } [ = ";`},
		{"quoted text over lines", "m = \"a\nb\"; n = 1", "m = <<EOD a b EOD n = 1;"},
		{"quoted text over lines with CRLF", "m = \"a\r\nb\"\r\nn = 1\r\n", "m = <<EOD a b EOD n = 1;"},
		{"quoted text, line continued", "m = \"a\\\nb\"", `m = ab;`},
		{"heredoc", "m = <<EOD\na \"b\" # c\n  d\nEOD\nn = 1", "m = <<EOD a \"b\" # c d EOD n = 1;"},
		{"heredoc with variables", "m = <<EOD\n$CONFDIR ${CONFDIR}x $FOO\nEOD", `m = "/etc/rmilter /etc/rmilterx \u0024FOO";`},
		{"heredoc, empty", "m = <<EOD\nEOD\nn = 1", `m = ""; n = 1;`},
		{"heredoc with semicolon", "m = <<EOD\na\nEOD;\nn = 1", "m = a; n = 1;"},
		{"heredoc with CRLF", "m = <<EOD\r\na\r\nb\r\nEOD\r\nn = 1", "m = <<EOD a b EOD n = 1;"},
		{"heredoc, other words are text", "m = <<EOD\nEODX\n EOD\nEOD\n", "m = <<EODXX EODX EOD EODXX"},
		{"two heredocs", "a = <<X\n1\nX\nb = <<X\n2\nX\n", "a = 1; b = 2;"},
		{"angle brackets are text", "m = <>, <a@b>, <<c>>", `m = ["<>", "<a@b>", "<<c>>"];`},

		{"comments", "# one\na = 1 # two\n/* three\n /* four */ */ b = 2; /* five */ c /* six */ = /* seven */ 3\n", "a = 1; b = 2; c = 3;"},
		{"comment right after a word", "a = 1#x\nb = 2", "a = 1; b = 2;"},
		{"comment within a list", "n = a, /* x */ b,\n# y\nc", "n = [a, b, c];"},
		{"glob is no comment", "n = /etc/x/*.pem", `n = "/etc/x/*.pem";`},
		{"CRLF", "a = 1\r\ns {\r\n  b = x y\r\n}\r\n", `a = 1; s { b = "x y"; }`},
		{"BOM", "\ufeffa = 1", "a = 1;"},
		{"Latin-1", "# \xe4\na = \"\xe4\"; b = x\xe4y", "a = \"\xe4\"; b = \"x\xe4y\";"},

		{"variables", `a = $CONFDIR/x; b = "${CONFDIR}/y"; c = '$CONFDIR'; d = "$$CONFDIR"; e = "$2$ab$c $FOO $ $$"`,
			`a = /etc/rmilter/x; b = /etc/rmilter/y; c = "\u0024CONFDIR"; d = "\u0024CONFDIR"; e = "$2$ab$c \u0024FOO $ $$";`},
		{"names", "add-header = 1; X2 = 2; _x = 3; .5 = 4; 192.0.2.1 = 5", "add-header = 1; X2 = 2; _x = 3; \".5\" = 4; \"192.0.2.1\" = 5;"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(strings.Fields(Format(read(t, c.in))), " ")
			want := strings.Join(strings.Fields(c.want), " ")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Format(%q)\n got %s\nwant %s", c.in, got, want)
			}
		})
	}
}

func TestRawSections(t *testing.T) {
	l := &Loader{Raw: []string{"rule"}}
	b := l.ReadText("t.conf", "a = 1\nrule {\n accept;\n header /^x\\d+$/ \"a } b\" # }\n { }\n};\ns { rule { x = 1 } }")
	if err := l.Diagnostics.Err(); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(Format(b)), " ")
	if want := "a = 1; rule { } s { rule { x = 1; } }"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	l.ReadText("t.conf", "rule {\n accept;")
	if got, want := remarks(&l.Diagnostics), "t.conf:1:6: the section \"rule\" is not closed; expected } at its end\n    rule {"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
