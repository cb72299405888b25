package dnslist

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"net/netip"
	"strings"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
)

// Question returns the name that a list is asked for a query, with a key in it shown as *.
// ok is false when it isn't asked: another kind of thing, an address of a kind that it
// doesn't have, a private address, something exempt, or no name at all. Two queries with the
// same name are the same question.
func (l *List) Question(q Query) (name string, ok bool) {
	what, ok := l.what(q)
	if !ok {
		return "", false
	}
	return what + "." + l.shown(), true
}

// Mask returns a text, such as a question that dns.Message has recorded, with the list's key
// in it shown as *.
func (l *List) Mask(text string) string {
	if !l.Key.IsSet() {
		return text
	}
	key := l.Key.Reveal()
	text = strings.ReplaceAll(text, key, "*")
	return strings.ReplaceAll(text, mail.LowerASCII(key), "*")
}

// suffix returns the domain that is asked, with the key.
func (l *List) suffix() string {
	if l.Key.IsSet() {
		return mail.LowerASCII(l.Key.Reveal()) + "." + l.Zone
	}
	return l.Zone
}

// shown is suffix for people.
func (l *List) shown() string {
	if l.Key.IsSet() {
		return "*." + l.Zone
	}
	return l.Zone
}

// question returns the whole name that is asked.
func (l *List) question(q Query) (string, bool) {
	what, ok := l.what(q)
	if !ok {
		return "", false
	}
	return l.under(what)
}

// under returns a name below the list's domain.
func (l *List) under(what string) (string, bool) { return dns.Normalize(what + "." + l.suffix()) }

// nameKinds are the kinds of things that are names.
const nameKinds = Helo | RDNS | From | ReplyTo | DKIM | URLs | Emails

// what returns the part of the question before the list's domain.
func (l *List) what(q Query) (string, bool) {
	if l.Asks&q.Ask == 0 || q.Ask == Received && l.Dynamic {
		return "", false
	}
	if q.Addr.IsValid() {
		return l.address(q.Addr)
	}
	if q.Email != "" {
		return l.email(q.Email)
	}
	if l.Hash != NoHash && q.Ask&(Emails|ReplyTo) != 0 {
		return "", false // it knows addresses, no domains
	}
	return l.name(q.Name)
}

// address returns an address as the list is asked for it.
func (l *List) address(a netip.Addr) (string, bool) {
	a = a.Unmap().WithZone("")
	if a.Is4() && !l.IPv4 || a.Is6() && !l.IPv6 || !public(a) || l.Exempt.hasAddr(a) {
		return "", false
	}
	what := dns.ReverseLabels(a)
	_, ok := l.under(what)
	return what, ok
}

// name returns a host or domain as the list is asked for it. A host that is an address in
// the usual notation is asked as such.
func (l *List) name(name string) (string, bool) {
	if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return l.address(a)
	}
	name, ok := dns.Normalize(name)
	if !ok || !l.Names || !isHost(name) || l.Exempt.hasDomain(name) {
		return "", false
	}
	if l.Registered {
		name = mail.RegisteredDomain(name)
	}
	_, ok = l.under(name)
	return name, ok
}

// email returns an e-mail address as the list is asked for it.
func (l *List) email(email string) (string, bool) {
	i := strings.LastIndexByte(email, '@')
	if i <= 0 || len(email) > maxEmail {
		return "", false
	}
	if l.Hash == NoHash {
		return l.name(email[i+1:])
	}
	local := strings.ToLower(email[:i])
	domain, ok := dns.Normalize(email[i+1:])
	if !ok || !isHost(domain) || l.Exempt.hasDomain(domain) {
		return "", false
	}
	if l.Canonical {
		local, domain = canonical(local, domain)
	}
	what := l.Hash.of(local + "@" + domain)
	_, ok = l.under(what)
	return what, ok
}

// maxEmail is how long an e-mail address may be (RFC 5321, section 4.5.3.1, with room for
// UTF-8).
const maxEmail = 512

// canonical takes out of an e-mail address what makes no other mailbox of it, as the list
// of MSBL wants it.
func canonical(local, domain string) (string, string) {
	if i := strings.IndexByte(local, '+'); i > 0 {
		local = local[:i]
	}
	if domain == "googlemail.com" {
		domain = "gmail.com"
	}
	if domain == "gmail.com" {
		local = strings.ReplaceAll(local, ".", "")
	}
	return local, domain
}

// of returns the hash of a text as a label.
func (h Hash) of(text string) string {
	switch h {
	case MD5:
		sum := md5.Sum([]byte(text))
		return hex.EncodeToString(sum[:])
	case SHA256:
		sum := sha256.Sum256([]byte(text))
		return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:]))
	}
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// isHost tells whether a normalized name can be that of a host on the Internet: at least
// two labels, of letters, digits, hyphens and underscores, the last not of digits alone.
func isHost(name string) bool {
	digits, dots := true, 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.':
			digits, dots = true, dots+1
		case '0' <= c && c <= '9':
		case 'a' <= c && c <= 'z' || c == '-' || c == '_':
			digits = false
		default:
			return false
		}
	}
	return dots > 0 && !digits
}

// public tells whether an address can be that of a host on the Internet.
func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !(a.Is4() && (sharedSpace().Contains(a) || a.As4()[0] == 0 || a.As4()[0] >= 240))
}

// sharedSpace is what providers have behind their translation of addresses (RFC 6598).
func sharedSpace() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)
}

// hasAddr tells whether an address is exempt.
func (e *Exempt) hasAddr(a netip.Addr) bool {
	for _, p := range e.Networks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// hasDomain tells whether a name or one above it is exempt.
func (e *Exempt) hasDomain(name string) bool {
	for _, d := range e.Domains {
		if name == d || strings.HasSuffix(name, "."+d) {
			return true
		}
	}
	return false
}
