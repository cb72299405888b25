package dkim

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// A PrivateKey signs. It is made by ParseKey, GenerateRSA or GenerateEd25519, never
// changes and may be used from many goroutines. Printing it doesn't show the secret.
type PrivateKey struct {
	signer crypto.Signer
	kind   string
	bits   int
}

// ParseKey reads an RSA or Ed25519 key: PEM as PKCS #1 or PKCS #8, or an Ed25519 seed
// in base64 alone, as dkimpy and rspamd keep it. RSA keys below 1024 bits are refused
// (RFC 8301, section 3.2). Errors never hold key material.
func ParseKey(data []byte) (*PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		if bytes.Contains(data, []byte("-----BEGIN")) {
			return nil, errors.New("the PEM block is damaged")
		}
		return parseSeed(data)
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return nil, errors.New("the key is encrypted; it must be stored without a password")
		}
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the key is encrypted; it must be stored without a password")
	default:
		return nil, fmt.Errorf("the file holds %q, not a private key", printable(block.Type))
	}
	if err != nil {
		// What the parser says may quote what it read.
		return nil, errors.New("the private key is damaged")
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return newRSA(key)
	case ed25519.PrivateKey:
		return &PrivateKey{key, "ed25519", 256}, nil
	}
	return nil, errors.New("the key is neither RSA nor Ed25519")
}

// parseSeed reads base64 of a seed, or of the seed with the public key behind it.
func parseSeed(data []byte) (*PrivateKey, error) {
	raw, ok := decode64(string(data[:min(len(data), 1024)]))
	switch {
	case ok && len(raw) == ed25519.SeedSize:
	case ok && len(raw) == ed25519.PrivateKeySize:
		if !bytes.Equal(ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize]), raw) {
			return nil, errors.New("the private key is damaged")
		}
	default:
		return nil, errors.New("the file holds no private key")
	}
	return &PrivateKey{ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize]), "ed25519", 256}, nil
}

func newRSA(key *rsa.PrivateKey) (*PrivateKey, error) {
	switch bits := key.N.BitLen(); {
	case bits < minKeyBits:
		return nil, fmt.Errorf("the RSA key has %d bits, at least %d are needed", bits, minKeyBits)
	case bits > DefaultLimits.KeyBits:
		return nil, fmt.Errorf("the RSA key has %d bits, at most %d are possible", bits, DefaultLimits.KeyBits)
	default:
		return &PrivateKey{key, "rsa", bits}, nil
	}
}

// GenerateRSA makes a key of 1024 to 8192 bits.
func GenerateRSA(bits int) (*PrivateKey, error) {
	if bits < minKeyBits || bits > DefaultLimits.KeyBits {
		return nil, fmt.Errorf("an RSA key has %d to %d bits", minKeyBits, DefaultLimits.KeyBits)
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	return newRSA(key)
}

// GenerateEd25519 makes a key.
func GenerateEd25519() (*PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &PrivateKey{key, "ed25519", 256}, nil
}

// Type returns "rsa" or "ed25519".
func (k *PrivateKey) Type() string { return k.kind }

// Bits returns the size of the key.
func (k *PrivateKey) Bits() int { return k.bits }

// Weak tells that some verifiers may not trust the key: RFC 8301, section 3.2, wants
// 2048 bits of RSA.
func (k *PrivateKey) Weak() bool { return k.kind == "rsa" && k.bits < 2048 }

// String says what key it is, without the secret.
func (k *PrivateKey) String() string { return fmt.Sprintf("%s key of %d bits", k.kind, k.bits) }

// GoString is String.
func (k *PrivateKey) GoString() string { return k.String() }

// PEM returns the key as PKCS #8. It is secret.
func (k *PrivateKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// Record returns the text of the TXT record to publish (RFC 6376, section 3.6.1).
func (k *PrivateKey) Record() string {
	var raw []byte
	switch public := k.signer.Public().(type) {
	case ed25519.PublicKey:
		raw = public
	case *rsa.PublicKey:
		raw, _ = x509.MarshalPKIXPublicKey(public) // an RSA key can always be marshalled
	}
	return "v=DKIM1; k=" + k.kind + "; p=" + base64.StdEncoding.EncodeToString(raw)
}

// RecordName returns the name under which the key of a selector is published, "" when
// domain or selector can't be in the DNS.
func RecordName(domain, selector string) string {
	d, ok := domainName(domain)
	s, ok2 := domainName(selector)
	name := s + "._domainkey." + d
	if !ok || !ok2 || len(name) > 253 {
		return ""
	}
	return name
}

// ZoneRecord returns a TXT record as a line of a zone file: the name absolute, the text
// in strings of at most 255 bytes (RFC 1035, section 3.3). The text must be printable
// ASCII without quotes, as that of PrivateKey.Record is.
func ZoneRecord(name, text string) string {
	var b strings.Builder
	b.WriteString(name + ". IN TXT (")
	for len(text) > 0 {
		n := min(len(text), 255)
		b.WriteString(` "` + text[:n] + `"`)
		text = text[n:]
	}
	b.WriteString(" )")
	return b.String()
}

// sign signs a SHA-256 digest (RFC 6376, section 3.3.1; RFC 8463, section 3).
func (k *PrivateKey) sign(digest [sha256.Size]byte) ([]byte, error) {
	if k.kind == "ed25519" {
		return k.signer.Sign(nil, digest[:], crypto.Hash(0))
	}
	return k.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
}
