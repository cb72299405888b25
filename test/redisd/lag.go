package redisd

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Lag stands before a server and passes on its answers late. It is safe for concurrent
// use.
type Lag struct {
	listener net.Listener
	server   string
	by       atomic.Int64 // nanoseconds
	accepted atomic.Int64
	mu       sync.Mutex
	open     map[net.Conn]bool // nil when it has ended
	running  sync.WaitGroup
}

// NewLag starts a Lag of 0, which ends with the test.
func NewLag(t testing.TB, s *Server) *Lag {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Lag{listener: listener, server: s.Address(), open: map[net.Conn]bool{}}
	l.running.Go(l.accept)
	t.Cleanup(func() {
		listener.Close()
		l.mu.Lock()
		for c := range l.open {
			c.Close()
		}
		l.open = nil
		l.mu.Unlock()
		l.running.Wait()
	})
	return l
}

// Address is where clients find the server.
func (l *Lag) Address() string { return l.listener.Addr().String() }

// Set has each answer from now on come this much later.
func (l *Lag) Set(by time.Duration) { l.by.Store(int64(by)) }

// Accepted returns how many connections there have been.
func (l *Lag) Accepted() int64 { return l.accepted.Load() }

func (l *Lag) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.accepted.Add(1)
		server, err := net.Dial("tcp", l.server)
		if err != nil {
			client.Close()
			continue
		}
		l.mu.Lock()
		if l.open == nil {
			client.Close()
			server.Close()
		} else {
			l.open[client], l.open[server] = true, true
		}
		l.mu.Unlock()
		l.running.Go(func() { l.pass(client, server) })
	}
}

// pass passes on what both say until one of them ends.
func (l *Lag) pass(client, server net.Conn) {
	defer func() {
		client.Close()
		server.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.open, client)
		delete(l.open, server)
	}()
	l.running.Go(func() {
		io.Copy(server, client)
		server.Close()
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		time.Sleep(time.Duration(l.by.Load()))
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}
