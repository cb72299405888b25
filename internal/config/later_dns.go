package config

import (
	"errors"
	"net/netip"

	"rmilter/internal/ucl"
)

// DNS are the options of dns { }.
type DNS struct {
	Nameservers ucl.Servers // resolvers by address; the default port is 53. Empty are those of resolv.conf
}

// DefaultDNS returns the defaults.
func DefaultDNS() DNS { return DNS{} }

// Sections declares the options; see package ucl.
func (c *DNS) Sections() []*ucl.Section {
	const own = "an option of rspamd; rmilter's resolver has its own"
	return []*ucl.Section{{
		Name:     "dns",
		Doc:      "The resolvers. One of your own is best: DNS lists refuse to answer large public ones.",
		Unserved: true,
		Options: []ucl.Option{
			{Name: "nameserver", Value: &nameserversValue{&c.Nameservers}, Example: "127.0.0.1, [::1]:5353",
				Doc: "Addresses of the resolvers, with :PORT when it is not 53. Without them those of /etc/resolv.conf are asked."},
		},
		Ignored: []ucl.Ignored{
			{Name: "timeout", Note: own},
			{Name: "retransmits", Note: own},
			{Name: "sockets", Note: own},
			{Name: "connections", Note: own},
		},
	}}
}

// A nameserversValue is a list of servers that are addresses.
type nameserversValue struct{ *ucl.Servers }

// Set implements ucl.Value.
func (v *nameserversValue) Set(n *ucl.Node, add bool) error {
	texts, err := n.Texts()
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range texts {
		var one ucl.Servers
		if err := one.Set(t, false); err != nil {
			errs = append(errs, err)
		}
		for _, s := range one {
			if _, err := netip.ParseAddr(s.Host); err != nil {
				errs = append(errs, t.Errorf("%.80q is not the address of a resolver; expected one such as 127.0.0.1", s))
			}
		}
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	return v.Servers.Set(n, add)
}
