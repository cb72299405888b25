package checks

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rmilter/internal/dns/dnstest"
	"rmilter/internal/mail"
	"rmilter/scan"
)

const dmarcZone = spfZone + `
	_dmarc.reject.example      TXT v=DMARC1; p=reject; rua=mailto:d@reject.example
	_dmarc.quarantine.example  TXT v=DMARC1; p=quarantine
	_dmarc.watch.example       TXT v=DMARC1; p=none
	_dmarc.strict.example      TXT v=DMARC1; p=reject; aspf=s; adkim=s
	_dmarc.sub.example         TXT v=DMARC1; p=none; sp=reject
	_dmarc.spared.example      TXT v=DMARC1; p=reject; pct=0
	_dmarc.spared2.example     TXT v=DMARC1; p=quarantine; pct=0
	_dmarc.half.example        TXT v=DMARC1; p=reject; pct=50
	_dmarc.bad.example         TXT v=DMARC1; p=what
	_dmarc.two.example         TXT v=DMARC1; p=none
	_dmarc.two.example         TXT v=DMARC1; p=reject
	_dmarc.down.example        TXT v=DMARC1; p=reject
	_dmarc.temp.example        TXT v=DMARC1; p=reject
	temp.example               TXT v=spf1 -all
	reject.example             TXT v=spf1 ip4:203.0.113.7 -all
	strict.example             TXT v=spf1 ip4:203.0.113.7 -all
	b.strict.example           TXT v=spf1 ip4:203.0.113.7 -all
`

// by returns a plain message from somebody of a domain.
func by(domain string, more ...string) string {
	return "From: Joe <joe@" + domain + ">\nTo: alice@example.com\nSubject: Hello\n" + strings.Join(more, "") + "\nHello\n"
}

func dmarcRig(t *testing.T, conf string) *authRig {
	r := newAuthRig(t, conf, dmarcZone+keyZone(t, "reject.example", "quarantine.example", "strict.example", "a.strict.example", "lists.example", "evil.example", "relay.example")+
		trialZone(t, "trial._domainkey.reject.example"))
	for _, name := range []string{"_dmarc.down.example", "temp.example", "s._domainkey.temp.example"} {
		r.server.Script(name, "TXT", dnstest.ServFail)
	}
	return r
}

