package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
)

// ErrNotBucket is wrapped by the errors of keys and names that are no bucket's.
var ErrNotBucket = errors.New("not a rate limit")

// An Entry is what people are shown of a bucket. Of Rcpt, Client, From and User those are
// "" that its kind doesn't have, and the last one of a very long key ends in ~ and a hash.
type Entry struct {
	Key    string
	Bucket string // one of Buckets
	Rcpt   string // without extension
	Client string // an IPv4 address or an IPv6 /64
	From   string // "<>" is the null sender
	User   string
	Limit  store.Limit // in force now; zero when this kind of bucket is off
	Used   int64       // pieces in use now, rounded up; 0 when it is off
	Full   time.Time   // when the bucket is full again; zero when it is or when it is off
}

// A Filter chooses buckets. The zero Filter chooses all.
type Filter struct {
	Bucket string // one of Buckets; "" any
	// Who is whom they concern, in full and in any case: a recipient with or without
	// extension, a sender, a login, @domain for all addresses of a domain, or a client's
	// address. "" is anybody.
	Who string
}

// List returns the buckets in the store that a filter chooses, out of the next about n,
// and where to go on: "" when it is through. There may be more even when there are none
// in this part. It begins with from = "".
func (l *Limiter) List(ctx context.Context, st store.Store, f Filter, from string, n int) ([]Entry, string, error) {
	begin := prefix
	if f.Bucket != "" {
		if kindOf(f.Bucket) < 0 {
			return nil, "", fmt.Errorf("%w: %q; expected one of %s", ErrNotBucket, f.Bucket, strings.Join(Buckets(), ", "))
		}
		begin += f.Bucket + "."
	}
	items, next, err := st.List(ctx, begin, from, n)
	if err != nil {
		return nil, "", err
	}
	who := l.wanted(f.Who)
	var entries []Entry
	for _, item := range items {
		if e, ok := l.entry(item.Key, item.Value); ok && who.chooses(&e) {
			entries = append(entries, e)
		}
	}
	return entries, next, nil
}

// Show returns those of the buckets with these keys that are in the store.
func (l *Limiter) Show(ctx context.Context, st store.Store, keys ...string) ([]Entry, error) {
	if err := areBuckets(keys); err != nil {
		return nil, err
	}
	values, err := st.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for i, value := range values {
		if value == nil {
			continue
		}
		if e, ok := l.entry(keys[i], value); ok {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// Reset makes the buckets with these keys full and returns how many there were. The
// alerts of users are taken back with their buckets; see [Watch.Forget], too.
func Reset(ctx context.Context, st store.Store, keys ...string) (int, error) {
	if err := areBuckets(keys); err != nil {
		return 0, err
	}
	var alerts []string
	for _, key := range keys {
		if strings.HasPrefix(key, prefix+UserBucket+".") {
			alerts = append(alerts, alertKey(key))
		}
	}
	if len(alerts) > 0 {
		if _, err := st.Delete(ctx, alerts...); err != nil {
			return 0, err
		}
	}
	return st.Delete(ctx, keys...)
}

// ResetAll makes all buckets full that a filter chooses and returns their keys, also
// those up to an error.
func (l *Limiter) ResetAll(ctx context.Context, st store.Store, f Filter) (keys []string, err error) {
	const page = 1000
	for from := ""; ; {
		entries, next, err := l.List(ctx, st, f, from, page)
		if err != nil {
			return keys, err
		}
		some := make([]string, len(entries))
		for i := range entries {
			some[i] = entries[i].Key
		}
		if len(some) > 0 {
			if _, err := Reset(ctx, st, some...); err != nil {
				return keys, err
			}
			keys = append(keys, some...)
		}
		if from = next; from == "" {
			return keys, nil
		}
	}
}

func areBuckets(keys []string) error {
	for _, key := range keys {
		if _, _, ok := parseKey(key); !ok {
			return fmt.Errorf("%w: %q", ErrNotBucket, key)
		}
	}
	return nil
}

// entry returns what a record says; ok is false for keys that aren't of buckets.
func (l *Limiter) entry(key string, value []byte) (e Entry, ok bool) {
	i, p, ok := parseKey(key)
	if !ok {
		return Entry{}, false
	}
	e = Entry{Key: key, Bucket: shapes[i].name, Rcpt: p.rcpt, Client: p.client, From: p.from, User: p.user, Limit: l.limits[i]}
	if e.Limit.Burst == 0 {
		return e, true
	}
	now := l.env.Now()
	state := store.ParseBucket(value)
	e.Used = state.Used(now, e.Limit)
	// A bucket of one piece has to wait for just as long as this one needs to be full.
	if g := state.Take(now, store.Limit{Burst: 1, Every: e.Limit.Every}); !g.Taken {
		e.Full = now.Add(g.Wait)
	}
	return e, true
}

// A wanted is a Filter's Who as it is compared.
type wanted struct {
	any    bool
	text   string // as given: a login, an address or a client
	full   string // the address
	rcpt   string // the address without its extension
	domain string // with its @
	client string
}

func (l *Limiter) wanted(who string) wanted {
	who = strings.ToLower(strings.TrimSpace(who))
	if who == "" {
		return wanted{any: true}
	}
	if strings.HasPrefix(who, "@") {
		return wanted{domain: who}
	}
	a := mail.ParseAddress(who)
	w := wanted{text: who, full: addressText(a), rcpt: addressText(stripped(a, l.env.Delimiter)), client: who}
	if addr, err := netip.ParseAddr(strings.Trim(who, "[]")); err == nil {
		w.client = clientText(addr)
	}
	return w
}

func (w *wanted) chooses(e *Entry) bool {
	if w.any {
		return true
	}
	if w.domain != "" {
		return strings.HasSuffix(e.Rcpt, w.domain) || strings.HasSuffix(e.From, w.domain) || strings.HasSuffix(e.User, w.domain)
	}
	return e.Rcpt == w.rcpt || e.From == w.full || e.User == w.text || e.Client == w.client
}
