package ratelimit

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
	"rmilter/internal/ucl"
)

// TestConcerned has who is counted where.
func TestConcerned(t *testing.T) {
	const (
		rcpt  = "bob@example.com"
		al    = "<al@example.org>"
		three = "to_ip_from." + rcpt + ":192.0.2.1:al@example.org to_ip." + rcpt + ":192.0.2.1 to." + rcpt
		null  = "bounce_to." + rcpt + " bounce_to_ip." + rcpt + ":192.0.2.1 to_ip_from." + rcpt + ":192.0.2.1:<> to_ip." + rcpt + ":192.0.2.1 to." + rcpt
	)
	ours := everything()
	ours.Ours = true
	white := everything()
	white.Whitelist = ucl.MustNetworks("192.0.2.0/24", "2001:db8::/32")
	white.WhitelistUser = ucl.MustRecipients("carol", "@lists.example.com", "dave@example.com", `dom\erin`)
	white.WhitelistTo = ucl.MustRecipients("postmaster", "vip@example.com", "bob+fast@example.com", "@all.example")
	off := everything()
	off.ToIP, off.BounceTo = ucl.Bucket{}, ucl.Bucket{Burst: 5}
	for _, c := range []struct {
		name string
		conf Config
		q    Query
		want string
	}{
		{"stranger", everything(), ask(mail.Stranger, "192.0.2.1", "", al, rcpt), three},
		{"case and extension", everything(), ask(mail.Stranger, "192.0.2.1", "", "<Al@EXAMPLE.org>", "<Bob+News@Example.COM>"), three},
		{"sender's extension stays", everything(), ask(mail.Stranger, "", "", "<al+x@example.org>", rcpt), "to." + rcpt},
		{"a user name without trust", everything(), ask(mail.Stranger, "192.0.2.1", "alice", al, rcpt), three},
		{"IPv6", everything(), ask(mail.Stranger, "2001:db8:1:2:3::4", "", al, rcpt), "to_ip_from." + rcpt + ":2001:db8:1:2::/64:al@example.org to_ip." + rcpt + ":2001:db8:1:2::/64 to." + rcpt},
		{"mapped IPv4", everything(), ask(mail.Stranger, "::ffff:192.0.2.1", "", al, rcpt), three},
		{"no client", everything(), ask(mail.Stranger, "", "", "<>", rcpt), "bounce_to." + rcpt + " to." + rcpt},
		{"no domain", everything(), ask(mail.Stranger, "", "", al, "bob"), "to.bob"},
		{"no recipient", everything(), ask(mail.Stranger, "192.0.2.1", "", al, "<>"), ""},

		{"null sender", everything(), ask(mail.Stranger, "192.0.2.1", "", "<>", rcpt), null},
		{"bounce by name", everything(), ask(mail.Stranger, "", "", "<MAILER-Daemon@example.org>", rcpt), "bounce_to." + rcpt + " to." + rcpt},
		{"no local part is no null sender", everything(), ask(mail.Stranger, "", "", `<""@example.org>`, rcpt), "to." + rcpt},
		{"nearly a bounce", everything(), ask(mail.Stranger, "", "", "<mailer-daemons@example.org>", rcpt), "to." + rcpt},

		{"local", everything(), ask(mail.Local, "", "alice", al, rcpt), ""},
		{"local, limit_ours", ours, ask(mail.Local, "192.0.2.1", "alice", al, rcpt), ""},
		{"relay", everything(), ask(mail.TrustedRelay, "192.0.2.1", "", "<>", rcpt), ""},
		{"relay, limit_ours", ours, ask(mail.TrustedRelay, "192.0.2.1", "", "<>", rcpt), ""},
		{"our network", everything(), ask(mail.OurNetwork, "192.0.2.1", "", "<>", rcpt), "to_ip_from." + rcpt + ":192.0.2.1:<>"},
		{"our network, limit_ours", ours, ask(mail.OurNetwork, "192.0.2.1", "", "<>", rcpt), null},
		{"our daemon", everything(), ask(mail.OurDaemon, "192.0.2.1", "x", al, rcpt), "to_ip_from." + rcpt + ":192.0.2.1:al@example.org"},
		{"user", everything(), ask(mail.Authenticated, "192.0.2.1", "Alice@Example.com", al, rcpt), "user.alice@example.com to_ip_from." + rcpt + ":192.0.2.1:al@example.org"},
		{"user, limit_ours", ours, ask(mail.Authenticated, "192.0.2.1", "alice", "<>", rcpt), "user.alice " + null},
		{"user without a name", everything(), ask(mail.Authenticated, "", "", al, rcpt), ""},

		{"off", off, ask(mail.Stranger, "192.0.2.1", "", "<>", rcpt), "bounce_to_ip." + rcpt + ":192.0.2.1 to_ip_from." + rcpt + ":192.0.2.1:<> to." + rcpt},

		{"white client", white, ask(mail.Stranger, "192.0.2.1", "", "<>", rcpt), ""},
		{"white client, mapped", white, ask(mail.Stranger, "::ffff:192.0.2.1", "", "<>", rcpt), ""},
		{"white client, IPv6", white, ask(mail.Stranger, "2001:db8::1", "", "<>", rcpt), ""},
		{"white client with a user", white, ask(mail.Authenticated, "192.0.2.1", "alice", al, rcpt), ""},
		{"other client", white, ask(mail.Stranger, "198.51.100.1", "", al, rcpt), "to_ip_from." + rcpt + ":198.51.100.1:al@example.org to_ip." + rcpt + ":198.51.100.1 to." + rcpt},
		{"white user", white, ask(mail.Authenticated, "", "Carol", al, rcpt), ""},
		{"white user of any domain", white, ask(mail.Authenticated, "", "carol@example.org", al, rcpt), ""},
		{"white domain of users", white, ask(mail.Authenticated, "", "news@LISTS.example.com", al, rcpt), ""},
		{"white user with domain", white, ask(mail.Authenticated, "", "dave@example.com", al, rcpt), ""},
		{"user of another domain", white, ask(mail.Authenticated, "", "dave@example.org", al, rcpt), "user.dave@example.org"},
		{"white user with backslash", white, ask(mail.Authenticated, "", `DOM\Erin`, al, rcpt), ""},
		{"user with an extension", white, ask(mail.Authenticated, "", "carol+x", al, rcpt), "user.carol+x"},
		{"the name of a white user", white, ask(mail.Stranger, "", "carol", al, rcpt), "to." + rcpt},
		{"white recipient", white, ask(mail.Stranger, "", "", al, "<Postmaster@example.org>"), ""},
		{"white recipient by address", white, ask(mail.Stranger, "", "", al, "vip@example.com"), ""},
		{"white recipient with extension", white, ask(mail.Stranger, "", "", al, "vip+x@example.com"), ""},
		{"extension that is white", white, ask(mail.Stranger, "", "", al, "bob+fast@example.com"), ""},
		{"extension that isn't", white, ask(mail.Stranger, "", "", al, "bob+slow@example.com"), "to." + rcpt},
		{"white domain", white, ask(mail.Stranger, "", "", al, "x@all.example"), ""},
		{"white recipient of a user", white, ask(mail.Authenticated, "", "alice", al, "x@all.example"), ""},
	} {
		if got := strings.Join(keys(New(c.conf, Env{Delimiter: "+"}), c.q), " "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestUnlisted has that rmilter's list of bounce addresses counts as it is.
func TestUnlisted(t *testing.T) {
	conf := everything()
	conf.BounceAddrs = ucl.Strings{"daemon"}
	if got, want := keys(New(conf, Env{}), ask(mail.Stranger, "", "", "<>", "bob@example.com")), []string{"to.bob@example.com"}; !slices.Equal(got, want) {
		t.Errorf("<> is not listed: got %q, want %q", got, want)
	}
}

func TestNothingConfigured(t *testing.T) {
	st := &counting{fail: map[string]error{"take": errDown, "give": errDown}}
	l := New(DefaultConfig(), Env{Delimiter: "+"})
	ticket, v := l.Take(t.Context(), st, stranger())
	if !ticket.Empty() || v != (Verdict{}) || st.made() != "" {
		t.Errorf("got %+v, %+v and questions to the store", ticket, v)
	}
	if err := Give(t.Context(), st, ticket, Ticket{}); err != nil || st.made() != "" {
		t.Errorf("nothing was given back: %v", err)
	}
	q := stranger()
	if n := testing.AllocsPerRun(100, func() { l.Take(context.Background(), st, q) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestBurst has that a burst of n lets exactly n through at once.
func TestBurst(t *testing.T) {
	for text, want := range map[string]int{"20:0.016666667": 20, `"200 / 1h"`: 200, "1:1": 1, "5:1000000": 5, "3:0.000001": 3, "300:0.0000001": 300} {
		conf, said := read(t, "limits { limit_to = "+text+"; }")
		if said != "" {
			t.Fatal(said)
		}
		c := newClock()
		st, l := open(t, c.now), New(conf, Env{Now: c.now})
		passed := 0
		for range 2 * want {
			if _, v := l.Take(t.Context(), st, stranger()); !v.Refused {
				passed++
			}
		}
		if passed != want {
			t.Errorf("%s: %d passed at once, want %d", text, passed, want)
		}
		_, v := l.Take(t.Context(), st, stranger())
		if !v.Refused || v.Bucket != "to" || v.Key != "limit.to.bob@example.com" || v.Wait != v.Limit.Every || v.Limit.Burst != int64(want) || v.Err != nil {
			t.Errorf("%s: verdict %+v", text, v)
		}
		c.step(v.Wait - time.Microsecond)
		if _, v := l.Take(t.Context(), st, stranger()); !v.Refused || v.Wait != time.Microsecond {
			t.Errorf("%s: %+v a microsecond before there is room", text, v)
		}
		c.step(time.Microsecond)
		if _, v := l.Take(t.Context(), st, stranger()); v.Refused {
			t.Errorf("%s: %+v when there is room", text, v)
		}
	}
}

// TestOrder exhausts the buckets from the last to the first: each refusal is in the name
// of the first.
func TestOrder(t *testing.T) {
	conf := everything()
	conf.Ours = true
	l := New(conf, Env{})
	q := ask(mail.Authenticated, "192.0.2.1", "alice", "<>", "<bob@example.com>")
	c := newClock()
	st := &counting{Store: open(t, c.now)}
	all := l.concerned(&q)
	if len(all) != len(shapes) {
		t.Fatalf("%d buckets concerned, want %d", len(all), len(shapes))
	}
	for i := len(all) - 1; i >= 0; i-- {
		for {
			grants, err := st.Store.Take(t.Context(), all[i])
			if err != nil {
				t.Fatal(err)
			}
			if !grants[0].Taken {
				break
			}
		}
		ticket, v := l.Take(t.Context(), st, q)
		if !v.Refused || v.Bucket != shapes[i].name || v.Key != all[i].Key || v.Limit != all[i].Limit || v.Wait != v.Limit.Every || v.Err != nil || !ticket.Empty() {
			t.Errorf("with %s full: %+v, ticket %+v", shapes[i].name, v, ticket)
		}
	}
	if got, want := st.made(), "take 6, give 5, take 6, give 4, take 6, give 3, take 6, give 2, take 6, give 1, take 6"; got != want {
		t.Errorf("round trips %s, want %s", got, want)
	}
}

// TestGivenBackOnRefusal has that a refusal takes nothing from anybody.
func TestGivenBackOnRefusal(t *testing.T) {
	conf := everything()
	conf.ToIP = ucl.Bucket{Burst: 1, Rate: 1.0 / 3600}
	c := newClock()
	st := &counting{Store: open(t, c.now)}
	l := New(conf, Env{Now: c.now})
	ticket, v := l.Take(t.Context(), st, stranger())
	if v.Refused || ticket.Empty() {
		t.Fatalf("the first is refused: %+v", v)
	}
	for range 10 {
		if ticket, v := l.Take(t.Context(), st, stranger()); !v.Refused || v.Bucket != "to_ip" || !ticket.Empty() {
			t.Fatalf("got %+v %+v, want a refusal by to_ip", v, ticket)
		}
	}
	want := []string{"to.bob@example.com=1", "to_ip.bob@example.com:192.0.2.1=1", "to_ip_from.bob@example.com:192.0.2.1:al@example.org=1"}
	if got := stored(t, l, st); !slices.Equal(got, want) {
		t.Errorf("in use %q, want %q", got, want)
	}
	st.made()
	if err := Give(t.Context(), st, Ticket{}, ticket); err != nil {
		t.Fatal(err)
	}
	if got := st.made(); got != "give 3" {
		t.Errorf("round trips %q, want one", got)
	}
	if got := stored(t, l, st); got != nil {
		t.Errorf("in use %q after everything was given back", got)
	}
}

// TestManyTickets gives more back than a store takes in one call.
func TestManyTickets(t *testing.T) {
	c := newClock()
	st := &counting{Store: open(t, c.now)}
	tickets := make([]Ticket, store.MaxBatch/3+1)
	for i := range tickets {
		tickets[i] = Ticket{slices.Repeat([]store.Return{{Bucket: store.Bucket{Key: "limit.to.bob", Limit: store.Limit{Burst: 1, Every: time.Second}}, At: c.now()}}, 3)}
	}
	if err := Give(t.Context(), st, tickets...); err != nil {
		t.Error(err)
	}
	if got := st.made(); got != "give 10000, give 2" {
		t.Errorf("round trips %q", got)
	}
}

// TestReload has that a changed limit counts at once what was taken before.
func TestReload(t *testing.T) {
	c := newClock()
	st := open(t, c.now)
	with := func(burst, every float64) *Limiter {
		conf := DefaultConfig()
		conf.To = ucl.Bucket{Burst: burst, Rate: 1 / every}
		return New(conf, Env{Now: c.now})
	}
	passes := func(l *Limiter) (n int) {
		for {
			if _, v := l.Take(t.Context(), st, stranger()); v.Refused {
				return n
			}
			n++
		}
	}
	if got := passes(with(10, 60)); got != 10 {
		t.Fatalf("%d passed, want 10", got)
	}
	if got := passes(with(30, 60)); got != 20 {
		t.Errorf("burst 10 became 30: %d more passed, want 20", got)
	}
	if _, v := with(5, 60).Take(t.Context(), st, stranger()); !v.Refused || v.Wait != 26*time.Minute {
		t.Errorf("burst 30 became 5: %+v, want a wait of 26m", v)
	}
	c.step(time.Minute)
	if got := passes(with(30, 60)); got != 1 {
		t.Errorf("a minute later %d more passed, want 1", got)
	}
}

// TestStoreFails has that a store without an answer limits nobody, and that the error is
// told.
func TestStoreFails(t *testing.T) {
	conf := everything()
	conf.To = ucl.Bucket{Burst: 1, Rate: 1.0 / 60}
	c := newClock()
	st := &counting{Store: open(t, c.now), fail: map[string]error{"take": errDown}}
	l := New(conf, Env{Now: c.now})
	for range 3 {
		ticket, v := l.Take(t.Context(), st, stranger())
		if v.Refused || !unavailable(v.Err) || !ticket.Empty() {
			t.Errorf("got %+v %+v, want an error and no refusal", v, ticket)
		}
	}
	if got := st.made(); got != "take 3, take 3, take 3" {
		t.Errorf("round trips %q", got)
	}
	st.fail = map[string]error{"give": errDown}
	ticket, _ := l.Take(t.Context(), st, stranger())
	if _, v := l.Take(t.Context(), st, stranger()); !v.Refused || v.Bucket != "to" || !unavailable(v.Err) {
		t.Errorf("got %+v, want a refusal with the error of giving back", v)
	}
	if err := Give(t.Context(), st, ticket); !unavailable(err) {
		t.Errorf("giving back: %v", err)
	}
}
