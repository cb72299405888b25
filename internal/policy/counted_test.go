package policy_test

import (
	"fmt"
	"testing"

	"rmilter/internal/mail"
	"rmilter/internal/policy"
	"rmilter/scan"
)

// TestWhyVerdict is about what a verdict tells of how it came about: whose settings
// counted, what forced it, and what it was before the client's trust made it milder.
func TestWhyVerdict(t *testing.T) {
	at := func(reject float64) scan.Thresholds { return scan.Thresholds{scan.AddHeader: 6, scan.Reject: reject} }
	strict, lax := policy.Settings{Name: "strict", Thresholds: at(10)}, policy.Settings{Name: "lax", Thresholds: at(30)}
	off := policy.Settings{Name: "off", Skip: true}
	flood := make(mail.Header, 1001)
	for i := range flood {
		flood[i] = mail.Field{Name: "X-Spam", Raw: " no"}
	}
	for _, c := range []struct {
		name   string
		rcpts  []policy.Settings
		trust  mail.Trust
		header mail.Header
		demand *scan.Passthrough
		want   string
	}{
		{"one", []policy.Settings{strict}, mail.Stranger, nil, nil, "reject by strict"},
		{"the mildest", []policy.Settings{strict, lax}, mail.Stranger, nil, nil, "add header by lax"},
		{"the first of two", []policy.Settings{lax, strict, lax}, mail.Stranger, nil, nil, "add header by lax"},
		{"nobody", nil, mail.Stranger, nil, nil, "add header by default"},
		{"all skip", []policy.Settings{off}, mail.Stranger, nil, nil, "no action"},
		{"demand", []policy.Settings{lax}, mail.Stranger, nil, &scan.Passthrough{Action: scan.Reject, Source: "test"}, "reject by lax, forced by test"},
		{"demand for at least", []policy.Settings{strict}, mail.Stranger, nil, &scan.Passthrough{Action: scan.SoftReject, Source: "test", AtLeast: true}, "reject by strict"},
		{"flood", []policy.Settings{lax}, mail.Stranger, flood, nil, "reject by lax, forced by spam_header_fields"},
		{"ours", []policy.Settings{lax}, mail.OurNetwork, nil, nil, "no action by lax, softened from add header"},
		{"relay", []policy.Settings{strict}, mail.TrustedRelay, nil, nil, "add header by strict, softened from reject"},
	} {
		conf := policy.DefaultConfig()
		v := policy.Decide(&conf, &policy.Facts{
			Envelope: &mail.Envelope{ID: "0123456789", Trust: c.trust}, Header: c.header, Recipients: c.rcpts,
			Report: &scan.Report{Findings: []scan.Finding{{Symbol: &scan.Symbol{Name: "TEST", Score: 12}, Strength: 1}}, Passthrough: c.demand},
		})
		got := v.Action.String()
		if v.Counted != nil {
			got += " by " + v.Counted.Name
		}
		if v.Passthrough != nil {
			got += ", forced by " + v.Passthrough.Source
		}
		if v.Reached != v.Action {
			got += fmt.Sprint(", softened from ", v.Reached)
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestNamedSettings(t *testing.T) {
	conf := policy.DefaultConfig()
	conf.Blocks = []*policy.Block{{Name: "vip", Enable: true, Actions: policy.Actions{Reject: policy.At(30)}}}
	book := conf.Book(nil)
	for name, want := range map[string]float64{"vip": 30, policy.DefaultSettings: 15} {
		if s, ok := book.Named(name); !ok || s.Name != name || s.Thresholds[scan.Reject] != want {
			t.Errorf("%s: got %+v, %t; want reject at %v", name, s, ok, want)
		}
	}
	if s, ok := book.Named("nobody"); ok {
		t.Errorf("settings that there aren't: got %+v", s)
	}
}
