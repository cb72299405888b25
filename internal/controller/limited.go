package controller

import (
	"io"
	"net"
	"sync"
	"time"
)

// A limited listener answers 503 to connections above a number. Letting them wait
// instead would make a monitor's /ping hang behind idle connections.
type limited struct {
	net.Listener
	free chan struct{} // holds one value per connection in use
}

func newLimited(l net.Listener, max int) *limited {
	return &limited{Listener: l, free: make(chan struct{}, max)}
}

// Accept returns the next connection that has a place.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.free <- struct{}{}:
			return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.free })}, nil
		default:
			refuse(c)
		}
	}
}

// refuse never waits: an empty socket buffer takes the whole answer.
func refuse(c net.Conn) {
	c.SetWriteDeadline(time.Now().Add(time.Second))
	io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	c.Close()
}

// A limitedConn gives its place back when it is closed.
type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}
