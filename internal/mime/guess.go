package mime

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// maxSample bounds what Guess looks at, from the first byte on that isn't ASCII.
const maxSample = 4096

// A letterSet is the letters that are the most frequent in texts of a charset: they
// are more than half of all that aren't ASCII.
type letterSet struct {
	charset  Charset
	frequent [256]bool
}

// latinSets and otherSets are the character sets of one byte that Guess knows, for
// text that is mostly ASCII and for text that isn't. Nobody writes to them.
var (
	latinSets = []letterSet{
		letters("windows-1252", charmap.Windows1252, "éèêëàâäáãåæíìîïóòôöõøúùûüñçßÉÄÖÜ’‘“”–—…•·«»€£©®°\u00a0"),
		letters("windows-1254", charmap.Windows1254, "ışğİüöçŞĞÜÖÇ"),
		letters("windows-1250", charmap.Windows1250, "ěščřžýáíéúůąęłńśżźőűó”„ŁŚŻ"),
	}
	otherSets = []letterSet{
		letters("windows-1251", charmap.Windows1251, "оеаинтсрвл"),
		letters("koi8-r", charmap.KOI8R, "оеаинтсрвл"),
		letters("iso-8859-5", charmap.ISO8859_5, "оеаинтсрвл"),
		letters("ibm866", charmap.CodePage866, "оеаинтсрвл"),
		letters("windows-1253", charmap.Windows1253, "αοιετσνηυρ"),
		letters("windows-1255", charmap.Windows1255, "יוהלארתבשמ"),
		letters("windows-1256", charmap.Windows1256, "اليمونرتبد"),
		letters("windows-874", charmap.Windows874, "านรกอเงมยวลดสทคต่้ิีัุ"),
	}
)

func letters(name string, c *charmap.Charmap, frequent string) letterSet {
	s := letterSet{charset: table(name, c)}
	for _, r := range frequent {
		if b, ok := c.EncodeRune(r); ok {
			s.frequent[b] = true
		}
	}
	return s
}

// Guess returns the character set that b is most likely in: UTF-8 if it is valid, else
// what escape sequences, byte pairs and the frequency of letters tell, and
// Windows-1252 when they tell nothing. It looks at 4 KB at most, from the first byte
// on that isn't ASCII.
func Guess(b []byte) Charset {
	if c, ok := guessMark(b); ok {
		return c
	}
	first := firstHigh(b)
	if first == len(b) {
		if bytes.Contains(b, []byte("\x1b$B")) || bytes.Contains(b, []byte("\x1b$@")) {
			return table("iso-2022-jp", japanese.ISO2022JP)
		}
		return Charset{name: "us-ascii"}
	}
	if utf8.Valid(b[first:]) {
		return Charset{name: "utf-8", kind: utf8Kind}
	}
	b = b[first:min(len(b), first+maxSample)]
	if mostlyUTF8(b) {
		return Charset{name: "utf-8", kind: utf8Kind}
	}
	if c, ok := guessPairs(b); ok {
		return c
	}
	return guessLetters(b)
}

// guessMark follows a byte order mark.
func guessMark(b []byte) (c Charset, ok bool) {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return Charset{name: "utf-8", kind: utf8Kind}, true
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		return Charset{name: "utf-16", kind: utf16}, true
	}
	return c, false
}

// mostlyUTF8 tells whether four of five characters that aren't ASCII are valid.
func mostlyUTF8(b []byte) bool {
	good, bad := 0, 0
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			if !utf8.FullRune(b) {
				return good > 4*bad
			}
			bad++
		case n > 1:
			good++
		}
		b = b[n:]
	}
	return good > 4*bad
}

// pairStats counts the byte pairs of East Asian text.
type pairStats struct {
	pairs, bad             int // pairs seen, bytes that can't be in a pair
	low                    int // second bytes below 0xa1
	hanzi, hangul, big5    int // common characters of GB 2312, EUC-KR and Big5
	kanaEUC, kanaSJ, badSJ int
}

