package mime_test

import (
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"

	"rmilter/internal/mime"
)

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		charset, in, want, guessed string
		known                      bool
		bad                        int
	}{
		{"utf-8", "grüße", "grüße", "", true, 0},
		{"UTF8", "\ufeffBOM", "BOM", "", true, 0},
		{`"utf-8"`, "é", "é", "", true, 0},
		{"utf-8", "abc \xff déf ghi jkl mnö pqr", "abc \ufffd déf ghi jkl mnö pqr", "windows-1252", true, 1},
		{"utf-8", "ééééé \xff", "ééééé \ufffd", "", true, 1},
		{"utf-8", "gr\xfc\xdfe", "grüße", "windows-1252", true, 2},
		{"us-ascii", "gr\xfc\xdfe", "grüße", "windows-1252", true, 2},
		{"us-ascii", "grüße", "grüße", "utf-8", true, 4},
		{"", "grüße", "grüße", "utf-8", true, 0},
		{"", "plain", "plain", "us-ascii", true, 0},
		{"", "gr\xfc\xdfe", "grüße", "windows-1252", true, 0},
		{"iso-8859-1", "\x93quotes\x94 \xe9", "“quotes” é", "", true, 0},
		{"windows-1252", "\x81", "\ufffd", "", true, 1},
		{"iso-8859-7", "\xe1", "α", "", true, 0},
		{"koi8-r", "\xd0\xd2\xc9\xd7\xc5\xd4", "привет", "", true, 0},
		{"cp866", "\xaf\xe0\xa8", "при", "", true, 0},
		{"gb2312", "\xd6\xd0\xce\xc4", "中文", "", true, 0},
		{"big5", "\xa4\xa4\xa4\xe5", "中文", "", true, 0},
		{"euc-kr", "\xc7\xd1\xb1\xdb", "한글", "", true, 0},
		{"ks_c_5601-1987", "\xc7\xd1\xb1\xdb", "한글", "", true, 0},
		{"euc-jp", "\xc6\xfc\xcb\xdc", "日本", "", true, 0},
		{"shift_jis", "\x93\xfa\x96{", "日本", "", true, 0},
		{"iso-2022-jp", "\x1b$BF|K\\\x1b(B", "日本", "", true, 0},
		{"iso-2022-kr", "\x1b$)C\x0eGQ1[\x0f ok", "한글 ok", "", true, 0},
		{"iso-2022-cn", "\x1b$)A\x0eVPND\x0f ok", "中文 ok", "", true, 0},
		{"hz-gb-2312", "~{VPND~} ok", "中文 ok", "", true, 0},
		{"utf-7", "Hi Mom +Jjo--+IKw-, 1 +- 1", "Hi Mom ☺-€, 1 + 1", "", true, 0},
		{"utf-7", "+2D3eAA- tail +", "😀 tail +", "", true, 1},
		{"utf-16", "\xff\xfeh\x00i\x00", "hi", "", true, 0},
		{"utf-16", "\xfe\xff\x00h\x00i", "hi", "", true, 0},
		{"utf-16", "h\x00i\x00", "hi", "", true, 0},
		{"utf-16", "\x00h\x00i", "hi", "", true, 0},
		{"utf-16be", "\xd8\x3d\xde\x00", "😀", "", true, 0},
		{"utf-16le", "\x3d\xd8\x00\xdex", "😀\ufffd", "", true, 1},
		{"utf-16le", "\x3d\xd8x\x00", "\ufffdx", "", true, 1},
		{"utf-32", "\x00\x00\x00h\x00\x01\xf6\x00", "h😀", "", true, 0},
		{"utf-32le", "h\x00\x00\x00\x00\x00\x11\x00", "h\ufffd", "", true, 1},
		{"x-no-such", "gr\xc3\xbc\xc3\x9fe", "grüße", "utf-8", false, 0},
		{"x-no-such", "plain", "plain", "us-ascii", false, 0},
		{strings.Repeat("x", 100), "plain", "plain", "us-ascii", false, 0},
	} {
		got := mime.Decode(c.charset, []byte(c.in))
		want := mime.Text{String: c.want, Guessed: c.guessed, Known: c.known, Bad: c.bad}
		if c.in == "abc \xff déf ghi jkl mnö pqr" {
			// One broken character among few: which of the two is meant is open, but
			// nothing may be lost.
			if !strings.HasPrefix(got.String, "abc ") || !strings.HasSuffix(got.String, "pqr") || got.Bad != 1 {
				t.Errorf("Decode(%q, %q): got %+v", c.charset, c.in, got)
			}
			continue
		}
		if got != want {
			t.Errorf("Decode(%q, %q):\ngot  %+v\nwant %+v", c.charset, c.in, got, want)
		}
	}
}

