package replies

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
)

func TestReply(t *testing.T) {
	const joe, alice = "<joe@example.net>", "<alice@example.com>"
	for _, c := range []struct {
		name   string
		e      *mail.Envelope
		header string
		want   string
	}{
		{"an answer", envelope(joe, alice), "From: joe@example.net\nIn-Reply-To: <1@example.com>", "reply 1@example.com"},
		{"by References alone", envelope(joe, alice), "From: joe@example.net\nReferences: <0@example.com> <1@example.com>", "reply 1@example.com"},
		{"the first of many", envelope(joe, alice), "From: joe@example.net\nIn-Reply-To: <9@example.net>\nReferences: <1@example.com> <9@example.net>", "reply 1@example.com"},
		{"a colleague of the recipient", envelope(joe, alice), "From: boss@example.net\nIn-Reply-To: <1@example.com>", "reply 1@example.com"},
		{"another host of the domain", envelope(joe, alice), "From: joe@mail.example.net\nIn-Reply-To: <1@example.com>", "reply 1@example.com"},
		{"to an extension", envelope(joe, "<Alice+x@EXAMPLE.com>"), "From: joe@example.net\nIn-Reply-To: <1@example.com>", "reply 1@example.com"},
		{"to the Reply-To", envelope(joe, "<office@example.org>"), "From: joe@example.net\nIn-Reply-To: <1@example.com>", "reply 1@example.com"},
		{"to our Cc", envelope(joe, "<sales@example.com>"), "From: joe@example.net\nIn-Reply-To: <1@example.com>", "reply 1@example.com"},
		{"to the sender with a tag", envelope(joe, "<prvs=1234567890=alice@example.com>"), "From: joe@example.net\nIn-Reply-To: <1@example.com>", "reply 1@example.com"},
		{"to an alias, by its To", envelope(joe, "<a17@mail.example.com>"), "From: joe@example.net\nTo: Alice <alice@example.com>\nIn-Reply-To: <1@example.com>", "reply 1@example.com"},
		{"an automatic answer", envelope("<>", alice), "From: joe@example.net\nIn-Reply-To: <1@example.com>", "reply 1@example.com"},
		{"to somebody else", envelope(joe, "<bob@example.com>"), "From: joe@example.net\nIn-Reply-To: <1@example.com>", ""},
		{"to a stranger whom we wrote to", envelope(joe, "<carol@example.net>"), "From: joe@example.net\nTo: carol@example.net\nIn-Reply-To: <1@example.com>", ""},
		{"from elsewhere", envelope("<eve@evil.example>", alice), "From: eve@evil.example\nIn-Reply-To: <1@example.com>", "claimed 1@example.com"},
		{"with the sender alone from there", envelope(joe, alice), "From: eve@evil.example\nIn-Reply-To: <1@example.com>", "claimed 1@example.com"},
		{"with two authors", envelope(joe, alice), "From: joe@example.net, eve@evil.example\nIn-Reply-To: <1@example.com>", "claimed 1@example.com"},
		{"without an author", envelope(joe, alice), "In-Reply-To: <1@example.com>", "claimed 1@example.com"},
		{"as a colleague", envelope(joe, alice), "From: boss@example.com\nIn-Reply-To: <1@example.com>", "claimed 1@example.com"},
		{"another id", envelope(joe, alice), "From: joe@example.net\nIn-Reply-To: <2@example.com>", ""},
		{"another case", envelope(joe, alice), "From: joe@example.net\nIn-Reply-To: <1@EXAMPLE.com>", ""},
		{"asked by hand", &mail.Envelope{Inspect: true}, "From: joe@example.net\nTo: alice@example.com\nIn-Reply-To: <1@example.com>", "reply 1@example.com"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, nil)
			d.send("alice", envelope(alice, joe, "<bob@example.com>"), "From: Alice <alice@example.com>", "Reply-To: office@example.org",
				"To: Joe <joe@example.net>", "Cc: sales@example.com, carol@example.net", "Message-ID: <1@example.com>")
			got := d.get(c.e, c.header)
			got.KnownBy, got.KnownTo = false, false // of TestKnown
			if told(got) != c.want {
				t.Errorf("got %q, want %q", told(got), c.want)
			}
		})
	}
}

