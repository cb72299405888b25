package main

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"
)

// Sizes of mail are about log-normal: most a few KB, a long tail of attachments.
const (
	minSize    = 2 << 10
	medianSize = 9 << 10
	maxSize    = 200 << 10
	spread     = 1.2 // sigma
)

// generator makes messages that look like mail: notes with quotes, newsletters,
// notices, list mail with patches, mail in other languages, attachments. Equal
// seeds make equal mail but for the date.
type generator struct {
	rng   *rand.Rand
	now   time.Time
	words []string
}

func newGenerator(seed uint64, now time.Time) *generator {
	return &generator{rand.New(rand.NewPCG(seed, 1)), now, strings.Fields(vocabulary())}
}

func (g *generator) letters(n int) []letter {
	out := make([]letter, n)
	for i := range out {
		kind, raw := g.letter(i)
		out[i] = newLetter(fmt.Sprintf("%s-%d", kind, i), []byte(raw))
	}
	return out
}

// size draws the size of a message in bytes.
func (g *generator) size() int {
	s := medianSize * math.Exp(spread*g.rng.NormFloat64())
	return int(min(max(s, minSize), maxSize))
}

func (g *generator) letter(i int) (kind, raw string) {
	size := g.size()
	kinds := []string{"note", "newsletter", "notice", "list", "german", "japanese"}
	switch {
	case size > 48<<10:
		kinds = []string{"attachment", "attachment", "attachment", "newsletter"}
	case size > 16<<10:
		kinds = []string{"newsletter", "newsletter", "attachment", "list"}
	}
	kind = pick(g.rng, kinds)
	head := g.header(i)
	size = max(size-len(head), 200)
	switch kind {
	case "newsletter":
		return kind, head + g.newsletter(size)
	case "notice":
		return kind, head + g.notice(size)
	case "list":
		return kind, head + g.list(size)
	case "german":
		return kind, head + g.german(size)
	case "japanese":
		return kind, head + g.japanese(size)
	case "attachment":
		return kind, head + g.attachment(size)
	}
	return "note", head + g.note(size)
}

// header is what most mail has; the parts add Subject, MIME fields and the rest.
func (g *generator) header(i int) string {
	from := pick(g.rng, senders())
	_, domain, _ := strings.Cut(from, "@")
	date := g.now.Add(-time.Duration(g.rng.IntN(3600)) * time.Second).Format(time.RFC1123Z)
	var b strings.Builder
	for hop := range 1 + g.rng.IntN(4) {
		fmt.Fprintf(&b, "Received: from out%d.%s (out%d.%s [203.0.113.%d])\r\n\tby relay%d.%s (Postfix) with ESMTPS id %s\r\n\tfor <user%d@example.com>; %s\r\n",
			hop, domain, hop, domain, 1+g.rng.IntN(250), hop, domain, g.token(11), g.rng.IntN(1000), date)
	}
	if g.rng.IntN(3) > 0 {
		fmt.Fprintf(&b, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s;\r\n\ts=s%d; h=from:to:subject:date:message-id;\r\n\tbh=%s;\r\n\tb=%s\r\n",
			domain, g.rng.IntN(9), g.base64(32), strings.ReplaceAll(wrap(g.base64(256), 68), "\r\n", "\r\n\t "))
	}
	fmt.Fprintf(&b, "Date: %s\r\nFrom: %s %s <%s>\r\nTo: user%d@example.com\r\nMessage-ID: <%d.%s@%s>\r\n",
		date, capital(g.word()), capital(g.word()), from, g.rng.IntN(1000), i, g.token(20), domain)
	if g.rng.IntN(2) > 0 {
		fmt.Fprintf(&b, "X-Mailer: Letterpress %d.%d\r\n", g.rng.IntN(9), g.rng.IntN(20))
	}
	b.WriteString("MIME-Version: 1.0\r\n")
	return b.String()
}

func (g *generator) note(size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Subject: Re: %s\r\nIn-Reply-To: <%s@example.com>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", g.title(), g.token(16))
	for b.Len() < size {
		b.WriteString(g.paragraph("") + "\r\n")
		if g.rng.IntN(2) == 0 {
			b.WriteString(g.paragraph("> ") + "\r\n")
		}
	}
	return b.String() + "-- \r\n" + capital(g.word()) + "\r\n"
}

func (g *generator) notice(size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Subject: Your order %d\r\nAuto-Submitted: auto-generated\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", g.rng.IntN(1e8))
	return b.String() + quoted(g.html(size-b.Len()))
}

