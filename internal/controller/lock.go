package controller

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"rmilter/internal/password"
)

// Bounds of guessing, as rspamd's.
const (
	maxFailures   = 10          // wrong passwords of one source within failureWindow
	failureWindow = time.Minute // counted from the first of them
	maxSources    = 1024        // sources whose failures are remembered
)

// errTooMany is about a source that has guessed too often.
var errTooMany = errors.New("too many authentication failures")

// A sum stands for a password given: nothing can be learned from it.
type sum [sha256.Size]byte

// equal takes the same time for any two.
func (s *sum) equal(t *sum) bool { return s != nil && subtle.ConstantTimeCompare(s[:], t[:]) == 1 }

// A secret is a password of the policy.
type secret struct {
	text      string             // as configured
	encrypted password.Encrypted // the zero value when text is the password itself

	right atomic.Pointer[sum] // of the one that matches; nil until it was given once
	wrong atomic.Pointer[sum] // of the one that was found not to match last; may be nil
}

// knows tells whether a password matches, if that can be told at once.
func (s *secret) knows(given *sum) (matches, known bool) {
	right := s.right.Load()
	if right.equal(given) {
		return true, true
	}
	return false, right != nil || s.wrong.Load().equal(given)
}

// verify finds out whether a password matches, which takes time.
func (s *secret) verify(text string, given *sum) bool {
	if s.encrypted.Verify(text) {
		s.right.Store(given)
		return true
	}
	s.wrong.Store(given)
	return false
}

// A lock compares passwords with those of the policy, and keeps guesses from taking the
// machine's time: one is verified at a time, and a source that was wrong too often is
// not heard for the rest of a minute. It outlives the policies, and is safe for
// concurrent use.
type lock struct {
	key   [32]byte // of the sums
	now   func() time.Time
	log   *slog.Logger
	wrong func()        // counts wrong passwords; may be nil
	slow  chan struct{} // has a value in it while a password is verified

	mu       sync.Mutex
	failures map[netip.Prefix]failures
}

// failures are the wrong passwords of a source.
type failures struct {
	count int
	since time.Time // of the first
}

func newLock(o Options) *lock {
	l := &lock{now: o.Now, log: o.Log, wrong: o.WrongPassword, slow: make(chan struct{}, 1), failures: make(map[netip.Prefix]failures)}
	rand.Read(l.key[:]) // it never fails
	return l
}

func (l *lock) sum(text string) *sum {
	h := hmac.New(sha256.New, l.key[:])
	h.Write([]byte(text))
	return (*sum)(h.Sum(nil))
}

// newSecret makes a secret of a configured password. One of the same password that was
// there before is taken with what it knows.
func (l *lock) newSecret(text string, before *secret) (*secret, error) {
	if before != nil {
		return before, nil
	}
	s := &secret{text: text}
	if !password.IsEncrypted(text) {
		s.right.Store(l.sum(text))
		return s, nil
	}
	var err error
	s.encrypted, err = password.Parse(text)
	return s, err
}

// opens returns what the password of a request gives access to, at least as far as it is
// needed. The error is errTooMany, or that of the request's context, which ends the wait
// for the turn.
func (l *lock) opens(g *guard, r *http.Request, needs access) (access, error) {
	text, source := r.Header.Get("Password"), sourceOf(r.RemoteAddr)
	if text == "" {
		return open, nil
	}
	if l.blocked(source) {
		return open, errTooMany
	}
	given := l.sum(text)
	has, unknown := g.known(given, needs)
	if len(unknown) > 0 {
		select {
		case l.slow <- struct{}{}:
			defer func() { <-l.slow }()
		case <-r.Context().Done():
			return open, r.Context().Err()
		}
		// While this one waited, others of the same source may have failed.
		if l.blocked(source) {
			return open, errTooMany
		}
		has, unknown = g.known(given, needs)
	}
	for _, k := range unknown {
		if k.verify(text, given) {
			has = k.opens
			break
		}
	}
	if has == open {
		l.fail(source, r)
	}
	return has, nil
}

// blocked tells whether a source has guessed too often.
func (l *lock) blocked(source netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.failures[source]
	return f.count >= maxFailures && l.now().Sub(f.since) < failureWindow
}

// fail notes a wrong password.
func (l *lock) fail(source netip.Prefix, r *http.Request) {
	l.mu.Lock()
	f, known := l.failures[source]
	if now := l.now(); !known || now.Sub(f.since) >= failureWindow {
		f = failures{since: now}
	}
	if !known && len(l.failures) >= maxSources {
		l.forgetOldest()
	}
	f.count++
	l.failures[source] = f
	l.mu.Unlock()
	if l.wrong != nil {
		l.wrong()
	}
	l.log.Warn("controller: wrong password", "client", r.RemoteAddr, "path", r.URL.Path)
	if f.count == maxFailures {
		l.log.Warn("controller: too many wrong passwords: further ones are not looked at", "source", source.String(), "until", f.since.Add(failureWindow).Format(time.TimeOnly))
	}
}

// forgetOldest makes room for another source.
func (l *lock) forgetOldest() {
	var oldest netip.Prefix
	for source, f := range l.failures {
		if first := l.failures[oldest]; first.count == 0 || f.since.Before(first.since) {
			oldest = source
		}
	}
	delete(l.failures, oldest)
}

// sourceOf returns what is blocked with a client: its address, or the network of an
// IPv6 customer. It is the zero Prefix for what is no address.
func sourceOf(remote string) netip.Prefix {
	client, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr := client.Addr().Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	source, _ := addr.Prefix(bits)
	return source
}
