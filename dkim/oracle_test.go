package dkim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rmilter/dkim"
	"rmilter/internal/mail"
)

// FuzzOracle signs and changes messages and holds the verifier against go-msgauth's.
func FuzzOracle(f *testing.F) {
	for _, raw := range odd {
		if len(raw) < 500 {
			header, body, _ := strings.Cut(raw, "\r\n\r\n")
			f.Add(header, body, uint8(0), uint16(0))
			f.Add(header, body, uint8(3), uint16(700))
		}
	}
	f.Fuzz(func(t *testing.T, header, body string, canon uint8, change uint16) {
		raw := strings.Trim(header, "\r\n") + "\r\n\r\n" + body
		if len(raw) > 32<<10 || !wellFormed(raw) {
			return
		}
		h, b := dkim.Canon(canon&1), dkim.Canon(canon>>1&1)
		signed := []byte(sign(t, raw, dkim.SignOptions{Now: time.Now(), HeaderCanon: h, BodyCanon: b}, testKeys[1]))
		if change > 0 && int(change) < len(signed) && signed[change] > 'A' {
			signed[change] ^= 2
		}
		if !wellFormed(string(signed)) {
			return
		}
		got := verify(t, string(signed), testZone, dkim.VerifyOptions{Now: time.Now()})
		want := oracleVerify(t, string(signed), testZone)
		if len(got.Signatures) != len(want) {
			t.Fatalf("%d signatures, the oracle has %d:\n%q", len(got.Signatures), len(want), signed)
		}
		for i, s := range got.Signatures {
			if (s.Status == dkim.Pass) != (want[i] == nil) {
				t.Errorf("%s, the oracle says %v:\n%q", outcome(s), want[i], signed)
			}
		}
	})
}

// wellFormed tells whether a message is one that both verifiers read alike: CRLF alone
// ends lines, each line of the header is a field or continues one, names have no space.
func wellFormed(raw string) bool {
	rest := strings.ReplaceAll(raw, "\r\n", "")
	if strings.ContainsAny(rest, "\r\n\x00") {
		return false
	}
	header, _, ok := strings.Cut(raw, "\r\n\r\n")
	if !ok || strings.HasPrefix(raw, "\r\n") {
		return false
	}
	for i, line := range strings.Split(header, "\r\n") {
		if strings.TrimSpace(line) == "" || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r == 0x85 || r == 0xa0 || r > 0x1000 }) {
			return false
		}
		if line[0] == ' ' || line[0] == '\t' {
			if i == 0 {
				return false
			}
			continue
		}
		name, _, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return false
		}
	}
	m := mail.Parse([]byte(raw), mail.Limits{})
	return strings.HasSuffix(header+"\r\n\r\n", "\r\n\r\n") && m.BodyOffset() == len(header)+4 && !slices.ContainsFunc(m.Header(), func(f mail.Field) bool {
		return f.Is("DKIM-Signature") && !strings.Contains(f.Raw, "example.com; s=ed;")
	})
}
