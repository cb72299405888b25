package metrics

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Figures are the counters, gauges and problems of one daemon. They begin with
// the process and survive reloads. All methods are safe for concurrent use;
// counting takes a few atomic operations and no lock.
type Figures struct {
	now     func() time.Time
	started time.Time

	open, maxOpen, inScan atomic.Int64
	spooled, spoolLimit   atomic.Int64
	wrongPasswords        atomic.Int64

	total   counts
	today   atomic.Pointer[day]
	waiting waiting

	mu       sync.Mutex
	problems map[string]Problem // by ID
}

// New returns empty figures. Their start is the time now; the location of the
// times that now returns decides when midnight is.
func New(now func() time.Time) *Figures {
	f := &Figures{now: now, started: now(), problems: make(map[string]Problem)}
	f.today.Store(&day{number: dayNumber(f.started)})
	return f
}

// SessionOpened counts a new milter connection.
func (f *Figures) SessionOpened() { f.open.Add(1) }

// SessionClosed takes back what SessionOpened counted.
func (f *Figures) SessionClosed() { f.open.Add(-1) }

// SetMaxSessions tells how many milter connections are served at once.
func (f *Figures) SetMaxSessions(n int) { f.maxOpen.Store(int64(n)) }

// ScanBegan counts a message whose scan begins.
func (f *Figures) ScanBegan() { f.inScan.Add(1) }

// ScanEnded takes back what ScanBegan counted and records how long the scan took.
func (f *Figures) ScanEnded(took time.Duration) {
	f.inScan.Add(-1)
	f.total.scan.record(took)
	f.current().scan.record(took)
}

// Message counts a message that was answered: the action of its verdict, in
// rspamd's words, and whether it came from our own users or machines. More
// than 32 different actions are counted together as "other".
func (f *Figures) Message(action string, ours bool) {
	f.total.message(action, ours)
	f.current().message(action, ours)
}

// DeadlineHit counts a scan that ran out of time.
func (f *Figures) DeadlineHit() {
	f.total.deadlineHits.Add(1)
	f.current().deadlineHits.Add(1)
}

// ChecksFailed counts n checks that gave no answer for a message.
func (f *Figures) ChecksFailed(n int) {
	f.total.failedChecks.Add(int64(n))
	f.current().failedChecks.Add(int64(n))
}

// Panicked counts a programming error that was caught.
func (f *Figures) Panicked() {
	f.total.panics.Add(1)
	f.current().panics.Add(1)
}

// Spooled adds n bytes to the messages in flight; a negative n takes them off.
func (f *Figures) Spooled(n int64) { f.spooled.Add(n) }

// SetSpoolLimit tells how many bytes of messages may be in flight.
func (f *Figures) SetSpoolLimit(n int64) { f.spoolLimit.Store(n) }

// WrongPassword counts a password that the controller was given and that opens nothing.
func (f *Figures) WrongPassword() { f.wrongPasswords.Add(1) }

// Raise notes a problem under its ID, which programs may rely on. Raised again,
// it keeps its Since and takes the new text, effect and severity. A zero Since
// means now, an empty severity Degraded. Raise tells whether the problem is new,
// so that an outage gets one log line.
func (f *Figures) Raise(p Problem) bool {
	if p.Since.IsZero() {
		p.Since = f.now()
	}
	if p.Severity != NotFiltering {
		p.Severity = Degraded
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	old, known := f.problems[p.ID]
	if known {
		p.Since = old.Since
	}
	f.problems[p.ID] = p
	return !known
}

// Amend changes the text of a problem, if there is one with that ID.
func (f *Figures) Amend(id, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p, known := f.problems[id]; known {
		p.Text = text
		f.problems[id] = p
	}
}

// Clear ends the problem with that ID. It returns how long it lasted, and false
// when there was none.
func (f *Figures) Clear(id string) (time.Duration, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, known := f.problems[id]
	if !known {
		return 0, false
	}
	delete(f.problems, id)
	return max(0, f.now().Sub(p.Since)), true
}

// Snapshot returns all that the figures know. The caller, to whom it belongs,
// fills in Hostname, Config, Listeners, Stores, DNS, Lists and OverLimit.
func (f *Figures) Snapshot() Status {
	now := f.now()
	s := Status{
		Version:   Version,
		State:     OK,
		Time:      now,
		Started:   f.started,
		Uptime:    max(0, int64(now.Sub(f.started)/time.Second)),
		Listeners: []Listener{},
		Stores:    []Store{},
		DNS:       DNS{Servers: []DNSServer{}},
		Lists:     []DNSList{},
		OverLimit: []OverLimit{},
		Waiting:   f.waiting.read(now),
		Sessions:  Sessions{Open: f.open.Load(), Max: f.maxOpen.Load(), InScan: f.inScan.Load()},
		Spool:     Spool{Used: f.spooled.Load(), Limit: f.spoolLimit.Load()},
		RSS:       residentSize(),
		Today:     f.current().read(),
		Total:     f.total.read(),
		Problems:  f.sortedProblems(),

		WrongPasswords: f.wrongPasswords.Load(),
	}
	if len(s.Problems) > 0 {
		s.State = s.Problems[0].Severity
	}
	return s
}

// sortedProblems returns the worst first, then the oldest, so that the number of
// a problem in a list changes as little as possible.
func (f *Figures) sortedProblems() []Problem {
	f.mu.Lock()
	list := make([]Problem, 0, len(f.problems))
	for _, p := range f.problems {
		list = append(list, p)
	}
	f.mu.Unlock()
	slices.SortFunc(list, func(a, b Problem) int {
		// "not filtering" sorts after "degraded".
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// current returns the counters of this day. The first who asks after midnight
// begins them anew; a count that another goroutine adds to yesterday's at that
// moment is in the total only.
func (f *Figures) current() *day {
	n := dayNumber(f.now())
	for {
		d := f.today.Load()
		// A goroutine may come late with a time just before midnight: one day
		// back is no new day. More means that the clock was set.
		if n <= d.number && n >= d.number-1 {
			return d
		}
		fresh := &day{number: n}
		if f.today.CompareAndSwap(d, fresh) {
			return fresh
		}
	}
}

// A day holds the counters of one local day.
type day struct {
	number int64
	counts
}

// dayNumber counts days by the local calendar. Unlike the instant of midnight,
// which may not exist where clocks change at night, the date is always there.
func dayNumber(t time.Time) int64 {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)
}
