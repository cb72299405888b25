package dnstest

import (
	"encoding/binary"
	"strings"

	miekg "github.com/miekg/dns"
)

// reply returns the packet that answers a query, nil for none.
func (s *Server) reply(packet []byte, port uint16, tcp bool) []byte {
	var m miekg.Msg
	if m.Unpack(packet) != nil || len(m.Question) != 1 {
		return nil
	}
	q := Query{Name: question(m.Question[0].Name), Type: miekg.TypeToString[m.Question[0].Qtype], TCP: tcp, ID: m.Id, Port: port}
	size := miekg.MinMsgSize
	if opt := m.IsEdns0(); opt != nil {
		q.EDNS = int(opt.UDPSize())
		size = max(size, q.EDNS)
	}
	if tcp {
		size = miekg.MaxMsgSize
	}
	s.mu.Lock()
	fault, release, onDrop, raw := s.faultLocked(q), s.release, s.onDrop, s.raw
	s.queries = append(s.queries, q)
	s.changed.Broadcast()
	s.mu.Unlock()

	switch fault {
	case Drop:
		if onDrop != nil {
			onDrop()
		}
		return nil
	case Hold:
		select {
		case <-release:
		case <-s.ctx.Done():
			return nil
		}
	case Raw:
		return raw(packet, tcp)
	case TruncateNoTCP:
		if tcp {
			return nil
		}
	case TruncateDropTCP:
		if tcp {
			if onDrop != nil {
				onDrop()
			}
			<-s.ctx.Done()
			return nil
		}
	}
	return damage(s.answer(&m, q, fault, size, tcp), fault, tcp)
}

// faultLocked returns what happens to a query.
func (s *Server) faultLocked(q Query) Fault {
	for _, k := range []key{{q.Name, q.Type}, {q.Name, ""}, {"", q.Type}, {"", ""}} {
		sc := s.scripts[k]
		if sc == nil {
			continue
		}
		if !q.TCP {
			sc.last = sc.faults[0]
			if len(sc.faults) > 1 {
				sc.faults = sc.faults[1:]
			}
		}
		return sc.last
	}
	return OK
}

// answer makes the message that answers a query, as the fault wants it.
func (s *Server) answer(query *miekg.Msg, q Query, fault Fault, size int, tcp bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := new(miekg.Msg).SetReply(query)
	m.Authoritative = !s.options.Recursive
	m.RecursionAvailable = s.options.Recursive
	m.AuthenticatedData = s.options.Authentic
	if q.EDNS > 0 && !s.options.RefuseEDNS {
		m.SetEdns0(miekg.DefaultMsgSize, false)
	}
	switch {
	case s.options.RefuseEDNS && q.EDNS > 0, fault == FormErr:
		m.Rcode = miekg.RcodeFormatError
	case fault == ServFail:
		m.Rcode = miekg.RcodeServerFailure
	case fault == Refused:
		m.Rcode = miekg.RcodeRefused
	case fault == Bare:
		m.Rcode = miekg.RcodeRefused
		m.Question, m.Extra = nil, nil
	case fault == Referral:
		m.Authoritative = false
		m.Ns = []miekg.RR{&miekg.NS{Hdr: miekg.RR_Header{Name: m.Question[0].Name, Class: miekg.ClassINET, Rrtype: miekg.TypeNS, Ttl: defaultTTL}, Ns: "ns.invalid."}}
	case fault == TruncateTwice, !tcp && (fault == Truncate || fault == TruncateNoTCP || fault == TruncateDropTCP):
		m.Truncated = true
	case fault == WrongQuestion:
		s.zone.answer(m, s.options)
		m.Question[0].Name = wire(strings.TrimSuffix("other."+q.Name, "."))
	case fault == WrongType:
		s.zone.answer(m, s.options)
		m.Question[0].Qtype = miekg.TypeHINFO
	case fault == Pointers:
		m.Answer = []miekg.RR{&miekg.CNAME{Hdr: miekg.RR_Header{Name: m.Question[0].Name, Class: miekg.ClassINET, Rrtype: miekg.TypeCNAME, Ttl: defaultTTL}, Target: "."}}
	default:
		s.zone.answer(m, s.options)
	}
	m.Compress = true
	m.Truncate(size)
	if fault == TruncateTwice || fault == Truncate && !tcp || fault == TruncateNoTCP || fault == TruncateDropTCP && !tcp {
		m.Truncated = true
	}
	packet, err := m.Pack()
	if err != nil {
		s.t.Errorf("answer to %s %s: %v", q.Type, q.Name, err)
		return nil
	}
	return packet
}

// damage does to the bytes of an answer what the fault wants.
func damage(packet []byte, fault Fault, tcp bool) []byte {
	if packet == nil || tcp {
		return packet
	}
	switch fault {
	case WrongID:
		packet[0] ^= 0xff
	case Garbage:
		// The header and the question stay as they are.
		packet = append(packet[:questionEnd(packet)], "\x07garbage\xff\xff"...)
		binary.BigEndian.PutUint16(packet[6:], 1)
		binary.BigEndian.PutUint16(packet[8:], 0)
		binary.BigEndian.PutUint16(packet[10:], 0)
	case Noise:
		packet = []byte("noise")
	case Short:
		packet = packet[:questionEnd(packet)]
		binary.BigEndian.PutUint16(packet[6:], 3)
		binary.BigEndian.PutUint16(packet[8:], 0)
		binary.BigEndian.PutUint16(packet[10:], 0)
	case Pointers:
		end := questionEnd(packet)
		packet = append(packet[:end], 0xc0, byte(end), 0, 5, 0, 1, 0, 0, 0, 1, 0, 2, 0xc0, byte(end))
		binary.BigEndian.PutUint16(packet[6:], 1)
		binary.BigEndian.PutUint16(packet[10:], 0)
	}
	return packet
}

// questionEnd returns where the question of a packet ends.
func questionEnd(packet []byte) int {
	_, off, err := miekg.UnpackDomainName(packet, 12)
	if err != nil {
		return len(packet)
	}
	return off + 4
}
