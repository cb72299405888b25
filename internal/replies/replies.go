package replies

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
)

// maxRcpts is how many recipients of a stranger's message are compared.
const maxRcpts = 1000

// Replies knows which mail belongs to mail of our users. It may be used from many
// goroutines.
type Replies struct {
	conf Config
	env  Env
}

// Env is what Replies uses of the outside world.
type Env struct {
	Now       func() time.Time
	IDPrefix  string // what the keys of Message-IDs begin with
	Delimiter string // characters that begin the extension of an address of ours
	// Misses is when a message of ours could not be remembered last. It outlives a
	// reload; nil is one of its own.
	Misses *Misses
}

// Misses is a time that may be set from many goroutines. The zero value is never.
type Misses struct{ at atomic.Int64 } // ns since 1970

// Missed notes that a message of ours, sent by now, is not remembered: no bounce of what
// was sent before is called unknown.
func (r *Replies) Missed() { r.env.Misses.at.Store(r.env.Now().UnixNano()) }

// New returns the Replies of a configuration.
func New(c Config, env Env) *Replies {
	if env.Misses == nil {
		env.Misses = new(Misses)
	}
	return &Replies{conf: c, env: env}
}

// A query is what a message of a stranger says about its relation to others.
type query struct {
	envelope *mail.Envelope
	message  *mail.Message
	ids      []string // that it answers
	returns  returns  // with the null sender
	author   string   // as in records; "" for nobody
	written  string   // the key of those whom our users wrote to, with the author
	accepted string   // the key of those whose mail was accepted, with the author
	keys     []string
	found    map[string][]byte // values by key
	to       map[string]bool   // recipients of the envelope and in To; nil until they are asked for
}

// Lookup returns what is known of a message of a stranger; of ours nothing. It asks
// st.IDs once, and not at all when there is nothing to ask for: as little as two small
// records for mail that answers none. It writes nothing. When the store gives no answer
// the result says so, and the message is as one of which nothing is known.
func (r *Replies) Lookup(ctx context.Context, st *store.Set, e *mail.Envelope, m *mail.Message) mail.Thread {
	if !bool(r.conf.Enable) || e.Trust.Ours() {
		return mail.Thread{}
	}
	t := mail.Thread{Author: author(m)}
	if d := t.Author.Domain; d != "" && !e.From.IsNull() {
		t.Aligned = d == e.From.Domain || mail.RegisteredDomain(d) == mail.RegisteredDomain(e.From.Domain)
	}
	q := r.query(e, m, t.Author)
	if len(q.keys) == 0 {
		return t
	}
	values, err := st.IDs.Get(ctx, q.keys...)
	if err != nil {
		t.Failed = true
		return t
	}
	q.found = make(map[string][]byte, len(values))
	for i, v := range values {
		q.found[q.keys[i]] = v
	}
	r.reply(&t, q)
	r.known(&t, q)
	if e.From.IsNull() {
		r.bounce(&t, q, st.IDs.Health())
	}
	return t
}

// query reads a message and says what to ask for.
func (r *Replies) query(e *mail.Envelope, m *mail.Message, author mail.Address) *query {
	q := &query{envelope: e, message: m, ids: answered(m.Header()), author: addressText(author)}
	for _, id := range q.ids {
		q.keys = append(q.keys, r.sentKey(id))
	}
	if e.From.IsNull() {
		q.returns = returnsOf(m)
		for _, one := range q.returns.messages {
			q.keys = append(q.keys, r.sentKey(one.id))
			if s := q.judged(one); s != "" {
				q.keys = append(q.keys, domainKey(s))
			}
		}
		for _, id := range q.returns.named {
			q.keys = append(q.keys, r.sentKey(id))
		}
	}
	if q.author != "" {
		q.written, q.accepted = writtenKey(q.author), acceptedKey(q.author)
		q.keys = append(q.keys, q.written, q.accepted)
	}
	slices.Sort(q.keys)
	q.keys = slices.Compact(q.keys)
	return q
}

// rcpts returns the recipients that are compared.
func (q *query) rcpts() []mail.Path { return q.envelope.Rcpts[:min(len(q.envelope.Rcpts), maxRcpts)] }

