package dnslist

func spamhausDBL() *List {
	return &List{
		Name: "DBL", Section: SURBL, Group: "surbl", Operator: "Spamhaus", Zone: "dbl.spamhaus.org",
		Enabled: true, Asks: URLs | From | ReplyTo | Emails | DKIM | Helo | RDNS, Names: true, Registered: true,
		Codes: []Code{
			{Answer: answer("127.0.1.2"), Symbol: "DBL_SPAM", Weight: 6.5, Doc: "A domain is in Spamhaus DBL for spam."},
			{Answer: answer("127.0.1.4"), Symbol: "DBL_PHISH", Weight: 7.5, Doc: "A domain is in Spamhaus DBL for phishing."},
			{Answer: answer("127.0.1.5"), Symbol: "DBL_MALWARE", Weight: 7.5, Doc: "A domain is in Spamhaus DBL for malware."},
			{Answer: answer("127.0.1.6"), Symbol: "DBL_BOTNET", Weight: 7.5, Doc: "A domain is in Spamhaus DBL: it commands a botnet."},
			{Answer: answer("127.0.1.102"), Symbol: "DBL_ABUSE", Weight: 5, Doc: "A decent domain is in Spamhaus DBL because it is abused for spam."},
			{Answer: answer("127.0.1.103"), Symbol: "DBL_ABUSE_REDIR", Weight: 5, Doc: "A decent domain is in Spamhaus DBL because its redirector is abused for spam."},
			{Answer: answer("127.0.1.104"), Symbol: "DBL_ABUSE_PHISH", Weight: 6.5, Doc: "A decent domain is in Spamhaus DBL because it is abused for phishing."},
			{Answer: answer("127.0.1.105"), Symbol: "DBL_ABUSE_MALWARE", Weight: 6.5, Doc: "A decent domain is in Spamhaus DBL because it is abused for malware."},
			{Answer: answer("127.0.1.106"), Symbol: "DBL_ABUSE_BOTNET", Weight: 6.5, Doc: "A decent domain is in Spamhaus DBL because it is abused to command a botnet."},
			{Answer: answer("127.0.1.255"), Doc: "The question was about an address, which this list has none of."},
		},
		TestListed: "dbltest.com", TestClean: cleanName,
		PublicRefused: true, Daily: 300_000, Terms: spamhausTerms,
	}
}

func spamhausURLs() *List {
	return &List{
		Name: "SPAMHAUS_ZEN_URIBL", Section: SURBL, Group: "surbl", Operator: "Spamhaus", Zone: "zen.spamhaus.org",
		Enabled: true, Asks: URLs, IPv4: true, IPv6: true, Resolve: true,
		Codes: []Code{
			{Answer: answer("127.0.0.2"), Symbol: "URIBL_SBL", Weight: 6.5, Doc: "A link leads to an address in the Spamhaus Block List."},
			{Answer: answer("127.0.0.3"), Symbol: "URIBL_SBL_CSS", Weight: 5, Doc: "A link leads to an address in Spamhaus CSS."},
			{Answer: answer("127.0.0.4-7"), Symbol: "URIBL_XBL", Weight: 3, Doc: "A link leads to an address in the Spamhaus Exploits Block List."},
			{Answer: answer("127.0.0.9"), Symbol: "URIBL_DROP", Weight: 5, Doc: "A link leads into a network of Spamhaus DROP."},
			{Answer: answer("127.0.0.10-11"), Symbol: "URIBL_PBL", Weight: 0.01, Dynamic: true, Doc: "A link leads to an address in the Spamhaus Policy Block List."},
		},
		TestListed: listedAddr, TestClean: cleanAddr,
		PublicRefused: true, Daily: 300_000, Terms: spamhausTerms,
	}
}

