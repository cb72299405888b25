package replies

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
)

// Bounds of Remember.
const (
	maxNamed   = 200 // addresses of To and Cc, each, that are looked at
	maxWritten = 50  // recipients of a message who are noted as correspondents
	maxPuts    = 3   // attempts to change records that others change, too
)

// Sent is what is to be remembered of a message of ours. It holds nothing of the
// message itself and may outlive it. The zero value is nothing.
type Sent struct {
	id      string
	account string   // whose mail it is
	answers []string // addresses to which an answer may come
	domains []string // registered domains of strangers that it goes to
	sites   []string // registered domains that it is from
	author  string   // who wrote it
	written []string // strangers that it goes to
}

// Sent reads what is to be remembered of a message of ours, which Remember does once
// it is accepted. Of mail of strangers, and of an inspection, it is nothing.
func (r *Replies) Sent(e *mail.Envelope, m *mail.Message) Sent {
	if !bool(r.conf.Enable) || !e.Trust.Ours() || e.Inspect {
		return Sent{}
	}
	s := Sent{id: ownID(m.Header()), account: e.User}
	switch {
	case s.account != "":
	case e.ClientIP.IsValid():
		s.account = e.ClientIP.String()
	default:
		s.account = "local"
	}
	from := author(m)
	s.author = r.own(from)
	if s.author == "" {
		s.author = r.own(e.From.Address)
	}
	for _, d := range []string{from.Domain, e.From.Domain} {
		if d != "" {
			s.sites = merge(s.sites, []string{mail.RegisteredDomain(d)}, 2)
		}
	}
	s.answers = merge(nil, []string{r.own(from), r.pattern(e.From.Address, e.Rcpts)}, maxAnswers)
	r.addAnswers(&s, m, "Reply-To", false)
	r.addAnswers(&s, m, "To", true)
	r.addAnswers(&s, m, "Cc", true)
	for _, rcpt := range e.Rcpts {
		if rcpt.Domain == "" || len(s.domains) >= maxDomains && len(s.written) >= maxWritten {
			continue
		}
		// Whoever forges a colleague must not pass for one who answers.
		if d := mail.RegisteredDomain(rcpt.Domain); !slices.Contains(s.sites, d) {
			s.domains = merge(s.domains, []string{d}, maxDomains)
			s.written = merge(s.written, []string{addressText(rcpt.Address)}, maxWritten)
		}
	}
	return s.detached()
}

// addAnswers adds the addresses of a field; ours tells to take those alone that are of
// a domain that the message is from.
func (r *Replies) addAnswers(s *Sent, m *mail.Message, field string, ours bool) {
	list := m.Mailboxes(field)
	for i := range list[:min(len(list), maxNamed)] {
		if a := list[i].Address; !ours || slices.Contains(s.sites, mail.RegisteredDomain(a.Domain)) {
			s.answers = merge(s.answers, []string{r.own(a)}, maxAnswers)
		}
	}
}

// detached returns s with texts of its own, which don't hold the message in memory.
func (s Sent) detached() Sent {
	s.id, s.account, s.author = strings.Clone(s.id), strings.Clone(s.account), strings.Clone(s.author)
	for _, list := range [][]string{s.answers, s.domains, s.sites, s.written} {
		for i := range list {
			list[i] = strings.Clone(list[i])
		}
	}
	return s
}

// An update changes the value of a key; edit returns false to leave it.
type update struct {
	key      string
	edit     func(value []byte) ([]byte, bool)
	lifetime time.Duration
}

// Remember remembers an accepted message of ours in st.IDs: two to five round trips,
// none for nothing. An error says that it isn't remembered, or not all of it; no bounce
// of what was sent before is called unknown then.
func (r *Replies) Remember(ctx context.Context, st *store.Set, s Sent) error {
	err := r.remember(ctx, st.IDs, s)
	if err != nil {
		r.Missed()
	}
	return err
}

func (r *Replies) remember(ctx context.Context, st store.Store, s Sent) error {
	groups := map[string][]string{} // strangers by their records
	if s.author != "" {
		for _, address := range s.written {
			k := writtenKey(address)
			groups[k] = append(groups[k], address)
		}
	}
	var keys []string
	if s.id != "" {
		keys = append(keys, r.sentKey(s.id))
	}
	for _, d := range s.sites {
		keys = append(keys, domainKey(d))
	}
	for k := range groups {
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil
	}
	list, err := st.Get(ctx, keys...)
	if err != nil {
		return err
	}
	values := make(map[string][]byte, len(keys))
	for i, k := range keys {
		values[k] = list[i]
	}
	if err := r.admit(ctx, st, &s, groups, values); err != nil {
		return err
	}
	return put(ctx, st, r.updates(s, groups), values)
}

