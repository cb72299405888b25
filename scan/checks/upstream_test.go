package checks

import "testing"

func TestUpstream(t *testing.T) {
	runFixtures(t, Upstream, []fixture{
		{"none", nil, "Subject: Hi\n\n", ""},
		{"X-Spam-Flag", nil, "X-Spam-Flag: YES\n\n", "SPAM_FLAG{X-Spam-Flag: YES}"},
		{"X-Spam", nil, "X-Spam: true\n\n", "SPAM_FLAG{X-Spam: true}"},
		{"X-Spam-Status", nil, "x-spam-status: Yes, score=7.5 required=5.0\n tests=A,B\n\n", "SPAM_FLAG{x-spam-status: Yes, score=7.5 required=5.0 tests=A,B}"},
		{"no", nil, "X-Spam-Flag: NO\nX-Spam-Status: No, score=-1\nX-Spam: no\nX-Spam-Level: *****\n\n", ""},
		{"several", nil, "X-Spam-Status: Yes\nX-Spam-Flag: YES\n\n", "SPAM_FLAG{X-Spam-Flag: YES}"},
		{"the second", nil, "X-Spam-Flag: NO\nX-Spam-Flag: YES\n\n", "SPAM_FLAG{X-Spam-Flag: YES}"},
		{"Kaspersky", nil, "X-KLMS-AntiSpam-Status: spam, x\n\n", "KLMS_SPAM{X-KLMS-AntiSpam-Status: spam, x}"},
		{"Kaspersky, none", nil, "X-KLMS-AntiSpam-Status: not_detected\n\n", ""},
		{"Microsoft", nil, "X-Forefront-Antispam-Report: CIP:192.0.2.1;SFV:SPM;H:x\n\n", "MICROSOFT_SPAM{X-Forefront-Antispam-Report: CIP:192.0.2.1;SFV:SPM;H:x}"},
		{"Microsoft, none", nil, "X-Forefront-Antispam-Report: CIP:192.0.2.1;SFV:NSPM;H:x\n\n", ""},
		{"United Internet", nil, "X-UI-Filterresults: junk:10;V03:K0\n\n", "UNITEDINTERNET_SPAM{X-UI-Filterresults: junk:10;V03:K0}"},
		{"United Internet, outgoing", nil, "X-UI-Out-Filterresults: junk:10;V03:K0\n\n", "UNITEDINTERNET_SPAM{X-UI-Out-Filterresults: junk:10;V03:K0}"},
		{"United Internet, none", nil, "X-UI-Filterresults: notjunk:1;V03:K0\n\n", ""},
	})
}
