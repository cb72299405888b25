package spf_test

import (
	"strings"
	"testing"

	"rmilter/internal/dns"
	"rmilter/internal/spf"
	"rmilter/test/suites"
)

// symbols are what rspamd calls the codes.
var symbols = map[spf.Code]string{
	spf.None: "R_SPF_NA", spf.Neutral: "R_SPF_NEUTRAL", spf.Pass: "R_SPF_ALLOW", spf.Fail: "R_SPF_FAIL",
	spf.SoftFail: "R_SPF_SOFTFAIL", spf.TempError: "R_SPF_DNSFAIL", spf.PermError: "R_SPF_PERMFAIL",
}

// TestRspamd runs the cases for SPF of rspamd's functional tests.
func TestRspamd(t *testing.T) {
	resolvers := map[string]*dns.Resolver{}
	n, same := 0, 0
	for _, c := range suites.Functional(t) {
		if !strings.Contains(c.File, "117_spf") || c.IP == "" {
			continue
		}
		n++
		if resolvers[c.Zone] == nil {
			resolvers[c.Zone] = suites.Resolver(t, suites.ServeFunctional(t, c.Zone))
		}
		r := spf.Check(t.Context(), resolvers[c.Zone], ask(c.IP, c.Helo, c.From))
		got := symbols[r.Code]
		if r.Anyone {
			got = "R_SPF_PLUSALL"
		}
		if missed := c.Missed(map[string][]string{got: nil}); missed != nil {
			t.Errorf("%s: got %s: %v: %v\n\t%s", c.Name, got, missed, r, r.Record)
			continue
		}
		same++
	}
	t.Logf("rspamd's cases: %d of %d", same, n)
	if n < 15 {
		t.Errorf("only %d cases", n)
	}
}