// judged returns the domain of ours by which to judge a returned message that nobody
// knows: that of its id, when it is of the registered domain of a recipient; "" when
// there is no such, or no date to go by.
func (q *query) judged(one returned) string {
	if one.sent.IsZero() {
		return ""
	}
	s := mail.RegisteredDomain(idDomain(one.id))
	for _, rcpt := range q.rcpts() {
		if s != "" && strings.HasSuffix(rcpt.Domain, s) && mail.RegisteredDomain(rcpt.Domain) == s {
			return s
		}
	}
	return ""
}

// reply finds out what the message answers. Of several messages of ours the one counts
// that was sent to the author, else the first.
func (r *Replies) reply(t *mail.Thread, q *query) {
	for _, id := range q.ids {
		sent, ok := parse[sentRecord](q.found[r.sentKey(id)])
		if !ok || !r.comesTo(q, sent.Answers) {
			continue
		}
		if t.Author.Domain != "" && slices.Contains(sent.Domains, mail.RegisteredDomain(t.Author.Domain)) {
			t.Reply, t.ID = mail.Reply, id
			return
		}
		if t.Reply == mail.NoReply {
			t.Reply, t.ID = mail.ClaimedReply, id
		}
	}
}

// comesTo tells whether the message goes to an address to which an answer may come, by
// its envelope or its To.
func (r *Replies) comesTo(q *query, answers []string) bool {
	if q.to == nil {
		q.to = map[string]bool{}
		for _, rcpt := range q.rcpts() {
			q.to[r.own(rcpt.Address)] = true
		}
		to := q.message.Mailboxes("To")
		for i := range to[:min(len(to), maxRcpts)] {
			q.to[r.own(to[i].Address)] = true
		}
	}
	for _, a := range answers {
		if q.to[a] {
			return true
		}
		if before, behind, ok := strings.Cut(a, "*"); ok {
			for to := range q.to {
				if isMade(to, before, behind) {
					return true
				}
			}
		}
	}
	return false
}

// known finds out who the author is to us.
func (r *Replies) known(t *mail.Thread, q *query) {
	if q.author == "" {
		return
	}
	if a, ok := r.find(q.found[q.accepted], q.author); ok {
		t.Noted = a.At
		t.Seen = r.env.Now().Sub(a.Since) >= day
	}
	a, ok := r.find(q.found[q.written], q.author)
	if !ok {
		return
	}
	t.KnownBy = true
	for _, rcpt := range q.rcpts() {
		if t.KnownTo = slices.Contains(a.By, r.own(rcpt.Address)); t.KnownTo {
			return
		}
	}
}

// bounce finds out what a message with the null sender returns.
func (r *Replies) bounce(t *mail.Thread, q *query, health store.Health) {
	// What a message answers is no proof: the id of a list post is public.
	var ids []string
	for _, one := range q.returns.messages {
		ids = append(ids, one.id)
	}
	for _, id := range append(ids, q.returns.named...) {
		value := q.found[r.sentKey(id)]
		if value == nil {
			continue
		}
		if sent, ok := parse[sentRecord](value); ok && r.comesTo(q, sent.Answers) {
			t.Bounce = mail.OurBounce
			if t.ID == "" {
				t.ID = id
			}
			return
		}
	}
	if !health.Up {
		return // a store that is full answers, but remembers no more
	}
	for _, one := range q.returns.messages {
		if q.found[r.sentKey(one.id)] != nil {
			return // it returns a message of ours, if to somebody else
		}
	}
	for _, one := range q.returns.messages {
		s := q.judged(one)
		domain, ok := parse[domainRecord](q.found[domainKey(s)])
		if s != "" && ok && r.remembered(one.sent, domain.Since, health.Since) {
			t.Bounce, t.ID = mail.UnknownBounce, one.id
			return
		}
	}
}

// remembered tells whether a message from a time would be remembered if it was ours: it
// is not older than our memory of the domain, than this run of the store, than what could
// not be remembered and than what is kept, and it is not from the future.
func (r *Replies) remembered(sent, since, up time.Time) bool {
	now := r.env.Now()
	return !sent.Before(since) && !sent.Before(up) && !sent.Before(time.Unix(0, r.env.Misses.at.Load())) &&
		!sent.Before(now.Add(-r.conf.Expire.Std())) && !sent.After(now)
}
