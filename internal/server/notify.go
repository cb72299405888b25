package server

import (
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// notify tells systemd a state, if it asked for them (sd_notify(3)).
func notify(state string) { systemd.SdNotify(false, state) }

// notifyReloading says that a reload has begun, as Type=notify-reload wants it.
func notifyReloading() { notify("RELOADING=1\n" + systemd.SdNotifyMonotonicUsec()) }

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
