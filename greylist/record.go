package greylist

import (
	"encoding/json"
	"net/netip"
	"strings"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
)

// What of a message stands in records, for people.
const (
	maxShown  = 320 // bytes of an address
	maxListed = 20  // recipients
)

// A record is a value in the store: of a grey or a white key, or of the time since when a
// store is in use. What isn't times is for people only.
type record struct {
	Since   time.Time `json:"since"`            // first seen; of a white one: passed
	Expires time.Time `json:"expires,omitzero"` // when the store forgets it
	Warm    bool      `json:"warm,omitempty"`   // it was let pass as the store was new
	Client  string    `json:"client,omitempty"` // an address, or a network where that is the key's
	From    string    `json:"from,omitempty"`   // the envelope's sender, "<>" for the null path
	Rcpts   []string  `json:"rcpts,omitempty"`  // some of the recipients
	More    int       `json:"more,omitempty"`   // how many others there are
	Domain  string    `json:"domain,omitempty"` // the sender's, where that is the key's
}

// encode returns the record as a value.
func (r *record) encode() []byte {
	value, err := json.Marshal(r)
	if err != nil { // years of five digits, for which there is no form
		return []byte("{}")
	}
	return value
}

// An entry is what the store has of a key. Without a value there is none; without ok it is
// not a record of ours.
type entry struct {
	value  []byte
	record record
	ok     bool
}

func decode(value []byte) entry {
	e := entry{value: value}
	e.ok = value != nil && json.Unmarshal(value, &e.record) == nil && !e.record.Since.IsZero()
	return e
}

// describe returns a record of a message for a key, without its times.
func describe(k key, q *Query, delimiter string) record {
	r := record{Client: q.Client.Unmap().WithZone("").String(), From: "<>"}
	if !q.From.IsNull() {
		r.From = shown(q.From)
	}
	switch k.kind {
	case Envelope:
		r.Client = network(q.Client).String()
	case Domain:
		r.Domain = string(escape(nil, q.Domain, ""))
	}
	for i := range q.Rcpts[:min(len(q.Rcpts), maxListed)] {
		to := q.Rcpts[i]
		to.Local = to.Strip(delimiter)
		r.Rcpts = append(r.Rcpts, shown(to))
	}
	r.More = len(q.Rcpts) - len(r.Rcpts)
	return r
}

// shown returns an address in printable ASCII.
func shown(a mail.Address) string {
	return store.BoundKey(appendAddress(nil, strings.ToLower(a.Local), strings.ToLower(a.Domain)), maxShown)
}

// clientOf returns the network of a record's client.
func clientOf(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}
