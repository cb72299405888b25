package metrics

import (
	"sync/atomic"
	"time"
)

// GreylistCounts are what greylisting did in a period.
type GreylistCounts struct {
	Deferred int64 `json:"deferred"` // messages that were told to come again, each time they came
	New      int64 `json:"new"`      // those of them that were not known before
	Passed   int64 `json:"passed"`   // messages that came again and passed for the first time
	White    int64 `json:"white"`    // messages that passed as those like them had passed before
	Delay    Times `json:"delay"`    // from the first attempt to the one that passed
}

// ReplyCounts are what became of the messages of our users in a period.
type ReplyCounts struct {
	Stored     int64 `json:"stored"`     // Message-IDs remembered
	Recognised int64 `json:"recognised"` // messages that answer one of them
}

// A Store is one that keeps state.
type Store struct {
	For        []string  `json:"for"`     // what it keeps: "main", "grey", "white", "limits", "ids", "spam", "copy"
	Kind       string    `json:"kind"`    // "embedded" or "redis"
	Address    string    `json:"address"` // a folder, or servers
	State      string    `json:"state"`   // "ok", or why it cannot be used: the breaker is open
	Since      time.Time `json:"since,omitzero"`
	LastOutage time.Time `json:"last_outage,omitzero"` // when the last one that has ended began
	LastLasted float64   `json:"last_outage_seconds,omitempty"`
	Latency    float64   `json:"latency_ms"`     // median of what operations took lately; 0 unknown
	Keys       int64     `json:"keys,omitempty"` // about
	Size       int64     `json:"size,omitempty"` // bytes on disk
}

// DNS are the figures of the resolver since the start. Lookups that are neither Cached nor
// Stale nor Failures were answered by servers, some of them together with others of the same
// name. A failure that is remembered counts as Cached, too.
type DNS struct {
	Lookups  int64       `json:"lookups"`    // names that checks asked for
	Cached   int64       `json:"cached"`     // of them answered from memory
	Stale    int64       `json:"stale"`      // of them answered by what had expired, as no server answered in time
	Failures int64       `json:"failures"`   // of them without an answer: temperror
	Queries  int64       `json:"queries"`    // packets to servers
	Latency  float64     `json:"latency_ms"` // median of what servers took for their last answers; 0 unknown
	Servers  []DNSServer `json:"servers"`    // by address; never null
}

// A DNSServer is one that the resolver asks.
type DNSServer struct {
	Address  string    `json:"address"`         // with its port
	Zones    []string  `json:"zones,omitempty"` // that it is asked for; none for all others
	Up       bool      `json:"up"`              // it answers; otherwise it is asked last
	Since    time.Time `json:"since,omitzero"`  // since when it doesn't
	Queries  int64     `json:"queries"`         // packets to it
	Answers  int64     `json:"answers"`         // to them
	Failures int64     `json:"failures"`        // times that it was too slow, couldn't be reached, or gave no answer that can be read
	Latency  float64   `json:"latency_ms"`      // median of its last answers; 0 unknown
}

// A DNSList is one that mail is looked up in. Its counts are of the present day in UTC.
type DNSList struct {
	Name         string    `json:"name"`             // in the configuration
	Section      string    `json:"section"`          // "rbl" or "surbl"
	Zone         string    `json:"zone"`             // a key is shown as *
	State        string    `json:"state"`            // "ok", "untested", "out" while it can't be trusted, "off" when it isn't asked at all
	Reason       string    `json:"reason,omitempty"` // why it is out or off
	Since        time.Time `json:"since,omitzero"`   // since when it is in this state
	Tested       time.Time `json:"tested,omitzero"`  // its last test that had a result
	Queries      int64     `json:"queries"`          // questions that the cache had no answer for
	Limit        int64     `json:"limit,omitempty"`  // what its terms allow a day; 0 nothing is published
	Listed       int64     `json:"listed"`           // answers with a symbol, from the cache, too
	Blocked      int64     `json:"blocked"`          // answers that it doesn't answer us
	Undocumented int64     `json:"undocumented"`     // answers that mean nothing known
	Timeouts     int64     `json:"timeouts"`         // questions without an answer
	Latency      float64   `json:"latency_ms"`       // median of its last answers; 0 unknown
}

