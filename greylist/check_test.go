package greylist_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"rmilter/greylist"
	"rmilter/internal/store"
	"rmilter/internal/ucl"
)

// both runs a test with one store for all and with two.
func both(t *testing.T, test func(t *testing.T, two bool)) {
	for _, two := range []bool{false, true} {
		t.Run(map[bool]string{false: "one store", true: "two stores"}[two], func(t *testing.T) { test(t, two) })
	}
}

// TestStory follows one sender from the first attempt until he is forgotten.
func TestStory(t *testing.T) {
	both(t, func(t *testing.T, two bool) {
		w := newWorld(t, two, nil)
		const key = "envelope 192.0.0.0/19 <joe@sender.example> alice@example.com"
		first := w.clock.now()
		v := w.want("first attempt", query(), greylist.First)
		if v.Key != key || v.Kind != greylist.Envelope || !v.Since.Equal(first) || !v.Until.Equal(first.Add(5*time.Minute)) || !v.Expires.Equal(first.Add(24*time.Hour)) ||
			v.Text != "Try again later" || v.Waited != 0 {
			t.Errorf("first attempt: got %+v", v)
		}
		w.want("at once", query(), greylist.Early)
		w.clock.add(5*time.Minute - time.Millisecond)
		v = w.want("a moment too early", query(), greylist.Early)
		if v.Kind != greylist.Data || !v.Since.Equal(first) || !v.Until.Equal(first.Add(5*time.Minute)) {
			t.Errorf("second attempt: the record was refreshed or another decided: got %+v", v)
		}
		w.clock.add(time.Millisecond)
		v = w.want("after the delay", query(), greylist.Passed)
		if v.Waited != 5*time.Minute || v.Kind != greylist.Data || !v.Until.Equal(w.clock.now().Add(30*24*time.Hour)) || !v.Since.Equal(first) {
			t.Errorf("the one that passes: got %+v", v)
		}
		passed := w.clock.now()
		v = w.want("the same again", query(), greylist.White)
		if v.Key != key || v.Waited != 0 || !v.Since.Equal(passed) || !v.Until.Equal(passed.Add(30*24*time.Hour)) {
			t.Errorf("white: got %+v", v)
		}
		w.want("another text", query(body("another")), greylist.White)
		w.want("another text, at DATA", query(noContent), greylist.White)
		w.clock.add(29 * 24 * time.Hour)
		if v = w.want("a month later", query(body("third")), greylist.White); !v.Until.Equal(w.clock.now().Add(30 * 24 * time.Hour)) {
			t.Errorf("the white record was not refreshed: got %+v", v)
		}
		w.clock.add(29 * 24 * time.Hour)
		w.want("two months later", query(body("fourth")), greylist.White)
		w.clock.add(30*24*time.Hour + time.Second)
		w.want("after it lapsed", query(body("fifth")), greylist.First)
		w.clock.add(24*time.Hour + time.Second)
		w.want("a day after that", query(body("fifth")), greylist.First)
	})
}

// TestHeaders has the words of the header, which are in local time.
func TestHeaders(t *testing.T) {
	w := newWorld(t, false, func(c *greylist.Config) {
		c.Whitelist = ucl.MustNetworks("198.51.100.0/24")
		c.WhitelistDomain = greylist.Domains{"example.org"}
		c.WhitelistRcpt = ucl.MustRecipients("sales")
	})
	step := func(d time.Duration, q greylist.Query, want string) {
		t.Helper()
		w.clock.add(d)
		if v := w.check(q); v.Header != want {
			t.Errorf("got  %q\nwant %q", v.Header, want)
		}
	}
	step(0, query(), "0 seconds passed (new record), greylisted till 2026-03-01 14:05:00, expire at 2026-03-02 14:00:00, type: sender, IP, recipients")
	step(90*time.Second, query(), "90 seconds passed, greylisted till 2026-03-01 14:05:00, expire at 2026-03-02 14:00:00, type: data hash")
	step(0, query(noContent), "90 seconds passed, greylisted till 2026-03-01 14:05:00, expire at 2026-03-02 14:00:00, type: sender, IP, recipients")
	step(5*time.Minute, query(), "Greylisted for 390 seconds, whitelisted till 2026-03-31 14:06:30, type: data hash")
	step(0, query(), "Whitelisted till 2026-03-31 14:06:30, type: sender, IP, recipients")
	step(0, query(domain("sender.example")), "0 seconds passed (new record), greylisted till 2026-03-01 14:11:30, expire at 2026-03-02 14:06:30, type: domain, recipient domains")
	step(0, query(client("::ffff:198.51.100.9")), "Sender IP 198.51.100.9 is whitelisted by configuration")
	step(0, query(domain("mail.example.org")), "Domain example.org is whitelisted by configuration")
	step(0, query(to("sales@example.com")), "A recipient is whitelisted by configuration")
	step(0, query(domain("sender.example"), func(q *greylist.Query) { q.Known = true }), "Sender is a known correspondent")
}

