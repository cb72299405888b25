package match

import (
	"sort"
	"sync"
	"unicode"
	"unicode/utf8"
)

// A folded text is one in which characters that differ in case alone are the same, as
// a regular expression with the flag i takes them: those of one orbit of
// unicode.SimpleFold become the smallest of them. Bytes that are no UTF-8 stay.
type folded struct {
	text   []byte
	shifts []shift
}

// A shift says that from an offset of the folded text on, the offset of the original
// text is that much larger.
type shift struct{ from, by int }

// fold folds a text into the memory of f.
func (f *folded) fold(text string) {
	f.text, f.shifts = f.text[:0], f.shifts[:0]
	table := foldTable()
	for i := 0; i < len(text); {
		if n := asciiPrefix(text[i:]); n > 0 {
			f.text = append(f.text, text[i:i+n]...)
			upper(f.text[len(f.text)-n:])
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 {
			f.text = append(f.text, text[i])
			i++
			continue
		}
		before := len(f.text)
		if r < rune(len(table)) {
			r = rune(table[r])
		} else {
			r = foldRune(r)
		}
		f.text = utf8.AppendRune(f.text, r)
		i += n
		if len(f.text)-before != n {
			f.shifts = append(f.shifts, shift{len(f.text), i - len(f.text)})
		}
	}
}

// asciiPrefix returns how many bytes at the beginning of s are ASCII.
func asciiPrefix(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return i
		}
	}
	return len(s)
}

// upper makes ASCII letters upper case, which are smaller than the lower-case ones.
func upper(b []byte) {
	for i, c := range b {
		if c-'a' < 26 {
			b[i] = c - ('a' - 'A')
		}
	}
}

// offset returns where in the original text an offset of the folded text is.
func (f *folded) offset(at int) int {
	n := sort.Search(len(f.shifts), func(i int) bool { return f.shifts[i].from > at })
	if n == 0 {
		return at
	}
	return at + f.shifts[n-1].by
}

// foldText folds a short text.
func foldText(text string) string {
	var f folded
	f.fold(text)
	return string(f.text)
}

// foldRune returns the smallest of the characters that differ from r in case alone.
func foldRune(r rune) rune {
	switch {
	case r >= 0x2e00 && r < 0xa640, r >= 0xac00 && r < 0xfb00:
		return r // scripts without case: Chinese, Japanese, Korean
	}
	least := r
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		least = min(least, o)
	}
	return least
}

// foldTable holds foldRune of the first characters, which most texts consist of.
var foldTable = sync.OnceValue(func() *[0x2200]uint16 {
	t := new([0x2200]uint16)
	for r := range t {
		t[r] = uint16(foldRune(rune(r)))
	}
	return t
})
