package ratelimit

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
	"rmilter/internal/ucl"
)

// A shape is a kind of bucket: what it concerns and what its keys are made of.
type shape struct {
	name   string
	user   bool // SASL users, by login; all others by recipient
	bounce bool // bounces only
	client bool // by client, too
	sender bool // by sender, too
	spares bool // our own mail isn't counted unless limit_ours
}

// shapes are the kinds of buckets; the first of those that refuse is named.
var shapes = [...]shape{
	{name: "user", user: true},
	{name: "bounce_to", bounce: true, spares: true},
	{name: "bounce_to_ip", bounce: true, client: true, spares: true},
	{name: "to_ip_from", client: true, sender: true},
	{name: "to_ip", client: true, spares: true},
	{name: "to", spares: true},
}

// UserBucket is the name of the bucket of SASL users, the one that [Watch] looks at.
const UserBucket = "user"

// Buckets returns the names of the buckets, in the order in which a refusal names them.
func Buckets() []string {
	names := make([]string, len(shapes))
	for i := range shapes {
		names[i] = shapes[i].name
	}
	return names
}

// kindOf returns the index of a kind of bucket, -1 for an unknown name.
func kindOf(name string) int {
	return slices.IndexFunc(shapes[:], func(s shape) bool { return s.name == name })
}

// An Env is what a Limiter needs besides its configuration.
type Env struct {
	Delimiter string           // recipient_delimiter: characters that begin an address extension
	Now       func() time.Time // for what is shown to people; the store's clock decides
}

// A Limiter holds the limits in force. It never changes and is safe for concurrent use.
type Limiter struct {
	conf   Config
	env    Env
	on     bool                     // some bucket is on
	limits [len(shapes)]store.Limit // zero where the bucket is off
	bounce map[string]struct{}      // local parts in lower case; "" is the null sender
}

// New returns the Limiter of a configuration.
func New(c Config, env Env) *Limiter {
	l := &Limiter{conf: c, env: env, bounce: map[string]struct{}{}}
	for i, b := range c.limits() {
		if !b.Off() {
			l.limits[i], l.on = limitOf(b), true
		}
	}
	for _, a := range c.BounceAddrs {
		if a == "<>" {
			a = ""
		}
		l.bounce[strings.ToLower(a)] = struct{}{}
	}
	return l
}

// A Query is a recipient of a message about to be taken.
type Query struct {
	Trust  mail.Trust
	Client netip.Addr // the SMTP client; none is counted by no bucket that needs it
	User   string     // SASL login; it counts with mail.Authenticated only
	From   mail.Address
	Rcpt   mail.Address
}

// A Ticket is what was taken for one recipient, to be given back when the mail isn't
// accepted. The zero Ticket is nothing. Giving it back twice would make room twice.
type Ticket struct{ returns []store.Return }

// Empty tells whether there is nothing to give back.
func (t Ticket) Empty() bool { return len(t.returns) == 0 }

// A Verdict says whether a recipient is refused for now. The zero Verdict lets it pass.
type Verdict struct {
	Refused bool
	Bucket  string        // one of Buckets, the first that refused
	Key     string        // its readable key in the store
	Limit   store.Limit   // its limit
	Wait    time.Duration // until it has room for one
	// Err is the store's error. Without an answer nobody is refused; with Refused it
	// says that the other buckets' pieces could not be given back.
	Err error
}

// Take takes one piece from every bucket that concerns a recipient, in one round trip. If
// one has none, what was taken from the others is given back in a second, and the Ticket
// is empty. Without a bucket that is on and applies, the store is not asked.
func (l *Limiter) Take(ctx context.Context, st store.Store, q Query) (Ticket, Verdict) {
	asked := l.concerned(&q)
	if len(asked) == 0 {
		return Ticket{}, Verdict{}
	}
	grants, err := st.Take(ctx, asked...)
	if err != nil {
		return Ticket{}, Verdict{Err: err}
	}
	var v Verdict
	t := Ticket{make([]store.Return, 0, len(asked))}
	for i, g := range grants {
		switch {
		case g.Taken:
			t.returns = append(t.returns, store.Return{Bucket: asked[i], At: g.At})
		case !v.Refused:
			name, _, _ := strings.Cut(asked[i].Key[len(prefix):], ".")
			v = Verdict{Refused: true, Bucket: name, Key: asked[i].Key, Limit: asked[i].Limit, Wait: g.Wait}
		}
	}
	if !v.Refused {
		return t, v
	}
	v.Err = Give(ctx, st, t)
	return Ticket{}, v
}

// Give gives back what was taken, all in one call of the store. Without anything to give
// the store is not asked.
func Give(ctx context.Context, st store.Store, tickets ...Ticket) error {
	var all []store.Return
	for _, t := range tickets {
		all = append(all, t.returns...)
	}
	for some := range slices.Chunk(all, store.MaxBatch) {
		if err := st.Give(ctx, some...); err != nil {
			return err
		}
	}
	return nil
}

// concerned returns the buckets that concern a recipient, in the order of shapes.
func (l *Limiter) concerned(q *Query) []store.Bucket {
	if !l.on || q.Trust == mail.Local || q.Trust == mail.TrustedRelay || q.Rcpt.IsNull() || l.exempt(q) {
		return nil
	}
	p := parts{
		rcpt:   addressText(stripped(q.Rcpt, l.env.Delimiter)),
		client: clientText(q.Client),
		from:   addressText(q.From),
	}
	if q.Trust == mail.Authenticated {
		p.user = strings.ToLower(q.User)
	}
	_, bounce := l.bounce[strings.ToLower(q.From.Local)]
	bounce = bounce && (q.From.Local != "" || q.From.IsNull())
	spared := q.Trust.Ours() && !bool(l.conf.Ours)
	asked := make([]store.Bucket, 0, len(shapes))
	for i := range shapes {
		s := &shapes[i]
		switch {
		case l.limits[i].Burst == 0,
			s.user && p.user == "",
			s.bounce && !bounce,
			s.client && p.client == "",
			s.spares && spared:
			continue
		}
		asked = append(asked, store.Bucket{Key: s.key(&p), Limit: l.limits[i]})
	}
	return asked
}

// exempt tells whether a whitelist has the client, the user or the recipient.
func (l *Limiter) exempt(q *Query) bool {
	if l.conf.Whitelist.Contains(q.Client) || listed(&l.conf.WhitelistTo, q.Rcpt, l.env.Delimiter) {
		return true
	}
	if q.Trust != mail.Authenticated || l.conf.WhitelistUser.Len() == 0 {
		return false
	}
	// A login is no address: a backslash in it is a character, and it has no extension.
	login := strings.ToLower(q.User)
	at := strings.LastIndexByte(login, '@')
	if at < 0 {
		return l.conf.WhitelistUser.Match(login, "")
	}
	return l.conf.WhitelistUser.Match(login[:at], login[at+1:])
}

// listed tells whether a list has an address, in full or without its extension.
func listed(list *ucl.Recipients, a mail.Address, delimiter string) bool {
	return list.Len() > 0 && (list.Match(strings.ToLower(a.Local), a.Domain) ||
		list.Match(strings.ToLower(a.Strip(delimiter)), a.Domain))
}
