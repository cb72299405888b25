package dkim

import (
	"context"
	"errors"
	"fmt"
)

// The errors of a Lookup. What else it returns is taken for ErrTemporary.
var (
	ErrNotFound  = errors.New("no such record")
	ErrTemporary = errors.New("lookup failed for now")
)

// A Lookup asks the DNS for TXT records, each with its strings joined. Its errors are
// ErrNotFound, when the name or the type doesn't exist, and ErrTemporary, or wrap them.
// It is called from several goroutines at once.
type Lookup interface {
	TXT(ctx context.Context, name string) ([]string, error)
}

// maxRecords is how many TXT records of a name are looked at.
const maxRecords = 16

// An answer is what the DNS said on one key name. What it holds may be read when done
// is closed.
type answer struct {
	done    chan struct{}
	records []Record
	broken  Record // the first that can't be used
	fault   *Fault // why
}

// ask fills in the answer.
func (a *answer) ask(ctx context.Context, l Lookup, name string, lim Limits) {
	defer close(a.done)
	defer func() {
		// Nobody else could catch what panics here, and it would end the program.
		if p := recover(); p != nil {
			a.records, a.fault = nil, &Fault{TempError, KeyUnavailable, printable(fmt.Sprint("lookup panicked: ", p))}
		}
	}()
	txts, err := l.TXT(ctx, name)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && len(txts) == 0:
		a.fault = fault(KeyNotFound, "")
		return
	case err != nil:
		a.fault = &Fault{TempError, KeyUnavailable, printable(err.Error())}
		return
	}
	for _, txt := range txts[:min(len(txts), maxRecords)] {
		r, f := parseRecord(txt, lim)
		if f == nil {
			a.records = append(a.records, r)
		} else if a.fault == nil {
			a.broken, a.fault = r, f
		}
	}
}

// printable cuts and cleans what is said to people.
func printable(s string) string {
	b := []byte(s[:min(len(s), 100)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// keys are the answers for the names of a message, each asked for once.
type keys struct {
	limits  Limits
	answers map[string]*answer
	order   []string
}

// want notes a name. It returns false when there are too many.
func (k *keys) want(name string) bool {
	if k.answers[name] != nil {
		return true
	}
	if len(k.order) == k.limits.Keys {
		return false
	}
	k.answers[name] = &answer{done: make(chan struct{})}
	k.order = append(k.order, name)
	return true
}

// start asks for all names at once.
func (k *keys) start(ctx context.Context, l Lookup) {
	for _, name := range k.order {
		go k.answers[name].ask(ctx, l, name, k.limits)
	}
}

// wait returns the key for a signature.
func (k *keys) wait(ctx context.Context, s *Signature) (Record, *Fault) {
	a := k.answers[keyName(s)]
	if a == nil {
		return Record{}, &Fault{Policy, TooLarge, "key names"}
	}
	select {
	case <-a.done:
	default:
		select {
		case <-a.done:
		case <-ctx.Done():
			return Record{}, &Fault{TempError, KeyUnavailable, "no answer in time"}
		}
	}
	if len(a.records) == 0 {
		return a.broken, a.fault
	}
	// A name may have more records; RFC 6376, section 6.1.2, leaves the choice.
	var unsuitable *Fault
	for _, r := range a.records {
		f := r.suits(s)
		if f == nil {
			return r, nil
		}
		if unsuitable == nil {
			unsuitable = f
		}
	}
	return a.records[0], unsuitable
}

// keyName is where the key of a signature is.
func keyName(s *Signature) string { return s.Selector + "._domainkey." + s.Domain }

// ErrOtherKey means that a published record holds another key.
var ErrOtherKey = errors.New("the record holds another key")

// CheckKey asks for the record of a selector and compares it with the key. The error is
// nil when verifiers will find the key, a *Fault when they won't be able to use what is
// published, ErrOtherKey, or what Lookup returns.
func CheckKey(ctx context.Context, l Lookup, domain, selector string, k *PrivateKey) (Record, error) {
	name := RecordName(domain, selector)
	if name == "" {
		return Record{}, fault(BadDomain, printable(domain+" "+selector))
	}
	txts, err := l.TXT(ctx, name)
	if err != nil {
		return Record{}, err
	}
	err = ErrNotFound
	for _, txt := range txts[:min(len(txts), maxRecords)] {
		r, f := parseRecord(txt, DefaultLimits)
		switch {
		case f == nil && r.Matches(k):
			suits := r.suits(&Signature{Algorithm: k.kind + "-sha256"})
			if suits != nil {
				return r, suits
			}
			return r, nil
		case f == nil:
			err = ErrOtherKey
		case err != ErrOtherKey:
			err = f
		}
	}
	return Record{}, err
}
