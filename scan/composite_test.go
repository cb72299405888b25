package scan

import (
	"fmt"
	"strings"
	"testing"
)

// show writes an expression in a plain form.
func show(e expr) string {
	switch e := e.(type) {
	case atom:
		if e.prefix != 0 {
			return string(e.prefix) + e.name
		}
		return e.name
	case groupAtom:
		return "g" + strings.TrimRight(string(e.sign), "\x00") + ":" + e.group
	case negation:
		return "!" + show(e.of)
	case atLeast:
		var all []string
		for _, x := range e.of {
			all = append(all, show(x))
		}
		return fmt.Sprintf("%d(%s)", e.n, strings.Join(all, " "))
	}
	return "?"
}

func TestParseExpr(t *testing.T) {
	for in, want := range map[string]string{
		"A":                              "A",
		"(A)":                            "A",
		"A & B":                          "2(A B)",
		"A and B && C":                   "3(A B C)",
		"A | B or C || D":                "1(A B C D)",
		"A & B | C & !D":                 "1(2(A B) 2(C !D))",
		"not (A | B)":                    "!1(A B)",
		"!!A":                            "!!A",
		"A & (B | C)":                    "2(A 1(B C))",
		"-A & ~B & ^C":                   "3(-A ~B ^C)",
		"g:x | g+:y | g-:z":              "1(g:x g+:y g-:z)",
		"A + B + C >= 2":                 "2(A B C)",
		"A + (B & C) > 1":                "2(A 2(B C))",
		"D & A+B>=1":                     "2(D 1(A B))",
		"A\n&\tB":                        "2(A B)",
		"":                               `the end in character 1 of the expression; expected a symbol`,
		"A &":                            `the end in character 4 of the expression; expected a symbol`,
		"A B":                            `"B" in character 3 of the expression; expected & or | or the end`,
		"(A":                             `the end in character 3 of the expression; expected )`,
		"A)":                             `")" in character 2 of the expression; expected & or | or the end`,
		"A + B":                          `the end in character 6 of the expression; expected >= and a number after a sum`,
		"A + B >= x":                     `"x" in character 10 of the expression; expected a whole number`,
		"A + B >= 3":                     `a sum of 2 symbols is compared with 3; expected 1 to 2`,
		"A + B > 2":                      `a sum of 2 symbols is compared with 3; expected 1 to 2`,
		"A + B >= 0":                     `a sum of 2 symbols is compared with 0; expected 1 to 2`,
		"x:y":                            `"x:y" in character 1 of the expression; expected a symbol, or g: and a group`,
		"g:":                             `"g:" in character 1 of the expression; expected a symbol`,
		"/A/":                            `"/A" in character 1 of the expression; expected a symbol`,
		"Ä":                              `"\xc3" in character 1 of the expression; expected a symbol`,
		strings.Repeat("(", 60) + "A":    "the expression is nested deeper than 50 levels",
		strings.Repeat("!", 60) + "A":    "the expression is nested deeper than 50 levels",
		"A" + strings.Repeat(" ", 10000): "the expression is longer than 10000 bytes",
	} {
		e, err := parseExpr(in)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = show(e)
		}
		if got != want {
			t.Errorf("%.60q: got %s, want %s", in, got, want)
		}
	}
}

func FuzzParseExpr(f *testing.F) {
	for _, s := range []string{"A & !(B | g+:c) + D >= 1", "-A ~B", "((((", "A + B > 0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseExpr(text)
		if err != nil {
			return
		}
		e.names(func(string) {})
		w := &Weights{composites: []*composite{{&Symbol{Name: "X"}, e, removeAll}}}
		w.Score([]Finding{{Symbol: &Symbol{Name: "A", Score: 1, Group: "c"}, Strength: 1}})
	})
}
