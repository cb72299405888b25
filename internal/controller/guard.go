package controller

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// A guard is a Policy made ready for use. It does not change.
type guard struct {
	sums     [][sha256.Size]byte   // of the passwords; none: open to all
	secureIP func(netip.Addr) bool // clients that need none; may be nil
	hosts    map[string]bool       // canonical names and addresses
}

func newGuard(p Policy) (*guard, error) {
	g := &guard{secureIP: p.SecureIP, hosts: make(map[string]bool)}
	for _, password := range []string{p.Password, p.EnablePassword} {
		if Encrypted(password) {
			return nil, ErrEncryptedPassword
		}
		if password != "" {
			g.sums = append(g.sums, sha256.Sum256([]byte(password)))
		}
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

// Encrypted recognises rspamd's "$ID$SALT$KEY" by its beginning.
func Encrypted(password string) bool {
	id, rest, ok := strings.Cut(strings.TrimPrefix(password, "$"), "$")
	return ok && len(rest) > 0 && password[0] == '$' && id != "" && strings.Trim(id, "0123456789") == ""
}

// admits tells whether the password given opens what only reads. The sums are
// compared, all of them, so that the time taken tells nothing.
func (g *guard) admits(password string) bool {
	if len(g.sums) == 0 {
		return true
	}
	sum := sha256.Sum256([]byte(password))
	same := 0
	for i := range g.sums {
		same |= subtle.ConstantTimeCompare(sum[:], g.sums[i][:])
	}
	return same == 1
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
