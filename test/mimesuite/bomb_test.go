package mimesuite

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"rmilter/internal/mail"
)

// A bomb is a message that is meant to cost more than it may.
type bomb struct {
	name string
	make func() string
}

func times(s string, n int) string { return strings.Repeat(s, n) }

// upTo repeats s up to n bytes.
func upTo(s string, n int) string { return strings.Repeat(s, n/len(s)) }

const mega = 1 << 20

// nested returns multiparts inside each other.
func nested(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	return b.String() + "\ntext\n"
}

// open returns n open multiparts, and then lines.
func open(n int, lines string) string { return nested(n) + lines }

// inHTML returns a message of HTML.
func inHTML(s string) string { return "Content-Type: text/html; charset=utf-8\n\n" + s }

// inText returns a message of text.
func inText(s string) string { return "Content-Type: text/plain; charset=utf-8\n\n" + s }

var bombs = []bomb{
	{"nested parts", func() string { return nested(10_000) }},
	{"nested messages", func() string { return times("Content-Type: message/rfc822\n\n", 10_000) }},
	{"nested messages in quoted-printable", func() string {
		return times("Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n", 40) + upTo("=3D=\n", 4*mega)
	}},
	{"headers", func() string { return times("Subject: x\n", 100_000) + "\nbody" }},
	{"a million headers", func() string { return times("a:\n", 1_000_000) + "\nbody" }},
	{"folds", func() string { return "Subject: x\n" + times(" y\n", 1_000_000) + "\nbody" }},
	{"long header", func() string { return "Subject: " + times("x", 8*mega) + "\n\nbody" }},
	{"base64 line", func() string { return "Content-Transfer-Encoding: base64\n\n" + times("QUJD", 16*mega) }},
	{"base64 attachment", func() string {
		return "Content-Type: application/zip\nContent-Transfer-Encoding: base64\n\n" + times("QUJD", 16*mega)
	}},
	{"base64 padding", func() string { return "Content-Transfer-Encoding: base64\n\n" + upTo("QQ==", 10*mega) }},
	{"base64 garbage", func() string { return "Content-Transfer-Encoding: base64\n\n" + times("*", 10*mega) }},
	{"quoted-printable", func() string { return "Content-Transfer-Encoding: quoted-printable\n\n" + times("=", 10*mega) }},
	{"quoted-printable lines", func() string { return "Content-Transfer-Encoding: quoted-printable\n\n" + upTo("=\n", 10*mega) }},
	{"boundaries", func() string { return "Content-Type: multipart/mixed; boundary=b\n\n" + times("--b\n", 1_000_000) }},
	{"boundaries with parts", func() string { return "Content-Type: multipart/mixed; boundary=b\n\n" + times("--b\n\nx\n", 1_000_000) }},
	{"closing boundaries", func() string {
		return "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n" + times("--b--\n", 1_000_000)
	}},
	{"near boundaries", func() string { return open(31, upTo("--x\n", 10*mega)) }},
	{"wrong boundary", func() string { return "Content-Type: multipart/mixed; boundary=b\n\n" + upTo("--x\n", 10*mega) }},
	{"guessed boundaries", func() string {
		return times("Content-Type: multipart/mixed\n\n--x\n", 100) + upTo("--y\ntext\n", 4*mega)
	}},
	{"empty lines", func() string { return "Content-Type: multipart/mixed; boundary=b\n\n" + upTo("--b\n\n\n\n\n", 4*mega) }},
	{"parts with headers", func() string {
		return "Content-Type: multipart/mixed; boundary=b\n\n" + times("--b\nContent-Type: text/html\nContent-Disposition: attachment; filename=x\n\n<b>x\n", 100_000)
	}},
	{"odd header lines", func() string {
		return "Content-Type: multipart/mixed; boundary=b\n\n" + times("--b\n"+times("odd\n", 19)+times("x", 4000)+"\n\n", 1000)
	}},
	{"parameters", func() string { return "Content-Type: text/plain" + times("; name=x", 500_000) + "\n\n" }},
	{"comments in a type", func() string { return "Content-Type: " + times("(a)", mega) + "text/plain\n\n" }},
	{"nested comments", func() string {
		return "Content-Type: text/plain" + times("(", 4*mega) + "\nTo: " + times("(", mega) + "\n\n"
	}},
	{"pieces of a name", func() string {
		var b strings.Builder
		for i := range 20_000 {
			fmt.Fprintf(&b, ";\n name*%d*=%%41", i%1000)
		}
		return "Content-Type: text/plain" + b.String() + "\n\n"
	}},
	{"encoded words", func() string { return "Subject: " + upTo("=?utf-8?Q?a?= ", 4*mega) + "\n\n" }},
	{"words of charsets", func() string { return "Subject: " + upTo("=?gb2312?B?1tA=?= =?koi8-r?Q?=C1?= ", 4*mega) + "\n\n" }},
	{"words never closed", func() string { return "Subject: " + upTo("=?utf-8?Q?a ", 4*mega) + "\n\n" }},
	{"marks of words", func() string { return "Subject: " + upTo("=?", 4*mega) + "\n\n" }},
	{"words in many fields", func() string { return times("Subject: =?gb2312?B?1tA=?=\n", 100_000) + "\n\n" }},
	{"addresses", func() string { return "To: " + upTo("a@example.com, ", 4*mega) + "\n\n" }},
	{"commas", func() string {
		return "To: " + times(",", 4*mega) + "\nFrom: " + times("<", mega) + "\nCc: " + upTo("a,<", mega) + "\n\n"
	}},
	{"quotes", func() string { return "To: " + times("\"", 4*mega-1) + "\nCc: " + times("\\", mega) + "\n\n" }},
	{"names without addresses", func() string { return "To: " + upTo("a, ", 4*mega) + "<b@example.com>\n\n" }},
	{"groups", func() string { return "To: " + upTo("a:b;", 4*mega) + "\n\n" }},
	{"Received", func() string {
		return times("Received: from a (b [192.0.2.1]) by c with ESMTP id d; 6 Jul 2026 10:00:00 +0000\n", 100_000) + "\n"
	}},
	{"less-than", func() string { return inHTML(times("<", 10*mega)) }},
	{"tags", func() string { return inHTML(upTo("<b>", 10*mega)) }},
	{"end tags", func() string { return inHTML(upTo("</b>", 10*mega)) }},
	{"blocks", func() string { return inHTML(upTo("<div>", 10*mega)) }},
	{"tables", func() string { return inHTML(upTo("<table><tr><td>", 10*mega)) }},
	{"cells", func() string { return inHTML("<table>" + upTo("<td>a", 10*mega)) }},
	{"anchors", func() string { return inHTML(upTo("<a href=x>", 10*mega)) }},
	{"attributes", func() string { return inHTML("<a " + upTo("b=c ", 10*mega)) }},
	{"quotes in tags", func() string { return inHTML(upTo("<a b=\"", 10*mega)) }},
	{"entities", func() string { return inHTML(upTo("&amp;", 10*mega)) }},
	{"odd entities", func() string { return inHTML(upTo("&notin", 10*mega)) }},
	{"unknown entities", func() string { return inHTML(upTo("&abcdefghijklmnopqrstuvwxyzabcdefghi", 10*mega)) }},
	{"numeric entities", func() string { return inHTML("&#" + times("1", 5*mega) + upTo("&#x2;", 5*mega)) }},
	{"ampersands", func() string { return inHTML(times("&", 10*mega)) }},
	{"comments", func() string { return inHTML(upTo("<!---->", 10*mega)) }},
	{"open comments", func() string { return inHTML(upTo("<!--", 10*mega)) }},
	{"dashes", func() string { return inHTML("<!--" + times("-", 10*mega)) }},
	{"conditional comments", func() string { return inHTML(upTo("<!--[if x]>a<![endif]-->", 10*mega)) }},
	{"titles", func() string { return inHTML(upTo("<title>", 10*mega)) }},
	{"scripts", func() string { return inHTML(upTo("<script></scrip>", 10*mega)) }},
	{"style sheets", func() string { return inHTML(upTo("<style>.a{display:none}</style>", 10*mega)) }},
	{"rules", func() string {
		return inHTML("<style>" + upTo(".a,.b{color:red}", 5*mega) + "</style>" + upTo("<i class='a b c d e f'>", 5*mega))
	}},
	{"nested rules", func() string { return inHTML("<style>" + upTo("@media x{", 5*mega) + upTo("@x{", 5*mega) + "</style>") }},
	{"late style", func() string { return inHTML(upTo("<p class=a>x", 9*mega) + "<style>.a{display:none}</style>") }},
	{"declarations", func() string { return inHTML("<i style='" + upTo("a:b;", 10*mega) + "'>") }},
	{"parentheses", func() string { return inHTML("<i style='" + upTo("a:(;", 10*mega) + "'>") }},
	{"style comments", func() string { return inHTML("<i style='" + upTo("/**/", 10*mega) + "'>") }},
	{"style attributes", func() string { return inHTML(upTo("<i style='font:bold 12px/1 a;color:#fff;width:1px'>x", 10*mega)) }},
	{"hidden", func() string { return inHTML("<i hidden>" + upTo("a b&amp;", 10*mega)) }},
	{"zero width", func() string { return inHTML(upTo("\u200b", 10*mega)) }},
	{"NULs", func() string { return inHTML(times("\x00", 10*mega)) }},
	{"URLs", func() string { return inText(upTo("http://a.example/ ", 10*mega)) }},
	{"schemes", func() string { return inText(upTo("http://", 10*mega)) }},
	{"scheme and marks", func() string { return inText(upTo("http://!", 10*mega)) }},
	{"at signs", func() string { return inText(times("@", 10*mega)) }},
	{"mail addresses", func() string { return inText(upTo("a@b.cc ", 10*mega)) }},
	{"long mail addresses", func() string { return inText(upTo(times("a", 127)+"@", 10*mega)) }},
	{"www", func() string { return inText(upTo("www.", 10*mega)) }},
	{"names", func() string { return inText(upTo("a.zz ", 10*mega)) }},
	{"dots", func() string { return inText(upTo("a.", 10*mega)) }},
	{"uuencode", func() string { return inText(times("begin 644 x\n#0V%T\nend\n", 200_000)) }},
	{"begins", func() string { return inText(times("begin 644 x\n", 500_000)) }},
	{"short uuencode", func() string { return "Content-Transfer-Encoding: x-uuencode\n\n" + upTo("M\n", 10*mega) }},
	{"8-bit", func() string { return "\n" + times("\xff", 10*mega) }},
	{"broken UTF-8", func() string { return inText(upTo("\xc3", 10*mega)) }},
	{"UTF-7", func() string { return "Content-Type: text/plain; charset=utf-7\n\n" + upTo("+AAA-", 10*mega) }},
	{"GB 18030", func() string { return "Content-Type: text/plain; charset=gb18030\n\n" + upTo("\xd6\xd0", 10*mega) }},
	{"ISO-2022-JP", func() string {
		return "Content-Type: text/plain; charset=iso-2022-jp\n\n" + upTo("\x1b$B\x1b(B", 10*mega)
	}},
	{"bare CR", func() string { return inText(times("\r", 10*mega)) }},
	{"lines", func() string { return inText(times("\n", 10*mega)) }},
}

// allocated returns the bytes that f allocates, also those that it gives back.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestBombs counts the bytes that are allocated for each bomb, all views included.
func TestBombs(t *testing.T) {
	const most = 64 * mega
	for _, b := range bombs {
		raw := []byte(b.make())
		if underRace {
			raw = raw[:min(len(raw), mega)]
		}
		var m *mail.Message
		if got := allocated(func() { m = mail.Parse(raw, mail.Limits{}); views(m) }); got > most {
			t.Errorf("%s: %d MB allocated for %d KB, want %d MB at most", b.name, got/mega, len(raw)/1024, most/mega)
		}
		if err := Check(m, mail.DefaultLimits); err != nil {
			t.Errorf("%s: %v", b.name, err)
		}
	}
}

func BenchmarkBombs(b *testing.B) {
	for _, x := range bombs {
		b.Run(x.name, func(b *testing.B) {
			raw := []byte(x.make())
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			begin := cpu(b, process)
			for b.Loop() {
				views(mail.Parse(raw, mail.Limits{}))
			}
			b.ReportMetric(float64((cpu(b, process)-begin).Microseconds())/1000/float64(b.N), "cpu-ms")
		})
	}
}
