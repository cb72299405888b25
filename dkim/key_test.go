package dkim_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"rmilter/dkim"
	"rmilter/test/suites"
)

// pemOf returns a key as PKCS #8.
func pemOf(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestKeys(t *testing.T) {
	for _, k := range []*dkim.PrivateKey{rsaKey, edKey} {
		text, err := k.PEM()
		if err != nil {
			t.Fatal(err)
		}
		again, err := dkim.ParseKey(text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := dkim.ParseRecord(again.Record())
		if err != nil || !r.Matches(k) || r.Type != k.Type() || r.Bits != k.Bits() {
			t.Errorf("%v: record %+v, %v", k, r, err)
		}
		if other, _ := dkim.GenerateEd25519(); r.Matches(other) {
			t.Errorf("%v: the record matches another key", k)
		}
		for _, form := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if s := fmt.Sprintf(form, k); len(s) > 40 {
				t.Errorf("%s shows %q", form, s)
			}
		}
	}
	if rsaKey.Weak() || edKey.Weak() {
		t.Error("a good key is said to be weak")
	}
	if got, want := edKey.String(), "ed25519 key of 256 bits"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseKey(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(small)})
	block := func(typ string, headers map[string]string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Headers: headers, Bytes: []byte("SECRET")}))
	}
	for _, c := range []struct{ name, key, want string }{
		{"PKCS #1", string(pkcs1), ""},
		{"words before", "# mail key\n" + string(pkcs1), ""},
		{"CRLF", suites.CRLF(string(pkcs1)), ""},
		{"PKCS #8", string(pemOf(t, small)), ""},
		{"seed", suites.RFC8463Seed, ""},
		{"seed without padding", strings.TrimRight(suites.RFC8463Seed, "="), ""},
		{"seed with another public key", base64.StdEncoding.EncodeToString(make([]byte, 64)), "damaged"},
		{"EC", string(pemOf(t, ec)), "neither RSA nor Ed25519"},
		{"nothing", "", "no private key"},
		{"damaged", "-----BEGIN PRIVATE KEY-----\nxx", "PEM block is damaged"},
		{"garbage", block("PRIVATE KEY", nil), "private key is damaged"},
		{"garbage of PKCS #1", block("RSA PRIVATE KEY", nil), "private key is damaged"},
		{"public key", block("PUBLIC KEY", nil), "not a private key"},
		{"certificate", block("CERTIFICATE", nil), "not a private key"},
		{"encrypted", block("ENCRYPTED PRIVATE KEY", nil), "without a password"},
		{"encrypted PKCS #1", block("RSA PRIVATE KEY", map[string]string{"DEK-Info": "AES-128-CBC,00", "Proc-Type": "4,ENCRYPTED"}), "without a password"},
	} {
		k, err := dkim.ParseKey([]byte(c.key))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if (err == nil) != (c.want == "") || !strings.Contains(got, c.want) || (err == nil) != (k != nil) {
			t.Errorf("%s: %v, %q, want %q", c.name, k, got, c.want)
		}
		if strings.Contains(got, "SECRET") {
			t.Errorf("%s: the error shows the key: %s", c.name, got)
		}
	}
	if k, err := dkim.ParseKey(pkcs1); err != nil || !k.Weak() {
		t.Errorf("a key of 1024 bits: weak %t, %v", k.Weak(), err)
	}
	for _, bits := range []int{0, 512, 1023, 16384} {
		if _, err := dkim.GenerateRSA(bits); err == nil {
			t.Errorf("a key of %d bits was made", bits)
		}
	}
}

