package server

import (
	"fmt"

	"rmilter/internal/metrics"
)

// status is the answer of rmilterctl status.
func (d *daemon) status() metrics.Status {
	s := d.figures.Snapshot()
	s.Hostname = d.env.Hostname
	s.Spool.Used = d.env.Spool.Used()
	s.Stores = d.storesStatus()
	s.DNS = d.dnsStatus()
	s.Lists = d.listsStatus()
	s.OverLimit = d.overLimit()
	d.mu.Lock()
	s.Config = metrics.Config{Path: d.opts.ConfigPath, Hash: d.conf.Hash, ReloadTime: d.reload.at, ReloadResult: d.reload.result, Restart: d.reload.restart}
	for _, l := range d.listeners {
		state := "ok"
		if d.down[l.address] {
			state = "failed"
		}
		s.Listeners = append(s.Listeners, metrics.Listener{Name: l.name, Address: l.address, State: state})
	}
	d.mu.Unlock()
	return s
}

// acceptFailed is told when no connection of an MTA can be accepted, and with nil when
// that is over.
func (d *daemon) acceptFailed(err error) {
	if err == nil {
		d.figures.Clear("accept")
		return
	}
	d.figures.Raise(metrics.Problem{ID: "accept", Severity: metrics.NotFiltering, Text: "no connection can be accepted: " + err.Error(),
		Effect: "mail may pass unfiltered"})
}

// checkHealth looks at what may break while the daemon runs.
func (d *daemon) checkHealth() {
	d.checkSpool()
	d.checkCrowd()
	d.checkFiles()
	d.checkErrands()
	d.checkStores()
	d.checkDNS()
	d.checkKeys()
	d.checkLists()
}

// checkCrowd looks whether connections are running out.
func (d *daemon) checkCrowd() {
	open, limit := d.milter.Open(), int(d.started.Server.MaxConnections)
	p := metrics.Problem{ID: "connections", Severity: metrics.Degraded,
		Text:   fmt.Sprintf("%d milter connections are open, max_connections is %d", open, limit),
		Effect: "mail on further ones is deferred"}
	switch {
	case d.milter.Full():
		p.Severity, p.Effect = metrics.NotFiltering, "further ones are not accepted, mail may pass unfiltered"
	case open < limit:
		if lasted, was := d.figures.Clear(p.ID); was {
			d.log.Info("connections are within max_connections again", "after", lasted.String())
		}
		return
	}
	if d.figures.Raise(p) {
		d.log.Error("too many milter connections", "open", open, "max_connections", limit)
	}
}

// checkSpool looks whether messages can be kept.
func (d *daemon) checkSpool() {
	err := d.env.Spool.Check()
	if err == nil {
		if lasted, was := d.figures.Clear("spool"); was {
			d.log.Info("spool works again", "after", lasted.String())
		}
		return
	}
	if d.figures.Raise(metrics.Problem{ID: "spool", Severity: metrics.Degraded, Text: err.Error(), Effect: "large mail is deferred"}) {
		d.log.Error("spool fails", "reason", err.Error())
	}
}
