package mail

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"rmilter/internal/htmltext"
)

// Bounds of Targets and MailAddresses.
const (
	maxTargets   = 1000
	maxAddresses = 1000
	maxHost      = 253          // bytes of a name as DNS has it
	maxHostText  = 12 * maxHost // bytes of a host as it stands: three for each byte of UTF-8, which is up to four
)

// A Target is where a link leads.
type Target struct {
	Scheme string     // http, https, ws, wss, ftp, ftps or file
	Host   string     // in lower case, in A-labels, without the final dot; "" when Addr is set
	Addr   netip.Addr // a host that is an address, in any notation that browsers take; unmapped, without zone
	Domain string     // the registered domain of Host by the list of public suffixes; "" when Host is a suffix itself, and of an address
	Port   uint16     // the one that is named, 0 for none
	User   bool       // there is something before an "@" in front of the host
	Kind   LinkKind   // where the link was found
	// Disguised tells that the host is written in a way that hides it: percent-encoded, in
	// characters of other widths or with ones that aren't seen, as a number, or with
	// the dots of its name or its scheme written for people only (LinkObfuscated).
	Disguised bool
}

// Name returns the host as people read it: the name or the address.
func (t *Target) Name() string {
	if t.Addr.IsValid() {
		return t.Addr.String()
	}
	return t.Host
}

// Target returns where the link leads, as browsers read it (the URL standard of WHATWG,
// section 3.5 and 4.4, in spirit): the rest of a URL may be broken, the host may not. ok is
// false when the link leads to no host: mailto, cid, data, tel, what is relative, and what
// no browser would look up.
func (l *Link) Target() (t Target, ok bool) {
	a, ok := splitURL(l.URL, l.Kind)
	if !ok {
		return Target{}, false
	}
	t = Target{Scheme: a.scheme, Port: a.port, User: a.user, Kind: l.Kind}
	if !t.setHost(a.host) {
		return Target{}, false
	}
	t.Disguised = t.Disguised || l.Kind == LinkObfuscated
	return t, true
}

// Targets returns the hosts that the links of the message lead to, text and HTML, each
// once and in order, at most 1000. Of links to the same host the first one counts; User
// tells whether any has it, Disguised whether all are.
func (m *Message) Targets() []Target {
	m.aimed.Do(func() { m.targets = targets(m.Links()) })
	return m.targets
}

func targets(links []Link) []Target {
	var all []Target
	type host struct {
		at        int // in all, -1 for none
		disguised bool
	}
	written := map[string]host{} // as hosts stand
	known := map[string]int{}    // by what they mean
	for i := range links {
		l := &links[i]
		a, ok := splitURL(l.URL, l.Kind)
		if !ok {
			continue
		}
		h, seen := written[a.host]
		if !seen {
			t := Target{Scheme: a.scheme, Port: a.port, User: a.user, Kind: l.Kind}
			h.at = -1
			if t.setHost(a.host) {
				h.disguised = t.Disguised
				if h.at, seen = known[t.Name()]; !seen {
					if len(all) >= maxTargets {
						break
					}
					h.at = len(all)
					known[t.Name()] = h.at
					t.Disguised = true // until a link says otherwise
					all = append(all, t)
				}
			}
			written[a.host] = h
		}
		if h.at >= 0 {
			t := &all[h.at]
			t.User = t.User || a.user
			t.Disguised = t.Disguised && (h.disguised || l.Kind == LinkObfuscated)
		}
	}
	return all
}

// An authority is the part of a URL that names the host.
type authority struct {
	scheme string
	host   string // as it stands
	port   uint16
	user   bool
}

// splitURL takes a URL apart. ok is false when it names no host. In text a host may end in
// the middle of what stands there.
func splitURL(s string, kind LinkKind) (a authority, ok bool) {
	s = htmltext.CleanURL(s)
	if strings.HasPrefix(s, "//") {
		a.scheme = "http"
	} else {
		i := strings.IndexByte(s[:min(len(s), len("https:"))], ':')
		if i < 0 {
			return a, false
		}
		a.scheme = LowerASCII(s[:i])
		s = s[i+1:]
	}
	rest := strings.TrimLeft(s, `/\`)
	switch a.scheme {
	case "http", "https", "ws", "wss", "ftp":
		// Browsers don't mind how many slashes there are.
	case "ftps", "file":
		if len(s)-len(rest) != len("//") {
			return a, false // a file here
		}
	default:
		return a, false
	}
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		a.user, rest = true, rest[i+1:]
	}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && strings.IndexByte(rest[i:], ']') < 0 {
		if port, err := strconv.ParseUint(rest[i+1:], 10, 16); err == nil {
			a.port = uint16(port)
		}
		rest = rest[:i]
	}
	if i := strings.IndexAny(rest, `"'(),;{}|`); i >= 0 && kind >= LinkText {
		rest = rest[:i]
	}
	a.host = rest
	return a, rest != "" && len(rest) <= maxHostText
}

