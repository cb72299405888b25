package checks

import (
	"testing"

	"rmilter/internal/mail"
)

func TestForgedAddresses(t *testing.T) {
	text := func(from, to string) string { return "From: " + from + "\nTo: " + to + "\n\n" }
	runFixtures(t, ForgedAddresses, []fixture{
		{"true", nil, text("joe@example.net", "alice@example.com"), ""},
		{"a copy to another domain", nil, text("joe@example.net", "alice@example.com, bob@example.org"), ""},
		{"an alias", nil, text("joe@example.net", "sales@example.com"), ""},
		{"others", nil, text("joe@example.net", "bob@example.org"), "FORGED_RECIPIENTS{m:bob@example.org,s:alice@example.com}"},
		{"others and the recipient's domain", rcpts("<alice@example.com>", "<eve@example.net>"), text("joe@example.net", "bob@example.org, sales@example.com"), "FORGED_RECIPIENTS{m:bob@example.org,s:eve@example.net}"},
		{"a hidden copy besides", rcpts("<alice@example.com>", "<bob@example.org>"), text("joe@example.net", "alice@example.com"), ""},
		{"nobody named", nil, "From: joe@example.net\n\n", ""},
		{"delivered elsewhere first", nil, "Delivered-To: bob@example.org\n" + text("joe@example.net", "bob@example.org"), ""},
		{"a copy for himself", rcpts("<joe@example.net>"), text("joe@example.net", "bob@example.org"), ""},
		{"by a list", nil, "List-Id: <l.example.org>\nPrecedence: list\n" + text("bob@example.org", "l@example.org"), ""},
		{"forwarded", sender("<SRS0=HHH=TT=example.net=joe@example.org>"), text("joe@example.net", "bob@example.org"), ""},
		{"of our user", trust(mail.Authenticated), text("joe@example.com", "bob@example.org"), ""},
		{"of our relay", trust(mail.TrustedRelay), text("bob@example.org", "bob@example.org"), ""},
		{"nobody knows", inspect, text("joe@example.net", "bob@example.org"), ""},

		{"another sender", nil, text("bob@example.org", "alice@example.com"), "FORGED_SENDER{bob@example.org,joe@example.net}"},
		{"no From", nil, "To: alice@example.com\n\n", "FORGED_SENDER{none,joe@example.net}"},
		{"a bounce", sender("<>"), text("bob@example.org", "alice@example.com"), ""},
		{"VERP", sender("<bounces+alice=example.com@news.example.net>"), text("news@example.net", "alice@example.com"), ""},
		{"other case", sender("<JOE@EXAMPLE.NET>"), text("joe@example.net", "alice@example.com"), ""},
	})
}
