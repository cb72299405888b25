package dns_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
)

func benchmark(b *testing.B) (*dns.Resolver, *dnstest.Server) {
	s := dnstest.Start(b, "*.example TXT \"v=spf1 mx -all\"")
	r, err := dns.New(config(s), dns.Env{ResolvConf: filepath.Join(b.TempDir(), "none")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	return r, s
}

func lookup(b *testing.B, l dns.Lookuper, name string) {
	if _, err := l.Lookup(b.Context(), name, dns.TypeTXT); err != nil {
		b.Error(err)
	}
}

func BenchmarkHit(b *testing.B) {
	r, _ := benchmark(b)
	lookup(b, r, "a.example")
	b.ReportAllocs()
	for b.Loop() {
		lookup(b, r, "a.example")
	}
}

func BenchmarkHitParallel(b *testing.B) {
	r, _ := benchmark(b)
	names := make([]string, 64)
	for i := range names {
		names[i] = fmt.Sprintf("a%d.example", i)
		lookup(b, r, names[i])
	}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			lookup(b, r, names[i%len(names)])
		}
	})
}

func BenchmarkHitOfMessage(b *testing.B) {
	r, _ := benchmark(b)
	lookup(b, r, "a.example")
	b.ReportAllocs()
	for b.Loop() {
		m := r.ForMessage(dns.Budget{})
		lookup(b, m, "a.example")
		m.Close()
	}
}

func BenchmarkMiss(b *testing.B) {
	r, _ := benchmark(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		lookup(b, r, fmt.Sprintf("a%d.example", i))
	}
}
