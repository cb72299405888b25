package options

import (
	"fmt"
	"os"
	"strings"
)

// mailEntries are about whose mail is judged, and how much of it.
func mailEntries() []entry {
	const vip = `settings "vip" { rcpt = alice@example.com; spamd_never_reject = yes; }`
	const reject = "554 5.7.1 Gtube pattern [ID]"
	return []entry{
		{path: "dry_run", value: "yes", probe: each(letter{body: pattern("X")}, letter{body: pattern("Y"), header: "X-Spam: no\n"}).logging("action", "dry"),
			before: reject + "; action=reject dry=0\ncontinue, delete X-Spam, add X-Spam: yes; action=\"add header\" dry=0",
			after:  "continue; action=reject dry=1\ncontinue; action=\"add header\" dry=1"},
		{path: "our_networks", value: "192.0.2.0/24", probe: clients,
			before: "127.0.0.1 net: continue\n127.9.9.9 net: continue\n::1 net: continue\n192.0.2.7 -: continue, add X-Spam: yes\n203.0.113.7 -: continue, add X-Spam: yes",
			after:  "127.0.0.1 -: continue, add X-Spam: yes\n127.9.9.9 -: continue, add X-Spam: yes\n::1 -: continue, add X-Spam: yes\n192.0.2.7 net: continue\n203.0.113.7 -: continue, add X-Spam: yes"},
		{path: "our_networks", value: "[::1], 203.0.113.7", probe: clients,
			before: "127.0.0.1 net: continue\n127.9.9.9 net: continue\n::1 net: continue\n192.0.2.7 -: continue, add X-Spam: yes\n203.0.113.7 -: continue, add X-Spam: yes",
			after:  "127.0.0.1 -: continue, add X-Spam: yes\n127.9.9.9 -: continue, add X-Spam: yes\n::1 net: continue\n192.0.2.7 -: continue, add X-Spam: yes\n203.0.113.7 net: continue"},
		{path: "originating_daemons", value: "submission, smtps", probe: each(
			letter{daemon: "ORIGINATING", body: pattern("X")}, letter{daemon: "submission", body: pattern("X")}, letter{daemon: "smtps", body: pattern("X")}).logging("trust"),
			before: "continue; trust=daemon\n" + reject + "; trust=-\n" + reject + "; trust=-",
			after:  reject + "; trust=-\ncontinue; trust=daemon\ncontinue; trust=daemon"},
		{path: "trusted_relays", value: "198.51.100.5", probe: each(
			letter{client: "198.51.100.5", body: pattern("X"), header: received1}, letter{client: "198.51.100.6", body: pattern("X"), header: received1}).logging("ip", "host", "helo", "trust"),
			before: reject + "; ip=198.51.100.5 host=client.sender.example helo=client.sender.example trust=-\n" + reject + "; ip=198.51.100.6 host=client.sender.example helo=client.sender.example trust=-",
			after:  "continue, add X-Spam: yes; ip=203.0.113.9 host=origin.example helo=hello.example trust=relay\n" + reject + "; ip=198.51.100.6 host=client.sender.example helo=client.sender.example trust=-"},
		{path: "recipient_delimiter", value: `"-_"`, with: vip + "whitelist = bob; spamd { extended_headers_rcpt = carol; }", probe: extensions,
			before: "settings: alice, alice+folder\nwhitelist: bob, bob+folder\nextended headers: carol, carol+folder",
			after:  "settings: alice, alice-folder, alice_folder\nwhitelist: bob, bob-folder, bob_folder\nextended headers: carol, carol-folder, carol_folder"},
		{path: "max_size", value: "300k", probe: each(letter{body: text(400<<10) + "\n" + pattern("X")}, letter{body: pattern("X") + text(400<<10)}).logging("flags"),
			before: reject + "; flags=-\n" + reject + "; flags=-", after: "continue; flags=oversize\n" + reject + "; flags=oversize"},
		{path: "max_size", value: "0", probe: each(letter{body: text(11<<20) + "\n" + pattern("X")}).logging("flags"),
			before: "continue; flags=oversize", after: reject + "; flags=-"},
		{path: "strict_auth", value: "yes", probe: each(letter{client: ours, body: pattern("X")}, letter{client: ours, body: pattern("Y")}).logging("flags"),
			before: "continue; flags=ours\ncontinue; flags=ours", after: reject + "; flags=-\ncontinue; flags=-"},
		{path: "whitelist", value: "bob, carol@example.com, @example.org", probe: unchecked,
			before: "", after: "bob@example.com, bob@example.net, carol@example.com, dave@example.org, bob@example.com + carol@example.com"},
		{path: "split_recipients", value: "yes", with: vip, probe: each(
			letter{body: pattern("X"), rcpts: []string{"alice@example.com", "bob@example.com"}},
			letter{body: pattern("X"), rcpts: []string{"bob@example.com", "alice@example.com", "carol@example.com"}}).logging("nrcpt", "flags"),
			before: "continue, add X-Spam: yes; nrcpt=2 flags=-\ncontinue, add X-Spam: yes; nrcpt=3 flags=-",
			after: "bob@example.com 451 4.5.3 Recipient has other settings, send it a message of its own [ID], continue, add X-Spam: yes; nrcpt=1 flags=rcpt_refused:1\n" +
				"alice@example.com 451 4.5.3 Recipient has other settings, send it a message of its own [ID], " + reject + "; nrcpt=2 flags=rcpt_refused:1"},
		{path: "gtube_patterns", value: "reject", probe: each(letter{body: pattern("X")}, letter{body: pattern("Y")}).logging("sym"),
			before: reject + "; sym=GTUBE(0.00){reject}\ncontinue, add X-Spam: yes; sym=GTUBE(0.00){\"add header\"}",
			after:  reject + "; sym=GTUBE(0.00){reject}\ncontinue; sym=-"},
		{path: "gtube_patterns", value: "disable", probe: each(letter{body: pattern("X")}, letter{body: pattern("Y")}).logging("sym"),
			before: reject + "; sym=GTUBE(0.00){reject}\ncontinue, add X-Spam: yes; sym=GTUBE(0.00){\"add header\"}",
			after:  "continue; sym=-\ncontinue; sym=-"},
		{path: "smtp_codes", value: "rmilter", with: "spamd { tempfail_on_error = yes; }", probe: temporary,
			before: "soft reject: 451 4.7.1 Try again later [ID]\nfailed: 451 4.7.1 Temporary service failure. [ID]",
			after:  "soft reject: 452 4.7.1 Try again later [ID]\nfailed: 452 4.7.1 Temporary service failure. [ID]"},
	}
}

