package server

import (
	"bytes"
	"log/slog"
	"strings"
	"time"

	"rmilter/internal/config"
	"rmilter/internal/filter"
	"rmilter/internal/metrics"
	"rmilter/scan/checks"
)

// newFilter builds the Filter of a configuration.
func (d *daemon) newFilter(c *config.Config) *filter.Filter {
	return filter.New(c.Filter, c.Policy, checks.NewScanner(checks.Patterns(c.Filter.GTUBEPatterns), time.Now), d.env)
}

// Reload reads the configuration again. When it has faults, the one in force stays and
// the faults are logged.
func (d *daemon) Reload() {
	notifyReloading()
	defer notify("READY=1\nSTATUS=filtering")
	var said bytes.Buffer
	conf, err := load(d.opts, &said)
	for line := range strings.Lines(said.String()) {
		line = strings.TrimPrefix(strings.TrimRight(line, "\n"), "rmilter: ")
		if err == nil {
			d.log.Warn(line)
		} else {
			d.log.Error(line)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reload.at = time.Now()
	if err != nil {
		d.reload.result, _, _ = strings.Cut(err.Error(), "\n")
		d.figures.Raise(metrics.Problem{ID: "config", Severity: metrics.Degraded, Text: "configuration not reloaded: " + d.reload.result,
			Effect: "the one before is in force"})
		d.log.Error("configuration not reloaded: the one before stays", "config", d.opts.ConfigPath)
		return
	}
	for _, name := range conf.RestartNeeded(d.started) {
		d.log.Warn("a changed option needs a restart; the old value stays", "option", name)
	}
	if err := d.control.SetPolicy(d.controlPolicy(conf)); err != nil {
		d.log.Error("controller's password stays as it was", "reason", err.Error())
	}
	d.conf = conf
	d.level.Set(logLevel(conf, d.opts))
	d.filter.Store(d.newFilter(conf))
	d.reload.result = "ok"
	d.figures.Clear("config")
	d.log.Info("configuration reloaded", "config", d.opts.ConfigPath, "hash", conf.Hash)
}

// logLevel is the level in force.
func logLevel(c *config.Config, o Options) slog.Level {
	levels := map[string]slog.Level{"error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug}
	if o.Debug {
		return slog.LevelDebug
	}
	return levels[c.Server.LogLevel]
}
