package dkim

import (
	"context"
	"crypto/sha256"
	"hash"
	"strings"

	"rmilter/internal/mail"
)

// A chain is the ARC sets of a message while they are worked on. A result that has a
// status is final.
type chain struct {
	result Chain
	sets   []arcSet // by instance
}

// An arcSet is a Set and where it came from. A place is -1 when the field is missing.
type arcSet struct {
	Set
	results, message, seal    int // fields
	signedMessage, signedSeal signed
}

// fail gives the chain its result.
func (c *chain) fail(r Reason, instance int) {
	c.result.Status, c.result.Reason, c.result.Instance = Fail, r, instance
}

// malformed is fail for the structure.
func (c *chain) malformed(r Reason, instance int) {
	c.fail(r, instance)
	c.result.Malformed = true
}

// readChain reads the ARC fields, sees that they form a chain and asks for what its
// signatures need (RFC 8617, section 5.2, steps 1 to 3).
func (v *Verifier) readChain(fields mail.Header, r reader) {
	c := &v.chain
	c.result.Status = None
	n := 0
	for _, f := range fields {
		if arcKind(f) != notARC {
			n++
		}
	}
	switch {
	case n == 0:
		return
	case v.tooLarge:
		c.result.Status, c.result.Reason, c.result.Detail = Policy, TooLarge, "header"
		return
	case n > 3*maxSets:
		c.malformed(TooManySets, 0)
		return
	}
	c.result.Status = ""
	for i, f := range fields {
		if k := arcKind(f); k != notARC && c.result.Status == "" {
			c.add(k, i, f.Raw, r)
		}
	}
	if c.result.Status == "" {
		c.checkStructure()
	}
	if c.result.Status == "" {
		c.checkFields()
	}
	if c.result.Status == "" {
		v.prepareChain()
	}
}

// The kinds of ARC fields.
type arcField uint8

const (
	notARC arcField = iota
	arcResults
	arcMessage
	arcSeal
)

func arcKind(f mail.Field) arcField {
	switch {
	case isField(f, "ARC-Seal"):
		return arcSeal
	case isField(f, "ARC-Message-Signature"):
		return arcMessage
	case isField(f, "ARC-Authentication-Results"):
		return arcResults
	}
	return notARC
}

// add puts a field in its set.
func (c *chain) add(k arcField, field int, raw string, r reader) {
	var s Signature
	var rest signed
	var text string
	switch k {
	case arcResults:
		rest.instance, text = readResults(raw)
		s.Reason = BadInstance
	case arcMessage:
		s, rest = r.read(messageSignature, field, raw)
	case arcSeal:
		s, rest = r.read(seal, field, raw)
	}
	if rest.instance == 0 {
		c.conclude(&s, 0)
		c.result.Malformed = c.result.Status == Fail
		return
	}
	for len(c.sets) < rest.instance {
		c.sets = append(c.sets, arcSet{Set: Set{Instance: len(c.sets) + 1}, results: -1, message: -1, seal: -1})
	}
	set := &c.sets[rest.instance-1]
	place := &set.results
	switch k {
	case arcResults:
		set.Results = text
	case arcMessage:
		place, set.Message, set.signedMessage = &set.message, s, rest
	case arcSeal:
		place, set.Seal, set.signedSeal, set.CV = &set.seal, s, rest, rest.cv
	}
	if *place >= 0 {
		c.malformed(DoubleField, rest.instance)
		return
	}
	*place = field
}

// readResults reads "i=N;" at the beginning of ARC-Authentication-Results (RFC 8617,
// section 4.1.1). The instance is 0 when it isn't there.
func readResults(raw string) (n int, text string) {
	i, text, ok := strings.Cut(raw, ";")
	if !ok {
		return 0, ""
	}
	tags, f := parseTags(stripComments(i), false)
	if f != nil || len(tags) != 1 {
		return 0, ""
	}
	return instance(tags), unfolded(text)
}

// unfolded returns a value with its white space reduced.
func unfolded(raw string) string {
	form := appendField(nil, mail.Field{Raw: raw}, Relaxed)
	return string(form[len(":") : len(form)-len("\r\n")])
}

// stripComments removes comments (RFC 5322, section 3.2.2).
func stripComments(s string) string {
	if strings.IndexByte(s, '(') < 0 {
		return s
	}
	b, depth := make([]byte, 0, len(s)), 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0:
			i++
		case depth == 0:
			b = append(b, c)
		}
	}
	return string(b)
}

// checkStructure sees that the sets are whole and that each says what it must of those
// before it.
func (c *chain) checkStructure() {
	last := &c.sets[len(c.sets)-1]
	if last.seal >= 0 && last.CV == "fail" {
		// Step 2 comes before all others: whatever else is wrong was so then.
		c.fail(SealedAsFail, last.Instance)
		return
	}
	for i := range c.sets {
		s := &c.sets[i]
		n := s.Instance
		switch {
		case s.results < 0 && s.message < 0 && s.seal < 0:
			c.malformed(MissingSet, n)
		case s.results < 0 || s.message < 0 || s.seal < 0:
			c.malformed(IncompleteSet, n)
		case s.Seal.Status == "" && (n == 1) != (s.CV == "none"), s.CV == "fail":
			c.malformed(BadCV, n)
		default:
			continue
		}
		return
	}
}

