package checks

import (
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	fromInvalid    = symbol("FROM_INVALID", 2, "headers", "The address in From is not well-formed.")
	envFromInvalid = symbol("ENVFROM_INVALID", 2, "headers", "The sender of the envelope is not a well-formed address.")
	multipleFrom   = symbol("MULTIPLE_FROM", 8, "headers", "From names several addresses.")
	noSpaceInFrom  = symbol("R_NO_SPACE_IN_FROM", 1, "headers", "There is no space between the name and the address in From.")

	fromNoName      = symbol("FROM_NO_DN", 0, "headers", "From has no display name.")
	fromHasName     = symbol("FROM_HAS_DN", 0, "headers", "From has a display name.")
	fromNameAddress = symbol("FROM_DN_EQ_ADDR", 1, "headers", "The display name in From is the address itself.")
	fromNameTitle   = symbol("FROM_NAME_HAS_TITLE", 1, "headers", "The display name in From begins with Mr, Mrs, Ms or Dr.")
	fromNameSpace   = symbol("FROM_NAME_EXCESS_SPACE", 1, "headers", "The display name in From has several spaces in a row.")

	fromEqEnvFrom  = symbol("FROM_EQ_ENVFROM", 0, "headers", "The address in From is the sender of the envelope.")
	fromNeqEnvFrom = symbol("FROM_NEQ_ENVFROM", 0, "headers", "The address in From is not the sender of the envelope.")
	toEqFrom       = symbol("TO_EQ_FROM", 0, "headers", "The only recipient named is the address in From.")
	toDomEqFromDom = symbol("TO_DOM_EQ_FROM_DOM", 0, "headers", "The only recipient named is of the same domain as the address in From.")
)

// From looks at the From field. Its result is the title that the display name begins
// with, in lower case, "" if none.
var From = &scan.Spec[struct{}, string]{
	Name: "from",
	Doc:  "The From field: its address, its display name, and the sender of the envelope beside it.",
	Symbols: []*scan.Symbol{
		fromInvalid, envFromInvalid, multipleFrom, noSpaceInFrom,
		fromNoName, fromHasName, fromNameAddress, fromNameTitle, fromNameSpace,
		fromEqEnvFrom, fromNeqEnvFrom, toEqFrom, toDomEqFromDom,
	},
	New: telling(runFrom),
}

func runFrom(p *scan.Pass) (title string) {
	ours := p.Envelope.Trust.Ours()
	if sender := p.Envelope.From.Address; !sender.IsNull() && !wellFormed(sender.Raw, ours) {
		p.Report(envFromInvalid, shown(sender.Raw))
	}
	list := p.Message.Mailboxes("From")
	if len(list) == 0 {
		return ""
	}
	runMultipleFrom(p, list)
	from := first(p.Message, "From")
	if from == nil {
		p.Report(fromInvalid, shown(list[0].Raw))
		return ""
	}
	if !from.Valid && !(ours && from.Address.Domain == "") {
		p.Report(fromInvalid, shown(from.Raw))
	}
	if noSpace(from.Raw) {
		p.Report(noSpaceInFrom, shown(from.Raw))
	}
	title = runFromName(p, from)
	runFromAddress(p, from.Address)
	return title
}

// wellFormed tells whether an address of the envelope is one. Our MTA completes those
// of our own machines that have no domain.
func wellFormed(raw string, ours bool) bool {
	list := mail.ParseMailboxes(raw)
	return len(list) == 1 && (list[0].Valid || ours && list[0].Address.Domain == "")
}

// runMultipleFrom counts the addresses. A name with a comma that isn't quoted looks
// like several entries; those without a domain are no addresses.
func runMultipleFrom(p *scan.Pass, list []mail.Mailbox) {
	var one *mail.Mailbox
	for i := range list {
		b := &list[i]
		switch {
		case b.Address.Domain == "" || b.Address.Local == "":
		case one == nil:
			one = b
		default:
			p.Report(multipleFrom, shownAddress(one.Address), shownAddress(b.Address))
			return
		}
	}
}

// noSpace tells whether a name and its address stick together as in "Joe<joe@x>".
func noSpace(raw string) bool {
	i := strings.LastIndexByte(raw, '<')
	return i > 0 && raw[i-1] != ' ' && raw[i-1] != '\t' && strings.IndexByte(raw[i:], '@') > 0
}

// runFromName looks at the display name.
func runFromName(p *scan.Pass, from *mail.Mailbox) (title string) {
	name := nameOf(from)
	switch {
	case name == "":
		p.Report(fromNoName)
		return ""
	case strings.EqualFold(name, from.Address.Key()):
		p.Report(fromNameAddress)
		return ""
	}
	p.Report(fromHasName)
	if title = titleOf(name); title != "" {
		p.Report(fromNameTitle, title)
	}
	if f, _ := p.Message.Header().Field("From"); excessSpace(f, from) {
		p.Report(fromNameSpace, shown(name))
	}
	return title
}

// titleOf returns the title that a name begins with, in lower case; "" if none.
func titleOf(name string) string {
	end := strings.IndexAny(name[:min(len(name), 5)], ". \t")
	if end < 0 {
		return ""
	}
	switch t := strings.ToLower(name[:end]); t {
	case "mr", "mrs", "ms", "dr":
		return t
	}
	return ""
}

// excessSpace tells whether the name has several spaces between its words, as it
// stands or inside an encoded word. Where a line was folded there may be as many as
// the program likes.
func excessSpace(f mail.Field, b *mail.Mailbox) bool {
	if strings.Contains(strings.Trim(b.Name, " "), "  ") {
		return true
	}
	raw, _, _ := strings.Cut(f.Raw, "<")
	for line := range strings.Lines(strings.Trim(raw, " \t\r\n\"")) {
		if strings.Contains(strings.Trim(line, " \t\r\n"), "  ") {
			return true
		}
	}
	return false
}

// runFromAddress compares the address with others.
func runFromAddress(p *scan.Pass, from mail.Address) {
	if sender := p.Envelope.From.Address; !sender.IsNull() {
		if sameAddress(sender, from) {
			p.Report(fromEqEnvFrom)
		} else {
			p.Report(fromNeqEnvFrom, shownAddress(from), shownAddress(sender))
		}
	}
	var to *mail.Mailbox
	for b := range recipients(p.Message) {
		if to != nil {
			return
		}
		to = b
	}
	switch {
	case to == nil:
	case sameAddress(to.Address, from):
		p.Report(toEqFrom)
	case to.Address.Domain != "" && to.Address.Domain == from.Domain:
		p.Report(toDomEqFromDom)
	}
}
