package replies

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"rmilter/internal/store"
)

// Bounds of records.
const (
	maxAnswers = 20   // addresses to which an answer to a message may come
	maxDomains = 100  // domains that a message went to
	maxBy      = 8    // users who wrote to somebody
	shards     = 4096 // records into which those who are known are divided
	maxKey     = 250  // bytes
)

// A sentRecord is what is remembered of a message of ours.
type sentRecord struct {
	At      time.Time `json:"at"`
	Answers []string  `json:"answers"`           // addresses to which an answer may come
	Domains []string  `json:"domains,omitempty"` // registered domains of recipients
}

// A domainRecord is what is remembered of a domain of ours.
type domainRecord struct {
	Since time.Time `json:"since"` // mail from it has been remembered since then
	At    time.Time `json:"at"`    // when this was written
}

// An acquaintance is somebody whom our users wrote to, or whose mail was accepted.
type acquaintance struct {
	Since time.Time `json:"since"`
	At    time.Time `json:"at"`           // when he was noted last
	By    []string  `json:"by,omitempty"` // who wrote to him, the latest first
}

// A shard holds the acquaintances whose addresses have the same hash.
type shard map[string]acquaintance

// parse reads a record. What can't be read is as if it weren't there.
func parse[T any](value []byte) (record T, ok bool) {
	if value == nil || json.Unmarshal(value, &record) != nil {
		var none T
		return none, false
	}
	return record, true
}

// encode writes a record.
func encode(record any) []byte {
	value, err := json.Marshal(record)
	if err != nil {
		panic(err) // records hold texts and times of this century
	}
	return value
}

// sentKey returns the key of a message.
func (r *Replies) sentKey(id string) string { return key(r.env.IDPrefix+".", id) }

// Keys of all else.
func domainKey(site string) string       { return key("known.domain.", site) }
func accountKey(account string) string   { return key("known.new.", account) }
func writtenKey(address string) string   { return shardKey("known.to.", address) }
func acceptedKey(address string) string  { return shardKey("known.from.", address) }
func shardKey(prefix, who string) string { return prefix + hex.EncodeToString(shardOf(who)) }

// shardOf returns the number of an address's shard in two bytes.
func shardOf(address string) []byte {
	h := fnv.New32a()
	h.Write([]byte(address))
	n := h.Sum32() % shards
	return []byte{byte(n >> 8), byte(n)}
}

// key returns a key in printable ASCII.
func key(prefix, name string) string {
	return store.BoundKey(store.AppendKey([]byte(prefix), name, ""), maxKey)
}

// find returns who is known under an address, unless it was too long ago.
func (r *Replies) find(value []byte, address string) (a acquaintance, ok bool) {
	if json.NewDecoder(bytes.NewReader(member(value, address))).Decode(&a) != nil || r.env.Now().Sub(a.At) > r.conf.KnownExpire.Std() {
		return acquaintance{}, false
	}
	return a, true
}

// member returns a shard from the value of an address on, nil when it isn't there. To
// read the whole shard for it would cost many times as much.
func member(value []byte, address string) []byte {
	name := append(encode(address), ':')
	for {
		i := bytes.Index(value, name)
		switch {
		case i <= 0:
			return nil
		case value[i-1] == '{' || value[i-1] == ',': // not a quote within a longer name
			return value[i+len(name):]
		}
		value = value[i+1:]
	}
}

// note writes addresses into a shard, as written to by somebody unless by is "", and
// drops those that are too old or too many. changed is false when all of it was there,
// not older than a day.
func (r *Replies) note(value []byte, addresses []string, by string) (_ []byte, changed bool) {
	now := r.env.Now().UTC().Truncate(time.Second)
	s, _ := parse[shard](value)
	if s == nil {
		s = shard{}
	}
	for _, address := range addresses {
		a, ok := s[address]
		if ok && now.Sub(a.At) > r.conf.KnownExpire.Std() {
			a, ok = acquaintance{}, false
		}
		if !ok {
			a.Since = now
		}
		stranger := by != "" && !slices.Contains(a.By, by)
		if ok && !stranger && now.Sub(a.At) < day {
			continue
		}
		if stranger {
			a.By = append([]string{by}, a.By[:min(len(a.By), maxBy-1)]...)
		}
		a.At = now
		s[address], changed = a, true
	}
	if !changed {
		return nil, false
	}
	r.prune(s, now)
	return encode(s), true
}

// prune drops from a shard who is too old, and the oldest that are too many.
func (r *Replies) prune(s shard, now time.Time) {
	maps.DeleteFunc(s, func(_ string, a acquaintance) bool { return now.Sub(a.At) > r.conf.KnownExpire.Std() })
	most := int(r.conf.MaxKnown) / shards
	if len(s) <= most {
		return
	}
	oldest := slices.SortedFunc(maps.Keys(s), func(a, b string) int {
		return cmp.Or(s[a].At.Compare(s[b].At), cmp.Compare(a, b))
	})
	for _, address := range oldest[:len(s)-most] {
		delete(s, address)
	}
}

// merge adds texts to a list that has room for most, each once.
func merge(list []string, more []string, most int) []string {
	for _, s := range more {
		if len(list) >= most {
			break
		}
		if s != "" && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
