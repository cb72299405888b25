package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rmilter/dkim"
	"rmilter/internal/authres"
	"rmilter/internal/controller"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/mail"
	"rmilter/test/suites"
)

// dkimSymbols are the symbols for the results of signatures.
var dkimSymbols = map[string]string{"pass": "R_DKIM_ALLOW", "fail": "R_DKIM_REJECT", "permerror": "R_DKIM_PERMFAIL", "temperror": "R_DKIM_TEMPFAIL", "none": "R_DKIM_NA"}

// TestDKIM sends the messages of the RFCs and of dkimpy's set.
func TestDKIM(t *testing.T) {
	suite := suites.DKIMSuite()
	t.Run("examples", func(t *testing.T) { verified(t, suites.DKIMExamples()) })
	vectors := suites.DKIM(t)
	passed := verified(t, vectors)
	t.Logf("%s: %d of %d, each message sent in two ways", suite.Name, passed, 2*len(vectors))
	if len(vectors) != suite.Cases {
		t.Errorf("%d messages, want %d", len(vectors), suite.Cases)
	}
}

// verified sends messages with LF and with CRLF and returns how many of them are as they
// should.
func verified(t *testing.T, vectors []suites.DKIMVector) (passed int) {
	t.Helper()
	for _, v := range vectors {
		all := lineEnds(inquiry{name: v.Name, message: v.Message, ip: "192.0.2.1", helo: "client.example.com", from: "joe@example.com", rcpt: true})
		want := v.Results
		if want == nil {
			want = []string{"none"}
		}
		for i, r := range start(t, v.Serve(t)).ask(all) {
			if why := dkimFault(want, r); why != "" {
				t.Errorf("%s: %s\n\t%s", all[i].name, why, told(r))
				continue
			}
			passed++
		}
	}
	return passed
}

// dkimFault tells what is wrong with a reply, "" when nothing is.
func dkimFault(want []string, r controller.Reply) string {
	var said []string
	symbols := map[string]int{}
	for _, a := range authres.Parse(results(r)).Results {
		if a.Method == "dkim" {
			text := a.Value
			if a.Reason != "" {
				text += " (" + a.Reason + ")"
			}
			said = append(said, text)
		}
	}
	if !slices.Equal(said, want) {
		return fmt.Sprintf("Authentication-Results have %q, want %q", said, want)
	}
	for _, w := range want {
		status, _, _ := strings.Cut(w, " ")
		symbols[dkimSymbols[status]]++
	}
	for _, name := range dkimSymbols {
		s, ok := r.Symbols[name]
		if got := len(s.Options); ok != (symbols[name] > 0) || name != "R_DKIM_NA" && got != symbols[name] {
			return fmt.Sprintf("%s has %d options, want %d", name, got, symbols[name])
		}
	}
	return ""
}

// TestDKIMKeys sends dkimpy's messages, signed with its keys.
func TestDKIMKeys(t *testing.T) {
	names := dnstest.Start(t, "")
	messages := suites.DKIMMessages(t)
	var all []inquiry
	for i, k := range suites.DKIMKeys(t) {
		key, err := dkim.ParseKey([]byte(k.Key))
		must(t, err)
		domain := fmt.Sprintf("k%d.example.com", i)
		names.AddTXT(dkim.RecordName(domain, "test"), suites.Cut255(k.Record)...)
		for name, text := range messages {
			raw := suites.CRLF(text)
			m := mail.Parse([]byte(raw), mail.DefaultLimits)
			s, err := dkim.NewSigner([]dkim.SigningKey{{Domain: domain, Selector: "test", Key: key}}, dkim.SignOptions{Now: suites.Now(), CRLF: true})
			must(t, err)
			s.Write(m.Body())
			fields, err := s.Sign(m.Header())
			must(t, err)
			all = append(all, inquiry{name: name + " with " + k.Name, message: fields[0].Name + ":" + fields[0].Raw + "\r\n" + raw,
				ip: "192.0.2.1", helo: "client.example.com", from: "joe@example.com", rcpt: true})
		}
	}
	for i, r := range start(t, names).ask(all) {
		if why := dkimFault([]string{"pass"}, r); why != "" {
			t.Errorf("%s: %s\n\t%s", all[i].name, why, told(r))
		}
	}
	if len(all) != 15 {
		t.Errorf("%d messages, want 15", len(all))
	}
}
