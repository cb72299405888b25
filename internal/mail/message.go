package mail

import (
	"bytes"
	"math"
	"sync"
)

// Limits bound the work that one message can cause. A field that isn't positive
// means that of DefaultLimits.
type Limits struct {
	HeaderBytes int // bytes looked at of each header
	Fields      int // header fields listed, of the message and of all its parts
	Parts       int // parts listed
	Depth       int // how deep parts are looked into
	TextBytes   int // bytes of text decoded of all parts together
}

// DefaultLimits are well above what MTAs let pass. Nobody writes to it.
var DefaultLimits = Limits{HeaderBytes: 4 << 20, Fields: 100_000, Parts: 1000, Depth: 32, TextBytes: 4 << 20}

// orDefaults fills in what isn't positive.
func (l Limits) orDefaults() Limits {
	for _, f := range [...]struct{ have, want *int }{
		{&l.HeaderBytes, &DefaultLimits.HeaderBytes}, {&l.Fields, &DefaultLimits.Fields}, {&l.Parts, &DefaultLimits.Parts},
		{&l.Depth, &DefaultLimits.Depth}, {&l.TextBytes, &DefaultLimits.TextBytes},
	} {
		if *f.have <= 0 {
			*f.have = *f.want
		}
	}
	return l
}

// A Message is a message as it was received. It never changes after Parse and may
// be read from many goroutines. What Parse doesn't find out itself is found out on
// first use, once.
type Message struct {
	raw    []byte
	limits Limits
	header Header
	places []int32 // where each field begins
	body   int
	cut    bool
	fold   int  // where the header begins with a continuation line, -1 if it doesn't
	open   bool // no empty line ends the header

	tree   sync.Once
	parts  []*Part
	walked tally // of the tree
	steps  int   // comparisons of a line with a boundary that the walk took

	defects   sync.Once
	malformed []Defect

	titled  sync.Once
	subject string
	lists   sync.Mutex
	people  map[string][]Mailbox
	visible sync.Once
	text    string
	linked  sync.Once
	links   []Link
	aimed   sync.Once
	targets []Target
	mailed  sync.Once
	// addresses are those that the message names for an answer or for people
	addresses []Address
	hopped    sync.Once
	hops      []Received
}

// Parse reads a message with LF or CRLF line ends and keeps raw, which must not be
// changed afterwards. It never fails and its time is linear.
//
// The header ends at the first empty line, or before the first line that is neither
// a field nor its continuation: such a line belongs to the body, as in Postfix. An
// mbox line ("From ") at the very top is passed over.
func Parse(raw []byte, lim Limits) *Message {
	lim = lim.orDefaults()
	p := headerParser{raw: raw, lim: lim, end: len(raw)}
	p.run()
	return &Message{raw: raw, limits: lim, header: p.header(), places: p.places(), body: p.body, cut: p.cut, fold: p.fold, open: p.open}
}

// Raw returns the whole message. It must not be changed.
func (m *Message) Raw() []byte { return m.raw }

// Header returns the header fields in order. It must not be changed.
func (m *Message) Header() Header { return m.header }

// HeaderCut tells whether the header was larger than the limits, so that Header
// lacks what came last.
func (m *Message) HeaderCut() bool { return m.cut }

// Body returns what follows the empty line after the header; it is empty when there
// is none. It must not be changed.
func (m *Message) Body() []byte { return m.raw[m.body:] }

// BodyOffset returns where in Raw the body begins.
func (m *Message) BodyOffset() int { return m.body }

// A headerParser finds the fields as offsets first, so that one string can hold
// them all.
type headerParser struct {
	raw  []byte
	lim  Limits
	pos  int // where the header begins
	end  int // where it must end
	spot []fieldSpot
	body int
	cut  bool
	open bool // a line that is no field ends it, not an empty one
	fold int  // where the continuation line is that it begins with, -1 if it doesn't
	// Of the header of a part only.
	inner   bool
	stop    func(line []byte) bool // tells boundaries
	noColon []int                  // where lines without a colon are
}

// A fieldSpot is where a field is: raw[name:nameEnd] is its name, raw[colon+1:end]
// its value.
type fieldSpot struct{ name, nameEnd, colon, end int }

// run walks the lines up to the body.
func (p *headerParser) run() {
	p.body, p.fold = p.end, -1
	pos := p.pos
	if rest := p.raw[pos:p.end]; bytes.HasPrefix(rest, []byte("From ")) || bytes.HasPrefix(rest, []byte(">From ")) {
		_, pos = lineAt(p.raw[:p.end], pos)
	}
	first := pos
	for pos < p.end {
		end, next := lineAt(p.raw[:p.end], pos)
		line := p.raw[pos:end]
		switch {
		case len(bytes.Trim(line, "\r")) == 0:
			p.body = next
			return
		case p.stop != nil && line[0] == '-' && p.stop(line):
			p.body = beforeBreak(p.raw, p.pos, pos)
			return
		case (line[0] == ' ' || line[0] == '\t') && pos > first:
			p.extend(end)
		default:
			name, colon := fieldName(line)
			if name == 0 || p.inner && bytes.IndexByte(line[:name], '=') >= 0 {
				if !p.inner || !p.odd(pos, end, next) {
					p.body, p.open = pos, len(p.spot) > 0
					if !p.inner && pos == first && (line[0] == ' ' || line[0] == '\t') {
						p.fold = pos
					}
					return
				}
			} else {
				p.add(fieldSpot{pos, pos + name, pos + colon, end})
			}
		}
		pos = next
	}
}

