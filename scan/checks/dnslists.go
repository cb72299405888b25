package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"rmilter/dkim"
	"rmilter/internal/dns"
	"rmilter/internal/dnslist"
	"rmilter/internal/mail"
	"rmilter/scan"
)

// Bounds of what DNS lists are asked about one message.
const (
	listTime       = 5 * time.Second // for all answers; less than the check's time, so that those that came count
	maxListHops    = 10              // earlier hops
	maxListSigners = 5               // domains whose signature is valid
	maxListSenders = 5               // domains of From, and of Reply-To
	maxListHosts   = 10              // hosts of links whose addresses are looked up
	maxHostAddrs   = 3               // addresses of each
	maxListShown   = 5               // things that are shown of one symbol
)

// dnsListSymbols declares the symbols of the lists of a section that are known.
func dnsListSymbols(section string, more ...*scan.Symbol) []*scan.Symbol {
	var all []*scan.Symbol
	for _, l := range dnslist.Catalog() {
		if l.Section == section {
			all = appendSymbols(all, l)
		}
	}
	return append(all, more...)
}

// appendSymbols adds those of a list that aren't there yet. Each counts once, whatever
// else is on the same list.
func appendSymbols(all []*scan.Symbol, l *dnslist.List) []*scan.Symbol {
	for i := range l.Codes {
		if c := &l.Codes[i]; c.Symbol != "" && symbolNamed(all, c.Symbol) == nil {
			all = append(all, oneShot(symbol(c.Symbol, c.Weight, l.Group, c.Doc)))
		}
	}
	return all
}

func symbolNamed(all []*scan.Symbol, name string) *scan.Symbol {
	if i := slices.IndexFunc(all, func(s *scan.Symbol) bool { return s.Name == name }); i >= 0 {
		return all[i]
	}
	return nil
}

// A dnsListsRunner is a check of DNS lists at work.
type dnsListsRunner struct {
	env     scan.Env
	section string
	all     []*dnslist.List // of the section
	lists   []*dnslist.List // those that are asked
	asks    dnslist.Asks    // what any of them is asked about
	resolve bool            // one wants to know the addresses of hosts
	most    int             // names and addresses of one message
	known   []*scan.Symbol  // declared
	own     []*scan.Symbol  // of the administrator's lists
	failed  *scan.Symbol
}

func newDNSLists(c dnslist.Config, env scan.Env, known []*scan.Symbol, failed *scan.Symbol) *dnsListsRunner {
	r := &dnsListsRunner{env: env, section: c.Section, all: c.Lists(), most: int(c.MaxNames), known: known, failed: failed}
	for _, l := range r.all {
		if !l.Enabled {
			continue
		}
		r.lists = append(r.lists, l)
		r.asks |= l.Asks
		r.resolve = r.resolve || l.Resolve && l.Asks&dnslist.URLs != 0
		for _, s := range appendSymbols(nil, l) {
			if symbolNamed(known, s.Name) == nil && symbolNamed(r.own, s.Name) == nil {
				r.own = append(r.own, s)
			}
		}
	}
	return r
}

// Symbols returns those of the administrator's lists.
func (r *dnsListsRunner) Symbols() []*scan.Symbol { return r.own }

// Lists returns the lists of the section, also those that aren't asked.
func (r *dnsListsRunner) Lists() []*dnslist.List { return r.all }

// Refresh implements scan.Refresher: the names of symbols must be free.
func (r *dnsListsRunner) Refresh(taken func(symbol string) string) error {
	var errs []error
	for _, s := range r.own {
		if owner := taken(s.Name); owner != "" {
			errs = append(errs, fmt.Errorf("symbol %s belongs to %s; expected another name", s.Name, owner))
		}
	}
	return errors.Join(errs...)
}

