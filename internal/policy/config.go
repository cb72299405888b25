package policy

import (
	"strings"

	"rmilter/internal/authres"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// Config are the options of this package. It is safe for concurrent use once loaded.
type Config struct {
	RejectMessage       ucl.String     // text of a reject
	NeverReject         ucl.Flag       // turn a reject into the spam header
	SpamHeader          HeaderName     // name of the spam header
	SpamHeaderValue     ucl.String     // its value
	SpamAddHeader       ucl.Flag       // add it to mail with a rewritten subject too
	NoAuthHeader        ucl.Flag       // without effect: always on
	ExtendedHeaders     ucl.Flag       // add the extended headers to mail that isn't ours
	ExtendedHeadersRcpt ucl.Recipients // add them if every recipient is listed
	TempfailOnError     ucl.Flag       // defer what could not be judged
	Subject             ucl.String     // template of a rewritten subject
	Actions             Actions        // the thresholds
	SMTPCodes           Codes          // which code temporary answers have
	AuthservID          ServiceID      // our name in Authentication-Results; "" for the host name
	AuthResults         ucl.Flag       // add Authentication-Results
	Blocks              []*Block       // settings of their own for some recipients, in order
}

// Codes says which SMTP code temporary answers have.
type Codes string

// The values of Codes.
const (
	RspamdCodes  Codes = "rspamd"  // 451 always
	RmilterCodes Codes = "rmilter" // 452 where rmilter had it
)

// Actions are the scores from which actions are taken.
type Actions struct {
	Greylist, AddHeader, RewriteSubject, Quarantine, SoftReject, Reject, Discard Threshold
}

// A Block are the settings of some recipients.
type Block struct {
	Name        string
	Rcpt        ucl.Recipients        // whose settings these are
	Enable      ucl.Flag              // no: these recipients want no checks
	NeverReject *ucl.Flag             // overrides spamd_never_reject; nil does not
	Actions     Actions               // thresholds, as far as they differ
	Scores      map[string]*ucl.Float // weights of symbols, as far as they differ
	SymbolsOff  ucl.Strings           // symbols that don't count
	GroupsOff   ucl.Strings           // groups whose symbols don't count
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		RejectMessage:   "Spam message rejected; If this is not spam contact abuse team",
		SpamHeader:      "X-Spam",
		SpamHeaderValue: "yes",
		SpamAddHeader:   true,
		NoAuthHeader:    true,
		Subject:         "***SPAM*** %s",
		Actions:         Actions{Greylist: At(4), AddHeader: At(6), Reject: At(15)},
		SMTPCodes:       RspamdCodes,
		AuthResults:     true,
	}
}

// Sections declares the options; see package ucl. Blocks of settings that are read
// are appended to c.Blocks.
func (c *Config) Sections() []*ucl.Section {
	actions := &ucl.Section{
		Name:    "actions",
		Doc:     "The scores from which actions are taken. Of several the most severe is taken; off takes it never.",
		Options: append(c.Actions.options(false), ucl.Option{Name: "subject", Value: &c.Subject, Doc: "The subject that rewrite_subject gives a message: %s is the old subject, %d the score, %% a percent sign."}),
	}
	actions.Check = func(warn warnFunc) {
		c.Actions.check(&c.Actions, actions, actions, warn)
		c.checkSubject(warn)
	}
	return []*ucl.Section{
		{Options: []ucl.Option{
			{Name: "smtp_codes", Value: ucl.Enum(&c.SMTPCodes, RspamdCodes, RmilterCodes), Doc: "rspamd: temporary answers have code 451. rmilter: 452 for soft reject, greylisting and what tempfail_on_error defers, as the old rmilter had it."},
			{Name: "authentication_results", Value: &c.AuthResults, Doc: "Add the field Authentication-Results (RFC 8601) to the mail of others: what SPF, DKIM, DMARC and ARC say."},
			{Name: "authserv_id", Value: &c.AuthservID, Example: "mx.example.com", Doc: "Under which name that field is added, a host name; \"\" is hostname. Authentication-Results of this name that mail comes with are deleted, as they are forged. Machines that hand mail to each other need one name, or keep each other's."},
		}},
		{Name: "spamd", Doc: "What is done with spam.", Options: c.spamd(), Check: c.checkSpamd},
		actions,
		c.settings(actions),
	}
}

