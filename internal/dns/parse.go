package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	miekg "github.com/miekg/dns"
)

// Bounds of an answer.
const (
	udpSize    = 1232 // what is offered by EDNS(0), so that no packet is cut into fragments
	maxRecords = 2000 // in all sections
	maxAliases = 16   // CNAMEs on the way to the records
)

// A question is what is asked.
type question struct {
	name string // normal form; "" is the root
	typ  Type
}

// A reply is one answer of a server, read.
type reply struct {
	Answer             // what it has for the question: Canonical, RCode, records, Authenticated
	ttl      uint32    // the least of the records and aliases, seconds
	negative uint32    // how long there will be nothing, seconds; with soa only
	soa      bool      // an SOA record is proof that there is nothing
	aliases  int       // how many CNAMEs were followed
	cut      bool      // the aliases end at a name of which the answer doesn't speak
	tc       bool      // there is more than was sent
	referral bool      // other servers are named instead of an answer
	edns     bool      // it has an OPT record
	records  miekgList // of the answer section
}

type miekgList []miekg.RR

// errForeign is a packet that doesn't answer the question; it may be a forged one.
var errForeign = errors.New("not an answer to this question")

// query returns the packet that asks q. Without extended it is one of RFC 1035, for
// servers that refuse anything newer.
func query(q question, id uint16, extended bool) ([]byte, error) {
	m := miekg.Msg{
		MsgHdr:   miekg.MsgHdr{Id: id, RecursionDesired: true},
		Question: []miekg.Question{{Name: q.name + ".", Qtype: uint16(q.typ), Qclass: miekg.ClassINET}},
	}
	if extended {
		// AD asks whether the data is authentic (RFC 6840, section 5.7).
		m.AuthenticatedData = true
		m.SetEdns0(udpSize, false)
	}
	return m.Pack()
}

// read reads a packet that came for q. The error is errForeign when it may have come
// from somebody else, any other when the server sent something broken.
func read(wire []byte, q question, id uint16) (r *reply, err error) {
	// The bytes come from anybody: a fault of the library must not end the daemon.
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("panic while reading: %v", p)
		}
	}()
	if len(wire) < 12 || binary.BigEndian.Uint16(wire) != id || wire[2]&0x80 == 0 || wire[2]&0x78 != 0 {
		return nil, errForeign
	}
	count := func(section int) int { return int(binary.BigEndian.Uint16(wire[4+2*section:])) }
	if count(0) > 1 {
		return nil, errForeign
	}
	if n := count(1) + count(2) + count(3); n > maxRecords {
		return nil, fmt.Errorf("%d records", n)
	}
	var m miekg.Msg
	err = m.Unpack(wire)
	bare := len(m.Question) == 0 && m.Rcode != int(RCodeNoError) && m.Rcode != int(RCodeNXDomain)
	if !bare && !asks(&m, q) {
		return nil, errForeign
	}
	if m.Truncated {
		return &reply{tc: true}, nil
	}
	if err != nil {
		return nil, err
	}
	// The library takes a message that ends too early for one with fewer records.
	if len(m.Answer) != count(1) || len(m.Ns) != count(2) || len(m.Extra) != count(3) {
		return nil, errors.New("fewer records than announced")
	}
	r = &reply{Answer: Answer{RCode: RCode(m.Rcode), Authenticated: m.AuthenticatedData}}
	r.edns = m.IsEdns0() != nil
	r.records = m.Answer
	if err := r.follow(q.name); err != nil {
		return nil, err
	}
	r.collect(q.typ)
	r.authority(&m)
	r.records = nil
	return r, nil
}

// asks tells whether a message has this question.
func asks(m *miekg.Msg, q question) bool {
	return len(m.Question) == 1 && m.Question[0].Qtype == uint16(q.typ) &&
		m.Question[0].Qclass == miekg.ClassINET && fromWire(m.Question[0].Name) == q.name
}

// follow goes along the aliases from a name and notes where they end.
func (r *reply) follow(name string) error {
	targets := map[string]*miekg.CNAME{}
	for _, rr := range r.records {
		if c, ok := rr.(*miekg.CNAME); ok && c.Hdr.Class == miekg.ClassINET {
			if owner := fromWire(c.Hdr.Name); targets[owner] == nil {
				targets[owner] = c
			}
		}
	}
	r.ttl = 1<<31 - 1
	for c := targets[name]; c != nil; c = targets[name] {
		if r.aliases++; r.aliases > maxAliases {
			return errors.New("aliases without end")
		}
		r.ttl = min(r.ttl, seconds(c.Hdr.Ttl))
		name = fromWire(c.Target)
	}
	r.Canonical = name
	return nil
}

// seconds reads a TTL; with the highest bit set it is 0 (RFC 2181, section 8).
func seconds(ttl uint32) uint32 {
	if ttl > 1<<31-1 {
		return 0
	}
	return ttl
}

// collect takes the records of the type at the end of the aliases.
func (r *reply) collect(t Type) {
	for _, rr := range r.records {
		h := rr.Header()
		if h.Class != miekg.ClassINET || Type(h.Rrtype) != t || fromWire(h.Name) != r.Canonical {
			continue
		}
		switch rr := rr.(type) {
		case *miekg.A:
			if a, ok := netip.AddrFromSlice(rr.A.To4()); ok {
				r.Addrs = append(r.Addrs, a)
			}
		case *miekg.AAAA:
			// An IPv4 address within is kept as it is: it is no A record.
			if a, ok := netip.AddrFromSlice(rr.AAAA.To16()); ok {
				r.Addrs = append(r.Addrs, a)
			}
		case *miekg.TXT:
			r.Texts = append(r.Texts, unescape(strings.Join(rr.Txt, "")))
		case *miekg.PTR:
			r.Names = append(r.Names, fromWire(rr.Ptr))
		case *miekg.NS:
			r.Names = append(r.Names, fromWire(rr.Ns))
		case *miekg.MX:
			r.MXs = append(r.MXs, MX{rr.Preference, fromWire(rr.Mx)})
		default:
			continue
		}
		r.ttl = min(r.ttl, seconds(h.Ttl))
	}
}

// authority reads the section that tells about what isn't there.
func (r *reply) authority(m *miekg.Msg) {
	ns := false
	for _, rr := range m.Ns {
		switch rr := rr.(type) {
		case *miekg.SOA:
			r.soa = true
			// RFC 2308, section 5.
			r.negative = min(seconds(rr.Hdr.Ttl), rr.Minttl)
		case *miekg.NS:
			ns = true
		}
	}
	if r.RCode != RCodeNoError || r.Len() > 0 || r.soa {
		return
	}
	r.cut = r.aliases > 0
	// RFC 2308, section 2.2: a referral has NS and no SOA records, and neither bit.
	r.referral = ns && !m.Authoritative && !m.RecursionAvailable && !r.cut
}

// verdict returns nil for an answer, whether it has records or not, and otherwise why
// another server should be asked.
func (r *reply) verdict() *Error {
	switch {
	case r.referral:
		return failure(ServFail, "a referral instead of an answer")
	case r.RCode == RCodeNoError, r.RCode == RCodeNXDomain:
		return nil
	case r.RCode == RCodeRefused:
		return failure(Refused, "")
	}
	return failure(ServFail, r.RCode.String())
}
