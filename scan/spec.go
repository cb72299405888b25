package scan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"rmilter/internal/dnslist"
	"rmilter/internal/ucl"
)

// A Spec declares a check. It is a package variable that nobody writes to after
// initialisation. C is the check's configuration, R the result that other checks may
// read; struct{} stands for none.
type Spec[C, R any] struct {
	// Name is lower case with underscores and unique; it is also the check's section
	// in the configuration.
	Name string
	// Doc is a sentence for people: what the check looks at.
	Doc string
	// Symbols are all that the check may report. A Runner with a method
	// Symbols() []*Symbol adds those that its configuration names; see Refresher, too.
	Symbols []*Symbol
	// Composites are symbols for what the check's symbols mean together with others. The
	// configuration can change them as it can its own.
	Composites []Composite
	// Reads are the checks whose results it looks at (see Result). The engine runs them
	// before it, but it runs whether they gave an answer or not.
	Reads []Check
	// Network tells that the check mostly waits for others. Such checks start first and
	// run beside all others.
	Network bool
	// Early tells of one with Network that it starts before those that it reads are over.
	// It waits for each with Await when it needs the result.
	Early bool
	// Timeout is after which the check is given up and listed as failed; 0 means
	// DefaultTimeout.
	Timeout time.Duration
	// Defaults returns a fresh configuration; nil means the zero C.
	Defaults func() C
	// Options declares the options of a configuration; nil means none. Every check has
	// the option enabled besides.
	Options func(*C) []ucl.Option
	// Ignored are words of rspamd's section of the same name that mean nothing here.
	Ignored []ucl.Ignored
	// Top declares options outside of any section; nil means none.
	Top func(*C) []ucl.Option
	// Sections declares blocks within the section; nil means none.
	Sections func(*C) []*ucl.Section
	// Section declares the whole section in place of Options, Ignored and Sections, with a
	// ucl.Flag for enabled among its options; nil means that those do.
	Section func(*C) *ucl.Section
	// TopSections declares blocks outside of the section; nil means none.
	TopSections func(*C) []*ucl.Section
	// New makes the Runner of a configuration, once for each.
	New func(C, Env) (Runner[R], error)
}

// A Runner is a check with its configuration at work. Run is called from many
// goroutines. An error says that the check gave no answer; whatever it reported is
// then dropped.
type Runner[R any] interface {
	Run(context.Context, *Pass) (R, error)
}

// RunnerFunc is a Runner without state.
type RunnerFunc[R any] func(context.Context, *Pass) (R, error)

// Run calls f.
func (f RunnerFunc[R]) Run(ctx context.Context, p *Pass) (R, error) { return f(ctx, p) }

// Env is what a check may use of the outside world; nothing else is global.
type Env struct {
	Now func() time.Time // the clock
	Log *slog.Logger     // what an administrator has to know; not for findings

	DataDir   string // where the daemon keeps what is to outlive a restart; "" for nowhere
	Delimiter string // characters that begin the extension of a recipient's address

	Lists   *dnslist.Watch        // asks DNS lists; nil for none
	Ours    func(netip.Addr) bool // tells addresses of our networks and relays; nil for none
	Domains []string              // of our own, in lower case and A-labels; with what is below them
}

// DefaultTimeout is after which a check that has no Timeout of its own is given up.
const DefaultTimeout = 8 * time.Second

// A Check is a Spec of any types, so that they can share a list. Only *Spec
// implements it.
type Check interface {
	facts() facts
	configure() configured
}

// facts are what the engine wants to know of a Spec.
type facts struct {
	name, doc string
	symbols   []*Symbol
	combined  []Composite
	reads     []Check
	network   bool
	early     bool
	timeout   time.Duration
}

// A configured check is one with a configuration that is yet to be read.
type configured struct {
	top      []ucl.Option
	section  *ucl.Section
	sections []*ucl.Section // outside of it
	enabled  *ucl.Flag
	make     func(Env) (runner, error)
}

// A runner is a Runner whose types are forgotten.
type runner struct {
	run     func(context.Context, *Pass) (any, error)
	symbols func() []*Symbol // beyond those of the Spec; nil for none
	lists   func() []*dnslist.List
	refresh Refresher // nil when there is nothing to refresh
}

func (s *Spec[C, R]) facts() facts {
	f := facts{s.Name, s.Doc, s.Symbols, s.Composites, s.Reads, s.Network, s.Early, s.Timeout}
	if f.timeout <= 0 {
		f.timeout = DefaultTimeout
	}
	return f
}

func (s *Spec[C, R]) configure() configured {
	conf := new(C)
	if s.Defaults != nil {
		*conf = s.Defaults()
	}
	section, enabled := s.section(conf)
	var top []ucl.Option
	if s.Top != nil {
		top = s.Top(conf)
	}
	var sections []*ucl.Section
	if s.TopSections != nil {
		sections = s.TopSections(conf)
	}
	return configured{top, section, sections, enabled, func(env Env) (runner, error) {
		r, err := s.New(*conf, env)
		if err != nil {
			return runner{}, err
		}
		made := runner{run: func(ctx context.Context, p *Pass) (any, error) { return r.Run(ctx, p) }}
		if d, ok := any(r).(interface{ Symbols() []*Symbol }); ok {
			made.symbols = d.Symbols
		}
		if d, ok := any(r).(interface{ Lists() []*dnslist.List }); ok {
			made.lists = d.Lists
		}
		made.refresh, _ = any(r).(Refresher)
		return made, nil
	}}
}

// section declares the section of a configuration, and what says that the check runs.
func (s *Spec[C, R]) section(conf *C) (*ucl.Section, *ucl.Flag) {
	if s.Section != nil {
		section := s.Section(conf)
		for _, o := range section.Options {
			if o.Name == "enabled" {
				return section, o.Value.(*ucl.Flag)
			}
		}
		panic(fmt.Sprintf("scan: section %s has no option enabled", section.Name))
	}
	enabled := new(ucl.Flag)
	*enabled = true
	section := &ucl.Section{Name: s.Name, Doc: s.Doc, Options: []ucl.Option{
		{Name: "enabled", Value: enabled, Doc: "Whether the check runs."},
	}, Ignored: s.Ignored}
	if s.Options != nil {
		section.Options = append(section.Options, s.Options(conf)...)
	}
	if s.Sections != nil {
		section.Sections = s.Sections(conf)
	}
	return section, enabled
}

// Errors of Result.
var (
	// ErrDisabled is the error of a check that isn't enabled.
	ErrDisabled = errors.New("scan: the check is disabled")
	// ErrNotRead is the error of a check that isn't among the Reads of the one that asks.
	ErrNotRead = errors.New("scan: the check is not among those that are read")
	// ErrNotOver is the error of a check that an Early one has not waited for.
	ErrNotOver = errors.New("scan: the check is not over")
)

// Result returns what a check found out about the message of p. The error is
// ErrDisabled, ErrNotRead, ErrNotOver or that which the check failed with; R means nothing
// then.
func Result[C, R any](p *Pass, s *Spec[C, R]) (R, error) {
	var none R
	v, err := p.result(s)
	if err != nil {
		return none, err
	}
	r, ok := v.(R)
	if !ok {
		return none, fmt.Errorf("scan: check %s has no result", s.Name)
	}
	return r, nil
}

// Await is Result for a check that is Early: it returns when the other check is over, or
// with the error of ctx when that ends before.
func Await[C, R any](ctx context.Context, p *Pass, s *Spec[C, R]) (R, error) {
	if err := p.await(ctx, s); err != nil {
		var none R
		return none, err
	}
	return Result(p, s)
}
