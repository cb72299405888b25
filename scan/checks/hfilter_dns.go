package checks

import (
	"context"
	"errors"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"

	"rmilter/internal/dns"
	"rmilter/scan"
)

// Bounds of what is asked.
const (
	maxPTRNames = 4 // names of a client that are looked up
	maxMXHosts  = 4 // exchangers of a domain that are looked up, the preferred first
)

// An answerState is what the DNS says of a name.
type answerState byte

const (
	notAsked     answerState = iota
	noAnswer                 // it may answer later
	confirmed                // the name leads where it should
	noName                   // there is no such name, or nothing behind it
	notConfirmed             // there is one, which leads nowhere; of a client's: not back to it
	elsewhere                // it leads to other addresses
)

// hostQuestions are what HFilter wants to know of a message.
type hostQuestions struct {
	dns     dns.Lookuper
	client  netip.Addr
	reverse bool   // the client's name
	helo    string // "" for nothing
	sender  string // "" for nothing
}

// hostAnswers are the answers.
type hostAnswers struct {
	client, helo, sender answerState
	name                 string // of the client, when client is confirmed
}

// ask asks all at once.
func (q *hostQuestions) ask(ctx context.Context) (a hostAnswers, err error) {
	if q.dns == nil {
		return a, nil
	}
	ctx, cancel := context.WithTimeout(ctx, hfilterTime)
	defer cancel()
	var jobs []func()
	if q.reverse {
		jobs = append(jobs, func() { a.name, a.client = q.clientName(ctx) })
	}
	if q.helo != "" {
		jobs = append(jobs, func() { a.helo = q.greeting(ctx) })
	}
	if q.sender != "" {
		jobs = append(jobs, func() { a.sender = q.mailDomain(ctx, q.sender, true) })
	}
	err = together(jobs)
	return a, err
}

// together runs functions at once and waits for them. A panic becomes an error.
func together(jobs []func()) error {
	errs := make([]error, len(jobs))
	var wait sync.WaitGroup
	for i, job := range jobs {
		wait.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					errs[i] = &scan.PanicError{Value: v, Stack: debug.Stack()}
				}
			}()
			job()
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// clientName looks for a name of the client that leads back to it: the MTA has found none,
// or couldn't find out.
func (q *hostQuestions) clientName(ctx context.Context) (string, answerState) {
	ptr, err := q.dns.Lookup(ctx, dns.Reverse(q.client), dns.TypePTR)
	if err != nil {
		return "", failure(err)
	}
	state := notConfirmed
	for _, name := range ptr.Names[:min(len(ptr.Names), maxPTRNames)] {
		addrs, err := q.dns.Lookup(ctx, name, addressType(q.client))
		switch {
		case err != nil && failure(err) == noAnswer:
			state = noAnswer
		case slices.Contains(addrs.Addrs, q.client):
			return name, confirmed
		}
	}
	return "", state
}

// failure returns what an error means for a name.
func failure(err error) answerState {
	if e, ok := errors.AsType[*dns.Error](err); ok && !e.Temporary() {
		return noName
	}
	return noAnswer
}

func addressType(a netip.Addr) dns.Type {
	if a.Is4() {
		return dns.TypeA
	}
	return dns.TypeAAAA
}

// greeting compares the greeting with the client.
func (q *hostQuestions) greeting(ctx context.Context) answerState {
	kind := addressType(q.client)
	addrs, err := q.dns.Lookup(ctx, q.helo, kind)
	switch {
	case err == nil && slices.Contains(addrs.Addrs, q.client):
		return confirmed
	case err == nil:
		return elsewhere
	case failure(err) == noAnswer:
		return noAnswer
	}
	return q.mailDomain(ctx, q.helo, false)
}

// mailDomain tells whether mail can be sent to a domain: by its MX records, or to its
// addresses if there are none (RFC 5321, section 5.1). With first unset the addresses are
// asked for first, as most names of machines have no MX.
func (q *hostQuestions) mailDomain(ctx context.Context, name string, first bool) answerState {
	if !first {
		if s := q.resolves(ctx, name); s != noName {
			return s
		}
	}
	mx, err := q.dns.Lookup(ctx, name, dns.TypeMX)
	if err != nil {
		if s := failure(err); s != noName || !first {
			return s
		}
		return q.resolves(ctx, name)
	}
	hosts := slices.SortedStableFunc(slices.Values(mx.MXs), func(a, b dns.MX) int { return int(a.Preference) - int(b.Preference) })
	state := notConfirmed
	for i, h := range hosts {
		if h.Host == "" && len(hosts) == 1 {
			return noName // RFC 7505: it takes no mail
		}
		if i >= maxMXHosts {
			return confirmed // who has so many is no fake
		}
		if h.Host == "" {
			continue
		}
		switch q.resolves(ctx, h.Host) {
		case confirmed:
			return confirmed
		case noAnswer:
			state = noAnswer
		}
	}
	return state
}

// resolves tells whether a name has addresses.
func (q *hostQuestions) resolves(ctx context.Context, name string) answerState {
	state := noName
	for _, kind := range [...]dns.Type{dns.TypeA, dns.TypeAAAA} {
		_, err := q.dns.Lookup(ctx, name, kind)
		if err == nil {
			return confirmed
		}
		if failure(err) == noAnswer {
			state = noAnswer
		}
	}
	return state
}
