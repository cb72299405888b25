package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"
)

const (
	udpBuffer  = 4096 // more than udpSize: not every server heeds it
	maxForeign = 64   // packets that answer something else, before the try is given up
)

// exchange asks one server until it answers or ctx ends: by UDP, by TCP if the answer
// is cut, without EDNS(0) if it refuses that. The error says why there is no answer; a
// reply whose verdict is bad is one.
func (r *Resolver) exchange(ctx context.Context, s *server, q question) (*reply, *Error) {
	began := r.env.Now()
	rep, err := r.exchangeOnce(ctx, s, q, !s.plain.Load())
	if err == nil && !rep.tc && refusesEDNS(rep) && !s.plain.Load() {
		again, err2 := r.exchangeOnce(ctx, s, q, false)
		if err2 == nil && (again.tc || !refusesEDNS(again)) {
			s.plain.Store(true)
			rep = again
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			s.failures.Add(1)
		}
		// A server without TCP answers most questions all the same.
		if err.Kind == Truncated {
			r.answered(s, began)
		} else if ctx.Err() == nil {
			r.noAnswer(s)
		}
		return nil, err
	}
	r.answered(s, began)
	if rep.tc {
		return nil, failure(Truncated, "cut over TCP, too")
	}
	rep.Server = s.addr
	return rep, nil
}

// answered notes an answer of a server that was asked at a time.
func (r *Resolver) answered(s *server, began time.Time) {
	now := r.env.Now()
	r.count.latency.add(now.Sub(began))
	if out := s.answered(now, now.Sub(began)); out > 0 {
		r.env.Log.Info("DNS server answers again", "server", s.addr.String(), "after", out.Round(time.Second).String())
	}
}

// refusesEDNS tells whether the code is one with which old servers answer EDNS(0) (RFC
// 6891, section 7).
func refusesEDNS(r *reply) bool {
	return r.RCode == RCodeFormErr || r.RCode == RCodeNotImp || r.RCode == RCodeBadVers
}

// exchangeOnce sends one packet by UDP, and the same by TCP when the answer is cut.
func (r *Resolver) exchangeOnce(ctx context.Context, s *server, q question, extended bool) (*reply, *Error) {
	id := r.env.Random()
	packet, err := query(q, id, extended)
	if err != nil {
		return nil, failure(Malformed, err.Error())
	}
	s.queries.Add(1)
	r.count.queries.Add(1)
	rep, fault := r.udp(ctx, s, q, id, packet)
	if fault != nil || !rep.tc {
		return rep, fault
	}
	s.queries.Add(1)
	r.count.queries.Add(1)
	r.count.tcp.Add(1)
	rep, err = r.tcp(ctx, s, q, id, packet)
	if err != nil {
		return nil, &Error{Kind: Truncated, Err: err}
	}
	return rep, nil
}

// dial opens a socket of its own for one question, so that its port is a random one and
// the kernel drops what others send. It is closed when ctx ends.
func dial(ctx context.Context, network string, s *server) (net.Conn, func(), error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, s.addr.String())
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return conn, func() {
		stop()
		conn.Close()
	}, nil
}

// udp sends a packet and waits for its answer. Packets that answer something else don't
// count, since anybody may send them.
func (r *Resolver) udp(ctx context.Context, s *server, q question, id uint16, packet []byte) (*reply, *Error) {
	conn, done, err := dial(ctx, "udp", s)
	if err != nil {
		return nil, networkFault(ctx, err)
	}
	defer done()
	if _, err := conn.Write(packet); err != nil {
		return nil, networkFault(ctx, err)
	}
	buf := make([]byte, udpBuffer)
	for range maxForeign {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, networkFault(ctx, err)
		}
		rep, err := read(buf[:n], q, id)
		switch {
		case errors.Is(err, errForeign):
			r.count.foreign.Add(1)
			continue
		case n == udpBuffer:
			// There may have been more.
			return &reply{tc: true}, nil
		case err != nil:
			return nil, &Error{Kind: Malformed, Err: err}
		}
		return rep, nil
	}
	return nil, failure(Malformed, "only answers to other questions")
}

// tcp asks over a connection of its own (RFC 7766).
func (r *Resolver) tcp(ctx context.Context, s *server, q question, id uint16, packet []byte) (*reply, error) {
	conn, done, err := dial(ctx, "tcp", s)
	if err != nil {
		return nil, err
	}
	defer done()
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
	if _, err := conn.Write(framed); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	wire := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, wire); err != nil {
		return nil, err
	}
	return read(wire, q, id)
}

// networkFault says what a failed socket means.
func networkFault(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return failure(Timeout, "")
	}
	// Error.Server tells the address, for those who may see it; the rest is the socket's.
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return &Error{Kind: Unreachable, Err: err}
}