func TestLookup(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "us-ascii": "us-ascii", "ASCII": "us-ascii", "ANSI_X3.4-1968": "us-ascii", "Latin1": "latin1",
		"iso8859_15": "iso-8859-15", "ISO 8859-2": "iso-8859-2", "8859-1": "iso-8859-1", "iso-8859-1*en": "iso-8859-1",
		"windows1251": "windows1251", "win-1251": "windows-1251", "cp-1251": "windows-1251", "Cp1252": "cp1252", "cp850": "cp850", "CP-437": "cp437",
		"x-windows-949": "windows-949", "GB18030": "gb18030", "gb_18030": "gb18030", "x-gb2312": "gbk", "cp936": "cp936", "MS936": "ms936", "936": "gbk", "x-big5": "big5",
		"shift-jis": "shift-jis", "x-ms-932": "ms932", "utf_8": "utf-8", "utf-8; format": "utf-8", "charset=utf-8": "utf-8", "x-utf-7": "utf-7",
		"utf16": "utf16", "koi8r": "koi8r", "koi8_u": "koi8-u", "eucjp": "euc-jp", "ISO2022JP": "iso2022jp", "macroman": "macintosh", "x-unknown": "", "8bit": "", "binary": "", "'utf-8'": "utf-8",
		"iso-8859-1 latin": "iso-8859-1", "tis620": "tis-620", "hz": "hz-gb-2312", "unicode-1-1-utf-7": "utf-7",
	} {
		c, ok := mime.Lookup(name)
		if ok != (want != "") || ok && c.Name() != want {
			t.Errorf("Lookup(%q): got %q %t, want %q", name, c.Name(), ok, want)
		}
	}
	if got := (mime.Charset{}).Name(); got != "us-ascii" {
		t.Errorf("zero Charset: got %q", got)
	}
}

// ianaNames are names of the registry and of the WHATWG that go-message reads.
var ianaNames = strings.Fields(`US-ASCII ISO-8859-1 ISO-8859-2 ISO-8859-3 ISO-8859-4 ISO-8859-5 ISO-8859-6 ISO-8859-7 ISO-8859-8
	ISO-8859-9 ISO-8859-10 ISO-8859-13 ISO-8859-14 ISO-8859-15 ISO-8859-16 ISO-8859-8-I ISO-8859-6-E latin1 latin2 l5 cyrillic arabic greek hebrew
	Shift_JIS EUC-JP ISO-2022-JP EUC-KR KS_C_5601-1987 korean GBK GB18030 GB2312 Big5 HZ-GB-2312 KOI8-R KOI8-U
	IBM037 IBM437 IBM850 IBM852 IBM855 IBM00858 IBM860 IBM862 IBM863 IBM865 IBM866 IBM1047 IBM01140 macintosh windows-874 windows-1250 windows-1251
	windows-1252 windows-1253 windows-1254 windows-1255 windows-1256 windows-1257 windows-1258 UTF-8 UTF-16 UTF-16BE UTF-16LE
	cp1250 cp1251 x-sjis ms_kanji x-mac-cyrillic ANSI_X3.110-1983 x-utf_8j unicode tis-620 csISOLatin1 csShiftJIS csBig5`)

// Every charset that go-message reads is read here, and to the same text but where
// browsers take another one for it.
func TestAllOfGoMessage(t *testing.T) {
	differ := map[string]string{
		"US-ASCII": "bytes that it lacks are guessed", "UTF-8": "another charset is guessed for what isn't UTF-8", "x-utf_8j": "as UTF-8",
		"ISO-8859-1": "browsers read Windows-1252", "latin1": "browsers read Windows-1252", "csISOLatin1": "browsers read Windows-1252", "ANSI_X3.110-1983": "as ISO-8859-1",
		"ISO-8859-9": "browsers read Windows-1254", "l5": "browsers read Windows-1254", "ISO-8859-6-E": "as ISO-8859-6", "ISO-8859-8-I": "as ISO-8859-8",
		"UTF-16": "the byte order is guessed", "unicode": "the byte order is guessed",
	}
	sample := []byte("abc \xa1\xa2 \xb0\xa1 \xc4\xe3\xba\xc3 def")
	for _, name := range ianaNames {
		if _, ok := mime.Lookup(name); !ok {
			t.Errorf("%s isn't known", name)
			continue
		}
		r, err := charset.Reader(name, strings.NewReader(string(sample)))
		if err != nil {
			t.Errorf("go-message doesn't know %s", name)
			continue
		}
		want, err := io.ReadAll(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := mime.Decode(name, sample).String; got != string(want) && differ[name] == "" {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// FuzzCharset wants UTF-8 of bounded size from any bytes in any charset.
func FuzzCharset(f *testing.F) {
	for _, name := range ianaNames {
		f.Add(name, []byte("a\xa1\xa2\x1b$B~{+Jjo-\x0e\x00\xff"))
	}
	f.Add("utf-7", []byte("+AAAA-+/"))
	f.Add("", []byte("\x93\xfa\x96{"))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		got := mime.Decode(name, b)
		if !utf8.ValidString(got.String) {
			t.Errorf("%q %q: not UTF-8: %q", name, b, got.String)
		}
		// The most is a byte that becomes a character of three.
		if len(got.String) > 3*len(b)+3 {
			t.Errorf("%q %q: %d bytes", name, b, len(got.String))
		}
	})
}
