package checks

import (
	"fmt"
	"slices"
	"strings"

	"rmilter/dkim"
	"rmilter/internal/authres"
	"rmilter/internal/dns"
	"rmilter/internal/mail"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

var (
	arcAllow   = symbol("ARC_ALLOW", -1, "policies", "The ARC chain of the message is valid; it only counts when the last who sealed it is trusted, as anybody can make one.")
	arcReject  = symbol("ARC_REJECT", 1, "policies", "The ARC chain of the message doesn't verify.")
	arcInvalid = symbol("ARC_INVALID", 0.5, "policies", "The ARC chain of the message is malformed.")
	arcNA      = symbol("ARC_NA", 0, "policies", "The message has no ARC chain.")
	arcDNSFail = symbol("ARC_DNSFAIL", 0, "policies", "The DNS gave no answer about a key of the ARC chain.")
)

// ARCConfig are the options of ARC.
type ARCConfig struct {
	trusted ucl.Strings // domains
}

// An ARCResult is what ARC found out.
type ARCResult struct {
	Chain dkim.Chain
	// Sealer is the domain of the newest seal, if the chain is valid and that domain is
	// trusted.
	Sealer string
	// Attested is what the message had to show for itself when it came to those who are
	// trusted: the ARC-Authentication-Results of the oldest set in the unbroken row of
	// trusted ones that ends with the newest. It is "" when Sealer is.
	Attested string
}

// ARC validates the ARC chain (RFC 8617). A valid chain says who handled the message and
// what they saw, in their words: a spammer's chain is as valid as a list's. So it counts
// for nothing unless its newest seal is of somebody who is trusted. Its result is nil
// when nobody looked.
var ARC = &scan.Spec[ARCConfig, *ARCResult]{
	Name:    "arc",
	Doc:     "The ARC chain of forwarded mail (RFC 8617), which tells what others saw before they changed it.",
	Symbols: []*scan.Symbol{arcAllow, arcReject, arcInvalid, arcNA, arcDNSFail},
	Reads:   []scan.Check{DKIM},
	Options: func(c *ARCConfig) []ucl.Option {
		return []ucl.Option{
			{Name: "trusted_sealers", Value: &c.trusted, Gather: true, Example: "lists.example.org, example.net",
				Doc: "Domains, with all below them, whose ARC seals are believed: forwarders and mailing lists that check mail before they seal it. ARC_ALLOW counts only for these, and their word that DMARC was fine takes the place of a DMARC failure. Don't name providers that seal whatever their customers send."},
		}
	},
	Ignored: ignored("this section is about chains that arrive", "allow_envfrom_empty", "allow_hdrfrom_mismatch", "allow_hdrfrom_multiple",
		"allow_username_mismatch", "path", "selector", "sign_authenticated", "sign_inbound", "sign_local", "sign_networks", "symbol_sign", "try_fallback",
		"use_domain", "use_esld", "use_redis", "key_prefix", "domain", "path_map", "selector_map", "whitelisted_signers_map", "adjust_dmarc", "check_local", "check_authed", "reuse_auth_results"),
	New: func(c ARCConfig, _ scan.Env) (scan.Runner[*ARCResult], error) {
		r := &arcRunner{}
		for _, text := range c.trusted {
			name, ok := dns.Normalize(mail.ParseAddress("x@" + strings.TrimPrefix(text, ".")).Domain)
			if !ok || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
				return nil, fmt.Errorf("trusted_sealers: %.80q is no domain", text)
			}
			r.trusted = append(r.trusted, name)
		}
		return telling(r.run)(struct{}{}, scan.Env{})
	},
}

type arcRunner struct{ trusted []string }

func (r *arcRunner) run(p *scan.Pass) *ARCResult {
	res, err := scan.Result(p, DKIM)
	if err != nil || res == nil {
		return nil
	}
	out := &ARCResult{Chain: res.ARC}
	c := &out.Chain
	switch c.Status {
	case dkim.None:
		p.Report(arcNA)
		return out
	case dkim.Pass:
		why := r.trust(out)
		if why == "" {
			p.Report(arcAllow, arcEvidence(c)...)
		} else {
			p.ReportScaled(arcAllow, 0, append(arcEvidence(c), why)...)
		}
	case dkim.TempError:
		p.Report(arcDNSFail, arcEvidence(c)...)
	case dkim.Fail:
		if !c.Malformed {
			p.Report(arcReject, arcEvidence(c)...)
			break
		}
		fallthrough
	default:
		p.Report(arcInvalid, arcEvidence(c)...)
	}
	p.AddAuth(arcAuth(c))
	return out
}

// trust finds out how far down the chain those who sealed it are trusted, and why none
// is. A chain that leaves From unsigned belongs to no message of anybody.
func (r *arcRunner) trust(out *ARCResult) (why string) {
	sets := out.Chain.Sets
	if len(sets) > 0 && !slices.Contains(sets[len(sets)-1].Message.Names, "from") {
		return "From not signed"
	}
	for i := len(sets) - 1; i >= 0 && r.trusts(sets[i].Seal.Domain); i-- {
		if out.Sealer == "" {
			out.Sealer = sets[i].Seal.Domain
		}
		out.Attested = sets[i].Results
	}
	if out.Sealer == "" {
		return "sealer not trusted"
	}
	return ""
}

func (r *arcRunner) trusts(domain string) bool {
	for _, t := range r.trusted {
		if domain == t || strings.HasSuffix(domain, "."+t) {
			return true
		}
	}
	return false
}

// arcEvidence tells the newest seal, and what is wrong.
func arcEvidence(c *dkim.Chain) []string {
	var all []string
	if n := len(c.Sets); n > 0 {
		s := &c.Sets[n-1]
		all = append(all, fmt.Sprintf("%s:s=%s:i=%d", shown(s.Seal.Domain), shown(s.Seal.Selector), s.Instance))
	}
	if c.Reason != dkim.Passed {
		text := string(c.Reason)
		if c.Instance > 0 {
			text += fmt.Sprintf(" in set %d", c.Instance)
		}
		all = append(all, text)
	}
	return all
}

// provesDMARC tells whether those who are trusted have seen DMARC pass for a domain.
func (r *ARCResult) provesDMARC(domain string) bool {
	if r == nil || r.Attested == "" {
		return false
	}
	for _, a := range authres.Parse(r.Attested).Results {
		if a.Method == "dmarc" {
			// Another one behind it isn't a word of the same server.
			return a.Value == "pass" && strings.EqualFold(a.Prop("header", "from"), domain)
		}
	}
	return false
}
