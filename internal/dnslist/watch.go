package dnslist

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rmilter/internal/dns"
)

// CheckEvery is how often the owner of a Watch calls Check.
const CheckEvery = time.Minute

// An Env is what a Watch takes from its surroundings. DNS is needed; other zero fields get
// the default.
type Env struct {
	Now func() time.Time // the clock; time.Now
	Log *slog.Logger     // what an administrator has to know; nothing
	DNS dns.Lookuper     // for self-tests and probes

	// Resolvers returns the servers that are asked about a zone, those of dns { zone } or
	// else all; none are known without it.
	Resolvers func(zone string) []netip.AddrPort
	// Raise is called when something is wrong, and again when it is wrong in another way;
	// Clear when that is over. They must not call the Watch and must not block.
	Raise func(Problem)
	Clear func(key string)
}

// A Problem is what an administrator has to know about a list.
type Problem struct {
	Key  string // the same for the same problem, such as "dnslist zen.spamhaus.org blocked"
	List string // its name
	Zone string // its zone, without a key
	Text string // one line; it names the resolver where that matters
}

// A State is whether a list is asked.
type State string

// The states.
const (
	Untested State = "untested" // not tested yet; the first question does it
	OK       State = "ok"       // it is asked
	Out      State = "out"      // it isn't asked before a test has shown that it works again
	Off      State = "off"      // it isn't asked at all: closed, or known to refuse the resolver
)

// A Status is how a list is doing. Counts are of the present day (UTC).
type Status struct {
	List     *List         `json:"-"`
	Name     string        `json:"name"`
	Section  string        `json:"section"`
	Zone     string        `json:"zone"` // a key is shown as *
	State    State         `json:"state"`
	Reason   string        `json:"reason,omitempty"` // why it is Out or Off
	Since    time.Time     `json:"since,omitzero"`   // since when it is in this state
	Tested   time.Time     `json:"tested,omitzero"`  // when it was last tested with a result
	Queries  int           `json:"queries"`          // questions that went out, which the cache had no answer for
	Limit    int           `json:"limit,omitempty"`  // what its terms allow a day
	Listed   int           `json:"listed"`           // answers with a symbol, from the cache, too
	Blocked  int           `json:"blocked"`          // answers that it doesn't answer us
	Unknown  int           `json:"undocumented"`     // answers that mean nothing known
	Timeouts int           `json:"timeouts"`         // questions that nobody answered
	Latency  time.Duration `json:"latency_ns"`       // median of the last answers not from the cache; 0 without any
}

// A Finding is what a list said about something.
type Finding struct {
	List         *List
	Query        Query
	Asked        string       // the name that was asked; a key in it is shown as *
	Answers      []netip.Addr // all of them; none when it isn't listed
	Hits         []Hit        // those that count, one for each symbol
	Blocked      bool         // the list doesn't answer us: nothing counts
	Undocumented []netip.Addr // those that mean nothing known
	Server       netip.AddrPort
	Cached       bool          // no question went out
	Took         time.Duration // until it was answered
}

// A Probed is what a list says when it is asked by hand.
type Probed struct {
	Finding
	State State    // of the list
	Texts []string // TXT records of what is listed; printable ASCII
	Err   error    // why it could not be asked, without a key
}

// ErrOut is the error of a question that wasn't asked, because the list is not trusted at
// present. It is no failure: Status tells the reason.
var ErrOut = errors.New("dnslist: the list is out")

// ErrNotAsked is the error of a question that isn't one for this list.
var ErrNotAsked = errors.New("dnslist: not a question for this list")

// A Watch asks lists. It knows of each whether it can be trusted and how much it was asked,
// and outlives configurations. Lists of the same zone share what is known of it. It is safe
// for concurrent use.
type Watch struct {
	env Env

	conf  sync.Mutex // one Use or look at the resolvers at a time
	off   string     // the text of the problem that lists are off, "" for none
	force atomic.Pointer[inForce]
}

// inForce are the lists in force. It never changes.
type inForce struct {
	lists []*List
	zones map[string]*zone // by the domain that is asked
	order []*zone
}

// NewWatch returns a Watch without lists. Until Use it asks none.
func NewWatch(env Env) *Watch {
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	if env.Resolvers == nil {
		env.Resolvers = func(string) []netip.AddrPort { return nil }
	}
	if env.Raise == nil {
		env.Raise = func(Problem) {}
	}
	if env.Clear == nil {
		env.Clear = func(string) {}
	}
	w := &Watch{env: env}
	w.force.Store(&inForce{})
	return w
}

