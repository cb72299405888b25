package postconf

import (
	"context"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"rmilter/internal/config"
	"rmilter/internal/ucl"
)

// lookupTimeout bounds the look-up of one host name.
const lookupTimeout = 2 * time.Second

// listeners returns where rmilter listens for the MTA. Sockets that systemd holds stand
// in for bind_socket, as in the daemon. blind tells that some of it can't be told.
func listeners(c *config.Config, m Machine) (list []ucl.Socket, held, blind bool) {
	if list = unitSockets(m.FS); len(list) > 0 {
		return list, true, false
	}
	for _, s := range c.Server.BindSocket {
		if s.Kind == ucl.FD || s.Kind == ucl.Systemd {
			held, blind = true, true
			continue
		}
		list = append(list, s)
	}
	return list, held, blind
}

// The unit that holds the milter's socket, and where systemd looks for it.
const (
	socketUnit  = "rmilter.socket"
	enabledUnit = "etc/systemd/system/sockets.target.wants/" + socketUnit
)

// unitSockets returns the sockets that systemd opens for the milter, if the unit is
// enabled.
func unitSockets(fsys fs.FS) []ucl.Socket {
	if _, err := fs.Stat(fsys, enabledUnit); err != nil {
		return nil
	}
	var files []string
	for _, dir := range []string{"etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"} {
		if name := dir + "/" + socketUnit; readable(fsys, name) {
			files = append(files, name)
			break
		}
	}
	dropIns, _ := fs.Glob(fsys, "etc/systemd/system/"+socketUnit+".d/*.conf")
	var u unit
	for _, name := range append(files, dropIns...) {
		if text, err := fs.ReadFile(fsys, name); err == nil && len(text) <= maxOutput {
			u.read(string(text))
		}
	}
	if u.name == "control" || u.name == "controller" || u.name == "scan" || u.name == "normal" {
		return nil
	}
	for i := range u.listen {
		if s := &u.listen[i]; s.Kind == ucl.Unix {
			s.Mode, s.Owner, s.Group = u.mode, u.owner, u.group
		}
	}
	return u.listen
}

func readable(fsys fs.FS, name string) bool {
	fi, err := fs.Stat(fsys, name)
	return err == nil && fi.Mode().IsRegular()
}

// A unit is what counts of systemd's [Socket] section.
type unit struct {
	listen       []ucl.Socket
	name         string // FileDescriptorName=
	mode         ucl.Mode
	owner, group string
}

// read takes the settings of a unit file or a drop-in.
func (u *unit) read(text string) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(name) {
		case "ListenStream":
			if value == "" {
				u.listen = nil
			} else if s, ok := parseListen(value); ok {
				u.listen = append(u.listen, s)
			}
		case "FileDescriptorName":
			u.name = value
		case "SocketMode":
			if n, err := strconv.ParseUint(value, 8, 12); err == nil {
				u.mode = ucl.Mode(n)
			}
		case "SocketUser":
			u.owner = value
		case "SocketGroup":
			u.group = value
		}
	}
	if u.mode == 0 {
		u.mode = 0o666 // systemd's default
	}
}

// parseListen reads the value of ListenStream=: a path, a port or ADDRESS:PORT.
func parseListen(value string) (ucl.Socket, bool) {
	if strings.Trim(value, "0123456789") == "" {
		value = "*:" + value
	}
	s, err := ucl.ParseSocket(value)
	return s, err == nil && (s.Kind == ucl.TCP || s.Kind == ucl.Unix)
}

// A match tells how far an item of smtpd_milters leads to rmilter.
type match byte

const (
	foreign match = iota // another filter
	near                 // it looks like rmilter, but nobody listens there
	ours
)

