package greylist

import (
	"errors"
	"slices"
	"strings"
	"time"

	"rmilter/internal/ucl"
)

// Config are the options of greylisting { }: what strangers are told to try again. It is
// safe for concurrent use once loaded.
type Config struct {
	Enable          ucl.Flag
	Timeout         ucl.Duration   // how long a new triplet is deferred; 0 is no greylisting
	Expire          ucl.Duration   // how long a triplet that was deferred is known; 0 is no greylisting
	ExpireWhite     ucl.Duration   // how long one that passed is known
	Warmup          ucl.Duration   // how long everything passes after the store was found empty
	Whitelist       ucl.Networks   // clients that are not deferred
	WhitelistDomain Domains        // domains that are not deferred
	WhitelistRcpt   ucl.Recipients // recipients whose mail is not deferred
	Message         ucl.String     // text of the reply
}

const (
	second = ucl.Duration(time.Second)
	day    = 24 * 3600 * second
	// longest is more than anybody wants, and no trouble for any store.
	longest = 3650 * day
)

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Enable:      true,
		Timeout:     300 * second,
		Expire:      day,
		ExpireWhite: 30 * day,
		Warmup:      600 * second,
		Message:     "Try again later",
	}
}

// Sections declares the options; see package ucl.
func (c *Config) Sections() []*ucl.Section {
	const gone = "a client that passed is known for expire_white"
	s := &ucl.Section{
		Name: "greylisting",
		Doc:  "Doubtful mail of strangers is deferred the first time: those who try again pass.",
		Options: []ucl.Option{
			{Name: "enable", Value: &c.Enable,
				Doc: "Whether mail is greylisted."},
			{Name: "timeout", Value: ucl.Within(&c.Timeout, 0, longest),
				Doc: "How long a new sender, recipient and client are told to try again. With 0 there is no greylisting."},
			{Name: "expire", Value: ucl.Within(&c.Expire, 0, longest),
				Doc: "How long those that were told so are known. Who tries again later is new. With 0 there is no greylisting."},
			{Name: "expire_white", Value: ucl.Within(&c.ExpireWhite, 0, longest),
				Doc: "How long those that passed are known after they were seen last."},
			{Name: "warmup", Value: ucl.Within(&c.Warmup, 0, longest),
				Doc: "How long unknown ones pass after the store was found empty, as after a move to other servers and on the first day."},
			{Name: "whitelist", Value: &c.Whitelist, Example: "192.0.2.0/24, [2001:db8::]/32",
				Doc: "Clients that are not greylisted: addresses, networks or host names."},
			{Name: "whitelist_domain", Value: &c.WhitelistDomain, Example: "example.com",
				Doc: "Domains that are not greylisted, with all below them: when SPF or DKIM authenticates the sender's domain, or when the client's host name is in one and leads back to its address."},
			{Name: "whitelist_rcpt", Value: &c.WhitelistRcpt, Example: "sales, alice@example.com, @example.org",
				Doc: "Recipients whose mail is not greylisted: user, user@domain or @domain. A message to several is not deferred when one of them is listed."},
			{Name: "greylisted_message", Value: &c.Message,
				Doc: "Text of the reply, printable ASCII; the message's id is added."},
		},
		Others: map[string]string{"enabled": "did you mean enable?", "whitelisted_ip": "did you mean whitelist?"},
		Ignored: []ucl.Ignored{
			{Name: "awl_enable", Note: gone},
			{Name: "awl_pool", Note: gone},
			{Name: "awl_hits", Note: gone},
			{Name: "awl_ttl", Note: gone},
		},
	}
	s.Check = func(warn func(option, format string, args ...any)) { c.check(s, warn) }
	return []*ucl.Section{s}
}

// check finds what contradicts itself.
func (c *Config) check(s *ucl.Section, warn func(option, format string, args ...any)) {
	if c.Expire <= c.Timeout && c.Expire > 0 && (s.IsSet("expire") || s.IsSet("timeout")) {
		at := "expire"
		if !s.IsSet(at) {
			at = "timeout"
		}
		warn(at, "with expire = %s and timeout = %s nobody passes, as each is forgotten before its time is over; expected an expire that is longer", &c.Expire, &c.Timeout)
	}
	if p, broad := c.Whitelist.TooBroad(); broad {
		warn("whitelist", "%s is nearly everybody; expected your own networks, or enable = no", p)
	}
}

// Domains is a list of domains. In the file an item is a name such as example.com; it
// stands for all names below it, too. @example.com, .example.com and *.example.com mean
// the same. The zero Domains is empty. It is safe for concurrent use once loaded.
type Domains []string

// Set implements ucl.Value.
func (d *Domains) Set(n *ucl.Node, add bool) error {
	items, err := n.Texts()
	if err != nil {
		return err
	}
	var list []string
	if add {
		list = slices.Clip(*d)
	}
	var errs []error
	for _, item := range items {
		name, err := parseDomain(item)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, name)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	*d = list
	return nil
}

// IsList returns true: += adds to the list.
func (d *Domains) IsList() bool { return true }

// String returns the list as the file has it.
func (d Domains) String() string { return ucl.Strings(d).String() }

// parseDomain returns the name that an item of the list stands for.
func parseDomain(n *ucl.Node) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(n.Text, "."))
	for _, before := range []string{"@", "*", "."} {
		name = strings.TrimPrefix(name, before)
	}
	if name == "" || len(name) > maxName {
		return "", n.Errorf("%.80q is not a domain; expected one such as example.com", n.Text)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return "", n.Errorf("%.80q is not a domain; expected one such as example.com", n.Text)
		}
		for _, c := range label {
			switch {
			case c >= 0x80:
				return "", n.Errorf("%.80q is not ASCII; expected its xn-- form", n.Text)
			case !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'):
				return "", n.Errorf("%.80q is not a domain; expected one such as example.com", n.Text)
			}
		}
	}
	return name, nil
}

// match returns the item of a list that a name is or lies below, "" when there is none.
func (d domainSet) match(name string) string {
	if len(d) == 0 {
		return ""
	}
	if name = lowerName(name); len(name) > maxName {
		return ""
	}
	for name != "" {
		if _, ok := d[name]; ok {
			return name
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return ""
}

// A domainSet is a list of domains for looking up.
type domainSet map[string]struct{}

func newDomainSet(list Domains) domainSet {
	set := make(domainSet, len(list))
	for _, name := range list {
		set[name] = struct{}{}
	}
	return set
}

// maxName is the longest name of a host without its final dot (RFC 1035, section 2.3.4).
const maxName = 253

// lowerName returns a domain as it is compared.
func lowerName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
