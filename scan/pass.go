package scan

import (
	"context"
	"fmt"

	"rmilter/internal/mail"
)

// A Pass is one check at work on one message. It must not be used after Run has
// returned. Its fields must not be changed.
type Pass struct {
	Envelope *mail.Envelope
	Message  *mail.Message
	Aids     Aids

	node     *node
	run      *run
	findings []Finding
	demand   *Passthrough
	auth     auth
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

// OneShot tells whether a symbol counts once, however often it is reported: who looks
// for it may stop at the first.
func (p *Pass) OneShot(s *Symbol) bool {
	_, oneShot, _ := p.run.engine.weights.score(s)
	return oneShot
}

// Demand asks for an action whatever the score is. Of several demands on one message
// the most severe counts.
func (p *Pass) Demand(a Action, message string) { p.demands(Passthrough{Action: a, Message: message}) }

// DemandAtLeast asks for an action unless the score leads to a severer one: for what
// the sender of a message can bring about.
func (p *Pass) DemandAtLeast(a Action, message string) {
	p.demands(Passthrough{Action: a, Message: message, AtLeast: true})
}

func (p *Pass) demands(d Passthrough) {
	if d.Source = p.node.name; p.demand == nil || d.Action > p.demand.Action {
		p.demand = &d
	}
}

// result returns the result of another check.
func (p *Pass) result(c Check) (any, error) {
	for _, read := range p.node.reads {
		if read.check == c {
			if !read.enabled {
				return nil, ErrDisabled
			}
			if !p.run.isOver(p.node, read.index) {
				return nil, ErrNotOver
			}
			s := &p.run.states[read.index]
			return s.result, s.err
		}
	}
	return nil, ErrNotRead
}

// await returns when a check that is read is over, or with the error of ctx.
func (p *Pass) await(ctx context.Context, c Check) error {
	for _, read := range p.node.reads {
		if read.check != c || !read.enabled {
			continue
		}
		select {
		case <-p.run.done[read.index]:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
