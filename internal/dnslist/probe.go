package dnslist

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
)

// Bounds of a probe.
const (
	probesAtOnce = 16
	maxTexts     = 4
)

// Probe asks all lists that can be asked about an address, a domain or an e-mail address,
// whether they are trusted at present or not, and returns what they say in their order. The
// error says that what is none of the three. It is for an administrator: private addresses
// and the lists' own test points are asked, too. A probe changes no list's state.
func (w *Watch) Probe(ctx context.Context, lists []*List, what string) ([]Probed, error) {
	q, err := parseProbe(what)
	if err != nil {
		return nil, err
	}
	var probed []Probed
	var names []string
	for _, l := range lists {
		if name, ask, ok := l.probe(q, what); ok {
			q.Ask = ask
			names = append(names, name)
			probed = append(probed, Probed{Finding: Finding{List: l, Query: q, Asked: l.Mask(name)}})
		}
	}
	var asking sync.WaitGroup
	slots := make(chan struct{}, probesAtOnce)
	for i := range probed {
		slots <- struct{}{}
		asking.Go(func() {
			w.probe(ctx, &probed[i], names[i])
			<-slots
		})
	}
	asking.Wait()
	return probed, nil
}

// parseProbe returns a query about what somebody has typed.
func parseProbe(what string) (Query, error) {
	if a, err := netip.ParseAddr(strings.Trim(what, "[]")); err == nil {
		return Query{Addr: a.WithZone("")}, nil
	}
	if strings.Contains(what, "@") {
		address := mail.ParseAddress(what)
		if domain, ok := dns.Normalize(address.Domain); ok && isHost(domain) && address.Local != "" {
			return Query{Email: address.Local + "@" + domain}, nil
		}
	} else if domain, ok := dns.Normalize(mail.ParseAddress("x@" + what).Domain); ok && isHost(domain) {
		return Query{Name: domain}, nil
	}
	return Query{}, fmt.Errorf("%.80q is neither an address nor a domain nor an e-mail address", what)
}

// probe returns the question and the kind of thing that a list is asked by hand.
func (l *List) probe(q Query, what string) (name string, ask Asks, ok bool) {
	if l.Closed != "" {
		return "", 0, false
	}
	for ask = Client; ask <= Emails && !ok; ask <<= 1 {
		if l.Asks&ask == 0 || q.Email != "" && ask&(Emails|ReplyTo) == 0 {
			continue
		}
		q.Ask = ask
		free := *l // as if nothing were exempt
		free.Exempt = Exempt{}
		if name, ok = free.question(q); ok {
			return name, ask, true
		}
		if q.Addr.IsValid() && !public(q.Addr.Unmap()) && (q.Addr.Unmap().Is4() && l.IPv4 || q.Addr.Unmap().Is6() && l.IPv6) {
			name, ok = l.under(dns.ReverseLabels(q.Addr))
			return name, ask, ok
		}
		if l.Names && strings.EqualFold(what, l.TestListed) {
			name, ok = l.under(what)
			return name, ask, ok
		}
	}
	return "", 0, false
}

// probe asks one list.
func (w *Watch) probe(ctx context.Context, p *Probed, name string) {
	l := p.List
	z := w.force.Load().zones[l.suffix()]
	began := w.env.Now()
	a, err := w.env.DNS.Lookup(ctx, name, dns.TypeA)
	p.Took = w.env.Now().Sub(began)
	p.Server, p.Cached, p.Answers = a.Server, a.Cached, a.Addrs
	p.State = Off
	o := outcomeOf(err, p.Took)
	if z != nil {
		o = z.count(a, o)
		p.State = z.status(l, began).State
	}
	switch o {
	case refused:
		p.Blocked = true
		return
	case failed, local:
		p.Err = l.masked(err)
		return
	}
	m := l.meaning(p.Query.Ask, a.Addrs)
	p.Hits, p.Undocumented, p.Blocked = m.hits, m.unknown, m.blocked.IsValid()
	if len(a.Addrs) == 0 {
		return
	}
	texts, err := w.env.DNS.Lookup(ctx, name, dns.TypeTXT)
	if z != nil {
		z.count(texts, outcomeOf(err, 0))
	}
	for _, t := range texts.Texts[:min(len(texts.Texts), maxTexts)] {
		p.Texts = append(p.Texts, mail.PrintableASCII(l.Mask(t), maxText))
	}
}
