package server

import (
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// notify tells systemd a state, if it asked for them (sd_notify(3)).
func notify(state string) { systemd.SdNotify(false, state) }

// notifyReloading says that a reload has begun, as Type=notify-reload wants it.
func notifyReloading() { notify("RELOADING=1\n" + systemd.SdNotifyMonotonicUsec()) }

// notifyReady says that the daemon works.
func notifyReady() { notify("READY=1\nSTATUS=filtering") }

// notifyAlive tells systemd a state of a daemon that isn't stopping, which is the last
// one. It returns false when it is.
func (d *daemon) notifyAlive(tell func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.draining {
		tell()
	}
	return !d.draining
}

// watchdog returns the channel on which a sign of life is due, and how to stop it;
// nil when systemd wants none.
func watchdog() (<-chan time.Time, func()) {
	interval, err := systemd.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(interval / 2)
	return t.C, t.Stop
}
