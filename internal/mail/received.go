package mail

import (
	"net/netip"
	"strings"
	"time"
)

// Bounds of what ReceivedClient looks at.
const (
	maxReceived      = 32   // Received fields
	maxReceivedBytes = 4096 // bytes of each
	maxFromItems     = 16   // words and comments before "by", words of a comment
)

// ReceivedClient returns the SMTP client that handed a message to the first of our
// relays: that of the topmost Received field whose client isn't itself trusted. It
// is for mail that comes through relays which are trusted to write true fields;
// everything below the field that it stops at may be forged.
//
// Fields without a client (local submission) are passed over, and so are loopback
// clients, which are a relay's own content filters. host is the client's name from
// DNS and helo its greeting, each "" where the relay didn't tell or can't be
// understood. ok is false when none of the first 32 fields names a client. The forms
// of Postfix, sendmail, Exim, qmail, Exchange, Gmail and their imitators are known.
func ReceivedClient(h Header, trusted func(netip.Addr) bool) (ip netip.Addr, host, helo string, ok bool) {
	seen := 0
	for _, f := range h {
		if !f.Is("Received") {
			continue
		}
		if seen++; seen > maxReceived {
			break
		}
		c := parseReceived(receivedText(f.Raw))
		if c.ip.IsValid() && !c.ip.IsLoopback() && (trusted == nil || !trusted(c.ip)) {
			return c.ip, c.host, c.helo, true
		}
	}
	return netip.Addr{}, "", "", false
}

// A hop is the client of one Received field.
type hop struct {
	ip         netip.Addr
	host, helo string
}

// parseReceived reads the "from" clause. RFC 5321, section 4.4 wants the greeting
// and then a comment with what TCP told; Exim, qmail and Exchange each have it
// another way.
func parseReceived(text string) hop {
	if c := qmailLDAP(text); c.ip.IsValid() {
		return c
	}
	words, comments := fromClause(text)
	name := ""
	if len(words) > 0 {
		name = words[0]
	}
	greeting := ""
	// The first comment with an address counts. Later ones hold what the client
	// chose, such as the name in its certificate.
	for _, text := range comments {
		c := parseComment(text)
		if c.helo != "" && greeting == "" {
			greeting = c.helo
		}
		switch {
		case !c.ip.IsValid():
		case greeting != "":
			return hop{c.ip, hostName(name), clean(greeting)}
		default:
			return hop{c.ip, hostName(c.host), clean(name)}
		}
	}
	if greeting == "" {
		greeting = name
	}
	for _, w := range words[min(len(words), 1):] {
		if ip, _ := bracketed(w); ip.IsValid() {
			return hop{ip, "", clean(greeting)}
		}
	}
	ip, _ := bracketed(name)
	if !ip.IsValid() {
		ip = address(name)
	}
	return hop{ip, "", clean(greeting)}
}

// receivedText returns what is looked at of a Received field, unfolded.
func receivedText(raw string) string { return unfold(raw[:min(len(raw), maxReceivedBytes)]) }

// qmailLDAP reads "(qmail 1 messnum 2 invoked from network[192.0.2.1/host]); …".
func qmailLDAP(text string) (c hop) {
	text = strings.TrimLeft(text, " \t")
	if !strings.HasPrefix(text, "(qmail ") {
		return c
	}
	text, _ = comment(text)
	_, text, _ = strings.Cut(text, "network[")
	text, _, _ = strings.Cut(text, "]")
	ip, host, _ := strings.Cut(text, "/")
	if c.ip = address(ip); c.ip.IsValid() {
		c.host = hostName(host)
	}
	return c
}

// fromClause splits "from WORDS (COMMENTS) by …" up to its end. Both are empty when
// there is no such clause.
func fromClause(s string) (words, comments []string) {
	s = strings.TrimLeft(s, " \t")
	if len(s) < 5 || !strings.EqualFold(s[:4], "from") || (s[4] != ' ' && s[4] != '\t') {
		return nil, nil
	}
	s = s[5:]
	for len(words)+len(comments) < maxFromItems {
		s = strings.TrimLeft(s, " \t")
		if s == "" || s[0] == ';' {
			break
		}
		if s[0] == '(' {
			var c string
			c, s = comment(s)
			comments = append(comments, c)
			continue
		}
		n := strings.IndexAny(s, " \t(;")
		if n < 0 {
			n = len(s)
		}
		// The first word is the client's choice, so it may be any of these too.
		if len(words) > 0 && endsClause(s[:n]) {
			break
		}
		words, s = append(words, s[:n]), s[n:]
	}
	return words, comments
}

// endsClause tells whether a word begins the next clause (RFC 5321, section 4.4).
func endsClause(word string) bool {
	if len(word) > len("with") {
		return false
	}
	switch LowerASCII(word) {
	case "by", "via", "with", "id", "for":
		return true
	}
	return false
}

