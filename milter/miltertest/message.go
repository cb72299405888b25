package miltertest

import (
	"bytes"
	"strings"
)

// Field is one header field.
type Field struct {
	Name  string
	Value string // as it stands after the colon: with its leading space, folds as a bare LF
}

// Message is a message as an MTA holds it.
type Message struct {
	Trace  []Field // the MTA's own fields, on top and never shown to filters
	Header []Field
	Body   []byte // with CRLF line ends
}

// ParseMessage splits a raw message as MTAs do: the body begins after the first
// empty line or at the first line that is no header field. Line ends may be LF
// or CRLF. An mbox "From " line at the top and NULs in the header are dropped.
func ParseMessage(raw []byte) Message {
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	if bytes.HasPrefix(raw, []byte("From ")) {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	var m Message
	for len(raw) > 0 {
		if raw[0] == '\n' {
			raw = raw[1:]
			break
		}
		n := fieldEnd(raw)
		name, value, ok := strings.Cut(strings.ReplaceAll(string(raw[:n]), "\x00", ""), ":")
		name = strings.TrimRight(name, " \t")
		if !ok || name == "" || strings.ContainsAny(name, " \t\n") {
			break
		}
		m.Header = append(m.Header, Field{name, value})
		raw = raw[min(n+1, len(raw)):]
	}
	m.Body = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
	return m
}

// fieldEnd is the length of the field at the start of b with its folded lines,
// without the last line end.
func fieldEnd(b []byte) int {
	for n := 0; ; n++ {
		k := bytes.IndexByte(b[n:], '\n')
		if k < 0 {
			return len(b)
		}
		n += k
		if n+1 == len(b) || b[n+1] != ' ' && b[n+1] != '\t' {
			return n
		}
	}
}

// Bytes is the message on the wire, with CRLF line ends.
func (m Message) Bytes() []byte {
	var b bytes.Buffer
	for _, fields := range [][]Field{m.Trace, m.Header} {
		for _, f := range fields {
			b.WriteString(f.Name + ":" + strings.ReplaceAll(f.Value, "\n", "\r\n") + "\r\n")
		}
	}
	b.WriteString("\r\n")
	b.Write(m.Body)
	return b.Bytes()
}

// Get gives the value of the first field of a name without the white space
// around it, and false when there is none.
func (m Message) Get(name string) (string, bool) {
	for _, f := range m.Header {
		if strings.EqualFold(f.Name, name) {
			return strings.TrimSpace(f.Value), true
		}
	}
	return "", false
}

// Path is an address of the envelope.
type Path struct {
	Addr string   // with angle brackets; "<>" is the null path
	Args []string // ESMTP parameters
}

// Delivery is what an MTA delivers: the envelope and the message.
type Delivery struct {
	From       Path
	Rcpts      []Path
	Message    Message
	Quarantine string // reason for which the MTA holds the message; "" when it doesn't
}

// Apply makes the edits as Postfix makes them and gives the delivery that comes
// of it; d stays as it is. Positions of insert header count the MTA's own fields,
// numbers of change header don't. In what comes of it they are part of the header. LeadSpace tells whether header values bring
// their own leading space ([LeadSpace] was negotiated).
func (d Delivery) Apply(edits []Edit, leadSpace bool) Delivery {
	d.Rcpts = append([]Path(nil), d.Rcpts...)
	header := append(append([]Field(nil), d.Message.Trace...), d.Message.Header...)
	var body []byte
	replaced := false
	for _, e := range edits {
		field := Field{e.Name, e.Value}
		if !leadSpace && e.Value != "" {
			field.Value = " " + e.Value
		}
		switch e.Op {
		case EditAddHeader:
			header = append(header, field)
		case EditInsertHeader:
			at := min(e.Index, len(header))
			header = append(header[:at], append([]Field{field}, header[at:]...)...)
		case EditChangeHeader:
			header = changeHeader(header, d.Message.Trace, e.Index, field)
		case EditReplaceBody:
			body, replaced = append(body, e.Value...), true
		case EditQuarantine:
			d.Quarantine = e.Value
		default:
			d.changeEnvelope(e)
		}
	}
	d.Message.Trace, d.Message.Header = nil, header
	if replaced {
		d.Message.Body = body
	}
	return d
}

// changeHeader changes, deletes or, when there is no such field, adds one. The
// MTA's own fields are known by being the very same.
func changeHeader(header, trace []Field, index int, field Field) []Field {
	for i, f := range header {
		if !strings.EqualFold(f.Name, field.Name) || own(f, trace) {
			continue
		}
		if index--; index > 0 {
			continue
		}
		if field.Value == "" {
			return append(header[:i], header[i+1:]...)
		}
		header[i].Value = field.Value
		return header
	}
	if field.Value != "" {
		header = append(header, field)
	}
	return header
}

func own(f Field, trace []Field) bool {
	for _, t := range trace {
		if f == t {
			return true
		}
	}
	return false
}

func (d *Delivery) changeEnvelope(e Edit) {
	switch e.Op {
	case EditChangeFrom:
		d.From = Path{Addr: bracketed(e.Value), Args: strings.Fields(e.Args)}
	case EditAddRcpt, EditAddRcptPar:
		d.Rcpts = append(d.Rcpts, Path{Addr: bracketed(e.Value), Args: strings.Fields(e.Args)})
	case EditDelRcpt:
		kept := d.Rcpts[:0]
		for _, r := range d.Rcpts {
			if !strings.EqualFold(bracketed(r.Addr), bracketed(e.Value)) {
				kept = append(kept, r)
			}
		}
		d.Rcpts = kept
	}
}

func bracketed(addr string) string {
	if strings.HasPrefix(addr, "<") {
		return addr
	}
	return "<" + addr + ">"
}
