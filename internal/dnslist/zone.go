package dnslist

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rmilter/internal/dns"
)

// When a list is tested again.
const (
	retest = time.Hour  // normally
	soon   = CheckEvery // when there was no answer
)

// A list that has not answered enough of its last questions is out.
const (
	lastQuestions = 10
	maxUnanswered = 5
)

// maxTold is how many undocumented answers of a list are told about on one day.
const maxTold = 8

// A zone is what a Watch knows of the domain of a list.
type zone struct {
	w          *Watch
	lastAnswer atomic.Int64 // when it last answered, Unix nanoseconds

	mu      sync.Mutex // of all below
	list    *List      // by which it is tested
	state   State
	reason  string
	since   time.Time
	tested  time.Time
	next    time.Time     // when it is tested again
	running chan struct{} // closed when the running test ends; nil without one
	raised  string        // the text of the problem that it is out, "" for none

	day      int64 // days since 1970 (UTC) that the counts are of
	counts   counts
	warned   bool                // of too many questions on that day
	told     map[netip.Addr]bool // undocumented answers of the day that were told about
	answered [lastQuestions]bool // the last questions that went out
	asked    int                 // how many went out since the list was last fine
	failing  time.Time           // the first of the questions without an answer since then
	times    [32]time.Duration   // of the last answers
	timed    int
}

// counts are those of one day.
type counts struct{ queries, listed, blocked, unknown, timeouts int }

func newZone(w *Watch, l *List, now time.Time) *zone {
	z := &zone{w: w, list: l, state: Untested, since: now, day: dayOf(now), told: map[netip.Addr]bool{}}
	if l.Closed != "" {
		z.state, z.reason = Off, "closed in "+l.Closed
	}
	return z
}

// dayOf returns the number of a day.
func dayOf(t time.Time) int64 { return t.Unix() / 86400 }

// renew takes the list of another configuration.
func (z *zone) renew(l *List) {
	z.mu.Lock()
	defer z.mu.Unlock()
	old := z.list
	z.list = l
	if z.state != Off && (l.TestListed != old.TestListed || l.TestClean != old.TestClean || l.Untested != old.Untested) {
		z.set(Untested, "", z.w.env.Now())
		z.next = time.Time{}
	}
	z.quota()
}

// quota tells of many questions on this day, or that there are not so many. The caller
// holds mu.
func (z *zone) quota() {
	n, limit := z.counts.queries, z.list.Daily
	over := limit > 0 && n >= (limit*4+4)/5 // 80 %
	switch {
	case over && !z.warned:
		z.raise("quota", strconv.Itoa(n)+" questions today, of "+strconv.Itoa(limit)+" that its terms allow a day")
	case z.warned && !over:
		z.w.env.Clear(z.key("quota"))
	}
	z.warned = over
}

// leave ends what was raised about a zone that is in force no more.
func (z *zone) leave() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.clear()
	z.newDay(z.day)
}

// name returns the name and zone for people.
func (z *zone) name() string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.title()
}

// title is name for who holds mu.
func (z *zone) title() string { return z.list.Name + " (" + z.list.shown() + ")" }

// key returns the key of a problem of the list.
func (z *zone) key(what string) string { return "dnslist " + z.list.shown() + " " + what }

// raise tells of a problem. The caller holds mu.
func (z *zone) raise(what, text string) {
	text = z.title() + ": " + text
	z.w.env.Log.Warn("DNS list " + text)
	z.w.env.Raise(Problem{Key: z.key(what), List: z.list.Name, Zone: z.list.shown(), Text: text})
}

// clear ends the problem that the list is out. The caller holds mu.
func (z *zone) clear() {
	if z.raised != "" {
		z.w.env.Clear(z.key("out"))
		z.raised = ""
	}
}

// roll begins a new day when there is one. The caller holds mu.
func (z *zone) roll(now time.Time) {
	if day := dayOf(now); day != z.day {
		z.newDay(day)
	}
}

// newDay forgets the counts of a day and ends what was raised for it.
func (z *zone) newDay(day int64) {
	if len(z.told) > 0 {
		z.w.env.Clear(z.key("undocumented"))
		clear(z.told)
	}
	z.day, z.counts = day, counts{}
	z.quota()
}

// set changes the state. The caller holds mu.
func (z *zone) set(s State, reason string, now time.Time) {
	if s != z.state {
		z.since = now
	}
	z.state, z.reason = s, reason
}

// out takes the list out until a test succeeds, the first one after a time. The problem is
// told unless quiet. The caller holds mu.
func (z *zone) out(reason string, after time.Duration, quiet bool) {
	if z.state == Off {
		return
	}
	now := z.w.env.Now()
	z.set(Out, reason, now)
	z.next = now.Add(after)
	if reason == z.raised || quiet {
		return
	}
	z.raised = reason
	z.raise("out", reason+"; it is out until a test shows that it works again")
}

// fine takes the list in after a test. The caller holds mu.
func (z *zone) fine(now time.Time) {
	if z.state == Out {
		z.w.env.Log.Info("DNS list " + z.title() + ": it works again")
	}
	z.set(OK, "", now)
	z.next = now.Add(retest)
	z.asked, z.failing = 0, time.Time{}
	z.clear()
}

