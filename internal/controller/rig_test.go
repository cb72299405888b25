package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"rmilter/internal/filter"
	"rmilter/internal/metrics"
	"rmilter/internal/policy"
	"rmilter/internal/spool"
	"rmilter/scan"
	"rmilter/scan/checks"
)

// A rig is a Filter behind a worker and a controller.
type rig struct {
	t      *testing.T
	conf   filter.Config
	pol    policy.Config
	checks []scan.Check // all of the product's when nil
	set    func(*scan.Config)
	env    *filter.Env
	filter *filter.Filter
	worker string // address
	server string
	log    syncBuffer

	mu   sync.Mutex
	done []*filter.Result
}

// build makes a rig as prepare changes it.
func build(t *testing.T, prepare func(*rig)) *rig {
	t.Helper()
	r := &rig{t: t, conf: filter.DefaultConfig(), pol: policy.DefaultConfig(), checks: checks.All()}
	log := slog.New(slog.NewTextHandler(&r.log, nil))
	now := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	r.env = &filter.Env{
		Hostname: "mx.example.com",
		Spool:    spool.New(t.TempDir(), 64<<20),
		Figures:  metrics.New(now),
		Log:      log,
		Now:      now,
		HardEnd:  10 * time.Second,
		NewID:    func() string { return "0123456789" },
		Done: func(res *filter.Result) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.done = append(r.done, res)
		},
	}
	if prepare != nil {
		prepare(r)
	}
	conf := scan.NewConfig(r.checks)
	if r.set != nil {
		r.set(conf)
	}
	engine, err := scan.NewEngine(conf, scan.Env{Now: now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	r.filter = filter.New(r.conf, r.pol, filter.Rules{Scanner: engine}, r.env)
	current := func() *filter.Filter { return r.filter }
	w := NewWorker(WorkerOptions{Filter: current, Spool: r.env.Spool, Log: log})
	s, err := New(Options{Status: fixedStatus, Filter: current, Spool: r.env.Spool, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	r.worker, r.server = r.serve(w), r.serve(s)
	t.Cleanup(func() {
		if used := r.env.Spool.Used(); used != 0 {
			t.Errorf("%d bytes are left in the spool", used)
		}
	})
	return r
}

// serve has a server answer until the end of the test.
func (r *rig) serve(s interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}) string {
	r.t.Helper()
	ln := listenTCP(r.t)
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-done); err != nil {
			r.t.Error(err)
		}
	})
	return ln.Addr().String()
}

// results returns the accounts so far.
func (r *rig) results() []*filter.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*filter.Result(nil), r.done...)
}

// An httpAnswer is what came back.
type httpAnswer struct {
	code   int
	header http.Header
	body   []byte
}

// ask sends a request to address and path.
func (r *rig) ask(method, at string, body []byte, fields ...string) httpAnswer {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+at, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header = header(fields...)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return httpAnswer{resp.StatusCode, resp.Header, got}
}

// check has the worker judge a message.
func (r *rig) check(message string, fields ...string) *Reply {
	r.t.Helper()
	a := r.ask(http.MethodPost, r.worker+"/checkv2", []byte(message), fields...)
	var reply Reply
	if err := json.Unmarshal(a.body, &reply); err != nil || a.code != http.StatusOK {
		r.t.Fatalf("%d %s: %v", a.code, a.body, err)
	}
	return &reply
}

// A sample is a check of a test: it reports what the message asks for, in lines such as
// "report: NAME detail".
func sampleCheck(symbols ...*scan.Symbol) scan.Check {
	return &scan.Spec[struct{}, struct{}]{
		Name: "sample", Doc: "What a message of a test asks for.", Symbols: symbols,
		New: func(struct{}, scan.Env) (scan.Runner[struct{}], error) {
			return scan.RunnerFunc[struct{}](func(_ context.Context, p *scan.Pass) (struct{}, error) {
				return struct{}{}, runSample(p, symbols)
			}), nil
		},
	}
}

func runSample(p *scan.Pass, symbols []*scan.Symbol) error {
	for line := range bytes.Lines(p.Message.Body()) {
		words := bytes.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch string(words[0]) {
		case "report:":
			for _, s := range symbols {
				if s.Name == string(words[1]) {
					var details []string
					for _, w := range words[2:] {
						details = append(details, string(w))
					}
					p.Report(s, details...)
				}
			}
		case "fail:":
			return errors.New(string(words[1]))
		case "panic:":
			panic(string(words[1]))
		}
	}
	return nil
}
