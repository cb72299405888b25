package mail

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"sync"

	"rmilter/internal/htmltext"
	"rmilter/internal/mime"
)

// A Part is one part of a message: the message itself, a part of a multipart, an
// embedded message, a uuencoded file inside a text. It never changes and may be read
// from many goroutines.
type Part struct {
	msg      *Message
	src      []byte // what the offsets are in
	base     int    // where in the message the part is that src is the content of, 0 when src is the message
	parent   *Part
	children []*Part
	index    int
	depth    int
	share    int // bytes of text that may be decoded

	header           Header
	places           []int32 // where each field of the header begins
	begin, body, end int
	preamble         [2]int
	epilogue         [2]int

	defaultType string
	typ         string
	typeOK      bool
	types       []structured // Content-Type fields, the one that counts first
	disposition []structured // Content-Disposition fields, the first one counts
	encoding    string
	oddEncoding bool   // a Content-Transfer-Encoding that doesn't exist
	file        string // name of a uuencoded file

	decoded sync.Once
	content struct {
		bytes []byte
		tally tally
	}
	read sync.Once
	text struct {
		mime.Text
		tally tally
	}
	html struct {
		once sync.Once
		doc  *htmltext.Doc
	}
	shown struct {
		once sync.Once
		text string
	}
}

// Header returns the header fields of the part in order. It is empty for parts
// without one. It must not be changed.
func (p *Part) Header() Header { return p.header }

// Parent returns the part that this one is in, nil for the message itself.
func (p *Part) Parent() *Part { return p.parent }

// Children returns the parts in this one in order. It must not be changed.
func (p *Part) Children() []*Part { return p.children }

// Depth returns how many parts this one is inside of: 0 for the message itself.
func (p *Part) Depth() int { return p.depth }

// Index returns the place of the part in Message.Parts.
func (p *Part) Index() int { return p.index }

// Span returns where the part is in Message.Raw: where its header begins, where its
// body begins and where it ends. ok is false for parts of embedded messages that are
// encoded, which stand nowhere as such.
func (p *Part) Span() (begin, body, end int, ok bool) {
	if p.base > 0 {
		return 0, 0, 0, false
	}
	return p.begin, p.body, p.end, true
}

// Raw returns the body as it stands. It must not be changed.
func (p *Part) Raw() []byte { return p.src[p.body:p.end:p.end] }

// Preamble returns what stands before the first part of a multipart, and Epilogue
// what stands behind its closing boundary. Both are empty for other parts.
func (p *Part) Preamble() []byte { return p.src[p.preamble[0]:p.preamble[1]:p.preamble[1]] }

// Epilogue returns what stands behind the closing boundary of a multipart.
func (p *Part) Epilogue() []byte { return p.src[p.epilogue[0]:p.epilogue[1]:p.epilogue[1]] }

// classify reads the fields of MIME.
func (p *Part) classify() {
	encodings := 0
	for _, f := range p.header {
		switch {
		case len(f.Name) < len("Content-ID") || f.Name[0]|0x20 != 'c':
		case f.Is("Content-Type"):
			if len(p.types) < maxTwice {
				p.types = append(p.types, parseStructured(withoutNUL(unfold(f.Raw))))
			}
		case f.Is("Content-Disposition"):
			if len(p.disposition) < maxTwice {
				p.disposition = append(p.disposition, parseStructured(withoutNUL(unfold(f.Raw))))
			}
		case f.Is("Content-Transfer-Encoding"):
			if encodings++; encodings == 1 || p.oddEncoding {
				p.encoding, p.oddEncoding = encodingName(withoutNUL(f.Value()))
			}
		}
	}
	// Of several types a multipart counts: programs differ in which they take, and
	// the parts must be seen.
	for i, f := range p.types {
		if i > 0 && strings.HasPrefix(f.value, "multipart/") && !strings.HasPrefix(p.types[0].value, "multipart/") {
			p.types[0], p.types[i] = p.types[i], p.types[0]
		}
	}
	p.typ, p.typeOK = p.defaultType, len(p.types) == 0
	if len(p.types) > 0 {
		p.typ, p.typeOK = mediaType(p.types[0].value)
	}
}

// mediaType returns a type in lower case; of a broken one what mail programs make of
// it.
func mediaType(s string) (typ string, ok bool) {
	major, minor, slash := strings.Cut(s, "/")
	major, minor = strings.Trim(major, " \t"), strings.Trim(minor, " \t")
	if slash && isToken(major) && isToken(minor) {
		return major + "/" + minor, true
	}
	switch major {
	case "multipart":
		return "multipart/mixed", false
	case "text":
		if strings.HasPrefix(minor, "html") {
			return "text/html", false
		}
	case "application", "image", "audio", "video":
		return major + "/octet-stream", false
	case "html":
		return "text/html", false
	}
	return "text/plain", false
}

