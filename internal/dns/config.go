package dns

import (
	"errors"
	"net/netip"
	"slices"

	"rmilter/internal/ucl"
)

// port is the port of DNS.
const port = 53

// Config are the options of dns { }.
type Config struct {
	Nameservers ucl.Servers // resolvers by address; the default port is 53. Empty are those of resolv.conf
	Zones       []*Zone     // zones that have servers of their own
}

// A Zone has servers of its own: a list that a local rbldnsd serves, for example. They
// are asked for the name of the zone and for all below it that is in no deeper Zone.
type Zone struct {
	Name        string      // in lower case without the final dot
	Nameservers ucl.Servers // by address; the default port is 53
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{} }

// Sections declares the options; see package ucl. Zones that are read are appended to
// c.Zones.
func (c *Config) Sections() []*ucl.Section {
	const own = "an option of rspamd; rmilter's resolver has its own"
	return []*ucl.Section{{
		Name: "dns",
		Doc:  "The resolvers. One of your own is best: DNS lists refuse to answer large public ones.",
		Options: []ucl.Option{
			{Name: "nameserver", Value: &nameserversValue{&c.Nameservers}, Example: "127.0.0.1, [::1]:5353",
				Doc: "Addresses of the resolvers, with :PORT when it is not 53. The first that works is asked. Without them those of /etc/resolv.conf are."},
		},
		Sections: []*ucl.Section{c.zone()},
		Ignored: []ucl.Ignored{
			{Name: "timeout", Note: own},
			{Name: "retransmits", Note: own},
			{Name: "sockets", Note: own},
			{Name: "connections", Note: own},
		},
	}}
}

// zone declares the blocks of zones.
func (c *Config) zone() *ucl.Section {
	sections := map[string]*ucl.Section{}
	return &ucl.Section{
		Name: "zone",
		Key:  "DOMAIN",
		Doc:  "Servers of its own for a domain and all below it, such as a local copy of a DNS list.",
		Repeat: func(key string) *ucl.Section {
			name, ok := Normalize(key)
			if !ok {
				return nil
			}
			if s := sections[name]; s != nil {
				return s
			}
			z := &Zone{Name: name}
			c.Zones = append(c.Zones, z)
			s := &ucl.Section{
				Name: "zone",
				Key:  "DOMAIN",
				Options: []ucl.Option{
					{Name: "nameserver", Value: &nameserversValue{&z.Nameservers}, Example: "127.0.0.1:530", Required: true,
						Doc: "Addresses of the servers, with :PORT when it is not 53."},
				},
			}
			sections[name] = s
			return s
		},
	}
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

// addresses returns servers of a configuration in the order in which they are asked:
// those of higher priority first, each once.
func addresses(servers ucl.Servers) ([]netip.AddrPort, error) {
	servers = slices.Clone(servers)
	slices.SortStableFunc(servers, func(a, b ucl.Server) int { return b.Priority - a.Priority })
	var list []netip.AddrPort
	for _, s := range servers {
		a, err := netip.ParseAddr(s.Host)
		if err != nil {
			return nil, errors.New("dns: " + s.String() + " is not an address")
		}
		p := netip.AddrPortFrom(a.Unmap(), port)
		if s.Port != 0 {
			p = netip.AddrPortFrom(a.Unmap(), uint16(s.Port))
		}
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list, nil
}
