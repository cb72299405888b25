package dkim

import (
	"slices"
	"strings"
	"time"

	"rmilter/internal/mail"
)

// A kind is one of the three fields that hold a signature.
type kind uint8

const (
	dkimSignature kind = iota
	messageSignature
	seal
)

// required are the tags that each kind must have, but for those that say themselves
// what is wrong when they lack.
var required = [...][]string{
	dkimSignature:    {"v", "a", "b", "bh", "d", "h", "s"},
	messageSignature: {"a", "b", "bh", "d", "h", "i", "s"},
	seal:             {"a", "b", "cv", "d", "i", "s"},
}

// A signed is a signature field that was read.
type signed struct {
	kind     kind
	field    int
	from, to int // where the value of b= is
	bodyHash []byte
	bytes    []byte // b=
	instance int    // ARC
	cv       string // seals
	anyCanon bool   // of ARC and without c=, see readCanon
}

// A reader reads signature fields.
type reader struct {
	limits Limits
	now    time.Time
	skew   time.Duration
}

// read reads a field. When the signature can't be used the status says so; it is ""
// otherwise.
func (r reader) read(k kind, field int, raw string) (Signature, signed) {
	s := Signature{Field: field}
	rest := signed{kind: k, field: field}
	if f := r.tags(&s, &rest, raw); f != nil {
		s.blame(f)
	}
	return s, rest
}

func (r reader) tags(s *Signature, rest *signed, raw string) *Fault {
	if len(raw) > r.limits.SignatureBytes || strings.Count(raw, "\n") >= r.limits.SignatureLines {
		return &Fault{Policy, TooLarge, "signature field"}
	}
	tags, f := parseTags(raw, false)
	if f != nil {
		return f
	}
	// What names the signature comes first: results show it also when it is bad.
	f = readOrigin(s, tags)
	rest.instance = instance(tags)
	if b, _ := tags.get("b"); b != "" {
		s.Short = printable(noSpace(b))[:min(8, len(noSpace(b)))]
	}
	for _, name := range required[rest.kind] {
		if _, ok := tags.get(name); !ok {
			return fault(MissingTag, name+"=")
		}
	}
	if v, _ := tags.get("v"); rest.kind == dkimSignature && v != "1" {
		return fault(UnknownVersion, "")
	}
	if f != nil {
		return f
	}
	if f := readAlgorithm(s); f != nil {
		return f
	}
	if f := r.readTimes(s, tags); f != nil {
		return f
	}
	rest.from, rest.to = tags.place("b")
	b, _ := tags.get("b")
	var ok bool
	if rest.bytes, ok = decode64(b); !ok {
		return fault(BadTags, "b= is not base64")
	}
	switch {
	case rest.kind != dkimSignature && rest.instance == 0:
		return fault(BadInstance, "")
	case rest.kind == seal:
		return readSeal(rest, tags)
	case rest.kind == dkimSignature:
		if f := readIdentity(s, tags); f != nil {
			return f
		}
	}
	return r.readCovered(s, rest, tags)
}

// readOrigin reads who signed with which key.
func readOrigin(s *Signature, tags tagList) *Fault {
	d, _ := tags.get("d")
	sel, _ := tags.get("s")
	a, _ := tags.get("a")
	if a = mail.LowerASCII(a); printable(a) == a {
		s.Algorithm = a
	}
	var ok bool
	if s.Domain, ok = domainName(d); !ok {
		return fault(BadDomain, "d=")
	}
	if s.Selector, ok = domainName(sel); !ok || len(keyName(s)) > 253 {
		s.Selector = ""
		return fault(BadDomain, "s=")
	}
	return nil
}

func readAlgorithm(s *Signature) *Fault {
	switch s.Algorithm {
	case "rsa-sha256", "ed25519-sha256":
		return nil
	case "rsa-sha1":
		return fault(HistoricSHA1, "")
	}
	return fault(UnknownAlgorithm, "")
}

