package config

import "rmilter/internal/ucl"

// Trace are the options of spamd { } that are left of the old milter: when mail is
// greylisted, and copies of messages with a symbol.
type Trace struct {
	Greylist ucl.Flag   // greylist what the score says; otherwise every stranger's mail at DATA
	Symbol   ucl.String // messages with this symbol …
	Addr     ucl.String // … go to this recipient, too
}

// DefaultTrace returns the defaults.
func DefaultTrace() Trace { return Trace{Greylist: true} }

// Sections declares the options; see package ucl.
func (c *Trace) Sections() []*ucl.Section {
	return []*ucl.Section{{
		Name: "spamd",
		Options: []ucl.Option{
			{Name: "spamd_greylist", Value: &c.Greylist, Unserved: true,
				Doc: "yes: greylist what the score says. no: greylist all mail of strangers, before the message is sent."},
			{Name: "trace_symbol", Value: &c.Symbol, Unserved: true, Example: `"EXAMPLE_SYMBOL"`,
				Doc: "Send messages with this symbol to trace_addr, too."},
			{Name: "trace_addr", Value: &c.Addr, Unserved: true, Example: `"abuse@example.com"`,
				Doc: "The recipient who also gets messages with trace_symbol."},
		},
		Check: func(warn func(option, format string, args ...any)) {
			switch {
			case c.Symbol != "" && c.Addr == "":
				warn("trace_symbol", "there is nobody to send messages to; expected trace_addr, too")
			case c.Symbol == "" && c.Addr != "":
				warn("trace_addr", "there is no symbol to look for; expected trace_symbol, too")
			}
		},
	}}
}
