// Package spf tells whether a domain lets a client send its mail: the Sender Policy
// Framework of RFC 7208.
//
// [Check] finds the domain's record, which is a TXT record that begins with "v=spf1",
// and goes through its mechanisms from left to right; the first that the client's
// address matches gives the result. "include" asks the record of another domain,
// "redirect" goes on with one.
//
// Everything that a sender or a publisher controls is bounded: the terms that ask the
// DNS, the names behind MX and PTR, the size of records, names and explanations. The
// time is that of the context.
//
// The package knows nothing of headers, scores and symbols.
package spf
