package greylist

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"rmilter/internal/mail"
	"rmilter/internal/store"
)

// Kind says what a key is made of.
type Kind string

// The kinds of keys.
const (
	Data     Kind = "data"     // From, recipients, subject and body
	Envelope Kind = "envelope" // sender, network of the client, recipients
	Domain   Kind = "domain"   // the sender's authenticated domain, domains of the recipients
)

const (
	maxPrefix  = 44       // bytes of a prefix
	maxID      = 200      // bytes of an id: with the prefix and the tag 250
	textDigits = 32       // of the hash of a message
	bodyUsed   = 10 << 10 // bytes of the body that count

	bits4, bits6 = 19, 64 // of a client's network

	tags  = 64
	since = "since" // what is behind the tag where there is the time since when it is in use
)

// A key is one that a message is recognised by. Its id is what follows the tag in the
// store; white is that of its white record.
type key struct {
	kind      Kind
	tag       string // "{2a}"
	id, white string
}

// keys returns the keys of a message, that which decides first before the others. All
// have one tag.
func (g *Greylist) keys(q *Query) []key {
	if q.Domain != "" {
		return []key{domainKey(q.Domain, q.Rcpts)}
	}
	rcpts := strings.Join(recipients(q.Rcpts, g.delimiter), ",")
	tag := tagOf(rcpts)
	keys := make([]key, 0, 2)
	if id := dataID(q.Content, rcpts); id != "" {
		keys = append(keys, key{Data, tag, id, id})
	}
	id := envelopeID(network(q.Client), q.From, rcpts)
	return append(keys, key{Envelope, tag, id, id})
}

func envelopeID(client netip.Prefix, from mail.Address, rcpts string) string {
	local, domain := normal(from)
	b := append(make([]byte, 0, maxID), Envelope+"|"...)
	b = append(client.AppendTo(b), "|<"...)
	b = append(appendAddress(b, local, domain), ">|"...)
	return store.BoundKey(append(b, rcpts...), maxID)
}

// dataID returns "" where there is nothing to recognise a message by.
func dataID(c *Content, rcpts string) string {
	if c == nil {
		return ""
	}
	body := c.Body[:min(len(c.Body), bodyUsed)]
	if len(bytes.TrimSpace(body)) == 0 {
		return ""
	}
	from := strings.ToLower(c.From)
	h := sha256.New()
	for _, part := range []string{from, rcpts, c.Subject} {
		// With its length first, no part can be taken for the end of another.
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	h.Write(body)
	b := append(make([]byte, 0, maxID), Data+"|<"...)
	b = append(escape(b, from, ""), ">|"...)
	b = append(append(b, rcpts...), '|')
	return store.BoundKey(hex.AppendEncode(b, h.Sum(nil)[:textDigits/2]), maxID)
}

// domainKey returns the key of a domain as lowerName has it.
func domainKey(domain string, rcpts []mail.Address) key {
	name := string(escape(nil, domain, ""))
	var domains []string
	for _, r := range rcpts {
		domains = append(domains, string(escape(nil, cmp.Or(lowerName(r.Domain), "-"), "")))
	}
	slices.Sort(domains)
	id := string(Domain) + "|" + name + "|" + strings.Join(slices.Compact(domains), ",")
	return key{Domain, tagOf(name), store.BoundKey([]byte(id), maxID), domainWhite(name)}
}

// recipients returns recipients without extension, sorted, each once, as they stand in
// keys.
func recipients(rcpts []mail.Address, delimiter string) []string {
	list := make([]string, 0, len(rcpts))
	for _, r := range rcpts {
		text := string(appendAddress(nil, strings.ToLower(r.Strip(delimiter)), strings.ToLower(r.Domain)))
		list = append(list, cmp.Or(text, "<>"))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// network returns the network of a client: what is left of it in keys. A mapped address
// is an IPv4 one, zones don't count. It is the zero Prefix for the zero Addr.
func network(client netip.Addr) netip.Prefix {
	client = client.Unmap().WithZone("")
	bits := bits6
	if client.Is4() {
		bits = bits4
	}
	p, err := client.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// tagOf returns one of the tags in braces.
func tagOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return tag(int(sum[0]) % tags)
}

func tag(n int) string {
	const digits = "0123456789abcdef"
	return string([]byte{'{', digits[n>>4], digits[n&15], '}'})
}

// appendAddress appends an address as it stands in keys: nothing for the null path. An @
// within its local part is escaped.
func appendAddress(b []byte, local, domain string) []byte {
	b = escape(b, local, "@")
	if domain == "" {
		return b
	}
	return escape(append(b, '@'), domain, "@")
}

// escape appends a text as printable ASCII without blanks, and without what has a meaning
// in keys or is in more.
func escape(b []byte, text, more string) []byte { return store.AppendKey(b, text, ",<>"+more) }

// readable returns an id as people see it.
func readable(id string) string { return strings.ReplaceAll(id, "|", " ") }

// idOf returns the id of what readable returned.
func idOf(text string) string { return strings.Join(strings.Fields(text), "|") }

// prefix returns what the keys of a store begin with, up to the tag.
func prefix(configured string) string {
	return store.BoundKey(escape(nil, strings.TrimRight(configured, "."), ""), maxPrefix-1) + "."
}
