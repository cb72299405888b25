package server

import (
	"context"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rmilter/internal/controller"
	"rmilter/internal/filter"
	"rmilter/internal/policy"
	"rmilter/internal/store"
)

// A hangingStore is a store that doesn't close.
type hangingStore struct {
	store.Store
	release chan struct{}
}

func (s hangingStore) Close() error {
	<-s.release
	return nil
}

// pipes is a Listener for connections within the process.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() pipes { return pipes{make(chan net.Conn), make(chan struct{})} }

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// dial opens a connection, writes to it and leaves it open.
func (p pipes) dial(t *testing.T, text string) net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	if _, err := io.WriteString(client, text); err != nil {
		t.Error(err)
	}
	return client
}

// TestEndIsBounded stops a daemon when everything hangs: an SMTP session of ours, a scan
// request, what is to be remembered, the store. It ends in the time that it has said.
func TestEndIsBounded(t *testing.T) {
	dir := newFolder(t)
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, dir, "shutdown_timeout = 7s;\n")
		release := make(chan struct{})
		r.env.Stores = store.Same(hangingStore{release: release})
		must(t, r.openResolver(r.conf))
		r.filter.Store(filter.New(filter.DefaultConfig(), policy.DefaultConfig(), filter.Rules{Scanner: &refresher{}}, r.env))
		var err error
		r.control, err = controller.New(controller.Options{Status: r.status, Filter: r.daemon.filter.Load, Log: r.log})
		must(t, err)
		r.worker = controller.NewWorker(controller.WorkerOptions{Filter: r.daemon.filter.Load, Spool: r.env.Spool, Log: r.log})
		r.failed = make(chan error, 3)
		all := map[string]pipes{}
		for _, name := range []string{"milter", "scan", "control"} {
			all[name] = newPipes()
			r.serve(listener{all[name], name, name, false})
		}
		const half = " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"
		conns := []net.Conn{all["milter"].dial(t, "\x00\x00\x00"), all["scan"].dial(t, "POST /checkv2"+half), all["control"].dial(t, "POST /checkv2"+half)}
		r.env.Errands.Do(func(context.Context) { <-release })
		synctest.Wait()

		began := time.Now()
		drained, hurry := r.drain(syscall.SIGTERM)
		<-drained
		hurry()
		if got := time.Since(began); got < 7*time.Second {
			t.Errorf("a session of ours was served for %v, want 7s at least", got)
		}
		r.end()
		if got, most := time.Since(began), 7*time.Second+endTime; got > most {
			t.Errorf("the daemon ended after %v, want %v at most", got, most)
		}
		for _, want := range []string{"timeout=7s", "ends_within=22s", "connections cut off", "scan requests cut off",
			"not all could be remembered", "store not closed: it hangs", "msg=stopped"} {
			if !strings.Contains(r.logged(), want) {
				t.Errorf("the log lacks %q:\n%s", want, r.logged())
			}
		}
		close(release)
		for _, c := range conns {
			c.Close()
		}
	})
}
