package checks

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
	"rmilter/scan"
)

// functional returns a file of rspamd's functional tests, which are no part of this
// repository. Where they aren't, the test skips; it fails when RMILTER_SHARED names their
// folder.
func functional(t testing.TB, name string) []byte {
	t.Helper()
	root := os.Getenv("RMILTER_SHARED")
	if root == "" {
		root = "../../../shared"
	}
	b, err := os.ReadFile(filepath.Join(root, "conformance/rspamd-functional", name))
	if err != nil {
		if os.Getenv("RMILTER_SHARED") != "" || os.Getenv("CI") == "true" {
			t.Fatalf("no suites: %v (RMILTER_SHARED names their folder)", err)
		}
		t.Skipf("no suites: %v (RMILTER_SHARED names their folder)", err)
	}
	return b
}

// A fakeRecord is an answer of the suite's DNS.
type fakeRecord struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	RCode   string   `json:"rcode"`
	Replies []string `json:"replies"`
	From    []string `json:"from"`
}

// fakeDNS returns the records of one of the suite's configurations.
func fakeDNS(t testing.TB, set string) lookup {
	t.Helper()
	var all []fakeRecord
	if err := json.Unmarshal(functional(t, "dns.json"), &all); err != nil {
		t.Fatal(err)
	}
	return func(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
		a, kind := dns.Answer{Name: name, Type: typ, Canonical: name}, dns.NotFound
		for _, r := range all {
			if !strings.EqualFold(r.Name, name) || !slices.Contains(r.From, set) {
				continue
			}
			if r.Type != typ.String() {
				if kind == dns.NotFound {
					kind = dns.NoData
				}
				continue
			}
			switch r.RCode {
			case "NODATA":
				kind = dns.NoData
			case "TIMEOUT":
				kind = dns.Timeout
			case "NOERROR":
				addReplies(t, &a, r.Replies)
			}
		}
		if a.Len() == 0 {
			return a, &dns.Error{Name: name, Type: typ, Kind: kind}
		}
		return a, nil
	}
}

// addReplies reads what the suite says of records.
func addReplies(t testing.TB, a *dns.Answer, replies []string) {
	t.Helper()
	for _, text := range replies {
		switch a.Type {
		case dns.TypeTXT:
			a.Texts = append(a.Texts, text)
		case dns.TypeA, dns.TypeAAAA:
			addr, err := netip.ParseAddr(text)
			if err != nil {
				t.Fatal(err)
			}
			a.Addrs = append(a.Addrs, addr)
		case dns.TypeMX:
			preference, host, _ := strings.Cut(text, " ")
			n, err := strconv.Atoi(preference)
			if err != nil {
				t.Fatal(err)
			}
			a.MXs = append(a.MXs, dns.MX{Preference: uint16(n), Host: strings.TrimSuffix(host, ".")})
		default:
			a.Names = append(a.Names, text)
		}
	}
}

// deviations are cases of the suite in which the checks mean to differ, and why. Nobody
// writes to it.
var deviations = map[string]string{
	"SPF EXTERNAL RELAY": "the client behind a relay of ours is found by the filter (trusted_relays), not by the check; the evidence has more than the mechanism",
	"PHISH_SENDER_E":     "two addresses of one domain in From are two authors (RFC 5322, section 3.6.2); DMARC is asked for that domain, and MULTIPLE_FROM tells of it",
}

// TestFunctional runs rspamd's cases about SPF, DKIM and DMARC.
func TestFunctional(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(string(functional(t, "cases.tsv")), "\n"), "\n")
	engine := newEngine(t, "", All()...)
	zones := map[string]lookup{}
	ran := 0
	for _, line := range lines[1:] {
		f := strings.Split(line, "\t")
		_, name, _ := strings.Cut(f[0], ":")
		var expect [][]string
		if err := json.Unmarshal([]byte(f[12]), &expect); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(expect, func(e []string) bool {
			return len(e) > 1 && (strings.HasPrefix(e[1], "R_SPF") || strings.HasPrefix(e[1], "R_DKIM") || strings.HasPrefix(e[1], "DMARC") || strings.HasPrefix(e[1], "ARC_"))
		}) {
			continue
		}
		ran++
		t.Run(name, func(t *testing.T) {
			set := f[14]
			if zones[set] == nil {
				zones[set] = fakeDNS(t, set)
			}
			e := &mail.Envelope{ID: "4f1a9c02de", Time: frozen(), Inspect: true, Helo: f[5], Hostname: f[6], From: path(f[7])}
			if f[4] != "" {
				e.ClientIP = netip.MustParseAddr(f[4])
			}
			m := mail.Parse(functional(t, filepath.Join("messages", filepath.Base(f[3]))), mail.DefaultLimits)
			r := engine.Scan(t.Context(), e, m, aids(t.Context(), zones[set], m))
			err := meets(r, expect)
			switch why := deviations[name]; {
			case err == nil && why != "":
				t.Errorf("as expected, but listed as a deviation: %s", why)
			case err != nil && why == "":
				t.Errorf("%v; found %s", err, told(r.Findings))
			}
		})
	}
	if ran < 38 {
		t.Errorf("%d cases, want 38 at least", ran)
	}
}

// meets tells what of the expectations isn't met.
func meets(r *scan.Report, expect [][]string) error {
	var errs []error
	for _, e := range expect {
		i := slices.IndexFunc(r.Findings, func(f scan.Finding) bool { return f.Symbol.Name == e[1] })
		switch e[0] {
		case "Do Not Expect Symbol":
			if i >= 0 {
				errs = append(errs, errors.New("unexpected "+e[1]))
			}
			continue
		case "Expect Symbol With Score And Exact Options":
			e = append(e[:2:2], e[3:]...)
		}
		switch {
		case i < 0:
			errs = append(errs, errors.New("no "+e[1]))
		case e[0] == "Expect Symbol With Option" && !slices.Contains(r.Findings[i].Details, e[2]),
			strings.HasSuffix(e[0], "Exact Options") && !slices.Equal(r.Findings[i].Details, e[2:]):
			errs = append(errs, errors.New(e[1]+" with other options"))
		}
	}
	return errors.Join(errs...)
}
