package ucl

import (
	"slices"
	"strings"
)

// maxDepth is how deep blocks and lists may be nested.
const maxDepth = 32

const noValue = "%s has no value; expected one after it"

// A parser builds the tree of one source.
type parser struct {
	*scanner
	stack    []file // the files that are being read, the innermost last
	priority int
	depth    int
	merging  bool     // between the marks of a merge conflict
	encoded  bool     // a text in another encoding was told
	unended  bool     // no merge conflict ends in what is left of the text
	cut      bool     // the file ended within what was skipped as too deep
	extra    int      // opening braces that were told and left out
	splitAt  int      // where a password without quotes would go on, if it has a ";"
	split    string   // its directive
	glued    string   // the directive that ended on this line without ";"
	ahead    []wordAt // what words found last, whose memory it uses again
}

// body reads directives into b up to the closing brace, or up to the end of the
// text when open is negative. It is false when a closing brace is missing.
func (p *parser) body(b *Block, open int) bool {
	for {
		if p.blanks() {
			p.glued = ""
		}
		if p.eof() {
			return open < 0 || p.l.stopped || p.cut
		}
		if p.foreign() {
			continue
		}
		switch c := p.peek(); {
		case c == ';' || c == ',':
			p.glued = ""
			p.off++
		case c == '}' && open >= 0:
			p.off++
			return true
		case c == '}':
			p.unpaired()
		case c == '{' && open < 0 && len(b.Directives) == 0 && p.depth == 0:
			p.whole(b)
		case c == '{':
			p.fault(p.off, `unexpected "{"; expected the name of a directive`)
			p.off++
			p.extra++
		case c == '[' && open < 0 && len(b.Directives) == 0 && !p.bracketedAddress(p.off):
			p.fault(p.off, `unexpected "["; expected the name of a directive`)
			p.skipBalanced()
		case c == '.' && isLetter(p.at(p.off+1)):
			p.macro(b)
		case (c == '/' || c == '-') && p.at(p.off+1) == c:
			p.fault(p.off, "a comment of another language; expected # in place of %c%c", c, c)
			p.off = p.lineEnd(p.off)
		default:
			p.directive(b)
		}
	}
}

