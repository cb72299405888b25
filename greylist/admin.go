package greylist

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rmilter/internal/store"
)

// Errors of what administrators ask for.
var (
	// ErrNotFound is the error of a key that the stores don't have.
	ErrNotFound = errors.New("no such record")
	// ErrNoWhite is the error of Pass where nothing stays white.
	ErrNoWhite = errors.New("nothing can be made white with expire_white = 0")
)

// An Entry is a record as administrators see it. Its texts are printable ASCII.
type Entry struct {
	Key     string     `json:"key"`              // what Show, Pass and Clear take
	Kind    Kind       `json:"kind"`             //
	State   EntryState `json:"state"`            //
	Client  string     `json:"client,omitempty"` // the first one's address, with Envelope the network
	From    string     `json:"from,omitempty"`   // sender of the first message; "<>" for the null path
	Rcpts   []string   `json:"rcpts,omitempty"`  // its recipients without extension, at most 20
	More    int        `json:"more,omitempty"`   // how many other recipients it had
	Domain  string     `json:"domain,omitempty"` // with Domain: the sender's
	Since   time.Time  `json:"since"`            // of the first attempt, with EntryWhite of passing
	Until   time.Time  `json:"until"`            // when it may pass, with EntryWhite for how long it does
	Expires time.Time  `json:"expires"`          // when it is forgotten
}

// EntryState says how far an Entry is.
type EntryState string

// The states of entries.
const (
	EntryWaiting EntryState = "waiting" // it is too early for another attempt
	EntryReady   EntryState = "ready"   // the next attempt will pass
	EntryWhite   EntryState = "white"   // it has passed
)

const (
	listDefault = 100
	listMost    = 1000
	// Which store a list is at stands before the store's own place in it.
	atGrey, atWhite = "grey:", "white:"
)

// List returns about n entries that a filter matches, 100 for 0 and at most about 1000, and
// where to go on: "" when it is through. It begins with from = "". Entries come in no certain
// order, those that wait before the white ones, and one may come twice. The filter is text
// that stands in the key, the sender or a recipient, in either case; an address or network
// of clients; or several of these with blanks between them, which must all match; "" matches
// all. It looks at every record until it has enough, so it is not for mail.
func (g *Greylist) List(ctx context.Context, stores *store.Set, filter, from string, n int) (entries []Entry, next string, err error) {
	if n <= 0 {
		n = listDefault
	}
	n = min(n, listMost)
	words := parseFilter(filter)
	white := strings.HasPrefix(from, atWhite)
	place := strings.TrimPrefix(strings.TrimPrefix(from, atGrey), atWhite)
	for len(entries) < n {
		var list []listed
		list, place, err = g.read(ctx, stores, white, place)
		if err == nil && !white {
			list, err = g.dropPassed(ctx, stores, list)
		}
		if err != nil {
			return nil, "", err
		}
		for _, l := range list {
			if matchAll(words, &l.entry) {
				entries = append(entries, l.entry)
			}
		}
		switch {
		case place != "":
		case white:
			return entries, "", nil
		default:
			white = true
		}
	}
	if white {
		return entries, atWhite + place, nil
	}
	return entries, atGrey + place, nil
}

// A listed is a record with what is shown of it.
type listed struct {
	key   key
	entry Entry
}

// read returns about listMost records of one of the stores and where to go on.
func (g *Greylist) read(ctx context.Context, stores *store.Set, white bool, place string) (list []listed, next string, err error) {
	begin, from := g.greyPrefix, stores.Grey
	if white {
		begin, from = g.whitePrefix, stores.White
	}
	items, next, err := from.List(ctx, begin+"{", place, listMost)
	if err != nil {
		return nil, "", err
	}
	for _, item := range items {
		k, ok := parseKey(strings.TrimPrefix(item.Key, begin))
		if !ok {
			continue
		}
		r := decode(item.Value).record
		k.of(r)
		list = append(list, listed{k, g.entry(k, r, white)})
	}
	return list, next, nil
}

