package mail

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
	"golang.org/x/text/encoding/charmap"
)

const (
	maxCharset     = 64   // bytes of a charset's name
	maxConversions = 1000 // conversions for one text; each costs as much as some KB of text
)

// DecodeText decodes the encoded words of an unfolded header value (RFC 2047) into
// UTF-8. It takes what mail programs take: words inside other text, with spaces and
// question marks inside, with broken base64, and characters cut in two between
// adjacent words. What can't be decoded stays as it is; bytes in an unknown charset
// are taken as UTF-8 if they are that, else as Windows-1252. The time is linear.
func DecodeText(s string) string {
	if !strings.Contains(s, "=?") {
		return guessText(s)
	}
	d := wordDecoder{in: s, end: mark{sub: "?=", at: -1}, stop: [2]mark{{" =?", -1}, {"\t=?", -1}}}
	for pos := 0; pos < len(s); {
		i := strings.Index(s[pos:], "=?")
		if i < 0 {
			d.text(s[pos:])
			break
		}
		i += pos
		w, next, ok := d.word(i)
		if !ok {
			next = i + 2
			d.text(s[pos:next])
		} else {
			d.text(s[pos:i])
			d.add(w)
		}
		pos = next
	}
	d.flush()
	return d.out.String()
}

// An encodedWord is one "=?charset?encoding?text?=".
type encodedWord struct {
	charset string
	base64  bool
	text    string
}

// A wordDecoder gathers the bytes of adjacent words of one charset before they are
// decoded, because careless programs split characters between words.
type wordDecoder struct {
	in      string
	end     mark    // the next end of a word
	stop    [2]mark // the next begin of a word behind white space
	out     strings.Builder
	charset string
	bytes   []byte
	count   int    // conversions so far
	open    bool   // the last thing seen was a word
	blank   string // white space seen since then
}

// word reads the encoded word at in[i:] and returns the index behind it.
func (d *wordDecoder) word(i int) (w encodedWord, next int, ok bool) {
	rest := d.in[i+2:]
	n := strings.IndexByte(rest[:min(len(rest), maxCharset)], '?')
	if n <= 0 || len(rest) < n+3 || rest[n+2] != '?' {
		return w, 0, false
	}
	w.charset, _, _ = strings.Cut(rest[:n], "*") // RFC 2231, section 5: a language may follow
	if strings.ContainsAny(w.charset, " \t") {
		return w, 0, false
	}
	switch rest[n+1] {
	case 'b', 'B':
		w.base64 = true
	case 'q', 'Q':
	default:
		return w, 0, false
	}
	begin := i + 2 + n + 3
	// White space is taken, but not the beginning of another word: then this one
	// was never closed.
	end := d.end.from(d.in, begin)
	if end == len(d.in) || d.stop[0].from(d.in, begin) < end || d.stop[1].from(d.in, begin) < end {
		return w, 0, false
	}
	w.text = d.in[begin:end]
	return w, end + 2, true
}

// A mark remembers where a text was found, so that all questions about it together
// take linear time.
type mark struct {
	sub string
	at  int // -1 before the first question
}

// from returns the index of the first sub in s[begin:], len(s) if there is none.
func (m *mark) from(s string, begin int) int {
	if m.at < begin {
		if m.at = len(s); begin < len(s) {
			if i := strings.Index(s[begin:], m.sub); i >= 0 {
				m.at = begin + i
			}
		}
	}
	return m.at
}

// text takes what stands between words. White space between two words isn't shown
// (RFC 2047, section 6.2).
func (d *wordDecoder) text(s string) {
	if s == "" {
		return
	}
	if d.open && strings.Trim(s, " \t") == "" {
		d.blank += s
		return
	}
	d.flush()
	d.out.WriteString(guessText(s))
}

// add takes a word.
func (d *wordDecoder) add(w encodedWord) {
	if d.open && !strings.EqualFold(d.charset, w.charset) {
		d.blank = ""
		d.flush()
	}
	d.open, d.blank, d.charset = true, "", w.charset
	if w.base64 {
		d.bytes = appendBase64(d.bytes, w.text)
	} else {
		d.bytes = appendQ(d.bytes, w.text)
	}
}

// flush writes the words gathered and the white space behind them.
func (d *wordDecoder) flush() {
	if d.open {
		d.out.WriteString(d.convert())
		d.out.WriteString(d.blank)
	}
	d.open, d.blank, d.bytes = false, "", d.bytes[:0]
}

// appendQ decodes the Q encoding; what is no valid escape stays as it is.
func appendQ(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '_':
			b = append(b, ' ')
		case s[i] == '=' && i+2 < len(s) && unhex(s[i+1]) < 16 && unhex(s[i+2]) < 16:
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return b
}

// unhex returns the value of a hexadecimal digit, 255 for anything else.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// appendBase64 decodes base64, skipping what isn't of its alphabet; padding in the
// middle begins a new run, padding at the end may be missing.
func appendBase64(b []byte, s string) []byte {
	var bits uint32
	n := 0
	for i := range len(s) {
		var v uint32
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z':
			v = uint32(c - 'A')
		case c >= 'a' && c <= 'z':
			v = uint32(c-'a') + 26
		case c >= '0' && c <= '9':
			v = uint32(c-'0') + 52
		case c == '+':
			v = 62
		case c == '/':
			v = 63
		case c == '=':
			n = 0
			continue
		default:
			continue
		}
		bits = bits<<6 | v
		if n += 6; n >= 8 {
			n -= 8
			b = append(b, byte(bits>>n))
		}
	}
	return b
}

// convert returns the words gathered in UTF-8, guessing where the charset says nothing
// or is wrong.
func (d *wordDecoder) convert() string {
	switch lowerASCII(d.charset) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return guessText(string(d.bytes))
	}
	if d.count++; d.count > maxConversions {
		return guessText(string(d.bytes))
	}
	return decodeCharset(d.charset, d.bytes)
}

// decodeCharset converts to UTF-8.
func decodeCharset(name string, b []byte) string {
	r, err := charset.Reader(name, strings.NewReader(string(b)))
	if err != nil {
		return guessText(string(b))
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return guessText(string(b))
	}
	return strings.ToValidUTF8(string(text), "\uFFFD")
}

// guessText returns bytes of no known charset as UTF-8.
func guessText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	text, err := charmap.Windows1252.NewDecoder().String(s)
	if err != nil {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return text
}
