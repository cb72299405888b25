package options

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"rmilter/internal/config"
)

// builtin are the checks that find something in any message, by their sections: all
// that can be turned off but gtube, lists and rules, which only find what was asked for.
func builtin() []string {
	var names []string
	for _, e := range config.Entries() {
		name, ok := strings.CutSuffix(e.Path, " enabled")
		switch {
		case !ok, strings.Contains(name, " "), name == "gtube", name == "lists", name == "rules":
		default:
			names = append(names, name)
		}
	}
	return names
}

// checkEntries are about the checks. Of those that find something in any message only
// the one that is looked at runs: see base.
func checkEntries() []entry {
	const sender = "From: Joe <joe@sender.example>\n"
	list := []entry{
		{path: "gtube enabled", value: "no", probe: each(letter{body: pattern("X")}).logging("sym"),
			before: "554 5.7.1 Gtube pattern [ID]; sym=GTUBE(0.00){reject}", after: "continue; sym=-"},
		{path: "lists enabled", value: "no", with: `lists { block_network = "$DIR/list"; }`, prep: write("list", stranger+"\n"), probe: each(letter{}).logging("sym"),
			before: "554 5.7.1 Network of the client is blocked here [ID]; sym=BLOCK_LIST_NETWORK(10.00){" + stranger + "}", after: "continue; sym=-"},
		{path: "rules enabled", value: "no", with: `regexp "HELLO" { re = 'Subject=/hello/'; }`, probe: each(letter{}).logging("sym"),
			before: "continue; sym=HELLO(0.00){hello}", after: "continue; sym=-"},
	}
	for _, c := range []struct{ check, header, body, found string }{
		{"blankspam", "", "", "SINGLE_SHORT_PART(0.00){0}"},
		{"header_missing", "To: alice@example.com\nDate: Mon, 2 Mar 2026 10:00:00 +0100\n", "", "MISSING_FROM(2.00)"},
		{"header_broken", "Subject: another\n", "", "MULTIPLE_UNIQUE_HEADERS(4.90){Subject}"},
		{"header_case", "Mime-Version: 1.0\n", "", "MV_CASE(0.50)"},
		{"header_encoding", "From: J\xc3\xb6rg <joe@sender.example>\n", "", "FROM_NEEDS_ENCODING(1.00)"},
		{"date", "Date: yesterday\n", "", "INVALID_DATE(1.50){yesterday}"},
		{"message_id", sender, "", "MID_RHS_MATCH_FROM(0.00)"},
		{"mailing_list", "Precedence: bulk\n", "", "PRECEDENCE_BULK(0.00)"},
		{"bounce", "Subject: Undelivered Mail Returned to Sender\n", "", "SUBJ_BOUNCE_WORDS(0.00){undelivered}"},
		{"from", sender, "", "FROM_HAS_DN(0.00),FROM_EQ_ENVFROM(0.00)"},
		{"display_name", "From: \"boss@example.org\" <joe@sender.example>\n", "", "FROM_NEQ_DISPLAY_NAME(4.00){sender.example,example.org}"},
		{"reply_to", "Reply-To: joe@example.net\n", "", "HAS_REPLYTO(0.00){joe@example.net}"},
		{"to", "", "", "RCPT_COUNT_ZERO(0.00){0}"},
		{"recipients", "To: ann@a.example, bob@b.example, carl@c.example, dora@d.example, emil@e.example, fred@f.example, gina@g.example\n", "", "SORTED_RECIPS(3.50){7}"},
		{"forwarding", "Received: from a.example (a.example [203.0.113.9]) by relay.example.net with ESMTP id 4cX\n\tfor <alice@example.com>; Mon, 2 Mar 2026 10:00:00 +0100\nTo: alice@example.com\n", "", "PREVIOUSLY_DELIVERED(0.00){alice@example.com}"},
		{"forged_addresses", "From: joe@example.net\n", "", "FORGED_SENDER(0.30){joe@example.net,joe@sender.example}"},
		{"received", "", "", "RCVD_COUNT_ONE(0.00){1},RCVD_NO_TLS_LAST(0.10)"},
		{"once_received", "User-Agent: x\n", "", "ONCE_RECEIVED(0.10),DIRECT_TO_MX(0.00){x}"},
		{"hfilter", "", "http://a.example/\n", "HFILTER_URL_ONLY(2.20){1}"},
		{"subject", "Subject: more?\n", "", "SUBJECT_ENDS_QUESTION(1.00)"},
		{"mime_header", "MIME-Version: 1.0\nContent-Type: multipart/mixed\n", "", "BROKEN_CONTENT_TYPE(1.50){multipart/mixed}"},
		{"mime_shape", "MIME-Version: 1.0\nContent-Type: text/html\n", "<p>hello</p>\n", "MIME_HTML_ONLY(0.20)"},
		{"mime_text", "MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n", "aGVsbG8=\n", "MIME_BASE64_TEXT(0.10),MIME_BASE64_TEXT_BOGUS(1.00)"},
		{"x_priority", "X-Priority: 1\n", "", "HAS_X_PRIO_ONE(0.00){1}"},
		{"upstream", "X-KLMS-AntiSpam-Status: spam\n", "", "KLMS_SPAM(5.00){\"X-KLMS-AntiSpam-Status: spam\"}"},
	} {
		list = append(list, entry{path: c.check + " enabled", value: "no", probe: symbols(letter{header: c.header, body: c.body}),
			before: "sym=" + c.found, after: "sym=-"})
	}
	return list
}

