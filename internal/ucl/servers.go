package ucl

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// maxServers is how many servers a list may have.
const maxServers = 32

// A Server is a server that is asked: a host with a port, or a Unix socket.
type Server struct {
	Host     string // address without brackets, or name; "" for a Unix socket
	Port     int    // 0 is the service's default
	Priority int    // as old files have it, 0 is none
	Path     string // the Unix socket
}

// Address returns the network's name and the address for package net. The port is
// the default one where the file names none.
func (s Server) Address(defaultPort int) (network, address string) {
	if s.Path != "" {
		return "unix", s.Path
	}
	port := s.Port
	if port == 0 {
		port = defaultPort
	}
	return "tcp", net.JoinHostPort(s.Host, strconv.Itoa(port))
}

// String returns the server as the file has it.
func (s Server) String() string {
	if s.Path != "" {
		return s.Path
	}
	text := s.Host
	if strings.Contains(text, ":") {
		text = "[" + text + "]"
	}
	if s.Port != 0 {
		text += ":" + strconv.Itoa(s.Port)
	}
	if s.Priority != 0 {
		text += ":" + strconv.Itoa(s.Priority)
	}
	return text
}

// Servers is a list of at most 32 servers. In the file an item is HOST, HOST:PORT,
// HOST:PORT:PRIORITY, /PATH or unix:/PATH; a host is a name, an IPv4 address or an
// IPv6 address in brackets. An "r:" before it, which once meant rspamd, is dropped.
// Of mirrored servers {a, b} the first counts. A quoted item may hold several,
// separated by commas, semicolons or blanks. The zero Servers is empty.
type Servers []Server

// Set implements Value.
func (s *Servers) Set(n *Node, add bool) error {
	plain, err := unmirror(n)
	if err != nil {
		return err
	}
	list, err := readItems(plain, add, *s, parseServer)
	if err != nil {
		return err
	}
	if len(list) > maxServers {
		return n.Errorf("%d servers; expected at most %d", len(list), maxServers)
	}
	*s = list
	return nil
}

// unmirror returns a list with the first server in place of each {a, b}.
func unmirror(n *Node) (*Node, error) {
	if n.Kind != ListKind {
		return n, nil
	}
	if n.Mirrored {
		texts, err := n.Texts()
		if err != nil || len(texts) == 0 {
			return n, err
		}
		if len(texts) > 1 {
			n.Warnf("mirrored servers; expected one, the first counts")
		}
		return texts[0], nil
	}
	list := &Node{Kind: ListKind, Pos: n.Pos}
	for _, item := range n.Items {
		if item.Mirrored {
			var err error
			if item, err = unmirror(item); err != nil {
				return nil, err
			}
		}
		list.Items = append(list.Items, item)
	}
	return list, nil
}

// IsList returns true: += adds to the list.
func (s *Servers) IsList() bool { return true }

// String returns the list as the file has it.
func (s Servers) String() string {
	items := make([]string, len(s))
	for i, server := range s {
		items[i] = quoteItem(server.String())
	}
	return joinList(items)
}

var errServer = errors.New("expected HOST, HOST:PORT or /PATH")

func parseServer(n *Node, word string) (Server, error) {
	text := word
	if rest, ok := strings.CutPrefix(text, "r:"); ok && strings.Trim(rest, "0123456789") != "" {
		text = rest
	}
	for _, prefix := range []string{"", "unix:", "local:"} {
		if path, ok := strings.CutPrefix(text, prefix); ok && (prefix != "" || strings.HasPrefix(path, "/")) {
			if _, err := parsePath(word, path); err != nil {
				return Server{}, n.Errorf("%s is not a server; expected a path that begins with / and has at most 103 bytes", quoteFor(word))
			}
			return Server{Path: path}, nil
		}
	}
	s, err := splitServer(text)
	if err != nil {
		return Server{}, n.Errorf("%s is not a server; %v", quoteFor(word), err)
	}
	if i := strings.LastIndexByte(text, ':'); s.Host == text && len(text)-i > 4 && strings.Trim(text[i+1:], "0123456789") == "" {
		n.Warnf("%s is taken for an address without a port; expected brackets around an IPv6 address", quoteFor(word))
	}
	return s, nil
}

// splitServer reads HOST, HOST:PORT and HOST:PORT:PRIORITY.
func splitServer(text string) (Server, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Is6() {
		return Server{Host: text}, nil
	}
	if strings.Contains(text, "://") {
		return Server{}, errServer
	}
	if want := bracketed(text); want != "" {
		return Server{}, errors.New("expected " + want)
	}
	host, rest, ported := strings.Cut(text, ":")
	if inside, ok := strings.CutPrefix(text, "["); ok {
		if host, rest, ok = strings.Cut(inside, "]"); !ok {
			return Server{}, errServer
		}
		if rest, ported = strings.CutPrefix(rest, ":"); !ported && rest != "" {
			return Server{}, errServer
		}
		if a, err := netip.ParseAddr(host); err != nil || !a.Is6() {
			return Server{}, errServer
		}
	} else if a, err := netip.ParseAddr(host); (err != nil || !a.Is4()) && !hostName(host) {
		return Server{}, errServer
	}
	s := Server{Host: host}
	if !ported {
		return s, nil
	}
	port, priority, prioritized := strings.Cut(rest, ":")
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || p == 0 {
		return Server{}, errors.New("expected a port of 1 to 65535 after the host")
	}
	s.Port = int(p)
	if prioritized {
		if p, err = strconv.ParseUint(priority, 10, 16); err != nil {
			return Server{}, errors.New("expected a priority of 0 to 65535 after the port")
		}
		s.Priority = int(p)
	}
	return s, nil
}
