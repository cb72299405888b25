package match

import (
	"math"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of what is looked for before an expression.
const (
	maxLiteral  = 32   // bytes of one text
	maxLiterals = 1000 // texts of one expression
	maxCross    = 64   // texts that are made by putting alternatives behind each other
	maxClass    = 16   // characters of a class that count as alternatives
)

// A need is what is known of the texts that an expression matches, all folded.
type need struct {
	// exact are the texts that it matches, and no others; nil when there are too many.
	exact []string
	// some are texts of which each match holds one at least; nil when nothing is known.
	some []string
}

// Literals returns folded texts of which one stands in each text that an expression
// matches; nil when there are none to be found. The expression must be simplified.
func literals(re *syntax.Regexp) []string {
	n := needs(re)
	return better(n.some, n.exact)
}

// needs works out the need of an expression from those of its parts.
func needs(re *syntax.Regexp) need {
	switch re.Op {
	case syntax.OpLiteral:
		return literalNeed(re.Rune)
	case syntax.OpCharClass:
		return classNeed(re.Rune)
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return need{exact: []string{""}}
	case syntax.OpCapture:
		return needs(re.Sub[0])
	case syntax.OpQuest:
		n := needs(re.Sub[0])
		return need{exact: union(n.exact, []string{""})}
	case syntax.OpPlus:
		n := needs(re.Sub[0])
		return need{some: better(n.some, n.exact)}
	case syntax.OpConcat:
		return concatNeed(re.Sub)
	case syntax.OpAlternate:
		return alternateNeed(re.Sub)
	}
	return need{} // what may be anything or nothing
}

// literalNeed is the need of a text. U+FFFD stands for bytes that are no UTF-8, too.
func literalNeed(text []rune) need {
	if slices.Contains(text, utf8.RuneError) {
		i := slices.Index(text, utf8.RuneError)
		return concatOf([]need{literalNeed(text[:i]), {}, literalNeed(text[i+1:])})
	}
	var b []byte
	for _, r := range text {
		r = foldRune(r)
		if len(b)+utf8.RuneLen(r) > maxLiteral {
			return need{some: []string{string(b)}}
		}
		b = utf8.AppendRune(b, r)
	}
	return need{exact: []string{string(b)}}
}

// classNeed is the need of a class of characters, given as pairs of first and last.
func classNeed(pairs []rune) need {
	var exact []string
	n := 0
	for i := 0; i+1 < len(pairs); i += 2 {
		if n += int(pairs[i+1]-pairs[i]) + 1; n > maxClass {
			return need{}
		}
		for r := pairs[i]; r <= pairs[i+1]; r++ {
			if r == utf8.RuneError {
				return need{}
			}
			exact = append(exact, string(foldRune(r)))
		}
	}
	return need{exact: compact(exact)}
}

func concatNeed(subs []*syntax.Regexp) need {
	all := make([]need, len(subs))
	for i, sub := range subs {
		all[i] = needs(sub)
	}
	return concatOf(all)
}

// concatOf is the need of parts behind each other: the best of what each run of exact
// ones gives, and of what the others know.
func concatOf(parts []need) need {
	var some []string
	run, whole := []string{""}, true
	for _, p := range parts {
		some = better(some, p.some)
		joined := cross(run, p.exact)
		if joined == nil {
			some = better(some, run)
			whole = false
			if joined = p.exact; joined == nil {
				joined = []string{""}
			}
		}
		run = joined
	}
	n := need{some: better(some, run)}
	if whole {
		n.exact = run
	}
	return n
}

// alternateNeed is the need of alternatives: something of each.
func alternateNeed(subs []*syntax.Regexp) need {
	n := needs(subs[0])
	n.some = better(n.some, n.exact)
	for _, sub := range subs[1:] {
		next := needs(sub)
		n.exact = union(n.exact, next.exact)
		n.some = union(n.some, better(next.some, next.exact))
	}
	return n
}

// cross returns each of a followed by each of b; nil when that is too much.
func cross(a, b []string) []string {
	n := len(a) * len(b)
	if n == 0 || n > maxLiterals || n > maxCross && len(a) > 1 && len(b) > 1 {
		return nil
	}
	all := make([]string, 0, n)
	for _, x := range a {
		for _, y := range b {
			if len(x)+len(y) > maxLiteral {
				return nil
			}
			all = append(all, x+y)
		}
	}
	return compact(all)
}

// union returns the texts of both; nil when one is nil or they are too many.
func union(a, b []string) []string {
	if a == nil || b == nil || len(a)+len(b) > maxLiterals {
		return nil
	}
	return compact(slices.Concat(a, b))
}

// compact sorts a list and drops what is doubled.
func compact(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// better returns the list of which a text of people holds something less often.
func better(a, b []string) []string {
	if chance(b) < chance(a) {
		return b
	}
	return a
}

// chance guesses how often a text stands at a place; 1 is always.
func chance(list []string) float64 {
	if len(list) == 0 {
		return 1
	}
	sum := 0.0
	for _, s := range list {
		n := len(s)
		for _, c := range common {
			n -= strings.Count(s, c) * (len(c) - 1)
		}
		sum += math.Pow(1.0/8, float64(n))
	}
	return sum
}

// common are folded texts that tell no more than one character does: most mail has
// them. None is part of another.
var common = []string{"HTTP", "://", "WWW.", ".COM", ".HTM", "HREF=", "MAIL", "CONTENT-", "TEXT/", "STYLE", "CLASS=", "THE ", "AND "}
