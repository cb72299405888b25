package replies

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"slices"
	"time"

	"rmilter/internal/store"
)

// Bounds of records.
const (
	maxAnswers = 20        // addresses to which an answer to a message may come
	maxDomains = 100       // domains that a message went to
	maxBy      = 8         // users who wrote to somebody
	shards     = 4096      // records into which those who are known are divided
	maxKey     = 250       // bytes
	maxShard   = 256 << 10 // bytes of a record of those who are known
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
	Since time.Time // whole seconds, as At
	At    time.Time // when he was noted last
	By    []string  // who wrote to him, the latest first
}

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

// A shard holds the acquaintances whose addresses have the same hash, a line for each: a
// line feed, the address, the times since and at (RFC 3339), and who wrote to him, with
// blanks between them. Texts are escaped as in keys. Who was noted last stands last.

// seek returns where the line of an address begins and ends, -1 when there is none.
func seek(shard []byte, address string) (from, to int) {
	name := append(store.AppendKey([]byte{'\n'}, address, ""), ' ')
	if from = bytes.Index(shard, name); from < 0 {
		return -1, -1
	}
	return from, from + lineLength(shard[from:])
}

// lineLength returns the length of the first line, whose line feed stands first.
func lineLength(shard []byte) int {
	if next := bytes.IndexByte(shard[1:], '\n'); next >= 0 {
		return 1 + next
	}
	return len(shard)
}

// parseLine reads a line.
func parseLine(line []byte) (a acquaintance, ok bool) {
	_, line, ok = bytes.Cut(line, []byte{' '})
	for _, t := range []*time.Time{&a.Since, &a.At} {
		var field []byte
		var err error
		field, line, _ = bytes.Cut(line, []byte{' '})
		if *t, err = time.Parse(time.RFC3339, string(field)); err != nil {
			return acquaintance{}, false
		}
	}
	for ok && len(line) > 0 {
		var by []byte
		by, line, _ = bytes.Cut(line, []byte{' '})
		a.By = append(a.By, store.KeyText(string(by)))
	}
	return a, ok
}

// appendLine writes the line of an address.
func appendLine(shard []byte, address string, a acquaintance) []byte {
	shard = append(store.AppendKey(append(shard, '\n'), address, ""), ' ')
	shard = append(a.Since.UTC().AppendFormat(shard, time.RFC3339), ' ')
	shard = a.At.UTC().AppendFormat(shard, time.RFC3339)
	for _, by := range a.By {
		shard = store.AppendKey(append(shard, ' '), by, "")
	}
	return shard
}

// find returns who is known under an address, unless it was too long ago.
func (r *Replies) find(shard []byte, address string) (a acquaintance, ok bool) {
	if from, to := seek(shard, address); from >= 0 {
		a, ok = parseLine(shard[from:to])
	}
	if !ok || r.env.Now().Sub(a.At) > r.conf.KnownExpire.Std() {
		return acquaintance{}, false
	}
	return a, true
}

// note writes addresses into a shard, as written to by somebody unless by is "", and
// drops those that are too old or too many. changed is false when all of it was there,
// not older than a day.
func (r *Replies) note(shard []byte, addresses []string, by string) (_ []byte, changed bool) {
	now := r.env.Now().Truncate(time.Second)
	shard = bytes.Clone(shard)
	for _, address := range addresses {
		a, ok := r.find(shard, address)
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
		a.At, changed = now, true
		if from, to := seek(shard, address); from >= 0 {
			shard = slices.Delete(shard, from, to)
		}
		shard = appendLine(shard, address, a)
	}
	if !changed {
		return nil, false
	}
	return r.prune(shard), true
}

// prune drops from a shard who is too old or can't be read, and the oldest that are too
// many: they stand first.
func (r *Replies) prune(shard []byte) []byte {
	most := int(r.conf.MaxKnown) / shards
	for excess := bytes.Count(shard, []byte{'\n'}) - most; len(shard) > 0; excess-- {
		n := lineLength(shard)
		a, ok := parseLine(shard[:n])
		if excess <= 0 && len(shard) <= maxShard && shard[0] == '\n' && ok && r.env.Now().Sub(a.At) <= r.conf.KnownExpire.Std() {
			break
		}
		shard = shard[n:]
	}
	return shard
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
