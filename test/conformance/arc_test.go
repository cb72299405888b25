package conformance

import (
	"strings"
	"testing"

	"rmilter/test/suites"
)

// arcResults are the results that symbols stand for.
var arcResults = map[string]string{"ARC_ALLOW": "pass", "ARC_REJECT": "fail", "ARC_INVALID": "fail", "ARC_NA": "none", "ARC_DNSFAIL": "temperror"}

// TestARC asks the ARC validation suite, each message with LF and with CRLF.
func TestARC(t *testing.T) {
	asked, passed, suite := 0, 0, suites.ARCSuite()
	for _, scenario := range suites.ARC(t) {
		d := start(t, scenario.Serve(t))
		var all []inquiry
		for _, c := range scenario.Cases {
			all = append(all, lineEnds(inquiry{name: c.Name, message: c.Message, ip: "192.0.2.1", helo: "client.example.com", from: "joe@example.com", rcpt: true})...)
		}
		for i, r := range d.ask(all) {
			asked++
			c := scenario.Cases[i/2]
			want, deviates := suite.Deviates(c.Name)
			if !deviates {
				want = c.Status
			}
			got, field := one(r, arcResults), "arc="+want
			switch {
			case c.Message == "":
				// There is nothing to judge, so nothing is said.
				got, field = "none", ""
				if !r.Skipped && len(r.Symbols) != 0 {
					got = told(r)
				}
			case want == "none":
				field = "" // mail without a chain is what mail mostly is
			}
			switch {
			case got != want:
				t.Errorf("%s: got %q, want %q\n\t%s", all[i].name, got, want, told(r))
			case !strings.Contains(results(r), field):
				t.Errorf("%s: Authentication-Results are %q, want %s", all[i].name, results(r), field)
			case !deviates:
				passed++
			}
		}
	}
	t.Logf("%s: %d of %d, each case asked in two ways, %d deviations", suite.Name, passed, asked, len(suite.Deviations))
	if asked != 2*suite.Cases {
		t.Errorf("%d questions, want %d", asked, 2*suite.Cases)
	}
}
