package checks

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"rmilter/dkim"
	"rmilter/internal/dmarc"
	"rmilter/internal/mail"
	"rmilter/internal/spf"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

var (
	dmarcAllow      = symbol("DMARC_POLICY_ALLOW", -0.5, "policies", "DMARC proves the domain in From.")
	dmarcReject     = symbol("DMARC_POLICY_REJECT", 2, "policies", "DMARC doesn't prove the domain in From, which wants such mail rejected.")
	dmarcQuarantine = symbol("DMARC_POLICY_QUARANTINE", 1.5, "policies", "DMARC doesn't prove the domain in From, which wants such mail marked.")
	dmarcSoftFail   = symbol("DMARC_POLICY_SOFTFAIL", 0.1, "policies", "DMARC doesn't prove the domain in From, which only watches.")
	dmarcNA         = symbol("DMARC_NA", 0, "policies", "The domain in From has no DMARC policy.")
	dmarcBadPolicy  = symbol("DMARC_BAD_POLICY", 0.5, "policies", "The DMARC record of the domain in From is broken, or there are several.")
	dmarcDNSFail    = symbol("DMARC_DNSFAIL", 0, "policies", "The DNS gave no answer about DMARC, or about what it rests on.")
)

// DMARCConfig are the options of DMARC.
type DMARCConfig struct {
	reject, quarantine dmarcAction
}

// A dmarcAction is what happens to mail that fails, in rspamd's words; "no" is nothing.
type dmarcAction string

// demand returns the action; ok is false for nothing.
func (a dmarcAction) demand() (action scan.Action, ok bool) {
	for action = scan.Greylist; action <= scan.Discard; action++ {
		if action.String() == strings.ReplaceAll(string(a), "_", " ") {
			return action, true
		}
	}
	return scan.NoAction, false
}

// A DMARCResult is what DMARC found out.
type DMARCResult struct {
	dmarc.Result
	// Sealer is a trusted domain that saw DMARC pass before the message was changed, as
	// its ARC seal says, when DMARC fails now; "" otherwise.
	Sealer  string
	several bool // Domain is one of several in From
}

// DMARC asks what the domain in From wants done with the message (RFC 7489). Its result
// is nil when that can't be told: for our own mail, and when SPF or DKIM are off.
//
// Where From has several domains each is judged, and the strictest outcome counts (RFC
// 7489, section 6.6.1): a second author is no way around the policy of the first. More
// than maxAuthors fail as with p=reject: nobody knows which policies the others have.
//
// The actions are never for mail of trusted relays, for a list that has signed its
// List-Id, and for what a trusted sealer of an ARC chain says. Anybody can run a list;
// for its mail the weight has to do.
var DMARC = &scan.Spec[DMARCConfig, *DMARCResult]{
	Name:    "dmarc",
	Doc:     "What the domain in From wants done with mail that neither SPF nor DKIM prove to be its own (DMARC, RFC 7489).",
	Symbols: []*scan.Symbol{dmarcAllow, dmarcReject, dmarcQuarantine, dmarcSoftFail, dmarcNA, dmarcBadPolicy, dmarcDNSFail},
	Composites: []scan.Composite{{
		Symbol:     symbol("DMARC_POLICY_ALLOW_WITH_FAILURES", -0.5, "policies", "DMARC proves the domain in From, though SPF or a DKIM signature fails."),
		Expression: "DMARC_POLICY_ALLOW & (R_SPF_SOFTFAIL | R_SPF_FAIL | R_DKIM_REJECT)",
		Policy:     "remove_weight",
	}},
	Reads:    []scan.Check{SPF, DKIM, ARC},
	Network:  true,
	Defaults: func() DMARCConfig { return DMARCConfig{"no", "no"} },
	Sections: func(c *DMARCConfig) []*ucl.Section {
		word := func(p *dmarcAction) ucl.Value {
			return ucl.Enum(p, "no", "greylist", "add header", "add_header", "rewrite subject", "rewrite_subject", "quarantine", "soft reject", "soft_reject", "reject", "discard")
		}
		return []*ucl.Section{{
			Name: "actions",
			Doc:  "What happens at least to mail that fails, by what the domain in From asks for. It is never done to mail of trusted_relays, to mail of a list that has signed its List-Id, and to what one of arc { trusted_sealers } has seen pass.",
			Options: []ucl.Option{
				{Name: "reject", Value: word(&c.reject), Example: "reject", Doc: "For p=reject: no (only the weights count), greylist, add header, rewrite subject, quarantine, soft reject, reject or discard."},
				{Name: "quarantine", Value: word(&c.quarantine), Example: "add header", Doc: "For p=quarantine, and for p=reject where pct= spares the message."},
			},
		}}
	},
	Ignored: ignored("it isn't needed here", "reporting", "no_sampling_domains", "no_reporting_domains", "symbols", "check_local", "check_authed", "send_reports", "servers", "key_prefix", "report_settings"),
	New: func(c DMARCConfig, _ scan.Env) (scan.Runner[*DMARCResult], error) {
		return scan.RunnerFunc[*DMARCResult](c.run), nil
	},
}

