package ucl

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A SocketKind tells where a Socket listens.
type SocketKind byte

// The kinds of sockets.
const (
	Inet    SocketKind = iota + 1 // TCP over IPv4 (inet:)
	Inet6                         // TCP over IPv6 (inet6:)
	TCP                           // TCP over what the host has, with none over both (HOST:PORT, *:PORT)
	Unix                          // a path (unix:, local:, /path)
	FD                            // an inherited descriptor (fd:N)
	Systemd                       // a descriptor from systemd, by FileDescriptorName= (systemd:NAME)
)

// A Socket is a place to listen on.
type Socket struct {
	Kind  SocketKind
	Host  string // Inet, Inet6, TCP: address without brackets, or name; "" is every address
	Port  uint16 // Inet, Inet6, TCP: 0 lets the system choose
	Path  string // Unix: the file
	FD    int    // FD: the descriptor's number
	Name  string // Systemd: the name; "" is every socket that systemd passed
	Mode  Mode   // Unix: permissions of the socket; 0 leaves the default
	Owner string // Unix: owner of the socket; "" leaves it
	Group string // Unix: group of the socket; "" leaves it
}

// Sockets is a list of places to listen on. In the file an item is
// inet:PORT[@HOST], inet6:PORT[@[ADDRESS]], unix:PATH, local:PATH, fd:N,
// systemd[:NAME], or as rspamd writes them HOST:PORT, *:PORT, *v4:PORT, *v6:PORT or
// /PATH. A path may be followed by mode=, owner= and group= in the same quotes.
type Sockets []Socket

// MustSockets returns the sockets of a list in the form of the file. It panics on
// a fault: it is meant for defaults and tests.
func MustSockets(items ...string) Sockets {
	var s Sockets
	if err := s.Set(ListNode(items...), false); err != nil {
		panic("ucl: " + err.Error())
	}
	return s
}

// Set implements Value.
func (s *Sockets) Set(n *Node, add bool) error {
	texts, err := n.Texts()
	if err != nil {
		return err
	}
	var list Sockets
	if add {
		list = slices.Clip(*s)
	}
	var errs []error
	for _, t := range texts {
		sock, err := ParseSocket(t.Text)
		if err != nil {
			if errs = append(errs, t.Errorf("%v", err)); len(errs) > maxDiagnostics {
				break
			}
			continue
		}
		list = append(list, sock)
	}
	if err := join(errs); err != nil {
		return err
	}
	*s = list
	return nil
}

// IsList returns true: += adds to the list.
func (s *Sockets) IsList() bool { return true }

// String returns the list as the file has it.
func (s Sockets) String() string {
	items := make([]string, len(s))
	for i, sock := range s {
		items[i] = sock.String()
		if sock.Kind != Inet6 { // whose brackets need no quotes
			items[i] = quoteItem(items[i])
		}
	}
	return joinList(items)
}

// ParseSocket reads one socket in the form of the file.
func ParseSocket(text string) (Socket, error) {
	kind, rest, ok := strings.Cut(text, ":")
	switch {
	case strings.HasPrefix(text, "/"):
		return parsePath(text, text)
	case kind == "unix" || kind == "local":
		return parsePath(text, rest)
	case kind == "inet":
		return parseInet(text, Inet, rest)
	case kind == "inet6":
		return parseInet(text, Inet6, rest)
	case kind == "fd":
		v, err := strconv.ParseUint(rest, 10, 16)
		if err != nil {
			return Socket{}, socketError(text, "fd:N with the number of an inherited descriptor")
		}
		return Socket{Kind: FD, FD: int(v)}, nil
	case kind == "tcp", kind == "tcp4", kind == "tcp6":
		return Socket{}, socketError(text, wantInet)
	case kind == "systemd":
		if ok && rest == "" || strings.ContainsAny(rest, ": \t") {
			return Socket{}, socketError(text, "systemd:NAME with the name from FileDescriptorName=")
		}
		return Socket{Kind: Systemd, Name: rest}, nil
	}
	return parseHostPort(text)
}

func socketError(text, want string) error {
	return fmt.Errorf("%s is not a socket; expected %s", quoteFor(text), want)
}

// parsePath reads "/run/x.sock mode=0660 owner=u group=g".
func parsePath(text, rest string) (Socket, error) {
	fields := strings.Fields(rest)
	if len(fields) == 0 || !strings.HasPrefix(fields[0], "/") {
		return Socket{}, socketError(text, "a path that begins with /")
	}
	// The shortest sun_path of the systems that we run on is FreeBSD's: 104 bytes with its NUL.
	if len(fields[0]) > 103 || strings.ContainsRune(fields[0], 0) {
		return Socket{}, socketError(text, "a path of at most 103 bytes")
	}
	s := Socket{Kind: Unix, Path: fields[0]}
	for _, f := range fields[1:] {
		name, v, _ := strings.Cut(f, "=")
		switch name {
		case "mode":
			if err := s.Mode.Set(TextNode(v), false); err != nil || s.Mode == 0 {
				return Socket{}, socketError(text, "mode= with octal digits as in mode=0660")
			}
		case "owner":
			s.Owner = v
		case "group":
			s.Group = v
		default:
			return Socket{}, socketError(text, "mode=, owner= or group= after the path")
		}
		if v == "" {
			return Socket{}, socketError(text, "a value after "+name+"=")
		}
	}
	return s, nil
}

