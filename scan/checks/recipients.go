package checks

import (
	"strconv"
	"strings"

	"rmilter/scan"
)

var (
	sortedRecips     = symbol("SORTED_RECIPS", 3.5, "headers", "Seven or more recipients are named in the order of the alphabet.")
	suspiciousRecips = symbol("SUSPICIOUS_RECIPS", 1.5, "headers", "Of seven or more recipients most have an address that begins like that of their neighbour.")
)

// Recipients looks for lists of recipients that come out of a database of spammers.
var Recipients = &scan.Spec[struct{}, struct{}]{
	Name:    "recipients",
	Doc:     "Lists of recipients that a machine made.",
	Symbols: []*scan.Symbol{sortedRecips, suspiciousRecips},
	Reads:   []scan.Check{MailingList},
	New:     plain(runRecipients),
}

const (
	fewRecips  = 7    // below that chance explains everything
	likePrefix = 3    // letters by which addresses are alike
	likeShare  = 0.65 // of the neighbours are alike
)

func runRecipients(p *scan.Pass) {
	n, alike, sorted, before := 0, 0, true, ""
	for b := range recipients(p.Message) {
		key := b.Address.Key()
		if n > 0 {
			sorted = sorted && before < key
			if len(key) > likePrefix && len(before) > likePrefix && strings.EqualFold(key[:likePrefix], before[:likePrefix]) {
				alike++
			}
		}
		n++
		before = key
	}
	if n < fewRecips || p.Envelope.Trust.Ours() || fromList(p) {
		return // an address book is sorted, too, and so are the lists that programs work on
	}
	if sorted {
		p.Report(sortedRecips, strconv.Itoa(n))
	}
	if float64(alike) >= likeShare*float64(n-1) {
		p.Report(suspiciousRecips, strconv.Itoa(alike)+" of "+strconv.Itoa(n))
	}
}
