package server

import (
	"rmilter/internal/metrics"
)

// status is the answer of rmilterctl status.
func (d *daemon) status() metrics.Status {
	s := d.figures.Snapshot()
	s.Hostname = d.env.Hostname
	s.Sessions.Open = int64(d.milter.Open())
	s.Spool.Used = d.env.Spool.Used()
	d.mu.Lock()
	s.Config = metrics.Config{Path: d.opts.ConfigPath, Hash: d.conf.Hash, ReloadTime: d.reload.at, ReloadResult: d.reload.result}
	d.mu.Unlock()
	for _, l := range d.listeners {
		s.Listeners = append(s.Listeners, metrics.Listener{Name: l.name, Address: l.address, State: "ok"})
	}
	return s
}

// checkHealth looks at what may break while the daemon runs.
func (d *daemon) checkHealth() {
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