// clientEntries are about the checks of the client's name and greeting.
func clientEntries() []entry {
	const hfilter, once = "hfilter { enabled = yes; }\n", "once_received { enabled = yes; }\n"
	const line = "7-113.dyn.sender.example"
	host := func(name string) letter { return letter{host: name} }
	bounce := letter{from: "-", rcpts: []string{"alice@example.com", "bob@example.com"}}
	return []entry{
		{path: "hfilter helo_enabled", value: "no", with: hfilter, probe: symbols(letter{helo: "friend"}),
			before: "sym=HFILTER_HELO_NOT_FQDN(2.00){friend}", after: "sym=-"},
		{path: "hfilter hostname_enabled", value: "no", with: hfilter, probe: symbols(letter{host: line, helo: "[203.0.113.7]"}),
			before: "sym=HFILTER_HOSTNAME_4(2.50){" + line + "},HFILTER_HELO_BAREIP(3.00){[203.0.113.7]}", after: "sym=HFILTER_HELO_BAREIP(3.00){[203.0.113.7]}"},
		{path: "hfilter from_enabled", value: "no", with: hfilter, probe: symbols(letter{from: "joe@localhost"}),
			before: "sym=HFILTER_FROMHOST_NOT_FQDN(3.00){joe@localhost}", after: "sym=-"},
		{path: "hfilter rcpt_enabled", value: "no", with: hfilter, probe: symbols(bounce),
			before: "sym=HFILTER_FROM_BOUNCE(0.00),HFILTER_RCPT_BOUNCEMOREONE(1.50){2}", after: "sym=HFILTER_FROM_BOUNCE(0.00)"},
		{path: "hfilter url_enabled", value: "no", with: hfilter, probe: symbols(letter{body: "http://a.example/\n"}),
			before: "sym=HFILTER_URL_ONLY(2.20){1}", after: "sym=-"},
		{path: "once_received good_host", value: `"^gate"`, with: once, probe: symbols(host("gate.sender.example"), host("mail.sender.example")),
			before: "sym=ONCE_RECEIVED(0.10)\nsym=-", after: "sym=-\nsym=ONCE_RECEIVED(0.10)"},
		{path: "once_received bad_host", value: `"^cust", static`, with: once, probe: symbols(host(line), host("cust7.sender.example"), host("7.static.sender.example")),
			before: "sym=ONCE_RECEIVED(0.10),ONCE_RECEIVED_STRICT(4.00){" + line + "}\nsym=ONCE_RECEIVED(0.10)\nsym=ONCE_RECEIVED(0.10)",
			after:  "sym=ONCE_RECEIVED(0.10)\nsym=ONCE_RECEIVED(0.10),ONCE_RECEIVED_STRICT(4.00){cust7.sender.example}\nsym=ONCE_RECEIVED(0.10),ONCE_RECEIVED_STRICT(4.00){7.static.sender.example}"},
		{path: "once_received whitelist", value: "192.0.2.1, 203.0.113.0/24", with: once, probe: symbols(host(line)),
			before: "sym=ONCE_RECEIVED(0.10),ONCE_RECEIVED_STRICT(4.00){" + line + "}", after: "sym=-"},
	}
}

