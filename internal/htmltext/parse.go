package htmltext

import (
	"strings"
	"unicode/utf8"
)

// Bounds of the parser.
const (
	maxDepth  = 256 // elements that are followed into each other
	maxLookUp = 64  // elements that an end tag is looked for in
)

// Parse reads HTML in UTF-8.
func Parse(source string, lim Limits) *Doc {
	if lim.Bytes <= 0 {
		lim.Bytes = DefaultLimits.Bytes
	}
	if lim.Links <= 0 {
		lim.Links = DefaultLimits.Links
	}
	if lim.Hidden <= 0 {
		lim.Hidden = DefaultLimits.Hidden
	}
	cut := len(source) > lim.Bytes
	if cut {
		n := lim.Bytes
		for n > 0 && n > lim.Bytes-utf8.UTFMax && !utf8.RuneStart(source[n]) {
			n--
		}
		source = source[:n]
	}
	p := parse(source, lim, sheet{}, true)
	if p.late && !p.sheet.empty() {
		// A style sheet came behind text that it may hide.
		p = parse(source, lim, p.sheet, false)
	}
	p.doc.Cut = cut
	return p.finish()
}

func parse(source string, lim Limits, css sheet, reading bool) *parser {
	p := &parser{lim: lim, doc: &Doc{}, sheet: css, reading: reading, link: -1, form: -1}
	p.out = make([]byte, 0, len(source)/4+64)
	p.stack = append(make([]frame, 0, 32), frame{font: 16, back: white, link: -1})
	p.run(&scanner{s: source, faults: &p.doc.Faults})
	p.endCell(true)
	p.endLink()
	return p
}

// A frame is an open element and what it hands down to its content.
type frame struct {
	elem  element
	hash  uint32 // of the name, where elem stands for several
	block bool
	pre   bool
	// What hides the content whatever it declares, and what it could undo.
	reason    Reason
	invisible bool
	font      float32
	fore      colour
	back      colour
	backImage bool // the colour behind the text isn't known
	hides     Reason
	link      int // index of the link that the element is, -1 if none
}

// see works out what hides the content of the element.
func (f *frame) see() {
	switch {
	case f.reason != Shown:
		f.hides = f.reason
	case f.invisible:
		f.hides = NotVisible
	case f.font <= 2:
		f.hides = TinyFont
	case f.fore.clear || !f.backImage && f.fore.near(f.back):
		f.hides = SameColour
	default:
		f.hides = Shown
	}
}

// A gap is what stands between two pieces of text.
type gap byte

const (
	noGap gap = iota
	spaceGap
	lineGap
)

// A parser makes a Doc of tokens.
type parser struct {
	lim      Limits
	doc      *Doc
	sheet    sheet
	reading  bool // style elements are read into sheet
	late     bool // one came behind text
	stack    []frame
	floor    int // elements up to this index on the stack stay open
	deep     int // open elements that aren't on the stack
	out      []byte
	gap      gap // before the next text
	hidden   []byte
	runs     Reason // of the hidden text that came last, Shown if visible text came since
	hidGap   bool
	link     int // the open anchor, -1 if none
	form     int // the open form, -1 if none
	titled   bool
	cell     int             // where the text of this cell begins in out
	inCell   bool            // a cell is open
	single   int             // where a cell of one letter before this one ends, 0 if it isn't one
	broken   bool            // a comment or the like came since the last text
	nested   bool            // inside a conditional comment
	inner    *scanner        // of conditional comments
	ignored  [FaultKinds]int // faults in them
	entities entityTable
	scratch  [160]byte
	lastOpen bool // the last token was a start tag
}

func (p *parser) top() *frame { return &p.stack[len(p.stack)-1] }

// run reads all tokens of a scanner.
func (p *parser) run(z *scanner) {
	for {
		switch t := z.next(); t {
		case endOfSource:
			return
		case textToken:
			p.text(z.text, true)
			p.lastOpen = false
		case rawToken:
			p.rawText(z)
		case startTag:
			p.doc.Tags++
			p.broken = p.broken || z.strange()
			p.start(z)
			p.lastOpen = true
		case endTag:
			p.broken = p.broken || p.lastOpen || z.strange()
			p.end(z)
			p.lastOpen = false
		case comment:
			p.comment(z)
		}
	}
}

