package controller

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"rmilter/internal/metrics"
)

// access is what somebody may do, and what an endpoint needs. On a unix socket all is
// allowed.
type access byte

const (
	open  access = iota // what everybody may
	read                // to see: needs the password when there is one
	write               // to change something: needs a password, or an address of the policy
)

// An endpoint is one path of the API.
type endpoint struct {
	needs  access
	method string // GET, which allows HEAD too, or POST
	either bool   // GET is allowed as well as POST
	serve  http.HandlerFunc
}

// endpoints is the path table. A path matches only as a whole, in any case.
func (s *Server) endpoints() map[string]endpoint {
	table := map[string]endpoint{
		"/ping":    {needs: open, method: http.MethodGet, serve: ping},
		"/status":  {needs: read, method: http.MethodGet, serve: s.showStatus},
		"/metrics": {needs: read, method: http.MethodGet, serve: s.showMetrics},
	}
	if s.opts.Reload != nil {
		table["/reload"] = endpoint{needs: write, method: http.MethodPost, serve: s.reload}
	}
	if s.scans != nil {
		inspect := func(as form) endpoint {
			return endpoint{needs: read, method: http.MethodPost, either: true, serve: func(w http.ResponseWriter, r *http.Request) { s.scans.serve(w, r, as, false) }}
		}
		table["/checkv2"], table["/check"], table["/scan"] = inspect(secondForm), inspect(firstForm), inspect(firstForm)
		table["/symbols"] = endpoint{needs: read, method: http.MethodGet, serve: s.listSymbols}
		table["/actions"] = endpoint{needs: read, method: http.MethodGet, serve: s.listActions}
		s.addState(table)
		s.addArchive(table)
	}
	return table
}

// allows tells whether a method is right.
func (e *endpoint) allows(method string) bool {
	return method == e.method || e.method == http.MethodGet && method == http.MethodHead || e.either && method == http.MethodGet
}

// allowed returns the methods that are right.
func (e *endpoint) allowed() string {
	switch {
	case e.either:
		return "GET, POST"
	case e.method == http.MethodGet:
		return "GET, HEAD"
	}
	return e.method
}

// ping answers what rspamd's clients expect.
func ping(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, "pong\r\n")
}

func (s *Server) showStatus(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.opts.Status())
}

// showMetrics answers what collects figures.
func (s *Server) showMetrics(w http.ResponseWriter, _ *http.Request) {
	status := s.opts.Status()
	w.Header().Set("Content-Type", metrics.OpenMetricsType)
	w.Write(metrics.OpenMetrics(&status))
}

// reload answers 409 when the configuration has faults and the one before stays.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	s.opts.Log.Info("controller: reload asked for", "client", clientOf(r))
	answer, err := s.opts.Reload()
	switch {
	case err != nil:
		writeError(w, http.StatusServiceUnavailable, err.Error())
	case !answer.Success:
		writeJSON(w, http.StatusConflict, answer)
	default:
		writeJSON(w, http.StatusOK, answer)
	}
}

// A handler answers the requests of one kind of listener.
type handler struct {
	server  *Server
	trusted bool // a unix socket
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Server", "rmilter")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")

	s := h.server
	g := s.policy.Load()
	if !h.trusted && !g.knows(r.Host, localAddr(r)) {
		s.opts.Log.Info("controller: unknown Host refused", "host", r.Host[:min(len(r.Host), 100)], "client", r.RemoteAddr)
		writeError(w, http.StatusForbidden, "Forbidden: the Host header does not name this server")
		return
	}
	e, ok := s.table[strings.ToLower(r.URL.Path)]
	if !ok {
		head.Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "Not found")
		return
	}
	if !e.allows(r.Method) {
		head.Set("Allow", e.allowed())
		writeError(w, http.StatusMethodNotAllowed, "Invalid method")
		return
	}
	if !h.trusted {
		if code, message := s.refuse(g, r, e.needs); code != 0 {
			writeError(w, code, message)
			return
		}
	}
	e.serve(w, r)
}

// refuse returns why a request on TCP may not have what it needs, as a status and its
// message; 0 when it may.
func (s *Server) refuse(g *guard, r *http.Request, needs access) (int, string) {
	// The address of a browser says nothing about who made the page in it. What only
	// reads is asked for by GET, which other pages may send but not read the answer of,
	// but for scan requests.
	if s.origin.Check(r) != nil {
		return http.StatusForbidden, "Forbidden: the request comes from a web page of another server"
	}
	if needs == open || g.secure(r) {
		return 0, ""
	}
	if len(g.keys) == 0 {
		if needs == read {
			return 0, ""
		}
		return http.StatusForbidden, "Forbidden: without a password HTTP is read-only; use the control socket, or set enable_password or secure_ip in worker \"controller\""
	}
	has, err := s.lock.opens(g, r, needs)
	switch {
	case errors.Is(err, errTooMany):
		return http.StatusTooManyRequests, "Too many authentication failures"
	case err != nil:
		return http.StatusServiceUnavailable, "The client did not wait" // nobody reads it
	case has >= needs:
		return 0, ""
	case has == read:
		return http.StatusForbidden, "Forbidden: this password only reads; use enable_password"
	}
	return http.StatusUnauthorized, "Unauthorized"
}

// localAddr returns the address to which the client connected.
func localAddr(r *http.Request) netip.Addr {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return a.AddrPort().Addr().Unmap().WithZone("")
}

// writeError answers as rspamd does: the message in a JSON object.
func writeError(w http.ResponseWriter, code int, message string) {
	writeJSON(w, code, map[string]string{"error": message})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // it is no HTML, as its type says
	if err := enc.Encode(v); err != nil {
		// Only numbers that are not finite can get here; they are a fault of ours.
		body.Reset()
		code = http.StatusInternalServerError
		body.WriteString("{\"error\":\"cannot encode the answer\"}\n")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len())) // rspamc wants it
	w.WriteHeader(code)
	w.Write(body.Bytes())
}
