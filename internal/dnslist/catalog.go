package dnslist

import "fmt"

// Catalog returns the lists that are known, as they are without configuration. The values
// are the caller's.
func Catalog() []*List {
	return []*List{
		spamhaus(), mailspike(), dnswl(), dnswlDKIM(), blocklistDE(), spamEatingMonkey(), spamEatingMonkey6(),
		senderScore(), senderReputation(), uceprotect(), sorbs(),
		spamhausDBL(), spamhausURLs(), uribl(), surbl(), msbl(), semURIBL(), semFresh(),
	}
}

// Where the tests of addresses ask (RFC 5782, section 5).
const (
	listedAddr = "127.0.0.2"
	cleanAddr  = "127.0.0.1"
	cleanName  = "invalid"
)

// Terms that several lists of one operator have.
const (
	spamhausTerms = "No commercial use; at most 300,000 questions or 100,000 SMTP connections a day. Others use the Data Query Service (dqs_key) or a data feed."
	dnswlTerms    = "Free up to 100,000 questions a day; beyond that and for makers of filters by subscription."
	semTerms      = "Free up to 100,000 questions a day, or 5 a second over several minutes."
	scoreTerms    = "For registered addresses of resolvers."
)

func spamhaus() *List {
	return &List{
		Name: "spamhaus", Section: RBL, Group: "rbl", Operator: "Spamhaus", Zone: "zen.spamhaus.org",
		Enabled: true, Asks: Client | Received, IPv4: true, IPv6: true,
		Codes: []Code{
			{Answer: answer("127.0.0.2"), Symbol: "RBL_SPAMHAUS_SBL", Weight: 4, Asks: Client, Doc: "The client is in the Spamhaus Block List: it sends or supports spam."},
			{Answer: answer("127.0.0.3"), Symbol: "RBL_SPAMHAUS_CSS", Weight: 2, Asks: Client, Doc: "The client is in Spamhaus CSS: it sent spam of little volume."},
			{Answer: answer("127.0.0.4-7"), Symbol: "RBL_SPAMHAUS_XBL", Weight: 4, Asks: Client, Doc: "The client is in the Spamhaus Exploits Block List: its machine was taken over."},
			{Answer: answer("127.0.0.9"), Symbol: "RBL_SPAMHAUS_DROP", Weight: 7, Asks: Client, Doc: "The client is in a network of Spamhaus DROP, which criminals have hijacked or leased."},
			{Answer: answer("127.0.0.10-11"), Symbol: "RBL_SPAMHAUS_PBL", Weight: 2, Asks: Client, Dynamic: true, Doc: "The client is in the Spamhaus Policy Block List: an address that should not send mail itself."},
			{Answer: answer("127.0.0.2"), Symbol: "RECEIVED_SPAMHAUS_SBL", Weight: 3, Asks: Received, Doc: "An earlier hop is in the Spamhaus Block List."},
			{Answer: answer("127.0.0.3"), Symbol: "RECEIVED_SPAMHAUS_CSS", Weight: 1, Asks: Received, Doc: "An earlier hop is in Spamhaus CSS."},
			{Answer: answer("127.0.0.4-7"), Symbol: "RECEIVED_SPAMHAUS_XBL", Weight: 1, Asks: Received, Doc: "An earlier hop is in the Spamhaus Exploits Block List."},
			{Answer: answer("127.0.0.9"), Symbol: "RECEIVED_SPAMHAUS_DROP", Weight: 6, Asks: Received, Doc: "An earlier hop is in a network of Spamhaus DROP."},
		},
		TestListed: listedAddr, TestClean: cleanAddr,
		PublicRefused: true, Daily: 300_000, Terms: spamhausTerms,
	}
}

