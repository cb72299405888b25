package checks

import (
	"context"
	"errors"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/maps"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// ListsConfig are the options of Lists.
type ListsConfig struct {
	files map[maps.Own]*pathList // further files
}

// A listing is one of the lists with what it means.
type listing struct {
	own    maps.Own
	symbol *scan.Symbol
	demand bool   // an entry without a number decides by itself
	reply  string // for the SMTP client of what is blocked
}

// Who sends can claim any address: one that is allowed counts only when its domain is
// proved, that of the envelope's sender by SPF, that of an author in From by SPF or DKIM,
// and when Auth doesn't say that nothing is proved, as where DMARC fails. He can write any header, too: allowing by that takes some points
// off, and opens no way around the other checks. The network of a client and the
// recipients can't be forged. What is blocked needs no proof.
var (
	allowSender    = once("ALLOW_LIST_SENDER", -3, "The sender is on an allow list: that of the envelope, and SPF proves its domain, or that in From, and SPF or DKIM proves its domain.")
	allowDomain    = once("ALLOW_LIST_DOMAIN", -3, "The domain of the sender is on an allow list: that of the envelope's, and SPF proves it, or that in From, and SPF or DKIM proves it.")
	allowUnproved  = once("ALLOW_UNAUTHENTICATED", 0, "The sender is on an allow list, which doesn't count as its domain isn't proved, or as DMARC fails, or as there are several From fields.")
	allowNetwork   = once("ALLOW_LIST_NETWORK", -5, "The client's network is on an allow list.")
	allowRecipient = once("ALLOW_LIST_RECIPIENT", -5, "All recipients are on an allow list.")
	allowHeader    = once("ALLOW_LIST_HEADER", -2, "A header field is on an allow list; who sends can write any, so it only takes some points off.")
	blockSender    = once("BLOCK_LIST_SENDER", 10, "The sender, in the envelope or in From, is on a block list.")
	blockDomain    = once("BLOCK_LIST_DOMAIN", 10, "The sender's domain, in the envelope or in From, is on a block list.")
	blockNetwork   = once("BLOCK_LIST_NETWORK", 10, "The client's network is on a block list.")
	blockRecipient = once("BLOCK_LIST_RECIPIENT", 10, "All recipients are on a block list.")
	blockHeader    = once("BLOCK_LIST_HEADER", 10, "A header field is on a block list.")
)

// once declares a symbol of lists, which counts once.
func once(name string, score float64, doc string) *scan.Symbol {
	return oneShot(symbol(name, score, "lists", doc))
}

// listings are all lists, in the order of the findings.
var listings = []listing{
	{maps.Own{Of: "sender"}, allowSender, false, ""},
	{maps.Own{Of: "domain"}, allowDomain, false, ""},
	{maps.Own{Of: "network"}, allowNetwork, true, ""},
	{maps.Own{Of: "recipient"}, allowRecipient, true, ""},
	{maps.Own{Of: "header"}, allowHeader, false, ""},
	{maps.Own{Block: true, Of: "sender"}, blockSender, true, "Sender is blocked here"},
	{maps.Own{Block: true, Of: "domain"}, blockDomain, true, "Domain of the sender is blocked here"},
	{maps.Own{Block: true, Of: "network"}, blockNetwork, true, "Network of the client is blocked here"},
	{maps.Own{Block: true, Of: "recipient"}, blockRecipient, true, "Recipient takes no mail"},
	{maps.Own{Block: true, Of: "header"}, blockHeader, true, "Message is blocked here"},
}

// Lists looks up senders, clients, recipients and header fields in lists of what is
// allowed and what is blocked.
var Lists = &scan.Spec[ListsConfig, struct{}]{
	Name:    "lists",
	Doc:     "Lists of your own of senders, domains, client networks, recipients and header fields that are allowed or blocked.",
	Symbols: listSymbols(),
	Reads:   []scan.Check{Auth},
	Defaults: func() ListsConfig {
		c := ListsConfig{files: map[maps.Own]*pathList{}}
		for _, l := range listings {
			c.files[l.own] = new(pathList)
		}
		return c
	},
	Options: listOptions,
	New: func(c ListsConfig, env scan.Env) (scan.Runner[struct{}], error) {
		return newListsRunner(c, env), nil
	},
}

func listSymbols() []*scan.Symbol {
	all := []*scan.Symbol{allowUnproved}
	for _, l := range listings {
		all = append(all, l.symbol)
	}
	return all
}

// listOptions declares an option for the files of each list.
func listOptions(c *ListsConfig) []ucl.Option {
	var all []ucl.Option
	for _, l := range listings {
		all = append(all, ucl.Option{
			Name: l.own.Side() + "_" + l.own.Of, Value: c.files[l.own], Gather: true, Example: `"/etc/rmilter/` + l.own.Side() + "_" + l.own.Of + `.list"`,
			Doc: "Files with entries for " + l.symbol.Name + ", one to a line; docs/lists.md tells their form. They are read again when they change, and so is " + l.own.File("") + " in data_dir, which rmilterctl list changes.",
		})
	}
	return all
}

// A listsRunner is Lists at work.
type listsRunner struct {
	now       func() time.Time
	delimiter string
	lists     []*maps.Watched // by the index of listings
}

func newListsRunner(c ListsConfig, env scan.Env) *listsRunner {
	r := &listsRunner{now: env.Now, delimiter: env.Delimiter}
	for _, l := range listings {
		file := ""
		if env.DataDir != "" {
			file = l.own.File(env.DataDir)
		}
		r.lists = append(r.lists, maps.Watch(l.own.Kind(), file, *c.files[l.own]...))
	}
	return r
}

// Refresh implements scan.Refresher.
func (r *listsRunner) Refresh(func(string) string) error {
	var errs []error
	for _, w := range r.lists {
		if err := w.Refresh(r.now()); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Run implements scan.Runner.
func (r *listsRunner) Run(_ context.Context, p *scan.Pass) (struct{}, error) {
	listed := map[maps.Own]bool{}
	proof := proven(p)
	for i, l := range listings {
		list := r.lists[i].List()
		if list.Len() == 0 || l.own.Of == "domain" && listed[maps.Own{Block: l.own.Block, Of: "sender"}] {
			continue // a sender and its domain count once
		}
		needs := &proof
		if l.own.Block {
			needs = nil
		}
		e, unproved, ok := r.find(p, list, l.own.Of, needs)
		if ok {
			listed[l.own] = true
			l.report(p, e)
		} else if unproved != "" {
			evidence := []string{l.own.Of, unproved}
			if proof.denied != "" {
				evidence = append(evidence, proof.denied)
			}
			p.Report(allowUnproved, evidence...)
		}
	}
	return struct{}{}, nil
}

// strength makes the number behind an entry what its symbol weighs.
func strength(e maps.Entry, s *scan.Symbol) float64 {
	if !e.Scored {
		return 1
	}
	return e.Score / s.Score
}

// report reports an entry that was found.
func (l *listing) report(p *scan.Pass, e maps.Entry) {
	p.ReportScaled(l.symbol, strength(e, l.symbol), shown(e.Key))
	switch {
	case e.Scored || !l.demand:
	case l.own.Block:
		p.Demand(scan.Reject, l.reply)
	default:
		p.Demand(scan.NoAction, "")
	}
}

// find looks up what a list is about. With a proof, senders count only as far as it
// goes; unproved is the first that is listed without.
func (r *listsRunner) find(p *scan.Pass, list *maps.List, of string, proof *Proof) (e maps.Entry, unproved string, ok bool) {
	switch of {
	case "sender", "domain":
		return findSender(p, list, of, proof)
	case "network":
		e, ok = list.Network(p.Envelope.ClientIP)
	case "recipient":
		e, ok = r.findRecipients(p, list)
	default:
		return findHeader(p.Message, list, proof)
	}
	return e, "", ok
}

// maxFroms bounds the addresses of From that are looked up.
const maxFroms = 1000

// findSender looks up the sender of the envelope and those of From.
func findSender(p *scan.Pass, list *maps.List, of string, proof *Proof) (e maps.Entry, unproved string, ok bool) {
	look := func(a mail.Address, proved func(*Proof, string) bool) bool {
		if of == "domain" {
			e, ok = list.Domain(a.Domain)
		} else {
			e, ok = list.Address(a, "")
		}
		if ok && proof != nil && !proved(proof, a.Domain) {
			if ok = false; unproved == "" {
				unproved = shown(a.String())
			}
		}
		return ok
	}
	if look(p.Envelope.From.Address, (*Proof).hasEnvelope) {
		return e, "", true
	}
	from := p.Message.Mailboxes("From")
	for _, b := range from[:min(len(from), maxFroms)] {
		if !b.Address.IsNull() && look(b.Address, (*Proof).Has) {
			return e, "", true
		}
	}
	return maps.Entry{}, unproved, false
}

// findRecipients returns the entry of the first recipient, if all have one: what holds
// for one of them must not happen to the others.
func (r *listsRunner) findRecipients(p *scan.Pass, list *maps.List) (first maps.Entry, ok bool) {
	if p.Envelope.RcptsCut {
		return maps.Entry{}, false // nobody knows about the others
	}
	for i, rcpt := range p.Envelope.Rcpts {
		e, ok := list.Address(rcpt.Address, r.delimiter)
		if !ok {
			return maps.Entry{}, false
		}
		if i == 0 {
			first = e
		}
	}
	return first, len(p.Envelope.Rcpts) > 0
}

// maxFields bounds the header fields that are looked up.
const maxFields = 1000

// findHeader looks up the header fields that the list is about. A From counts only as
// far as the proof goes, if there is one.
func findHeader(m *mail.Message, list *maps.List, proof *Proof) (e maps.Entry, unproved string, ok bool) {
	left := maxFields
	for _, f := range m.Header() {
		if !list.HasField(f.Name) {
			continue
		}
		if e, ok := list.Header(f.Name, f.Text()); ok {
			if proof == nil || !f.Is("From") || proof.ours || proof.Sender != "" {
				return e, "", true
			}
			unproved = shown("From: " + f.Text())
		}
		if left--; left == 0 {
			break
		}
	}
	return maps.Entry{}, unproved, false
}
