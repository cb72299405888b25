package maps

import (
	"encoding/binary"
	"hash/maphash"
	"math"
)

// A table is a set of texts with their scores, as compact as lookups in constant time
// allow: the texts stand one behind the other, and the table proper holds offsets.
type table struct {
	n     int
	arena []byte   // records: length<<1 | scored as a uvarint, the text, four bytes of score
	slots []uint32 // offset of a record plus 1; 0 is free
	seed  maphash.Seed
}

// maxArena bounds the texts of one list, in bytes.
const maxArena = math.MaxUint32 - maxLine - 64

// add appends a text; seal must be called before it can be found.
func (t *table) add(key []byte, score float64, scored bool) {
	n := uint64(len(key)) << 1
	if scored {
		n |= 1
	}
	t.arena = binary.AppendUvarint(t.arena, n)
	t.arena = append(t.arena, key...)
	if scored {
		t.arena = binary.LittleEndian.AppendUint32(t.arena, math.Float32bits(float32(score)))
	}
	t.n++
}

// seal makes the table. Of doubled texts the first counts.
func (t *table) seal() {
	if t.n == 0 {
		return
	}
	if cap(t.arena)-len(t.arena) > len(t.arena)/8 {
		t.arena = append(make([]byte, 0, len(t.arena)), t.arena...)
	}
	size := 8
	for size*3 < t.n*4 {
		size *= 2
	}
	t.slots, t.seed, t.n = make([]uint32, size), maphash.MakeSeed(), 0
	for at := 0; at < len(t.arena); {
		key, _, _, next := t.record(at)
		if slot, there := t.slot(key); !there {
			t.slots[slot] = uint32(at) + 1
			t.n++
		}
		at = next
	}
}

// record reads the record at an offset.
func (t *table) record(at int) (key []byte, score float64, scored bool, next int) {
	n, size := binary.Uvarint(t.arena[at:])
	at += size
	end := at + int(n>>1)
	key = t.arena[at:end]
	if n&1 == 0 {
		return key, 0, false, end
	}
	return key, float64(math.Float32frombits(binary.LittleEndian.Uint32(t.arena[end:]))), true, end + 4
}

// slot returns where a text is, or would be.
func (t *table) slot(key []byte) (at int, there bool) {
	mask := len(t.slots) - 1
	for at = int(maphash.Bytes(t.seed, key)) & mask; t.slots[at] != 0; at = (at + 1) & mask {
		if k, _, _, _ := t.record(int(t.slots[at] - 1)); string(k) == string(key) {
			return at, true
		}
	}
	return at, false
}

// find looks up a text.
func (t *table) find(key string) (Entry, bool) {
	if t.n == 0 || len(key) > maxLine {
		return Entry{}, false
	}
	return t.findBytes([]byte(key))
}

// findBytes is find; it doesn't keep the text.
func (t *table) findBytes(key []byte) (Entry, bool) {
	if t.n == 0 {
		return Entry{}, false
	}
	slot, there := t.slot(key)
	if !there {
		return Entry{}, false
	}
	_, score, scored, _ := t.record(int(t.slots[slot] - 1))
	return Entry{string(key), score, scored}, true
}