func TestOff(t *testing.T) {
	for name, change := range map[string]func(*greylist.Config){
		"enable = no": func(c *greylist.Config) { c.Enable = false },
		"timeout = 0": func(c *greylist.Config) { c.Timeout = 0 },
		"expire = 0":  func(c *greylist.Config) { c.Expire = 0 },
	} {
		w := newWorld(t, false, change)
		if v := w.want(name, query(), greylist.Off); v.Header != "" || w.grey.calls.Load() != 0 {
			t.Errorf("%s: got %+v and %d round trips", name, v, w.grey.calls.Load())
		}
	}
}

// TestDataKey has what belongs to a message that comes again from elsewhere.
func TestDataKey(t *testing.T) {
	content := func(change func(*greylist.Content)) func(*greylist.Query) {
		return func(q *greylist.Query) {
			c := *q.Content
			change(&c)
			q.Content = &c
		}
	}
	elsewhere := client("203.0.113.9")
	long := strings.Repeat("x", 10<<10)
	for _, c := range []struct {
		name          string
		first, second greylist.Query
		want          greylist.State
	}{
		{"the same", query(), query(elsewhere), greylist.Passed},
		{"another envelope sender", query(), query(elsewhere, from("<bounce@sender.example>")), greylist.Passed},
		{"From in capitals", query(), query(elsewhere, content(func(c *greylist.Content) { c.From = "Joe@Sender.Example" })), greylist.Passed},
		{"recipient with extension", query(), query(elsewhere, to("alice+news@example.com")), greylist.Passed},
		{"another From", query(), query(elsewhere, content(func(c *greylist.Content) { c.From = "jim@sender.example" })), greylist.First},
		{"another subject", query(), query(elsewhere, content(func(c *greylist.Content) { c.Subject = "Hello!" })), greylist.First},
		{"another body", query(), query(elsewhere, body("How is she?\r\n")), greylist.First},
		{"another recipient", query(), query(elsewhere, to("bob@example.com")), greylist.First},
		{"one recipient more", query(), query(elsewhere, to("alice@example.com", "bob@example.com")), greylist.First},
		{"another text beyond 10 KiB", query(body(long + "a")), query(elsewhere, body(long+"b")), greylist.Passed},
		{"another text within 10 KiB", query(body(long[1:] + "a")), query(elsewhere, body(long[1:]+"b")), greylist.First},
		{"no body", query(body("")), query(elsewhere, body("")), greylist.First},
		{"only white space", query(body(" \r\n\t\r\n")), query(elsewhere, body(" \r\n\t\r\n")), greylist.First},
		{"at DATA", query(noContent), query(elsewhere, noContent), greylist.First},
		{"parts that run together", query(content(func(c *greylist.Content) { c.Subject, c.Body = "ab", []byte("c") })),
			query(elsewhere, content(func(c *greylist.Content) { c.Subject, c.Body = "a", []byte("bc") })), greylist.First},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, false, nil)
			w.want("first", c.first, greylist.First)
			w.want("again", c.first, greylist.Early)
			w.clock.add(6 * time.Minute)
			w.want("second", c.second, c.want)
		})
	}
}

