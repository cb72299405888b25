package dkim_test

import (
	"fmt"
	"strings"
	"testing"

	"rmilter/dkim"
	"rmilter/internal/mail"
)

// bodyOf returns text of a size.
func bodyOf(size int) string {
	line := "This is a line of a message, as people write them; it has words and  spaces.\r\n"
	return strings.Repeat(line, size/len(line)+1)[:size-2] + "\r\n"
}

var sizes = []struct {
	name string
	n    int
}{{"8KB", 8 << 10}, {"1MB", 1 << 20}}

func BenchmarkVerify(b *testing.B) {
	for _, key := range testKeys {
		for _, size := range sizes {
			for _, c := range []dkim.Canon{dkim.Relaxed, dkim.Simple} {
				b.Run(fmt.Sprintf("%s/%s/%s", key.Key.Type(), size.name, c), func(b *testing.B) {
					raw := sign(b, plainHeader+"\r\n"+bodyOf(size.n), dkim.SignOptions{Now: now, HeaderCanon: c, BodyCanon: c}, key)
					m := mail.Parse([]byte(raw), mail.Limits{})
					h, body := m.Header(), m.Body()
					b.SetBytes(int64(size.n))
					b.ReportAllocs()
					for b.Loop() {
						v := dkim.NewVerifier(h, dkim.VerifyOptions{Now: now})
						v.Start(b.Context(), testZone)
						v.Write(body)
						if s := v.Finish(b.Context()).Signatures[0]; s.Status != dkim.Pass {
							b.Fatal(outcome(s))
						}
					}
				})
			}
		}
	}
}

func BenchmarkSign(b *testing.B) {
	for _, size := range sizes {
		b.Run("both/"+size.name, func(b *testing.B) {
			m := mail.Parse([]byte(plainHeader+"\r\n"+bodyOf(size.n)), mail.Limits{})
			h, body := m.Header(), m.Body()
			b.SetBytes(int64(size.n))
			b.ReportAllocs()
			for b.Loop() {
				s, err := dkim.NewSigner(testKeys, dkim.SignOptions{Now: now})
				if err != nil {
					b.Fatal(err)
				}
				s.Write(body)
				if _, err := s.Sign(h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOracle is go-msgauth's verifier over what BenchmarkVerify has.
func BenchmarkOracle(b *testing.B) {
	for _, key := range testKeys {
		for _, size := range sizes {
			b.Run(key.Key.Type()+"/"+size.name+"/relaxed", func(b *testing.B) {
				raw := sign(b, plainHeader+"\r\n"+bodyOf(size.n), dkim.SignOptions{Now: now}, key)
				b.SetBytes(int64(size.n))
				b.ReportAllocs()
				for b.Loop() {
					oracleVerify(b, raw, testZone)
				}
			})
		}
	}
}
