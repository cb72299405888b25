package mail

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"rmilter/internal/htmltext"
)

// Bounds of Links.
const (
	maxLinks = 10_000
	maxURL   = 8192   // bytes of a link in plain text
	maxWraps = 5      // lines that a link in angle brackets goes on for
	maxNames = 50_000 // names in one text whose top level domain is looked up
)

// A Link is a reference that a message contains.
type Link struct {
	URL    string          // as a browser would take it; in plain text with the scheme that is meant
	Text   string          // what shows the link: the content of an anchor; of plain text what stands there
	Kind   LinkKind        // where it was found
	Hidden htmltext.Reason // what hides it from the eye, Shown if nothing
	Images int             // how many images show it
	Part   *Part           // the part that it is in, never nil
}

// A LinkKind is where a link was found.
type LinkKind byte

// The kinds of links.
const (
	LinkAnchor     LinkKind = iota // a element of HTML
	LinkImage                      // picture of HTML
	LinkForm                       // target of a form
	LinkResource                   // loaded by HTML otherwise
	LinkRefresh                    // meta refresh
	LinkStyle                      // url() of a style
	LinkText                       // plain text, or visible text of HTML outside of anchors
	LinkAddress                    // e-mail address in text
	LinkName                       // domain name in text with nothing around it, as "example.com"
	LinkObfuscated                 // link in text that only people understand, as "hxxp://example[.]com"; its URL is what is meant
)

// String returns the kind as a word for people.
func (k LinkKind) String() string {
	return [...]string{"anchor", "image", "form", "resource", "refresh", "style", "text", "address", "name", "obfuscated", "?"}[min(k, LinkObfuscated+1)]
}

// Links returns the references of all text parts in order, attachments included, at
// most 10,000. In plain text, and in the text of HTML outside of anchors, those are
// what mail programs turn into links: URLs, names that begin with "www." and e-mail
// addresses.
func (m *Message) Links() []Link {
	m.linked.Do(func() {
		for _, p := range m.Parts() {
			if p.IsText() {
				m.links = p.appendLinks(m.links)
			}
		}
	})
	return m.links
}

func (p *Part) appendLinks(all []Link) []Link {
	doc := p.HTML()
	if doc == nil {
		return p.textLinks(all, p.Visible(), nil)
	}
	base := newLinkBase(doc.Base)
	for _, l := range doc.Links {
		if len(all) >= maxLinks {
			return all
		}
		all = append(all, Link{URL: withScheme(l.URL, base), Text: l.Text, Kind: LinkKind(l.Kind), Hidden: l.Hidden, Images: l.Images, Part: p})
	}
	return p.textLinks(all, doc.Text, doc.Links)
}

// withScheme completes a target in HTML as mail programs do: relative ones by the base
// of the document, "//host/", "www.host" and "joe@host" by the scheme that is meant.
func withScheme(target string, base linkBase) string {
	i := strings.IndexAny(target, ":/?#@")
	switch {
	case target == "" || i >= 0 && target[i] == ':' || target[0] == '#':
		return target
	case strings.HasPrefix(target, "//"):
		return "http:" + target
	case hasPrefixFold(target, "www."):
		return "http://" + target
	case i > 0 && target[i] == '@' && isMailDomain(LowerASCII(target[i+1:])):
		return "mailto:" + target
	case base.url != nil:
		if t, err := base.url.Parse(target); err == nil {
			return t.String()
		}
	}
	return base.text + target
}

// A linkBase is what the relative links of a document are added to. The zero value is
// none.
type linkBase struct {
	text string
	url  *url.URL // nil when it can't be read: browsers forgive more
}

// newLinkBase reads the base of a document, of which only the beginning counts: it is
// added to every link.
func newLinkBase(s string) linkBase {
	if s == "" {
		return linkBase{}
	}
	b := linkBase{text: withScheme(cut(s, maxURL), linkBase{})}
	if u, err := url.Parse(b.text); err == nil {
		b.url = u
	}
	return b
}

