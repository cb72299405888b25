package options

import (
	"fmt"
	"strings"
)

// spamdEntries are about what is done with spam.
func spamdEntries() []entry {
	const (
		reject   = "554 5.7.1 Gtube pattern [ID]"
		mark     = "continue, add X-Spam: yes"
		extended = ", add X-Spamd-Result: default: False [0.00 / 15.00], add X-Rspamd-Server: mx.example.com, add X-Rspamd-Scan-Time: SECONDS, add X-Rspamd-Queue-ID: 4cQueueID"
	)
	foreign := letter{body: pattern("Y"), header: "X-Spam: no\nX-Junk: no\nX-Rspamd-Bar: /\nX-Other: kept\n"}
	return []entry{
		{path: "spamd whitelist", value: "203.0.113.0/25, [2001:db8::5]", probe: each(
			letter{body: pattern("X")}, letter{client: "203.0.113.200", body: pattern("X")}, letter{client: "2001:db8::5", body: pattern("X")}).logging("flags"),
			before: reject + "; flags=-\n" + reject + "; flags=-\n" + reject + "; flags=-",
			after:  "continue; flags=client_whitelist\n" + reject + "; flags=-\ncontinue; flags=client_whitelist"},
		{path: "spamd reject_message", value: `"No spam, please"`, with: "actions { reject = 0; }", probe: each(letter{}).fates,
			before: "554 5.7.1 Spam message rejected; If this is not spam contact abuse team [ID]", after: "554 5.7.1 No spam, please [ID]"},
		{path: "spamd spamd_never_reject", value: "yes", probe: each(letter{body: pattern("X")}, letter{body: pattern("S")}).fates,
			before: reject + "\n451 4.7.1 Try again later [ID]", after: mark + "\n451 4.7.1 Try again later [ID]"},
		{path: "spamd spam_header", value: `"X-Junk"`, probe: each(foreign).fates,
			before: "continue, delete X-Rspamd-Bar, delete X-Spam, add X-Spam: yes",
			after:  "continue, delete X-Rspamd-Bar, delete X-Junk, delete X-Spam, add X-Junk: yes"},
		{path: "spamd spam_header_value", value: `"very likely"`, probe: each(letter{body: pattern("Y")}).fates,
			before: mark, after: "continue, add X-Spam: very likely"},
		{path: "spamd spamd_spam_add_header", value: "no", probe: each(letter{body: pattern("Z")}).fates,
			before: "continue, change Subject: ***SPAM*** hello, add X-Spam: yes", after: "continue, change Subject: ***SPAM*** hello"},
		{path: "spamd spam_no_auth_header", value: "no", with: "strict_auth = yes;", probe: inert(each(letter{client: ours, body: pattern("Y")}), "spam_no_auth_header"),
			before: "continue; said: -", after: "continue; said: spam_no_auth_header"},
		{path: "spamd extended_spam_headers", value: "yes", probe: each(letter{}, letter{client: ours}, letter{body: pattern("Y")}).fates,
			before: "continue\ncontinue\n" + mark,
			after:  "continue" + extended + "\ncontinue\n" + mark + strings.Replace(extended, "15.00]", "15.00]\n\tGTUBE(0.00)[add header]", 1)},
		{path: "spamd extended_headers_rcpt", value: "alice, @example.org", probe: each(
			letter{}, letter{rcpts: []string{"bob@example.org", "alice@example.com"}}, letter{rcpts: []string{"alice@example.com", "bob@example.com"}}).fates,
			before: "continue\ncontinue\ncontinue", after: "continue" + extended + "\ncontinue" + extended + "\ncontinue"},
		{path: "spamd tempfail_on_error", value: "yes", probe: (*daemon).broken,
			before: "continue", after: "451 4.7.1 Temporary service failure. [ID]"},
	}
}

// inert returns a probe that looks at the fates of letters, and whether the daemon warns
// of an option.
func inert(l letters, option string) probe {
	return func(d *daemon) string {
		said := "-"
		if len(d.lines(option)) > 0 {
			said = option
		}
		return l.fates(d) + "; said: " + said
	}
}

