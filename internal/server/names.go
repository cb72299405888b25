package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rmilter/internal/config"
	"rmilter/internal/dns"
	"rmilter/internal/metrics"
	"rmilter/internal/signing"
)

// keyCheckInterval is the time between two looks whether the keys fit their records in
// the DNS.
const keyCheckInterval = time.Hour

// openResolver begins to look up names.
func (d *daemon) openResolver(c *config.Config) (err error) {
	d.env.DNS, err = dns.New(c.DNS, dns.Env{Now: d.env.Now, Log: d.log})
	return err
}

// dnsStatus tells how the resolver does.
func (d *daemon) dnsStatus() metrics.DNS {
	milliseconds := func(t time.Duration) float64 { return float64(t.Microseconds()) / 1000 }
	stats := d.env.DNS.Stats()
	m := metrics.DNS{Lookups: stats.Lookups, Cached: stats.Hits, Stale: stats.Stale, Failures: stats.Unanswered,
		Queries: stats.Queries, Latency: milliseconds(stats.Latency), Servers: []metrics.DNSServer{}}
	for _, s := range stats.Servers {
		m.Servers = append(m.Servers, metrics.DNSServer{Address: s.Address.String(), Zones: s.Zones, Up: !s.Out, Since: s.Since,
			Queries: s.Queries, Answers: s.Answers, Failures: s.Timeouts + s.Failures, Latency: milliseconds(s.Latency)})
	}
	return m
}

// checkDNS tells which resolvers don't answer.
func (d *daemon) checkDNS() {
	var out []string
	stats := d.env.DNS.Stats()
	for _, s := range stats.Servers {
		if s.Out {
			out = append(out, s.Address.String())
		}
	}
	if len(out) == 0 {
		d.figures.Clear("dns")
		return
	}
	effect := "names are looked up elsewhere"
	if len(out) == len(stats.Servers) {
		effect = "mail is judged without the DNS"
	}
	d.figures.Raise(metrics.Problem{ID: "dns", Severity: metrics.Degraded, Text: "resolver " + strings.Join(out, ", ") + " doesn't answer", Effect: effect})
}

// checkKeys looks, now and then and out of the way, whether the signing keys fit what
// their domains publish.
func (d *daemon) checkKeys() {
	s := d.filter.Load().Signing()
	if err := s.Refresh(); err != nil {
		d.figures.Raise(metrics.Problem{ID: "dkim_files", Severity: metrics.Degraded, Text: strings.ReplaceAll(err.Error(), "\n", "; "), Effect: "some mail goes out unsigned"})
	} else {
		d.figures.Clear("dkim_files")
	}
	now := d.env.Now()
	if now.Sub(d.keysChecked) < keyCheckInterval || !d.checkingKeys.CompareAndSwap(false, true) {
		return
	}
	d.keysChecked = now
	go func() {
		defer d.checkingKeys.Store(false)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var wrong []string
		for _, k := range s.Check(ctx, signing.KeyLookup{Resolver: d.env.DNS}) {
			if k.Wrong() {
				wrong = append(wrong, k.Selector+"._domainkey."+k.Domain)
			}
		}
		if len(wrong) == 0 {
			d.figures.Clear("dkim_keys")
			return
		}
		p := metrics.Problem{ID: "dkim_keys", Severity: metrics.Degraded,
			Text:   fmt.Sprintf("%d signing keys don't match their records: %s", len(wrong), strings.Join(wrong[:min(len(wrong), 5)], ", ")),
			Effect: "signatures fail at the receivers; see rmilterctl dkim_check"}
		if d.figures.Raise(p) {
			d.log.Warn("signing keys don't match their records in the DNS", "keys", strings.Join(wrong, " "))
		}
	}()
}
