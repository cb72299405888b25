package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"rmilter/internal/controller"
	"rmilter/internal/dns/dnstest"
	// The program is built from it: without this import go test would take an old result
	// for that of a changed one.
	_ "rmilter/internal/server"
	"rmilter/test/activator"
	"rmilter/test/e2e"
	"rmilter/test/suites"
)

func TestMain(m *testing.M) { os.Exit(e2e.Main(m)) }

// A daemon is a running rmilter.
type daemon struct {
	t      *testing.T
	client http.Client
	url    string
}

// start starts a daemon that has its names from a server, and stops it with the test.
func start(t *testing.T, names *dnstest.Server) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "conf") // short: paths of sockets end at 103 bytes
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	text := fmt.Sprintf("bind_socket = \"unix:%[1]s/milter.sock\";\ncontrol_socket = \"%[1]s/control.sock\";\ndns { nameserver = %[2]q; }\nrbl { enabled = no; } surbl { enabled = no; }\nhfilter { enabled = no; }\nonce_received { enabled = no; }\ndata_dir = \"%[1]s/data\";\nhostname = mx.example.com;\nlog = stderr;\n"+
		"worker controller { bind_socket = []; }\nworker normal { bind_socket = \"127.0.0.1:0\"; }\n", dir, names.Addr())
	path := filepath.Join(dir, "rmilter.conf")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	log := &e2e.Log{}
	s, err := activator.New(activator.Config{Command: []string{os.Getenv(e2e.BinaryEnv), "-c", path}, Output: log})
	must(t, err)
	d := &daemon{t: t}
	t.Cleanup(func() {
		d.client.CloseIdleConnections()
		if err := s.Stop(); err != nil {
			t.Errorf("%v\n%s", err, log)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for _, bad := range []string{"panic", "DATA RACE"} {
			if strings.Contains(log.String(), bad) {
				t.Errorf("the log has %q:\n%s", bad, log)
			}
		}
	})
	if err := s.Start(); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	address := regexp.MustCompile(`listening service=scan address="?(127\.0\.0\.1:\d+)`)
	if !e2e.Eventually(func() bool { return address.MatchString(log.String()) }) {
		t.Fatalf("no scan socket:\n%s", log)
	}
	d.url = "http://" + address.FindStringSubmatch(log.String())[1] + "/checkv2"
	d.client = http.Client{Timeout: e2e.Patience, Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// An inquiry is a message with what an MTA tells of it.
type inquiry struct {
	name                     string
	message                  string
	ip, helo, hostname, from string
	rcpt                     bool // a recipient is told
	exim                     bool // addresses are in angle brackets
}

// both returns an inquiry as rspamc and as Exim send it.
func both(q inquiry) []inquiry {
	exim := q
	exim.name, exim.exim = q.name+", from Exim", true
	return []inquiry{q, exim}
}

// lineEnds returns an inquiry with the line ends of files and with those of SMTP.
func lineEnds(q inquiry) []inquiry {
	smtp := q
	smtp.name, smtp.message = q.name+", with CRLF", suites.CRLF(q.message)
	return []inquiry{q, smtp}
}

// post asks and returns the reply.
func (d *daemon) post(ctx context.Context, q inquiry) (reply controller.Reply, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, strings.NewReader(q.message))
	if err != nil {
		return reply, err
	}
	address := func(s string) string {
		if q.exim {
			return "<" + s + ">"
		}
		return s
	}
	set := func(name, value string) {
		if value != "" {
			req.Header[name] = []string{value} // in the case that the clients use
		}
	}
	set("IP", q.ip)
	set("Helo", q.helo)
	set("Hostname", q.hostname)
	set("From", address(q.from))
	set("MTA-Name", "mx.example.com")
	if q.rcpt {
		set("Rcpt", address("alice@example.com"))
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return reply, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply, err
	}
	if err := json.Unmarshal(body, &reply); err != nil || resp.StatusCode != http.StatusOK {
		return reply, fmt.Errorf("%d %.500s: %v", resp.StatusCode, body, err)
	}
	return reply, nil
}

// atOnce is how many messages a daemon judges at a time.
const atOnce = 16

// A round are questions to one daemon, and its replies in the same order.
type round struct {
	*daemon
	questions []inquiry
	replies   []controller.Reply
	errs      []error
}

// ask asks a daemon, several questions at a time, and returns the replies in their order.
func (d *daemon) ask(questions []inquiry) []controller.Reply {
	d.t.Helper()
	r := round{daemon: d, questions: questions}
	askAll(d.t, []*round{&r})
	return r.replies
}

// askAll asks several daemons at the same time: some wait for a server that doesn't answer.
func askAll(t *testing.T, all []*round) {
	t.Helper()
	var wg sync.WaitGroup
	for _, r := range all {
		r.replies, r.errs = make([]controller.Reply, len(r.questions)), make([]error, len(r.questions))
		wg.Go(func() { r.run(t.Context()) })
	}
	wg.Wait()
	for _, r := range all {
		for i, err := range r.errs {
			if err != nil {
				t.Fatalf("%s: %v", r.questions[i].name, err)
			}
		}
	}
}

func (r *round) run(ctx context.Context) {
	free := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, q := range r.questions {
		free <- struct{}{}
		wg.Go(func() {
			r.replies[i], r.errs[i] = r.post(ctx, q)
			<-free
		})
	}
	wg.Wait()
}

// options returns what was found, with the options.
func options(r controller.Reply) map[string][]string {
	found := map[string][]string{}
	for name, s := range r.Symbols {
		found[name] = s.Options
	}
	return found
}

// one returns the result that the symbols with a prefix stand for, which has to be a
// single one.
func one(r controller.Reply, results map[string]string) string {
	var seen []string
	for name := range r.Symbols {
		if result, ok := results[name]; ok {
			seen = append(seen, result)
		}
	}
	slices.Sort(seen)
	return strings.Join(seen, " and ")
}

// results returns our Authentication-Results field, unfolded.
func results(r controller.Reply) string {
	var all []string
	for _, f := range r.Milter.Add["Authentication-Results"] {
		all = append(all, strings.Join(strings.Fields(f.Value), " "))
	}
	return strings.Join(all, "\n")
}

// told returns the symbols of authentication, for a test that fails.
func told(r controller.Reply) string {
	var all []string
	for name, s := range r.Symbols {
		for _, prefix := range []string{"R_SPF", "R_DKIM", "DKIM", "ARC", "DMARC"} {
			if strings.HasPrefix(name, prefix) {
				all = append(all, fmt.Sprintf("%s%q", name, s.Options))
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ") + " " + strings.Join(r.NotKnown, "; ") + "\n\t" + results(r)
}
