package logs

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// choose is what Auto means.
func choose(inJournal, terminal, syslog bool) string {
	switch {
	case inJournal:
		return Journal
	case terminal:
		return Stderr
	case syslog:
		return Syslog
	}
	return Stderr
}

// inJournal tells whether standard error is connected to systemd's journal. The
// variable alone does not say so: it is inherited by programs whose standard error
// was redirected since (systemd.exec(5), JOURNAL_STREAM).
func (o Options) inJournal() bool {
	stream := o.Getenv("JOURNAL_STREAM")
	if stream == "" {
		return false
	}
	info, err := o.Stderr.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// terminal tells whether a person may be reading standard error: it is a character
// device other than the null device.
func (o Options) terminal() bool {
	info, err := o.Stderr.Stat()
	if err != nil || info.Mode()&fs.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeSocket != 0
}