// TestList is the forgery that a public id invites: whoever reads the list knows it.
func TestList(t *testing.T) {
	d := newDesk(t, nil)
	d.send("alice", envelope("<alice@example.com>", "<users@lists.example>", "<bob@example.com>"),
		"From: alice@example.com", "To: users@lists.example", "Cc: bob@example.com", "Message-ID: <post@example.com>")
	for from, want := range map[string]string{
		"eve@evil.example":       "claimed post@example.com",
		"boss@example.com":       "claimed post@example.com", // forged: of our own domain
		"member@example.net":     "claimed post@example.com",
		"users@lists.example":    "reply post@example.com by to", // the list rewrote From
		"users@mx.lists.example": "reply post@example.com",
	} {
		got := told(d.get(envelope("<"+from+">", "<alice@example.com>"), "From: "+from, "In-Reply-To: <post@example.com>"))
		if got != want {
			t.Errorf("from %s: got %q, want %q", from, got, want)
		}
	}
}

func TestExpire(t *testing.T) {
	d := newDesk(t, func(c *Config) { c.Expire = 3_600_000_000_000 })
	d.alice("<joe@example.net>")
	answer := func() string {
		return told(d.get(envelope("<joe@example.net>", "<alice@example.com>"), "From: joe@example.net", "In-Reply-To: <1@example.com>"))
	}
	d.advance(time.Hour - time.Second)
	if got, want := answer(), "reply 1@example.com by to"; got != want {
		t.Errorf("just before: got %q, want %q", got, want)
	}
	d.advance(2 * time.Second)
	if got, want := answer(), "by to"; got != want {
		t.Errorf("just after: got %q, want %q", got, want)
	}
	d.advance(30 * day)
	if got := answer(); got != "" {
		t.Errorf("much later: got %q, want nothing", got)
	}
}

// TestTransactions sends one message in many transactions, as list servers do.
func TestTransactions(t *testing.T) {
	d := newDesk(t, nil)
	for i := range 300 {
		d.send("news", envelope(fmt.Sprintf("<news-%d=d%d.example@example.com>", i, i), fmt.Sprintf("<%d@d%d.example>", i, i)),
			"From: News <news@example.com>", "Message-ID: <n@example.com>")
	}
	rec, ok := parse[sentRecord](d.value("id.n@example.com"))
	if !ok || len(rec.Answers) != 2 || rec.Answers[1] != "news-*@example.com" || len(rec.Domains) != maxDomains {
		t.Errorf("got %d answers and %d domains: %v; want news@ and news-*@ and %d domains", len(rec.Answers), len(rec.Domains), rec, maxDomains)
	}
	bounce := d.get(envelope("<>", "<news-299=d299.example@example.com>"), "From: mailer-daemon@d299.example", "References: <n@example.com>")
	if got, want := told(bounce), "claimed n@example.com"; got != want {
		t.Errorf("the bounce of one: got %q, want %q", got, want)
	}
	answer := d.get(envelope("<9@d9.example>", "<news@example.com>"), "From: 9@d9.example", "In-Reply-To: <n@example.com>")
	if got, want := told(answer), "reply n@example.com by to"; got != want {
		t.Errorf("the answer of one: got %q, want %q", got, want)
	}
}

// value returns a value as it is kept.
func (d *desk) value(key string) []byte {
	d.t.Helper()
	values, err := d.count.Store.Get(d.t.Context(), key)
	if err != nil {
		d.t.Fatal(err)
	}
	return values[0]
}

func TestKnown(t *testing.T) {
	d := newDesk(t, nil)
	d.alice("<joe@example.net>", "<bob@example.com>")
	for _, c := range []struct{ from, header, rcpt, want string }{
		{"<joe@example.net>", "joe@example.net", "<alice@example.com>", "by to"},
		{"<joe@example.net>", "JOE@Example.net", "<alice+x@example.com>", "by to"},
		{"<joe@example.net>", "joe@example.net", "<bob@example.com>", "by"},
		{"<jim@example.net>", "jim@example.net", "<alice@example.com>", ""},
		{"<bob@example.com>", "bob@example.com", "<alice@example.com>", ""},
		{"<joe@example.net>", "joe@example.net, jim@example.net", "<alice@example.com>", ""},
	} {
		if got := told(d.get(envelope(c.from, c.rcpt), "From: "+c.header)); got != c.want {
			t.Errorf("%s to %s: got %q, want %q", c.header, c.rcpt, got, c.want)
		}
	}
	for from, want := range map[string]bool{"<joe@example.net>": true, "<joe@mx.example.net>": true, "<eve@evil.example>": false, "<>": false} {
		if got := d.get(envelope(from, "<alice@example.com>"), "From: joe@example.net"); got.Aligned != want || !got.KnownTo {
			t.Errorf("sent by %s: aligned %t, known %t; want %t and true", from, got.Aligned, got.KnownTo, want)
		}
	}
}

