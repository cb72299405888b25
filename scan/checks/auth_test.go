package checks

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/authres"
	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/mail"
	"rmilter/scan"
)

// TestAuth sees which domains are proved, and which of them is the sender's.
func TestAuth(t *testing.T) {
	r := newAuthRig(t, "", spfZone+keyZone(t, "example.net", "example.org", "co.uk", "lists.example")+trialZone(t, "trial._domainkey.example.net")+"mail.example.net TXT v=spf1 ip4:203.0.113.7 -all\nexample.co.uk TXT v=spf1 +all\nb.strict.example TXT v=spf1 ip4:203.0.113.7 -all\n_dmarc.strict.example TXT v=DMARC1; p=reject; aspf=s; adkim=s\n_dmarc.b.strict.example TXT v=DMARC1; p=reject; aspf=s")
	from := func(domain string) func(*mail.Envelope) { return sender("<joe@" + domain + ">") }
	for _, c := range []struct {
		name   string
		env    func(*mail.Envelope)
		raw    string
		sender string
		proved string // of the domains below
	}{
		{"nothing", nil, plainText, "", ""},
		{"SPF", from("pass.example"), by("pass.example"), "pass.example", "pass.example"},
		{"SPF of another From", from("pass.example"), plainText, "", "pass.example"},
		{"SPF of a name below", from("mail.example.net"), plainText, "example.net", "example.net www.example.net"},
		{"SPF that everybody passes", from("example.co.uk"), by("example.co.uk"), "", ""},
		{"softfail", from("soft.example"), by("soft.example"), "", ""},
		{"fail", from("fail.example"), by("fail.example"), "", ""},
		{"HELO", func(e *mail.Envelope) { e.From, e.Helo = mail.Path{}, "mail.example.net" }, plainText, "example.net", "example.net www.example.net"},
		{"DKIM", nil, signed(t, plainText, "example.net"), "example.net", "example.net www.example.net"},
		{"DKIM of a list", nil, signed(t, plainText, "lists.example"), "", "lists.example"},
		{"DKIM of a public suffix", nil, signed(t, by("example.co.uk"), "co.uk"), "", "co.uk"},
		{"DKIM in test mode", nil, signed(t, plainText, "example.net trial"), "example.net", "example.net www.example.net"},
		{"DKIM of a part", nil, partial(t, "example.net", "Hello\n", "Buy!\n"), "", ""},
		{"bad DKIM", nil, strings.Replace(signed(t, plainText, "example.net"), "\nHello\n", "\nHullo\n", 1), "", ""},
		{"both", from("pass.example"), signed(t, plainText, "example.net"), "example.net", "pass.example example.net www.example.net"},
		{"two domains in From", from("pass.example"), signed(t, by("pass.example>, <jim@example.net"), "example.net"), "", "pass.example example.net www.example.net"},
		{"two From of a domain", from("pass.example"), "From: jim@pass.example\n" + by("pass.example"), "", ""},
		{"three domains in From", from("pass.example"), by("pass.example>, <a@example.net>, <b@c.example"), "", "pass.example"},
		{"empty labels in From", from("pass.example"), by("pass..example"), "", "pass.example"},
		{"DMARC fails, SPF of a name below", from("b.strict.example"), by("strict.example"), "", ""},
		{"DMARC fails, SPF of another", from("pass.example"), by("strict.example"), "", ""},
		{"DMARC passes", from("b.strict.example"), by("b.strict.example"), "strict.example", ""},
		{"our user", trust(mail.Authenticated), plainText, "", "pass.example example.net www.example.net example.org co.uk example.co.uk lists.example fail.example soft.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var proof Proof
			ask := &scan.Spec[struct{}, struct{}]{Name: "ask", Doc: "Asks.", Reads: []scan.Check{Auth}, New: plain(func(p *scan.Pass) { proof = proven(p) })}
			r := *r
			r.t, r.engine = t, newEngine(t, "", authChecks(ask)...)
			env := stranger()
			if c.env != nil {
				c.env(env)
			}
			if got := r.scan(env, c.raw).Sender; got != c.sender || proof.Sender != got {
				t.Errorf("got sender %q and %q, want %q", got, proof.Sender, c.sender)
			}
			var proved []string
			for _, d := range []string{"pass.example", "example.net", "www.example.net", "example.org", "co.uk", "example.co.uk", "lists.example", "fail.example", "soft.example"} {
				if proof.Has(d) {
					proved = append(proved, d)
				}
			}
			if got := strings.Join(proved, " "); got != c.proved {
				t.Errorf("got %q proved, want %q", got, c.proved)
			}
			if proof.Has("") && !proof.ours {
				t.Error("no domain is proved")
			}
		})
	}
}

