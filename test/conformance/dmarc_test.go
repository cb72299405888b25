package conformance

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"rmilter/internal/dns/dnstest"
	"rmilter/test/suites"
)

// dmarcResults are the results that symbols stand for.
var dmarcResults = map[string]string{
	"DMARC_POLICY_ALLOW": "pass", "DMARC_POLICY_REJECT": "reject", "DMARC_POLICY_QUARANTINE": "quarantine", "DMARC_POLICY_SOFTFAIL": "none",
	"DMARC_NA": "no record", "DMARC_BAD_POLICY": "no policy", "DMARC_DNSFAIL": "temperror",
}

// letterFrom is a message of a domain.
func letterFrom(domain string) string {
	return "From: Joe <joe@" + domain + ">\r\nTo: alice@example.com\r\nSubject: Hello\r\n\r\nHello\r\n"
}

// TestDMARCRecords sends mail that nothing proves from domains with the records of
// OpenDMARC's set: what the symbol says is the policy that was read.
func TestDMARCRecords(t *testing.T) {
	names := dnstest.Start(t, "")
	cases, suite := suites.DMARCRecords(t), suites.DMARCRecordSuite()
	var all []inquiry
	for i, c := range cases {
		domain := fmt.Sprintf("r%d.example.net", i)
		names.AddTXT("_dmarc."+domain, suites.Cut255(c.Record)...)
		all = append(all, inquiry{name: c.Record, message: letterFrom(domain), ip: "192.0.2.1", helo: "client.example.com", from: "joe@example.com", rcpt: true})
	}
	passed := 0
	for i, r := range start(t, names).ask(all) {
		c := cases[i]
		want, deviates := suite.Deviates(c.Record)
		if !deviates {
			want = c.Result
		}
		if want == "ok" {
			_, want, _ = strings.Cut(c.Record, "p=")
			want, _, _ = strings.Cut(want, ";")
		}
		got := one(r, dmarcResults)
		if got != want {
			t.Errorf("%q: got %q, want %q\n\t%s", c.Record, got, want, told(r))
		} else if !deviates {
			passed++
		}
	}
	t.Logf("%s: %d of %d, %d deviations", suite.Name, passed, len(cases), len(suite.Deviations))
	if len(cases) != suite.Cases {
		t.Errorf("%d cases, want %d", len(cases), suite.Cases)
	}
}

// TestDMARCAlignment sends mail from one domain of each pair of OpenDMARC's set that SPF
// proves to be of the other one.
func TestDMARCAlignment(t *testing.T) {
	cases, suite := suites.DMARCAlignments(t), suites.DMARCAlignmentSuite()
	passed := 0
	for _, c := range cases {
		names := dnstest.Start(t, "")
		mode := strings.ToLower(c.Mode[:1])
		a, b := strings.Trim(c.A, "."), strings.Trim(c.B, ".")
		names.AddTXT("_dmarc."+a, "v=DMARC1; p=reject; adkim="+mode+"; aspf="+mode)
		names.AddTXT(b, "v=spf1 ip4:192.0.2.1 -all")
		r := start(t, names).ask([]inquiry{{name: c.Name(), message: letterFrom(c.A), ip: "192.0.2.1", helo: "client.example.com", from: "joe@" + c.B, rcpt: true}})[0]
		want, deviates := suite.Deviates(c.Name())
		switch {
		case deviates:
		case c.Aligned:
			want = "pass"
		default:
			want = "reject"
		}
		_, invalid := r.Symbols["FROM_INVALID"]
		if got := one(r, dmarcResults); got != want || invalid != deviates {
			t.Errorf("%s: got %q, want %q; FROM_INVALID %v, want %v\n\t%s", c.Name(), got, want, invalid, deviates, told(r))
		} else if !deviates {
			passed++
		}
	}
	t.Logf("%s: %d of %d, %d deviations", suite.Name, passed, len(cases), len(suite.Deviations))
	if len(cases) != suite.Cases {
		t.Errorf("%d cases, want %d", len(cases), suite.Cases)
	}
}

// TestSuffixes sends mail from the names of the public suffix list's own test. Their
// registered domains have policies, and nothing else has.
func TestSuffixes(t *testing.T) {
	names := dnstest.Start(t, "")
	cases, suite := suites.Suffixes(t), suites.SuffixSuite()
	var all []inquiry
	for _, c := range cases {
		if c.Want != "" {
			domain, err := idna.Lookup.ToASCII(c.Want)
			must(t, err)
			names.Remove("_dmarc."+domain, "")
			names.AddTXT("_dmarc."+domain, "v=DMARC1; p=reject")
		}
		all = append(all, inquiry{name: c.Name, message: letterFrom(c.Name), ip: "192.0.2.1", helo: "client.example.com", from: "joe@example.com", rcpt: true})
	}
	passed := 0
	for i, r := range start(t, names).ask(all) {
		want := "reject"
		if cases[i].Want == "" {
			want = "no record"
		}
		other, deviates := suite.Deviates(cases[i].Name)
		if deviates {
			want = other
		}
		if got := one(r, dmarcResults); got != want {
			t.Errorf("%q: got %q, want %q\n\t%s", all[i].name, got, want, told(r))
			continue
		}
		if !deviates {
			passed++
		}
	}
	t.Logf("%s: %d of %d", suite.Name, passed, len(cases))
	if len(cases) != suite.Cases {
		t.Errorf("%d cases, want %d", len(cases), suite.Cases)
	}
}
