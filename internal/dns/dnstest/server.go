// Package dnstest is an authoritative DNS server for tests, with zones as text and with
// failures on demand.
//
//	s := dnstest.Start(t, `
//		example.org     TXT "v=spf1 mx -all"
//		example.org 60  MX  10 mx.example.org
//		*.list.example  A   127.0.0.2
//	`)
//	s.Script("example.org", "MX", dnstest.OK, dnstest.Drop)
//
// It speaks real UDP and TCP on loopback. It knows nothing of rmilter's resolver.
package dnstest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	miekg "github.com/miekg/dns"
)

// A Fault is what a server does to a query instead of answering it as it should.
type Fault int

// The faults. Where nothing is said of TCP, it works.
const (
	OK              Fault = iota // the right answer
	Drop                         // no answer
	Hold                         // the right answer, but not before Release
	ServFail                     // SERVFAIL
	Refused                      // REFUSED
	Bare                         // REFUSED without the question
	FormErr                      // FORMERR
	Referral                     // no answer but the names of other servers
	Truncate                     // cut by UDP, complete by TCP
	TruncateNoTCP                // cut by UDP, and TCP connections are closed
	TruncateDropTCP              // cut by UDP, and no answer by TCP
	TruncateTwice                // cut by UDP and by TCP
	Garbage                      // the id and then bytes that are no message
	Noise                        // bytes that are nothing at all
	WrongID                      // the right answer with another id
	WrongQuestion                // an answer to another question
	WrongType                    // an answer to the question for another type
	Short                        // more records announced than there are
	Pointers                     // names that point at themselves
	Raw                          // what the function given to SetRaw returns
)

// Options are how a server differs from a good one all the time.
type Options struct {
	CutAliases bool // of an alias it tells only where it points
	NoSOA      bool // it gives no SOA record with "nothing"
	RefuseEDNS bool // it answers FORMERR to EDNS(0)
	Recursive  bool // it sets RA, as a recursive server does
	Authentic  bool // it sets AD
}

// A Query is one packet that a server got.
type Query struct {
	Name string // in lower case without the final dot; "" is the root
	Type string // such as "TXT"
	TCP  bool   // it came by TCP
	EDNS int    // the size that is offered, 0 without EDNS(0)
	ID   uint16 // its id
	Port uint16 // the port it came from
}

// key is what a script is for.
type key struct{ name, typ string }

// script is what happens to the queries to come; the last fault stays.
type script struct {
	faults []Fault
	last   Fault
}

// A Server is an authoritative server on loopback. It is safe for concurrent use.
type Server struct {
	t     testing.TB
	addr  netip.AddrPort
	tasks sync.WaitGroup
	ctx   context.Context

	mu      sync.Mutex
	changed *sync.Cond // a query arrived
	zone    records
	options Options
	scripts map[key]*script
	queries []Query
	release chan struct{}
	onDrop  func()
	raw     func(query []byte, tcp bool) []byte
	udp     net.PacketConn // nil while stopped
	tcp     net.Listener
	conns   map[net.Conn]bool
}

// Start starts a server that knows the records of a text: lines of NAME [TTL] TYPE DATA,
// where # begins a comment line. TXT data is one or more strings in double quotes, or a
// text without any; SOA data is the minimum in seconds, the time for which "nothing" is
// good. "*.NAME" covers what is below NAME. The server ends with the test.
func Start(t testing.TB, zone string) *Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{t: t, ctx: ctx, zone: records{}, scripts: map[key]*script{}, release: make(chan struct{}), conns: map[net.Conn]bool{}}
	s.changed = sync.NewCond(&s.mu)
	s.Zone(zone)
	s.listen("127.0.0.1:0")
	t.Cleanup(func() {
		cancel()
		s.Stop()
		s.Release()
		s.tasks.Wait()
	})
	return s
}

// listen takes a port that is free for UDP and for TCP.
func (s *Server) listen(address string) {
	s.t.Helper()
	var failed error
	for range 100 {
		udp, err := net.ListenPacket("udp", address)
		if err != nil {
			failed = err
			continue
		}
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err != nil {
			udp.Close()
			failed = err
			continue
		}
		s.mu.Lock()
		s.udp, s.tcp = udp, tcp
		s.addr = udp.LocalAddr().(*net.UDPAddr).AddrPort()
		s.mu.Unlock()
		s.tasks.Go(func() { s.serveUDP(udp) })
		s.tasks.Go(func() { s.serveTCP(tcp) })
		return
	}
	s.t.Fatalf("no port for a DNS server: %v", failed)
}

