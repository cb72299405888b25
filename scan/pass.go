package scan

import (
	"fmt"

	"rmilter/internal/mail"
)

// A Pass is one check at work on one message. It must not be used after Run has
// returned. Its fields must not be changed.
type Pass struct {
	Envelope *mail.Envelope
	Message  *mail.Message

	node     *node
	run      *run
	findings []Finding
	demand   *Passthrough
}

// Report notes that a symbol was seen, with the evidence. A symbol may be reported
// several times. One that the check doesn't declare is a mistake in the program and
// makes the check fail, unless its Runner has symbols of the configuration.
func (p *Pass) Report(s *Symbol, details ...string) { p.ReportScaled(s, 1, details...) }

// ReportScaled is Report with a strength by which the weight of the symbol is
// multiplied.
func (p *Pass) ReportScaled(s *Symbol, strength float64, details ...string) {
	if !p.node.declared[s] && p.node.runner.symbols == nil {
		panic(fmt.Sprintf("scan: check %s reports %s, which it doesn't declare", p.node.name, s.Name))
	}
	p.findings = append(p.findings, Finding{Symbol: s, Strength: strength, Details: details})
}

// Demand asks for an action whatever the score is. Of several demands on one message
// the most severe counts.
func (p *Pass) Demand(a Action, message string) {
	if p.demand == nil || a > p.demand.Action {
		p.demand = &Passthrough{Action: a, Source: p.node.name, Message: message}
	}
}

// result returns the result of another check.
func (p *Pass) result(c Check) (any, error) {
	for _, read := range p.node.reads {
		if read.check == c {
			if !read.enabled {
				return nil, ErrDisabled
			}
			s := &p.run.states[read.index]
			return s.result, s.err
		}
	}
	return nil, ErrNotRead
}
