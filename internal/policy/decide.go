package policy

import (
	"math"

	"rmilter/internal/mail"
	"rmilter/scan"
)

// Texts of replies and reasons where nobody gives a better one.
const (
	softRejectText = "Try again later"
	brokenText     = "Temporary service failure."
	floodText      = "Too many spam header fields"
	quarantineText = "Spam message quarantined"
)

// floodSource is what is named as the one that rejects a message for floodText.
const floodSource = "spam_header_fields"

// maxReason and maxReply bound the texts of checks and of the configuration, in
// bytes, so that a reply fits into the 512 bytes of RFC 5321, section 4.5.3.1.5.
const (
	maxReason = 200
	maxReply  = 400
)

// A decision is a verdict in the making.
type decision struct {
	c        *Config
	f        *Facts
	strip    []Edit // the deletions of foreign fields
	action   scan.Action
	reached  scan.Action // before it was softened
	text     string      // what a check wants to have said; "" for the action's own text
	score    scan.Score
	required float64
	counted  *Settings         // nil: not scanned
	demand   *scan.Passthrough // what forces the action, nil for nothing
}

// Decide returns what is done with a message. It is the one place where the rules
// stand that depend on who sends it: our own users' mail is never marked, a relay's
// never refused, local mail neither refused, held nor dropped.
func Decide(c *Config, f *Facts) Verdict {
	d := decision{c: c, f: f}
	var flood bool
	d.strip, flood = foreignFields(f.Header, string(c.SpamHeader), d.authservID())
	if f.Broken {
		d.broken()
	} else {
		d.judge(flood)
		d.reached = d.action
		d.soften(f.Envelope.Trust)
		d.greylist()
	}
	v := Verdict{Action: d.action, Score: d.score.Total, Rows: d.score.Rows, Required: d.required, DryRun: f.DryRun,
		Reached: d.reached, Counted: d.counted, Passthrough: d.demand}
	switch {
	case f.DryRun:
	case d.action == scan.Discard:
		v.Discard = true
	case d.action == scan.SoftReject:
		v.Reply = d.softReject()
	case d.deferred():
		v.Reply = d.comeAgain()
	case d.action == scan.Reject:
		v.Reply = d.reject()
	default:
		v.Edits = d.edits()
	}
	return v
}

// broken decides about a message that could not be judged.
func (d *decision) broken() {
	trust := d.f.Envelope.Trust
	if bool(d.c.TempfailOnError) && trust != mail.Local && trust != mail.TrustedRelay {
		d.action, d.text = scan.SoftReject, brokenText
	}
}

// judge takes the mildest of the actions that the recipients' settings lead to.
func (d *decision) judge(flood bool) {
	all := d.f.Recipients
	if len(all) == 0 {
		all = []Settings{*d.c.Book(nil).For("", "")}
	}
	skip := true
	for _, s := range all {
		skip = skip && s.Skip
	}
	if d.f.Report == nil || skip {
		return
	}
	demand := d.f.Report.Passthrough
	if flood && (demand == nil || demand.Action < scan.Reject) {
		demand = &scan.Passthrough{Action: scan.Reject, Source: floodSource, Message: floodText}
	}
	var score scan.Score
	for i, s := range all {
		if i == 0 || s.Weights != all[i-1].Weights {
			score = s.Weights.Score(d.f.Report.Findings)
		}
		a := s.Thresholds.Action(score.Total)
		forces := demand
		if demand != nil && demand.AtLeast && a > demand.Action {
			forces = nil
		}
		if forces != nil {
			a = forces.Action
		}
		if a == scan.Reject && s.NeverReject {
			a = scan.AddHeader
		}
		if i == 0 || a < d.action {
			d.action, d.score, d.required, d.counted, d.demand = a, score, required(s), &all[i], forces
		}
	}
	if d.demand != nil {
		d.text = printable(d.demand.Message, maxReason)
	}
}

// required returns the score from which these settings reject, 0 for never.
func required(s Settings) float64 {
	if r := s.Thresholds[scan.Reject]; !math.IsNaN(r) {
		return r
	}
	return 0
}