// beforeBreak returns where the line break that ends at pos begins, but not before low.
func beforeBreak(raw []byte, low, pos int) int {
	end := pos
	if end > low && raw[end-1] == '\n' {
		end--
		if end > low && raw[end-1] == '\r' {
			end--
		}
	}
	return end
}

// How much is forgiven that doesn't belong into the header of a part.
const (
	maxOdd      = 20   // lines, and how far ahead of each is looked
	maxOddBytes = 4096 // bytes of these
)

// odd takes a line of a part's header that is no field: a parameter that lost its
// indentation (which hides the name of a file from strict parsers), a continuation
// line at the beginning, anything that fields of MIME follow. It tells whether the
// header goes on.
func (p *headerParser) odd(pos, end, next int) bool {
	line := p.raw[pos:end]
	if len(p.noColon) >= maxOdd {
		return false
	}
	if (line[0] == ' ' || line[0] == '\t') && len(p.spot) == 0 {
		if !p.fieldFollows(next) {
			return false
		}
		p.fold = pos
		return true
	}
	if len(p.spot) > 0 && !p.cut && p.continues(line) {
		p.noColon = append(p.noColon, pos)
		p.extend(end)
		return true
	}
	if p.fieldFollows(next) {
		p.noColon = append(p.noColon, pos)
		return true
	}
	return false
}

// continues tells whether a line without a colon is a parameter of the field before.
func (p *headerParser) continues(line []byte) bool {
	last := p.spot[len(p.spot)-1]
	if !hasPrefixFold(string(p.raw[last.name:last.nameEnd]), "content-") {
		return false
	}
	value := bytes.TrimRight(p.raw[last.colon+1:last.end], " \t\r\n")
	if bytes.HasSuffix(value, []byte{';'}) {
		return true
	}
	i := bytes.IndexByte(line, '=')
	return i > 0 && i < 20 && nextParam(string(line[:i+1])) == 0
}

// fieldFollows tells whether a field of MIME comes before the next empty line, not too
// far away.
func (p *headerParser) fieldFollows(pos int) bool {
	near := p.raw[:min(p.end, pos+maxOddBytes)]
	for n := 0; n < maxOdd && pos < len(near); n++ {
		end, next := lineAt(near, pos)
		line := near[pos:end]
		if len(line) == 0 || p.stop != nil && line[0] == '-' && p.stop(line) {
			return false
		}
		if name, _ := fieldName(line); name > 0 && hasPrefixFold(string(line[:name]), "content-") {
			return true
		}
		pos = next
	}
	return false
}

// add takes a field. Once a limit is reached no more are taken.
func (p *headerParser) add(s fieldSpot) {
	if p.cut || len(p.spot) >= p.lim.Fields || s.colon-p.pos >= p.lim.HeaderBytes {
		p.cut = true
		return
	}
	p.spot = append(p.spot, s)
	p.extend(s.end)
}

// extend takes a line of the latest field, which ends at end.
func (p *headerParser) extend(end int) {
	if p.cut || len(p.spot) == 0 {
		return
	}
	if end-p.pos > p.lim.HeaderBytes {
		end, p.cut = p.pos+p.lim.HeaderBytes, true
	}
	p.spot[len(p.spot)-1].end = end
}

// header makes the Header.
func (p *headerParser) header() Header {
	if len(p.spot) == 0 {
		return nil
	}
	base := p.spot[0].name
	block := string(p.raw[base:p.spot[len(p.spot)-1].end])
	h := make(Header, len(p.spot))
	for i, s := range p.spot {
		h[i] = Field{Name: block[s.name-base : s.nameEnd-base], Raw: block[s.colon+1-base : s.end-base]}
	}
	return h
}

// places returns where each field begins.
func (p *headerParser) places() []int32 {
	all := make([]int32, len(p.spot))
	for i, s := range p.spot {
		all[i] = int32(min(s.name, math.MaxInt32))
	}
	return all
}

// lineAt returns the end of the line that begins at pos, without its line break,
// and the beginning of the next.
func lineAt(raw []byte, pos int) (end, next int) {
	n := bytes.IndexByte(raw[pos:], '\n')
	if n < 0 {
		end, next = len(raw), len(raw)
	} else {
		end, next = pos+n, pos+n+1
	}
	if end > pos && raw[end-1] == '\r' {
		end--
	}
	return end, next
}

// fieldName returns the length of the field name at the beginning of a line and the
// index of its colon; the length is 0 when the line is no field. White space before
// the colon is obsolete and taken (RFC 5322, section 4.5).
func fieldName(line []byte) (name, colon int) {
	for name < len(line) && line[name] > ' ' && line[name] < 0x7f && line[name] != ':' {
		name++
	}
	for colon = name; colon < len(line) && (line[colon] == ' ' || line[colon] == '\t'); colon++ {
	}
	if colon == len(line) || line[colon] != ':' {
		return 0, 0
	}
	return name, colon
}
