package dkim

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"rmilter/internal/mail"
)

// A bomb is a message that is meant to cost more than it may.
type bomb struct {
	name   string
	header func(t testing.TB) mail.Header
	body   string
	want   string // of the first signature, or of the chain when there is none
}

func repeat(n int, f mail.Field) mail.Header {
	h := make(mail.Header, n)
	for i := range h {
		h[i] = f
	}
	return h
}

// signedBy puts a signature of our zone on top.
func signedBy(t testing.TB, h mail.Header, body, tags string) mail.Header {
	value := " v=1; a=ed25519-sha256; d=example.com; s=s; bh=" + bodyHash(body, -1) + "; " + tags + "; b="
	return append(mail.Header{forge(t, h, "DKIM-Signature", value, forgeKey)}, h...)
}

const mega = 1 << 20

var megaBody = strings.Repeat("a line of text that is some 60 bytes long, more or less ok\r\n", mega/60)

var bombs = []bomb{
	{"field of 33,000 folds", func(t testing.TB) mail.Header {
		return signedBy(t, mail.Header{{Name: "From", Raw: " a" + strings.Repeat("\n b", 32<<10)}}, "", "c=relaxed; h=from")
	}, "", "pass"},
	{"field of 330,000 folds", func(t testing.TB) mail.Header {
		return signedBy(t, mail.Header{{Name: "From", Raw: " a" + strings.Repeat("\n b", 320<<10)}}, "", "h=from")
	}, "", "policy (over the limits)"},
	{"signature of folds", func(testing.TB) mail.Header {
		return mail.Header{{Name: "DKIM-Signature", Raw: " v=1;" + strings.Repeat("\n ", 100<<10)}}
	}, "", "policy (over the limits)"},
	{"8000 fields and names", func(testing.TB) mail.Header {
		return append(mail.Header{{Name: "DKIM-Signature", Raw: " v=1; a=rsa-sha256; d=example.com; s=s; bh=eA==; b=eA==; h=from" + strings.Repeat(":x", 8000)}},
			repeat(8000, mail.Field{Name: "X", Raw: " y"})...)
	}, "", "policy (over the limits)"},
	{"1000 fields, 8 signatures of 128 names", func(t testing.TB) mail.Header {
		h := append(mail.Header{{Name: "From", Raw: " x"}}, repeat(900, mail.Field{Name: "X", Raw: strings.Repeat(" y", 100)})...)
		for range 8 {
			h = signedBy(t, h, "", "c=relaxed; h=from"+strings.Repeat(":x", 127))
		}
		return h
	}, "", "pass"},
	{"the whole header in 8 signatures", func(t testing.TB) mail.Header {
		h := append(mail.Header{{Name: "From", Raw: " x"}}, repeat(120, mail.Field{Name: "X", Raw: strings.Repeat(" y", 1000)})...)
		for range 8 {
			h = signedBy(t, h, "", "h=from"+strings.Repeat(":x", 127))
		}
		return h
	}, "", "pass"},
	{"2000 signatures", func(t testing.TB) mail.Header {
		one := signedBy(t, mail.Header{{Name: "From", Raw: " x"}}, megaBody, "h=from")[0]
		return append(repeat(2000, one), mail.Field{Name: "From", Raw: " x"})
	}, megaBody, "policy (over the limits)"},
	{"900 signatures", func(t testing.TB) mail.Header {
		one := signedBy(t, mail.Header{{Name: "From", Raw: " x"}}, megaBody, "h=from")[0]
		return append(repeat(900, one), mail.Field{Name: "From", Raw: " x"})
	}, megaBody, "pass"},
	{"8 lengths of the body", func(t testing.TB) mail.Header {
		h := mail.Header{{Name: "From", Raw: " x"}}
		for i := range 8 {
			h = signedBy(t, h, megaBody, fmt.Sprintf("l=%d; h=from", 100_000*i))
		}
		return h
	}, megaBody, "fail (bad body hash)"},
	{"tags", func(testing.TB) mail.Header {
		return repeat(15, mail.Field{Name: "DKIM-Signature", Raw: strings.Repeat("a=;", 5000)})
	}, "", "permerror (malformed signature)"},
	{"colons", func(testing.TB) mail.Header {
		return repeat(8, mail.Field{Name: "DKIM-Signature", Raw: " v=1; a=rsa-sha256; d=example.com; s=s; bh=eA==; b=eA==; h=" + strings.Repeat(":", 16000)})
	}, "", "policy (over the limits)"},
	{"letters of a domain", func(testing.TB) mail.Header {
		return repeat(8, mail.Field{Name: "DKIM-Signature", Raw: " v=1; a=rsa-sha256; d=" + strings.Repeat("ü", 500) + "; s=" + strings.Repeat("ö", 500) + "; bh=eA==; b=eA==; h=from"})
	}, "", "permerror (not a domain name)"},
	{"50 seals, each with a name", func(t testing.TB) mail.Header {
		return sealed(t, forgeHeader, forgeBody, 50, forgeKey, func(n int) string { return fmt.Sprint("s", n) })
	}, forgeBody, "fail (key record broken)"},
	{"50 seals over all that fits", func(t testing.TB) mail.Header {
		h := mail.Header{{Name: "From", Raw: strings.Repeat(" x", 50<<10)}, {Name: "To", Raw: strings.Repeat(" x", 50<<10)}}
		return sealed(t, h, forgeBody, 50, forgeKey, func(int) string { return "s" })
	}, forgeBody, "pass"},
	{"50 seals of large keys", func(t testing.TB) mail.Header {
		return sealed(t, forgeHeader, forgeBody, 50, bigKey(), func(int) string { return "big" })
	}, forgeBody, "policy (over the limits)"},
}

