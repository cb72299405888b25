package filter

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"rmilter/internal/mail"
	"rmilter/milter"
	"rmilter/ratelimit"
)

// patience is how long after the last recipient DATA is waited for, until what the
// limits gave goes back: a client that only asks for recipients uses up nothing.
const patience = 30 * time.Second

// A pledge is what the limits gave for the recipients of one transaction. It goes back
// unless the message is accepted.
type pledge struct {
	mu      sync.Mutex
	tickets []ratelimit.Ticket
	queries []ratelimit.Query // what they were given for
	lapsed  []ratelimit.Query // what was given back, as DATA didn't come
	stop    func()            // of the clock that waits for DATA; nil when none runs
}

// add notes what was given and waits anew. lapse is called when DATA doesn't come.
func (p *pledge) add(t ratelimit.Ticket, q ratelimit.Query, after func(time.Duration, func()) func(), lapse func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tickets, p.queries = append(p.tickets, t), append(p.queries, q)
	if p.stop != nil {
		p.stop()
	}
	p.stop = after(patience, lapse)
}

// lapse returns what is to be given back as DATA didn't come, which settle then asks for
// again. It returns nothing when DATA has come meanwhile.
func (p *pledge) lapse() []ratelimit.Ticket {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop == nil {
		return nil
	}
	back := p.tickets
	p.lapsed = append(p.lapsed, p.queries...)
	p.tickets, p.queries, p.stop = nil, nil, nil
	return back
}

// release returns what is to be given back, once, and stops the clock.
func (p *pledge) release() []ratelimit.Ticket {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
	back := p.tickets
	p.tickets = nil
	return back
}

// settle stops the clock, as DATA has come. It returns what has to be asked for again.
func (p *pledge) settle() []ratelimit.Query {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
	again := p.lapsed
	p.lapsed = nil
	return again
}

// limit asks the limits for one recipient. The reply is the zero one when he may have
// the message.
func (s *Session) limit(ctx context.Context, t *transaction, rcpt mail.Address) milter.Reply {
	f := t.filter
	if f.rules.Limits == nil || t.env.Trust == mail.Local || t.env.Trust == mail.TrustedRelay || f.listed(&f.conf.Whitelist, rcpt) {
		return milter.Reply{}
	}
	if t.over != nil { // he has sent more than he may: the store has no more to say
		return s.refuseRcpt(ctx, t, t.env.User, *t.over)
	}
	return s.take(ctx, t, ratelimit.Query{Trust: t.env.Trust, Client: t.env.ClientIP, User: t.env.User, From: t.env.From.Address, Rcpt: rcpt})
}

// take takes from the buckets of one recipient.
func (s *Session) take(ctx context.Context, t *transaction, q ratelimit.Query) milter.Reply {
	f := t.filter
	ticket, v := f.rules.Limits.Take(ctx, t.stores.Limits, q)
	if !v.Refused {
		if !ticket.Empty() {
			t.pledge.add(ticket, q, s.env.After, func() { s.env.giveBack(t.pledge.lapse()) })
		}
		return milter.Reply{}
	}
	return s.refuseRcpt(ctx, t, q.User, v)
}

// refuseRcpt answers for a limit that is reached.
func (s *Session) refuseRcpt(ctx context.Context, t *transaction, user string, v ratelimit.Verdict) milter.Reply {
	s.env.Figures.Limited(v.Bucket)
	if flag := "limited:" + v.Bucket; !slices.Contains(t.flags, flag) {
		t.flags = append(t.flags, flag)
	}
	if v.Bucket == ratelimit.UserBucket {
		s.overLimit(ctx, t, user, v)
		t.over = &v
	}
	if t.filter.conf.DryRun {
		return milter.Reply{}
	}
	return milter.Reply{Action: milter.Respond, Code: 451, Enhanced: "4.7.1", Text: "Rate limit exceeded [" + t.env.ID + "]"}
}

// giveBack returns tickets, out of the MTA's way.
func (env *Env) giveBack(tickets []ratelimit.Ticket) {
	if len(tickets) == 0 {
		return
	}
	env.Errands.Do(func(ctx context.Context) {
		// A store that fails has told so already, and time gives everything back.
		_ = ratelimit.Give(ctx, env.Stores.Limits, tickets...)
	})
}

// overLimit notes a user of ours who sends more than he may, and says so once.
func (s *Session) overLimit(ctx context.Context, t *transaction, user string, v ratelimit.Verdict) {
	a, raise := s.env.Users.Note(ctx, t.stores.Limits, user, v)
	if raise {
		s.env.Log.Warn("user over the limit: the account may be stolen", "user", a.User,
			"limit", fmt.Sprintf("%d at once, one again each %s", a.Limit.Burst, a.Limit.Every), "ip", t.env.ClientIP.String(), "id", t.env.ID)
	}
}