// guessPairs tells the character sets of two bytes apart.
func guessPairs(b []byte) (c Charset, ok bool) {
	s := countPairs(b)
	countSJIS(b, &s)
	if s.kanaSJ*4 >= s.pairs && s.kanaSJ >= 3 && s.badSJ*50 <= s.pairs {
		return table("shift_jis", japanese.ShiftJIS), true
	}
	if s.pairs < 2 || s.bad*50 > s.pairs {
		return c, false
	}
	switch {
	case s.low*50 <= s.pairs && s.kanaEUC*5 >= s.pairs:
		return table("euc-jp", japanese.EUCJP), true
	case s.low*10 >= s.pairs && s.big5*10 >= s.pairs*8:
		return table("big5", traditionalchinese.Big5), true
	case s.hangul*20 >= s.pairs*19:
		return table("euc-kr", korean.EUCKR), true
	case s.hanzi*10 >= s.pairs*7:
		return table("gb18030", simplifiedchinese.GB18030), true
	}
	return c, false
}

// countPairs reads b as any of GB 18030, Big5, EUC-KR and EUC-JP.
func countPairs(b []byte) (s pairStats) {
	for i := 0; i < len(b); i++ {
		lead := b[i]
		if lead < utf8.RuneSelf {
			continue
		}
		if i+1 == len(b) {
			break
		}
		trail := b[i+1]
		if lead < 0x81 || lead == 0xff || trail < 0x40 || trail == 0x7f || trail == 0xff {
			s.bad++
			continue
		}
		i++
		s.pairs++
		mark := lead >= 0xa1 && lead <= 0xa3
		if trail < 0xa1 {
			s.low++
		} else {
			if mark || lead >= 0xb0 && lead <= 0xd7 {
				s.hanzi++
			}
			if mark || lead >= 0xb0 && lead <= 0xc8 {
				s.hangul++
			}
			if lead == 0xa4 || lead == 0xa5 {
				s.kanaEUC++
			}
		}
		if mark || lead >= 0xa4 && lead <= 0xc6 {
			s.big5++
		}
	}
	return s
}

// countSJIS counts the kana of Shift_JIS and what can't be in it.
func countSJIS(b []byte, s *pairStats) {
	for i := 0; i < len(b); i++ {
		lead := b[i]
		if lead < utf8.RuneSelf || lead >= 0xa1 && lead <= 0xdf {
			continue
		}
		if i+1 == len(b) {
			break
		}
		i++
		switch trail := b[i]; {
		case lead == 0x80 || lead == 0xa0 || lead > 0xfc || trail < 0x40 || trail == 0x7f || trail > 0xfc:
			s.badSJ++
		case lead == 0x82 && trail >= 0x9f && trail <= 0xf1, lead == 0x83 && trail <= 0x96:
			s.kanaSJ++
		}
	}
}

// guessLetters compares with the most frequent letters of the character sets of one
// byte. Windows-1252 is taken where none fits clearly.
func guessLetters(b []byte) Charset {
	high, low := 0, 0
	var count [256]int
	for _, c := range b {
		if c >= utf8.RuneSelf {
			high++
			count[c]++
		} else if c|0x20 >= 'a' && c|0x20 <= 'z' {
			low++
		}
	}
	if high > low && high >= 6 {
		if c, hits := bestSet(otherSets, &count, 0); hits*20 > high*9 {
			return c
		}
	}
	c, _ := bestSet(latinSets, &count, high/8+1)
	return c
}

// bestSet returns the charset of which the most letters are frequent; the first has
// a start.
func bestSet(sets []letterSet, count *[256]int, start int) (best Charset, most int) {
	for i := range sets {
		hits := 0
		for c := utf8.RuneSelf; c < 256; c++ {
			if sets[i].frequent[c] {
				hits += count[c]
			}
		}
		if i == 0 {
			hits += start
		}
		if i == 0 || hits > most {
			best, most = sets[i].charset, hits
		}
	}
	return best, most
}
