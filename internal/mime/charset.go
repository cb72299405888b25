package mime

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// maxCharset bounds the name of a character set in bytes.
const maxCharset = 64

// A Charset is a character set that text can be read in. The zero Charset is US-ASCII.
// It never changes.
type Charset struct {
	name   string
	kind   charsetKind
	enc    encoding.Encoding // of kind byTable
	single *charmap.Charmap  // the same, where a byte is a character and ASCII is ASCII
}

type charsetKind byte

const (
	ascii charsetKind = iota
	utf8Kind
	byTable
	utf7
	utf16
	utf32
	iso2022kr
	iso2022cn
)

// Lookup finds a character set by one of its names: those of the WHATWG index, which
// mail programs follow, and of the IANA registry, and the misspellings seen in mail.
// Case, quotes and white space around it don't matter.
func Lookup(name string) (c Charset, ok bool) {
	name = strings.Trim(name, " \t\r\n\"'")
	if name == "" || len(name) > maxCharset {
		return Charset{}, false
	}
	name = strings.ToLower(name)
	if c, ok := special(name); ok {
		return c, true
	}
	if enc := index(name); enc != nil {
		return table(name, enc), true
	}
	alias := respell(name)
	if c, ok := special(alias); ok {
		return c, true
	}
	if enc := index(alias); enc != nil {
		return table(alias, enc), true
	}
	if i := strings.IndexAny(name, " \t"); i > 0 {
		return Lookup(name[:i])
	}
	return Charset{}, false
}

// special finds what has no table.
func special(name string) (c Charset, ok bool) {
	switch name {
	case "utf-8", "utf8", "unicode-1-1-utf-8", "x-utf_8j":
		return Charset{name: "utf-8", kind: utf8Kind}, true
	case "us-ascii", "ascii", "ansi_x3.4-1968":
		return Charset{name: "us-ascii"}, true
	case "utf-7", "unicode-1-1-utf-7", "csutf7":
		return Charset{name: "utf-7", kind: utf7}, true
	case "utf-16", "ucs-2", "unicode", "iso-10646-ucs-2", "csunicode", "utf-16be", "unicodefffe", "utf-16le", "unicodefeff":
		return Charset{name: name, kind: utf16}, true
	case "utf-32", "utf-32be", "utf-32le", "ucs-4", "iso-10646-ucs-4":
		return Charset{name: name, kind: utf32}, true
	case "iso-2022-kr", "csiso2022kr":
		return Charset{name: "iso-2022-kr", kind: iso2022kr}, true
	case "iso-2022-cn", "iso-2022-cn-ext":
		return Charset{name: "iso-2022-cn", kind: iso2022cn}, true
	case "hz-gb-2312", "hz":
		return table("hz-gb-2312", simplifiedchinese.HZGB2312), true
	}
	return Charset{}, false
}

// index asks the indexes, that of the browsers first: its tables are supersets.
func index(name string) encoding.Encoding {
	if enc, err := htmlindex.Get(name); err == nil && enc != encoding.Replacement {
		return enc
	}
	if enc, err := ianaindex.MIME.Encoding(name); err == nil && enc != nil {
		return enc
	}
	if enc, err := ianaindex.MIME.Encoding("cs" + name); err == nil && enc != nil {
		return enc
	}
	return nil
}

func table(name string, enc encoding.Encoding) Charset {
	single, _ := enc.(*charmap.Charmap)
	if single != nil && single.DecodeByte('a') != 'a' {
		single = nil // EBCDIC
	}
	return Charset{name: name, kind: byTable, enc: enc, single: single}
}

// respell undoes misspellings: "iso8859_1", "windows1251", "cp-1252", "gb-18030".
func respell(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "charset="), "x-")
	if i := strings.IndexAny(name, ";,*"); i > 0 {
		name = name[:i]
	}
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			b.WriteByte(c)
		}
	}
	key := b.String()
	for _, p := range [...][2]string{{"iso8859", "iso-8859-"}, {"8859", "iso-8859-"}, {"windows", "windows-"}, {"win", "windows-"}, {"cp", "windows-"}, {"msdos", "cp"}, {"dos", "cp"}, {"ibm", "ibm"}, {"koi8", "koi8-"}, {"iso2022", "iso-2022-"}, {"euc", "euc-"}} {
		if rest, ok := strings.CutPrefix(key, p[0]); ok && rest != "" {
			if p[0] == "cp" && len(rest) == 3 {
				return "cp" + rest
			}
			return p[1] + rest
		}
	}
	switch key {
	case "gb18030", "gb180302000", "gb180302005":
		return "gb18030"
	case "gb2312", "gbk", "gb231280", "936", "ms936", "euccn", "cngb", "chinesegb":
		return "gbk"
	case "big5", "big5hkscs", "950", "ms950", "big5eten":
		return "big5"
	case "ksc5601", "ksc56011987", "949", "ms949", "uhc", "kscchar", "ksc56011992":
		return "euc-kr"
	case "shiftjis", "sjis", "932", "mskanji":
		return "shift_jis"
	case "utf8", "utf8mb4", "unicodeutf8", "utf81", "utf8s":
		return "utf-8"
	case "utf7":
		return "utf-7"
	case "utf16", "utf16be", "utf16le":
		return "utf-16" + key[len("utf16"):]
	case "utf32", "utf32be", "utf32le":
		return "utf-32" + key[len("utf32"):]
	case "usascii", "ascii", "ansix341968", "646", "iso646us", "usa", "us", "asci", "7bit":
		return "us-ascii"
	case "latin", "latin1", "ansi", "westerneuropean", "iso", "iso1", "ansix31101983":
		return "iso-8859-1"
	case "tis620":
		return "tis-620"
	case "macroman", "applemacintosh", "mac":
		return "macintosh"
	}
	return key
}

