package scan_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"rmilter/internal/dnslist"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// TestEarly has a check begin while those that it reads wait for it.
func TestEarly(t *testing.T) {
	s := symbol("DONE", 1)
	begun := make(chan int, 1)
	slow := check("slow", nil, nil, func(context.Context, *scan.Pass) (int, error) { return <-begun + 1, nil })
	slow.Network = true
	pure := check("pure", nil, nil, func(context.Context, *scan.Pass) (int, error) { return 10, nil })
	broken := errors.New("broken")
	fails := check("fails", nil, nil, func(context.Context, *scan.Pass) (int, error) { return 5, broken })
	off := check("off", nil, nil, func(context.Context, *scan.Pass) (int, error) { return 1, nil })
	other := check("other", nil, nil, func(context.Context, *scan.Pass) (int, error) { return 1, nil })
	early := check("early", []*scan.Symbol{s}, []scan.Check{slow, pure, fails, off}, func(ctx context.Context, p *scan.Pass) (none, error) {
		_, e0 := scan.Result(p, slow) // it can't be over
		begun <- 1
		a, e1 := scan.Await(ctx, p, slow)
		b, e2 := scan.Await(ctx, p, pure)
		_, e3 := scan.Await(ctx, p, fails)
		_, e4 := scan.Await(ctx, p, off)
		_, e5 := scan.Await(ctx, p, other)
		again, e6 := scan.Result(p, slow)
		p.Report(s, fmt.Sprint(e0, "|", a, e1, "|", b, e2, "|", e3, "|", e4, "|", e5, "|", again, e6))
		return none{}, nil
	})
	early.Network, early.Early = true, true
	after := check("after", []*scan.Symbol{symbol("AFTER", 1)}, []scan.Check{early}, func(_ context.Context, p *scan.Pass) (none, error) { return none{}, nil })
	e := engine(t, "off { enabled = no }", slow, pure, fails, off, other, early, after)
	want := "DONE*1[scan: the check is not over|2 <nil>|10 <nil>|broken|scan: the check is disabled|scan: the check is not among those that are read|2 <nil>] fails: broken;"
	for range 50 {
		if got := render(judge(context.Background(), e)); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// TestEarlyImpatient has a check that doesn't wait for another for ever.
func TestEarlyImpatient(t *testing.T) {
	s := symbol("DONE", 1)
	release := make(chan none)
	stuck := check("stuck", nil, nil, func(context.Context, *scan.Pass) (int, error) { <-release; return 1, nil })
	stuck.Network = true
	early := check("early", []*scan.Symbol{s}, []scan.Check{stuck}, func(ctx context.Context, p *scan.Pass) (none, error) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_, err := scan.Await(ctx, p, stuck)
		close(release)
		p.Report(s, fmt.Sprint(err))
		return none{}, nil
	})
	early.Network, early.Early = true, true
	if got, want := render(judge(context.Background(), engine(t, "", stuck, early))), "DONE*1[context canceled]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A listed is a runner with DNS lists.
type listed struct{ lists []*dnslist.List }

func (l listed) Run(context.Context, *scan.Pass) (none, error) { return none{}, nil }

func (l listed) Lists() []*dnslist.List { return l.lists }

// TestSectionAndLists has checks that declare their sections whole, with lists.
func TestSectionAndLists(t *testing.T) {
	type conf struct {
		enabled ucl.Flag
		zone    ucl.String
	}
	one := func(name string) *scan.Spec[conf, none] {
		return &scan.Spec[conf, none]{
			Name: name, Doc: "A check of lists.",
			Defaults: func() conf { return conf{true, "list.example"} },
			Section: func(c *conf) *ucl.Section {
				return &ucl.Section{Name: name, Doc: "Lists.", Options: []ucl.Option{
					{Name: "enabled", Value: &c.enabled, Doc: "Whether any is asked."},
					{Name: "zone", Value: &c.zone, Doc: "Its zone."},
				}}
			},
			New: func(c conf, _ scan.Env) (scan.Runner[none], error) {
				return listed{[]*dnslist.List{{Name: name, Zone: string(c.zone)}}}, nil
			},
		}
	}
	for text, want := range map[string]string{
		"":                                      "a:list.example b:list.example ",
		"b { zone = other.example }":            "a:list.example b:other.example ",
		"a { enabled = no }":                    "b:list.example ",
		"a { enabled = no } b { enabled = no }": "",
	} {
		got := ""
		for _, l := range engine(t, text, one("a"), one("b")).Lists() {
			got += l.Name + ":" + l.Zone + " "
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
