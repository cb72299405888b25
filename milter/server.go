package milter

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	lib "github.com/emersion/go-milter"
)

// Config says how a Server behaves. Zero durations and counts take the defaults
// named at each field.
type Config struct {
	// NewSession is called for each connection. It must not block.
	NewSession func(Conn) Session
	// MaxConns is the number of connections from which on new ones are Crowded;
	// default 2000. A tenth more and 64 are still accepted, to be refused politely
	// by their Session; beyond that, new ones wait in the kernel's queue.
	MaxConns int
	// NegotiateTimeout is the longest wait for an MTA's first packet; default 10 s.
	NegotiateTimeout time.Duration
	// IdleTimeout is the longest wait for the next packet between messages, or an
	// eighth less; default 7210 s as in libmilter. It must be longer than the MTA's
	// own for its clients.
	IdleTimeout time.Duration
	// PacketTimeout is the longest that one packet may take once begun; default 60 s.
	PacketTimeout time.Duration
	// MessageTimeout is the longest from the first header field to the end of the
	// message; default 10 min.
	MessageTimeout time.Duration
	// WriteTimeout is how long an answer may take to be taken, and up to twice that;
	// default 60 s.
	WriteTimeout time.Duration
	// ProgressInterval is the time between two words to the MTA while End is at
	// work, and up to a third more; default 3 s.
	ProgressInterval time.Duration
	// LingerTimeout is how long a connection that Shutdown cuts off is still read
	// from, so that the MTA gets its last answer; default 1 s.
	LingerTimeout time.Duration
	// Handover, when not nil, takes the connections that have had their last answer,
	// for another process to keep open until the MTA closes them. An MTA that is in
	// the middle of a message writes all of it before it reads the answer, and to a
	// connection that is closed it can't. The files are closed when it returns.
	Handover func([]*os.File)
	// Panicked, when not nil, is called for each panic of a Session.
	Panicked func()
	// AcceptFailed, when not nil, is called when no connection can be accepted, and
	// with nil when that is over.
	AcceptFailed func(error)
	// Log takes what goes wrong; default none.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.NegotiateTimeout, 10*time.Second)
	def(&c.IdleTimeout, 7210*time.Second)
	def(&c.PacketTimeout, time.Minute)
	def(&c.MessageTimeout, 10*time.Minute)
	def(&c.WriteTimeout, time.Minute)
	def(&c.ProgressInterval, 3*time.Second)
	def(&c.LingerTimeout, time.Second)
	if c.MaxConns <= 0 {
		c.MaxConns = 2000
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// A Server answers the connections of MTAs. Its methods may be called from several
// goroutines.
type Server struct {
	conf      Config
	ctx       context.Context // of all sessions; ends when Shutdown gives up waiting
	cancel    context.CancelFunc
	draining  atomic.Bool
	room      chan struct{}  // one for each connection that may be open
	accepting sync.WaitGroup // calls of Serve with inherited listeners
	chunks    sync.Pool      // *[chunkSize]byte

	mu        sync.Mutex
	links     map[*link]struct{}
	listeners map[net.Listener]bool // true: closed at the beginning of Shutdown
	stopped   bool                  // no further connections
	ticking   bool                  // progress runs
	empty     chan struct{}         // closed when links is empty and Shutdown waits
}

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("milter: server closed")

// NewServer returns a Server that serves nothing yet.
func NewServer(c Config) *Server {
	c = c.withDefaults()
	s := &Server{
		conf:      c,
		room:      make(chan struct{}, c.MaxConns+c.MaxConns/10+64),
		links:     make(map[*link]struct{}),
		listeners: make(map[net.Listener]bool),
	}
	s.chunks.New = func() any { return new([chunkSize]byte) }
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Serve accepts connections from ln until Shutdown, then returns ErrServerClosed.
//
// An inherited listener has another owner too, who keeps it open when this process
// goes, so that new connections wait for the next one: Shutdown closes it first.
// Any other is served until the last session has ended, as a refused connection is
// mail that no filter sees.
func (s *Server) Serve(ln net.Listener, inherited bool) error {
	s.mu.Lock()
	if s.stopped || inherited && s.draining.Load() {
		s.mu.Unlock()
		ln.Close()
		return ErrServerClosed
	}
	s.listeners[ln] = inherited
	if inherited {
		s.accepting.Add(1)
		defer s.accepting.Done()
	}
	if !s.ticking {
		s.ticking = true
		go s.progress()
	}
	s.mu.Unlock()
	defer ln.Close()
	for wait := time.Duration(0); ; {
		s.room <- struct{}{}
		c, err := ln.Accept()
		if err == nil {
			if wait > 0 && s.conf.AcceptFailed != nil {
				s.conf.AcceptFailed(nil)
			}
			wait = 0
			s.serve(c)
			continue
		}
		<-s.room
		if s.listenerClosed(ln) {
			return ErrServerClosed
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		// Out of descriptors, or a client that left at once: go on, not too fast.
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		if s.conf.AcceptFailed != nil {
			s.conf.AcceptFailed(err)
		}
		s.conf.Log.Error("cannot accept a milter connection", "listener", ln.Addr().String(), "reason", err.Error())
		select {
		case <-time.After(wait):
		case <-s.ctx.Done():
		}
	}
}

func (s *Server) listenerClosed(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, open := s.listeners[ln]
	return !open
}

// serve starts a connection's goroutine.
func (s *Server) serve(c net.Conn) {
	l := &link{Conn: c, srv: s, log: s.conf.Log, r: bufio.NewReaderSize(c, 8<<10)}
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		c.Close()
		<-s.room
		return
	}
	l.crowded = len(s.links) >= s.conf.MaxConns
	s.links[l] = struct{}{}
	s.mu.Unlock()
	l.sess = s.conf.NewSession(l)
	one := lib.Server{NewMilter: func() lib.Milter { return backend{l: l} }}
	one.Serve(&oneListener{l}) // returns once the connection has its goroutine
}

func (s *Server) remove(l *link) {
	s.mu.Lock()
	delete(s.links, l)
	if len(s.links) == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
	s.mu.Unlock()
	<-s.room
}

// Full tells whether no further connection is accepted until one ends.
func (s *Server) Full() bool { return len(s.room) == cap(s.room) }

// Open returns the number of open connections.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.links)
}

// progress tells the MTAs whose messages take long that work goes on, until the server
// stops. One ticker for all costs less than a timer for each message.
func (s *Server) progress() {
	t := time.NewTicker(max(s.conf.ProgressInterval/3, time.Millisecond))
	defer t.Stop()
	var busy []*link
	for {
		select {
		case <-s.ctx.Done():
			return
		case now := <-t.C:
			s.mu.Lock()
			busy = busy[:0]
			for l := range s.links {
				busy = append(busy, l)
			}
			s.mu.Unlock()
			for _, l := range busy {
				l.progress(now)
			}
		}
	}
}

// Drain begins a shutdown: Conn.Draining is true from now on and inherited
// listeners are closed. Sessions decide which messages they still take.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.closeListeners(false)
}

// Shutdown drains the server and returns when all connections have ended, or, after
// ctx is done, when those left have been given their last answer (Conn.SetParting). No
// connection is closed while its SMTP session lives and ctx isn't done: Postfix with
// milter_default_action = accept would deliver the session's next message unfiltered.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	s.lastAccepted(ctx)
	err := s.wait(ctx)
	s.closeListeners(true)
	var parting sync.WaitGroup
	s.mu.Lock()
	for l := range s.links {
		parting.Go(func() { l.part() }) // a write may take its time
	}
	s.mu.Unlock()
	// Only then, so that no End that gives up is heard before the last answer.
	parting.Wait()
	s.handover()
	s.cancel()
	linger, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.conf.LingerTimeout+time.Second)
	defer cancel()
	s.wait(linger)
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.links {
		l.Conn.Close()
	}
	return err
}

