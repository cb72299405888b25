package signing

import (
	"strings"

	"rmilter/dkim"
	"rmilter/internal/mail"
	"rmilter/internal/ucl"
)

// Config are the options of dkim { }: which mail is signed and how.
type Config struct {
	Enable                ucl.Flag
	Domains               []*Domain // in the order of the files
	SignDomain            DomainOf
	AllowUsernameMismatch ucl.Flag     // users sign for any domain that there is a key for
	SignNetworks          ucl.Networks // clients whose mail is signed, too
	HeaderCanon           Canon
	BodyCanon             Canon
}

// A Domain is a key for the mail of a domain.
type Domain struct {
	Key      KeyPath    // file, or directory of the files DOMAIN.SELECTOR.key
	Domain   ucl.String // lower-case; "*" is every domain
	Selector Selector
}

// DomainOf says by which address the domain is chosen that signs.
type DomainOf string

// The values of DomainOf.
const (
	OfHeader   DomainOf = "header"
	OfEnvelope DomainOf = "envelope"
)

// Canon is a canonicalization (RFC 6376, section 3.4).
type Canon string

// The values of Canon.
const (
	Simple  Canon = "simple"
	Relaxed Canon = "relaxed"
)

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Enable: true, SignDomain: OfHeader, HeaderCanon: Relaxed, BodyCanon: Relaxed}
}

// Sections declares the options; see package ucl. Blocks of domains that are read are
// appended to c.Domains.
func (c *Config) Sections() []*ucl.Section {
	canon := func(p *Canon) ucl.Value { return ucl.Enum(p, Simple, Relaxed) }
	const verifies = "an option of rspamd, which verifies signatures; every signature is verified"
	yes := []string{"yes", "true", "on", "1"}
	s := &ucl.Section{
		Name: "dkim",
		Doc:  "DKIM signatures for our mail (RFC 6376), that of our own users and networks. Mail of strangers is never signed.",
		Options: []ucl.Option{
			{Name: "enable", Value: &c.Enable,
				Doc: "Whether mail is signed."},
			{Name: "sign_domain", Value: ucl.Enum(&c.SignDomain, OfHeader, OfEnvelope),
				Doc: "Whose domain signs: that of the author in From (header), or that of the sender in the envelope. The other one where there is no key for it."},
			{Name: "allow_username_mismatch", Value: &c.AllowUsernameMismatch,
				Doc: "Whether a user who logs in as NAME@DOMAIN may sign for other domains than his own and those below it. A login without domain may sign for all."},
			{Name: "sign_networks", Value: &c.SignNetworks,
				Doc: "Clients besides our own whose mail is signed: addresses, networks or host names."},
			{Name: "header_canon", Value: canon(&c.HeaderCanon),
				Doc: "Canonicalization of the header: simple or relaxed."},
			{Name: "body_canon", Value: canon(&c.BodyCanon),
				Doc: "Canonicalization of the body: simple or relaxed."},
		},
		Sections: []*ucl.Section{c.domain()},
		Others:   map[string]string{"key": "it belongs in section domain", "selector": "it belongs in section domain"},
		Ignored: []ucl.Ignored{
			{Name: "sign_alg", Note: "RFC 8301 forbids sha1; sha256 is taken", Same: []string{"sha256", "rsa-sha256"}},
			{Name: "auth_only", Note: "the mail of strangers is never signed, whoever they say they are; name hosts of yours in sign_networks", Same: yes},
			{Name: "fold_header", Note: "signatures are always folded", Same: yes},
			{Name: "rspamd_sign", Note: "rmilter signs itself; use domain { }", Same: []string{"no", "false", "off", "0"}},
			{Name: "dkim_cache_size", Note: verifies},
			{Name: "dkim_cache_expire", Note: verifies},
			{Name: "time_jitter", Note: verifies},
			{Name: "trusted_only", Note: verifies},
			{Name: "skip_multi", Note: verifies},
		},
	}
	s.Check = func(warn func(option, format string, args ...any)) {
		if first := s.FirstSet(); first != "" && bool(c.Enable) && len(c.Domains) == 0 {
			warn(first, "the section has no domain, so nothing is signed; expected domain { key; domain; selector; }")
		}
		if p, broad := c.SignNetworks.TooBroad(); broad {
			warn("sign_networks", "%s is nearly everybody, whose mail would be signed as yours; expected your own networks", p)
		}
	}
	return []*ucl.Section{s}
}