func TestRecordText(t *testing.T) {
	name := dkim.RecordName("Exämple.org", "Dkim")
	if want := "dkim._domainkey.xn--exmple-cua.org"; name != want {
		t.Errorf("got %q, want %q", name, want)
	}
	for _, bad := range []string{"", "a..b", strings.Repeat("x", 64) + ".example", "exam ple", "a;b", strings.Repeat("a.", 130) + "a"} {
		if got := dkim.RecordName(bad, "x"); got != "" {
			t.Errorf("domain %q: %q, want nothing", bad, got)
		}
	}
	line := dkim.ZoneRecord(name, rsaKey.Record())
	pieces := strings.Split(line, `"`)
	if !strings.HasPrefix(line, name+`. IN TXT ( "v=DKIM1; k=rsa; p=`) || !strings.HasSuffix(line, `" )`) || len(pieces) != 5 {
		t.Fatalf("got %s", line)
	}
	if len(pieces[1]) != 255 || pieces[1]+pieces[3] != rsaKey.Record() {
		t.Errorf("strings of %d and %d bytes don't make the record", len(pieces[1]), len(pieces[3]))
	}
}

func TestParseRecord(t *testing.T) {
	p := suites.RFC8463Ed[strings.Index(suites.RFC8463Ed, "p="):]
	for _, c := range []struct{ txt, want string }{
		{"v=DKIM1; k=ed25519; " + p, ""},
		{"k=ed25519;" + p + ";", ""},
		{" v = DKIM1 ; k = ed25519 ;; " + p + " ; n=caf\xe9", ""},
		{"v=DKIM1; k=ED25519; t=y:s; s=email; h=sha256; " + p, ""},
		{"v=DKIM1; p=" + p[2:20] + "\r\n " + p[20:] + "; k=ed25519", ""},
		{"k=ed25519; v=DKIM1; " + p, "not a record of DKIM1"},
		{"v=DKIM2; k=ed25519; " + p, "not a record of DKIM1"},
		{"v=spf1 -all", "not a record of DKIM1"},
		{"v=DKIM1; k=ed25519", "no p="},
		{"v=DKIM1; k=ed25519; p=", "key revoked"},
		{"v=DKIM1; k=ed25519; p= ;", "key revoked"},
		{"v=DKIM1; " + p, "no RSA key"},
		{"v=DKIM1; k=ed25519; p=eA==", "no Ed25519 key"},
		{"v=DKIM1; k=dsa; " + p, "unknown key type"},
		{"v=DKIM1; k=ed25519; p=***", "not base64"},
		{"v=DKIM1; " + p + "; " + p, "twice"},
		{"something else", "tag without ="},
		{"", "empty tag"},
		{strings.Repeat("x=1;", 5000), "over the limits"},
		{"v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALi+W4pd9Sl4D1mOaTqgcxFBmV7jJfrhbZLFwLKHr9a0mN0tZQEeTVUOxOCyXc6xgtjkQ1UZxOTqEDWDjkZ9Vh8CAwEAAQ==", "key too short"},
	} {
		_, err := dkim.ParseRecord(c.txt)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%.60q: %q, want %q", c.txt, got, c.want)
		}
	}
}

func TestCheckKey(t *testing.T) {
	p := edKey.Record()[strings.Index(edKey.Record(), "p="):]
	z := zone{
		"good._domainkey.example.com": "v=spf1 -all\n" + edKey.Record(), "other._domainkey.example.com": suites.RFC8463Ed + "\n!x",
		"revoked._domainkey.example.com": "v=DKIM1; p=", "slow._domainkey.example.com": "!", "empty._domainkey.example.com": "",
		"hash._domainkey.example.com": "v=DKIM1; h=sha1; k=ed25519; " + p, "tls._domainkey.example.com": "v=DKIM1; s=tlsrpt; k=ed25519; " + p,
	}
	for _, c := range []struct {
		selector, want string
		is             error
	}{
		{"good", "", nil},
		{"Good", "", nil},
		{"other", "another key", dkim.ErrOtherKey},
		{"revoked", "key revoked", nil},
		{"none", "no such record", dkim.ErrNotFound},
		{"empty", "no such record", dkim.ErrNotFound},
		{"slow", "for now", dkim.ErrTemporary},
		{"hash", "not for this hash", nil},
		{"tls", "not for mail", nil},
		{"no selector", "not a domain name", nil},
	} {
		_, err := dkim.CheckKey(t.Context(), z, "Example.com", c.selector, edKey)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %q, want %q", c.selector, got, c.want)
		}
	}
}