// textLinks finds links in text outside of anchors.
func (p *Part) textLinks(all []Link, text string, anchors []htmltext.Link) []Link {
	f := linkFinder{s: text}
	for pos := 0; pos < len(text) && len(all) < maxLinks; {
		i := f.next(pos)
		if i < 0 {
			break
		}
		begin, end, url, kind := f.at(i)
		if url == "" {
			pos = i + 1
			continue
		}
		pos, f.low = end, end
		for len(anchors) > 0 && (anchors[0].Kind != htmltext.Anchor || anchors[0].End <= begin) {
			anchors = anchors[1:]
		}
		if len(anchors) > 0 && anchors[0].Begin >= 0 && anchors[0].Begin < end {
			continue
		}
		all = append(all, Link{URL: url, Text: text[begin:end], Kind: kind, Part: p})
	}
	return all
}

// A linkFinder finds links in plain text.
type linkFinder struct {
	s     string
	low   int // where the last link ends
	names int // names that were looked up
}

// next returns where the next character is that links have: the ":" of a scheme,
// the "@" of an address, the "." of a name.
func (f *linkFinder) next(pos int) int {
	s := f.s
	for i := pos; i < len(s); i++ {
		switch s[i] {
		case ':':
			if i+2 < len(s) && (s[i+1] == '/' || s[i+1] == '\\') && (s[i+2] == '/' || s[i+2] == '\\') || i >= 6 && strings.EqualFold(s[i-6:i], "mailto") {
				return i
			}
		case '@':
			return i
		case '.':
			if i > pos && i+2 < len(s) && isWordByte(s[i-1]) && isWordByte(s[i+1]) && s[i+1] > '9' || f.disguisedMark(i) {
				return i
			}
		case '[', '(', '{', 'd', 'D':
			if f.disguisedMark(i) {
				return i
			}
		}
	}
	return -1
}

// at reads the link around the mark at i.
func (f *linkFinder) at(i int) (begin, end int, url string, kind LinkKind) {
	switch f.s[i] {
	case ':':
		if begin, end, url, kind = f.disguisedURL(i, i+len("://")); url != "" {
			return begin, end, url, kind
		}
		return schemeAt(f.s, i, f.low)
	case '@':
		return addressAt(f.s, i, f.low)
	case '.':
		if f.s[i-1] != ' ' {
			return f.name(i)
		}
	}
	return f.disguised(i)
}

// name reads "www.example.com/path", and "example.com/path" if there is such a top
// level domain.
func (f *linkFinder) name(i int) (begin, end int, url string, kind LinkKind) {
	s, low := f.s, f.low
	for begin = i; begin > low && i-begin < maxLabel && (isWordByte(s[begin-1]) || s[begin-1] == '-'); begin-- {
	}
	if begin > low && (s[begin-1] == '.' || s[begin-1] == '@' || s[begin-1] == '/' || s[begin-1] == '_') || s[begin] == '-' {
		return 0, 0, "", 0
	}
	www := strings.EqualFold(s[begin:i], "www")
	stop := i
	for ; stop < len(s) && stop-begin < maxDomain && isNameByte(s[stop]); stop++ {
	}
	name := strings.TrimRight(s[begin:stop], ".-_")
	if _, hidden := dotAt(s, stop, www); hidden {
		if end, url = f.unmask(begin, www); url != "" {
			return begin, end, "http://" + url, LinkObfuscated
		}
	}
	kind = LinkText
	if !www {
		kind = LinkName
		if stop < len(s) && s[stop] == '@' || !f.known(name) {
			return 0, 0, "", 0
		}
	}
	if end = urlEnd(s, begin); end < begin+len(name) {
		end = begin + len(name)
	}
	if c := s[begin+len(name) : end]; c != "" && c[0] != '/' && c[0] != ':' && c[0] != '?' && c[0] != '#' {
		end = begin + len(name)
	}
	return begin, end, "http://" + s[begin:end], kind
}

// knownDomain tells whether a name ends in a top level domain that exists.
func knownDomain(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 || len(name)-dot < 3 || strings.Contains(name, "..") || strings.Contains(name, "_") {
		return false
	}
	if two := strings.LastIndexByte(name[:dot], '.'); two >= 0 {
		name = name[two+1:]
	}
	_, icann := publicsuffix.PublicSuffix(asciiDomain(name))
	return icann
}

const maxLabel = 64 // bytes of a label of a domain

