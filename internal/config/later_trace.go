package config

import "rmilter/internal/ucl"

// Trace are the options of spamd { } about copies of messages with a symbol.
type Trace struct {
	Symbol ucl.String // messages with this symbol …
	Addr   ucl.String // … go to this recipient, too
}

// DefaultTrace returns the defaults.
func DefaultTrace() Trace { return Trace{} }

// Sections declares the options; see package ucl.
func (c *Trace) Sections() []*ucl.Section {
	return []*ucl.Section{{
		Name: "spamd",
		Options: []ucl.Option{
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
