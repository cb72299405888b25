package controller

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"rmilter/internal/dnslist"
	"rmilter/internal/filter"
)

// errNoList is the error of the name of a list that there is not.
var errNoList = errors.New("there is no such list")

// A ListsReply is what /rbl answers: what DNS lists say of an address, a domain or an
// e-mail address.
type ListsReply struct {
	What  string      `json:"what"`  // as it was asked
	Lists []ListReply `json:"lists"` // that know things of the kind, in order; never null
}

// A ListReply is what one list says. A key in a name is shown as *.
type ListReply struct {
	Name         string       `json:"name"`
	Section      string       `json:"section"`      // "rbl" or "surbl"
	Zone         string       `json:"zone"`         // of the list
	State        string       `json:"state"`        // how mail takes it at present: "untested", "ok", "out" or "off"
	Asked        string       `json:"asked"`        // the name that was asked
	Answers      []netip.Addr `json:"answers"`      // all of them; empty when it isn't listed, never null
	Symbols      []ListSymbol `json:"symbols"`      // what they mean; never null
	Blocked      bool         `json:"blocked"`      // the list doesn't answer us, so nothing counts
	Undocumented []netip.Addr `json:"undocumented"` // answers that mean nothing known; never null
	Texts        []string     `json:"texts"`        // what it tells people, from TXT records; never null
	Server       string       `json:"server"`       // the resolver that answered; "" when none did
	Cached       bool         `json:"cached"`       // no question went out
	Took         float64      `json:"took_ms"`      // until it was answered
	Error        string       `json:"error"`        // why there is no answer; "" when there is one
}

// A ListSymbol is a symbol that an answer has.
type ListSymbol struct {
	Symbol string     `json:"symbol"`
	Weight float64    `json:"weight"` // by default
	Answer netip.Addr `json:"answer"`
}

// askLists asks the lists that are in use, or the one that is named, in use or not.
func askLists(ctx context.Context, f *filter.Filter, p params) (any, error) {
	watch, lists := f.Lists()
	if watch == nil {
		return nil, fmt.Errorf("DNS lists are %w", errOff)
	}
	if p["what"] == "" {
		return nil, badParam("what= is needed")
	}
	name := p["list"]
	lists = slices.DeleteFunc(slices.Clone(lists), func(l *dnslist.List) bool {
		return name == "" && !l.Enabled || name != "" && name != l.Name && name != l.Zone
	})
	switch {
	case len(lists) == 0 && name != "":
		return nil, errNoList
	case len(lists) == 0:
		return nil, fmt.Errorf("DNS lists are %w", errOff)
	}
	all, err := watch.Probe(ctx, lists, p["what"])
	if err != nil {
		return nil, paramError{err}
	}
	reply := ListsReply{What: p["what"], Lists: []ListReply{}}
	for i := range all {
		reply.Lists = append(reply.Lists, listReply(&all[i]))
	}
	return reply, nil
}

func listReply(p *dnslist.Probed) ListReply {
	l := p.List
	r := ListReply{Name: l.Name, Section: l.Section, Zone: l.Zone, State: string(p.State), Asked: p.Asked, Blocked: p.Blocked, Cached: p.Cached,
		Answers: notNull(p.Answers), Symbols: []ListSymbol{}, Undocumented: notNull(p.Undocumented), Texts: notNull(p.Texts),
		Took: float64(p.Took.Microseconds()) / 1000}
	for _, h := range p.Hits {
		r.Symbols = append(r.Symbols, ListSymbol{h.Code.Symbol, h.Code.Weight, h.Answer})
	}
	if p.Server.IsValid() {
		r.Server = p.Server.String()
	}
	if p.Err != nil {
		r.Error = p.Err.Error()
	}
	return r
}

// notNull returns a list that is no null in JSON.
func notNull[E any](list []E) []E {
	if list == nil {
		return []E{}
	}
	return list
}
