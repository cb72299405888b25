package checks

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rmilter/dkim"
	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/mail"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// authChecks are the checks that ask who sent a message, and more that read them.
func authChecks(more ...scan.Check) []scan.Check {
	return append([]scan.Check{SPF, DKIM, ARC, DMARC, Auth}, more...)
}

// An authRig runs checks with a real resolver and a server with a zone.
type authRig struct {
	t        testing.TB
	server   *dnstest.Server
	resolver *dns.Resolver
	engine   *scan.Engine
}

// newAuthRig returns a rig whose clock moves when the server drops a query, so that a
// timeout takes no time.
func newAuthRig(t testing.TB, conf, zone string, more ...scan.Check) *authRig {
	t.Helper()
	r := &authRig{t: t, server: dnstest.Start(t, zone), engine: newEngine(t, conf, authChecks(more...)...)}
	r.forget()
	return r
}

// forget starts a resolver that knows nothing.
func (r *authRig) forget() {
	r.t.Helper()
	clock := dnstest.NewClock(frozen())
	r.server.OnDrop(func() { clock.Advance(clockStep) })
	a := r.server.Addr()
	var err error
	r.resolver, err = dns.New(dns.Config{Nameservers: ucl.Servers{{Host: a.Addr().String(), Port: int(a.Port())}}},
		dns.Env{Now: clock.Now, AfterFunc: clock.AfterFunc, Try: clockStep, ResolvConf: filepath.Join(r.t.TempDir(), "resolv.conf")})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.resolver.Close)
}

// clockStep is how far the clock moves when a query is dropped: a question with all its
// tries takes 4 s.
const clockStep = 1e9

// aids returns what the filter gives the checks of a message.
func aids(ctx context.Context, l dns.Lookuper, m *mail.Message) scan.Aids {
	v := dkim.NewVerifier(m.Header(), dkim.VerifyOptions{Now: frozen(), BareLF: true})
	v.Start(ctx, keysOf{l})
	v.Write(m.Body())
	return scan.Aids{DNS: l, DKIM: v}
}

// scan runs the checks over a message.
func (r *authRig) scan(e *mail.Envelope, raw string) *scan.Report {
	r.t.Helper()
	m := mail.Parse([]byte(raw), mail.DefaultLimits)
	names := r.resolver.ForMessage(dns.Budget{})
	defer names.Close()
	report := r.engine.Scan(r.t.Context(), e, m, aids(r.t.Context(), names, m))
	for name, err := range report.Failed {
		r.t.Errorf("check %s failed: %v", name, err)
	}
	return report
}

// keysOf looks up keys.
type keysOf struct{ dns.Lookuper }

func (k keysOf) TXT(ctx context.Context, name string) ([]string, error) {
	a, err := k.Lookup(ctx, name, dns.TypeTXT)
	if e, ok := errors.AsType[*dns.Error](err); ok && !e.Temporary() {
		return nil, dkim.ErrNotFound
	}
	return a.Texts, err
}

// own returns the findings that some symbols are of.
func own(r *scan.Report, symbols []*scan.Symbol) string {
	return told(slices.DeleteFunc(slices.Clone(r.Findings), func(f scan.Finding) bool { return !slices.Contains(symbols, f.Symbol) }))
}