func (c *DMARCConfig) run(ctx context.Context, p *scan.Pass) (*DMARCResult, error) {
	e := p.Envelope
	if p.Aids.DNS == nil || e.Trust.Ours() {
		return nil, nil
	}
	authors := authorsOf(p.Message)
	res, q := judgeAuthors(ctx, p, authors)
	if res == nil {
		return nil, nil
	}
	row := dmarc.NewRow(e.ClientIP, q, res.Result)
	row.EnvelopeFrom, row.EnvelopeTo = e.From.Domain, rcptDomain(e)
	if res.Code == dmarc.Fail {
		row.Disposition, row.Override = c.fail(p, res)
	}
	if found, strength := res.symbol(); found != nil {
		p.ReportScaled(found, strength, res.evidence()...)
	}
	p.AddAuth(dmarcAuth(&res.Result))
	if len(res.Record.Aggregate) > 0 && !authors.more && (res.Code == dmarc.Pass || res.Code == dmarc.Fail) {
		p.CountDMARC(row)
	}
	return res, nil
}

// judgeAuthors evaluates the policy of each domain in From and returns what is strictest,
// with the question to it; nil when nobody looked for what the answer rests on.
func judgeAuthors(ctx context.Context, p *scan.Pass, authors *authorship) (res *DMARCResult, asked dmarc.Query) {
	none := func(reason string) dmarc.Result {
		return dmarc.Result{Code: dmarc.None, Disposition: dmarc.Monitor, Reason: reason}
	}
	if len(authors.domains) == 0 {
		q, ok := dmarcQuery(p, "")
		if !ok {
			return nil, q
		}
		return &DMARCResult{Result: none(authors.reason)}, q
	}
	arc, err := scan.Result(p, ARC)
	if err != nil {
		arc = nil
	}
	for _, from := range authors.domains {
		q, ok := dmarcQuery(p, from)
		if !ok {
			return nil, q
		}
		r := &DMARCResult{Result: dmarc.Evaluate(ctx, p.Aids.DNS, q), several: len(authors.domains) > 1}
		if r.Code == dmarc.Fail && arc.provesDMARC(r.Domain) {
			r.Sealer = arc.Sealer
		}
		if res == nil || r.severity() > res.severity() {
			res, asked = r, q
		}
	}
	switch {
	case authors.more:
		res.Code, res.Disposition, res.SampledOut, res.Sealer = dmarc.Fail, dmarc.Reject, false, ""
		res.Reason = fmt.Sprintf("more than %d domains in From", maxAuthors)
	case authors.mended && res.Code == dmarc.Pass:
		// The domain that would pass isn't the one that stands there.
		res.Result = none("From has an address without a domain")
	}
	return res, asked
}

// severity orders the results for several authors: one proves the message to be of none
// but himself.
func (r *DMARCResult) severity() int {
	switch r.Code {
	case dmarc.Pass:
		return 0
	case dmarc.Fail:
		switch {
		case r.Sealer != "":
			return 1
		case r.Disposition == dmarc.Reject:
			return 7
		case r.Disposition == dmarc.Quarantine:
			return 6
		}
		return 5
	case dmarc.TempError:
		return 4
	case dmarc.PermError:
		return 3
	}
	return 2
}

// dmarcQuery returns the question about a domain; ok is false when nobody looked for
// what the answer rests on. What failed might have passed.
func dmarcQuery(p *scan.Pass, from string) (q dmarc.Query, ok bool) {
	const failed = string(spf.TempError)
	q = dmarc.Query{From: []string{from}, Random: sample(p.Envelope.ID)}
	switch r, err := scan.Result(p, SPF); {
	case errors.Is(err, scan.ErrDisabled):
		return q, false
	case err != nil:
		q.SPF = dmarc.Identifier{Domain: from, Scope: "mfrom", Result: failed}
	case r == nil:
		q.NoSPF = true
	default:
		q.SPF = dmarc.Identifier{Domain: r.Domain, Scope: "mfrom", Result: string(r.Code)}
		if r.Identity == spf.HELO {
			q.SPF.Scope = "helo"
		}
	}
	switch r, err := scan.Result(p, DKIM); {
	case errors.Is(err, scan.ErrDisabled), err == nil && r == nil:
		return q, false
	case err != nil:
		q.DKIM = []dmarc.Identifier{{Domain: from, Result: failed}}
	default:
		for i := range r.Signatures {
			s := &r.Signatures[i]
			if s.Domain != "" {
				q.DKIM = append(q.DKIM, dmarc.Identifier{Domain: s.Domain, Selector: s.Selector, Result: string(s.Status)})
			}
		}
	}
	return q, true
}

