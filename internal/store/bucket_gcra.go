package store

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"time"
)

// Bounds of what a bucket remembers of single takes. A message has a few hundred
// recipients at most, all of whom may be one bucket's; if it is refused, each take has to
// be given back as if it had never been.
const (
	openTakes = 256              // how many: a record has up to 4 KB
	openFew   = 32               // how many also where the burst is small
	openFor   = 10 * time.Minute // how long
	maxAhead  = time.Minute      // that the clock may go back without all times following it
	maxDepth  = int64(1) << 52   // microseconds that a bucket is deep at most
	maxTime   = int64(1) << 53   // microseconds since 1970: beyond are no exact numbers in Lua

	maxArrival = maxTime - 1 - int64(maxEvery/time.Microsecond) // one more take is exact, too
)

// A BucketState is what a store keeps of a bucket: the rule of Take and Give, without
// any store. Times are whole microseconds. The zero BucketState is a bucket with all its
// room.
//
// It is the generic cell rate algorithm (GCRA, ITU-T I.371) with a memory: the latest
// takes stay apart from the sum of the others, so that giving one back leaves the bucket
// as if it had never been taken. Burst × Every counts as 142 years where it is more. It
// is not to be copied, nor used by several goroutines at once.
type BucketState struct {
	tat   int64   // theoretical arrival time of all takes that aren't open
	open  []int64 // times of the latest takes, oldest first
	moved bool    // Take or Give moved all times back
}

// ParseBucket reads what Append writes. What nobody can have written is a bucket with
// all its room.
func ParseBucket(value []byte) BucketState {
	if len(value) > (openTakes+1)*17 {
		return BucketState{}
	}
	var s BucketState
	n := bytes.Count(value, []byte(" "))
	if n > openTakes {
		return BucketState{}
	}
	if n > 0 {
		s.open = make([]int64, 0, n+1) // room for one more
	}
	for first := true; ; first = false {
		field, rest, more := bytes.Cut(value, []byte(" "))
		t, ok := parseTime(field)
		switch {
		case !ok, !first && t < s.newest():
			return BucketState{}
		case first:
			s.tat = t
		default:
			s.open = append(s.open, t)
		}
		if !more {
			return s
		}
		value = rest
	}
}

// parseTime reads a time as Append writes it.
func parseTime(digits []byte) (int64, bool) {
	if len(digits) == 0 || len(digits) > 16 || len(digits) > 1 && digits[0] == '0' {
		return 0, false
	}
	t := int64(0)
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		t = t*10 + int64(c-'0')
	}
	return t, t < maxTime
}

// Append appends the state as text: the theoretical arrival time and the times of the
// takes that can be given back exactly, in microseconds since 1970.
func (s *BucketState) Append(to []byte) []byte {
	to = strconv.AppendInt(to, s.tat, 10)
	for _, t := range s.open {
		to = strconv.AppendInt(append(to, ' '), t, 10)
	}
	return to
}

// Take takes a piece when the limit allows one now. Refusing changes nothing, unless
// Moved.
func (s *BucketState) Take(now time.Time, l Limit) Grant {
	at, every := s.clock(now), l.Every.Microseconds()
	tat, open := s.tat, s.open
	for len(open) > 0 && (len(open) >= most(l) || open[0] < at-openFor.Microseconds()) {
		tat, open = arrive(tat, open[0], every), open[1:]
	}
	before := max(arrivals(tat, open, every), at)
	if over := before + every - at - depth(l); over > 0 {
		return Grant{Used: pieces(before-at, every), Wait: time.Duration(over) * time.Microsecond}
	}
	s.tat, s.open = tat, append(s.open[:copy(s.open, open)], at)
	return Grant{Taken: true, At: time.UnixMicro(at), Used: pieces(before+every-at, every)}
}

// Give gives back the piece that was taken at a time. What time alone has restored of it
// isn't given twice.
func (s *BucketState) Give(now, at time.Time, l Limit) {
	then, clock := at.UnixMicro(), s.clock(now)
	if i := slices.Index(s.open, then); i >= 0 {
		s.open = slices.Delete(s.open, i, i+1)
		return
	}
	if then >= 0 && then <= clock {
		s.tat = max(0, s.tat-max(0, l.Every.Microseconds()-(clock-then)))
	}
}

// Used returns how many pieces of the burst are in use, rounded up.
func (s *BucketState) Used(now time.Time, l Limit) int64 {
	at, every := s.clock(now), l.Every.Microseconds()
	return pieces(max(0, s.arrival(every)-at), every)
}

// Lifetime returns how long the state has to be kept, in whole milliseconds: until the
// bucket has all its room again and no take can be given back exactly. With 0 there is
// nothing to keep.
func (s *BucketState) Lifetime(now time.Time, l Limit) time.Duration {
	us := max(0, s.arrival(l.Every.Microseconds())-s.clock(now))
	if len(s.open) > 0 {
		us = max(us, (openFor + time.Second).Microseconds())
	}
	return time.Duration(min((us+999)/1000, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

// Size returns about how many bytes the state takes.
func (s *BucketState) Size() int { return 32 + 8*cap(s.open) }

// Moved tells whether Take or Give moved all times back, since the clock had been ahead by
// more than a minute. A state that has moved has to be kept also when Take refused.
func (s *BucketState) Moved() bool { return s.moved }

// clock returns the time that counts: a clock that goes back a little frees nothing. When
// it goes back further it was wrong before, and nobody should wait until it is that late
// again: all times follow it.
func (s *BucketState) clock(now time.Time) int64 {
	at, newest := min(max(now.UnixMicro(), 0), maxTime-1), s.newest()
	ahead := newest - at
	if ahead <= maxAhead.Microseconds() {
		return max(at, newest)
	}
	s.moved, s.tat = true, max(0, s.tat-ahead)
	for i, t := range s.open {
		s.open[i] = max(0, t-ahead)
	}
	return at
}

func (s *BucketState) newest() int64 {
	if len(s.open) == 0 {
		return 0
	}
	return s.open[len(s.open)-1]
}

// arrival is the theoretical arrival time after all takes.
func (s *BucketState) arrival(every int64) int64 { return arrivals(s.tat, s.open, every) }

// arrivals is the theoretical arrival time after some takes.
func arrivals(tat int64, takes []int64, every int64) int64 {
	for _, t := range takes {
		tat = arrive(tat, t, every)
	}
	return tat
}

// arrive is the theoretical arrival time after a take. It has a bound, which a limit that
// was made stricter may reach: no bucket is that deep.
func arrive(tat, at, every int64) int64 { return min(max(tat, at)+every, maxArrival) }

// most is how many takes stay open. A bucket that isn't deep has given less at once.
func most(l Limit) int { return int(min(max(openFew, 2*l.Burst), openTakes)) }

// depth is how far the arrival time may lie ahead.
func depth(l Limit) int64 {
	every := l.Every.Microseconds()
	if l.Burst > maxDepth/every {
		return max(maxDepth, every)
	}
	return l.Burst * every
}

func pieces(us, every int64) int64 { return (us + every - 1) / every }