// An OverLimit is a user of ours who has sent more than he may.
type OverLimit struct {
	User    string    `json:"user"`
	Since   time.Time `json:"since"`   // the first refusal
	Last    time.Time `json:"last"`    // the latest
	Refused int64     `json:"refused"` // recipients
}

// stateCounts are the counters of what state is used for. The zero value is ready.
type stateCounts struct {
	greyDeferred, greyNew, greyPassed, greyWhite atomic.Int64
	delay                                        histogram
	limited                                      tally
	published, repliesStored, repliesRecognised  atomic.Int64
}

func (c *stateCounts) read(r *Counts) {
	r.Greylist = GreylistCounts{
		Deferred: c.greyDeferred.Load(), New: c.greyNew.Load(), Passed: c.greyPassed.Load(), White: c.greyWhite.Load(),
		Delay: c.delay.read(),
	}
	r.Limited = c.limited.read()
	r.Replies = ReplyCounts{Stored: c.repliesStored.Load(), Recognised: c.repliesRecognised.Load()}
	r.Published = c.published.Load()
}

// each calls f with the counters of the start and of today.
func (f *Figures) each(count func(*counts)) {
	count(&f.total)
	count(&f.current().counts)
}

// Greylisted counts a message that greylisting deferred; first says that it was new.
func (f *Figures) Greylisted(first bool) {
	f.each(func(c *counts) {
		c.greyDeferred.Add(1)
		if first {
			c.greyNew.Add(1)
		}
	})
	if first {
		f.waiting.add(f.now(), 1)
	}
}

// GreylistPassed counts a message that passed greylisting. What it waited for is 0 when
// those like it had passed before.
func (f *Figures) GreylistPassed(waited time.Duration) {
	f.each(func(c *counts) {
		if waited <= 0 {
			c.greyWhite.Add(1)
			return
		}
		c.greyPassed.Add(1)
		c.delay.record(waited)
	})
	if waited > 0 {
		f.waiting.add(f.now().Add(-waited), -1)
	}
}

// Limited counts a recipient that was refused by the limit of that name.
func (f *Figures) Limited(limit string) { f.each(func(c *counts) { c.limited.add(limit) }) }

// Remembered counts a message of ours whose answers will be recognised.
func (f *Figures) Remembered() { f.each(func(c *counts) { c.repliesStored.Add(1) }) }

// Recognised counts a message that answers one of ours.
func (f *Figures) Recognised() { f.each(func(c *counts) { c.repliesRecognised.Add(1) }) }

// Published counts a message that was published on a channel.
func (f *Figures) Published() { f.each(func(c *counts) { c.published.Add(1) }) }

// waitingHours is for how long a deferred message is held to be waiting: longer than
// greylisting's expire usually is nobody comes again.
const waitingHours = 24

// A waiting counts by the hour in which they first came who have not passed yet.
type waiting struct {
	hours [waitingHours]struct{ hour, count atomic.Int64 }
}

// add adds to the hour of t. An hour that begins takes the place of the one a day ago;
// what is counted in that very moment by another goroutine may be lost.
func (w *waiting) add(t time.Time, n int64) {
	hour := t.Unix() / 3600
	slot := &w.hours[((hour%waitingHours)+waitingHours)%waitingHours]
	if old := slot.hour.Load(); old < hour && slot.hour.CompareAndSwap(old, hour) {
		slot.count.Store(0)
	}
	if slot.hour.Load() == hour {
		slot.count.Add(n)
	}
}

// read returns how many wait.
func (w *waiting) read(now time.Time) int64 {
	var sum int64
	for i := range w.hours {
		if now.Unix()/3600-w.hours[i].hour.Load() < waitingHours {
			sum += max(0, w.hours[i].count.Load())
		}
	}
	return sum
}
