package postconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rmilter/internal/filter"
	"rmilter/internal/ucl"
)

// missing tells of the services that take mail and don't ask rmilter, and of local mail.
func (c *checker) missing() {
	for _, s := range c.smtpd() {
		if !c.asks(s, false) {
			c.unasked(s)
		}
	}
	cleanup := c.service("cleanup", "unix")
	if c.asks(cleanup, true) || c.nearMiss(cleanup, true) {
		return
	}
	c.note("local-mail", Finding{
		Service: localMail,
		Text:    "mail of this machine's own programs (sendmail, cron) doesn't pass rmilter",
		Effect:  "it is neither filtered nor signed",
		File:    "main.cf", Line: "non_smtpd_milters = $smtpd_milters",
	})
}

// asks tells whether a service asks rmilter.
func (c *checker) asks(s *Service, local bool) bool {
	return slices.ContainsFunc(c.usages, func(u usage) bool { return u.local == local && u.service == s })
}

// unasked tells of a service that doesn't ask rmilter.
func (c *checker) unasked(s *Service) {
	if c.nearMiss(s, false) {
		return
	}
	f := Finding{Service: s.String(), Text: s.String() + " doesn't ask rmilter", File: masterCf(s)}
	switch _, own := s.Overrides["smtpd_milters"]; {
	case c.noMilters(s):
		f.Text += ": receive_override_options has no_milters"
		f.Line = "take no_milters out of receive_override_options"
	case own:
		f.Line = "-o smtpd_milters=" + c.endpoint()
	default:
		f.File, f.Line = "main.cf", "smtpd_milters = "+strings.TrimSuffix(c.endpoint()+", "+c.p.Main["smtpd_milters"], ", ")
	}
	switch c.role(s) {
	case Outside:
		f.Effect = "mail from other servers passes unfiltered"
		c.warn("not-asked", f)
	case Submission:
		f.Effect = "your users' mail isn't seen: no limits, no signatures"
		c.warn("not-asked", f)
	case Inside:
		f.Effect = "right where a content filter gives mail back that has passed rmilter before; otherwise that mail passes unfiltered"
		f.File, f.Line = "", ""
		c.note("not-asked", f)
	default:
		f.Effect = "mail that comes by it passes unfiltered"
		c.note("not-asked", f)
	}
}

// nearMiss tells of the items in a service's list that look like rmilter and aren't.
func (c *checker) nearMiss(s *Service, local bool) bool {
	list, found := "smtpd_milters", false
	if local {
		list = c.localList(s)
	}
	for _, m := range parseMilters(c.p.Value(s, list)) {
		if c.match(s, m) != near {
			continue
		}
		found = true
		u := usage{s, local, list, m}
		if m.path != "" {
			c.wrongPath(u)
			continue
		}
		where := "main.cf"
		if s != nil && s.Overrides[list] != "" {
			where = masterCf(s)
		}
		c.warn("address", Finding{
			Text:   list + " names " + m.text + ", but rmilter listens on " + c.where(),
			Effect: "Postfix finds nobody there: " + c.without(u),
			File:   where, Line: written(where, list, c.replaced(u)),
		})
	}
	return found
}

// replaced returns the list of a usage with rmilter's address in place of the one that
// is there.
func (c *checker) replaced(u usage) string {
	return strings.Replace(c.p.Value(u.service, u.list), u.milter.text, c.endpoint(), 1)
}

// wrongPath tells of a unix socket that Postfix looks for where rmilter has none.
func (c *checker) wrongPath(u usage) {
	got := c.resolve(u.service, u.milter.path)
	f := Finding{
		Text:   u.milter.text + " of " + u.list + " is the file " + got,
		Effect: "Postfix finds nobody there: " + c.without(u),
		File:   c.socketFile(), Line: c.socketLine(got),
	}
	if c.chrooted(u.service) {
		f.Text += " for services that run chrooted"
	}
	f.Text += ", but rmilter listens on " + c.where()
	c.warn("address", f)
}

