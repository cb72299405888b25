package dkim

import (
	"fmt"
	"time"
)

// A Status is a result in the words of RFC 8601, section 2.7.1.
type Status string

// The statuses of signatures and chains. A chain has only None, Pass, Fail, Policy and
// TempError; RFC 8617, section 4.4, knows the first three.
const (
	None      Status = "none"
	Pass      Status = "pass"
	Fail      Status = "fail"
	Policy    Status = "policy"
	TempError Status = "temperror"
	PermError Status = "permerror"
)

// A Reason says in words why a signature or a chain didn't pass. It holds nothing from
// the message.
type Reason string

// The reasons. Passed is the zero value.
const (
	Passed Reason = ""

	// The signature itself, RFC 6376, section 6.1.1.
	BadTags          Reason = "malformed signature"
	MissingTag       Reason = "required tag missing"
	UnknownVersion   Reason = "unknown version"
	UnknownAlgorithm Reason = "unknown algorithm"
	HistoricSHA1     Reason = "rsa-sha1 must not be used" // RFC 8301, section 3.1
	UnknownCanon     Reason = "unknown canonicalization"
	BadDomain        Reason = "not a domain name"
	DomainMismatch   Reason = "i= is not within d="
	FromNotSigned    Reason = "header From not signed"
	SealSigned       Reason = "ARC-Seal is signed" // RFC 8617, section 4.1.2
	UnknownQuery     Reason = "unknown query method"
	BadTime          Reason = "bad time"
	Expired          Reason = "signature expired"
	FromFuture       Reason = "signature from the future"

	// Its key, RFC 6376, section 6.1.2.
	KeyNotFound    Reason = "key not found"
	KeyUnavailable Reason = "key unavailable"
	KeyRevoked     Reason = "key revoked"
	BadRecord      Reason = "key record broken"
	UnknownKeyType Reason = "unknown key type"
	WrongKeyType   Reason = "key is of another type"
	WrongHash      Reason = "key is not for this hash"
	WrongService   Reason = "key is not for mail"
	StrictDomain   Reason = "key is not for subdomains"
	ShortKey       Reason = "key too short" // RFC 8301, section 3.2
	LongKey        Reason = "key too long"

	// The message, RFC 6376, section 6.1.3.
	BadBodyHash  Reason = "bad body hash"
	BadSignature Reason = "bad signature"
	BodyTooShort Reason = "body shorter than l="
	BodyUnsigned Reason = "part of the body is not signed"
	FromUnsigned Reason = "an unsigned From field" // sections 5.4.2 and 8.15

	// Bounds of ours.
	TooLarge Reason = "over the limits"
	TooMany  Reason = "too many signatures"

	// The chain, RFC 8617, section 5.2.
	TooManySets   Reason = "too many ARC sets"
	BadInstance   Reason = "bad instance"
	DoubleField   Reason = "field occurs twice in a set"
	IncompleteSet Reason = "incomplete set"
	MissingSet    Reason = "set missing"
	BadCV         Reason = "bad cv="
	SealedAsFail  Reason = "sealed as failed"
	HeadersInSeal Reason = "seal has h=" // RFC 8617, section 4.1.3
)

// A Fault is why a signature, a key or a record can't be used. It is an error.
type Fault struct {
	Status Status
	Reason Reason
	Detail string // more words, may be empty; printable, at most 100 bytes
}

// Error returns reason and detail.
func (f *Fault) Error() string {
	if f.Detail == "" {
		return string(f.Reason)
	}
	return fmt.Sprintf("%s: %s", f.Reason, f.Detail)
}

// fault makes the common one, which is permanent.
func fault(r Reason, detail string) *Fault { return &Fault{PermError, r, detail} }

