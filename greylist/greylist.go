package greylist

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
)

// An Env is what a Greylist needs besides its configuration.
type Env struct {
	Now       func() time.Time // the clock
	Location  *time.Location   // of the times in headers; never nil
	Delimiter string           // characters that begin an address extension (recipient_delimiter)
	// GreyPrefix and WhitePrefix are what the keys of the records begin with. Where they
	// are equal, that of the white ones gets "white" at its end.
	GreyPrefix, WhitePrefix string
}

// A Greylist tells which messages are to come again. It never changes and is safe for
// concurrent use.
type Greylist struct {
	on                      bool
	timeout, expire         time.Duration
	expireWhite, warmup     time.Duration
	conf                    Config // for its lists of clients and recipients
	domains                 domainSet
	text                    string
	now                     func() time.Time
	location                *time.Location
	delimiter               string
	greyPrefix, whitePrefix string
}

// New returns a Greylist of a configuration.
func New(c Config, env Env) *Greylist {
	g := &Greylist{
		on:          bool(c.Enable) && c.Timeout > 0 && c.Expire > 0,
		timeout:     c.Timeout.Std(),
		expire:      max(c.Expire.Std(), time.Millisecond),
		expireWhite: c.ExpireWhite.Std(),
		warmup:      c.Warmup.Std(),
		conf:        c,
		domains:     newDomainSet(c.WhitelistDomain),
		text:        replyText(string(c.Message)),
		now:         env.Now,
		location:    env.Location,
		delimiter:   env.Delimiter,
		greyPrefix:  prefix(env.GreyPrefix),
		whitePrefix: prefix(env.WhitePrefix),
	}
	if g.greyPrefix == g.whitePrefix {
		g.whitePrefix = prefix(strings.TrimSuffix(g.whitePrefix, ".") + "white")
	}
	return g
}

// A Query is a message that may be deferred.
type Query struct {
	Client   netip.Addr     // the SMTP client; without one nothing is deferred
	Hostname string         // the client's host name that leads back to its address; "" when there is none
	From     mail.Address   // MAIL FROM
	Rcpts    []mail.Address // RCPT TO; without any nothing is deferred
	Content  *Content       // nil before the message itself is known
	Domain   string         // the sender's domain, when SPF or DKIM authenticates it; "" otherwise
	Known    bool           // the sender is a correspondent of ours; it counts with Domain only
}

// A Content is what a message is recognised by, whatever its envelope is.
type Content struct {
	From    string // address of the From field; case doesn't count
	Subject string // as received
	Body    []byte // as received; the first 10 KiB are used
}

// A State says what greylisting found.
type State byte

// The states. Only First and Early defer.
const (
	Off     State = iota // there is no greylisting
	Exempt               // the configuration exempts the message
	First                // the first attempt: "new"
	Early                // another one before the time is over
	Passed               // the first one after it
	White                // something like it has passed before
	Known                // from a correspondent's domain
	Warmup               // the first attempt, but the store is new
	Future               // its record is from the future
	NoStore              // the store failed
)

// String returns the word of the log line: "off", "exempt", "new", "early", "passed",
// "white", "known", "warmup", "future" or "nostore".
func (s State) String() string {
	words := [...]string{"off", "exempt", "new", "early", "passed", "white", "known", "warmup", "future", "nostore"}
	if int(s) < len(words) {
		return words[s]
	}
	return "unknown"
}

// A Verdict is what greylisting says about a message. The zero Verdict lets it pass.
type Verdict struct {
	State State
	Defer bool   // the message is to come again
	Key   string // what decided, as Show takes it; "" where no record did
	Kind  Kind   // of Key
	// Since is the time of the first attempt, with White that of passing; Until is when
	// it will pass or for how long it has passed; Expires is when it is forgotten. They
	// are zero where there is no record.
	Since, Until, Expires time.Time
	// Waited is how long ago the first attempt was, when the message was deferred and
	// passes now for the first time; 0 otherwise.
	Waited time.Duration
	Header string // value of X-Rmilter-Greylist in printable ASCII; "" for none
	Text   string // text of the reply with Defer: printable ASCII, never empty
	// Err is what the store failed with. With states other than NoStore the verdict
	// stands, and something that should have been remembered may not be.
	Err error
}

// Check tells what becomes of a message, and remembers that it was seen. It takes one round
// trip to the store for what is known and one more where something is remembered, to
// stores.Grey and stores.White at once where they are two. When the store fails, the message
// passes.
func (g *Greylist) Check(ctx context.Context, stores *store.Set, q Query) Verdict {
	if q.Domain = lowerName(q.Domain); len(q.Domain) > maxName {
		q.Domain = "" // there is none so long
	}
	if v, decided := g.before(&q); decided {
		return v
	}
	a := &asked{Greylist: g, ctx: ctx, stores: stores, q: &q, now: g.now().UTC().Truncate(time.Millisecond), keys: g.keys(&q)}
	return a.decide()
}

// before decides what needs no store.
func (g *Greylist) before(q *Query) (v Verdict, decided bool) {
	const listed = " is whitelisted by configuration"
	switch {
	case !g.on:
		return Verdict{State: Off}, true
	case !q.Client.IsValid() || len(q.Rcpts) == 0:
		return Verdict{State: Exempt}, true
	case g.conf.Whitelist.Contains(q.Client):
		return Verdict{State: Exempt, Header: "Sender IP " + q.Client.Unmap().WithZone("").String() + listed}, true
	}
	for _, name := range []string{q.Domain, q.Hostname} {
		if item := g.domains.match(name); item != "" {
			return Verdict{State: Exempt, Header: "Domain " + item + listed}, true
		}
	}
	for _, r := range q.Rcpts {
		if g.exempts(r) {
			// Which one is nobody's business: it may be a blind copy.
			return Verdict{State: Exempt, Header: "A recipient" + listed}, true
		}
	}
	if q.Domain != "" && q.Known {
		return Verdict{State: Known, Kind: Domain, Header: "Sender is a known correspondent"}, true
	}
	return Verdict{}, false
}

// exempts tells whether a recipient is in whitelist_rcpt, with its extension or without.
func (g *Greylist) exempts(rcpt mail.Address) bool {
	list := &g.conf.WhitelistRcpt
	return list.Len() > 0 && (list.Match(strings.ToLower(rcpt.Local), rcpt.Domain) ||
		list.Match(strings.ToLower(rcpt.Strip(g.delimiter)), rcpt.Domain))
}
