package server

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"rmilter/internal/config"
	"rmilter/internal/dns"
	"rmilter/internal/metrics"
	"rmilter/internal/signing"
)

// keyCheckInterval is the time between two looks whether the keys fit their records in
// the DNS.
const keyCheckInterval = time.Hour

// wrongKeyInterval is that time while some don't.
const wrongKeyInterval = time.Minute

// maxKeysTold is how many of them status names.
const maxKeysTold = 5

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

// A keyWatch is what is known of the signing keys.
type keyWatch struct {
	mu      sync.Mutex
	at      time.Time // when they were compared with their records last
	running bool      // they are being compared
	again   bool      // they must be compared once more after that
	wrong   bool      // some didn't match
	text    string    // of the problem, as it was logged
}

// checkKeys looks whether the signing keys can be used, and now and then, out of the
// way, whether they fit what their domains publish.
func (d *daemon) checkKeys() {
	d.checkKeyFiles()
	d.compareKeys(false)
}

// checkKeyFiles tells of the key files that can't be used.
func (d *daemon) checkKeyFiles() {
	const id = "dkim_files"
	err := d.filter.Load().Signing().Refresh()
	if err == nil {
		if lasted, was := d.figures.Clear(id); was {
			d.log.Info("signing keys can be used again", "after", lasted.String())
		}
		return
	}
	faults := strings.Split(err.Error(), "\n")
	text := faults[0]
	if n := len(faults) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more, see the log)", n)
	}
	d.figures.Raise(metrics.Problem{ID: id, Severity: metrics.Degraded, Text: text, Effect: "signatures are missing, or made with the key before"})
}

// compareKeys compares the signing keys with their records, out of the way: when it is
// time, or at once.
func (d *daemon) compareKeys(atOnce bool) {
	k := &d.keys
	k.mu.Lock()
	defer k.mu.Unlock()
	interval := keyCheckInterval
	if k.wrong {
		interval = wrongKeyInterval
	}
	switch {
	case k.running:
		k.again = k.again || atOnce
		return
	case !atOnce && d.env.Now().Sub(k.at) < interval:
		return
	}
	k.running = true
	go func() {
		for more := true; more; {
			more = d.compareKeysNow()
		}
	}()
}

// compareKeysNow compares the keys and tells of those that don't match. The result is
// whether to do so again.
func (d *daemon) compareKeysNow() (again bool) {
	list, err := d.comparedKeys()
	k := &d.keys
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = d.env.Now()
	if k.again {
		k.again = false
		return true // there are other keys since
	}
	k.running = false
	if err != nil {
		d.log.Error("signing keys can't be compared with the DNS", "reason", err.Error())
		return false
	}
	var wrong []string
	unknown := false
	for _, s := range list {
		switch {
		case s.Wrong():
			wrong = append(wrong, fmt.Sprintf("%s._domainkey.%s (%s)", s.Selector, s.Domain, s.State))
		case s.State != signing.OK:
			unknown = true
		}
	}
	if len(wrong) == 0 {
		if unknown && k.wrong {
			return false // perhaps it is as it was
		}
		k.wrong, k.text = false, ""
		if lasted, was := d.figures.Clear("dkim_keys"); was {
			d.log.Info("signing keys match their records again", "after", lasted.String())
		}
		return false
	}
	text := strings.Join(wrong[:min(len(wrong), maxKeysTold)], ", ")
	if len(wrong) == 1 {
		text = "1 signing key doesn't match its record: " + text
	} else {
		text = fmt.Sprintf("%d signing keys don't match their records: %s", len(wrong), text)
	}
	d.figures.Raise(metrics.Problem{ID: "dkim_keys", Severity: metrics.Degraded, Text: text,
		Effect: "signatures fail at the receivers; see rmilterctl dkim_check"})
	if text != k.text {
		d.log.Warn("signing keys don't match their records in the DNS", "keys", strings.Join(wrong, " "))
	}
	k.wrong, k.text = true, text
	return false
}

// comparedKeys compares the keys with what the resolvers say now: what the daemon's own
// remembers is from before a record was mended.
func (d *daemon) comparedKeys() ([]signing.KeyStatus, error) {
	d.mu.Lock()
	conf := d.conf.DNS
	d.mu.Unlock()
	resolver, err := dns.New(conf, dns.Env{Now: d.env.Now})
	if err != nil {
		return nil, err
	}
	defer resolver.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return d.filter.Load().Signing().Check(ctx, signing.KeyLookup{Resolver: resolver}), nil
}
