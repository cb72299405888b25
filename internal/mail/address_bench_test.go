package mail_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"rmilter/internal/mail"
)

// BenchmarkForeignDomains reads lists of addresses in Unicode, whose conversion costs the
// square of their labels' length.
func BenchmarkForeignDomains(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name        string
		first, span rune
		label       int
	}{{"long", 0x4e00, 20_000, 80}, {"59 scattered", 0x4e00, 20_000, 59}, {"59 adjacent", 0x4e00, 59, 59}, {"55 Cyrillic", 0x430, 32, 55}, {"short", 0x4e00, 20_000, 10}, {"ASCII", 'a', 26, 50}} {
		var list strings.Builder
		for list.Len() < 60<<10 {
			list.WriteString("a@")
			for _, i := range random.Perm(c.label) {
				if c.span > 59 {
					i = random.IntN(int(c.span))
				}
				list.WriteRune(c.first + rune(i)%c.span)
			}
			list.WriteString(", ")
		}
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(list.Len()))
			for b.Loop() {
				mail.ParseMailboxes(list.String())
			}
		})
	}
}