func (g *generator) newsletter(size int) string {
	boundary := "=_" + g.token(24)
	var b strings.Builder
	fmt.Fprintf(&b, "Subject: %s\r\nList-Unsubscribe: <https://news.example.net/u/%s>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nContent-Type: multipart/alternative;\r\n\tboundary=\"%s\"\r\n\r\n",
		mime.QEncoding.Encode("utf-8", g.title()+" – "+g.title()), g.token(12), boundary)
	fmt.Fprintf(&b, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", boundary)
	for b.Len() < size/5 {
		fmt.Fprintf(&b, "%s\r\nhttps://www.example.net/%s/%s?c=%d\r\n\r\n", g.paragraph(""), g.word(), g.word(), g.rng.IntN(1e6))
	}
	fmt.Fprintf(&b, "--%s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", boundary)
	b.WriteString(quoted(g.html(size - b.Len())))
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return b.String()
}

func (g *generator) list(size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Subject: [PATCH %d/9] %s\r\nList-Id: Makers <makers.lists.example.org>\r\nPrecedence: bulk\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n%s\r\n---\r\n",
		1+g.rng.IntN(9), g.title(), g.paragraph(""))
	for b.Len() < size {
		fmt.Fprintf(&b, "--- a/%s/%s.c\r\n+++ b/%s/%s.c\r\n@@ -%d,7 +%d,9 @@\r\n", g.word(), g.word(), g.word(), g.word(), g.rng.IntN(999), g.rng.IntN(999))
		for range 12 {
			fmt.Fprintf(&b, "%s\t%s = %s(%s, %d);\r\n", pick(g.rng, []string{" ", "+", "-"}), g.word(), g.word(), g.word(), g.rng.IntN(64))
		}
	}
	return b.String()
}

func (g *generator) german(size int) string {
	words := strings.Fields("über können schöne Grüße Straße größer Müller natürlich für später möchten während nächste prüfen Fußball Öffnung ändern wählen hören gehört")
	var b strings.Builder
	for b.Len() < size*9/10 {
		for range 6 + g.rng.IntN(10) {
			b.WriteString(pick(g.rng, words) + " ")
		}
		b.WriteString(".\n")
	}
	return "Subject: " + mime.QEncoding.Encode("utf-8", "Grüße aus der "+pick(g.rng, words)) +
		"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + strings.ReplaceAll(b.String(), "\n", "\r\n")
}

func (g *generator) japanese(size int) string {
	words := strings.Fields("お世話 会議 資料 確認 明日 予定 連絡 東京 お願い します ありがとう ございます 添付 ご覧 ください")
	var b strings.Builder
	for b.Len() < size*2/3 {
		for range 8 {
			b.WriteString(pick(g.rng, words))
		}
		b.WriteString("。\n")
	}
	return "Subject: " + mime.BEncoding.Encode("utf-8", pick(g.rng, words)+"の"+pick(g.rng, words)) +
		"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		wrap(base64.StdEncoding.EncodeToString([]byte(b.String())), 76) + "\r\n"
}

func (g *generator) attachment(size int) string {
	boundary := "----=_" + g.token(20)
	name := g.word() + pick(g.rng, []string{".pdf", ".png", ".docx", ".zip"})
	var b strings.Builder
	fmt.Fprintf(&b, "Subject: %s\r\nContent-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n",
		g.title(), boundary, boundary, g.paragraph(""))
	fmt.Fprintf(&b, "--%s\r\nContent-Type: application/octet-stream; name=\"%s\"\r\nContent-Disposition: attachment; filename=\"%s\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", boundary, name, name)
	b.WriteString(wrap(g.base64(max(size-b.Len(), 100)*3/4), 76))
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return b.String()
}

// html gives a page of about size bytes.
func (g *generator) html(size int) string {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html><head><style>td{padding:4px;font-family:sans-serif}</style></head><body>\n<table width=\"600\">\n")
	for b.Len() < size*9/10 {
		fmt.Fprintf(&b, "<tr><td><h2>%s</h2><img src=\"https://img.example.net/%s.png\" width=\"120\" alt=\"%s\"></td>\n<td>%s<a href=\"https://www.example.net/%s?id=%d&amp;u=%s\">%s</a></td></tr>\n",
			g.title(), g.token(10), g.word(), g.paragraph(""), g.word(), g.rng.IntN(1e6), g.token(8), g.title())
	}
	return b.String() + "</table></body></html>\n"
}

func quoted(s string) string {
	var b strings.Builder
	w := quotedprintable.NewWriter(&b)
	// A strings.Builder takes everything.
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

func wrap(s string, width int) string {
	var b strings.Builder
	for len(s) > width {
		b.WriteString(s[:width] + "\r\n")
		s = s[width:]
	}
	return b.String() + s
}
