package controller

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A guard is a Policy made ready for use. But for what its secrets learn it does not
// change.
type guard struct {
	keys     []key                 // the most powerful first; none: all may read
	secureIP func(netip.Addr) bool // clients that need none; may be nil
	hosts    map[string]bool       // canonical names and addresses
}

// A key is a secret and what it opens.
type key struct {
	*secret
	opens access
}

// newGuard makes a guard. When old isn't nil, it keeps what the secrets of that one
// know.
func newGuard(p Policy, l *lock, old *guard) (*guard, error) {
	g := &guard{secureIP: p.SecureIP, hosts: make(map[string]bool)}
	known := map[string]*secret{}
	if old != nil {
		for _, k := range old.keys {
			known[k.text] = k.secret
		}
	}
	add := func(option, text string, opens access) error {
		if text == "" {
			return nil
		}
		s, err := l.newSecret(text, known[text])
		if err != nil {
			return fmt.Errorf("%s: %w", option, err)
		}
		g.keys = append(g.keys, key{s, opens})
		return nil
	}
	alone := read
	if p.EnablePassword == "" {
		alone = write
	}
	if err := errors.Join(add("enable_password", p.EnablePassword, write), add("password", p.Password, alone)); err != nil {
		return nil, err
	}
	for _, h := range p.Hosts {
		if name, addr := parseHost(h); addr.IsValid() {
			g.hosts[addr.String()] = true
		} else if name != "" {
			g.hosts[name] = true
		}
	}
	return g, nil
}

// known returns what a password opens, as far as that can be told at once, and the
// keys that may open more of what is needed. It looks at all of them, so that the time
// taken tells nothing.
func (g *guard) known(given *sum, needs access) (has access, unknown []key) {
	for _, k := range g.keys {
		matches, known := k.knows(given)
		if matches {
			has = max(has, k.opens)
		}
		if !known {
			unknown = append(unknown, k)
		}
	}
	if has >= needs {
		return has, nil
	}
	return has, slices.DeleteFunc(unknown, func(k key) bool { return k.opens <= has })
}

// secure tells whether a request needs no password for where it comes from. One that
// was passed on by a proxy says nothing of that.
func (g *guard) secure(r *http.Request) bool {
	if g.secureIP == nil || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("X-Real-IP") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	client, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && g.secureIP(client.Addr().Unmap().WithZone(""))
}

// knows tells whether a Host header names this server; local is the address to
// which the client connected. No Host at all is allowed: browsers, which the check
// is for, always send one, and rspamc speaks HTTP/1.0 without.
func (g *guard) knows(header string, local netip.Addr) bool {
	if header == "" {
		return true
	}
	name, addr := parseHost(header)
	if addr.IsValid() {
		return addr.IsLoopback() || addr == local || g.hosts[addr.String()]
	}
	// RFC 6761, section 6.3: names below localhost are loopback, too.
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || g.hosts[name]
}

// parseHost takes a host with or without a port apart: the name in lower case
// without its final dot, or the address. RFC 9110, section 7.2.
func parseHost(s string) (string, netip.Addr) {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	} else if strings.HasPrefix(s, "[") {
		s = strings.TrimSuffix(s[1:], "]")
	}
	// A zone means something on one host only; clients do not send it.
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return "", addr.Unmap()
	}
	return strings.TrimSuffix(strings.ToLower(s), "."), netip.Addr{}
}
