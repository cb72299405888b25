package dns

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An Env is what a Resolver takes from its surroundings. Zero fields get the default.
type Env struct {
	Now       func() time.Time                               // the clock; time.Now
	AfterFunc func(time.Duration, func()) (stop func() bool) // the timers of that clock; time.AfterFunc
	Random    func() uint16                                  // ids of packets; the system's random numbers
	Log       *slog.Logger                                   // what an administrator has to know; nothing

	ResolvConf  string        // the file with the servers; /etc/resolv.conf
	Try         time.Duration // after it the next server is asked beside a slow one; 1 s
	Total       time.Duration // a question ends after it; 5 s
	MaxInFlight int           // questions to servers at once; 512. As many as 8 times that may wait
	MaxEntries  int           // of the cache; 50,000
	MaxBytes    int           // of the cache, about; 16 MiB
}

// staleWait is after which a stale answer is given while servers are still asked (RFC
// 8767, section 5: less than what clients wait).
const staleWait = 1800 * time.Millisecond

// recheck is how often resolv.conf is looked at.
const recheck = 5 * time.Second

// A Lookuper answers questions: a Resolver, or the view of one message of it.
type Lookuper interface {
	// Lookup asks for the records of a name; see Resolver.Lookup.
	Lookup(ctx context.Context, name string, t Type) (Answer, error)
}

// A Resolver asks servers and remembers what they said. It is safe for concurrent use.
type Resolver struct {
	env      Env
	cache    *cache
	settings atomic.Pointer[settings]
	count    counts
	slots    chan struct{} // one for each question in flight
	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	nextLook atomic.Int64 // when resolv.conf is looked at again, Unix nanoseconds

	conf    sync.Mutex // one change of the settings at a time
	file    version    // of resolv.conf
	servers map[netip.AddrPort]*server

	mu      sync.Mutex
	flights map[question]*flight
	closed  bool
}

// settings are the servers of a configuration. They never change.
type settings struct {
	main   *group
	zones  map[string]*group
	isFile bool // main is out of resolv.conf
}

// group returns the servers for a name.
func (s *settings) group(name string) *group {
	if len(s.zones) == 0 {
		return s.main
	}
	for {
		if g := s.zones[name]; g != nil {
			return g
		}
		i := strings.IndexByte(name, '.')
		if i < 0 {
			return s.main
		}
		name = name[i+1:]
	}
}

