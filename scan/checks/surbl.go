package checks

import (
	"rmilter/internal/dnslist"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

var surblFail = symbol("SURBL_FAIL", 0, dnslist.SURBL, "A DNS list of names gave no answer that counts: too late, blocked, or one that it doesn't document.")

var surblSymbols = dnsListSymbols(dnslist.SURBL, surblFail)

// SURBL asks DNS lists about what a message leads to and about the domains of those who
// are said to have written it. See RBL for the order.
var SURBL = &scan.Spec[dnslist.Config, struct{}]{
	Name:     dnslist.SURBL,
	Doc:      "DNS lists of what a message names: hosts of links, e-mail addresses, and the domains of its senders.",
	Symbols:  surblSymbols,
	Reads:    []scan.Check{DKIM},
	Network:  true,
	Early:    true,
	Timeout:  authTime,
	Defaults: func() dnslist.Config { return dnslist.DefaultConfig(dnslist.SURBL) },
	Section:  func(c *dnslist.Config) *ucl.Section { return c.Sections()[0] },
	New: func(c dnslist.Config, env scan.Env) (scan.Runner[struct{}], error) {
		return newDNSLists(c, env, surblSymbols, surblFail), nil
	},
}
