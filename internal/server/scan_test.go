package server

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"rmilter/internal/config"
	"rmilter/internal/controller"
	"rmilter/internal/ucl"
)

// gtubeMail is a message with the test string for a reject.
const gtubeMail = "From: <joe@sender.example>\r\nSubject: test\r\n\r\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" + "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"

// service returns where something listens.
func (r *rig) service(name, network string) string {
	r.t.Helper()
	for _, l := range r.listeners {
		if l.name == name && l.Addr().Network() == network {
			return l.Addr().String()
		}
	}
	r.t.Fatalf("no %s on %s", name, network)
	return ""
}

// ask sends a message to be scanned.
func (r *rig) ask(network, address, message string, header ...string) (int, controller.Reply) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://localhost/checkv2", strings.NewReader(message))
	must(r.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	resp, err := transport.RoundTrip(req)
	must(r.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(r.t, err)
	var reply controller.Reply
	if err := json.Unmarshal(body, &reply); err != nil {
		r.t.Fatalf("%d %s: %v", resp.StatusCode, body, err)
	}
	return resp.StatusCode, reply
}

// TestScanRequests asks at the worker and at the controller: only what the worker is
// told the client and the recipients of is mail.
func TestScanRequests(t *testing.T) {
	r := boot(t, "")
	verdicts := func() int64 { return r.status().Today.Verdicts["reject"] }
	for _, c := range []struct {
		service, network string
		header           []string
		mail             int64 // messages that are counted
	}{
		{"scan", "tcp", nil, 0},
		{"scan", "tcp", []string{"Ip", "203.0.113.7"}, 0},
		{"scan", "tcp", []string{"Rcpt", "alice@example.com"}, 0},
		{"scan", "tcp", []string{"Ip", "nonsense", "Rcpt", "alice@example.com"}, 0},
		{"control", "tcp", []string{"Ip", "203.0.113.7", "Rcpt", "alice@example.com"}, 0},
		{"control", "unix", []string{"Ip", "203.0.113.7", "Rcpt", "alice@example.com"}, 0},
		{"scan", "tcp", []string{"Ip", "203.0.113.7", "Rcpt", "alice@example.com", "Queue-Id", "Q1"}, 1},
		{"scan", "tcp", []string{"Ip", "203.0.113.7", "Rcpt", "alice@example.com", "Queue-Id", "Q2", "Log", "no"}, 1},
	} {
		before, lines := verdicts(), strings.Count(r.logged(), "action=")
		code, reply := r.ask(c.network, r.service(c.service, c.network), gtubeMail, c.header...)
		if code != http.StatusOK || reply.Action != "reject" || reply.Passthrough != "gtube" {
			t.Errorf("%s %v: got %d %+v, want a reject by gtube", c.service, c.header, code, reply)
		}
		if got := verdicts() - before; got != c.mail {
			t.Errorf("%s %v: %d messages were counted, want %d", c.service, c.header, got, c.mail)
		}
		want := int(c.mail)
		if len(c.header) == 8 {
			want = 0
		}
		if got := strings.Count(r.logged(), "action=") - lines; got != want {
			t.Errorf("%s %v: %d log lines, want %d", c.service, c.header, got, want)
		}
	}
	if !strings.Contains(r.logged(), "qid=Q1 ") || strings.Contains(r.logged(), "qid=Q2 ") {
		t.Errorf("the log should have Q1, and not Q2: %s", r.logged())
	}
	if s := r.status(); s.Today.Scan.Count != 2 || s.Spool.Used != 0 {
		t.Errorf("%d scans are counted and %d bytes are left in the spool, want 2 and none", s.Today.Scan.Count, s.Spool.Used)
	}
}

// TestScanAfterReload wants scan requests to be judged by the configuration in force.
func TestScanAfterReload(t *testing.T) {
	r := boot(t, "")
	at := r.service("scan", "tcp")
	if _, reply := r.ask("tcp", at, gtubeMail); reply.Action != "reject" {
		t.Errorf("got %s, want reject", reply.Action)
	}
	r.configure("gtube_patterns = disable;\nactions { greylist = off; add_header = off; reject = 1000; }\n")
	if _, err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, reply := r.ask("tcp", at, gtubeMail); reply.Action != "no action" || reply.Required != 1000 {
		t.Errorf("after the reload: got %s with required score %v, want no action and 1000", reply.Action, reply.Required)
	}
}

// TestDefaultPortInUse has another process on a default port: mail flows all the same.
func TestDefaultPortInUse(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer busy.Close()
	r := boot(t, "")
	sockets := []config.HTTPSocket{{Socket: ucl.MustSockets(busy.Addr().String())[0], Option: "worker normal bind_socket", Default: true}}
	before := len(r.listeners)
	if err := r.listenHTTP("scan", sockets, nil); err != nil || len(r.listeners) != before {
		t.Errorf("a default port in use: got %v and %d new listeners, want a warning only", err, len(r.listeners)-before)
	}
	if want := "no scan socket there"; !strings.Contains(r.logged(), want) {
		t.Errorf("the log lacks %q", want)
	}
	sockets[0].Default = false
	if err := r.listenHTTP("scan", sockets, nil); err == nil {
		t.Error("a configured port in use is no error")
	}
}
