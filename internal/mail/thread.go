package mail

import "time"

// A Thread is what is known of a message's relation to mail that our users sent, and of
// its author. The zero value says that nothing is known, or that nobody could be asked.
// Nothing of it proves that the author is who the message says.
type Thread struct {
	Reply ReplyKind
	ID    string // the Message-ID of ours that it answers or returns, without brackets; "" none
	// Author is the one address in From; the null address when there is none, or several.
	Author Address
	// Aligned tells that the sender of the envelope is of the author's registered domain.
	Aligned bool
	// KnownBy and KnownTo tell whether the author has been written to: by anybody of
	// ours, by one of the recipients.
	KnownBy, KnownTo bool
	// Seen tells that mail of the author was accepted before, a day ago or longer.
	Seen   bool
	Noted  time.Time // when such mail was noted last; zero for never
	Bounce BounceKind
	// Failed says that the store could not be asked: all but Author and Aligned is
	// unknown.
	Failed bool
}

// ReplyKind says how surely a message answers one of ours.
type ReplyKind byte

// The kinds of reply.
const (
	NoReply ReplyKind = iota
	// ClaimedReply names one of our messages and goes to one of its authors or our
	// recipients, but its author is in no domain that the message was sent to: one of
	// a mailing list, say, or forged.
	ClaimedReply
	// Reply is one whose author is in a domain that our message was sent to.
	Reply
)

// BounceKind says what message a message with the null sender returns.
type BounceKind byte

// The kinds of bounce.
const (
	NoBounce BounceKind = iota
	// OurBounce returns a message that we sent, to one of its authors.
	OurBounce
	// UnknownBounce returns a message with a Message-ID of the recipient's domain which
	// we never sent, though it says that it is from a time that we remember.
	UnknownBounce
)
