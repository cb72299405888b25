package controller

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/metrics"
)

func fixedStatus() metrics.Status {
	return metrics.Status{Version: "0.1.0", Hostname: "mx1", State: metrics.OK, Listeners: []metrics.Listener{}}
}

// A syncBuffer is a log that the server writes while the test reads.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newServer(t *testing.T, p Policy) (*Server, *syncBuffer) {
	t.Helper()
	log := &syncBuffer{}
	s, err := New(Options{Status: fixedStatus, Policy: p, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

func TestRequests(t *testing.T) {
	const secret = "correct horse"
	client := func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.1") } // httptest's
	nobody := func(netip.Addr) bool { return false }
	status, err := json.Marshal(fixedStatus())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name      string
		policy    Policy
		trusted   bool
		method    string
		target    string
		host      string
		password  string
		forwarded string
		code      int
		ctype     string
		body      string
	}{
		{name: "ping", target: "/ping", code: 200, ctype: "text/plain", body: "pong\r\n"},
		{name: "ping needs no password", policy: Policy{Password: secret}, target: "/ping", code: 200, ctype: "text/plain", body: "pong\r\n"},
		{name: "status, open", target: "/status", code: 200, ctype: "application/json", body: string(status) + "\n"},
		{name: "status, right password", policy: Policy{Password: secret}, target: "/status", password: secret, code: 200, ctype: "application/json", body: string(status) + "\n"},
		{name: "status, no password", policy: Policy{Password: secret}, target: "/status", code: 401, ctype: "application/json", body: `{"error":"Unauthorized"}` + "\n"},
		{name: "status, wrong password", policy: Policy{Password: secret}, target: "/status", password: secret + "!", code: 401, ctype: "application/json", body: `{"error":"Unauthorized"}` + "\n"},
		{name: "status, password in the query is not taken", policy: Policy{Password: secret}, target: "/status?password=correct+horse", code: 401, ctype: "application/json", body: `{"error":"Unauthorized"}` + "\n"},
		{name: "status, enable_password", policy: Policy{Password: "other", EnablePassword: secret}, target: "/status", password: secret, code: 200, ctype: "application/json", body: string(status) + "\n"},
		{name: "status, secure_ip", policy: Policy{Password: secret, SecureIP: client}, target: "/status", code: 200, ctype: "application/json", body: string(status) + "\n"},
		{name: "status, other secure_ip", policy: Policy{Password: secret, SecureIP: nobody}, target: "/status", code: 401, ctype: "application/json", body: `{"error":"Unauthorized"}` + "\n"},
		{name: "status, secure_ip of a proxy", policy: Policy{Password: secret, SecureIP: client}, forwarded: "203.0.113.7", target: "/status", code: 401, ctype: "application/json", body: `{"error":"Unauthorized"}` + "\n"},
		{name: "status, socket", policy: Policy{Password: secret}, trusted: true, target: "/status", code: 200, ctype: "application/json", body: string(status) + "\n"},
		{name: "query ignored", target: "/status?x=1", code: 200, ctype: "application/json", body: string(status) + "\n"},
		{name: "head", method: "HEAD", target: "/ping", code: 200, ctype: "text/plain", body: "pong\r\n"},
		{name: "post", method: "POST", target: "/status", code: 405, ctype: "application/json", body: `{"error":"Invalid method"}` + "\n"},
		{name: "unknown path", target: "/nothing", code: 404, ctype: "text/plain", body: "Not found"},
		{name: "unknown path needs no password", policy: Policy{Password: secret}, target: "/", code: 404, ctype: "text/plain", body: "Not found"},
		{name: "no path cleaning", target: "/x/../status", code: 404, ctype: "text/plain", body: "Not found"},
		{name: "foreign host", target: "/ping", host: "evil.example", code: 403, ctype: "application/json", body: `{"error":"Forbidden: the Host header does not name this server"}` + "\n"},
		{name: "foreign host, status", policy: Policy{Password: secret}, target: "/status", password: secret, host: "evil.example:11334", code: 403, ctype: "application/json", body: `{"error":"Forbidden: the Host header does not name this server"}` + "\n"},
		{name: "foreign host, socket", trusted: true, target: "/ping", host: "evil.example", code: 200, ctype: "text/plain", body: "pong\r\n"},
		{name: "configured host", policy: Policy{Hosts: []string{"MX1.example.com"}}, target: "/ping", host: "mx1.example.com.:11334", code: 200, ctype: "text/plain", body: "pong\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, log := newServer(t, tt.policy)
			if tt.method == "" {
				tt.method = "GET"
			}
			r := httptest.NewRequest(tt.method, tt.target, nil)
			r.Host = "localhost:11334"
			if tt.host != "" {
				r.Host = tt.host
			}
			if tt.password != "" {
				r.Header.Set("Password", tt.password)
			}
			if tt.forwarded != "" {
				r.Header.Set("X-Forwarded-For", tt.forwarded)
			}
			w := httptest.NewRecorder()
			(&handler{server: s, trusted: tt.trusted}).ServeHTTP(w, r)
			if w.Code != tt.code || w.Header().Get("Content-Type") != tt.ctype {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Header().Get("Content-Type"), tt.code, tt.ctype)
			}
			if diff := cmp.Diff(tt.body, w.Body.String()); diff != "" {
				t.Errorf("body, -want +got:\n%s", diff)
			}
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control: got %q, want no-store", got)
			}
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log shows the password: %s", log)
			}
		})
	}
}

