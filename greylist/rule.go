package greylist

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rmilter/internal/store"
)

// clockSlack is how far the clocks of two machines that share a store may differ.
const clockSlack = time.Minute

// An asked is a message about which is asked, and what the stores have about it.
type asked struct {
	*Greylist
	ctx    context.Context
	stores *store.Set
	q      *Query
	now    time.Time
	keys   []key

	grey, white       []entry // by keys
	unmarked          bool    // a time since when a store is in use is missing
	warmUntil         time.Time
	newGrey, newWhite []store.Change // to be written
}

// look asks the stores. It returns the times since when they are in use and the
// grey records, as values.
func (a *asked) look() (used, grey [][]byte, err error) {
	tag := a.keys[0].tag
	keys := []string{a.greyPrefix + tag + "." + since}
	others := []string{a.whitePrefix + tag + "." + since}
	for _, k := range a.keys {
		keys = append(keys, a.greyKey(k))
		others = append(others, a.whiteKey(k))
	}
	grey, white, err := get(a.ctx, a.stores, keys, others)
	if err != nil {
		return nil, nil, err
	}
	for _, value := range white[1:] {
		a.white = append(a.white, decode(value))
	}
	return [][]byte{grey[0], white[0]}, grey[1:], nil
}

// readUse reads the times since when the stores are in use.
func (a *asked) readUse(used [][]byte) {
	for _, value := range used {
		begin := a.now
		if value == nil {
			a.unmarked = true
		} else if e := decode(value); e.ok {
			begin = e.record.Since
		} else {
			continue
		}
		// One from the future comes of a wrong clock and tells nothing.
		if end := begin.Add(a.warmup); !begin.After(a.now.Add(clockSlack)) && end.After(a.warmUntil) {
			a.warmUntil = end
		}
	}
}

// decide asks the stores, goes by what they have, and writes what is to be remembered.
func (a *asked) decide() Verdict {
	used, grey, err := a.look()
	if err != nil {
		return Verdict{State: NoStore, Err: err}
	}
	// What was sent before counts more than what is sent now: its white record lives on.
	for i := len(a.keys) - 1; i >= 0; i-- {
		if a.white[i].value != nil {
			return a.pass(i)
		}
	}
	a.readUse(used)
	for _, value := range grey {
		a.grey = append(a.grey, decode(value))
	}
	a.markStores()
	for i := range a.keys {
		if a.grey[i].ok {
			return a.byRecord(i)
		}
	}
	return a.create()
}

// pass is the verdict for a key that has a white record, which it gives more time.
func (a *asked) pass(i int) Verdict {
	k, e := a.keys[i], a.white[i]
	v := a.verdict(White, k, e.record)
	step := min(24*time.Hour, a.expireWhite/2)
	stale := k.kind != Data && e.record.Expires.Sub(a.now) < a.expireWhite-step
	if e.ok && !stale || a.expireWhite <= 0 {
		return v
	}
	r := describe(k, a.q, a.delimiter)
	r.Since, r.Expires = e.record.Since, a.now.Add(a.expireWhite)
	if !e.ok {
		r.Since = a.now
	}
	// Where it has changed meanwhile, somebody else did this, or it was taken back.
	out, err := a.stores.White.Put(a.ctx, store.Change{Key: a.whiteKey(k), Value: r.encode(), Lifetime: a.expireWhite,
		If: store.Unchanged, Old: e.value, Volatile: true})
	if err == nil && out[0].Done {
		v = a.verdict(White, k, r)
	}
	v.Err = err
	return v
}

// byRecord is the verdict for a key that has a grey record and no white one.
func (a *asked) byRecord(i int) Verdict {
	k, r := a.keys[i], a.grey[i].record
	v := a.verdict(a.stateOf(r), k, r)
	if v.State == Passed {
		return a.firstPass(i)
	}
	if v.State == Early {
		for j := range a.keys[:i] {
			// The text is new and the envelope waits: it needs to wait no longer.
			a.remember(j, r.Since, false)
		}
	}
	if _, _, err := a.write(); err != nil {
		return a.failed(v, err)
	}
	return v
}

// stateOf tells what becomes of a message with a grey record.
func (a *asked) stateOf(r record) State {
	switch {
	case r.Since.After(a.now.Add(clockSlack)):
		return Future
	case a.now.Sub(r.Since) >= a.timeout:
		return Passed
	case r.Warm || a.now.Before(a.warmUntil):
		return Warmup
	}
	return Early
}