// Run implements scan.Runner. Nobody is asked about our own mail.
func (r *dnsListsRunner) Run(ctx context.Context, p *scan.Pass) (struct{}, error) {
	if r.env.Lists == nil || p.Aids.DNS == nil || len(r.lists) == 0 || p.Envelope.Trust.Ours() {
		return struct{}{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, listTime)
	a := &listAsking{runner: r, ctx: ctx, resolver: p.Aids.DNS, own: ownDomains(p.Envelope, r.env.Domains), most: r.most,
		asked: make([][]*listAnswer, len(r.lists)), seen: map[string][]bool{}, questions: map[listQuestion]bool{}}
	defer a.waiting.Wait() // also after a panic: the message is gone then
	defer a.looking.Wait()
	defer cancel()
	signers := 0
	if r.asks&dnslist.DKIM != 0 {
		signers = min(p.Message.Header().Count("DKIM-Signature"), maxListSigners, a.most)
	}
	a.most -= signers
	a.client(p)
	a.hops(p.Message)
	a.senders(p)
	a.content(p.Message)
	resolved := a.resolve(p.Message)
	a.most += signers
	if signers > 0 {
		a.signers(p)
	}
	resolved()
	a.wait()
	a.report(p)
	return struct{}{}, nil
}

// ownDomains are those that no list is asked about: of the recipients, who are ours when
// the sender isn't, and of this machine.
func ownDomains(e *mail.Envelope, domains []string) []string {
	own := slices.Clone(domains)
	for _, rcpt := range e.Rcpts {
		if d := rcpt.Domain; d != "" && !slices.Contains(own, d) && len(own) < maxOwnDomains {
			own = append(own, d)
		}
	}
	return own
}

// maxOwnDomains bounds the domains that are compared.
const maxOwnDomains = 100

// A listAsking are the questions about one message, which are all on their way at once.
type listAsking struct {
	runner    *dnsListsRunner
	ctx       context.Context
	resolver  dns.Lookuper
	own       []string
	most      int               // things that may be asked about
	seen      map[string][]bool // those that are, with the lists that know of each by their index
	questions map[listQuestion]bool
	asked     [][]*listAnswer // by the list's index
	waiting   sync.WaitGroup  // for their answers
	looking   sync.WaitGroup  // for addresses of hosts

	mu       sync.Mutex // guards what follows
	jobs     []func()   // questions that wait for a goroutine
	panicked any        // what one of the questions panicked with
}

// A listQuestion is a name that a list is asked.
type listQuestion struct {
	list int
	name string
}

// A listAnswer is what a list said about one thing.
type listAnswer struct {
	thing   string
	finding dnslist.Finding
	err     error
}

// ask begins to ask all lists that want to know about something, each once.
func (a *listAsking) ask(q dnslist.Query) { a.askSome(q, func(*dnslist.List) bool { return true }) }

// askSome is ask for lists that have a property.
func (a *listAsking) askSome(q dnslist.Query, has func(*dnslist.List) bool) {
	if a.runner.asks&q.Ask == 0 || a.exempt(&q) {
		return
	}
	thing := thingOf(&q)
	told := a.seen[thing]
	if len(a.seen) >= a.most && told == nil {
		return
	}
	for i, l := range a.runner.lists {
		if told != nil && told[i] || !has(l) {
			continue
		}
		name, ok := l.Question(q)
		if !ok || a.questions[listQuestion{i, name}] {
			continue
		}
		if told == nil {
			told = make([]bool, len(a.runner.lists))
			a.seen[thing] = told
		}
		told[i] = true
		a.questions[listQuestion{i, name}] = true
		answer := &listAnswer{thing: thing}
		a.asked[i] = append(a.asked[i], answer)
		a.mu.Lock()
		a.jobs = append(a.jobs, func() { answer.finding, answer.err = a.runner.env.Lists.Ask(a.ctx, a.resolver, l, q) })
		a.mu.Unlock()
		a.waiting.Go(a.work)
	}
}

// work does what is left to do. There are as many goroutines for it as questions, so that
// none waits for another's answer; but when the cache has them all, one does it all, and
// the others find nothing to do.
func (a *listAsking) work() {
	defer a.caught()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // of the mapped message
	for {
		a.mu.Lock()
		if len(a.jobs) == 0 {
			a.mu.Unlock()
			return
		}
		job := a.jobs[0]
		a.jobs = a.jobs[1:]
		a.mu.Unlock()
		job()
	}
}

// caught keeps a panic for the check's own goroutine: elsewhere it would end the daemon.
func (a *listAsking) caught() {
	if v := recover(); v != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.panicked = v
	}
}

