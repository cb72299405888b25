package checks

import (
	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	reply               = symbol("REPLY", -4, "replies", "The message answers one of our own users; it counts for a quarter when its author is in no domain that our message went to.")
	bounceUnknown       = symbol("BOUNCE_UNKNOWN", 2.5, "replies", "The message returns one of our domain that we never sent: somebody used the domain as a sender.")
	knownSender         = symbol("KNOWN_SENDER", -1, "known_senders", "Mail of the author was accepted before.")
	incMailKnownGlobal  = symbol("INC_MAIL_KNOWN_GLOBALLY", -1, "known_senders", "One of our own users wrote to the author before.")
	incMailKnownLocally = symbol("INC_MAIL_KNOWN_LOCALLY", -1, "known_senders", "One of the recipients wrote to the author before.")
)

// Correspondence tells what is known of the mail that a message belongs to. It only
// reads Envelope.Thread: who fills that in has asked the store already. When the store
// gave no answer the check finds nothing.
//
// rspamd's UNKNOWN_SENDER, for those who never wrote before, isn't there: everybody
// writes for the first time once.
var Correspondence = &scan.Spec[struct{}, struct{}]{
	Name:    "correspondence",
	Doc:     "Answers and bounces of our own users' mail, and those who they write with.",
	Symbols: []*scan.Symbol{reply, bounceUnknown, knownSender, incMailKnownGlobal, incMailKnownLocally},
	New:     plain(runCorrespondence),
}

const (
	// claimed is what an answer counts for that anybody could have written who reads the
	// list to which our message went.
	claimed = 0.25
	// unproven is what somebody counts for who is known by his address alone. Anybody
	// can write that into From.
	unproven = 0.5
)

func runCorrespondence(p *scan.Pass) {
	t := &p.Envelope.Thread
	switch t.Reply {
	case mail.Reply:
		p.Report(reply, shown("<"+t.ID+">"))
	case mail.ClaimedReply:
		p.ReportScaled(reply, claimed, shown("<"+t.ID+">"), "claimed")
	}
	if t.Bounce == mail.UnknownBounce {
		p.Report(bounceUnknown, shown("<"+t.ID+">"))
	}
	if !t.Aligned {
		return // a sender of another domain doesn't vouch for the author
	}
	author := shownAddress(t.Author)
	if t.Seen {
		p.ReportScaled(knownSender, unproven, author)
	}
	if t.KnownBy {
		p.ReportScaled(incMailKnownGlobal, unproven, author)
	}
	if t.KnownTo {
		p.ReportScaled(incMailKnownLocally, unproven, author)
	}
}
