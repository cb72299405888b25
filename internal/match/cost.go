package match

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// maxWidth is the longest match, in bytes, of an expression that runs on the
// surroundings of its literals only.
const maxWidth = 1000

// width returns the most bytes that a match can have, -1 when they are too many.
func width(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		n := 0
		for _, r := range re.Rune {
			most := utf8.RuneLen(r)
			if re.Flags&syntax.FoldCase != 0 {
				for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
					most = max(most, utf8.RuneLen(o))
				}
			}
			n += most
		}
		return bounded(n)
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return 0
		}
		return utf8.RuneLen(re.Rune[len(re.Rune)-1])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return utf8.UTFMax
	case syntax.OpCapture, syntax.OpQuest:
		return width(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus:
		if width(re.Sub[0]) == 0 {
			return 0
		}
		return -1
	case syntax.OpConcat, syntax.OpAlternate:
		n := 0
		for _, sub := range re.Sub {
			w := width(sub)
			switch {
			case w < 0:
				return -1
			case re.Op == syntax.OpConcat:
				n = n + w
			default:
				n = max(n, w)
			}
		}
		return bounded(n)
	}
	return 0
}

func bounded(n int) int {
	if n > maxWidth {
		return -1
	}
	return n
}

// anchored tells whether an expression asks where the text begins or ends.
func anchored(re *syntax.Regexp) bool {
	return re.Op == syntax.OpBeginText || re.Op == syntax.OpEndText || slices.ContainsFunc(re.Sub, anchored)
}

// maxLook bounds the work of steps.
const maxLook = 4 << 20

// steps returns how many instructions of a program may be at work on one character at
// most: those that can follow one character of any kind, and those at the beginning.
func steps(p *syntax.Prog) int {
	kinds := kindsOf(p)
	if len(kinds)*len(p.Inst) > maxLook {
		return len(p.Inst)
	}
	w := walker{prog: p, mark: make([]int, len(p.Inst))}
	most := 0
	for _, r := range kinds {
		w.now, w.count = w.now+1, 0
		w.reach(uint32(p.Start))
		for i := range p.Inst {
			inst := &p.Inst[i]
			switch inst.Op {
			case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
				if inst.MatchRune(r) {
					w.reach(inst.Out)
				}
			}
		}
		most = max(most, w.count)
	}
	return most
}

// A walker counts instructions.
type walker struct {
	prog       *syntax.Prog
	mark       []int // by instruction: the walk in which it was counted
	now, count int
	todo       []uint32
}

// reach counts an instruction and those that follow it without a character.
func (w *walker) reach(at uint32) {
	w.todo = append(w.todo[:0], at)
	for len(w.todo) > 0 {
		at := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		if w.mark[at] == w.now {
			continue
		}
		w.mark[at] = w.now
		w.count++
		switch inst := &w.prog.Inst[at]; inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			w.todo = append(w.todo, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstEmptyWidth, syntax.InstNop:
			w.todo = append(w.todo, inst.Out)
		}
	}
}

// kindsOf returns a character of each kind that a program tells apart.
func kindsOf(p *syntax.Prog) []rune {
	kinds := []rune{0, '\n', '\n' + 1}
	for i := range p.Inst {
		inst := &p.Inst[i]
		if inst.Op != syntax.InstRune && inst.Op != syntax.InstRune1 {
			continue
		}
		if len(inst.Rune) == 1 {
			r := inst.Rune[0]
			kinds = append(kinds, r, r+1)
			for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
				kinds = append(kinds, o, o+1)
			}
			continue
		}
		for j := 0; j+1 < len(inst.Rune); j += 2 {
			kinds = append(kinds, inst.Rune[j], inst.Rune[j+1]+1)
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}