// soften turns what may not be done to mail of this trust into what may.
func (d *decision) soften(trust mail.Trust) {
	switch {
	case trust == mail.Local || trust == mail.TrustedRelay:
		// A refusal would stick in the MTA's own queue, or make the relay send a
		// bounce to a forged sender; mail dropped or held here is missed by people
		// who trust it.
		switch d.action {
		case scan.Greylist:
			d.action = scan.NoAction
		case scan.Quarantine, scan.SoftReject, scan.Reject, scan.Discard:
			d.action = scan.AddHeader
		}
	case trust.Ours():
		switch d.action {
		case scan.Greylist, scan.AddHeader, scan.RewriteSubject:
			d.action = scan.NoAction
		}
	}
}

// greylist takes greylisting's word: what has to come again is deferred, and what has
// passed is no longer to be greylisted.
func (d *decision) greylist() {
	switch {
	case d.deferred():
		d.action = scan.Greylist
	case d.f.Greylist != nil && d.action == scan.Greylist:
		d.action = scan.NoAction
	}
}

// deferred tells whether greylisting wants the message to come again.
func (d *decision) deferred() bool { return d.f.Greylist != nil && d.f.Greylist.Defer }

// comeAgain returns the reply to a message that greylisting defers.
func (d *decision) comeAgain() Reply {
	return d.reply(d.temporary(), "4.7.1", printable(d.f.Greylist.Text, maxReply), softRejectText)
}

// ComeAgain returns the reply to a message that greylisting defers before it is sent,
// with a text that may be empty and the message's id.
func (c *Config) ComeAgain(id, text string) Reply {
	d := decision{c: c, f: &Facts{Envelope: &mail.Envelope{ID: id}, Greylist: &Greylist{Defer: true, Text: text}}}
	return d.comeAgain()
}

// softReject returns the temporary refusal.
func (d *decision) softReject() Reply {
	return d.reply(d.temporary(), "4.7.1", d.text, softRejectText)
}

// temporary returns the code of temporary refusals.
func (d *decision) temporary() int {
	if d.c.SMTPCodes == RmilterCodes {
		return 452
	}
	return 451
}

// reject returns the refusal for good.
func (d *decision) reject() Reply {
	text := printable(string(d.c.RejectMessage), maxReply)
	if text == "" {
		text = string(DefaultConfig().RejectMessage)
	}
	return d.reply(554, "5.7.1", d.text, text)
}

// reply returns a refusal that ends in the message's id.
func (d *decision) reply(code int, enhanced, text, otherwise string) Reply {
	if text == "" {
		text = otherwise
	}
	return Reply{Code: code, Enhanced: enhanced, Text: d.tagged(text)}
}

// tagged appends the id by which the log line is found.
func (d *decision) tagged(text string) string {
	if id := printable(d.f.Envelope.ID, 64); id != "" {
		text += " [" + id + "]"
	}
	return text
}

// spamHeader returns the field that marks spam.
func (d *decision) spamHeader() Edit {
	name, value := string(d.c.SpamHeader), printable(string(d.c.SpamHeaderValue), maxReason)
	if value == "" {
		value = string(DefaultConfig().SpamHeaderValue)
	}
	return Edit{Kind: AddHeader, Name: name, Value: value}
}

// edits returns the changes to a message that goes on.
func (d *decision) edits() []Edit {
	edits := d.strip
	if d.action == scan.RewriteSubject {
		edits = append(edits, subjectEdits(d.f.Header, string(d.c.Subject), d.score.Total)...)
	}
	if d.action == scan.AddHeader || d.action == scan.RewriteSubject && bool(d.c.SpamAddHeader) {
		edits = append(edits, d.spamHeader())
	}
	if g := d.f.Greylist; g != nil && g.Header != "" {
		edits = append(edits, Edit{Kind: AddHeader, Name: "X-Rmilter-Greylist", Value: printable(g.Header, maxReason)})
	}
	if d.f.Extended || bool(d.c.ExtendedHeaders) && !d.f.Envelope.Trust.Ours() {
		edits = append(edits, d.extended()...)
	}
	edits = append(edits, d.authentication()...)
	if d.action == scan.Quarantine {
		reason := d.text
		if reason == "" {
			reason = quarantineText
		}
		edits = append(edits, Edit{Kind: Quarantine, Value: d.tagged(reason)})
	}
	return edits
}
