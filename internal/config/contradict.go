package config

import (
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"rmilter/internal/ucl"
	"rmilter/scan"
	"rmilter/scan/checks"
)

// check finds what only the machine can tell, and what several sections contradict one
// another in. What one section contradicts itself in is told by its Check, and not
// while there are faults, as then it may come of one.
func (c *Config) check(o Options, l *ucl.Loader) {
	ds := &l.Diagnostics
	c.checkDirectory(o.FS, "tempdir", string(c.Server.TempDir), true, ds)
	if o.DataDir == "" {
		c.checkDirectory(o.FS, "data_dir", string(c.Server.DataDir), false, ds)
	}
	c.checkSockets(ds)
	if ds.Err() == nil {
		c.checkSizes(ds)
		c.checkDaemons(ds)
		c.checkSkip(ds)
		ucl.Contradictions(c.top, ds)
	}
	checkModes(o.FS, l)
}

// checkDirectory finds a fault in an option that names a directory, one that need not
// exist unless that is said.
func (c *Config) checkDirectory(fsys fs.FS, option, dir string, exists bool, ds *ucl.Diagnostics) {
	origin := c.option(option).Origin()
	info, err := fs.Stat(fsys, relative(dir))
	switch {
	case len(origin) == 0:
	case err == nil && !info.IsDir(), err != nil && exists:
		ds.Add(ucl.Fault, origin[len(origin)-1], "%s: %q is no directory; expected one that exists", option, dir)
	}
}

// checkModes warns of files that others may write.
func checkModes(fsys fs.FS, l *ucl.Loader) {
	told := map[string]bool{}
	for _, name := range l.Files() {
		info, err := fs.Stat(fsys, relative(name))
		if err != nil || info.Mode().Perm()&0o022 == 0 || told[name] {
			continue
		}
		told[name] = true
		l.Diagnostics.Add(ucl.Warning, ucl.Pos{}, "%s: others than its owner may write it (mode %04o); expected 0640 or stricter", name, info.Mode().Perm())
	}
}

// checkSizes warns of a max_size that never counts.
func (c *Config) checkSizes(ds *ucl.Diagnostics) {
	half := c.Server.SpoolLimit / 2
	if c.Filter.MaxSize <= half {
		return
	}
	for _, name := range []string{"max_size", "spool_limit"} {
		if o := c.option(name).Origin(); len(o) > 0 {
			ds.Add(ucl.Warning, o[len(o)-1], "%s: max_size = %s is above half of spool_limit = %s, which counts; expected a larger spool_limit", name, c.Filter.MaxSize, c.Server.SpoolLimit)
			return
		}
	}
}

// checkDaemons warns of a daemon name that every mail has: Postfix's
// milter_macro_daemon_name is the machine's name unless main.cf says otherwise.
func (c *Config) checkDaemons(ds *ucl.Diagnostics) {
	o := c.option("originating_daemons").Origin()
	for _, name := range c.Filter.OriginatingDaemons {
		if len(o) > 0 && strings.EqualFold(name, string(c.Server.Hostname)) {
			ds.Add(ucl.Warning, o[len(o)-1], "originating_daemons: %s is Postfix's name for every listener, so all mail would be ours; expected the milter_macro_daemon_name of the submission service", name)
		}
	}
}

// checkSkip warns of names in skip of replies { } that nothing has. Groups of the site's
// own rules may be in files that are read later.
func (c *Config) checkSkip(ds *ucl.Diagnostics) {
	o := c.option("replies skip").Origin()
	rules := func(s *ucl.Section) bool { return s.Name == "regexp" && len(s.Blocks()) > 0 }
	if len(o) == 0 || len(c.option("rule_files").Origin()) > 0 || slices.ContainsFunc(c.top.Sections, rules) {
		return
	}
	known := map[string]bool{}
	for _, check := range checks.All() {
		d := scan.Describe(check)
		known[d.Name] = true
		for _, s := range d.Symbols {
			known[s.Group] = true
		}
	}
	for _, name := range c.Replies.Skipped() {
		if !known[name] {
			ds.Add(ucl.Warning, o[len(o)-1], "skip: there is no check or group %.60q; expected one of docs/symbols.md", name)
		}
	}
}