// Addr returns the server's address, which stays the same after Stop and Restart.
func (s *Server) Addr() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Zone adds the records of a text; see Start.
func (s *Server) Zone(text string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.zone.load(text); err != nil {
		s.t.Fatal(err)
	}
}

// Add adds one record with a TTL of 300 s. The data is as in the text of a zone.
func (s *Server) Add(name, typ, data string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.zone.add(name, typ, defaultTTL, data); err != nil {
		s.t.Fatal(err)
	}
}

// AddTXT adds one TXT record of these strings, which may hold any bytes, at most 255
// each.
func (s *Server) AddTXT(name string, texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rr := &miekg.TXT{Hdr: miekg.RR_Header{Name: wire(plain(name)), Class: miekg.ClassINET, Ttl: defaultTTL, Rrtype: miekg.TypeTXT}}
	for _, text := range texts {
		rr.Txt = append(rr.Txt, escape(text))
	}
	s.zone.put(plain(name), rr)
}

// Remove takes the records of a type off a name, all of them if typ is empty.
func (s *Server) Remove(name, typ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if typ == "" {
		delete(s.zone, plain(name))
		return
	}
	delete(s.zone[plain(name)], miekg.StringToType[typ])
}

// Set sets how the server differs from a good one.
func (s *Server) Set(o Options) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options = o
}

// SetRaw sets what answers queries with the fault Raw; nil bytes are no answer.
func (s *Server) SetRaw(answer func(query []byte, tcp bool) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw = answer
}

// Script sets what happens to the next queries: one fault each, of which the last stays.
// It is for a name and type, for any type of the name if typ is empty, for all names if
// name is empty, too; the most precise one counts. Without faults the script ends. A
// query by TCP has the fault of the one by UDP before it.
func (s *Server) Script(name, typ string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{plain(name), typ}
	if len(faults) == 0 {
		delete(s.scripts, k)
		return
	}
	s.scripts[k] = &script{faults: faults}
}

// Release lets the answers go that were held.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.release)
	s.release = make(chan struct{})
}

// OnDrop has a function called after each query that gets no answer, once it is counted.
// It may move a Clock.
func (s *Server) OnDrop(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onDrop = f
}

// Stop closes the server's sockets, so that its machine answers that nobody is there.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.udp == nil {
		return
	}
	s.udp.Close()
	s.tcp.Close()
	for conn := range s.conns {
		conn.Close()
	}
	s.udp, s.tcp = nil, nil
}

// Restart opens the server's port again after Stop.
func (s *Server) Restart() {
	s.t.Helper()
	s.listen(s.Addr().String())
}

// Asked returns the queries in the order in which they came.
func (s *Server) Asked() []Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Query(nil), s.queries...)
}

// Queries counts the queries for a name and type; an empty name or type counts any.
func (s *Server) Queries(name, typ string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.countLocked(plain(name), typ)
}

func (s *Server) countLocked(name, typ string) (n int) {
	for _, q := range s.queries {
		if (name == "" || q.Name == name) && (typ == "" || q.Type == typ) {
			n++
		}
	}
	return n
}

// Await returns when there were n queries for a name and type; see Queries. It ends the
// test when they don't come.
func (s *Server) Await(name, typ string, n int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.countLocked(plain(name), typ) < n {
		if ctx.Err() != nil {
			s.t.Fatalf("got %d queries for %q %s, want %d", s.countLocked(plain(name), typ), name, typ, n)
		}
		s.changed.Wait()
	}
}

func (s *Server) serveUDP(conn net.PacketConn) {
	for {
		buf := make([]byte, 4096)
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		s.tasks.Go(func() {
			if reply := s.reply(buf[:n], from.(*net.UDPAddr).AddrPort().Port(), false); reply != nil {
				conn.WriteTo(reply, from)
			}
		})
	}
}

func (s *Server) serveTCP(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[conn] = true
		s.mu.Unlock()
		s.tasks.Go(func() {
			defer func() {
				conn.Close()
				s.mu.Lock()
				delete(s.conns, conn)
				s.mu.Unlock()
			}()
			s.serveConn(conn)
		})
	}
}

func (s *Server) serveConn(conn net.Conn) {
	defer context.AfterFunc(s.ctx, func() { conn.Close() })()
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		buf := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, buf); err != nil {
			return
		}
		reply := s.reply(buf, conn.RemoteAddr().(*net.TCPAddr).AddrPort().Port(), true)
		if reply == nil {
			return
		}
		conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
	}
}