// New returns a resolver. The error tells of an address in c that is none. Close ends it.
func New(c Config, env Env) (*Resolver, error) {
	env.defaults()
	r := &Resolver{
		env:     env,
		cache:   newCache(env.MaxEntries, env.MaxBytes),
		slots:   make(chan struct{}, env.MaxInFlight),
		servers: map[netip.AddrPort]*server{},
		flights: map[question]*flight{},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	if err := r.Apply(c); err != nil {
		r.cancel()
		return nil, err
	}
	return r, nil
}

func (e *Env) defaults() {
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.AfterFunc == nil {
		e.AfterFunc = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
	}
	if e.Random == nil {
		e.Random = func() uint16 {
			var b [2]byte
			rand.Read(b[:]) // never fails
			return binary.BigEndian.Uint16(b[:])
		}
	}
	if e.Log == nil {
		e.Log = slog.New(slog.DiscardHandler)
	}
	e.ResolvConf = orElse(e.ResolvConf, "/etc/resolv.conf")
	e.Try = orElse(e.Try, time.Second)
	e.Total = orElse(e.Total, 5*time.Second)
	e.MaxInFlight = orElse(e.MaxInFlight, 512)
	e.MaxEntries = orElse(e.MaxEntries, 50_000)
	e.MaxBytes = orElse(e.MaxBytes, 16<<20)
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Apply takes another configuration. What is known of servers that stay is kept, and so
// are answers of names whose servers stay the same. After an error all is as before.
func (r *Resolver) Apply(c Config) error {
	r.conf.Lock()
	defer r.conf.Unlock()
	main, err := addresses(c.Nameservers)
	if err != nil {
		return err
	}
	zones := map[string][]netip.AddrPort{}
	for _, z := range c.Zones {
		name, ok := Normalize(z.Name)
		if !ok {
			return errors.New("dns: " + printable(z.Name) + " is not a domain")
		}
		if zones[name], err = addresses(z.Nameservers); err != nil {
			return err
		}
	}
	s := &settings{zones: map[string]*group{}}
	if len(main) == 0 {
		s.isFile = true
		main = r.resolvConf()
	}
	old := r.settings.Load()
	if old == nil {
		old = &settings{}
	}
	s.main = r.group(old.main, main)
	for name, list := range zones {
		// A zone without servers, which only a program can make, is like any other.
		if len(list) > 0 {
			s.zones[name] = r.group(old.zones[name], list)
		}
	}
	r.install(s)
	return nil
}

// resolvConf reads the file and notes its version. The caller holds conf.
func (r *Resolver) resolvConf() []netip.AddrPort {
	r.nextLook.Store(r.env.Now().Add(recheck).UnixNano())
	r.file = versionOf(r.env.ResolvConf)
	list, err := readResolvConf(r.env.ResolvConf)
	if err != nil {
		r.env.Log.Warn("no resolv.conf, asking the resolver on this machine", "error", err.Error())
	}
	return list
}

// group returns the servers at these addresses, the same group if it has just those.
// The caller holds conf.
func (r *Resolver) group(old *group, list []netip.AddrPort) *group {
	g := &group{}
	for _, a := range list {
		s := r.servers[a]
		if s == nil {
			s = &server{addr: a}
			r.servers[a] = s
		}
		g.servers = append(g.servers, s)
	}
	if old != nil && slices.Equal(old.servers, g.servers) {
		return old
	}
	return g
}

// install makes settings those in force and forgets servers that none of them has. The
// caller holds conf.
func (r *Resolver) install(s *settings) {
	used := map[*server]bool{}
	for _, g := range append(values(s.zones), s.main) {
		for _, server := range g.servers {
			used[server] = true
		}
	}
	for a, server := range r.servers {
		if !used[server] {
			server.left.Store(true)
			delete(r.servers, a)
		}
	}
	r.settings.Store(s)
}

func values(m map[string]*group) []*group {
	var list []*group
	for _, g := range m {
		list = append(list, g)
	}
	return list
}

// current returns the settings in force. Now and then it looks whether resolv.conf has
// changed.
func (r *Resolver) current(now time.Time) *settings {
	s := r.settings.Load()
	if !s.isFile || now.UnixNano() < r.nextLook.Load() || !r.conf.TryLock() {
		return s
	}
	defer r.conf.Unlock()
	r.nextLook.Store(now.Add(recheck).UnixNano())
	s = r.settings.Load()
	if !s.isFile || r.file.same(versionOf(r.env.ResolvConf)) {
		return s
	}
	main := r.group(s.main, r.resolvConf())
	if main == s.main {
		return s
	}
	changed := &settings{main: main, zones: s.zones, isFile: true}
	r.install(changed)
	r.env.Log.Info("resolv.conf has changed", "servers", addressList(main))
	return changed
}

func addressList(g *group) string {
	var list []string
	for _, s := range g.servers {
		list = append(list, s.addr.String())
	}
	return strings.Join(list, ", ")
}

// Lookup asks for the records of a name, which is always complete: nothing is appended
// to it. A final dot and capitals don't matter. Aliases are followed.
//
// The error is an *Error when there are no records, whether that is known or not; see
// Kind. The answer then tells what is known all the same, such as the response code.
// A question that is already in flight is not asked again. Lookup returns when ctx ends;
// the question goes on, for the cache.
func (r *Resolver) Lookup(ctx context.Context, name string, t Type) (Answer, error) {
	return r.lookup(ctx, name, t, nil)
}

// lookup is Lookup that ends when over is closed, too.
func (r *Resolver) lookup(ctx context.Context, name string, t Type, over <-chan struct{}) (Answer, error) {
	r.count.lookups.Add(1)
	a, err := r.find(ctx, name, t, over)
	if e, ok := err.(*Error); ok && e.Temporary() && e.Kind != Canceled {
		r.count.unanswered.Add(1)
	}
	return a, err
}

// find is lookup without its count.
func (r *Resolver) find(ctx context.Context, name string, t Type, over <-chan struct{}) (Answer, error) {
	normal, ok := Normalize(name)
	if !ok || !t.known() {
		return Answer{Name: name, Type: t}, &Error{Name: name, Type: t, Kind: BadName}
	}
	now := r.env.Now()
	q, g := question{normal, t}, r.current(now).group(normal)
	fresh, stale := r.cache.get(q, g, now)
	if fresh != nil {
		r.count.hits.Add(1)
		return fresh.found(now)
	}
	if stale != nil && r.cache.resting(stale, now) {
		r.count.stale.Add(1)
		return stale.old()
	}
	f, fresh := r.join(q, g, stale, now)
	switch {
	case fresh != nil:
		r.count.hits.Add(1)
		return fresh.found(now)
	case f == nil:
		return r.instead(stale, q, failure(Busy, ""))
	}
	defer f.waiters.Add(-1)
	select {
	case <-f.done:
		if f.answer.Stale {
			r.count.stale.Add(1)
		}
		return f.answer, f.err
	case <-f.late:
		return r.instead(stale, q, nil)
	case <-over:
		return r.instead(stale, q, failure(OverBudget, "no time is left"))
	case <-ctx.Done():
		kind := Canceled
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			kind = Timeout
		}
		return r.instead(stale, q, &Error{Kind: kind, Err: context.Cause(ctx)})
	}
}

// instead returns a stale answer in place of an error, if there is one.
func (r *Resolver) instead(stale *entry, q question, err *Error) (Answer, error) {
	if stale != nil {
		r.count.stale.Add(1)
		return stale.old()
	}
	err.Name, err.Type = q.name, q.typ
	return Answer{Name: q.name, Type: q.typ, Canonical: q.name}, err
}

// Close ends what is in flight and waits for it. Lookups that wait get Canceled.
func (r *Resolver) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.tasks.Wait()
}

// spawn runs a task that Close waits for. It returns false after Close.
func (r *Resolver) spawn(task func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.tasks.Go(task)
	return true
}
