package scan_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"rmilter/scan"
)

// found returns findings of symbols of strength one.
func found(symbols ...*scan.Symbol) []scan.Finding {
	var list []scan.Finding
	for _, s := range symbols {
		list = append(list, scan.Finding{Symbol: s, Strength: 1, Details: []string{strings.ToLower(s.Name)}})
	}
	return list
}

// rows writes a score: TOTAL: NAME=WEIGHT/FULL[DETAILS]<REMOVEDBY ….
func rows(s scan.Score) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.2f:", s.Total)
	sum := 0.0
	for _, r := range s.Rows {
		fmt.Fprintf(&b, " %s=%g", r.Symbol.Name, r.Weight)
		if r.Full != r.Weight {
			fmt.Fprintf(&b, "/%g", r.Full)
		}
		if len(r.Details) > 0 {
			fmt.Fprintf(&b, "%v", r.Details)
		}
		if r.RemovedBy != "" {
			b.WriteString("<" + r.RemovedBy)
		}
		if r.Hidden {
			b.WriteString("-")
		}
		sum += r.Weight
	}
	if math.Abs(sum-s.Total) > 0.0051 {
		fmt.Fprintf(&b, " but the rows add up to %g", sum)
	}
	return b.String()
}

// weights returns the weights of a configuration over these symbols.
func weights(t testing.TB, conf string, symbols ...*scan.Symbol) *scan.Weights {
	t.Helper()
	c := check("all", symbols, nil, func(context.Context, *scan.Pass) (none, error) { return none{}, nil })
	return engine(t, conf, c).Weights()
}

func TestScore(t *testing.T) {
	a, b, c := symbol("A", 1), symbol("B", 2.5), symbol("C", -4)
	d := &scan.Symbol{Name: "D", Score: 3, Group: "other", OneShot: true, Doc: "Another."}
	for _, tt := range []struct {
		conf     string
		findings []scan.Finding
		want     string
	}{
		{"", nil, "0.00:"},
		{"", found(a, b, c), "-0.50: A=1[a] B=2.5[b] C=-4[c]"},
		{"", []scan.Finding{{Symbol: a, Strength: 0.125, Details: []string{"x"}}, {Symbol: b, Strength: 2}}, "5.13: A=0.125[x] B=5"},
		{"", found(a, a, b, a), "5.50: A=3[a] B=2.5[b]"},
		{"", []scan.Finding{{Symbol: a, Strength: 1, Details: []string{"x"}}, {Symbol: a, Strength: 1, Details: []string{"y", "x"}}}, "2.00: A=2[x y]"},
		{"", found(d, d), "3.00: D=3[d]"},
		{"symbol D { one_shot = no }", found(d, d), "6.00: D=6[d]"},
		{"symbol A { one_shot = yes; weight = 0.5 }", found(a, a), "0.50: A=0.5[a]"},
		{"symbols { A { weight = 7 } B { enabled = no } }", found(a, b), "7.00: A=7[a]"},
		{"symbol A { weight = 7 } symbol A { weight = default }", found(a), "1.00: A=1[a]"},
		{"group test { max_score = 2 }", found(a, b, c), "-2.00: A=1[a] B=2.5[b] C=-4[c] GROUP_CAP=-1.5[test 2.00 of 3.50]"},
		{"group test { max_score = 3.5 }", found(a, b), "3.50: A=1[a] B=2.5[b]"},
		{"group test { max_score = 3 } group other { max_score = 1 }", found(d, a, b), "4.00: D=3[d] A=1[a] B=2.5[b] GROUP_CAP=-2.5[other 1.00 of 3.00 test 3.00 of 3.50]"},
		{"group test { enabled = no }", found(a, d), "3.00: D=3[d]"},
		{"group other { symbol D { weight = 9 } symbols { A { weight = 8 } } }", found(a, d), "17.00: A=8[a] D=9[d]"},
		{`composite X { expression = "A & B"; score = 5 }`, found(a, b), "5.00: A=0/1[a]<X- B=0/2.5[b]<X- X=5[A B]"},
		{`composite X { expression = "A & B"; score = 5 }`, found(a), "1.00: A=1[a]"},
		{`composite X { expression = "A & B"; score = 5; policy = leave }`, found(a, b), "8.50: A=1[a] B=2.5[b] X=5[A B]"},
		{`composite X { expression = "A & B"; score = 5; policy = remove_weight }`, found(a, b), "5.00: A=0/1[a]<X B=0/2.5[b]<X X=5[A B]"},
		{`composite X { expression = "A & B"; score = 5; policy = remove_symbol }`, found(a, b), "8.50: A=1[a]- B=2.5[b]- X=5[A B]"},
		{`composite X { expression = "-A & ~B & ^C"; score = 5; policy = leave }`, found(a, b, c), "8.50: A=1[a] B=2.5[b]- C=0/-4[c]<X- X=5[A B C]"},
		{`composite X { expression = "A & !C"; score = 5 }`, found(a, b, c), "-0.50: A=1[a] B=2.5[b] C=-4[c]"},
		{`composite X { expression = "A & !C"; score = 5 }`, found(a, b), "7.50: A=0/1[a]<X- B=2.5[b] X=5[A]"},
		{`composite X { expression = "g+:test"; score = 5 }`, found(a, c), "1.00: A=0/1[a]<X- C=-4[c] X=5[A]"},
		{`composite X { expression = "g-:test"; score = 5 }`, found(a, c), "6.00: A=1[a] C=0/-4[c]<X- X=5[C]"},
		{`composite X { expression = "g:other"; score = 5 }`, found(a, c), "-3.00: A=1[a] C=-4[c]"},
		{`composite X { expression = "A + B + C >= 2"; score = 5 }`, found(a, c), "5.00: A=0/1[a]<X- C=0/-4[c]<X- X=5[A C]"},
		{`composite X { expression = "A + B + C > 2"; score = 5 }`, found(a, c), "-3.00: A=1[a] C=-4[c]"},
		// One that reads another comes after it, in whatever order they stand.
		{`composite Y { expression = "X & D"; score = 10 } composite X { expression = "A"; score = 5; policy = leave }`, found(a, d), "11.00: A=1[a] D=0/3[d]<Y- X=0/5[A]<Y- Y=10[X D]"},
		{`composite X { expression = "A"; score = 5; enabled = no }`, found(a), "1.00: A=1[a]"},
		{`composite X { expression = "A"; score = 5; group = test } group test { max_score = 2 }`, found(a), "2.00: A=0/1[a]<X- X=5[A] GROUP_CAP=-3[test 2.00 of 5.00]"},
		{`composite X { expression = "A"; score = 5 } symbol X { weight = 1 }`, found(a), "1.00: A=0/1[a]<X- X=1[A]"},
	} {
		w := weights(t, tt.conf, a, b, c, d)
		for range 3 {
			if got := rows(w.Score(tt.findings)); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.conf, got, tt.want)
			}
		}
	}
	var nothing *scan.Weights
	if got, want := rows(nothing.Score(found(a, d, d))), "4.00: A=1[a] D=3[d]"; got != want {
		t.Errorf("without weights: got %s, want %s", got, want)
	}
}

