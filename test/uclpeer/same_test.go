package uclpeer

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"rmilter/internal/ucl"
)

// values are texts after a name which both languages read alike.
var values = []string{
	"x", "x y", "X-1_2.3", "/etc/rmilter/x y", "user@example.com", "<>", "192.0.2.1", "192.0.2.0/24", "host:25",
	"0", "1", "-1", "15.5", "-0.25", "1e3", "0x1f", "10k", "10kb", "10m", "10mb", "1g", "1gb", "30s", "500ms", "5min", "1h", "2d", "1w", "1.5h",
	"1.2.3", "1-2", "10 k", "--1", ".5",
	"yes", "no", "true", "false", "on", "off", "Yes", "OFF", "null", "nullx", "truely",
	`""`, `''`, `"x"`, `'x'`, `"x y"`, `"10k"`, `"yes"`, `"null"`, `"a; b # c { } [ ] = , /* d */ : x"`, `'a; b # c { } [ ] = , : "x"'`,
	`"a\nb\tc\rd\"e\\f\/g"`, `"\u00e4\u20ac"`, `"äöü€"`, `'a\nb'`, `'it\'s'`, `"it's"`,
	"$CONFDIR", "${CONFDIR}/x", `"$CONFDIR/x"`, `"${CONFDIR}"`, `'$CONFDIR'`, "$NOTHING", "${NOTHING}x", `"a $ b"`, `"$2a$10$abc"`, "a$",
	"äöü", "%s ***", "(a|b)*", "it's",
}

// forms are statements; V stands for a value and C for a comment.
var forms = []string{
	"n = V;", "n = V", "n = V\n", "n=V;m = 1;", "n = V\nm = 1\n", "n: V;", "n : V\n", "n V;", "n V\nm = 1", "\"n\" = V;",
	"n =\tV ;", "n = V\r\nm = 1\r\n", "n = V # C\nm = 1", "n = V /* C */;", "# C\nn = V; # C\n", "/* C */ n = V;", "n = /* C */ V;", "n /* C */ = V;",
	"s { n = V; }", "s { n = V }", "s {\n  n = V\n  m = 1\n}\n", "s { n = V; } m = 1", "s { t { u { n = V; } v = 1; } }", "s { } n = V;", "s = { n = V; }",
	"s \"k\" { n = V; }", "s k { n = V; }", "s \"k\" \"l\" {\n n = V;\n}",
	"n = [V];", "n = [V, V]", "n = [\n  V,\n  V,\n]\nm = 1", "n = [ V , V ] ;", "n = [[V], [V, [V]]];", "n [V, V]\n", "n = [{ n = V; }, { m = V; }]", "n = [V, { n = V }, []]",
	"n = V; n = V;", "s { n = V } s { m = V }", "{\"n\": V, \"m\": [V]}", "{ n = V; m = V }",
}

// same are further texts which both read alike.
var same = []string{
	"", " \n\t", "# only a comment", "/* only\n a comment */", "{}", "{ }\n",
	"n = [];", "n = {};", "n = [\n];", "s { }", "s { };t { }", "n = [{}, []]",
	"n = <<EOD\nx\nEOD\n", "n = <<EOD\n\nx\n\n  y; # z\n\nEOD\nm = 1", "s { n = <<END\n{ } \"\nEND\n m = 1 }", "n = <<A\nB\nAB\nA\n", "n = <<EOD\n$CONFDIR ${CONFDIR} $X\nEOD\n",
	"n = <<EOD\na\\nb\nEOD\n",
	"a = 1;; b = 2", "a = 1\n\n\n\nb = 2", "a: 1, b: 2, c: x", "s { a: 1, b: 2 }", "a-b = 1; a_b = 2; A1 = 3; 5 = 4; \"a b\" = 5; \"a.b\" = 6",
	"/* a /* b */ c */ n = 1", "# /* \"\nn = 1", "n = [1, # one\n 2, /* two */ 3]", "s { # open\n n = 1; # x }\n}", "s /* x */ { n = 1 }",
	"a { b { c { d { e { f = 1 } } } } }", "n = [[[[[1]]]]]", "w \"x\" { a = 1 } w \"y\" { a = 2 } w \"x\" { b = 3 }",
	`{"a":1,"b":{"c":[true,null,"x"],"d":{}},"e":[],"f":-1.5,"g":""}`, "{\n  \"a\" : [\n    1,\n    2\n  ],\n  \"b\" : { \"c\" : \"d\" }\n}\n", "{a:1,b:{c:2},d:[3,4]}", "{a = 1; b { c = 2 }}",
	"n = [a b, c d]", "n = [\n a\n b\n]", "n = [a,\n\n b]", "n = [1 2]", "n = [a, b,]", "n = [$CONFDIR, \"$CONFDIR\", '$CONFDIR']",
	"n = a b  c ;", "n = \"x\" ;", "n=\"x\";m='y';", "n = http://example.com/x?y=z&a=b;", "n = x#y\nm = 1", "n = a:b; m = c=d", "n = x{2}; m = /a{2}b/", "n = a[0-9]b",
	"settings {\n  vip {\n    priority = high;\n    rcpt = \"@example.com\";\n    apply {\n      actions { reject = 20.0; \"add header\" = 8 }\n    }\n  }\n}\n",
	"worker \"controller\" {\n  bind_socket = \"*:11334\";\n  password = \"$2$abc$def\";\n  secure_ip = [\"127.0.0.1\", \"::1\"];\n}\n",
	"actions {\n  reject = 15; # bad\n  add_header = 6\n  greylist = 4;\n}\n", "classifier \"bayes\" {\n statfile { symbol = BAYES_HAM; spam = false }\n statfile { symbol = BAYES_SPAM; spam = true }\n min_tokens = 11;\n}",
	"rbl { zen { rbl = \"zen.example.org\"; ipv6 = true; returncodes { A = \"127.0.0.2\"; B = [\"127.0.0.3\", \"127.0.0.4\"]; } } }",
}

func TestSame(t *testing.T) {
	var samples []sample
	for i, form := range forms {
		for j, value := range values {
			if strings.Contains(form, "n V") && strings.Contains(value, "${") {
				continue // libucl takes a name and ${ for the beginning of a block
			}
			text := strings.NewReplacer("V", value, "C", "why { not").Replace(form)
			samples = append(samples, sample{name: fmt.Sprintf("form %d value %d", i, j), text: text})
		}
	}
	for i, text := range same {
		samples = append(samples, sample{name: fmt.Sprintf("text %d", i), text: text})
	}
	compare(t, samples)
}

// compare reads the samples with both and fails for each that differs.
func compare(t *testing.T, samples []sample) {
	t.Helper()
	for i, theirs := range ask(t, samples) {
		s := samples[i]
		l := &ucl.Loader{FS: os.DirFS("/"), Vars: variables()}
		var b *ucl.Block
		if s.file != "" {
			b = l.Read(s.file)
		} else {
			b = l.ReadText("text", s.text)
		}
		if err := l.Diagnostics.Err(); err != nil || theirs.fault != "" {
			t.Errorf("%s: %q\n  ours: %v\n  theirs: %s %s", s.name, s.text, err, show(theirs.value), theirs.fault)
			continue
		}
		if d := differ(normal(b), theirs.value, ""); d != "" {
			t.Errorf("%s: %q differs at %s", s.name, s.text, d)
		}
	}
}

// variables are those that both sides know.
func variables() map[string]string { return map[string]string{"CONFDIR": "/etc/rmilter"} }