func mailspike() *List {
	return &List{
		Name: "mailspike", Section: RBL, Group: "rbl", Operator: "Mailspike", Zone: "rep.mailspike.net",
		Enabled: true, Asks: Client, IPv4: true,
		Codes: []Code{
			{Answer: answer("127.0.0.10"), Symbol: "RBL_MAILSPIKE_WORST", Weight: 2, Doc: "The client has the worst reputation with Mailspike."},
			{Answer: answer("127.0.0.11"), Symbol: "RBL_MAILSPIKE_VERYBAD", Weight: 1.5, Doc: "The client has a very bad reputation with Mailspike."},
			{Answer: answer("127.0.0.12"), Symbol: "RBL_MAILSPIKE_BAD", Weight: 1, Doc: "The client has a bad reputation with Mailspike."},
			{Answer: answer("127.0.0.13-16"), Symbol: "RWL_MAILSPIKE_NEUTRAL", Doc: "The client has neither a good nor a bad reputation with Mailspike."},
			{Answer: answer("127.0.0.17"), Symbol: "RWL_MAILSPIKE_POSSIBLE", Doc: "The client has perhaps a good reputation with Mailspike."},
			{Answer: answer("127.0.0.18"), Symbol: "RWL_MAILSPIKE_GOOD", Weight: -0.1, Doc: "The client has a good reputation with Mailspike."},
			{Answer: answer("127.0.0.19"), Symbol: "RWL_MAILSPIKE_VERYGOOD", Weight: -0.2, Doc: "The client has a very good reputation with Mailspike."},
			{Answer: answer("127.0.0.20"), Symbol: "RWL_MAILSPIKE_EXCELLENT", Weight: -0.4, Doc: "The client has the best reputation with Mailspike."},
		},
		TestClean: cleanAddr, Daily: 100_000, Terms: "Free up to 100,000 questions a day.",
	}
}

// dnswlCodes are the answers of DNSWL, 127.0.CATEGORY.TRUST.
func dnswlCodes(prefix, who string, low, medium, high float64) []Code {
	return []Code{
		{Answer: answer("127.0.*.0"), Symbol: prefix + "_NONE", Doc: who + " is known to DNSWL, which says nothing of its trustworthiness."},
		{Answer: answer("127.0.*.1"), Symbol: prefix + "_LOW", Weight: low, Doc: who + " is trustworthy to a low degree, says DNSWL."},
		{Answer: answer("127.0.*.2"), Symbol: prefix + "_MED", Weight: medium, Doc: who + " is trustworthy to a medium degree, says DNSWL."},
		{Answer: answer("127.0.*.3"), Symbol: prefix + "_HI", Weight: high, Doc: who + " is trustworthy to a high degree, says DNSWL."},
	}
}

func dnswl() *List {
	return &List{
		Name: "dnswl", Section: RBL, Group: "rbl", Operator: "DNSWL", Zone: "list.dnswl.org",
		Enabled: true, Asks: Client, IPv4: true, IPv6: true, Whitelist: true,
		Codes:      dnswlCodes("RCVD_IN_DNSWL", "The client", -0.1, -0.2, -0.5),
		Blocked:    answers("127.0.0.255"),
		TestListed: listedAddr, TestClean: cleanAddr,
		PublicRefused: true, Daily: 100_000, Terms: dnswlTerms,
	}
}

func dnswlDKIM() *List {
	return &List{
		Name: "DWL_DNSWL", Section: RBL, Group: "rbl", Operator: "DNSWL", Zone: "dwl.dnswl.org",
		Enabled: true, Asks: DKIM, Names: true, Whitelist: true,
		Codes:     dnswlCodes("DWL_DNSWL", "A domain with a valid DKIM signature", -1, -2, -3.5),
		Blocked:   answers("127.0.0.255"),
		TestClean: cleanName, PublicRefused: true, Daily: 100_000, Terms: dnswlTerms,
	}
}

func blocklistDE() *List {
	return &List{
		Name: "blocklistde", Section: RBL, Group: "rbl", Operator: "blocklist.de", Zone: "bl.blocklist.de",
		Enabled: true, Asks: Client | Received, IPv4: true, IPv6: true,
		Codes: []Code{
			{Answer: answer("127.0.0.2-31"), Symbol: "RBL_BLOCKLISTDE", Weight: 4, Asks: Client, Doc: "The client attacked servers whose owners report to blocklist.de."},
			{Answer: answer("127.0.0.2-31"), Symbol: "RECEIVED_BLOCKLISTDE", Weight: 3, Asks: Received, Doc: "An earlier hop attacked servers whose owners report to blocklist.de."},
		},
		TestListed: listedAddr, TestClean: cleanAddr, Terms: "Free; no limit is published.",
	}
}

func spamEatingMonkey() *List {
	return &List{
		Name: "sem", Section: RBL, Group: "rbl", Operator: "SpamEatingMonkey", Zone: "bl.spameatingmonkey.net",
		Enabled: true, Asks: Client, IPv4: true,
		Codes:      []Code{{Answer: answer("127.0.0.2-3"), Symbol: "RBL_SEM", Weight: 1, Doc: "The client is in the block list of SpamEatingMonkey."}},
		TestListed: listedAddr, TestClean: cleanAddr, Daily: 100_000, PerSecond: 5, Terms: semTerms,
	}
}