func TestDMARC(t *testing.T) {
	r := dmarcRig(t, "arc { trusted_sealers = relay.example }")
	from := func(domain string) func(*mail.Envelope) { return sender("<joe@" + domain + ">") }
	const fails, several = "nothing aligned passes", ",one of several domains in From"
	changed := strings.Replace(signed(t, by("reject.example"), "reject.example"), "\nHello\n", "\nHullo\n", 1)
	r.fixtures(t, DMARC.Symbols, []fixture{
		{"no policy", nil, by("fail.example"), "DMARC_NA{fail.example,no policy}"},
		{"SPF", from("reject.example"), by("reject.example"), "DMARC_POLICY_ALLOW{reject.example,reject}"},
		{"SPF, of the same organization", from("reject.example"), by("a.b.reject.example"), "DMARC_POLICY_ALLOW{a.b.reject.example,reject}"},
		{"DKIM", from("fail.example"), signed(t, by("reject.example"), "reject.example"), "DMARC_POLICY_ALLOW{reject.example,reject}"},
		{"another's signature", nil, signed(t, by("reject.example"), "evil.example"), "DMARC_POLICY_REJECT{reject.example,reject," + fails + "}"},
		{"another's SPF", from("pass.example"), by("reject.example"), "DMARC_POLICY_REJECT{reject.example,reject," + fails + "}"},
		{"bad signature", nil, changed, "DMARC_POLICY_REJECT{reject.example,reject," + fails + "}"},
		{"quarantine", nil, by("quarantine.example"), "DMARC_POLICY_QUARANTINE{quarantine.example,quarantine," + fails + "}"},
		{"none", nil, by("watch.example"), "DMARC_POLICY_SOFTFAIL{watch.example,none," + fails + "}"},
		{"strict, SPF", from("strict.example"), by("strict.example"), "DMARC_POLICY_ALLOW{strict.example,reject}"},
		{"strict, SPF of another name", from("b.strict.example"), by("strict.example"), "DMARC_POLICY_REJECT{strict.example,reject," + fails + "}"},
		{"strict, DKIM of another name", nil, signed(t, by("strict.example"), "a.strict.example"), "DMARC_POLICY_REJECT{strict.example,reject," + fails + "}"},
		{"policy for subdomains", nil, by("x.sub.example"), "DMARC_POLICY_REJECT{x.sub.example,reject," + fails + "}"},
		{"spared of reject", nil, by("spared.example"), "DMARC_POLICY_QUARANTINE{spared.example,reject," + fails + ",sampled_out}"},
		{"spared of quarantine", nil, by("spared2.example"), "DMARC_POLICY_SOFTFAIL{spared2.example,quarantine," + fails + ",sampled_out}"},
		{"broken", nil, by("bad.example"), "DMARC_BAD_POLICY{bad.example,_dmarc.bad.example: DMARC record without a valid policy}"},
		{"several", nil, by("two.example"), "DMARC_BAD_POLICY{two.example,_dmarc.two.example: several DMARC records}"},
		{"DNS fails", from("pass.example"), by("down.example"), "DMARC_DNSFAIL{down.example,dns: TXT _dmarc.down.example: server failed: SERVFAIL}"},
		{"DNS fails for SPF", from("temp.example"), by("temp.example"), "DMARC_DNSFAIL{temp.example,reject,SPF of the aligned domain failed for now}"},
		{"DNS fails for DKIM", nil, signed(t, by("temp.example"), "temp.example"), "DMARC_DNSFAIL{temp.example,reject,an aligned signature could not be verified for now}"},
		{"DNS fails for SPF of others", from("temp.example"), by("watch.example"), "DMARC_POLICY_SOFTFAIL{watch.example,none," + fails + "}"},
		{"no From", nil, "To: alice@example.com\n\nHello\n", "DMARC_NA{No From header}"},
		{"From without a domain", nil, "From: Joe\n\nHello\n", "DMARC_NA{No domain in From header}"},
		{"two domains in From", from("reject.example"), "From: joe@reject.example, jim@watch.example\n\nHello\n", "DMARC_POLICY_SOFTFAIL{watch.example,none," + fails + several + "}"},
		{"two domains, the second asks for more", from("watch.example"), "From: jim@watch.example, joe@reject.example\n\nHello\n", "DMARC_POLICY_REJECT{reject.example,reject," + fails + several + "}"},
		{"two domains that are proved", from("reject.example"), signed(t, "From: joe@reject.example, jim@quarantine.example\n\nHello\n", "quarantine.example"), "DMARC_POLICY_ALLOW{reject.example,reject" + several + "}"},
		{"two domains, one without a policy", from("reject.example"), "From: joe@reject.example, jim@fail.example\n\nHello\n", "DMARC_NA{fail.example,no policy" + several + "}"},
		{"two domains, the DNS fails for one", from("reject.example"), "From: joe@reject.example, jim@down.example\n\nHello\n", "DMARC_DNSFAIL{down.example,dns: TXT _dmarc.down.example: server failed: SERVFAIL" + several + "}"},
		{"two domains, a sealer saw one pass", nil, sealed(t, "From: joe@reject.example, jim@quarantine.example\nSubject: x\n\nHello\n", "relay.example", "x; dmarc=pass header.from=reject.example"), "DMARC_POLICY_QUARANTINE{quarantine.example,quarantine," + fails + several + "}"},
		{"five domains", from("reject.example"), "From: a@a.example, a@b.example, a@c.example, a@d.example, a@reject.example\n\nHello\n", "DMARC_NA{a.example,no policy" + several + "}"},
		{"six domains", from("reject.example"), "From: a@a.example, a@b.example, a@c.example, a@d.example, a@reject.example, a@e.example\n\nHello\n", "DMARC_POLICY_REJECT{a.example,more than 5 domains in From" + several + "}"},
		{"empty labels", from("reject.example"), "From: joe@reject..example\n\nHello\n", "DMARC_NA{From has an address without a domain}"},
		{"empty labels, not proved", nil, "From: joe@reject..example\n\nHello\n", "DMARC_POLICY_REJECT{reject.example,reject," + fails + "}"},
		{"two authors of a domain", from("reject.example"), "From: joe@reject.example, jim@reject.example\n\nHello\n", "DMARC_POLICY_ALLOW{reject.example,reject}"},
		{"two From", from("reject.example"), "From: joe@reject.example\nFrom: jim@watch.example\n\nHello\n", "DMARC_POLICY_SOFTFAIL{watch.example,none," + fails + several + "}"},
		{"seen to pass by a trusted sealer", nil, sealed(t, changed, "relay.example", "x; dmarc=pass header.from=reject.example"), "DMARC_POLICY_REJECT*0{reject.example,reject," + fails + ",seen to pass by relay.example}"},
		{"seen to fail by a trusted sealer", nil, sealed(t, changed, "relay.example", "x; dmarc=fail header.from=reject.example"), "DMARC_POLICY_REJECT{reject.example,reject," + fails + "}"},
		{"seen to pass by a stranger", nil, sealed(t, changed, "evil.example", "x; dmarc=pass header.from=reject.example"), "DMARC_POLICY_REJECT{reject.example,reject," + fails + "}"},
		{"no client", inspect, by("reject.example"), "DMARC_NA{reject.example,reject,no SPF result, and no aligned signature passes}"},
		{"no client, DKIM", inspect, signed(t, by("reject.example"), "reject.example"), "DMARC_POLICY_ALLOW{reject.example,reject}"},
		{"no client, DNS fails for DKIM", inspect, signed(t, by("temp.example"), "temp.example"), "DMARC_DNSFAIL{temp.example,reject,an aligned signature could not be verified for now}"},
		{"a trusted relay before which nobody is known", both(inspect, trust(mail.TrustedRelay)), by("reject.example"), "DMARC_NA{reject.example,reject,no SPF result, and no aligned signature passes}"},
		{"our user", trust(mail.Authenticated), by("reject.example"), ""},
	})
}

