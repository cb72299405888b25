package controller

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/netip"
	"strings"
)

// A guard is a Policy made ready for use. It does not change.
type guard struct {
	protected bool // a password is needed
	sum       [sha256.Size]byte
	hosts     map[string]bool // canonical names and addresses
}

func newGuard(p Policy) (*guard, error) {
	if encrypted(p.Password) {
		return nil, ErrEncryptedPassword
	}
	g := &guard{
		protected: p.Password != "",
		sum:       sha256.Sum256([]byte(p.Password)),
		hosts:     make(map[string]bool),
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

// encrypted recognises rspamd's "$ID$SALT$KEY" by its beginning.
func encrypted(password string) bool {
	id, rest, ok := strings.Cut(strings.TrimPrefix(password, "$"), "$")
	return ok && len(rest) > 0 && password[0] == '$' && id != "" && strings.Trim(id, "0123456789") == ""
}

// admits tells whether the password given opens what only reads. The sums are
// compared, so that the time taken tells nothing of the length either.
func (g *guard) admits(password string) bool {
	if !g.protected {
		return true
	}
	sum := sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(sum[:], g.sum[:]) == 1
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
