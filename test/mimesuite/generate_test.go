package mimesuite

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// A generator writes well-formed messages, the same ones for the same seed.
type generator struct {
	*rand.Rand
	boundaries int
}

// charsets are those that generated text is written in, with words that they have.
var charsets = []struct {
	name  string
	enc   encoding.Encoding
	words []string
}{
	{"us-ascii", charmap.Windows1252, []string{"plain", "words", "of", "seven", "bits", "=", "_", "?"}},
	{"utf-8", unicode.UTF8, []string{"grüße", "naïve", "日本語", "привет", "€", "😀", "x"}},
	{"iso-8859-1", charmap.Windows1252, []string{"grüße", "señor", "déjà", "Ærø", "x"}},
	{"koi8-r", charmap.KOI8R, []string{"привет", "мир", "почта", "x"}},
	{"windows-1251", charmap.Windows1251, []string{"привет", "мир", "почта", "x"}},
	{"iso-2022-jp", japanese.ISO2022JP, []string{"日本語", "テスト", "x"}},
	{"shift_jis", japanese.ShiftJIS, []string{"日本語", "テスト", "x"}},
	{"gb2312", simplifiedchinese.GBK, []string{"中文", "邮件", "x"}},
}

func (g *generator) pick(n int) int { return g.IntN(n) }

// text returns n words in one of the charsets, encoded, and as they are.
func (g *generator) text(n int) (charset string, encoded []byte, plain string) {
	c := charsets[g.pick(len(charsets))]
	var words []string
	for range n {
		words = append(words, c.words[g.pick(len(c.words))])
	}
	plain = strings.Join(words, " ")
	encoded, err := c.enc.NewEncoder().Bytes([]byte(plain))
	if err != nil {
		panic(err)
	}
	return c.name, encoded, plain
}

// word returns an encoded word, or plain text where that will do.
func (g *generator) word() (encoded, plain string) {
	charset, raw, plain := g.text(1 + g.pick(4))
	if g.pick(2) == 0 {
		return fmt.Sprintf("=?%s?B?%s?=", charset, base64.StdEncoding.EncodeToString(raw)), plain
	}
	var b strings.Builder
	for _, c := range raw {
		switch {
		case c == ' ':
			b.WriteByte('_')
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return fmt.Sprintf("=?%s?Q?%s?=", charset, b.String()), plain
}

// mailbox returns one entry of an address list.
func (g *generator) mailbox() string {
	addr := fmt.Sprintf("user%d@host%d.example", g.pick(100), g.pick(10))
	switch g.pick(6) {
	case 0:
		return addr
	case 1:
		return "<" + addr + ">"
	case 2:
		return `"Doe, Jane \"JD\"" <` + addr + ">"
	case 3:
		return "Joe Example <" + addr + ">"
	case 4:
		return fmt.Sprintf("\"quoted %d\"@example.com", g.pick(9))
	}
	w, _ := g.word()
	return w + " <" + addr + ">"
}

// header returns the fields of a message but those of MIME.
func (g *generator) header() string {
	var to []string
	for range 1 + g.pick(5) {
		to = append(to, g.mailbox())
	}
	subject, _ := g.word()
	for range g.pick(3) {
		w, _ := g.word()
		subject += "\r\n " + w
	}
	date := time.Unix(g.Int64N(2_000_000_000), 0).In(time.FixedZone("", (g.pick(48)-24)*1800))
	return "Received: from a.example (a.example [192.0.2.1])\r\n\tby b.example with ESMTPS id x;\r\n\t" + date.Format(time.RFC1123Z) + "\r\n" +
		"Date: " + date.Format(time.RFC1123Z) + "\r\n" +
		"From: " + g.mailbox() + "\r\n" +
		"To: " + strings.Join(to, ",\r\n\t") + "\r\n" +
		"Message-ID: <" + fmt.Sprint(g.Uint32()) + "@host.example>\r\n" +
		"Subject: " + subject + "\r\n" +
		"X-Long: " + strings.Repeat("long ", g.pick(30)) + "end\r\n" +
		"MIME-Version: 1.0\r\n"
}

// part returns a part with its own fields.
func (g *generator) part(depth int) string {
	if depth > 0 && g.pick(3) == 0 {
		return g.multipart(depth)
	}
	if g.pick(5) == 0 {
		return g.file()
	}
	charset, body, _ := g.text(20 + g.pick(200))
	body = bytes.ReplaceAll(body, []byte(" x "), []byte("\r\n"))
	if charset == "iso-2022-jp" {
		body = bytes.ReplaceAll(body, []byte("\r\n"), []byte(" ")) // a line ends in ASCII
	}
	subtype := []string{"plain", "html", "x-other"}[g.pick(3)]
	encoding, coded := g.encode(body)
	return "Content-Type: " + mime.FormatMediaType("text/"+subtype, map[string]string{"charset": charset, "format": "flowed"}) + "\r\n" +
		"Content-Transfer-Encoding: " + encoding + "\r\n\r\n" + coded
}

// file returns an attachment with a name.
func (g *generator) file() string {
	body := make([]byte, g.pick(3000))
	for i := range body {
		body[i] = byte(g.Uint32())
	}
	_, name := g.word()
	name = strings.Map(func(r rune) rune {
		if r == '=' || r == '?' || r == '_' {
			return 'x'
		}
		return r
	}, name)
	return "Content-Type: application/octet-stream\r\n" +
		"Content-Disposition: " + mime.FormatMediaType("attachment", map[string]string{"filename": name + ".bin"}) + "\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\n" + wrap(base64.StdEncoding.EncodeToString(body))
}

// encode returns a body in some transfer encoding.
func (g *generator) encode(body []byte) (name, coded string) {
	switch g.pick(3) {
	case 0:
		return []string{"base64", "BASE64"}[g.pick(2)], wrap(base64.StdEncoding.EncodeToString(body))
	case 1:
		var b bytes.Buffer
		w := quotedprintable.NewWriter(&b)
		w.Write(body)
		w.Close()
		return "quoted-printable", b.String()
	}
	return "8bit", string(body)
}

func wrap(s string) string {
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return b.String() + s
}

// multipart returns a multipart with one to four parts.
func (g *generator) multipart(depth int) string {
	g.boundaries++
	boundary := fmt.Sprintf("=_b%d_%d", g.boundaries, g.pick(1000))
	kind := []string{"mixed", "alternative", "related", "x-new"}[g.pick(4)]
	var b strings.Builder
	b.WriteString("Content-Type: multipart/" + kind + "; boundary=\"" + boundary + "\"\r\n\r\n")
	if g.pick(2) == 0 {
		b.WriteString("This is a message in several parts.\r\n")
	}
	for range 1 + g.pick(4) {
		b.WriteString("\r\n--" + boundary + "\r\n" + g.part(depth-1))
	}
	b.WriteString("\r\n--" + boundary + "--\r\n")
	if g.pick(3) == 0 {
		b.WriteString("The end.\r\n")
	}
	return b.String()
}

// message returns a whole message.
func (g *generator) message() []byte {
	g.boundaries = 0
	return []byte(g.header() + g.part(4))
}
