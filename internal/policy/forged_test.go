package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
	"rmilter/internal/policy"
)

// TestForgedAmidOthers wants the fields deleted that claim to be ours, and those of other
// services kept, wherever they are.
func TestForgedAmidOthers(t *testing.T) {
	ours := mail.Field{Name: "Authentication-Results", Raw: " mx.example.com; spf=pass"}
	odd := mail.Field{Name: "AUTHENTICATION-Results", Raw: "\r\n\t(x) MX.example.com. 1; spf=pass"}
	others := mail.Field{Name: "Authentication-Results", Raw: " mx.example.net; spf=pass"}
	from := mail.Field{Name: "From", Raw: " <joe@sender.example>"}
	c := policy.DefaultConfig()
	for _, tt := range []struct{ header, want mail.Header }{
		{mail.Header{ours, from}, mail.Header{from}},
		{mail.Header{others, from}, mail.Header{others, from}},
		{mail.Header{others, ours, from}, mail.Header{others, from}},
		{mail.Header{odd, others, ours, others, from, ours}, mail.Header{others, others, from}},
		{mail.Header{others, others, odd, others}, mail.Header{others, others, others}},
	} {
		v := policy.Decide(&c, &policy.Facts{Envelope: &mail.Envelope{}, Header: tt.header, Hostname: "mx.example.com", Broken: true})
		if diff := cmp.Diff(tt.want, policy.Apply(tt.header, v.Edits)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.header, diff)
		}
	}
}
