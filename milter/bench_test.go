package milter_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"rmilter/milter"
	"rmilter/milter/miltertest"
)

// BenchmarkMessage is one message of 30 header fields and 9 KB on a connection that
// stands, filter and MTA together.
func BenchmarkMessage(b *testing.B) {
	srv := milter.NewServer(milter.Config{NewSession: func(milter.Conn) milter.Session { return nothing{} }})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go srv.Serve(ln, false)
	defer srv.Shutdown(b.Context())
	c, err := miltertest.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if err := c.Negotiate(6, miltertest.AllActions, miltertest.AllProtocol); err != nil {
		b.Fatal(err)
	}
	d := miltertest.Delivery{
		From:    miltertest.Path{Addr: "<joe@example.org>"},
		Rcpts:   []miltertest.Path{{Addr: "<alice@example.com>"}},
		Message: miltertest.Message{Body: []byte(strings.Repeat("All work and no play.\r\n", 390))},
	}
	for i := range 30 {
		d.Message.Header = append(d.Message.Header, miltertest.Field{Name: fmt.Sprint("X-Field-", i), Value: " some value of usual length, twice as long as that"})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Deliver(d, miltertest.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
