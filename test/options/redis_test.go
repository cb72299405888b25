package options

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rmilter/milter/miltertest"
	"rmilter/test/redisd"
)

// inRedis keeps state on the first server.
const inRedis = "redis { servers = $REDIS0; }\n"

// servers returns what starts n plain servers.
func servers(n int) func(t *testing.T) []*redisd.Server {
	return func(t *testing.T) []*redisd.Server { return redisd.Several(t, n, redisd.Options{}) }
}

func single(t *testing.T) []*redisd.Server { return servers(1)(t) }

// with returns what starts a server with options.
func withOptions(o redisd.Options) func(t *testing.T) []*redisd.Server {
	return func(t *testing.T) []*redisd.Server { return []*redisd.Server{redisd.Single(t, o)} }
}

// redisEntries are about the servers that several machines share.
func redisEntries() []entry {
	return slices.Concat(whereEntries(), howEntries(), patienceEntries(), channelEntries())
}

// whereEntries are about which server keeps what, and under which keys.
func whereEntries() []entry {
	const section = "redis "
	const state = doubts + "limits { limit_to = 100:1; limit_ours = yes; }\n"
	const all = "0: grey, id, known, limit, white"
	two := entry{with: state + inRedis, redis: servers(2), probe: kept, before: all + "\n1: -"}
	with := func(path, value, after string) entry {
		e := two
		e.path, e.value, e.after = section+path, value, after
		return e
	}
	return []entry{
		{path: section + "servers", value: "$REDIS0", with: state, redis: single, probe: kept, before: "0: -", after: all},
		with("servers_grey", "$REDIS1", "0: id, known, limit\n1: grey, white"),
		with("servers_white", "$REDIS1", "0: grey, id, known, limit\n1: white"),
		with("servers_limits", "$REDIS1", "0: grey, id, known, white\n1: limit"),
		with("servers_id", "$REDIS1", "0: grey, limit, white\n1: id, known"),
		{path: section + "dbname", value: "3", with: state + inRedis, redis: single, probe: databases, before: "0 - - -", after: "- - - 3"},
		with("id_prefix", `"message_id."`, "0: grey, known, limit, message_id, white\n1: -"),
		with("grey_prefix", "later", "0: id, known, later, limit, white\n1: -"),
		with("white_prefix", "passed", "0: grey, id, known, limit, passed\n1: -"),
	}
}

