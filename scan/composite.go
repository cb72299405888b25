package scan

import (
	"fmt"
	"strconv"
	"strings"
)

// A Composite declares a symbol that stands for an expression over other symbols.
type Composite struct {
	Symbol     *Symbol
	Expression string // as in a configuration
	// Policy says what happens to the symbols that make it hold: "remove_all",
	// "remove_weight", "remove_symbol" or "leave".
	Policy string
}

// A composite is a Composite in force.
type composite struct {
	symbol *Symbol
	expr   expr
	policy removal
}

// A removal says what a composite that holds takes away from its parts.
type removal string

// The values of removal, rspamd's words.
const (
	removeAll    removal = "remove_all"    // their weight, and their place among the symbols that are shown
	removeWeight removal = "remove_weight" // their weight
	removeSymbol removal = "remove_symbol" // their place only
	leave        removal = "leave"         // nothing
)

// valid tells what is wrong with a declaration.
func (c *Composite) valid() error {
	if err := c.Symbol.valid(); err != nil {
		return err
	}
	if _, err := parseExpr(c.Expression); err != nil {
		return fmt.Errorf("composite %s: %w", c.Symbol.Name, err)
	}
	switch removal(c.Policy) {
	case removeAll, removeWeight, removeSymbol, leave:
		return nil
	}
	return fmt.Errorf("composite %s: unknown policy %q", c.Symbol.Name, c.Policy)
}

// takes tells what is taken from a part. A prefix in the expression comes before the
// policy.
func (r removal) takes(prefix byte) (weight, symbol bool) {
	switch prefix {
	case '-':
		return false, false
	case '~':
		return false, true
	case '^':
		return true, true
	}
	return r == removeAll || r == removeWeight, r == removeAll || r == removeSymbol
}

// A part is a row that makes an expression hold.
type part struct {
	row    int
	prefix byte // 0 for none
}

// An expr is an expression over symbols. holds appends the rows that it found, but
// for those behind a negation.
type expr interface {
	holds(t *tally, parts *[]part) bool
	// names calls fn with every symbol and every group ("g:NAME").
	names(fn func(string))
}

// An atom is a symbol.
type atom struct {
	name   string
	prefix byte
}

func (a atom) holds(t *tally, parts *[]part) bool {
	i, ok := t.at[a.name]
	if ok {
		*parts = append(*parts, part{i, a.prefix})
	}
	return ok
}

func (a atom) names(fn func(string)) { fn(a.name) }

// A groupAtom is any symbol of a group, with the sign given only those whose weight
// has it.
type groupAtom struct {
	group  string
	sign   byte // '+', '-' or 0
	prefix byte
}

func (g groupAtom) holds(t *tally, parts *[]part) bool {
	found := false
	for i, r := range t.rows {
		if r.Symbol.Group != g.group || g.sign == '+' && r.Full <= 0 || g.sign == '-' && r.Full >= 0 {
			continue
		}
		found = true
		*parts = append(*parts, part{i, g.prefix})
	}
	return found
}

func (g groupAtom) names(fn func(string)) { fn("g:" + g.group) }

// A negation holds when its expression doesn't.
type negation struct{ of expr }

func (n negation) holds(t *tally, _ *[]part) bool {
	var ignored []part
	return !n.of.holds(t, &ignored)
}

func (n negation) names(fn func(string)) { n.of.names(fn) }

// An atLeast holds when as many of its expressions hold: all of them for "and", one
// for "or", n for "a + b + c >= n".
type atLeast struct {
	n  int
	of []expr
}

func (a atLeast) holds(t *tally, parts *[]part) bool {
	count, before := 0, len(*parts)
	for _, e := range a.of {
		if e.holds(t, parts) {
			count++
		} else if a.n == len(a.of) {
			break
		}
	}
	if count < a.n {
		*parts = (*parts)[:before]
		return false
	}
	return true
}

func (a atLeast) names(fn func(string)) {
	for _, e := range a.of {
		e.names(fn)
	}
}

// Bounds of an expression.
const (
	maxExpr      = 10_000 // bytes
	maxExprDepth = 50     // levels of brackets and negations
)

// parseExpr reads an expression: symbols, g:GROUP, g+:GROUP and g-:GROUP, joined by
// &, |, !, "and", "or", "not" and brackets, or counted as in A + B + C >= 2.
func parseExpr(text string) (expr, error) {
	if len(text) > maxExpr {
		return nil, fmt.Errorf("the expression is longer than %d bytes", maxExpr)
	}
	p := exprParser{text: text}
	p.advance()
	e, err := p.or()
	if err == nil && p.tok != "" {
		err = p.unexpected("& or | or the end")
	}
	return e, err
}

