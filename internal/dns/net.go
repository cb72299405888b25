package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

// A Net asks as net.Resolver does and fails with a bare *net.DNSError, for libraries
// that were made for that. Names that are none are not found.
type Net struct{ Lookuper }

// LookupTXT returns the TXT records of a name, the strings of each joined.
func (n Net) LookupTXT(ctx context.Context, name string) ([]string, error) {
	a, err := n.Lookup(ctx, name, TypeTXT)
	return a.Texts, netError(name, a, err)
}

// LookupMX returns the mail exchangers of a name in the order of the answer.
func (n Net) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	a, err := n.Lookup(ctx, name, TypeMX)
	var list []*net.MX
	for _, m := range a.MXs {
		list = append(list, &net.MX{Host: m.Host + ".", Pref: m.Preference})
	}
	return list, netError(name, a, err)
}

// LookupIPAddr returns the addresses of a host. It fails if only one of the two
// questions for them found nothing because of a temporary failure: half the truth could
// become a wrong verdict.
func (n Net) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	var list []net.IPAddr
	var firstErr error
	for _, t := range []Type{TypeA, TypeAAAA} {
		a, err := n.Lookup(ctx, host, t)
		for _, addr := range a.Addrs {
			list = append(list, net.IPAddr{IP: addr.AsSlice()})
		}
		if e, ok := errors.AsType[*Error](err); ok && e.Temporary() {
			return nil, netError(host, a, err)
		}
		if firstErr == nil {
			firstErr = netError(host, a, err)
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	return nil, firstErr
}

// LookupAddr returns the names of an address by its PTR records.
func (n Net) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, &net.DNSError{Err: "unrecognized address", Name: addr}
	}
	a, err := n.Lookup(ctx, Reverse(ip), TypePTR)
	var names []string
	for _, name := range a.Names {
		names = append(names, name+".")
	}
	return names, netError(addr, a, err)
}

// netError returns an error as package net has it, nil for nil.
func netError(name string, a Answer, err error) error {
	if err == nil {
		return nil
	}
	d := &net.DNSError{Err: err.Error(), UnwrapErr: err, Name: name}
	if a.Server.IsValid() {
		d.Server = a.Server.String()
	}
	if e, ok := errors.AsType[*Error](err); ok {
		d.IsTimeout, d.IsTemporary, d.IsNotFound = e.Timeout(), e.Temporary(), !e.Temporary()
	}
	return d
}
