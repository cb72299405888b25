package spf_test

import (
	"net/netip"

	"rmilter/internal/mail"
	"rmilter/internal/spf"
	"rmilter/test/suites"
)

// ask makes a query as the tests write it.
func ask(ip, helo, from string) spf.Query {
	return spf.Query{
		IP: netip.MustParseAddr(ip), Helo: helo, From: mail.ParseAddress(from),
		Receiver: "mx.example.com", Now: suites.Now(),
	}
}
