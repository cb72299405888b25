package filter

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rmilter/greylist"
	"rmilter/internal/dns"
	"rmilter/internal/dnslist"
	"rmilter/internal/mail"
	"rmilter/internal/metrics"
	"rmilter/internal/policy"
	"rmilter/internal/spool"
	"rmilter/internal/store"
	"rmilter/internal/ucl"
	"rmilter/milter"
	"rmilter/ratelimit"
	"rmilter/scan"
	"rmilter/scan/checks"
)

const (
	// headSize is what is kept of a message over max_size.
	headSize = spool.InMemory
	// MaxRecipients bounds the recipients that are kept of one message; those
	// beyond are counted only. MTAs allow 1000 by default.
	MaxRecipients = 10000
	// maxEnvelope bounds the bytes of recipients that are kept of one message.
	maxEnvelope = 2 << 20
	// HardEnd is the usual Env.HardEnd. Postfix waits 300 s for the answer, the shipped
	// sendmail examples 2 min.
	HardEnd = time.Minute
)

// Env is what a Filter uses of the process that it runs in. It outlives Filters; all
// fields must be set but for the last.
type Env struct {
	Hostname string           // this machine's name, for replies and headers
	Spool    *spool.Spool     // holds messages while they arrive
	Figures  *metrics.Figures // counts
	Log      *slog.Logger     // what goes wrong
	Done     func(*Result)    // takes the account of each message, before the session takes the next one
	Now      func() time.Time // the clock
	NewID    func() string    // a new transaction id: 10 hex digits
	HardEnd  time.Duration    // the longest from the end of a message to its answer

	// DNS looks names up; nil for no check that needs it.
	DNS *dns.Resolver
	// Lists asks the DNS lists of all Filters; nil for none.
	Lists *dnslist.Watch

	// What follows is used by Rules besides the scanner and may be nil without such.
	Stores  *store.Set                                    // what outlives a message
	Errands *Errands                                      // what is done after one
	Users   *ratelimit.Watch                              // users of ours over their limit
	Random  func() float64                                // from 0 up to 1
	After   func(d time.Duration, f func()) (stop func()) // the clock's alarm; see After
}

