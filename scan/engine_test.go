package scan_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// none is the configuration of a check that has none.
type none = struct{}

// symbol returns a symbol for tests.
func symbol(name string, score float64) *scan.Symbol {
	return &scan.Symbol{Name: name, Score: score, Group: "test", Doc: "A symbol of a test."}
}

// check returns a check that runs a function.
func check[R any](name string, symbols []*scan.Symbol, reads []scan.Check, run func(context.Context, *scan.Pass) (R, error)) *scan.Spec[none, R] {
	return &scan.Spec[none, R]{Name: name, Doc: "A check of a test.", Symbols: symbols, Reads: reads,
		New: func(none, scan.Env) (scan.Runner[R], error) { return scan.RunnerFunc[R](run), nil }}
}

// configure returns the configuration that a text makes of checks.
func configure(t testing.TB, text string, list ...scan.Check) *scan.Config {
	t.Helper()
	c := scan.NewConfig(list)
	top := &ucl.Section{}
	for _, s := range c.Sections() {
		if s.Name == "" {
			top.Options = append(top.Options, s.Options...)
		} else {
			top.Sections = append(top.Sections, s)
		}
	}
	var l ucl.Loader
	ucl.Decode(l.ReadText("test.conf", text), top, &l.Diagnostics)
	ucl.Finish(top)
	if err := l.Diagnostics.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

// engine returns an engine with a configuration.
func engine(t testing.TB, text string, list ...scan.Check) *scan.Engine {
	t.Helper()
	e, err := scan.NewEngine(configure(t, text, list...), scan.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// judge scans an empty message.
func judge(ctx context.Context, e *scan.Engine) *scan.Report {
	return e.Scan(ctx, &mail.Envelope{}, mail.Parse(nil, mail.DefaultLimits), scan.Aids{})
}

// render writes a report without what differs from run to run.
func render(r *scan.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s*%g%v ", f.Symbol.Name, f.Strength, f.Details)
	}
	if p := r.Passthrough; p != nil {
		fmt.Fprintf(&b, "%s by %s: %q ", p.Action, p.Source, p.Message)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Failed)) {
		fmt.Fprintf(&b, "%s: %v; ", name, r.Failed[name])
	}
	return strings.TrimSpace(b.String())
}

func TestScan(t *testing.T) {
	one, two, three := symbol("ONE", 1), symbol("TWO", 2), symbol("THREE", 3)
	first := check("first", []*scan.Symbol{one}, nil, func(_ context.Context, p *scan.Pass) (int, error) {
		p.Report(one, "a", "b")
		p.Demand(scan.AddHeader, "first")
		return 7, nil
	})
	second := check("second", []*scan.Symbol{two}, []scan.Check{first}, func(_ context.Context, p *scan.Pass) (string, error) {
		n, err := scan.Result(p, first)
		p.ReportScaled(two, 0.5, fmt.Sprint(n, err))
		p.Demand(scan.Reject, "second")
		p.Demand(scan.Greylist, "milder")
		return "x", nil
	})
	third := check("third", []*scan.Symbol{three}, []scan.Check{first, second}, func(_ context.Context, p *scan.Pass) (none, error) {
		n, err1 := scan.Result(p, first)
		s, err2 := scan.Result(p, second)
		p.Report(three, fmt.Sprint(n, err1, s+":", err2))
		return none{}, nil
	})
	for _, c := range []struct {
		conf string
		list []scan.Check
		want string
	}{
		{"", nil, ""},
		{"", []scan.Check{first}, `ONE*1[a b] add header by first: "first"`},
		// The order is that of the list as far as Reads allows.
		{"", []scan.Check{third, second, first}, `ONE*1[a b] TWO*0.5[7 <nil>] THREE*1[7 <nil>x:<nil>] reject by second: "second"`},
		{"first { enabled = no }", []scan.Check{first, second, third}, `TWO*0.5[0 scan: the check is disabled] THREE*1[0 scan: the check is disabledx:<nil>] reject by second: "second"`},
		{"second { enabled = no }", []scan.Check{first, second, third}, `ONE*1[a b] THREE*1[7 <nil>:scan: the check is disabled] add header by first: "first"`},
	} {
		e := engine(t, c.conf, c.list...)
		for range 20 {
			if got := render(judge(context.Background(), e)); got != c.want {
				t.Fatalf("%q: got %s, want %s", c.conf, got, c.want)
			}
		}
	}
}

// TestNetwork has checks that wait for each other: each side can only go on when both
// run at the same time.
func TestNetwork(t *testing.T) {
	s := symbol("DONE", 1)
	left, right := make(chan int), make(chan int)
	ask := check("ask", nil, nil, func(context.Context, *scan.Pass) (int, error) { left <- 1; return <-right, nil })
	ask.Network = true
	pure := check("pure", nil, nil, func(context.Context, *scan.Pass) (int, error) { n := <-left; right <- n + 1; return 10, nil })
	// It reads both kinds, and a pure one that comes after it in the list.
	after := check("after", []*scan.Symbol{s}, []scan.Check{ask, pure}, func(_ context.Context, p *scan.Pass) (none, error) {
		a, err := scan.Result(p, ask)
		b, err2 := scan.Result(p, pure)
		p.Report(s, fmt.Sprint(a, err, b, err2))
		return none{}, nil
	})
	e := engine(t, "", ask, after, pure)
	for range 50 {
		if got, want := render(judge(context.Background(), e)), "DONE*1[2 <nil> 10 <nil>]"; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// TestFailures has checks that panic, fail and block on purpose.
func TestFailures(t *testing.T) {
	good, bad := symbol("GOOD", 1), symbol("BAD", 100)
	release := make(chan none)
	var late atomic.Int32
	works := check("works", []*scan.Symbol{good}, nil, func(_ context.Context, p *scan.Pass) (none, error) {
		p.Report(good)
		return none{}, nil
	})
	panics := check("panics", []*scan.Symbol{bad}, nil, func(_ context.Context, p *scan.Pass) (int, error) {
		p.Report(bad)
		p.Demand(scan.Discard, "")
		panic("boom")
	})
	broken := errors.New("broken")
	fails := check("fails", nil, nil, func(context.Context, *scan.Pass) (int, error) { return 5, broken })
	blocks := check("blocks", nil, nil, func(context.Context, *scan.Pass) (int, error) {
		<-release
		late.Add(1)
		return 1, nil
	})
	blocks.Timeout = 20 * time.Millisecond
	waits := check("waits", nil, nil, func(ctx context.Context, _ *scan.Pass) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
	waits.Network, waits.Timeout = true, 20*time.Millisecond
	undeclared := check("undeclared", nil, nil, func(_ context.Context, p *scan.Pass) (int, error) { p.Report(bad); return 0, nil })
	sees := symbol("SEES", 1)
	reads := check("reads", []*scan.Symbol{sees}, []scan.Check{panics, fails, blocks, waits}, func(_ context.Context, p *scan.Pass) (none, error) {
		_, e1 := scan.Result(p, panics)
		n, e2 := scan.Result(p, fails)
		_, e3 := scan.Result(p, blocks)
		_, e4 := scan.Result(p, waits)
		_, e5 := scan.Result(p, undeclared)
		p.Report(sees, fmt.Sprint(e1, "|", n, e2, "|", e3, "|", e4, "|", e5))
		return none{}, nil
	})
	r := judge(context.Background(), engine(t, "", panics, fails, blocks, waits, undeclared, reads, works))
	want := "SEES*1[panic: boom|0 broken|no answer in time|no answer in time|scan: the check is not among those that are read] GOOD*1[] " +
		"blocks: no answer in time; fails: broken; panics: panic: boom; undeclared: panic: scan: check undeclared reports BAD, which it doesn't declare; waits: no answer in time;"
	if got := render(r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var p *scan.PanicError
	if !errors.As(r.Failed["panics"], &p) || !strings.Contains(string(p.Stack), "engine_test.go") {
		t.Errorf("panic: got %v without the place in its stack", r.Failed["panics"])
	}
	if late.Load() != 0 {
		t.Error("the check that blocks came back")
	}
	if r.Late() == nil {
		t.Fatal("nobody is told that a check holds the message still")
	}
	close(release)
	<-r.Late()
	if late.Load() != 1 {
		t.Error("told that the message is free before the check came back")
	}
}

// TestDeadline has a scan without time left, and one whose time ends while checks run.
func TestDeadline(t *testing.T) {
	s := symbol("FOUND", 1)
	first := check("first", []*scan.Symbol{s}, nil, func(_ context.Context, p *scan.Pass) (none, error) {
		p.Report(s)
		return none{}, nil
	})
	release := make(chan none)
	started := make(chan none)
	stuck := check("stuck", nil, nil, func(context.Context, *scan.Pass) (none, error) {
		started <- none{}
		<-release
		return none{}, nil
	})
	beside := check("beside", nil, nil, func(context.Context, *scan.Pass) (none, error) { <-release; return none{}, nil })
	beside.Network = true
	e := engine(t, "", first, stuck, beside)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-started
		cancel()
	}()
	r := judge(ctx, e)
	if got, want := render(r), "FOUND*1[] beside: context canceled; stuck: context canceled;"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	close(release)
	<-r.Late()
	e = engine(t, "", first)
	r = judge(ctx, e)
	if got, want := render(r), "first: context canceled;"; got != want {
		t.Errorf("no time left: got %s, want %s", got, want)
	}
}

// TestLate has many checks wake up when a scan's time is over, some of them only after
// its report is made and the last check at work has come back.
func TestLate(t *testing.T) {
	var release chan none
	stuck := check("stuck", nil, nil, func(context.Context, *scan.Pass) (none, error) { <-release; return none{}, nil })
	list := []scan.Check{stuck}
	for i := range 100 {
		c := check(fmt.Sprint("waits", i), nil, []scan.Check{stuck}, func(context.Context, *scan.Pass) (none, error) { return none{}, nil })
		c.Network = true
		list = append(list, c)
	}
	e := engine(t, "", list...)
	for range 100 {
		release = make(chan none)
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		r := judge(ctx, e)
		close(release)
		if late := r.Late(); late != nil {
			<-late
		}
	}
}

func TestValidate(t *testing.T) {
	run := func(context.Context, *scan.Pass) (none, error) { return none{}, nil }
	a := check("a", nil, nil, run)
	x, y := check("x", nil, nil, run), check("y", nil, nil, run)
	x.Reads, y.Reads = []scan.Check{y}, []scan.Check{x}
	bare := &scan.Symbol{Name: "BARE"}
	undocumented := check("u", nil, nil, run)
	undocumented.Doc = ""
	hasty := check("hasty", nil, nil, run)
	hasty.Early = true
	for _, c := range []struct {
		list []scan.Check
		want string
	}{
		{[]scan.Check{a}, "<nil>"},
		{[]scan.Check{a, check("a", nil, nil, run)}, "scan: check a is listed twice"},
		{[]scan.Check{check("b", nil, []scan.Check{a}, run)}, "scan: check b reads a, which is not listed"},
		{[]scan.Check{hasty}, "scan: check hasty is early and not one that waits for the network"},
		{[]scan.Check{x, y}, "scan: checks read each other in a circle: x, y, x"},
		{[]scan.Check{check("A-b", nil, nil, run)}, `scan: check "A-b": the name is not lower-case letters, digits and underscores`},
		{[]scan.Check{undocumented}, `scan: check u: the documentation is no sentence: ""`},
		{[]scan.Check{check("c", []*scan.Symbol{bare}, nil, run)}, "scan: check c: symbol BARE has no group"},
		{[]scan.Check{check("d", []*scan.Symbol{{Name: "lower"}}, nil, run)}, `scan: check d: symbol "lower": the name is not upper-case letters, digits and underscores`},
		{[]scan.Check{check("e", []*scan.Symbol{symbol("S", 1)}, nil, run), check("f", []*scan.Symbol{symbol("S", 1)}, nil, run)}, "scan: symbol S is declared by e and by f"},
	} {
		if got := fmt.Sprint(scan.Validate(c.list)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// A threshold is a configuration of a test.
type threshold struct{ at ucl.Int }

func TestConfiguredCheck(t *testing.T) {
	s := symbol("SEEN", 1)
	spec := &scan.Spec[threshold, none]{
		Name: "counter", Doc: "A check with an option.", Symbols: []*scan.Symbol{s},
		Defaults: func() threshold { return threshold{3} },
		Options:  func(c *threshold) []ucl.Option { return []ucl.Option{{Name: "at", Value: &c.at, Doc: "A number."}} },
		Top: func(c *threshold) []ucl.Option {
			return []ucl.Option{{Name: "counter_at", Value: &c.at, Doc: "The same."}}
		},
		New: func(c threshold, env scan.Env) (scan.Runner[none], error) {
			if c.at > 10 {
				return nil, errors.New("at is too high")
			}
			return scan.RunnerFunc[none](func(_ context.Context, p *scan.Pass) (none, error) {
				p.Report(s, c.at.String())
				return none{}, nil
			}), nil
		},
	}
	for conf, want := range map[string]string{
		"":                   "SEEN*1[3]",
		"counter { at = 5 }": "SEEN*1[5]",
		"counter_at = 6":     "SEEN*1[6]",
	} {
		e := engine(t, conf, spec)
		if got := render(judge(context.Background(), e)); got != want {
			t.Errorf("%q: got %s, want %s", conf, got, want)
		}
	}
	_, err := scan.NewEngine(configure(t, "counter { at = 11 }", spec), scan.Env{Now: time.Now})
	if got, want := fmt.Sprint(err), "section counter: at is too high"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// BenchmarkScan is the engine's own cost: forty checks that do nothing.
func BenchmarkScan(b *testing.B) {
	var list []scan.Check
	for i := range 40 {
		list = append(list, check(fmt.Sprint("check", i), nil, nil, func(context.Context, *scan.Pass) (none, error) { return none{}, nil }))
	}
	e := engine(b, "", list...)
	m := mail.Parse(nil, mail.DefaultLimits)
	b.ReportAllocs()
	for b.Loop() {
		e.Scan(context.Background(), &mail.Envelope{}, m, scan.Aids{})
	}
}

func TestUnknown(t *testing.T) {
	run := func(context.Context, *scan.Pass) (none, error) { return none{}, nil }
	e := engine(t, `symbols { KNOWN { weight = 1 } ZZZ { weight = 1 } MADE { weight = 1 } AAA { enabled = no } } composite MADE { expression = "KNOWN" }`,
		check("c", []*scan.Symbol{symbol("KNOWN", 1)}, nil, run))
	if got, want := fmt.Sprint(e.Unknown()), "[AAA ZZZ]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
