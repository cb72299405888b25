package mail

import (
	"bytes"
	"slices"
)

// A DefectKind is a way in which a message is malformed.
type DefectKind byte

// The kinds of defects, in the order in which Defects lists them. Where none is said,
// the offset is that of the line, field or part concerned.
const (
	// NULByte is a NUL anywhere in the message.
	NULByte DefectKind = iota
	// BareCR is a CR without LF behind it (RFC 5322, section 2.3).
	BareCR
	// BareLF is an LF without CR before it in a message that has CRLF too.
	BareLF
	// LongLine is a line of more than 998 bytes (RFC 5322, section 2.1.1).
	LongLine
	// HeaderCut is a header larger than Limits: what came last is missing in Header.
	HeaderCut
	// HeaderNoColon is a line among the fields of a header that is neither a field
	// nor its continuation. At the top such a line begins the body.
	HeaderNoColon
	// HeaderLeadingFold is a header that begins with a continuation line.
	HeaderLeadingFold
	// Header8Bit is a field with bytes that aren't ASCII and not UTF-8 (RFC 6532).
	Header8Bit
	// HeaderUTF8 is a field in UTF-8 that isn't encoded (RFC 6532).
	HeaderUTF8
	// DuplicateField is a field that may stand once (RFC 5322, section 3.6; RFC 2045)
	// standing again; the offset is that of the second.
	DuplicateField
	// InvalidEncodedWord is an encoded word (RFC 2047) that is broken: never closed,
	// with wrong base64 or escapes, or bytes that its charset doesn't have.
	InvalidEncodedWord
	// UnknownWordCharset is an encoded word in an unknown charset.
	UnknownWordCharset
	// BadContentType is a Content-Type that is no type (RFC 2045, section 5.1).
	BadContentType
	// BadParameter is a parameter with an unclosed quote, text behind its quotes, a
	// broken RFC 2231 form, or a second one of its name.
	BadParameter
	// UnknownEncoding is a Content-Transfer-Encoding that doesn't exist.
	UnknownEncoding
	// EncodedMultipart is a multipart in base64 or quoted-printable (RFC 2045,
	// section 6.4).
	EncodedMultipart
	// MissingBoundary is a multipart without a boundary parameter, or an empty one.
	MissingBoundary
	// BoundaryNotFound is a multipart in which its boundary never comes.
	BoundaryNotFound
	// UnclosedMultipart is a multipart without its closing boundary.
	UnclosedMultipart
	// PartAfterClose is a part behind the closing boundary of its multipart.
	PartAfterClose
	// TextInPreamble is text before the first part of a multipart that is more than
	// a remark for old mail programs.
	TextInPreamble
	// TextInEpilogue is text behind the closing boundary of a multipart.
	TextInEpilogue
	// DepthLimit is a part nested too deep to be looked into.
	DepthLimit
	// PartLimit says that there are more parts than are listed.
	PartLimit
	// TextLimit is a text of which only the beginning was decoded.
	TextLimit
	// BadBase64 is base64 with foreign characters, digits behind its padding or
	// missing padding.
	BadBase64
	// BadQuotedPrintable is quoted-printable with an "=" that is no escape.
	BadQuotedPrintable
	// BadUUencode is uuencode with lines that are none, or without data.
	BadUUencode
	// UnknownCharset is a text in an unknown charset.
	UnknownCharset
	// BadCharset is a text with bytes that its declared charset doesn't have.
	BadCharset
	// Undeclared8Bit is a text with bytes that aren't ASCII without a charset.
	Undeclared8Bit
)

var defectNames = [...]string{
	"NUL", "bare CR", "bare LF", "long line", "header cut", "header line without colon", "leading fold",
	"8-bit header", "UTF-8 header", "duplicate field", "invalid encoded word", "unknown charset of encoded word",
	"bad content type", "bad parameter", "unknown encoding", "encoded multipart", "missing boundary",
	"boundary not found", "unclosed multipart", "part after close", "text in preamble", "text in epilogue",
	"depth limit", "part limit", "text limit", "bad base64", "bad quoted-printable", "bad uuencode",
	"unknown charset", "bad charset", "undeclared 8-bit",
}

