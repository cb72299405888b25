// Package store says what keeps the state that outlives a message, whether that is this
// machine's own store or Redis: records, counters, buckets, logs and leases under
// readable names.
//
// All operations are safe for concurrent use. Each takes one round trip to each node
// that it concerns. The operations of one call stand by themselves: they are not a
// transaction, but each is atomic. What a store can't tell is an error that wraps
// ErrUnavailable, which is never the same as what isn't there.
package store

import (
	"context"
	"errors"
	"time"
)

// Bounds of what a store takes. What is beyond them is refused with ErrTooLarge.
const (
	MaxKey   = 512     // bytes of a key, a log's or a lease's name
	MaxValue = 1 << 20 // bytes of a value or of an entry of a log
	MaxBatch = 10000   // operations of one call
)

// Errors of stores.
var (
	// ErrUnavailable is wrapped by the errors of a store that cannot be asked, or that
	// cannot keep what it is given. The text says why and names the store's address.
	ErrUnavailable = errors.New("store unavailable")
	// ErrNoChannels is the error of Publish where nobody can listen.
	ErrNoChannels = errors.New("the embedded store has no channels: publishing needs Redis")
	// ErrTooLarge is wrapped by the errors of what is beyond the bounds of this package,
	// and of empty keys.
	ErrTooLarge = errors.New("beyond the bounds of the store")
	// ErrCorrupt is wrapped by the errors of a value that isn't what its operation keeps
	// there, such as a counter's that is no number.
	ErrCorrupt = errors.New("not a value of this kind")
)

// A Store keeps state. Times are its own: one clock for all who share it.
type Store interface {
	// Get returns the values of keys in their order, nil for each that isn't there.
	Get(ctx context.Context, keys ...string) ([][]byte, error)
	// Put makes changes and tells in their order what became of each.
	Put(ctx context.Context, changes ...Change) ([]Outcome, error)
	// Add adds to counters, which are 0 where there are none, and returns their new
	// values in the order of the increments.
	Add(ctx context.Context, increments ...Increment) ([]int64, error)
	// Take takes from buckets, as far as they have room, and tells in their order which
	// gave.
	Take(ctx context.Context, buckets ...Bucket) ([]Grant, error)
	// Give gives back what was taken, each to its bucket. A bucket never has more room
	// for it than if the taking had never happened.
	Give(ctx context.Context, returns ...Return) error
	// Append adds entries to the end of a log and returns the position of the last.
	Append(ctx context.Context, log string, entries ...[]byte) (Position, error)
	// Read returns up to n entries of a log that come after a position, the oldest
	// first. "" is the position before the first. A log that isn't there is empty.
	Read(ctx context.Context, log string, after Position, n int) ([]Entry, error)
	// Trim removes the entries of a log up to a position, and that one too.
	Trim(ctx context.Context, log string, upTo Position) error
	// Lease gives a name to a holder, or to him for longer when he has it already, and
	// returns who has it. A time of 0 gives it up.
	Lease(ctx context.Context, name, holder string, time time.Duration) (has string, err error)
	// Delete removes keys, counters, buckets and logs alike, and returns how many there
	// were.
	Delete(ctx context.Context, keys ...string) (int, error)
	// List returns about n of the keys that begin with a prefix, with their values, and
	// where to go on: "" when it is through. It begins with from = "". What is there
	// from the first call to the last is returned at least once, in no certain order.
	// Logs are not listed. It is for people and for what runs at night, not for mail.
	List(ctx context.Context, prefix, from string, n int) (items []Item, next string, err error)
	// Lifetime returns how long keys remain, in their order: Forever or Absent, where
	// that is so.
	Lifetime(ctx context.Context, keys ...string) ([]time.Duration, error)
	// Publish sends a message to those who listen on a channel and returns how many
	// they are. ErrNoChannels means that the store never does this.
	Publish(ctx context.Context, channel string, message []byte) (int, error)
	// Health returns how well the store does, without asking it.
	Health() Health
	// Close ends the store. What was promised to be kept is kept.
	Close() error
}

// Values of Lifetime that aren't times.
const (
	Forever time.Duration = 0
	Absent  time.Duration = -1
)

// A Change sets the value of a key, under a condition.
type Change struct {
	Key      string
	Value    []byte
	Lifetime time.Duration // Forever, or at least a millisecond
	If       Condition
	Old      []byte // with Unchanged: the value that it must have
	// Volatile says that the change may be lost when the machine fails within a tenth of
	// a second. Any other is kept when Put has returned, as far as the store can
	// promise it: Redis keeps what it is configured to keep.
	Volatile bool
}

// A Condition says when a Change is made.
type Condition byte

// The conditions.
const (
	Always    Condition = iota
	IfAbsent            // there is no value
	Unchanged           // the value is Old
)

// An Outcome tells what became of a Change.
type Outcome struct {
	Done    bool
	Current []byte // when it wasn't done: the value that is there, nil when there is none
}

// An Increment adds to a counter. Its value is a decimal number; sums that don't fit 64
// bits stay at the bound.
type Increment struct {
	Key      string
	By       int64
	Lifetime time.Duration // from its creation on; Forever for always
}

// A Position is a place in a log: text whose form is the store's own.
type Position string

// An Entry is one of a log.
type Entry struct {
	At   Position
	Data []byte
}

// An Item is what List returns of a key.
type Item struct {
	Key      string
	Value    []byte        // readable text
	Lifetime time.Duration // what remains: Forever or a time
}

// A Health is how well a store does.
type Health struct {
	Kind    string // "embedded" or "redis"
	Address string // where it is: a folder, or servers without secrets
	Up      bool
	Reason  string    // why it isn't up; "" when it is
	Since   time.Time // since when it is up or down
	// LastOutage is when the last outage that has ended began and how long it lasted;
	// zero before the first.
	LastOutage time.Time
	LastLasted time.Duration
	Latency    time.Duration // a moving median of what operations took; 0 unknown
	Keys       int64         // about how many there are; -1 unknown
	Size       int64         // bytes on disk; -1 unknown
}
