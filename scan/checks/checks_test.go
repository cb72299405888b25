package checks

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// frozen is the clock of the tests.
func frozen() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// scanWith runs checks with a configuration over a message. A check that fails, fails
// the test.
func scanWith(t testing.TB, conf string, e *mail.Envelope, m *mail.Message, list ...scan.Check) *scan.Report {
	t.Helper()
	r := newEngine(t, conf, list...).Scan(context.Background(), e, m, scan.Aids{})
	for name, err := range r.Failed {
		t.Errorf("check %s failed: %v", name, err)
	}
	return r
}

// newEngine returns an engine of checks with a configuration.
func newEngine(t testing.TB, conf string, list ...scan.Check) *scan.Engine {
	t.Helper()
	c, remarks := configure(conf, list...)
	if all := remarks.All(); len(all) > 0 {
		t.Fatal(all)
	}
	engine, err := scan.NewEngine(c, scan.Env{Now: frozen, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// configure returns the configuration that a text makes of checks, and what is to be
// said of the text.
func configure(conf string, list ...scan.Check) (*scan.Config, *ucl.Diagnostics) {
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
	ucl.Decode(l.ReadText("test.conf", conf), top, &l.Diagnostics)
	ucl.Finish(top)
	return c, &l.Diagnostics
}

// findings writes what a report found, in its order: NAME{detail,detail} NAME.
func findings(r *scan.Report) string {
	var all []string
	for _, f := range r.Findings {
		s := f.Symbol.Name
		if len(f.Details) > 0 {
			s += "{" + strings.Join(f.Details, ",") + "}"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

// TestCatalog finds mistakes in the declarations.
func TestCatalog(t *testing.T) {
	if err := scan.Validate(All()); err != nil {
		t.Error(err)
	}
}