// TestEnvelopeKey has what belongs to an envelope.
func TestEnvelopeKey(t *testing.T) {
	second := body("another text")
	for _, c := range []struct {
		name          string
		first, second greylist.Query
		want          greylist.State
	}{
		{"another text", query(), query(second), greylist.Passed},
		{"end of the network", query(client("192.0.2.7")), query(second, client("192.0.31.255")), greylist.Passed},
		{"beyond the network", query(client("192.0.2.7")), query(second, client("192.0.32.0")), greylist.First},
		{"beginning of the network", query(client("192.0.63.1")), query(second, client("192.0.32.0")), greylist.Passed},
		{"before the network", query(client("192.0.32.1")), query(second, client("192.0.31.255")), greylist.First},
		{"high bits of the third byte", query(client("192.0.33.1")), query(second, client("192.0.161.1")), greylist.First},
		{"another second byte", query(client("192.0.2.7")), query(second, client("192.1.2.7")), greylist.First},
		{"mapped", query(client("192.0.2.7")), query(second, client("::ffff:192.0.2.8")), greylist.Passed},
		{"IPv6", query(client("2001:db8::1")), query(second, client("2001:db8::ffff:ffff:ffff:ffff")), greylist.Passed},
		{"IPv6 with zone", query(client("2001:db8::1%eth0")), query(second, client("2001:db8::2")), greylist.Passed},
		{"another IPv6 network", query(client("2001:db8::1")), query(second, client("2001:db8:0:1::1")), greylist.First},
		{"order of recipients", query(to("a@example.com", "b@example.com")), query(second, to("B+x@EXAMPLE.com", "a@example.com", "a+y@example.com")), greylist.Passed},
		{"fewer recipients", query(to("a@example.com", "b@example.com")), query(second, to("a@example.com")), greylist.First},
		{"BATV", query(from("<prvs=1234ab5678=joe@sender.example>")), query(second, from("<prvs=9876cd5432=Joe@sender.example>")), greylist.Passed},
		{"null sender", query(from("<>")), query(second, from("<>")), greylist.Passed},
		{"null sender, then another", query(from("<>")), query(second), greylist.First},
		{"another sender", query(), query(second, from("<jim@sender.example>")), greylist.First},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, false, nil)
			w.want("first", c.first, greylist.First)
			w.clock.add(6 * time.Minute)
			w.want("second", c.second, c.want)
		})
	}
}

// TestSecondTextWaitsNoLonger has a sender with two messages: the second is known by its
// text when it comes again, but must not wait longer than the first.
func TestSecondTextWaitsNoLonger(t *testing.T) {
	w := newWorld(t, false, nil)
	second := query(body("second text"))
	begin := w.clock.now()
	w.want("first text", query(), greylist.First)
	w.clock.add(4 * time.Minute)
	if v := w.want("second text", second, greylist.Early); !v.Since.Equal(begin) || v.Kind != greylist.Envelope {
		t.Errorf("got %+v", v)
	}
	w.clock.add(time.Minute)
	if v := w.want("second text again", second, greylist.Passed); v.Waited != 5*time.Minute {
		t.Errorf("got %+v", v)
	}
	w.want("first text again", query(), greylist.White)
}

// TestDomainKey has an authenticated domain with several hosts and users.
func TestDomainKey(t *testing.T) {
	d := domain("Sender.Example.")
	w := newWorld(t, false, nil)
	v := w.want("first", query(d), greylist.First)
	if v.Key != "domain sender.example example.com" || v.Kind != greylist.Domain {
		t.Errorf("got key %q of kind %q", v.Key, v.Kind)
	}
	other := []func(*greylist.Query){d, client("203.0.113.9"), from("<list-17@sender.example>"), body("other"), to("Bob@example.com")}
	w.want("second host", query(other...), greylist.Early)
	w.want("another recipient domain", query(d, to("carol@example.org")), greylist.First)
	w.want("not authenticated", query(), greylist.First)
	w.clock.add(5 * time.Minute)
	if v = w.want("second host after the delay", query(other...), greylist.Passed); v.Waited != 5*time.Minute {
		t.Errorf("got %+v", v)
	}
	v = w.want("another recipient domain, never seen", query(d, to("dave@example.net")), greylist.White)
	if v.Key != "domain sender.example" {
		t.Errorf("got key %q", v.Key)
	}
	w.want("another recipient domain, seen", query(d, to("carol@example.org")), greylist.White)
	w.want("at DATA", query(d, noContent), greylist.White)
	w.want("a domain below", query(domain("mail.sender.example")), greylist.First)
	w.clock.add(29 * 24 * time.Hour)
	w.want("used", query(d), greylist.White)
	w.clock.add(29 * 24 * time.Hour)
	w.want("not lapsed", query(d), greylist.White)
	w.want("known", query(domain("new.example"), func(q *greylist.Query) { q.Known = true }), greylist.Known)
	w.want("known, not authenticated", query(body("x"), client("203.0.113.77"), func(q *greylist.Query) { q.Known = true }), greylist.First)
	w.want("no domain at all", query(body("y"), client("198.51.100.77"), domain(strings.Repeat("a.", 127)+"a")), greylist.First)
}