// wait returns when all questions are answered or the time is over.
func (a *listAsking) wait() {
	a.waiting.Wait()
	if a.panicked != nil {
		panic(a.panicked)
	}
}

// exempt tells whether something is our own.
func (a *listAsking) exempt(q *dnslist.Query) bool {
	if q.Addr.IsValid() {
		return a.runner.env.Ours != nil && a.runner.env.Ours(q.Addr)
	}
	domain := q.Name
	if q.Email != "" {
		domain = q.Email[strings.LastIndexByte(q.Email, '@')+1:]
	}
	return slices.ContainsFunc(a.own, func(d string) bool {
		rest, ok := strings.CutSuffix(domain, d)
		return ok && (rest == "" || strings.HasSuffix(rest, "."))
	})
}

// thingOf returns what a query is about, for people.
func thingOf(q *dnslist.Query) string {
	switch {
	case q.Addr.IsValid():
		return q.Addr.String()
	case q.Email != "":
		return q.Email
	}
	return q.Name
}

func (a *listAsking) addr(kind dnslist.Asks, addr netip.Addr) {
	if addr.IsValid() {
		a.ask(dnslist.Query{Ask: kind, Addr: addr})
	}
}

func (a *listAsking) name(kind dnslist.Asks, name string) {
	if name != "" {
		a.ask(dnslist.Query{Ask: kind, Name: name})
	}
}

// client asks about who sends: the address, its name and the greeting.
func (a *listAsking) client(p *scan.Pass) {
	a.addr(dnslist.Client, p.Envelope.ClientIP)
	a.name(dnslist.RDNS, nameInDNS(p.Envelope.Hostname))
	a.name(dnslist.Helo, nameInDNS(p.Envelope.Helo))
}

// nameInDNS returns a host's name as the DNS has it, "" for what is none.
func nameInDNS(host string) string { return mail.ParseAddress("x@" + host).Domain }

// hops asks about those who had the message before.
func (a *listAsking) hops(m *mail.Message) {
	if a.runner.asks&dnslist.Received == 0 {
		return
	}
	hops := m.Received()
	for _, h := range hops[:min(len(hops), maxListHops)] {
		a.addr(dnslist.Received, h.IP)
	}
}

// senders asks about who is said to have written the message.
func (a *listAsking) senders(p *scan.Pass) {
	a.name(dnslist.From, p.Envelope.From.Domain)
	from, to := p.Message.Mailboxes("From"), p.Message.Mailboxes("Reply-To")
	for _, b := range from[:min(len(from), maxListSenders)] {
		a.name(dnslist.From, b.Address.Domain)
	}
	for _, b := range to[:min(len(to), maxListSenders)] {
		a.mailbox(dnslist.ReplyTo, b.Address)
	}
}

// mailbox asks about an address with a domain.
func (a *listAsking) mailbox(kind dnslist.Asks, m mail.Address) {
	if m.Local != "" && m.Domain != "" {
		a.ask(dnslist.Query{Ask: kind, Email: m.Local + "@" + m.Domain})
	}
}

