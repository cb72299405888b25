package match

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLiterals(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{`viagra`, "VIAGRA"},
		{`(?i)viagra`, "VIAGRA"},
		{`(?i)k[sz]`, "KS KZ"},
		{`colou?r`, "COLOR COLOUR"},
		{`(?i)виагра`, "ВИАГРА"},
		{`\b(?:viagra|cialis)\b`, "CIALIS VIAGRA"},
		{`\b(?:viagra|cialis|)\b`, ""},
		{`ab+cd`, "CD"},
		{`a(?:bc)+d`, "BC"},
		{`x*y*z*`, ""},
		{`.`, ""},
		{`\d{3}-\d{4}`, "-"},
		{`[a-d]x`, "AX BX CX DX"},
		{`[a-z]x`, "X"},
		{`[^a]`, ""},
		{`^$`, ""},
		{`(a|b)(c|d)`, "AC AD BC BD"},
		{`a{3}`, "AAA"},
		{`a{2,}b`, "A"}, // simplified: aa+b
		{`(?:foo.*bar|baz)`, "BAZ FOO"},
		{`\x{fffd}abc\x{fffd}`, "ABC"},
		{`[\x{fffd}]`, ""},
		{strings.Repeat("x", 40), strings.Repeat("X", 32)},
		{`https?://[^/]*\.ru/`, ".RU/"},
		{`https?://[^/]*`, "HTTP:// HTTPS://"},
		{`(?:cheap|buy)\s+(?:meds|pills)`, "MEDS PILLS"},
	} {
		tree, err := syntax.Parse(c.expr, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(literals(tree.Simplify()), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.expr, got, c.want)
		}
	}
}

func TestLiteralsAreBounded(t *testing.T) {
	for _, expr := range []string{
		strings.Repeat("[abcdefgh]", 50), strings.Repeat("a?", 500), strings.Repeat("(a|b)", 300),
		strings.Repeat("(", 500) + "a" + strings.Repeat("|b)", 500),
	} {
		tree, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		list := literals(tree.Simplify())
		if took := time.Since(start); len(list) > maxLiterals || took > time.Second {
			t.Errorf("%.40s: %d literals after %v", expr, len(list), took)
		}
	}
}

func TestFold(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"aZ09[{", "AZ09[{"},
		{"\u212aelvin ſ", "KELVIN S"},
		{"ВиАгРа", "ВИАГРА"},
		{"ß\u1e9e", "ßß"},
		{"a\xffb\xe2\x84", "A\xffB\xe2\x84"},
		{"\u4e2d\uff41", "\u4e2d\uff21"},
		{"\U00010428", "\U00010400"},
	} {
		if got := foldText(c.in); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
	var f folded
	text := "x\u212ay\u1e9ez\u212a\u212aend"
	f.fold(text)
	for _, c := range "xyz" {
		at := slices.Index(f.text, byte(c)-'a'+'A')
		if got, want := f.offset(at), strings.IndexRune(text, c); got != want {
			t.Errorf("offset of %c: got %d, want %d", c, got, want)
		}
	}
	if got := f.offset(len(f.text)); got != len(text) {
		t.Errorf("offset of the end: got %d, want %d", got, len(text))
	}
}

func TestCost(t *testing.T) {
	words := make([]string, 400)
	r := rand.New(rand.NewPCG(7, 8))
	for i := range words {
		words[i] = fmt.Sprintf("%c%cword%d", 'a'+r.IntN(26), 'a'+r.IntN(26), i)
	}
	for _, c := range []struct {
		expr string
		ok   bool
	}{
		{`(x+x+)+y`, true},
		{`.*.*.*=.*`, true},
		{`(?:a?){200}`, true},
		{`(?:a?){600}`, false},
		{`(?:a?){600}b`, true}, // runs around "b" only
		{`(?:.?){900}(?:.?){900}(?:.?){900}b+`, false},
		{`[^z]{1000}z+`, false},
		{`\b(?:` + strings.Join(words, "|") + `)\b`, true},
		{`(?:` + strings.Join(words, "|") + `)\s+\S+`, false},
	} {
		_, err := Compile(c.expr)
		var e *CostError
		if c.ok && err != nil || !c.ok && !errors.As(err, &e) {
			t.Errorf("%.60s: got %v, want ok %v", c.expr, err, c.ok)
		}
	}
	if _, err := Compile(`a(?=b)`); err == nil {
		t.Error("look-ahead: no error")
	}
}

