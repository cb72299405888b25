package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	defaultHost = "127.0.0.1"
	defaultPort = "11334"
	timeout     = 10 * time.Second // as rspamc's
	maxAnswer   = 16 << 20
	maxPassword = 1024
)

// A client asks the controller by the ways that the command line names.
type client struct {
	host     string // as given, "" not given
	socket   string
	password string // as given; "-" reads it from stdin
	stdin    io.Reader
	getenv   func(string) string
}

// An unreachableError says that no way led to an answer.
type unreachableError struct{ ways []error }

// Error lists the ways that were tried, on one line.
func (e *unreachableError) Error() string {
	var parts []string
	for _, w := range e.ways {
		parts = append(parts, w.Error())
	}
	return "unreachable: " + strings.Join(parts, "; ")
}

// A way is one address of the controller.
type way struct {
	network, address string // for net.Dial
}

// ways returns what to try, in order.
func (c *client) ways() ([]way, error) {
	var list []way
	if c.socket != "" || c.host == "" {
		list = append(list, way{"unix", cmp.Or(c.socket, defaultSocket)})
	}
	if c.host != "" || c.socket == "" {
		address, err := hostPort(cmp.Or(c.host, defaultHost))
		if err != nil {
			return nil, err
		}
		list = append(list, way{"tcp", address})
	}
	return list, nil
}

// hostPort completes HOST, HOST:PORT, [IPv6]:PORT, [IPv6] or a bare IPv6 address.
func hostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, defaultPort
		if inner, ok := strings.CutPrefix(s, "["); ok {
			if host, ok = strings.CutSuffix(inner, "]"); !ok {
				host = ""
			}
		} else if strings.Contains(s, ":") && net.ParseIP(s) == nil {
			host = ""
		}
	}
	if host == "" || port == "" || strings.ContainsAny(host, "/@[]?# \t\r\n") {
		return "", fmt.Errorf("%q is not HOST[:PORT]", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q is not HOST[:PORT]: bad port", s)
	}
	return net.JoinHostPort(host, port), nil
}

// get asks for path by each way in turn, and returns the first answer that accept
// takes. An error is either about the command line or an *unreachableError.
func (c *client) get(ctx context.Context, path string, accept func([]byte) error) error {
	list, err := c.ways()
	if err != nil {
		return err
	}
	e := new(unreachableError)
	for _, w := range list {
		password := ""
		if w.network != "unix" {
			if password, err = c.secret(); err != nil {
				return err
			}
		}
		body, err := w.fetch(ctx, path, password)
		if err == nil {
			err = accept(body)
		}
		if err == nil {
			return nil
		}
		e.ways = append(e.ways, fmt.Errorf("%s: %w", w.address, err))
	}
	return e
}

// secret returns the password for HTTP. Standard input is read when it is needed
// only, so that nobody has to type for a socket that asks for nothing.
func (c *client) secret() (string, error) {
	p := cmp.Or(c.password, c.getenv("RMILTER_PASSWORD"))
	if c.password == "-" {
		line, err := bufio.NewReader(io.LimitReader(c.stdin, maxPassword+2)).ReadString('\n')
		if err != nil && err != io.EOF {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		p = strings.TrimRight(line, "\r\n")
	}
	if len(p) > maxPassword || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", errors.New("the password is too long or holds control characters")
	}
	return p, nil
}

// fetch asks for path by one way.
func (w way) fetch(ctx context.Context, path, password string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// The URL's host is not used for dialling; that of the request is the Host header.
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return nil, err
	}
	if w.network != "unix" {
		r.Host = w.address
	}
	r.Header.Set("User-Agent", "rmilterctl")
	if password != "" {
		r.Header.Set("Password", password)
	}
	// No proxy, and no redirect: the password goes where the user said.
	h := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, w.network, w.address)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := h.Do(r)
	if err != nil {
		return nil, cause(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(body) > maxAnswer {
		return nil, errors.New("the answer is too long")
	}
	if answer.StatusCode != http.StatusOK {
		return nil, refusal(answer.StatusCode, body)
	}
	return body, nil
}

// cause takes the method, URL and address, which the user knows, off an error.
func cause(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", timeout)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return op.Err
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// refusal explains an answer other than 200.
func refusal(code int, body []byte) error {
	if code == http.StatusUnauthorized {
		return errors.New("password missing or wrong: use -P or RMILTER_PASSWORD")
	}
	var e struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &e) == nil && e.Error != "" {
		return fmt.Errorf("HTTP %d: %s", code, e.Error)
	}
	return fmt.Errorf("HTTP %d, is this rmilter?", code)
}
