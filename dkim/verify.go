package dkim

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"rmilter/internal/mail"
)

// VerifyOptions say how a message is verified. Of the zero value only Now has to be set.
type VerifyOptions struct {
	Now    time.Time     // what x= and t= are held against
	Skew   time.Duration // how wrong clocks may be, 5 minutes when 0, none when negative
	Limits Limits
	// BareLF tells that the body doesn't come from SMTP but from a file or HTTP, so
	// that a bare LF ends a line. CRLF is hashed for it.
	BareLF bool
}

// A Verifier verifies one message. Its methods must be called by one goroutine at a time.
type Verifier struct {
	limits   Limits
	header   *header
	body     bodyHasher
	keys     keys
	started  bool
	work     int // left of Limits.KeyWork
	results  Results
	signed   []signed // beside results.Signatures
	chain    chain
	tooLarge bool
}

// NewVerifier reads the signatures of a header, the topmost field first. The fields are
// as they were in the message: leading space and folds, with LF or CRLF, kept.
func NewVerifier(fields mail.Header, o VerifyOptions) *Verifier {
	lim := o.Limits.orDefaults()
	v := &Verifier{limits: lim, work: lim.KeyWork}
	v.keys = keys{limits: lim, answers: map[string]*answer{}}
	if o.BareLF {
		v.body.fix = new(crlfMaker)
	}
	r := reader{limits: lim, now: o.Now, skew: o.Skew}
	if r.skew == 0 {
		r.skew = 5 * time.Minute
	}
	r.skew = max(r.skew, 0)
	size := 0
	for _, f := range fields {
		size += len(f.Name) + len(f.Raw) + len(":\r\n")
	}
	v.tooLarge = size > lim.HeaderBytes || len(fields) > lim.Fields
	if v.tooLarge {
		// Indexing a header of any size is what the bound is there to spare.
		v.header = newHeader(nil)
	} else {
		v.header = newHeader(fields)
	}
	v.readSignatures(fields, r)
	v.readChain(fields, r)
	return v
}

// readSignatures reads the DKIM signatures and asks for what they need.
func (v *Verifier) readSignatures(fields mail.Header, r reader) {
	for i, f := range fields {
		if !isField(f, "DKIM-Signature") {
			continue
		}
		if len(v.signed) == v.limits.Signatures {
			v.results.Unverified++
			continue
		}
		s, rest := r.read(dkimSignature, i, f.Raw)
		if v.tooLarge {
			s.blame(&Fault{Policy, TooLarge, "header"})
		}
		v.prepare(&s)
		v.results.Signatures = append(v.results.Signatures, s)
		v.signed = append(v.signed, rest)
	}
}

// isField tells whether a field has a name, which white space may follow.
func isField(f mail.Field, name string) bool {
	f.Name = strings.TrimRight(f.Name, " \t")
	return f.Is(name)
}

// prepare asks for the key and the body hash of a signature that can be used so far.
func (v *Verifier) prepare(s *Signature) {
	if s.Status != "" {
		return
	}
	if !v.keys.want(keyName(s)) {
		s.blame(&Fault{Policy, TooLarge, "key names"})
		return
	}
	length := int64(-1)
	if s.Limited {
		length = s.Length
	}
	v.body.want(s.BodyCanon, length)
}

// Start asks for all keys at once, each name one time, and returns without waiting. The
// context must live until Finish; its end ends the questions. Start must be called
// once, at any time before Finish.
func (v *Verifier) Start(ctx context.Context, l Lookup) {
	v.started = true
	v.keys.start(ctx, l)
}

// Names returns the names in the DNS that Start asks for.
func (v *Verifier) Names() []string { return append([]string(nil), v.keys.order...) }

// Write takes the next bytes of the body. It keeps none of them and never fails.
func (v *Verifier) Write(p []byte) (int, error) {
	v.body.write(p)
	return len(p), nil
}

// Finish ends the body, waits for the keys as long as the context lives and returns
// what was found out. Keys that didn't come in time give TempError; so do all when
// Start wasn't called. It must be called once.
func (v *Verifier) Finish(ctx context.Context) Results {
	v.body.close()
	if !v.started {
		for _, a := range v.keys.answers {
			a.fault = &Fault{TempError, KeyUnavailable, "nobody asked for it"}
			close(a.done)
		}
	}
	for i := range v.results.Signatures {
		s := &v.results.Signatures[i]
		if s.Status == "" {
			v.verify(ctx, s, &v.signed[i])
		}
	}
	v.results.ARC = v.validate(ctx)
	return v.results
}

// verify checks a signature over header and body.
func (v *Verifier) verify(ctx context.Context, s *Signature, rest *signed) {
	record, f := v.key(ctx, s)
	if f == nil {
		f = v.compareBody(s, rest)
	}
	if f == nil {
		if v.header.hashed > v.limits.HashedBytes {
			f = &Fault{Policy, TooLarge, "header bytes to hash"}
		}
	}
	if f != nil {
		s.blame(f)
		return
	}
	v.compareHeader(s, rest, record)
	if rest.anyCanon && s.Reason == BadSignature {
		s.Status, s.Reason, s.HeaderCanon = "", "", Relaxed
		v.compareHeader(s, rest, record)
	}
	switch {
	case s.Status != Pass:
	case s.Unsigned > 0:
		s.blame(&Fault{Policy, BodyUnsigned, ""})
	case slices.Contains(s.Names, "from") && !v.header.covers(s.Names, "from"):
		// Which of them a mail program shows, nobody knows.
		s.blame(&Fault{Policy, FromUnsigned, ""})
	}
}

// compareHeader holds b= against the fields that are signed.
func (v *Verifier) compareHeader(s *Signature, rest *signed, record Record) {
	hash := sha256.New()
	v.header.write(hash, v.header.pick(s.Names), s.HeaderCanon)
	v.header.writeUnsigned(hash, rest.field, rest.from, rest.to, s.HeaderCanon)
	v.compareSignature(s, rest, record, [sha256.Size]byte(hash.Sum(nil)))
}

// key waits for the key of a signature and writes down what it is.
func (v *Verifier) key(ctx context.Context, s *Signature) (Record, *Fault) {
	record, f := v.keys.wait(ctx, s)
	s.KeyType, s.KeyBits, s.Testing, s.Strict = record.Type, record.Bits, record.Testing, record.Strict
	return record, f
}

// compareBody holds bh= against the body that came.
func (v *Verifier) compareBody(s *Signature, rest *signed) *Fault {
	m := v.body.ways[s.BodyCanon].meter
	sum := m.total
	if s.Limited {
		if s.Length > m.n {
			return &Fault{Fail, BodyTooShort, ""}
		}
		sum, s.Unsigned = m.sums[s.Length], m.n-s.Length
	}
	if subtle.ConstantTimeCompare(sum[:], rest.bodyHash) != 1 {
		return &Fault{Fail, BadBodyHash, ""}
	}
	return nil
}

// compareSignature holds b= against a digest and gives the signature its status.
func (v *Verifier) compareSignature(s *Signature, rest *signed, record Record, digest [sha256.Size]byte) {
	if v.work -= record.work(); v.work < 0 {
		s.blame(&Fault{Policy, TooLarge, "work for keys"})
		return
	}
	if !record.verifies(digest, rest.bytes) {
		s.blame(&Fault{Fail, BadSignature, ""})
		return
	}
	s.Status = Pass
}
