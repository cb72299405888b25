package mail

import "bytes"

// Limits bound the work that one message can cause. A field that isn't positive
// means that of DefaultLimits.
type Limits struct {
	HeaderBytes int // header bytes looked at
	Fields      int // header fields listed
}

// DefaultLimits are well above what MTAs let pass. Nobody writes to it.
var DefaultLimits = Limits{HeaderBytes: 4 << 20, Fields: 100_000}

// A Message is a message as it was received. It never changes after Parse and may
// be read from many goroutines.
type Message struct {
	raw    []byte
	header Header
	body   int
	cut    bool
}

// Parse reads a message with LF or CRLF line ends and keeps raw, which must not be
// changed afterwards. It never fails and its time is linear.
//
// The header ends at the first empty line, or before the first line that is neither
// a field nor its continuation: such a line belongs to the body, as in Postfix. An
// mbox line ("From ") at the very top is passed over.
func Parse(raw []byte, lim Limits) *Message {
	if lim.HeaderBytes <= 0 {
		lim.HeaderBytes = DefaultLimits.HeaderBytes
	}
	if lim.Fields <= 0 {
		lim.Fields = DefaultLimits.Fields
	}
	p := headerParser{raw: raw, lim: lim}
	p.run()
	return &Message{raw: raw, header: p.header(), body: p.body, cut: p.cut}
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
	spot []fieldSpot
	body int
	cut  bool
}

// A fieldSpot is where a field is: raw[name:nameEnd] is its name, raw[colon+1:end]
// its value.
type fieldSpot struct{ name, nameEnd, colon, end int }

// run walks the lines up to the body.
func (p *headerParser) run() {
	p.body = len(p.raw)
	pos := 0
	if bytes.HasPrefix(p.raw, []byte("From ")) || bytes.HasPrefix(p.raw, []byte(">From ")) {
		_, pos = lineAt(p.raw, 0)
	}
	first := pos
	for pos < len(p.raw) {
		end, next := lineAt(p.raw, pos)
		line := p.raw[pos:end]
		switch {
		case len(bytes.Trim(line, "\r")) == 0:
			p.body = next
			return
		case (line[0] == ' ' || line[0] == '\t') && pos > first:
			p.extend(end)
		default:
			name, colon := fieldName(line)
			if name == 0 {
				p.body = pos
				return
			}
			p.add(fieldSpot{pos, pos + name, pos + colon, end})
		}
		pos = next
	}
}

// add takes a field. Once a limit is reached no more are taken.
func (p *headerParser) add(s fieldSpot) {
	if p.cut || len(p.spot) >= p.lim.Fields || s.colon >= p.lim.HeaderBytes {
		p.cut = true
		return
	}
	p.spot = append(p.spot, s)
	p.extend(s.end)
}

// extend takes a line of the latest field, which ends at end.
func (p *headerParser) extend(end int) {
	if p.cut {
		return
	}
	if end > p.lim.HeaderBytes {
		end, p.cut = p.lim.HeaderBytes, true
	}
	p.spot[len(p.spot)-1].end = end
}

// header makes the Header.
func (p *headerParser) header() Header {
	if len(p.spot) == 0 {
		return nil
	}
	block := string(p.raw[:p.spot[len(p.spot)-1].end])
	h := make(Header, len(p.spot))
	for i, s := range p.spot {
		h[i] = Field{Name: block[s.name:s.nameEnd], Raw: block[s.colon+1 : s.end]}
	}
	return h
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
