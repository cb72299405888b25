package policy_test

import (
	"strings"
	"testing"

	"rmilter/internal/policy"
	"rmilter/internal/ucl"
)

// TestContradictions has what the sections of this package contradict themselves in,
// and what is nearly the same and no contradiction.
func TestContradictions(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"actions { add_header = 9; rewrite_subject = 8; }":                           "add_header: 9 is never reached, as rewrite_subject is taken from 8 on (x:1:27); expected less, or off",
		"actions { add_header = 8; rewrite_subject = 9; }":                           "",
		"settings a { actions { reject = 4; } rcpt = a; }":                           "reject: 4 is not above greylist = 4 (the default), which is never taken then; expected more, or greylist = off|reject: 4 is not above add_header = 6 (the default), which is never taken then; expected more, or add_header = off",
		"settings a { actions { reject = 7; } rcpt = a; }":                           "",
		"settings a { rcpt = a, b, c, d, @x; }\nsettings b { rcpt = d@y, e@x, f; }":  `rcpt: here without effect, as settings "a" comes first: d@y, e@x; expected this block before that one`,
		"settings a { rcpt = a, b, c, d, e; }\nsettings b { rcpt = e, d, c, b, z; }": `rcpt: here without effect, as settings "a" comes first: e, d, c and 1 more; expected this block before that one`,
		"settings a { rcpt = a@x; }\nsettings b { rcpt = a, @x, b@x; }":              "",
	} {
		c := policy.DefaultConfig()
		var l ucl.Loader
		sections := c.Sections()
		top := sections[0]
		top.Sections = sections[1:]
		ucl.Decode(l.ReadText("x", in), top, &l.Diagnostics)
		ucl.Finish(top)
		ucl.Contradictions(top, &l.Diagnostics)
		var got []string
		for _, d := range l.Diagnostics.All() {
			got = append(got, d.Text)
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s\n got %s\nwant %s", in, strings.Join(got, "|"), want)
		}
	}
}
