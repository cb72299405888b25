package server

import (
	"log/slog"
	"strings"
	"time"

	"rmilter/internal/config"
	"rmilter/internal/metrics"
	"rmilter/scan"
)

// scanEnv is what the checks of a configuration may use. The directory is that of the
// start, as it doesn't change before a restart.
func scanEnv(c, started *config.Config, log *slog.Logger) scan.Env {
	return scan.Env{Now: time.Now, Log: log, DataDir: string(started.Server.DataDir), Delimiter: string(c.Filter.RecipientDelimiter)}
}

// checkFiles looks whether the administrator's rules and lists have changed. Those with
// faults are left as they were.
func (d *daemon) checkFiles() {
	const id = "files"
	err := d.filter.Load().Refresh()
	if err == nil {
		if lasted, was := d.figures.Clear(id); was {
			d.log.Info("rules and lists are in force again", "after", lasted.String())
		}
		return
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	if d.figures.Raise(metrics.Problem{ID: id, Severity: metrics.Degraded, Text: first, Effect: "the rules and lists before are in force"}) {
		d.log.Error("rules or lists not reloaded: those before stay", "reason", first)
	}
}