// howEntries are about the way to the servers.
func howEntries() []entry {
	const section = "redis "
	const none = "continue; no_store"
	const encrypted = doubts + `redis { servers = $REDIS0; tls = yes; ca_file = "$FILES0/ca.pem"; }`
	certified := withOptions(redisd.Options{TLS: true, Clients: true})
	locked := withOptions(redisd.Options{Password: "open"})
	return []entry{
		{path: section + "mode", value: "cluster", with: doubts + "redis { servers = $REDIS0, $REDIS1, $REDIS2; }",
			redis: func(t *testing.T) []*redisd.Server { return redisd.NewCluster(t, redisd.Options{}).Servers },
			probe: deferred, before: none, after: later},
		{path: section + "mode", value: "sentinel; sentinel_master = " + redisd.MasterName, with: doubts + "redis { servers = $REDIS0; }", redis: sentinels, probe: deferred, before: none, after: later},
		{path: section + "sentinel_master", value: redisd.MasterName, with: doubts + "redis { servers = $REDIS0; }", redis: sentinels, probe: deferred, before: none, after: later},
		{path: section + "sentinel_password", value: "open", with: doubts + "redis { servers = $REDIS0; sentinel_master = " + redisd.MasterName + "; }",
			redis: guarded("default", "resetpass", ">open"), probe: deferred, before: none, after: later},
		{path: section + "sentinel_username", value: "carol", with: doubts + "redis { servers = $REDIS0; sentinel_password = open; sentinel_master = " + redisd.MasterName + "; }",
			redis: guarded("carol", "on", ">open", "~*", "&*", "+@all"), probe: deferred, before: none, after: later},
		{path: section + "tls", value: "yes", with: doubts + `redis { servers = $REDIS0; ca_file = "$FILES0/ca.pem"; }`,
			redis: withOptions(redisd.Options{TLS: true}), probe: deferred, before: none, after: later},
		{path: section + "ca_file", value: `"$FILES0/ca.pem"`, with: doubts + "redis { servers = $REDIS0; tls = yes; }",
			redis: withOptions(redisd.Options{TLS: true}), probe: deferred, before: none, after: later},
		{path: section + "cert_file", value: `"$FILES0/client.pem"`, with: encrypted + `redis { key_file = "$FILES0/client.key"; }`,
			redis: certified, probe: deferred, before: none, after: later},
		// With a certificate and no key it doesn't start.
		{path: section + "key_file", value: `"$FILES0/client.key"; cert_file = "$FILES0/client.pem"`, with: encrypted, redis: certified, probe: deferred, before: none, after: later},
		{path: section + "password", value: "open", with: doubts + inRedis, redis: locked, probe: deferred, before: none, after: later},
		{path: section + "username", value: "carol", with: doubts + "redis { servers = $REDIS0; password = sesame; }", probe: deferred, before: none, after: later,
			redis: func(t *testing.T) []*redisd.Server {
				all := locked(t)
				all[0].CLI("ACL", "SETUSER", "carol", "on", ">sesame", "~*", "&*", "+@all")
				return all
			}},
		{path: section + "connect_timeout", value: "0.001ms", with: doubts + inRedis, redis: single, probe: deferred, before: later, after: none},
	}
}

// patienceEntries are about when a server counts as down.
func patienceEntries() []entry {
	const section = "redis "
	const limited = "limits { limit_to = 100:1; }\n" + inRedis
	const unheard, tooMany = "store unavailable: no answer in time", "store unavailable: no answer to %d operations in a row"
	return []entry{
		{path: section + "maxerrors", value: "1", with: limited, redis: single, probe: outage, before: unheard, after: fmt.Sprintf(tooMany, 1)},
		{path: section + "error_time", value: "0s", with: limited + "redis { maxerrors = 2; }", redis: single, probe: outage, before: fmt.Sprintf(tooMany, 2), after: unheard},
		{path: section + "dead_time", value: "0s", with: "log_level = debug; redis { servers = \"$DIR/nobody.sock\"; }", probe: pauses, before: "200ms 400ms 800ms", after: "200ms 200ms 200ms"},
	}
}

// channelEntries are about what is published.
func channelEntries() []entry {
	const section = "redis "
	const both = inRedis + "redis { spam_channel = spam; copy_channel = copies; }"
	const all = "0: 1 copies, 1 spam"
	return []entry{
		{path: section + "spam_channel", value: "spam", with: inRedis, redis: single, probe: published((*daemon).again), before: "0: 0 copies, 0 spam", after: "0: 0 copies, 1 spam"},
		{path: section + "copy_channel", value: "copies", with: inRedis, redis: single, probe: published((*daemon).again), before: "0: 0 copies, 0 spam", after: "0: 1 copies, 0 spam"},
		{path: section + "copy_probability", value: "0%", with: both, redis: single, probe: published((*daemon).again), before: all, after: "0: 0 copies, 1 spam"},
		{path: section + "servers_spam", value: "$REDIS1", with: both, redis: servers(2), probe: published(bothPublished), before: all + "\n1: 0 copies, 0 spam", after: "0: 1 copies, 0 spam\n1: 0 copies, 1 spam"},
		{path: section + "servers_copy", value: "$REDIS1", with: both, redis: servers(2), probe: published(bothPublished), before: all + "\n1: 0 copies, 0 spam", after: "0: 0 copies, 1 spam\n1: 1 copies, 0 spam"},
	}
}