// After is the usual Env.After.
func After(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// NewID returns a transaction id from the system's random numbers.
func NewID() string {
	var b [5]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// A Filter is one configuration at work. It never changes and is safe for concurrent
// use.
type Filter struct {
	conf    Config
	policy  policy.Config
	book    *policy.Book
	scanner scan.Scanner
	rules   Rules
	env     *Env

	replySkip map[string]bool // symbols that don't count for a recognised reply
	verify    bool            // signatures are looked at
}

// New returns a Filter. The configuration values belong to it from now on.
func New(conf Config, pol policy.Config, rules Rules, env *Env) *Filter {
	return &Filter{conf: conf, policy: pol, book: pol.Book(rules.Scanner.Weights()), scanner: rules.Scanner, rules: rules, env: env,
		replySkip: skipped(&rules), verify: env.DNS != nil && hasCheck(rules.Scanner, checks.DKIM.Name)}
}

// A Result is the account of one message: what is known of it, what was found and
// what was done. It is made once, when the message has ended, and never changes.
type Result struct {
	Envelope  mail.Envelope
	NRcpt     int            // recipients accepted, also those beyond what Envelope keeps
	MessageID string         // the Message-ID field as it stands
	Message   *mail.Message  // nil when the message didn't come to its end; valid until Done returns
	Report    *scan.Report   // nil when not scanned
	Verdict   policy.Verdict // zero when the message didn't come to its end
	End       End            // how the transaction ended
	Reply     milter.Reply   // the refusal, if there was one
	Size      int64          // bytes of header and body as received
	Refused   int            // recipients that were refused
	Flags     []string       // what was out of the ordinary, for the log line
	Took      time.Duration  // from the end of the message to the verdict
	Skipped   string         // why it was not scanned, one of the Flags; when it was inspected, why as mail it would not be
	NoLog     bool           // the log line is not wanted
	Shares    []Share        // see Inquiry.Explain

	Greylist greylist.Verdict // what greylisting said; the zero one when it wasn't asked
	Signed   string           // which keys signed it, or why none did; "" or "-" for strangers' mail

	by *Filter // who judged it
}

// End says how a transaction ended.
type End byte

// The ends of a transaction.
const (
	Answered End = iota // the message was answered
	NotTaken            // MAIL FROM was refused
	Aborted             // RSET, a lost client, all recipients refused
)

// SizeLimit returns the size in bytes from which on only the head of a message is kept:
// max_size, but no more than half of the spool, as a message that can never fit would
// be deferred until its sender gives up.
func (f *Filter) SizeLimit() int64 {
	half := f.env.Spool.Limit() / 2
	if limit := int64(f.conf.MaxSize); limit > 0 {
		return min(limit, half)
	}
	return half
}

// localHost tells whether the client is the MTA's own machine and the mail was not
// sent by SMTP: sendmail(1), cron, the MTA's own notices. Postfix gives them a loopback
// address with port 0, sendmail the name localhost without an address. Port 0 alone
// says nothing: it is what XCLIENT leaves of a stranger's.
func localHost(c milter.Connect) bool {
	switch c.Family {
	case milter.Unix:
		return true
	case milter.Inet, milter.Inet6:
		return c.Port == 0 && c.Addr.IsLoopback()
	}
	return strings.EqualFold(c.Hostname, "localhost")
}

// trust tells what a client is to us. Relays come before our networks: one that lies
// in them still brings strangers' mail.
func (f *Filter) trust(c milter.Connect, user, daemon string) mail.Trust {
	if localHost(c) {
		return mail.Local
	}
	return f.trustAddr(c.Addr, user, daemon)
}

// trustAddr tells what a client is to us that is not the MTA's own machine.
func (f *Filter) trustAddr(addr netip.Addr, user, daemon string) mail.Trust {
	switch {
	case user != "":
		return mail.Authenticated
	case daemon != "" && slices.Contains(f.conf.OriginatingDaemons, daemon):
		return mail.OurDaemon
	case addr.IsValid() && f.conf.TrustedRelays.Contains(addr):
		return mail.TrustedRelay
	case addr.IsValid() && f.conf.OurNetworks.Contains(addr):
		return mail.OurNetwork
	}
	return mail.Stranger
}

// settings returns what a recipient wants. Lists try the full address first, then the
// address without its extension.
func (f *Filter) settings(rcpt mail.Address) policy.Settings {
	local, domain := strings.ToLower(rcpt.Local), rcpt.Domain
	short := strings.ToLower(rcpt.Strip(string(f.conf.RecipientDelimiter)))
	s := *f.book.For(local, domain)
	if short != local && s.Name == policy.DefaultSettings {
		s = *f.book.For(short, domain)
	}
	if f.listed(&f.conf.Whitelist, rcpt) {
		s.Skip = true
	}
	return s
}

// listed tells whether a list has a recipient, in full or without its extension.
func (f *Filter) listed(list *ucl.Recipients, rcpt mail.Address) bool {
	return list.Match(strings.ToLower(rcpt.Local), rcpt.Domain) ||
		list.Match(strings.ToLower(rcpt.Strip(string(f.conf.RecipientDelimiter))), rcpt.Domain)
}

// distinct returns the settings of all recipients, each once, in the order in which
// they first came.
func (f *Filter) distinct(rcpts []mail.Path) []policy.Settings {
	var all []policy.Settings
	for _, r := range rcpts {
		s := f.settings(r.Address)
		if !slices.ContainsFunc(all, func(t policy.Settings) bool { return s.Same(&t) }) {
			all = append(all, s)
		}
	}
	if all == nil {
		all = append(all, *f.book.For("", ""))
	}
	return all
}

// extended tells whether every recipient gets the extended headers.
func (f *Filter) extended(rcpts []mail.Path) bool {
	for _, r := range rcpts {
		if !f.listed(&f.policy.ExtendedHeadersRcpt, r.Address) {
			return false
		}
	}
	return len(rcpts) > 0
}

// skip tells why a message is not scanned; "" when it is.
func (f *Filter) skip(e *mail.Envelope, settings []policy.Settings) string {
	switch {
	case e.Trust.Ours() && !bool(f.conf.StrictAuth):
		return "ours"
	case e.ClientIP.IsValid() && f.conf.ClientWhitelist.Contains(e.ClientIP):
		return "client_whitelist"
	case !slices.ContainsFunc(settings, func(s policy.Settings) bool { return !s.Skip }):
		return "whitelist"
	}
	return ""
}

// relayed replaces the client of a relayed message by the one that the relay took it
// from, as far as its Received fields tell.
func (f *Filter) relayed(e *mail.Envelope, h mail.Header) {
	ip, host, helo, ok := mail.ReceivedClient(h, func(a netip.Addr) bool { return f.conf.TrustedRelays.Contains(a) })
	e.ClientIP, e.ClientPort, e.Hostname, e.Helo = netip.Addr{}, 0, "", ""
	if ok {
		e.ClientIP, e.Hostname, e.Helo = ip, host, helo
	}
}

// A judgement is what judge finds out.
type judgement struct {
	message *mail.Message
	report  *scan.Report
	verdict policy.Verdict
	skipped string // why there is no report, or, of what is inspected, why as mail it would have none
	grey    greylist.Verdict
	noStore error // why the store could not be asked, if it could not
}

// judge parses and scans a message and decides about it. The envelope is its own. The
// settings are those of the recipients when there are none. What is only to be
// inspected is scanned, whoever sends it to whom.
func (f *Filter) judge(ctx context.Context, e *mail.Envelope, raw []byte, settings []policy.Settings, v view) judgement {
	m := mail.Parse(raw, mail.DefaultLimits)
	if e.Trust == mail.TrustedRelay {
		f.relayed(e, m.Header())
	}
	if settings == nil {
		settings = f.distinct(e.Rcpts)
		if e.RcptsCut { // nobody knows what the others want, so they want what is usual
			settings = append(settings, *f.book.For("", ""))
		}
	}
	j := judgement{message: m, skipped: f.skip(e, settings), grey: v.grey}
	if j.skipped == "" || e.Inspect {
		e.Thread = f.thread(ctx, v.stores, e, m)
		j.report = f.scan(ctx, e, m, v.evidence)
		f.withoutSkipped(j.report)
	}
	j.verdict = f.decide(e, &j, settings)
	if !v.asked && f.greylist(ctx, v.stores, e, &j) {
		j.verdict = f.decide(e, &j, settings)
	}
	j.noStore = v.budget.Err()
	return j
}

// decide asks the policy.
func (f *Filter) decide(e *mail.Envelope, j *judgement, settings []policy.Settings) policy.Verdict {
	if e.Inspect {
		settings = slices.Clone(settings)
		for i := range settings {
			settings[i].Skip = false
		}
	}
	return policy.Decide(&f.policy, &policy.Facts{
		Envelope:   e,
		Header:     j.message.Header(),
		Report:     j.report,
		Recipients: settings,
		Extended:   !e.RcptsCut && f.extended(e.Rcpts),
		Hostname:   f.env.Hostname,
		DryRun:     bool(f.conf.DryRun) && !e.Inspect,
		Greylist:   verdictOf(&j.grey),
		Auth:       authOf(e, j.report),
	})
}

// scan asks the scanner and counts, unless it is for an inspection.
func (f *Filter) scan(ctx context.Context, e *mail.Envelope, m *mail.Message, ev *evidence) *scan.Report {
	aids, done := f.aids(e, m, ev)
	defer done()
	if e.Inspect {
		r := f.scanner.Scan(ctx, e, m, aids)
		f.failures(e.ID, r.Failed)
		return r
	}
	start := f.env.Now()
	f.env.Figures.ScanBegan()
	defer func() { f.env.Figures.ScanEnded(f.env.Now().Sub(start)) }() // also of one that panics
	r := f.scanner.Scan(ctx, e, m, aids)
	f.env.Figures.ChecksFailed(len(r.Failed))
	f.failures(e.ID, r.Failed)
	return r
}

// failures logs the checks that gave no answer, and counts the panics.
func (f *Filter) failures(id string, failed map[string]error) {
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		attrs := []any{"id", id, "check", name, "reason", failed[name].Error()}
		if p := (*scan.PanicError)(nil); errors.As(failed[name], &p) {
			f.env.Figures.Panicked()
			attrs = append(attrs, "stack", string(p.Stack))
		}
		f.env.Log.Error("check failed", attrs...)
	}
}

// broken decides about a message that could not be judged.
func (f *Filter) broken(e *mail.Envelope) judgement {
	return judgement{verdict: policy.Decide(&f.policy, &policy.Facts{
		Envelope: e,
		Hostname: f.env.Hostname,
		DryRun:   bool(f.conf.DryRun),
		Broken:   true,
	})}
}

// unkept decides about a message that the spool could not hold. The client has it
// still and is told to come again, unless that cannot work.
func (f *Filter) unkept(e *mail.Envelope, err error) judgement {
	v := policy.Verdict{DryRun: bool(f.conf.DryRun)}
	if e.Trust == mail.Local || e.Trust == mail.TrustedRelay || v.DryRun {
		return judgement{verdict: v}
	}
	text := "Temporary service failure."
	if errors.Is(err, spool.ErrFull) {
		text = "Too busy, try again later."
	}
	v.Action = scan.SoftReject
	v.Reply = policy.Reply{Code: 451, Enhanced: "4.7.1", Text: text + " [" + e.ID + "]"}
	return judgement{verdict: v}
}
