package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
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
	serve  http.HandlerFunc
}

// endpoints is the path table. A path matches only as a whole.
func (s *Server) endpoints() map[string]endpoint {
	table := map[string]endpoint{
		"/ping":   {open, http.MethodGet, s.ping},
		"/status": {read, http.MethodGet, s.showStatus},
	}
	if s.opts.Reload != nil {
		table["/reload"] = endpoint{write, http.MethodPost, s.reload}
	}
	return table
}

// ping answers what rspamd's clients expect.
func (s *Server) ping(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, "pong\r\n")
}

func (s *Server) showStatus(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.opts.Status())
}

// reload answers 409 when the configuration has faults and the one before stays.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	client := r.RemoteAddr
	if client == "@" { // how package net calls it
		client = "control socket"
	}
	s.opts.Log.Info("controller: reload asked for", "client", client)
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
	e, ok := s.table[r.URL.Path]
	if !ok {
		head.Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "Not found")
		return
	}
	if r.Method != e.method && (e.method != http.MethodGet || r.Method != http.MethodHead) {
		head.Set("Allow", strings.Replace(e.method, "GET", "GET, HEAD", 1))
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
	// The address of a browser says nothing about who made the page in it.
	if needs == write && s.origin.Check(r) != nil {
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
	body, err := json.Marshal(v)
	if err != nil {
		// Only numbers that are not finite can get here; they are a fault of ours.
		code, body = http.StatusInternalServerError, fmt.Appendf(nil, "{\"error\":%q}", "cannot encode the answer")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(body, '\n'))
}