// readTimes reads t= and x= and holds them against the clock.
func (r reader) readTimes(s *Signature, tags tagList) *Fault {
	for _, f := range [...]struct {
		name string
		to   *time.Time
	}{{"t", &s.Signed}, {"x", &s.Expires}} {
		v, ok := tags.get(f.name)
		if !ok {
			continue
		}
		n, ok := parseNumber(v)
		if !ok {
			return fault(BadTime, f.name+"=")
		}
		*f.to = time.Unix(n, 0)
	}
	switch {
	case !s.Expires.IsZero() && !s.Signed.IsZero() && !s.Expires.After(s.Signed):
		return fault(BadTime, "x= is not after t=")
	case !s.Expires.IsZero() && r.now.Add(-r.skew).After(s.Expires):
		return &Fault{Policy, Expired, ""}
	case s.Signed.After(r.now.Add(r.skew)):
		return &Fault{Policy, FromFuture, ""}
	}
	return nil
}

// readIdentity reads i=, whose domain must be that of d= or below it.
func readIdentity(s *Signature, tags tagList) *Fault {
	i, ok := tags.get("i")
	if !ok {
		s.Identity = "@" + s.Domain
		return nil
	}
	i = noSpace(i)
	at := strings.LastIndexByte(i, '@')
	domain, ok := domainName(i[at+1:])
	if at < 0 || !ok || domain != s.Domain && !strings.HasSuffix(domain, "."+s.Domain) {
		return fault(DomainMismatch, "")
	}
	s.Identity = i[:at+1] + domain
	return nil
}

// instance reads i= of ARC, 0 when it is no instance.
func instance(tags tagList) int {
	i, _ := tags.get("i")
	n, ok := parseNumber(i)
	if !ok || n > maxSets {
		return 0
	}
	return int(n)
}

func readSeal(rest *signed, tags tagList) *Fault {
	if _, ok := tags.get("h"); ok {
		return fault(HeadersInSeal, "")
	}
	rest.cv, _ = tags.get("cv")
	if rest.cv = mail.LowerASCII(rest.cv); rest.cv != "none" && rest.cv != "pass" && rest.cv != "fail" {
		return fault(BadCV, "")
	}
	return nil
}

// readCovered reads what of the message is signed and how. Both kinds must sign From (RFC
// 6376, section 5.4; RFC 8617, section 4.1.2). Only an ARC-Message-Signature with an empty
// h= may verify without, as the validation suite wants it: it says nothing of the header,
// and whoever trusts the chain has to look for From among Names.
func (r reader) readCovered(s *Signature, rest *signed, tags tagList) *Fault {
	if f := readCanon(s, rest, tags); f != nil {
		return f
	}
	if q, ok := tags.get("q"); ok && !slices.Contains(splitColons(q), "dns/txt") {
		return fault(UnknownQuery, "")
	}
	h, _ := tags.get("h")
	if strings.Count(h, ":") >= r.limits.Names {
		return &Fault{Policy, TooLarge, "names in h="}
	}
	s.Names = splitColons(h)
	switch {
	case !slices.Contains(s.Names, "from") && !(rest.kind == messageSignature && noSpace(h) == ""):
		return fault(FromNotSigned, "")
	case rest.kind == messageSignature && slices.Contains(s.Names, "arc-seal"):
		return fault(SealSigned, "")
	}
	bh, _ := tags.get("bh")
	var ok bool
	if rest.bodyHash, ok = decode64(bh); !ok {
		return fault(BadTags, "bh= is not base64")
	}
	if l, ok := tags.get("l"); ok {
		if s.Length, ok = parseNumber(l); !ok {
			return fault(BadTags, "l=")
		}
		s.Limited = true
	}
	return nil
}

// readCanon reads c=. Without it a message is simple/simple by RFC 6376, section 3.5,
// and by reference in ARC. There are ARC signers that mean a relaxed header by it, as the
// validation suite does, so that is tried too: what verifies was signed in either way.
func readCanon(s *Signature, rest *signed, tags tagList) *Fault {
	s.HeaderCanon, s.BodyCanon = Simple, Simple
	c, ok := tags.get("c")
	if !ok {
		rest.anyCanon = rest.kind == messageSignature
		return nil
	}
	h, b, two := strings.Cut(c, "/")
	if s.HeaderCanon, ok = ParseCanon(h); !ok {
		return fault(UnknownCanon, "")
	}
	if two {
		if s.BodyCanon, ok = ParseCanon(b); !ok {
			return fault(UnknownCanon, "")
		}
	}
	return nil
}
