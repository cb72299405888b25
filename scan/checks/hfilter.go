package checks

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

var (
	heloBareIP  = hfilter("HFILTER_HELO_BAREIP", 3, "The client greets with an address instead of its name.")
	heloBadIP   = hfilter("HFILTER_HELO_BADIP", 4.5, "The client greets with an address that no machine on the Internet has.")
	heloNotFQDN = hfilter("HFILTER_HELO_NOT_FQDN", 2, "The client greets with what is no complete host name.")
	heloIPA     = hfilter("HFILTER_HELO_IP_A", 1, "The client greets with the name of another machine: it resolves, not to the client, and isn't of the domain of the client's own name.")
	heloNoMX    = hfilter("HFILTER_HELO_NORESOLVE_MX", 0.2, "The client greets with a name that has MX records only, and they lead nowhere.")
	heloNoAorMX = hfilter("HFILTER_HELO_NORES_A_OR_MX", 0.3, "The client greets with a name that doesn't resolve.")

	hostUnknown = hfilter("HFILTER_HOSTNAME_UNKNOWN", 2.5, "The client has no name that leads back to its address.")
	rdnsNone    = hfilter("RDNS_NONE", 2, "The client's address has no name in the reverse DNS.")
	rdnsDNSFail = hfilter("RDNS_DNSFAIL", 0, "The DNS gave no answer about the client's name.")

	fromNoAorMX = hfilter("HFILTER_FROMHOST_NORES_A_OR_MX", 1.5, "The sender's domain can't take mail: it has neither MX nor A, or says so itself.")
	fromNoMX    = hfilter("HFILTER_FROMHOST_NORESOLVE_MX", 0.5, "The MX records of the sender's domain lead nowhere.")
	fromNotFQDN = hfilter("HFILTER_FROMHOST_NOT_FQDN", 3, "The sender's domain is no complete name.")
	fromBounce  = hfilter("HFILTER_FROM_BOUNCE", 0, "The sender is empty, as that of bounces is.")
	bounceMore  = hfilter("HFILTER_RCPT_BOUNCEMOREONE", 1.5, "The sender is empty, and there are several recipients: a bounce has one.")

	urlOnly    = hfilter("HFILTER_URL_ONLY", 2.2, "The message says nothing: its text is links only.")
	urlOneLine = hfilter("HFILTER_URL_ONELINE", 2.5, "The text is one short line with a link.")

	heloGrades = hfilterGrades("HFILTER_HELO_", "The name that the client greets with looks like that of a customer's line")
	hostGrades = hfilterGrades("HFILTER_HOSTNAME_", "The client's name looks like that of a customer's line")
)

func hfilter(name string, score float64, doc string) *scan.Symbol {
	return symbol(name, score, "hfilter", doc)
}

// hfilterGrades declares the symbols of dynamicGrade; the first is that of grade 1.
func hfilterGrades(prefix, doc string) []*scan.Symbol {
	var all []*scan.Symbol
	for i, score := range [...]float64{0.5, 1, 2, 2.5, 3} {
		all = append(all, hfilter(prefix+strconv.Itoa(i+1), score, doc+", grade "+strconv.Itoa(i+1)+" of 5."))
	}
	return all
}

// HFilterConfig are the options of HFilter.
type HFilterConfig struct {
	helo, hostname, from, rcpt, url ucl.Flag
}

// HFilter looks at what the client is called, what it calls itself, whether the
// sender's domain can take an answer, and for messages that are nothing but a link. It
// is nothing for our own mail. What the DNS can't answer now counts for nothing.
var HFilter = &scan.Spec[HFilterConfig, struct{}]{
	Name: "hfilter",
	Doc:  "The client's name and greeting, the sender's domain, and messages that are nothing but a link.",
	Symbols: slices.Concat([]*scan.Symbol{heloBareIP, heloBadIP, heloNotFQDN, heloIPA, heloNoMX, heloNoAorMX}, heloGrades, hostGrades,
		[]*scan.Symbol{hostUnknown, rdnsNone, rdnsDNSFail, fromNoAorMX, fromNoMX, fromNotFQDN, fromBounce, bounceMore, urlOnly, urlOneLine}),
	Network:  true,
	Defaults: func() HFilterConfig { return HFilterConfig{true, true, true, true, true} },
	Options: func(c *HFilterConfig) []ucl.Option {
		return []ucl.Option{
			{Name: "helo_enabled", Value: &c.helo, Doc: "Whether the greeting is looked at (HFILTER_HELO_...)."},
			{Name: "hostname_enabled", Value: &c.hostname, Doc: "Whether the client's name is looked at (HFILTER_HOSTNAME_... and RDNS_...)."},
			{Name: "from_enabled", Value: &c.from, Doc: "Whether the domain of the envelope's sender is looked at (HFILTER_FROM...)."},
			{Name: "rcpt_enabled", Value: &c.rcpt, Doc: "Whether bounces to several recipients count (HFILTER_RCPT_BOUNCEMOREONE)."},
			{Name: "url_enabled", Value: &c.url, Doc: "Whether messages that are nothing but a link count (HFILTER_URL_...)."},
		}
	},
	New: func(c HFilterConfig, _ scan.Env) (scan.Runner[struct{}], error) {
		return scan.RunnerFunc[struct{}](c.run), nil
	},
}

// hfilterTime is for all questions together; what isn't known by then counts for nothing.
const hfilterTime = 4 * time.Second