// sentinels returns three sentinels.
func sentinels(t *testing.T) []*redisd.Server { return redisd.Sentinel(t, redisd.Options{}).Sentinels }

// guarded returns what starts sentinels of which the first asks for a password: it gets a
// user, and its default one another password.
func guarded(user string, rules ...string) func(t *testing.T) []*redisd.Server {
	return func(t *testing.T) []*redisd.Server {
		all := sentinels(t)
		args := append([]string{"ACL", "SETUSER", user}, rules...)
		all[0].CLI(args...)
		if user != "default" {
			all[0].CLI("ACL", "SETUSER", "default", "resetpass", ">other")
		}
		return all
	}
}

// leave empties the servers and has mail leave all kinds of state behind.
func (d *daemon) leave() {
	d.t.Helper()
	for _, s := range d.redis {
		s.Flush()
	}
	stored := d.status().Total.Replies.Stored
	d.send(letter{rcpts: []string{fresh()}})
	d.send(letter{client: ours, from: "alice@example.com", rcpts: []string{"joe@sender.example"}, header: "From: alice@example.com\n"})
	d.until("a message remembered", func() bool { return d.status().Total.Replies.Stored > stored })
}

// kept tells which kinds of keys are on each server after mail has left state behind.
func kept(d *daemon) string {
	d.leave()
	var seen []string
	for i, s := range d.redis {
		kinds := map[string]bool{}
		for key := range strings.FieldsSeq(s.CLI("KEYS", "*")) {
			if kind, _, _ := strings.Cut(key, "."); kind != "rmilter" { // of a probe that runs just now
				kinds[kind] = true
			}
		}
		names := slices.Sorted(func(yield func(string) bool) {
			for k := range kinds {
				if !yield(k) {
					return
				}
			}
		})
		if names == nil {
			names = []string{"-"}
		}
		seen = append(seen, fmt.Sprintf("%d: %s", i, strings.Join(names, ", ")))
	}
	return strings.Join(seen, "\n")
}

// databases tells the numbers of the databases that have keys, and "-" for those that
// haven't, of the first four.
func databases(d *daemon) string {
	d.leave()
	var seen []string
	for n := range 4 {
		has := "-"
		if d.redis[0].CLI("-n", strconv.Itoa(n), "DBSIZE") != "0" {
			has = strconv.Itoa(n)
		}
		seen = append(seen, has)
	}
	return strings.Join(seen, " ")
}

// deferred sends doubtful mail and tells whether the store was asked in vain.
func deferred(d *daemon) string {
	f := d.send(letter{rcpts: []string{fresh()}})
	if strings.Contains(f.log("flags"), "no_store") {
		return f.String() + "; no_store"
	}
	return f.String()
}

// lifetimes tells for how long, in hours, a message of ours and its recipients are
// remembered.
func lifetimes(d *daemon) string {
	d.leave()
	d.again()
	s := d.redis[0]
	var seen []string
	for _, kind := range []string{"id", "known.to"} {
		keys := strings.Fields(s.CLI("KEYS", kind+".*"))
		if len(keys) != 1 {
			d.t.Fatalf("keys %q, want one", keys)
		}
		ms, err := strconv.ParseInt(s.CLI("PTTL", keys[0]), 10, 64)
		d.must(err)
		hours := (time.Duration(ms)*time.Millisecond + time.Hour - 1) / time.Hour
		seen = append(seen, fmt.Sprintf("%s %dh", kind, hours))
	}
	return strings.Join(seen, ", ")
}