// dropPassed returns the grey records of which nothing like them has passed.
func (g *Greylist) dropPassed(ctx context.Context, stores *store.Set, list []listed) ([]listed, error) {
	if len(list) == 0 {
		return nil, nil
	}
	var keys []string
	for _, l := range list {
		keys = append(keys, g.whiteKey(l.key))
	}
	values, err := stores.White.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	kept := list[:0]
	for i, l := range list {
		if values[i] == nil {
			kept = append(kept, l)
		}
	}
	return kept, nil
}

// parseKey reads a key of the store behind its prefix; ok is false for what is none of a
// message.
func parseKey(text string) (k key, ok bool) {
	tag, id, ok := strings.Cut(text, ".")
	kind, _, more := strings.Cut(id, "|")
	if !ok || !more || !slices.Contains([]Kind{Data, Envelope, Domain}, Kind(kind)) {
		return key{}, false
	}
	return key{Kind(kind), tag, id, id}, true
}

// entry returns what is shown of a record.
func (g *Greylist) entry(k key, r record, white bool) Entry {
	e := Entry{Key: readable(k.id), Kind: k.kind, State: EntryWhite, Client: r.Client, From: r.From, Rcpts: r.Rcpts, More: r.More,
		Domain: r.Domain, Since: r.Since, Until: r.Expires, Expires: r.Expires}
	if white {
		return e
	}
	e.State, e.Until = EntryReady, r.Since.Add(g.timeout)
	if g.now().Before(e.Until) && !r.Warm {
		e.State = EntryWaiting
	}
	return e
}

// Show returns the entry of a key, the white one where there are two. What isn't there is
// ErrNotFound.
func (g *Greylist) Show(ctx context.Context, stores *store.Set, text string) (Entry, error) {
	f, err := g.find(ctx, stores, text)
	switch {
	case err != nil:
		return Entry{}, err
	case f.white.value != nil:
		return g.entry(f.key, f.white.record, true), nil
	}
	return g.entry(f.key, f.grey.record, false), nil
}

// Pass makes the key of an entry white at once, for as long as if it had passed by itself,
// and returns it. One that is white already gets that time anew. What isn't there is
// ErrNotFound.
func (g *Greylist) Pass(ctx context.Context, stores *store.Set, text string) (Entry, error) {
	f, err := g.find(ctx, stores, text)
	if err != nil {
		return Entry{}, err
	}
	if g.expireWhite <= 0 {
		return Entry{}, ErrNoWhite
	}
	r := f.grey.record
	if f.white.ok {
		r = f.white.record
	}
	now := g.now().UTC().Truncate(time.Millisecond)
	r.Since, r.Expires, r.Warm = now, now.Add(g.expireWhite), false
	_, err = stores.White.Put(ctx, store.Change{Key: g.whiteKey(f.key), Value: r.encode(), Lifetime: g.expireWhite})
	if err != nil {
		return Entry{}, err
	}
	f.key.id = f.key.white
	return g.entry(f.key, r, true), nil
}

// Clear forgets what is known of a key, so that it is new. What isn't there is ErrNotFound.
// Of a domain that has passed, what is known with any recipients is forgotten.
func (g *Greylist) Clear(ctx context.Context, stores *store.Set, text string) error {
	f, err := g.find(ctx, stores, text)
	if err != nil {
		return err
	}
	grey := []string{g.greyKey(f.key)}
	if f.key.kind == Domain {
		for place := ""; ; {
			var items []store.Item
			items, place, err = stores.Grey.List(ctx, g.greyKey(f.key)+"|", place, listMost)
			if err != nil {
				return err
			}
			for _, item := range items {
				grey = append(grey, item.Key)
			}
			if place == "" {
				break
			}
		}
	}
	if _, err := stores.Grey.Delete(ctx, grey...); err != nil {
		return err
	}
	_, err = stores.White.Delete(ctx, g.whiteKey(f.key))
	return err
}