// fixtures runs a check over messages. Every symbol of it must be expected somewhere.
func (r *authRig) fixtures(t *testing.T, symbols []*scan.Symbol, cases []fixture) {
	t.Helper()
	expected := ""
	for _, c := range cases {
		expected += " " + c.want
		t.Run(c.name, func(t *testing.T) {
			r := *r
			r.t = t
			env := stranger()
			if c.env != nil {
				c.env(env)
			}
			report := r.scan(env, c.text)
			checkReport(t, report)
			if got := own(report, symbols); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	for _, s := range symbols {
		if !strings.Contains(expected, " "+s.Name+"{") && !strings.Contains(expected, " "+s.Name+"*") && !strings.Contains(expected+" ", " "+s.Name+" ") {
			t.Errorf("no fixture has the symbol %s", s.Name)
		}
	}
}

// The key of the tests, for signatures and for seals.
var (
	testSeed = sha256.Sum256([]byte("a key for tests"))
	sealKey  = ed25519.NewKeyFromSeed(testSeed[:])
)

func testKey(t testing.TB) *dkim.PrivateKey {
	t.Helper()
	k, err := dkim.ParseKey([]byte(base64.StdEncoding.EncodeToString(testSeed[:])))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// keyZone is where the keys of some domains are, with the selector s.
func keyZone(t testing.TB, domains ...string) string {
	t.Helper()
	var b strings.Builder
	for _, d := range domains {
		fmt.Fprintf(&b, "s._domainkey.%s TXT %s\n", d, testKey(t).Record())
	}
	return b.String()
}

// signed signs a message for a domain with the selector s, or another after a space.
func signed(t testing.TB, raw, by string) string {
	t.Helper()
	domain, selector, ok := strings.Cut(by, " ")
	if !ok {
		selector = "s"
	}
	m := mail.Parse([]byte(raw), mail.DefaultLimits)
	s, err := dkim.NewSigner([]dkim.SigningKey{{Domain: domain, Selector: selector, Key: testKey(t)}}, dkim.SignOptions{Now: frozen(), BareLF: true, HeaderCanon: dkim.Relaxed, BodyCanon: dkim.Relaxed})
	if err != nil {
		t.Fatal(err)
	}
	s.Write(m.Body())
	fields, err := s.Sign(m.Header())
	if err != nil {
		t.Fatal(err)
	}
	return fields[0].Name + ":" + fields[0].Raw + "\n" + raw
}

// canon is the relaxed form of a field that isn't folded.
func canon(name, value string) string {
	return strings.ToLower(name) + ":" + strings.TrimSpace(value) + "\r\n"
}

// bodyHash is that of a body in its relaxed form, with LF.
func bodyHash(body string) string {
	sum := sha256.Sum256([]byte(strings.ReplaceAll(body, "\n", "\r\n")))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// signValue puts the signature of some fields, of which the last is the one that has it,
// behind a value.
func signValue(fields, value string) string {
	sum := sha256.Sum256([]byte(strings.TrimSuffix(fields, "\r\n")))
	return value + base64.StdEncoding.EncodeToString(ed25519.Sign(sealKey, sum[:]))
}

// partial returns a message whose signature has l= for a part of its body.
func partial(t testing.TB, domain, part, rest string) string {
	t.Helper()
	value := fmt.Sprintf("v=1; a=ed25519-sha256; c=relaxed/relaxed; d=%s; s=s; l=%d; h=from:subject; bh=%s; b=",
		domain, len(strings.ReplaceAll(part, "\n", "\r\n")), bodyHash(part))
	head := "From: Joe <joe@example.net>\nSubject: Hello\n"
	value = signValue(canon("From", "Joe <joe@example.net>")+canon("Subject", "Hello")+canon("DKIM-Signature", value), value)
	return "DKIM-Signature: " + value + "\n" + head + "\n" + part + rest
}

// signedOnce signs a message without folded fields, whose body is in its relaxed form, for
// a domain: the undermost From and Subject, and nothing that could be put on top.
func signedOnce(t testing.TB, raw, domain string) string {
	t.Helper()
	m := mail.Parse([]byte(raw), mail.DefaultLimits)
	froms := m.Header().Values("From")
	value := fmt.Sprintf("v=1; a=ed25519-sha256; c=relaxed/relaxed; d=%s; s=s; h=from:subject; bh=%s; b=", domain, bodyHash(string(m.Body())))
	value = signValue(canon("From", froms[len(froms)-1])+canon("Subject", m.Header().Get("Subject"))+canon("DKIM-Signature", value), value)
	return "DKIM-Signature: " + value + "\n" + raw
}

// sealed puts an ARC set of a domain over a message without folded fields, whose body is
// in its relaxed form. The message signature covers From and Subject.
func sealed(t testing.TB, raw, domain, results string) string {
	t.Helper()
	return sealedOver(t, raw, domain, results, "from:subject")
}

// sealedOver is sealed with a message signature over other fields.
func sealedOver(t testing.TB, raw, domain, results, names string) string {
	t.Helper()
	m := mail.Parse([]byte(raw), mail.DefaultLimits)
	sets := m.Header().Count("ARC-Seal")
	n, cv := sets+1, "pass"
	if sets == 0 {
		cv = "none"
	}
	aar := fmt.Sprintf("i=%d; %s", n, results)
	ams := fmt.Sprintf("i=%d; a=ed25519-sha256; c=relaxed/relaxed; d=%s; s=s; h=%s; bh=%s; b=", n, domain, names, bodyHash(string(m.Body())))
	var header string
	left := map[string][]string{}
	for name := range strings.SplitSeq(names, ":") {
		if left[name] == nil {
			left[name] = append([]string{}, m.Header().Values(name)...)
		}
		if n := len(left[name]); n > 0 { // from the bottom up
			header += canon(name, left[name][n-1])
			left[name] = left[name][:n-1]
		}
	}
	ams = signValue(header+canon("ARC-Message-Signature", ams), ams)
	var all string
	for i := sets - 1; i >= 0; i-- { // the oldest is the last
		for _, name := range []string{"ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"} {
			all += canon(name, m.Header().Fields(name)[i].Value())
		}
	}
	as := fmt.Sprintf("i=%d; a=ed25519-sha256; cv=%s; d=%s; s=s; b=", n, cv, domain)
	as = signValue(all+canon("ARC-Authentication-Results", aar)+canon("ARC-Message-Signature", ams)+canon("ARC-Seal", as), as)
	return "ARC-Seal: " + as + "\nARC-Message-Signature: " + ams + "\nARC-Authentication-Results: " + aar + "\n" + raw
}
