// Package replies remembers the mail of our own users and tells which mail of strangers
// belongs to it: answers, bounces, and mail of those with whom our users write.
//
// # Answers
//
// Of each accepted message of ours that has a Message-ID it remembers, for expire (7
// days), the addresses to which an answer may come and the registered domains of the
// recipients. The former are From, Reply-To, the sender of the envelope, and those of To
// and Cc that are of the domain of From or of the sender, at most 20; of the latter at
// most 100, without our own. Extensions (alice+news) don't count, nor do tags of BATV. A
// sender that has the recipient in it (VERP) stands for all recipients.
//
// A message answers ours if In-Reply-To or References names its id, and if it goes to
// one of those addresses by its envelope or by To. Ids without brackets, folded or in
// several fields count, too; of very many the 32 nearest are looked for. It is a
// [mail.Reply] when the one author in From is of a registered domain that our message
// went to, and a [mail.ClaimedReply] otherwise. The ids of what we write to mailing lists
// are public: a forger who takes one gets a ClaimedReply, which skips nothing and weighs
// little, unless he writes as somebody of the list's domain. Nobody becomes a Reply by
// writing as somebody of the domain that our message was from.
//
// From proves nothing by itself: whoever takes a [mail.Thread] has to count a Reply as
// claimed unless SPF or DKIM proves the domain of its Author.
//
// Nobody here knows which domains are hosted on this machine. What one of our users
// writes to a colleague in another domain of ours is remembered as any other message. The
// colleague's answer is our own mail and isn't looked up; a stranger's that bears his
// address is a Reply only with the proof of that domain.
//
// # Correspondents and senders
//
// Those to whom our users write are remembered for known_expire (30 days) with the users
// who did, the latest 8; those whose mail was accepted, too, provided that the sender of
// the envelope is of the author's domain. They count as seen from a day later on, so that
// one message of a campaign doesn't help the next. Of both the newest max_known are kept,
// in 4096 records each. A user, or a machine of ours where there is no login, adds at most
// max_new people and domains in a day: a stolen account doesn't crowd out the others.
//
// # Bounces
//
// A message with the null sender returns the messages in it or below its text, and those
// that its reports or References name. When one of them is ours, and the message goes to
// one of its addresses, it is [mail.OurBounce].
//
// It is [mail.UnknownBounce] when it returns a message that we never sent though we should
// know it. That is the case only if all of this is so: the id is of the registered domain
// of a recipient; mail from this domain has been remembered within known_expire; the
// returned message has one well-formed Date; and that lies between the time since when
// the domain is remembered and now, within expire, not before the store was there without
// a break, and not before the last message of ours that could not be remembered. So
// nothing is said of what was sent before rmilter was installed or started, while the
// store was away, or without a date. To see it work, send a message from the domain and
// then return one with another id and the present Date.
//
// Mail of the domain that doesn't pass through rmilter isn't known: of another outgoing
// machine with a store of its own, of a web server that sends by itself, of sendmail(1)
// without non_smtpd_milters. Where that is usual, machines have to share Redis, or
// BOUNCE_UNKNOWN needs the weight 0.
//
// # What it costs and where it is kept
//
// Everything is in the store for Message-IDs (servers_id). [Replies.Lookup] asks it once,
// for two small records as a rule. [Replies.Remember] and [Replies.Saw] write when the
// message has been accepted and nobody waits any more. When the store is away, nothing is
// known of any message and nothing is remembered; mail flows.
//
//	id.MESSAGE-ID           a message of ours, for expire
//	known.to.SHARD          whom our users wrote to, for known_expire
//	known.from.SHARD        whose mail was accepted, for known_expire
//	known.domain.DOMAIN     since when mail from a domain of ours is remembered, for known_expire
//	known.new.USER          how many a user has added, for a day
//
// Values are JSON, times UTC. The prefix id is redis { id_prefix }. In keys whatever is
// not printable ASCII, and space % { } ~, is written as %XX; keys of more than 250 bytes
// end in ~ and a hash.
package replies