// domain declares the blocks of domains. Each is one of its own; none merges with
// another.
func (c *Config) domain() *ucl.Section {
	first := map[Domain]*Domain{} // by domain and selector
	return &ucl.Section{
		Name: "domain",
		Key:  "DOMAIN",
		Doc: `A key for the mail of a domain. There may be several blocks; the name in quotes may stand in place of "domain". ` +
			"Several keys of one domain make several signatures, as with RSA and Ed25519 together.",
		Repeat: func(key string) *ucl.Section {
			d := &Domain{Domain: ucl.String(strings.ToLower(key))}
			c.Domains = append(c.Domains, d)
			s := &ucl.Section{
				Name: "domain",
				Key:  "DOMAIN",
				Options: []ucl.Option{
					{Name: "key", Value: &d.Key, Required: true, Example: `"/etc/dkim"`,
						Doc: "File with the private key, or the directory where it is DOMAIN.SELECTOR.key. A changed key is in use some seconds later."},
					{Name: "domain", Value: &lowerValue{&d.Domain}, Required: key == "", Example: "example.com", Default: "the name of the block",
						Doc: "The domain that signs. It signs for the domains below it, too, that have no key of their own. With a directory, * is every domain whose key is there, and other words are part of its name."},
					{Name: "selector", Value: &d.Selector, Required: true, Example: `"dkim"`,
						Doc: "The selector under which the public key is in the DNS."},
				},
			}
			s.Check = func(warn func(option, format string, args ...any)) { d.check(first, warn) }
			return s
		},
	}
}

// check finds a domain that is none, and a second key for a domain and selector. It is
// called for the blocks in their order.
func (d *Domain) check(first map[Domain]*Domain, warn func(option, format string, args ...any)) {
	if name := d.name(); name != anyDomain && dkim.RecordName("a"+name+"a", "s") == "" {
		warn("domain", "%s is no domain and no part of one, so it never signs; expected one such as example.com", d.Domain)
	}
	same := Domain{Domain: d.Domain, Selector: d.Selector}
	switch other := first[same]; {
	case other == nil:
		first[same] = d
	case other != d:
		warn("key", "%s with selector %s has the key %s already; expected one", d.Domain, d.Selector, other.Key)
	}
}

// anyDomain is the domain of a block for all of them.
const anyDomain = "*"

// name returns the domain as it is compared: as A-labels.
func (d *Domain) name() string { return mail.ParseAddress("x@" + string(d.Domain)).Domain }

// A lowerValue is a text in lower case.
type lowerValue struct{ p *ucl.String }

// Set implements ucl.Value.
func (v *lowerValue) Set(n *ucl.Node, _ bool) error {
	text, err := n.Word()
	if err == nil {
		*v.p = ucl.String(strings.ToLower(text))
	}
	return err
}

// String returns the text in quotes.
func (v *lowerValue) String() string { return v.p.String() }

// A Selector is the name of a key within its domain (RFC 6376, section 3.1).
type Selector string

// Set implements ucl.Value.
func (s *Selector) Set(n *ucl.Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	name := dkim.RecordName("example.com", text)
	if name == "" {
		return n.Errorf("%.80q is not a selector; expected a word such as dkim", text)
	}
	selector, _, _ := strings.Cut(name, "._domainkey.")
	*s = Selector(selector)
	return nil
}

// String returns the selector in quotes.
func (s Selector) String() string { return ucl.Quote(string(s)) }

// A KeyPath is the absolute path of a private key, or of a directory of them.
type KeyPath string

// Set implements ucl.Value.
func (p *KeyPath) Set(n *ucl.Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(text, "/") || strings.ContainsRune(text, 0) {
		return n.Errorf("%.80q is not a path; expected one that begins with /", text)
	}
	*p = KeyPath(text)
	return nil
}

// String returns the path in quotes.
func (p KeyPath) String() string { return ucl.Quote(string(p)) }
