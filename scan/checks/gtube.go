package checks

import (
	"bytes"
	"context"

	"rmilter/internal/ucl"
	"rmilter/scan"
)

// Patterns says which test strings are known.
type Patterns string

// The values of Patterns.
const (
	AllPatterns   Patterns = "all"     // one for each action
	RejectPattern Patterns = "reject"  // GTUBE alone
	NoPatterns    Patterns = "disable" // none
)

// gtubeTail is GTUBE without its first letter, in two pieces so that no mail filter
// takes this file for spam. The letter before it tells the action.
const gtubeTail = "JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" + "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

// gtube is the symbol of a test string: the generic test for unsolicited bulk e-mail,
// and rspamd's relatives of it.
var gtube = &scan.Symbol{
	Name:  "GTUBE",
	Score: 0,
	Group: "gtube",
	Doc:   "The message holds a test string that asks for an action.",
}

// GTUBE looks for test strings in the raw body.
var GTUBE = &scan.Spec[Patterns, struct{}]{
	Name:     "gtube",
	Doc:      "Test strings that ask for an action, as GTUBE does.",
	Symbols:  []*scan.Symbol{gtube},
	Defaults: func() Patterns { return AllPatterns },
	Top: func(p *Patterns) []ucl.Option {
		return []ucl.Option{{Name: "gtube_patterns", Value: ucl.Enum(p, AllPatterns, RejectPattern, NoPatterns), Doc: "Which test strings are known: GTUBE only (reject), those for the other actions too (all), or none (disable). None of them leads to a milder action than the score does."}}
	},
	New: func(p Patterns, _ scan.Env) (scan.Runner[struct{}], error) {
		return scan.RunnerFunc[struct{}](func(_ context.Context, pass *scan.Pass) (struct{}, error) {
			runGTUBE(p, pass)
			return struct{}{}, nil
		}), nil
	},
}

// gtubeAction returns the action that a first letter stands for. X, Y, Z and A are
// rspamd's letters; the others are for actions that rspamd has no test string for.
func gtubeAction(letter byte) (scan.Action, bool) {
	switch letter {
	case 'X':
		return scan.Reject, true
	case 'Y':
		return scan.AddHeader, true
	case 'Z':
		return scan.RewriteSubject, true
	case 'A':
		return scan.NoAction, true
	case 'S':
		return scan.SoftReject, true
	case 'G':
		return scan.Greylist, true
	case 'Q':
		return scan.Quarantine, true
	case 'D':
		return scan.Discard, true
	}
	return scan.NoAction, false
}

// runGTUBE reports a test string. Of several, the most severe counts. That for no
// action forces it only for our own mail: a stranger's would be a way around all other
// checks, so it is only reported. The others are no way around a severer action of the
// score, whoever sends them.
func runGTUBE(p Patterns, pass *scan.Pass) {
	if p == NoPatterns {
		return
	}
	action, found := worstPattern(pass.Message.Body(), p)
	if !found {
		return
	}
	pass.Report(gtube, action.String())
	switch action {
	case scan.NoAction:
		if pass.Envelope.Trust.Ours() {
			pass.Demand(action, "")
		}
	case scan.Reject:
		pass.DemandAtLeast(action, "Gtube pattern") // rspamd's words, which tests of mail systems look for
	default:
		pass.DemandAtLeast(action, "")
	}
}

// worstPattern walks body once.
func worstPattern(body []byte, p Patterns) (worst scan.Action, found bool) {
	tail := []byte(gtubeTail)
	for {
		i := bytes.Index(body, tail)
		if i < 0 {
			return worst, found
		}
		if i > 0 {
			if a, ok := gtubeAction(body[i-1]); ok && (p == AllPatterns || a == scan.Reject) {
				worst, found = max(worst, a), true
			}
		}
		body = body[i+len(tail):]
	}
}
