// Package mail holds what everything else looks at: a message with its parts, text and
// links, its header and the envelope that it came in.
//
// It knows nothing of spam, of SMTP dialogues and of the network. Whatever it reads
// is hostile: its parsers never fail, are bounded and take linear time. What is
// malformed is read as mail programs read it, where they differ so that nothing is
// hidden from the checks, and is listed as a Defect. The formats are those of RFC 5322
// (messages), RFC 2045, 2046 and 2183 (parts), RFC 2047 and 2231 (encoded words and
// parameters), RFC 5321 (addresses and Received fields) and RFC 6531 (addresses in
// UTF-8).
//
// A Message is parsed in steps: Parse reads the header, the rest is found out when it
// is asked for, once, and shared.
package mail