// spamd declares the options of that section.
func (c *Config) spamd() []ucl.Option {
	return []ucl.Option{
		{Name: "reject_message", Value: &c.RejectMessage, Doc: "Text of the reply to rejected mail, printable ASCII; the message's id is added. A check may have a text of its own."},
		{Name: "spamd_never_reject", Value: &c.NeverReject, Doc: "Accept what would be rejected, with the spam header."},
		{Name: "spam_header", Value: &c.SpamHeader, Doc: "Name of the header field that marks spam. Fields of this name and X-Spam*, X-Rspamd-* and X-Rmilter-* of others are deleted from every message."},
		{Name: "spam_header_value", Value: &c.SpamHeaderValue, Doc: "Value of the header field that marks spam."},
		{Name: "spamd_spam_add_header", Value: &c.SpamAddHeader, Doc: "Add the spam header to messages with a rewritten subject, too."},
		{Name: "spam_no_auth_header", Value: &c.NoAuthHeader, Doc: "Accepted for compatibility and always on: the mail of our own users and networks is never marked."},
		{Name: "extended_spam_headers", Value: &c.ExtendedHeaders, Doc: "Add X-Spamd-Result, X-Rspamd-Server, X-Rspamd-Scan-Time and X-Rspamd-Queue-ID to mail that isn't our own users'."},
		{Name: "extended_headers_rcpt", Value: &c.ExtendedHeadersRcpt, Example: "postmaster@example.com", Doc: "Add these header fields to messages whose recipients are all listed: user, @domain or user@domain."},
		{Name: "tempfail_on_error", Aliases: []string{"spamd_temp_fail"}, Value: &c.TempfailOnError, Doc: "Answer 451 to a message that could not be judged because something failed within rmilter. Otherwise it is accepted unmarked. One that could not be kept while it arrived is deferred in any case."},
	}
}

// checkSpamd warns of what has no effect, or another one.
func (c *Config) checkSpamd(warn func(option, format string, args ...any)) {
	if sent := printable(string(c.RejectMessage), maxReply); sent != string(c.RejectMessage) {
		warn("reject_message", "a reply has one line of printable ASCII, so it will be %q; expected such a text of at most %d characters", sent, maxReply)
	}
	if sent := printable(string(c.SpamHeaderValue), maxReason); sent != string(c.SpamHeaderValue) {
		warn("spam_header_value", "a header field's value has printable ASCII only, so it will be %q; expected such a text of at most %d characters", sent, maxReason)
	}
	if !c.NoAuthHeader {
		warn("spam_no_auth_header", "no has no effect, the mail of our own users and networks is never marked; expected yes, or strict_auth to refuse it")
	}
}

// settings declares the blocks of settings, whose thresholds may be those of the main
// section.
func (c *Config) settings(main *ucl.Section) *ucl.Section {
	sections, recipients := map[string]*ucl.Section{}, listed{}
	return &ucl.Section{
		Name: "settings",
		Key:  "NAME",
		Doc:  "Settings of their own for some recipients. The first block that lists the recipient counts. A message to recipients with different settings takes the mildest action of theirs.",
		Repeat: func(key string) *ucl.Section {
			if key == "" || key == DefaultSettings {
				return nil
			}
			if s := sections[key]; s != nil {
				return s
			}
			b, number := &Block{Name: key, Enable: true, Actions: inherited(), Scores: map[string]*ucl.Float{}}, len(c.Blocks)
			actions := &ucl.Section{Name: "actions", Doc: "The scores from which actions are taken for these recipients; default takes that of the main section.", Options: b.Actions.options(true)}
			actions.Check = func(warn warnFunc) { b.Actions.check(&c.Actions, actions, main, warn) }
			s := &ucl.Section{
				Name: "settings",
				Key:  "NAME",
				Options: []ucl.Option{
					{Name: "rcpt", Value: &b.Rcpt, Example: "alice@example.com, @example.org", Doc: "The recipients: user, @domain or user@domain."},
					{Name: "enable", Value: &b.Enable, Doc: "no: these recipients want no checks. A message is left unchecked only if all its recipients want that; otherwise their thresholds count."},
					{Name: "spamd_never_reject", Value: ucl.Optional(&b.NeverReject, "choice; expected yes, no or default"), Doc: "Accept what would be rejected, with the spam header; default takes what section spamd says."},
					{Name: "symbols_disabled", Value: &b.SymbolsOff, Example: "MISSING_SUBJECT", Doc: "Symbols that don't count for these recipients."},
					{Name: "groups_disabled", Value: &b.GroupsOff, Example: "subject", Doc: "Groups whose symbols don't count for these recipients."},
				},
				Sections: []*ucl.Section{actions, b.symbols()},
				Check:    func(warn warnFunc) { recipients.check(c.Blocks, number, warn) },
			}
			// The documentation asks for a block, too; without recipients it does
			// nothing.
			c.Blocks = append(c.Blocks, b)
			sections[key] = s
			return s
		},
	}
}

