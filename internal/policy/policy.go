package policy

import (
	"rmilter/internal/authres"
	"rmilter/internal/mail"
	"rmilter/scan"
)

// A Reply is the SMTP answer to a message. The zero Reply accepts it.
type Reply struct {
	Code     int    // 451, 554 …; 0 accepts
	Enhanced string // "4.7.1"
	Text     string // printable ASCII; ends in " [ID]"
}

// EditKind says what an Edit does.
type EditKind byte

// The edits, in the order in which a verdict lists them.
const (
	DeleteHeader EditKind = iota + 1 // delete the Index-th field of that name
	ChangeHeader                     // replace the value of the Index-th field of that name
	AddHeader                        // append at the end of the header
	InsertHeader                     // insert at position Index, 0 is the top
	AddRcpt                          // add Value as a recipient
	Quarantine                       // let the MTA hold the message, Value is the reason
)

// OnTop is the Index of an InsertHeader that puts a field above all others but the
// MTA's own Received.
const OnTop = 1

// An Edit is one change to a message that goes on. Edits are carried out one after
// the other; since deletions of a name come from the highest index down, an index
// means the same field before and after the earlier edits.
type Edit struct {
	Kind  EditKind
	Index int    // 1 is the first field of that name in the message as received
	Name  string // field name
	Value string // without leading space, folded with "\n"
}

// Facts are all that a decision rests on.
type Facts struct {
	Envelope   *mail.Envelope   // never nil
	Header     mail.Header      // of the message as the MTA has it
	Report     *scan.Report     // nil when the message was not scanned
	Recipients []Settings       // the distinct settings of the recipients; none means the defaults
	Extended   bool             // every recipient matches extended_headers_rcpt
	Hostname   string           // this filter's name, for X-Rspamd-Server
	Broken     bool             // the filter could not judge the message (spool, panic)
	DryRun     bool             // decide, but change nothing
	Greylist   *Greylist        // what greylisting said; nil when it was not asked
	Auth       []authres.Result // what Authentication-Results says; nil for no such field
}

// A Greylist is what greylisting says of a message: whether it has to come again.
type Greylist struct {
	Defer  bool
	Text   string // of the reply with Defer, without id; "" for the usual one
	Header string // value of X-Rmilter-Greylist for a message that goes on; "" for none
}

// Doubtful tells whether greylisting has a say: the message would be deferred or marked
// for its score, and comes from a stranger. Nobody is told to come again whose mail
// is refused anyway.
func (v *Verdict) Doubtful(trust mail.Trust) bool {
	forced := v.Passthrough != nil && v.Passthrough.Action != scan.Greylist
	return trust == mail.Stranger && !forced && v.Action > scan.NoAction && v.Action <= scan.RewriteSubject
}

// A Verdict is what is done with a message.
type Verdict struct {
	Action   scan.Action // what was decided; with DryRun what would have been done
	Discard  bool        // accept and drop
	Reply    Reply
	Edits    []Edit
	Score    float64
	Rows     []scan.Row // what the score is made of; nil when the message was not scanned
	Required float64    // the reject threshold that counted, 0 when there is none
	DryRun   bool       // nothing of it is carried out: Reply, Discard and Edits are empty
	// Reached is the action that the score or a check led to, before the client's trust
	// made it a milder one.
	Reached scan.Action
	// Counted are the settings that the score and the action come from; nil when the
	// message was not scanned.
	Counted *Settings
	// Passthrough is what forced the action; nil when the score led to it.
	Passthrough *scan.Passthrough
}