// comment passes over a comment, unless it is one that Outlook shows.
func (p *parser) comment(z *scanner) {
	s := z.text
	if strings.HasPrefix(s, "[if") && !p.nested {
		if i := strings.Index(s, "]>"); i >= 0 && s[i+2:] != "<!" && s[i+2:] != "" {
			p.doc.ConditionalBytes += len(s)
			depth, link, gap := len(p.stack), p.link, p.gap
			f := *p.top()
			f.reason, f.hides, f.link = ForOutlook, ForOutlook, -1
			if depth < maxDepth {
				p.stack = append(p.stack, f)
				p.nested, p.floor = true, depth
				if p.inner == nil {
					p.inner = &scanner{}
				}
				*p.inner = scanner{s: strings.TrimSuffix(s[i+2:], "<![endif]"), faults: &p.ignored, used: p.inner.used[:0]}
				p.run(p.inner)
				p.nested, p.floor = false, 0
			}
			p.stack, p.link, p.gap = p.stack[:depth], link, gap
			return
		}
	}
	p.doc.CommentBytes += len(s)
	if !strings.HasPrefix(s, "[") && !strings.HasPrefix(s, "<!") {
		p.broken = true
	}
}

// rawText takes the content of an element without tags.
func (p *parser) rawText(z *scanner) {
	switch z.elem {
	case elStyle:
		p.doc.StyleBytes += len(z.text)
		if p.reading && !p.nested {
			p.sheet.read(z.text)
			p.late = p.late || len(p.out)+len(p.hidden) > 0
		}
		p.styleLinks(z.text)
	case elScript:
		p.doc.ScriptBytes += len(z.text)
	case elTitle:
		if !p.titled {
			p.doc.Title = collapse(p.entities.unescape(z.text, false))
			p.titled = true
		}
	case elTextarea:
		p.text(z.text, true)
	case elXmp, elPlaintext:
		p.text(z.text, false)
	}
}

// start takes a start tag.
func (p *parser) start(z *scanner) {
	e := z.elem
	if n := p.doc.elements[e]; n < 1<<30 {
		p.doc.elements[e] = n + 1
	}
	p.implied(e)
	f := *p.top()
	f.elem, f.link, f.hash = e, -1, z.hash
	f.block = e.block()
	p.dress(&f, z)
	if f.block {
		p.line()
	}
	switch e {
	case elBr:
		p.line()
	case elTd, elTh:
		p.endCell(false)
		p.space()
		p.inCell, p.cell = true, -1
	case elTr, elTable:
		p.endCell(true)
	case elPre, elTextarea, elXmp, elPlaintext:
		f.pre = true
	}
	p.resources(&f, z)
	if e.void() || z.closed && e == unknown {
		return
	}
	if len(p.stack) == maxDepth {
		p.deep++
		p.doc.Faults[DeepNesting]++
		return
	}
	p.stack = append(p.stack, f)
}

// implied closes the elements that the start of this one ends.
func (p *parser) implied(e element) {
	switch {
	case e == elTd || e == elTh:
		p.closeUpTo(func(f *frame) bool { return f.elem == elTd || f.elem == elTh }, func(f *frame) bool { return f.elem == elTable })
	case e == elTr:
		p.closeUpTo(func(f *frame) bool { return f.elem == elTr }, func(f *frame) bool { return f.elem == elTable })
	case e == elLi || e == elOption:
		p.closeUpTo(func(f *frame) bool { return f.elem == e }, func(f *frame) bool { return f.elem == elBlock || f.elem == elTable || f.elem == elTd })
	case e.block():
		p.closeUpTo(func(f *frame) bool { return f.elem == elP }, func(f *frame) bool { return f.block || f.elem == elTd || f.elem == elTh })
	}
}

