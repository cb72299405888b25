package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"rmilter/milter/miltertest"
)

// config is the command line, checked.
type config struct {
	network, addr string
	dir           string
	write         string
	corpus        int
	conns         int
	count         int
	limit         time.Duration
	rate          float64
	perConn       int
	warmup        int
	abort         float64
	auth          float64
	chunk         int
	mta           string
	macros        map[miltertest.Command][]string
	version       uint32
	actions       uint32
	protocol      uint32
	timeout       time.Duration
	clients       []netip.Addr
	envelope      string
	from          string
	rcpts         string
	nrcpt         int
	pid           int
	idle          int
	idleAfter     string
	results       string
	json          bool
	seed          uint64
}

// parse reads the command line. Whatever is out of range is an error.
func parse(args []string, errOut io.Writer) (*config, error) {
	c := &config{macros: map[miltertest.Command][]string{}}
	fs := flag.NewFlagSet("milterload", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the error is enough; the caller prints it
	addr := fs.String("addr", "127.0.0.1:9900", "the milter: HOST:PORT, inet:PORT@HOST, inet6:PORT@HOST, unix:PATH or PATH; loopback only")
	fs.StringVar(&c.dir, "dir", "", "folder of messages (*.eml, with folders below it) or one message; without it messages are generated")
	fs.IntVar(&c.corpus, "corpus", 500, "how many different messages to generate")
	fs.StringVar(&c.write, "write", "", "write the messages to this folder, as files for -dir, instead of sending them")
	fs.IntVar(&c.conns, "c", 8, "connections at once")
	fs.IntVar(&c.count, "n", 1000, "messages in all; 0: as many as -d allows")
	fs.DurationVar(&c.limit, "d", 10*time.Minute, "longest time")
	fs.Float64Var(&c.rate, "rate", 0, "messages begun per second (open loop: latency counts from the planned start); 0: as fast as answers come")
	fs.IntVar(&c.perConn, "per-conn", 1, "messages on one connection")
	fs.IntVar(&c.warmup, "warmup", 0, "messages sent first and not counted")
	fs.Float64Var(&c.abort, "abort", 0, "share of messages that end in ABORT in place of EOM, 0 to 1")
	fs.Float64Var(&c.auth, "auth", 0, "share of messages with {auth_authen}, 0 to 1")
	fs.IntVar(&c.chunk, "chunk", 65535, "bytes in a piece of the body")
	fs.StringVar(&c.mta, "mta", "postfix", "whose macros to send and how: postfix, sendmail or none")
	fs.Func("macro", "one macro more: STAGE:NAME=VALUE with STAGE one of C H M R T L N B E; may be repeated", c.addMacro)
	version := fs.Uint("version", 6, "protocol version offered, 2 to 6")
	actions := fs.String("actions", "", "actions offered, a number (default: all of the version)")
	protocol := fs.String("protocol", "", "protocol steps offered, a number (default: all of the version)")
	fs.DurationVar(&c.timeout, "timeout", time.Minute, "longest wait for an answer")
	clients := fs.String("clients", "198.51.100.0/24,203.0.113.0/24,2001:db8:25::/120", "addresses of the SMTP clients: addresses and networks, commas between them")
	fs.StringVar(&c.envelope, "envelope", "generated", "generated, or header: from From, To and Cc where they can be read")
	fs.StringVar(&c.from, "from", "", "this sender for all messages")
	fs.StringVar(&c.rcpts, "rcpt", "", "these recipients for all messages, commas between them")
	fs.IntVar(&c.nrcpt, "nrcpt", 1, "generated recipients: one to this many")
	fs.IntVar(&c.pid, "pid", 0, "process of the milter: report CPU time and memory of it and its children")
	fs.IntVar(&c.idle, "idle", 0, "open this many idle connections instead and report the memory that each costs; needs -pid")
	fs.StringVar(&c.idleAfter, "idle-after", "helo", "what an idle connection has behind it: optneg, helo or message")
	fs.StringVar(&c.results, "results", "", "write one line of JSON per message to this file")
	fs.BoolVar(&c.json, "json", false, "report as JSON")
	fs.Uint64Var(&c.seed, "seed", 1, "seed of all random choices")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(errOut, "milterload drives a milter as an MTA would. Options:")
			fs.SetOutput(errOut)
			fs.PrintDefaults()
		}
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	var err error
	if c.network, c.addr, err = address(*addr); err != nil {
		return nil, err
	}
	if c.clients, err = addresses(*clients); err != nil {
		return nil, err
	}
	if err := c.offer(*version, *actions, *protocol); err != nil {
		return nil, err
	}
	return c, c.check()
}

