// Package greylist decides whether a message is told to come again later: mail of
// strangers is deferred the first time, since programs that only send spam rarely try
// twice, and what is learned about their servers meanwhile helps to judge the second try.
//
// It knows nothing of SMTP, of the score or of who is trusted: the caller asks about mail
// that may be deferred, and does so. All that is remembered is in a store, so that several
// machines act as one.
//
// # What is remembered
//
// A message is recognised by up to two keys, of which each has a grey record from the first
// attempt on, and a white one once it has passed:
//
//	data      the address of its From field, its recipients, its subject and the first
//	          10 KiB of its body: it may come again from another server.
//	          Without a body that is more than white space there is none.
//	envelope  its sender, the network of its client (/19 of IPv4, /64 of IPv6) and its
//	          recipients: the text may be another.
//
// When SPF or DKIM authenticates the domain of its sender, one key takes their place:
//
//	domain    that domain, as it is authenticated, and the domains of its recipients.
//	          The white record is for the domain alone, whoever its recipients are.
//
// Before the message itself is known, at DATA, there is no data key. A key of the body
// alone doesn't exist: the text of a campaign would pass from everywhere, to everybody, as
// soon as it is some minutes old.
//
// Recipients count without their extension and in any order. In senders, what changes with
// each message doesn't count:
//
//	prvs=TAG=joe@…             is joe@… (BATV; msprvs1= and btv1== too)
//	SRS0=…@forwarder.example   is srs#@forwarder.example, and SRS1 likewise: whom the
//	                           forwarder forwards doesn't matter
//	bounces+123-abc@…          is bounces@…
//	list-alice=example.com@…   is list-#@… (VERP)
//	bounce-123.4@…             is bounce-#.#@…; hexadecimal numbers are #, too
//
// # What happens
//
//	new      there is no record: one is written, the message is deferred
//	early    the record is younger than timeout: deferred. The record stays as it is.
//	passed   the record is at least as old as timeout: the message passes, and so does
//	         for expire_white what has the same key
//	white    something like it has passed before
//	warmup   there is no record, but the store is new itself: the message passes
//	future   the record is from the future, as somebody's clock is or was wrong: the
//	         message passes. A minute is taken for the difference of two clocks.
//	known    the authenticated domain is that of a correspondent of ours: it passes
//	exempt   the configuration exempts its client, its domain or one of its recipients
//	nostore  the store failed: the message passes
//	off      there is no greylisting
//
// A white record of any key lets the message pass. Otherwise the data key decides when it
// has a record, and the envelope key when it has none; a data record that is written while
// the envelope waits begins when that did, so that another text needs no longer. When
// several attempts or machines meet at a new key, one record is written and all of them go
// by it.
//
// A grey record is forgotten after expire: who comes later than that is new. A white one
// is forgotten after expire_white without use. When it is used it begins anew, at most once
// a day, so that regular correspondents don't lapse; that of a data key doesn't.
//
// # When the store is new
//
// A store that was emptied knows nobody: all would be deferred at once. So it keeps the
// time since when it is in use, under GREY.{TAG}.since and WHITE.{TAG}.since. When that is
// not there it is written, and for warmup from then on those who are not known pass. Their
// records are marked, so that they aren't deferred right after it either.
//
// TAG is one of 64, 00 to 3f, made of the recipients, or of the sender's domain in a domain
// key. It stands in braces in all keys, as Redis has it for what has to be on one node: all
// that concerns one message is there, with the time since when that node is in use. So it is
// noticed, too, when one node of several is emptied. Where the time is missing for one tag it
// is written for all that don't have it, so that a new installation has one warmup and not
// one for each tag.
//
// # Keys in the store
//
// The text of a key is of printable ASCII, its parts have "|" between them in the store and
// blanks where people see it. What is beyond it, and what separates parts, is %XX:
//
//	grey.{2a}.envelope|192.0.0.0/19|<joe@sender.example>|alice@example.com,bob@example.com
//	envelope 192.0.0.0/19 <joe@sender.example> alice@example.com,bob@example.com
//	data <joe@sender.example> alice@example.com 0b1c4f…
//	domain sender.example example.com
//
// One that is too long ends in "~" and a hash of all of it. Values are JSON.
package greylist