// isToken tells whether s is a token of RFC 2045, section 5.1.
func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// encodingName returns the name of a transfer encoding as RFC 2045, section 6.1 and
// practice have it. One that doesn't exist is odd.
func encodingName(s string) (name string, odd bool) {
	s, _ = fieldHead(LowerASCII(s[:min(len(s), 256)]))
	s = strings.Trim(s, " \t\"'")
	switch s {
	case "", "7bit", "8bit", "binary", "base64", "quoted-printable", "x-uuencode":
		return s, false
	case "7-bit", "7 bit", "7bits":
		return "7bit", false
	case "8-bit", "8 bit", "8bits":
		return "8bit", false
	case "base-64", "base 64", "x-base64":
		return "base64", false
	case "quoted printable", "quotedprintable", "quoted_printable", "quoted-printible", "x-quoted-printable":
		return "quoted-printable", false
	case "uuencode", "x-uue", "uue", "x-uu":
		return "x-uuencode", false
	}
	return s, true
}

// Type returns the type in lower case, as "text/html". Without a Content-Type it is
// "text/plain" (RFC 2045, section 5.2), in a multipart/digest "message/rfc822"; for a
// broken one it is what mail programs make of it. TypeOK and ContentType tell more.
func (p *Part) Type() string { return p.typ }

// TypeOK tells whether the Content-Type is well-formed or missing.
func (p *Part) TypeOK() bool { return p.typeOK }

// ContentType returns the value of the Content-Type field that counts as it stands,
// unfolded; "" without one.
func (p *Part) ContentType() string { return p.header.Get("Content-Type") }

// Param returns a parameter of Content-Type, decoded (RFC 2231 and encoded words); ""
// when there is none. The name is in lower case.
func (p *Part) Param(name string) string {
	if len(p.types) == 0 {
		return ""
	}
	v, _ := p.types[0].get(name)
	return v
}

// Disposition returns the value of Content-Disposition in lower case, "" without one.
func (p *Part) Disposition() string {
	if len(p.disposition) == 0 {
		return ""
	}
	return p.disposition[0].value
}

