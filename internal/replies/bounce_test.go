package replies

import (
	"strings"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
)

// report is a bounce as RFC 3464 has it, which returns a header with the type given.
func report(typ string, header ...string) string {
	return "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\nTo: alice@example.com\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n" +
		"--b\n\nsorry\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; joe@example.net\nAction: failed\n" +
		"--b\nContent-Type: " + typ + "\n\n" + strings.Join(header, "\n") + "\n\n--b--\n"
}

// dated returns a header with an id and a time from now.
func (d *desk) dated(id string, ago time.Duration) []string {
	return []string{"From: alice@example.com", "Message-ID: <" + id + ">", "Date: " + d.now().Add(-ago).Format("Mon, 2 Jan 2006 15:04:05 -0700")}
}

func (d *desk) bounced(rcpt, text string) mail.Thread {
	return d.Lookup(d.t.Context(), d.st, envelope("<>", rcpt), mail.Parse([]byte(text), mail.DefaultLimits))
}

func TestBounce(t *testing.T) {
	const alice = "<alice@example.com>"
	for _, c := range []struct {
		name string
		rcpt string
		text func(d *desk) string
		want string
	}{
		{"ours", alice, func(d *desk) string { return report("message/rfc822", d.dated("1@example.com", time.Hour)...) }, "our bounce 1@example.com"},
		{"ours, its header", alice, func(d *desk) string { return report("text/rfc822-headers", d.dated("1@example.com", time.Hour)...) }, "our bounce 1@example.com"},
		{"ours, without a date", alice, func(d *desk) string { return report("message/global-headers", "Message-ID: <1@example.com>") }, "our bounce 1@example.com"},
		{"ours, to somebody else", "<bob@example.com>", func(d *desk) string {
			return strings.Replace(report("message/rfc822", d.dated("1@example.com", time.Hour)...), "To: alice", "To: bob", 1)
		}, ""},
		{"ours, to the sender with a tag", "<prvs=1234567890=alice@example.com>", func(d *desk) string {
			return report("message/rfc822", d.dated("1@example.com", time.Hour)...)
		}, "our bounce 1@example.com"},
		{"ours, by its field", alice, func(d *desk) string {
			return "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\nread\n" +
				"--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; joe@example.net\nOriginal-Message-ID:\n <1@example.com>\n\n--b--\n"
		}, "our bounce 1@example.com"},
		{"ours, by the field of a later paragraph", alice, func(d *desk) string {
			return "Content-Type: message/delivery-status\n\nA: b\n\nAction: failed\nX-Original-Message-ID: <1@example.com>\n"
		}, "our bounce 1@example.com"},
		{"only named in References", alice, func(d *desk) string { return "References: <1@example.com>\n\nsorry\n" }, "claimed 1@example.com"},
		{"ours, of an old MTA", alice, func(d *desk) string {
			return "Subject: failure notice\n\nHi. This is the program.\n\n<joe@example.net>:\nno such user\n\n--- Below this line is a copy of the message.\n\n" +
				strings.Join(d.dated("1@example.com", time.Hour), "\n") + "\n\ntext\n"
		}, "our bounce 1@example.com"},
		{"never sent", alice, func(d *desk) string { return report("message/rfc822", d.dated("9@example.com", time.Hour)...) }, "unknown bounce 9@example.com"},
		{"never sent, another host of the domain", alice, func(d *desk) string {
			return report("message/rfc822", d.dated("9@mx.EXAMPLE.com", time.Hour)...)
		}, "unknown bounce 9@mx.EXAMPLE.com"},
		{"never sent, of an old MTA", alice, func(d *desk) string {
			return "Subject: failure notice\r\n\r\nHi.\r\n\r\n" + strings.Join(d.dated("9@example.com", time.Hour), "\r\n") + "\r\n\r\ntext\r\n"
		}, "unknown bounce 9@example.com"},
		{"never sent, just now", alice, func(d *desk) string { return report("message/rfc822", d.dated("9@example.com", 0)...) }, "unknown bounce 9@example.com"},
		{"never sent, with an old one of ours inside", alice, func(d *desk) string {
			return report("message/rfc822", append(d.dated("9@example.com", time.Hour), "Content-Type: message/rfc822", "", "Message-ID: <1@example.com>")...)
		}, "unknown bounce 9@example.com"},
		{"before our time", alice, func(d *desk) string { return report("message/rfc822", d.dated("9@example.com", 49*time.Hour)...) }, ""},
		{"in the future", alice, func(d *desk) string { return report("message/rfc822", d.dated("9@example.com", -time.Hour)...) }, ""},
		{"without a date", alice, func(d *desk) string { return report("message/rfc822", "Message-ID: <9@example.com>") }, ""},
		{"with a broken date", alice, func(d *desk) string {
			return report("message/rfc822", "Message-ID: <9@example.com>", "Date: 2026-11-22 11:00:00")
		}, ""},
		{"with two dates", alice, func(d *desk) string {
			return report("message/rfc822", append(d.dated("9@example.com", time.Hour), "Date: x")...)
		}, ""},
		{"without an id", alice, func(d *desk) string { return report("message/rfc822", "Subject: Hi") }, ""},
		{"an id of another domain", alice, func(d *desk) string { return report("message/rfc822", d.dated("9@example.net", time.Hour)...) }, ""},
		{"a domain that nobody sends from", "<alice@example.org>", func(d *desk) string {
			return report("message/rfc822", d.dated("9@example.org", time.Hour)...)
		}, ""},
		{"an id of ours, to another domain", "<alice@example.org>", func(d *desk) string {
			return strings.Replace(report("message/rfc822", d.dated("9@example.com", time.Hour)...), "To: alice@example.com", "To: alice@example.org", 1)
		}, ""},
		{"References to what we never sent", alice, func(d *desk) string {
			return "References: <9@example.com>\nDate: " + d.dated("", time.Hour)[2][6:] + "\n\n"
		}, ""},
		{"nothing returned", alice, func(d *desk) string { return "Subject: Undelivered\n\nsorry\n" }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, nil)
			d.alice("<joe@example.net>")
			d.advance(48 * time.Hour)
			if got := told(d.bounced(c.rcpt, c.text(d))); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestBounceWithSender: what has a sender returns nothing.
func TestBounceWithSender(t *testing.T) {
	d := newDesk(t, nil)
	d.alice("<joe@example.net>")
	d.advance(time.Hour)
	m := mail.Parse([]byte(report("message/rfc822", d.dated("9@example.com", time.Minute)...)), mail.DefaultLimits)
	if got := d.Lookup(t.Context(), d.st, envelope("<joe@example.net>", "<alice@example.com>"), m); told(got) != "" {
		t.Errorf("got %q, want nothing", told(got))
	}
}

// TestBounceMemory: nobody is judged by what isn't remembered.
func TestBounceMemory(t *testing.T) {
	d := newDesk(t, func(c *Config) { c.Expire = 3_600_000_000_000 })
	unknown := func(ago time.Duration) string {
		return told(d.bounced("<alice@example.com>", report("message/rfc822", d.dated("9@example.com", ago)...)))
	}
	if got := unknown(0); got != "" {
		t.Errorf("before any mail: got %q, want nothing", got)
	}
	d.alice("<joe@example.net>")
	if got, want := unknown(0), "unknown bounce 9@example.com"; got != want {
		t.Errorf("right after the first: got %q, want %q", got, want)
	}
	if got := unknown(time.Second); got != "" {
		t.Errorf("of the time before: got %q, want nothing", got)
	}
	d.advance(2 * time.Hour)
	if got, want := unknown(time.Hour), "unknown bounce 9@example.com"; got != want {
		t.Errorf("as old as expire: got %q, want %q", got, want)
	}
	if got := unknown(time.Hour + time.Second); got != "" {
		t.Errorf("older than expire: got %q, want nothing", got)
	}
	// A domain that sends now and then is known since the first time.
	for range 10 {
		d.advance(20 * day)
		d.alice("<joe@example.net>")
	}
	if got, want := unknown(time.Hour), "unknown bounce 9@example.com"; got != want {
		t.Errorf("after half a year: got %q, want %q", got, want)
	}
	d.advance(31 * day)
	if got := unknown(time.Minute); got != "" {
		t.Errorf("a month after the last mail: got %q, want nothing", got)
	}
	d.alice("<joe@example.net>")
	d.advance(time.Minute)
	d.count.down.Store(true)
	if got, want := unknown(time.Second), "failed"; got != want {
		t.Errorf("without a store: got %q, want %q", got, want)
	}
}

// TestBounceAfterOutage: what was sent while the store was away is not unknown.
func TestBounceAfterOutage(t *testing.T) {
	now := newClock().now()
	r := New(DefaultConfig(), Env{Now: func() time.Time { return now }})
	since := now.Add(-day)
	for _, c := range []struct {
		sent, up time.Duration // ago
		want     bool
	}{{time.Hour, 2 * time.Hour, true}, {time.Hour, time.Hour, true}, {2 * time.Hour, time.Hour, false}, {day, 2 * day, true}, {day + 1, 2 * day, false}, {-1, day, false}} {
		if got := r.remembered(now.Add(-c.sent), since, now.Add(-c.up)); got != c.want {
			t.Errorf("sent %v ago, store up for %v: got %t, want %t", c.sent, c.up, got, c.want)
		}
	}
}

// A full store gives what it has and takes no more.
type full struct{ *counting }

func (full) Health() store.Health { return store.Health{Up: false} }

// TestBounceMissed: when a message of ours could not be remembered, nobody knows which.
func TestBounceMissed(t *testing.T) {
	d := newDesk(t, nil)
	d.alice("<joe@example.net>")
	d.advance(time.Hour)
	unknown := func(ago time.Duration) string {
		return told(d.bounced("<alice@example.com>", report("message/rfc822", d.dated("9@example.com", ago)...)))
	}
	e := envelope("<alice@example.com>", "<joe@example.net>")
	e.Trust = mail.Authenticated
	d.count.down.Store(true)
	if err := d.Remember(t.Context(), d.st, d.Sent(e, message("From: alice@example.com", "Message-ID: <2@example.com>"))); err == nil {
		t.Fatal("Remember gave no error")
	}
	d.count.down.Store(false)
	d.advance(time.Minute)
	if got := unknown(time.Minute + time.Second); got != "" {
		t.Errorf("of the time before: got %q, want nothing", got)
	}
	if got, want := unknown(time.Minute), "unknown bounce 9@example.com"; got != want {
		t.Errorf("of the time since: got %q, want %q", got, want)
	}
	d.st = store.Same(full{d.count})
	if got := unknown(time.Second); got != "" {
		t.Errorf("with a full store: got %q, want nothing", got)
	}
}

// TestBounceHostile bounds what a bounce makes the store look for.
func TestBounceHostile(t *testing.T) {
	d := newDesk(t, nil)
	d.alice("<joe@example.net>")
	var parts strings.Builder
	parts.WriteString("Content-Type: multipart/report; boundary=b\n\n")
	for i := range 2000 {
		parts.WriteString("--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <x" + strings.Repeat("y", i%200) + "@example.com>\nDate: Sun, 22 Nov 2026 12:00:00 +0000\n" +
			"--b\nContent-Type: message/delivery-status\n\nOriginal-Message-ID: <z" + strings.Repeat("y", i%200) + "@example.com>\n\n")
	}
	rcpts := make([]string, 5000)
	for i := range rcpts {
		rcpts[i] = "<alice@sub.example.com>"
	}
	d.count.taken()
	for name, text := range map[string]string{
		"parts":      parts.String(),
		"paragraphs": "\n" + strings.Repeat("Message-ID: <1@example.com>\n\n", 40_000),
		"one line":   "\nMessage-ID: " + strings.Repeat("<", 1<<20),
	} {
		d.Lookup(t.Context(), d.st, envelope("<>", rcpts...), mail.Parse([]byte(text), mail.DefaultLimits))
		if trips, ops := d.count.taken(); trips > 1 || ops > 3*maxReturned {
			t.Errorf("%s: %d round trips of %d keys, want one of at most %d", name, trips, ops, 3*maxReturned)
		}
	}
}