// listenUnix opens a socket under a short path: socket paths end at 104 bytes.
func listenUnix(t *testing.T) (net.Listener, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "rmilter")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "control.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return l, path
}

func listenTCP(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serve runs s on l and checks at the end that it stopped well.
func serve(t *testing.T, s *Server, l net.Listener) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestListeners(t *testing.T) {
	s, _ := newServer(t, Policy{Password: "secret"})
	unix, path := listenUnix(t)
	tcp := listenTCP(t)
	serve(t, s, unix)
	serve(t, s, tcp)

	overUnix := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	if code, body := get(t, overUnix, "http://whatever.example/status"); code != 200 || !strings.Contains(body, `"version":"0.1.0"`) {
		t.Errorf("unix socket: got %d %s, want 200 and a status", code, body)
	}
	overTCP := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if code, _ := get(t, overTCP, "http://"+tcp.Addr().String()+"/status"); code != 401 {
		t.Errorf("TCP without password: got %d, want 401", code)
	}
	if code, body := get(t, overTCP, "http://"+tcp.Addr().String()+"/ping"); code != 200 || body != "pong\r\n" {
		t.Errorf("TCP ping: got %d %q, want 200 pong", code, body)
	}
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	r, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// talk sends raw bytes and returns the first line of the answer, and "" when the
// server just closes.
func talk(t *testing.T, l net.Listener, send string) string {
	t.Helper()
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	// The server may answer and close before it has all: not an error here.
	io.WriteString(c, send)
	line, err := bufio.NewReader(c).ReadString('\n')
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal("no answer within 10 s")
	}
	return strings.TrimSpace(line)
}

func TestRawRequests(t *testing.T) {
	s, _ := newServer(t, Policy{})
	l := listenTCP(t)
	serve(t, s, l)
	tests := []struct {
		name, send, want string
	}{
		{"HTTP/1.0 without Host, as rspamc", "GET /ping HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK"},
		{"HTTP/1.1 without Host", "GET /ping HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request: missing required Host header"},
		{"two hosts", "GET /ping HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"absolute form", "GET http://evil.example/ping HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 403 Forbidden"},
		{"own address", "GET /ping HTTP/1.1\r\nHost: " + l.Addr().String() + "\r\n\r\n", "HTTP/1.1 200 OK"},
		{"foreign address", "GET /ping HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "HTTP/1.1 403 Forbidden"},
		{"header of 60 KB", "GET /ping HTTP/1.0\r\nX: " + strings.Repeat("x", 60<<10) + "\r\n\r\n", "HTTP/1.0 200 OK"},
		{"header of 80 KB", "GET /ping HTTP/1.0\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", "HTTP/1.1 431 Request Header Fields Too Large"},
		{"not HTTP", "\x00\x01\x02\r\n\r\n", "HTTP/1.1 400 Bad Request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := talk(t, l, tt.send); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestSlowClient sends half a header and must be let go.
func TestSlowClient(t *testing.T) {
	s, _ := newServer(t, Policy{})
	for _, h := range []*http.Server{s.tcp, s.unix} {
		if h.ReadHeaderTimeout <= 0 || h.ReadTimeout <= 0 || h.WriteTimeout <= 0 || h.IdleTimeout <= 0 || h.MaxHeaderBytes != 64<<10 {
			t.Errorf("a bound is missing: %+v", h)
		}
	}
	s.tcp.ReadHeaderTimeout = 20 * time.Millisecond
	l := listenTCP(t)
	serve(t, s, l)
	if got := talk(t, l, "GET /ping HTTP/1.1\r\nHos"); got != "" && !strings.HasPrefix(got, "HTTP/1.1 408") && !strings.HasPrefix(got, "HTTP/1.1 400") {
		t.Errorf("got %q, want a closed connection", got)
	}
}

// TestConnectionLimit fills all places with idle connections: the next gets 503,
// and the place of one that leaves can be taken.
func TestConnectionLimit(t *testing.T) {
	s, err := New(Options{Status: fixedStatus, MaxConnections: 2})
	if err != nil {
		t.Fatal(err)
	}
	l := listenTCP(t)
	serve(t, s, l)
	var idle []net.Conn
	for range 2 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// An answer shows that the place is taken.
		io.WriteString(c, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("got %q, %v, want 200", line, err)
		}
		idle = append(idle, c)
	}
	if got := talk(t, l, ""); got != "HTTP/1.1 503 Service Unavailable" {
		t.Errorf("third connection: got %q, want 503", got)
	}
	idle[0].Close()
	// The server notices the close in its own time.
	deadline := time.Now().Add(10 * time.Second)
	for {
		got := talk(t, l, "GET /ping HTTP/1.0\r\n\r\n")
		if got == "HTTP/1.0 200 OK" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after one left: got %q, want 200", got)
		}
	}
}

func TestLimitedConnCloseTwice(t *testing.T) {
	inner := listenTCP(t)
	defer inner.Close()
	l := newLimited(inner, 2)
	for range 2 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	a.Close()
	a.Close()
	if got := len(l.free); got != 1 {
		t.Errorf("places taken after one closed twice: got %d, want 1", got)
	}
}

// TestShutdown begins while a request is being answered: that one gets its answer.
func TestShutdown(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	s, err := New(Options{Status: func() metrics.Status {
		close(inside)
		<-leave
		return fixedStatus()
	}})
	if err != nil {
		t.Fatal(err)
	}
	l := listenTCP(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	answer := make(chan string, 1)
	go func() { answer <- talk(t, l, "GET /status HTTP/1.0\r\n\r\n") }()
	<-inside

	expired, cancel := context.WithCancel(context.Background())
	cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	if err := <-served; err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
	close(leave)
	if got := <-answer; got != "HTTP/1.0 200 OK" {
		t.Errorf("request in flight: got %q, want 200", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Shutdown: got %v, want nil", err)
	}
	if err := s.Shutdown(expired); err != nil {
		t.Errorf("Shutdown again: got %v, want nil", err)
	}
	late := listenTCP(t)
	if err := s.Serve(late); err != nil {
		t.Errorf("Serve after Shutdown: got %v, want nil", err)
	}
	if _, err := late.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("listener after Shutdown: got %v, want closed", err)
	}
}

// TestShutdownDeadline has a request that does not end.
func TestShutdownDeadline(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	defer close(leave)
	s, err := New(Options{Status: func() metrics.Status {
		close(inside)
		<-leave
		return fixedStatus()
	}})
	if err != nil {
		t.Fatal(err)
	}
	l := listenTCP(t)
	go s.Serve(l)
	answer := make(chan string, 1)
	go func() { answer <- talk(t, l, "GET /status HTTP/1.0\r\n\r\n") }()
	<-inside
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: got %v, want context.Canceled", err)
	}
	if got := <-answer; got != "" {
		t.Errorf("request in flight: got %q, want a closed connection", got)
	}
}
