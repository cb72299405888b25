package checks

import (
	"net/netip"
	"strings"
	"testing"

	"rmilter/internal/mail"
)

func TestOnceReceived(t *testing.T) {
	const one = "Received: from a.example.net (a.example.net [198.51.100.1])\n by mx.example.net (Postfix) with ESMTPS id AB12;\n Sun, 22 Nov 2026 12:00:00 +0000\n"
	host := func(s string) func(*mail.Envelope) { return func(e *mail.Envelope) { e.Hostname = s } }
	client := func(ip string) func(*mail.Envelope) {
		return func(e *mail.Envelope) { e.ClientIP = netip.MustParseAddr(ip) }
	}
	runFixtures(t, OnceReceived, []fixture{
		{"one hop", nil, "\n", "ONCE_RECEIVED"},
		{"one hop, with the field of our MTA", client("198.51.100.1"), one + "\n", "ONCE_RECEIVED"},
		{"two hops", nil, one + "\n", ""},
		{"two hops, with the field of our MTA", client("198.51.100.1"), one + one + "\n", ""},
		{"a mail host", host("mail.example.net"), "\n", ""},
		{"a mail host in capitals", host("MAIL.Example.net"), "\n", ""},
		{"an unknown host", host(""), "\n", "ONCE_RECEIVED"},
		{"a line", host("203-0-113-7.Dynamic.example.net"), "\n", "ONCE_RECEIVED ONCE_RECEIVED_STRICT{203-0-113-7.dynamic.example.net}"},
		{"another line", host("7-113.dyn.example.net"), "\n", "ONCE_RECEIVED ONCE_RECEIVED_STRICT{7-113.dyn.example.net}"},
		{"a line by two hops", host("203-0-113-7.dynamic.example.net"), one + "\n", ""},
		{"a rented server", host("static.7.113.0.203.example.net"), "\n", "ONCE_RECEIVED"},
		{"no line", host("dyna.example.net"), "\n", "ONCE_RECEIVED"},
		{"straight from a program", nil, "X-Mailer: Writer 1\nUser-Agent: x\n\n", "ONCE_RECEIVED DIRECT_TO_MX{Writer 1}"},
		{"straight from a program, with the field of our MTA", client("198.51.100.1"), one + "User-Agent: x\n\n", "ONCE_RECEIVED DIRECT_TO_MX{x}"},
		{"from a program by one server", nil, one + "User-Agent: x\n\n", ""},
		{"our user", trust(mail.Authenticated), "User-Agent: x\n\n", ""},
		{"our relay", trust(mail.TrustedRelay), "User-Agent: x\n\n", ""},
		{"only asked", inspect, "User-Agent: x\n\n", ""},
		{"only asked, one field", inspect, one + "User-Agent: x\n\n", ""},
		{"only asked, with the field of our MTA", both(inspect, client("198.51.100.1")), one + "User-Agent: x\n\n", "ONCE_RECEIVED DIRECT_TO_MX{x}"},
		{"only asked, two fields", both(inspect, client("198.51.100.1")), one + one + "\n", ""},
		{"no client", func(e *mail.Envelope) { e.ClientIP = netip.Addr{} }, "\n", ""},
	})
}

func TestOnceReceivedOptions(t *testing.T) {
	m := mail.Parse([]byte("\n"), mail.DefaultLimits)
	for _, c := range []struct{ conf, host, want string }{
		{`good_host = "^gate";`, "gate.example.net", ""},
		{`good_host = "^gate";`, "a.gate.example.net", "ONCE_RECEIVED"},
		{`good_host = "^gate";`, "mail.example.net", "ONCE_RECEIVED"},
		{`good_host += "^gate";`, "mail.example.net", ""},
		{`good_host += "^gate";`, "gate.example.net", ""},
		{`good_host = "";`, "mail.example.net", "ONCE_RECEIVED"},
		{`bad_host = "STATIC", "^ip-";`, "7.static.example.net", "ONCE_RECEIVED ONCE_RECEIVED_STRICT{7.static.example.net}"},
		{`bad_host = ["static", "^ip-"];`, "ip-7.example.net", "ONCE_RECEIVED ONCE_RECEIVED_STRICT{ip-7.example.net}"},
		{`bad_host = "static";`, "7.dynamic.example.net", "ONCE_RECEIVED"},
		{`whitelist = 203.0.113.0/24;`, "7.dynamic.example.net", ""},
		{`whitelist = 198.51.100.0/24;`, "7.dynamic.example.net", "ONCE_RECEIVED ONCE_RECEIVED_STRICT{7.dynamic.example.net}"},
		{`enabled = no;`, "7.dynamic.example.net", ""},
	} {
		e := stranger()
		e.Hostname = c.host
		if got := findings(scanWith(t, "once_received { "+c.conf+" }", e, m, OnceReceived)); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.conf, c.host, got, c.want)
		}
	}
	_, remarks := configure(`once_received { bad_host = "a", "(b"; }`, OnceReceived)
	if all := remarks.All(); len(all) != 1 || !strings.Contains(all[0].String(), `"(b" is no regular expression`) || !strings.HasPrefix(all[0].String(), "test.conf:1:") {
		t.Errorf("a broken expression: got %v", all)
	}
}
