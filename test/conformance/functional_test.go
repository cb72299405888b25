package conformance

import (
	"strings"
	"testing"

	"rmilter/test/suites"
)

// TestFunctional asks what rspamd's functional tests ask about authentication.
func TestFunctional(t *testing.T) {
	suite := suites.FunctionalSuite()
	byZone := map[string][]suites.FunctionalCase{}
	for _, c := range suites.Functional(t) {
		byZone[c.Zone] = append(byZone[c.Zone], c)
	}
	rounds := map[string]*round{}
	var all []*round
	for zone, cases := range byZone {
		r := &round{daemon: start(t, suites.ServeFunctional(t, zone))}
		for _, c := range cases {
			r.questions = append(r.questions, inquiry{name: c.Name, message: c.Message, ip: c.IP, helo: c.Helo, hostname: c.Hostname, from: c.From})
		}
		rounds[zone], all = r, append(all, r)
	}
	askAll(t, all)
	asked, passed := 0, 0
	for zone, cases := range byZone {
		for i, reply := range rounds[zone].replies {
			asked++
			want, deviates := suite.Deviates(cases[i].Name)
			if got := strings.Join(cases[i].Missed(options(reply)), ", "); got != want {
				t.Errorf("%s: %q, want %q\n\t%s", cases[i].Name, got, want, told(reply))
			} else if !deviates {
				passed++
			}
		}
	}
	t.Logf("%s: %d of %d, %d deviations", suite.Name, passed, asked, len(suite.Deviations))
	if asked != suite.Cases {
		t.Errorf("%d cases, want %d", asked, suite.Cases)
	}
}