// String returns the kind in words for people.
func (k DefectKind) String() string {
	if int(k) < len(defectNames) {
		return defectNames[k]
	}
	return "?"
}

// A Defect is how often and where a message is malformed in one way.
type Defect struct {
	Kind   DefectKind
	Count  int // how often, at least 1
	Offset int // where in Raw the first is; of what an embedded encoded message holds, where its part begins
}

// A tally collects defects, each kind once.
type tally []Defect

// add counts n defects of a kind of which the first is at offset.
func (t *tally) add(kind DefectKind, n, offset int) {
	if n <= 0 {
		return
	}
	for i := range *t {
		if d := &(*t)[i]; d.Kind == kind {
			d.Count += n
			d.Offset = min(d.Offset, offset)
			return
		}
	}
	*t = append(*t, Defect{kind, n, offset})
}

// addAll takes over all of another tally.
func (t *tally) addAll(other tally) {
	for _, d := range other {
		t.add(d.Kind, d.Count, d.Offset)
	}
}

// Defects returns what is malformed, each kind once, ordered by kind. It looks at the
// whole message: all parts are decoded for it.
func (m *Message) Defects() []Defect {
	m.defects.Do(func() {
		parts := m.Parts()
		t := slices.Clone(m.walked)
		m.lineDefects(&t)
		for _, p := range parts {
			p.headerDefects(&t)
			if !p.IsMultipart() {
				p.Decoded()
				p.Text()
				t.addAll(p.content.tally)
				t.addAll(p.text.tally)
			}
		}
		slices.SortFunc(t, func(a, b Defect) int { return int(a.Kind) - int(b.Kind) })
		m.malformed = t
	})
	return m.malformed
}

// Defect returns the defect of one kind; its Count is 0 when there is none.
func (m *Message) Defect(kind DefectKind) Defect {
	for _, d := range m.Defects() {
		if d.Kind == kind {
			return d
		}
	}
	return Defect{Kind: kind}
}

// lineDefects looks for what no line may have.
func (m *Message) lineDefects(t *tally) {
	raw := m.raw
	if i := bytes.IndexByte(raw, 0); i >= 0 {
		t.add(NULByte, bytes.Count(raw[i:], []byte{0}), i)
	}
	crlf := 0
	if bytes.IndexByte(raw, '\r') >= 0 {
		crlf = bytes.Count(raw, []byte("\r\n"))
		if n := bytes.Count(raw, []byte{'\r'}) - crlf; n > 0 {
			t.add(BareCR, n, firstBare(raw, '\r'))
		}
		if n := bytes.Count(raw, []byte{'\n'}) - crlf; n > 0 && crlf > 0 {
			t.add(BareLF, n, firstBare(raw, '\n'))
		}
	}
	for pos := 0; len(raw)-pos > maxLine; {
		// The last line break that is near enough tells about all lines before it.
		if i := bytes.LastIndexByte(raw[pos:pos+maxLine+1], '\n'); i >= 0 {
			pos += i + 1
			continue
		}
		end, next := lineAt(raw, pos)
		if end-pos > maxLine {
			t.add(LongLine, 1, pos)
		}
		pos = next
	}
	if m.cut {
		t.add(HeaderCut, 1, min(m.limits.HeaderBytes, m.body))
	}
}

// maxLine is the longest line in bytes (RFC 5322, section 2.1.1).
const maxLine = 998

// firstBare returns where the first CR without LF or LF without CR is.
func firstBare(raw []byte, c byte) int {
	for i := range raw {
		if raw[i] != c {
			continue
		}
		if c == '\r' && (i+1 == len(raw) || raw[i+1] != '\n') || c == '\n' && (i == 0 || raw[i-1] != '\r') {
			return i
		}
	}
	return len(raw)
}