// actions are the actions with what becomes of harmless mail when they are taken at a
// score of 0. Marked is whether the message is marked as spam.
var actions = []struct{ name, word, fate, with string }{
	{"greylist", "greylist", later, greylists},
	{"add_header", `"add header"`, "continue, add X-Spam: yes", ""},
	{"rewrite_subject", `"rewrite subject"`, "continue, change Subject: ***SPAM*** hello, add X-Spam: yes", ""},
	{"quarantine", "quarantine", "continue, quarantine: Spam message quarantined [ID]", ""},
	{"soft_reject", `"soft reject"`, "451 4.7.1 Try again later [ID]", ""},
	{"reject", "reject", "554 5.7.1 Spam message rejected; If this is not spam contact abuse team [ID]", ""},
	{"discard", "discard", "discard", ""},
}

// actionEntries are about the scores from which actions are taken.
func actionEntries() []entry {
	harmless := each(letter{})
	list := []entry{
		{path: "actions subject", value: `"[%d, 100%%] %s"`, probe: each(letter{body: pattern("Z")}).fates,
			before: "continue, change Subject: ***SPAM*** hello, add X-Spam: yes", after: "continue, change Subject: [0.00, 100%] hello, add X-Spam: yes"},
		{path: "actions reject", value: "12.5", with: "spamd { extended_spam_headers = yes; }", probe: harmless.logging("score"),
			before: `continue, add X-Spamd-Result: default: False [0.00 / 15.00], add X-Rspamd-Server: mx.example.com, add X-Rspamd-Scan-Time: SECONDS, add X-Rspamd-Queue-ID: 4cQueueID; score=0.00/15.00`,
			after:  `continue, add X-Spamd-Result: default: False [0.00 / 12.50], add X-Rspamd-Server: mx.example.com, add X-Rspamd-Scan-Time: SECONDS, add X-Rspamd-Queue-ID: 4cQueueID; score=0.00/12.50`},
	}
	for _, a := range actions {
		score := "score=0.00/15.00"
		if a.name == "reject" {
			score = "score=0.00/0.00"
		}
		list = append(list, entry{path: "actions " + a.name, value: "0", with: a.with, probe: harmless.logging("action", "score"),
			before: `continue; action="no action" score=0.00/15.00`, after: a.fate + "; action=" + a.word + " " + score})
	}
	return list
}

// settingsEntries are about settings for some recipients.
func settingsEntries() []entry {
	const block = `settings "NAME" { rcpt = alice@example.com; }`
	const reject = "554 5.7.1 Gtube pattern [ID]"
	toBoth := each(letter{body: pattern("X")}, letter{body: pattern("X"), rcpts: []string{"bob@example.com"}})
	list := []entry{
		{path: `settings "NAME" rcpt`, value: "alice@example.com, @example.org", with: `settings "NAME" { spamd_never_reject = yes; }`,
			probe:  each(letter{body: pattern("X")}, letter{body: pattern("X"), rcpts: []string{"bob@example.org"}}, letter{body: pattern("X"), rcpts: []string{"bob@example.com"}}).fates,
			before: reject + "\n" + reject + "\n" + reject, after: "continue, add X-Spam: yes\ncontinue, add X-Spam: yes\n" + reject},
		{path: `settings "NAME" enable`, value: "no", with: block, probe: toBoth.logging("flags"),
			before: reject + "; flags=-\n" + reject + "; flags=-", after: "continue; flags=whitelist\n" + reject + "; flags=-"},
		{path: `settings "NAME" spamd_never_reject`, value: "yes", with: block, probe: toBoth.fates,
			before: reject + "\n" + reject, after: "continue, add X-Spam: yes\n" + reject},
		{path: `settings "NAME" spamd_never_reject`, value: "no", with: block + "spamd { spamd_never_reject = yes; }", probe: toBoth.fates,
			before: "continue, add X-Spam: yes\ncontinue, add X-Spam: yes", after: reject + "\ncontinue, add X-Spam: yes"},
	}
	harmless := each(letter{}, letter{rcpts: []string{"bob@example.com"}})
	for _, a := range actions {
		path, taken := fmt.Sprintf(`settings "NAME" actions %s`, a.name), a.fate+"; action="+a.word
		none := `continue; action="no action"`
		list = append(list,
			entry{path: path, value: "0", with: block + a.with, probe: harmless.logging("action"), before: none + "\n" + none, after: taken + "\n" + none},
			entry{path: path, value: "off", with: block + a.with + directive("actions "+a.name, "0"), probe: harmless.logging("action"),
				before: taken + "\n" + taken, after: none + "\n" + taken})
	}
	return list
}