// Use takes the lists in force, of all sections; those that are not enabled are left out.
// What is known of a zone that stays is kept. Call Check afterwards.
func (w *Watch) Use(lists []*List) {
	w.conf.Lock()
	defer w.conf.Unlock()
	now, old := w.env.Now(), w.force.Load()
	f := &inForce{zones: map[string]*zone{}}
	for _, l := range lists {
		if !l.Enabled {
			continue
		}
		f.lists = append(f.lists, l)
		suffix := l.suffix()
		if f.zones[suffix] != nil {
			continue
		}
		z := old.zones[suffix]
		if z == nil {
			z = newZone(w, l, now)
		} else {
			z.renew(l)
		}
		f.zones[suffix] = z
		f.order = append(f.order, z)
	}
	for suffix, z := range old.zones {
		if f.zones[suffix] == nil {
			z.leave()
		}
	}
	w.force.Store(f)
	w.lookAtResolvers(f, now)
}

// Check tests the lists whose test is due: at once those that were never tested, after a
// minute those that didn't answer, hourly all others. The owner calls it at start, after
// Use and every CheckEvery. It returns when all is done or ctx ends.
func (w *Watch) Check(ctx context.Context) {
	w.conf.Lock()
	f, now := w.force.Load(), w.env.Now()
	w.lookAtResolvers(f, now)
	w.conf.Unlock()
	var tests sync.WaitGroup
	for _, z := range f.order {
		if z.due(now) {
			tests.Go(func() { z.test(ctx) })
		}
	}
	tests.Wait()
}

// lookAtResolvers turns lists off that the resolvers won't get an answer from, and on again.
// The caller holds conf.
func (w *Watch) lookAtResolvers(f *inForce, now time.Time) {
	var names []string
	var resolver netip.Addr
	for _, z := range f.order {
		if a, ok := z.lookAtResolver(now); ok {
			names, resolver = append(names, z.name()), a
		}
	}
	text := ""
	if names != nil {
		text = resolver.String() + " is a public resolver, which these lists refuse to answer, so they are off: " +
			strings.Join(names, ", ") + "; set dns { nameserver } to a resolver of your own, or dqs_key for Spamhaus"
	}
	if text == w.off {
		return
	}
	w.off = text
	if text == "" {
		w.env.Clear(publicKey)
		return
	}
	w.env.Log.Warn(text)
	w.env.Raise(Problem{Key: publicKey, Text: text})
}

// publicKey is the key of the problem that lists are off.
const publicKey = "dnslist public resolver"

// Status returns how the lists in force are doing, in their order.
func (w *Watch) Status() []Status {
	f, now := w.force.Load(), w.env.Now()
	list := make([]Status, 0, len(f.lists))
	for _, l := range f.lists {
		list = append(list, f.zones[l.suffix()].status(l, now))
	}
	return list
}

// Mask returns a text with all keys of the lists in force in it shown as *.
func (w *Watch) Mask(text string) string {
	for _, l := range w.force.Load().lists {
		text = l.Mask(text)
	}
	return text
}

// Ask asks a list. resolver is the view of the message, whose budget and cache count. The
// error is ErrNotAsked, ErrOut, or a temporary one of package dns; none of them has a key
// in it. What isn't listed is a Finding without Hits, and so is what a list says that
// doesn't answer us.
func (w *Watch) Ask(ctx context.Context, resolver dns.Lookuper, l *List, q Query) (Finding, error) {
	f := Finding{List: l, Query: q}
	name, ok := l.question(q)
	if !ok {
		return f, ErrNotAsked
	}
	f.Asked = l.Mask(name)
	z := w.force.Load().zones[l.suffix()]
	if z == nil {
		return f, ErrOut
	}
	if err := z.ready(ctx); err != nil {
		return f, err
	}
	began := w.env.Now()
	a, err := resolver.Lookup(ctx, name, dns.TypeA)
	f.Took = w.env.Now().Sub(began)
	f.Server, f.Cached, f.Answers = a.Server, a.Cached, a.Addrs
	switch z.note(a, err, f.Took) {
	case refused:
		f.Blocked = true
		z.blocked(a.Server, "answers REFUSED", CheckEvery)
		return f, nil
	case failed:
		z.unanswered(err, a.Server)
		return f, l.masked(err)
	case local:
		return f, l.masked(err)
	}
	w.judge(ctx, resolver, z, name, &f)
	return f, nil
}

// judge reads the answers of a finding and notes what they say of the list.
func (w *Watch) judge(ctx context.Context, resolver dns.Lookuper, z *zone, name string, f *Finding) {
	m := f.List.meaning(f.Query.Ask, f.Answers)
	f.Hits, f.Undocumented = m.hits, m.unknown
	if m.blocked.IsValid() {
		f.Blocked = true
		z.blocked(f.Server, "answers "+refusal(m.blocked), retest)
		return
	}
	if len(m.hits) > 0 {
		z.listed()
	}
	if len(m.unknown) == 0 || !z.unknown(m.unknown) {
		return
	}
	text := z.text(ctx, resolver, name)
	if isQuota(text) {
		f.Blocked, f.Hits = true, nil
		z.blocked(f.Server, "answers "+m.unknown[0].String()+" and says \""+text+"\"", retest)
		return
	}
	z.undocumented(m.unknown[0], f.Server)
}
