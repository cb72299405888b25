package options

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rmilter/internal/controller"
)

const (
	// greylists turns greylisting on, which the base configuration has off, with a store
	// that isn't taken for a new one.
	greylists = "greylisting { enable = yes; warmup = 0s; }\n"
	// doubts makes all mail of strangers doubtful.
	doubts = greylists + "actions { greylist = 0; }\n"
	// later is what greylisting answers.
	later = "451 4.7.1 Try again later [ID]"
)

// fresh returns an address that no letter went to before.
func fresh() string { return fmt.Sprintf("fresh%d@example.com", serial.Add(1)) }

// greylistEntries are about what comes again.
func greylistEntries() []entry {
	const section = "greylisting "
	const isNew = `continue, add X-Rmilter-Greylist: N seconds passed, not greylisted as the store is new, type: sender, IP, recipients`
	alone := toFresh(letter{})
	return []entry{
		{path: section + "enable", value: "no", with: "greylisting { warmup = 0s; } actions { greylist = 0; }", probe: alone, before: later, after: "continue"},
		{path: section + "enable", value: "no", with: "greylisting { warmup = 0s; } actions { add_header = 0; }", probe: alone, before: later, after: "continue, add X-Spam: yes"},
		{path: section + "timeout", value: "1ms", with: doubts, probe: comeAgain,
			before: later + "; after 5m0s\n" + later,
			after:  later + "; after 1ms\ncontinue, add X-Rmilter-Greylist: Greylisted for N seconds, whitelisted till TIME, type: sender, IP, recipients; white 720h0m0s"},
		{path: section + "timeout", value: "0s", with: doubts, probe: alone, before: later, after: "continue"},
		{path: section + "expire", value: "2h", with: doubts, probe: forgotten, before: "waiting: 24h0m0s", after: "waiting: 2h0m0s"},
		{path: section + "expire", value: "0s", with: doubts, probe: alone, before: later, after: "continue"},
		{path: section + "expire_white", value: "1w", with: doubts + "greylisting { timeout = 1ms; }", probe: comeAgain,
			before: later + "; after 1ms\ncontinue, add X-Rmilter-Greylist: Greylisted for N seconds, whitelisted till TIME, type: sender, IP, recipients; white 720h0m0s",
			after:  later + "; after 1ms\ncontinue, add X-Rmilter-Greylist: Greylisted for N seconds, whitelisted till TIME, type: sender, IP, recipients; white 168h0m0s"},
		{path: section + "warmup", value: "0s", with: "greylisting { enable = yes; } actions { greylist = 0; }", probe: alone, before: isNew, after: later},
		{path: section + "whitelist", value: "203.0.113.0/25, 198.51.100.1", with: doubts, probe: toFresh(letter{}, letter{client: "203.0.113.200"}),
			before: later + "\n" + later, after: "continue, add X-Rmilter-Greylist: Sender IP 203.0.113.7 is whitelisted by configuration\n" + later},
		{path: section + "whitelist_domain", value: "sender.example", with: doubts, probe: alone,
			before: later, after: "continue, add X-Rmilter-Greylist: Domain sender.example is whitelisted by configuration"},
		{path: section + "whitelist_rcpt", value: "alice, @example.org", with: doubts, probe: each(
			letter{rcpts: []string{"alice+folder@example.com"}}, letter{rcpts: []string{"bob@example.com", "carol@example.org"}}, letter{rcpts: []string{"bob@example.com"}}).fates,
			before: later + "\n" + later + "\n" + later,
			after:  "continue, add X-Rmilter-Greylist: A recipient is whitelisted by configuration\ncontinue, add X-Rmilter-Greylist: A recipient is whitelisted by configuration\n" + later},
		{path: section + "greylisted_message", value: `"Come back in a while"`, with: doubts, probe: alone, before: later, after: "451 4.7.1 Come back in a while [ID]"},
		{path: "spamd spamd_greylist", value: "no", with: greylists, probe: toFresh(letter{}, letter{client: ours}), before: "continue\ncontinue", after: "DATA " + later + "\ncontinue"},
		{path: "smtp_codes", value: "rmilter", with: doubts, probe: alone, before: later, after: "452 4.7.1 Try again later [ID]"},
		{path: "smtp_codes", value: "rmilter", with: greylists + "spamd { spamd_greylist = no; }", probe: alone, before: "DATA " + later, after: "DATA 452 4.7.1 Try again later [ID]"},
	}
}