// whole reads a file that stands in braces as a whole, as JSON does.
func (p *parser) whole(b *Block) {
	open := p.off
	p.off++
	p.depth++
	if !p.body(b, open) {
		p.fault(open, "a block that is not closed; expected }")
		b.Directives = nil
	}
	p.depth--
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// directive reads one directive or section.
func (p *parser) directive(b *Block) {
	start := p.off
	d := &Directive{Pos: p.pos(start), Priority: p.priority, glued: p.glued}
	if p.glued = ""; start == p.splitAt {
		d.glued = p.split
	}
	if !p.directiveName(d) {
		return
	}
	if !p.l.count(p.scanner) {
		return
	}
	end, hidden := p.off, p.hidden
	newline := p.blanks()
	if hidden != p.hidden {
		p.skipStatement() // it was told
		return
	}
	if p.sign(p.off, nil) || p.unopened(d, start) {
		return
	}
	colon := false
	switch c := p.peek(); {
	case c == '=':
		p.off++
	case c == '+' && p.at(p.off+1) == '=':
		p.off += 2
		d.Add = true
	case c == ':':
		p.off++
		if colon = true; p.yaml(d, start) {
			return
		}
	case c == '{':
		if !p.values(d) {
			d.Value = p.guarded(d, func() *Node { return p.block(d) })
		}
		p.add(b, d)
		return
	case newline || p.eof() || c == ';' || c == '}' || c == ',' || c == ']':
		if p.unsaid(d, start, end, newline); c == ']' {
			p.off++
		}
		return
	}
	d.Value = p.guarded(d, func() *Node { return p.value(d, colon) })
	p.add(b, d)
}

// add appends a directive to its block, unless its value was at fault.
func (p *parser) add(b *Block, d *Directive) {
	if d.Value != nil {
		b.Directives = append(b.Directives, d)
	}
}

// directiveName reads the name and, before a block, the keys.
func (p *parser) directiveName(d *Directive) bool {
	words, after := p.words()
	if len(words) == 0 && p.bracketedAddress(p.off) {
		p.fault(p.off, strayItem, p.token())
		p.skipStatement()
		return false
	}
	if len(words) == 0 {
		p.fault(p.off, "unexpected %s; expected the name of a directive", p.token())
		p.skipStatement()
		return false
	}
	if words[0].bad {
		p.fault(words[0].start, "a text that is not closed; expected %c at its end", p.at(words[0].start))
		p.off = p.lineEnd(p.off)
		return false
	}
	if w := words[0]; p.at(w.start) == '"' && strings.HasSuffix(strings.TrimRight(w.text, " "), ":") && strings.IndexByte("=:{+", p.at(p.spaces(w.end))) < 0 {
		p.fault(w.start, `a text that is not closed; expected " before the colon`)
		p.skipStatement()
		return false
	}
	d.Name = words[0].text
	p.off = words[0].end
	switch {
	case after == '{':
		for _, w := range words[1:] {
			p.off = w.start
			if quoteMark(p.text[w.start:]) != "" {
				p.fault(w.start, typographic)
				p.skipStatement()
				return false
			}
			d.Keys = append(d.Keys, w.text)
			p.off = w.end
		}
	case after == '=':
		if p.sign(words[len(words)-1].end, words) {
			return false
		}
		// Several bare words before the sign: a name with blanks, "add header = 6".
		for _, w := range words[1:] {
			d.Name += " " + w.text
			p.off = w.end
		}
	}
	return true
}

// A wordAt is a word at the beginning of a directive.
type wordAt struct {
	text       string
	start, end int
	bad        bool // a quoted text that is not closed on its line
}

// words looks at the words at the beginning of a directive, without moving: its
// name and what follows on the line, up to a brace ('{'), a sign ('=', for +=, too)
// or anything else (0).
func (p *parser) words() (words []wordAt, after byte) {
	const most = 16
	i := p.off
	words = p.ahead[:0]
	defer func() { p.ahead = words }()
	for len(words) < most {
		w := wordAt{start: i}
		switch c := p.at(i); {
		case c == '"' || c == '\'':
			w.end, w.text, w.bad = p.shortQuoted(i)
		default:
			w.end = p.name(i)
			w.text = p.text[i:w.end]
		}
		if w.end == i {
			break
		}
		words = append(words, w)
		i = p.spaces(w.end)
		switch c := p.at(i); {
		case w.bad || c == ':' && len(words) == 1 || c == '{' && strings.HasSuffix(w.text, "$"):
			return words, 0
		case c == '{':
			return words, '{'
		case c == '=' || c == '+' && p.at(i+1) == '=':
			return words, '='
		}
	}
	if len(words) > 0 && p.at(p.white(i)) == '{' { // the brace on a line of its own
		return words, '{'
	}
	return words, 0
}

// block reads the block at the present offset.
func (p *parser) block(d *Directive) *Node {
	open := p.off
	n := &Node{Kind: BlockKind, Pos: p.pos(open), Block: &Block{}}
	if !p.enter(open) {
		return n // the fault is told; go on behind it
	}
	var closed bool
	if p.depth == 1 && slices.Contains(p.l.Raw, d.Name) {
		p.skipBalanced()
		closed = p.text[p.off-1] == '}'
	} else {
		p.off++
		closed = p.body(n.Block, open)
	}
	p.depth--
	p.glued = ""
	if !closed {
		p.fault(open, "the section %s is not closed; expected } at its end", p.quote(open, d.Name))
		return nil // its content may belong elsewhere: remarks about it would only mislead
	}
	return n
}

// enter counts a level of nesting. When there are too many it skips the block or
// list at off and is false.
func (p *parser) enter(open int) bool {
	if p.depth >= maxDepth {
		p.fault(open, "nested too deep; expected at most %d levels", maxDepth)
		p.skipBalanced()
		p.cut = p.cut || p.eof()
		return false
	}
	p.depth++
	return true
}

// value reads the value of a directive with its end. It is nil after a fault.
func (p *parser) value(d *Directive, colon bool) *Node {
	newline := p.blanks()
	for p.peek() == ',' { // a list may begin with an empty item
		p.off++
		newline = p.blanks() || newline
	}
	if p.peek() == ';' {
		return &Node{Kind: ListKind, Pos: p.pos(p.off), nothing: true}
	}
	if p.eof() || p.peek() == '}' || newline && p.startsDirective(false, colon) {
		p.l.Diagnostics.Add(Fault, d.Pos, noValue, quoteFor(d.Name))
		return nil
	}
	first := p.item(d, false, colon)
	if first == nil {
		return nil
	}
	items := []*Node{first}
	for {
		newline := p.blanks()
		c := p.peek()
		if c == ',' {
			for c == ',' {
				p.off++
				p.blanks()
				c = p.peek()
			}
			if p.eof() || c == ';' || c == '}' || p.startsDirective(true, colon) {
				break
			}
			item := p.item(d, false, colon)
			if item == nil {
				return nil
			}
			items = append(items, item)
			continue
		}
		p.end(d, newline, items[len(items)-1])
		break
	}
	if len(items) == 1 {
		return first
	}
	return &Node{Kind: ListKind, Pos: first.Pos, Items: items}
}

// end checks what follows a value.
func (p *parser) end(d *Directive, newline bool, last *Node) {
	switch c := p.peek(); {
	case p.eof() || newline || c == ';' || c == '}' || last.Kind == BlockKind:
	case p.startsDirective(false, false):
		p.glued = d.Name
	default:
		p.fault(p.off, `unexpected %s after the value of %s; expected ";" or a new line, or quotes around the whole value`, p.token(), quoteFor(d.Name))
		p.skipStatement()
	}
}

// item reads one item of a value. It is nil after a fault, of which the rest of
// the statement is then skipped.
func (p *parser) item(d *Directive, array, colon bool) *Node {
	if !p.l.count(p.scanner) {
		return nil
	}
	n := &Node{Pos: p.pos(p.off)}
	if p.conflictWithin() {
		return nil
	}
	ok := true
	switch c := p.peek(); {
	case c == '{' && p.template(p.off):
		p.skipBalanced()
		return nil
	case c == '{' && p.mirrored(colon):
		return p.list(n, d, '}')
	case c == '{':
		if p.values(d) {
			return nil
		}
		return p.block(d)
	case c == '[' && !p.bracketedAddress(p.off):
		return p.list(n, d, ']')
	case c == '"' || c == '\'':
		if n.Text, ok = p.quoted(); !ok {
			p.closers()
			return nil
		}
		p.encoding(n)
		return n
	}
	if is, text, ok := p.heredoc(); is {
		if !ok {
			return nil
		}
		n.Text = text
		return n
	}
	if n.Text, ok = p.bare(array); !ok {
		p.skipStatement()
		return nil
	}
	p.encoding(n)
	if p.peek() == '#' && p.off > int(n.Pos.off) {
		p.l.Diagnostics.Add(Warning, p.pos(p.off), "a comment without a blank before it; expected quotes around a value with #")
	}
	return n
}

// mirrored tells whether the brace here begins a pair of mirrored servers, {a, b} or
// {a:1, b:2}, of old files. After a colon and in an array the latter is a block.
func (p *parser) mirrored(colon bool) bool {
	i := p.white(p.off + 1)
	if p.at(i) == '"' || p.at(i) == '\'' {
		end, _, bad := p.shortQuoted(i)
		if bad {
			return false
		}
		i = p.white(end)
	} else {
		end := p.word(i)
		ported := strings.IndexByte(p.text[i:end], ':') >= 0
		if end == i || ported && colon || strings.ContainsAny(p.text[i:end], `="'`) {
			return false
		}
		if i = p.white(end); ported {
			return p.at(i) == ','
		}
	}
	return p.at(i) == ',' || p.at(i) == '}'
}

// bare reads a text without quotes: words up to the end of the line, a delimiter,
// a comment or a new directive.
func (p *parser) bare(array bool) (string, bool) {
	start, end := p.off, p.off
	for {
		next := p.word(p.off)
		word := p.text[p.off:next]
		switch {
		case word == "":
		case word[0] == '=', strings.HasPrefix(word, "+="):
			p.fault(p.off, `unexpected "="; expected ";" before the directive, or quotes around the value`)
			return "", false
		case strings.IndexByte(word, '"') >= 0:
			if p.off > start && word[0] == '"' {
				break // after the value, which end complains about
			}
			p.fault(p.off+strings.IndexByte(word, '"'), "a quotation mark within a word; expected quotes around the whole value")
			return "", false
		case quoteMark(word) != "":
			p.fault(p.off, typographic)
			return "", false
		default:
			p.off, end = next, next
		}
		if p.off != next || word == "" {
			break
		}
		i := p.spaces(p.off)
		if i == p.off || p.at(i) == '/' && p.at(i+1) == '*' {
			break
		}
		p.off = i
		if !array && p.startsDirective(false, false) {
			break
		}
	}
	p.off = end
	if end == start {
		p.fault(p.off, "unexpected %s; expected a value", p.token())
		return "", false
	}
	return p.l.expand(p.text[start:end], false), true
}

// list reads an array or a mirrored pair up to the closing bracket.
func (p *parser) list(n *Node, d *Directive, closing byte) *Node {
	open := p.off
	n.Kind, n.Mirrored = ListKind, closing == '}'
	if !p.enter(open) {
		return n
	}
	defer func() { p.depth-- }()
	p.off++
	for {
		newline := p.blanks()
		switch c := p.peek(); {
		case c == closing && !p.eof():
			p.off++
			return n
		case c == ',':
			p.off++
		case p.eof() || c == ';' || c == '}' || c == ']' || newline && p.startsDirective(false, false):
			if !p.cut {
				p.fault(open, "a list that is not closed; expected %c at its end", closing)
			}
			return nil
		default:
			item := p.item(d, true, true)
			if item == nil {
				return nil
			}
			n.Items = append(n.Items, item)
		}
	}
}
