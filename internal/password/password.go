// Package password makes and verifies passwords in the encrypted form of rspamd's
// controller, as rspamadm pw prints it: $ID$SALT$KEY.
//
// ID 1 is PBKDF2 (RFC 8018, section 5.2) with keyed BLAKE2b-512 (RFC 7693) in place of
// HMAC, ID 2 is Catena-Butterfly (Forler, Lucks and Wenzel, "The Catena
// Password-Scrambling Framework") over BLAKE2b-512. SALT has 20 bytes and KEY has 32,
// both in an alphabet of 32 letters. Either takes some hundredths of a second on
// purpose: who calls Verify for others bounds how often.
//
// The package knows nothing of configuration and HTTP.
package password

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Lengths in bytes.
const (
	saltLen = 20
	keyLen  = 32

	// maxCatena is the longest password of that kind. rspamd keeps its length in one
	// byte and would take the beginning of a longer one only, or nothing at all.
	maxCatena = 255
)

// The kinds of encrypted passwords.
const (
	kindPBKDF2 = '1'
	kindCatena = '2'
)

// An Encrypted is the encrypted form of a password. It never changes, is comparable and
// safe for concurrent use. The zero value is that of no password.
type Encrypted struct {
	kind byte // 0 for none
	salt [saltLen]byte
	key  [keyLen]byte
}

// derive makes the key of a password.
func (e *Encrypted) derive(password string) [keyLen]byte {
	if e.kind == kindPBKDF2 {
		return pbkdf2([]byte(password), e.salt[:])
	}
	return catena([]byte(password), e.salt[:])
}

// IsEncrypted tells whether a text claims to be an encrypted password: it begins with
// $ID$, and ID is a number of one or two digits, perhaps with a letter after it. It may
// still be one that Parse refuses. It should never be taken for a password in plain
// text: a file that shows it would give access.
func IsEncrypted(text string) bool {
	if !strings.HasPrefix(text, "$") {
		return false
	}
	id, rest, ok := strings.Cut(text[1:], "$")
	digits := strings.TrimRight(id, "abcdefghijklmnopqrstuvwxyz")
	return ok && rest != "" && 1 <= len(digits) && len(digits) <= 2 && len(id)-len(digits) <= 1 && strings.Trim(digits, "0123456789") == ""
}

// Parse reads an encrypted password. Its errors say what is wrong and what was
// expected, and show nothing of the text.
func Parse(text string) (Encrypted, error) {
	parts := strings.Split(text, "$")
	switch {
	case len(parts) < 3 || parts[0] != "":
		return Encrypted{}, errors.New("not an encrypted password; expected $ID$SALT$KEY as rmilterctl pw prints it")
	case parts[1] != string(kindPBKDF2) && parts[1] != string(kindCatena):
		return Encrypted{}, errors.New("an encrypted password of an unknown kind; expected one that begins with $1$ or $2$, as rmilterctl pw prints it")
	case len(parts) != 4:
		return Encrypted{}, fmt.Errorf("an encrypted password with %d parts after its kind; expected two, $ID$SALT$KEY", len(parts)-2)
	}
	e := Encrypted{kind: parts[1][0]}
	if err := decode(e.salt[:], parts[2]); err != nil {
		return Encrypted{}, fmt.Errorf("the salt of the encrypted password %w", err)
	}
	if err := decode(e.key[:], parts[3]); err != nil {
		return Encrypted{}, fmt.Errorf("the key of the encrypted password %w", err)
	}
	return e, nil
}

// New encrypts a password in the way that rspamadm takes by default, with a salt of the
// bytes that random gives. An error is that of random, or about a password that is empty
// or longer than 255 bytes.
func New(password string, random io.Reader) (Encrypted, error) {
	if password == "" || len(password) > maxCatena {
		return Encrypted{}, fmt.Errorf("a password of %d bytes; expected 1 to %d", len(password), maxCatena)
	}
	e := Encrypted{kind: kindCatena}
	if _, err := io.ReadFull(random, e.salt[:]); err != nil {
		return Encrypted{}, fmt.Errorf("no random bytes for the salt: %w", err)
	}
	e.key = e.derive(password)
	return e, nil
}

// Verify tells whether this is the encrypted form of a password. The time that it takes
// says nothing about how much of it is right. Nothing matches the zero value.
func (e Encrypted) Verify(password string) bool {
	if e.kind == 0 || password == "" || e.kind == kindCatena && len(password) > maxCatena {
		return false
	}
	key := e.derive(password)
	return subtle.ConstantTimeCompare(key[:], e.key[:]) == 1
}

// String returns $ID$SALT$KEY, and "" for the zero value.
func (e Encrypted) String() string {
	if e.kind == 0 {
		return ""
	}
	return "$" + string(e.kind) + "$" + encode(e.salt[:]) + "$" + encode(e.key[:])
}
