package dkim

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"rmilter/internal/mail"
)

// forgeTime is when the tests of this package take place.
var forgeTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

var forgeKey, _ = GenerateEd25519()

// records is a Lookup of literals; a name that isn't in it doesn't exist.
type records map[string]string

func (r records) TXT(_ context.Context, name string) ([]string, error) {
	txt, ok := r[name]
	switch {
	case txt == "panic":
		panic("out of order")
	case txt == "!":
		return nil, fmt.Errorf("SERVFAIL: %w", ErrTemporary)
	case !ok:
		return nil, ErrNotFound
	}
	return strings.Split(txt, "\n"), nil
}

// bodyHash returns bh= of the simple body, up to a length if it isn't negative.
func bodyHash(body string, length int) string {
	var b bodyHasher
	b.want(Simple, int64(length))
	b.write([]byte(body))
	b.close()
	m := b.ways[Simple].meter
	sum := m.total
	if length >= 0 {
		sum = m.sums[int64(length)]
	}
	return base64.StdEncoding.EncodeToString(sum[:])
}

// forge signs a header with a field made of a value that ends in "b=".
func forge(t testing.TB, h mail.Header, name, value string, key *PrivateKey) mail.Field {
	t.Helper()
	tags, f := parseTags(value, false)
	if f != nil {
		t.Fatal(f)
	}
	var s Signature
	if f := readCanon(&s, &signed{}, tags); f != nil {
		s.HeaderCanon = Relaxed
	}
	names, _ := tags.get("h")
	sum := sha256.New()
	in := newHeader(h)
	in.write(sum, in.pick(splitColons(names)), s.HeaderCanon)
	own := newHeader(mail.Header{{Name: name, Raw: value}})
	own.writeUnsigned(sum, 0, len(value), len(value), s.HeaderCanon)
	b, err := key.sign([sha256.Size]byte(sum.Sum(nil)))
	if err != nil {
		t.Fatal(err)
	}
	return mail.Field{Name: name, Raw: value + base64.StdEncoding.EncodeToString(b)}
}

// run verifies a header and a body.
func run(t testing.TB, h mail.Header, body string, l Lookup, o VerifyOptions) (Results, *Verifier) {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = forgeTime
	}
	v := NewVerifier(h, o)
	v.Start(t.Context(), l)
	v.Write([]byte(body))
	return v.Finish(t.Context()), v
}

func outcomeOf(status Status, reason Reason) string {
	if reason == "" {
		return string(status)
	}
	return fmt.Sprintf("%s (%s)", status, reason)
}

var forgeHeader = mail.Header{
	{Name: "From", Raw: " Joe <joe@example.com>"},
	{Name: "To", Raw: " <alice@example.org>"},
	{Name: "Subject", Raw: " Hello\n\tWorld"},
}

const forgeBody = "Hello\r\nWorld\r\n"

