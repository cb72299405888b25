package checks

import (
	"context"
	"errors"
	"time"

	"rmilter/dkim"
	"rmilter/internal/mail"
	"rmilter/internal/maps"
	"rmilter/internal/spf"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// AuthListsConfig are the options of AuthLists.
type AuthListsConfig struct {
	files map[string]*pathList // by the name of the option
}

// An authList is a list of domains with what has to hold for its symbol.
type authList struct {
	option string
	symbol *scan.Symbol
	doc    string
	judge  func(*authState, *maps.List) (maps.Entry, bool)
}

var (
	whitelistSPF     = whitelisted("WHITELIST_SPF", -1, "The sender's domain is on your list, and SPF proves it.")
	whitelistDKIM    = whitelisted("WHITELIST_DKIM", -1, "A domain on your list has signed the message.")
	whitelistSPFDKIM = whitelisted("WHITELIST_SPF_DKIM", -3, "The sender's domain is on your list; SPF proves it, and it has signed the message.")
	whitelistDMARC   = whitelisted("WHITELIST_DMARC", -7, "The domain in From is on your list, and DMARC proves it.")
	blacklistSPF     = whitelisted("BLACKLIST_SPF", 1, "The sender's domain is on your list of those that pass SPF always, and doesn't.")
	blacklistDKIM    = whitelisted("BLACKLIST_DKIM", 2, "A domain on your list of those that sign well always has a bad signature on the message.")
	blacklistSPFDKIM = whitelisted("BLACKLIST_SPF_DKIM", 3, "The sender's domain is on your list of those that pass SPF and sign always, and doesn't.")
	blacklistDMARC   = whitelisted("BLACKLIST_DMARC", 6, "The domain in From is on your list of those that pass DMARC always, and doesn't.")
)

// whitelisted declares a symbol of the lists.
func whitelisted(name string, score float64, doc string) *scan.Symbol {
	return oneShot(symbol(name, score, "whitelist", doc))
}

// authLists are all lists, in the order of the findings. Nobody writes to it.
var authLists = [...]authList{
	{"whitelist_spf", whitelistSPF, "whose senders are good when SPF proves them", (*authState).goodSPF},
	{"whitelist_dkim", whitelistDKIM, "whose signatures are good", (*authState).goodDKIM},
	{"whitelist_spf_dkim", whitelistSPFDKIM, "whose senders are good when SPF proves them and they have signed", (*authState).goodBoth},
	{"whitelist_dmarc", whitelistDMARC, "whose mail is good when DMARC proves it", (*authState).goodDMARC},
	{"blacklist_spf", blacklistSPF, "whose senders are false when SPF doesn't prove them", (*authState).badSPF},
	{"blacklist_dkim", blacklistDKIM, "whose signatures are valid always", (*authState).badDKIM},
	{"blacklist_spf_dkim", blacklistSPFDKIM, "whose senders are false when SPF doesn't prove them or they haven't signed", (*authState).badBoth},
	{"blacklist_dmarc", blacklistDMARC, "whose mail is false when DMARC doesn't prove it", (*authState).badDMARC},
}

// AuthLists looks up domains that are proved, or should be, in lists of the
// administrator. A failure of the DNS counts for nobody and against nobody. For a message
// of which Auth says that nothing is proved, no domain is good.
var AuthLists = &scan.Spec[AuthListsConfig, struct{}]{
	Name:    "auth_lists",
	Doc:     "Lists of your own of domains that are good when SPF, DKIM or DMARC prove them, or false when these don't.",
	Symbols: authListSymbols(),
	Reads:   []scan.Check{SPF, DKIM, DMARC, Auth},
	Defaults: func() AuthListsConfig {
		c := AuthListsConfig{files: map[string]*pathList{}}
		for _, l := range authLists {
			c.files[l.option] = new(pathList)
		}
		return c
	},
	Options: func(c *AuthListsConfig) []ucl.Option {
		var all []ucl.Option
		for _, l := range authLists {
			all = append(all, ucl.Option{
				Name: l.option, Value: c.files[l.option], Gather: true, Example: `"/etc/rmilter/` + l.option + `.list"`,
				Doc: "Files with domains " + l.doc + " (" + l.symbol.Name + "), one to a line as in lists { allow_domain }; a name stands for those below it, too, when it is a registered one. They are read again when they change.",
			})
		}
		return all
	},
	New: func(c AuthListsConfig, env scan.Env) (scan.Runner[struct{}], error) {
		r := &authListsRunner{now: env.Now}
		for _, l := range authLists {
			r.lists = append(r.lists, maps.Watch(maps.Domains, "", *c.files[l.option]...))
		}
		return r, nil
	},
}

func authListSymbols() []*scan.Symbol {
	var all []*scan.Symbol
	for _, l := range authLists {
		all = append(all, l.symbol)
	}
	return all
}

// An authListsRunner is AuthLists at work.
type authListsRunner struct {
	now   func() time.Time
	lists []*maps.Watched // by the index of authLists
}

// Refresh implements scan.Refresher.
func (r *authListsRunner) Refresh(func(string) string) error {
	var errs []error
	for _, w := range r.lists {
		if err := w.Refresh(r.now()); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Run implements scan.Runner.
func (r *authListsRunner) Run(_ context.Context, p *scan.Pass) (struct{}, error) {
	if p.Envelope.Trust.Ours() {
		return struct{}{}, nil
	}
	s := authStateOf(p)
	for i, l := range authLists {
		list := r.lists[i].List()
		if list.Len() == 0 {
			continue
		}
		if e, ok := l.judge(s, list); ok {
			p.ReportScaled(l.symbol, strength(e, l.symbol), shown(e.Key))
		}
	}
	return struct{}{}, nil
}

// An authState is what is known of a message.
type authState struct {
	spf        *spf.Result // nil when unknown
	signatures []dkim.Signature
	signed     bool // signatures are known
	dmarc      *DMARCResult
	authors    *authorship
	proof      Proof
	denied     bool // nothing is proved, whatever SPF and DKIM say
}

func authStateOf(p *scan.Pass) *authState {
	s := &authState{proof: proven(p), authors: authorsOf(p.Message)}
	s.denied = denial(p, s.authors) != ""
	if r, err := scan.Result(p, SPF); err == nil {
		s.spf = r
	}
	if r, err := scan.Result(p, DKIM); err == nil && r != nil {
		s.signatures, s.signed = r.Signatures, true
	}
	if r, err := scan.Result(p, DMARC); err == nil {
		s.dmarc = r
	}
	return s
}

// listedDomain looks up a domain, then the registered one that it is in.
func listedDomain(list *maps.List, domain string) (maps.Entry, bool) {
	if e, ok := list.Domain(domain); ok {
		return e, true
	}
	return list.Domain(mail.RegisteredDomain(domain))
}

// sender looks up the domain that SPF was asked about.
func (s *authState) sender(list *maps.List) (maps.Entry, bool) {
	if s.spf == nil || s.spf.Domain == "" {
		return maps.Entry{}, false
	}
	return listedDomain(list, s.spf.Domain)
}

// signer returns whether a signature of the registered domain of a name has a status.
func (s *authState) signer(name string, status dkim.Status) bool {
	for i := range s.signatures {
		if g := &s.signatures[i]; g.Status == status && g.Domain != "" && mail.RegisteredDomain(g.Domain) == mail.RegisteredDomain(name) && !onTrial(g) {
			return true
		}
	}
	return false
}

func (s *authState) goodSPF(list *maps.List) (maps.Entry, bool) {
	if s.denied || !vouches(s.spf) {
		return maps.Entry{}, false
	}
	return s.sender(list)
}

func (s *authState) badSPF(list *maps.List) (maps.Entry, bool) {
	if s.spf == nil || vouches(s.spf) || s.spf.Code == spf.TempError {
		return maps.Entry{}, false
	}
	return s.sender(list)
}

func (s *authState) goodDKIM(list *maps.List) (maps.Entry, bool) {
	for i := range s.signatures {
		if g := &s.signatures[i]; g.Status == dkim.Pass && !s.denied {
			if e, ok := listedDomain(list, g.Domain); ok {
				return e, true
			}
		}
	}
	return maps.Entry{}, false
}

func (s *authState) badDKIM(list *maps.List) (maps.Entry, bool) {
	for i := range s.signatures {
		g := &s.signatures[i]
		if g.Status != dkim.Fail || onTrial(g) || s.signer(g.Domain, dkim.Pass) {
			continue
		}
		if e, ok := listedDomain(list, g.Domain); ok {
			return e, true
		}
	}
	return maps.Entry{}, false
}

func (s *authState) goodBoth(list *maps.List) (maps.Entry, bool) {
	if s.denied || !vouches(s.spf) || !s.signer(s.spf.Domain, dkim.Pass) {
		return maps.Entry{}, false
	}
	return s.sender(list)
}

func (s *authState) badBoth(list *maps.List) (maps.Entry, bool) {
	if s.spf == nil || s.spf.Code == spf.TempError || !s.signed {
		return maps.Entry{}, false
	}
	if vouches(s.spf) && (s.signer(s.spf.Domain, dkim.Pass) || s.signer(s.spf.Domain, dkim.TempError)) {
		return maps.Entry{}, false
	}
	return s.sender(list)
}

func (s *authState) goodDMARC(list *maps.List) (maps.Entry, bool) {
	from := s.authors.one()
	if s.dmarc == nil || !s.dmarc.passed() || !s.proof.Has(from) {
		return maps.Entry{}, false
	}
	return listedDomain(list, from)
}

func (s *authState) badDMARC(list *maps.List) (maps.Entry, bool) {
	if s.dmarc == nil || s.spf == nil || !s.dmarc.known() || s.dmarc.passed() || s.dmarc.Sealer != "" {
		return maps.Entry{}, false
	}
	for _, from := range s.authors.domains {
		if e, ok := listedDomain(list, from); ok && !s.proof.Has(from) {
			return e, true
		}
	}
	return maps.Entry{}, false
}
