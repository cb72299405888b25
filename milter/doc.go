// Package milter is the filter's side of the milter protocol, versions 2 to 6, as
// Postfix and sendmail speak it.
//
// It knows connections, packets, macros, replies and edits, and nothing of mail
// filtering: a Server turns what an MTA sends into the events of a Session and the
// Session's answers into packets.
//
// The protocol has no RFC. Its source is sendmail's libmilter (mfapi.h, mfdef.h);
// names with SMFI are taken from there. An MTA opens a connection for each SMTP
// session, offers a version, the edits it allows and the steps it can leave out
// (SMFIC_OPTNEG), and then sends a packet for each SMTP command, header field and
// piece of body. Some packets are answered. Macros, small variables such as the
// queue id, come in packets of their own before the command that they belong to.
//
// Packets are dispatched and answers encoded by github.com/emersion/go-milter. That
// library speaks version 2, forgets the sender when a recipient is refused, drops
// macros and ESMTP parameters and has no deadlines, so a link of ours stands between
// it and the network: the link frames, checks and reads every packet itself, hands
// the library an empty packet of the same kind for those that are answered, and gathers
// its answers so that each leaves in one write. None of the library's types leave this
// package.
package milter
