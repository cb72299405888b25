package ratelimit

import (
	"net/netip"
	"strings"

	"rmilter/internal/mail"
	"rmilter/internal/store"
)

// Keys are limit.BUCKET.RCPT[:CLIENT[:SENDER]] or limit.user.LOGIN. Only clients hold
// unescaped colons. A key of more than maxKey bytes is cut: see store.BoundKey.
const (
	prefix = "limit."
	maxKey = 250
)

// parts are what the keys of buckets are made of.
type parts struct {
	user, rcpt, client, from string
}

// key returns the key of a bucket.
func (s *shape) key(p *parts) string {
	b := make([]byte, 0, 128)
	b = append(b, prefix...)
	b = append(b, s.name...)
	b = append(b, '.')
	if s.user {
		return store.BoundKey(store.AppendKey(b, p.user, ":"), maxKey)
	}
	b = store.AppendKey(b, p.rcpt, ":")
	if s.client {
		b = append(append(b, ':'), p.client...)
	}
	if s.sender {
		b = store.AppendKey(append(b, ':'), p.from, ":")
	}
	return store.BoundKey(b, maxKey)
}

// parseKey reads the key of a bucket of one of shapes; ok is false for any other text. Of
// a key that was cut, the last part there is keeps the hash, and those that should follow
// are "".
func parseKey(key string) (kind int, p parts, ok bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	if !ok || len(key) > maxKey {
		return 0, p, false
	}
	name, rest, _ := strings.Cut(rest, ".")
	if kind = kindOf(name); kind < 0 || rest == "" {
		return 0, p, false
	}
	s := &shapes[kind]
	if s.user {
		p.user = store.KeyText(rest)
		return kind, p, true
	}
	who, rest, more := strings.Cut(rest, ":")
	p.rcpt = store.KeyText(who)
	cut := len(key) == maxKey && strings.Contains(key, "~")
	if more && !s.client || !more && s.client && !cut {
		return 0, p, false
	}
	p.client = rest
	if s.sender && more {
		// In a key that was cut within an IPv6 client the last colon is the client's.
		if i := strings.LastIndexByte(rest, ':'); i >= 0 && isClient(rest[:i]) {
			p.client, p.from = rest[:i], store.KeyText(rest[i+1:])
		} else if !cut {
			return 0, p, false
		}
	}
	return kind, p, who != ""
}

// clientText returns what stands for a client in keys: an IPv4 address, or the /64 of an
// IPv6 address, and "" for none.
func clientText(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// isClient tells whether a text is one that clientText returns.
func isClient(text string) bool {
	if p, err := netip.ParsePrefix(text); err == nil {
		return clientText(p.Addr()) == text
	}
	a, err := netip.ParseAddr(text)
	return err == nil && clientText(a) == text
}

// addressText returns what stands for a sender or recipient: "<>" for the null path.
func addressText(a mail.Address) string {
	if a.IsNull() {
		return "<>"
	}
	return a.Key()
}

// stripped returns an address without its extension.
func stripped(a mail.Address, delimiter string) mail.Address {
	a.Local = a.Strip(delimiter)
	return a
}