// ClearAll forgets all that a filter matches, as List understands it, and returns how many
// records that were. With "" it forgets everybody, which is no reason for a warmup.
func (g *Greylist) ClearAll(ctx context.Context, stores *store.Set, filter string) (int, error) {
	words := parseFilter(filter)
	n := 0
	for _, white := range []bool{false, true} {
		from := stores.Grey
		if white {
			from = stores.White
		}
		for place := ""; ; {
			list, next, err := g.read(ctx, stores, white, place)
			if err != nil {
				return n, err
			}
			var keys []string
			for _, l := range list {
				if !matchAll(words, &l.entry) {
					continue
				}
				if white {
					keys = append(keys, g.whiteKey(l.key))
				} else {
					keys = append(keys, g.greyKey(l.key))
				}
			}
			if len(keys) > 0 {
				gone, err := from.Delete(ctx, keys...)
				if n += gone; err != nil {
					return n, err
				}
			}
			if place = next; place == "" {
				break
			}
		}
	}
	return n, nil
}

// A place is where the records of a key were found.
type place struct {
	key         key
	grey, white entry
}

// find looks a key up. Its tag can't be told from a key that was cut, so it is looked for
// under each.
func (g *Greylist) find(ctx context.Context, stores *store.Set, text string) (place, error) {
	id := idOf(text)
	var grey, white []string
	var keys []key
	for n := range tags {
		k, ok := parseKey(tag(n) + "." + id)
		if !ok || len(id) > maxID {
			return place{}, ErrNotFound
		}
		keys = append(keys, k)
		grey = append(grey, g.greyKey(k))
		white = append(white, g.whiteKey(k))
	}
	values, others, err := get(ctx, stores, grey, white)
	if err != nil {
		return place{}, err
	}
	for i, k := range keys {
		if values[i] == nil && others[i] == nil {
			continue
		}
		f := place{k, decode(values[i]), decode(others[i])}
		if f.key.of(f.grey.record); f.key.white != k.white {
			values, err := stores.White.Get(ctx, g.whiteKey(f.key))
			if err != nil {
				return place{}, err
			}
			f.white = decode(values[0])
		}
		return f, nil
	}
	return place{}, ErrNotFound
}

// of sets the white record of a domain's key, which is that of the domain alone, by what
// its grey record says.
func (k *key) of(r record) {
	if k.kind == Domain && r.Domain != "" {
		k.white = domainWhite(r.Domain)
	}
}

// domainWhite returns the id of the white record of a domain as it stands in keys.
func domainWhite(name string) string { return store.BoundKey([]byte(string(Domain)+"|"+name), maxID) }

// A word is one of a filter: text, or a network as well when it reads as one.
type word struct {
	text    string
	network netip.Prefix
}

func parseFilter(filter string) []word {
	var words []word
	for _, text := range strings.Fields(strings.ToLower(filter)) {
		w := word{text: text}
		if p, ok := clientOf(strings.Trim(text, "[]")); ok {
			w.network = netip.PrefixFrom(p.Addr().Unmap(), p.Bits())
			if p.Addr().Is4In6() {
				w.network = netip.PrefixFrom(p.Addr().Unmap(), max(0, p.Bits()-96))
			}
		}
		words = append(words, w)
	}
	return words
}

// matchAll tells whether all words match an entry.
func matchAll(words []word, e *Entry) bool {
	return !slices.ContainsFunc(words, func(w word) bool { return !w.match(e) })
}

func (w *word) match(e *Entry) bool {
	if w.network.IsValid() {
		if p, ok := clientOf(e.Client); ok && p.Overlaps(w.network) {
			return true
		}
	}
	in := func(s string) bool { return strings.Contains(strings.ToLower(s), w.text) }
	return in(e.Key) || in("<"+strings.Trim(e.From, "<>")+">") || slices.ContainsFunc(e.Rcpts, in)
}
