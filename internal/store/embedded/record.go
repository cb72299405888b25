package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"rmilter/internal/store"
)

// Kinds of records: the first byte of a key on disk.
const (
	kindKey   = 'k' // k name: a value, counter or bucket
	kindLease = 'e' // e name: who holds it
	kindLog   = 'l' // l name NUL position: an entry
	kindTail  = 't' // t name: the position that was given last
)

// A record is what the disk keeps for a key or a lease: when it ends, in microseconds
// since 1970 or 0 for never, and the value.
type record struct {
	ends  int64
	value []byte
}

var errShort = errors.New("record without its time")

func parseRecord(raw []byte) (record, error) {
	if len(raw) < 8 {
		return record{}, errShort
	}
	return record{int64(binary.BigEndian.Uint64(raw)), raw[8:]}, nil
}

// encode returns the record for the disk; nothing of it is shared with the value.
func (r record) encode() []byte {
	raw := make([]byte, 0, 8+len(r.value))
	return append(binary.BigEndian.AppendUint64(raw, uint64(r.ends)), r.value...)
}

func (r record) alive(now time.Time) bool { return r.ends == 0 || now.UnixMicro() < r.ends }

// lifetime is what remains of a record that is alive.
func (r record) lifetime(now time.Time) time.Duration {
	if r.ends == 0 {
		return store.Forever
	}
	return time.Duration(min(r.ends-now.UnixMicro(), int64(1<<63-1)/1000)) * time.Microsecond
}

// ends says when what begins now and has a lifetime ends.
func ends(now time.Time, lifetime time.Duration) int64 {
	if lifetime == store.Forever {
		return 0
	}
	return max(1, now.UnixMicro()+(lifetime+time.Microsecond-1).Microseconds())
}

func diskKey(kind byte, name string) []byte {
	return append([]byte{kind}, name...)
}

// diskKeys returns the keys on disk of n names of kindKey, in one piece of memory.
func diskKeys(n int, name func(int) string) [][]byte {
	size := n
	for i := range n {
		size += len(name(i))
	}
	all, keys := make([]byte, 0, size), make([][]byte, n)
	for i := range keys {
		from := len(all)
		all = append(append(all, kindKey), name(i)...)
		keys[i] = all[from:len(all):len(all)]
	}
	return keys
}

// after returns the first key that comes after all that begin with a prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// logPrefix begins the keys of a log's entries. The name's length keeps a log apart from
// others whose names begin alike.
func logPrefix(name string) []byte {
	key := binary.BigEndian.AppendUint16([]byte{kindLog}, uint16(len(name)))
	return append(key, name...)
}

func logKey(name string, position uint64) []byte {
	return binary.BigEndian.AppendUint64(logPrefix(name), position)
}

// parseLogKey is the opposite of logKey.
func parseLogKey(key []byte) (name string, position uint64, err error) {
	if len(key) < 3+8 || key[0] != kindLog || int(binary.BigEndian.Uint16(key[1:])) != len(key)-3-8 {
		return "", 0, fmt.Errorf("no key of a log: %q", key)
	}
	at := len(key) - 8
	return string(key[3:at]), binary.BigEndian.Uint64(key[at:]), nil
}