func TestStatuses(t *testing.T) {
	record := forgeKey.Record()
	p := record[strings.Index(record, " p="):]
	zone := records{
		"s._domainkey.example.com":              record,
		"s._domainkey.xn--exmple-cua.com":       record,
		"xn--slctr-esac._domainkey.example.com": record,
		"strict._domainkey.example.com":         "v=DKIM1; k=ed25519; t=s;" + p,
		"testing._domainkey.example.com":        "v=DKIM1; k=ed25519; t=y;" + p,
		"two._domainkey.example.com":            "v=spf1 -all\n" + record,
		"rsa._domainkey.example.com":            "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB",
		"short._domainkey.example.com":          "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALi+W4pd9Sl4D1mOaTqgcxFBmV7jJfrhbZLFwLKHr9a0mN0tZQEeTVUOxOCyXc6xgtjkQ1UZxOTqEDWDjkZ9Vh8CAwEAAQ==",
		"revoked._domainkey.example.com":        "v=DKIM1; p=",
		"broken._domainkey.example.com":         "v=DKIM1; k=ed25519; p=!!",
		"hash._domainkey.example.com":           "v=DKIM1; k=ed25519; h=sha1;" + p,
		"service._domainkey.example.com":        "v=DKIM1; k=ed25519; s=tlsrpt;" + p,
		"type._domainkey.example.com":           "v=DKIM1; k=rsa2;" + p,
		"other._domainkey.example.com":          "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
		"slow._domainkey.example.com":           "!",
		"panic._domainkey.example.com":          "panic",
		"spf._domainkey.example.com":            "v=spf1 -all",
	}
	at := func(d time.Duration) string { return fmt.Sprint(forgeTime.Add(d).Unix()) }
	const base = " v=1; a=ed25519-sha256; c=simple/simple; d=example.com; s=s; h=from:to; bh=BH; b="
	for _, c := range []struct{ from, to, want string }{
		{"", "", "pass"},
		{"d=example.com", "d=EXAMPLE.Com", "pass"},
		{"d=example.com", "d=exämple.com", "pass"},
		{"d=example.com", "d=xn--exmple-cua.com; i=jö@Exämple.com", "pass"},
		{"s=s", "s=sëlëctör", "permerror (key not found)"},
		{"ed25519-sha256", "ED25519-SHA256", "pass"},
		{"simple/simple", "Simple/SIMPLE", "pass"},
		{"c=simple/simple; ", "", "pass"},
		{"c=simple/simple", "c=relaxed", "pass"},
		{"h=from:to", "h= From : To :\n\tX-None", "pass"},
		{" v=1", "v=1", "pass"},
		{"v=1", "i=joe@SUB.Example.com; v=1", "pass"},
		{"v=1", "i=@example.com; q=dns/txt; z=From:x|To:y; foo=bar; v=1", "pass"},
		{"v=1", "q=other:dns/txt; v=1", "pass"},
		{"v=1", "t=" + at(-time.Hour) + "; x=" + at(time.Hour) + "; v=1", "pass"},
		{"v=1", "t=" + at(4*time.Minute) + "; v=1", "pass"},
		{"v=1", "x=" + at(-4*time.Minute) + "; v=1", "pass"},
		{"v=1", "x=99999999999999999999999999; v=1", "pass"},
		{"v=1", "l=14; v=1", "pass"},
		{"s=s", "s=two", "pass"},
		{"s=s", "s=testing", "pass"},
		{"s=s", "s=strict", "pass"},

		{"v=1; ", "", "permerror (required tag missing)"},
		{"d=example.com; ", "", "permerror (required tag missing)"},
		{"bh=BH; ", "", "permerror (required tag missing)"},
		{"h=from:to; ", "", "permerror (required tag missing)"},
		{"v=1", "v=2", "permerror (unknown version)"},
		{"v=1", "v=1; v=1", "permerror (malformed signature)"},
		{"v=1", "v=1;;", "permerror (malformed signature)"},
		{"v=1", "v=1; =x", "permerror (malformed signature)"},
		{"v=1", "v=1; 9=x", "permerror (malformed signature)"},
		{"v=1", "v=1; x", "permerror (malformed signature)"},
		{"v=1", "v=1; n=\x01", "permerror (malformed signature)"},
		{"bh=BH", "bh=*", "permerror (malformed signature)"},
		{"bh=BH", "bh=", "permerror (malformed signature)"},
		{"v=1", "l=-1; v=1", "permerror (malformed signature)"},
		{"v=1", "l=; v=1", "permerror (malformed signature)"},
		{"ed25519-sha256", "rsa-sha1", "permerror (rsa-sha1 must not be used)"},
		{"ed25519-sha256", "ed25519-sha512", "permerror (unknown algorithm)"},
		{"ed25519-sha256", "", "permerror (unknown algorithm)"},
		{"simple/simple", "nofws", "permerror (unknown canonicalization)"},
		{"simple/simple", "simple/nofws", "permerror (unknown canonicalization)"},
		{"simple/simple", "", "permerror (unknown canonicalization)"},
		{"d=example.com", "d=", "permerror (not a domain name)"},
		{"d=example.com", "d=exam ple.com", "permerror (not a domain name)"},
		{"d=example.com", "d=example..com", "permerror (not a domain name)"},
		{"s=s", "s=", "permerror (not a domain name)"},
		{"s=s", "s=" + strings.Repeat("a.", 120) + "a", "permerror (not a domain name)"},
		{"v=1", "i=joe@example.org; v=1", "permerror (i= is not within d=)"},
		{"v=1", "i=joe@notexample.com; v=1", "permerror (i= is not within d=)"},
		{"v=1", "i=example.com; v=1", "permerror (i= is not within d=)"},
		{"v=1", "i=; v=1", "permerror (i= is not within d=)"},
		{"h=from:to", "h=to:subject", "permerror (header From not signed)"},
		{"h=from:to", "h=", "permerror (header From not signed)"},
		{"v=1", "q=http; v=1", "permerror (unknown query method)"},
		{"v=1", "t=x; v=1", "permerror (bad time)"},
		{"v=1", "t=1 2; v=1", "permerror (bad time)"},
		{"v=1", "t=" + at(0) + "; x=" + at(0) + "; v=1", "permerror (bad time)"},
		{"v=1", "x=" + at(-6*time.Minute) + "; v=1", "policy (signature expired)"},
		{"v=1", "t=" + at(6*time.Minute) + "; v=1", "policy (signature from the future)"},
		{"v=1", "t=99999999999999999999999999; v=1", "policy (signature from the future)"},

		{"s=s", "s=none", "permerror (key not found)"},
		{"s=s", "s=slow", "temperror (key unavailable)"},
		{"s=s", "s=panic", "temperror (key unavailable)"},
		{"s=s", "s=spf", "permerror (key record broken)"},
		{"s=s", "s=revoked", "permerror (key revoked)"},
		{"s=s", "s=broken", "permerror (key record broken)"},
		{"s=s", "s=type", "permerror (unknown key type)"},
		{"s=s", "s=rsa", "permerror (key is of another type)"},
		{"s=s", "s=short", "policy (key too short)"},
		{"s=s", "s=hash", "permerror (key is not for this hash)"},
		{"s=s", "s=service", "permerror (key is not for mail)"},
		{"v=1; a=ed25519-sha256; c=simple/simple; d=example.com; s=s", "v=1; a=ed25519-sha256; d=example.com; s=strict; i=@a.example.com", "permerror (key is not for subdomains)"},

		{"s=s", "s=other", "fail (bad signature)"},
		{"bh=BH", "bh=" + bodyHash("other", -1), "fail (bad body hash)"},
		{"v=1", "l=15; v=1", "fail (body shorter than l=)"},
		{"v=1", "l=99999999999999999999999999; v=1", "fail (body shorter than l=)"},
		{"bh=BH", "l=5; bh=" + bodyHash(forgeBody, 5), "policy (part of the body is not signed)"},
		{"bh=BH", "l=0; bh=" + bodyHash("", 0), "policy (part of the body is not signed)"},
		{"bh=BH", "l=5; s=other; bh=" + bodyHash(forgeBody, 5), "permerror (malformed signature)"},

		{"h=from:to", "h=from" + strings.Repeat(":x", 127), "pass"},
		{"h=from:to", "h=from" + strings.Repeat(":x", 128), "policy (over the limits)"},
		{"v=1", "v=1; n=" + strings.Repeat("x", 17<<10), "policy (over the limits)"},
		{"v=1", "v=1; n=" + strings.Repeat("\n x", 100), "policy (over the limits)"},
	} {
		value := strings.ReplaceAll(strings.Replace(base, c.from, c.to, 1), "BH", bodyHash(forgeBody, -1))
		field := mail.Field{Name: "DKIM-Signature", Raw: value + "eA=="}
		if _, f := parseTags(value, false); f == nil {
			field = forge(t, forgeHeader, "DKIM-Signature", value, forgeKey)
		}
		r, _ := run(t, append(mail.Header{field}, forgeHeader...), forgeBody, zone, VerifyOptions{})
		s := r.Signatures[0]
		if got := outcomeOf(s.Status, s.Reason); got != c.want {
			t.Errorf("%.80q instead of %q: %s (%s), want %s", c.to, c.from, got, s.Detail, c.want)
		}
		if strict, testing := strings.Contains(c.to, "s=strict"), c.to == "s=testing"; s.Strict != strict || s.Testing != testing {
			t.Errorf("%.80q: strict %t, testing %t", c.to, s.Strict, s.Testing)
		}
		if l := strings.Contains(c.want, "part of the body"); l != (s.Unsigned > 0) || l && s.Unsigned+s.Length != int64(len(forgeBody)) {
			t.Errorf("%.80q: %d bytes unsigned", c.to, s.Unsigned)
		}
	}
}

