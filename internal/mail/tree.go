package mail

import (
	"bytes"
	"strings"

	"rmilter/internal/mime"
)

// Bounds of the walk besides Limits.
const (
	maxGuesses   = 16 // boundaries that are guessed in one message
	maxFiles     = 50 // uuencoded files of one text
	longPreamble = 500
)

// Parts returns the parts of the message in the order in which they begin. The first
// is the message itself; there is always one. Of a multipart, of an embedded message
// and of a text with uuencoded files in it the parts inside follow.
func (m *Message) Parts() []*Part {
	m.tree.Do(func() {
		w := walker{msg: m, src: m.raw, end: len(m.raw), fields: m.limits.Fields - len(m.header), decode: 2 * len(m.raw), text: m.limits.TextBytes}
		root := &Part{msg: m, src: m.raw, header: m.header, places: m.places, body: m.body, end: len(m.raw), defaultType: "text/plain"}
		if m.fold >= 0 {
			w.tally.add(HeaderLeadingFold, 1, m.fold)
		}
		if m.open {
			w.tally.add(HeaderNoColon, 1, m.body)
		}
		root.classify()
		w.add(root)
		w.scan(root)
		w.share()
		m.parts, m.walked, m.steps = w.parts, w.tally, w.steps
	})
	return m.parts
}

// A walker finds the parts in one pass over the bytes: at every line that begins with
// "--" it asks which of the open multiparts it belongs to.
type walker struct {
	msg     *Message
	src     []byte // what is walked: the message, or the content of an encoded part
	base    int    // where in the message the part is that src is the content of, 0 when src is the message
	end     int    // where in src the walk ends
	open    []multipart
	parts   []*Part
	tally   tally
	fields  int // header fields that may still be listed
	decode  int // bytes of embedded messages that may still be decoded
	text    int // bytes of text that may be decoded
	guesses int
	full    bool        // Limits.Parts is reached
	steps   int         // comparisons of a line with a boundary
	begins  [256]uint16 // how many open boundaries begin with a byte
	empty   int         // how many are empty
}

// A multipart is one whose end hasn't come yet.
type multipart struct {
	bounds []string
	closed bool // its closing boundary came
}

// offset returns a place in src as one in the message.
func (w *walker) offset(at int) int {
	if w.base > 0 {
		return w.base
	}
	return at
}

// add lists a part.
func (w *walker) add(p *Part) {
	p.index = len(w.parts)
	w.parts = append(w.parts, p)
	if len(w.parts) >= w.msg.limits.Parts {
		w.full = true
	}
}

// part begins a part at pos: it reads its header.
func (w *walker) part(parent *Part, pos int, defaultType string) *Part {
	p := &Part{msg: w.msg, src: w.src, base: w.base, parent: parent, depth: parent.depth + 1, begin: pos, defaultType: defaultType}
	lim := w.msg.limits
	lim.Fields = max(w.fields, 0)
	h := headerParser{raw: w.src, lim: lim, pos: pos, end: w.end, inner: true, stop: func(line []byte) bool {
		level, _ := w.match(line)
		return level >= 0
	}}
	h.run()
	p.header, p.places, p.body, p.end = h.header(), h.places(), h.body, h.body
	w.fields -= len(p.header)
	for _, at := range h.noColon {
		w.tally.add(HeaderNoColon, 1, w.offset(at))
	}
	if h.open {
		w.tally.add(HeaderNoColon, 1, w.offset(p.body))
	}
	if h.fold >= 0 {
		w.tally.add(HeaderLeadingFold, 1, w.offset(h.fold))
	}
	if h.cut {
		w.tally.add(HeaderCut, 1, w.offset(pos))
	}
	p.classify()
	parent.children = append(parent.children, p)
	w.add(p)
	return p
}

