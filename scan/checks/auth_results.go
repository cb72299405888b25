package checks

import (
	"fmt"

	"rmilter/dkim"
	"rmilter/internal/authres"
	"rmilter/internal/dmarc"
	"rmilter/internal/mail"
	"rmilter/internal/spf"
)

// spfAuth says of SPF what an Authentication-Results field has to (RFC 8601, section
// 2.7.2).
func spfAuth(r *spf.Result, from mail.Address) authres.Result {
	a := authres.Result{Method: "spf", Value: string(r.Code), Comment: withoutServer(r.Reason)}
	if r.Mechanism != "" {
		a.Comment = fmt.Sprintf("%s matches %s of %s", r.IP, r.Mechanism, r.Domain)
	}
	switch {
	case r.Domain == "":
	case r.Identity == spf.HELO:
		a.Props = []authres.Prop{{Type: "smtp", Name: "helo", Value: r.Domain}}
	default:
		a.Props = []authres.Prop{{Type: "smtp", Name: "mailfrom", Value: from.Local + "@" + r.Domain}}
	}
	return a
}

// dkimAuth says it of a signature (RFC 8601, section 2.7.1). One that counts as none, as
// its key is in test mode, is neutral.
func dkimAuth(s *dkim.Signature) authres.Result {
	a := authres.Result{Method: "dkim", Value: string(s.Status), Reason: string(s.Reason)}
	if onTrial(s) {
		a.Value = "neutral"
	}
	if s.KeyType != "" {
		a.Comment = fmt.Sprintf("%s key of %d bits", s.KeyType, s.KeyBits)
		if s.Testing {
			a.Comment += " in test mode"
		}
	}
	prop := func(name, value string) {
		if value != "" {
			a.Props = append(a.Props, authres.Prop{Type: "header", Name: name, Value: value})
		}
	}
	prop("d", s.Domain)
	if s.Identity != "@"+s.Domain {
		prop("i", s.Identity)
	}
	prop("s", s.Selector)
	prop("b", s.Short)
	return a
}

// noDKIM says that there is no signature.
func noDKIM() authres.Result { return authres.Result{Method: "dkim", Value: "none"} }

// arcAuth says it of a chain (RFC 8617, section 10.2).
func arcAuth(c *dkim.Chain) authres.Result {
	a := authres.Result{Method: "arc", Value: string(c.Status), Reason: string(c.Reason)}
	n := len(c.Sets)
	if n == 0 {
		return a
	}
	a.Comment = fmt.Sprintf("i=%d of %s", n, c.Sets[n-1].Seal.Domain)
	if c.Status == dkim.Pass {
		a.Props = []authres.Prop{{Type: "header", Name: "oldest-pass", Value: fmt.Sprint(c.OldestPass)}}
	}
	return a
}

// dmarcAuth says it of DMARC (RFC 7489, section 11.2).
func dmarcAuth(r *dmarc.Result) authres.Result {
	a := authres.Result{Method: "dmarc", Value: string(r.Code), Comment: r.Comment()}
	if r.Code != dmarc.Pass {
		a.Reason = withoutServer(r.Reason)
	}
	if r.Domain != "" {
		a.Props = []authres.Prop{{Type: "header", Name: "from", Value: r.Domain}}
	}
	return a
}