// firstPass is the verdict for a key whose time is over. All keys of the message of which
// that is so get a white record.
func (a *asked) firstPass(decides int) Verdict {
	k, r := a.keys[decides], a.grey[decides].record
	at := -1
	for i := range a.keys {
		if e := a.grey[i]; !e.ok || a.stateOf(e.record) != Passed || a.expireWhite <= 0 {
			continue
		}
		if i == decides {
			at = len(a.newWhite)
		}
		w := describe(a.keys[i], a.q, a.delimiter)
		w.Since, w.Expires = a.now, a.now.Add(a.expireWhite)
		a.newWhite = append(a.newWhite, store.Change{Key: a.whiteKey(a.keys[i]), Value: w.encode(), Lifetime: a.expireWhite, If: store.IfAbsent})
	}
	v := a.verdict(Passed, k, r)
	_, out, err := a.write()
	if err != nil {
		v.Err = err
		return v
	}
	if at >= 0 && !out[at].Done {
		// Another attempt was quicker.
		return a.verdict(White, k, decode(out[at].Current).record)
	}
	return v
}

// create is the verdict where there is no record at all: each key gets one.
func (a *asked) create() Verdict {
	warm := a.now.Before(a.warmUntil)
	var at int
	for i := range a.keys {
		at = len(a.newGrey)
		a.remember(i, a.now, warm)
	}
	last := len(a.keys) - 1
	state := First
	if warm {
		state = Warmup
	}
	r := record{Since: a.now, Expires: a.now.Add(a.expire), Warm: warm}
	v := a.verdict(state, a.keys[last], r)
	out, _, err := a.write()
	switch {
	case err != nil:
		return a.failed(v, err)
	case out[at].Done:
		return v
	}
	// Another attempt was quicker: what it wrote counts.
	e := decode(out[at].Current)
	if !e.ok {
		return a.failed(v, fmt.Errorf("the record of %s changed at once to what is none: %w", v.Key, store.ErrCorrupt))
	}
	v = a.verdict(a.stateOf(e.record), a.keys[last], e.record)
	return v
}

// failed is what becomes of a verdict that could not be remembered: who is deferred without
// that would be so forever.
func (a *asked) failed(v Verdict, err error) Verdict {
	if v.Defer {
		return Verdict{State: NoStore, Err: err}
	}
	v.Err = err
	return v
}

// remember notes that a key without a record gets one.
func (a *asked) remember(i int, begin time.Time, warm bool) {
	k := a.keys[i]
	r := describe(k, a.q, a.delimiter)
	r.Since, r.Expires, r.Warm = begin, a.now.Add(a.expire), warm
	c := store.Change{Key: a.greyKey(k), Value: r.encode(), Lifetime: a.expire, If: store.IfAbsent, Volatile: true}
	if old := a.grey[i].value; old != nil {
		// It is none of ours, and would be in the way for as long as it lives.
		c.If, c.Old = store.Unchanged, old
	}
	a.newGrey = append(a.newGrey, c)
}

// markStores notes that the stores get the times since when they are in use, where they
// have none: for all tags, as those that aren't missing stay.
func (a *asked) markStores() {
	if !a.unmarked {
		return
	}
	value := (&record{Since: a.now}).encode()
	for n := range tags {
		end := tag(n) + "." + since
		a.newGrey = append(a.newGrey, store.Change{Key: a.greyPrefix + end, Value: value, If: store.IfAbsent})
		a.newWhite = append(a.newWhite, store.Change{Key: a.whitePrefix + end, Value: value, If: store.IfAbsent})
	}
}

// write makes the changes that were noted.
func (a *asked) write() (grey, white []store.Outcome, err error) {
	return put(a.ctx, a.stores, a.newGrey, a.newWhite)
}

func (g *Greylist) greyKey(k key) string  { return g.greyPrefix + k.tag + "." + k.id }
func (g *Greylist) whiteKey(k key) string { return g.whitePrefix + k.tag + "." + k.white }

// get asks both stores at once, or the one that they are.
func get(ctx context.Context, stores *store.Set, grey, white []string) (g, w [][]byte, err error) {
	if stores.Grey == stores.White {
		both, err := stores.Grey.Get(ctx, append(grey, white...)...)
		if err != nil {
			return nil, nil, err
		}
		return both[:len(grey)], both[len(grey):], nil
	}
	var other error
	var wg sync.WaitGroup
	wg.Go(func() { w, other = stores.White.Get(ctx, white...) })
	g, err = stores.Grey.Get(ctx, grey...)
	wg.Wait()
	return g, w, errors.Join(err, other)
}

// put changes both stores at once, or the one that they are, as far as there is something
// to change.
func put(ctx context.Context, stores *store.Set, grey, white []store.Change) (g, w []store.Outcome, err error) {
	if stores.Grey == stores.White {
		if len(grey)+len(white) == 0 {
			return nil, nil, nil
		}
		both, err := stores.Grey.Put(ctx, append(grey, white...)...)
		if err != nil {
			return nil, nil, err
		}
		return both[:len(grey)], both[len(grey):], nil
	}
	var other error
	var wg sync.WaitGroup
	if len(white) > 0 {
		wg.Go(func() { w, other = stores.White.Put(ctx, white...) })
	}
	if len(grey) > 0 {
		g, err = stores.Grey.Put(ctx, grey...)
	}
	wg.Wait()
	return g, w, errors.Join(err, other)
}
