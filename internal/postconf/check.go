package postconf

import (
	"fmt"
	"slices"
	"strings"

	"rmilter/internal/config"
	"rmilter/internal/ucl"
)

// A Severity tells how much a [Finding] matters.
type Severity string

// The severities.
const (
	Note    Severity = "note"    // good to know
	Warning Severity = "warning" // mail is probably not treated as meant
)

// A Finding is one thing that Postfix's configuration says about rmilter.
type Finding struct {
	Severity Severity `json:"severity"`
	ID       string   `json:"id"`             // what it is about, the same in all versions
	Service  string   `json:"service"`        // of master.cf, "" for all
	Text     string   `json:"text"`           // what was found
	Effect   string   `json:"effect"`         // what it means for mail
	File     string   `json:"file,omitempty"` // where something is to be changed
	Line     string   `json:"line,omitempty"` // what to put there; several lines for one or the other
}

// A ServiceReport tells how a way into Postfix is filtered.
type ServiceReport struct {
	Service string `json:"service"`          // as in master.cf; "local mail" for what comes without SMTP
	Role    Role   `json:"role"`             // who sends mail there
	Milter  string `json:"milter,omitempty"` // where it asks rmilter; "" when it doesn't
	Daemon  string `json:"daemon_name"`      // the name that it tells
	Ours    bool   `json:"ours"`             // that name makes all its mail ours
	Action  string `json:"default_action,omitempty"`
	Without string `json:"without,omitempty"` // what happens to mail when rmilter doesn't answer
}

// A Report is what [Check] found.
type Report struct {
	Dir      string          `json:"dir"`
	Version  string          `json:"version"`
	Services []ServiceReport `json:"services"`
	Findings []Finding       `json:"findings"`
}

// Warnings returns the number of warnings in a report.
func (r *Report) Warnings() int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == Warning {
			n++
		}
	}
	return n
}

// A Role tells who sends mail to a service.
type Role string

// The roles.
const (
	Outside    Role = "smtp"       // other mail servers: port 25
	Submission Role = "submission" // our own users
	Inside     Role = "inside"     // programs of this machine, such as content filters
	Other      Role = "other"      // unknown
	Local      Role = "local"      // sendmail(1), cron, Postfix itself
)

// rmilterConf stands for rmilter's main file in a Finding.
const rmilterConf = "rmilter.conf"

// A checker is one call of Check.
type checker struct {
	p         *Postfix
	c         *config.Config
	machine   Machine
	listeners []ucl.Socket // where rmilter listens
	held      bool         // another process holds those sockets while rmilter restarts
	blind     bool         // not all listeners are known
	usages    []usage      // every place that asks rmilter
	report    Report
}

// A usage is a service which asks rmilter.
type usage struct {
	service *Service
	local   bool   // as non_smtpd_milters, for mail that comes without SMTP
	list    string // the parameter that names the milters
	milter  milterRef
}

// String returns the service's name for people.
func (u usage) String() string {
	if u.local {
		return localMail
	}
	return u.service.String()
}

// localMail is what stands for a service where mail comes without SMTP.
const localMail = "local mail"

// Check compares Postfix's configuration with rmilter's.
func Check(p *Postfix, c *config.Config, m Machine) Report {
	k := &checker{p: p, c: c, machine: m}
	k.report = Report{Dir: p.Dir, Version: p.Main["mail_version"], Services: []ServiceReport{}, Findings: []Finding{}}
	k.listeners, k.held, k.blind = listeners(c, m)
	k.services()
	k.unused()
	if len(k.usages) == 0 {
		k.unconnected()
		return k.report
	}
	k.missing()
	for _, u := range k.usages {
		k.connection(u)
		k.times(u)
		k.macros(u)
	}
	k.chains()
	k.policyServices()
	k.networks()
	k.daemonNames()
	k.contentFilters()
	k.rest()
	return k.report
}

// maxFindings is how many findings are told.
const maxFindings = 200

// add adds a finding unless it is there.
func (c *checker) add(f Finding) {
	if len(c.report.Findings) < maxFindings && !slices.Contains(c.report.Findings, f) {
		c.report.Findings = append(c.report.Findings, f)
	}
}

func (c *checker) warn(id string, f Finding) {
	f.Severity, f.ID = Warning, id
	c.add(f)
}

