package options

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
)

// ownZone is the zone of the list that the entries have.
const ownZone = "own.example.net"

// listedIn are records by which a zone lists names.
func listedIn(zone string, names ...string) string {
	text := ""
	for _, n := range names {
		text += n + "." + zone + " A 127.0.0.2\n"
	}
	return text
}

// foundIn is what the log says of one thing that the list has.
func foundIn(symbol, weight, thing, asked string) string {
	return fmt.Sprintf("sym=%s(%s){%s:127.0.0.2,%s.%s}", symbol, weight, thing, asked, ownZone)
}

// A listKind is a word for what a list is asked about, with a letter that has such a thing.
type listKind struct {
	word, thing, asked string
	letter             letter
	with               string // configuration that it takes
	sym                string // what else is found
}

func listKinds() []listKind {
	return []listKind{
		{word: "from", thing: stranger, asked: "7.113.0.203"},
		{word: "received", thing: "198.51.100.1", asked: "1.100.51.198", letter: letter{header: "Received: from a (b [198.51.100.1]) by c; Mon, 2 Mar 2026 10:00:00 +0100\n"}},
		{word: "helo", thing: "host.greeting.example", asked: "greeting.example", letter: letter{helo: "host.greeting.example"}},
		{word: "rdns", thing: "host.named.example", asked: "named.example", letter: letter{host: "host.named.example", helo: "client.sender.example"}},
		{word: "fromdomain", thing: "mail.written.example", asked: "written.example", letter: letter{header: "From: joe@mail.written.example\n"}},
		{word: "replyto", thing: "jim@answered.example", asked: "answered.example", letter: letter{header: "Reply-To: jim@answered.example\n"}},
		{word: "dkim", thing: "sender.example", asked: "sender.example", letter: sign(letter{header: fromJoe}), with: "dkim_verify { enabled = yes; }\n",
			sym: "R_DKIM_ALLOW(-0.20){sender.example:s=s},DKIM_TRACE(0.00){sender.example:+},"},
		{word: "urls", thing: "www.linked.example", asked: "linked.example", letter: letter{body: "http://www.linked.example/\n"}},
		{word: "emails", thing: "ann@mailed.example", asked: "mailed.example", letter: letter{body: "write to ann@mailed.example today\n"}},
	}
}

// dnsListEntries are about the lists of both sections.
func dnsListEntries() []entry {
	var list []entry
	for _, section := range []string{"rbl", "surbl"} {
		list = append(list, sectionEntries(section)...)
		list = append(list, kindEntries(section)...)
		list = append(list, ownListEntries(section)...)
		list = append(list, listTestEntries(section)...)
	}
	return list
}

// ownList is a section with one list of its own, which is as the test of an entry wants it.
func ownList(section, more string) string {
	return fmt.Sprintf("%s { enabled = yes; list \"OWN\" { %s } }\n", section, more)
}

// untested is a list that needs no test points.
const untested = "rbl = " + ownZone + "; monitored = no; "

// usual returns what a list of a section is asked about without further words.
func usual(section string) listKind {
	for _, k := range listKinds() {
		if k.word == "from" && section == "rbl" || k.word == "urls" && section == "surbl" {
			return k
		}
	}
	panic("no such section")
}

// sectionEntries are about the options of a section.
func sectionEntries(section string) []entry {
	u := usual(section)
	found := foundIn("OWN", "1.00", u.thing, u.asked)
	zones := []string{listedIn(ownZone, u.asked)}
	with, probe := ownList(section, untested), symbols(u.letter)
	exempt, key := stranger, entry{path: "rbl dqs_key", value: "KEY", with: "rbl { enabled = yes; }\n",
		zones: []string{listedIn("key.zen.dq.spamhaus.net", "2.0.0.127", "7.113.0.203")}, probe: reported("RBL_SPAMHAUS_SBL", u.letter),
		before: "RBL_SPAMHAUS_SBL: -", after: "RBL_SPAMHAUS_SBL: RBL_SPAMHAUS_SBL(4.00){203.0.113.7:127.0.0.2,7.113.0.203.*.zen.dq.spamhaus.net}"}
	if section == "surbl" {
		exempt, key = "linked.example", entry{path: "surbl dqs_key", value: "KEY", with: "surbl { enabled = yes; }\n",
			zones: []string{listedIn("key.dbl.dq.spamhaus.net", "dbltest.com") + "linked.example.key.dbl.dq.spamhaus.net A 127.0.1.2\n"}, probe: reported("DBL_SPAM", u.letter),
			before: "DBL_SPAM: -", after: "DBL_SPAM: DBL_SPAM(6.50){www.linked.example:127.0.1.2,linked.example.*.dbl.dq.spamhaus.net}"}
	}
	return []entry{
		{path: section + " enabled", value: "no", with: fmt.Sprintf("%s { list \"OWN\" { %s } }\n", section, untested), zones: zones, probe: probe, before: found, after: "sym=-"},
		{path: section + " max_names", value: "0", with: with, zones: zones, probe: probe, before: found, after: "sym=-"},
		{path: section + " exempt", value: exempt, with: with, zones: zones, probe: probe, before: found, after: "sym=-"},
		key,
	}
}

// kindEntries are about what a list is asked about.
func kindEntries(section string) []entry {
	var list []entry
	for _, k := range listKinds() {
		e := entry{path: section + ` list "NAME" ` + k.word, as: section + ` list "OWN" ` + k.word, value: "yes", with: k.with + ownList(section, untested),
			zones: []string{listedIn(ownZone, k.asked) + publish("sender.example")}, probe: symbols(k.letter)}
		none, found := "sym=-", "sym="+k.sym+foundIn("OWN", "1.00", k.thing, k.asked)[len("sym="):]
		if k.sym != "" {
			none = "sym=" + k.sym[:len(k.sym)-1]
		}
		e.before, e.after = none, found
		if k.word == usual(section).word {
			e.value, e.before, e.after = "no", found, none
		}
		list = append(list, e)
		if k.word == "helo" {
			e.path, e.as, e.value = section+` list "NAME" checks`, section+` list "OWN" checks`, "from, helo"
			list = append(list, e)
		}
	}
	return list
}