// options declares the thresholds.
func (a *Actions) options(inherit bool) []ucl.Option {
	const unit = " A score, or off."
	value := func(t *Threshold) ucl.Value { return &thresholdValue{t, inherit} }
	return []ucl.Option{
		{Name: "greylist", Value: value(&a.Greylist), Doc: "Defer a message the first time, see section greylisting." + unit},
		{Name: "add_header", Aliases: []string{"add header"}, Value: value(&a.AddHeader), Doc: "Deliver it with the spam header." + unit},
		{Name: "rewrite_subject", Aliases: []string{"rewrite subject"}, Value: value(&a.RewriteSubject), Doc: "Deliver it with the subject marked." + unit},
		{Name: "quarantine", Value: value(&a.Quarantine), Doc: "Let the MTA hold it." + unit},
		{Name: "soft_reject", Aliases: []string{"soft reject"}, Value: value(&a.SoftReject), Doc: "Answer 451, so that the client tries again." + unit},
		{Name: "reject", Value: value(&a.Reject), Doc: "Answer 554." + unit},
		{Name: "discard", Value: value(&a.Discard), Doc: "Accept it and drop it." + unit},
	}
}

// all returns the thresholds by action; those that have none are nil.
func (a *Actions) all() [scan.Discard + 1]*Threshold {
	return [scan.Discard + 1]*Threshold{
		scan.Greylist:       &a.Greylist,
		scan.AddHeader:      &a.AddHeader,
		scan.RewriteSubject: &a.RewriteSubject,
		scan.Quarantine:     &a.Quarantine,
		scan.SoftReject:     &a.SoftReject,
		scan.Reject:         &a.Reject,
		scan.Discard:        &a.Discard,
	}
}

// inherited returns Actions that all are those of the main section.
func inherited() Actions {
	t := Threshold{kind: inherit}
	return Actions{t, t, t, t, t, t, t}
}

// over returns the thresholds of a, and those of base where a inherits.
func (a Actions) over(base Actions) scan.Thresholds {
	ts := make(scan.Thresholds)
	below := base.all()
	for action, t := range a.all() {
		if t == nil {
			continue
		}
		if t.kind == inherit {
			t = below[action]
		}
		if score, ok := t.Score(); ok {
			ts[scan.Action(action)] = score
		}
	}
	return ts
}

// fieldName tells whether s may be a header field's name (RFC 5322, section 2.2).
func fieldName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// A HeaderName is the name of a header field that rmilter adds and that it deletes
// from what others send.
type HeaderName string

// Set implements ucl.Value. It accepts names that begin with "X-" only: fields of the
// name are deleted, which no field of a message's own must be.
func (h *HeaderName) Set(n *ucl.Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	if !fieldName(text) || len(text) < 3 || !strings.EqualFold(text[:2], "X-") {
		return n.Errorf("%.80q can't name the spam header; expected a header field's name that begins with X-", text)
	}
	*h = HeaderName(text)
	return nil
}

// String returns the name in quotes.
func (h HeaderName) String() string { return ucl.Quote(string(h)) }

// A ServiceID is the name under which rmilter adds Authentication-Results, in A-labels; ""
// when none is set.
type ServiceID string

// Set implements ucl.Value. It accepts host names only: other programs read whatever else
// differently, so it couldn't be told what claims to be ours.
func (s *ServiceID) Set(n *ucl.Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	id, ok := authres.ServiceID(text)
	if !ok && text != "" {
		return n.Errorf("%.80q can't name us in Authentication-Results; expected a host name", text)
	}
	*s = ServiceID(id)
	return nil
}

// String returns the name in quotes.
func (s ServiceID) String() string { return ucl.Quote(string(s)) }
