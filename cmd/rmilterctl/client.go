package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"rmilter/internal/controller"
)

const (
	defaultHost = "127.0.0.1"
	defaultPort = "11334"
	timeout     = 10 * time.Second // as rspamc's
	longTimeout = time.Minute      // of what changes something
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
	line     *string // the password that was read from stdin; nil before
}

// A query is what is asked of the controller.
type query struct {
	method, path string
	header       http.Header   // may be nil
	body         []byte        // of what is sent at once
	size         int64         // of what is streamed, in bytes; 0 unknown
	limit        time.Duration // for all of it; of what is streamed, without progress
}

// An unreachableError says that no way led to an answer that is of use.
type unreachableError struct {
	ways    []error
	refused bool // the last way led to an answer, which says no
}

// Error lists the ways that were tried, on one line.
func (e *unreachableError) Error() string {
	var parts []string
	for _, w := range e.ways {
		parts = append(parts, w.Error())
	}
	what := "unreachable: "
	if e.refused {
		what = "refused: "
	}
	return what + strings.Join(parts, "; ")
}

// tried notes a way that failed.
func (e *unreachableError) tried(w way, err error) {
	e.ways = append(e.ways, fmt.Errorf("%s: %w", w.address, err))
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
		password, err := c.secretFor(w)
		if err != nil {
			return err
		}
		a, err := w.fetch(ctx, password, query{method: http.MethodGet, path: path, limit: timeout})
		if err == nil && a.code != http.StatusOK {
			err = refusal(a)
		}
		if err == nil {
			err = accept(a.body)
		}
		if err == nil {
			return nil
		}
		e.tried(w, err)
	}
	return e
}

// call has something done, by the first way that leads anywhere: whatever comes back,
// or doesn't, it is not asked for twice. It returns an answer of one of the codes. An
// error is as that of get.
func (c *client) call(ctx context.Context, q query, codes ...int) (answer, error) {
	a, no, err := c.send(ctx, q)
	if e := (*unreachableError)(nil); q.method == http.MethodPost && errors.As(err, &e) {
		if last := len(e.ways) - 1; !errors.As(e.ways[last], new(*dialError)) {
			e.ways[last] = fmt.Errorf("%w; it may have been done all the same", e.ways[last])
		}
	}
	if err != nil || slices.Contains(codes, a.code) {
		return a, err
	}
	return answer{}, no(refusal(a))
}

// send asks by the first way that leads to a connection. What no returns is the error
// for an answer that isn't taken. An error is either about the command line or an
// *unreachableError.
func (c *client) send(ctx context.Context, q query) (a answer, no func(error) error, err error) {
	no, err = c.first(func(w way, password string) (err error) {
		a, err = w.fetch(ctx, password, q)
		return err
	})
	return a, no, err
}

// first asks by each way until one leads to a connection; ask does it. Results are as
// those of send.
func (c *client) first(ask func(w way, password string) error) (no func(error) error, err error) {
	list, err := c.ways()
	if err != nil {
		return nil, err
	}
	e := new(unreachableError)
	for _, w := range list {
		password, err := c.secretFor(w)
		if err != nil {
			return nil, err
		}
		if err = ask(w, password); err == nil {
			return func(err error) error {
				e.refused = true
				e.tried(w, err)
				return e
			}, nil
		}
		e.tried(w, err)
		if !errors.As(err, new(*dialError)) {
			break
		}
	}
	return nil, e
}

// secretFor returns the password for a way: none for the socket.
func (c *client) secretFor(w way) (string, error) {
	if w.network == "unix" {
		return "", nil
	}
	return c.secret()
}

// secret returns the password for HTTP. Standard input is read when it is needed
// only, so that nobody has to type for a socket that asks for nothing.
func (c *client) secret() (string, error) {
	if c.password == "-" {
		if c.line == nil {
			line, err := readLine(c.stdin)
			if err != nil {
				return "", err
			}
			c.line = &line
		}
		return *c.line, nil
	}
	p := cmp.Or(c.password, c.getenv("RMILTER_PASSWORD"))
	return p, checkPassword(p)
}

// readLine reads a password from the first line.
func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxPassword+2)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	p := strings.TrimRight(line, "\r\n")
	return p, checkPassword(p)
}

// checkPassword refuses what HTTP would not bring over.
func checkPassword(p string) error {
	if len(p) > maxPassword || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("the password is too long or holds control characters")
	}
	return nil
}

// An answer is what a controller answered.
type answer struct {
	code int // status of HTTP
	body []byte
}

// A dialError says that there was no connection at all.
type dialError struct{ error }

// fetch sends a request by one way. An error is a *dialError, or about an answer that
// did not come or that makes no sense.
func (w way) fetch(ctx context.Context, password string, q query) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, q.limit)
	defer cancel()
	got, err := w.exchange(ctx, password, q, bytes.NewReader(q.body), nil)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	return readAnswer(got, q.limit)
}

// readAnswer reads the body of an answer.
func readAnswer(got *http.Response, limit time.Duration) (answer, error) {
	body, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer+1))
	if err != nil {
		return answer{}, cause(err, limit)
	}
	if len(body) > maxAnswer {
		return answer{}, errors.New("the answer is too long")
	}
	return answer{got.StatusCode, body}, nil
}

// exchange sends a request by one way and returns the answer with its body still to be
// read; closing that closes the connection. The connection is as wrap makes it, if that
// isn't nil. Errors are as those of fetch.
func (w way) exchange(ctx context.Context, password string, q query, body io.Reader, wrap func(net.Conn) net.Conn) (*http.Response, error) {
	dial, cancel := context.WithTimeout(ctx, q.limit)
	defer cancel()
	c, err := new(net.Dialer).DialContext(dial, w.network, w.address)
	if err != nil {
		return nil, &dialError{cause(err, q.limit)}
	}
	if wrap != nil {
		c = wrap(c)
	}
	// The URL's host is not used for dialling; that of the request is the Host header.
	r, err := http.NewRequestWithContext(ctx, q.method, "http://localhost"+q.path, body)
	if err != nil {
		c.Close()
		return nil, err
	}
	maps.Copy(r.Header, q.header)
	if w.network != "unix" {
		r.Host = w.address
	}
	r.Header.Set("User-Agent", "rmilterctl")
	if password != "" {
		r.Header.Set("Password", password)
	}
	if q.size > 0 {
		r.ContentLength = q.size
	}
	// No proxy, no redirect and no second try: the request goes where the user said, once.
	h := &http.Transport{
		DisableKeepAlives:     true,
		DisableCompression:    true,
		ExpectContinueTimeout: timeout,
		DialContext:           func(context.Context, string, string) (net.Conn, error) { return c, nil },
	}
	got, err := h.RoundTrip(r)
	if err != nil {
		c.Close()
		return nil, cause(err, q.limit)
	}
	return got, nil
}

// cause takes the method, URL and address, which the user knows, off an error.
func cause(err error, limit time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("no answer within %v", limit)
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

// refusal explains an answer that is none of those that were asked for.
func refusal(a answer) error {
	if a.code == http.StatusUnauthorized {
		return errors.New("password missing or wrong: use -P or RMILTER_PASSWORD")
	}
	var e controller.Changed
	switch err := json.Unmarshal(a.body, &e); {
	case err != nil || e.Error == "":
	case e.Changed > 0:
		return fmt.Errorf("HTTP %d: %s; %s records were changed before that", a.code, e.Error, thousands(int64(e.Changed)))
	default:
		return fmt.Errorf("HTTP %d: %s", a.code, e.Error)
	}
	return fmt.Errorf("HTTP %d, is this rmilter?", a.code)
}
