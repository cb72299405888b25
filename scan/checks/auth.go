package checks

import (
	"slices"

	"rmilter/dkim"
	"rmilter/internal/dmarc"
	"rmilter/internal/mail"
	"rmilter/internal/spf"
	"rmilter/scan"
)

// A Proof is what SPF and DKIM prove of who sent a message. The zero Proof proves
// nothing.
type Proof struct {
	// Sender is the registered domain of From, when it is proved.
	Sender   string
	ours     bool
	envelope bool     // SPF proves the domain of the envelope's sender
	sites    []string // registered domains
	denied   string   // why nothing is proved whatever SPF and DKIM say; "" when they count
}

// Has tells whether an author in From is proved to be of his domain, by SPF or DKIM of
// it or of another of the same registered one. Our own mail needs no proof. It says
// nothing of the sender of the envelope: anybody with a signature of the domain can write
// that.
func (p *Proof) Has(domain string) bool {
	return p.ours || domain != "" && slices.Contains(p.sites, mail.RegisteredDomain(domain))
}

// hasEnvelope tells whether the sender of the envelope is proved to be of his domain, which
// only SPF can do.
func (p *Proof) hasEnvelope(domain string) bool { return p.ours || domain != "" && p.envelope }

// Auth gathers what SPF and DKIM prove. It reports to the filter which registered
// domain the sender proves to be of: that of From, when a valid signature or the sender
// of the envelope is of it. Its result is for the checks that trust nobody by his word.
//
// A client that passes only because every client would is no proof. When there are
// several From fields, or DMARC fails for a domain in From and no trusted sealer of an ARC
// chain has seen it pass, nothing is proved.
var Auth = &scan.Spec[struct{}, Proof]{
	Name:       "auth",
	Doc:        "Who the sender is proved to be, by SPF and DKIM together.",
	Composites: authComposites(),
	Reads:      []scan.Check{SPF, DKIM, DMARC},
	New:        telling(runAuth),
}

// authComposites are rspamd's. VIOLATED_DIRECT_SPF differs: it leaves out forwarded mail
// and mail that DMARC has proved in spite of its SPF.
func authComposites() []scan.Composite {
	one := func(name string, score float64, expression, policy, doc string) scan.Composite {
		return scan.Composite{Symbol: symbol(name, score, "policies", doc), Expression: expression, Policy: policy}
	}
	return []scan.Composite{
		one("AUTH_NA", 1, "R_DKIM_NA & R_SPF_NA & DMARC_NA & ARC_NA", "remove_weight",
			"The sender's domain offers nothing by which the message could be authenticated."),
		one("AUTH_NA_OR_FAIL", 1,
			"!(R_DKIM_NA & R_SPF_NA & DMARC_NA & ARC_NA) & (R_DKIM_NA | R_DKIM_TEMPFAIL | R_DKIM_PERMFAIL) & (R_SPF_NA | R_SPF_DNSFAIL) & DMARC_NA & (ARC_NA | ARC_DNSFAIL)",
			"remove_weight", "Nothing authenticates the message, though something was meant to."),
		one("BOUNCE_NO_AUTH", 1, "(AUTH_NA | AUTH_NA_OR_FAIL) & (BOUNCE | SUBJ_BOUNCE_WORDS)", "remove_all",
			"A notice of an MTA that nothing authenticates."),
		one("SPF_FAIL_FORWARDING", 0, "g:forwarding & (R_SPF_SOFTFAIL | R_SPF_FAIL)", "remove_weight",
			"SPF fails because the message was forwarded."),
		one("VIOLATED_DIRECT_SPF", 3.5, "(R_SPF_FAIL | R_SPF_SOFTFAIL) & (RCVD_COUNT_ONE | RCVD_NO_TLS_LAST) & !g:forwarding & !DMARC_POLICY_ALLOW", "leave",
			"SPF fails, and the message came straight from its origin or without encryption."),
	}
}

func runAuth(p *scan.Pass) Proof {
	if p.Envelope.Trust.Ours() {
		return Proof{ours: true}
	}
	authors := authorsOf(p.Message)
	if why := denial(p, authors); why != "" {
		return Proof{denied: why}
	}
	var proof Proof
	add := func(domain string) {
		if s := mail.RegisteredDomain(domain); s != "" && !slices.Contains(proof.sites, s) {
			proof.sites = append(proof.sites, s)
		}
	}
	if r, err := scan.Result(p, SPF); err == nil && vouches(r) {
		add(r.Domain)
		proof.envelope = r.Identity == spf.MailFrom
	}
	if r, err := scan.Result(p, DKIM); err == nil && r != nil {
		for i := range r.Signatures {
			if r.Signatures[i].Status == dkim.Pass {
				add(r.Signatures[i].Domain)
			}
		}
	}
	if from := authors.one(); from != "" && proof.Has(from) {
		proof.Sender = mail.RegisteredDomain(from)
		p.Authenticate(proof.Sender)
	}
	return proof
}

// vouches tells whether SPF proves the domain that it was asked about.
func vouches(r *spf.Result) bool { return r != nil && r.Code == spf.Pass && !r.Anyone }

// denial tells why a message proves nothing of who sent it, "" when it may. The check
// that asks has DMARC among its Reads.
func denial(p *scan.Pass, authors *authorship) string {
	if p.Envelope.Trust.Ours() {
		return ""
	}
	if authors.fields > 1 {
		return "several From fields"
	}
	if r, err := scan.Result(p, DMARC); err == nil && r != nil && r.Code == dmarc.Fail && r.Sealer == "" {
		return "DMARC fails for " + shown(r.Domain)
	}
	return ""
}

// proven returns what is proved of the sender. A check that asks has Auth among its
// Reads. When that check is off, nothing is.
func proven(p *scan.Pass) Proof {
	proof, err := scan.Result(p, Auth)
	if err != nil {
		return Proof{ours: p.Envelope.Trust.Ours()}
	}
	return proof
}
