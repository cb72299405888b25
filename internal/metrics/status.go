package metrics

import "time"

// State says how well the daemon does its work. It is also the severity of a
// Problem, for which OK has no meaning.
type State string

// The states, from good to bad.
const (
	OK           State = "ok"            // all parts work
	Degraded     State = "degraded"      // mail is judged, but something is missing
	NotFiltering State = "not filtering" // mail passes unjudged or does not pass at all
)

// A Status is the answer of the status API. The names in its JSON form are a
// contract: new ones may come, none changes or goes. Times are RFC 3339 with the
// daemon's offset, sizes are bytes.
type Status struct {
	Version   string     `json:"version"`       // of the daemon
	Hostname  string     `json:"hostname"`      // this machine's name; "" unknown
	State     State      `json:"state"`         // the worst severity of Problems, else "ok"
	Time      time.Time  `json:"time"`          // when this status was made
	Started   time.Time  `json:"started"`       // when the daemon began
	Uptime    int64      `json:"uptime"`        // whole seconds since Started
	Config    Config     `json:"config"`        // the configuration in force
	Listeners []Listener `json:"listeners"`     // in the order in which they were opened
	Sessions  Sessions   `json:"sessions"`      // milter connections now
	Spool     Spool      `json:"spool"`         // message bytes in flight now
	RSS       int64      `json:"rss,omitempty"` // resident memory (FreeBSD: the highest so far); absent when unknown
	Today     Counts     `json:"today"`         // since local midnight, or since the start if that was later
	Total     Counts     `json:"total"`         // since the start
	Stores    []Store    `json:"stores"`        // what keeps state
	DNS       DNS        `json:"dns"`           // of the resolver, since the start
	Lists     []DNSList  `json:"lists"`         // DNS lists in use; never null
	Problems  []Problem  `json:"problems"`      // the worst first, then the oldest; empty when all is well

	// Waiting is about how many messages greylisting deferred within a day, by this
	// process, that have not come again.
	Waiting int64 `json:"greylist_waiting"`
	// OverLimit are the users of ours who are over their limit, the latest first.
	OverLimit []OverLimit `json:"over_limit"`

	// WrongPasswords is how many the controller was given since the start.
	WrongPasswords int64 `json:"wrong_passwords,omitempty"`
}

// Config is what Status tells about the configuration in force.
type Config struct {
	Path         string    `json:"path"`                    // the main file; "" when there is none
	Hash         string    `json:"hash"`                    // short hash over all that was read
	ReloadTime   time.Time `json:"reload_time,omitzero"`    // the last reload, even if it failed; absent before the first
	ReloadResult string    `json:"reload_result,omitempty"` // "ok", or why the configuration before it stayed
	Restart      []string  `json:"restart,omitempty"`       // options that were changed and wait for a restart, until which they are as before
}

// A Listener is an address on which the daemon waits.
type Listener struct {
	Name    string `json:"name"`    // what is served there: "milter", "scan", "control"
	Address string `json:"address"` // as configured: "inet:9900@127.0.0.1", "127.0.0.1:11334"
	State   string `json:"state"`   // "ok", or what is wrong
}

// Sessions are the milter connections at one moment.
type Sessions struct {
	Open   int64 `json:"open"`    // connections open
	Max    int64 `json:"max"`     // the limit; 0 unknown
	InScan int64 `json:"in_scan"` // messages being scanned, from the milter or by HTTP
}

// Spool is the space that messages in flight take, in memory and on disk.
type Spool struct {
	Used  int64 `json:"used"`  // bytes
	Limit int64 `json:"limit"` // bytes; 0 unknown
}

// Counts are the counters of a period. They are read one after the other while
// the daemon works, so that sums may differ by the messages of that moment.
type Counts struct {
	Messages     int64            `json:"messages"`      // In and Ours together
	In           int64            `json:"in"`            // from strangers
	Ours         int64            `json:"ours"`          // from our own users and machines
	Verdicts     map[string]int64 `json:"verdicts"`      // messages by action, in rspamd's words; never null
	Scan         Times            `json:"scan"`          // how long scans took
	DeadlineHits int64            `json:"deadline_hits"` // scans that ran out of time
	FailedChecks int64            `json:"failed_checks"` // checks that gave no answer
	Panics       int64            `json:"panics"`        // programming errors that were caught
	Greylist     GreylistCounts   `json:"greylist"`      // of this process, as all that follows
	Limited      map[string]int64 `json:"limited"`       // recipients refused, by the limit; never null
	Replies      ReplyCounts      `json:"replies"`       // answers to our users' mail
	Published    int64            `json:"published"`     // messages that were published on a channel
}

// Times summarises durations. Values are within 4 % of the true ones, at least
// to the microsecond.
type Times struct {
	Count  int64   `json:"count"`     // how many were measured
	Median float64 `json:"median_ms"` // milliseconds; 0 when Count is 0
	P99    float64 `json:"p99_ms"`    // milliseconds that 99 of 100 did not exceed; 0 when Count is 0
}

// A Problem is something that keeps the daemon from doing all of its work and
// that has not ended yet.
type Problem struct {
	ID       string    `json:"id"`       // the key by which it was raised, for programs: "store"
	Severity State     `json:"severity"` // Degraded or NotFiltering
	Text     string    `json:"text"`     // what is wrong: "store redis 127.0.0.1:6379 refused"
	Effect   string    `json:"effect"`   // what it means for mail; may be empty
	Since    time.Time `json:"since"`    // when it was first raised
}
