package checks

import (
	"fmt"
	"strings"
	"testing"
)

// people returns n addresses of a list of recipients.
func people(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%c%d@example.org", 'a'+i*7%26, i))
	}
	return strings.Join(all, ", ")
}

func TestTo(t *testing.T) {
	to := func(s string) string { return "To: " + s + "\n\n" }
	cases := []fixture{
		{"none", nil, "\n", "RCPT_COUNT_ZERO{0}"},
		{"one", nil, to("alice@example.com"), "RCPT_COUNT_ONE{1} TO_DN_NONE TO_MATCH_ENVRCPT_ALL"},
		{"another one", nil, to("bob@example.org"), "RCPT_COUNT_ONE{1} TO_DN_NONE"},
		{"nobody knows the envelope", inspect, to("alice@example.com"), "RCPT_COUNT_ONE{1} TO_DN_NONE"},
		{"To and Cc and Bcc", nil, "To: a@example.org\nCc: ALICE@example.com\nBcc: b@example.org\n\n", "RCPT_COUNT_THREE{3} TO_DN_NONE TO_MATCH_ENVRCPT_SOME"},
		{"all match", rcpts("<alice@example.com>", "<bob@example.org>"), to("Bob@Example.ORG, alice@example.com"), "RCPT_COUNT_TWO{2} TO_DN_NONE TO_MATCH_ENVRCPT_ALL"},
		{"all have names", nil, to("Alice <alice@example.org>, Bob <bob@example.org>"), "RCPT_COUNT_TWO{2} TO_DN_ALL"},
		{"some have names", nil, to("Alice <alice@example.org>, bob@example.org"), "RCPT_COUNT_TWO{2} TO_DN_SOME"},
		{"names are addresses", nil, to(`"alice@example.org" <alice@example.org>, "bob@example.org" <bob@example.org>`), "RCPT_COUNT_TWO{2} TO_DN_EQ_ADDR_ALL"},
		{"some names are addresses", nil, to(`"alice@example.org" <alice@example.org>, bob@example.org`), "RCPT_COUNT_TWO{2} TO_DN_EQ_ADDR_SOME"},
		{"no domain", nil, to("root"), "RCPT_COUNT_ONE{1} TO_DN_NONE"},
		{"Recipients", nil, to("Recipients <alice@example.org>"), "RCPT_COUNT_ONE{1} TO_DN_RECIPIENTS TO_DN_ALL"},
		{"recipient", nil, to("alice@example.org, RECIPIENT <bob@example.org>"), "RCPT_COUNT_TWO{2} TO_DN_RECIPIENTS TO_DN_SOME"},
		{"spaces", nil, to("Alice < alice@example.com >"), "TO_WRAPPED_IN_SPACES{Alice < alice@example.com >} RCPT_COUNT_ONE{1} TO_DN_ALL TO_MATCH_ENVRCPT_ALL"},
		{"space before", nil, to("Alice < alice@example.com>"), "RCPT_COUNT_ONE{1} TO_DN_ALL TO_MATCH_ENVRCPT_ALL"},
		{"spaces in Cc", nil, "Cc: Alice < alice@example.com >\n\n", "RCPT_COUNT_ONE{1} TO_DN_ALL TO_MATCH_ENVRCPT_ALL"},
		{"undisclosed-recipients:;", nil, to("undisclosed-recipients:;"), "R_UNDISC_RCPT RCPT_COUNT_ZERO{0}"},
		{"Undisclosed recipients: ;", nil, to("Undisclosed recipients: ;"), "R_UNDISC_RCPT RCPT_COUNT_ZERO{0}"},
		{"undisclosed quoted", nil, to(`"Undisclosed-Recipient" : ;`), "R_UNDISC_RCPT RCPT_COUNT_ZERO{0}"},
		{"undisclosed folded", nil, "To:\n undisclosed-recipients:;\n\n", "R_UNDISC_RCPT RCPT_COUNT_ZERO{0}"},
		{"undisclosed as a name", nil, to("Undisclosed Recipients <alice@example.com>"), "RCPT_COUNT_ONE{1} TO_DN_ALL TO_MATCH_ENVRCPT_ALL"},
		{"disclosed", nil, to("recipients:;"), "RCPT_COUNT_ZERO{0}"},
		{"a group", nil, to("Friends: alice@example.com, Bob <bob@example.org>;"), "RCPT_COUNT_TWO{2} TO_DN_SOME TO_MATCH_ENVRCPT_SOME"},
	}
	for n, s := range map[int]string{4: "THREE", 5: "FIVE", 6: "FIVE", 7: "SEVEN", 11: "SEVEN", 12: "TWELVE", 49: "TWELVE", 50: "GT_50", 2000: "GT_50"} {
		cases = append(cases, fixture{fmt.Sprint(n), nil, to(people(n)), fmt.Sprintf("RCPT_COUNT_%s{%d} TO_DN_NONE", s, n)})
	}
	runFixtures(t, To, cases)
}
