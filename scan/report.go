package scan

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rmilter/internal/authres"
	"rmilter/internal/dmarc"
	"rmilter/internal/mail"
)

// Action is what a verdict does to a message, in rspamd's words. The order is from
// mild to severe and is used: of several actions the mildest is the smallest.
type Action byte

// The actions.
const (
	NoAction       Action = iota // deliver as it is
	Greylist                     // defer the first time
	AddHeader                    // deliver with the spam header
	RewriteSubject               // deliver with the subject marked
	Quarantine                   // let the MTA hold it
	SoftReject                   // 451: let the client try again
	Reject                       // 554
	Discard                      // accept and drop
)

// String returns rspamd's word, with spaces: "no action", "add header".
func (a Action) String() string {
	names := [...]string{"no action", "greylist", "add header", "rewrite subject", "quarantine", "soft reject", "reject", "discard"}
	if int(a) < len(names) {
		return names[a]
	}
	return "unknown action"
}

// A Symbol is a named observation about a message. It is a constant value: the
// weight in force for it belongs to Weights.
type Symbol struct {
	Name    string  // upper case, unique in the program; rspamd's name where the meaning is rspamd's
	Score   float64 // default weight
	Group   string  // scores of one group can be capped together
	OneShot bool    // counts once, however often it is reported
	Doc     string  // one sentence for people
}

// valid tells what is wrong with a declaration.
func (s *Symbol) valid() error {
	switch {
	case s.Name == "" || strings.Trim(s.Name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "":
		return fmt.Errorf("symbol %q: the name is not upper-case letters, digits and underscores", s.Name)
	case s.Group == "":
		return fmt.Errorf("symbol %s has no group", s.Name)
	case !strings.HasSuffix(s.Doc, "."):
		return fmt.Errorf("symbol %s: the documentation is no sentence: %q", s.Name, s.Doc)
	}
	return nil
}

// A Finding is a Symbol seen on one message.
type Finding struct {
	Symbol   *Symbol
	Strength float64  // by which the weight is multiplied; 1 as a rule
	Details  []string // evidence, as shown in brackets in the log and the headers
}

// A Passthrough is a check's demand for one action, whatever the score is.
type Passthrough struct {
	Action  Action
	Source  string // the check's name
	Message string // text for the SMTP reply; "" for the action's own
	AtLeast bool   // a severer action of the score counts
}

// A Timing is how long a check took.
type Timing struct {
	Check string
	Took  time.Duration
}

// A Report is the complete and ordered account of one scan: what was seen, not what it
// weighs (see Weights.Score). It belongs to the caller. All that is told about a scan
// is a rendering of it.
type Report struct {
	Findings    []Finding        // in a deterministic order
	Passthrough *Passthrough     // nil when no check forces the action
	Failed      map[string]error // checks that gave no answer, by name; nil when none
	Times       []Timing         // of the checks that ran
	Took        time.Duration    // wall time of the scan
	// Sender is the registered domain of From if SPF or DKIM proves it; "" otherwise.
	Sender string
	// Reply is what Envelope.Thread.Reply is worth: an answer whose author isn't
	// authenticated only claims to be one.
	Reply mail.ReplyKind
	// Auth is what an Authentication-Results field has to say, in its order; empty for
	// our own mail.
	Auth []authres.Result
	// DMARC is what an aggregate report counts for this message, with what DMARC alone
	// has done as its Disposition; nil when nobody wants to know.
	DMARC *dmarc.Row

	late chan struct{}
}

// Late returns a channel that is closed when the last check has let go of the message;
// nil when all have.
func (r *Report) Late() <-chan struct{} { return r.late }

// Thresholds are the scores from which an action is taken. NaN and absent mean never.
type Thresholds map[Action]float64

// Action returns the most severe action whose threshold the score reaches.
func (t Thresholds) Action(score float64) Action {
	best := NoAction
	for a, min := range t {
		if a > best && score >= min {
			best = a
		}
	}
	return best
}

// A Scanner judges messages. It is safe for concurrent use.
type Scanner interface {
	// Scan always returns a report; checks that could not answer by ctx's
	// deadline are listed in Failed.
	Scan(ctx context.Context, e *mail.Envelope, m *mail.Message, aids Aids) *Report
	// Weights returns the weights in force.
	Weights() *Weights
	// Symbols returns what a message may get.
	Symbols() []Listing
	// Refresh has the checks read the administrator's files that have changed. With an
	// error they go on with what they had.
	Refresh() error
}
