// Package mail holds what everything else looks at: a message, its header and the
// envelope that it came in.
//
// It knows nothing of spam, of SMTP dialogues and of the network. Whatever it reads
// is hostile: its parsers never fail, are bounded and take linear time. The formats
// are those of RFC 5322 (messages), RFC 2047 (encoded words in a header), RFC 5321
// (addresses and Received fields) and RFC 6531 (addresses in UTF-8).
package mail