// listEntries are about the files with lists.
func listEntries() []entry {
	const reject = "554 5.7.1 %s [ID]; sym=%s"
	var list []entry
	for _, l := range []struct{ of, line, key, blocked string }{
		{"sender", "joe@sender.example", "joe@sender.example", "Sender is blocked here"},
		{"domain", "sender.example", "sender.example", "Domain of the sender is blocked here"},
		{"network", "203.0.113.0/24", "203.0.113.0/24", "Network of the client is blocked here"},
		{"recipient", "alice@example.com", "alice@example.com", "Recipient takes no mail"},
		{"header", "Subject: hello", `"subject: hello"`, "Message is blocked here"},
	} {
		weight := map[string]string{"sender": "-3.00", "domain": "-3.00", "network": "-5.00", "recipient": "-5.00", "header": "-2.00"}[l.of]
		e := entry{value: `"$DIR/list"`, prep: write("list", l.line+"\n"), probe: each(letter{}).logging("sym"), before: "continue; sym=-"}
		found := "ALLOW_LIST_" + strings.ToUpper(l.of) + "(" + weight + "){" + l.key + "}"
		e.path, e.after = "lists allow_"+l.of, "continue; sym="+found
		if proved := e; l.of == "sender" || l.of == "domain" { // these are believed when they are proved
			proved.with, proved.zones = "spf { enabled = yes; } auth { enabled = yes; } authentication_results = no;\n", []string{lets}
			proved.before, proved.after = "continue; sym="+allowed, "continue; sym="+allowed+","+found
			list = append(list, proved)
			e.after = "continue; sym=ALLOW_UNAUTHENTICATED(0.00){" + l.of + ",<joe@sender.example>}"
		}
		list = append(list, e)
		e.path, e.after = "lists block_"+l.of, fmt.Sprintf(reject, l.blocked, "BLOCK_LIST_"+strings.ToUpper(l.of)+"(10.00){"+l.key+"}")
		list = append(list, e)
	}
	return list
}

