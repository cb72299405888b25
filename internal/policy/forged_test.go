package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/authres"
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

// TestForgedUnicode wants fields deleted that look like ours when our name is in Unicode in
// the configuration.
func TestForgedUnicode(t *testing.T) {
	c := policy.DefaultConfig()
	if err := set(t, c.Sections(), "", "authserv_id", "bücher.example"); err != nil {
		t.Fatal(err)
	}
	report := mail.Header{{Name: "Authentication-Results", Raw: " bücher.example; spf=pass"}, {Name: "Authentication-Results", Raw: " XN--bcher-kva.example; spf=pass"}}
	f := &policy.Facts{Envelope: &mail.Envelope{}, Header: report, Hostname: "mx.example.com", Auth: []authres.Result{{Method: "spf", Value: "fail"}}, Broken: true}
	got := policy.Apply(report, policy.Decide(&c, f).Edits)
	if len(got) != 1 || got[0].Name != authres.Name {
		t.Fatalf("got %v, want one field of ours", got)
	}
	if id := authres.Parse(got[0].Raw).ID; id != "xn--bcher-kva.example" {
		t.Errorf("got %q as our name", id)
	}
	// What we write is forged when it comes back.
	f.Header, f.Auth = got, nil
	if back := policy.Apply(got, policy.Decide(&c, f).Edits); len(back) != 0 {
		t.Errorf("got %v, want nothing left", back)
	}
}

// TestOddHostname wants a name in our field that can be told from others even when the
// machine's is none.
func TestOddHostname(t *testing.T) {
	c := policy.DefaultConfig()
	for hostname, want := range map[string]string{"mx.example.com": "mx.example.com", "my host": "localhost", "a;b": "localhost", "": "localhost", "bücher": "xn--bcher-kva"} {
		v := policy.Decide(&c, &policy.Facts{Envelope: &mail.Envelope{}, Hostname: hostname, Auth: []authres.Result{{Method: "spf", Value: "fail"}}, Broken: true})
		if len(v.Edits) != 1 || authres.Parse(v.Edits[0].Value).ID != want {
			t.Errorf("%s: got %+v, want a field of %s", hostname, v.Edits, want)
		}
	}
}

func TestServiceID(t *testing.T) {
	for text, want := range map[string]string{"": "", "mx.example.com": "mx.example.com", "mx.example.com.": "mx.example.com", "Bücher.example": "xn--bcher-kva.example"} {
		c := policy.DefaultConfig()
		if err := set(t, c.Sections(), "", "authserv_id", text); err != nil || string(c.AuthservID) != want {
			t.Errorf("%q: got %q and %v, want %q", text, c.AuthservID, err, want)
		}
	}
	for _, text := range []string{"my id", "a;b", "mx(x)", `"mx"`, "a@b", "mx/1", ".", "a..b"} {
		c := policy.DefaultConfig()
		if err := set(t, c.Sections(), "", "authserv_id", text); err == nil || !strings.Contains(err.Error(), "expected a host name") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
