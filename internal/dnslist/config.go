package dnslist

import (
	"slices"
	"strings"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
	"rmilter/internal/ucl"
)

// A Config has the options of rbl { } or of surbl { }. The zero value is none; see
// DefaultConfig.
type Config struct {
	Section  string     // RBL or SURBL
	Enabled  ucl.Flag   // whether any list is asked
	MaxNames ucl.Int    // of one message, names and addresses to ask about; each once
	DQSKey   ucl.Secret // for Spamhaus' Data Query Service
	Exempt   Exempt     // what no list is asked about
	Blocks   []*Block   // what files say of lists, in their order
}

// DefaultConfig returns the defaults of a section, RBL or SURBL.
func DefaultConfig(section string) Config {
	return Config{Section: section, Enabled: true, MaxNames: 30}
}

// Sections declares the options; see package ucl. Blocks that are read are appended to
// c.Blocks.
func (c *Config) Sections() []*ucl.Section {
	doc := "DNS lists of those who send: addresses of clients and of earlier hops, and names."
	if c.Section == SURBL {
		doc = "DNS lists of what a message names: hosts of links, domains of senders, e-mail addresses."
	}
	repeat := c.repeat()
	lists := &ucl.Section{
		Name: "list", Key: "NAME", Repeat: repeat,
		Doc: "A list: one that is known, of which only what differs has to be said, or one of your own, with its zone. docs/dnslists.md has those that are known.",
	}
	s := &ucl.Section{
		Name: c.Section,
		Doc:  doc,
		Options: []ucl.Option{
			{Name: "enabled", Aliases: []string{"enable"}, Value: &c.Enabled,
				Doc: "Whether any of these lists is asked."},
			{Name: "max_names", Value: ucl.Within(&c.MaxNames, 0, 1000),
				Doc: "How many names and addresses of one message are asked about, each once."},
			{Name: "dqs_key", Value: &keyValue{&c.DQSKey}, Example: "\"0123456789abcdefghijklmnop\"",
				Doc: "The key for Spamhaus' Data Query Service. The lists of Spamhaus are then asked there, which works with any resolver."},
			{Name: "exempt", Value: &exemptValue{&c.Exempt}, Example: "192.0.2.0/24, example.com",
				Doc: "Addresses, networks and domains that no list is asked about; with a domain those below it. Private addresses, your own networks and domains, and trusted relays never are."},
		},
		Sections: []*ucl.Section{lists},
		Ignored:  ignored(),
	}
	for _, name := range []string{"rbls", "rules"} { // rspamd's words
		s.Sections = append(s.Sections, &ucl.Section{Name: name, Key: "NAME", Repeat: repeat, Doc: lists.Doc, Hidden: true})
	}
	s.Sections = append(s.Sections, &ucl.Section{Name: "rule", Key: "NAME", Repeat: c.unnamed(repeat), Doc: lists.Doc, Hidden: true}) // its oldest word
	s.Check = c.check(s)
	return []*ucl.Section{s}
}

// ignored are what rspamd has for all lists together.
func ignored() []ucl.Ignored {
	const each = "every list says itself what it is asked; use list \"NAME\" { checks }"
	const trust = "our own mail is never asked about"
	var list []ucl.Ignored
	for _, name := range []string{"from", "received", "helo", "rdns", "dkim", "emails", "urls", "replyto", "ipv4", "ipv6", "dkim_domainonly", "emails_domainonly", "is_whitelist"} {
		list = append(list, ucl.Ignored{Name: "default_" + name, Note: each})
	}
	yes := []string{"yes", "true", "on", "1"}
	return append(list,
		ucl.Ignored{Name: "default_exclude_users", Note: trust, Same: yes},
		ucl.Ignored{Name: "default_exclude_local", Note: trust, Same: yes},
		ucl.Ignored{Name: "default_exclude_private_ips", Note: "private addresses are never asked about", Same: yes},
		ucl.Ignored{Name: "default_unknown", Note: "an answer that the list doesn't document never counts", Same: []string{"no", "false", "off", "0"}},
		ucl.Ignored{Name: "url_whitelist", Note: "use exempt"},
		ucl.Ignored{Name: "whitelist", Note: "use exempt"},
		ucl.Ignored{Name: "exceptions", Note: "the list of public suffixes is built in"},
		ucl.Ignored{Name: "local_exclude_ip_map", Note: "use exempt"},
		ucl.Ignored{Name: "attached_maps", Note: "there are no such maps"},
		ucl.Ignored{Name: "symbols_map", Note: "use symbol { } for weights"},
	)
}

