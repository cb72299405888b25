package checks

import (
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	mailList       = symbol("MAILLIST", -0.2, "headers", "The message comes from a mailing list.")
	hasListUnsub   = symbol("HAS_LIST_UNSUB", -0.01, "headers", "The message says how to unsubscribe (List-Unsubscribe).")
	precedenceBulk = symbol("PRECEDENCE_BULK", 0, "upstream_spam_filters", "The message calls itself bulk mail.")
	infoToInfo     = symbol("INFO_TO_INFO_LU", 2, "headers", "Bulk mail from an info@ address to an info@ address.")
)

// MailingList recognises mailing lists by the fields of their software. Its result tells
// whether the message comes from one. Nothing of it is proof: whoever wants to can
// write such fields.
var MailingList = &scan.Spec[struct{}, bool]{
	Name:    "mailing_list",
	Doc:     "Mailing lists and bulk mail that say so.",
	Symbols: []*scan.Symbol{mailList, hasListUnsub, precedenceBulk, infoToInfo},
	New:     telling(runMailingList),
}

// listFields are what the fields of list software count for, as in rspamd; 1 makes a
// list. Nobody writes to it.
var listFields = [...]struct {
	name  string
	share float64
}{
	{"List-Id", 0.75}, {"List-Archive", 0.125}, {"List-Owner", 0.125}, {"List-Help", 0.125},
	{"List-Post", 0.125}, {"X-Loop", 0.125}, {"List-Subscribe", 0.125}, {"List-Unsubscribe", 0.125},
}

func runMailingList(p *scan.Pass) bool {
	h := p.Message.Header()
	share, seen, precedence := 0.0, [len(listFields)]bool{}, ""
	for _, f := range h {
		switch f.Name[0] | 0x20 {
		case 'p':
			if f.Is("Precedence") {
				precedence = strings.ToLower(f.Value())
			}
		case 'l', 'x':
			for i, l := range listFields {
				if f.Is(l.name) && !seen[i] {
					seen[i] = true
					share += l.share
				}
			}
		}
	}
	subscribe, unsubscribe := seen[6], seen[7]
	if subscribe && unsubscribe {
		share += 0.25
	}
	if precedence == "list" || precedence == "bulk" {
		share += 0.25
	}
	if strings.Contains(precedence, "bulk") {
		p.Report(precedenceBulk)
	}
	if unsubscribe {
		p.Report(hasListUnsub)
		runInfoToInfo(p)
	}
	if share < 1 {
		return false
	}
	if kind := listSoftware(h); kind != "" {
		p.Report(mailList, kind)
	} else {
		p.ReportScaled(mailList, 0.5*min(share, 2), "generic")
	}
	return true
}

// listSoftware names the software that the fields are typical for, "" for any other.
func listSoftware(h mail.Header) string {
	switch {
	case strings.HasSuffix(h.Get("Mailing-List"), "ezmlm"):
		return "ezmlm"
	case h.Count("X-Mailman-Version") > 0:
		return "mailman"
	case h.Count("X-Google-Loop") > 0 || h.Count("X-Google-Group-Id") > 0:
		return "googlegroups"
	case strings.HasPrefix(h.Get("X-Listserver"), "CommuniGate Pro LIST"):
		return "cgp"
	}
	return ""
}

// runInfoToInfo looks for bulk mail between addresses that nobody gave anybody.
func runInfoToInfo(p *scan.Pass) {
	from := first(p.Message, "From")
	if from == nil || !strings.EqualFold(from.Address.Local, "info") {
		return
	}
	for i := range p.Envelope.Rcpts {
		if strings.EqualFold(p.Envelope.Rcpts[i].Local, "info") {
			p.Report(infoToInfo)
			return
		}
	}
}
