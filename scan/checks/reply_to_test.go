package checks

import (
	"testing"

	"rmilter/internal/mail"
)

func TestReplyTo(t *testing.T) {
	const list = "List-Id: <l.example.org>\nPrecedence: list\n"
	text := func(from, to, reply string) string {
		return "From: " + from + "\nTo: " + to + "\nReply-To: " + reply + "\n\n"
	}
	runFixtures(t, ReplyTo, []fixture{
		{"none", nil, "From: joe@example.net\n\n", ""},
		{"as From", nil, text("Joe <joe@example.net>", "alice@example.com", "Joe <joe@example.net>"), "HAS_REPLYTO{joe@example.net} REPLYTO_EQ_FROM"},
		{"the address of From", nil, text("Joe <joe@example.net>", "alice@example.com", "JOE@example.net"), "HAS_REPLYTO{JOE@example.net} REPLYTO_ADDR_EQ_FROM"},
		{"the address and name of From", nil, text("Joe <joe@example.net>", "alice@example.com", "JOE <joe@example.net>"), "HAS_REPLYTO{joe@example.net} REPLYTO_ADDR_EQ_FROM REPLYTO_DN_EQ_FROM_DN"},
		{"the domain of From", nil, text("Joe <joe@example.net>", "alice@example.com", "bob@example.net"), "HAS_REPLYTO{bob@example.net} REPLYTO_DOM_EQ_FROM_DOM"},
		{"another domain", nil, text("Joe <joe@example.net>", "alice@example.com", "Joe <joe@example.org>"), "HAS_REPLYTO{joe@example.org} REPLYTO_DOM_NEQ_FROM_DOM REPLYTO_DN_EQ_FROM_DN"},
		{"no From", nil, "Reply-To: joe@example.org\n\n", "HAS_REPLYTO{joe@example.org}"},
		{"several", nil, text("joe@example.net", "alice@example.com", "bob@example.net, joe@example.org"), "HAS_REPLYTO{bob@example.net} REPLYTO_DOM_EQ_FROM_DOM"},

		{"empty", nil, text("joe@example.net", "alice@example.com", ""), "REPLYTO_UNPARSEABLE{}"},
		{"empty brackets", nil, text("joe@example.net", "alice@example.com", "Joe <>"), "REPLYTO_UNPARSEABLE{Joe <>}"},
		{"no address", nil, text("joe@example.net", "alice@example.com", "do not reply"), "HAS_REPLYTO{do not reply} REPLYTO_INVALID{do not reply}"},
		{"not well-formed", nil, text("joe@example.net", "alice@example.com", "joe..doe@example.net"), "HAS_REPLYTO{joe..doe@example.net} REPLYTO_INVALID{joe..doe@example.net} REPLYTO_DOM_EQ_FROM_DOM"},

		{"to the recipient himself", nil, text("joe@example.net", "Alice <alice@example.com>", "alice@example.com"), "HAS_REPLYTO{alice@example.com} REPLYTO_EQ_TO_ADDR"},
		{"to the recipient himself, of the same domain", nil, text("joe@example.com", "alice@example.com", "alice@example.com"), "HAS_REPLYTO{alice@example.com} REPLYTO_DOM_EQ_FROM_DOM"},
		{"to the second recipient", nil, text("joe@example.net", "bob@example.com, alice@example.com", "alice@example.com"), "HAS_REPLYTO{alice@example.com} REPLYTO_DOM_NEQ_FROM_DOM"},
		{"to the list", nil, list + text("joe@example.net", "l@example.org", "l@example.org"), "HAS_REPLYTO{l@example.org} REPLYTO_DOM_NEQ_FROM_DOM"},
		{"to an old list", nil, "Precedence: Bulk\n" + text("joe@example.net", "l@example.org", "l@example.org"), "HAS_REPLYTO{l@example.org} REPLYTO_DOM_NEQ_FROM_DOM"},
		{"to a program", nil, "Auto-Submitted: auto-generated\n" + text("joe@example.net", "l@example.org", "l@example.org"), "HAS_REPLYTO{l@example.org} REPLYTO_DOM_NEQ_FROM_DOM"},
		{"in a hurry is no list", nil, "Precedence: first-class\n" + text("joe@example.net", "l@example.org", "l@example.org"), "HAS_REPLYTO{l@example.org} REPLYTO_EQ_TO_ADDR"},

		{"a title", nil, text("Mrs. Jane Doe <info@example.net>", "alice@example.com", "mrs.janedoe@example.org"), "HAS_REPLYTO{mrs.janedoe@example.org} REPLYTO_EMAIL_HAS_TITLE{mrs} REPLYTO_DOM_NEQ_FROM_DOM"},
		{"another title", nil, text("Mrs. Jane Doe <info@example.net>", "alice@example.com", "dr.janedoe@example.org"), "HAS_REPLYTO{dr.janedoe@example.org} REPLYTO_DOM_NEQ_FROM_DOM"},
		{"a short name", nil, text("Mrs. Jane Doe <info@example.net>", "alice@example.com", "mr@example.org"), "HAS_REPLYTO{mr@example.org} REPLYTO_DOM_NEQ_FROM_DOM"},

		{"from inside, answers outside", nil, text("Boss <boss@example.com>", "alice@example.com", "boss@example.org"), "HAS_REPLYTO{boss@example.org} REPLYTO_DOM_NEQ_FROM_DOM SPOOF_REPLYTO{example.com,example.org}"},
		{"the same of our user", trust(mail.Authenticated), text("Boss <boss@example.com>", "alice@example.com", "boss@example.org"), "HAS_REPLYTO{boss@example.org} REPLYTO_DOM_NEQ_FROM_DOM"},
		{"answers to the same site", nil, text("Boss <boss@example.com>", "alice@example.com", "boss@mail.example.com"), "HAS_REPLYTO{boss@mail.example.com} REPLYTO_DOM_NEQ_FROM_DOM"},
		{"from outside", nil, text("Boss <boss@example.net>", "alice@example.com", "boss@example.org"), "HAS_REPLYTO{boss@example.org} REPLYTO_DOM_NEQ_FROM_DOM"},
		{"a form on a web page", nil, text("alice@example.com", "alice@example.com", "visitor@example.org"), "HAS_REPLYTO{visitor@example.org} REPLYTO_DOM_NEQ_FROM_DOM"},
		{"a copy for himself", rcpts("<boss@example.com>"), text("boss@example.com", "bob@example.org", "bob@example.org"), "HAS_REPLYTO{bob@example.org} REPLYTO_EQ_TO_ADDR"},
		{"from a colleague by a list", nil, list + text("boss@example.com", "l@example.org", "l@example.org"), "HAS_REPLYTO{l@example.org} REPLYTO_DOM_NEQ_FROM_DOM"},
		{"one of many recipients", rcpts("<bob@example.org>", "<alice@example.com>"), text("boss@example.com", "x@example.org", "y@example.org"), "HAS_REPLYTO{y@example.org} REPLYTO_DOM_NEQ_FROM_DOM SPOOF_REPLYTO{example.com,example.org}"},
		{"nobody knows the recipients", inspect, text("boss@example.com", "alice@example.com", "y@example.org"), "HAS_REPLYTO{y@example.org} REPLYTO_DOM_NEQ_FROM_DOM"},
	})
}
