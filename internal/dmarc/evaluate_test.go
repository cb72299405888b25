package dmarc_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/dmarc"
	"rmilter/internal/dns/dnstest"
	"rmilter/test/suites"
)

const zone = `
	_dmarc.example.org            TXT "v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:d@example.org"
	known.example.org             A   192.0.2.1
	mail.example.org              MX  10 known.example.org
	empty.example.org             TXT "x"
	_dmarc.own.example.org        TXT "v=DMARC1; p=none"
	_dmarc.strict.example.net     TXT "v=DMARC1; p=reject; aspf=s; adkim=s"
	_dmarc.pct0.example.net       TXT "v=DMARC1; p=reject; pct=0"
	_dmarc.pct30.example.net      TXT "v=DMARC1; p=quarantine; pct=30"
	_dmarc.test.example.net       TXT "v=DMARC1; p=reject; t=y"
	_dmarc.bad.example.net        TXT "v=DMARC1; p=bob"
	_dmarc.rua.example.net        TXT "v=DMARC1; p=bob; rua=mailto:d@example.net"
	_dmarc.twice.example.net      TXT "v=DMARC1; p=reject"
	_dmarc.twice.example.net      TXT "v=DMARC1; p=none"
	_dmarc.other.example.net      TXT "v=spf1 -all"
	_dmarc.example.net            TXT "v=DMARC1; p=quarantine"
	_dmarc.xn--bcher-kva.example  TXT "v=DMARC1; p=reject"
	_dmarc.com                    TXT "v=DMARC1; p=reject"
`

func id(domain, result string) dmarc.Identifier {
	return dmarc.Identifier{Domain: domain, Result: result}
}

