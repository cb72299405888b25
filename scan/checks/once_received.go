package checks

import (
	"regexp"
	"slices"

	"rmilter/internal/mail"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

var (
	onceReceived = symbol("ONCE_RECEIVED", 0.1, "headers", "The message came straight from its origin, whose name is not that of a mail server.")
	onceStrict   = symbol("ONCE_RECEIVED_STRICT", 4, "headers", "The message came straight from its origin, whose name is that of a line without a fixed address.")
	directToMX   = symbol("DIRECT_TO_MX", 0, "headers", "A mail program for people sent the message straight to our MTA.")
)

// OnceReceivedConfig are the options of OnceReceived.
type OnceReceivedConfig struct {
	good, bad hostPatterns
	whitelist ucl.Networks
}

// OnceReceived looks at messages that took one hop, from their origin to us.
var OnceReceived = &scan.Spec[OnceReceivedConfig, struct{}]{
	Name:    "once_received",
	Doc:     "Messages that came straight from their origin, without a mail server of the sender's.",
	Symbols: []*scan.Symbol{onceReceived, onceStrict, directToMX},
	Defaults: func() OnceReceivedConfig {
		return OnceReceivedConfig{good: mustPatterns("mail"), bad: mustPatterns("dynamic", `\bdyn\b`, "dhcp", "dial-?up", "pppoe")}
	},
	Options: func(c *OnceReceivedConfig) []ucl.Option {
		return []ucl.Option{
			{Name: "good_host", Value: &c.good, Gather: true, Example: `"mail", "^mx"`,
				Doc: "Regular expressions for names of mail servers: what comes straight from a client with such a name is left alone."},
			{Name: "bad_host", Value: &c.bad, Gather: true, Example: `"dynamic", "dial-?up"`,
				Doc: "Regular expressions for names of lines without a fixed address: ONCE_RECEIVED_STRICT. Names with \"static\" aren't among them: rented servers have such names."},
			{Name: "whitelist", Value: &c.whitelist, Gather: true, Example: "203.0.113.0/24",
				Doc: "Addresses and networks of clients that are left alone."},
		}
	},
	Ignored: append(ignored("the symbols have fixed names", "symbol", "symbol_strict", "symbol_rdns", "symbol_mx"),
		ignored("our own mail is left alone", "check_local", "check_authed")...),
	New: func(c OnceReceivedConfig, _ scan.Env) (scan.Runner[struct{}], error) {
		c.whitelist.Finish()
		return plain(c.run)(struct{}{}, scan.Env{})
	},
}

func (c OnceReceivedConfig) run(p *scan.Pass) {
	e, hops := p.Envelope, p.Message.Received()
	n := p.Message.Header().Count("Received")
	if ownHop(e, hops) {
		n++
	}
	told := len(hops) > 0 && hops[0].IP == e.ClientIP // what is only inspected came so if a field says it
	if n > 1 || e.Trust != mail.Stranger || !e.ClientIP.IsValid() || e.Inspect && !told || c.whitelist.Contains(e.ClientIP) {
		return
	}
	name := mail.LowerASCII(e.Hostname)
	if c.good.match(name) {
		return
	}
	p.Report(onceReceived)
	if c.bad.match(name) {
		p.Report(onceStrict, shown(name))
	}
	for _, f := range p.Message.Header() {
		if f.Is("User-Agent") || f.Is("X-Mailer") {
			p.Report(directToMX, shown(f.Value()))
			break
		}
	}
}

// hostPatterns are regular expressions for names of hosts.
type hostPatterns struct {
	ucl.Strings
	compiled []*regexp.Regexp // of those that aren't empty
}

// mustPatterns returns expressions that are known to be right.
func mustPatterns(list ...string) hostPatterns {
	h := hostPatterns{Strings: list}
	for _, s := range list {
		h.compiled = append(h.compiled, regexp.MustCompile(s))
	}
	return h
}

// match returns the name if any pattern matches it, which is in lower case.
func (h *hostPatterns) match(name string) bool {
	return name != "" && slices.ContainsFunc(h.compiled, func(re *regexp.Regexp) bool { return re.MatchString(name) })
}

// Set implements ucl.Value. An empty text is none.
func (h *hostPatterns) Set(n *ucl.Node, add bool) error {
	texts, err := n.Texts()
	if err != nil {
		return err
	}
	next := hostPatterns{Strings: slices.Clone(h.Strings)}
	if err := next.Strings.Set(n, add); err != nil {
		return err
	}
	if add {
		next.compiled = slices.Clone(h.compiled)
	}
	for _, t := range texts {
		re, err := regexp.Compile("(?i)" + t.Text)
		switch {
		case err != nil:
			return t.Errorf("%.80q is no regular expression: %v", t.Text, err)
		case t.Text != "":
			next.compiled = append(next.compiled, re)
		}
	}
	*h = next
	return nil
}