// Filename returns the name of the file, decoded, without folders in front of it; ""
// when none is given. It is that of Content-Disposition, else the name of
// Content-Type.
func (p *Part) Filename() string {
	if all := p.Filenames(); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Filenames returns all readings of the file's name, each once, the likeliest first:
// mail programs differ where a message gives several, or a broken one.
func (p *Part) Filenames() []string {
	var all []string
	if p.file != "" {
		all = append(all, p.file)
	}
	for _, f := range p.disposition {
		all = append(all, f.all("filename")...)
	}
	for _, f := range p.types {
		all = append(all, f.all("name")...)
	}
	var names []string
	for _, s := range all {
		s = strings.Trim(printableRunes(withoutNUL(s)), " \t")
		s = strings.ReplaceAll(s, `\`, "/")
		if s = path.Base(s); s != "." && s != "/" && s != "" && !slices.Contains(names, s) {
			names = append(names, cut(s, maxFilename))
		}
	}
	return names
}

const maxFilename = 1024 // bytes of the name of a file

// maxTwice bounds how often a field of MIME is read that may stand once.
const maxTwice = 8

// withoutNUL drops NULs, as mail programs do.
func withoutNUL(s string) string {
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\x00", "")
}

// Encoding returns the transfer encoding in lower case under its usual name, "" when
// none is given. One that doesn't exist is as it stands, and the body is taken as it
// is.
func (p *Part) Encoding() string { return p.encoding }

// ContentID returns Content-ID without its brackets, "" without one.
func (p *Part) ContentID() string {
	return strings.Trim(p.header.Get("Content-ID"), "<> \t")
}

// IsText tells whether the type is text/… or application/xhtml+xml.
func (p *Part) IsText() bool { return strings.HasPrefix(p.typ, "text/") || p.isHTML() }

// isHTML tells whether the part is HTML, also under the names that aren't registered.
func (p *Part) isHTML() bool {
	return p.typ == "text/html" || p.typ == "text/htm" || p.typ == "text/x-html" || p.typ == "application/xhtml+xml"
}

// IsMultipart tells whether the type is multipart/…
func (p *Part) IsMultipart() bool { return strings.HasPrefix(p.typ, "multipart/") }

// IsMessage tells whether the part is an embedded message that is looked into.
func (p *Part) IsMessage() bool { return p.embeds() }

// IsAttachment tells whether mail programs show the part as a file: it has a name,
// says that it is an attachment, or is neither text, multipart nor a message. The
// body of a message is none unless it is such a file itself.
func (p *Part) IsAttachment() bool {
	switch {
	case p.IsMultipart():
		return false
	case p.Disposition() == "attachment" || p.Filename() != "":
		return true
	}
	return !p.IsText() && !p.embeds()
}

// embeds tells whether the body is a message.
func (p *Part) embeds() bool {
	switch p.typ {
	case "message/rfc822", "message/global", "message/news":
		return true
	}
	return false
}

// encoded tells whether the body has a transfer encoding to undo.
func (p *Part) encoded() bool {
	switch p.encoding {
	case "base64", "quoted-printable", "x-uuencode":
		return true
	}
	return false
}

// Decoded returns the body with its transfer encoding undone as far as it can be. It
// must not be changed.
func (p *Part) Decoded() []byte {
	p.decoded.Do(func() {
		raw, t := p.Raw(), &p.content.tally
		at := p.body
		if p.base > 0 {
			at = p.base
		}
		switch {
		case p.IsMultipart() && len(p.children) > 0:
			p.content.bytes = raw
		case p.encoding == "base64":
			b, bad := mime.AppendBase64(nil, raw)
			p.content.bytes = b
			t.add(BadBase64, bad, at)
		case p.encoding == "quoted-printable":
			p.content.bytes = raw
			if bytes.IndexByte(raw, '=') >= 0 {
				b, bad := mime.AppendQuotedPrintable(nil, raw)
				p.content.bytes = b
				t.add(BadQuotedPrintable, bad, at)
			}
		case p.encoding == "x-uuencode":
			b, bad := mime.AppendUU(nil, raw)
			p.content.bytes = b
			if len(b) == 0 {
				bad++
			}
			t.add(BadUUencode, bad, at)
		default:
			p.content.bytes = raw
		}
	})
	return p.content.bytes
}

// Charset returns the charset that the part declares, in lower case; "" if none.
func (p *Part) Charset() string {
	s := strings.Trim(p.Param("charset"), " \t\"'")
	return LowerASCII(cut(s, maxCharset))
}

// GuessedCharset returns the charset in which Text was read where the declared one is
// missing, unknown or wrong; "" where Text follows Charset.
func (p *Part) GuessedCharset() string {
	p.Text()
	return p.text.Guessed
}

// Text returns the content of a text part in UTF-8; of text/html it is the source. It
// is "" for other parts, and only the beginning where Limits.TextBytes is exceeded.
// What is broken in it is replaced by U+FFFD.
func (p *Part) Text() string {
	if p.IsText() {
		p.read.Do(p.decodeText)
	}
	return p.text.String
}

func (p *Part) decodeText() {
	b, t := p.Decoded(), &p.text.tally
	at := p.body
	if p.base > 0 {
		at = p.base
	}
	if len(b) > p.share {
		b = b[:p.share]
		t.add(TextLimit, 1, at)
	}
	declared := p.Charset()
	if declared == "" && p.isHTML() {
		declared = htmltext.DeclaredCharset(b)
	}
	p.text.Text = mime.Decode(declared, b)
	switch r := p.text.Text; {
	case !r.Known:
		t.add(UnknownCharset, 1, at)
	case declared == "" && r.Guessed != "us-ascii":
		t.add(Undeclared8Bit, 1, at)
	case r.Bad > 0:
		t.add(BadCharset, r.Bad, at)
	}
	if p.text.Guessed == "us-ascii" {
		p.text.Guessed = ""
	}
}

// HTML returns the document that a text/html part holds (text/htm, text/x-html and
// application/xhtml+xml are taken for it), nil for other parts.
func (p *Part) HTML() *htmltext.Doc {
	if !p.isHTML() {
		return nil
	}
	p.html.once.Do(func() { p.html.doc = htmltext.Parse(p.Text(), htmltext.Limits{}) })
	return p.html.doc
}

// Visible returns what a reader sees of a text part: the Text of HTML; of other texts
// Text without uuencoded files and characters that have no glyph. It is "" for parts
// that aren't text.
func (p *Part) Visible() string {
	if doc := p.HTML(); doc != nil {
		return doc.Text
	}
	if !p.IsText() {
		return ""
	}
	p.shown.once.Do(func() {
		text := p.Text()
		if len(p.children) > 0 {
			text = p.withoutFiles()
		}
		p.shown.text, _ = htmltext.StripInvisible(text)
	})
	return p.shown.text
}

// withoutFiles returns the text around uuencoded files.
func (p *Part) withoutFiles() string {
	raw := p.Raw()
	var b []byte
	pos := p.body
	for _, c := range p.children {
		b = append(b, raw[pos-p.body:c.begin-p.body]...)
		pos = c.end
	}
	b = append(b, raw[min(pos-p.body, len(raw)):]...)
	return mime.Decode(p.Charset(), b[:min(len(b), p.share)]).String
}

// headerDefects looks at the fields of the part's header.
func (p *Part) headerDefects(t *tally) {
	at := p.begin
	if p.base > 0 {
		at = p.base
	}
	for _, f := range p.types {
		t.add(BadParameter, f.bad, at)
	}
	for _, f := range p.disposition {
		t.add(BadParameter, f.bad, at)
	}
	if !p.typeOK {
		t.add(BadContentType, 1, at)
	}
	if p.oddEncoding {
		t.add(UnknownEncoding, 1, at)
	}
	if p.encoded() && p.IsMultipart() {
		t.add(EncodedMultipart, 1, at)
	}
	p.fieldDefects(t, at)
}
