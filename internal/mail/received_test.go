package mail_test

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"rmilter/internal/mail"
)

func TestReceivedClient(t *testing.T) {
	for _, c := range []struct{ name, raw, ip, host, helo string }{
		{"Postfix", " from mx.sender.example (dsl.isp.example [203.0.113.7])\n\tby mx.example.com (Postfix) with ESMTP id 4XYZ\n\tfor <alice@example.com>; Mon, 6 Jul 2026 10:00:00 +0000 (UTC)", "203.0.113.7", "dsl.isp.example", "mx.sender.example"},
		{"Postfix unknown", " from friend (unknown [203.0.113.7]) by mx.example.com (Postfix) with SMTP id 1", "203.0.113.7", "", "friend"},
		{"Postfix IPv6", " from mx (mx.sender.example [IPv6:2001:db8::7])\r\n\tby mx.example.com (Postfix)", "2001:db8::7", "mx.sender.example", "mx"},
		{"Postfix literal", " from [192.168.1.5] (dsl.isp.example [203.0.113.7]) by mx.example.com (Postfix)", "203.0.113.7", "dsl.isp.example", "[192.168.1.5]"},
		{"Postfix TLS", " from mx.sender.example (mx.sender.example [203.0.113.7])\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n\t key-exchange X25519)\n\t(Client CN \"x [198.51.100.66]\", Issuer \"y\" (verified OK))\n\tby mx.example.com (Postfix) with ESMTPS id 1", "203.0.113.7", "mx.sender.example", "mx.sender.example"},
		{"Postfix authenticated", " from laptop (dsl.isp.example [203.0.113.7])\n\t(Authenticated sender: joe [198.51.100.66])\n\tby mx.example.com", "203.0.113.7", "dsl.isp.example", "laptop"},
		{"Postfix local", " by mx.example.com (Postfix, from userid 1000) id 1; Mon, 6 Jul 2026 10:00:00 +0000", "", "", ""},
		{"HELO by", " from by (dsl.isp.example [203.0.113.7]) by mx.example.com", "203.0.113.7", "dsl.isp.example", "by"},
		{"sendmail", " from mx.sender.example (dsl.isp.example [203.0.113.7])\n\tby mx.example.com (8.17.1/8.17.1) with ESMTP id 1", "203.0.113.7", "dsl.isp.example", "mx.sender.example"},
		{"sendmail forged", " from mx (dsl.isp.example [203.0.113.7] (may be forged)) by mx.example.com (8.17.1/8.17.1)", "203.0.113.7", "dsl.isp.example", "mx"},
		{"sendmail no name", " from mx ([203.0.113.7]) by mx.example.com (8.17.1/8.17.1)", "203.0.113.7", "", "mx"},
		{"sendmail ident", " from mx (IDENT:joe@dsl.isp.example [203.0.113.7]) by mx.example.com (8.17.1/8.17.1)", "203.0.113.7", "dsl.isp.example", "mx"},
		{"sendmail ident forged", " from mx (x [198.51.100.66] joe@dsl.isp.example [203.0.113.7]) by mx.example.com", "203.0.113.7", "dsl.isp.example", "mx"},
		{"sendmail local", " (from joe@localhost)\n\tby mx.example.com (8.17.1/8.17.1/Submit) id 1", "", "", ""},
		{"Exim", " from dsl.isp.example ([203.0.113.7] helo=mx.sender.example)\n\tby mx.example.com with esmtps (TLS1.3) (Exim 4.96) id 1", "203.0.113.7", "dsl.isp.example", "mx.sender.example"},
		{"Exim port", " from dsl.isp.example ([203.0.113.7]:4711 helo=mx.sender.example) by mx.example.com (Exim 4.96)", "203.0.113.7", "dsl.isp.example", "mx.sender.example"},
		{"Exim no name", " from [203.0.113.7] (helo=[198.51.100.66])\n\tby mx.example.com with smtp (Exim 4.96)", "203.0.113.7", "", "[198.51.100.66]"},
		{"Exim no name, port", " from [203.0.113.7] (port=4711 helo=mx ident=[198.51.100.66]) by mx.example.com", "203.0.113.7", "", "mx"},
		{"Exim IPv6", " from [2001:db8::7] (port=4711 helo=mx)\n\tby mx.example.com", "2001:db8::7", "", "mx"},
		{"Exim ident", " from dsl.isp.example ([203.0.113.7] ident=joe [198.51.100.66] helo=mx) by mx.example.com", "203.0.113.7", "dsl.isp.example", "mx"},
		{"Exim local", " from joe by mx.example.com with local (Exim 4.96) id 1", "", "", "joe"},
		{"qmail", " from dsl.isp.example (HELO mx.sender.example) (203.0.113.7)\n  by mx.example.com with SMTP; 6 Jul 2026 10:00:00 -0000", "203.0.113.7", "dsl.isp.example", "mx.sender.example"},
		{"qmail unknown", " from unknown (HELO friend) (203.0.113.7) by mx.example.com with SMTP", "203.0.113.7", "", "friend"},
		{"qmail ident", " from unknown (HELO friend) (joe@203.0.113.7) by mx.example.com with SMTP", "203.0.113.7", "", "friend"},
		{"qmail same name", " from mx.sender.example (203.0.113.7) by mx.example.com with SMTP", "203.0.113.7", "", "mx.sender.example"},
		{"qmail-ldap", " (qmail 4711 messnum 4712 invoked from\n network[203.0.113.7/dsl.isp.example]); 6 Jul 2026 10:00:00 -0000", "203.0.113.7", "dsl.isp.example", ""},
		{"qmail-ldap unknown", " (qmail 4711 messnum 4712 invoked from network[203.0.113.7/unknown]); 6 Jul 2026", "203.0.113.7", "", ""},
		{"NetMail", " from mx.sender.example joe@mx.example.com [203.0.113.7] by mx.example.com with NetMail", "203.0.113.7", "", "mx.sender.example"},
		{"qmail local", " (qmail 4711 invoked by uid 89); 6 Jul 2026 10:00:00 -0000", "", "", ""},
		{"Exchange", " from HOST.sender.example (203.0.113.7) by EX.example.com\r\n (2001:db8::2) with Microsoft SMTP Server (version=TLS1_2) id 15.20", "203.0.113.7", "", "HOST.sender.example"},
		{"Exchange IPv6", " from HOST.sender.example ([2001:db8::7]) by EX.example.com ([2001:db8::2%3]) with mapi id 15.20", "2001:db8::7", "", "HOST.sender.example"},
		{"Exchange zone", " from HOST ([2001:db8::7%12]) by EX.example.com", "2001:db8::7", "", "HOST"},
		{"Gmail", " from mx.sender.example (mx.sender.example. [203.0.113.7])\n        by mx.google.example with ESMTPS id x.2026", "203.0.113.7", "mx.sender.example", "mx.sender.example"},
		{"Gmail inside", " by 2001:db8:6512:b8c:b0:4c3 with SMTP id b12csp1; Mon, 6 Jul 2026 10:00:00 -0700", "", "", ""},
		{"Gmail user", " from [192.168.0.3] (dsl.isp.example. [203.0.113.7]) by smtp.google.example with ESMTPSA id 1", "203.0.113.7", "dsl.isp.example", "[192.168.0.3]"},
		{"Courier mapped", " from mx (dsl.isp.example [::ffff:203.0.113.7])\n  by mx.example.com with esmtp", "203.0.113.7", "dsl.isp.example", "mx"},
		{"Domino", " from mx.sender.example ([203.0.113.7])\n          by mx.example.com (Lotus Domino Release 8.5)", "203.0.113.7", "", "mx.sender.example"},
		{"MDaemon", " from mx [203.0.113.7] by mx.example.com (MDaemon)", "203.0.113.7", "", "mx"},
		{"CommuniGate", " from [203.0.113.7] (account joe@sender.example HELO laptop) by mx.example.com (CommuniGate Pro SMTP 6.2)", "203.0.113.7", "", "laptop"},
		{"verified", " from mx.sender.example ([203.0.113.7] verified) by mx.example.com", "203.0.113.7", "", "mx.sender.example"},
		{"web mail", " from 203.0.113.7 by web.example.com via HTTP; Mon, 6 Jul 2026", "203.0.113.7", "", "203.0.113.7"},
		{"fetchmail", " from pop.isp.example [203.0.113.7] by home.example.com with POP3 (fetchmail-6.4)", "203.0.113.7", "", "pop.isp.example"},
		{"no comment", " from mx.sender.example by mx.example.com", "", "", "mx.sender.example"},
		{"address of the server only", " from mx.sender.example by mx.example.com ([192.0.2.1])", "", "", ""},
		{"upper case", " FROM mx (dsl.isp.example [IPV6:2001:DB8::7]) BY mx.example.com", "2001:db8::7", "dsl.isp.example", "mx"},
		{"escapes", ` from mx (a\)b dsl.isp.example [203.0.113.7]) by mx.example.com`, "203.0.113.7", "dsl.isp.example", "mx"},
		{"never closed", " from mx (dsl.isp.example [203.0.113.7", "", "", ""},
		{"comment never closed", " from mx (dsl.isp.example [203.0.113.7]", "203.0.113.7", "dsl.isp.example", "mx"},
		{"no address", " from mx (dsl.isp.example [203.0.113.700]) by mx.example.com", "", "", ""},
		{"unspecified", " from mx (dsl.isp.example [0.0.0.0]) by mx.example.com", "", "", ""},
		{"unspecified with zone", " from [::%eth0] by mx.example.com", "", "", ""},
		{"loopback with zone", " from [::1%eth0] by mx.example.com", "", "", ""},
		{"name is no name", " from mx (dsl\x00isp [203.0.113.7]) by mx.example.com", "203.0.113.7", "", "mx"},
		{"control in greeting", " from m\x1bx (dsl.isp.example [203.0.113.7]) by mx.example.com", "203.0.113.7", "dsl.isp.example", "m?x"},
		{"empty", "", "", "", ""},
		{"from alone", " from", "", "", ""},
		{"fromage", " fromage (x [203.0.113.7])", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ip, host, helo, ok := mail.ReceivedClient(mail.Header{{Name: "Received", Raw: c.raw}}, nil)
			if c.ip == "" {
				if ok || ip.IsValid() || host != "" || helo != "" {
					t.Errorf("got %v %q %q %t, want nothing", ip, host, helo, ok)
				}
				return
			}
			if want := netip.MustParseAddr(c.ip); ip != want || host != c.host || helo != c.helo || !ok {
				t.Errorf("got %v %q %q %t, want %v %q %q", ip, host, helo, ok, want, c.host, c.helo)
			}
		})
	}
}