// comment reads the comment that s begins with and returns its text, without the
// comments inside it, and the rest.
func comment(s string) (text, rest string) {
	if i := strings.IndexAny(s[1:], `()\`); i >= 0 && s[1+i] == ')' {
		return s[1 : 1+i], s[i+2:]
	}
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			if depth == 1 {
				b.WriteByte(s[i])
			}
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return b.String(), s[i+1:]
			}
		case depth == 1:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// parseComment reads "host [192.0.2.1]", "[192.0.2.1] helo=name", "HELO name",
// "192.0.2.1" and "ident@192.0.2.1".
func parseComment(text string) (c hop) {
	words := strings.Fields(text)
	if len(words) == 1 {
		bare := words[0][strings.LastIndexByte(words[0], '@')+1:]
		if c.ip = address(bare); c.ip.IsValid() {
			return c
		}
	}
	for i := 0; i < min(len(words), maxFromItems); i++ {
		w := words[i]
		key, value, pair := strings.Cut(w, "=")
		switch {
		case pair && strings.EqualFold(key, "helo"):
			c.helo = value
			return c
		case pair && (strings.EqualFold(key, "port") || strings.EqualFold(key, "ident")):
			// Exim: no address comes after these, but what the client says may
			// look like one.
			c.helo = eximHelo(words[i:])
			return c
		case (strings.EqualFold(w, "HELO") || strings.EqualFold(w, "EHLO")) && i+1 < len(words):
			c.helo = words[i+1]
			return c
		}
		if ip, before := bracketed(w); ip.IsValid() {
			c.ip, c.host = ip, before
			if before == "" && i > 0 {
				c.host = words[i-1]
			}
		}
	}
	return c
}

// eximHelo returns the value of "helo=" among words.
func eximHelo(words []string) string {
	for _, w := range words[:min(len(words), maxFromItems)] {
		if len(w) > 5 && strings.EqualFold(w[:5], "helo=") {
			return w[5:]
		}
	}
	return ""
}

// bracketed returns the address of "[192.0.2.1]", "[IPv6:2001:db8::1]:25" or
// "host[192.0.2.1]", and what stands before the bracket.
func bracketed(word string) (ip netip.Addr, before string) {
	begin := strings.IndexByte(word, '[')
	if begin < 0 {
		return ip, ""
	}
	end := strings.IndexByte(word[begin:], ']')
	if end < 0 {
		return ip, ""
	}
	return address(word[begin+1 : begin+end]), word[:begin]
}

// address reads an IP address as Received fields have it. It is invalid for anything
// else and for the unspecified address.
func address(s string) netip.Addr {
	if len(s) > 5 && strings.EqualFold(s[:5], "IPv6:") {
		s = s[5:]
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	if ip = ip.WithZone("").Unmap(); ip.IsUnspecified() {
		return netip.Addr{}
	}
	return ip
}

// hostName returns a name from DNS in lower case, "" for what is none. sendmail puts
// what identd said before an "@".
func hostName(s string) string {
	s = LowerASCII(strings.TrimRight(s[strings.LastIndexByte(s, '@')+1:], "."))
	if s == "unknown" || s == "unverified" || len(s) > maxDomain || !isHostName(s) || address(s).IsValid() {
		return ""
	}
	return s
}

// clean bounds a greeting and takes control characters out of it.
func clean(s string) string { return printableRunes(cut(s, maxDomain)) }

// A Received is one Received field: the hop that a relay claims (RFC 5321, section
// 4.4). What it doesn't tell is zero.
type Received struct {
	IP   netip.Addr // the client's address, unmapped and without zone; invalid when not told
	Host string     // the client's name from DNS, in lower case
	Helo string     // the client's greeting
	By   string     // the relay
	With string     // the protocol in upper case, as "ESMTPS"
	ID   string     // the relay's id of the message
	For  string     // a recipient, without brackets
	TLS  bool       // the field tells of TLS, by its protocol or by a comment
	Auth bool       // the client was authenticated, by its protocol
	Date time.Time  // when; zero when it isn't told or can't be understood
	Raw  string     // the field as it stands
}

// Received returns the Received fields in order, the topmost first, at most 100.
func (m *Message) Received() []Received {
	m.hopped.Do(func() {
		for _, f := range m.header {
			if f.Is("Received") && len(m.hops) < maxHops {
				m.hops = append(m.hops, ParseReceived(f.Raw))
			}
		}
	})
	return m.hops
}

const maxHops = 100

// ParseReceived reads one Received field, of which the first 4096 bytes count.
func ParseReceived(raw string) Received {
	text := receivedText(raw)
	c := parseReceived(text)
	r := Received{IP: c.ip, Host: c.host, Helo: c.helo, Raw: raw}
	text = strings.TrimLeft(text, " \t")
	if i := strings.LastIndexByte(text, ';'); i >= 0 {
		r.Date, _ = ParseDate(text[i+1:])
		text = text[:i]
	}
	key, first := "", true
	for n := 0; text != "" && n < 64; n++ {
		text = strings.TrimLeft(text, " \t")
		if strings.HasPrefix(text, "(") {
			var c string
			c, text = comment(text)
			r.TLS = r.TLS || mentionsTLS(c)
			continue
		}
		end := strings.IndexAny(text, " \t(")
		if end < 0 {
			end = len(text)
		}
		word := text[:end]
		text = text[end:]
		switch {
		case key != "":
			r.clause(key, word)
			key = ""
		case endsClause(word) || first && strings.EqualFold(word, "from"):
			key = LowerASCII(word)
		}
		first = false
	}
	return r
}

// clause takes one of the clauses of a Received field.
func (r *Received) clause(key, value string) {
	value = clean(strings.TrimRight(value, ";"))
	switch key {
	case "by":
		r.By = LowerASCII(strings.TrimRight(value, "."))
	case "with":
		r.With = strings.ToUpper(value)
		switch r.With {
		case "ESMTPA", "LMTPA", "UTF8SMTPA":
			r.Auth = true
		case "ESMTPS", "LMTPS", "UTF8SMTPS", "SMTPS", "HTTPS":
			r.TLS = true
		case "ESMTPSA", "LMTPSA", "UTF8SMTPSA", "SMTPSA":
			r.Auth, r.TLS = true, true
		}
	case "id":
		r.ID = value
	case "for":
		r.For = strings.Trim(value, "<>")
	}
}

// mentionsTLS tells whether a comment names a version of TLS, as Postfix, Exim,
// sendmail and Exchange do.
func mentionsTLS(comment string) bool {
	return strings.Contains(comment, "TLS") && !strings.Contains(comment, "NO_TLS") || strings.Contains(comment, "version=TLS")
}
