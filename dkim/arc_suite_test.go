package dkim_test

import (
	"testing"

	"rmilter/dkim"
	"rmilter/test/suites"
)

func TestARCSuite(t *testing.T) {
	n, suite := 0, suites.ARCSuite()
	for _, scenario := range suites.ARC(t) {
		for _, c := range scenario.Cases {
			n++
			t.Run(c.Name, func(t *testing.T) {
				want := dkim.Status(c.Status)
				if got, ok := suite.Deviates(c.Name); ok {
					if want != "" {
						t.Errorf("the suite says %q: the deviation has gone", want)
					}
					want = dkim.Status(got)
				}
				for _, o := range []struct {
					raw string
					dkim.VerifyOptions
				}{{c.Message, dkim.VerifyOptions{BareLF: true}}, {suites.CRLF(c.Message), dkim.VerifyOptions{}}} {
					got := verify(t, o.raw, zone(scenario.Keys), o.VerifyOptions).ARC
					if got.Status != want {
						t.Errorf("status %q (%s %s, instance %d), want %q", got.Status, got.Reason, got.Detail, got.Instance, want)
					}
				}
			})
		}
	}
	if n != suite.Cases {
		t.Errorf("%d cases, want %d", n, suite.Cases)
	}
}

func TestOldestPass(t *testing.T) {
	for _, scenario := range suites.ARC(t) {
		for _, c := range scenario.Cases {
			want, ok := map[string]int{"cv_pass_i1_1": 0, "cv_pass_i3_1": 0, "cv_pass_i2_1_ams1_invalid": 2}[c.Name]
			if !ok {
				continue
			}
			got := verify(t, suites.CRLF(c.Message), zone(scenario.Keys), dkim.VerifyOptions{}).ARC
			if got.OldestPass != want {
				t.Errorf("%s: oldest pass %d, want %d", c.Name, got.OldestPass, want)
			}
			for i, s := range got.Sets {
				if s.Instance != i+1 || s.Seal.Status != dkim.Pass || s.Results == "" || s.Seal.Domain != "example.org" {
					t.Errorf("%s: set %d is %+v", c.Name, i+1, s)
				}
			}
		}
	}
}
