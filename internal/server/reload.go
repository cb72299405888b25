package server

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"rmilter/internal/config"
	"rmilter/internal/controller"
	"rmilter/internal/filter"
	"rmilter/internal/metrics"
	"rmilter/internal/signing"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// errStopping is the answer to a reload while the daemon drains.
var errStopping = errors.New("rmilter is stopping: the next start reads the configuration")

// reloadState is what status tells of the last reload.
type reloadState struct {
	at      time.Time // zero: none yet
	result  string    // "ok" or what was wrong
	restart []string  // options that wait for a restart
}

// newFilter builds the Filter of a configuration.
func (d *daemon) newFilter(c *config.Config) (*filter.Filter, error) {
	env := scanEnv(c, d.started, d.log)
	env.Lists = d.env.Lists
	engine, err := scan.NewEngine(c.Scan, env)
	if err != nil {
		return nil, err
	}
	if names := engine.Unknown(); len(names) > 0 {
		d.log.Warn(config.UnknownSymbols, "symbols", strings.Join(names, ", "))
	}
	rules := d.rules(c, engine)
	rules.Lists = engine.Lists()
	if f := d.filter.Load(); f != nil {
		rules.Signing, err = f.Signing().Next(c.DKIM)
	} else {
		rules.Signing, err = signing.New(c.DKIM, signing.Env{Now: d.env.Now, Log: d.log})
	}
	if err != nil {
		return nil, err
	}
	return filter.New(c.Filter, c.Policy, rules, d.env), nil
}

// enforce puts a Filter into force.
func (d *daemon) enforce(f *filter.Filter) {
	watch, lists := f.Lists()
	watch.Use(lists)
	d.listsDue.Store(true)
	d.filter.Store(f)
}

// reloadAtSignals reloads for every value, or once for several that came meanwhile. It
// ends when wanted is closed.
func (d *daemon) reloadAtSignals(wanted <-chan struct{}) {
	for range wanted {
		if _, err := d.Reload(); err != nil {
			d.log.Info("no reload", "reason", err.Error())
		}
	}
}

// Reload reads the configuration again. When it has faults, the one in force stays.
// What happened is logged and returned. Reloads take turns. An error is that the daemon
// is stopping, and nothing was read.
func (d *daemon) Reload() (controller.Reload, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if !d.notifyAlive(notifyReloading) {
		return controller.Reload{}, errStopping
	}
	defer d.notifyAlive(notifyReady)
	conf, remarks, err := config.Load(d.opts.ConfigPath, config.Options{DataDir: d.opts.DataDir})
	var next *filter.Filter
	if err == nil {
		next, err = d.newFilter(conf)
	}
	if err == nil {
		err = d.control.SetPolicy(d.controlPolicy(conf))
	}
	faults := ucl.Faults(err)
	d.logDiagnostics(append(remarks, faults...))
	answer := controller.Reload{Success: err == nil, Config: d.opts.ConfigPath, Restart: []string{}}
	answer.Faults, answer.Warnings, answer.Notices = ucl.Texts(faults, ucl.Fault), ucl.Texts(remarks, ucl.Warning), ucl.Texts(remarks, ucl.Notice)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reload.at = time.Now()
	if err != nil {
		d.keep(faults[0])
	} else {
		answer.Restart = append(answer.Restart, conf.RestartNeeded(d.started)...)
		d.apply(conf, next, answer.Restart)
	}
	answer.Hash = d.conf.Hash
	return answer, nil
}

// keep notes that the configuration in force stays. d.mu is held.
func (d *daemon) keep(first ucl.Diagnostic) {
	first.Line = ""
	d.reload.result = first.String()
	d.figures.Raise(metrics.Problem{ID: "config", Severity: metrics.Degraded, Text: "configuration not reloaded: " + d.reload.result,
		Effect: "the one before is in force"})
	d.log.Error("configuration not reloaded: the one before stays", "config", d.opts.ConfigPath)
}

// apply puts a configuration into force, but for the options that need a restart. d.mu
// is held.
func (d *daemon) apply(conf *config.Config, next *filter.Filter, restart []string) {
	for _, name := range restart {
		d.log.Warn("a changed option needs a restart; the old value stays", "option", name)
	}
	d.conf = conf
	d.level.Set(logLevel(conf, d.opts))
	d.enforce(next)
	if err := d.env.DNS.Apply(conf.DNS); err != nil {
		d.log.Error("resolvers as before", "reason", err.Error())
	}
	d.reload.result, d.reload.restart = "ok", restart
	d.figures.Clear("config")
	d.compareKeys(true)
	d.log.Info("configuration reloaded", "config", d.opts.ConfigPath, "hash", conf.Hash)
}

// logDiagnostics gives each remark one line of the log.
func (d *daemon) logDiagnostics(list []ucl.Diagnostic) {
	for _, diag := range list {
		log := d.log.Warn
		switch diag.Severity {
		case ucl.Fault:
			log = d.log.Error
		case ucl.Notice:
			log = d.log.Info
		}
		line := diag.Line
		diag.Line = ""
		if line == "" {
			log(diag.String())
		} else {
			log(diag.String(), "line", line)
		}
	}
}

// logLevel is the level in force.
func logLevel(c *config.Config, o Options) slog.Level {
	levels := map[string]slog.Level{"error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug}
	if o.Debug {
		return slog.LevelDebug
	}
	return levels[c.Server.LogLevel]
}
