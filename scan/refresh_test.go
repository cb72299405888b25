package scan_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// A reader is a Runner whose one symbol has the name that a file would give it.
type reader struct {
	name *atomic.Value // string
	now  atomic.Pointer[scan.Symbol]
}

func (r *reader) Symbols() []*scan.Symbol {
	if s := r.now.Load(); s != nil {
		return []*scan.Symbol{s}
	}
	return nil
}

func (r *reader) Refresh(taken func(string) string) error {
	name := r.name.Load().(string)
	if name == "bad" {
		return errors.New("file:1: bad")
	}
	if other := taken(name); other != "" {
		return errors.New(other + " has " + name)
	}
	r.now.Store(&scan.Symbol{Name: name, Score: 1, Group: "g", Doc: "A symbol."})
	return nil
}

func (r *reader) Run(_ context.Context, p *scan.Pass) (struct{}, error) {
	p.Report(r.now.Load())
	return struct{}{}, nil
}

// readerSpec is a check that reads a name.
func readerSpec(check string, name *atomic.Value) scan.Check {
	return &scan.Spec[struct{}, struct{}]{
		Name: check, Doc: "Reads a file.",
		TopSections: func(*struct{}) []*ucl.Section {
			return []*ucl.Section{{Name: check + "_extra", Doc: "A section beside the check's own."}}
		},
		New: func(struct{}, scan.Env) (scan.Runner[struct{}], error) { return &reader{name: name}, nil },
	}
}

func TestRefresh(t *testing.T) {
	var one, two atomic.Value
	one.Store("ONE")
	two.Store("TWO")
	fixed := &scan.Spec[struct{}, struct{}]{
		Name: "fixed", Doc: "Has a symbol.", Symbols: []*scan.Symbol{{Name: "FIXED", Group: "g", Doc: "A symbol."}},
		New: func(struct{}, scan.Env) (scan.Runner[struct{}], error) {
			return scan.RunnerFunc[struct{}](func(context.Context, *scan.Pass) (struct{}, error) { return struct{}{}, nil }), nil
		},
	}
	list := []scan.Check{fixed, readerSpec("first", &one), readerSpec("second", &two)}
	env := scan.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	conf := `first_extra { } composite "C" { expression = "FIXED" }`
	e, err := scan.NewEngine(configure(t, conf, list...), env)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []struct{ one, two, want, fault string }{
		{"ONE", "TWO", "ONE TWO", ""},
		{"NEW", "TWO", "NEW TWO", ""},
		{"bad", "TWO", "NEW TWO", "section first: file:1: bad"},
		{"bad", "THREE", "NEW THREE", "section first: file:1: bad"},
		{"NEW", "NEW", "NEW THREE", "section second: check first has NEW"},
		{"NEW", "FIXED", "NEW THREE", "section second: check fixed has FIXED"},
		{"C", "THREE", "NEW THREE", "section first: a composite has C"},
		{"LAST", "NEW", "LAST NEW", ""},
	} {
		one.Store(s.one)
		two.Store(s.two)
		err := e.Refresh()
		if s.fault == "" && err != nil || s.fault != "" && (err == nil || err.Error() != s.fault) {
			t.Errorf("step %d: got %v, want %q", i, err, s.fault)
		}
		r := e.Scan(t.Context(), &mail.Envelope{}, mail.Parse(nil, mail.DefaultLimits), scan.Aids{})
		var names []string
		for _, f := range r.Findings {
			names = append(names, f.Symbol.Name)
		}
		if got := strings.Join(names, " "); got != s.want || r.Failed != nil {
			t.Errorf("step %d: got %s and %v, want %s", i, got, r.Failed, s.want)
		}
	}
	// A fault at the start is one of the configuration.
	one.Store("bad")
	if _, err := scan.NewEngine(configure(t, "", list...), env); err == nil || err.Error() != "section first: file:1: bad" {
		t.Errorf("at start: got %v", err)
	}
	one.Store("C")
	if _, err := scan.NewEngine(configure(t, conf, list...), env); err == nil || !strings.Contains(err.Error(), "a composite has C") {
		t.Errorf("at start, with the name of a composite: got %v", err)
	}
	if _, err := scan.NewEngine(configure(t, "first { enabled = no }", list...), env); err != nil {
		t.Errorf("disabled: got %v, want no look at the file", err)
	}
}
