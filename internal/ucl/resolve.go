package ucl

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

const (
	// ResolveTimeout is how long Resolve takes at most for all names together.
	ResolveTimeout = 2 * time.Second

	resolveAtOnce = 16
	maxHosts      = 1000 // items with host names in all lists together
	maxAddrs      = 256  // addresses of one name
)

// A LookupFunc returns the addresses of a host name, as net.Resolver.LookupNetIP
// does.
type LookupFunc func(ctx context.Context, host string) ([]netip.Addr, error)

// Resolve looks up the host names in the network lists of a section and of those
// within it, all within ResolveTimeout. A name that has no addresses is left out of
// its list with a warning. Call it after the last Decode and before Finish.
func Resolve(ctx context.Context, s *Section, lookup LookupFunc, ds *Diagnostics) {
	var lists []*Networks
	hosts, items, last := map[string]*hostAnswer{}, 0, Pos{}
	s.walk(func(o *Option) {
		ns, ok := o.Value.(*Networks)
		if !ok {
			return
		}
		lists = append(lists, ns)
		for _, item := range ns.items {
			if item.host != "" && items <= maxHosts {
				items++
				hosts[item.host] = &hostAnswer{}
				last = item.pos
			}
		}
	})
	if items > maxHosts {
		ds.Add(Fault, last, "too many host names in lists of networks; expected at most %d", maxHosts)
		return
	}
	lookUpAll(ctx, hosts, lookup)
	for _, ns := range lists {
		ns.resolved(hosts, ds)
	}
}

// A hostAnswer is what a host name stands for.
type hostAnswer struct {
	addrs []netip.Addr
	err   error
}

// lookUpAll fills in the answers. It returns in time even when lookup does not
// heed its context.
func lookUpAll(ctx context.Context, hosts map[string]*hostAnswer, lookup LookupFunc) {
	if len(hosts) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, ResolveTimeout)
	defer cancel()
	type named struct {
		host string
		hostAnswer
	}
	answers := make(chan named, len(hosts))
	queue := make(chan string, len(hosts))
	for host, a := range hosts {
		a.err = context.DeadlineExceeded
		queue <- host
	}
	close(queue)
	var wg sync.WaitGroup
	for range min(resolveAtOnce, len(hosts)) {
		wg.Go(func() {
			for host := range queue {
				if ctx.Err() != nil {
					return
				}
				addrs, err := lookup(ctx, host)
				answers <- named{host, hostAnswer{addrs, err}}
			}
		})
	}
	for range len(hosts) {
		select {
		case a := <-answers:
			*hosts[a.host] = a.hostAnswer
		case <-ctx.Done():
			return
		}
	}
}

// resolved puts the addresses of host names into the list.
func (ns *Networks) resolved(hosts map[string]*hostAnswer, ds *Diagnostics) {
	items := make([]network, len(ns.items))
	copy(items, ns.items)
	for i := range items {
		item := &items[i]
		if item.host == "" {
			continue
		}
		answer := hosts[item.host]
		item.found = nil
		if n := len(answer.addrs); n > maxAddrs {
			ds.Add(Warning, item.pos, "the host name %s has %d addresses; expected at most %d, the others are left out", quoteFor(item.host), n, maxAddrs)
		}
		for _, a := range answer.addrs[:min(len(answer.addrs), maxAddrs)] {
			// A mask meant for IPv4 would open a vast part of IPv6, so it counts for the
			// family it fits: up to 32 for IPv4, above for IPv6.
			bits := item.bits
			if a = a.Unmap().WithZone(""); a.Is4() != (bits <= 32) {
				bits = -1
			}
			if p, ok := makePrefix(a, bits); ok {
				item.found = append(item.found, p)
			}
		}
		switch {
		case answer.err != nil:
			ds.Add(Warning, item.pos, "cannot look up the host name %s: %v; it is left out of the list", quoteFor(item.host), answer.err)
		case len(item.found) == 0:
			ds.Add(Warning, item.pos, "the host name %s has no addresses; it is left out of the list", quoteFor(item.host))
		}
	}
	ns.items = items
}
