package checks

import (
	"rmilter/internal/dnslist"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

var rblFail = symbol("RBL_FAIL", 0, dnslist.RBL, "A DNS list of senders gave no answer that counts: too late, blocked, or one that it doesn't document.")

var rblSymbols = dnsListSymbols(dnslist.RBL, rblFail)

// RBL asks DNS lists about who sent a message (RFC 5782). It starts beside the checks of
// signatures, for which only the lists wait that are asked about signers.
var RBL = &scan.Spec[dnslist.Config, struct{}]{
	Name:    dnslist.RBL,
	Doc:     "DNS lists of those who send mail: the client, earlier hops, and the names that they go by.",
	Symbols: rblSymbols,
	Composites: []scan.Composite{
		{Symbol: symbol("RCVD_DKIM_ARC_DNSWL_MED", -0.5, dnslist.RBL, "The client is trustworthy to a medium degree, says DNSWL, and the message is signed."),
			Expression: "(R_DKIM_ALLOW | ARC_ALLOW) & RCVD_IN_DNSWL_MED", Policy: "leave"},
		{Symbol: symbol("RCVD_DKIM_ARC_DNSWL_HI", -1, dnslist.RBL, "The client is trustworthy to a high degree, says DNSWL, and the message is signed."),
			Expression: "(R_DKIM_ALLOW | ARC_ALLOW) & RCVD_IN_DNSWL_HI", Policy: "leave"},
	},
	Reads:    []scan.Check{DKIM},
	Network:  true,
	Early:    true,
	Timeout:  authTime,
	Defaults: func() dnslist.Config { return dnslist.DefaultConfig(dnslist.RBL) },
	Section:  func(c *dnslist.Config) *ucl.Section { return c.Sections()[0] },
	New: func(c dnslist.Config, env scan.Env) (scan.Runner[struct{}], error) {
		return newDNSLists(c, env, rblSymbols, rblFail), nil
	},
}