// bigKey is an RSA key that costs much; one of 8192 bits takes too long to make.
var bigKey = sync.OnceValue(func() *PrivateKey {
	k, err := GenerateRSA(4096)
	if err != nil {
		panic(err)
	}
	return k
})

// bombZone is a zone in which each of many names has the records of an attacker.
func bombZone() records {
	z := records{"s._domainkey.example.com": forgeKey.Record()}
	broken := "v=DKIM1; k=rsa; p=" + strings.Repeat("MIIB", 1500)
	for n := range 51 {
		z[fmt.Sprintf("s%d._domainkey.example.com", n)] = strings.Repeat(broken+"\n", 20) + forgeKey.Record()
	}
	z["big._domainkey.example.com"] = bigKey().Record()
	return z
}

// TestBombs counts what each bomb makes the verifier do.
func TestBombs(t *testing.T) {
	zone := bombZone()
	for _, b := range bombs {
		h := b.header(t)
		r, v := run(t, h, b.body, zone, VerifyOptions{})
		got := outcomeOf(r.ARC.Status, r.ARC.Reason)
		if len(r.Signatures) > 0 {
			got = outcomeOf(r.Signatures[0].Status, r.Signatures[0].Reason)
		}
		if got != b.want {
			t.Errorf("%s: %s, want %s", b.name, got, b.want)
		}
		lim := v.limits
		size := 0
		for _, f := range h {
			size += len(f.Name) + len(f.Raw) + 3
		}
		ways := 0
		for _, w := range v.body.ways {
			if w != nil {
				ways++
			}
		}
		// What was begun within the bound may end, and a chain's digests are linear.
		if most := lim.HashedBytes + 4*lim.HeaderBytes; v.header.hashed > most {
			t.Errorf("%s: %d bytes of header fields hashed, at most %d", b.name, v.header.hashed, most)
		}
		if len(v.keys.order) > lim.Keys || len(r.Signatures) > lim.Signatures || ways > int(canons) {
			t.Errorf("%s: %d keys, %d signatures, %d body passes", b.name, len(v.keys.order), len(r.Signatures), ways)
		}
		t.Logf("%s: %s; %d bytes of header, %d hashed, %d keys, key work %d, %d body passes, %d signatures left",
			b.name, got, size, v.header.hashed, len(v.keys.order), lim.KeyWork-v.work, ways, r.Unverified)
	}
}

// BenchmarkBombs shows what each costs.
func BenchmarkBombs(b *testing.B) {
	zone := bombZone()
	for _, c := range bombs {
		b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			h := c.header(b)
			b.ReportAllocs()
			for b.Loop() {
				run(b, h, c.body, zone, VerifyOptions{})
			}
		})
	}
}
