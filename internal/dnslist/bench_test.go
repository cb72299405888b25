package dnslist_test

import (
	"context"
	"net/netip"
	"testing"

	"rmilter/internal/dns"
	"rmilter/internal/dnslist"
)

// answers is a resolver whose cache knows everything.
type answers struct{}

func (answers) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	if name[0] == '2' {
		return dns.Answer{Name: name, Type: t, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 4})}, Cached: true}, nil
	}
	return dns.Answer{Name: name, Type: t, Cached: true}, &dns.Error{Name: name, Type: t, Kind: dns.NotFound}
}

// BenchmarkAsk is one question that the cache answers, without the cost of the cache.
func BenchmarkAsk(b *testing.B) {
	w := dnslist.NewWatch(dnslist.Env{DNS: answers{}})
	l := list("spamhaus")
	w.Use([]*dnslist.List{l})
	w.Check(context.Background())
	for name, q := range map[string]dnslist.Query{"clean": from(3), "listed": from(2)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if f, err := w.Ask(context.Background(), answers{}, l, q); err != nil || (len(f.Hits) > 0) != (name == "listed") {
					b.Fatal(f, err)
				}
			}
		})
	}
}