func spamEatingMonkey6() *List {
	return &List{
		Name: "semIPv6", Section: RBL, Group: "rbl", Operator: "SpamEatingMonkey", Zone: "bl.ipv6.spameatingmonkey.net",
		Enabled: true, Asks: Client, IPv6: true,
		Codes:     []Code{{Answer: answer("127.0.0.2-3"), Symbol: "RBL_SEM_IPV6", Weight: 1, Doc: "The client's IPv6 address is in the block list of SpamEatingMonkey."}},
		TestClean: "::ffff:" + cleanAddr, Daily: 100_000, PerSecond: 5, Terms: semTerms,
	}
}

func senderScore() *List {
	list := &List{
		Name: "senderscore", Section: RBL, Group: "senderscore", Operator: "SenderScore", Zone: "bl.score.senderscore.com",
		Asks: Client, IPv4: true, TestListed: listedAddr, Terms: scoreTerms,
	}
	// The last byte is a sum: 1 bot, 2 no authentication, 4 pristine traps, 8 suspect
	// attachments, 16 low score.
	for _, c := range []struct {
		last   int
		what   string
		weight float64
	}{
		{1, "BOT", 2}, {2, "NA", 0}, {3, "NA_BOT", 1}, {4, "PRST", 2}, {5, "PRST_BOT", 3}, {6, "PRST_NA", 2},
		{7, "PRST_NA_BOT", 3}, {8, "SUS_ATT", 1}, {10, "SUS_ATT_NA", 1}, {11, "SUS_ATT_NA_BOT", 1.5},
		{14, "SUS_ATT_PRST_NA", 3}, {15, "SUS_ATT_PRST_NA_BOT", 3.5}, {16, "SCORE", 2}, {18, "SCORE_NA", 2},
		{20, "SCORE_PRST", 4}, {22, "SCORE_PRST_NA", 4}, {26, "SCORE_SUS_ATT_NA", 3},
	} {
		list.Codes = append(list.Codes, Code{
			Answer: answer(fmt.Sprintf("127.0.0.%d", c.last)), Symbol: "RBL_SENDERSCORE_" + c.what, Weight: c.weight,
			Doc: "The client is in the block list of SenderScore (" + c.what + ").",
		})
	}
	return list
}

func senderReputation() *List {
	list := &List{
		Name: "senderscore_reput", Section: RBL, Group: "senderscore", Operator: "SenderScore", Zone: "score.senderscore.com",
		Asks: Client, IPv4: true, TestClean: cleanAddr, Terms: scoreTerms,
	}
	for i, weight := range []float64{4, 3.5, 3, 2.5, 2, 1.5, 1, 0.5, 0, -1} {
		first, last := 10*i, 10*i+9
		if i == 9 {
			last = 100
		}
		list.Codes = append(list.Codes, Code{
			Answer: answer(fmt.Sprintf("127.0.4.%d-%d", first, last)), Symbol: fmt.Sprintf("RBL_SENDERSCORE_REPUT_%d", i), Weight: weight,
			Doc: fmt.Sprintf("The client has a score of %d to %d out of 100 with SenderScore.", first, last),
		})
	}
	return list
}

func uceprotect() *List {
	return &List{
		Name: "uceprotect1", Section: RBL, Group: "rbl", Operator: "UCEPROTECT", Zone: "dnsbl-1.uceprotect.net",
		Asks: Client, IPv4: true,
		Codes:      []Code{{Answer: answer("127.0.0.2"), Symbol: "RBL_UCEPROTECT_LEVEL1", Weight: 3.5, Doc: "The client is in level 1 of UCEPROTECT: single addresses that sent spam."}},
		TestListed: listedAddr, TestClean: cleanAddr, Daily: 100_000,
		Terms: "Free up to 100,000 questions a day; beyond that by rsync into a server of one's own.",
	}
}

func sorbs() *List {
	list := &List{
		Name: "sorbs", Section: RBL, Group: "rbl", Operator: "SORBS", Zone: "dnsbl.sorbs.net",
		Asks: Client, IPv4: true, TestListed: listedAddr, TestClean: cleanAddr,
		Closed: "June 2024", Terms: "Closed since June 2024: never asked.",
	}
	for i, what := range []string{"HTTP", "SOCKS", "MISC", "SMTP", "RECENT", "WEB", "BLOCK", "ZOMBIE", "DUL"} {
		list.Codes = append(list.Codes, Code{
			Answer: answer(fmt.Sprintf("127.0.0.%d", 2+i)), Symbol: "RBL_SORBS_" + what, Dynamic: what == "DUL",
			Doc: "SORBS, which has closed, had the client listed (" + what + ").",
		})
	}
	return list
}