// toFresh is a probe that sends letters to a recipient whom nobody has written to.
func toFresh(l ...letter) probe {
	return func(d *daemon) string {
		to := []string{fresh()}
		var seen []string
		for _, one := range l {
			one.rcpts = to
			seen = append(seen, d.send(one).String())
		}
		return strings.Join(seen, "\n")
	}
}

// grey returns the record of an envelope to a recipient.
func (d *daemon) grey(rcpt string) (e struct {
	State                 string
	Since, Until, Expires time.Time
}) {
	d.t.Helper()
	a := d.ask(d.path("control.sock"), request{path: "/greylist?filter=" + url.QueryEscape(rcpt)})
	var page controller.GreylistPage
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.code != http.StatusOK || len(page.Entries) != 1 {
		d.t.Fatalf("greylist: %d %q, %v, want one record", a.code, a.body, err)
	}
	found := page.Entries[0]
	e.State, e.Since, e.Until, e.Expires = string(found.State), found.Since, found.Until, found.Expires
	return e
}

// comeAgain sends a letter twice, the second time when it is time if that is soon.
func comeAgain(d *daemon) string {
	to := fresh()
	first := d.send(letter{rcpts: []string{to}})
	e := d.grey(to)
	wait := e.Until.Sub(e.Since)
	if wait < time.Second {
		d.until("time to come again", func() bool { return d.grey(to).State == "ready" })
	}
	seen := fmt.Sprintf("%v; after %v\n%v", first, wait, d.send(letter{rcpts: []string{to}}))
	if e := d.grey(to); e.State == "white" {
		seen += fmt.Sprintf("; white %v", e.Expires.Sub(e.Since))
	}
	return seen
}

// forgotten looks for how long a letter that was deferred is known.
func forgotten(d *daemon) string {
	to := fresh()
	d.send(letter{rcpts: []string{to}})
	e := d.grey(to)
	return fmt.Sprintf("%s: %v", e.State, e.Expires.Sub(e.Since))
}

// limitEntries are about how much mail is taken.
func limitEntries() []entry {
	const section = "limits "
	const one = `"1 / 1h"`
	const toOne = `limits { limit_to = "1 / 1h"; }`
	const bounceToOne = `limits { limit_bounce_to = "1 / 1h"; }`
	null, robot := letter{from: "-"}, letter{from: "robot@sender.example"}
	other, elsewhere := letter{from: "jim@sender.example"}, letter{client: "203.0.113.8"}
	alices := letter{client: "192.0.2.9", user: "alice", rcpts: []string{"a@example.org", "b@example.org"}}
	bobs := letter{client: "192.0.2.9", user: "bob@example.com", rcpts: []string{"a@example.org", "b@example.org"}}
	to := func(l letter, rcpt string) letter { l.rcpts = []string{rcpt}; return l }
	return []entry{
		{path: section + "enable", value: "no", with: toOne, probe: taken(letter{}, letter{}), before: "taken, refused", after: "taken, taken"},
		{path: section + "user", value: `"3 / 1h"`, probe: taken(alices, alices, bobs, letter{}), before: "taken, taken, taken, taken", after: "taken, b@example.org refused, taken, taken"},
		{path: section + "limit_to", value: one, probe: taken(letter{}, elsewhere, to(letter{}, "bob@example.com")), before: "taken, taken, taken", after: "taken, refused, taken"},
		{path: section + "limit_to_ip", value: one, probe: taken(letter{}, elsewhere, other), before: "taken, taken, taken", after: "taken, taken, refused"},
		{path: section + "limit_to_ip_from", value: one, probe: taken(letter{}, elsewhere, other, letter{}), before: "taken, taken, taken, taken", after: "taken, taken, taken, refused"},
		{path: section + "limit_bounce_to", value: one, probe: taken(letter{}, letter{}, null, to(null, "bob@example.com"), null), before: "taken, taken, taken, taken, taken", after: "taken, taken, taken, taken, refused"},
		{path: section + "limit_bounce_to_ip", value: one, probe: taken(null, letter{from: "-", client: "203.0.113.8"}, null), before: "taken, taken, taken", after: "taken, taken, refused"},
		{path: section + "limit_bounce_addrs", value: "robot", with: bounceToOne, probe: taken(null, null, robot, robot), before: "taken, refused, taken, taken", after: "taken, taken, taken, refused"},
		{path: section + "limit_ours", value: "yes", with: toOne, probe: taken(letter{client: ours}, letter{client: ours}), before: "taken, taken", after: "taken, refused"},
		{path: section + "limit_whitelist", value: "203.0.113.7", with: toOne, probe: taken(letter{}, letter{}, elsewhere, elsewhere),
			before: "taken, refused, refused, refused", after: "taken, taken, taken, refused"},
		{path: section + "limit_whitelist_user", value: "alice, @example.com", with: `limits { user = "1 / 1h"; }`, probe: taken(alices, bobs),
			before: "b@example.org refused, b@example.org refused", after: "taken, taken"},
		{path: section + "limit_whitelist_user", value: "alice", with: `limits { user = "1 / 1h"; }`, probe: taken(alices, bobs),
			before: "b@example.org refused, b@example.org refused", after: "taken, b@example.org refused"},
		{path: section + "limit_whitelist_rcpt", value: "alice, @example.org", with: toOne,
			probe:  taken(letter{}, letter{}, to(letter{}, "bob@example.org"), to(letter{}, "bob@example.org"), to(letter{}, "postmaster@example.com"), to(letter{}, "postmaster@example.com")),
			before: "taken, refused, taken, refused, taken, taken", after: "taken, taken, taken, taken, taken, refused"},
	}
}