// setHost reads a host as it stands; it tells whether there can be such a host.
func (t *Target) setHost(s string) bool {
	if s[0] == '[' {
		ip, err := netip.ParseAddr(strings.TrimSuffix(s[1:], "]"))
		if err != nil || !ip.Is6() || ip.Zone() != "" || s[len(s)-1] != ']' {
			return false
		}
		t.Addr = ip.Unmap()
		return true
	}
	name, ok := hostOf(s)
	if !ok {
		return false
	}
	// Who maps to ASCII altogether is no name of another script.
	t.Disguised = strings.IndexByte(s, '%') >= 0 || !isASCII(s) && !strings.Contains(name, "xn--")
	if isNumber(name[strings.LastIndexByte(name, '.')+1:]) {
		t.Addr, ok = parseIPv4(name)
		t.Disguised = t.Disguised || t.Addr.String() != name
		return ok
	}
	t.Host = name
	if d, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		t.Domain = d
	}
	return true
}

// hostOf returns a name in lower case and A-labels; false when it can't be one. Labels
// of much of printable ASCII exist in DNS and work in browsers, but no top level domain does.
func hostOf(s string) (string, bool) {
	s = unescapePercent(s)
	if isASCII(s) {
		s = LowerASCII(s)
	} else {
		if !utf8.ValidString(s) {
			return "", false
		}
		// What counts is what came out: an error may be a rule for registrars only.
		s, _ = hostProfile.ToASCII(s)
		s = LowerASCII(s)
	}
	s = strings.TrimRight(s, ".")
	if s == "" || len(s) > maxHost || s[0] == '.' || strings.Contains(s, "..") {
		return "", false
	}
	label := 0
	for i := range len(s) {
		if label++; s[i] == '.' {
			label = 0
		}
		if c := s[i]; label > 63 || c <= ' ' || c >= 0x7f || strings.IndexByte(`"#%'(),/:;<>?@[\]^`+"`{|}", c) >= 0 {
			return "", false
		}
	}
	return s, isHostName(s[strings.LastIndexByte(s, '.')+1:])
}

// hostProfile maps names as browsers do: without the rules of registrars, of which many
// names in use break one. Nobody writes to it.
var hostProfile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false), idna.VerifyDNSLength(false))

// unescapePercent undoes percent-encoding once, as browsers do in hosts.
func unescapePercent(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(v))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// isNumber tells whether the last label of a name makes it an address: decimal digits
// or 0x with hexadecimal ones.
func isNumber(label string) bool {
	hex := strings.HasPrefix(label, "0x")
	if hex {
		label = label[2:]
	}
	for i := range len(label) {
		c := label[i]
		if !(c >= '0' && c <= '9' || hex && c >= 'a' && c <= 'f') {
			return false
		}
	}
	return hex || label != ""
}

// parseIPv4 reads an address as inet_aton and browsers do: one to four numbers, each
// decimal, octal with 0 in front or hexadecimal with 0x, the last of which fills what
// the others leave.
func parseIPv4(s string) (netip.Addr, bool) {
	parts := strings.SplitN(s, ".", 5)
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var sum uint64
	for i, p := range parts {
		base := 10
		switch {
		case strings.HasPrefix(p, "0x"):
			base, p = 16, p[2:]
			if p == "" {
				p = "0"
			}
		case len(p) > 1 && p[0] == '0':
			base = 8
		}
		n, err := strconv.ParseUint(p, base, 32)
		last := i == len(parts)-1
		if err != nil || !last && n > 255 || last && n >= 1<<(8*(5-len(parts))) {
			return netip.Addr{}, false
		}
		if last {
			sum += n
		} else {
			sum |= n << (8 * (3 - i))
		}
	}
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}), true
}

// MailAddresses returns the e-mail addresses that the message names for an answer or for
// people: those in text, those of mailto links and those of Reply-To, each once and in
// that order, at most 1000. All have a local part and a domain.
func (m *Message) MailAddresses() []Address {
	m.mailed.Do(func() {
		seen := map[string]bool{}
		add := func(a Address) {
			if len(m.addresses) < maxAddresses && a.Local != "" && a.Domain != "" && isMailDomain(a.Domain) && !seen[a.Key()] {
				seen[a.Key()] = true
				m.addresses = append(m.addresses, a)
			}
		}
		for _, l := range m.Links() {
			to, ok := cutPrefixFold(l.URL, "mailto:")
			if !ok || len(m.addresses) >= maxAddresses {
				continue
			}
			to, _, _ = strings.Cut(to[:min(len(to), maxURL)], "?")
			for one := range strings.SplitSeq(to, ",") {
				add(ParseAddress(strings.Trim(unescapePercent(one), " \t\r\n")))
			}
		}
		for _, b := range m.Mailboxes("Reply-To") {
			add(b.Address)
		}
	})
	return m.addresses
}

// cutPrefixFold cuts a prefix in any case.
func cutPrefixFold(s, prefix string) (string, bool) {
	if !hasPrefixFold(s, prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