// admit takes away what is new where the account has added too much already.
func (r *Replies) admit(ctx context.Context, st store.Store, s *Sent, groups map[string][]string, values map[string][]byte) error {
	fresh := map[string]bool{}
	for _, d := range s.sites {
		if values[domainKey(d)] == nil {
			fresh[d] = true
		}
	}
	for k, addresses := range groups {
		for _, address := range addresses {
			if a, ok := r.find(values[k], address); !ok || !slices.Contains(a.By, s.author) {
				fresh[address] = true
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	n := int64(len(fresh))
	sums, err := st.Add(ctx, store.Increment{Key: accountKey(s.account), By: n, Lifetime: day})
	if err != nil {
		return err
	}
	room := min(n, max(0, int64(r.conf.MaxNew)-(sums[0]-n)))
	refused := func(who string) bool {
		if !fresh[who] {
			return false
		}
		room--
		return room < 0
	}
	s.sites = slices.DeleteFunc(slices.Clone(s.sites), refused)
	for k := range groups {
		groups[k] = slices.DeleteFunc(groups[k], refused)
	}
	return nil
}

// updates returns the changes that a message makes.
func (r *Replies) updates(s Sent, groups map[string][]string) []update {
	now := r.env.Now().UTC().Truncate(time.Second)
	var all []update
	if s.id != "" {
		all = append(all, update{r.sentKey(s.id), func(value []byte) ([]byte, bool) {
			// A message may come in several transactions, with some recipients each.
			old, ok := parse[sentRecord](value)
			if !ok {
				old.At = now
			}
			answers, domains := len(old.Answers), len(old.Domains)
			old.Answers, old.Domains = merge(old.Answers, s.answers, maxAnswers), merge(old.Domains, s.domains, maxDomains)
			if ok && answers == len(old.Answers) && domains == len(old.Domains) {
				return nil, false
			}
			return encode(old), true
		}, r.conf.Expire.Std()})
	}
	for _, d := range s.sites {
		all = append(all, update{domainKey(d), func(value []byte) ([]byte, bool) {
			old, ok := parse[domainRecord](value)
			// The MTA gives a message without an id one that nobody here knows: what was
			// sent until now is not all remembered.
			if ok && s.id != "" && now.Sub(old.At) < day {
				return nil, false
			}
			if !ok || s.id == "" {
				old.Since = now
			}
			old.At = now
			return encode(old), true
		}, r.conf.KnownExpire.Std()})
	}
	for k, addresses := range groups {
		all = append(all, update{k, func(value []byte) ([]byte, bool) { return r.note(value, addresses, s.author) }, r.conf.KnownExpire.Std()})
	}
	return all
}

// put makes changes to values that were read. Where somebody else was faster it makes
// them to his value, a few times; he wrote much the same then.
func put(ctx context.Context, st store.Store, updates []update, values map[string][]byte) error {
	for range maxPuts {
		var changes []store.Change
		var made []update
		for _, u := range updates {
			old := values[u.key]
			value, ok := u.edit(old)
			if !ok || bytes.Equal(value, old) {
				continue
			}
			c := store.Change{Key: u.key, Value: value, Lifetime: u.lifetime, If: store.Unchanged, Old: old, Volatile: true}
			if old == nil {
				c.If = store.IfAbsent
			}
			changes, made = append(changes, c), append(made, u)
		}
		if len(changes) == 0 {
			return nil
		}
		outcomes, err := st.Put(ctx, changes...)
		if err != nil {
			return err
		}
		updates = nil
		for i, o := range outcomes {
			if !o.Done {
				values[made[i].key] = o.Current
				updates = append(updates, made[i])
			}
		}
	}
	return nil
}

// Saw notes that mail of a stranger was accepted as it came, by what Lookup said of it:
// once a day for each author whose domain the sender of the envelope is of. It takes up
// to four round trips to st.IDs.
func (r *Replies) Saw(ctx context.Context, st *store.Set, t mail.Thread) error {
	address := addressText(t.Author)
	if !bool(r.conf.Enable) || address == "" || !t.Aligned || t.Failed || !t.Noted.IsZero() && r.env.Now().Sub(t.Noted) < day {
		return nil
	}
	k := acceptedKey(address)
	values, err := st.IDs.Get(ctx, k)
	if err != nil {
		return err
	}
	edit := func(value []byte) ([]byte, bool) { return r.note(value, []string{address}, "") }
	return put(ctx, st.IDs, []update{{k, edit, r.conf.KnownExpire.Std()}}, map[string][]byte{k: values[0]})
}