type exprParser struct {
	text  string
	off   int
	tok   string // the present token; "" at the end
	depth int
}

// advance goes to the next token.
func (p *exprParser) advance() {
	for p.off < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.off]) >= 0 {
		p.off++
	}
	rest := p.text[p.off:]
	n := 0
	switch {
	case rest == "":
	case strings.HasPrefix(rest, "&&"), strings.HasPrefix(rest, "||"), strings.HasPrefix(rest, ">="):
		n = 2
	case strings.IndexByte("&|!()", rest[0]) >= 0:
		n = 1
	case rest[0] == '+' || rest[0] == '>':
		n = 1
	default:
		for n < len(rest) && (isWordByte(rest[n]) || n == 0 || rest[n] == ':' || (rest[n] == '+' || rest[n] == '-') && n+1 < len(rest) && rest[n+1] == ':') {
			n++
		}
	}
	p.tok = rest[:n]
	p.off += n
	switch strings.ToLower(p.tok) {
	case "and", "&&":
		p.tok = "&"
	case "or", "||":
		p.tok = "|"
	case "not":
		p.tok = "!"
	}
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func (p *exprParser) unexpected(want string) error {
	what := strconv.Quote(p.tok)
	if p.tok == "" {
		what = "the end"
	}
	return fmt.Errorf("%s in character %d of the expression; expected %s", what, p.off-len(p.tok)+1, want)
}

func (p *exprParser) or() (expr, error) {
	return p.list("|", p.and, func(n int) int { return 1 })
}

func (p *exprParser) and() (expr, error) {
	return p.list("&", p.count, func(n int) int { return n })
}

// list reads one or several operands with a sign between them.
func (p *exprParser) list(sign string, operand func() (expr, error), need func(int) int) (expr, error) {
	first, err := operand()
	if err != nil || p.tok != sign {
		return first, err
	}
	all := []expr{first}
	for p.tok == sign {
		p.advance()
		e, err := operand()
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return atLeast{need(len(all)), all}, nil
}

// count reads an operand, or several with + between them and a number to reach.
func (p *exprParser) count() (expr, error) {
	e, err := p.list("+", p.operand, func(int) int { return 0 })
	sum, ok := e.(atLeast)
	if err != nil || !ok || sum.n != 0 {
		return e, err
	}
	more := p.tok == ">"
	if p.tok != ">=" && !more {
		return nil, p.unexpected(">= and a number after a sum")
	}
	p.advance()
	n, err := strconv.Atoi(p.tok)
	if err != nil || n < 0 {
		return nil, p.unexpected("a whole number")
	}
	p.advance()
	if more {
		n++
	}
	if n < 1 || n > len(sum.of) {
		return nil, fmt.Errorf("a sum of %d symbols is compared with %d; expected 1 to %d", len(sum.of), n, len(sum.of))
	}
	sum.n = n
	return sum, nil
}

// operand reads a symbol, a negation or an expression in brackets.
func (p *exprParser) operand() (expr, error) {
	if p.depth++; p.depth > maxExprDepth {
		return nil, fmt.Errorf("the expression is nested deeper than %d levels", maxExprDepth)
	}
	defer func() { p.depth-- }()
	switch {
	case p.tok == "!":
		p.advance()
		e, err := p.operand()
		return negation{e}, err
	case p.tok == "(":
		p.advance()
		e, err := p.or()
		if err == nil && p.tok != ")" {
			err = p.unexpected(")")
		}
		p.advance()
		return e, err
	}
	return p.atom()
}

// atom reads a symbol or a group.
func (p *exprParser) atom() (expr, error) {
	word, prefix := p.tok, byte(0)
	if word != "" && strings.IndexByte("-~^", word[0]) >= 0 {
		word, prefix = word[1:], word[0]
	}
	kind, name, grouped := strings.Cut(word, ":")
	if !grouped {
		name = word
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r > 0x7f || !isWordByte(byte(r)) }) {
		return nil, p.unexpected("a symbol")
	}
	if !grouped {
		p.advance()
		return atom{name, prefix}, nil
	}
	switch kind {
	case "g":
		p.advance()
		return groupAtom{name, 0, prefix}, nil
	case "g+", "g-":
		p.advance()
		return groupAtom{name, kind[1], prefix}, nil
	}
	return nil, p.unexpected("a symbol, or g: and a group")
}