func TestSeen(t *testing.T) {
	d := newDesk(t, nil)
	get := func() mail.Thread {
		return d.get(envelope("<joe@example.net>", "<alice@example.com>"), "From: joe@example.net")
	}
	saw := func(th mail.Thread) {
		t.Helper()
		if err := d.Saw(t.Context(), d.st, th); err != nil {
			t.Fatal(err)
		}
	}
	saw(get())
	if got := get(); got.Seen || !got.Noted.Equal(d.now()) {
		t.Errorf("at once: got %+v, want noted now but not seen", got)
	}
	d.advance(day)
	if got := get(); !got.Seen {
		t.Errorf("a day later: got %+v, want seen", got)
	}
	saw(get())
	if got := get(); !got.Seen || !got.Noted.Equal(d.now()) {
		t.Errorf("noted anew: got %+v, want seen, noted now", got)
	}
	d.advance(29 * day)
	if got := get(); !got.Seen {
		t.Errorf("29 days later: got %+v, want seen", got)
	}
	d.advance(2 * day)
	if got := get(); got.Seen || !got.Noted.IsZero() {
		t.Errorf("31 days later: got %+v, want nothing", got)
	}
	// A sender of another domain doesn't vouch for the author, a list for instance.
	saw(d.get(envelope("<list@lists.example>", "<alice@example.com>"), "From: jim@example.net"))
	if got := d.get(envelope("<jim@example.net>", "<alice@example.com>"), "From: jim@example.net"); !got.Noted.IsZero() {
		t.Errorf("through a list: got %+v, want not noted", got)
	}
}

// TestOurs: mail of ours is asked nothing about, mail of strangers isn't remembered.
func TestOurs(t *testing.T) {
	d := newDesk(t, nil)
	d.alice("<joe@example.net>")
	d.count.taken()
	e := envelope("<joe@example.net>", "<alice@example.com>")
	e.Trust = mail.OurNetwork
	if got := d.get(e, "From: joe@example.net", "In-Reply-To: <1@example.com>"); got != (mail.Thread{}) {
		t.Errorf("ours: got %+v, want nothing", got)
	}
	for _, e := range []*mail.Envelope{envelope("<joe@example.net>", "<alice@example.com>"), {Inspect: true, Trust: mail.Authenticated}} {
		if err := d.Remember(t.Context(), d.st, d.Sent(e, message("From: joe@example.net", "Message-ID: <2@example.net>"))); err != nil {
			t.Error(err)
		}
	}
	if trips, _ := d.count.taken(); trips != 0 {
		t.Errorf("%d round trips, want none", trips)
	}
}

func TestDisabled(t *testing.T) {
	d := newDesk(t, func(c *Config) { c.Enable = false })
	d.alice("<joe@example.net>")
	th := d.get(envelope("<joe@example.net>", "<alice@example.com>"), "From: joe@example.net", "In-Reply-To: <1@example.com>")
	if err := d.Saw(t.Context(), d.st, mail.Thread{Author: mail.ParseAddress("joe@example.net"), Aligned: true}); err != nil || th != (mail.Thread{}) {
		t.Errorf("got %+v, %v; want nothing", th, err)
	}
	if trips, _ := d.count.taken(); trips != 0 {
		t.Errorf("%d round trips, want none", trips)
	}
}

