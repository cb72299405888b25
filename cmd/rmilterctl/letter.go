package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rmilter/internal/controller"
)

const (
	// scanTime is longer than the daemon may take for a message.
	scanTime = 90 * time.Second
	// maxLetter bounds a message that is read, in bytes. What the daemon takes at most
	// it says itself.
	maxLetter = 128 << 20
	// exitNotScanned says that a message could not be read, or that the daemon refused
	// it.
	exitNotScanned = 1
)

// An envelopeFlags is what the command line tells of the envelope of messages.
type envelopeFlags struct {
	ip, helo, hostname, from, user, deliver, queueID, settings string
	rcpts                                                      []string
	profile                                                    bool
}

// register declares the options, as rspamc has them.
func (e *envelopeFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&e.ip, "ip", "i", "", "`ADDRESS` of the SMTP client")
	f.StringVar(&e.helo, "helo", "", "`NAME` that the client gave with HELO")
	f.StringVar(&e.hostname, "hostname", "", "`NAME` that the client's address has in the DNS")
	f.StringVarP(&e.from, "from", "F", "", "`SENDER` of the envelope")
	f.StringArrayVarP(&e.rcpts, "rcpt", "r", nil, "`RECIPIENT` of the envelope; may be given several times")
	f.StringVarP(&e.user, "user", "u", "", "`USER` that the client logged in as")
	f.StringVarP(&e.deliver, "deliver", "d", "", "`MAILBOX` that the message goes to in the end, whose settings count")
	f.StringVar(&e.queueID, "queue-id", "", "queue `ID` of the MTA")
	f.StringVar(&e.settings, "settings-id", "", "settings block `NAME` that counts in place of the recipients' settings")
	f.BoolVar(&e.profile, "profile", false, "tell how long each check took")
}

// header returns the header of a scan request.
func (e *envelopeFlags) header(flags ...string) (http.Header, error) {
	if e.ip != "" {
		if _, err := netip.ParseAddr(e.ip); err != nil {
			return nil, fmt.Errorf("--ip: %q is not an address", e.ip)
		}
	}
	h := http.Header{"Flags": {strings.Join(flags, ",")}}
	for name, values := range map[string][]string{
		"Ip": {e.ip}, "Helo": {e.helo}, "Hostname": {e.hostname}, "From": {e.from}, "User": {e.user},
		"Deliver-To": {e.deliver}, "Queue-Id": {e.queueID}, "Settings-Id": {e.settings}, "Rcpt": e.rcpts,
	} {
		for _, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				return nil, fmt.Errorf("%q has control characters in it", v)
			}
			if v != "" {
				h.Add(name, v)
			}
		}
	}
	return h, nil
}

// A letterError is about one message: the next one may do.
type letterError struct{ error }

// Unwrap returns what it is.
func (e letterError) Unwrap() error { return e.error }

// readLetter reads a message from a file, or from standard input for "-".
func (a *app) readLetter(name string) ([]byte, error) {
	in := a.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, letterError{err}
		}
		defer f.Close()
		in = f
	} else if a.password == "-" {
		return nil, errors.New("standard input can't be both the password and the message")
	}
	letter, err := io.ReadAll(io.LimitReader(in, maxLetter+1))
	switch {
	case err != nil:
		return nil, letterError{err}
	case len(letter) > maxLetter:
		return nil, letterError{fmt.Errorf("larger than %d bytes", maxLetter)}
	}
	return letter, nil
}

// A looked is a message that the daemon has looked at.
type looked struct {
	letter []byte
	reply  controller.Reply
	body   []byte // the reply as it came
}

// look reads a message and has the daemon look at it. What is wrong with this message
// alone it tells the user, and returns nil without an error.
func (a *app) look(ctx context.Context, h http.Header, name string) (*looked, error) {
	letter, err := a.readLetter(name)
	l := &looked{letter: letter}
	if err == nil {
		l.reply, l.body, err = a.inspect(ctx, h, letter)
	}
	switch {
	case errors.As(err, new(letterError)):
		fmt.Fprintf(a.stderr, "rmilterctl: %s: %s\n", printable(name, 200), printable(cause(err, scanTime).Error(), 500))
		a.code = exitNotScanned
		return nil, nil
	case err != nil:
		return nil, err
	}
	return l, nil
}

// inspect has the daemon look at a message. It returns the answer as it came, too.
func (a *app) inspect(ctx context.Context, h http.Header, letter []byte) (controller.Reply, []byte, error) {
	var r controller.Reply
	got, no, err := a.send(ctx, query{method: http.MethodPost, path: "/checkv2", header: h, body: letter, limit: scanTime})
	if err != nil {
		return r, nil, err
	}
	switch got.code {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests:
		return r, nil, no(refusal(got))
	default:
		return r, nil, letterError{refusal(got)}
	}
	if err := json.Unmarshal(got.body, &r); err != nil || r.Action == "" || r.Symbols == nil {
		return r, nil, no(errors.New("the answer is no scan's, is this rmilter?"))
	}
	return r, got.body, nil
}