// TestDMARCActions sees when the policy of a domain is carried out.
func TestDMARCActions(t *testing.T) {
	const on = "dmarc { actions { reject = reject; quarantine = add_header; } } arc { trusted_sealers = relay.example }"
	r := dmarcRig(t, on)
	list := func(id, domain string) string { return signed(t, by("reject.example", "List-Id: "+id+"\n"), domain) }
	unsigned := func(raw string) string { return "List-Id: <a.lists.example>\n" + raw }
	const reject, mark = "at least reject: Refused by the DMARC policy of reject.example", "at least add header: Refused by the DMARC policy of "
	for _, c := range []struct {
		name string
		env  func(*mail.Envelope)
		raw  string
		want string
	}{
		{"reject", nil, by("reject.example"), reject + " reject"},
		{"reject, inspected", func(e *mail.Envelope) { e.Inspect = true }, by("reject.example"), reject + " reject"},
		{"no client", inspect, by("reject.example"), ""},
		{"quarantine", nil, by("quarantine.example"), mark + "quarantine.example"},
		{"none", nil, by("watch.example"), ""},
		{"spared", nil, by("spared.example"), mark + "spared.example"},
		{"passes", sender("<joe@reject.example>"), by("reject.example"), "none"},
		{"no policy", nil, by("fail.example"), ""},
		{"DNS fails", nil, by("down.example"), ""},
		{"trusted relay", trust(mail.TrustedRelay), by("reject.example"), "none trusted_forwarder"},
		{"our network", trust(mail.OurNetwork), by("reject.example"), ""},
		{"list", nil, list("Our list <a.lists.example>", "lists.example"), "none mailing_list"},
		{"list, without brackets", nil, list("a.lists.example", "lists.example"), "none mailing_list"},
		{"list of another", nil, list("<a.lists.example>", "evil.example"), reject + " reject"},
		{"list of the top", nil, list("<example>", "lists.example"), reject + " reject"},
		{"list that isn't signed", nil, unsigned(signed(t, by("reject.example"), "lists.example")), reject + " reject"},
		{"two lists", nil, unsigned(list("<a.lists.example>", "lists.example")), reject + " reject"},
		{"list with a bad signature", nil, strings.Replace(list("<a.lists.example>", "lists.example"), "\nHello\n", "\nHullo\n", 1), reject + " reject"},
		{"trusted sealer", nil, sealed(t, by("reject.example"), "relay.example", "x; dmarc=pass header.from=reject.example"), "none trusted_forwarder"},
		{"stranger's seal", nil, sealed(t, by("reject.example"), "evil.example", "x; dmarc=pass header.from=reject.example"), reject + " reject"},
	} {
		if got := r.demand(c.env, c.raw); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	r.engine = newEngine(t, "", authChecks()...)
	if got, want := r.demand(nil, by("reject.example")), "none local_policy"; got != want {
		t.Errorf("without actions: got %q, want %q", got, want)
	}
	r.engine = newEngine(t, "dmarc { actions { reject = soft_reject } }", authChecks()...)
	if got, want := r.demand(nil, by("reject.example")), "at least soft reject: Refused by the DMARC policy of reject.example reject"; got != want {
		t.Errorf("soft reject: got %q, want %q", got, want)
	}
	r.engine = newEngine(t, "dmarc { actions { reject = greylist } }", authChecks()...)
	if got, want := r.demand(nil, by("reject.example")), "at least greylist: Refused by the DMARC policy of reject.example quarantine local_policy"; got != want {
		t.Errorf("greylist: got %q, want %q", got, want)
	}
}

// demand returns what is demanded for a message, and the disposition and override of its
// row.
func (r *authRig) demand(change func(*mail.Envelope), raw string) string {
	r.t.Helper()
	env := stranger()
	if change != nil {
		change(env)
	}
	report := r.scan(env, raw)
	var all []string
	if d := report.Passthrough; d != nil {
		least := ""
		if d.AtLeast {
			least = "at least "
		}
		all = append(all, fmt.Sprintf("%s%s: %s", least, d.Action, d.Message))
	}
	if row := report.DMARC; row != nil {
		all = append(all, string(row.Disposition))
		if row.Override != "" {
			all = append(all, string(row.Override))
		}
	}
	return strings.Join(all, " ")
}

// TestDMARCSample sees that pct= spares about as many as it says, and the same ones again.
func TestDMARCSample(t *testing.T) {
	r := dmarcRig(t, "")
	spared := 0
	for i := range 400 {
		env := stranger()
		env.ID = fmt.Sprintf("%010x", i*7919)
		report := r.scan(env, by("half.example"))
		again := r.scan(env, by("half.example"))
		if told(report.Findings) != told(again.Findings) {
			t.Fatalf("%s: got %s, then %s", env.ID, told(report.Findings), told(again.Findings))
		}
		if slices.ContainsFunc(report.Findings, func(f scan.Finding) bool { return f.Symbol == dmarcQuarantine }) {
			spared++
		}
	}
	if spared < 160 || spared > 240 {
		t.Errorf("%d of 400 spared, want about half", spared)
	}
}

// TestDMARCRow sees what a report would count.
func TestDMARCRow(t *testing.T) {
	r := dmarcRig(t, "")
	env := stranger()
	env.From = path("<joe@pass.example>")
	row := r.scan(env, signed(t, by("a.reject.example"), "evil.example")).DMARC
	if row == nil {
		t.Fatal("no row")
	}
	const want = "at=reject.example p=reject sp=reject aspf=r adkim=r pct=100 fo=0 ip=203.0.113.7 from=a.reject.example mfrom=pass.example rcpt=example.com spf=pass.example//mfrom/pass dkim=evil.example/s//pass dis=none why=local_policy"
	if got := row.Key(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, raw := range []string{by("watch.example"), by("down.example"), by("fail.example")} {
		if row := r.scan(env, raw).DMARC; row != nil {
			t.Errorf("a row that nobody wants: %s", row.Key())
		}
	}
}

// TestDMARCWithout has SPF or DKIM off: DMARC has nothing to rest on.
func TestDMARCWithout(t *testing.T) {
	for _, conf := range []string{"spf { enabled = no }", "dkim_verify { enabled = no }", "dmarc { enabled = no }"} {
		r := dmarcRig(t, conf)
		if got := own(r.scan(stranger(), by("reject.example")), DMARC.Symbols); got != "" {
			t.Errorf("%s: got %s", conf, got)
		}
	}
	r := dmarcRig(t, "arc { enabled = no }")
	if got, want := own(r.scan(stranger(), by("watch.example")), DMARC.Symbols), "DMARC_POLICY_SOFTFAIL{watch.example,none,nothing aligned passes}"; got != want {
		t.Errorf("without ARC: got %s, want %s", got, want)
	}
}

// TestDMARCSecondAuthor has a second author beside one whose domain asks for reject. He
// proves his own domain, and that helps nobody.
func TestDMARCSecondAuthor(t *testing.T) {
	r := dmarcRig(t, "dmarc { actions { reject = reject; } }")
	r.server.AddTXT("_dmarc.evil.example", "v=DMARC1; p=none")
	r.server.AddTXT("evil.example", "v=spf1 ip4:203.0.113.7 -all")
	const reject, none = "at least reject: Refused by the DMARC policy of reject.example reject", ""
	for _, c := range []struct{ from, want string }{
		{"ceo@reject.example, x@evil.example", reject},
		{"x@evil.example, ceo@reject.example", reject},
		{"ceo@reject.example\nFrom: x@evil.example", reject},
		{"x@evil.example\nFrom: ceo@reject.example", reject},
		{"Bank: ceo@reject.example;, x@evil.example", reject},
		{"ceo@reject..example, x@evil.example", reject},
		{"<ceo@reject.example> <x@evil.example>", reject},
		{"<ceo@reject.example@evil.example>", reject},
		{`"ceo@reject.example"@evil.example`, reject},
		{`ceo@reject.example\, x@evil.example`, reject},
		{`"ceo@reject.example", x@evil.example`, reject},
		{`"ceo@reject.example", <x@evil.example>`, reject},
		{"ceo@reject.example <x@evil.example>", reject},
		{"ceo@reject.example:;, x@evil.example", reject},
		{"<ceo@reject .example> <x@evil.example>", reject},
		{"<ceo@ reject. example> <x@evil.example>", reject},
		{"<ceo@(x)reject.example> <x@evil.example>", reject},
		{"(<ceo@reject.example> x@evil.example", reject},
		{"=?utf-8?q?ceo=40reject.example?=, x@evil.example", reject},
		{"\"x\u201cceo@reject.example\u201d x@evil.example", reject},
		{"<@evil.example:ceo@reject.example> <x@evil.example>", reject},
		{strings.Repeat("x", maxMailbox/2) + " <ceo@reject.example> " + strings.Repeat("x", maxMailbox/2) + " <x@evil.example>", reject},
		{strings.Repeat("joe@evil.example, ", maxFroms) + "<ceo@reject.example> <x@evil.example>", reject},
		// What stands in quotes, comments and encoded words of a good From is shown as
		// the name of somebody, beside his address.
		{`"ceo@reject.example" <x@evil.example>`, none},
		{"=?utf-8?q?ceo=40reject.example?= <x@evil.example>", none},
		{"=?utf-8?q?ceo@reject.example?= <x@evil.example>", none},
		{"x@evil.example (ceo@reject.example)", none},
		{"Evil: x@evil.example;", none},
		{"Doe, Joe @ Home <x@evil.example>", none},
	} {
		if got := r.demand(sender("<x@evil.example>"), "From: "+c.from+"\nSubject: x\n\nHello\n"); got != c.want {
			t.Errorf("%.80s: got %q, want %q", c.from, got, c.want)
		}
	}
}
