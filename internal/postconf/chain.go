package postconf

import (
	"slices"
	"strings"
)

// A filterKind is another program that people have beside rmilter or in its stead.
type filterKind struct {
	name  string
	ports []string // of inet, as its documentation has them
	words []string // in the path of a unix socket, or in a host's name
	does  string   // what it and rmilter would both do
}

// filterKinds are the milters that people had before.
func filterKinds() []filterKind {
	return []filterKind{
		{"rspamd", []string{"11332"}, []string{"rspamd"}, "both judge each message and may both refuse or mark it"},
		{"opendkim", []string{"8891", "12301"}, []string{"opendkim", "dkim-filter", "dkimpy"}, "take it out once dkim { } of rmilter signs, or mail is signed twice"},
		{"opendmarc", []string{"8893", "54321"}, []string{"opendmarc"}, "it judges by results of others; rmilter's own don't reach it"},
		{"opendarc or openarc", nil, []string{"openarc"}, "take it out once rmilter seals, or mail is sealed twice"},
		{"clamav-milter", []string{"7357"}, []string{"clamav-milter", "clamav"}, "take it out once clamav { } of rmilter scans, or mail is scanned twice"},
		{"milter-greylist", nil, []string{"milter-greylist", "greylist"}, "take it out once greylisting { } of rmilter defers, or mail is deferred twice"},
		{"spamass-milter", nil, []string{"spamass"}, "both judge each message and may both refuse or mark it"},
		{"spf-milter", nil, []string{"spf-milter", "pyspf"}, "both judge the sender by SPF"},
		{"amavisd-milter", nil, []string{"amavis"}, "both judge each message and may both refuse or mark it"},
	}
}

// policyKinds are the policy servers that people had before.
func policyKinds() []filterKind {
	return []filterKind{
		{"postgrey", []string{"10023", "60000"}, []string{"postgrey"}, "take it out once greylisting { } of rmilter defers, or mail is deferred twice"},
		{"sqlgrey", []string{"2501"}, []string{"sqlgrey"}, "take it out once greylisting { } of rmilter defers, or mail is deferred twice"},
		{"policyd-spf", nil, []string{"spf"}, "both judge the sender by SPF; it refuses what rmilter weighs with the rest"},
	}
}

// kindOf returns what a milter or policy server is by its port or path; nil for none of
// those known.
func kindOf(kinds []filterKind, m milterRef) *filterKind {
	for i, k := range kinds {
		if m.port != "" && slices.Contains(k.ports, m.port) {
			return &kinds[i]
		}
		for _, w := range k.words {
			if strings.Contains(strings.ToLower(m.path+m.host), w) {
				return &kinds[i]
			}
		}
	}
	return nil
}

// knownFilter returns which other milter this is, nil when none that is known.
func knownFilter(m milterRef) *filterKind { return kindOf(filterKinds(), m) }

// chains tells of the other milters that see the same mail.
func (c *checker) chains() {
	for _, u := range c.usages {
		before := true
		value := c.p.Value(u.service, u.list)
		for _, m := range parseMilters(value) {
			if c.match(u.service, m) == ours {
				before = false
				continue
			}
			k := knownFilter(m)
			if k == nil {
				continue
			}
			where := "main.cf"
			if u.service != nil && u.service.Overrides[u.list] != "" {
				where = masterCf(u.service)
			}
			place := "after"
			if before {
				place = "before"
			}
			c.note("other-filter", Finding{
				Text:   k.name + " (" + m.text + ") is asked " + place + " rmilter, too",
				Effect: k.does,
				File:   where, Line: "take " + m.text + " out of " + u.list,
			})
		}
	}
	if maps := c.p.Main["smtpd_milter_maps"]; maps != "" {
		c.note("milter-maps", Finding{
			Text:   "smtpd_milter_maps = " + maps + " can't be read from here",
			Effect: "clients that it lists are not filtered, or by others",
			File:   "main.cf",
		})
	}
}

// policyServices tells of the policy servers that do what rmilter does.
func (c *checker) policyServices() {
	look := func(where, name, value string) {
		words := splitList(value)
		for i, w := range words {
			if w != "check_policy_service" || i+1 == len(words) {
				continue
			}
			for _, m := range parseMilters(words[i+1]) {
				k := kindOf(policyKinds(), m)
				if k == nil {
					continue
				}
				c.note("policy-service", Finding{
					Text:   k.name + " (" + m.text + ") is asked in " + name,
					Effect: k.does,
					File:   where, Line: "take check_policy_service " + m.text + " out of " + name,
				})
			}
		}
	}
	names := []string{
		"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions", "smtpd_relay_restrictions",
		"smtpd_recipient_restrictions", "smtpd_data_restrictions", "smtpd_end_of_data_restrictions",
	}
	for _, name := range names {
		look("main.cf", name, c.p.Main[name])
		for _, s := range c.smtpd() {
			look(masterCf(s), name, s.Overrides[name])
		}
	}
}

// contentFilters looks at other ways by which mail leaves Postfix and comes back.
func (c *checker) contentFilters() {
	filters := map[string]bool{}
	for _, s := range append(c.smtpd(), c.service("pickup", "unix")) {
		if v := c.p.Value(s, "content_filter"); v != "" {
			filters["content_filter = "+v] = true
		}
		if v := c.p.Value(s, "smtpd_proxy_filter"); v != "" {
			filters["smtpd_proxy_filter = "+v] = true
			if s != nil && s.Command == "smtpd" && c.asks(s, false) {
				c.warn("proxy-filter", Finding{
					Service: s.String(),
					Text:    s.String() + " has smtpd_proxy_filter = " + v,
					Effect:  "Postfix gives the message to that proxy and not to milters: rmilter sees its envelope only",
					File:    masterCf(s), Line: "content_filter in place of smtpd_proxy_filter",
				})
			}
		}
	}
	if len(filters) == 0 {
		return
	}
	for _, u := range c.usages {
		if u.local || c.role(u.service) != Inside {
			continue
		}
		c.warn("reinjection", Finding{
			Service: u.String(),
			Text:    u.String() + " asks rmilter, as it seems for mail that a content filter gives back (" + strings.Join(sorted(filters), ", ") + ")",
			Effect:  "strangers' mail passes rmilter a second time, now from this machine: taken for your own, and signed",
			File:    masterCf(u.service), Line: "-o smtpd_milters=",
		})
	}
}

func sorted(m map[string]bool) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