// closeUpTo closes the innermost element that is wanted with all inside it, unless
// one that stops comes first.
func (p *parser) closeUpTo(wanted, stops func(*frame) bool) {
	if p.deep > 0 {
		return
	}
	for i := len(p.stack) - 1; i > p.floor && i >= len(p.stack)-maxLookUp; i-- {
		if f := &p.stack[i]; wanted(f) {
			p.pop(i)
			return
		} else if stops(f) {
			return
		}
	}
}

// pop closes the elements from index i on.
func (p *parser) pop(i int) {
	for _, f := range p.stack[i:] {
		if f.link >= 0 && f.link == p.link {
			p.endLink()
		}
		if f.elem == elForm {
			p.form = -1
		}
	}
	p.stack = p.stack[:i]
}

// end takes an end tag.
func (p *parser) end(z *scanner) {
	e := z.elem
	if e.void() && e != elBr {
		p.stray()
		return
	}
	switch {
	case e == elBr || e == elP && p.top().elem != elP:
		p.line()
	case e.block() && !p.top().inlineBlock():
		p.line()
	case e == elTd || e == elTh:
		p.endCell(false)
		p.space()
	}
	if e == elTr || e == elTable {
		p.endCell(true)
	}
	if p.deep > 0 {
		p.deep--
		return
	}
	for i := len(p.stack) - 1; i > p.floor && i >= len(p.stack)-maxLookUp; i-- {
		f := &p.stack[i]
		if f.elem == e && f.hash == z.hash {
			p.pop(i)
			return
		}
		if !e.crosses(f) {
			break
		}
	}
	if e != elP {
		p.stray() // "</p>" alone is a paragraph
	}
}

// stray counts an end tag of nothing that is open.
func (p *parser) stray() {
	if !p.nested {
		p.doc.Faults[StrayEnd]++
	}
}

// inlineBlock tells whether the element is a block by name that begins no line.
func (f *frame) inlineBlock() bool { return f.elem.block() && !f.block }

// crosses tells whether an end tag of e ends elements outside f.
func (e element) crosses(f *frame) bool {
	switch e {
	case elTable, elTr, elTd, elTh, elTbody, elBody, elHTML:
		return true
	case unknown, elInline, elSpan, elI, elB:
		return !f.elem.block() && f.elem != elTd && f.elem != elTh
	}
	return f.elem != elTable && f.elem != elTd && f.elem != elTh
}

// line ends the line of visible text.
func (p *parser) line() {
	if p.top().hides == Shown || len(p.stack) == 1 {
		p.gap = lineGap
	}
	p.hidGap = true
	p.broken = false
}

// space separates words.
func (p *parser) space() {
	p.gap = max(p.gap, spaceGap)
	p.hidGap = true
}

// endCell ends a cell, or a row. A letter of its own in each of several cells is a
// word.
func (p *parser) endCell(row bool) {
	if p.inCell {
		p.inCell = false
		r, size := rune(0), 0
		if p.cell >= 0 {
			r, size = utf8.DecodeRune(p.out[p.cell:])
		}
		switch {
		case size == 0 || p.cell+size != len(p.out) || !isLetter(r):
			p.single = 0
		case p.single > 0 && p.cell == p.single+1 && p.out[p.single] == ' ':
			p.out = append(p.out[:p.single], p.out[p.cell:]...)
			p.single = len(p.out)
			p.doc.Faults[SplitWord]++
		default:
			p.single = len(p.out)
		}
	}
	if row {
		p.single = 0
	}
}

// finish makes the Doc.
func (p *parser) finish() *Doc {
	d := p.doc
	d.Text, d.Hidden = string(p.out), string(p.hidden)
	d.ExternalStyle = d.ExternalStyle || p.sheet.external
	for i := range d.Links {
		l := &d.Links[i]
		l.Begin, l.End = max(0, min(l.Begin, len(d.Text))), min(l.End, len(d.Text))
		if l.Begin < l.End {
			l.Text = strings.Trim(d.Text[l.Begin:l.End], " \n")
		}
	}
	return d
}