// TestLateKeys sees what happens when keys don't come.
func TestLateKeys(t *testing.T) {
	field := forge(t, forgeHeader, "DKIM-Signature", " v=1; a=ed25519-sha256; d=example.com; s=s; h=from; bh="+bodyHash(forgeBody, -1)+"; b=", forgeKey)
	h := append(mail.Header{field}, forgeHeader...)
	for name, start := range map[string]func(*Verifier, context.Context){
		"never asked": func(*Verifier, context.Context) {},
		"no answer":   func(v *Verifier, ctx context.Context) { v.Start(ctx, silent{}) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		v := NewVerifier(h, VerifyOptions{Now: forgeTime})
		start(v, ctx)
		v.Write([]byte(forgeBody))
		cancel()
		if s := v.Finish(ctx).Signatures[0]; s.Status != TempError || s.Reason != KeyUnavailable {
			t.Errorf("%s: %s, want temperror", name, outcomeOf(s.Status, s.Reason))
		}
	}
}

// silent never answers.
type silent struct{}

func (silent) TXT(ctx context.Context, _ string) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// asking counts how often each name is asked for.
type asking struct {
	records
	names chan string
}

func (a asking) TXT(ctx context.Context, name string) ([]string, error) {
	a.names <- name
	return a.records.TXT(ctx, name)
}

// TestNamesOnce sees that each key is asked for once, however often it is used.
func TestNamesOnce(t *testing.T) {
	zone := asking{records{"s._domainkey.example.com": forgeKey.Record()}, make(chan string, 100)}
	h := sealed(t, forgeHeader, forgeBody, 5, forgeKey, func(int) string { return "s" })
	for range 8 {
		value := " v=1; a=ed25519-sha256; d=example.com; s=s; h=from; bh=" + bodyHash(forgeBody, -1) + "; b="
		h = append(mail.Header{forge(t, forgeHeader, "DKIM-Signature", value, forgeKey)}, h...)
	}
	r, v := run(t, h, forgeBody, zone, VerifyOptions{})
	for _, s := range r.Signatures {
		if s.Status != Pass {
			t.Errorf("signature: %s", outcomeOf(s.Status, s.Reason))
		}
	}
	if r.ARC.Status != Pass || len(r.Signatures) != 8 {
		t.Errorf("%d signatures, chain %s", len(r.Signatures), outcomeOf(r.ARC.Status, r.ARC.Reason))
	}
	if len(zone.names) != 1 || len(v.Names()) != 1 {
		t.Errorf("asked %d times for %v, want once", len(zone.names), v.Names())
	}
}

// anyKey is a Lookup that has the same record everywhere.
type anyKey string

func (k anyKey) TXT(context.Context, string) ([]string, error) { return []string{string(k)}, nil }
