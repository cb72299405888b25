package config

import "rmilter/internal/ucl"

// Greylisting are the options of greylisting { }: what strangers are told to try again.
type Greylisting struct {
	Enable      ucl.Flag
	Timeout     ucl.Duration // how long a new triplet is deferred
	Expire      ucl.Duration // how long a triplet that was deferred is known
	ExpireWhite ucl.Duration // how long one that passed is known
	Warmup      ucl.Duration // how long everything passes after the store was found empty
	Whitelist   ucl.Networks // clients that are not deferred
	Message     ucl.String   // text of the reply
}

// DefaultGreylisting returns the defaults.
func DefaultGreylisting() Greylisting {
	return Greylisting{
		Enable:      true,
		Timeout:     300 * second,
		Expire:      day,
		ExpireWhite: 30 * day,
		Warmup:      600 * second,
		Message:     "Try again later",
	}
}

const day = 24 * 3600 * second

// Sections declares the options; see package ucl.
func (c *Greylisting) Sections() []*ucl.Section {
	const gone = "a client that passed is known for expire_white"
	s := &ucl.Section{
		Name:     "greylisting",
		Doc:      "Doubtful mail of strangers is deferred the first time: those who try again pass.",
		Unserved: true,
		Options: []ucl.Option{
			{Name: "enable", Value: &c.Enable,
				Doc: "Whether mail is greylisted."},
			{Name: "timeout", Value: &c.Timeout,
				Doc: "How long a new sender, recipient and client are told to try again."},
			{Name: "expire", Value: &c.Expire,
				Doc: "How long those that were told so are known. Who tries again later is new."},
			{Name: "expire_white", Value: &c.ExpireWhite,
				Doc: "How long those that passed are known."},
			{Name: "warmup", Value: &c.Warmup,
				Doc: "How long unknown ones pass after the store was found empty, as after a move to other servers."},
			{Name: "whitelist", Value: &c.Whitelist, Example: "192.0.2.0/24, [2001:db8::]/32",
				Doc: "Clients that are not greylisted: addresses, networks or host names."},
			{Name: "greylisted_message", Value: &c.Message,
				Doc: "Text of the reply, printable ASCII; the message's id is added."},
		},
		Ignored: []ucl.Ignored{
			{Name: "awl_enable", Note: gone},
			{Name: "awl_pool", Note: gone},
			{Name: "awl_hits", Note: gone},
			{Name: "awl_ttl", Note: gone},
		},
	}
	s.Check = func(warn func(option, format string, args ...any)) {
		if c.Expire <= c.Timeout && (s.IsSet("expire") || s.IsSet("timeout")) {
			at := "expire"
			if !s.IsSet(at) {
				at = "timeout"
			}
			warn(at, "with expire = %s and timeout = %s nobody passes, as each is forgotten before its time is over; expected an expire that is longer", &c.Expire, &c.Timeout)
		}
		if p, broad := c.Whitelist.TooBroad(); broad {
			warn("whitelist", "%s is nearly everybody; expected your own networks, or enable = no", p)
		}
	}
	return []*ucl.Section{s}
}
