package checks

import (
	"net/netip"
	"testing"

	"rmilter/internal/dns/dnstest"
	"rmilter/internal/mail"
)

const spfZone = `
	pass.example     TXT v=spf1 ip4:203.0.113.7 -all
	fail.example     TXT v=spf1 ip4:198.51.100.1 -all
	soft.example     TXT v=spf1 ~all
	neutral.example  TXT v=spf1 ?all
	silent.example   TXT v=spf1 a
	silent.example   A   198.51.100.1
	anyone.example   TXT v=spf1 +all
	wide.example     TXT v=spf1 ip4:0.0.0.0/0 -all
	some.example     TXT v=spf1 ip4:203.0.113.7 +all
	broken.example   TXT v=spf1 ip4:x -all
	two.example      TXT v=spf1 -all
	two.example      TXT v=spf1 ~all
	none.example     TXT something else
	via.example      TXT v=spf1 include:pass.example -all
	away.example     TXT v=spf1 redirect=fail.example
	told.example     TXT v=spf1 -all exp=why.example
	why.example      TXT %{i} may not send
	lost.example     TXT v=spf1 include:down.example -all
	down.example     TXT v=spf1 -all
	mx.pass.example  TXT v=spf1 a -all
	mx.pass.example  A   203.0.113.7
`

const plainText = "From: Joe <joe@example.net>\nTo: alice@example.com\nSubject: Hello\n\nHello\n"

func TestSPF(t *testing.T) {
	r := newAuthRig(t, "", spfZone)
	r.server.Script("down.example", "TXT", dnstest.ServFail)
	from := func(domain string) func(*mail.Envelope) { return sender("<joe@" + domain + ">") }
	helo := func(name string) func(*mail.Envelope) {
		return func(e *mail.Envelope) { e.Helo, e.From = name, mail.Path{} }
	}
	r.fixtures(t, SPF.Symbols, []fixture{
		{"pass", from("pass.example"), plainText, "R_SPF_ALLOW{pass.example,+ip4:203.0.113.7,v=spf1 ip4:203.0.113.7 -all}"},
		{"pass by include", from("via.example"), plainText, "R_SPF_ALLOW{via.example,+ip4:203.0.113.7,include:pass.example,v=spf1 include:pass.example -all}"},
		{"fail", from("fail.example"), plainText, "R_SPF_FAIL{fail.example,-all,v=spf1 ip4:198.51.100.1 -all}"},
		{"fail by redirect", from("away.example"), plainText, "R_SPF_FAIL{away.example,-all,redirect=fail.example,v=spf1 redirect=fail.example}"},
		{"fail, explained", from("told.example"), plainText, "R_SPF_FAIL{told.example,-all,v=spf1 -all exp=why.example,explanation: 203.0.113.7 may not send}"},
		{"softfail", from("soft.example"), plainText, "R_SPF_SOFTFAIL{soft.example,~all,v=spf1 ~all}"},
		{"neutral", from("neutral.example"), plainText, "R_SPF_NEUTRAL{neutral.example,?all,v=spf1 ?all}"},
		{"nothing matches", from("silent.example"), plainText, "R_SPF_NEUTRAL{silent.example,nothing in the record matches,v=spf1 a}"},
		{"everybody", from("anyone.example"), plainText, "R_SPF_PLUSALL{anyone.example,+all,v=spf1 +all}"},
		{"everybody, as a network", from("wide.example"), plainText, "R_SPF_PLUSALL{wide.example,+ip4:0.0.0.0/0,v=spf1 ip4:0.0.0.0/0 -all}"},
		{"named, and everybody else", from("some.example"), plainText, "R_SPF_ALLOW{some.example,+ip4:203.0.113.7,v=spf1 ip4:203.0.113.7 +all}"},
		{"broken", from("broken.example"), plainText, "R_SPF_PERMFAIL{broken.example,record of broken.example: \"ip4:x\": not an address,v=spf1 ip4:x -all}"},
		{"two records", from("two.example"), plainText, "R_SPF_PERMFAIL{two.example,two.example has several records}"},
		{"no record", from("none.example"), plainText, "R_SPF_NA{none.example,none.example has no record}"},
		{"no domain", from("nowhere.example"), plainText, "R_SPF_NA{nowhere.example,nowhere.example has no record}"},
		{"no name", sender("<joe>"), plainText, "R_SPF_NA{mailfrom has no domain}"},
		{"include that the DNS fails for", from("lost.example"), plainText, "R_SPF_DNSFAIL{lost.example,dns: TXT down.example: server failed: SERVFAIL,include:down.example,v=spf1 include:down.example -all}"},
		{"HELO", helo("mx.pass.example"), plainText, "R_SPF_ALLOW{mx.pass.example,+a,v=spf1 a -all}"},
		{"HELO without a domain", helo("localhost"), plainText, "R_SPF_NA{helo has no domain}"},
		{"trusted relay", both(trust(mail.TrustedRelay), from("fail.example")), plainText, "R_SPF_FAIL{fail.example,-all,v=spf1 ip4:198.51.100.1 -all}"},
		{"our user", both(trust(mail.Authenticated), from("fail.example")), plainText, ""},
		{"our network", both(trust(mail.OurNetwork), from("fail.example")), plainText, ""},
		{"no client", both(inspect, from("fail.example")), plainText, ""},
		{"inspected", both(from("fail.example"), func(e *mail.Envelope) { e.Inspect = true }), plainText, "R_SPF_FAIL{fail.example,-all,v=spf1 ip4:198.51.100.1 -all}"},
		{"IPv6", both(from("pass.example"), func(e *mail.Envelope) { e.ClientIP = netip.MustParseAddr("2001:db8::1") }), plainText, "R_SPF_FAIL{pass.example,-all,v=spf1 ip4:203.0.113.7 -all}"},
	})
}