// content asks about what the message leads to.
func (a *listAsking) content(m *mail.Message) {
	if a.runner.asks&dnslist.URLs != 0 {
		for _, t := range m.Targets() {
			a.addr(dnslist.URLs, t.Addr)
			a.name(dnslist.URLs, t.Host)
		}
	}
	if a.runner.asks&dnslist.Emails != 0 {
		for _, m := range m.MailAddresses() {
			a.mailbox(dnslist.Emails, m)
		}
	}
}

// resolve looks up the addresses of hosts of links. What it returns asks about them.
func (a *listAsking) resolve(m *mail.Message) func() {
	if !a.runner.resolve {
		return func() {}
	}
	addrs := make([][]netip.Addr, 0, maxListHosts) // by host; never grows
	for _, t := range m.Targets() {
		if t.Host == "" || a.exempt(&dnslist.Query{Name: t.Host}) {
			continue
		}
		if len(addrs) == cap(addrs) {
			break
		}
		addrs = append(addrs, nil)
		found := &addrs[len(addrs)-1]
		a.looking.Go(func() {
			defer a.caught()
			answer, _ := a.resolver.Lookup(a.ctx, t.Host, dns.TypeA) // a host without one isn't asked about
			*found = answer.Addrs[:min(len(answer.Addrs), maxHostAddrs)]
		})
	}
	return func() {
		a.looking.Wait()
		for _, list := range addrs {
			for _, addr := range list {
				a.askSome(dnslist.Query{Ask: dnslist.URLs, Addr: addr}, func(l *dnslist.List) bool { return l.Resolve })
			}
		}
	}
}

// signers asks about the domains that have signed the message.
func (a *listAsking) signers(p *scan.Pass) {
	res, err := scan.Await(a.ctx, p, DKIM)
	if err != nil || res == nil {
		return
	}
	left := maxListSigners
	for i := range res.Signatures {
		if s := &res.Signatures[i]; s.Status == dkim.Pass && left > 0 {
			left--
			a.name(dnslist.DKIM, s.Domain)
		}
	}
}

// report reports what was found, in the order of the lists: each symbol with the things
// that it was found for, the answer and the name that was asked. The last one tells which
// lists gave no answer that counts.
func (a *listAsking) report(p *scan.Pass) {
	var failed []string
	for i, l := range a.runner.lists {
		var order []*scan.Symbol
		details := map[*scan.Symbol][]string{}
		why := ""
		for _, answer := range a.asked[i] {
			if w := uncounted(answer); w != "" && why == "" {
				why = w
			}
			for _, hit := range answer.finding.Hits {
				s := a.runner.symbol(hit.Code.Symbol)
				if _, known := details[s]; !known {
					order = append(order, s)
				}
				if len(details[s]) < 2*maxListShown {
					details[s] = append(details[s], shown(answer.thing)+":"+hit.Answer.String(), shown(answer.finding.Asked))
				}
			}
		}
		for _, s := range order {
			p.Report(s, details[s]...)
		}
		if why != "" {
			failed = append(failed, l.Zone+":"+why)
		}
	}
	if failed != nil {
		p.Report(a.runner.failed, failed...)
	}
}

// uncounted tells why an answer doesn't count, "" when it does or nobody was asked.
func uncounted(a *listAnswer) string {
	f := &a.finding
	switch {
	case errors.Is(a.err, dnslist.ErrOut), errors.Is(a.err, dnslist.ErrNotAsked):
		return ""
	case a.err != nil:
		if kind := dns.KindOf(a.err); kind != "" {
			return string(kind)
		}
		return "no answer"
	case f.Blocked && len(f.Answers) > 0:
		return "blocked:" + f.Answers[0].String()
	case f.Blocked:
		return "blocked"
	case len(f.Undocumented) > 0:
		return "undocumented:" + f.Undocumented[0].String()
	}
	return ""
}

// symbol returns the symbol of a name.
func (r *dnsListsRunner) symbol(name string) *scan.Symbol {
	if s := symbolNamed(r.known, name); s != nil {
		return s
	}
	return symbolNamed(r.own, name)
}
