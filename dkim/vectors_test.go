package dkim_test

import (
	"strings"
	"testing"

	"rmilter/dkim"
	"rmilter/internal/mail"
	"rmilter/test/suites"
)

func TestRFC6376(t *testing.T) {
	records := zone{"brisbane._domainkey.example.com": suites.RFC6376Key}
	r := verify(t, suites.CRLF(suites.RFC6376Message), records, dkim.VerifyOptions{})
	if got, want := outcomes(r), "pass"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	s := r.Signatures[0]
	if s.Domain != "example.com" || s.Identity != "joe@football.example.com" || s.Selector != "brisbane" || s.Short != "AuUoFEfD" ||
		s.Algorithm != "rsa-sha256" || s.KeyType != "rsa" || s.KeyBits != 1024 || s.HeaderCanon != dkim.Simple || len(s.Names) != 6 {
		t.Errorf("got %+v", s)
	}
	if r.ARC.Status != dkim.None {
		t.Errorf("ARC %s, want none", r.ARC.Status)
	}
}

func TestRFC8463(t *testing.T) {
	records := zone{"brisbane._domainkey.football.example.com": suites.RFC8463Ed, "test._domainkey.football.example.com": suites.RFC8463RSA}
	r := verify(t, suites.CRLF(suites.RFC8463Message), records, dkim.VerifyOptions{})
	if got, want := outcomes(r), "pass, pass"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	if s := r.Signatures[0]; s.KeyType != "ed25519" || s.KeyBits != 256 || s.Signed.Unix() != 1528637909 {
		t.Errorf("got %+v", s)
	}
	k, err := dkim.ParseKey([]byte(suites.RFC8463Seed + "\n"))
	if err != nil || k.Record() != suites.RFC8463Ed {
		t.Errorf("record %q, %v; want %q", k.Record(), err, suites.RFC8463Ed)
	}
}

// TestVectors verifies the messages of the RFCs and of dkimpy's set.
func TestVectors(t *testing.T) {
	n := 0
	for _, v := range suites.DKIM(t) {
		n++
		want := strings.Join(v.Results, ", ")
		if got := outcomes(verify(t, suites.CRLF(v.Message), zone(v.Keys), dkim.VerifyOptions{})); got != want {
			t.Errorf("%s: %s, want %s", v.Name, got, want)
		}
		if got := outcomes(verify(t, v.Message, zone(v.Keys), dkim.VerifyOptions{BareLF: true})); got != want {
			t.Errorf("%s with LF: %s, want %s", v.Name, got, want)
		}
	}
	if want := suites.DKIMSuite().Cases; n != want {
		t.Errorf("%d messages, want %d", n, want)
	}
}

// TestDkimpySet reads the keys and records of dkimpy's set and signs its messages.
func TestDkimpySet(t *testing.T) {
	for _, r := range suites.DKIMRecords(t) {
		got := ""
		if _, err := dkim.ParseRecord(r.Record); err != nil {
			got = err.Error()
		}
		if got != r.Fault {
			t.Errorf("%s: %q, want %q", r.Name, got, r.Fault)
		}
	}
	for _, k := range suites.DKIMKeys(t) {
		key, err := dkim.ParseKey([]byte(k.Key))
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
			continue
		}
		if r, err := dkim.ParseRecord(k.Record); err != nil || !r.Matches(key) {
			t.Errorf("%s doesn't match its record: %v", k.Name, err)
		}
		for name, message := range suites.DKIMMessages(t) {
			signVerify(t, name, suites.CRLF(message), k.Record, key)
		}
	}
}

// signVerify signs a message and sees that it verifies.
func signVerify(t *testing.T, name, raw, record string, key *dkim.PrivateKey) {
	t.Helper()
	signed := sign(t, raw, dkim.SignOptions{Now: now}, dkim.SigningKey{Domain: "example.com", Selector: "test", Key: key})
	r := verify(t, signed, zone{"test._domainkey.example.com": record}, dkim.VerifyOptions{})
	if got := outcomes(r); !strings.HasPrefix(got, "pass") {
		t.Errorf("%s with a %s key: %s, want pass", name, key.Type(), got)
	}
}

// sign returns a message with a signature of each key on top.
func sign(t testing.TB, raw string, o dkim.SignOptions, keys ...dkim.SigningKey) string {
	t.Helper()
	s, err := dkim.NewSigner(keys, o)
	if err != nil {
		t.Fatal(err)
	}
	m := mail.Parse([]byte(raw), mail.Limits{})
	s.Write(m.Body())
	fields, err := s.Sign(m.Header())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.Name + ":" + suites.CRLF(f.Raw) + "\r\n")
	}
	return b.String() + raw
}