func (c *config) check() error {
	switch {
	case c.conns < 1 || c.conns > 10000:
		return fmt.Errorf("-c %d: want 1 to 10000", c.conns)
	case c.count < 0 || c.warmup < 0:
		return fmt.Errorf("-n %d, -warmup %d: want 0 or more", c.count, c.warmup)
	case c.limit <= 0 || c.limit > 24*time.Hour:
		return fmt.Errorf("-d %v: want more than 0 and at most 24h", c.limit)
	case c.rate < 0 || c.perConn < 1 || c.nrcpt < 1 || c.chunk < 1 || c.corpus < 1 || c.timeout <= 0:
		return fmt.Errorf("-rate, -per-conn, -nrcpt, -chunk, -corpus and -timeout can't be negative, and only -rate can be 0")
	case c.abort < 0 || c.abort > 1 || c.auth < 0 || c.auth > 1:
		return fmt.Errorf("-abort %v, -auth %v: want 0 to 1", c.abort, c.auth)
	case c.mta != "postfix" && c.mta != "sendmail" && c.mta != "none":
		return fmt.Errorf("-mta %q: want postfix, sendmail or none", c.mta)
	case c.envelope != "generated" && c.envelope != "header":
		return fmt.Errorf("-envelope %q: want generated or header", c.envelope)
	case c.idleAfter != "optneg" && c.idleAfter != "helo" && c.idleAfter != "message":
		return fmt.Errorf("-idle-after %q: want optneg, helo or message", c.idleAfter)
	case c.idle < 0 || c.idle > 20000 || c.idle > 0 && c.pid == 0:
		return fmt.Errorf("-idle %d: want 0 to 20000, with -pid", c.idle)
	}
	return nil
}

func (c *config) offer(version uint, actions, protocol string) error {
	if version < 2 || version > 6 {
		return fmt.Errorf("-version %d: want 2 to 6", version)
	}
	c.version = uint32(version)
	c.actions, c.protocol = miltertest.Offer(c.version)
	for _, m := range []struct {
		flag, value string
		to          *uint32
	}{{"-actions", actions, &c.actions}, {"-protocol", protocol, &c.protocol}} {
		if m.value == "" {
			continue
		}
		n, err := strconv.ParseUint(m.value, 0, 32)
		if err != nil {
			return fmt.Errorf("%s %q: want a number of 32 bits", m.flag, m.value)
		}
		*m.to = uint32(n)
	}
	return nil
}

func (c *config) addMacro(s string) error {
	stage, macro, ok := strings.Cut(s, ":")
	name, value, ok2 := strings.Cut(macro, "=")
	if !ok || !ok2 || len(stage) != 1 || !strings.Contains("CHMRTLNBE", stage) || name == "" {
		return fmt.Errorf("%q: want STAGE:NAME=VALUE", s)
	}
	cmd := miltertest.Command(stage[0])
	c.macros[cmd] = append(c.macros[cmd], name, value)
	return nil
}

// address reads where the milter is and refuses all that isn't on this machine.
func address(s string) (network, addr string, err error) {
	kind, rest, ok := strings.Cut(s, ":")
	switch {
	case strings.HasPrefix(s, "/"):
		return "unix", s, nil
	case ok && (kind == "unix" || kind == "local"):
		if rest == "" {
			return "", "", fmt.Errorf("address %q without a path", s)
		}
		return "unix", rest, nil
	case ok && (kind == "inet" || kind == "inet6"):
		port, host, ok := strings.Cut(rest, "@")
		if !ok {
			return "", "", fmt.Errorf("address %q: want %s:PORT@HOST", s, kind)
		}
		s = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", "", fmt.Errorf("address %q: %w", s, err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.Unmap().IsLoopback() {
		return "", "", fmt.Errorf("address %q isn't a loopback address", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("address %q: port %q", s, port)
	}
	return "tcp", net.JoinHostPort(host, port), nil
}

// addresses expands addresses and networks, of a network the first 4096.
func addresses(s string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, x := range strings.Split(s, ",") {
		x = strings.TrimSpace(x)
		if a, err := netip.ParseAddr(x); err == nil {
			out = append(out, a)
			continue
		}
		p, err := netip.ParsePrefix(x)
		if err != nil {
			return nil, fmt.Errorf("-clients: %q is neither an address nor a network", x)
		}
		a := p.Masked().Addr()
		for range 4096 {
			if !a.IsValid() || !p.Contains(a) {
				break
			}
			out = append(out, a)
			a = a.Next()
		}
	}
	return out, nil
}
