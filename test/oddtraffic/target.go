// Package oddtraffic replays odd milter traffic against a running filter: cut off,
// oversized, reordered, repeated and senseless packets, every combination of flags,
// lost and slow clients. Each must come to a clean end, an answer or a close within a
// deadline; nothing may panic, and nothing may stay behind.
//
// It knows the wire and nothing of the filter. A test describes its filter as a
// [Target] and calls [Run].
package oddtraffic

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
)

// Target is a running filter.
type Target struct {
	// Dial opens a new connection to the filter. It is called by several goroutines
	// at once. The connection should have CloseWrite, as those of net have.
	Dial func() (net.Conn, error)
	// Count tells what the filter holds at the moment; nil when it can't be told.
	Count func() Counts
	// Faults gives the log lines so far that tell of a panic or a data race, the
	// oldest first; nil when the log isn't watched.
	Faults func() []string
}

// Counts is what a filter must give back.
type Counts struct {
	Goroutines  int // 0 when unknown
	Descriptors int // 0 when unknown
}

func (c Counts) over(base Counts) bool {
	return c.Goroutines > base.Goroutines || c.Descriptors > base.Descriptors
}

// InProcess counts for a filter in the test's own process. The test's own
// connections are counted too, so they must be closed when a test compares.
func InProcess() Counts {
	return Counts{Goroutines: runtime.NumGoroutine(), Descriptors: descriptors(os.Getpid())}
}

// Process counts for a filter in a process of its own: descriptors alone.
func Process(pid int) Counts { return Counts{Descriptors: descriptors(pid)} }

// descriptors needs a /proc as Linux has it; elsewhere nothing is counted.
func descriptors(pid int) int {
	d, err := os.Open(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return 0
	}
	return len(names)
}

// Log is a place for the filter to log to. It passes nothing on and keeps the lines
// that tell of a fault. Its methods may be called by several goroutines at once.
type Log struct {
	mu     sync.Mutex
	rest   []byte // of a line that hasn't ended
	faults []string
}

// Write takes what is logged.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		if fault(line) {
			l.faults = append(l.faults, string(line))
		}
		l.rest = rest
	}
}

func fault(line []byte) bool {
	line = bytes.ToLower(line)
	for _, word := range []string{"panic", "runtime error", "data race", "fatal error"} {
		if bytes.Contains(line, []byte(word)) {
			return true
		}
	}
	return false
}

// Faults gives the lines kept so far.
func (l *Log) Faults() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.faults...)
}