func TestReceivedClientChain(t *testing.T) {
	received := func(from ...string) (h mail.Header) {
		for _, f := range from {
			h = append(h, mail.Field{Name: "received", Raw: " " + f + " by relay.example.com"}, mail.Field{Name: "X-Other", Raw: " from a (b [198.51.100.99])"})
		}
		return h
	}
	trusted := func(ip netip.Addr) bool { return netip.MustParsePrefix("192.0.2.0/24").Contains(ip) }
	for _, c := range []struct {
		name string
		h    mail.Header
		want string
	}{
		{"the first", received("from a (a [203.0.113.1])", "from forged (x [198.51.100.1])"), "203.0.113.1"},
		{"behind relays", received("from r1 (r1 [192.0.2.1])", "from r2 (r2 [192.0.2.2])", "from a (a [203.0.113.1])", "from forged (x [198.51.100.1])"), "203.0.113.1"},
		{"behind a content filter", received("from localhost (localhost [127.0.0.1])", "from localhost ([::1])", "from a (a [203.0.113.1])"), "203.0.113.1"},
		{"behind a field without a client", received("(qmail 1 invoked by uid 1)", "from a (a [203.0.113.1])"), "203.0.113.1"},
		{"a private client", received("from a (a [10.0.0.1])", "from b (b [203.0.113.1])"), "10.0.0.1"},
		{"only relays", received("from r1 (r1 [192.0.2.1])"), ""},
		{"none", nil, ""},
	} {
		got := ""
		if ip, _, _, ok := mail.ReceivedClient(c.h, trusted); ok {
			got = ip.String()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	many := received(append(strings.Split(strings.Repeat("from r (r [192.0.2.1])|", 32), "|")[:32], "from a (a [203.0.113.1])")...)
	if ip, _, _, ok := mail.ReceivedClient(many, trusted); ok {
		t.Errorf("33rd field: got %v, want nothing", ip)
	}
	if ip, _, _, ok := mail.ReceivedClient(many[2:], trusted); !ok || ip != netip.MustParseAddr("203.0.113.1") {
		t.Errorf("32nd field: got %v, want 203.0.113.1", ip)
	}
}

func FuzzReceivedClient(f *testing.F) {
	for _, s := range []string{
		" from a (b [203.0.113.7]) by c", " from [203.0.113.7] (helo=x ident=y) by c", " from u (HELO h) (j@203.0.113.7)",
		" from a ((((", " from \\ (\\", " from a [IPv6:fe80::1%x] by", "\r\n from\n\ta;", " from " + strings.Repeat("(x) ", 40),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		ip, host, helo, ok := mail.ReceivedClient(mail.Header{{Name: "Received", Raw: raw}}, nil)
		if ok != ip.IsValid() || (!ok && (host != "" || helo != "")) {
			t.Errorf("got %v %q %q %t", ip, host, helo, ok)
		}
		if ip.Zone() != "" || ip.Is4In6() || ip.IsLoopback() || ip.IsValid() && ip.IsUnspecified() {
			t.Errorf("address not normal: %v", ip)
		}
		if len(host) > 255 || len(helo) > 255 || !utf8.ValidString(helo) || strings.ContainsAny(host+helo, "\r\n\x00 ") {
			t.Errorf("not clean: %q %q", host, helo)
		}
		r := mail.ParseReceived(raw)
		if !utf8.ValidString(r.By+r.With+r.ID+r.For) || strings.ContainsAny(r.By+r.With+r.ID+r.For, "\r\n\x00 ") || r.IP.IsValid() && r.IP.IsUnspecified() {
			t.Errorf("not clean: %+v", r)
		}
	})
}