// addresses returns what a host name of main.cf stands for, in the order in which
// Postfix tries them; none when it can't be told.
func (c *checker) addresses(host string) []netip.Addr {
	var all []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap().WithZone("")}
	} else if strings.EqualFold(host, "localhost") {
		all = []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
		defer cancel()
		all, _ = c.machine.Lookup(ctx, host)
	}
	// Postfix speaks what inet_protocols names.
	protocols := splitList(c.p.Main["inet_protocols"])
	v4 := slices.Contains(protocols, "ipv4") || slices.Contains(protocols, "all")
	v6 := slices.Contains(protocols, "ipv6") || slices.Contains(protocols, "all")
	var list []netip.Addr
	for _, a := range all {
		if a = a.Unmap(); v4 == v6 || a.Is4() == v4 {
			list = append(list, a)
		}
	}
	return list
}

// takes tells whether a socket of ours takes connections to an address.
func (c *checker) takes(s ucl.Socket, a netip.Addr) bool {
	switch {
	case s.Kind == ucl.Inet && !a.Is4(), s.Kind == ucl.Inet6 && !a.Is6():
		return false
	case s.Host == "":
		return true
	}
	if h, err := netip.ParseAddr(s.Host); err == nil {
		return h.Unmap() == a || h.IsUnspecified() && (h.Is6() || a.Is4())
	}
	if strings.EqualFold(s.Host, "localhost") {
		// The daemon listens on the first address of a name.
		if s.Kind == ucl.Inet6 {
			return a == netip.IPv6Loopback()
		}
		return a == netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return slices.Contains(c.addresses(s.Host), a)
}

// match tells whether a milter of a service is rmilter.
func (c *checker) match(svc *Service, m milterRef) match {
	best := foreign
	for _, s := range c.listeners {
		switch {
		case m.path != "" && s.Kind == ucl.Unix:
			got := c.resolve(svc, m.path)
			if got == path.Clean(s.Path) || c.same(got, s.Path) {
				return ours
			}
			if path.Base(got) == path.Base(s.Path) {
				best = near
			}
		case m.port != "" && s.Kind != ucl.Unix && c.portOf(m.port) == s.Port:
			if strings.EqualFold(m.host, s.Host) {
				return ours
			}
			addrs := c.addresses(m.host)
			if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return c.takes(s, a) }) {
				return ours
			}
			if len(addrs) == 0 {
				return ours // the name says nothing to us; its port is ours
			}
			best = near
		}
	}
	if best == foreign && c.blind && knownFilter(m) == nil {
		return ours
	}
	return best
}

// portOf returns the number of a port; Postfix takes names of /etc/services, which
// nobody has for milters.
func (c *checker) portOf(text string) uint16 {
	n, _ := strconv.ParseUint(text, 10, 16)
	return uint16(n)
}

// resolve returns the file for which a path of main.cf stands. Postfix's daemons run
// in the queue directory, chrooted or not.
func (c *checker) resolve(svc *Service, name string) string {
	queue := c.p.Main["queue_directory"]
	if !path.IsAbs(name) || c.chrooted(svc) {
		return path.Join(queue, name)
	}
	return path.Clean(name)
}

// same tells whether two paths lead to one file.
func (c *checker) same(a, b string) bool {
	fa, err := fs.Stat(c.machine.FS, relative(a))
	if err != nil {
		return false
	}
	fb, err := fs.Stat(c.machine.FS, relative(b))
	if err != nil {
		return false
	}
	sa, ok := identity(fa)
	sb, ok2 := identity(fb)
	return ok && ok2 && sa == sb
}

// relative returns a path as an fs.FS wants it.
func relative(name string) string {
	if name = strings.TrimPrefix(path.Clean(name), "/"); name == "" {
		return "."
	}
	return name
}

// chrooted tells whether a service sees the queue directory as its root.
func (c *checker) chrooted(svc *Service) bool {
	switch {
	case svc == nil:
		return false
	case svc.Chroot == "-": // Postfix 3.0 changed the default
		level, _, _ := strings.Cut(c.p.Main["compatibility_level"], ".")
		n, err := strconv.Atoi(level)
		return err != nil || n < 1
	}
	return svc.Chroot == "y"
}
