package ratelimit

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"rmilter/internal/store"
)

const (
	// Quiet is how long a user must not have been refused to be no longer over his limit;
	// the next refusal then raises a new alert.
	Quiet = time.Hour
	// told is how long machines know from each other that an alert was raised. It is
	// shorter than Quiet, so that clocks that differ can't suppress the next one.
	told = Quiet - time.Minute
	// maxWatched bounds the users over their limits that are remembered. With more,
	// the one who was refused the longest ago is forgotten.
	maxWatched  = 1000
	alertPrefix = prefix + "alert."
)

// An Alert says that one of our users has gone over his limit.
type Alert struct {
	User  string      // the login in lower case, cut to 250 bytes
	Limit store.Limit // his limit
	Since time.Time   // when he was refused first
}

// An Over is a user over his limit: one who was refused within the last [Quiet].
type Over struct {
	Alert
	Last    time.Time // when he was refused last
	Refused int64     // how often he was since then
}

// A Watch remembers which users are over their limits, for this process alone, and raises
// one alert for each of them. It outlives a reload. It is safe for concurrent use.
type Watch struct {
	now  func() time.Time
	mu   sync.Mutex
	over map[string]*Over
}

// NewWatch returns a Watch that knows of nobody.
func NewWatch(now func() time.Time) *Watch {
	return &Watch{now: now, over: map[string]*Over{}}
}

// Note takes notice of a verdict on mail of a user. When it is his first refusal by the
// bucket user for [Quiet], and no other machine that shares the store has said so within
// that time, raise is true: the alert is to be told to people, once. The store is asked
// for such a first refusal only; when it can't be, the alert is raised.
func (w *Watch) Note(ctx context.Context, st store.Store, user string, v Verdict) (a Alert, raise bool) {
	if !v.Refused || v.Bucket != UserBucket {
		return Alert{}, false
	}
	a, first := w.note(user, v)
	if !first {
		return a, false
	}
	value, err := json.Marshal(alertRecord{a.User, a.Limit.Burst, a.Limit.Every.String(), a.Since.UTC()})
	if err != nil {
		return a, true
	}
	out, err := st.Put(ctx, store.Change{Key: alertKey(v.Key), Value: value, Lifetime: told, If: store.IfAbsent, Volatile: true})
	return a, err != nil || out[0].Done
}

// alertRecord is what the store keeps of an alert.
type alertRecord struct {
	User  string    `json:"user"`
	Burst int64     `json:"burst"`
	Every string    `json:"every"`
	Since time.Time `json:"since"`
}

// alertKey returns the key of the alert that belongs to a bucket of a user.
func alertKey(bucket string) string {
	return store.BoundKey([]byte(alertPrefix+strings.TrimPrefix(bucket, prefix+UserBucket+".")), maxKey)
}

func (w *Watch) note(user string, v Verdict) (a Alert, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if o := w.over[v.Key]; o != nil && now.Sub(o.Last) < Quiet {
		o.Last, o.Limit = now, v.Limit
		o.Refused++
		return o.Alert, false
	}
	if len(w.over) >= maxWatched {
		w.forgetOldest()
	}
	user = strings.ToLower(user)
	a = Alert{User: user[:min(len(user), maxKey)], Limit: v.Limit, Since: now}
	w.over[v.Key] = &Over{Alert: a, Last: now, Refused: 1}
	return a, true
}

func (w *Watch) forgetOldest() {
	oldest := ""
	for key, o := range w.over {
		if oldest == "" || o.Last.Before(w.over[oldest].Last) {
			oldest = key
		}
	}
	delete(w.over, oldest)
}

// Over returns the users who are over their limits now, the one who was refused last
// first.
func (w *Watch) Over() []Over {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	var all []Over
	for key, o := range w.over {
		if now.Sub(o.Last) >= Quiet {
			delete(w.over, key)
			continue
		}
		all = append(all, *o)
	}
	slices.SortFunc(all, func(a, b Over) int {
		if c := b.Last.Compare(a.Last); c != 0 {
			return c
		}
		return strings.Compare(a.User, b.User)
	})
	return all
}

// Forget forgets users whose buckets were reset, by the keys of these: when they are
// refused again, that is a new alert.
func (w *Watch) Forget(keys ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		delete(w.over, key)
	}
}
