package htmltext

import (
	"bytes"
	"strings"
)

// A token is a piece of the source.
type token byte

const (
	endOfSource token = iota
	textToken         // scanner.text: text with entities still in it
	rawToken          // scanner.text: content of the raw element scanner.elem, entities are none but in title and textarea
	startTag          // scanner.elem, scanner.attrs
	endTag            // scanner.elem
	comment           // scanner.text: what stands between the marks
)

// A scanner splits the source as the tokenizer of the WHATWG standard does (section
// 13.2.5), with what mail programs forgive.
type scanner struct {
	s      string
	pos    int
	elem   element // of the last tag
	raw    element // whose content comes next, unknown if none
	text   string
	attrs  [attributeCount]string // values as they stand, of the last start tag
	given  [attributeCount]bool   // which the last start tag has
	used   []attribute            // those given, to clear them
	closed bool                   // the last start tag ends in "/>"
	none   [128]bool              // the rest of the source has no such byte
	noEnd  [elementCount]bool     // the rest of the source has no end tag of this raw element
	noMark bool                   // the rest of the source has no end of a comment
	faults *[FaultKinds]int
	hash   uint32 // of the name of the last tag, if its element is unknown
	tag    []byte // the name of the last tag in lower case, cut where it is too long to matter
	buf    [maxName]byte
	name   [maxName]byte // scratch space for names of attributes
}

// next reads the next token.
func (z *scanner) next() token {
	if z.raw != unknown {
		return z.rawText()
	}
	begin := z.pos
	for z.pos < len(z.s) {
		i := strings.IndexByte(z.s[z.pos:], '<')
		if i < 0 {
			z.pos = len(z.s)
			break
		}
		z.pos += i
		if z.markup() {
			if z.pos > begin {
				break
			}
			return z.readTag()
		}
		z.pos++
	}
	if z.pos == begin {
		return endOfSource
	}
	z.text = z.s[begin:z.pos]
	return textToken
}

// markup tells whether the "<" at pos begins a tag or comment.
func (z *scanner) markup() bool {
	i := z.pos + 1
	if i < len(z.s) && z.s[i] == '/' {
		i++
		return i < len(z.s)
	}
	return i < len(z.s) && (letter(z.s[i]) || z.s[i] == '!' || z.s[i] == '?')
}

// strange tells whether the last tag is one that HTML doesn't have, nor Word.
func (z *scanner) strange() bool {
	return z.elem == unknown && bytes.IndexByte(z.tag, ':') < 0
}

// readTag reads the tag or comment at pos.
func (z *scanner) readTag() token {
	rest := z.s[z.pos:]
	switch {
	case letter(rest[1]):
		z.pos++
		z.elem = z.tagName()
		z.attributes()
		if z.elem.raw() && !z.closed {
			z.raw = z.elem
		}
		return startTag
	case rest[1] == '/' && letter(rest[2]):
		z.pos += 2
		z.elem = z.tagName()
		z.attributes()
		return endTag
	case strings.HasPrefix(rest, "<!--"):
		return z.comment()
	}
	// A comment that isn't one: <!DOCTYPE>, <?xml?>, <![CDATA[, </3>.
	i := z.index('>', 2)
	if i < 0 {
		z.faults[UnclosedTag]++
		i = len(z.s)
	}
	z.text, z.pos = z.s[min(z.pos+2, i):i], min(i+1, len(z.s))
	return comment
}

// index finds a byte at least skip bytes behind pos, -1 if there is none. That there
// is none is remembered, so that all questions together take linear time.
func (z *scanner) index(c byte, skip int) int {
	from := min(z.pos+skip, len(z.s))
	if z.none[c] {
		return -1
	}
	i := strings.IndexByte(z.s[from:], c)
	if i < 0 {
		z.none[c] = true
		return -1
	}
	return from + i
}

// comment reads "<!--…-->"; "<!-->" and "<!--->" are empty ones.
func (z *scanner) comment() token {
	from := z.pos + len("<!--")
	rest := z.s[from:]
	switch {
	case strings.HasPrefix(rest, ">"):
		z.text, z.pos = "", from+1
	case strings.HasPrefix(rest, "->"):
		z.text, z.pos = "", from+2
	default:
		end, next := -1, 0
		if !z.noMark {
			end, next = commentEnd(rest)
			z.noMark = end < 0
		}
		if end < 0 {
			// Unlike a browser, go on behind the next ">": else an unclosed comment
			// would hide all that follows from us, and some programs show it.
			z.faults[UnclosedComment]++
			if end = z.index('>', len("<!--")) - from; end < 0 {
				end = len(rest)
			}
			next = min(end+1, len(rest))
		}
		z.text, z.pos = rest[:end], from+next
	}
	return comment
}

// commentEnd finds "-->" or "--!>".
func commentEnd(s string) (end, next int) {
	for i := 0; ; {
		j := strings.Index(s[i:], "--")
		if j < 0 {
			return -1, 0
		}
		i += j
		switch {
		case strings.HasPrefix(s[i+2:], ">"):
			return i, i + 3
		case strings.HasPrefix(s[i+2:], "!>"):
			return i, i + 4
		}
		i++
	}
}

