package checks

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"rmilter/internal/mail"
)

func TestReceived(t *testing.T) {
	hop := func(with string) string {
		return "Received: from a.example.net (a.example.net [198.51.100.1])\n by mx.example.net (Postfix) with " + with + " id AB12;\n Sun, 22 Nov 2026 12:00:00 +0000\n"
	}
	clear := func(e *mail.Envelope) { e.TLS = "" }
	mailHost := func(e *mail.Envelope) { e.Hostname = "mail.example.net" }
	unknown := func(e *mail.Envelope) { e.Hostname = "" }
	helo := func(s string) func(*mail.Envelope) { return func(e *mail.Envelope) { e.Helo = s } }
	client := func(ip string) func(*mail.Envelope) {
		return func(e *mail.Envelope) { e.ClientIP = netip.MustParseAddr(ip) }
	}
	nobody := func(e *mail.Envelope) { e.ClientIP = netip.Addr{} }
	one, two := hop("ESMTPS"), hop("ESMTPS")+hop("ESMTPS")
	cases := []fixture{
		{"one hop", nil, "\n", "RCVD_COUNT_ONE{1} RCVD_TLS_ALL"},
		{"one hop, with the field of our MTA", client("198.51.100.1"), one + "\n", "RCVD_COUNT_ONE{1} RCVD_TLS_ALL"},
		{"two hops", nil, one + "\n", "RCVD_COUNT_TWO{2} RCVD_TLS_ALL"},
		{"two hops, with the field of our MTA", client("198.51.100.1"), two + "\n", "RCVD_COUNT_TWO{2} RCVD_TLS_ALL"},
		{"a mail host", mailHost, "\n", "RCVD_COUNT_ONE{1} RCVD_TLS_ALL"},
		{"an unknown host", unknown, "\n", "RCVD_COUNT_ONE{1} RCVD_TLS_ALL"},
		{"straight from a program", nil, "X-Mailer: Writer 1\nUser-Agent: x\n\n", "RCVD_COUNT_ONE{1} RCVD_TLS_ALL"},
		{"straight from a program, with the field of our MTA", client("198.51.100.1"), one + "User-Agent: x\n\n", "RCVD_COUNT_ONE{1} RCVD_TLS_ALL"},
		{"from a program by one server", nil, hop("ESMTPSA") + "User-Agent: x\n\n", "RCVD_COUNT_TWO{2} RCVD_TLS_ALL RCVD_VIA_SMTP_AUTH"},
		{"our user", trust(mail.Authenticated), "User-Agent: x\n\n", "RCVD_COUNT_ONE{1}"},
		{"our relay", trust(mail.TrustedRelay), "User-Agent: x\n\n", "RCVD_COUNT_ONE{1} RCVD_TLS_ALL"},
		{"only asked", inspect, "User-Agent: x\n\n", "RCVD_COUNT_ZERO{0}"},
		{"only asked, one field", inspect, one + "User-Agent: x\n\n", "RCVD_COUNT_ONE{1} RCVD_TLS_ALL"},
		{"only asked, with the field of our MTA", both(inspect, client("198.51.100.1")), one + "User-Agent: x\n\n", "RCVD_COUNT_ONE{1} RCVD_TLS_ALL"},
		{"only asked, two fields", both(inspect, client("198.51.100.1")), two + "\n", "RCVD_COUNT_TWO{2} RCVD_TLS_ALL"},
		{"no client", nobody, "\n", "RCVD_COUNT_ZERO{0}"},

		{"the last hop in clear", clear, two + "\n", "RCVD_COUNT_THREE{3} RCVD_NO_TLS_LAST"},
		{"another hop in clear", nil, one + hop("ESMTP") + "\n", "RCVD_COUNT_THREE{3} RCVD_TLS_LAST"},
		{"all in clear", clear, hop("ESMTP") + "\n", "RCVD_COUNT_TWO{2} RCVD_NO_TLS_LAST"},
		{"only asked, in clear", inspect, hop("ESMTP") + one + "\n", "RCVD_COUNT_TWO{2} RCVD_NO_TLS_LAST"},
		{"only asked, encrypted", inspect, one + hop("ESMTP") + "\n", "RCVD_COUNT_TWO{2} RCVD_TLS_LAST"},
		{"a comment tells of TLS", inspect, "Received: from a.example.net (a.example.net [198.51.100.1])\n (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\n by mx.example.net with ESMTP id 1; Sun, 22 Nov 2026 12:00:00 +0000\n\n", "RCVD_COUNT_ONE{1} RCVD_TLS_ALL"},
		{"a content filter", inspect, "Received: from localhost by localhost with ESMTP id 1; Sun, 22 Nov 2026 12:00:00 +0000\n" + one + "\n", "RCVD_COUNT_TWO{2} RCVD_TLS_ALL"},

		{"HELO user", helo("User"), one + "\n", "RCVD_COUNT_TWO{2} RCVD_TLS_ALL RCVD_HELO_USER"},
		{"HELO users", helo("user.example.net"), one + "\n", "RCVD_COUNT_TWO{2} RCVD_TLS_ALL"},
		{"HELO user before", nil, "Received: from User ([198.51.100.9]) by a.example.net with ESMTPS id 1; Sun, 22 Nov 2026 12:00:00 +0000\n\n", "RCVD_COUNT_TWO{2} RCVD_TLS_ALL RCVD_HELO_USER"},
		{"HELO user in Exim's way", nil, "Received: from [198.51.100.9] (helo=user)\n by a.example.net with esmtps id 1; Sun, 22 Nov 2026 12:00:00 +0000\n\n", "RCVD_COUNT_TWO{2} RCVD_TLS_ALL RCVD_HELO_USER"},
	}
	for n, s := range map[int]string{3: "THREE", 4: "THREE", 5: "FIVE", 6: "FIVE", 7: "SEVEN", 11: "SEVEN", 12: "TWELVE", 1000: "TWELVE"} {
		cases = append(cases, fixture{fmt.Sprint(n), nil, strings.Repeat(one, n-1) + "\n", fmt.Sprintf("RCVD_COUNT_%s{%d} RCVD_TLS_ALL", s, n)})
	}
	runFixtures(t, Received, cases)
}
