package uclpeer

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"rmilter/internal/ucl"
)

// purpose are texts which the two read differently on purpose. Each says the words of
// package ucl's comment about it; a tree is JSON of the normal form, and after "fault"
// stand words of the message.
var purpose = []struct{ says, text, ours, theirs string }{
	{"libucl keeps both", "n = [1]; n = [2]", `{"n":[["1"],["2"]]}`, `{"n":[1]}`}, // it keeps them beside the array
	{"commas make a list", "n = a, b, c;", `{"n":["a","b","c"]}`, `fault invalid character in a key`},
	{"commas make a list", "n = a,\n  b\nm = 1", `{"m":"1","n":["a","b"]}`, `fault invalid character in a key`},
	{"a semicolon within an array", "n = [1;\n2];\nm = 2", "fault a list that is not closed; expected ]", `{"m":2,"n":[1,2]}`},
	{"nothing before the semicolon", "n = ;", `{"n":[]}`, `fault string value must not be empty`},
	{"+= adds", "n += a;", `{"n":"a"}`, `{"n":"+= a"}`},
	{"brackets around a single", "n = [2001:db8::1]", `{"n":"[2001:db8::1]"}`, `{"n":["2001:db8::1"]}`},
	{"{a, b}", "n = {a, b}", `{"n":["a","b"]}`, `fault invalid character in a key`},
	{"{a, b}", "n = {a:1,b:2}", `{"n":["a:1","b:2"]}`, `{"n":{"a":1,"b":2}}`},
	{"a directive may follow", "a = x b = 1", `{"a":"x","b":"1"}`, `{"a":"x b = 1"}`},
	{"a directive may follow", "a = x b { c = 1 }", `{"a":"x","b":{"c":"1"}}`, `{"a":"x b { c = 1 }"}`},
	{"one name with blanks", "add header = 6", `{"add header":"6"}`, `{"add":"header = 6"}`},
	{"a quotation mark within", `n = a"b"`, "fault a quotation mark within a word", `{"n":"a\"b\""}`},
	{"outside of quotes", `n = /\d+\./`, `{"n":"/\\d+\\./"}`, `{"n":"/d+./"}`},
	{"makes no escape", `n = "\d\x"`, `{"n":"\\d\\x"}`, `{"n":"dx"}`},
	{"over several lines", "n = \"a\nb\"", `{"n":"a\nb"}`, `fault unexpected newline`},
	{"in single quotes", "'n' = 1", `{"n":"1"}`, `fault key must begin with a letter`},
	{"$$NAME", `n = "$$CONFDIR"`, `{"n":"$CONFDIR"}`, `{"n":"$$CONFDIR"}`},
	{"may hold quotation marks", "/* it's \" */ n = 1", `{"n":"1"}`, `fault unfinished multiline comment`},
	{"within a word begins none", "n = a/*.conf; m = 1", `{"m":"1","n":"a/*.conf"}`, `fault unfinished multiline comment`},
	{"CRLF", "n = <<EOD\r\nx\r\nEOD\r\nm = 1\r\n", `{"m":"1","n":"x"}`, `fault invalid character in a key`},
	{"byte order mark", "\ufeffn = 1", `{"n":"1"}`, "{\"\ufeffn\":1}"},
	{"need no blank", "s{n = 1}", `{"s":{"n":"1"}}`, `fault invalid character in a key`},
	{"on two lines", "s\n{ n = 1 }", `{"s":{"n":"1"}}`, `fault invalid character in a key`},
	{"more may follow", "{ n = 1 } m = 2", `{"m":"2","n":"1"}`, `{"n":1}`},
	{"cannot be an array", "[1, 2]", "fault expected the name of a directive", `[1,2]`},
}

func TestPurpose(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../../internal/ucl/ucl.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	comment := strings.Join(strings.Fields(f.Doc.Text()), " ")
	var samples []sample
	for _, p := range purpose {
		samples = append(samples, sample{name: p.says, text: p.text})
	}
	for i, theirs := range ask(t, samples) {
		p := purpose[i]
		if !strings.Contains(comment, p.says) {
			t.Errorf("the comment of package ucl doesn't say %q", p.says)
		}
		l := &ucl.Loader{Vars: variables()}
		b := l.ReadText("text", p.text)
		ours, fault := show(normal(b)), ""
		if err := l.Diagnostics.Err(); err != nil {
			fault = err.Error()
		}
		if !as(p.ours, ours, fault) {
			t.Errorf("%q: ours is %s %s, want %s", p.text, ours, fault, p.ours)
		}
		if !as(p.theirs, show(theirs.value), theirs.fault) {
			t.Errorf("%q: theirs is %s %s, want %s", p.text, show(theirs.value), theirs.fault, p.theirs)
		}
	}
}

// as tells whether a tree or a fault is what was wanted.
func as(want, tree, fault string) bool {
	if words, ok := strings.CutPrefix(want, "fault "); ok {
		return strings.Contains(fault, words)
	}
	return fault == "" && tree == want
}

// TestSuffixes has the numbers that mean something else in an option of ours.
func TestSuffixes(t *testing.T) {
	var (
		size ucl.Size
		long ucl.Duration
	)
	cases := []struct {
		text, ours, theirs string
		value              ucl.Value
	}{
		{"10k", "10k", "10000", &size}, // 10240
		{"10m", "10M", "10000000", &size},
		{"10mb", "10M", "10485760", &size},
		{"5m", "5m", "5000000", &long},
		{"5min", "5m", "300.0", &long},
		{"500ms", "500ms", "0.500000", &long},
	}
	var samples []sample
	for _, c := range cases {
		samples = append(samples, sample{text: "n = " + c.text})
	}
	for i, theirs := range ask(t, samples) {
		c := cases[i]
		if err := c.value.Set(ucl.TextNode(c.text), false); err != nil || c.value.String() != c.ours {
			t.Errorf("%s: ours is %s, %v, want %s", c.text, c.value, err, c.ours)
		}
		if got, want := show(theirs.value), `{"n":`+c.theirs+`}`; got != want {
			t.Errorf("%s: theirs is %s, want %s", c.text, got, want)
		}
	}
}
