package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"rmilter/internal/store"
)

// maxReason is how many bytes of a server's error are told.
const maxReason = 200

// A kind is what an error of a command means.
type kind byte

const (
	fine      kind = iota
	silent         // no answer in time
	refused        // nobody is there to answer
	broken         // the connection ended, or didn't come about for another reason
	unable         // the server says that it can't
	corrupt        // the value isn't of this kind
	noScript       // the server doesn't know the script yet
	moved          // another node of the cluster has the key
	asked          // another node of the cluster has the key for now
	cancelled      // the caller gave up
)

// A dialError is that of a connection that didn't come about.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// judge tells what an error of a command means. goredis.Nil, the answer "nothing", is
// fine; wrapped in another error, it is that of a sentinel.
func judge(ctx context.Context, err error) kind {
	if err == nil || err == goredis.Nil {
		return fine
	}
	if reply, ok := errors.AsType[goredis.Error](err); ok && reply != goredis.Nil {
		return judgeReply(reply.Error())
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return cancelled
	}
	var timeout net.Error
	switch dial, ok := errors.AsType[*dialError](err); {
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, goredis.ErrPoolTimeout),
		errors.As(err, &timeout) && timeout.Timeout():
		return silent
	case ok && !errors.Is(dial, context.Canceled):
		return refused
	}
	return broken
}

// judgeReply tells what an error means with which a server answered.
func judgeReply(text string) kind {
	code, _, _ := strings.Cut(text, " ")
	switch {
	case code == "MOVED":
		return moved
	case code == "ASK":
		return asked
	case code == "NOSCRIPT":
		return noScript
	case code == "CORRUPT", strings.Contains(text, "WRONGTYPE"):
		return corrupt
	}
	return unable
}

// unavailable makes the error of a store at an address that can't be asked. A cause is
// what errors.Is finds besides store.ErrUnavailable; nil is none.
func unavailable(address, reason string, cause error) error {
	err := fmt.Errorf("%w: %s: %s", store.ErrUnavailable, address, reason)
	if cause != nil {
		return &causedError{err, cause}
	}
	return err
}

// A causedError wraps the end of a context without telling it.
type causedError struct {
	error
	cause error
}

func (e *causedError) Unwrap() []error { return []error{e.error, e.cause} }

// failure returns the error of the store for one of a command.
func (e *environment) failure(ctx context.Context, address string, k kind, err error) error {
	if k == corrupt {
		return fmt.Errorf("%s: %w: %s", address, store.ErrCorrupt, e.reason(err))
	}
	cause := ctx.Err()
	if k == silent {
		cause = context.DeadlineExceeded
	}
	return unavailable(address, e.reason(err), cause)
}

// reason returns the text of an error for people: without secrets, which servers repeat
// that don't know AUTH, and without what isn't printable.
func (e *environment) reason(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, goredis.Nil):
		return fmt.Sprintf("the sentinels know no master %q", string(e.config.SentinelMaster))
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, io.EOF):
		return "the server closed the connection"
	}
	text := err.Error()
	for _, secret := range e.secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	if len(text) > maxReason {
		text = text[:maxReason] + "..."
	}
	return text
}