// tagName reads the name at pos. NULs in it are passed over, as some programs do.
func (z *scanner) tagName() element {
	z.tag, z.hash = z.buf[:0], 2166136261 // FNV-1a
	long := false
	for ; z.pos < len(z.s); z.pos++ {
		c := z.s[z.pos]
		if space(c) || c == '/' || c == '>' {
			break
		}
		if c == 0 {
			z.faults[NULByte]++
			continue
		}
		c = lower(c)
		z.hash = (z.hash ^ uint32(c)) * 16777619
		if len(z.tag) == maxName {
			long = true
		} else {
			z.tag = append(z.tag, c)
		}
	}
	if long {
		return unknown
	}
	e := lookupElement(string(z.tag))
	if e != unknown && e != elInline && e != elBlock && e != elTbody {
		z.hash = 0
	}
	return e
}

// rawText reads up to the end tag of the element z.raw.
func (z *scanner) rawText() token {
	elem := z.raw
	z.raw = unknown
	end := len(z.s)
	if elem != elPlaintext {
		end = z.rawEnd(elem)
	}
	z.elem, z.text, z.pos = elem, z.s[z.pos:end], end
	return rawToken
}

// rawEnd finds the end tag of a raw element. Where there is none, a browser drops all
// the rest; the content of elements of the head ends with the head here, and others
// are read as if they weren't raw.
func (z *scanner) rawEnd(elem element) int {
	name := rawName(elem)
	if !z.noEnd[elem] {
		if end := z.endTagOf(name, z.pos); end >= 0 {
			return end
		}
		z.noEnd[elem] = true
	}
	z.faults[UnclosedTag]++
	if elem == elStyle || elem == elTitle || elem == elScript {
		if !z.noEnd[elHead] {
			if end := z.endTagOf("head", z.pos); end >= 0 {
				return end
			}
			z.noEnd[elHead] = true
		}
	}
	return z.pos
}

// endTagOf finds "</name" behind from, -1 if there is none.
func (z *scanner) endTagOf(name string, from int) int {
	for {
		i := strings.Index(z.s[from:], "</")
		if i < 0 {
			return -1
		}
		from += i
		if foldPrefix(z.s[from+2:], name) && z.nameEnds(from+2+len(name)) {
			return from
		}
		from += 2
	}
}

// nameEnds tells whether a tag's name can't go on at i.
func (z *scanner) nameEnds(i int) bool {
	return i >= len(z.s) || space(z.s[i]) || z.s[i] == '/' || z.s[i] == '>'
}

func rawName(e element) string {
	switch e {
	case elIframe:
		return "iframe"
	case elNoembed:
		return "noembed"
	case elNoframes:
		return "noframes"
	case elScript:
		return "script"
	case elStyle:
		return "style"
	case elTextarea:
		return "textarea"
	case elTitle:
		return "title"
	}
	return "xmp"
}

// attributes reads the attributes up to the tag's end.
func (z *scanner) attributes() {
	for _, a := range z.used {
		z.attrs[a], z.given[a] = "", false
	}
	z.used, z.closed = z.used[:0], false
	for z.pos < len(z.s) {
		c := z.s[z.pos]
		switch {
		case c == '>':
			z.pos++
			return
		case c == '/' || space(c):
			z.closed = c == '/'
			z.pos++
		default:
			z.closed = false
			z.attribute()
		}
	}
	z.faults[UnclosedTag]++
}

// attribute reads one attribute at pos. Of several with one name the first counts.
func (z *scanner) attribute() {
	n, long := 0, false
	for first := true; z.pos < len(z.s); z.pos++ {
		c := z.s[z.pos]
		if space(c) || c == '/' || c == '>' || c == '=' && !first {
			break
		}
		first = false
		if n == maxName {
			long = true
		} else if c != 0 {
			z.name[n] = lower(c)
			n++
		}
	}
	value := z.value()
	if long {
		return
	}
	if a := lookupAttribute(string(z.name[:n])); a != noAttribute && !z.given[a] {
		z.attrs[a], z.given[a] = value, true
		z.used = append(z.used, a)
	}
}

// value reads "= value" at pos, if there is one.
func (z *scanner) value() string {
	i := z.pos
	for i < len(z.s) && space(z.s[i]) {
		i++
	}
	if i == len(z.s) || z.s[i] != '=' {
		return ""
	}
	for i++; i < len(z.s) && space(z.s[i]); {
		i++
	}
	z.pos = i
	if i == len(z.s) {
		return ""
	}
	if q := z.s[i]; q == '"' || q == '\'' {
		if end := z.index(q, 1); end >= 0 {
			z.pos = end + 1
			return z.s[i+1 : end]
		}
		z.faults[UnclosedQuote]++
		z.pos++
		i++
	}
	for z.pos < len(z.s) && !space(z.s[z.pos]) && z.s[z.pos] != '>' {
		z.pos++
	}
	return z.s[i:z.pos]
}

func space(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f'
}

func letter(c byte) bool {
	c |= 0x20
	return c >= 'a' && c <= 'z'
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// foldPrefix tells whether s begins with prefix, which is in lower case.
func foldPrefix(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(s[i]) != prefix[i] {
			return false
		}
	}
	return true
}