// taken returns a probe that sends letters while no limit is used up, and tells which are
// taken.
func taken(l ...letter) probe {
	return func(d *daemon) string {
		a := d.ask(d.path("control.sock"), request{method: "POST", path: "/ratelimit/reset?all=1"})
		if a.code != http.StatusOK {
			d.t.Fatalf("reset: %d %q", a.code, a.body)
		}
		const refused = "451 4.7.1 Rate limit exceeded [ID]"
		var seen []string
		for _, one := range l {
			said := d.send(one).String()
			switch said = strings.ReplaceAll(said, refused, "refused"); {
			case said == "continue":
				said = "taken"
			case strings.HasSuffix(said, ", continue"):
				said = strings.TrimSuffix(said, ", continue")
			case strings.HasSuffix(said, "RCPT refused"):
				said = "refused"
			}
			seen = append(seen, said)
		}
		return strings.Join(seen, ", ")
	}
}

// replyEntries are about mail that belongs to mail of our users.
func replyEntries() []entry {
	const section = "replies "
	const proved = "spf { enabled = yes; } auth { enabled = yes; }\n"
	const checked = "correspondence { enabled = yes; }\n" + proved
	const rule = `regexp "HELLO" { re = 'Subject=/hello/'; score = 1; group = greetings; }`
	const sender = "sym=" + allowed
	const found = sender + ",REPLY(-4.00){<MID>},INC_MAIL_KNOWN_GLOBALLY(-1.00){joe@sender.example},INC_MAIL_KNOWN_LOCALLY(-1.00){joe@sender.example}"
	return []entry{
		{path: section + "enable", value: "no", with: checked, zones: []string{lets}, probe: correspondence, before: found, after: sender},
		{path: "correspondence enabled", value: "no", with: proved, zones: []string{lets}, probe: correspondence, before: found, after: sender},
		{path: "auth enabled", value: "no", with: "spf { enabled = yes; } correspondence { enabled = yes; }", zones: []string{lets}, probe: correspondence,
			before: found, after: sender + `,REPLY(-1.00){<MID>,"author not authenticated"}`},
		{path: section + "skip", value: "greetings", with: checked + rule, zones: []string{lets}, probe: correspondence,
			before: found + ",HELLO(1.00){hello}", after: found},
		{path: section + "expire", value: "2d", with: inRedis, redis: single, probe: lifetimes, before: "id 168h, known.to 720h", after: "id 48h, known.to 720h"},
		{path: section + "known_expire", value: "2d", with: inRedis, redis: single, probe: lifetimes, before: "id 168h, known.to 720h", after: "id 168h, known.to 48h"},
		{path: section + "max_known", value: "4096", with: inRedis, redis: single, probe: writtenTo(6, 50), before: "300 of 300 known", after: "fewer than 300 known"},
		// Our domain is new to the store, too.
		{path: section + "max_new", value: "4", with: inRedis, redis: single, probe: writtenTo(1, 5), before: "5 of 5 known", after: "fewer than 5 known"},
	}
}

// correspondence has one of our users write to a stranger, and the stranger answer.
func correspondence(d *daemon) string {
	f := d.send(letter{client: ours, from: "alice@example.com", rcpts: []string{"joe@sender.example"}, header: "From: alice@example.com\nTo: joe@sender.example\n"})
	d.again()
	answer := d.send(letter{header: "From: joe@sender.example\nTo: alice@example.com\nIn-Reply-To: " + f.mid + "\n"})
	return d.plain(answer.log("sym"))
}
