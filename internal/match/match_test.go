package match

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// seen returns the indices of the literals in a text.
func seen(t testing.TB, literals []string, fold bool, text string) []int {
	t.Helper()
	s, err := New(literals, fold)
	if err != nil {
		t.Fatal(err)
	}
	found := make([]bool, s.Len())
	var m Marks
	s.Scan([]byte(text), &m, func(i, _ int) bool { found[i] = true; return false })
	var list []int
	for i, f := range found {
		if f {
			list = append(list, i)
		}
	}
	return list
}

// simple is the oracle.
func simple(literals []string, fold bool, text string) []int {
	var list []int
	ascii := func(s string) string {
		b := []byte(s)
		for i, c := range b {
			b[i] = lower(c)
		}
		return string(b)
	}
	for i, l := range literals {
		if fold && strings.Contains(ascii(text), ascii(l)) || strings.Contains(text, l) {
			list = append(list, i)
		}
	}
	return list
}

func TestSeen(t *testing.T) {
	for _, c := range []struct {
		literals []string
		fold     bool
		text     string
		want     string
	}{
		{nil, false, "text", "[]"},
		{[]string{"he", "she", "his", "hers"}, false, "ushers", "[0 1 3]"},
		{[]string{"he", "she", "his", "hers"}, false, "USHERS", "[]"},
		{[]string{"He", "sHe", "his", "hers"}, true, "USHerS", "[0 1 3]"},
		{[]string{"a", "aa", "aaa", "aaaa"}, false, "xaaax", "[0 1 2]"},
		{[]string{"abcd", "bc"}, false, "abce", "[1]"},
		{[]string{"abcd", "bcx", "c"}, false, "abcx", "[1 2]"},
		{[]string{"", "b"}, false, "a", "[0]"},
		{[]string{"", "b"}, false, "", "[0]"},
		{[]string{"x", "x", "X"}, false, "x", "[0 1]"},
		{[]string{"Ä"}, true, "ä", "[]"},
		{[]string{"\x00\xff"}, true, "a\x00\xffb", "[0]"},
		{[]string{"[", "{"}, true, "[", "[0]"},
	} {
		if got := fmt.Sprint(seen(t, c.literals, c.fold, c.text)); got != c.want {
			t.Errorf("%q in %q: got %s, want %s", c.literals, c.text, got, c.want)
		}
	}
}

// TestScan tells how often and where literals are told.
func TestScan(t *testing.T) {
	s, err := New([]string{"a", "aa", "b", ""}, false)
	if err != nil {
		t.Fatal(err)
	}
	var m Marks
	for _, c := range []struct {
		most int // times that each literal is wanted
		want string
	}{
		{100, "3@0 0@1 1@2 0@2 1@3 0@3 1@4 0@4 2@5 0@6"},
		{1, "3@0 0@1 1@2 2@5"},
	} {
		var got []string
		times := map[int]int{}
		s.Scan([]byte("aaaaba"), &m, func(literal, end int) bool {
			got = append(got, fmt.Sprintf("%d@%d", literal, end))
			times[literal]++
			return times[literal] < c.most
		})
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("each %d times: got %s, want %s", c.most, got, c.want)
		}
	}
}

// TestScanIsLinear has many literals that end at each place of a text.
func TestScanIsLinear(t *testing.T) {
	var literals []string
	for i := range 500 {
		literals = append(literals, strings.Repeat("a", i+1))
	}
	s, err := New(literals, false)
	if err != nil {
		t.Fatal(err)
	}
	var m Marks
	calls, times := 0, make([]int, len(literals))
	s.Scan(bytes.Repeat([]byte("a"), 1<<20), &m, func(literal, _ int) bool {
		calls++
		times[literal]++
		return times[literal] < 10
	})
	if limit := len(literals) * len(literals) * 20; calls > limit {
		t.Errorf("got %d calls for a megabyte, want no more than %d, whatever the length", calls, limit)
	}
}

func TestSeveralTexts(t *testing.T) {
	s, err := New([]string{"ab", "cd", "bc"}, false)
	if err != nil {
		t.Fatal(err)
	}
	found := make([]bool, 3)
	for _, text := range []string{"xab", "cdx"} {
		var m Marks
		s.Scan([]byte(text), &m, func(i, _ int) bool { found[i] = true; return false })
	}
	if want := []bool{true, true, false}; !slices.Equal(found, want) {
		t.Errorf("got %v, want %v: nothing may be found across two texts", found, want)
	}
}

// TestAllBytes has literals of all 256 bytes, which is one class more than fit.
func TestAllBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var literals []string
	for range 300 {
		literals = append(literals, string([]byte{byte(r.Uint32()), byte(r.Uint32())}))
	}
	for i := range 256 {
		literals = append(literals, string([]byte{byte(i), 'x'}))
	}
	text := make([]byte, 5000)
	for i := range text {
		text[i] = byte(r.Uint32())
	}
	if got, want := seen(t, literals, false, string(text)), simple(literals, false, string(text)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTooLarge(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var literals []string
	for range 1000 {
		b := make([]byte, 1000)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		literals = append(literals, string(b))
	}
	if _, err := New(literals, false); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

func FuzzSeen(f *testing.F) {
	f.Add("he,she,his,hers", "ushers", true)
	f.Add("a,aa,,b\x00", "aaab\x00", false)
	f.Fuzz(func(t *testing.T, list, text string, fold bool) {
		literals := strings.Split(list, ",")
		if got, want := seen(t, literals, fold, text), simple(literals, fold, text); !slices.Equal(got, want) {
			t.Errorf("%q in %q: got %v, want %v", literals, text, got, want)
		}
	})
}

func BenchmarkSeen(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	word := func() string {
		w := make([]byte, 6+r.IntN(10))
		for i := range w {
			w[i] = "etaoinshrdlucmfw"[r.IntN(16)]
		}
		return string(w)
	}
	var text bytes.Buffer
	for text.Len() < 1<<20 {
		text.WriteString(word() + " ")
	}
	for _, n := range []int{50, 500, 5000} {
		var literals []string
		for range n {
			literals = append(literals, word())
		}
		s, err := New(literals, true)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			var m Marks
			found := make([]bool, n)
			for b.Loop() {
				s.Scan(text.Bytes(), &m, func(i, _ int) bool { found[i] = true; return false })
			}
		})
	}
}
