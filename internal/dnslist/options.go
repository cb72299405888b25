package dnslist

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
	"rmilter/internal/ucl"
)

// declare declares the options of the block.
func (b *Block) declare() *ucl.Section {
	l := &b.List
	s := &ucl.Section{
		Name: "list",
		Key:  "NAME",
		Options: []ucl.Option{
			{Name: "enabled", Aliases: []string{"enable"}, Value: &b.enabled, Default: "yes, for a list that is known as docs/dnslists.md says", Example: "yes",
				Doc: "Whether the list is asked."},
			{Name: "rbl", Aliases: []string{"zone", "suffix"}, Value: zoneValue{&l.Zone}, Example: "list.example.com",
				Doc: "The domain of the list."},
			{Name: "checks", Value: &asksValue{&l.Asks}, Default: "as the list is known; of your own from in rbl and urls in surbl", Example: "from, received",
				Doc: "What the list is asked about: from (the client's address), received (those of earlier hops), helo, rdns, fromdomain (domains of the sender and of From), replyto, dkim (domains with a valid signature), urls (hosts of links), emails."},
			{Name: "symbol", Value: &b.Symbol, Example: "RBL_EXAMPLE",
				Doc: "The symbol of a list of your own without returncodes: every answer then means it. Without it it is the list's name."},
			{Name: "weight", Value: ucl.Optional(&b.Weight, "number; expected one as in 2.5, or default"), Example: "2.5",
				Doc: "The weight of symbols that aren't known; default is 1, and -0.1 for a whitelist. A section symbol overrides it."},
			{Name: "returncodes", Value: &codesValue{b: b}, Default: "as the list is known", Example: "\"RBL_EXAMPLE:127.0.0.2\", \"RBL_EXAMPLE_BAD:127.0.0.4-7\"",
				Doc: "What answers mean, as SYMBOL:ANSWER, or as rspamd's { SYMBOL = ANSWERS; }. An answer may have ranges and *: 127.0.0.4-7, 127.0.*.1. Others don't count."},
			{Name: "returnbits", Aliases: []string{"bits"}, Value: &codesValue{b: b, bits: true}, Default: "as the list is known", Example: "\"SURBL_EXAMPLE:8\"",
				Doc: "What the bits of an answer mean, as SYMBOL:NUMBER, or as { SYMBOL = NUMBER; }."},
			{Name: "blocked", Value: &patternsValue{&l.Blocked}, Example: "127.0.0.255",
				Doc: "Answers by which the list says that it doesn't answer you. They never count. Those in 127.255.255.0/24 always are such."},
		},
	}
	s.Options = append(s.Options, b.more()...)
	s.Ignored = ignoredOfList()
	s.Check = b.contradictions
	return s
}

// more are the options that few need.
func (b *Block) more() []ucl.Option {
	l := &b.List
	list := []ucl.Option{
		{Name: "ipv4", Value: &b.ipv4, Doc: "Whether it is asked about IPv4 addresses."},
		{Name: "ipv6", Value: &b.ipv6, Doc: "Whether it is asked about IPv6 addresses."},
		{Name: "host", Value: &b.host, Doc: "Whether names are asked as they are; otherwise as the domain that was registered, example.com for www.example.com."},
		{Name: "resolve_ip", Value: &b.resolve, Doc: "Whether a list of addresses is asked about the addresses of names."},
		{Name: "hash", Value: ucl.Enum(&b.hash, noHash, MD5, SHA1, SHA256), Doc: "The hash by which the list knows e-mail addresses: md5, sha1 or sha256. With none their domains are asked."},
		{Name: "is_whitelist", Value: &b.white, Doc: "Whether the list names the good. It can only lower the score, and exempts from nothing."},
		{Name: "dynamic", Value: &b.dynamic, Doc: "Whether the list names dynamic addresses. It is then never asked about earlier hops."},
		{Name: "exempt", Value: &exemptValue{&l.Exempt}, Example: "192.0.2.0/24, example.com", Doc: "Addresses, networks and domains that this list is never asked about."},
		{Name: "monitored", Value: &b.tested, Doc: "Whether the list is tested at start and hourly, and not asked while the test fails."},
		{Name: "disable_monitoring", Value: &b.off, Doc: "The opposite of monitored, as rspamd has it."},
		{Name: "test_listed", Value: &b.listed, Default: "as the list is known; of your own 127.0.0.2 in rbl", Example: "127.0.0.2", Doc: "An address or a name that is listed for sure, by which the list is tested; \"\" when there is none."},
		{Name: "test_clean", Value: &b.clean, Default: "127.0.0.1, or invalid for a list of names", Example: "127.0.0.1", Doc: "An address or a name that is never listed, by which the list is tested."},
		{Name: "daily", Value: ucl.Within(&b.daily, 0, 1e12), Doc: "How many questions a day its terms allow, 0 for no limit. At 80 % there is a warning."},
	}
	for _, k := range kinds() {
		name := k.word
		list = append(list, ucl.Option{Name: name, Value: &askValue{&l.Asks, k.ask}, Default: "as in checks", Example: "yes", Doc: "Whether " + name + " is among checks."})
	}
	return list
}