func TestExempt(t *testing.T) {
	w := newWorld(t, false, func(c *greylist.Config) {
		c.Whitelist = ucl.MustNetworks("198.51.100.0/24", "2001:db8:1::/48")
		c.WhitelistDomain = greylist.Domains{"friend.example"}
		c.WhitelistRcpt = ucl.MustRecipients("sales", "@example.org", "bob@example.com", "carol+x@example.com")
	})
	host := func(name string) func(*greylist.Query) {
		return func(q *greylist.Query) { q.Hostname = name }
	}
	for _, c := range []struct {
		name string
		q    greylist.Query
		want greylist.State
	}{
		{"client", query(client("198.51.100.1")), greylist.Exempt},
		{"IPv6 client", query(client("2001:db8:1::1")), greylist.Exempt},
		{"no client", query(func(q *greylist.Query) { q.Client = netip.Addr{} }), greylist.Exempt},
		{"no recipients", query(to()), greylist.Exempt},
		{"domain", query(domain("friend.example")), greylist.Exempt},
		{"domain below", query(domain("a.b.Friend.Example.")), greylist.Exempt},
		{"host", query(host("mx.friend.example")), greylist.Exempt},
		{"sender that nobody authenticates", query(from("<joe@friend.example>")), greylist.First},
		{"domain with that at its end", query(domain("unfriend.example")), greylist.First},
		{"host above", query(host("example"), body("1"), from("<a@a.example>")), greylist.First},
		{"recipient by name", query(to("SALES@example.com")), greylist.Exempt},
		{"recipient by domain", query(to("x@example.org")), greylist.Exempt},
		{"recipient", query(to("bob@example.com")), greylist.Exempt},
		{"recipient with extension", query(to("bob+lists@example.com")), greylist.Exempt},
		{"recipient of a listed extension", query(to("carol+x@example.com")), greylist.Exempt},
		{"recipient of another extension", query(to("carol@example.com")), greylist.First},
		{"one of several recipients", query(to("alice@example.com", "dave@example.com", "bob@example.com")), greylist.Exempt},
		{"none of several recipients", query(to("alice@example.com", "dave@example.com")), greylist.First},
	} {
		w.reset()
		w.want(c.name, c.q, c.want)
		if n := w.grey.calls.Load(); c.want == greylist.Exempt && n != 0 {
			t.Errorf("%s: %d round trips, want 0", c.name, n)
		}
	}
}

// TestRoundTrips counts them.
func TestRoundTrips(t *testing.T) {
	both(t, func(t *testing.T, two bool) {
		w := newWorld(t, two, nil)
		step := func(what string, q greylist.Query, state greylist.State, grey, white int64) {
			t.Helper()
			w.reset()
			w.want(what, q, state)
			if !two {
				grey, white = max(grey, white), max(grey, white)
			}
			if g, h := w.grey.calls.Load(), w.white.calls.Load(); g != grey || h != white {
				t.Errorf("%s: %d and %d round trips, want %d and %d", what, g, h, grey, white)
			}
		}
		step("new", query(), greylist.First, 2, 1)
		step("early", query(), greylist.Early, 1, 1)
		step("early with another text", query(body("2")), greylist.Early, 2, 1)
		w.clock.add(5 * time.Minute)
		step("passed", query(), greylist.Passed, 1, 2)
		step("white", query(), greylist.White, 1, 1)
		w.clock.add(24*time.Hour + time.Second)
		step("white after a day", query(), greylist.White, 1, 2)
		step("white again that day", query(), greylist.White, 1, 1)
		d := domain("sender.example")
		step("new domain", query(d), greylist.First, 2, 1)
		step("domain too early", query(d), greylist.Early, 1, 1)
		w.clock.add(5 * time.Minute)
		step("domain that passes", query(d), greylist.Passed, 1, 2)
		step("white domain", query(d), greylist.White, 1, 1)
	})
}

