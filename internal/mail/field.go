package mail

import (
	"strings"
	"unicode/utf8"
)

// uniqueFields are the fields that may stand once in a message (RFC 5322, section
// 3.6; RFC 2045, section 3 and following; RFC 2183). Nobody writes to it.
var uniqueFields = [...]string{
	"Date", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Message-ID", "In-Reply-To", "References", "Subject",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID",
}

// maxWordFields is how many fields of a header are searched for broken encoded words.
const maxWordFields = 1000

// fieldDefects looks at what all fields of the part's header have in common.
func (p *Part) fieldDefects(t *tally, at int) {
	var seen [len(uniqueFields)]bool
	for n, f := range p.header {
		offset := at
		if p.base == 0 {
			offset = int(p.places[n])
		}
		for i, name := range uniqueFields {
			if len(f.Name) == len(name) && f.Is(name) {
				if seen[i] {
					t.add(DuplicateField, 1, offset)
				}
				seen[i] = true
				break
			}
		}
		if !isASCII(f.Raw) {
			if utf8.ValidString(f.Raw) {
				t.add(HeaderUTF8, 1, offset)
			} else {
				t.add(Header8Bit, 1, offset)
			}
		}
		if n < maxWordFields && strings.Contains(f.Raw, "=?") {
			value := f.Value()
			d := newWordDecoder(value[:min(len(value), maxWordText)])
			d.decode()
			t.add(InvalidEncodedWord, d.bad+d.broken, offset)
			t.add(UnknownWordCharset, d.unknown, offset)
		}
	}
}

// Field returns the first field of this name. ok is false when there is none.
func (h Header) Field(name string) (f Field, ok bool) {
	for _, f := range h {
		if f.Is(name) {
			return f, true
		}
	}
	return Field{}, false
}

// Fields returns every field of this name in order.
func (h Header) Fields(name string) []Field {
	var all []Field
	for _, f := range h {
		if f.Is(name) {
			all = append(all, f)
		}
	}
	return all
}

// Texts returns the Text of every field of this name in order.
func (h Header) Texts(name string) []string {
	var all []string
	for _, f := range h {
		if f.Is(name) {
			all = append(all, f.Text())
		}
	}
	return all
}
