package ratelimit

import (
	"net/netip"
	"strings"
	"testing"

	"rmilter/internal/mail"
	"rmilter/internal/store"
)

func TestKey(t *testing.T) {
	long := strings.Repeat("l", 300)
	for _, c := range []struct {
		kind                     string
		user, rcpt, client, from string
		want                     string
	}{
		{kind: "to", rcpt: "bob@example.com", want: "limit.to.bob@example.com"},
		{kind: "to_ip", rcpt: "bob@example.com", client: "192.0.2.1", want: "limit.to_ip.bob@example.com:192.0.2.1"},
		{kind: "to_ip_from", rcpt: "bob@example.com", client: "192.0.2.1", from: "al@example.org", want: "limit.to_ip_from.bob@example.com:192.0.2.1:al@example.org"},
		{kind: "to_ip_from", rcpt: "bob@example.com", client: "2001:db8:1:2::/64", from: "<>", want: "limit.to_ip_from.bob@example.com:2001:db8:1:2::/64:<>"},
		{kind: "bounce_to_ip", rcpt: "bob", client: "::/64", want: "limit.bounce_to_ip.bob:::/64"},
		{kind: "user", user: "alice@example.com", want: "limit.user.alice@example.com"},
		{kind: "to", rcpt: "b o:b%{}|~\x00ü@[ipv6:2001:db8::1]", want: "limit.to.b%20o%3Ab%25%7B%7D%7C%7E%00%C3%BC@[ipv6%3A2001%3Adb8%3A%3A1]"},
		{kind: "user", user: `dom\a.b`, want: `limit.user.dom\a.b`},
		{kind: "user", user: long, want: "limit.user." + strings.Repeat("l", 218) + "~c74792f34d25e5420901"},
	} {
		s := &shapes[kindOf(c.kind)]
		got := s.key(&parts{c.user, c.rcpt, c.client, c.from})
		if got != c.want {
			t.Errorf("%s: key %q, want %q", c.kind, got, c.want)
		}
		kind, p, ok := parseKey(got)
		if want := (parts{c.user, c.rcpt, c.client, c.from}); len(got) < maxKey && (!ok || shapes[kind].name != c.kind || p != want) {
			t.Errorf("parseKey(%q) = %s %q %t, want %s %q", got, shapes[kind].name, p, ok, c.kind, want)
		}
	}
}

func TestLongKeys(t *testing.T) {
	s := &shapes[kindOf("to_ip_from")]
	for n := range 500 {
		p := parts{rcpt: strings.Repeat("r", 1+n) + "@example.com", client: "2001:db8:aaaa:bbbb::/64", from: "al@example.org"}
		key := s.key(&p)
		if len(key) > maxKey {
			t.Fatalf("a key of %d bytes: %q", len(key), key)
		}
		other := p
		other.from = "el@example.org"
		if s.key(&other) == key {
			t.Fatalf("two senders have the key %q", key)
		}
		kind, got, ok := parseKey(key)
		if !ok || shapes[kind].name != s.name || len(key) < maxKey && got != p {
			t.Fatalf("parseKey(%q) = %d %+v %t, want %+v", key, kind, got, ok, p)
		}
		if got.client != p.client && !strings.Contains(got.client, "~") && got.client != "" {
			t.Fatalf("parseKey(%q) has the client %q without a mark that it was cut", key, got.client)
		}
	}
}

func TestNoKeys(t *testing.T) {
	for _, key := range []string{
		"", "limit.", "limit", "limit.to", "limit.to.", "limit.alert.alice", "limit.from.alice@example.com", "grey.to.x", "LIMIT.to.x",
		"limit.user.", "limit.to.bob:192.0.2.1", "limit.to_ip.bob", "limit.to_ip_from.bob:192.0.2.1", "limit.to_ip.:192.0.2.1",
		"limit.to." + strings.Repeat("x", 300),
	} {
		if kind, p, ok := parseKey(key); ok {
			t.Errorf("parseKey(%q) = %s %+v, want none", key, shapes[kind].name, p)
		}
	}
}

func TestClientText(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":               "192.0.2.1",
		"::ffff:192.0.2.1":        "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":    "2001:db8:1:2::/64",
		"2001:DB8:1:2::":          "2001:db8:1:2::/64",
		"fe80::1%eth0":            "fe80::/64",
		"::1":                     "::/64",
		"::ffff:192.0.2.1%eth0":   "192.0.2.1",
		"2001:db8:1:2:ffff::1%en": "2001:db8:1:2::/64",
	} {
		got := clientText(netip.MustParseAddr(in))
		if got != want || !isClient(got) {
			t.Errorf("clientText(%s) = %q, want %q; isClient %t", in, got, want, isClient(got))
		}
	}
	if got := clientText(netip.Addr{}); got != "" {
		t.Errorf("clientText of no address = %q", got)
	}
}

// FuzzKey wants keys of any mail to be bounded, printable, unambiguous and readable again.
func FuzzKey(f *testing.F) {
	f.Add("alice@example.com", "<bob+x@example.com>", "al@example.org", []byte{192, 0, 2, 1})
	f.Add("a:b", `<"a:b~c"@[IPv6:2001:db8::1]>`, "<>", []byte("2001:db8::1....."))
	f.Add("%", "\xff%41@ü.example", strings.Repeat("x@", 400), []byte(nil))
	f.Fuzz(func(t *testing.T, user, rcpt, from string, ip []byte) {
		addr, _ := netip.AddrFromSlice(ip)
		l := New(everything(), Env{Delimiter: "+"})
		q := Query{Trust: mail.Authenticated, Client: addr, User: user, Rcpt: mail.ParseAddress(rcpt), From: mail.ParseAddress(from)}
		want := parts{strings.ToLower(user), addressText(stripped(q.Rcpt, "+")), clientText(addr), addressText(q.From)}
		for _, b := range l.concerned(&q) {
			kind, got, ok := parseKey(b.Key)
			if !ok || len(b.Key) > maxKey || len(b.Key) > store.MaxKey {
				t.Fatalf("key %q of %d bytes, parsed %t", b.Key, len(b.Key), ok)
			}
			for i := range len(b.Key) {
				if c := b.Key[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("{}|", c) >= 0 {
					t.Fatalf("key %q has %q", b.Key, c)
				}
			}
			s := &shapes[kind]
			if len(b.Key) == maxKey {
				continue // it may be cut
			}
			if s.user && got != (parts{user: want.user}) || !s.user && (got.rcpt != want.rcpt || s.client && got.client != want.client || s.sender && got.from != want.from) {
				t.Fatalf("key %q is read as %q, want %q", b.Key, got, want)
			}
		}
	})
}

// FuzzParseKey wants no key from a store or a person to do harm.
func FuzzParseKey(f *testing.F) {
	f.Add("limit.to_ip_from.bob@example.com:2001:db8::/64:al@example.org", []byte("1 2 3"))
	f.Add("limit.user.%", []byte(""))
	f.Add("limit.to_ip.::", []byte("9223372036854775807 -1"))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		c := newClock()
		e, ok := New(everything(), Env{Now: c.now}).entry(key, value)
		if ok && (e.Key != key || e.Used < 0 || (e.Used == 0) != e.Full.IsZero() || !e.Full.IsZero() && e.Full.Before(c.now())) {
			t.Errorf("%q %q is %+v", key, value, e)
		}
	})
}
