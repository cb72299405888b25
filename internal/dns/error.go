package dns

import (
	"errors"
	"net/netip"
	"strings"
)

// A Kind says why a question has no records for an answer.
type Kind string

// The kinds of errors. All but the first three are temporary.
const (
	NotFound    Kind = "not found"     // the name doesn't exist: NXDOMAIN
	NoData      Kind = "no data"       // the name exists and has no such record
	BadName     Kind = "bad name"      // the name is none, nobody was asked
	Timeout     Kind = "timeout"       // no server answered in time
	ServFail    Kind = "server failed" // SERVFAIL and other codes, or a referral instead of an answer
	Refused     Kind = "refused"       // REFUSED
	Truncated   Kind = "truncated"     // too long for UDP, and TCP failed
	Malformed   Kind = "malformed"     // the answer can't be read, is too large or its aliases don't end
	Unreachable Kind = "unreachable"   // no packet could be sent or the server's port is closed
	OverBudget  Kind = "over budget"   // the message has used up its questions or its time
	Busy        Kind = "busy"          // too many questions are in flight
	Canceled    Kind = "canceled"      // the caller or the resolver has ended
)

// An Error says why a lookup found nothing. It is a value of the cache and must not be
// changed.
type Error struct {
	Name   string         // what was asked
	Type   Type           // of which type
	Kind   Kind           // why there is nothing
	Server netip.AddrPort // which server said so last; zero when none did
	Err    error          // the cause, or nil
}

// Error returns one line. The name in it is as it was asked, so it is quoted if it has
// anything but printable ASCII.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("dns: ")
	b.WriteString(e.Type.String())
	b.WriteByte(' ')
	b.WriteString(printable(e.Name))
	b.WriteString(": ")
	b.WriteString(string(e.Kind))
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	if e.Server.IsValid() {
		b.WriteString(" (server ")
		b.WriteString(e.Server.String())
		b.WriteByte(')')
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// NotFound tells whether a server said that there is no such name or record.
func (e *Error) NotFound() bool { return e.Kind == NotFound || e.Kind == NoData }

// Temporary tells whether the same question may have an answer later. It is false for
// a name that doesn't exist or has no such record, and for what isn't a name.
func (e *Error) Temporary() bool { return !e.NotFound() && e.Kind != BadName }

// Timeout tells whether time ran out.
func (e *Error) Timeout() bool { return e.Kind == Timeout || e.Kind == OverBudget }

// KindOf returns the kind of an error of this package, "" of any other and of nil.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

// failure makes the error of one try. The question is added by whoever asked.
func failure(kind Kind, text string) *Error {
	if text == "" {
		return &Error{Kind: kind}
	}
	return &Error{Kind: kind, Err: errors.New(text)}
}
