package checks

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"rmilter/internal/authres"
	"rmilter/internal/dns"
	"rmilter/internal/mail"
	"rmilter/scan"
)

// FuzzAuth has any message and any records: no check fails, what is said of it is clean
// and the same again.
func FuzzAuth(f *testing.F) {
	key := testKey(f).Record()
	raw := signed(f, plainText, "example.net")
	f.Add(raw, "<joe@example.net>", "mx.example.net", "v=spf1 a mx include:example.org exists:%{i}.example -all", "v=DMARC1; p=reject; pct=50; rua=mailto:d@example.net", key)
	f.Add(sealed(f, raw, "example.net", "x; dmarc=pass header.from=example.net"), "<>", "mx", "v=spf1 +all", "v=DMARC1; p=quarantine; sp=none; np=reject", key)
	f.Add(partial(f, "example.net", "Hello\n", "x"), "<joe@[192.0.2.1]>", "", "v=spf1 redirect=%{d}", "v=DMARC1; rua=mailto:x@example.net", strings.Replace(key, "k=", "t=y:s; k=", 1))
	f.Add("From: a@a.example, b@b.example\nList-Id: <<a.b.example>>\nDKIM-Signature: d=\xff; s=\x00\n\n", "<\xff@\x00>", "\x1b[31m", "v=spf1 exp=%{s} -all", "v=DMARC1;", "p=")
	engine := newEngine(f, "dmarc { actions { reject = reject; quarantine = quarantine } } arc { trusted_sealers = example.net }", authChecks(Lists, AuthLists, Correspondence)...)
	f.Fuzz(func(t *testing.T, raw, from, helo, spf, dmarc, key string) {
		l := lookup(func(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
			a := dns.Answer{Name: name, Type: typ}
			switch {
			case typ == dns.TypeMX:
				a.MXs = []dns.MX{{Host: "mx." + name}}
			case typ == dns.TypeA:
				a.Addrs = []netip.Addr{netip.MustParseAddr("203.0.113.7")}
			case typ != dns.TypeTXT:
				return a, &dns.Error{Name: name, Type: typ, Kind: dns.NoData}
			case strings.HasPrefix(name, "_dmarc."):
				a.Texts = []string{dmarc}
			case strings.Contains(name, "._domainkey."):
				a.Texts = []string{key}
			default:
				a.Texts = []string{spf}
			}
			return a, nil
		})
		var told [2]string
		for i := range told {
			env := stranger()
			env.From, env.Helo = path(from), helo
			env.Thread = mail.Thread{Reply: mail.Reply, ID: "1@example.com", Author: mail.ParseAddress("joe@example.net"), KnownBy: true}
			m := mail.Parse([]byte(raw), mail.DefaultLimits)
			r := engine.Scan(t.Context(), env, m, aids(t.Context(), l, m))
			checkReport(t, r)
			told[i] = account(engine.Weights(), r) + authOf(t, r)
		}
		if told[0] != told[1] {
			t.Errorf("first\n%s\nthen\n%s", told[0], told[1])
		}
	})
}

// authOf returns what a report says in Authentication-Results, which has to come back
// when it is read, and the row for reports.
func authOf(t *testing.T, r *scan.Report) string {
	t.Helper()
	text := authres.Header{ID: "mx.example.com", Results: r.Auth}.Format()
	if len(text) > 20_000 {
		t.Errorf("%d bytes of Authentication-Results", len(text))
	}
	back := authres.Parse(text)
	if back.Broken || len(back.Results) != len(r.Auth) {
		t.Fatalf("%d results became %d of\n%s", len(r.Auth), len(back.Results), text)
	}
	for i := range r.Auth {
		if back.Results[i].Method != r.Auth[i].Method || back.Results[i].Value != r.Auth[i].Value {
			t.Errorf("got %s=%s, want %s=%s", back.Results[i].Method, back.Results[i].Value, r.Auth[i].Method, r.Auth[i].Value)
		}
	}
	text += r.AuthWord() + r.Sender
	if r.DMARC != nil {
		text += r.DMARC.Key()
	}
	return text
}

// BenchmarkAuth judges a signed message whose records are known.
func BenchmarkAuth(b *testing.B) {
	r := newAuthRig(b, "", keyZone(b, "example.net")+"example.net TXT v=spf1 include:pass.example.net -all\npass.example.net TXT v=spf1 ip4:203.0.113.7 -all\n_dmarc.example.net TXT v=DMARC1; p=reject")
	raw := signed(b, plainText, "example.net")
	for b.Loop() {
		if got := r.scan(stranger(), raw).AuthWord(); got != "spf:pass,dkim:pass,dmarc:pass" {
			b.Fatal(got)
		}
	}
}