func (c *checker) note(id string, f Finding) {
	f.Severity, f.ID = Note, id
	c.add(f)
}

// smtpd returns the services that take mail by SMTP.
func (c *checker) smtpd() []*Service {
	var list []*Service
	for _, s := range c.p.Services {
		if s.Command == "smtpd" {
			list = append(list, s)
		}
	}
	return list
}

// service returns a service of master.cf, nil when there is none.
func (c *checker) service(name, typ string) *Service {
	for _, s := range c.p.Services {
		if s.Name == name && s.Type == typ {
			return s
		}
	}
	return nil
}

// submissionPort tells whether a port is one for users, by name or number.
func submissionPort(port string) bool {
	return slices.Contains([]string{"submission", "587", "smtps", "submissions", "465"}, port)
}

// role tells who sends mail to a service.
func (c *checker) role(s *Service) Role {
	host, port := "", s.Name
	if i := strings.LastIndexByte(s.Name, ':'); i >= 0 && s.Type != "unix" {
		host, port = splitEndpoint(s.Name)
	}
	logs := s.Overrides["syslog_name"]
	switch {
	case submissionPort(port), strings.Contains(logs, "submission"), strings.Contains(logs, "smtps"),
		s.Overrides["smtpd_tls_wrappermode"] == "yes", s.Overrides["smtpd_sasl_auth_enable"] == "yes":
		return Submission
	case s.Type == "pass", port == "smtp", port == "25":
		return Outside
	case s.Type == "unix", host == "::1", strings.EqualFold(host, "localhost"), strings.HasPrefix(host, "127."):
		return Inside
	}
	return Other
}

// services finds who asks rmilter, and who doesn't.
func (c *checker) services() {
	for _, s := range c.smtpd() {
		r := ServiceReport{Service: s.String(), Role: c.role(s), Daemon: c.p.Value(s, "milter_macro_daemon_name")}
		r.Ours = c.originating(r.Daemon)
		if i := c.find(s, false); i >= 0 {
			u := c.usages[i]
			r.Milter, r.Action, r.Without = u.milter.text, c.action(u), c.without(u)
		}
		c.report.Services = append(c.report.Services, r)
	}
	r := ServiceReport{Service: localMail, Role: Local, Daemon: c.p.Main["milter_macro_daemon_name"], Ours: true}
	if i := c.find(c.service("cleanup", "unix"), true); i >= 0 {
		u := c.usages[i]
		r.Milter, r.Action, r.Without = u.milter.text, c.action(u), c.without(u)
	}
	c.report.Services = append(c.report.Services, r)
}

// find adds the usage of a service, if it asks rmilter, and returns its index or -1.
func (c *checker) find(s *Service, local bool) int {
	list, from := "smtpd_milters", s
	if local {
		list, from = c.localList(s), c.service("pickup", "unix")
	}
	if c.noMilters(from) {
		return -1
	}
	for _, m := range parseMilters(c.p.Value(s, list)) {
		if c.match(s, m) == ours {
			c.usages = append(c.usages, usage{s, local, list, m})
			return len(c.usages) - 1
		}
	}
	return -1
}

// localList returns the parameter that names the milters for local mail.
// non_smtpd_milters is often only a reference, so that there is one place to change.
func (c *checker) localList(cleanup *Service) string {
	const list = "non_smtpd_milters"
	own := false
	if cleanup != nil {
		_, own = cleanup.Overrides[list]
		_, other := cleanup.Overrides["smtpd_milters"]
		own = own || other
	}
	if raw := strings.Trim(c.p.Set[list], "${}()"); raw == "smtpd_milters" && !own {
		return raw
	}
	return list
}

// noMilters tells whether a service switches milters off.
func (c *checker) noMilters(s *Service) bool {
	return slices.Contains(splitList(c.p.Value(s, "receive_override_options")), "no_milters")
}

// originating tells whether a daemon's name makes its mail ours.
func (c *checker) originating(name string) bool {
	return name != "" && slices.Contains(c.c.Filter.OriginatingDaemons, name)
}

// setting returns a parameter of a milter as a usage has it: from the braces of its
// item, from the service, from main.cf. where says which.
func (c *checker) setting(u usage, name string) (value, where string) {
	if v, ok := u.milter.attr[strings.TrimPrefix(name, "milter_")]; ok {
		return v, "main.cf, " + u.list
	}
	if u.service != nil {
		if v, ok := u.service.Overrides[name]; ok {
			return v, masterCf(u.service)
		}
	}
	return c.p.Main[name], "main.cf"
}