// TestStoreFails has a store that fails in each of its calls, for once and for good: all
// mail passes then, and none is deferred by what isn't remembered.
func TestStoreFails(t *testing.T) {
	both(t, func(t *testing.T, two bool) {
		for _, which := range []string{"grey", "white"} {
			for call := int64(1); call <= 2; call++ {
				for _, dead := range []bool{false, true} {
					w := newWorld(t, two, nil)
					what := fmt.Sprintf("%s, call %d, dead %v", which, call, dead)
					arm := func() {
						w.reset()
						s := map[string]*spy{"grey": w.grey, "white": w.white}[which]
						s.dead = dead
						s.failAt.Store(call)
					}
					failed := func(step string, q greylist.Query, state greylist.State) {
						t.Helper()
						arm()
						v := w.check(q)
						w.reset()
						if v.State == state && v.Err == nil {
							return // it never asked so often
						}
						if v.Defer || v.Err == nil || v.State != greylist.NoStore && v.State != greylist.Passed && v.State != greylist.White {
							t.Errorf("%s: %s: got %+v, want it to pass with an error", what, step, v)
						}
						if v.State == greylist.NoStore && (v.Header != "" || v.Key != "") {
							t.Errorf("%s: %s: got %+v, want no record in it", what, step, v)
						}
					}
					failed("new", query(), greylist.First)
					w.check(query())
					failed("early", query(), greylist.Early)
					failed("early, new text", query(body("2")), greylist.Early)
					w.clock.add(5 * time.Minute)
					failed("passing", query(), greylist.Passed)
					if v := w.check(query()); v.State != greylist.Passed && v.State != greylist.White || v.Err != nil {
						t.Errorf("%s: after it failed: got %+v", what, v)
					}
					w.clock.add(25 * time.Hour)
					failed("refreshing", query(), greylist.White)
					w.want("refreshed later", query(), greylist.White)
				}
			}
		}
	})
}

