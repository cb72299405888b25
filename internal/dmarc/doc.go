// Package dmarc tells what the owner of a From domain wants done with a message: DMARC
// (RFC 7489).
//
// [Evaluate] finds the domain's policy, which is a TXT record at "_dmarc." of the
// domain or of its organizational domain, and sees whether SPF or a DKIM signature
// passed for a domain that is aligned with it: the same domain, or, relaxed, one of the
// same organization. Organizational domains follow the list of public suffixes; see
// [Suffixes]. [Row] is what an aggregate report counts.
//
// The package knows nothing of SPF, DKIM and headers; it is given their results.
package dmarc