func (c HFilterConfig) run(ctx context.Context, p *scan.Pass) (struct{}, error) {
	e := p.Envelope
	if e.Trust.Ours() {
		return struct{}{}, nil
	}
	names := hostNames{helo: strings.TrimSuffix(e.Helo, "."), host: e.Hostname}
	q := hostQuestions{dns: p.Aids.DNS, client: e.ClientIP, sender: e.From.Domain}
	if bool(c.helo) && isFQDN(names.helo) && e.ClientIP.IsValid() && !strings.EqualFold(names.helo, e.Hostname) {
		q.helo = names.helo
	}
	if bool(c.hostname) && public(e.ClientIP) {
		q.reverse = e.Hostname == ""
	}
	if !bool(c.from) || !isFQDN(q.sender) {
		q.sender = ""
	}
	a, err := q.ask(ctx)
	if err != nil {
		return struct{}{}, err
	}
	if a.name != "" {
		names.host = a.name
	}
	if bool(c.hostname) {
		reportHostname(p, a.client)
	}
	c.reportGrades(p, names)
	if bool(c.helo) && e.Helo != "" {
		reportHelo(p, names, a)
	}
	c.reportSender(p, a)
	if bool(c.url) {
		reportLinks(p)
	}
	return struct{}{}, nil
}

// hostNames are what a client is called and calls itself.
type hostNames struct{ helo, host string }

// public tells whether an address is one that the DNS may know a name of.
func public(a netip.Addr) bool {
	return a.IsValid() && a.IsGlobalUnicast() && !a.IsPrivate()
}

// isFQDN tells whether a name is complete: of at least two labels, the last of which has
// letters.
func isFQDN(s string) bool {
	name, ok := dns.Normalize(s)
	if !ok || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return false
	}
	dot := strings.LastIndexByte(name, '.')
	return dot > 0 && len(name)-dot > 2 && strings.Trim(name[dot+1:], "0123456789-_") != ""
}

func reportHostname(p *scan.Pass, of answerState) {
	ip := p.Envelope.ClientIP.String()
	switch of {
	case noName:
		p.Report(hostUnknown, ip)
		p.Report(rdnsNone, ip)
	case notConfirmed:
		p.Report(hostUnknown, ip)
	case noAnswer:
		p.Report(rdnsDNSFail, ip)
	}
}

// reportGrades grades the two names, of which the worse counts: often they are the same.
func (c HFilterConfig) reportGrades(p *scan.Pass, names hostNames) {
	helo, host := 0, 0
	if bool(c.helo) && isFQDN(names.helo) {
		helo = dynamicGrade(names.helo, p.Envelope.ClientIP)
	}
	if bool(c.hostname) {
		host = dynamicGrade(names.host, p.Envelope.ClientIP)
	}
	switch {
	case host > 0 && host >= helo:
		p.Report(hostGrades[host-1], shown(names.host))
	case helo > 0:
		p.Report(heloGrades[helo-1], shown(names.helo))
	}
}

func reportHelo(p *scan.Pass, names hostNames, a hostAnswers) {
	helo := shown(p.Envelope.Helo)
	if ip, ok := heloAddress(names.helo); ok {
		if public(ip) && !ip.IsMulticast() {
			p.Report(heloBareIP, helo)
		} else {
			p.Report(heloBadIP, helo)
		}
		return
	}
	switch {
	case !isFQDN(names.helo):
		p.Report(heloNotFQDN, helo)
	case a.helo == elsewhere && (names.host == "" || mail.RegisteredDomain(names.host) != mail.RegisteredDomain(mail.LowerASCII(names.helo))):
		p.Report(heloIPA, helo)
	case a.helo == noName:
		p.Report(heloNoAorMX, helo)
	case a.helo == notConfirmed:
		p.Report(heloNoMX, helo)
	}
}

// heloAddress reads an address, bare or as a literal (RFC 5321, section 4.1.3).
func heloAddress(s string) (netip.Addr, bool) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if len(s) > 5 && strings.EqualFold(s[:5], "IPv6:") {
		s = s[5:]
	}
	ip, err := netip.ParseAddr(s)
	return ip.Unmap(), err == nil
}

func (c HFilterConfig) reportSender(p *scan.Pass, a hostAnswers) {
	from := p.Envelope.From.Address
	if from.IsNull() {
		if bool(c.from) {
			p.Report(fromBounce)
		}
		if n := len(p.Envelope.Rcpts); bool(c.rcpt) && n > 1 {
			p.Report(bounceMore, strconv.Itoa(n))
		}
		return
	}
	switch {
	case !bool(c.from):
	case !isFQDN(from.Domain):
		p.Report(fromNotFQDN, shownAddress(from))
	case a.sender == noName:
		p.Report(fromNoAorMX, shown(from.Domain))
	case a.sender == notConfirmed:
		p.Report(fromNoMX, shown(from.Domain))
	}
}

// Bounds of messages that are nothing but links.
const (
	maxLinkText   = 16 << 10 // bytes of text that are looked at; more isn't "nothing"
	maxAroundOnly = 7        // bytes beside the links that say nothing
	maxAroundLine = 60       // bytes beside the links of a line
)

// reportLinks looks for texts that consist of links.
func reportLinks(p *scan.Pass) {
	text := p.Message.VisibleText()
	if text == "" || len(text) > maxLinkText {
		return
	}
	links, shown := 0, 0
	for _, l := range mail.TextLinks(text) {
		if _, ok := l.Target(); ok && (l.Kind == mail.LinkText || l.Kind == mail.LinkObfuscated) {
			links++
			shown += len(l.Text)
		}
	}
	if links == 0 {
		return
	}
	around, lines := -shown, 0
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines++
			around += len(line)
		}
	}
	switch {
	case around <= maxAroundOnly+2*links: // brackets, spaces
		p.Report(urlOnly, strconv.Itoa(links))
	case lines == 1 && around <= maxAroundLine:
		p.Report(urlOneLine, strconv.Itoa(around))
	}
}