func TestContextEnds(t *testing.T) {
	w := newWorld(t, true, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if v := w.Check(ctx, w.stores, query()); v.State != greylist.NoStore || v.Defer || v.Err == nil {
		t.Errorf("got %+v, want %s with an error", v, greylist.NoStore)
	}
}

// TestClocks has records of machines whose clocks differ.
func TestClocks(t *testing.T) {
	w := newWorld(t, false, nil)
	w.want("new", query(), greylist.First)
	w.clock.add(-time.Minute)
	if v := w.want("by a clock a minute behind", query(), greylist.Early); !strings.HasPrefix(v.Header, "0 seconds passed, ") {
		t.Errorf("got header %q", v.Header)
	}
	w.clock.add(-time.Millisecond)
	w.want("from the future", query(), greylist.Future)
	w.clock.add(time.Minute + 5*time.Minute + time.Millisecond)
	w.want("after the delay", query(), greylist.Passed)
}

// TestTimeoutChanges has a configuration that is changed while messages wait.
func TestTimeoutChanges(t *testing.T) {
	w := newWorld(t, false, nil)
	w.want("new", query(), greylist.First)
	w.clock.add(2 * time.Minute)
	w.configure(func(c *greylist.Config) { c.Timeout = ucl.Duration(time.Minute) })
	w.want("with a shorter timeout", query(), greylist.Passed)
	w.configure(func(c *greylist.Config) { c.ExpireWhite = ucl.Duration(time.Hour) })
	if v := w.want("with a shorter expire_white", query(), greylist.White); !v.Until.Equal(w.clock.now().Add(30 * 24 * time.Hour)) {
		t.Errorf("got %+v", v)
	}
	w.configure(func(c *greylist.Config) { c.ExpireWhite = ucl.Duration(60 * 24 * time.Hour) })
	if v := w.want("with a longer expire_white", query(), greylist.White); !v.Until.Equal(w.clock.now().Add(60 * 24 * time.Hour)) {
		t.Errorf("got %+v", v)
	}
	w.configure(func(c *greylist.Config) { c.ExpireWhite = 0 })
	second := query(client("203.0.113.9"), body("2"))
	w.want("new without white records", second, greylist.First)
	w.clock.add(6 * time.Minute)
	w.want("passed without white records", second, greylist.Passed)
	w.want("passed once more", second, greylist.Passed)
}

// TestForeignRecords has values in the store that are no records: they are in nobody's way.
func TestForeignRecords(t *testing.T) {
	ctx := context.Background()
	for _, value := range []string{"", "x", "{}", `{"since":"yesterday"}`, "null", "\x00\x01"} {
		w := newWorld(t, false, nil)
		w.want("to learn the keys", query(), greylist.First)
		for _, item := range items(t, w.grey, "grey.") {
			if _, err := w.grey.Put(ctx, store.Change{Key: item.Key, Value: []byte(value)}); err != nil {
				t.Fatal(err)
			}
		}
		w.want("new over "+value, query(), greylist.First)
		w.want("early over "+value, query(), greylist.Early)
		w.clock.add(6 * time.Minute)
		w.want("passed over "+value, query(), greylist.Passed)
		for _, item := range items(t, w.grey, "white.") {
			if _, err := w.grey.Put(ctx, store.Change{Key: item.Key, Value: []byte(value)}); err != nil {
				t.Fatal(err)
			}
		}
		w.want("white over "+value, query(), greylist.White)
		if v := w.want("white over "+value, query(), greylist.White); !v.Until.Equal(w.clock.now().Add(30 * 24 * time.Hour)) {
			t.Errorf("%q was not replaced: got %+v", value, v)
		}
	}
}

// TestDataLapses has a text that passed used from everywhere: its white record doesn't live
// on by that.
func TestDataLapses(t *testing.T) {
	w := newWorld(t, false, nil)
	w.want("new", query(), greylist.First)
	w.clock.add(5 * time.Minute)
	until := w.want("passed", query(), greylist.Passed).Until
	w.clock.add(25 * 24 * time.Hour)
	if v := w.want("from elsewhere", query(client("203.0.113.9")), greylist.White); v.Kind != greylist.Data || !v.Until.Equal(until) {
		t.Errorf("got %+v, want it white until %s", v, until)
	}
	w.clock.add(5 * 24 * time.Hour)
	w.want("from elsewhere, later", query(client("203.0.113.9")), greylist.First)
}

// TestTakenBack has a white record cleared at the very moment when it would be refreshed:
// it stays cleared.
func TestTakenBack(t *testing.T) {
	w := newWorld(t, false, nil)
	w.want("new", query(), greylist.First)
	w.clock.add(5 * time.Minute)
	w.want("passed", query(), greylist.Passed)
	w.clock.add(25 * time.Hour)
	w.grey.before = func() {
		if _, err := w.ClearAll(context.Background(), w.stores, ""); err != nil {
			t.Error(err)
		}
	}
	w.want("while it is cleared", query(), greylist.White)
	w.grey.before = nil
	w.want("cleared", query(), greylist.First)
}

// TestGone has records that vanish or change between asking and writing.
func TestGone(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, false, nil)
	w.want("to learn the keys", query(), greylist.First)
	list := items(t, w.grey, "grey.")
	put := func(value string) func() {
		return func() {
			for _, item := range list {
				if _, err := w.grey.Store.Put(ctx, store.Change{Key: item.Key, Value: []byte(value)}); err != nil {
					t.Error(err)
				}
			}
		}
	}
	put("x")()
	w.grey.before = put("y")
	if v := w.check(query()); v.Defer || v.State != greylist.NoStore || !errors.Is(v.Err, store.ErrCorrupt) {
		t.Errorf("got %+v, want it to pass with an error", v)
	}
	w.grey.before = put(`{"since":"2026-03-01T12:59:59Z"}`)
	if v := w.want("somebody else's", query(), greylist.Early); !v.Since.Equal(w.clock.now().Truncate(time.Second).Add(-time.Second)) {
		t.Errorf("got %+v", v)
	}
}

func TestReplyText(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "Try again later",
		" \r\n ":                  "Try again later",
		"Later, please":           "Later, please",
		"a\r\n250 b":              "a 250 b",
		"später\x01":              "sp?ter?",
		strings.Repeat("x", 1000): strings.Repeat("x", 400),
	} {
		w := newWorld(t, false, func(c *greylist.Config) { c.Message = ucl.String(in) })
		if v := w.check(query()); v.Text != want {
			t.Errorf("%q: got %q, want %q", in, v.Text, want)
		}
	}
}

func TestStates(t *testing.T) {
	want := "off exempt new early passed white known warmup future nostore unknown"
	var got []string
	for s := greylist.Off; s <= greylist.NoStore+1; s++ {
		got = append(got, s.String())
	}
	if strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, " "), want)
	}
}
