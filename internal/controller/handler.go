package controller

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
)

// access says who may use an endpoint on TCP. On a unix socket all is allowed.
type access byte

const (
	open access = iota // everybody
	read               // needs the password when there is one
)

// An endpoint is one path of the API.
type endpoint struct {
	access access
	serve  http.HandlerFunc
}

// endpoints is the path table. A path matches only as a whole.
func (s *Server) endpoints() map[string]endpoint {
	return map[string]endpoint{
		"/ping":   {open, s.ping},
		"/status": {read, s.showStatus},
	}
}

// ping answers what rspamd's clients expect.
func (s *Server) ping(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, "pong\r\n")
}

func (s *Server) showStatus(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.status())
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

	g := h.server.policy.Load()
	if !h.trusted && !g.knows(r.Host, localAddr(r)) {
		h.server.log.Info("controller: unknown Host refused", "host", r.Host[:min(len(r.Host), 100)], "client", r.RemoteAddr)
		writeError(w, http.StatusForbidden, "Forbidden: the Host header does not name this server")
		return
	}
	e, ok := h.server.table[r.URL.Path]
	if !ok {
		head.Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "Not found")
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		writeError(w, http.StatusMethodNotAllowed, "Invalid method")
		return
	}
	if !h.trusted && e.access != open && !g.secure(r) && !g.admits(r.Header.Get("Password")) {
		if r.Header.Get("Password") != "" {
			h.server.log.Warn("controller: wrong password", "client", r.RemoteAddr, "path", r.URL.Path)
		}
		writeError(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	e.serve(w, r)
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
