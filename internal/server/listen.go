package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"

	"rmilter/internal/ucl"
)

// A listener is a place where the daemon waits for connections.
type listener struct {
	net.Listener
	name      string // "milter", "control" or "scan"
	address   string // as configured
	inherited bool   // another process keeps it open when this one goes
}

// defaultUnixMode is the mode of a socket whose configuration names none: for the
// owner and a group that the MTA can be made a member of.
const defaultUnixMode = 0o660

// systemdSockets returns the sockets that systemd passed by their
// FileDescriptorName=, at the first call only.
func systemdSockets() (map[string][]net.Listener, error) {
	byName := make(map[string][]net.Listener)
	for _, f := range activation.Files(true) {
		ln, err := net.FileListener(f)
		name := f.Name()
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("socket %q passed by systemd: %w", name, err)
		}
		byName[name] = append(byName[name], ln)
	}
	return byName, nil
}

// serviceOf tells what a socket passed by systemd is for: "milter", "control" or
// "scan".
func serviceOf(name string) string {
	switch name {
	case "control", "controller":
		return "control"
	case "scan", "normal":
		return "scan"
	}
	return "milter"
}

// listenMilter opens the milter's sockets. Those that systemd passes stand in for
// bind_socket, as the unit's administrator has decided where to listen.
func listenMilter(sockets ucl.Sockets, passed map[string][]net.Listener) ([]listener, error) {
	var all []listener
	for name, lns := range passed {
		if serviceOf(name) != "milter" {
			continue
		}
		for _, ln := range lns {
			all = append(all, listener{ln, "milter", "systemd:" + describe(ln), true})
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	for _, s := range sockets {
		if s.Kind == ucl.Systemd {
			return nil, fmt.Errorf("bind_socket %s: systemd passed no socket of that name", s)
		}
		ln, err := listen(s)
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("bind_socket %s: %w", s, err)
		}
		all = append(all, listener{ln, "milter", address(s, ln), s.Kind == ucl.FD})
	}
	return all, nil
}

func closeAll(all []listener) {
	for _, l := range all {
		l.Close()
	}
}

// describe writes an open listener as bind_socket would name it.
func describe(ln net.Listener) string {
	switch a := ln.Addr().(type) {
	case *net.TCPAddr:
		kind := "inet:"
		host := a.IP.String()
		if a.IP.To4() == nil {
			kind, host = "inet6:", "["+host+"]"
		}
		return kind + strconv.Itoa(a.Port) + "@" + host
	default:
		return "unix:" + a.String()
	}
}

// address is what status calls a listener: as configured, with the port that the
// system has chosen for port 0.
func address(s ucl.Socket, ln net.Listener) string {
	if a, ok := ln.Addr().(*net.TCPAddr); ok && s.Port == 0 {
		s.Port = uint16(a.Port)
	}
	if s.Kind == ucl.FD {
		return s.String() + " " + describe(ln)
	}
	return s.String()
}

// listen opens one socket of the configuration.
func listen(s ucl.Socket) (net.Listener, error) {
	switch s.Kind {
	case ucl.FD:
		f := os.NewFile(uintptr(s.FD), s.String())
		if f == nil {
			return nil, errors.New("no such descriptor")
		}
		defer f.Close()
		return net.FileListener(f)
	case ucl.Unix:
		return listenUnix(s)
	}
	return listenTCP(s)
}

// listenTCP opens a TCP socket. Connections of the machine itself need no keepalive:
// setting it up is a good part of what a short one costs.
func listenTCP(s ucl.Socket) (net.Listener, error) {
	var lc net.ListenConfig
	if a, err := netip.ParseAddr(s.Host); err == nil && a.IsLoopback() {
		lc.KeepAlive = -1
	}
	return lc.Listen(context.Background(), s.Network(), s.Address())
}

// listenUnix opens a unix socket with its mode and owner. A socket that a killed
// process left behind is replaced; one that answers isn't.
func listenUnix(s ucl.Socket) (net.Listener, error) {
	if fi, err := os.Lstat(s.Path); err == nil {
		if fi.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("%s exists and is no socket", s.Path)
		}
		if c, err := net.DialTimeout("unix", s.Path, time.Second); err == nil {
			c.Close()
			return nil, fmt.Errorf("%s: another process listens there", s.Path)
		}
		if err := os.Remove(s.Path); err != nil {
			return nil, err
		}
	}
	// Nobody may connect before mode and owner are right.
	old := syscall.Umask(0o177)
	ln, err := net.Listen("unix", s.Path)
	syscall.Umask(old)
	if err != nil {
		return nil, err
	}
	if err := setRights(s); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

func setRights(s ucl.Socket) error {
	uid, gid := -1, -1
	if s.Owner != "" {
		u, err := user.Lookup(s.Owner)
		if err != nil {
			return err
		}
		uid, _ = strconv.Atoi(u.Uid)
	}
	if s.Group != "" {
		g, err := user.LookupGroup(s.Group)
		if err != nil {
			return err
		}
		gid, _ = strconv.Atoi(g.Gid)
	}
	if uid >= 0 || gid >= 0 {
		if err := os.Chown(s.Path, uid, gid); err != nil {
			return err
		}
	}
	mode := s.FileMode()
	if mode == 0 {
		mode = defaultUnixMode
	}
	return os.Chmod(s.Path, mode)
}