// scan finds the end of a part whose header is read and all parts inside, and returns
// the delimiter that ended it.
func (w *walker) scan(p *Part) delimiter {
	inside := p.IsMultipart() || p.embeds()
	if inside && (p.depth >= w.msg.limits.Depth || w.full) {
		if p.depth >= w.msg.limits.Depth {
			w.tally.add(DepthLimit, 1, w.offset(p.begin))
		}
		inside = false
	}
	switch {
	case !inside:
		d := w.find(p.body)
		w.close(p, d)
		w.files(p)
		return d
	case p.IsMultipart():
		return w.multipart(p)
	case p.encoded():
		d := w.find(p.body)
		w.close(p, d)
		w.embedded(p, false)
		return d
	}
	child := w.part(p, p.body, "text/plain")
	d := w.scan(child)
	p.end = child.end
	return d
}

// close sets the end of a part: before the line break that belongs to the delimiter.
func (w *walker) close(p *Part, d delimiter) {
	p.end = max(d.at, p.body)
	if d.level >= 0 {
		p.end = beforeBreak(w.src, p.body, p.end)
	}
}

// multipart reads the parts of a multipart.
func (w *walker) multipart(p *Part) delimiter {
	bounds := p.boundaries()
	if len(bounds) == 0 || len(bounds) == 1 && bounds[0] == "" {
		w.tally.add(MissingBoundary, 1, w.offset(p.begin))
	}
	d, found, closed := w.children(p, bounds)
	w.close(p, d)
	switch {
	case !found:
		if len(bounds) > 0 {
			w.tally.add(BoundaryNotFound, 1, w.offset(p.begin))
		}
		w.lost(p)
	case !closed && !w.full:
		w.tally.add(UnclosedMultipart, 1, w.offset(p.begin))
	}
	return d
}

// children reads the parts between boundaries.
func (w *walker) children(p *Part, bounds []string) (d delimiter, found, closed bool) {
	level := len(w.open)
	w.open = append(w.open, multipart{bounds: bounds})
	w.count(bounds, 1)
	defaultType := "text/plain"
	if p.Type() == "multipart/digest" {
		defaultType = "message/rfc822"
	}
	d = w.find(p.body)
	p.preamble = [2]int{p.body, p.body}
	if d.level == level {
		p.preamble[1] = d.at
		w.hidden(p.body, TextInPreamble, p.Preamble())
		w.secondReading(p)
	}
	for d.level == level {
		found = true
		if d.final {
			closed, w.open[level].closed = true, true
			begin := d.next
			d = w.find(begin)
			w.epilogue(p, begin, d.at)
			continue
		}
		if n := w.delimiterAt(w.skipBlank(d.next)); n.level >= 0 || n.at == w.end {
			d = n // nothing stands between the two
			continue
		}
		if w.full {
			w.tally.add(PartLimit, 1, w.offset(d.at))
			d = delimiter{at: w.end, next: w.end, level: -1}
			break
		}
		if closed {
			w.tally.add(PartAfterClose, 1, w.offset(d.at))
		}
		d = w.scan(w.part(p, d.next, defaultType))
	}
	w.count(bounds, ^uint16(0))
	w.open = w.open[:level]
	return d, found, closed
}

// epilogue takes what stands behind a closing boundary. Of several stretches the first
// one counts that has text.
func (w *walker) epilogue(p *Part, begin, end int) {
	if len(bytes.TrimSpace(p.Epilogue())) == 0 {
		p.epilogue = [2]int{begin, end}
	}
	w.hidden(begin, TextInEpilogue, w.src[begin:end])
}

// secondReading lists the preamble as a text if another Content-Type of the multipart
// says that its body is one: programs that follow that one show it.
func (w *walker) secondReading(p *Part) {
	for _, t := range p.types[min(1, len(p.types)):] {
		typ, _ := mediaType(t.value)
		if !strings.HasPrefix(typ, "text/") || len(bytes.TrimSpace(p.Preamble())) == 0 || w.full {
			continue
		}
		c := &Part{msg: w.msg, src: w.src, base: w.base, parent: p, depth: p.depth + 1, begin: p.preamble[0], body: p.preamble[0], end: p.preamble[1]}
		c.types, c.typ, c.typeOK, c.encoding = []structured{t}, typ, true, p.encoding
		p.children = append(p.children, c)
		w.add(c)
		return
	}
}