// A Signature is what was found out about one signature field.
type Signature struct {
	Field     int    // place in the header, from 0
	Domain    string // d= as a lower-case A-label; "" when there is no valid one
	Selector  string // s=, likewise
	Identity  string // i=, its domain as an A-label; "@" + Domain when absent; "" in ARC
	Algorithm string // a= in lower case
	Short     string // the first 8 characters of b=, for header.b of RFC 8601

	HeaderCanon, BodyCanon Canon
	Names                  []string  // h= in lower case
	Signed                 time.Time // t=, zero when absent
	Expires                time.Time // x=, zero when absent

	Limited  bool  // has l=
	Length   int64 // l=
	Unsigned int64 // bytes of the canonical body that l= leaves unsigned

	KeyType string // "rsa", "ed25519"; "" when no key was found
	KeyBits int    // size of the key
	Testing bool   // the key has t=y: a failure counts as no signature (RFC 6376, section 3.6.1)
	Strict  bool   // the key has t=s

	Status Status
	Reason Reason // why it didn't pass
	Detail string // more words on it, may be empty
}

// blame writes down why the signature can't be used.
func (s *Signature) blame(f *Fault) { s.Status, s.Reason, s.Detail = f.Status, f.Reason, f.Detail }

// A Set is the three ARC fields of one instance.
type Set struct {
	Instance int       // from 1
	Results  string    // the value of ARC-Authentication-Results behind "i=N;", unfolded
	CV       string    // cv= of the seal: "none", "pass", "fail"
	Message  Signature // ARC-Message-Signature; with Status "" when nobody looked at it
	Seal     Signature // ARC-Seal; with Status "" when nobody looked at it
}

// A Chain is what was found out about the ARC sets of a message (RFC 8617, section 5.2).
type Chain struct {
	Status   Status // None, Pass, Fail; TempError when a key was unavailable; Policy over the limits
	Reason   Reason // why it didn't pass
	Detail   string // more words on it, may be empty
	Instance int    // the set that Reason speaks of, 0 when of none
	// Malformed tells that Status is Fail for the structure of the chain; no
	// signature was looked at.
	Malformed bool
	Sets      []Set // by instance; empty when the chain is malformed
	// OldestPass is the lowest instance whose ARC-Message-Signature still verifies, as
	// all of those above it do; 0 when all of them do (RFC 8617, section 5.2, step 5).
	OldestPass int
}

// Results are what a Verifier found out.
type Results struct {
	Signatures []Signature // in the order of the header, the topmost first
	Unverified int         // further signatures, over Limits.Signatures; nobody looked at them
	ARC        Chain
}

// Limits bound the work that one message can cause. A field that isn't positive means
// that of DefaultLimits.
type Limits struct {
	HeaderBytes    int // of all fields together
	Fields         int // header fields
	Signatures     int // DKIM signatures that are verified, the topmost ones
	SignatureBytes int // of one signature field
	SignatureLines int // of one signature field
	Names          int // entries of h=
	Keys           int // key names asked for, of signatures and chain together
	RecordBytes    int // of one key record
	KeyBits        int // of an RSA key
	HashedBytes    int // of canonical header fields hashed for all signatures together
	// KeyWork is how much may be spent on RSA: a 1024-bit key costs 1, one of twice
	// the size four times as much, an unusual exponent three times as much again.
	KeyWork int
}

// DefaultLimits are well above what ordinary mail has. Nobody writes to it.
var DefaultLimits = Limits{
	HeaderBytes: 256 << 10, Fields: 1000, Signatures: 8, SignatureBytes: 16 << 10, SignatureLines: 100,
	Names: 128, Keys: 32, RecordBytes: 8 << 10, KeyBits: 8192, HashedBytes: 4 << 20, KeyWork: 512,
}

// maxSets is how many ARC sets there may be (RFC 8617, section 4.2.1).
const maxSets = 50

// orDefaults fills in what isn't positive.
func (l Limits) orDefaults() Limits {
	d := DefaultLimits
	for _, f := range [...]struct{ have, want *int }{
		{&l.HeaderBytes, &d.HeaderBytes}, {&l.Fields, &d.Fields}, {&l.Signatures, &d.Signatures},
		{&l.SignatureBytes, &d.SignatureBytes}, {&l.SignatureLines, &d.SignatureLines}, {&l.Names, &d.Names},
		{&l.Keys, &d.Keys}, {&l.RecordBytes, &d.RecordBytes}, {&l.KeyBits, &d.KeyBits},
		{&l.HashedBytes, &d.HashedBytes}, {&l.KeyWork, &d.KeyWork},
	} {
		if *f.have <= 0 {
			*f.have = *f.want
		}
	}
	return l
}
