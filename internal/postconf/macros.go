package postconf

import (
	"slices"
	"strings"
)

// stages are the parameters with the macros that Postfix sends, in the order of a
// session.
func stages() []string {
	return []string{
		"milter_connect_macros", "milter_helo_macros", "milter_mail_macros", "milter_rcpt_macros",
		"milter_data_macros", "milter_end_of_header_macros", "milter_end_of_data_macros",
	}
}

// sends tells whether one of some lists of macros has a name, with or without braces.
func (c *checker) sends(u usage, lists []string, name string) bool {
	for _, list := range lists {
		value, _ := c.setting(u, list)
		for _, word := range splitList(value) {
			if word == name || word == "{"+name+"}" {
				return true
			}
		}
	}
	return false
}

// macros looks for those that rmilter reads: who the client is to us at MAIL, the queue
// id later on.
func (c *checker) macros(u usage) {
	if u.local {
		return // what comes by it is ours in any case
	}
	atMail := stages()[:3]
	name := c.p.Value(u.service, "milter_macro_daemon_name")
	if c.originating(name) && !c.sends(u, atMail, "daemon_name") {
		c.lacks(u, "milter_connect_macros", "{daemon_name}", "your users' mail by "+u.String()+" isn't known as theirs and is treated as a stranger's", Warning)
	}
	if c.p.Value(u.service, "smtpd_sasl_auth_enable") == "yes" && !c.sends(u, []string{"milter_mail_macros"}, "auth_authen") {
		severity, effect := Warning, "mail of users who log in isn't known as theirs and is treated as a stranger's"
		if c.originating(name) {
			severity, effect = Note, "who has logged in isn't known: the log line has user=-"
		}
		c.lacks(u, "milter_mail_macros", "{auth_authen}", effect, severity)
	}
	if !c.sends(u, stages(), "i") {
		c.lacks(u, "milter_end_of_data_macros", "i", "the log line lacks Postfix's queue id (qid=-)", Note)
	}
}

// lacks tells of a macro that isn't sent.
func (c *checker) lacks(u usage, list, macro, effect string, s Severity) {
	value, where := c.setting(u, list)
	c.add(Finding{
		Severity: s, ID: "macro",
		Text:   list + " lacks " + macro,
		Effect: effect,
		File:   where, Line: written(where, list, strings.TrimSpace(value+" "+macro)),
	})
}

// daemonNames looks at the names by which services tell whose mail they take.
func (c *checker) daemonNames() {
	for _, u := range c.usages {
		s := u.service
		if u.local || s == nil {
			continue
		}
		name := c.p.Value(s, "milter_macro_daemon_name")
		own, overrides := s.Overrides["milter_macro_daemon_name"]
		switch role := c.role(s); {
		case role == Outside && c.originating(name):
			c.worldIsOurs(s, name, overrides)
		case role == Submission && !c.originating(name), overrides && own == "ORIGINATING" && !c.originating(name):
			c.notOurs(u, name, overrides)
		}
	}
}

// worldIsOurs tells of a service for strangers whose name makes their mail ours.
func (c *checker) worldIsOurs(s *Service, name string, overrides bool) {
	f := Finding{
		Service: s.String(),
		Text:    s.String() + " has the daemon name " + name + ", which originating_daemons lists",
		Effect:  "all mail from outside is taken for your own: never marked, never greylisted, and signed",
		File:    "main.cf", Line: "milter_macro_daemon_name = $myhostname",
	}
	switch _, set := c.p.Set["milter_macro_daemon_name"]; {
	case overrides:
		f.File, f.Line = masterCf(s), "take out -o milter_macro_daemon_name="+name
	case !set: // the default is the host's name
		f.File, f.Line = rmilterConf, "originating_daemons = ORIGINATING;"
	}
	c.warn("daemon-name-public", f)
}

// notOurs tells of a service for users whose name doesn't make their mail ours. Those
// who log in are known by that.
func (c *checker) notOurs(u usage, name string, overrides bool) {
	s := u.service
	wanted := "ORIGINATING"
	if list := c.c.Filter.OriginatingDaemons; len(list) > 0 && !slices.Contains(list, wanted) {
		wanted = list[0]
	}
	f := Finding{
		Service: s.String(),
		Text:    s.String() + " has the daemon name " + name + ", which originating_daemons doesn't list",
		Effect:  "mail that comes by it is ours only from our_networks",
		File:    masterCf(s), Line: "-o milter_macro_daemon_name=" + wanted,
	}
	logins := c.p.Value(s, "smtpd_sasl_auth_enable") == "yes" && c.sends(u, []string{"milter_mail_macros"}, "auth_authen")
	if logins {
		f.Effect = "mail of users who log in is ours all the same"
	}
	if overrides || !logins {
		c.warn("daemon-name", f)
	} else {
		c.note("daemon-name", f)
	}
}
