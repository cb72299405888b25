// Package dkim verifies and makes DKIM signatures (RFC 6376, 8301, 8463, 8616) and
// validates ARC chains (RFC 8617) with one pass over the body.
//
// A Verifier is made when the header is complete, asks for the keys meanwhile, takes
// the body as it comes and gives its Results at the end:
//
//	v := dkim.NewVerifier(header, dkim.VerifyOptions{Now: now})
//	v.Start(ctx, lookup)
//	v.Write(chunk) // as often as there are chunks
//	results := v.Finish(ctx)
//
// A Signer takes the body first, since the header is final only after the last edit:
//
//	s, err := dkim.NewSigner(keys, dkim.SignOptions{Now: now})
//	s.Write(chunk)
//	fields, err := s.Sign(header)
//
// # What the standards leave open
//
// The body is taken byte for byte: a bare LF or CR is no end of a line and stays what
// it is, as RFC 6376, section 5.3, leaves no other choice to a verifier. MTAs hand the
// body over with CRLF. For a message that comes from elsewhere with LF alone
// there is the option BareLF. Header fields may be folded with LF or CRLF; CRLF is
// what is hashed.
//
// Words that the grammar spells out, as in a= and c=, are compared without case, as
// the ABNF in RFC 5234, section 2.3, has it: a=RSA-SHA256 is taken. Section 3.2 of RFC
// 6376 can be read otherwise. The tag is covered by the signature, so nothing is won
// by forging it.
//
// A signature gets the status permerror when it, its key or the way it was made can
// never be valid, also for rsa-sha1 (RFC 8301, section 3.1); policy when it is valid or
// may be, but nobody should rely on it: expired, from the future, a short key, l=, over
// a bound of ours.
//
// A valid signature whose l= leaves a part of the body unsigned has the status policy,
// never pass: anybody could have added that part.
//
// An ARC chain whose last seal has cv=fail is fail (RFC 8617, section 5.2, step 2). An
// ARC-Message-Signature without c= is tried with a relaxed header, too, when the simple
// one doesn't verify.
//
// # Cost
//
// Time is linear in the message. What can't be is bounded by Limits, and what is over a
// bound gets the status policy and a reason. Fields other than signatures may have as
// many lines as they like: a To of 300 people is ordinary mail, and canonicalising it
// is linear.
package dkim