// lastAccepted returns when inherited listeners will give no more connections: one that
// was taken from the kernel's queue just before they closed is ours, not the next
// process's, and must be among the links before they are counted.
func (s *Server) lastAccepted(ctx context.Context) {
	done := make(chan struct{})
	go func() { s.accepting.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// handover gives the connections that have had their last answer to somebody who
// stays.
func (s *Server) handover() {
	if s.conf.Handover == nil {
		return
	}
	var files []*os.File
	s.mu.Lock()
	for l := range s.links {
		if f := l.dup(); f != nil {
			files = append(files, f)
		}
	}
	s.mu.Unlock()
	if len(files) == 0 {
		return
	}
	s.conf.Handover(files)
	for _, f := range files {
		f.Close()
	}
}

// closeListeners stops accepting: from inherited listeners, or from all.
func (s *Server) closeListeners(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = s.stopped || all
	for ln, inherited := range s.listeners {
		if all || inherited {
			delete(s.listeners, ln)
			ln.Close()
		}
	}
}

// wait returns when no connection is open, or ctx is done.
func (s *Server) wait(ctx context.Context) error {
	s.mu.Lock()
	if len(s.links) == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	empty := s.empty
	s.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// oneListener has one connection and then no more.
type oneListener struct{ l *link }

func (o *oneListener) Accept() (net.Conn, error) {
	if o.l == nil {
		return nil, net.ErrClosed
	}
	l := o.l
	o.l = nil
	return l, nil
}

func (o *oneListener) Close() error   { return nil }
func (o *oneListener) Addr() net.Addr { return nil }
