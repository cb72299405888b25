package password

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"
)

// pbkdf2Rounds is rspamd's count.
const pbkdf2Rounds = 16000

// pbkdf2 is kind 1.
func pbkdf2(password, salt []byte) (key [keyLen]byte) {
	if len(password) > blake2b.Size { // the longest key of BLAKE2b
		sum := blake2b.Sum512(password)
		password = sum[:]
	}
	prf, err := blake2b.New512(password)
	if err != nil {
		panic("password: " + err.Error()) // of keys that are too long only
	}
	// A key is shorter than one block: U_1 is of the salt and the number of the first
	// (RFC 8018, section 5.2, step 3).
	prf.Write(salt)
	prf.Write(binary.BigEndian.AppendUint32(nil, 1))
	var u [blake2b.Size]byte
	prf.Sum(u[:0])
	copy(key[:], u[:])
	for range pbkdf2Rounds - 1 {
		prf.Reset()
		prf.Write(u[:])
		prf.Sum(u[:0])
		for i := range key {
			key[i] ^= u[i]
		}
	}
	return key
}
