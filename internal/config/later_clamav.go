package config

import "rmilter/internal/ucl"

// ClamAV are the options of clamav { }: where the virus scanner is and what counts
// when it does not answer.
type ClamAV struct {
	Servers        ucl.Servers  // clamd's; the default port is 3310. Without any there is no virus check
	ConnectTimeout ucl.Duration // until a connection stands
	ResultsTimeout ucl.Duration // until a message is scanned
	ErrorTime      ucl.Duration // failures are counted for so long
	MaxErrors      ucl.Int      // so many put a server out
	DeadTime       ucl.Duration // for so long
	Whitelist      ucl.Networks // clients whose mail is not scanned for viruses
	OnError        OnError      // when no server answers
}

// OnError says what becomes of a message that could not be scanned for viruses.
type OnError string

// The values of OnError.
const (
	AcceptOnError   OnError = "accept"   // it is accepted
	TempfailOnError OnError = "tempfail" // it is deferred
)

// clamdPort is clamd's TCP port.
const clamdPort = 3310

// DefaultClamAV returns the defaults.
func DefaultClamAV() ClamAV {
	return ClamAV{
		ConnectTimeout: second,
		ResultsTimeout: 20 * second,
		ErrorTime:      10 * second,
		MaxErrors:      10,
		DeadTime:       300 * second,
		OnError:        TempfailOnError,
	}
}

// Sections declares the options; see package ucl.
func (c *ClamAV) Sections() []*ucl.Section {
	s := &ucl.Section{
		Name:     "clamav",
		Doc:      "The virus scanner clamd. A message in which it finds something is rejected.",
		Unserved: true,
		Options: []ucl.Option{
			{Name: "servers", Value: &c.Servers, Example: "127.0.0.1:3310, /run/clamav/clamd.ctl",
				Doc: "The clamd servers: HOST, HOST:PORT with 3310 for the port when there is none, or a path. Of several one is taken at random."},
			{Name: "on_error", Value: ucl.Enum(&c.OnError, AcceptOnError, TempfailOnError),
				Doc: "What becomes of a message when no server answers: tempfail defers it, accept lets it pass unscanned."},
			{Name: "connect_timeout", Value: &c.ConnectTimeout,
				Doc: "How long a connection may take to stand."},
			{Name: "results_timeout", Value: &c.ResultsTimeout,
				Doc: "How long the scan of a message may take."},
			{Name: "error_time", Value: ucl.Seconds(&c.ErrorTime),
				Doc: "For how long failures of a server are counted."},
			{Name: "maxerrors", Value: ucl.Within(&c.MaxErrors, 1, 1_000_000),
				Doc: "How many failures within error_time put a server out."},
			{Name: "dead_time", Value: ucl.Seconds(&c.DeadTime),
				Doc: "How long a server that failed is left alone."},
			{Name: "whitelist", Value: &c.Whitelist,
				Doc: "Clients whose mail is not scanned for viruses: addresses, networks or host names."},
		},
		Ignored: []ucl.Ignored{
			{Name: "port_timeout", Note: "clamd is asked over one connection; use results_timeout"},
		},
	}
	s.Check = func(warn func(option, format string, args ...any)) {
		if first := s.FirstSet(); first != "" && !s.IsSet("servers") {
			warn(first, "the section names no servers, so nothing is scanned for viruses; expected servers = HOST:%d", clamdPort)
		}
		if p, broad := c.Whitelist.TooBroad(); broad {
			warn("whitelist", "%s is nearly everybody; expected your own networks", p)
		}
	}
	return []*ucl.Section{s}
}