// Name returns the name in lower case, as it was looked up.
func (c Charset) Name() string {
	if c.name == "" {
		return "us-ascii"
	}
	return c.name
}

// Decode converts b to UTF-8. What is no character becomes U+FFFD; bad counts those.
func (c Charset) Decode(b []byte) (text string, bad int) {
	switch c.kind {
	case ascii, utf8Kind:
		return decodeUTF8(b, c.kind == ascii)
	case utf7:
		return decodeUTF7(b)
	case utf16:
		return decodeUTF16(c.name, b)
	case utf32:
		return decodeUTF32(c.name, b)
	case iso2022kr, iso2022cn:
		return decodeShifted(c.kind, b)
	}
	if c.single != nil {
		return decodeSingle(c.single, b)
	}
	text, err := decodeTable(c.enc, b)
	if err != nil {
		return decodeUTF8(b, true)
	}
	return text, strings.Count(text, "\uFFFD")
}

func decodeTable(enc encoding.Encoding, b []byte) (string, error) {
	out, err := enc.NewDecoder().Bytes(b)
	return string(out), err
}

func decodeSingle(c *charmap.Charmap, b []byte) (string, int) {
	first := firstHigh(b)
	if first == len(b) {
		return string(b), 0
	}
	high := 0
	for _, x := range b[first:] {
		high += int(x >> 7)
	}
	var out strings.Builder
	out.Grow(len(b) + 2*high)
	out.Write(b[:first])
	bad := 0
	for _, x := range b[first:] {
		if x < utf8.RuneSelf {
			out.WriteByte(x)
			continue
		}
		r := c.DecodeByte(x)
		if r == utf8.RuneError {
			bad++
		}
		out.WriteRune(r)
	}
	return out.String(), bad
}

// decodeUTF8 replaces what isn't UTF-8, or isn't ASCII.
func decodeUTF8(b []byte, asciiOnly bool) (string, int) {
	bad, _ := countUTF8(b, asciiOnly)
	if bad == 0 {
		return strings.TrimPrefix(string(b), "\uFEFF"), 0
	}
	var out strings.Builder
	out.Grow(len(b) + 2*bad)
	for len(b) > 0 {
		n := firstHigh(b)
		out.Write(b[:n])
		if b = b[n:]; len(b) == 0 {
			break
		}
		r, size := utf8.DecodeRune(b)
		if asciiOnly {
			r, size = utf8.RuneError, 1
		}
		out.WriteRune(r)
		b = b[size:]
	}
	return out.String(), bad
}

// countUTF8 returns how many bytes aren't UTF-8, or ASCII, and how many characters of
// several bytes there are.
func countUTF8(b []byte, asciiOnly bool) (bad, good int) {
	first := firstHigh(b)
	if !asciiOnly && utf8.Valid(b[first:]) {
		return 0, 0
	}
	for b = b[first:]; len(b) > 0; {
		n := 1
		switch {
		case b[0] < utf8.RuneSelf:
		case asciiOnly:
			bad++
		default:
			if _, n = utf8.DecodeRune(b); n == 1 {
				bad++
			} else {
				good++
			}
		}
		b = b[n:]
	}
	return bad, good
}

// firstHigh returns the index of the first byte that isn't ASCII, len(b) if there is
// none.
func firstHigh(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := b[i : i+8 : i+8]
		if (w[0]|w[1]|w[2]|w[3]|w[4]|w[5]|w[6]|w[7])&0x80 != 0 {
			break
		}
	}
	for i < len(b) && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// A Text is text in UTF-8 and how it was read.
type Text struct {
	String  string
	Guessed string // the charset that was guessed, "" where the declared one was used
	Known   bool   // the declared charset is known; also true where none is declared
	Bad     int    // bytes that the declared charset has no character for; none where none is declared
}

// Decode converts b to UTF-8 from the declared character set. It guesses another where
// none is declared, where it is unknown, and where b can't be in it: 8-bit text that
// is declared as US-ASCII or mostly isn't UTF-8.
func Decode(declared string, b []byte) Text {
	name := strings.TrimSpace(declared)
	c, ok := Lookup(name)
	if !ok {
		g := Guess(b)
		s, _ := g.Decode(b)
		return Text{String: s, Guessed: g.Name(), Known: name == ""}
	}
	if c.kind == ascii || c.kind == utf8Kind {
		// Find out first whether it can be that: the text may be large.
		bad, good := countUTF8(b, c.kind == ascii)
		if bad > 0 && (c.kind == ascii || bad*4 > bad+good) {
			if g := Guess(b); g.Name() != c.Name() {
				s, _ := g.Decode(b)
				return Text{String: s, Guessed: g.Name(), Known: true, Bad: bad}
			}
		}
	}
	s, bad := c.Decode(b)
	return Text{String: s, Known: true, Bad: bad}
}