// writtenTo returns a probe that has one of our users write messages to strangers, and
// tells whether all of these are known then.
func writtenTo(messages, each int) probe {
	return func(d *daemon) string {
		s := d.redis[0]
		s.Flush()
		for m := range messages {
			l := letter{client: ours, from: "alice@example.com", header: "From: alice@example.com\n"}
			for i := range each {
				l.rcpts = append(l.rcpts, fmt.Sprintf("friend%d@sender.example", m*each+i))
			}
			d.send(l)
		}
		d.again()
		known := 0
		for key := range strings.FieldsSeq(s.CLI("KEYS", "known.to.*")) {
			known += len(strings.Split(strings.TrimSpace(s.CLI("GET", key)), "\n")) // a line for each
		}
		if all := messages * each; known < all {
			return fmt.Sprintf("fewer than %d known", all)
		}
		return fmt.Sprintf("%d of %d known", known, messages*each)
	}
}

// outage stops the server while two recipients are asked about at once, and tells why it
// counts as down.
func outage(d *daemon) string {
	var both []*miltertest.Conn
	for range 2 {
		c := d.dial(letter{})
		_, err := c.Mail("<joe@sender.example>")
		d.must(err)
		_, err = c.Rcpt("<alice@example.com>") // it has a connection then
		d.must(err)
		both = append(both, c)
	}
	downs, ups := len(d.lines("store unavailable")), len(d.lines("store works again"))
	d.redis[0].Pause()
	defer d.redis[0].Resume()
	var asked sync.WaitGroup
	errs := make([]error, len(both))
	for i, c := range both {
		asked.Go(func() { _, errs[i] = c.Rcpt("<bob@example.com>") })
	}
	asked.Wait()
	for _, err := range errs {
		d.must(err)
	}
	d.until("an outage", func() bool { return len(d.lines("store unavailable")) > downs })
	said := d.line("store unavailable")
	d.redis[0].Resume()
	d.until("the end of the outage", func() bool { return len(d.lines("store works again")) > ups })
	return "store unavailable: " + regexp.MustCompile(`reason="([^"]*)"`).FindStringSubmatch(said)[1]
}

// pauses tells the pauses after the first probes of a server that isn't there.
func pauses(d *daemon) string {
	pause := regexp.MustCompile(`pause=(\S+)`)
	d.until("three probes", func() bool { return len(d.lines("probe failed")) >= 3 })
	var seen []string
	for _, line := range d.lines("probe failed")[:3] {
		seen = append(seen, pause.FindStringSubmatch(line)[1])
	}
	return strings.Join(seen, " ")
}

// published returns a probe that tells which messages are published where: of one that is
// rejected and a harmless one. Done waits until they are.
func published(done func(d *daemon)) probe {
	return func(d *daemon) string {
		ctx, cancel := context.WithTimeout(d.t.Context(), patience)
		defer cancel()
		var subscribed []*goredis.PubSub
		for _, s := range d.redis {
			client := goredis.NewClient(&goredis.Options{Addr: s.Address()})
			defer client.Close()
			sub := client.Subscribe(ctx, "copies", "spam")
			defer sub.Close()
			for range 2 {
				_, err := sub.Receive(ctx)
				d.must(err)
			}
			subscribed = append(subscribed, sub)
		}
		d.send(letter{body: pattern("X")})
		d.send(letter{})
		done(d)
		const end = "that was all"
		var seen []string
		for i, s := range d.redis {
			counts := map[string]int{}
			for _, channel := range []string{"copies", "spam"} {
				s.CLI("PUBLISH", channel, end)
			}
			for ended := 0; ended < 2; {
				m, err := subscribed[i].ReceiveMessage(ctx)
				d.must(err)
				if m.Payload == end {
					ended++
					continue
				}
				counts[m.Channel]++
			}
			seen = append(seen, fmt.Sprintf("%d: %d copies, %d spam", i, counts["copies"], counts["spam"]))
		}
		return strings.Join(seen, "\n")
	}
}

// bothPublished waits until a rejected message and a copy of an accepted one are published.
func bothPublished(d *daemon) {
	d.t.Helper()
	d.until("two messages published", func() bool { return d.status().Total.Published%2 == 0 && d.status().Total.Published > 0 })
}
