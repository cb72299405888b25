package server

import (
	"context"
	"time"

	"rmilter/internal/dnslist"
	"rmilter/internal/metrics"
)

// listTestTime bounds one round of tests of the DNS lists.
const listTestTime = 45 * time.Second

// openLists makes ready to ask DNS lists. The resolver is there already.
func (d *daemon) openLists() {
	d.env.Lists = dnslist.NewWatch(dnslist.Env{Now: d.env.Now, Log: d.log, DNS: d.env.DNS, Resolvers: d.env.DNS.Servers,
		Raise: d.listFails, Clear: func(key string) { d.figures.Clear(key) }})
}

// listFails is told what is wrong with a DNS list, which is in the log already.
func (d *daemon) listFails(p dnslist.Problem) {
	d.figures.Raise(metrics.Problem{ID: p.Key, Severity: metrics.Degraded, Text: "DNS lists: " + p.Text, Effect: "mail is judged without what that list doesn't tell"})
}

// checkLists tests, now and then and out of the way, the DNS lists whose turn it is.
func (d *daemon) checkLists() {
	if !d.checkingLists.CompareAndSwap(false, true) {
		return
	}
	now := d.env.Now()
	if !d.listsDue.Swap(false) && now.Sub(d.listsChecked) < dnslist.CheckEvery {
		d.checkingLists.Store(false)
		return
	}
	d.listsChecked = now
	go func() {
		defer d.checkingLists.Store(false)
		ctx, cancel := context.WithTimeout(context.Background(), listTestTime)
		defer cancel()
		d.env.Lists.Check(ctx)
	}()
}

// listsStatus tells how the DNS lists do.
func (d *daemon) listsStatus() []metrics.DNSList {
	list := []metrics.DNSList{}
	for _, s := range d.env.Lists.Status() {
		list = append(list, metrics.DNSList{Name: s.Name, Section: s.Section, Zone: s.Zone, State: string(s.State), Reason: s.Reason, Since: s.Since, Tested: s.Tested,
			Queries: int64(s.Queries), Limit: int64(s.Limit), Listed: int64(s.Listed), Blocked: int64(s.Blocked), Undocumented: int64(s.Unknown), Timeouts: int64(s.Timeouts),
			Latency: float64(s.Latency.Microseconds()) / 1000})
	}
	return list
}
