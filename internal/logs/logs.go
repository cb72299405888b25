// Package logs writes the daemon's log to where the system keeps it: the journal,
// syslog, or standard error.
//
// New returns a logger of the standard library, so that nobody who logs depends on
// this package. A record is one line: its message, then its attributes as
// key=value. The message is written as it is, since the line about a mail comes
// ready made; attribute values are quoted with Go's escapes where they need it.
// Nothing from outside can begin a line of its own or reach a terminal as a control
// sequence: what is not printable is escaped everywhere.
//
// The journal and syslog are written to from a bounded buffer and never hold up
// mail: when they do not take records, records are dropped and counted.
package logs

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"time"
)

// Targets of the log, as in the option `log`.
const (
	Auto    = "auto"     // the first that applies: journal, terminal, syslog, standard error
	Stderr  = "stderr"   // standard error
	Journal = "journald" // systemd's journal, native protocol
	Syslog  = "syslog"   // the local syslog daemon, facility mail, RFC 3164
)

// Formats of a record, as in the option `format`.
const (
	Text = "text" // the message and key=value
	JSON = "json" // one JSON object
)

// Options say where and how to log. The zero value means text of level Info and
// above to where Auto leads.
type Options struct {
	Target string           // Auto, Stderr, Journal or Syslog; "" means Auto
	Format string           // Text or JSON; "" means Text
	Level  slog.Leveler     // records below are not written; nil means Info; a *slog.LevelVar can change it later
	Name   string           // of the program in the journal and syslog; "" means rmilter
	Stderr *os.File         // standard error; nil means os.Stderr
	Now    func() time.Time // for records about the log itself; nil means time.Now

	Getenv        func(string) string // the environment; nil means os.Getenv
	JournalSocket string              // "" means /run/systemd/journal/socket
	SyslogSocket  string              // "" means /dev/log, on FreeBSD /var/run/log
}

// New returns a logger and what ends it: Close writes what is buffered, for two
// seconds at most, and later records are lost. A journal or syslog that cannot be
// reached is no error: that is told once on standard error, records wait in the
// buffer, and connecting is tried again. The error is about a Target or Format that
// does not exist.
//
// The Closer also has the method Dropped() uint64: how many records were lost.
func New(o Options) (*slog.Logger, io.Closer, error) {
	o = o.withDefaults()
	target := o.Target
	inJournal := o.inJournal()
	if target == Auto {
		target = choose(inJournal, o.terminal(), isSocket(o.SyslogSocket))
	}

	h := &handler{level: o.Level}
	switch o.Format {
	case Text:
		// The journal and syslog keep level and time themselves; of standard
		// error under systemd the journal adds the time.
		h.enc = &textEncoder{level: target == Stderr, time: target == Stderr && !inJournal, lines: target == Journal}
	case JSON:
		h.enc = newJSONEncoder()
	default:
		return nil, nil, fmt.Errorf("logs: unknown format %q: want text or json", o.Format)
	}
	var closer io.Closer
	switch target {
	case Stderr:
		w := &writer{w: o.Stderr}
		h.out, closer = w, w
	case Journal:
		q := newQueue(&journal{path: o.JournalSocket, name: o.Name}, o, h.enc)
		h.out, closer = q, q
	case Syslog:
		q := newQueue(&syslog{path: o.SyslogSocket, name: o.Name, pid: os.Getpid()}, o, h.enc)
		h.out, closer = q, q
	default:
		return nil, nil, fmt.Errorf("logs: unknown target %q: want auto, journald, syslog or stderr", o.Target)
	}
	return slog.New(h), closer, nil
}

func (o Options) withDefaults() Options {
	o.Target = cmp.Or(o.Target, Auto)
	o.Format = cmp.Or(o.Format, Text)
	o.Name = cmp.Or(o.Name, "rmilter")
	o.JournalSocket = cmp.Or(o.JournalSocket, "/run/systemd/journal/socket")
	if o.SyslogSocket == "" {
		o.SyslogSocket = "/dev/log"
		if runtime.GOOS == "freebsd" {
			o.SyslogSocket = "/var/run/log"
		}
	}
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	return o
}