// connection looks at the way to rmilter and at what happens without it.
func (c *checker) connection(u usage) {
	if u.milter.path != "" {
		c.checkRights(u)
	} else if strings.EqualFold(u.milter.host, "localhost") {
		c.localhost(u)
	}
	if action, where := c.setting(u, "milter_default_action"); action == "reject" {
		c.warn("default-action", Finding{
			Text:   "milter_default_action = reject",
			Effect: "while rmilter doesn't answer all mail is refused for good, and its senders get bounces",
			File:   where, Line: written(where, "milter_default_action", "tempfail"),
		})
	}
	protocol, where := c.setting(u, "milter_protocol")
	for _, word := range splitList(protocol) {
		if len(word) == 1 && word >= "2" && word < "6" {
			c.warn("protocol", Finding{
				Text:   "milter_protocol = " + protocol + "; rmilter speaks 6",
				Effect: "values of header fields arrive without their leading spaces, so that signatures break, and every line is waited for",
				File:   where, Line: written(where, "milter_protocol", "6"),
			})
		}
	}
}

// localhost tells of a name whose first address isn't ours.
func (c *checker) localhost(u usage) {
	addrs := c.addresses(u.milter.host)
	for _, s := range c.listeners {
		if s.Kind != ucl.Unix && s.Port == c.portOf(u.milter.port) && len(addrs) > 0 && c.takes(s, addrs[0]) {
			return
		}
	}
	if len(addrs) < 2 || !slices.Contains(addrs, netip.IPv6Loopback()) {
		return
	}
	c.note("localhost", Finding{
		Text:   u.milter.text + ": localhost is [::1] first, where rmilter doesn't listen",
		Effect: "Postfix tries it in vain and then 127.0.0.1; what else listens on [::1] would be asked instead",
		File:   "main.cf", Line: u.list + " = " + c.replaced(u),
	})
}

// Limits of Postfix's waiting below which mail is in danger.
const (
	// minContent leaves room for several of the words that rmilter sends every 3 s
	// while it is at work on a message; each starts Postfix's time anew.
	minContent = 15 * time.Second
	// minCommand is far above what an answer to MAIL, RCPT or DATA takes.
	minCommand = 5 * time.Second
	// connectMargin is what a new process needs before it takes connections.
	connectMargin = 5 * time.Second
)

// times compares Postfix's patience with what rmilter may take.
func (c *checker) times(u usage) {
	type limit struct {
		name string
		low  time.Duration
		text string
	}
	for _, l := range []limit{
		{"milter_content_timeout", minContent, fmt.Sprintf("rmilter may be at work on a message for %v and says so every 3 s", filter.HardEnd)},
		{"milter_command_timeout", minCommand, "a busy machine may take longer over MAIL, RCPT or DATA"},
	} {
		value, where := c.setting(u, l.name)
		d, ok := parseTime(value)
		if !ok || d >= l.low {
			continue
		}
		c.warn(strings.ReplaceAll(strings.TrimPrefix(l.name, "milter_"), "_", "-"), Finding{
			Text:   l.name + " = " + value + " is short: " + l.text,
			Effect: "where Postfix gives up, " + c.without(u),
			File:   where, Line: written(where, l.name, c.usual(l.name)),
		})
	}
	if d, ok := c.time(u, "milter_content_timeout"); ok && d >= minContent && d < filter.HardEnd {
		value, where := c.setting(u, "milter_content_timeout")
		c.note("content-timeout", Finding{
			Text:   "milter_content_timeout = " + value + ", less than the " + filter.HardEnd.String() + " that rmilter may take",
			Effect: "Postfix waits all the same, as rmilter says every 3 s that it is at work; on a machine that stalls, " + c.without(u),
			File:   where, Line: written(where, "milter_content_timeout", "300s"),
		})
	}
	c.connectTime(u)
}

// connectTime compares how long Postfix tries to connect with how long a restart may
// keep it waiting.
func (c *checker) connectTime(u usage) {
	value, where := c.setting(u, "milter_connect_timeout")
	d, ok := parseTime(value)
	drain := c.c.Server.ShutdownTimeout.Std()
	if !c.held || !ok || d >= drain+connectMargin {
		return
	}
	c.warn("connect-timeout", Finding{
		Text:   "milter_connect_timeout = " + value + ", but at a restart new connections may wait for shutdown_timeout (" + drain.String() + ") and the start",
		Effect: "where Postfix gives up, " + c.without(u),
		File:   where, Line: written(where, "milter_connect_timeout", fmt.Sprintf("%.0fs", (drain+2*connectMargin).Seconds())),
	})
}

// time returns a setting that is a time.
func (c *checker) time(u usage, name string) (time.Duration, bool) {
	value, _ := c.setting(u, name)
	return parseTime(value)
}

// usual returns Postfix's default of a time limit.
func (c *checker) usual(name string) string {
	if name == "milter_content_timeout" {
		return "300s"
	}
	return "30s"
}