func TestEvaluate(t *testing.T) {
	r := suites.Resolver(t, dnstest.Start(t, zone))
	half := func(n int) int { return n / 2 }
	for _, c := range []struct {
		name   string
		from   string // with commas between
		spf    dmarc.Identifier
		dkim   []dmarc.Identifier
		random func(int) int
		want   string
	}{
		{"no From", "", id("", ""), nil, nil, "dmarc=none disposition=none: no From address"},
		{"several From", "example.org,example.net", id("example.org", "pass"), nil, nil, "dmarc=none disposition=none: From has several domains"},
		{"one domain twice", "example.org,EXAMPLE.org.", id("example.org", "pass"), nil, nil, "dmarc=pass from=example.org policy=reject of example.org disposition=none spf=example.org"},
		{"no domain", "localhost", id("localhost", "pass"), nil, nil, "dmarc=none disposition=none: From has an address without a domain"},
		{"literal", "[192.0.2.1]", id("", ""), nil, nil, "dmarc=none disposition=none: From has an address without a domain"},
		{"no policy", "example.info", id("example.info", "pass"), nil, nil, "dmarc=none from=example.info disposition=none: no policy"},
		{"fail", "example.org", id("example.com", "pass"), nil, nil, "dmarc=fail from=example.org policy=reject of example.org disposition=reject: nothing aligned passes"},
		{"aligned but failed", "example.org", id("example.org", "fail"), []dmarc.Identifier{id("example.org", "fail")}, nil, "dmarc=fail from=example.org policy=reject of example.org disposition=reject: nothing aligned passes"},
		{"pass by SPF", "example.org", id("bounce.example.org", "pass"), nil, nil, "dmarc=pass from=example.org policy=reject of example.org disposition=none spf=bounce.example.org"},
		{"pass by DKIM", "example.org", id("", ""), []dmarc.Identifier{id("example.com", "pass"), id("m.example.org", "pass"), id("m.example.org", "pass")}, nil, "dmarc=pass from=example.org policy=reject of example.org disposition=none dkim=m.example.org"},
		{"subdomain", "known.example.org", id("", ""), nil, nil, "dmarc=fail from=known.example.org policy=quarantine of example.org disposition=quarantine: nothing aligned passes"},
		{"subdomain with MX", "mail.example.org", id("", ""), nil, nil, "dmarc=fail from=mail.example.org policy=quarantine of example.org disposition=quarantine: nothing aligned passes"},
		{"subdomain that doesn't exist", "gone.example.org", id("", ""), nil, nil, "dmarc=fail from=gone.example.org policy=reject of example.org disposition=reject: nothing aligned passes"},
		{"subdomain without mail", "empty.example.org", id("", ""), nil, nil, "dmarc=fail from=empty.example.org policy=reject of example.org disposition=reject: nothing aligned passes"},
		{"subdomain of its own", "own.example.org", id("", ""), nil, nil, "dmarc=fail from=own.example.org policy=none of own.example.org disposition=none: nothing aligned passes"},
		{"below the own one", "a.own.example.org", id("", ""), nil, nil, "dmarc=fail from=a.own.example.org policy=reject of example.org disposition=reject: nothing aligned passes"},
		{"strict", "strict.example.net", id("a.strict.example.net", "pass"), []dmarc.Identifier{id("example.net", "pass")}, nil, "dmarc=fail from=strict.example.net policy=reject of strict.example.net disposition=reject: nothing aligned passes"},
		{"strict pass", "strict.example.net", id("STRICT.example.net", "pass"), nil, nil, "dmarc=pass from=strict.example.net policy=reject of strict.example.net disposition=none spf=strict.example.net"},
		{"pct=0", "pct0.example.net", id("", ""), nil, half, "dmarc=fail from=pct0.example.net policy=reject of pct0.example.net disposition=quarantine: nothing aligned passes"},
		{"pct=0 for all", "pct0.example.net", id("", ""), nil, nil, "dmarc=fail from=pct0.example.net policy=reject of pct0.example.net disposition=reject: nothing aligned passes"},
		{"pct=30 spared", "pct30.example.net", id("", ""), nil, half, "dmarc=fail from=pct30.example.net policy=quarantine of pct30.example.net disposition=none: nothing aligned passes"},
		{"pct=30 meant", "pct30.example.net", id("", ""), nil, func(int) int { return 29 }, "dmarc=fail from=pct30.example.net policy=quarantine of pct30.example.net disposition=quarantine: nothing aligned passes"},
		{"pct=30 at the edge", "pct30.example.net", id("", ""), nil, func(int) int { return 30 }, "dmarc=fail from=pct30.example.net policy=quarantine of pct30.example.net disposition=none: nothing aligned passes"},
		{"t=y", "test.example.net", id("", ""), nil, half, "dmarc=fail from=test.example.net policy=reject of test.example.net disposition=quarantine: nothing aligned passes"},
		{"broken", "bad.example.net", id("", ""), nil, nil, "dmarc=permerror from=bad.example.net disposition=none: _dmarc.bad.example.net: DMARC record without a valid policy"},
		{"broken with rua", "rua.example.net", id("", ""), nil, nil, "dmarc=fail from=rua.example.net policy=none of rua.example.net disposition=none: nothing aligned passes"},
		{"several records", "twice.example.net", id("", ""), nil, nil, "dmarc=none from=twice.example.net disposition=none: _dmarc.twice.example.net: several DMARC records"},
		{"another record", "other.example.net", id("", ""), nil, nil, "dmarc=fail from=other.example.net policy=quarantine of example.net disposition=quarantine: nothing aligned passes"},
		{"IDN", "bücher.example", id("xn--bcher-kva.example", "pass"), nil, nil, "dmarc=pass from=xn--bcher-kva.example policy=reject of xn--bcher-kva.example disposition=none spf=xn--bcher-kva.example"},
		{"IDN of the signature", "xn--bcher-kva.example", id("", ""), []dmarc.Identifier{id("m.bücher.example", "pass")}, nil, "dmarc=pass from=xn--bcher-kva.example policy=reject of xn--bcher-kva.example disposition=none dkim=m.xn--bcher-kva.example"},
		{"public suffix is nobody's", "example.com", id("com", "pass"), nil, nil, "dmarc=none from=example.com disposition=none: no policy"},
		{"same suffix", "example.org", id("example.net", "pass"), []dmarc.Identifier{id("org", "pass")}, nil, "dmarc=fail from=example.org policy=reject of example.org disposition=reject: nothing aligned passes"},
		{"SPF temperror", "example.org", id("example.org", "temperror"), nil, nil, "dmarc=temperror from=example.org policy=reject of example.org disposition=none: SPF of the aligned domain failed for now"},
		{"other SPF temperror", "example.org", id("example.com", "temperror"), nil, nil, "dmarc=fail from=example.org policy=reject of example.org disposition=reject: nothing aligned passes"},
		{"DKIM temperror", "example.org", id("", ""), []dmarc.Identifier{id("example.org", "temperror")}, nil, "dmarc=temperror from=example.org policy=reject of example.org disposition=none: an aligned signature could not be verified for now"},
		{"DKIM temperror, SPF pass", "example.org", id("example.org", "pass"), []dmarc.Identifier{id("example.org", "temperror")}, nil, "dmarc=pass from=example.org policy=reject of example.org disposition=none spf=example.org"},
	} {
		q := dmarc.Query{SPF: c.spf, DKIM: c.dkim, Random: c.random}
		if c.from != "" {
			q.From = strings.Split(c.from, ",")
		}
		if got := dmarc.Evaluate(t.Context(), r, q).String(); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestFaults sees that a failure of the DNS is temperror, never fail and never none.
func TestFaults(t *testing.T) {
	for name, fault := range map[string]dnstest.Fault{
		"drop": dnstest.Drop, "servfail": dnstest.ServFail, "refused": dnstest.Refused, "bare": dnstest.Bare,
		"referral": dnstest.Referral, "no TCP": dnstest.TruncateNoTCP, "garbage": dnstest.Garbage, "short": dnstest.Short,
	} {
		for _, at := range []string{"_dmarc.a.example.org", "_dmarc.example.org"} {
			s := dnstest.Start(t, zone+"_dmarc.a.example.org A 192.0.2.1")
			s.Script(at, "TXT", fault)
			got := dmarc.Evaluate(t.Context(), suites.Resolver(t, s), dmarc.Query{From: []string{"a.example.org"}})
			if got.Code != dmarc.TempError || got.Disposition != dmarc.Monitor || got.Reason == "" {
				t.Errorf("%s at %s: got %v, want temperror", name, at, got)
			}
		}
	}
	// Whether a subdomain exists is only a detail.
	s := dnstest.Start(t, zone)
	s.Script("gone.example.org", "A", dnstest.ServFail)
	got := dmarc.Evaluate(t.Context(), suites.Resolver(t, s), dmarc.Query{From: []string{"gone.example.org"}})
	if got.Code != dmarc.Fail || got.Policy != dmarc.Quarantine || got.Nonexistent {
		t.Errorf("got %v, want the policy for subdomains", got)
	}
}

// TestOnce sees that no name is asked twice, and none in vain.
func TestOnce(t *testing.T) {
	s := dnstest.Start(t, zone)
	dmarc.Evaluate(t.Context(), suites.Resolver(t, s), dmarc.Query{From: []string{"a.b.known.example.org"}, SPF: id("example.org", "fail")})
	dmarc.Evaluate(t.Context(), suites.Resolver(t, s), dmarc.Query{From: []string{"example.net"}, SPF: id("example.net", "fail")})
	want := map[string]int{"_dmarc.a.b.known.example.org TXT": 1, "_dmarc.example.org TXT": 1, "a.b.known.example.org A": 1, "_dmarc.example.net TXT": 1}
	got := map[string]int{}
	for _, q := range s.Asked() {
		got[q.Name+" "+q.Type]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestList evaluates with a list of suffixes of our own.
func TestList(t *testing.T) {
	list, err := dmarc.ParseSuffixes(strings.NewReader("org\nexample.org\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := suites.Resolver(t, dnstest.Start(t, zone))
	got := dmarc.Evaluate(t.Context(), r, dmarc.Query{From: []string{"known.example.org"}, Suffixes: list})
	if got.Code != dmarc.None {
		t.Errorf("got %v, want none: example.org is a public suffix", got)
	}
}

func TestComment(t *testing.T) {
	r := suites.Resolver(t, dnstest.Start(t, zone))
	for from, want := range map[string]string{
		"example.org":        "p=REJECT sp=QUARANTINE dis=REJECT",
		"strict.example.net": "p=REJECT sp=REJECT dis=REJECT",
		"example.info":       "",
	} {
		if got := dmarc.Evaluate(t.Context(), r, dmarc.Query{From: []string{from}}).Comment(); got != want {
			t.Errorf("%s: got %q, want %q", from, got, want)
		}
	}
}

func TestRow(t *testing.T) {
	r := suites.Resolver(t, dnstest.Start(t, zone))
	q := dmarc.Query{
		From: []string{"known.example.org"}, SPF: dmarc.Identifier{Domain: "example.com", Scope: "mfrom", Result: "pass"},
		DKIM: []dmarc.Identifier{{Domain: "example.org", Selector: "s 1/x,=%", Result: "fail"}, {Domain: "a.example", Selector: "t", Result: "pass"}},
	}
	row := dmarc.NewRow(netip.MustParseAddr("::ffff:192.0.2.1"), q, dmarc.Evaluate(t.Context(), r, q))
	row.EnvelopeFrom, row.EnvelopeTo = "example.com", "example.net"
	row.Disposition, row.Override = dmarc.Monitor, dmarc.MailingList
	key := row.Key()
	const want = "at=example.org p=reject sp=quarantine aspf=r adkim=r pct=100 fo=0 ip=192.0.2.1 from=known.example.org mfrom=example.com rcpt=example.net" +
		" spf=example.com//mfrom/pass dkim=a.example/t//pass dkim=example.org/s+1%2Fx%2C%3D%25//fail dis=none why=mailing_list"
	if key != want {
		t.Errorf("got  %s\nwant %s", key, want)
	}
	back, err := dmarc.ParseRow(key)
	if err != nil {
		t.Fatal(err)
	}
	if back.Key() != key {
		t.Errorf("got %s\nwant %s", back.Key(), key)
	}
	back.DKIM[0], back.DKIM[1] = back.DKIM[1], back.DKIM[0]
	back.DKIM = append(back.DKIM, back.DKIM[0])
	if back.Key() != key {
		t.Error("the order of signatures makes a difference")
	}
	for _, bad := range []string{"", "x", "at=", "p=none", "at=a pct=101", "at=a pct=x", "at=a ip=x", "at=a new=x", "at=a spf=a/b/c", "at=%zz", "at=a dkim=%zz///", "at=a " + strings.Repeat(" dkim=a///", 11), strings.Repeat("x", 20000)} {
		if _, err := dmarc.ParseRow(bad); err == nil {
			t.Errorf("%.60q was taken", bad)
		}
	}
}

func TestRowOfPass(t *testing.T) {
	r := suites.Resolver(t, dnstest.Start(t, zone))
	q := dmarc.Query{From: []string{"pct0.example.net"}, Random: func(int) int { return 99 }}
	row := dmarc.NewRow(netip.Addr{}, q, dmarc.Evaluate(t.Context(), r, q))
	if row.Override != dmarc.SampledOut || row.Disposition != dmarc.Quarantine {
		t.Errorf("got %+v, want one that was sampled out", row)
	}
	q.SPF = id("pct0.example.net", "pass")
	row = dmarc.NewRow(netip.Addr{}, q, dmarc.Evaluate(t.Context(), r, q))
	if back, err := dmarc.ParseRow(row.Key()); err != nil || !back.SPFAligned || back.DKIMAligned {
		t.Errorf("got %+v, %v, want SPF aligned", back, err)
	}
}

func FuzzRow(f *testing.F) {
	f.Add("at=example.org p=reject sp=none aspf=r adkim=s pct=100 fo=0:1 ip=2001:db8::1 from=a.example mfrom=b.example rcpt=c.example spf=a//helo/fail dkim=a/b//pass aligned=spf,dkim dis=none why=other")
	f.Fuzz(func(t *testing.T, key string) {
		r, err := dmarc.ParseRow(key)
		if err != nil {
			return
		}
		again, err := dmarc.ParseRow(r.Key())
		if err != nil {
			t.Fatalf("%q became %q: %v", key, r.Key(), err)
		}
		if again.Key() != r.Key() {
			t.Fatalf("%q, then %q", r.Key(), again.Key())
		}
	})
}

func BenchmarkEvaluate(b *testing.B) {
	r := suites.Resolver(b, dnstest.Start(b, zone))
	q := dmarc.Query{From: []string{"known.example.org"}, SPF: id("bounce.example.org", "pass"), DKIM: []dmarc.Identifier{id("example.org", "pass")}}
	if got := dmarc.Evaluate(b.Context(), r, q); got.Code != dmarc.Pass {
		b.Fatal(got)
	}
	for b.Loop() {
		dmarc.Evaluate(b.Context(), r, q)
	}
}
