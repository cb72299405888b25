package checks

import (
	"strings"
	"testing"

	"rmilter/internal/mail"
)

func TestMessageID(t *testing.T) {
	const from, to = "From: joe@news.example.net\n", "To: alice@example.com\n"
	id := func(s string) string { return "Message-ID: " + s + "\n\n" }
	const list = "List-Id: <l.example.org>\nPrecedence: list\n"
	runFixtures(t, MessageID, []fixture{
		{"good", nil, from + to + id("<20261122.1@mail.example.org>"), ""},
		{"odd but in use", nil, id("<a..b!#$%&'*+/=?^`{|}~@x@mail.example.org>"), ""},
		{"brackets in it", nil, id("<a(b)c[d]@mail.example.org>"), ""},
		{"a comment behind", nil, id("<1@mail.example.org> (added by joe@example.net)"), "MID_MISSING_BRACKETS"},
		{"folded", nil, "Message-ID:\n <1@mail.example.org>\n\n", ""},
		{"of our user", trust(mail.Authenticated), from + id("bad"), ""},
		{"of our relay", trust(mail.TrustedRelay), id("<1@b>"), "MID_RHS_NOT_FQDN{b}"},

		{"no brackets", nil, id("1@mail.example.org"), "MID_MISSING_BRACKETS"},
		{"half a bracket", nil, id("<1@mail.example.org"), "MID_MISSING_BRACKETS"},
		{"the other half", nil, id("1@mail.example.org>"), "MID_MISSING_BRACKETS"},
		{"no at", nil, id("<1.mail.example.org>"), "INVALID_MSGID{<1.mail.example.org>}"},
		{"nothing before the at", nil, id("<@mail.example.org>"), "INVALID_MSGID{<@mail.example.org>}"},
		{"nothing behind the at", nil, id("<1@>"), "INVALID_MSGID{<1@>}"},
		{"a space", nil, id("<1 2@mail.example.org>"), "INVALID_MSGID{<1 2@mail.example.org>}"},
		{"a backslash", nil, id(`<1\2@mail.example.org>`), `INVALID_MSGID{<1\2@mail.example.org>}`},
		{"UTF-8", nil, id("<é@mail.example.org>"), "INVALID_MSGID{<é@mail.example.org>}"},
		{"UTF-8, announced", sender("<joe@example.net>", "SMTPUTF8"), id("<é@mail.example.org>"), ""},
		{"NUL", nil, id("<1\x002@mail.example.org>"), "INVALID_MSGID{<1?2@mail.example.org>}"},
		{"two ids", nil, id("<1@mail.example.org> <2@mail.example.org>"), "INVALID_MSGID{<1@mail.example.org> <2@mail.example.org>} MID_MISSING_BRACKETS"},
		{"doubled brackets", nil, id("<<1@mail.example.org>>"), "INVALID_MSGID{<<1@mail.example.org>>} MID_MISSING_BRACKETS"},
		{"empty brackets", nil, id("<>"), "INVALID_MSGID{<>}"},
		{"huge", nil, id("<" + strings.Repeat("1", 100_000) + "@mail.example.org>"), "INVALID_MSGID{<" + strings.Repeat("1", 99) + "…} MID_MISSING_BRACKETS"},

		{"an IP", nil, id("<1@192.0.2.1>"), "MID_BARE_IP{192.0.2.1}"},
		{"not quite an IP", nil, id("<1@192.0.2.256>"), ""},
		{"an IP in brackets", nil, id("<1@[192.0.2.1]>"), "MID_RHS_IP_LITERAL{[192.0.2.1]}"},
		{"an IPv6 address in brackets", nil, id("<1@[IPv6:2001:db8::1]>"), "MID_RHS_IP_LITERAL{[ipv6:2001:db8::1]}"},
		{"something in brackets", nil, id("<1@[host]>"), ""},
		{"no dot", nil, id("<1@LAPTOP-7>"), "MID_RHS_NOT_FQDN{laptop-7}"},
		{"www", nil, id("<1@www.example.org>"), "MID_RHS_WWW{www.example.org}"},
		{"wwww", nil, id("<1@wwww.example.org>"), ""},

		{"contains the sender", nil, from + id("<20261122-1-JOE@news.example.net>"), "MID_CONTAINS_FROM"},
		{"contains the sender within", nil, from + id("<joe@news.example.net.1@mail.example.org>"), "MID_CONTAINS_FROM"},
		{"contains somebody whose name ends so", nil, from + id("<zoejoe@news.example.net>"), "MID_RHS_MATCH_FROM"},
		{"the sender's domain", nil, from + id("<1@News.Example.Net>"), "MID_RHS_MATCH_FROM"},
		{"the sender's registered domain", nil, from + id("<1@mail.example.net>"), "MID_RHS_MATCH_FROMTLD"},
		{"another site below one suffix", nil, "From: joe@a.co.uk\n" + id("<1@b.co.uk>"), ""},
		{"contains the recipient", nil, from + to + id("<1.alice@example.com>"), "MID_CONTAINS_TO"},
		{"the recipient's domain", nil, from + to + id("<1@example.com>"), "MID_RHS_MATCH_TO"},
		{"the recipient's domain, from a list", nil, from + to + list + id("<1@example.com>"), ""},
		{"the second recipient's domain", nil, from + "To: bob@example.org, alice@example.com\n" + id("<1@example.com>"), ""},
		{"the recipient's domain is the sender's", nil, "From: bob@example.com\n" + to + id("<1@example.com>"), "MID_RHS_MATCH_FROM"},
		{"the recipient's domain, no sender", nil, to + id("<1@example.com>"), "MID_RHS_MATCH_TO"},
	})
}
