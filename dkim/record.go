package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"strings"

	"rmilter/internal/mail"
)

// minKeyBits is the size that an RSA key must have (RFC 8301, section 3.2).
const minKeyBits = 1024

// A Record is a public key as the DNS has it (RFC 6376, section 3.6.1).
type Record struct {
	Type     string   // "rsa" or "ed25519"
	Bits     int      // size of the key; 256 for Ed25519
	Hashes   []string // h=, nil: all
	Services []string // s=, nil: all
	Testing  bool     // t=y
	Strict   bool     // t=s: i= must have the very domain of d=

	public crypto.PublicKey
}

// ParseRecord reads a key record, the strings of a TXT record joined. The error is a
// *Fault.
func ParseRecord(txt string) (Record, error) {
	r, f := parseRecord(txt, DefaultLimits)
	if f != nil {
		return Record{}, f
	}
	return r, nil
}

// parseRecord returns also what it knows of a record that can't be used.
func parseRecord(txt string, lim Limits) (Record, *Fault) {
	if len(txt) > lim.RecordBytes {
		return Record{}, &Fault{Policy, TooLarge, "key record"}
	}
	tags, f := parseTags(txt, true)
	if f != nil {
		return Record{}, fault(BadRecord, f.Detail)
	}
	if v, ok := tags.get("v"); ok && (v != "DKIM1" || tags[0].name != "v") {
		return Record{}, fault(BadRecord, "not a record of DKIM1")
	}
	r := Record{Type: "rsa"}
	if k, ok := tags.get("k"); ok {
		r.Type = mail.LowerASCII(k)
	}
	if h, ok := tags.get("h"); ok {
		r.Hashes = splitColons(h)
	}
	if s, ok := tags.get("s"); ok {
		r.Services = splitColons(s)
	}
	if t, ok := tags.get("t"); ok {
		flags := splitColons(t)
		r.Testing, r.Strict = slices.Contains(flags, "y"), slices.Contains(flags, "s")
	}
	p, ok := tags.get("p")
	switch {
	case !ok:
		return Record{}, fault(BadRecord, "no p=")
	case p == "":
		return Record{}, fault(KeyRevoked, "")
	}
	f = r.setKey(p, lim)
	return r, f
}

// setKey reads p=.
func (r *Record) setKey(p string, lim Limits) *Fault {
	raw, ok := decode64(p)
	if !ok {
		return fault(BadRecord, "p= is not base64")
	}
	switch r.Type {
	case "ed25519":
		if len(raw) != ed25519.PublicKeySize {
			return fault(BadRecord, "p= is no Ed25519 key")
		}
		r.public, r.Bits = ed25519.PublicKey(raw), 256
		return nil
	case "rsa":
	default:
		return fault(UnknownKeyType, "")
	}
	// RFC 6376 asks for SubjectPublicKeyInfo and defines RSAPublicKey; both are seen.
	parsed, err := x509.ParsePKIXPublicKey(raw)
	if err != nil {
		if parsed, err = x509.ParsePKCS1PublicKey(raw); err != nil {
			return fault(BadRecord, "p= is no RSA key")
		}
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return fault(BadRecord, "p= is no RSA key")
	}
	r.public, r.Bits = public, public.N.BitLen()
	switch {
	case r.Bits < minKeyBits:
		return &Fault{Policy, ShortKey, ""}
	case r.Bits > lim.KeyBits:
		return &Fault{Policy, LongKey, ""}
	}
	return nil
}

// Matches tells whether the record holds the public half of a key.
func (r Record) Matches(k *PrivateKey) bool {
	public, ok := k.signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && r.public != nil && public.Equal(r.public)
}

// suits tells why the record can't be used for a signature, nil when it can.
func (r Record) suits(s *Signature) *Fault {
	identity := s.Identity[strings.LastIndexByte(s.Identity, '@')+1:]
	switch {
	case !strings.HasPrefix(s.Algorithm, r.Type+"-"):
		return fault(WrongKeyType, "")
	case r.Hashes != nil && !slices.Contains(r.Hashes, "sha256"):
		return fault(WrongHash, "")
	case r.Services != nil && !slices.Contains(r.Services, "email") && !slices.Contains(r.Services, "*"):
		return fault(WrongService, "")
	case r.Strict && s.Identity != "" && identity != s.Domain:
		return fault(StrictDomain, "")
	}
	return nil
}

// work is the cost of one verification in the unit of Limits.KeyWork.
func (r Record) work() int {
	public, ok := r.public.(*rsa.PublicKey)
	if !ok {
		return 4
	}
	k := (r.Bits + minKeyBits - 1) / minKeyBits
	if public.E > 1<<16+1 {
		return 3 * k * k
	}
	return k * k
}

// verifies tells whether a signature over a SHA-256 digest is the key's.
func (r Record) verifies(digest [sha256.Size]byte, signature []byte) bool {
	switch public := r.public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(public, digest[:], signature)
	}
	return false
}