// ownListEntries are about what a list is.
func ownListEntries(section string) []entry {
	u := usual(section)
	found := foundIn("OWN", "1.00", u.thing, u.asked)
	zones := []string{listedIn(ownZone, u.asked)}
	six := letter{client: "2001:db8::7"}
	if section == "surbl" {
		six = letter{body: "http://[2001:db8::7]/\n"}
	}
	const ip6 = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
	four := letter{body: "http://203.0.113.7/\n"}
	link := letter{body: "http://www.linked.example/\n"}
	sum := md5.Sum([]byte("ann@mailed.example"))
	hash := hex.EncodeToString(sum[:])
	hop := listKinds()[1]
	var list []entry
	add := func(option, value, more string, zone string, p probe, before, after string) {
		e := entry{path: section + ` list "NAME" ` + option, as: section + ` list "OWN" ` + option, value: value, with: ownList(section, untested+more), zones: zones, probe: p, before: before, after: after}
		if zone != "" {
			e.zones = []string{zone}
		}
		list = append(list, e)
	}
	usually := symbols(u.letter)
	add("enabled", "no", "", "", usually, found, "sym=-")
	add("symbol", "OTHER", "", "", usually, found, foundIn("OTHER", "1.00", u.thing, u.asked))
	add("weight", "2.5", "", "", usually, found, foundIn("OWN", "2.50", u.thing, u.asked))
	add("returncodes", `"CODE:127.0.0.2-3"`, "", "", usually, found, foundIn("CODE", "1.00", u.thing, u.asked))
	add("returnbits", `"BIT:2"`, "", "", usually, found, foundIn("BIT", "1.00", u.thing, u.asked))
	fail := map[string]string{"rbl": "RBL_FAIL", "surbl": "SURBL_FAIL"}[section]
	add("blocked", "127.0.0.2", "", "", usually, found, "sym="+fail+"(0.00){own.example.net:blocked:127.0.0.2}")
	add("ipv4", "no", "", listedIn(ownZone, "7.113.0.203"), symbols(four), foundIn("OWN", "1.00", stranger, "7.113.0.203"), "sym=-")
	add("ipv6", "yes", "", listedIn(ownZone, ip6), symbols(six), "sym=-", foundIn("OWN", "1.00", "2001:db8::7", ip6))
	add("host", "yes", "checks = urls; ", listedIn(ownZone, "www.linked.example"), symbols(link), "sym=-", foundIn("OWN", "1.00", "www.linked.example", "www.linked.example"))
	add("resolve_ip", "yes", "checks = urls; ", "www.linked.example A 198.51.100.9\n"+listedIn(ownZone, "9.100.51.198"), symbols(link), "sym=-", foundIn("OWN", "1.00", "198.51.100.9", "9.100.51.198"))
	add("hash", "md5", "checks = emails; ", listedIn(ownZone, hash), symbols(listKinds()[8].letter), "sym=-", foundIn("OWN", "1.00", "ann@mailed.example", hash))
	add("is_whitelist", "yes", "", "", usually, found, foundIn("OWN", "-0.10", u.thing, u.asked))
	add("dynamic", "yes", "checks = received; ", listedIn(ownZone, hop.asked), symbols(hop.letter), foundIn("OWN", "1.00", hop.thing, hop.asked), "sym=-")
	add("exempt", map[string]string{"rbl": "203.0.113.0/24", "surbl": "linked.example"}[section], "", "", usually, found, "sym=-")
	add("daily", "1", "", "", warned(u.letter), "limit 0", "limit 1, DNS lists: OWN (own.example.net): 1 questions today, of 1 that its terms allow a day")
	list = append(list, entry{path: section + ` list "NAME" rbl`, as: section + ` list "OWN" rbl`, value: ownZone, with: ownList(section, "monitored = no;"), zones: zones, probe: usually, before: "sym=-", after: found})
	return list
}

// listTestEntries are about the test of a list.
func listTestEntries(section string) []entry {
	u := usual(section)
	found := foundIn("OWN", "1.00", u.thing, u.asked)
	probe := symbols(u.letter)
	var list []entry
	add := func(option, value, more, names string, before, after string) {
		list = append(list, entry{path: section + ` list "NAME" ` + option, as: section + ` list "OWN" ` + option, value: value, with: ownList(section, "rbl = "+ownZone+"; "+more),
			zones: []string{listedIn(ownZone, u.asked, names)}, probe: probe, before: before, after: after})
	}
	const listed = "2.0.0.127" // 127.0.0.2
	add("monitored", "no", "test_listed = 127.0.0.7;", listed, "sym=-", found)
	add("disable_monitoring", "yes", "test_listed = 127.0.0.7;", listed, "sym=-", found)
	add("test_listed", "127.0.0.7", "", listed, found, "sym=-")
	add("test_clean", "127.0.0.2", "", listed, found, "sym=-")
	return list
}

// warned is a probe that tells what the status says of the questions that a list allows.
func warned(l letter) probe {
	return func(d *daemon) string {
		d.send(l).line()
		s := d.status()
		text := ""
		for _, own := range s.Lists {
			if own.Name == "OWN" {
				text += fmt.Sprintf("limit %d", own.Limit)
			}
		}
		for _, p := range s.Problems {
			if strings.Contains(p.Text, "OWN") {
				text += ", " + p.Text
			}
		}
		return text
	}
}
