package dnslist

import (
	"errors"
	"strconv"
	"strings"

	"rmilter/internal/ucl"
)

// A codesValue is what answers mean: a list of SYMBOL:ANSWER, or rspamd's block. It changes
// the codes of its own kind in the block, those with bits or those without.
type codesValue struct {
	b    *Block
	bits bool
}

// IsList returns true: += adds to the list.
func (v *codesValue) IsList() bool { return true }

// IsBlock returns true: rspamd has a block.
func (v *codesValue) IsBlock() bool { return true }

// String returns the list as the file has it.
func (v *codesValue) String() string {
	var list ucl.Strings
	for _, c := range v.b.codes {
		switch {
		case v.bits && c.Answer.Bits != 0:
			list = append(list, c.Symbol+":"+strconv.FormatUint(uint64(c.Answer.Bits), 10))
		case !v.bits && c.Answer.Bits == 0:
			list = append(list, c.Symbol+":"+c.Answer.String())
		}
	}
	return list.String()
}

// maxCodes is how many answers one list can document.
const maxCodes = 1000

// Set implements ucl.Value.
func (v *codesValue) Set(n *ucl.Node, add bool) error {
	var codes []Code
	for _, c := range v.b.codes {
		if add || (c.Answer.Bits != 0) != v.bits {
			codes = append(codes, c)
		}
	}
	var errs []error
	take := func(symbol string, n *ucl.Node) {
		texts, err := n.Texts()
		if err != nil {
			errs = append(errs, err)
		}
		for _, t := range texts {
			p, err := v.pattern(t.Text)
			if err == nil && !isSymbol(symbol) {
				err = errors.New("a symbol has letters, digits and underscores")
			}
			if err != nil {
				errs = append(errs, t.Errorf("%s", err))
			}
			codes = append(codes, Code{Answer: p, Symbol: symbol})
		}
	}
	if n.Kind == ucl.BlockKind {
		for _, d := range n.Block.Directives {
			take(d.Name, d.Value)
		}
	} else if texts, err := n.Texts(); err != nil {
		return err
	} else {
		for _, t := range texts {
			symbol, answer, _ := strings.Cut(t.Text, ":")
			take(strings.TrimSpace(symbol), &ucl.Node{Pos: t.Pos, Text: strings.TrimSpace(answer)})
		}
	}
	if len(codes) > maxCodes {
		errs = append(errs, n.Errorf("%d answers; expected at most %d", len(codes), maxCodes))
	}
	if errs == nil {
		v.b.codes = codes
	}
	return errors.Join(errs...)
}

// pattern reads an answer, or the number of bits.
func (v *codesValue) pattern(text string) (Pattern, error) {
	if v.bits {
		return ParsePattern("127.*.*.*&" + text)
	}
	return ParsePattern(text)
}

// isSymbol tells whether a text can be the name of a symbol.
func isSymbol(text string) bool {
	if text == "" || len(text) > 100 {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_':
		default:
			return false
		}
	}
	return true
}
