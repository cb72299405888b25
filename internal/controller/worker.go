package controller

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"rmilter/internal/filter"
	"rmilter/internal/spool"
)

// maxWorkerHeader bounds the header of a scan request, which may name many recipients.
const maxWorkerHeader = 1 << 20

// maxWorkerConnections is WorkerOptions.MaxConnections by default.
const maxWorkerConnections = 1000

// WorkerOptions are what a Worker is made of. Filter and Spool are required.
type WorkerOptions struct {
	Filter         func() *filter.Filter // the one in force; called for each request, from many goroutines
	Spool          *spool.Spool          // holds messages while they are judged
	Log            *slog.Logger          // nil: no log
	MaxConnections int                   // open at once on each listener; 0 means 1000
}

// A Worker answers the scan requests of mail systems, as rspamd's worker "normal" does.
// There are no passwords: who can connect may have mail judged. Its methods are safe
// for concurrent use.
type Worker struct {
	opts  WorkerOptions
	scans *scans
	http  *http.Server
}

// NewWorker returns a worker that listens nowhere yet.
func NewWorker(o WorkerOptions) *Worker {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = maxWorkerConnections
	}
	w := &Worker{opts: o, scans: newScans(o.Filter, o.Spool, o.Log)}
	w.http = &http.Server{
		Handler:           w,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxWorkerHeader,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	return w
}

// Serve answers on l until Shutdown or a failure of l, and closes it. It may be called
// for several listeners. After Shutdown it returns nil.
func (w *Worker) Serve(l net.Listener) error {
	err := w.http.Serve(newLimited(l, w.opts.MaxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown closes the listeners and idle connections and waits until the requests that
// are being answered end. When ctx ends first, their connections are closed and its
// error is returned.
func (w *Worker) Shutdown(ctx context.Context) error {
	err := w.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, w.http.Close())
	}
	return err
}

// ServeHTTP answers one request.
func (w *Worker) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	out.Header().Set("Server", "rmilter")
	// Mail systems send no Origin. Browsers do, whenever a page asks for something that
	// is not its own, and with every POST.
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		writeFailure(out, &failure{http.StatusForbidden, "protocol-error", "web pages may not ask here"})
		return
	}
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		out.Header().Set("Allow", "GET, POST")
		writeFailure(out, &failure{http.StatusMethodNotAllowed, "protocol-error", "invalid method"})
		return
	}
	switch strings.ToLower(r.URL.Path) {
	case "/checkv2":
		w.scans.serve(out, r, secondForm, true)
	case "/check", "/symbols", "/scan", "/process", "/report", "/report_ifspam":
		w.scans.serve(out, r, firstForm, true)
	case "/skip":
		w.scans.serve(out, r, skipForm, true)
	case "/ping":
		ping(out, r)
	default:
		writeFailure(out, &failure{http.StatusInternalServerError, "protocol-error", "invalid command"})
	}
}