// ruleEntries are about rules of one's own.
func ruleEntries() []entry {
	const block = `regexp "CHEAP" { re = 'X-Note=/cheap/'; score = 2.5; }`
	note := letter{header: "X-Note: cheap\nX-Note: cheap\n"}
	return []entry{
		{path: "rule_files", value: `"$DIR/*.rules"`, prep: write("my.rules", block), probe: symbols(note),
			before: "sym=-", after: "sym=CHEAP(2.50){cheap}"},
		{path: "rules limit", value: "1k", with: `regexp "CHEAP" { re = '/cheap/{mime}'; }`,
			probe:  symbols(letter{body: text(900) + "\ncheap\n"}, letter{body: text(2000) + "\ncheap\n"}),
			before: "sym=CHEAP(0.00){cheap}\nsym=CHEAP(0.00){cheap}", after: "sym=CHEAP(0.00){cheap}\nsym=-"},
		// Without re a rule is a fault, and without header one that looks at a header field.
		{path: `regexp "NAME" re`, as: `regexp "CHEAP" re`, value: "'X-Note=/c.e/'", probe: symbols(note), before: "sym=-", after: "sym=CHEAP(0.00){che}"},
		{path: `regexp "NAME" header`, as: `regexp "CHEAP" header`, value: "X-Note; re = '/^.*$/'", probe: symbols(note), before: "sym=-", after: "sym=CHEAP(0.00){cheap}"},
		{path: `regexp "NAME" where`, as: `regexp "CHEAP" where`, value: "raw_header", with: `regexp "CHEAP" { re = '/^.*$/'; header = X-Note; }`,
			probe:  symbols(letter{header: "X-Note: =?utf-8?q?cheap?=\n"}),
			before: "sym=CHEAP(0.00){cheap}", after: "sym=CHEAP(0.00){=?utf-8?q?cheap?=}"},
		{path: `regexp "NAME" score`, as: `regexp "CHEAP" score`, value: "-1.5", with: `regexp "CHEAP" { re = 'X-Note=/cheap/'; }`, probe: symbols(note),
			before: "sym=CHEAP(0.00){cheap}", after: "sym=CHEAP(-1.50){cheap}"},
		{path: `regexp "NAME" group`, as: `regexp "CHEAP" group`, value: "trade", with: block + `group "trade" { max_score = 1; }`, probe: symbols(note),
			before: "sym=CHEAP(2.50){cheap}", after: `sym=CHEAP(2.50){cheap},GROUP_CAP(-1.50){"trade 1.00 of 2.50"}`},
		{path: `regexp "NAME" description`, as: `regexp "CHEAP" description`, value: `"Somebody sells something."`, with: block, probe: explained(note, "CHEAP"),
			before: "A rule of this site: X-Note=/cheap/.", after: "Somebody sells something."},
		{path: `regexp "NAME" one_shot`, as: `regexp "CHEAP" one_shot`, value: "no", with: block, probe: symbols(note),
			before: "sym=CHEAP(2.50){cheap}", after: "sym=CHEAP(5.00){cheap}"},
	}
}

// Rules that find something in each letter, and what the log says of them.
const (
	twoRules = `regexp "HELLO" { re = 'Subject=/hello/'; score = 1; group = greetings; } regexp "SERIAL" { re = 'Message-ID=/@sender/'; score = 2; group = ids; }`
	twoFound = "HELLO(1.00){hello},SERIAL(2.00){@sender}"
)

