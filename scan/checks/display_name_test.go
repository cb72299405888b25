package checks

import (
	"strings"
	"testing"
)

func TestDisplayName(t *testing.T) {
	from := func(s string) string { return "From: " + s + "\nTo: alice@example.com\n\n" }
	const list = "List-Id: <l.example.org>\nPrecedence: list\n"
	runFixtures(t, DisplayName, []fixture{
		{"a name", nil, from("Joe Doe <joe@example.net>"), ""},
		{"the address itself", nil, from(`"joe@example.net" <joe@example.net>`), ""},
		{"another of the domain", nil, from(`"support@example.net" <joe@example.net>`), ""},
		{"another of the site", nil, from(`"support@example.net" <joe@news.example.net>`), ""},
		{"another domain", nil, from(`"Service service@example.org" <joe@example.net>`), "FROM_NEQ_DISPLAY_NAME{example.net,example.org}"},
		{"another domain in UTF-8", nil, from("=?utf-8?q?service=40b=C3=BCcher.example?= <joe@example.net>"), "FROM_NEQ_DISPLAY_NAME{example.net,xn--bcher-kva.example}"},
		{"another domain, brackets", nil, from(`"Service [service@example.org]" <joe@example.net>`), "FROM_NEQ_DISPLAY_NAME{example.net,example.org}"},
		{"cut off by a comma", nil, from(`"service@example.org", <joe@example.net>`), "FROM_NEQ_DISPLAY_NAME{example.net,example.org}"},
		{"dot behind", nil, from(`"Write to service@example.org." <joe@example.net>`), "FROM_NEQ_DISPLAY_NAME{example.net,example.org}"},
		{"the recipient's domain", nil, from(`"boss@example.com" <joe@example.net>`), "SPOOF_DISPLAY_NAME{example.net,example.com}"},
		{"the recipient's domain, in capitals", nil, from(`"BOSS@EXAMPLE.COM" <joe@example.net>`), "SPOOF_DISPLAY_NAME{example.net,example.com}"},
		{"the domain of To alone", rcpts("<bob@example.org>"), from(`"boss@example.com" <joe@example.net>`), "SPOOF_DISPLAY_NAME{example.net,example.com}"},
		{"the domain of the envelope alone", rcpts("<bob@example.org>"), from(`"boss@example.org" <joe@example.net>`), "SPOOF_DISPLAY_NAME{example.net,example.org}"},
		{"a service for others", nil, from(`"Tree Care (info@example.org)" <system@example.net>`), ""},
		{"a comment alone", nil, from(`"(info@example.org)" <system@example.net>`), "FROM_NEQ_DISPLAY_NAME{example.net,example.org}"},
		{"behind a comment", nil, from(`"Tree (Care) info@example.org" <system@example.net>`), "FROM_NEQ_DISPLAY_NAME{example.net,example.org}"},
		{"a list for others", nil, list + from(`"joe@example.org via L" <l@example.net>`), ""},
		{"no list for others", nil, from(`"joe@example.org via L" <l@example.net>`), "FROM_NEQ_DISPLAY_NAME{example.net,example.org}"},
		{"a name at a name", nil, from(`"Joe @ Example.org" <joe@example.net>`), ""},
		{"no domain", nil, from(`"joe@work" <joe@example.net>`), ""},
		{"a handle", nil, from(`"Joe (@joe.doe)" <joe@example.net>`), ""},
		{"a price", nil, from(`"3@1.5" <joe@example.net>`), ""},
		{"no address", nil, from(`"service@example.org"`), ""},
		{"no From", nil, "\n", ""},
		{"hostile", nil, from(`"` + strings.Repeat("@a(", 1000) + `b@example.org" <joe@example.net>`), ""},
	})
}
