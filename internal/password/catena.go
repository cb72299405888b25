package password

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"
)

// Parameters of Catena as rspamd has chosen them.
const (
	catenaVersion = "Butterfly-Full" // V
	catenaTweak   = 0                // d: password scrambling
	catenaLambda  = 4                // depth of the graph
	catenaGarlic  = 10               // g, lowest and highest: 2^g nodes in a row
	catenaData    = "rspamd"         // associated data
)

// A node is a value of the graph.
type node [blake2b.Size]byte

// hash is H over the parts one after the other.
func hash(parts ...[]byte) (n node) {
	var buf [2 * blake2b.Size]byte
	b := buf[:0]
	for _, p := range parts {
		b = append(b, p...)
	}
	return blake2b.Sum512(b)
}

// catena is kind 2.
func catena(password, salt []byte) (key [keyLen]byte) {
	version, data := hash([]byte(catenaVersion)), hash([]byte(catenaData))
	tweak := []byte{catenaTweak, catenaLambda, keyLen, byte(len(salt))}
	x := hash(version[:], tweak, data[:], password, salt)
	x = flap(x, (catenaGarlic+1)/2, salt)
	x = flap(x, catenaGarlic, salt)
	x = hash([]byte{catenaGarlic}, x[:])
	copy(key[:], x[:])
	return key
}

// flap fills a row of 2^g nodes and leads it through the graph lambda times. It returns
// the last node.
func flap(x node, garlic int, salt []byte) node {
	row := firstRow(x, 1<<garlic)
	shuffle(row, garlic, salt)
	next := make([]node, len(row))
	for range catenaLambda {
		for level := range 2*garlic - 1 {
			butterfly(next, row, garlic, level)
			row, next = next, row
		}
	}
	return row[len(row)-1]
}

// firstRow makes every node of the two before it, and those before the first of x.
func firstRow(x node, n int) []node {
	before, last := hash([]byte{1}, x[:]), hash([]byte{0}, x[:])
	row := make([]node, n)
	for i := range row {
		row[i] = hash(last[:], before[:])
		before, last = last, row[i]
	}
	return row
}

// shuffle is Gamma: it changes nodes at places that the salt alone tells, so that an
// attacker gains nothing by laying out the memory beforehand.
func shuffle(row []node, garlic int, salt []byte) {
	a := hash(salt)
	b := hash(a[:])
	var random xorshift
	for i := range 8 {
		random.state[i] = binary.LittleEndian.Uint64(a[8*i:])
		random.state[8+i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	for range 1 << ((3*garlic + 3) / 4) {
		i, j := random.next()>>(64-garlic), random.next()>>(64-garlic)
		row[i] = hash(row[i][:], row[j][:])
	}
}

// xorshift is the generator xorshift1024* (Vigna, "An experimental exploration of
// Marsaglia's xorshift generators, scrambled").
type xorshift struct {
	state [16]uint64
	at    int
}

func (x *xorshift) next() uint64 {
	s0 := x.state[x.at]
	x.at = (x.at + 1) & 15
	s1 := x.state[x.at]
	s1 ^= s1 << 31
	s1 ^= s1 >> 11
	s0 ^= s0 >> 30
	x.state[x.at] = s0 ^ s1
	return x.state[x.at] * 1181783497276652981
}

// butterfly makes a row of the row above it. A node comes from its left neighbour, the
// node above, and the one above that differs from it in one bit of its place: from the
// highest bit down to the lowest and up again.
func butterfly(to, from []node, garlic, level int) {
	bit := garlic - 1 - level
	if bit < 0 {
		bit = -bit
	}
	last := xor(&from[len(from)-1], &from[0])
	n := hash(last[:], from[1<<bit][:])
	to[0] = hash([]byte{0}, n[:])
	for j := 1; j < len(from); j++ {
		left := xor(&to[j-1], &from[j])
		to[j] = hash(left[:], from[j^1<<bit][:])
	}
}

func xor(a, b *node) (n node) {
	for i := range n {
		n[i] = a[i] ^ b[i]
	}
	return n
}