// TestAuthFails sees that every failure of the DNS is told as one, and taken for nothing
// else.
func TestAuthFails(t *testing.T) {
	faults := map[string]dnstest.Fault{
		"drop": dnstest.Drop, "SERVFAIL": dnstest.ServFail, "REFUSED": dnstest.Refused, "bare REFUSED": dnstest.Bare, "FORMERR": dnstest.FormErr, "referral": dnstest.Referral,
		"TCP closed": dnstest.TruncateNoTCP, "TCP silent": dnstest.TruncateDropTCP, "truncated twice": dnstest.TruncateTwice, "garbage": dnstest.Garbage,
		"short": dnstest.Short, "pointers": dnstest.Pointers, // packets that aren't an answer are as none
	}
	all := slices.Concat(SPF.Symbols, DKIM.Symbols, ARC.Symbols, DMARC.Symbols)
	raw := sealed(t, signed(t, by("reject.example"), "reject.example"), "relay.example", "x; dmarc=pass header.from=reject.example")
	env := stranger()
	env.From = path("<joe@reject.example>")
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			r := dmarcRig(t, "")
			r.server.Script("", "", fault)
			var list []string
			report := r.scan(env, raw)
			for _, f := range report.Findings {
				if slices.Contains(all, f.Symbol) {
					list = append(list, f.Symbol.Name)
				}
			}
			if got, want := strings.Join(list, " "), "R_SPF_DNSFAIL R_DKIM_TEMPFAIL DKIM_TRACE ARC_DNSFAIL DMARC_DNSFAIL"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got, want := report.AuthWord(), "spf:temperror,dkim:temperror,arc:temperror,dmarc:temperror"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if report.Sender != "" || report.Passthrough != nil {
				t.Errorf("got sender %q, demand %v", report.Sender, report.Passthrough)
			}
		})
	}
	r := dmarcRig(t, "")
	r.server.Script("", "", dnstest.Truncate)
	if got, want := r.scan(env, raw).AuthWord(), "spf:pass,dkim:pass,arc:pass,dmarc:pass"; got != want {
		t.Errorf("cut by UDP: got %s, want %s", got, want)
	}
}

// TestAuthAsksOnce sees that each question is asked once for a message, however many
// want to know.
func TestAuthAsksOnce(t *testing.T) {
	zone := keyZone(t, "example.net") + "_dmarc.example.net TXT v=DMARC1; p=reject\nexample.net TXT v=spf1"
	for i := range 9 {
		zone += fmt.Sprintf(" include:i%d.example.net", i)
	}
	zone += " include:last.example.net -all\n"
	for i := range 9 {
		zone += fmt.Sprintf("i%d.example.net TXT v=spf1 ip4:198.51.100.%d -all\n", i, i)
	}
	zone += "last.example.net TXT v=spf1 ip4:203.0.113.7 -all\n"
	raw := plainText
	for i := range 8 {
		raw = signed(t, raw, "example.net")
		if i%3 == 2 {
			raw = sealed(t, raw, "example.net", "x; dmarc=pass header.from=example.net")
		}
	}
	r := newAuthRig(t, "", zone, Lists, AuthLists, Correspondence)
	if got, want := r.scan(stranger(), raw).AuthWord(), "spf:pass,dkim:pass,arc:pass,dmarc:pass"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, q := range r.server.Asked() {
		if n := r.server.Queries(q.Name, q.Type); n != 1 {
			t.Errorf("%s %s: asked %d times", q.Name, q.Type, n)
		}
	}
	if n := len(r.server.Asked()); n != 13 {
		t.Errorf("%d questions, want 13: SPF with 10 includes, one key, DMARC", n)
	}
}