// ignoredOfList are what rspamd has for one list.
func ignoredOfList() []ucl.Ignored {
	const trust = "our own mail is never asked about"
	const weigh = "a whitelist lowers the score by its weight and exempts from nothing"
	yes, no := []string{"yes", "true", "on", "1"}, []string{"no", "false", "off", "0"}
	return []ucl.Ignored{
		{Name: "unknown", Note: "an answer without a meaning never counts; use symbol for all of them", Same: no},
		{Name: "ignore_whitelist", Note: weigh, Same: yes},
		{Name: "ignore_whitelists", Note: weigh, Same: yes},
		{Name: "whitelist_exception", Note: weigh},
		{Name: "exclude_users", Note: trust, Same: yes},
		{Name: "exclude_local", Note: trust, Same: yes},
		{Name: "exclude_private_ips", Note: "private addresses are never asked about", Same: yes},
		{Name: "selector", Note: "there are no selectors; use checks"},
		{Name: "selector_flatten", Note: "there are no selectors; use checks"},
		{Name: "symbols_prefixes", Note: "write the symbols with their prefixes in returncodes"},
		{Name: "returncodes_matcher", Note: "patterns are known by their form"},
		{Name: "emails_domainonly", Note: "without hash the domains are asked", Same: yes},
		{Name: "dkim_domainonly", Note: "use host", Same: yes},
		{Name: "dkim_match_from", Note: "every domain with a valid signature is asked", Same: no},
		{Name: "content_urls", Note: "links of text and of HTML are asked alike; use urls"},
		{Name: "images", Note: "all links are asked alike"},
		{Name: "no_ip", Note: "use ipv4 = no and ipv6 = no"},
		{Name: "noip", Note: "use ipv4 = no and ipv6 = no"},
		{Name: "options", Note: "use ipv4 = no and ipv6 = no in place of noip"},
		{Name: "hash_format", Note: "md5 and sha1 are hexadecimal, sha256 is base32"},
		{Name: "hash_len", Note: "hashes are whole"},
		{Name: "monitored_address", Note: "use test_clean"},
		{Name: "ignore_defaults", Note: "there are none"},
		{Name: "ignore_url_whitelist", Note: "use exempt of the list"},
		{Name: "url_whitelist", Note: "use exempt"},
		{Name: "local_exclude_ip_map", Note: "use exempt"},
		{Name: "requests_limit", Note: "use max_names"},
		{Name: "process_script", Note: "there are no rules in Lua"},
		{Name: "description", Note: "it is shown nowhere"},
	}
}

// A kind is a word for a kind of things.
type kind struct {
	word string
	ask  Asks
}

// kinds returns the words of checks.
func kinds() []kind {
	return []kind{
		{"from", Client}, {"received", Received}, {"helo", Helo}, {"rdns", RDNS}, {"fromdomain", From},
		{"replyto", ReplyTo}, {"dkim", DKIM}, {"urls", URLs}, {"emails", Emails},
	}
}

func kindWords() []string {
	var words []string
	for _, k := range kinds() {
		words = append(words, k.word)
	}
	return words
}

// String returns the words of the set, separated by commas.
func (a Asks) String() string {
	var words []string
	for _, k := range kinds() {
		if a&k.ask != 0 {
			words = append(words, k.word)
		}
	}
	return strings.Join(words, ", ")
}

// An asksValue is a list of kinds of things.
type asksValue struct{ p *Asks }

// IsList returns true: += adds to the list.
func (v *asksValue) IsList() bool { return true }

