// Package controller answers programs and people over HTTP: today whether the
// daemon lives (/ping) and how it is (/status).
//
// It serves two kinds of listeners. A unix socket is trusted: who may open it is a
// matter of its file mode. On TCP the Host header must name this machine, so that
// no web page can reach the daemon through a name of its own (DNS rebinding), and
// a password is asked for once one is configured. Nothing can be changed over
// HTTP. The listeners are opened by the caller, which knows addresses and modes;
// the package knows nothing of milter and scanning.
package controller

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"rmilter/internal/metrics"
)

// ErrEncryptedPassword is returned for a password that is not in plain text but
// looks like rspamd's encrypted form ($1$…, $2$…), which is not understood yet.
// It is never taken as plain text: a file that shows it would give access.
var ErrEncryptedPassword = errors.New("controller: encrypted passwords ($1$…, $2$…) are not supported yet")

// Options are what a Server is made of. Status is required.
type Options struct {
	Status         func() metrics.Status // what /status tells; called for each request, from many goroutines
	Policy         Policy                // who may ask
	Log            *slog.Logger          // nil: no log
	MaxConnections int                   // open at once on each listener; 0 means 200
}

// Policy says who may ask over TCP. A reload may replace it.
type Policy struct {
	// Password opens what only reads; "" leaves it open to all who can connect.
	// Plain text only, see ErrEncryptedPassword.
	Password string
	// EnablePassword opens it too; later what changes something.
	EnablePassword string
	// SecureIP tells which clients need no password; nil means none. Requests that
	// a proxy has passed on need one all the same.
	SecureIP func(netip.Addr) bool
	// Hosts are names and addresses, without ports, that a Host header may carry
	// besides localhost, loopback addresses and the address that was connected to.
	Hosts []string
}

// A Server answers HTTP requests. Its methods are safe for concurrent use.
type Server struct {
	status func() metrics.Status
	log    *slog.Logger
	max    int
	policy atomic.Pointer[guard]
	table  map[string]endpoint

	tcp  *http.Server
	unix *http.Server
}

// Bounds of a connection. The times are generous for people on slow links and
// short enough to free the place of one who does nothing.
const (
	maxHeader         = 64 << 10
	maxConnections    = 200
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 60 * time.Second
)

// New returns a server that listens nowhere yet, or ErrEncryptedPassword.
func New(o Options) (*Server, error) {
	s := &Server{status: o.Status, log: o.Log, max: o.MaxConnections}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.max <= 0 {
		s.max = maxConnections
	}
	if err := s.SetPolicy(o.Policy); err != nil {
		return nil, err
	}
	s.table = s.endpoints()
	s.tcp = s.newHTTP(false)
	s.unix = s.newHTTP(true)
	return s, nil
}

// SetPolicy replaces the policy for all requests that come after it. On
// ErrEncryptedPassword the old one stays.
func (s *Server) SetPolicy(p Policy) error {
	g, err := newGuard(p)
	if err != nil {
		return err
	}
	s.policy.Store(g)
	return nil
}

// Serve answers on l until Shutdown or a failure of l, and closes it. It may be
// called for several listeners; those on unix sockets are trusted. After Shutdown
// it returns nil.
func (s *Server) Serve(l net.Listener) error {
	h := s.tcp
	if l.Addr().Network() == "unix" {
		h = s.unix
	}
	err := h.Serve(newLimited(l, s.max))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown closes the listeners and idle connections and waits until the requests
// that are being answered end. When ctx ends first, their connections are closed
// and its error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	errs := make(chan error, 2)
	for _, h := range []*http.Server{s.tcp, s.unix} {
		go func() {
			err := h.Shutdown(ctx)
			if err != nil {
				err = errors.Join(err, h.Close())
			}
			errs <- err
		}()
	}
	return errors.Join(<-errs, <-errs)
}

func (s *Server) newHTTP(trusted bool) *http.Server {
	return &http.Server{
		Handler:           &handler{server: s, trusted: trusted},
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}