// TestAuthLate has no answers before the checks have to be through.
func TestAuthLate(t *testing.T) {
	r := dmarcRig(t, "")
	m := mail.Parse([]byte(signed(t, by("reject.example"), "reject.example")), mail.DefaultLimits)
	ctx, cancel := context.WithCancel(t.Context())
	l := lookup(func(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
		<-ctx.Done()
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.Canceled}
	})
	a := aids(ctx, l, m)
	cancel()
	report := r.engine.Scan(ctx, stranger(), m, a)
	for _, f := range report.Findings {
		switch f.Symbol {
		case spfDNSFail, dkimTempFail, dkimTrace, arcNA, dmarcDNSFail:
		default:
			t.Errorf("found %s", f.Symbol.Name)
		}
	}
	if len(report.Findings) == 0 && len(report.Failed) == 0 {
		t.Error("nothing is said of it")
	}
}

// A lookup is a Lookuper.
type lookup func(context.Context, string, dns.Type) (dns.Answer, error)

func (l lookup) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	return l(ctx, name, t)
}

// TestAuthResults sees what is said of it all in Authentication-Results.
func TestAuthResults(t *testing.T) {
	r := newAuthRig(t, "", dmarcZone+keyZone(t, "reject.example", "lists.example"))
	env := stranger()
	env.From = path("<\"jo e\"@reject.example>")
	raw := sealed(t, signed(t, strings.Replace(signed(t, by("reject.example"), "reject.example"), "\nHello\n", "\nHullo\n", 1), "lists.example"), "lists.example", "x; dmarc=pass header.from=reject.example")
	b := func(h mail.Header, i int) string {
		v := h.Fields("DKIM-Signature")[i].Value()
		return v[strings.Index(v, " b=")+3:][:8]
	}
	h := mail.Parse([]byte(raw), mail.DefaultLimits).Header()
	header := authres.Header{ID: "mx.example.com", Results: r.scan(env, raw).Auth}
	want := `mx.example.com;
	spf=pass (203.0.113.7 matches +ip4:203.0.113.7 of reject.example)
	 smtp.mailfrom="jo e@reject.example";
	dkim=pass (ed25519 key of 256 bits) header.d=lists.example header.s=s
	 header.b=` + b(h, 0) + `;
	dkim=fail (ed25519 key of 256 bits) reason="bad body hash"
	 header.d=reject.example header.s=s header.b=` + b(h, 1) + `;
	arc=pass (i=1 of lists.example) header.oldest-pass=0;
	dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=reject.example`
	got := header.Format()
	for _, s := range []*string{&got, &want} {
		*s = strings.ReplaceAll(strings.Join(strings.Fields(*s), " "), `"`, "")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, c := range []struct{ name, raw, from, results, word string }{
		{"nothing", plainText, "", "spf=none dkim=none dmarc=none", "spf:none,dkim:none,dmarc:none"},
		{"fails", by("reject.example"), "<joe@fail.example>", "spf=fail dkim=none dmarc=fail", "spf:fail,dkim:none,dmarc:fail"},
	} {
		env := stranger()
		env.From = path(c.from)
		report := r.scan(env, c.raw)
		var list []string
		for _, a := range report.Auth {
			list = append(list, a.Method+"="+a.Value)
		}
		if got := strings.Join(list, " "); got != c.results {
			t.Errorf("%s: got %s, want %s", c.name, got, c.results)
		}
		if got := report.AuthWord(); got != c.word {
			t.Errorf("%s: got %s, want %s", c.name, got, c.word)
		}
	}
	env.Trust = mail.Authenticated
	if report := r.scan(env, raw); report.Auth != nil || report.AuthWord() != "-" {
		t.Errorf("our own mail: got %v", report.Auth)
	}
}

// TestAuthComposites sees what symbols together come to.
func TestAuthComposites(t *testing.T) {
	r := newAuthRig(t, "", dmarcZone+keyZone(t, "reject.example", "lists.example"), Received, Bounce, Forwarding)
	from := func(domain string) func(*mail.Envelope) { return sender("<joe@" + domain + ">") }
	notice := strings.Replace(plainText, "Subject: Hello", "Subject: Undelivered Mail Returned to Sender", 1)
	changed := strings.Replace(signed(t, by("reject.example"), "reject.example"), "\nHello\n", "\nHullo\n", 1)
	noTLS := func(e *mail.Envelope) { e.TLS = "" }
	hops := "Received: from a (a [198.51.100.1]) by mx.example.net with ESMTPS; Mon, 1 Jan 2026 00:00:00 +0000\n"
	for _, c := range []struct {
		name string
		env  func(*mail.Envelope)
		raw  string
		want string // composites and what they leave of their parts
	}{
		{"nothing to go by", from("none.example"), plainText, "AUTH_NA 1"},
		{"a key is missing", from("none.example"), signed(t, plainText, "example.net none"), "AUTH_NA_OR_FAIL 1"},
		{"a notice", from("none.example"), notice, "BOUNCE_NO_AUTH 1 AUTH_NA(BOUNCE_NO_AUTH)"},
		{"SPF passes", from("pass.example"), plainText, ""},
		{"straight, SPF fails", from("fail.example"), plainText, "VIOLATED_DIRECT_SPF 3.5"},
		{"straight, SPF softfails", from("soft.example"), plainText, "VIOLATED_DIRECT_SPF 3.5"},
		{"over a hop, SPF fails", from("fail.example"), hops + plainText, ""},
		{"over a hop without TLS, SPF fails", both(noTLS, from("fail.example")), hops + plainText, "VIOLATED_DIRECT_SPF 3.5"},
		{"forwarded, SPF fails", sender("<joe+caf_=alice=example.com@fail.example>"), plainText, "SPF_FAIL_FORWARDING 0 R_SPF_FAIL(SPF_FAIL_FORWARDING)"},
		{"DMARC passes, SPF fails", from("fail.example"), signed(t, by("reject.example"), "reject.example"),
			"DMARC_POLICY_ALLOW_WITH_FAILURES -0.5 R_SPF_FAIL(DMARC_POLICY_ALLOW_WITH_FAILURES) DMARC_POLICY_ALLOW(DMARC_POLICY_ALLOW_WITH_FAILURES)"},
		{"a list signed again", from("pass.example"), signed(t, changed, "lists.example"), "DKIM_MIXED 0 R_DKIM_REJECT(DKIM_MIXED)"},
	} {
		env := stranger()
		c.env(env)
		report := r.scan(env, c.raw)
		var composites, removed []string
		for _, row := range r.engine.Weights().Score(report.Findings).Rows {
			declared := slices.ContainsFunc(slices.Concat(Auth.Composites, DKIM.Composites, DMARC.Composites), func(c scan.Composite) bool { return c.Symbol.Name == row.Symbol.Name })
			switch {
			case row.RemovedBy != "" && row.Full != 0:
				removed = append(removed, row.Symbol.Name+"("+row.RemovedBy+")")
			case declared:
				composites = append(composites, fmt.Sprintf("%s %g", row.Symbol.Name, row.Weight))
			}
		}
		slices.Sort(composites)
		if got := strings.Join(append(composites, removed...), " "); got != c.want {
			t.Errorf("%s: got %s, want %s; %s", c.name, got, c.want, told(report.Findings))
		}
	}
}

// TestAuthLists has a file for each list.
func TestAuthLists(t *testing.T) {
	r := newAuthRig(t, "", dmarcZone+keyZone(t, "reject.example", "down.example", "pass.example"), AuthLists)
	r.server.Script("_dmarc.down.example", "TXT", dnstest.ServFail)
	r.server.Script("temp.example", "TXT", dnstest.ServFail)
	r.server.Script("s._domainkey.down.example", "TXT", dnstest.ServFail)
	from := func(domain string) func(*mail.Envelope) { return sender("<joe@" + domain + ">") }
	good := signed(t, by("reject.example"), "reject.example")
	changed := strings.Replace(good, "\nHello\n", "\nHullo\n", 1)
	for _, c := range []struct {
		list, entries string
		env           func(*mail.Envelope)
		raw           string
		want          string
	}{
		{"whitelist_spf", "pass.example", from("pass.example"), plainText, "WHITELIST_SPF{pass.example}"},
		{"whitelist_spf", "pass.example", from("mx.pass.example"), plainText, "WHITELIST_SPF{pass.example}"},
		{"whitelist_spf", "pass.example", func(e *mail.Envelope) { e.From, e.Helo = mail.Path{}, "pass.example" }, plainText, "WHITELIST_SPF{pass.example}"},
		{"whitelist_spf", "pass.example -0.5", from("pass.example"), plainText, "WHITELIST_SPF*0.5{pass.example}"},
		{"whitelist_spf", "fail.example", from("fail.example"), plainText, ""},
		{"whitelist_spf", "anyone.example", from("anyone.example"), plainText, ""},
		{"whitelist_spf", "pass.example", nil, by("pass.example"), ""},
		{"blacklist_spf", "pass.example", from("pass.example"), plainText, ""},
		{"blacklist_spf", "fail.example", from("fail.example"), plainText, "BLACKLIST_SPF{fail.example}"},
		{"blacklist_spf", "anyone.example", from("anyone.example"), plainText, "BLACKLIST_SPF{anyone.example}"},
		{"blacklist_spf", "temp.example", from("temp.example"), plainText, ""},
		{"whitelist_dkim", "reject.example", nil, good, "WHITELIST_DKIM{reject.example}"},
		{"whitelist_dkim", "reject.example", nil, changed, ""},
		{"blacklist_dkim", "reject.example", nil, good, ""},
		{"blacklist_dkim", "reject.example", nil, changed, "BLACKLIST_DKIM{reject.example}"},
		{"blacklist_dkim", "reject.example", nil, signed(t, changed, "reject.example"), ""},
		{"blacklist_dkim", "down.example", nil, signed(t, plainText, "down.example"), ""},
		{"whitelist_spf_dkim", "reject.example", from("reject.example"), good, "WHITELIST_SPF_DKIM{reject.example}"},
		{"whitelist_spf_dkim", "reject.example", from("pass.example"), good, ""},
		{"whitelist_spf_dkim", "reject.example", from("reject.example"), changed, ""},
		{"blacklist_spf_dkim", "reject.example", from("reject.example"), good, ""},
		{"blacklist_spf_dkim", "reject.example", from("reject.example"), changed, "BLACKLIST_SPF_DKIM{reject.example}"},
		{"blacklist_spf_dkim", "fail.example", from("fail.example"), plainText, "BLACKLIST_SPF_DKIM{fail.example}"},
		{"blacklist_spf_dkim", "temp.example", from("temp.example"), plainText, ""},
		{"whitelist_dmarc", "reject.example", nil, good, "WHITELIST_DMARC{reject.example}"},
		{"whitelist_dmarc", "reject.example", nil, changed, ""},
		// DMARC fails for From: nothing is good by the word of others.
		{"whitelist_spf", "pass.example", from("pass.example"), by("reject.example"), ""},
		{"whitelist_dkim", "pass.example", nil, signed(t, by("reject.example"), "pass.example"), ""},
		{"whitelist_spf_dkim", "pass.example", from("pass.example"), signed(t, by("reject.example"), "pass.example"), ""},
		{"whitelist_spf", "b.strict.example", from("b.strict.example"), by("strict.example"), ""},
		{"whitelist_spf", "pass.example", from("pass.example"), by("quarantine.example>, <joe@pass.example"), ""},
		{"whitelist_spf", "pass.example", from("pass.example"), "From: joe@pass.example\n" + plainText, ""},
		{"whitelist_spf_dkim", "pass.example", from("pass.example"), signed(t, plainText, "pass.example"), "WHITELIST_SPF_DKIM{pass.example}"},
		{"blacklist_dmarc", "reject.example", inspect, by("reject.example"), ""},
		{"blacklist_dmarc", "reject.example", nil, by("pass.example>, <joe@reject.example"), "BLACKLIST_DMARC{reject.example}"},
		{"whitelist_dmarc", "pass.example", nil, signed(t, by("pass.example"), "pass.example"), ""},
		{"blacklist_dmarc", "reject.example", nil, good, ""},
		{"blacklist_dmarc", "reject.example", nil, changed, "BLACKLIST_DMARC{reject.example}"},
		{"blacklist_dmarc", "*.reject.example\n.x.example", nil, by("a.reject.example"), "BLACKLIST_DMARC{*.reject.example}"},
		{"blacklist_dmarc", "pass.example", nil, by("pass.example"), "BLACKLIST_DMARC{pass.example}"},
		{"blacklist_dmarc", "pass.example", nil, signed(t, by("pass.example"), "pass.example"), ""},
		{"blacklist_dmarc", "down.example", nil, by("down.example"), ""},
		{"blacklist_dmarc", "reject.example", trust(mail.Authenticated), changed, ""},
	} {
		file := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(file, []byte(c.entries+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		engine, err := build(fmt.Sprintf(`auth_lists { %s = "%s"; }`, c.list, file), scan.Env{Now: frozen}, authChecks(AuthLists)...)
		if err != nil {
			t.Fatal(err)
		}
		r.engine = engine
		env := stranger()
		if c.env != nil {
			c.env(env)
		}
		if got := own(r.scan(env, c.raw), AuthLists.Symbols); got != c.want {
			t.Errorf("%s with %q: got %s, want %s", c.list, c.entries, got, c.want)
		}
	}
}
