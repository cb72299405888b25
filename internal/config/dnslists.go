package config

import (
	"fmt"
	"strings"

	"rmilter/internal/dnslist"
)

// listsText is the part of docs/dnslists.md that no declaration holds.
const listsText = `# DNS lists

<!-- Generated from the declarations of the lists: go test ./internal/config -update -->

rmilter looks up in DNS lists who sends a message (` + "`rbl { }`" + `) and what it names (` + "`surbl { }`" + `). What is on by default
is free for small sites, on the terms below. They are those of the operators, who may change them: whether your use is
within them is for you to see.

* **Use a resolver of your own**, such as unbound on this machine. Most lists refuse to answer public resolvers, and those of
  a large provider ask too much. With a public resolver in ` + "`dns { nameserver; }`" + ` or /etc/resolv.conf such lists are off, and
  ` + "`rmilterctl status`" + ` says so.
* **Only an answer that a list documents counts.** One without a known meaning and any answer outside of 127.0.0.0/8 never does. One
  that says that the list doesn't answer you (127.255.255.252 to 255, 127.0.0.1 of URIBL and SURBL, 127.0.0.255 of DNSWL, REFUSED,
  an unknown answer whose text speaks of a quota) takes the list out until a test succeeds. One problem in
  ` + "`rmilterctl status`" + ` names the list, the answer and the resolver.
* **Each list is tested** at start and every hour: the test point below must be listed, and 127.0.0.1 (or the name "invalid") must
  not. A zone that has lapsed and answers everything takes itself out so. Where the operator has published no test point, only
  the second is tested. ` + "`test_listed`, `test_clean` and `monitored`" + ` change that.
* A list that doesn't answer is out for a minute after 5 of 10 questions, and then tried again. When no list answers, that is the
  resolver's problem, and no list is blamed. Mail never waits longer than 5 s for
  all lists together, and what the others say counts. ` + "`RBL_FAIL`" + ` and ` + "`SURBL_FAIL`" + ` tell which lists gave no answer that counts.
* No list is asked about our own mail, private addresses, ` + "`our_networks`" + `, ` + "`trusted_relays`" + `, this machine's name, the domains that
  sign for us, or the domains of the recipients; nor about what ` + "`exempt`" + ` names. Lists of dynamic addresses are never asked about
  earlier hops.
* At most ` + "`max_names`" + ` names and addresses of a message are asked about in each section, each once. Answers are remembered,
  also those that something isn't listed.
* A whitelist lowers the score by its weight, and does nothing else.
* ` + "`rmilterctl status`" + ` shows how much of what a list's terms allow was asked today (UTC); at 80 % there is a warning.
  ` + "`rmilterctl rbl 203.0.113.7`" + ` asks all lists at once, ` + "`rmilterctl explain`" + ` and the log line show what was listed, the answer
  and the name that was asked: ` + "`RBL_SPAMHAUS_XBL(4.00){203.0.113.7:127.0.0.4,7.113.0.203.zen.spamhaus.org}`" + `.

A large site has a copy of a list on a server of its own:
` + "`dns { zone \"dnsbl-1.uceprotect.net\" { nameserver = \"127.0.0.1:530\"; } }`" + ` with rbldnsd there, and
` + "`rbl { list \"uceprotect1\" { enabled = yes; daily = 0; } }`" + `, as nobody counts those questions. Spamhaus gives keys for its Data
Query Service, which works with any resolver: ` + "`rbl { dqs_key = \"KEY\"; } surbl { dqs_key = \"KEY\"; }`" + `. The
key is a secret: neither the log nor ` + "`rmilterctl`" + ` shows it.

A list of your own, and one that is turned off:

` + "```" + `
rbl {
    list "own" { rbl = "list.example.com"; checks = from; returncodes = "RBL_OWN:127.0.0.2"; weight = 3; }
    list "blocklistde" { enabled = no; }
}
` + "```" + `

`

// DNSLists returns docs/dnslists.md: every DNS list that is known, with its terms.
func DNSLists() string {
	var b strings.Builder
	b.WriteString(listsText)
	for _, section := range []struct{ name, title string }{
		{dnslist.RBL, "rbl { }: who sends"},
		{dnslist.SURBL, "surbl { }: what a message names"},
	} {
		fmt.Fprintf(&b, "## %s\n\n| List | Zone | By default | Asked about | Test point | Public resolvers | Terms |\n|---|---|---|---|---|---|---|\n", section.title)
		for _, l := range dnslist.Catalog() {
			if l.Section != section.name {
				continue
			}
			state := "off"
			switch {
			case l.Closed != "":
				state = "closed in " + l.Closed
			case l.Enabled:
				state = "on"
			}
			test, public := l.TestListed, ""
			if test == "" {
				test = "none"
			}
			if l.PublicRefused {
				public = "refused"
			}
			fmt.Fprintf(&b, "| `%s` (%s) | %s | %s | %s | %s | %s | %s |\n", l.Name, l.Operator, l.Zone, state, l.Asks, test, public, cell(l.Terms))
		}
		b.WriteString("\n")
	}
	b.WriteString("The words for what is asked about are those of `checks`: see `list` in [configuration.md](configuration.md). The symbols are in\n[symbols.md](symbols.md).\n")
	return b.String()
}