func uribl() *List {
	return &List{
		Name: "URIBL_MULTI", Section: SURBL, Group: "surbl", Operator: "URIBL", Zone: "multi.uribl.com",
		Enabled: true, Asks: URLs | From | ReplyTo | Emails | DKIM, IPv4: true, Names: true, Registered: true,
		Codes: []Code{
			{Answer: answer("127.0.0.*&2"), Symbol: "URIBL_BLACK", Weight: 7.5, Doc: "A domain is on the black list of URIBL."},
			{Answer: answer("127.0.0.*&4"), Symbol: "URIBL_GREY", Weight: 2.5, Doc: "A domain is on the grey list of URIBL."},
			{Answer: answer("127.0.0.*&8"), Symbol: "URIBL_RED", Weight: 0.5, Doc: "A domain is on the red list of URIBL."},
		},
		Blocked:    answers("127.0.0.1", "127.0.0.255"),
		TestListed: listedAddr, TestClean: cleanName,
		PublicRefused: true, Terms: "Free for little use; those who ask too much are refused and need a subscription.",
	}
}

func surbl() *List {
	return &List{
		Name: "SURBL_MULTI", Section: SURBL, Group: "surbl", Operator: "SURBL", Zone: "multi.surbl.org",
		Enabled: true, Asks: URLs | From | ReplyTo | Emails | DKIM, IPv4: true, Names: true, Registered: true,
		Codes: []Code{
			{Answer: answer("127.0.0.*&128"), Symbol: "CRACKED_SURBL", Weight: 5, Doc: "A domain is in SURBL: its web site was broken into."},
			{Answer: answer("127.0.0.*&64"), Symbol: "ABUSE_SURBL", Weight: 5, Doc: "A domain is in SURBL for spam and other abuse."},
			{Answer: answer("127.0.0.*&32"), Symbol: "CT_SURBL", Doc: "A domain is in SURBL as one that counts clicks."},
			{Answer: answer("127.0.0.*&16"), Symbol: "MW_SURBL_MULTI", Weight: 7.5, Doc: "A domain is in SURBL for malware."},
			{Answer: answer("127.0.0.*&8"), Symbol: "PH_SURBL_MULTI", Weight: 7.5, Doc: "A domain is in SURBL for phishing."},
			{Answer: answer("127.0.0.*&4"), Symbol: "DM_SURBL", Doc: "A domain is in SURBL as one of addresses that are thrown away."},
		},
		Blocked:    answers("127.0.0.1"),
		TestListed: "surbl-org-permanent-test-point.com", TestClean: cleanName,
		PublicRefused: true, Daily: 250_000, Terms: "No commercial use; at most 1,000 users or 250,000 questions a day.",
	}
}

func msbl() *List {
	return &List{
		Name: "MSBL_EBL", Section: SURBL, Group: "surbl", Operator: "MSBL", Zone: "ebl.msbl.org",
		Enabled: true, Asks: Emails | ReplyTo, Hash: SHA1, Canonical: true,
		Codes: []Code{
			{Answer: answer("127.0.0.2-3"), Symbol: "MSBL_EBL", Weight: 7.5, Doc: "An e-mail address is in the MSBL Email Blocklist: spammers take answers there."},
			{Answer: answer("127.0.1.2-3"), Symbol: "MSBL_EBL_GREY", Weight: 0.5, Doc: "An e-mail address is in the grey part of the MSBL Email Blocklist."},
		},
		TestClean: cleanName, Terms: "Free; no limit is published.",
	}
}

func semURIBL() *List {
	return &List{
		Name: "SEM_URIBL", Section: SURBL, Group: "surbl", Operator: "SpamEatingMonkey", Zone: "uribl.spameatingmonkey.net",
		Enabled: true, Asks: URLs, Names: true, Registered: true,
		Codes:     []Code{{Answer: answer("127.0.0.2"), Symbol: "SEM_URIBL", Weight: 3.5, Doc: "A domain is in the list of links of SpamEatingMonkey."}},
		TestClean: cleanName, Daily: 100_000, PerSecond: 5, Terms: semTerms,
	}
}

func semFresh() *List {
	return &List{
		Name: "SEM_URIBL_FRESH15", Section: SURBL, Group: "surbl", Operator: "SpamEatingMonkey", Zone: "fresh15.spameatingmonkey.net",
		Enabled: true, Asks: URLs, Names: true, Registered: true,
		Codes:     []Code{{Answer: answer("127.0.0.2"), Symbol: "SEM_URIBL_FRESH15", Weight: 3, Doc: "A domain was registered within the last 15 days, says SpamEatingMonkey."}},
		TestClean: cleanName, Daily: 100_000, PerSecond: 5, Terms: semTerms,
	}
}