// schemeAt reads "http://…", "https://…", "ftp://…", "mailto:…".
func schemeAt(s string, i, low int) (begin, end int, url string, kind LinkKind) {
	for _, scheme := range [...]string{"http", "https", "ftp", "ftps", "file", "mailto"} {
		begin = i - len(scheme)
		if begin < low || !strings.EqualFold(s[begin:i], scheme) || begin > 0 && isWordByte(s[begin-1]) && scheme != "http" && scheme != "https" {
			continue
		}
		end = urlEnd(s, begin)
		least := i + len("://")
		if scheme == "mailto" {
			least = i + 1
		}
		if end <= least {
			return 0, 0, "", 0
		}
		if end, url = wrapped(s, begin, end); url != "" {
			return begin, end, url, LinkText
		}
		return begin, end, htmltext.CleanURL(s[begin:end]), LinkText
	}
	return 0, 0, "", 0
}

// wrapped joins a URL in angle brackets that goes on in the next lines (RFC 3986,
// appendix C).
func wrapped(s string, begin, end int) (whole int, url string) {
	if begin == 0 || s[begin-1] != '<' {
		return end, ""
	}
	url = s[begin:end]
	for n, pos := 0, end; n < maxWraps; n++ {
		ahead := s[pos:min(len(s), pos+maxURL)]
		rest := strings.TrimLeft(ahead, " \t")
		if rest == "" || rest[0] != '\n' && rest[0] != '\r' {
			break
		}
		pos += len(ahead) - len(strings.TrimLeft(rest, " \t\r\n"))
		stop := urlEnd(s, pos)
		if stop == pos {
			break
		}
		url += s[pos:stop]
		if pos = stop; pos < len(s) && s[pos] == '>' {
			return pos, htmltext.CleanURL(url)
		}
	}
	return end, ""
}

// addressAt reads an e-mail address around its "@".
func addressAt(s string, i, low int) (begin, end int, url string, kind LinkKind) {
	for begin = i; begin > low && i-begin < 128 && isLocalByte(s[begin-1]); begin-- {
	}
	for begin < i && s[begin] == '.' {
		begin++
	}
	dot := -1
	for end = i + 1; end < len(s) && end-i < maxDomain && isNameByte(s[end]); end++ {
		if s[end] == '.' {
			dot = end
		}
	}
	for end > i+1 && (s[end-1] == '.' || s[end-1] == '-' || s[end-1] == '_') {
		end--
	}
	dot = strings.LastIndexByte(s[i+1:end], '.')
	if begin == i || dot <= 0 || i+1+dot+2 >= end {
		return 0, 0, "", 0
	}
	return begin, end, "mailto:" + s[begin:end], LinkAddress
}

// urlEnd returns where the URL that begins at begin ends: at white space, quotes,
// angle brackets, and without the punctuation of the sentence around it.
func urlEnd(s string, begin int) int {
	end := begin
	open, shut := 0, 0
	for end < len(s) && end-begin < maxURL {
		c := s[end]
		if c <= ' ' || c == '<' || c == '>' || c == '"' || c == 0x7f || c == '`' {
			break
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[end:])
			if endsURL(r) {
				break
			}
			end += n
			continue
		}
		switch c {
		case '(':
			open++
		case ')':
			shut++
		case ',', ';':
			if hasPrefixFold(s[end+1:], "http") {
				return end
			}
		}
		end++
	}
	for end > begin {
		switch c := s[end-1]; c {
		case '.', ',', ';', ':', '!', '?', '\'', '*', '_', '~', '|', ']', '}':
		case ')':
			if shut <= open {
				return end
			}
			shut--
		default:
			return end
		}
		end--
	}
	return end
}

// endsURL tells whether a character that isn't ASCII can't be part of a URL in text:
// spaces, quotes, brackets and full stops of other scripts.
func endsURL(r rune) bool {
	switch {
	case r == utf8.RuneError, r == 0xa0, r == 0xab, r == 0xbb, r >= 0x2000 && r <= 0x206f, r >= 0x3000 && r <= 0x301f:
		return true
	case r == '，', r == '；', r == '：', r == '！', r == '？', r == '（', r == '）':
		return true
	}
	return false
}

func isWordByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c >= utf8.RuneSelf
}

func isNameByte(c byte) bool { return isWordByte(c) || c == '-' || c == '.' || c == '_' }

func isLocalByte(c byte) bool {
	return isWordByte(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) >= 0
}

// TextLinks returns what mail programs turn into links in a text, as Message.Links has
// it of plain text. Their Part is nil.
func TextLinks(text string) []Link { return (*Part)(nil).textLinks(nil, text, nil) }
