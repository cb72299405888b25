package spf_test

import (
	"testing"

	"rmilter/internal/spf"
	"rmilter/test/suites"
)

// TestSuite runs the RFC 7208 suite over a real server.
func TestSuite(t *testing.T) {
	total, passed, suite := 0, 0, suites.SPFSuite()
	for _, scenario := range suites.SPF(t) {
		t.Run(scenario.Name, func(t *testing.T) {
			res := suites.Resolver(t, scenario.Serve(t))
			for _, c := range scenario.Cases {
				total++
				got := spf.Check(t.Context(), res, ask(c.IP, c.Helo, c.From))
				switch want, deviates := suite.Deviates(c.Name); {
				case deviates && want == string(got.Code):
				case !c.Wants(string(got.Code)):
					t.Errorf("%s (RFC 7208, section %s): got %s, want %v\n\t%v", c.Name, c.Section, got.Code, c.Results, got)
				case c.Explained && got.Explanation != c.Explanation:
					t.Errorf("%s (RFC 7208, section %s): got explanation %q, want %q", c.Name, c.Section, got.Explanation, c.Explanation)
				default:
					passed++
				}
			}
		})
	}
	t.Logf("%s: %d of %d, %d deviations", suite.Name, passed, total, len(suite.Deviations))
	if total != suite.Cases {
		t.Errorf("%d cases, want %d", total, suite.Cases)
	}
}
