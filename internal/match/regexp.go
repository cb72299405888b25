package match

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"time"
	"unicode/utf8"
)

// A Regexp is a regular expression of package regexp with what is known of it before
// it runs. It never changes and is safe for concurrent use.
type Regexp struct {
	re    *regexp.Regexp
	needs []string      // folded texts of which one stands in each match; nil when unknown
	reach int           // longest match in bytes, when it may run on the surroundings of its needs; 0 otherwise
	cost  time.Duration // for one byte at worst
}

// What an expression may cost. A step is one instruction of it at work on one byte,
// which takes some ten nanoseconds on a machine of 2024.
const (
	stepCost   = 15 * time.Nanosecond
	MaxTime    = 100 * time.Millisecond // for all texts of one kind; what is left of them isn't looked at
	leastWhole = 16 << 10               // bytes that an expression must get through in MaxTime
	leastReach = 4 << 10                // the same for one that runs on the surroundings of its needs
)

// A CostError is returned for an expression that takes too long on each byte.
type CostError struct {
	Steps int // instructions that may be at work on one byte
	Most  int // how many are allowed
}

// Error says what to do.
func (e *CostError) Error() string {
	return fmt.Sprintf("the regular expression may take %d steps for each character; expected at most %d: shorten it, or make several of it", e.Steps, e.Most)
}

// Compile reads an expression in the syntax of package regexp. An error is a
// *syntax.Error or a *CostError.
func Compile(expr string) (*Regexp, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	tree = tree.Simplify()
	prog, err := syntax.Compile(tree)
	if err != nil {
		return nil, err
	}
	r := &Regexp{re: re, needs: literals(tree)}
	least := leastWhole
	if w := width(tree); w > 0 && r.needs != nil && !anchored(tree) {
		r.reach, least = w, leastReach
	}
	n := steps(prog)
	r.cost = time.Duration(n) * stepCost
	if r.most(MaxTime) < least {
		return nil, &CostError{Steps: n, Most: int(MaxTime / stepCost / time.Duration(least))}
	}
	return r, nil
}

// String returns the expression.
func (r *Regexp) String() string { return r.re.String() }

// most returns on how many bytes the expression can run in some time.
func (r *Regexp) most(d time.Duration) int { return int(d / r.cost) }

// A span is a piece of a text.
type span struct{ begin, end int }

// find returns the first match in text, or in the pieces given; nil when there is none.
// It takes what it may cost from left and runs no further than that allows.
func (r *Regexp) find(text string, pieces []span, left *time.Duration) []int {
	if pieces == nil {
		return r.findWhole(text, left)
	}
	for _, p := range pieces {
		if r.most(*left) < p.end-p.begin {
			*left = 0
			return nil
		}
		*left -= time.Duration(p.end-p.begin) * r.cost
		loc := r.re.FindStringIndex(text[p.begin:p.end])
		if loc == nil {
			continue
		}
		loc[0], loc[1] = loc[0]+p.begin, loc[1]+p.begin
		if loc[0] == p.begin && p.begin > 0 || loc[1] == p.end && p.end < len(text) {
			// What stands beside the piece may say otherwise, as for \b.
			return r.findWhole(text, left)
		}
		return loc
	}
	return nil
}

// callCost is what a run costs beside the bytes.
const callCost = 300 * time.Nanosecond

func (r *Regexp) findWhole(text string, left *time.Duration) []int {
	if most := r.most(*left); most < len(text) {
		text = text[:boundary(text, most)]
	}
	if *left -= time.Duration(len(text))*r.cost + callCost; *left < 0 {
		*left = 0
	}
	return r.re.FindStringIndex(text)
}

// boundary returns the offset of the character that the byte at an offset belongs to.
func boundary(text string, at int) int {
	for back := at; back > 0 && back > at-utf8.UTFMax && at < len(text); back-- {
		if utf8.RuneStart(text[back]) {
			if _, n := utf8.DecodeRuneInString(text[back:]); back+n > at {
				return back
			}
			break
		}
	}
	return at
}
