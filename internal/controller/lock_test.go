package controller

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/password"
)

// The password "secret", encrypted.
const (
	secret1 = "$1$cfkiarzypgd1meouo1cjw8xuetgoacyx$479g59ipjccci9f6ga499oxfgtbrzfougxywsx4npzwpj64oczhy"
	secret2 = "$2$bhhgt1uyybysmca95n975id6puzfjj19$qhs585gbx8fftot5n4okthuffia4xa7toz78phoqge9g9i5gupry"
)

func encrypt(t *testing.T, text string) string {
	t.Helper()
	e, err := password.New(text, strings.NewReader("salt of twenty bytes"))
	if err != nil {
		t.Fatal(err)
	}
	return e.String()
}

// A door is a server with a clock and a way in.
type door struct {
	*Server
	t     *testing.T
	log   *syncBuffer
	now   atomic.Int64 // seconds
	wrong atomic.Int64
}

func newDoor(t *testing.T, p Policy) *door {
	t.Helper()
	d := &door{t: t, log: &syncBuffer{}}
	var err error
	d.Server, err = New(Options{
		Status:        fixedStatus,
		Reload:        func() (Reload, error) { return Reload{Success: true}, nil },
		WrongPassword: func() { d.wrong.Add(1) },
		Policy:        p,
		Log:           slog.New(slog.NewTextHandler(d.log, nil)),
		Now:           func() time.Time { return time.Unix(d.now.Load(), 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// ask sends a request over TCP, with a password when it isn't "".
func (d *door) ask(method, path, client, password string) *httptest.ResponseRecorder {
	return d.askUntil(context.Background(), method, path, client, password)
}

// askUntil is ask of a client that waits for as long as ctx lasts.
func (d *door) askUntil(ctx context.Context, method, path, client, password string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, path, nil)
	r.Host = "127.0.0.1:11334"
	r.RemoteAddr = client
	if password != "" {
		r.Header.Set("Password", password)
	}
	w := httptest.NewRecorder()
	(&handler{server: d.Server}).ServeHTTP(w, r)
	return w
}

// code asks for something to see, from the first of the test networks.
func (d *door) code(password string) int {
	return d.ask("GET", "/status", "192.0.2.1:1234", password).Code
}

// slow tells whether a password has to be verified: while another one is, a client that
// doesn't wait then has no answer.
func (d *door) slow(password string) bool {
	d.lock.slow <- struct{}{}
	defer func() { <-d.lock.slow }()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return d.askUntil(ctx, "GET", "/status", "192.0.2.1:1234", password).Code == http.StatusServiceUnavailable
}

// TestRights is the whole table of who may do what.
func TestRights(t *testing.T) {
	client := func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.1") }
	nopass := "without a password HTTP is read-only; use the control socket, or set enable_password or secure_ip"
	readonly := "this password only reads; use enable_password"
	tests := []struct {
		name        string
		policy      Policy
		password    string
		forwarded   bool
		status      int // GET /status
		reload      int // POST /reload
		explanation string
	}{
		{"nothing configured", Policy{}, "", false, 200, 403, nopass},
		{"nothing configured, some password", Policy{}, "x", false, 200, 403, nopass},
		{"password missing", Policy{Password: "p"}, "", false, 401, 401, "Unauthorized"},
		{"password wrong", Policy{Password: "p"}, "x", false, 401, 401, "Unauthorized"},
		{"password alone", Policy{Password: "p"}, "p", false, 200, 200, ""},
		{"password beside enable_password", Policy{Password: "p", EnablePassword: "e"}, "p", false, 200, 403, readonly},
		{"enable_password", Policy{Password: "p", EnablePassword: "e"}, "e", false, 200, 200, ""},
		{"enable_password alone", Policy{EnablePassword: "e"}, "e", false, 200, 200, ""},
		{"enable_password alone, missing", Policy{EnablePassword: "e"}, "", false, 401, 401, "Unauthorized"},
		{"both the same", Policy{Password: "p", EnablePassword: "p"}, "p", false, 200, 200, ""},
		{"encrypted, alone", Policy{Password: secret1}, "secret", false, 200, 200, ""},
		{"encrypted, wrong", Policy{Password: secret2}, "Secret", false, 401, 401, "Unauthorized"},
		{"encrypted form given", Policy{Password: secret1, EnablePassword: secret2}, secret1, false, 401, 401, "Unauthorized"},
		{"encrypted, both the same", Policy{Password: secret1, EnablePassword: secret2}, "secret", false, 200, 200, ""},
		{"encrypted beside enable_password", Policy{Password: secret2, EnablePassword: "e"}, "secret", false, 200, 403, readonly},
		{"password beside an encrypted enable_password", Policy{Password: "p", EnablePassword: secret2}, "p", false, 200, 403, readonly},
		{"secure_ip", Policy{SecureIP: client}, "", false, 200, 200, ""},
		{"secure_ip, with passwords", Policy{Password: "p", EnablePassword: "e", SecureIP: client}, "", false, 200, 200, ""},
		{"secure_ip of a proxy", Policy{SecureIP: client}, "", true, 200, 403, nopass},
		{"secure_ip of a proxy, with passwords", Policy{Password: "p", SecureIP: client}, "", true, 401, 401, "Unauthorized"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, tt.policy)
			for _, req := range []struct {
				method, path string
				want         int
			}{{"GET", "/status", tt.status}, {"HEAD", "/status", tt.status}, {"POST", "/reload", tt.reload}, {"POST", "/status", 405}, {"GET", "/reload", 405}, {"GET", "/status", tt.status}} {
				r := httptest.NewRequest(req.method, req.path, nil)
				r.Host = "127.0.0.1:11334"
				if tt.password != "" {
					r.Header.Set("Password", tt.password)
				}
				if tt.forwarded {
					r.Header.Set("X-Forwarded-For", "192.0.2.1")
				}
				w := httptest.NewRecorder()
				(&handler{server: d.Server}).ServeHTTP(w, r)
				if w.Code != req.want {
					t.Errorf("%s %s: got %d %s, want %d", req.method, req.path, w.Code, w.Body, req.want)
				}
				if req.path == "/reload" && req.method == "POST" && !strings.Contains(w.Body.String(), tt.explanation) {
					t.Errorf("POST /reload: got %s, want %q", w.Body, tt.explanation)
				}
			}
			for _, word := range []string{secret1, secret2, "=secret", "Secret"} {
				if strings.Contains(d.log.String(), word) {
					t.Errorf("the log shows %q: %s", word, d.log)
				}
			}
		})
	}
}

// TestWebPage has a browser ask for a reload from an address that may.
func TestWebPage(t *testing.T) {
	s := newDoor(t, Policy{SecureIP: func(netip.Addr) bool { return true }})
	for _, tt := range []struct {
		name, header, value string
		want                int
	}{
		{"no browser", "", "", 200},
		{"our own page", "Sec-Fetch-Site", "same-origin", 200},
		{"typed by the user", "Sec-Fetch-Site", "none", 200},
		{"another site", "Sec-Fetch-Site", "cross-site", 403},
		{"another port of this host", "Sec-Fetch-Site", "same-site", 403},
		{"another site, old browser", "Origin", "https://evil.example", 403},
		{"no origin that it may tell", "Origin", "null", 403},
		{"our own page, old browser", "Origin", "http://127.0.0.1:11334", 200},
	} {
		r := httptest.NewRequest("POST", "/reload", nil)
		r.Host = "127.0.0.1:11334"
		if tt.header != "" {
			r.Header.Set(tt.header, tt.value)
		}
		w := httptest.NewRecorder()
		(&handler{server: s.Server}).ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s: got %d %s, want %d", tt.name, w.Code, w.Body, tt.want)
		}
	}
}

// TestReloadAnswer is what the three ends of a reload look like, and that there is none
// without a function for it.
func TestReloadAnswer(t *testing.T) {
	full := Reload{Config: "/etc/rmilter.conf", Hash: "9c1f2a", Faults: []string{"/etc/rmilter.conf:1:1: bad\n    x"}, Warnings: []string{}, Notices: []string{}, Restart: []string{"bind_socket"}}
	ok := full
	ok.Success, ok.Faults = true, []string{}
	for _, tt := range []struct {
		reload func() (Reload, error)
		code   int
		want   string
	}{
		{func() (Reload, error) { return ok, nil }, 200, `{"success":true,"config":"/etc/rmilter.conf","hash":"9c1f2a","faults":[],"warnings":[],"notices":[],"restart":["bind_socket"]}`},
		{func() (Reload, error) { return full, nil }, 409, `{"success":false,"config":"/etc/rmilter.conf","hash":"9c1f2a","faults":["/etc/rmilter.conf:1:1: bad\n    x"],"warnings":[],"notices":[],"restart":["bind_socket"]}`},
		{func() (Reload, error) { return Reload{}, fmt.Errorf("rmilter is stopping") }, 503, `{"error":"rmilter is stopping"}`},
		{nil, 404, "Not found"},
	} {
		s, err := New(Options{Status: fixedStatus, Reload: tt.reload})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		(&handler{server: s, trusted: true}).ServeHTTP(w, httptest.NewRequest("POST", "/reload", nil))
		if diff := cmp.Diff(tt.want, strings.TrimSuffix(w.Body.String(), "\n")); w.Code != tt.code || diff != "" {
			t.Errorf("got %d, want %d; -want +got:\n%s", w.Code, tt.code, diff)
		}
	}
}

// TestVerifiedOnce has a poll each second: it must cost nothing, after a reload as well.
func TestVerifiedOnce(t *testing.T) {
	d := newDoor(t, Policy{Password: secret2, EnablePassword: encrypt(t, "other")})
	check := func(when, password string, slow bool, code int) {
		t.Helper()
		if got := d.slow(password); got != slow {
			t.Errorf("%s, %q has to be verified: got %v, want %v", when, password, got, slow)
		}
		if got := d.code(password); got != code {
			t.Errorf("%s, %q: got %d, want %d", when, password, got, code)
		}
	}
	check("first", "secret", true, 200)
	check("again", "secret", false, 200)
	check("the other one is not known", "Secret", true, 401)
	if err := d.SetPolicy(Policy{EnablePassword: secret2}); err != nil {
		t.Fatal(err)
	}
	check("after a reload", "secret", false, 200)
	check("the only one is known", "wrong", false, 401)
	if err := d.SetPolicy(Policy{Password: secret1}); err != nil {
		t.Fatal(err)
	}
	check("new form", "wrong", true, 401)
	check("wrong again", "wrong", false, 401)
	check("new form", "secret", true, 200)
	check("new form, again", "secret", false, 200)
}

// TestOneAtATime has many guess at once.
func TestOneAtATime(t *testing.T) {
	d := newDoor(t, Policy{Password: secret1})
	d.lock.slow <- struct{}{}
	var all sync.WaitGroup
	codes := make([]atomic.Int64, 600)
	for i := range 30 {
		all.Go(func() {
			codes[d.ask("GET", "/status", "192.0.2.1:1234", fmt.Sprint("guess", i)).Code].Add(1)
		})
	}
	<-d.lock.slow
	all.Wait()
	if codes[401].Load() != maxFailures || codes[429].Load() != 30-maxFailures {
		t.Errorf("got %d times 401 and %d times 429, want %d and %d", codes[401].Load(), codes[429].Load(), maxFailures, 30-maxFailures)
	}
	if got := d.wrong.Load(); got != maxFailures {
		t.Errorf("%d wrong passwords counted, want %d", got, maxFailures)
	}
}

// TestTooManyFailures blocks a source, and nobody else, for a minute.
func TestTooManyFailures(t *testing.T) {
	d := newDoor(t, Policy{Password: "right"})
	for range maxFailures {
		if got := d.code("wrong"); got != 401 {
			t.Fatalf("got %d, want 401", got)
		}
		if got := d.code("right"); got != 200 && d.wrong.Load() < maxFailures {
			t.Fatalf("the right password after %d wrong ones: got %d, want 200", d.wrong.Load(), got)
		}
	}
	w := d.ask("GET", "/status", "192.0.2.1:99", "right")
	if w.Code != http.StatusTooManyRequests || w.Body.String() != `{"error":"Too many authentication failures"}`+"\n" {
		t.Errorf("got %d %s, want 429", w.Code, w.Body)
	}
	for client, want := range map[string]int{"192.0.2.2:99": 200, "[2001:db8::1]:99": 200, "[::ffff:192.0.2.1]:99": 429} {
		if got := d.ask("GET", "/status", client, "right").Code; got != want {
			t.Errorf("%s: got %d, want %d", client, got, want)
		}
	}
	if got := d.code(""); got != 401 {
		t.Errorf("without a password: got %d, want 401", got)
	}
	d.now.Add(59)
	if got := d.code("right"); got != 429 {
		t.Errorf("after 59 s: got %d, want 429", got)
	}
	d.now.Add(1)
	if got := d.code("right"); got != 200 {
		t.Errorf("after a minute: got %d, want 200", got)
	}
	log := d.log.String()
	if strings.Count(log, "wrong password\"") != maxFailures || strings.Count(log, "too many wrong passwords") != 1 || !strings.Contains(log, "client=192.0.2.1:1234 path=/status") {
		t.Errorf("log: %s", log)
	}
}

// TestSourcesForgotten fails from more sources than are remembered: those that failed
// first are forgotten.
func TestSourcesForgotten(t *testing.T) {
	d := newDoor(t, Policy{Password: "right"})
	fail := func(client string) {
		for range maxFailures {
			d.ask("GET", "/status", client, "wrong")
		}
	}
	for i := range maxSources + 1 {
		d.now.Store(int64(i) / 100)
		fail(fmt.Sprintf("[2001:db8:0:%x::1]:1", i))
	}
	if got := len(d.lock.failures); got != maxSources {
		t.Errorf("%d sources remembered, want %d", got, maxSources)
	}
	for client, want := range map[string]int{
		"[2001:db8:0:400::ffff]:1": 429, // the last one's network
		"[2001:db8:0:100::1]:1":    429,
		"[2001:db8:0:401::1]:1":    200,
	} {
		if got := d.ask("GET", "/status", client, "right").Code; got != want {
			t.Errorf("%s: got %d, want %d", client, got, want)
		}
	}
	forgotten := 0
	for i := range 100 {
		if d.ask("GET", "/status", fmt.Sprintf("[2001:db8:0:%x::1]:1", i), "right").Code == 200 {
			forgotten++
		}
	}
	if forgotten != 1 {
		t.Errorf("%d of the first sources forgotten, want 1", forgotten)
	}
}

func TestSetPolicy(t *testing.T) {
	d := newDoor(t, Policy{Password: "old"})
	for _, p := range []Policy{{Password: "$1$salt$key"}, {EnablePassword: "$2y$10$hash"}} {
		if err := d.SetPolicy(p); err == nil || !strings.Contains(err.Error(), "password: ") || strings.Contains(err.Error(), "salt$") {
			t.Errorf("SetPolicy(%+v): got %v, want what is wrong", p, err)
		}
		if _, err := New(Options{Status: fixedStatus, Policy: p}); err == nil {
			t.Errorf("New(%+v): no error", p)
		}
	}
	if got := d.code("old"); got != 200 {
		t.Errorf("old password after a bad policy: got %d, want 200", got)
	}
	if err := d.SetPolicy(Policy{Password: "new"}); err != nil {
		t.Fatal(err)
	}
	if got, gotNew := d.code("old"), d.code("new"); got != 401 || gotNew != 200 {
		t.Errorf("old and new password: got %d, %d, want 401, 200", got, gotNew)
	}
}
