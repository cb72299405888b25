package scan

import (
	"context"
	"strings"
	"testing"
	"time"

	"rmilter/internal/authres"
	"rmilter/internal/dmarc"
	"rmilter/internal/mail"
)

// TestAuthReport sees that what several checks know of the sender comes together in
// their order.
func TestAuthReport(t *testing.T) {
	check := func(name string, run func(p *Pass), err error) Check {
		return &Spec[struct{}, struct{}]{Name: name, Doc: "Tests.", New: func(struct{}, Env) (Runner[struct{}], error) {
			return RunnerFunc[struct{}](func(_ context.Context, p *Pass) (struct{}, error) { run(p); return struct{}{}, err }), nil
		}}
	}
	say := func(p *Pass, method, value string) { p.AddAuth(authres.Result{Method: method, Value: value}) }
	r := scanOf(t, []Check{
		check("a", func(p *Pass) { say(p, "spf", "fail"); say(p, "dkim", "fail"); say(p, "dkim", "pass") }, nil),
		check("fails", func(p *Pass) { say(p, "dmarc", "pass"); p.Authenticate("evil.example"); p.Recognise(mail.Reply) }, context.Canceled),
		check("b", func(p *Pass) {
			say(p, "dkim", "none")
			p.Authenticate("example.org")
			p.Recognise(mail.ClaimedReply)
			p.CountDMARC(dmarc.Row{At: "example.org"})
		}, nil),
		check("c", func(p *Pass) { p.Authenticate("example.net"); p.CountDMARC(dmarc.Row{At: "example.net"}) }, nil),
	})
	if got, want := r.AuthWord(), "spf:fail,dkim:pass"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if r.Sender != "example.org" || r.Reply != mail.ClaimedReply || r.DMARC == nil || r.DMARC.At != "example.org" || len(r.Auth) != 4 {
		t.Errorf("got sender %q, reply %d, row %v, %d results", r.Sender, r.Reply, r.DMARC, len(r.Auth))
	}
	if got := new(Report).AuthWord(); got != "-" {
		t.Errorf("nothing: got %q, want -", got)
	}
}

// scanOf runs checks over an empty message.
func scanOf(t *testing.T, list []Check) *Report {
	t.Helper()
	e, err := NewEngine(NewConfig(list), Env{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return e.Scan(t.Context(), &mail.Envelope{}, mail.Parse(nil, mail.DefaultLimits), Aids{})
}

// TestDeclaredComposites has composites of checks.
func TestDeclaredComposites(t *testing.T) {
	a := &Symbol{Name: "A", Score: 3, Group: "g", Doc: "A."}
	spec := func(c ...Composite) Check {
		return &Spec[struct{}, struct{}]{Name: "c", Doc: "Tests.", Symbols: []*Symbol{a}, Composites: c, New: func(struct{}, Env) (Runner[struct{}], error) {
			return RunnerFunc[struct{}](func(_ context.Context, p *Pass) (struct{}, error) {
				p.ReportScaled(a, 0)
				p.Report(a)
				return struct{}{}, nil
			}), nil
		}}
	}
	both := &Symbol{Name: "B", Score: 1.5, Group: "g", Doc: "Both."}
	good := spec(Composite{both, "A & !C", "remove_weight"})
	e, err := NewEngine(NewConfig([]Check{good}), Env{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	r := e.Scan(t.Context(), &mail.Envelope{}, mail.Parse(nil, mail.DefaultLimits), Aids{})
	if s := e.Weights().Score(r.Findings); s.Total != 1.5 || len(s.Rows) != 2 || s.Rows[0].RemovedBy != "B" {
		t.Errorf("got %+v", s)
	}
	if d := Describe(good); len(d.Composites) != 1 || d.Composites[0].Symbol != both {
		t.Errorf("got %+v", d)
	}
	for want, c := range map[string][]Composite{
		`unknown policy "all"`:             {{both, "A", "all"}},
		"composite B: the end":             {{both, "A &", "leave"}},
		"composite A is declared":          {{a, "A", "leave"}},
		"composite B is declared":          {{both, "A", "leave"}, {both, "A", "leave"}},
		"the documentation is no sentence": {{&Symbol{Name: "B", Group: "g", Doc: "no"}, "A", "leave"}},
	} {
		if err := Validate([]Check{spec(c...)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