// String returns the list as the file has it.
func (v *asksValue) String() string {
	if *v.p == 0 {
		return "[]"
	}
	return v.p.String()
}

// Set implements ucl.Value.
func (v *asksValue) Set(n *ucl.Node, add bool) error {
	texts, err := n.Texts()
	if err != nil {
		return err
	}
	var set Asks
	if add {
		set = *v.p
	}
	var errs []error
	for _, t := range texts {
		word := mail.LowerASCII(t.Text)
		i := slices.IndexFunc(kinds(), func(k kind) bool { return k.word == word })
		switch {
		case i >= 0:
			set |= kinds()[i].ask
		case word == "content_urls":
			set |= URLs
		case word == "selector":
			t.Warnf("there are no selectors; expected %s", strings.Join(kindWords(), ", "))
		default:
			errs = append(errs, t.Errorf("%.40q is not known here; expected %s", t.Text, strings.Join(kindWords(), ", ")))
		}
	}
	if errs == nil {
		*v.p = set
	}
	return errors.Join(errs...)
}

// An askValue is whether one kind of things is in a set.
type askValue struct {
	p   *Asks
	ask Asks
}

// Set implements ucl.Value.
func (v *askValue) Set(n *ucl.Node, add bool) error {
	var f ucl.Flag
	if err := f.Set(n, add); err != nil {
		return err
	}
	*v.p &^= v.ask
	if f {
		*v.p |= v.ask
	}
	return nil
}

// String returns "yes" or "no".
func (v *askValue) String() string { return ucl.Flag(*v.p&v.ask != 0).String() }

// An exemptValue is a list of addresses, networks and domains.
type exemptValue struct{ p *Exempt }

// IsList returns true: += adds to the list.
func (v *exemptValue) IsList() bool { return true }

// String returns the list as the file has it.
func (v *exemptValue) String() string {
	var list ucl.Strings
	for _, p := range v.p.Networks {
		list = append(list, p.String())
	}
	return append(list, v.p.Domains...).String()
}

// Set implements ucl.Value.
func (v *exemptValue) Set(n *ucl.Node, add bool) error {
	texts, err := n.Texts()
	if err != nil {
		return err
	}
	var set Exempt
	if add {
		set = Exempt{slices.Clip(v.p.Networks), slices.Clip(v.p.Domains)}
	}
	var errs []error
	for _, t := range texts {
		if err := set.add(strings.TrimSpace(t.Text)); err != nil {
			errs = append(errs, t.Errorf("%s", err))
		}
	}
	if errs == nil {
		*v.p = set
	}
	return errors.Join(errs...)
}

// add adds one item.
func (e *Exempt) add(text string) error {
	bare := strings.NewReplacer("[", "", "]", "").Replace(text)
	if a, err := netip.ParseAddr(bare); err == nil {
		a = a.Unmap().WithZone("")
		e.Networks = append(e.Networks, netip.PrefixFrom(a, a.BitLen()))
		return nil
	}
	if p, err := netip.ParsePrefix(bare); err == nil {
		e.Networks = append(e.Networks, p.Masked())
		return nil
	}
	name := strings.TrimPrefix(strings.TrimPrefix(text, "*"), ".")
	domain, ok := dns.Normalize(mail.ParseAddress("x@" + name).Domain)
	if !ok || !isHost("a."+domain) {
		return fmt.Errorf("%.80q is neither an address nor a network nor a domain", text)
	}
	e.Domains = append(e.Domains, domain)
	return nil
}

// A patternsValue is a list of answers.
type patternsValue struct{ p *[]Pattern }

// IsList returns true: += adds to the list.
func (v *patternsValue) IsList() bool { return true }

// String returns the list as the file has it.
func (v *patternsValue) String() string {
	var list ucl.Strings
	for _, p := range *v.p {
		list = append(list, p.String())
	}
	return list.String()
}

// Set implements ucl.Value.
func (v *patternsValue) Set(n *ucl.Node, add bool) error {
	texts, err := n.Texts()
	if err != nil {
		return err
	}
	var list []Pattern
	if add {
		list = slices.Clip(*v.p)
	}
	var errs []error
	for _, t := range texts {
		p, err := ParsePattern(t.Text)
		if err != nil {
			errs = append(errs, t.Errorf("%s", err))
		}
		list = append(list, p)
	}
	if errs == nil {
		*v.p = list
	}
	return errors.Join(errs...)
}
