package authres

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"rmilter/internal/mail"
)

// Bounds of a host name in bytes (RFC 1035, section 2.3.4).
const (
	maxName  = 253
	maxLabel = 63
)

// maxHead bounds what is searched for an id in Unicode, in bytes. There is no service whose
// name needs more.
const maxHead = 512

// ServiceID returns the authserv-id that a name gives: the name with A-labels and without
// a final dot. It tells whether the name may be one: RFC 8601, section 2.5, advises a
// domain, and programs read anything but letters, digits, "-", "_" and "." differently.
func ServiceID(name string) (string, bool) {
	id := strings.TrimSuffix(name, ".")
	if !ascii(id) {
		id = plain(id)
	}
	if strings.IndexFunc(id, separates) >= 0 {
		return "", false
	}
	if !ascii(id) {
		id = mail.ParseAddress("x@" + id).Domain
	}
	for label := range strings.SplitSeq(id, ".") {
		if label == "" || len(label) > maxLabel || !ascii(label) {
			return "", false
		}
	}
	if len(id) > maxName {
		return "", false
	}
	return id, true
}

// A Service is one that writes fields, as it is found in those of others. The zero
// Service is none. It is safe for concurrent use.
type Service struct {
	labels  []spelling
	longest int // bytes that the name has at most, in Unicode of any form
}

// A spelling is what a label may look like after plain.
type spelling struct{ ascii, unicode string }

// ServiceOf returns the service with an authserv-id, which is one that ServiceID gives.
func ServiceOf(id string) Service {
	var s Service
	if id == "" {
		return s
	}
	for label := range strings.SplitSeq(plain(id), ".") {
		u, err := idna.Lookup.ToUnicode(label)
		if err != nil {
			u = label
		}
		l := spelling{label, plain(u)}
		s.labels = append(s.labels, l)
		// A character is composed of four at most, which have four bytes each.
		s.longest += 16 * (max(len(l.ascii), len(l.unicode)) + 1)
	}
	return s
}

// Claims tells whether the field with this value claims to be the word of the service. It
// then has to be removed from what comes from outside (RFC 8601, section 5). Capitals,
// quotes, comments, a version, dots around it, and Unicode for A-labels don't make a
// difference. An id that is a plain word has to be that of the service. Programs read
// differently what is none: such a field claims to be the service's when its name is a
// word of what stands before the first result, or when that is long and not in ASCII.
func (s Service) Claims(value string) bool {
	if len(s.labels) == 0 {
		return false
	}
	if id, ok := plainID(value); ok {
		id = strings.Trim(id, ".")
		return len(id) <= s.longest && s.is(plain(id))
	}
	head := value[:results(value)]
	if len(head) > maxHead && !ascii(head) {
		return true
	}
	head = plain(head)
	return s.within(head) || strings.IndexByte(head, '(') >= 0 && s.within(withoutComments(head))
}

// is tells whether a folded word is the service's name.
func (s Service) is(word string) bool {
	word = strings.Trim(word, ".")
	for i, l := range s.labels {
		label, rest, more := strings.Cut(word, ".")
		if label != l.ascii && label != l.unicode || more != (i < len(s.labels)-1) {
			return false
		}
		word = rest
	}
	return true
}

// within tells whether the service's name is a word of a folded text, whether quotes,
// backslashes and control characters stand between words or within them.
func (s Service) within(text string) bool {
	joined := strings.Map(func(r rune) rune {
		if r == '"' || r == '\\' || r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	for word := range strings.FieldsFuncSeq(text, separates) {
		if s.is(word) {
			return true
		}
	}
	if len(joined) == len(text) {
		return false
	}
	for word := range strings.FieldsFuncSeq(joined, separates) {
		if s.is(word) {
			return true
		}
	}
	return false
}

// separates tells whether a character is none of a host name.
func separates(r rune) bool {
	return r != '-' && r != '_' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
}

// plainID returns the authserv-id of a value that begins as RFC 8601, section 2.2, wants
// it: with a token, quoted or not, and perhaps a version and comments behind it, up to a
// semicolon or the end.
func plainID(value string) (string, bool) {
	value = strings.TrimLeft(value, " \t\r\n")
	quoted := strings.HasPrefix(value, `"`)
	value = strings.TrimPrefix(value, `"`)
	end := strings.IndexFunc(value, func(r rune) bool { return notToken(r) || r >= 0x7f && separates(r) })
	if end < 0 {
		end = len(value)
	}
	id, rest := value[:end], value[end:]
	if quoted {
		var closed bool
		if rest, closed = strings.CutPrefix(rest, `"`); !closed {
			return "", false
		}
	}
	if id == "" || rest != "" && strings.IndexByte(" \t\r\n(;", rest[0]) < 0 {
		return "", false
	}
	r := &reader{s: rest, whole: true}
	r.space()
	for r.i < len(rest) && '0' <= rest[r.i] && rest[r.i] <= '9' {
		r.i++
	}
	r.space()
	return id, r.whole && (r.i == len(rest) || rest[r.i] == ';')
}

// results returns where the first result begins in a value. One that has no authserv-id
// may be read as if its first method were it: that is before the results.
func results(value string) int {
	r := &reader{s: value}
	for begin := 0; ; begin = r.i {
		r.space()
		r.keep = maxWord
		first := word{text: r.word(true)}
		r.keep = 0
		end := r.i
		r.space()
		first.equals = r.i < len(value) && value[r.i] == '='
		if isResult(segment{words: []word{first}}) {
			if begin == 0 {
				return end
			}
			return begin
		}
		for r.i < len(value) && value[r.i] != ';' {
			if value[r.i] == '=' {
				r.i++
			}
			r.word(true)
			r.space()
		}
		if r.i == len(value) {
			return r.i
		}
		r.i++ // the semicolon
	}
}

// withoutComments returns a text without comments. One that has no end goes on to the end.
func withoutComments(s string) string {
	var b strings.Builder
	r := &reader{s: s}
	for r.i < len(s) {
		begin := r.i
		switch s[r.i] {
		case '(':
			r.comment()
			continue
		case '"':
			r.quoted(&strings.Builder{})
		default:
			r.i++
		}
		b.WriteString(s[begin:r.i])
	}
	return b.String()
}

// plain returns a text in which nothing is left of capitals, of widths and other forms of
// characters, and of those that aren't seen. It maps all to one that the mapping of IDNA
// (UTS 46) does, in linear time.
func plain(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	return norm.NFKC.String(strings.Map(func(r rune) rune {
		switch {
		case r < utf8.RuneSelf: // unicode.In is slow
		case unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			return -1
		case r == '。':
			return '.'
		}
		return unicode.ToLower(r)
	}, norm.NFKC.String(s)))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
