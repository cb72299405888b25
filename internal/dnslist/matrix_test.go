package dnslist_test

import (
	"strings"
	"testing"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/dnslist"
)

// Questions of the matrix, and what is before the zone in each.
var (
	client   = question{dnslist.Query{Ask: dnslist.Client, Addr: addr("203.0.113.7")}, "7.113.0.203"}
	client6  = question{dnslist.Query{Ask: dnslist.Client, Addr: addr("2001:db8::1")}, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"}
	received = question{dnslist.Query{Ask: dnslist.Received, Addr: addr("203.0.113.7")}, "7.113.0.203"}
	link     = question{dnslist.Query{Ask: dnslist.URLs, Name: "WWW.Shop.example.com."}, "example.com"}
	linkIP   = question{dnslist.Query{Ask: dnslist.URLs, Addr: addr("203.0.113.7")}, "7.113.0.203"}
	signer   = question{dnslist.Query{Ask: dnslist.DKIM, Name: "mail.example.co.uk"}, "mail.example.co.uk"}
	helo     = question{dnslist.Query{Ask: dnslist.Helo, Name: "mail.example.co.uk"}, "example.co.uk"}
	mailbox  = question{dnslist.Query{Ask: dnslist.Emails, Email: "Joe.Doe+tag@googlemail.com"}, "36a09e73778bf0db06d4205a486c6472bc041167"}
)

type question struct {
	query dnslist.Query
	name  string
}

// TestAnswers has what every list of the catalogue answers and what that means.
func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		list   string
		q      question
		answer string
		want   string
	}{
		{"spamhaus", client, "127.0.0.2", "RBL_SPAMHAUS_SBL 4"},
		{"spamhaus", client, "127.0.0.3", "RBL_SPAMHAUS_CSS 2"},
		{"spamhaus", client, "127.0.0.4", "RBL_SPAMHAUS_XBL 4"},
		{"spamhaus", client, "127.0.0.7", "RBL_SPAMHAUS_XBL 4"},
		{"spamhaus", client, "127.0.0.9", "RBL_SPAMHAUS_DROP 7"},
		{"spamhaus", client, "127.0.0.10", "RBL_SPAMHAUS_PBL 2"},
		{"spamhaus", client6, "127.0.0.11", "RBL_SPAMHAUS_PBL 2"},
		{"spamhaus", received, "127.0.0.2", "RECEIVED_SPAMHAUS_SBL 3"},
		{"spamhaus", received, "127.0.0.3", "RECEIVED_SPAMHAUS_CSS 1"},
		{"spamhaus", received, "127.0.0.5", "RECEIVED_SPAMHAUS_XBL 1"},
		{"spamhaus", received, "127.0.0.9", "RECEIVED_SPAMHAUS_DROP 6"},
		{"spamhaus", received, "127.0.0.10", ""}, // dynamic addresses: never for earlier hops
		{"mailspike", client, "127.0.0.10", "RBL_MAILSPIKE_WORST 2"},
		{"mailspike", client, "127.0.0.11", "RBL_MAILSPIKE_VERYBAD 1.5"},
		{"mailspike", client, "127.0.0.12", "RBL_MAILSPIKE_BAD 1"},
		{"mailspike", client, "127.0.0.14", "RWL_MAILSPIKE_NEUTRAL 0"},
		{"mailspike", client, "127.0.0.17", "RWL_MAILSPIKE_POSSIBLE 0"},
		{"mailspike", client, "127.0.0.18", "RWL_MAILSPIKE_GOOD -0.1"},
		{"mailspike", client, "127.0.0.19", "RWL_MAILSPIKE_VERYGOOD -0.2"},
		{"mailspike", client, "127.0.0.20", "RWL_MAILSPIKE_EXCELLENT -0.4"},
		{"dnswl", client, "127.0.10.0", "RCVD_IN_DNSWL_NONE 0"},
		{"dnswl", client, "127.0.5.1", "RCVD_IN_DNSWL_LOW -0.1"},
		{"dnswl", client, "127.0.2.2", "RCVD_IN_DNSWL_MED -0.2"},
		{"dnswl", client6, "127.0.15.3", "RCVD_IN_DNSWL_HI -0.5"},
		{"DWL_DNSWL", signer, "127.0.5.0", "DWL_DNSWL_NONE 0"},
		{"DWL_DNSWL", signer, "127.0.5.1", "DWL_DNSWL_LOW -1"},
		{"DWL_DNSWL", signer, "127.0.5.2", "DWL_DNSWL_MED -2"},
		{"DWL_DNSWL", signer, "127.0.5.3", "DWL_DNSWL_HI -3.5"},
		{"blocklistde", client, "127.0.0.14", "RBL_BLOCKLISTDE 4"},
		{"blocklistde", received, "127.0.0.14", "RECEIVED_BLOCKLISTDE 3"},
		{"sem", client, "127.0.0.2", "RBL_SEM 1"},
		{"semIPv6", client6, "127.0.0.2", "RBL_SEM_IPV6 1"},
		{"senderscore", client, "127.0.0.1", "RBL_SENDERSCORE_BOT 2"},
		{"senderscore", client, "127.0.0.20", "RBL_SENDERSCORE_SCORE_PRST 4"},
		{"senderscore_reput", client, "127.0.4.0", "RBL_SENDERSCORE_REPUT_0 4"},
		{"senderscore_reput", client, "127.0.4.89", "RBL_SENDERSCORE_REPUT_8 0"},
		{"senderscore_reput", client, "127.0.4.100", "RBL_SENDERSCORE_REPUT_9 -1"},
		{"uceprotect1", client, "127.0.0.2", "RBL_UCEPROTECT_LEVEL1 3.5"},
		{"DBL", link, "127.0.1.2", "DBL_SPAM 6.5"},
		{"DBL", link, "127.0.1.4", "DBL_PHISH 7.5"},
		{"DBL", link, "127.0.1.5", "DBL_MALWARE 7.5"},
		{"DBL", link, "127.0.1.6", "DBL_BOTNET 7.5"},
		{"DBL", helo, "127.0.1.102", "DBL_ABUSE 5"},
		{"DBL", link, "127.0.1.103", "DBL_ABUSE_REDIR 5"},
		{"DBL", link, "127.0.1.104", "DBL_ABUSE_PHISH 6.5"},
		{"DBL", link, "127.0.1.105", "DBL_ABUSE_MALWARE 6.5"},
		{"DBL", link, "127.0.1.106", "DBL_ABUSE_BOTNET 6.5"},
		{"DBL", link, "127.0.1.255", ""},
		{"SPAMHAUS_ZEN_URIBL", linkIP, "127.0.0.2", "URIBL_SBL 6.5"},
		{"SPAMHAUS_ZEN_URIBL", linkIP, "127.0.0.3", "URIBL_SBL_CSS 5"},
		{"SPAMHAUS_ZEN_URIBL", linkIP, "127.0.0.6", "URIBL_XBL 3"},
		{"SPAMHAUS_ZEN_URIBL", linkIP, "127.0.0.9", "URIBL_DROP 5"},
		{"SPAMHAUS_ZEN_URIBL", linkIP, "127.0.0.10", "URIBL_PBL 0.01"},
		{"URIBL_MULTI", link, "127.0.0.2", "URIBL_BLACK 7.5"},
		{"URIBL_MULTI", linkIP, "127.0.0.4", "URIBL_GREY 2.5"},
		{"URIBL_MULTI", link, "127.0.0.14", "URIBL_BLACK 7.5, URIBL_GREY 2.5, URIBL_RED 0.5"},
		{"SURBL_MULTI", link, "127.0.0.8", "PH_SURBL_MULTI 7.5"},
		{"SURBL_MULTI", link, "127.0.0.80", "ABUSE_SURBL 5, MW_SURBL_MULTI 7.5"},
		{"SURBL_MULTI", link, "127.0.0.128", "CRACKED_SURBL 5"},
		{"SURBL_MULTI", link, "127.0.0.36", "CT_SURBL 0, DM_SURBL 0"},
		{"MSBL_EBL", mailbox, "127.0.0.2", "MSBL_EBL 7.5"},
		{"MSBL_EBL", mailbox, "127.0.1.3", "MSBL_EBL_GREY 0.5"},
		{"SEM_URIBL", link, "127.0.0.2", "SEM_URIBL 3.5"},
		{"SEM_URIBL_FRESH15", link, "127.0.0.2", "SEM_URIBL_FRESH15 3"},
	} {
		t.Run(test.list+" "+test.answer, func(t *testing.T) {
			l := list(test.list)
			r := newRig(t, healthy(l)+test.q.name+"."+l.Zone+" A "+test.answer, l)
			f, err := r.ask(l, test.q.query)
			if err != nil {
				t.Fatalf("%v; %v", err, r.told())
			}
			if got := symbols(f); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if f.Blocked || f.Undocumented != nil || r.told() != nil || f.Asked != test.q.name+"."+l.Zone {
				t.Errorf("got %+v, problems %v", f, r.told())
			}
			if s := r.state(); s.State != dnslist.OK || (s.Listed == 1) != (test.want != "") {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// TestGuards has what is no answer of a list, and what becomes of the list.
func TestGuards(t *testing.T) {
	zen, surbl := "7.113.0.203.zen.spamhaus.org", "example.com.multi.surbl.org"
	for _, test := range []struct {
		name    string
		list    string
		q       question
		records string // besides those by which the test succeeds
		texts   string // the TXT record of the question
		script  map[string][]dnstest.Fault
		want    string // symbols
		finding string // blocked, undocumented or an error
		state   dnslist.State
		told    string // within the only problem; "" for none
	}{
		{name: "not listed", list: "spamhaus", q: client, state: dnslist.OK},
		{name: "misspelt zone", list: "spamhaus", q: client, records: zen + " A 127.255.255.252", finding: "blocked", state: dnslist.Out,
			told: "answers 127.255.255.252 (the list's name is misspelt), asked through 127.0.0.1:"},
		{name: "anonymous", list: "spamhaus", q: client, records: zen + " A 127.255.255.253", finding: "blocked", state: dnslist.Out, told: "answers 127.255.255.253 instead of telling"},
		{name: "public resolver", list: "spamhaus", q: client, records: zen + " A 127.255.255.254", finding: "blocked", state: dnslist.Out, told: "(asked by a public resolver), asked through 127.0.0.1:"},
		{name: "too often", list: "spamhaus", q: received, records: zen + " A 127.255.255.255", finding: "blocked", state: dnslist.Out, told: "(asked too often)"},
		{name: "blocked besides a code", list: "spamhaus", q: client, records: zen + " A 127.0.0.4\n" + zen + " A 127.255.255.254", finding: "blocked", state: dnslist.Out, told: "(asked by a public resolver)"},
		{name: "URIBL", list: "URIBL_MULTI", q: link, records: "example.com.multi.uribl.com A 127.0.0.1", finding: "blocked", state: dnslist.Out, told: "answers 127.0.0.1 instead of telling"},
		{name: "SURBL", list: "SURBL_MULTI", q: link, records: surbl + " A 127.0.0.1", finding: "blocked", state: dnslist.Out, told: "SURBL_MULTI (multi.surbl.org): answers 127.0.0.1"},
		{name: "DNSWL", list: "dnswl", q: client, records: "7.113.0.203.list.dnswl.org A 127.0.0.255", finding: "blocked", state: dnslist.Out, told: "answers 127.0.0.255 instead of telling"},
		{name: "refused", list: "spamhaus", q: client, script: map[string][]dnstest.Fault{zen: {dnstest.Refused}}, finding: "blocked", state: dnslist.Out, told: "answers REFUSED, asked through 127.0.0.1:"},
		{name: "a quota told in words", list: "mailspike", q: client, records: "7.113.0.203.rep.mailspike.net A 127.0.0.200", texts: "Daily quota exceeded, see example.com", finding: "blocked", state: dnslist.Out,
			told: `answers 127.0.0.200 and says "Daily quota exceeded, see example.com"`},
		{name: "undocumented", list: "spamhaus", q: client, records: zen + " A 127.0.0.77", texts: "https://example.com/203.0.113.7", finding: "undocumented", state: dnslist.OK, told: "the answer 127.0.0.77, asked through 127.0.0.1:"},
		{name: "undocumented besides a code", list: "spamhaus", q: client, records: zen + " A 127.0.0.77\n" + zen + " A 127.0.0.2", want: "RBL_SPAMHAUS_SBL 4", finding: "undocumented", state: dnslist.OK, told: "the answer 127.0.0.77"},
		{name: "somebody else answers", list: "spamhaus", q: client, records: zen + " A 198.51.100.1", finding: "undocumented", state: dnslist.OK, told: "the answer 198.51.100.1, asked through"},
		{name: "somebody else besides a code", list: "spamhaus", q: client, records: zen + " A 198.51.100.1\n" + zen + " A 127.0.0.2", finding: "undocumented", state: dnslist.OK, told: "the answer 198.51.100.1"},
		{name: "a code without bits", list: "SURBL_MULTI", q: link, records: surbl + " A 127.0.0.2", finding: "undocumented", state: dnslist.OK, told: "the answer 127.0.0.2"},
		{name: "everything is listed", list: "spamhaus", q: client, records: "*.zen.spamhaus.org A 127.0.0.2", finding: "out", state: dnslist.Out, told: "it lists everything: 127.0.0.1, which never is, has the answer 127.0.0.2, asked through 127.0.0.1:"},
		{name: "a parked zone", list: "blocklistde", q: client, records: "*.bl.blocklist.de A 198.51.100.80\n*.bl.blocklist.de TXT this domain is for sale", finding: "out", state: dnslist.Out, told: `has the answer 198.51.100.80 ("this domain is for sale")`},
		{name: "all names are listed", list: "DBL", q: link, records: "*.dbl.spamhaus.org A 127.0.1.2", finding: "out", state: dnslist.Out, told: "it lists everything: invalid"},
		{name: "truncated", list: "spamhaus", q: client, records: zen + " A 127.0.0.2", script: map[string][]dnstest.Fault{zen: {dnstest.Truncate}}, want: "RBL_SPAMHAUS_SBL 4", state: dnslist.OK},
		{name: "truncated, no TCP", list: "spamhaus", q: client, records: zen + " A 127.0.0.2", script: map[string][]dnstest.Fault{zen: {dnstest.TruncateNoTCP}}, finding: "truncated", state: dnslist.OK},
		{name: "timeout", list: "spamhaus", q: client, records: zen + " A 127.0.0.2", script: map[string][]dnstest.Fault{zen: {dnstest.Drop}}, finding: "timeout", state: dnslist.OK},
		{name: "server failed", list: "spamhaus", q: client, script: map[string][]dnstest.Fault{zen: {dnstest.ServFail}}, finding: "server failed", state: dnslist.OK},
		{name: "garbage", list: "spamhaus", q: client, script: map[string][]dnstest.Fault{zen: {dnstest.Garbage}}, finding: "malformed", state: dnslist.OK},
		{name: "the test has no answer", list: "spamhaus", q: client, script: map[string][]dnstest.Fault{"": {dnstest.ServFail}}, finding: "out", state: dnslist.Untested},
		{name: "the test is refused", list: "spamhaus", q: client, script: map[string][]dnstest.Fault{"": {dnstest.Refused}}, finding: "out", state: dnslist.Out, told: "answers REFUSED"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := list(test.list)
			good := healthy(l)
			if strings.HasPrefix(test.records, "*.") {
				good = "" // nobody keeps test points in a zone that has everything
			}
			r := newRig(t, good+test.records, l)
			name := test.q.name + "." + l.Zone
			if test.texts != "" {
				r.server.AddTXT(name, test.texts)
			}
			for name, faults := range test.script {
				r.server.Script(name, "", faults...)
			}
			f, err := r.ask(l, test.q.query)
			if got := outcome(f, err); got != test.finding {
				t.Errorf("got %q, want %q; %+v", got, test.finding, f)
			}
			if got := symbols(f); got != test.want {
				t.Errorf("got symbols %s, want %s", got, test.want)
			}
			if s := r.state(); s.State != test.state || (s.Blocked > 0) != (test.finding == "blocked") || s.Unknown > 0 != (test.finding == "undocumented" || test.texts != "") {
				t.Errorf("got %+v", s)
			}
			told := r.told()
			if test.told == "" && told != nil || test.told != "" && (len(told) != 1 || !strings.Contains(told[0], test.told)) {
				t.Errorf("told %q\nwant %s", told, test.told)
			}
			// Whoever asks again hears the same of it, and nothing new is told.
			if _, err := r.ask(l, test.q.query); test.state != dnslist.OK && err != dnslist.ErrOut {
				t.Errorf("asked again, got %v", err)
			}
			if again := r.told(); len(again) != len(told) || r.raised > 1 {
				t.Errorf("told %q, raised %d times", again, r.raised)
			}
		})
	}
}

// outcome returns a finding in a word.
func outcome(f dnslist.Finding, err error) string {
	switch {
	case err == dnslist.ErrOut:
		return "out"
	case err != nil:
		return string(dns.KindOf(err))
	case f.Blocked:
		return "blocked"
	case f.Undocumented != nil:
		return "undocumented"
	}
	return ""
}
