package dnslist

import "net/netip"

// A meaning is what the addresses of an answer say.
type meaning struct {
	hits    []Hit        // what is found, one for each symbol
	blocked netip.Addr   // an answer that says that the list doesn't answer us
	unknown []netip.Addr // what the list doesn't document
}

// maxAnswers is how many addresses of one answer are looked at.
const maxAnswers = 64

// meaning reads an answer to a question about a kind of thing. Nothing is found as soon as
// one of the addresses says that the list doesn't answer us, or is none of a list at all:
// then somebody else has answered.
func (l *List) meaning(ask Asks, addrs []netip.Addr) meaning {
	var m meaning
	foreign := false
	for _, a := range addrs[:min(len(addrs), maxAnswers)] {
		switch {
		case !isAnswer(a):
			foreign = true
			m.unknown = append(m.unknown, a)
		case l.blocks(a):
			m.blocked = a
		case !l.read(&m, ask, a):
			m.unknown = append(m.unknown, a)
		}
	}
	if foreign || m.blocked.IsValid() {
		m.hits = nil
	}
	return m
}

// read adds what one address says and tells whether it is documented. Of codes without
// bits the first one counts that is for this kind of thing.
func (l *List) read(m *meaning, ask Asks, a netip.Addr) bool {
	known := false
	for i := range l.Codes {
		c := &l.Codes[i]
		if !c.Answer.Matches(a) {
			continue
		}
		known = true
		if c.Asks != 0 && c.Asks&ask == 0 || ask == Received && (c.Dynamic || l.Dynamic) {
			continue
		}
		m.add(Hit{c, a})
		if c.Answer.Bits == 0 {
			break
		}
	}
	return known
}

// add adds what is found, each symbol once.
func (m *meaning) add(h Hit) {
	if h.Code.Symbol == "" {
		return
	}
	for _, other := range m.hits {
		if other.Code.Symbol == h.Code.Symbol {
			return
		}
	}
	m.hits = append(m.hits, h)
}

// blocks tells whether an answer says that the list doesn't answer us. Those of
// 127.255.255.0/24 are so in every list: what stands for an error has never meant a listing.
func (l *List) blocks(a netip.Addr) bool {
	if b := a.As4(); b[1] == 255 && b[2] == 255 {
		return true
	}
	for _, p := range l.Blocked {
		if p.Matches(a) {
			return true
		}
	}
	return false
}

// isAnswer tells whether an address is one that lists answer (RFC 5782, section 2.1).
func isAnswer(a netip.Addr) bool { return a.Is4() && a.As4()[0] == 127 }