// TestTrips counts what mail costs the store.
func TestTrips(t *testing.T) {
	d := newDesk(t, nil)
	joe := func(lines ...string) func() {
		return func() { d.get(envelope("<joe@example.net>", "<alice@example.com>"), lines...) }
	}
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, "<%d@a.example> ", i)
	}
	hundreds := make([]string, 800)
	for i := range hundreds {
		hundreds[i] = fmt.Sprintf("<u%d@d%d.example>", i, i)
	}
	for _, c := range []struct {
		name       string
		run        func()
		trips, ops int64 // at most
	}{
		{"no author and no answer", joe("Subject: Hi"), 0, 0},
		{"ordinary mail", joe("From: joe@example.net"), 1, 2},
		{"an answer", joe("From: joe@example.net", "In-Reply-To: <1@example.com>"), 1, 3},
		{"ten thousand references", joe("From: joe@example.net", "References: "+many.String()), 1, maxIDs + 2},
		{"the first of alice's", func() { d.alice("<joe@example.net>") }, 3, 3 + 1 + 3},
		{"the next of alice's", func() {
			d.send("alice", envelope("<alice@example.com>", "<joe@example.net>"), "From: alice@example.com", "Message-ID: <2@example.com>")
		}, 2, 3 + 1},
		{"the same again", func() {
			d.send("alice", envelope("<alice@example.com>", "<joe@example.net>"), "From: alice@example.com", "Message-ID: <2@example.com>")
		}, 1, 3},
		{"to eight hundred", func() {
			d.send("alice", envelope("<alice@example.com>", hundreds...), "From: alice@example.com", "Message-ID: <3@example.com>")
		}, 3, 2*(2+maxWritten) + 1},
		{"without an id, to a colleague", func() {
			d.send("alice", envelope("<alice@example.com>", "<bob@example.com>"), "From: alice@example.com")
		}, 1, 1},
		{"nothing", func() { _ = d.Remember(t.Context(), d.st, Sent{}) }, 0, 0},
	} {
		d.count.taken()
		c.run()
		if trips, ops := d.count.taken(); trips != c.trips || ops > c.ops {
			t.Errorf("%s: %d round trips of %d operations, want %d of at most %d", c.name, trips, ops, c.trips, c.ops)
		}
	}
}

func TestDown(t *testing.T) {
	d := newDesk(t, nil)
	d.alice("<joe@example.net>")
	d.count.down.Store(true)
	got := d.get(envelope("<joe@example.net>", "<alice@example.com>"), "From: joe@example.net", "In-Reply-To: <1@example.com>")
	if !got.Failed || told(got) != "failed" || !got.Aligned || got.Author.IsNull() {
		t.Errorf("Lookup: got %+v, want failed, and the author", got)
	}
	e := envelope("<alice@example.com>", "<joe@example.net>")
	e.Trust = mail.Authenticated
	if err := d.Remember(t.Context(), d.st, d.Sent(e, message("From: alice@example.com", "Message-ID: <2@example.com>"))); !isUnavailable(err) {
		t.Errorf("Remember: got %v, want %v", err, store.ErrUnavailable)
	}
	if err := d.Saw(t.Context(), d.st, mail.Thread{Author: mail.ParseAddress("joe@example.net"), Aligned: true}); !isUnavailable(err) {
		t.Errorf("Saw: got %v, want %v", err, store.ErrUnavailable)
	}
	// What failed once isn't written: nobody knows whether it is unknown.
	d.count.taken()
	if err := d.Saw(t.Context(), d.st, got); err != nil {
		t.Errorf("Saw of what failed: got %v", err)
	}
	if trips, _ := d.count.taken(); trips != 0 {
		t.Errorf("Saw of what failed: %d round trips, want none", trips)
	}
}

// TestCorrupt: values of others count as none, and are overwritten.
func TestCorrupt(t *testing.T) {
	d := newDesk(t, nil)
	var changes []store.Change
	for _, k := range []string{"id.1@example.com", "known.domain.example.com", writtenKey("joe@example.net"), acceptedKey("joe@example.net")} {
		changes = append(changes, store.Change{Key: k, Value: []byte("[1"), Lifetime: time.Hour})
	}
	if _, err := d.count.Store.Put(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
	answer := func() mail.Thread {
		return d.get(envelope("<joe@example.net>", "<alice@example.com>"), "From: joe@example.net", "In-Reply-To: <1@example.com>")
	}
	th := answer()
	if told(th) != "" {
		t.Errorf("got %q, want nothing", told(th))
	}
	d.alice("<joe@example.net>")
	if err := d.Saw(context.Background(), d.st, th); err != nil {
		t.Fatal(err)
	}
	d.advance(day)
	if got, want := told(answer()), "reply 1@example.com by to seen"; got != want {
		t.Errorf("afterwards: got %q, want %q", got, want)
	}
}
