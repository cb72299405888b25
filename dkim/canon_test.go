package dkim

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"rmilter/internal/mail"
)

var (
	spacesAtEnd = regexp.MustCompile(`[ \t]+\r\n`)
	spaces      = regexp.MustCompile(`[ \t]+`)
	folds       = regexp.MustCompile(`\r?\n`)
)

// naiveBody is RFC 6376, sections 3.4.3 and 3.4.4, sentence by sentence.
func naiveBody(body string, c Canon) string {
	if c == Relaxed {
		ended := strings.HasSuffix(body, "\r\n")
		body = spacesAtEnd.ReplaceAllString(body, "\r\n")
		if !ended {
			body = strings.TrimRight(body, " \t")
		}
		body = spaces.ReplaceAllString(body, " ")
	}
	for strings.HasSuffix(body, "\r\n") {
		body = strings.TrimSuffix(body, "\r\n")
	}
	if body != "" || c == Simple {
		body += "\r\n"
	}
	return body
}

// naiveField is sections 3.4.1 and 3.4.2.
func naiveField(f mail.Field, c Canon) string {
	if c == Simple {
		return f.Name + ":" + folds.ReplaceAllString(f.Raw, "\r\n") + "\r\n"
	}
	value := spaces.ReplaceAllString(folds.ReplaceAllString(f.Raw, ""), " ")
	return mail.LowerASCII(strings.TrimRight(f.Name, " \t")) + ":" + strings.Trim(value, " ") + "\r\n"
}

// canonicalBody cuts a body in pieces and returns what was hashed.
func canonicalBody(body []byte, c Canon, cuts *rand.Rand) (sum [sha256.Size]byte, n int64) {
	var b bodyHasher
	b.want(c, -1)
	for len(body) > 0 {
		k := len(body)
		if cuts != nil {
			k = 1 + cuts.IntN(min(len(body), 200))
		}
		b.write(body[:k])
		body = body[k:]
	}
	b.close()
	return b.ways[c].meter.total, b.ways[c].meter.n
}

func checkBody(t *testing.T, body []byte, seed uint64) {
	t.Helper()
	for _, c := range []Canon{Relaxed, Simple} {
		want := naiveBody(string(body), c)
		for _, cuts := range []*rand.Rand{nil, rand.New(rand.NewPCG(seed, 1))} {
			sum, n := canonicalBody(body, c, cuts)
			if n != int64(len(want)) || sum != sha256.Sum256([]byte(want)) {
				t.Fatalf("%s body %.200q: %d bytes hashed, want %d: %.200q", c, body, n, len(want), want)
			}
		}
	}
}

func checkFix(t *testing.T, body []byte, seed uint64) {
	t.Helper()
	want := regexp.MustCompile(`\r?\n`).ReplaceAll(body, []byte("\r\n"))
	var got []byte
	var fix crlfMaker
	cuts := rand.New(rand.NewPCG(seed, 2))
	for rest := body; len(rest) > 0; {
		k := 1 + cuts.IntN(len(rest))
		fix.write(rest[:k], func(p []byte) { got = append(got, p...) })
		rest = rest[k:]
	}
	fix.flush(func(p []byte) { got = append(got, p...) })
	if !bytes.Equal(got, want) {
		t.Fatalf("LF in %.200q: got %.200q, want %.200q", body, got, want)
	}
}

// FuzzBody holds the canonicalisers of bodies against straightforward ones.
func FuzzBody(f *testing.F) {
	for _, s := range []string{"", "\r\n", " \r\n", "a", "a \r\n\t b\t\tc  \r\n\r\n", "a\r", "a \r", "a \r\r\n", "\r\r\n\n", "  ", " \t x \t"} {
		f.Add([]byte(s), uint64(1))
	}
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		if len(body) > 64<<10 {
			return
		}
		checkBody(t, body, seed)
		checkFix(t, body, seed)
	})
}

// TestRandomBodies makes many bodies of the few bytes that matter.
func TestRandomBodies(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 376))
	words := []string{" ", "\t", "\r\n", "\r", "\n", "a", "bc", "  ", " \r\n", "\r\n\r\n", strings.Repeat("x", 2100)}
	for _, long := range []string{strings.Repeat("x", 9000), strings.Repeat("word ", 2000), strings.Repeat("\r\n", 1500)} {
		checkBody(t, []byte("a \t"+long+"b\r\n"+long), 1)
	}
	for i := range 1000 {
		var b []byte
		for range r.IntN(12) {
			b = append(b, words[r.IntN(len(words))]...)
		}
		checkBody(t, b, uint64(i))
		checkFix(t, b, uint64(i))
	}
}

// FuzzField holds the canonicalisers of header fields against straightforward ones.
func FuzzField(f *testing.F) {
	for _, s := range []string{"", " a", " a\n\tb \r\n c\t ", "\r", " \r\r\n x", "  ", "\xff\n"} {
		f.Add("Subject", s)
	}
	f.Add("SUBJECT \t", " a")
	f.Fuzz(func(t *testing.T, name, raw string) {
		if strings.ContainsAny(name, "\r\n:") {
			return
		}
		field := mail.Field{Name: name, Raw: raw}
		for _, c := range []Canon{Relaxed, Simple} {
			if got, want := string(appendField(nil, field, c)), naiveField(field, c); got != want {
				t.Errorf("%s %q: got %q, want %q", c, field, got, want)
			}
		}
	})
}
