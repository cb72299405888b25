// Package controller answers programs and people over HTTP: whether the daemon lives
// (/ping) and how it is (/status), what it finds in a message (/checkv2) and what is kept
// about mail (/greylist, /ratelimit), which it changes as well; and it has the
// configuration read again (/reload).
//
// A Server is for people and monitoring. What it is sent is inspected: nothing is
// counted, logged or remembered of it. It serves two kinds of listeners. A unix socket is trusted: who may open it is a
// matter of its file mode. On TCP the Host header must name this machine, so that
// no web page can reach the daemon through a name of its own (DNS rebinding), and
// a password is asked for once one is configured. What changes something needs a
// password or an address that the policy names, and no web page may ask for it. The
// listeners are opened by the caller, which knows addresses and modes.
//
// A Worker is for mail systems that ask by HTTP in place of milter, as rspamd's worker
// "normal" is. Both speak rspamd's protocol; what a message means is for package filter
// to say.
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

	"rmilter/internal/filter"
	"rmilter/internal/metrics"
	"rmilter/internal/spool"
)

// Options are what a Server is made of. Status is required.
type Options struct {
	Status         func() metrics.Status  // what /status tells; called for each request, from many goroutines
	Reload         func() (Reload, error) // what /reload does, called like Status; an error is that nothing was tried; nil: no /reload
	Filter         func() *filter.Filter  // the one in force, for scan requests, called like Status; nil: no scan requests
	Spool          *spool.Spool           // holds their messages; required with Filter
	Archive        Archive                // for /backup and /restore; nil: state isn't kept by this machine
	WrongPassword  func()                 // called for each, like Status; may be nil
	Policy         Policy                 // who may ask
	Log            *slog.Logger           // nil: no log
	Now            func() time.Time       // the clock; nil: time.Now
	MaxConnections int                    // open at once on each listener; 0 means 200
}

// A Reload tells what happened when the configuration was read again. The names in its
// JSON form are a contract. The remarks are as rmilter -t prints them, each with its
// place; the line of the file may stand below, after a line feed.
type Reload struct {
	Success  bool     `json:"success"`  // false: there are faults, and the configuration before stays
	Config   string   `json:"config"`   // the main file
	Hash     string   `json:"hash"`     // of the configuration in force now
	Faults   []string `json:"faults"`   // why it cannot be used; never null, as the lists below
	Warnings []string `json:"warnings"` // what is probably not as it was meant
	Notices  []string `json:"notices"`  // what has no effect
	Restart  []string `json:"restart"`  // options that have changed and keep their old values until a restart
}

// Policy says who may ask over TCP. A reload may replace it. Passwords are in plain text
// or encrypted, see package password.
type Policy struct {
	// Password opens what only reads; "" leaves it open to all who can connect, unless
	// there is an EnablePassword.
	Password string
	// EnablePassword opens it too, and what changes something. When it is "", Password
	// does.
	EnablePassword string
	// SecureIP tells which clients need no password for anything; nil means none.
	// Requests that a proxy has passed on need one all the same.
	SecureIP func(netip.Addr) bool
	// Hosts are names and addresses, without ports, that a Host header may carry
	// besides localhost, loopback addresses and the address that was connected to.
	Hosts []string
}

// A Server answers HTTP requests. Its methods are safe for concurrent use.
type Server struct {
	opts   Options
	lock   *lock
	policy atomic.Pointer[guard]
	table  map[string]endpoint
	origin *http.CrossOriginProtection
	scans  *scans // nil: no scan requests

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

// New returns a server that listens nowhere yet. An error is about a password that
// claims to be encrypted and isn't.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = maxConnections
	}
	s := &Server{opts: o, lock: newLock(o), origin: http.NewCrossOriginProtection()}
	if err := s.SetPolicy(o.Policy); err != nil {
		return nil, err
	}
	if o.Filter != nil {
		s.scans = newScans(o.Filter, o.Spool, o.Log)
	}
	s.table = s.endpoints()
	s.tcp = s.newHTTP(false)
	s.unix = s.newHTTP(true)
	return s, nil
}

// SetPolicy replaces the policy for all requests that come after it. On an error, which
// is as that of New, the old one stays. It must not be called from several goroutines
// at once.
func (s *Server) SetPolicy(p Policy) error {
	g, err := newGuard(p, s.lock, s.policy.Load())
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
	err := h.Serve(newLimited(l, s.opts.MaxConnections))
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
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelWarn),
	}
}