// repeat returns what declares the block of a list. Names are compared without regard to
// case.
func (c *Config) repeat() func(key string) *ucl.Section {
	known := map[string]*List{}
	for _, l := range Catalog() {
		if l.Section == c.Section {
			known[mail.LowerASCII(l.Name)] = l
		}
	}
	sections := map[string]*ucl.Section{}
	return func(key string) *ucl.Section {
		name := mail.LowerASCII(key)
		if name == "" || mail.PrintableASCII(key, maxListName) != key {
			return nil
		}
		if s := sections[name]; s != nil {
			return s
		}
		b := newBlock(key, known[name], c.Section)
		c.Blocks = append(c.Blocks, b)
		s := b.declare()
		sections[name] = s
		return s
	}
}

// unnamed returns repeat that takes blocks without a name, too. Each is one list, which has
// its name from its symbol or zone.
func (c *Config) unnamed(repeat func(key string) *ucl.Section) func(key string) *ucl.Section {
	return func(key string) *ucl.Section {
		if key != "" {
			return repeat(key)
		}
		b := newBlock("", nil, c.Section)
		c.Blocks = append(c.Blocks, b)
		return b.declare()
	}
}

// maxListName is how long the name of a list may be.
const maxListName = 64

// Lists returns all lists of the section, those of the catalogue as they are configured and
// those that only the files have, enabled or not, in a fixed order. A list of the catalogue
// is not enabled where the files have one of their own with its zone, so that nothing counts
// twice.
func (c *Config) Lists() []*List {
	var lists, own []*List
	zones := map[string]bool{}
	configured := map[string]*Block{}
	for _, b := range c.Blocks {
		if b.known {
			configured[b.List.Name] = b
			continue
		}
		l := b.finished()
		own = append(own, l)
		zones[l.Zone] = true
	}
	for _, l := range Catalog() {
		if l.Section != c.Section {
			continue
		}
		if b := configured[l.Name]; b != nil {
			l = b.finished()
		}
		l.Enabled = l.Enabled && !zones[l.Zone]
		lists = append(lists, l)
	}
	lists = append(lists, own...)
	for _, l := range lists {
		l.Enabled = l.Enabled && bool(c.Enabled) && l.Zone != ""
		l.Exempt = Exempt{slices.Concat(l.Exempt.Networks, c.Exempt.Networks), slices.Concat(l.Exempt.Domains, c.Exempt.Domains)}
		if c.DQSKey.IsSet() {
			l.useDQS(c.DQSKey)
		}
	}
	return lists
}

// useDQS has a list of Spamhaus asked at its Data Query Service, which knows its customers
// by their key and not by their resolver.
func (l *List) useDQS(key ucl.Secret) {
	label, ok := strings.CutSuffix(l.Zone, ".spamhaus.org")
	if !ok || strings.Contains(label, ".") {
		return
	}
	l.Zone, l.Key = label+".dq.spamhaus.net", key
	l.PublicRefused, l.Daily = false, 0
}

// check finds what contradicts itself.
func (c *Config) check(s *ucl.Section) func(warn func(option, format string, args ...any)) {
	return func(warn func(option, format string, args ...any)) {
		if c.DQSKey.IsSet() && !c.hasSpamhaus() {
			warn("dqs_key", "no list of Spamhaus is asked, so the key is of no use")
		}
	}
}

// hasSpamhaus tells whether a list that is asked has a key.
func (c *Config) hasSpamhaus() bool {
	for _, l := range c.Lists() {
		if l.Enabled && l.Key.IsSet() {
			return true
		}
	}
	return false
}

// A keyValue is a secret that is one label of a name.
type keyValue struct{ *ucl.Secret }

// Set implements ucl.Value. What is wrong is told without the text.
func (v *keyValue) Set(n *ucl.Node, add bool) error {
	var s ucl.Secret
	if err := s.Set(n, add); err != nil {
		return err
	}
	if key := s.Reveal(); key != "" && (strings.Trim(mail.LowerASCII(key), "abcdefghijklmnopqrstuvwxyz0123456789") != "" || len(key) > 63) {
		return n.Errorf("this is no key; expected letters and digits, as Spamhaus has sent them")
	}
	*v.Secret = s
	return nil
}

// A zoneValue is the domain of a list.
type zoneValue struct{ p *string }

// Set implements ucl.Value.
func (v zoneValue) Set(n *ucl.Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	name, ok := dns.Normalize(text)
	if text != "" && (!ok || !isHost(name)) {
		return n.Errorf("%.80q is not a domain; expected one such as list.example.com", text)
	}
	*v.p = name
	return nil
}

// String returns the domain in quotes.
func (v zoneValue) String() string { return ucl.Quote(*v.p) }
