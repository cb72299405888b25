package checks

import (
	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	reply               = symbol("REPLY", -4, "replies", "The message answers one of our own users; it counts for a quarter when its author is in no domain that our message went to, or when neither SPF nor DKIM proves that domain.")
	bounceUnknown       = symbol("BOUNCE_UNKNOWN", 2.5, "replies", "The message returns one of our domain that we never sent: somebody used the domain as a sender.")
	knownSender         = symbol("KNOWN_SENDER", -1, "known_senders", "Mail of the author was accepted before, and SPF or DKIM proves his domain.")
	incMailKnownGlobal  = symbol("INC_MAIL_KNOWN_GLOBALLY", -1, "known_senders", "One of our own users wrote to the author before, and SPF or DKIM proves his domain.")
	incMailKnownLocally = symbol("INC_MAIL_KNOWN_LOCALLY", -1, "known_senders", "One of the recipients wrote to the author before, and SPF or DKIM proves his domain.")
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
	Reads:   []scan.Check{Auth},
	New:     plain(runCorrespondence),
}

// claimed is what an answer counts for that anybody could have written who has seen our
// message: the author is in no domain that it went to, or nothing proves that he is.
const claimed = 0.25

func runCorrespondence(p *scan.Pass) {
	t := &p.Envelope.Thread
	proof := proven(p)
	proved := proof.Has(t.Author.Domain)
	kind := t.Reply
	if kind == mail.Reply && !proved {
		kind = mail.ClaimedReply
	}
	p.Recognise(kind)
	switch {
	case kind == mail.Reply:
		p.Report(reply, shown("<"+t.ID+">"))
	case t.Reply == mail.Reply:
		p.ReportScaled(reply, claimed, shown("<"+t.ID+">"), "author not authenticated")
	case kind == mail.ClaimedReply:
		p.ReportScaled(reply, claimed, shown("<"+t.ID+">"), "claimed")
	}
	if t.Bounce == mail.UnknownBounce {
		p.Report(bounceUnknown, shown("<"+t.ID+">"))
	}
	if !proved {
		return // anybody can write an address into From
	}
	author := shownAddress(t.Author)
	if t.Seen {
		p.Report(knownSender, author)
	}
	if t.KnownBy {
		p.Report(incMailKnownGlobal, author)
	}
	if t.KnownTo {
		p.Report(incMailKnownLocally, author)
	}
}