// hidden counts text where no mail program shows it, unless it is a short remark.
func (w *walker) hidden(at int, kind DefectKind, text []byte) {
	if len(text) > longPreamble && len(bytes.TrimSpace(text)) > longPreamble || bytes.Contains(text, []byte("://")) {
		w.tally.add(kind, 1, w.offset(at))
	}
}

// lost looks for the parts of a multipart whose boundary never came: with the boundary
// that is there instead, or in its content if that is encoded. Failing that its body
// is a text.
func (w *walker) lost(p *Part) {
	if w.full || len(bytes.TrimSpace(p.Raw())) == 0 {
		return
	}
	end := w.end
	w.end = p.end
	defer func() { w.end = end }()
	if w.guesses < maxGuesses {
		w.guesses++
		if b := guessBoundary(p.Raw()); b != "" {
			open := w.open
			w.open = nil
			w.children(p, []string{b})
			w.open = open
			return
		}
		if p.encoded() {
			w.embedded(p, true)
			if len(p.children) > 0 {
				return
			}
		}
	}
	child := &Part{msg: w.msg, src: w.src, base: w.base, parent: p, depth: p.depth + 1, begin: p.body, body: p.body, end: p.end, defaultType: "text/plain"}
	child.classify()
	child.encoding = p.encoding
	p.children = append(p.children, child)
	w.add(child)
}

// embedded walks the content of an encoded part that holds others.
func (w *walker) embedded(p *Part, again bool) {
	if len(p.Raw()) > w.decode {
		w.tally.add(DepthLimit, 1, w.offset(p.begin))
		return
	}
	w.decode -= len(p.Raw())
	in := *w
	in.src = p.Decoded()
	in.end, in.open, in.base = len(in.src), nil, max(w.offset(p.begin), 1)
	if again {
		// The same multipart over its decoded body.
		root := &Part{msg: p.msg, src: in.src, base: in.base, depth: p.depth, header: p.header, body: 0, end: in.end, defaultType: p.defaultType}
		root.classify()
		in.children(root, p.boundaries())
		for _, c := range root.children {
			c.parent = p
		}
		p.children = root.children
	} else if len(in.src) > 0 {
		in.scan(in.part(p, 0, "text/plain"))
	}
	src, base, end, open := w.src, w.base, w.end, w.open
	*w = in
	w.src, w.base, w.end, w.open = src, base, end, open
}

// files lists the uuencoded files inside a text.
func (w *walker) files(p *Part) {
	if p.encoded() || p.Type() != "text/plain" {
		return
	}
	body := p.Raw()
	for pos, n := 0, 0; n < maxFiles && !w.full; n++ {
		f, ok := mime.FindUU(body, pos)
		if !ok {
			return
		}
		pos = f.End
		c := &Part{msg: w.msg, src: w.src, base: w.base, parent: p, depth: p.depth + 1, begin: p.body + f.Begin, body: p.body + f.Data, end: p.body + f.End}
		c.defaultType, c.encoding, c.file = "application/octet-stream", "x-uuencode", f.Name
		c.typ, c.typeOK = c.defaultType, true
		p.children = append(p.children, c)
		w.add(c)
	}
}

// share gives every text its share of Limits.TextBytes: a part of it to each of the
// first ones, so that none hides those behind it, and what is left to the first ones
// that need more, attachments last.
func (w *walker) share() {
	left, least := w.text, max(w.text/32, 1)
	give := func(want func(*Part) int) {
		for _, p := range w.parts {
			if n := min(left, want(p)-p.share); n > 0 && p.IsText() {
				p.share += n
				left -= n
			}
		}
	}
	give(func(p *Part) int { return min(least, p.end-p.body) })
	give(func(p *Part) int {
		if p.IsAttachment() {
			return 0
		}
		return p.end - p.body
	})
	give(func(p *Part) int { return p.end - p.body })
}

// hasPrefixFold tells whether s begins with prefix, which is in lower case.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && equalName(s[:len(prefix)], prefix)
}
