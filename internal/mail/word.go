package mail

import (
	"strings"
	"unicode/utf8"

	"rmilter/internal/mime"
)

const (
	maxCharset     = 64        // bytes of a charset's name
	maxConversions = 1000      // conversions for one text; each costs as much as some KB of text
	maxWordText    = 256 << 10 // bytes of one text in which words are decoded
)

// DecodeText decodes the encoded words of an unfolded header value (RFC 2047) into
// UTF-8. It takes what mail programs take: words inside other text, with spaces and
// question marks inside, with broken base64, and characters cut in two between
// adjacent words. What can't be decoded stays as it is; bytes in an unknown charset
// are guessed at. Words beyond the first 256 KB stay as they are. The time is linear.
func DecodeText(s string) string {
	if !strings.Contains(s, "=?") {
		return guessText(s)
	}
	if len(s) > maxWordText {
		return DecodeText(s[:maxWordText]) + guessText(s[maxWordText:])
	}
	d := newWordDecoder(s)
	return d.decode()
}

func newWordDecoder(s string) wordDecoder {
	return wordDecoder{in: s, end: mark{sub: "?=", at: -1}, stop: [2]mark{{" =?", -1}, {"\t=?", -1}}}
}

// decode returns the whole text decoded.
func (d *wordDecoder) decode() string {
	s := d.in
	for pos := 0; pos < len(s); {
		i := strings.Index(s[pos:], "=?")
		if i < 0 {
			d.text(s[pos:])
			break
		}
		i += pos
		w, next, ok := d.word(i)
		if !ok {
			d.broken++
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
	bad     int    // faults in words
	broken  int    // "=?" that begin no word
	unknown int    // words of unknown charsets
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
	bad := 0
	if w.base64 {
		d.bytes, bad = mime.AppendBase64(d.bytes, w.text)
	} else {
		d.bytes, bad = mime.AppendQ(d.bytes, w.text)
	}
	d.bad += bad
}

// flush writes the words gathered and the white space behind them.
func (d *wordDecoder) flush() {
	if d.open {
		d.out.WriteString(d.convert())
		d.out.WriteString(d.blank)
	}
	d.open, d.blank, d.bytes = false, "", d.bytes[:0]
}

// convert returns the words gathered in UTF-8, guessing where the charset says nothing
// or is wrong.
func (d *wordDecoder) convert() string {
	if d.count++; d.count > maxConversions {
		return guessText(string(d.bytes))
	}
	t := mime.Decode(d.charset, d.bytes)
	if !t.Known {
		d.unknown++
	} else if t.Bad > 0 {
		d.bad++
	}
	return t.String
}

// guessText returns bytes of no known charset as UTF-8.
func guessText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return mime.Decode("", []byte(s)).String
}
