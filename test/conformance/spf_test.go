package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rmilter/internal/controller"
	"rmilter/test/suites"
)

// spfResults are the results that symbols stand for.
var spfResults = map[string]string{
	"R_SPF_ALLOW": "pass", "R_SPF_PLUSALL": "pass", "R_SPF_FAIL": "fail", "R_SPF_SOFTFAIL": "softfail", "R_SPF_NEUTRAL": "neutral",
	"R_SPF_NA": "none", "R_SPF_DNSFAIL": "temperror", "R_SPF_PERMFAIL": "permerror",
}

// TestSPF asks the suite of RFC 7208, each case in the words of rspamc and of Exim.
func TestSPF(t *testing.T) {
	suite, scenarios := suites.SPFSuite(), suites.SPF(t)
	var all []*round
	for _, scenario := range scenarios {
		r := &round{daemon: start(t, scenario.Serve(t))}
		for _, c := range scenario.Cases {
			r.questions = append(r.questions, both(inquiry{name: c.Name, ip: c.IP, helo: c.Helo, from: c.From, rcpt: true, message: "Subject: Hello\r\n\r\nHello\r\n"})...)
		}
		all = append(all, r)
	}
	askAll(t, all)
	asked, passed := 0, 0
	for n, r := range all {
		for i, reply := range r.replies {
			asked++
			c := scenarios[n].Cases[i/2]
			if why := spfFault(&c, reply); why != "" {
				t.Errorf("%s: %s (RFC 7208, section %s): %s\n\t%s", scenarios[n].Name, r.questions[i].name, c.Section, why, told(reply))
				continue
			}
			passed++
		}
	}
	t.Logf("%s: %d of %d, each case asked in two ways, %d deviations", suite.Name, passed, asked, len(suite.Deviations))
	if asked != 2*suite.Cases {
		t.Errorf("%d questions, want %d", asked, 2*suite.Cases)
	}
}

// spfFault tells what is wrong with a reply, "" when nothing is.
func spfFault(c *suites.SPFCase, r controller.Reply) string {
	want := c.Results
	if got, deviates := suites.SPFSuite().Deviates(c.Name); deviates {
		want = []string{got}
	}
	got, explanation := one(r, spfResults), ""
	for _, o := range options(r)["R_SPF_FAIL"] {
		if text, ok := strings.CutPrefix(o, "explanation: "); ok {
			explanation = text
		}
	}
	switch {
	case !slices.Contains(want, got):
		return fmt.Sprintf("got %q, want %v", got, want)
	case c.Explained && explanation != c.Explanation:
		return fmt.Sprintf("got explanation %q, want %q", explanation, c.Explanation)
	case !strings.HasPrefix(results(r), "mx.example.com; spf="+got):
		return fmt.Sprintf("Authentication-Results are %q, want spf=%s", results(r), got)
	}
	return ""
}