const (
	wantInet  = "inet:PORT@HOST as in inet:9900@127.0.0.1"
	wantInet6 = "inet6:PORT@[ADDRESS] as in inet6:9900@[::1]"
)

// parseInet reads "PORT" or "PORT@HOST".
func parseInet(text string, kind SocketKind, rest string) (Socket, error) {
	port, host, at := strings.Cut(rest, "@")
	want, other := wantInet, wantInet6
	if kind == Inet6 {
		want, other = other, want
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if errors.Is(err, strconv.ErrRange) {
		return Socket{}, socketError(text, "a port of 0 to 65535")
	}
	if err != nil || at && host == "" {
		return Socket{}, socketError(text, want)
	}
	host = trimBrackets(host)
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Is4() != (kind == Inet) {
			return Socket{}, socketError(text, other)
		}
	} else if host == "*" {
		host = ""
	} else if host != "" && !hostName(host) {
		return Socket{}, socketError(text, want)
	}
	return Socket{Kind: kind, Host: host, Port: uint16(p)}, nil
}

// bracketed returns what is expected in place of an IPv6 address with a port that lacks
// its brackets, "" for other texts.
func bracketed(text string) string {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return ""
	}
	a, err := netip.ParseAddr(text[:i])
	if err != nil || !a.Is6() {
		return ""
	}
	return fmt.Sprintf("brackets around the address as in [%s]:%.5s", a, text[i+1:])
}

func trimBrackets(host string) string {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

// parseHostPort reads rspamd's "host:port", "*:port" and "[address]:port".
func parseHostPort(text string) (Socket, error) {
	const want = "inet:PORT@HOST, unix:PATH, fd:N, systemd:NAME or HOST:PORT"
	host, port, err := net.SplitHostPort(text)
	if want := bracketed(text); err != nil && want != "" {
		return Socket{}, socketError(text, want)
	}
	if err != nil {
		return Socket{}, socketError(text, want)
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Socket{}, socketError(text, "a port of 0 to 65535 after the host")
	}
	s := Socket{Kind: TCP, Host: host, Port: uint16(p)}
	switch _, err := netip.ParseAddr(host); {
	case host == "*" || host == "":
		s.Host = ""
	case host == "*v4":
		s.Kind, s.Host = Inet, ""
	case host == "*v6":
		s.Kind, s.Host = Inet6, ""
	case err != nil && !hostName(host):
		return Socket{}, socketError(text, want)
	}
	return s, nil
}

// Network returns the network's name for package net: "tcp", "tcp4", "tcp6" or
// "unix", and "" for inherited descriptors.
func (s Socket) Network() string {
	switch s.Kind {
	case Inet:
		return "tcp4"
	case Inet6:
		return "tcp6"
	case TCP:
		return "tcp"
	case Unix:
		return "unix"
	}
	return ""
}

// Address returns the address for package net: host and port, or the path.
func (s Socket) Address() string {
	switch s.Kind {
	case Inet, Inet6, TCP:
		return net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port)))
	case Unix:
		return s.Path
	}
	return ""
}

// FileMode returns Mode as the standard library's type.
func (s Socket) FileMode() fs.FileMode { return fs.FileMode(s.Mode) }

// String returns the socket as the file has it.
func (s Socket) String() string {
	switch s.Kind {
	case Inet, Inet6:
		kind, host := "inet:", s.Host
		if s.Kind == Inet6 {
			kind = "inet6:"
		}
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		if host != "" {
			host = "@" + host
		}
		return kind + strconv.Itoa(int(s.Port)) + host
	case TCP:
		if s.Host == "" {
			return "*:" + strconv.Itoa(int(s.Port))
		}
		return s.Address()
	case FD:
		return "fd:" + strconv.Itoa(s.FD)
	case Systemd:
		return strings.TrimSuffix("systemd:"+s.Name, ":")
	case Unix:
		return "unix:" + s.Path + s.rights()
	}
	return ""
}

// rights returns what follows the path of a Unix socket.
func (s Socket) rights() string {
	var b strings.Builder
	if s.Mode != 0 {
		b.WriteString(" mode=" + s.Mode.String())
	}
	if s.Owner != "" {
		b.WriteString(" owner=" + s.Owner)
	}
	if s.Group != "" {
		b.WriteString(" group=" + s.Group)
	}
	return b.String()
}