// masterCf names the place of a service.
func masterCf(s *Service) string { return "master.cf, " + s.String() }

// written returns a parameter as it is to be written at its place.
func written(where, name, value string) string {
	switch {
	case where == "main.cf":
		return name + " = " + value
	case strings.HasPrefix(where, "main.cf, "):
		return strings.TrimPrefix(name, "milter_") + "=" + value
	}
	return override(name, value)
}

// override is a parameter as master.cf has it.
func override(name, value string) string {
	if strings.ContainsAny(value, " \t") {
		return "-o { " + name + " = " + value + " }"
	}
	return "-o " + name + "=" + value
}

// action returns what a service does without an answer of rmilter's.
func (c *checker) action(u usage) string {
	v, _ := c.setting(u, "milter_default_action")
	return v
}

// without tells what happens to mail when rmilter doesn't answer.
func (c *checker) without(u usage) string {
	action := c.action(u)
	switch action {
	case "accept":
		return "mail passes unfiltered (milter_default_action = accept)"
	case "tempfail":
		return "clients are told to come again, no mail passes unfiltered (milter_default_action = tempfail)"
	case "reject":
		return "mail is refused for good (milter_default_action = reject)"
	case "shutdown":
		return "the session is closed with 421, no mail passes unfiltered (milter_default_action = shutdown)"
	case "quarantine":
		return "mail is taken unfiltered and held in the queue until somebody releases it (milter_default_action = quarantine)"
	}
	return fmt.Sprintf("milter_default_action = %s", action)
}

// unused tells what Postfix doesn't know of what main.cf sets for milters.
func (c *checker) unused() {
	for _, what := range c.p.Unused {
		name, _, _ := strings.Cut(what, "=")
		if !strings.Contains(name, "milter") && !strings.Contains(name, "mynetworks") {
			continue
		}
		c.note("unused", Finding{
			Text:   "Postfix knows no parameter " + name,
			Effect: "the line has no effect",
			File:   "main.cf",
		})
	}
}

// unconnected tells how to connect a Postfix that doesn't ask rmilter.
func (c *checker) unconnected() {
	c.missing()
	if c.report.Warnings() > 0 && slices.ContainsFunc(c.report.Findings, func(f Finding) bool { return f.ID == "address" }) {
		return // it means to
	}
	c.report.Findings = nil
	c.unused()
	wanted := c.endpoint()
	if list := c.p.Main["smtpd_milters"]; list != "" {
		wanted += ", " + list
	}
	c.warn("not-connected", Finding{
		Text:   "Postfix doesn't ask rmilter, which listens on " + c.where(),
		Effect: "no mail is filtered",
		File:   "main.cf",
		Line:   "smtpd_milters = " + wanted + "\nnon_smtpd_milters = $smtpd_milters\nmilter_protocol = 6\nmilter_default_action = accept",
	})
}

// where lists our sockets.
func (c *checker) where() string {
	var items []string
	for _, s := range c.listeners {
		s.Mode, s.Owner, s.Group = 0, "", ""
		items = append(items, s.String())
	}
	if c.blind {
		items = append(items, "inherited ones")
	}
	return strings.Join(items, ", ")
}

// endpoint returns our first socket as smtpd_milters has to name it.
func (c *checker) endpoint() string {
	for _, s := range c.listeners {
		switch {
		case s.Kind == ucl.Unix:
			queue := c.p.Main["queue_directory"]
			if rest, ok := strings.CutPrefix(s.Path, queue+"/"); ok {
				return "unix:" + rest
			}
			return "unix:" + s.Path
		case s.Port == 0:
		case s.Host == "" && s.Kind == ucl.Inet6:
			return fmt.Sprintf("inet:[::1]:%d", s.Port)
		case s.Host == "" || s.Host == "0.0.0.0" || s.Host == "::":
			return fmt.Sprintf("inet:127.0.0.1:%d", s.Port)
		case strings.Contains(s.Host, ":"):
			return fmt.Sprintf("inet:[%s]:%d", s.Host, s.Port)
		default:
			return fmt.Sprintf("inet:%s:%d", s.Host, s.Port)
		}
	}
	return "inet:127.0.0.1:9900"
}