// received1 is what a relay writes above a message.
const received1 = "Received: from hello.example (origin.example [203.0.113.9])\n\tby relay.example.net (Postfix) with ESMTP id 4cX; Mon, 2 Mar 2026 10:00:00 +0100\n"

// letters are some that are sent one after the other, each in a session of its own.
type letters []letter

// each is a probe that tells the fate of each letter.
func each(l ...letter) letters { return l }

// fates is the probe that looks at replies and edits alone.
func (l letters) fates(d *daemon) string {
	var seen []string
	for _, one := range l {
		seen = append(seen, d.send(one).String())
	}
	return strings.Join(seen, "\n")
}

// logging returns a probe that looks at values of the log lines, too.
func (l letters) logging(keys ...string) probe {
	return func(d *daemon) string {
		var seen []string
		for _, one := range l {
			f := d.send(one)
			seen = append(seen, f.said+"; "+f.log(keys...))
		}
		return strings.Join(seen, "\n")
	}
}

// clients looks what several clients are to the daemon, and whose mail it marks.
func clients(d *daemon) string {
	var seen []string
	for _, client := range []string{"127.0.0.1", "127.9.9.9", "::1", "192.0.2.7", stranger} {
		f := d.send(letter{client: client, body: pattern("Y")})
		seen = append(seen, fmt.Sprintf("%s %s: %v", client, strings.TrimPrefix(f.log("trust"), "trust="), f))
	}
	return strings.Join(seen, "\n")
}

// extensions looks which addresses are alice's, bob's and carol's, who each have
// something of their own.
func extensions(d *daemon) string {
	seen := map[string][]string{}
	for _, who := range []struct{ user, has, fate string }{
		{"alice", "settings", "continue, add X-Spam: yes"},
		{"bob", "whitelist", "continue"},
		{"carol", "extended headers", "continue, add X-Spamd-Result: default: False [0.00 / 15.00], add X-Rspamd-Server: " + host + ", add X-Rspamd-Scan-Time: SECONDS, add X-Rspamd-Queue-ID: 4cQueueID"},
	} {
		for _, extension := range []string{"", "+folder", "-folder", "_folder"} {
			l := letter{rcpts: []string{who.user + extension + "@example.com"}, body: pattern("X")}
			if who.user == "carol" {
				l.body = ""
			}
			if d.send(l).said == who.fate {
				seen[who.has] = append(seen[who.has], who.user+extension)
			}
		}
	}
	return fmt.Sprintf("settings: %s\nwhitelist: %s\nextended headers: %s",
		strings.Join(seen["settings"], ", "), strings.Join(seen["whitelist"], ", "), strings.Join(seen["extended headers"], ", "))
}

// unchecked looks for which recipients spam is accepted.
func unchecked(d *daemon) string {
	var seen []string
	for _, rcpts := range [][]string{
		{"alice@example.com"}, {"bob@example.com"}, {"bob@example.net"}, {"carol@example.com"}, {"carol@example.net"}, {"dave@example.org"},
		{"bob@example.com", "carol@example.com"}, {"bob@example.com", "alice@example.com"},
	} {
		if f := d.send(letter{rcpts: rcpts, body: pattern("X")}); f.said == "continue" && f.log("flags") == "flags=whitelist" {
			seen = append(seen, strings.Join(rcpts, " + "))
		}
	}
	return strings.Join(seen, ", ")
}

// temporary looks at the replies that tell the client to come again.
func temporary(d *daemon) string {
	return fmt.Sprintf("soft reject: %v\nfailed: %s", d.send(letter{body: pattern("S")}), d.broken())
}

// broken has the daemon fail at a message: what it keeps in tempdir is cut off before
// it is judged.
func (d *daemon) broken() string {
	d.t.Helper()
	c := d.hold(300 << 10)
	name := d.spooled()
	d.until("all of it has come", func() bool { return d.status().Spool.Used >= 300<<10 })
	d.must(os.Truncate(name, 0))
	reply, err := c.EOM()
	d.must(err)
	d.must(c.Quit())
	return d.plain(reply.String())
}
