package checks

import (
	"net/netip"
	"strings"
	"testing"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
	"rmilter/test/suites"
)

// TestFunctional runs rspamd's cases about SPF, DKIM and DMARC.
func TestFunctional(t *testing.T) {
	engine := newEngine(t, "", All()...)
	resolvers := map[string]*dns.Resolver{}
	ran, suite := 0, suites.FunctionalSuite()
	for _, c := range suites.Functional(t) {
		if resolvers[c.Zone] == nil {
			resolvers[c.Zone] = suites.Resolver(t, suites.ServeFunctional(t, c.Zone))
		}
		ran++
		t.Run(c.Name, func(t *testing.T) {
			e := &mail.Envelope{ID: "4f1a9c02de", Time: frozen(), Inspect: true, Helo: c.Helo, Hostname: c.Hostname, From: path(c.From)}
			if c.IP != "" {
				e.ClientIP = netip.MustParseAddr(c.IP)
			}
			m := mail.Parse([]byte(c.Message), mail.DefaultLimits)
			names := resolvers[c.Zone].ForMessage(dns.Budget{})
			defer names.Close()
			r := engine.Scan(t.Context(), e, m, aids(t.Context(), names, m))
			found := map[string][]string{}
			for _, f := range r.Findings {
				found[f.Symbol.Name] = f.Details
			}
			want, _ := suite.Deviates(c.Name)
			if got := strings.Join(c.Missed(found), ", "); got != want {
				t.Errorf("not as expected: %q, want %q; found %s", got, want, told(r.Findings))
			}
		})
	}
	if ran != suite.Cases {
		t.Errorf("%d cases, want %d", ran, suite.Cases)
	}
}
