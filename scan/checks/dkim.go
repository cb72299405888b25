package checks

import (
	"context"
	"strconv"

	"rmilter/dkim"
	"rmilter/scan"
)

var (
	dkimAllow    = oneShot(symbol("R_DKIM_ALLOW", -0.2, "policies", "The message has a valid DKIM signature."))
	dkimReject   = oneShot(symbol("R_DKIM_REJECT", 1, "policies", "A DKIM signature of the message doesn't verify."))
	dkimTempFail = symbol("R_DKIM_TEMPFAIL", 0, "policies", "The DNS gave no answer about the key of a DKIM signature.")
	dkimPermFail = symbol("R_DKIM_PERMFAIL", 0, "policies", "A DKIM signature of the message can't be used: it or its key is broken, or leaves a part of the body unsigned.")
	dkimNA       = oneShot(symbol("R_DKIM_NA", 0, "policies", "The message has no DKIM signature."))
	dkimTrace    = symbol("DKIM_TRACE", 0, "policies", "The domains that signed the message, with + for a valid signature, - for a bad one, ~ for one that can't be used and ? when that isn't known.")
)

// DKIM verifies the signatures of the message (RFC 6376). It also finishes the ARC chain,
// which is of the same results. Its result is nil when nobody looked: for our own mail.
//
// A signature with a key in test mode that doesn't verify counts as none (RFC 6376,
// section 3.6.1).
var DKIM = &scan.Spec[struct{}, *dkim.Results]{
	Name:    "dkim_verify",
	Doc:     "DKIM signatures of the message (RFC 6376).",
	Symbols: []*scan.Symbol{dkimAllow, dkimReject, dkimTempFail, dkimPermFail, dkimNA, dkimTrace},
	Composites: []scan.Composite{{
		Symbol:     symbol("DKIM_MIXED", 0, "policies", "The message has a valid DKIM signature, and others that aren't."),
		Expression: "-R_DKIM_ALLOW & (R_DKIM_TEMPFAIL | R_DKIM_PERMFAIL | R_DKIM_REJECT)",
		Policy:     "remove_weight",
	}},
	Network: true,
	Timeout: authTime,
	New: func(struct{}, scan.Env) (scan.Runner[*dkim.Results], error) {
		return scan.RunnerFunc[*dkim.Results](runDKIM), nil
	},
}

func runDKIM(ctx context.Context, p *scan.Pass) (*dkim.Results, error) {
	if p.Aids.DKIM == nil || p.Envelope.Trust.Ours() {
		return nil, nil
	}
	res := p.Aids.DKIM.Finish(ctx)
	var trace []string
	counted := 0
	for i := range res.Signatures {
		s := &res.Signatures[i]
		found, mark := dkimSymbol(s)
		if found != nil {
			counted++
			p.Report(found, dkimEvidence(s))
		}
		if s.Domain != "" {
			trace = append(trace, shown(s.Domain)+":"+mark)
		}
		p.AddAuth(dkimAuth(s))
	}
	if counted == 0 {
		p.Report(dkimNA)
	}
	if trace != nil {
		p.Report(dkimTrace, trace...)
	}
	if len(res.Signatures) == 0 {
		p.AddAuth(noDKIM())
	}
	return &res, nil
}

// onTrial tells whether a signature counts as none: it fails, and its key is in test
// mode.
func onTrial(s *dkim.Signature) bool { return s.Testing && s.Status != dkim.Pass }

// dkimSymbol returns the symbol for a signature, nil for none, and its mark in DKIM_TRACE.
func dkimSymbol(s *dkim.Signature) (found *scan.Symbol, mark string) {
	switch {
	case s.Status == dkim.Pass:
		return dkimAllow, "+"
	case onTrial(s):
		return nil, "~"
	case s.Status == dkim.Fail:
		return dkimReject, "-"
	case s.Status == dkim.TempError:
		return dkimTempFail, "?"
	}
	return dkimPermFail, "~"
}

// dkimEvidence tells the domain, the selector and what is wrong: "example.org:s=sel:
// bad body hash".
func dkimEvidence(s *dkim.Signature) string {
	text := shown(s.Domain) + ":s=" + shown(s.Selector)
	if s.Domain == "" {
		text = "field " + strconv.Itoa(s.Field+1)
	}
	if s.Reason != dkim.Passed {
		text += ": " + string(s.Reason)
	}
	return text
}