// sample chooses among the messages by their ids, which are random: the same message
// gets the same answer again.
func sample(id string) func(n int) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return func(n int) int { return int(h.Sum32() % uint32(n)) }
}

// rcptDomain returns the domain of the recipients, "" when they are of several.
func rcptDomain(e *mail.Envelope) string {
	domain := ""
	for i := range e.Rcpts {
		if d := e.Rcpts[i].Domain; i > 0 && d != domain {
			return ""
		} else {
			domain = d
		}
	}
	return domain
}

// fail does what is to be done with a message that fails, and returns what that is.
func (c *DMARCConfig) fail(p *scan.Pass, res *DMARCResult) (dmarc.Policy, dmarc.Override) {
	asked := res.Disposition
	if res.Sealer != "" {
		return dmarc.Monitor, dmarc.TrustedForwarder
	}
	wanted := c.quarantine
	if asked == dmarc.Reject {
		wanted = c.reject
	}
	action, ok := wanted.demand()
	switch {
	case asked == dmarc.Monitor && res.SampledOut:
		return dmarc.Monitor, dmarc.SampledOut
	case asked == dmarc.Monitor:
		return dmarc.Monitor, ""
	case signedList(p):
		return dmarc.Monitor, dmarc.MailingList
	case p.Envelope.Trust == mail.TrustedRelay:
		return dmarc.Monitor, dmarc.TrustedForwarder
	case !ok:
		return dmarc.Monitor, dmarc.LocalPolicy
	}
	p.DemandAtLeast(action, "Refused by the DMARC policy of "+res.Domain)
	switch {
	case asked == dmarc.Quarantine && res.SampledOut:
		return dmarc.Quarantine, dmarc.SampledOut
	case asked == dmarc.Quarantine || action >= scan.SoftReject:
		return asked, ""
	}
	return dmarc.Quarantine, dmarc.LocalPolicy
}

// signedList tells whether a list has signed the message with its List-Id, and is of the
// registered domain that the List-Id names (RFC 2919).
func signedList(p *scan.Pass) bool {
	r, err := scan.Result(p, DKIM)
	if err != nil || r == nil {
		return false
	}
	ids := p.Message.Header().Fields("List-Id")
	if len(ids) != 1 {
		return false
	}
	id := ids[0].Value()
	id, _, _ = strings.Cut(id[strings.LastIndexByte(id, '<')+1:], ">")
	id = mail.ParseAddress("list@" + strings.TrimSpace(id)).Domain
	if !strings.Contains(id, ".") {
		return false
	}
	return slices.ContainsFunc(r.Signatures, func(s dkim.Signature) bool {
		return s.Status == dkim.Pass && mail.RegisteredDomain(s.Domain) == mail.RegisteredDomain(id) && slices.Contains(s.Names, "list-id")
	})
}

// symbol returns the symbol for the result and its strength.
func (r *DMARCResult) symbol() (*scan.Symbol, float64) {
	strength := 1.0
	if r.Sealer != "" {
		strength = 0
	}
	switch r.Code {
	case dmarc.Pass:
		return dmarcAllow, 1
	case dmarc.TempError:
		return dmarcDNSFail, 1
	case dmarc.PermError:
		return dmarcBadPolicy, 1
	case dmarc.Fail:
		switch r.Disposition {
		case dmarc.Reject:
			return dmarcReject, strength
		case dmarc.Quarantine:
			return dmarcQuarantine, strength
		}
		return dmarcSoftFail, strength
	}
	if strings.Contains(r.Reason, dmarc.ErrSeveral.Error()) {
		return dmarcBadPolicy, 1
	}
	return dmarcNA, 1
}

// evidence tells the domain in From, its policy and what else there is to say.
func (r *DMARCResult) evidence() []string {
	var all []string
	if r.Domain != "" {
		all = append(all, shown(r.Domain))
	}
	if r.Policy != dmarc.NoPolicy {
		all = append(all, string(r.Policy))
	}
	if r.Reason != "" {
		all = append(all, shown(withoutServer(r.Reason)))
	}
	if r.SampledOut {
		all = append(all, "sampled_out")
	}
	if r.several {
		all = append(all, "one of several domains in From")
	}
	if r.Sealer != "" {
		all = append(all, "seen to pass by "+shown(r.Sealer))
	}
	return all
}

// passed tells whether DMARC proves the domain in From.
func (r *DMARCResult) passed() bool { return r.Code == dmarc.Pass }

// known tells whether the result would be the same with a DNS that works.
func (r *DMARCResult) known() bool { return r.Code != dmarc.TempError }
