package config

import "rmilter/internal/ucl"

// Limits are the options of limits { }: how much mail is taken in a time. A bucket that
// is off limits nothing.
type Limits struct {
	Enable      ucl.Flag
	User        ucl.Bucket     // messages of each of our users
	To          ucl.Bucket     // messages to each recipient
	ToIP        ucl.Bucket     // from each client to each recipient
	ToIPFrom    ucl.Bucket     // from each client and sender to each recipient
	BounceTo    ucl.Bucket     // bounces to each recipient
	BounceToIP  ucl.Bucket     // bounces from each client to each recipient
	BounceAddrs ucl.Strings    // local parts of senders whose mail is a bounce; <> is the null sender
	Whitelist   ucl.Networks   // clients without limits
	WhitelistTo ucl.Recipients // recipients without limits
}

// DefaultLimits returns the defaults.
func DefaultLimits() Limits {
	return Limits{
		Enable:      true,
		User:        ucl.Bucket{Burst: 200, Rate: 200.0 / 3600},
		BounceAddrs: ucl.Strings{"postmaster", "mailer-daemon", "<>", "null", "fetchmail-daemon"},
		WhitelistTo: ucl.MustRecipients("postmaster", "mailer-daemon"),
	}
}

// Sections declares the options; see package ucl.
func (c *Limits) Sections() []*ucl.Section {
	const unit = ` BURST:RATE with the rate for each second, or "NUMBER / TIME"; 0:0 is off.`
	s := &ucl.Section{
		Name:     "limits",
		Doc:      "How much mail is taken in a time. What is above is deferred.",
		Unserved: true,
		Options: []ucl.Option{
			{Name: "enable", Value: &c.Enable,
				Doc: "Whether there are limits."},
			{Name: "user", Value: &c.User,
				Doc: "Messages of each of our own users, against stolen accounts." + unit},
			{Name: "limit_to", Value: &c.To, Example: "20:0.016666667",
				Doc: "Messages to each recipient." + unit},
			{Name: "limit_to_ip", Value: &c.ToIP, Example: "30:0.025",
				Doc: "Messages from each client to each recipient." + unit},
			{Name: "limit_to_ip_from", Value: &c.ToIPFrom, Example: "100:0.033333333",
				Doc: "Messages from each client and sender to each recipient." + unit},
			{Name: "limit_bounce_to", Value: &c.BounceTo, Example: `"5 / 1h"`,
				Doc: "Bounces to each recipient." + unit},
			{Name: "limit_bounce_to_ip", Value: &c.BounceToIP, Example: `"5 / 1h"`,
				Doc: "Bounces from each client to each recipient." + unit},
			{Name: "limit_bounce_addrs", Value: &c.BounceAddrs,
				Doc: "Local parts of the senders whose mail is a bounce; <> is the empty sender."},
			{Name: "limit_whitelist", Aliases: []string{"limit_whitelist_ip"}, Value: &c.Whitelist,
				Doc: "Clients without limits: addresses, networks or host names."},
			{Name: "limit_whitelist_rcpt", Value: &c.WhitelistTo,
				Doc: "Recipients without limits: user, @domain or user@domain."},
		},
	}
	s.Check = func(warn func(option, format string, args ...any)) {
		if bounces := !c.BounceTo.Off() || !c.BounceToIP.Off(); bounces && len(c.BounceAddrs) == 0 {
			warn("limit_bounce_addrs", "no mail is a bounce with this empty list, so the limits of bounces have no effect; expected senders such as <>")
		}
		if p, broad := c.Whitelist.TooBroad(); broad {
			warn("limit_whitelist", "%s is nearly everybody; expected your own networks, or enable = no", p)
		}
	}
	return []*ucl.Section{s}
}