// search returns the matches of a set in some texts, as index:text.
func search(s *Regexps, b *Budget, texts ...string) []string {
	q := s.Search(b)
	defer q.Close()
	var all []string
	for _, text := range texts {
		q.Text(text, func(int) bool { return true }, func(i, begin, end int) {
			all = append(all, fmt.Sprintf("%d:%d:%q", i, begin, text[begin:end]))
		})
	}
	return all
}

// direct is the oracle of search.
func direct(exprs []string, texts ...string) []string {
	var all []string
	for _, text := range texts {
		for i, e := range exprs {
			if loc := regexp.MustCompile(e).FindStringIndex(text); loc != nil {
				all = append(all, fmt.Sprintf("%d:%d:%q", i, loc[0], text[loc[0]:loc[1]]))
			}
		}
	}
	return all
}

func compileAll(t testing.TB, exprs []string) *Regexps {
	t.Helper()
	var list []*Regexp
	for _, e := range exprs {
		r, err := Compile(e)
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		list = append(list, r)
	}
	s, err := NewRegexps(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var plenty = time.Hour

func TestSearch(t *testing.T) {
	exprs := []string{
		`(?i)\bviagra\b`, `cheap\s+meds`, `^Re:`, `(?m)^From:.*$`, `[0-9]{16}`, `(?i)виагра`, `(?i)kiss`, `a.c`, `x*`, `\Bfoo\b`, `end$`, `(?s)begin.*end`, `\bé`, `.\x{fffd}.`,
	}
	s := compileAll(t, exprs)
	long := strings.Repeat("harmless words stand here\r\n", 100)
	for _, text := range []string{
		"", "Re: VIAGRA now", "viagras", "1234567890123456", "ВИАГРА", "\u212aiſs me", "a\xffc", "afoo foo", "the end", "begin end",
		long + "Viagra" + long, long + "viagras, viagra" + long, long + "\r\nFrom: x\r\n" + long, long + "afoo", long + "end", "foo" + long + "xfoo",
		long + "aé é" + long, long + "\xff\xfe\xe2\x84 \u212aIſS" + long, "é" + long + "é", strings.Repeat("viagras ", 1000) + "viagra",
	} {
		want := direct(exprs, text)
		if got := search(s, NewBudget(plenty), text); !slices.Equal(got, want) {
			t.Errorf("%.60q: got %s, want %s", text, got, want)
		}
	}
}

// TestSearchRandom compares with the oracle on expressions and texts that resemble
// each other.
func TestSearchRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	atoms := []string{"a", "b", "ab", "K", "s", "é", "и", ".", `\b`, `\B`, "[a-c]", "[^a]", `\w`, `\s`, " ", "(?i)k", "(?m)^", "(?m)$", "x"}
	var build func(depth int) string
	build = func(depth int) string {
		if depth == 0 {
			return atoms[r.IntN(len(atoms))]
		}
		a, b := build(depth-1), build(r.IntN(depth))
		switch r.IntN(6) {
		case 0:
			return "(?:" + a + "|" + b + ")"
		case 1:
			return "(?:" + a + ")" + []string{"?", "*", "+", "{2}", "{1,3}"}[r.IntN(5)]
		}
		return a + b
	}
	letters := []string{"a", "b", "c", "k", "K", "\u212a", "s", "ſ", "é", "É", "и", "И", " ", "x", "\n", "\xff", "\xc3", "\xe2\x84"}
	for round := range 150 {
		var exprs []string
		for range 12 {
			if e := build(1 + r.IntN(4)); len(e) < 200 {
				if _, err := Compile(e); err == nil {
					exprs = append(exprs, e)
				}
			}
		}
		s := compileAll(t, exprs)
		for range 6 {
			var b strings.Builder
			for range r.IntN(700) {
				b.WriteString(letters[min(r.IntN(len(letters)), r.IntN(len(letters)))])
			}
			if got, want := search(s, NewBudget(plenty), b.String()), direct(exprs, b.String()); !slices.Equal(got, want) {
				t.Fatalf("round %d\n%q\nin %q:\ngot  %s\nwant %s", round, exprs, b.String(), got, want)
			}
		}
	}
}

// TestSearchAgain uses one search for several texts, and the memory for several
// searches.
func TestSearchAgain(t *testing.T) {
	exprs := []string{`a+b`, `bc`, `\d`}
	s := compileAll(t, exprs)
	for range 3 {
		texts := []string{"aab", "bc", "", "1abc", strings.Repeat("x", 300) + "bc", "bc"}
		if got, want := search(s, NewBudget(plenty), texts...), direct(exprs, texts...); !slices.Equal(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWanted(t *testing.T) {
	s := compileAll(t, []string{"a", "a", `\w`})
	q := s.Search(NewBudget(plenty))
	defer q.Close()
	var asked, found []int
	q.Text("aaa", func(i int) bool { asked = append(asked, i); return i == 1 }, func(i, _, _ int) { found = append(found, i) })
	slices.Sort(asked)
	if !slices.Equal(asked, []int{0, 1, 2}) || !slices.Equal(found, []int{1}) {
		t.Errorf("got asked for %v and found %v, want each asked for once and 1 found", asked, found)
	}
}

// TestBudget sees that what an expression looks at is bounded, and that little is left
// for each when many want much.
func TestBudget(t *testing.T) {
	far := strings.Repeat("x", 1<<20) + "y"
	s := compileAll(t, []string{`(?:x?){100}y+`})
	if got := search(s, NewBudget(plenty), far); got != nil {
		t.Errorf("an expression of 100 steps got through %d bytes: %.40s", len(far), got)
	}
	near := strings.Repeat("x", 20_000) + "y" + far
	if got := search(s, NewBudget(plenty), near); len(got) != 1 {
		t.Errorf("it didn't get through 20000 bytes")
	}
	if got := search(s, NewBudget(10*time.Millisecond), near); got != nil {
		t.Errorf("with a small budget it got through 20000 bytes: %.40s", got)
	}
	texts := slices.Repeat([]string{near}, 5)
	if got := search(s, NewBudget(plenty), texts...); len(got) != 1 {
		t.Errorf("five texts: got %d matches, want 1: the first takes more than half", len(got))
	}
}

// TestManyAtOnce wants many dear expressions to share the time of a message, and each
// to look at something all the same.
func TestManyAtOnce(t *testing.T) {
	var exprs []string
	for i := range 300 {
		exprs = append(exprs, fmt.Sprintf(`(?:x?){%d}[yx]*Q+`, 50+i/10), fmt.Sprintf(`a.*b.*c%d.*Q`, i))
	}
	s := compileAll(t, exprs)
	text := "xQ" + strings.Repeat("x", 1<<20) + "Q"
	got := search(s, NewBudget(time.Second), text)
	if len(got) != 300 {
		t.Errorf("%d expressions matched, want the 300 that match at the beginning", len(got))
	}
}

// BenchmarkWorstCases has dear expressions on a megabyte that holds their literals: each
// is to take MaxTime at most.
func BenchmarkWorstCases(b *testing.B) {
	words := make([]string, 300)
	r := rand.New(rand.NewPCG(11, 12))
	for i := range words {
		for range 4 + r.IntN(6) {
			words[i] += string(rune('a' + r.IntN(26)))
		}
	}
	list := strings.Join(words, "|")
	const size = 1 << 20
	for _, expr := range []string{
		`(x+x+)+[yx]*y`, `.*.*.*=.*`, `(?:a?){200}b+`, `(?:a?){200}$`, `\b(?:` + list + `)\b`, `(?i)\b(?:` + list + `)\b`, `[^z]{100}z+q`,
		`(?s)a.*b.*c.*d.*e.*f`, `[A-Za-z0-9+/]{60,}==q`, `(a|b)*a(a|b){15}c`, `\s+\S+\s+z`, `(?i)\w+@\w+\.zz`,
	} {
		s := compileAll(b, []string{expr})
		s.always, s.owner = []int{0}, nil // the spammer put the literals there
		for name, text := range map[string]string{
			"x": strings.Repeat("x", size), "blanks": strings.Repeat(" ", size),
			"words": strings.Repeat(strings.Join(words, "s ")+"s ", size/(len(list)+300)),
			"begin": strings.Repeat(list[:200], size/200),
		} {
			b.Run(fmt.Sprintf("%.20s on %s", expr, name), func(b *testing.B) {
				for b.Loop() {
					search(s, NewBudget(plenty), text)
				}
			})
		}
	}
}

func FuzzSearch(f *testing.F) {
	f.Add("(?i)viagra\n\\bfoo\\b\na.*b", "Viagra foo")
	f.Add("(?i)kiss\n[а-я]+\n^x$", "\u212aiſs привет")
	f.Fuzz(func(t *testing.T, lines, text string) {
		var exprs []string
		for e := range strings.SplitSeq(lines, "\n") {
			if len(e) > 200 || len(exprs) == 20 {
				return
			}
			if _, err := Compile(e); err == nil {
				exprs = append(exprs, e)
			}
		}
		text += strings.Repeat(" ", 200) + text // long enough for pieces
		if len(text) > 20_000 {
			return
		}
		if got, want := search(compileAll(t, exprs), NewBudget(plenty), text), direct(exprs, text); !slices.Equal(got, want) {
			t.Errorf("%q in %q: got %s, want %s", exprs, text, got, want)
		}
	})
}