// checkFields ends the chain if a signature that must verify can't.
func (c *chain) checkFields() {
	top := &c.sets[len(c.sets)-1]
	if top.Message.Status != "" {
		c.conclude(&top.Message, top.Instance)
	}
	for i := len(c.sets) - 1; i >= 0 && c.result.Status == ""; i-- {
		if c.sets[i].Seal.Status != "" {
			c.conclude(&c.sets[i].Seal, c.sets[i].Instance)
		}
	}
}

// conclude gives the chain the result that follows from one of its signatures.
func (c *chain) conclude(s *Signature, instance int) {
	r := &c.result
	r.Status, r.Reason, r.Detail, r.Instance = Fail, s.Reason, s.Detail, instance
	if s.Status == TempError || s.Reason == TooLarge {
		r.Status = s.Status
	}
}

// prepareChain asks for the keys and body hashes, of what decides first.
func (v *Verifier) prepareChain() {
	sets := v.chain.sets
	top := len(sets) - 1
	v.prepare(&sets[top].Message)
	for i := top; i >= 0; i-- {
		if s := &sets[i].Seal; !v.keys.want(keyName(s)) {
			s.blame(&Fault{Policy, TooLarge, "key names"})
		}
	}
	for i := top - 1; i >= 0; i-- {
		v.prepare(&sets[i].Message)
	}
}

// validate checks the signatures of the chain (RFC 8617, section 5.2, steps 4 to 7).
func (v *Verifier) validate(ctx context.Context) Chain {
	c := &v.chain
	if c.result.Status == "" {
		v.decide(ctx)
		for i := range c.sets {
			c.result.Sets = append(c.result.Sets, c.sets[i].Set)
		}
	}
	return c.result
}

func (v *Verifier) decide(ctx context.Context) {
	c := &v.chain
	top := &c.sets[len(c.sets)-1]
	v.verifyOnce(ctx, &top.Message, &top.signedMessage)
	unsure, at := (*Signature)(nil), 0
	consider := func(s *Signature, instance int) {
		switch {
		case s.Status == Pass:
		case s.Status == TempError || s.Reason == TooLarge:
			// What follows may still be certain.
			if unsure == nil {
				unsure, at = s, instance
			}
		case c.result.Status == "":
			c.conclude(s, instance)
		}
	}
	consider(&top.Message, top.Instance)
	if c.result.Status == "" {
		digests := c.digests(v.header)
		for i := len(c.sets) - 1; i >= 0 && c.result.Status == ""; i-- {
			v.verifySeal(ctx, &c.sets[i], digests[i])
			consider(&c.sets[i].Seal, c.sets[i].Instance)
		}
	}
	switch {
	case c.result.Status != "":
	case unsure != nil:
		c.conclude(unsure, at)
	default:
		c.result.Status = Pass
		v.findOldest(ctx)
	}
}

// verifyOnce verifies a signature that nothing is known against yet.
func (v *Verifier) verifyOnce(ctx context.Context, s *Signature, rest *signed) {
	if s.Status == "" {
		v.verify(ctx, s, rest)
	}
}

// digests returns what each seal signs: all sets up to its own (RFC 8617, section
// 5.1.1). Each field is hashed twice at most, however long the chain is.
func (c *chain) digests(h *header) [][sha256.Size]byte {
	all := make([][sha256.Size]byte, len(c.sets))
	sum := sha256.New()
	for i := range c.sets {
		s := &c.sets[i]
		h.write(sum, []int{s.results, s.message}, Relaxed)
		own, err := sum.(hash.Cloner).Clone()
		if err != nil {
			panic(err) // SHA-256 can always be cloned
		}
		h.writeUnsigned(own, s.seal, s.signedSeal.from, s.signedSeal.to, Relaxed)
		own.Sum(all[i][:0])
		h.write(sum, []int{s.seal}, Relaxed)
	}
	return all
}

// verifySeal checks one seal.
func (v *Verifier) verifySeal(ctx context.Context, set *arcSet, digest [sha256.Size]byte) {
	if set.Seal.Status != "" {
		return
	}
	record, f := v.key(ctx, &set.Seal)
	if f != nil {
		set.Seal.blame(f)
		return
	}
	v.compareSignature(&set.Seal, &set.signedSeal, record, digest)
}

// findOldest verifies the older message signatures as far down as they do (step 5).
func (v *Verifier) findOldest(ctx context.Context) {
	c := &v.chain
	for i := len(c.sets) - 2; i >= 0; i-- {
		s := &c.sets[i]
		v.verifyOnce(ctx, &s.Message, &s.signedMessage)
		if s.Message.Status != Pass {
			c.result.OldestPass = s.Instance + 1
			return
		}
	}
}
