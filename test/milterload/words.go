package main

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
)

func senders() []string {
	return []string{
		"joe@sender.example", "news@news.example.net", "orders@shop.example", "anna@corp.example.org",
		"list@lists.example.org", "no-reply@portal.example", "ken@tokyo.example", "info@verein.example",
	}
}

func vocabulary() string {
	return `time year people way day man thing woman life child world school state family student group country problem hand part
place case week company system program question work government number night point home water room mother area money story fact
month lot right study book eye job word business issue side kind head house service friend father power hour game line end member
law car city community name president team minute idea body information back parent face others level office door health person art
war history party result change morning reason research girl guy moment air teacher force education meeting invoice agenda report
server release update window ticket garden bridge river paper print letter stamp market price offer travel summer winter coffee
bread cheese apple orange copper silver engine wheel needle thread button pocket mirror candle basket ladder hammer`
}

// word draws a word; the first of the vocabulary come more often, as in text.
func (g *generator) word() string {
	u := g.rng.Float64()
	return g.words[int(u*u*float64(len(g.words)))]
}

func (g *generator) title() string {
	w := []string{capital(g.word())}
	for range 2 + g.rng.IntN(4) {
		w = append(w, g.word())
	}
	return strings.Join(w, " ")
}

// paragraph gives some lines, each with a prefix.
func (g *generator) paragraph(prefix string) string {
	var b strings.Builder
	for range 2 + g.rng.IntN(5) {
		b.WriteString(prefix)
		for k := range 8 + g.rng.IntN(5) {
			w := g.word()
			if k == 0 {
				w = capital(w)
			} else {
				b.WriteByte(' ')
			}
			b.WriteString(w)
		}
		b.WriteString(".\r\n")
	}
	return b.String()
}

// token gives n letters and digits.
func (g *generator) token(n int) string {
	const chars = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = chars[g.rng.IntN(len(chars))]
	}
	return string(b)
}

// base64 gives n random bytes encoded.
func (g *generator) base64(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.rng.Uint32())
	}
	return base64.StdEncoding.EncodeToString(b)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func pick[T any](rng *rand.Rand, s []T) T { return s[rng.IntN(len(s))] }
