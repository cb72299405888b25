package config

import (
	"strings"

	"rmilter/internal/ucl"
)

// DKIM are the options of dkim { }: which mail is signed and how.
type DKIM struct {
	Enable       ucl.Flag
	Domains      []*DKIMDomain // in the order of the files
	HeaderCanon  Canon
	BodyCanon    Canon
	SignAlg      SignAlg
	AuthOnly     ucl.Flag     // sign our own mail only
	SignNetworks ucl.Networks // clients whose mail is signed, too
	FoldHeader   ucl.Flag     // fold the signature
}

// A DKIMDomain is a key for the mail of a domain.
type DKIMDomain struct {
	Key      KeyPath    // file, or directory of the files DOMAIN.SELECTOR.key
	Domain   ucl.String // lower-case; "*" is every domain
	Selector ucl.String
}

// Canon is a canonicalization (RFC 6376, section 3.4).
type Canon string

// The values of Canon.
const (
	SimpleCanon  Canon = "simple"
	RelaxedCanon Canon = "relaxed"
)

// SignAlg is the hash of a signature. RFC 8301 leaves one.
type SignAlg string

// The value of SignAlg.
const (
	SHA256 SignAlg = "sha256"
)

// DefaultDKIM returns the defaults.
func DefaultDKIM() DKIM {
	return DKIM{
		Enable:      true,
		HeaderCanon: RelaxedCanon,
		BodyCanon:   RelaxedCanon,
		SignAlg:     SHA256,
		AuthOnly:    true,
	}
}

// Sections declares the options; see package ucl. Blocks of domains that are read are
// appended to c.Domains.
func (c *DKIM) Sections() []*ucl.Section {
	canon := func(p *Canon) ucl.Value { return ucl.Enum(p, SimpleCanon, RelaxedCanon) }
	const verifies = "an option of rspamd, which verifies signatures; every signature is verified"
	s := &ucl.Section{
		Name:     "dkim",
		Doc:      "DKIM signatures for our mail (RFC 6376).",
		Unserved: true,
		Options: []ucl.Option{
			{Name: "enable", Value: &c.Enable,
				Doc: "Whether mail is signed."},
			{Name: "header_canon", Value: canon(&c.HeaderCanon),
				Doc: "Canonicalization of the header: simple or relaxed."},
			{Name: "body_canon", Value: canon(&c.BodyCanon),
				Doc: "Canonicalization of the body: simple or relaxed."},
			{Name: "sign_alg", Value: &c.SignAlg,
				Doc: "Hash of the signatures: sha256. RFC 8301 forbids sha1."},
			{Name: "auth_only", Value: &c.AuthOnly,
				Doc: "Sign the mail of our own users and networks and of sign_networks only."},
			{Name: "sign_networks", Value: &c.SignNetworks,
				Doc: "Clients whose mail is signed, too: addresses, networks or host names."},
			{Name: "fold_header", Value: &c.FoldHeader,
				Doc: "Fold the signature into several lines."},
		},
		Sections: []*ucl.Section{c.domain()},
		Others:   map[string]string{"key": "it belongs in section domain", "selector": "it belongs in section domain"},
		Ignored: []ucl.Ignored{
			{Name: "rspamd_sign", Note: "rmilter signs itself; use domain { }"},
			{Name: "dkim_cache_size", Note: verifies},
			{Name: "dkim_cache_expire", Note: verifies},
			{Name: "time_jitter", Note: verifies},
			{Name: "trusted_only", Note: verifies},
			{Name: "skip_multi", Note: verifies},
		},
	}
	s.Check = func(warn func(option, format string, args ...any)) {
		if first := s.FirstSet(); first != "" && c.Enable && len(c.Domains) == 0 {
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
func (c *DKIM) domain() *ucl.Section {
	first := map[DKIMDomain]*DKIMDomain{} // by domain and selector
	return &ucl.Section{
		Name: "domain",
		Key:  "DOMAIN",
		Doc:  `A key for the mail of a domain. There may be several blocks; the name in quotes may stand in place of "domain".`,
		Repeat: func(key string) *ucl.Section {
			d := &DKIMDomain{Domain: ucl.String(strings.ToLower(key))}
			c.Domains = append(c.Domains, d)
			s := &ucl.Section{
				Name: "domain",
				Key:  "DOMAIN",
				Options: []ucl.Option{
					{Name: "key", Value: &d.Key, Required: true, Example: `"/etc/dkim"`,
						Doc: "File with the private key, or the directory where it is DOMAIN.SELECTOR.key."},
					{Name: "domain", Value: &lowerValue{&d.Domain}, Required: key == "", Example: "example.com",
						Doc: "The domain of the sender; * is every domain for which there is a key."},
					{Name: "selector", Value: &d.Selector, Required: true, Example: `"dkim"`,
						Doc: "The selector under which the public key is in the DNS."},
				},
			}
			s.Check = func(warn func(option, format string, args ...any)) { d.check(first, warn) }
			return s
		},
	}
}

// check finds a second key for a domain and selector. It is called for the blocks in
// their order.
func (d *DKIMDomain) check(first map[DKIMDomain]*DKIMDomain, warn func(option, format string, args ...any)) {
	same := DKIMDomain{Domain: d.Domain, Selector: d.Selector}
	switch other := first[same]; {
	case other == nil:
		first[same] = d
	case other != d:
		warn("key", "%s with selector %s has the key %s already; expected one", d.Domain, d.Selector, other.Key)
	}
}

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

// Set implements ucl.Value. It takes sha1 of old files for sha256, with a warning.
func (a *SignAlg) Set(n *ucl.Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	switch strings.ToLower(text) {
	case "sha1":
		n.Warnf("sha1 is forbidden by RFC 8301; sha256 is taken")
	case "sha256":
	default:
		return n.Errorf("%.80q is not known here; expected sha256", text)
	}
	*a = SHA256
	return nil
}

// String returns the word.
func (a SignAlg) String() string { return string(a) }