// ready returns whether the list can be asked. One that was not tested is tested first.
func (z *zone) ready(ctx context.Context) error {
	now := z.w.env.Now()
	z.mu.Lock()
	z.roll(now)
	state, due := z.state, !now.Before(z.next)
	z.mu.Unlock()
	if state == Untested && due {
		z.test(ctx)
		z.mu.Lock()
		state = z.state
		z.mu.Unlock()
	}
	if state != OK {
		return ErrOut
	}
	return nil
}

// An outcome is what a question says of a list.
type outcome int

const (
	answered outcome = iota // something or nothing is listed
	refused                 // nobody wants to tell
	failed                  // nobody could tell
	local                   // the question was not asked, or not to its end
)

// patience is how long a question has to be on its way before its caller's end counts as
// the list's silence.
const patience = time.Second

// outcomeOf returns what a lookup says of a list.
func outcomeOf(err error, took time.Duration) outcome {
	switch kind := dns.KindOf(err); kind {
	case dns.NotFound, dns.NoData:
		return answered
	case dns.Refused:
		return refused
	case dns.Timeout:
		if errors.Is(err, context.DeadlineExceeded) && took < patience {
			return local
		}
		return failed
	case dns.ServFail, dns.Truncated, dns.Malformed, dns.Unreachable:
		return failed
	case "":
		if err == nil {
			return answered
		}
	}
	return local
}

// note takes over what a question says of the list, and returns it.
func (z *zone) note(a dns.Answer, err error, took time.Duration) outcome {
	o := z.count(a, outcomeOf(err, took))
	if a.Cached || a.Stale || o == local {
		return o
	}
	now := z.w.env.Now()
	z.mu.Lock()
	defer z.mu.Unlock()
	z.answered[z.asked%lastQuestions] = o != failed
	z.asked++
	if o != failed {
		z.lastAnswer.Store(now.UnixNano())
		z.times[z.timed%len(z.times)] = took
		z.timed++
		return o
	}
	z.counts.timeouts++
	if z.failing.IsZero() {
		z.failing = now
	}
	return o
}

// unanswered takes a list out that has not answered a question, and enough of those before.
// Nobody is told before a test has had no answer, either.
func (z *zone) unanswered(err error, server netip.AddrPort) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.state == OK && z.silent() {
		z.out("it doesn't answer ("+string(dns.KindOf(err))+", asked through "+z.through(server)+")", soon, true)
	}
}

// count counts a question that went out, and returns its outcome.
func (z *zone) count(a dns.Answer, o outcome) outcome {
	if a.Cached || a.Stale || o == local {
		return o
	}
	now := z.w.env.Now()
	z.mu.Lock()
	defer z.mu.Unlock()
	z.roll(now)
	z.counts.queries++
	z.quota()
	return o
}

// silent tells whether too many of the last questions had no answer.
func (z *zone) silent() bool {
	n := 0
	for _, ok := range z.answered[:min(z.asked, lastQuestions)] {
		if !ok {
			n++
		}
	}
	return n >= maxUnanswered
}

// blocked takes a list out that doesn't answer us.
func (z *zone) blocked(server netip.AddrPort, how string, after time.Duration) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.counts.blocked++
	if z.state == Out {
		return
	}
	z.out(how+", asked through "+z.through(server), after, false)
}

// through names the resolver that has answered, or those that may have.
func (z *zone) through(server netip.AddrPort) string {
	if server.IsValid() {
		return server.String()
	}
	var list []string
	for _, a := range z.w.env.Resolvers(z.list.Zone) {
		list = append(list, a.String())
	}
	if list == nil {
		return "the resolver"
	}
	return strings.Join(list, ", ")
}

func (z *zone) listed() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.counts.listed++
}

// unknown counts undocumented answers and tells whether the first of them is new today.
func (z *zone) unknown(list []netip.Addr) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.counts.unknown++
	if z.told[list[0]] || len(z.told) == maxTold {
		return false
	}
	z.told[list[0]] = true
	return true
}

// undocumented tells of an answer that means nothing known.
func (z *zone) undocumented(a netip.Addr, server netip.AddrPort) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.raise("undocumented", "the answer "+a.String()+", asked through "+z.through(server)+", means nothing known; it doesn't count")
}

// status returns the figures.
func (z *zone) status(l *List, now time.Time) Status {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.roll(now)
	c := z.counts
	return Status{
		List: l, Name: l.Name, Section: l.Section, Zone: l.shown(),
		State: z.state, Reason: z.reason, Since: z.since, Tested: z.tested,
		Queries: c.queries, Limit: l.Daily, Listed: c.listed, Blocked: c.blocked, Unknown: c.unknown, Timeouts: c.timeouts,
		Latency: z.median(),
	}
}

// median returns the median of the last times.
func (z *zone) median() time.Duration {
	n := min(z.timed, len(z.times))
	if n == 0 {
		return 0
	}
	times := slices.Sorted(slices.Values(z.times[:n]))
	return times[n/2]
}

// masked returns an error of a lookup without the list's key.
func (l *List) masked(err error) error {
	if e, ok := errors.AsType[*dns.Error](err); ok && l.Key.IsSet() {
		masked := *e
		masked.Name = l.Mask(e.Name)
		return &masked
	}
	return err
}
