package server

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rmilter/internal/config"
	"rmilter/internal/mail"
	"rmilter/internal/metrics"
	"rmilter/scan"
)

// scanEnv is what the checks of a configuration may use. The directory is that of the
// start, as it doesn't change before a restart.
func scanEnv(c, started *config.Config, log *slog.Logger) scan.Env {
	return scan.Env{Now: time.Now, Log: log, DataDir: string(started.Server.DataDir), Delimiter: string(c.Filter.RecipientDelimiter),
		Ours:    func(a netip.Addr) bool { return c.Filter.OurNetworks.Contains(a) || c.Filter.TrustedRelays.Contains(a) },
		Domains: ownDomains(c, string(started.Server.Hostname))}
}

// ownDomains returns what we know of our own domains: that of this machine, and those that
// sign. Recipients have more.
func ownDomains(c *config.Config, hostname string) []string {
	domains := []string{mail.ParseAddress("x@" + hostname).Domain}
	for _, k := range c.DKIM.Domains {
		domains = append(domains, mail.ParseAddress("x@"+string(k.Domain)).Domain)
	}
	return slices.DeleteFunc(domains, func(d string) bool { return !strings.Contains(d, ".") || strings.Contains(d, "*") })
}

// checkFiles looks whether the administrator's rules and lists have changed. Those with
// faults are left as they were. Every fault is logged once, as long as they stay the same.
func (d *daemon) checkFiles() {
	const id = "files"
	err := d.filter.Load().Refresh()
	if err == nil {
		d.fileFaults = nil
		if lasted, was := d.figures.Clear(id); was {
			d.log.Info("rules and lists are in force again", "after", lasted.String())
		}
		return
	}
	faults := slices.DeleteFunc(strings.Split(err.Error(), "\n"), func(line string) bool {
		return strings.TrimLeft(line, " ") != line // the line of the file below its fault
	})
	text := faults[0]
	if n := len(faults) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more, see the log)", n)
	}
	d.figures.Raise(metrics.Problem{ID: id, Severity: metrics.Degraded, Text: text, Effect: "the rules and lists before are in force"})
	for _, f := range faults {
		if !slices.Contains(d.fileFaults, f) {
			d.log.Error("rules or lists not reloaded: those before stay", "reason", f)
		}
	}
	d.fileFaults = faults
}
