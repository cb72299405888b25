// Package ratelimit limits how much mail is taken in a time: to a recipient, from a client
// and sender to a recipient, and from each of our own users.
//
// A limit is a bucket of pieces: its burst. Each recipient of a message takes one piece
// out of every bucket that concerns it, and each bucket gets one piece back after a fixed
// time, its rate, until it is full again. A bucket without a piece refuses: the recipient
// is told to try again later (451), the message's other recipients are not concerned. All
// buckets are off unless the configuration has them:
//
//	user               limits.user            one of our users: a SASL login
//	bounce_to          limit_bounce_to        bounces to a recipient
//	bounce_to_ip       limit_bounce_to_ip     bounces from a client to a recipient
//	to_ip_from         limit_to_ip_from       mail from a client and sender to a recipient
//	to_ip              limit_to_ip            mail from a client to a recipient
//	to                 limit_to               mail to a recipient
//
// All that apply are asked at once. If one refuses, the others get their piece back, and
// the refusal is told in the name of the first of this list.
//
// # What counts as one
//
// A recipient is an address without its extension, in lower case: bob+news@example.com is
// bob@example.com. A client is an IPv4 address or the /64 of an IPv6 address, since a
// single host has all of that. A login counts in lower case. A user's message to
// thirty recipients takes thirty pieces: it is the recipients by which a stolen account
// is noticed, not the messages.
//
// A bounce is mail whose sender's local part is listed in limit_bounce_addrs; <> there is
// the null sender. It is counted by the bounce buckets and by all the others.
//
// A burst of 20 lets exactly 20 through at once. The old rmilter let 21 pass. A rate is
// rounded down to whole microseconds for each piece, and a bucket that would need more
// than a hundred years to become full needs a hundred.
//
// # Who is not limited
//
// Mail injected on the MTA's own machine and mail of trusted_relays is never limited:
// neither may be deferred. The rest of our own mail is not counted by to, to_ip and the
// bounce buckets unless limit_ours = yes; to_ip_from, which stops a loop and a script that
// went wild, and user do count it. limit_whitelist, limit_whitelist_user and
// limit_whitelist_rcpt name clients, logins and recipients without any limit; the latter
// match the full address or the one without extension.
//
// # What becomes of pieces
//
// Pieces are taken at RCPT. Those of a message that is not accepted are given back, which
// never makes more room than if they had not been taken. Buckets are times, so a limit
// that a reload has changed applies at once to what was taken before. A store that cannot
// be asked limits nothing.
//
// A user who is refused raises one alert: see [Watch].
package ratelimit
