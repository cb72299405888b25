package checks

import (
	"testing"

	"rmilter/internal/mail"
)

func TestFrom(t *testing.T) {
	from := func(s string) string { return "From: " + s + "\n\n" }
	none := sender("<>")
	runFixtures(t, From, []fixture{
		{"usual", nil, from("Joe Doe <joe@example.net>"), "FROM_HAS_DN FROM_EQ_ENVFROM"},
		{"address alone", nil, from("joe@example.net"), "FROM_NO_DN FROM_EQ_ENVFROM"},
		{"address in brackets", nil, from("<joe@example.net>"), "FROM_NO_DN FROM_EQ_ENVFROM"},
		{"name in a comment", nil, from("joe@example.net (Joe Doe)"), "FROM_NO_DN FROM_EQ_ENVFROM"},
		{"empty name", nil, from(`"" <joe@example.net>`), "FROM_NO_DN FROM_EQ_ENVFROM"},
		{"other case", nil, from("JOE@EXAMPLE.NET"), "FROM_NO_DN FROM_EQ_ENVFROM"},
		{"another sender", nil, from("Joe <joe@example.org>"), "FROM_HAS_DN FROM_NEQ_ENVFROM{joe@example.org,joe@example.net}"},
		{"a bounce", none, from("Mail System <mailer-daemon@example.net>"), "FROM_HAS_DN"},
		{"only asked", inspect, from("Joe <joe@example.net>"), "FROM_HAS_DN"},
		{"no From", nil, "Subject: Hi\n\n", ""},
		{"empty From", nil, "From:\n\n", ""},
		{"a group without members (RFC 6854)", nil, from("undisclosed:;"), ""},
		{"SMTPUTF8", none, from("Jörg <jörg@bücher.example>"), "FROM_HAS_DN"},

		{"no domain", none, from("root"), "FROM_INVALID{root} FROM_NO_DN"},
		{"no domain, our machine", both(none, trust(mail.Local)), from("root (Cron Daemon)"), "FROM_NO_DN"},
		{"no local part", none, from("Joe <@example.net>"), "FROM_INVALID{Joe <@example.net>} FROM_HAS_DN"},
		{"empty brackets", none, from("Joe <>"), "FROM_INVALID{Joe <>}"},
		{"two dots", none, from("joe..doe@example.net"), "FROM_INVALID{joe..doe@example.net} FROM_NO_DN"},
		{"text behind", none, from("<joe@example.net> Joe"), "FROM_INVALID{<joe@example.net> Joe} FROM_NO_DN"},
		{"no bracket at the end", none, from("Joe <joe@example.net"), "FROM_INVALID{Joe <joe@example.net} FROM_HAS_DN"},
		{"an underscore in the domain", none, from("joe@my_host.example.net"), "FROM_NO_DN"},
		{"quoted local part", none, from(`"joe doe"@example.net`), "FROM_NO_DN"},
		{"control characters", none, from("Joe \x1b[31m <joe@example net>"), "FROM_INVALID{Joe ?[31m <joe@example net>} FROM_HAS_DN"},

		{"sender without domain", sender("<joe>"), "\n", "ENVFROM_INVALID{<joe>}"},
		{"sender without domain, ours", both(sender("<root>"), trust(mail.Local)), "\n", ""},
		{"sender with two dots", sender("<joe@example..net>"), "\n", "ENVFROM_INVALID{<joe@example..net>}"},
		{"sender with a space", sender("<joe doe@example.net>"), "\n", "ENVFROM_INVALID{<joe doe@example.net>}"},
		{"sender of a list", sender("<list-bounces+alice=example.com@lists.example.org>"), "\n", ""},
		{"sender by SRS", sender("<SRS0=HHH=TT=example.org=joe@example.net>"), "\n", ""},
		{"sender with a literal", sender("<joe@[192.0.2.1]>"), "\n", ""},
		{"sender quoted", sender(`<"joe, doe"@example.net>`), "\n", ""},
		{"sender in UTF-8", sender("<jörg@bücher.example>"), "\n", ""},

		{"two addresses", none, from("Joe <joe@example.net>, Bob <bob@example.org>"), "MULTIPLE_FROM{joe@example.net,bob@example.org} FROM_HAS_DN"},
		{"two fields", none, "From: joe@example.net\nFrom: bob@example.org\n\n", "MULTIPLE_FROM{joe@example.net,bob@example.org} FROM_NO_DN"},
		{"a name with a comma", none, from("Doe, Joe <joe@example.net>"), "FROM_HAS_DN"},
		{"a name with a comma and a quote", none, from(`"Doe, Joe" <joe@example.net>`), "FROM_HAS_DN"},
		{"a name that a comma cut off", none, from(`"Streaming@example.org", <joe@example.net>`), "FROM_HAS_DN"},

		{"no space", none, from("Joe<joe@example.net>"), "R_NO_SPACE_IN_FROM{Joe<joe@example.net>} FROM_HAS_DN"},
		{"no space behind quotes", none, from(`"Joe"<joe@example.net>`), `R_NO_SPACE_IN_FROM{"Joe"<joe@example.net>} FROM_HAS_DN`},
		{"a tab", none, from("Joe\t<joe@example.net>"), "FROM_HAS_DN"},
		{"folded", none, from("Joe\n <joe@example.net>"), "FROM_HAS_DN"},

		{"the address as name", none, from(`"Joe@Example.net" <joe@example.net>`), "FROM_DN_EQ_ADDR"},
		{"Mr", none, from("Mr. Joe Doe <joe@example.net>"), "FROM_HAS_DN FROM_NAME_HAS_TITLE{mr}"},
		{"Mrs", none, from("MRS JANE DOE <jane@example.net>"), "FROM_HAS_DN FROM_NAME_HAS_TITLE{mrs}"},
		{"Dr", none, from(`"Dr.Joe Doe" <joe@example.net>`), "FROM_HAS_DN FROM_NAME_HAS_TITLE{dr}"},
		{"Dragan", none, from("Dragan M <d@example.net>"), "FROM_HAS_DN"},
		{"Joe, MS", none, from("Joe MS <joe@example.net>"), "FROM_HAS_DN"},
		{"encoded Mr", none, from("=?utf-8?q?Mr_J=C3=B6rg?= <joe@example.net>"), "FROM_HAS_DN FROM_NAME_HAS_TITLE{mr}"},
		{"two spaces", none, from("Joe  Doe <joe@example.net>"), "FROM_HAS_DN FROM_NAME_EXCESS_SPACE{Joe Doe}"},
		{"two encoded spaces", none, from("=?utf-8?q?Joe__Doe?= <joe@example.net>"), "FROM_HAS_DN FROM_NAME_EXCESS_SPACE{Joe  Doe}"},
		{"two spaces before the address", none, from("Joe Doe  <joe@example.net>"), "FROM_HAS_DN"},
		{"two spaces within quotes at the ends", none, from(`"  Joe  " <joe@example.net>`), "FROM_HAS_DN"},
		{"folded between the words", none, from("Joe\n  Doe <joe@example.net>"), "FROM_HAS_DN"},

		{"to himself", none, "From: joe@example.net\nTo: Joe <joe@example.net>\n\n", "FROM_NO_DN TO_EQ_FROM"},
		{"to a colleague", none, "From: joe@example.net\nTo: bob@example.net\n\n", "FROM_NO_DN TO_DOM_EQ_FROM_DOM"},
		{"to himself and others", none, "From: joe@example.net\nTo: joe@example.net\nCc: bob@example.net\n\n", "FROM_NO_DN"},
		{"to a stranger", none, "From: joe@example.net\nTo: alice@example.com\n\n", "FROM_NO_DN"},
	})
}