// weightEntries are about what symbols weigh.
func weightEntries() []entry {
	const (
		joined   = twoRules + `composite "BOTH" { expression = "HELLO & SERIAL"; }`
		composed = "sym=BOTH(0.00){HELLO,SERIAL}"
		block    = twoRules + `settings "vip" { rcpt = alice@example.com; }`
	)
	harmless := symbols(letter{})
	toBoth := symbols(letter{}, letter{rcpts: []string{"bob@example.com"}})
	return []entry{
		{path: `symbol "NAME" weight`, as: `symbol "HELLO" weight`, value: "4.5", with: twoRules, probe: harmless,
			before: "sym=" + twoFound, after: "sym=HELLO(4.50){hello},SERIAL(2.00){@sender}"},
		{path: `symbol "NAME" one_shot`, as: `symbol "TWICE" one_shot`, value: "yes", with: `regexp "TWICE" { re = 'X-Note=/./'; score = 1; one_shot = no; }`,
			probe: symbols(letter{header: "X-Note: a\nX-Note: a\n"}), before: "sym=TWICE(2.00){a}", after: "sym=TWICE(1.00){a}"},
		{path: `symbol "NAME" enabled`, as: `symbol "HELLO" enabled`, value: "no", with: twoRules, probe: harmless,
			before: "sym=" + twoFound, after: "sym=SERIAL(2.00){@sender}"},
		{path: `group "NAME" max_score`, as: `group "ids" max_score`, value: "0.5", with: twoRules, probe: harmless,
			before: "sym=" + twoFound, after: "sym=" + twoFound + `,GROUP_CAP(-1.50){"ids 0.50 of 2.00"}`},
		{path: `group "NAME" enabled`, as: `group "ids" enabled`, value: "no", with: twoRules, probe: harmless,
			before: "sym=" + twoFound, after: "sym=HELLO(1.00){hello}"},
		// Without an expression a composite is a fault.
		{path: `composite "NAME" expression`, as: `composite "BOTH" expression`, value: `"HELLO & SERIAL"`, with: twoRules, probe: harmless,
			before: "sym=" + twoFound, after: composed},
		{path: `composite "NAME" score`, as: `composite "BOTH" score`, value: "7.5", with: joined, probe: harmless,
			before: composed, after: "sym=BOTH(7.50){HELLO,SERIAL}"},
		{path: `composite "NAME" policy`, as: `composite "BOTH" policy`, value: "leave", with: joined, probe: harmless,
			before: composed, after: "sym=" + twoFound + ",BOTH(0.00){HELLO,SERIAL}"},
		{path: `composite "NAME" policy`, as: `composite "BOTH" policy`, value: "remove_weight", with: joined, probe: harmless,
			before: composed, after: "sym=HELLO(0.00){hello},SERIAL(0.00){@sender},BOTH(0.00){HELLO,SERIAL}"},
		{path: `composite "NAME" policy`, as: `composite "BOTH" policy`, value: "remove_symbol", with: joined, probe: each(letter{}).logging("score", "sym"),
			before: "continue; score=0.00/15.00 " + composed, after: "continue; score=3.00/15.00 " + composed},
		{path: `composite "NAME" group`, as: `composite "BOTH" group`, value: "pairs", with: joined + `group "pairs" { enabled = no; }`, probe: harmless,
			before: composed, after: "sym=" + twoFound},
		{path: `composite "NAME" description`, as: `composite "BOTH" description`, value: `"All of it."`, with: joined, probe: explained(letter{}, "BOTH"),
			before: "", after: "All of it."},
		{path: `composite "NAME" enabled`, as: `composite "BOTH" enabled`, value: "no", with: joined, probe: harmless,
			before: composed, after: "sym=" + twoFound},

		{path: `settings "NAME" symbols_disabled`, as: `settings "vip" symbols_disabled`, value: "SERIAL", with: block, probe: toBoth,
			before: "sym=" + twoFound + "\nsym=" + twoFound, after: "sym=HELLO(1.00){hello}\nsym=" + twoFound},
		{path: `settings "NAME" groups_disabled`, as: `settings "vip" groups_disabled`, value: "greetings", with: block, probe: toBoth,
			before: "sym=" + twoFound + "\nsym=" + twoFound, after: "sym=SERIAL(2.00){@sender}\nsym=" + twoFound},
		{path: `settings "NAME" symbols "NAME" weight`, as: `settings "vip" symbols "HELLO" weight`, value: "-2", with: block, probe: toBoth,
			before: "sym=" + twoFound + "\nsym=" + twoFound, after: "sym=HELLO(-2.00){hello},SERIAL(2.00){@sender}\nsym=" + twoFound},
	}
}

// write returns a preparation that writes a file in the daemon's folder.
func write(name, content string) func(d *daemon) {
	return func(d *daemon) { d.must(os.WriteFile(d.path(name), []byte(content), 0o600)) }
}

// symbols is a probe that tells what the log says was found in each letter.
func symbols(l ...letter) probe {
	return func(d *daemon) string {
		var seen []string
		for _, one := range l {
			seen = append(seen, d.send(one).log("sym"))
		}
		return strings.Join(seen, "\n")
	}
}

// explained returns a probe that asks to have a letter judged, and tells how the answer
// describes a symbol that was found.
func explained(l letter, symbol string) probe {
	return func(d *daemon) string {
		a := d.ask(d.path("control.sock"), request{method: "POST", path: "/checkv2", body: l.header + "Subject: hello\nMessage-ID: <1@sender.example>\n\n" + l.body})
		var answer struct {
			Symbols map[string]struct{ Description string }
		}
		d.must(json.Unmarshal([]byte(a.body), &answer))
		s, found := answer.Symbols[symbol]
		if !found {
			return "not found: " + a.body
		}
		return s.Description
	}
}
