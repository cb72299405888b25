package checks

import (
	"context"
	"strings"
	"time"

	"rmilter/internal/spf"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

var (
	spfAllow    = symbol("R_SPF_ALLOW", -0.2, "policies", "The sender's domain lets the client send its mail (SPF).")
	spfFail     = symbol("R_SPF_FAIL", 1, "policies", "The sender's domain says that the client must not send its mail (SPF).")
	spfSoftFail = symbol("R_SPF_SOFTFAIL", 0, "policies", "The sender's domain says that the client should not send its mail (SPF).")
	spfNeutral  = symbol("R_SPF_NEUTRAL", 0, "policies", "The sender's domain says nothing of the client (SPF).")
	spfNA       = symbol("R_SPF_NA", 0, "policies", "The sender's domain has no SPF record.")
	spfPermFail = symbol("R_SPF_PERMFAIL", 0, "policies", "The SPF record of the sender's domain, or one that it needs, is broken.")
	spfDNSFail  = symbol("R_SPF_DNSFAIL", 0, "policies", "The DNS gave no answer about the SPF record of the sender's domain.")
	spfPlusAll  = symbol("R_SPF_PLUSALL", 4, "policies", "The SPF record of the sender's domain lets everybody send its mail.")
)

// SPF asks whether the sender's domain lets the client send its mail (RFC 7208). Its
// result is nil when nobody was asked: for our own mail, and without a client.
var SPF = &scan.Spec[struct{}, *spf.Result]{
	Name:    "spf",
	Doc:     "Whether the sender's domain lets the client send its mail: the sender of the envelope, or the name in HELO when that is empty (SPF, RFC 7208).",
	Symbols: []*scan.Symbol{spfAllow, spfFail, spfSoftFail, spfNeutral, spfNA, spfPermFail, spfDNSFail, spfPlusAll},
	Network: true,
	Timeout: authTime,
	Ignored: ignored("rmilter's resolver has its own cache", "spf_cache_size", "spf_cache_expire", "max_dns_nesting", "max_dns_requests", "min_cache_ttl", "disable_ipv6", "external_relay", "check_local", "check_authed"),
	New: func(_ struct{}, env scan.Env) (scan.Runner[*spf.Result], error) {
		return spfRunner{env.Now}, nil
	},
}

// authTime is less than what a message may ask of the DNS altogether: DMARC comes after
// SPF and DKIM.
const authTime = 6 * time.Second

// ignored are words of rspamd's that mean nothing here.
func ignored(note string, words ...string) []ucl.Ignored {
	var list []ucl.Ignored
	for _, w := range words {
		list = append(list, ucl.Ignored{Name: w, Note: note})
	}
	return list
}

type spfRunner struct{ now func() time.Time }

// Run implements scan.Runner.
func (r spfRunner) Run(ctx context.Context, p *scan.Pass) (*spf.Result, error) {
	e := p.Envelope
	if p.Aids.DNS == nil || e.Trust.Ours() || !e.ClientIP.IsValid() {
		return nil, nil
	}
	res := spf.Check(ctx, p.Aids.DNS, spf.Query{IP: e.ClientIP, Helo: e.Helo, From: e.From.Address, Receiver: e.MTAName, Now: r.now()})
	p.Report(spfSymbol(&res), spfEvidence(&res)...)
	p.AddAuth(spfAuth(&res, e.From.Address))
	return &res, nil
}

func spfSymbol(r *spf.Result) *scan.Symbol {
	switch r.Code {
	case spf.Pass:
		if r.Anyone {
			return spfPlusAll
		}
		return spfAllow
	case spf.Fail:
		return spfFail
	case spf.SoftFail:
		return spfSoftFail
	case spf.Neutral:
		return spfNeutral
	case spf.PermError:
		return spfPermFail
	case spf.TempError:
		return spfDNSFail
	}
	return spfNA
}

// Bounds of what is shown.
const (
	maxVia       = 10  // steps to the mechanism
	maxExplained = 180 // bytes of the explanation; its link is at the end
)

// spfEvidence tells the domain, what decided, how it was reached, the record, and what the
// domain wants to have said of a failure (RFC 7208, section 6.2).
func spfEvidence(r *spf.Result) []string {
	var all []string
	add := func(s string) {
		if s != "" {
			all = append(all, shown(s))
		}
	}
	add(r.Domain)
	add(r.Mechanism)
	if r.Mechanism == "" {
		add(withoutServer(r.Reason))
	}
	for _, step := range r.Via[:min(len(r.Via), maxVia)] {
		add(step)
	}
	add(r.Record)
	if r.Explanation != "" {
		all = append(all, shownTo(maxExplained, "explanation: "+r.Explanation))
	}
	return all
}

// withoutServer takes the address of our resolver out of a reason: it is no
// business of those who read the message.
func withoutServer(reason string) string {
	reason, _, _ = strings.Cut(reason, " (server ")
	return reason
}