// A listening is a socket of the daemon with the option that names it.
type listening struct {
	ucl.Socket
	option  string
	origin  []ucl.Pos
	control bool // of the controller, whose default may be taken by another program
}

// listenings returns all sockets of the daemon.
func (c *Config) listenings() []listening {
	const controller = `worker "controller" bind_socket`
	var all []listening
	origin := c.option("bind_socket").Origin()
	for _, s := range c.Server.BindSocket {
		all = append(all, listening{s, "bind_socket", origin, false})
	}
	origin = c.option(controller).Origin()
	for _, s := range c.Server.Controller.BindSocket {
		all = append(all, listening{s, controller, origin, true})
	}
	if path := string(c.Server.ControlSocket); path != "" {
		all = append(all, listening{ucl.Socket{Kind: ucl.Unix, Path: path}, "control_socket", c.option("control_socket").Origin(), true})
	}
	return all
}

// checkSockets finds sockets that are named twice. What clashes with a default of the
// controller is a warning: the daemon runs without that one.
func (c *Config) checkSockets(ds *ucl.Diagnostics) {
	const most = 256 // are compared; no machine has as many
	all := c.listenings()
	for i, a := range all[:min(len(all), most)] {
		for _, b := range all[:i] {
			if !clash(a.Socket, b.Socket) {
				continue
			}
			severity, at, other := ucl.Fault, a, b
			if a.control && len(a.origin) == 0 || b.control && len(b.origin) == 0 {
				severity = ucl.Warning
			}
			if len(a.origin) == 0 {
				at, other = b, a
			}
			if n := len(at.origin); n > 0 {
				ds.Add(severity, at.origin[n-1], "%s: %s is that of %s, too; expected different sockets", at.option, at.Socket, other.option)
			}
		}
	}
	path, origin := string(c.Server.PidFile), c.option("pidfile").Origin()
	for _, s := range all {
		if s.Kind == ucl.Unix && s.Path == path && len(origin) > 0 {
			ds.Add(ucl.Fault, origin[len(origin)-1], "pidfile: %s is the socket of %s, too; expected a file of its own", path, s.option)
		}
	}
}

// clash tells whether two sockets cannot be open at once.
func clash(a, b ucl.Socket) bool {
	switch {
	case a.Kind == ucl.Unix || b.Kind == ucl.Unix:
		return a.Kind == b.Kind && a.Path == b.Path
	case a.Kind == ucl.FD || b.Kind == ucl.FD:
		return a.Kind == b.Kind && a.FD == b.FD
	case a.Kind == ucl.Systemd || b.Kind == ucl.Systemd:
		return a.Kind == b.Kind && a.Name == b.Name
	case a.Port != b.Port || a.Port == 0:
		return false
	}
	v4a, v6a := families(a)
	v4b, v6b := families(b)
	return (v4a && v4b || v6a && v6b) && sameHost(a.Host, b.Host)
}

// families tells over which versions of IP a TCP socket listens.
func families(s ucl.Socket) (v4, v6 bool) {
	switch a, err := netip.ParseAddr(s.Host); {
	case s.Kind == ucl.Inet, err == nil && a.Is4():
		return true, false
	case s.Kind == ucl.Inet6, err == nil:
		return false, true
	}
	return true, true
}

// sameHost tells whether two hosts of sockets of one port have an address in common.
func sameHost(a, b string) bool {
	return every(a) || every(b) || address(a) == address(b)
}

// address returns a host so that it can be compared. Of localhost's addresses package
// net listens on the IPv4 one.
func address(host string) string {
	if strings.EqualFold(host, "localhost") {
		return "127.0.0.1"
	}
	return strings.ToLower(host)
}

// every tells whether a host stands for every address.
func every(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "" || err == nil && a.IsUnspecified()
}
