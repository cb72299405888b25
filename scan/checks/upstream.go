package checks

import (
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	spamFlag           = symbol("SPAM_FLAG", 5, "upstream_spam_filters", "Another filter marked the message as spam (X-Spam, X-Spam-Flag or X-Spam-Status).")
	klmsSpam           = symbol("KLMS_SPAM", 5, "upstream_spam_filters", "Kaspersky Security for Linux Mail Server marked the message as spam.")
	microsoftSpam      = symbol("MICROSOFT_SPAM", 4, "upstream_spam_filters", "Exchange Online marked the message as spam.")
	unitedInternetSpam = symbol("UNITEDINTERNET_SPAM", 5, "upstream_spam_filters", "A filter of United Internet marked the message as spam.")
)

// Upstream looks for the marks of other filters.
var Upstream = &scan.Spec[struct{}, struct{}]{
	Name:    "upstream",
	Doc:     "Marks of other filters on the way that call the message spam.",
	Symbols: []*scan.Symbol{spamFlag, klmsSpam, microsoftSpam, unitedInternetSpam},
	New:     plain(runUpstream),
}

// upstreamMarks are the fields with marks, those of one symbol together. Nobody writes
// to it.
var upstreamMarks = [...]struct {
	field  string
	symbol *scan.Symbol
	marks  func(value string) bool
}{
	{"X-Spam", spamFlag, saysYes},
	{"X-Spam-Flag", spamFlag, saysYes},
	{"X-Spam-Status", spamFlag, saysYes},
	{"X-KLMS-AntiSpam-Status", klmsSpam, func(v string) bool { return strings.HasPrefix(v, "spam") }},
	{"X-Forefront-Antispam-Report", microsoftSpam, func(v string) bool { return strings.Contains(v, "SFV:SPM") }},
	{"X-UI-Filterresults", unitedInternetSpam, isJunk},
	{"X-UI-Out-Filterresults", unitedInternetSpam, isJunk},
}

// saysYes tells whether a value begins with "yes" or "true".
func saysYes(v string) bool {
	v = strings.ToLower(v[:min(len(v), 4)])
	return strings.HasPrefix(v, "yes") || v == "true"
}

func isJunk(v string) bool { return strings.HasPrefix(v, "junk:") }

func runUpstream(p *scan.Pass) {
	h := p.Message.Header()
	var last *scan.Symbol
	for _, m := range upstreamMarks {
		if m.symbol == last {
			continue
		}
		if f, ok := findField(h, m.field, func(f mail.Field) bool { return m.marks(f.Value()) }); ok {
			last = m.symbol
			p.Report(m.symbol, shown(f.Name+": "+f.Value()))
		}
	}
}
