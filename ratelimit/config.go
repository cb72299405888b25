package ratelimit

import (
	"math"
	"strings"
	"time"

	"rmilter/internal/store"
	"rmilter/internal/ucl"
)

// Config are the options of limits { }: how much mail is taken in a time. A bucket that
// is off limits nothing.
type Config struct {
	Enable        ucl.Flag
	User          ucl.Bucket     // recipients of the mail of each SASL user
	To            ucl.Bucket     // mail to each recipient
	ToIP          ucl.Bucket     // from each client to each recipient
	ToIPFrom      ucl.Bucket     // from each client and sender to each recipient
	BounceTo      ucl.Bucket     // bounces to each recipient
	BounceToIP    ucl.Bucket     // bounces from each client to each recipient
	BounceAddrs   ucl.Strings    // local parts of senders whose mail is a bounce; <> is the null sender
	Ours          ucl.Flag       // whether To, ToIP, BounceTo and BounceToIP count our own mail
	Whitelist     ucl.Networks   // clients without limits
	WhitelistUser ucl.Recipients // SASL logins without limits
	WhitelistTo   ucl.Recipients // recipients without limits
}

// DefaultConfig returns the defaults: no bucket is on.
func DefaultConfig() Config {
	return Config{
		Enable:      true,
		BounceAddrs: ucl.Strings{"postmaster", "mailer-daemon", "<>", "null", "fetchmail-daemon"},
		WhitelistTo: ucl.MustRecipients("postmaster", "mailer-daemon"),
	}
}

// Sections declares the options; see package ucl.
func (c *Config) Sections() []*ucl.Section {
	const unit = ` BURST:RATE with the rate for each second, or "NUMBER / TIME"; 0:0 is off.`
	return []*ucl.Section{{
		Name:   "limits",
		Doc:    "How much mail is taken in a time. What is above is deferred. Each recipient of a message counts as one.",
		Check:  c.check,
		Others: map[string]string{"enabled": "did you mean enable?"},
		Options: []ucl.Option{
			{Name: "enable", Value: &c.Enable,
				Doc: "Whether there are limits."},
			{Name: "user", Aliases: []string{"limit_user"}, Value: &c.User, Example: `"200 / 1h"`,
				Doc: "Mail of each of our own users by SASL login, against stolen accounts. A message to thirty recipients counts as thirty." + unit},
			{Name: "limit_to", Value: &c.To, Example: "20:0.016666667",
				Doc: "Messages to each recipient." + unit},
			{Name: "limit_to_ip", Value: &c.ToIP, Example: "30:0.025",
				Doc: "Messages from each client to each recipient; the /64 of an IPv6 address is one client." + unit},
			{Name: "limit_to_ip_from", Value: &c.ToIPFrom, Example: "100:0.033333333",
				Doc: "Messages from each client and sender to each recipient. Our own mail counts here, too." + unit},
			{Name: "limit_bounce_to", Value: &c.BounceTo, Example: "5:0.000277778",
				Doc: "Bounces to each recipient." + unit},
			{Name: "limit_bounce_to_ip", Value: &c.BounceToIP, Example: "5:0.000277778",
				Doc: "Bounces from each client to each recipient." + unit},
			{Name: "limit_bounce_addrs", Value: &c.BounceAddrs,
				Doc: "Local parts of the senders whose mail is a bounce; <> is the empty sender."},
			{Name: "limit_ours", Value: &c.Ours,
				Doc: "Whether limit_to, limit_to_ip and the limits of bounces count the mail of our own users and networks. Trusted relays and mail from this machine are never limited."},
			{Name: "limit_whitelist", Aliases: []string{"limit_whitelist_ip"}, Value: &c.Whitelist,
				Doc: "Clients without limits: addresses, networks or host names."},
			{Name: "limit_whitelist_user", Value: &c.WhitelistUser, Example: "newsletter, @lists.example.com",
				Doc: "SASL logins without limits: user, @domain or user@domain."},
			{Name: "limit_whitelist_rcpt", Value: &c.WhitelistTo,
				Doc: "Recipients without limits: user, @domain or user@domain."},
		},
	}}
}

// check finds what contradicts itself.
func (c *Config) check(warn func(option, format string, args ...any)) {
	if bounces := !c.BounceTo.Off() || !c.BounceToIP.Off(); bounces && len(c.BounceAddrs) == 0 {
		warn("limit_bounce_addrs", "no mail is a bounce with this empty list, so the limits of bounces have no effect; expected senders such as <>")
	}
	for _, a := range c.BounceAddrs {
		if strings.Contains(a, "@") {
			warn("limit_bounce_addrs", "%s matches no sender; expected what stands before its @", a)
		}
	}
	if p, broad := c.Whitelist.TooBroad(); broad {
		warn("limit_whitelist", "%s is nearly everybody; expected your own networks, or enable = no", p)
	}
}

// limits returns the buckets in the order of shapes.
func (c *Config) limits() [len(shapes)]ucl.Bucket {
	if !c.Enable {
		return [len(shapes)]ucl.Bucket{}
	}
	return [...]ucl.Bucket{c.User, c.BounceTo, c.BounceToIP, c.ToIPFrom, c.ToIP, c.To}
}

// Bounds of what a store counts with.
const (
	maxEvery = 1000 * 24 * time.Hour
	maxFull  = 100 * 365 * 24 * time.Hour // until a bucket is full again
)

// limitOf returns what a store counts with for a bucket that isn't off. It never allows
// more than the bucket.
func limitOf(b ucl.Bucket) store.Limit {
	burst := max(1, int64(b.Burst))
	// 200/3600 isn't exact in binary: its piece each 18 s must not become one each
	// 18.000001 s.
	micros := math.Ceil(1e6 / b.Rate * (1 - 1e-14))
	longest := min(maxEvery, maxFull/time.Duration(burst)).Truncate(time.Microsecond)
	every := longest
	if micros < float64(longest/time.Microsecond) {
		every = max(1, time.Duration(micros)) * time.Microsecond
	}
	return store.Limit{Burst: burst, Every: every}
}
