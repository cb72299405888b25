package spf_test

import (
	"encoding/json"
	"strings"
	"testing"

	"rmilter/internal/dns/dnstest"
	"rmilter/internal/spf"
)

// symbols are what rspamd calls the codes.
var symbols = map[spf.Code]string{
	spf.None: "R_SPF_NA", spf.Neutral: "R_SPF_NEUTRAL", spf.Pass: "R_SPF_ALLOW", spf.Fail: "R_SPF_FAIL",
	spf.SoftFail: "R_SPF_SOFTFAIL", spf.TempError: "R_SPF_DNSFAIL", spf.PermError: "R_SPF_PERMFAIL",
}

// rspamdDeviations are the cases of rspamd's set with another result on purpose, with
// the section of RFC 7208 that it rests on.
var rspamdDeviations = map[string]struct{ got, section string }{}

// TestRspamd runs the cases for SPF of rspamd's functional tests.
func TestRspamd(t *testing.T) {
	var records []struct {
		Name, Type, RCode string
		Replies           []string
		From              []string
	}
	if err := json.Unmarshal([]byte(shared(t, "rspamd-functional/dns.json")), &records); err != nil {
		t.Fatal(err)
	}
	s := dnstest.Start(t, "")
	for _, r := range records {
		typ := strings.ToUpper(r.Type)
		if r.RCode == "SERVFAIL" || r.RCode == "TIMEOUT" || r.RCode == "REFUSED" {
			s.Script(r.Name, typ, dnstest.ServFail)
		}
		for _, v := range r.Replies {
			switch typ {
			case "TXT":
				s.AddTXT(r.Name, cut255(v)...)
			case "A", "AAAA", "PTR":
				s.Add(r.Name, typ, v)
			case "MX":
				if !strings.Contains(v, " ") {
					v = "10 " + v
				}
				s.Add(r.Name, typ, v)
			}
		}
	}
	res := resolver(t, s)
	n, same := 0, 0
	for line := range strings.Lines(shared(t, "rspamd-functional/cases.tsv")) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if !strings.Contains(f[0], "117_spf.robot") || f[4] == "" {
			continue
		}
		var want [][]any
		if err := json.Unmarshal([]byte(f[12]), &want); err != nil {
			t.Fatalf("%s: %v", f[0], err)
		}
		n++
		r := spf.Check(t.Context(), res, ask(f[4], f[5], f[7]))
		got := symbols[r.Code]
		if r.Anyone {
			got = "R_SPF_PLUSALL"
		}
		if d, ok := rspamdDeviations[f[0]]; ok && got == d.got {
			continue
		}
		if got != want[0][1] {
			t.Errorf("%s: got %s, want %s: %v\n\t%s", f[0], got, want[0][1], r, r.Record)
			continue
		}
		same++
	}
	t.Logf("rspamd's cases: %d of %d, %d deviations", same, n, len(rspamdDeviations))
	if n < 15 {
		t.Errorf("only %d cases", n)
	}
}