func TestDefaultCaps(t *testing.T) {
	s := &scan.Symbol{Name: "S", Score: 100, Group: "headers", Doc: "One."}
	if got, want := rows(weights(t, "", s).Score(found(s))), "8.00: S=100[s] GROUP_CAP=-92[headers 8.00 of 100.00]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWith(t *testing.T) {
	a, b := symbol("A", 1), symbol("B", 2)
	w := weights(t, "symbol A { weight = 5 }", a, b)
	for _, c := range []struct {
		scores map[string]float64
		off    []string
		want   string
	}{
		{nil, nil, "7.00: A=5[a] B=2[b]"},
		{map[string]float64{"B": -1}, nil, "4.00: A=5[a] B=-1[b]"},
		{map[string]float64{"A": math.NaN()}, nil, "2.00: B=2[b]"},
		{nil, []string{"test"}, "0.00:"},
	} {
		if got := rows(w.With(c.scores, c.off).Score(found(a, b))); got != c.want {
			t.Errorf("%v %v: got %s, want %s", c.scores, c.off, got, c.want)
		}
	}
	if w.With(nil, nil) != w {
		t.Error("without a difference: got other weights")
	}
	var nothing *scan.Weights
	if got, want := rows(nothing.With(map[string]float64{"A": 3}, nil).Score(found(a))), "3.00: A=3[a]"; got != want {
		t.Errorf("over no weights: got %s, want %s", got, want)
	}
}

func TestBadComposites(t *testing.T) {
	a := symbol("A", 1)
	c := check("all", []*scan.Symbol{a}, nil, func(context.Context, *scan.Pass) (none, error) { return none{}, nil })
	for conf, want := range map[string]string{
		`composite X { expression = "Y" } composite Y { expression = "X" }`: "composites read each other in a circle: X, Y, X",
		`composite X { expression = "!X" }`:                                 "composites read each other in a circle: X, X",
		`composite X { score = 1 }`:                                         `composite "X" has no expression`,
		`composite A { expression = "B" }`:                                  `composite "A" has the name of a symbol`,
	} {
		_, err := scan.NewEngine(configure(t, conf, c), scan.Env{})
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%s: got %s, want %s", conf, got, want)
		}
	}
}
