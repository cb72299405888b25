package greylist

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"rmilter/internal/mail"
)

func TestNormal(t *testing.T) {
	for in, want := range map[string]string{
		"<>":                                                                    "",
		"<joe@sender.example>":                                                  "joe@sender.example",
		"<Joe@Sender.Example>":                                                  "joe@sender.example",
		"<joe.smith@sender.example>":                                            "joe.smith@sender.example",
		"<joe+news@sender.example>":                                             "joe@sender.example",
		"<+joe@sender.example>":                                                 "+joe@sender.example",
		"<joe17@sender.example>":                                                "joe#@sender.example",
		"<bounce-17.4@sender.example>":                                          "bounce-#.#@sender.example",
		"<bounce@mail17.sender.example>":                                        "bounce@mail17.sender.example",
		"<0102018f3a7c-1b2c3d4e-000000@sender.example>":                         "#-#-#@sender.example",
		"<bounces+123-abc@sender.example>":                                      "bounces@sender.example",
		"<bounces+123-4567-alice=example.com@sender.example>":                   "bounces@sender.example",
		"<bounce-alice=example.com@list.example>":                               "bounce-#@list.example",
		"<list-return-123-alice=example.com@list.example>":                      "list-return-#-#@list.example",
		"<alice=example.com@list.example>":                                      "#@list.example",
		"<alice=example@list.example>":                                          "alice=example@list.example",
		"<a=b!.c@list.example>":                                                 "a=b!.c@list.example",
		"<prvs=1234ab5678=joe@sender.example>":                                  "joe@sender.example",
		"<PRVS=1234ab5678=Joe+x@sender.example>":                                "joe@sender.example",
		"<prvs=1=prvs=2=joe@sender.example>":                                    "joe@sender.example",
		"<prvs=joe@sender.example>":                                             "prvs=joe@sender.example",
		"<prvs==joe@sender.example>":                                            "prvs==joe@sender.example",
		"<prvs=1234=@sender.example>":                                           "prvs=#=@sender.example",
		"<msprvs1=17563abc=joe@sender.example>":                                 "joe@sender.example",
		"<btv1==123abc==joe@sender.example>":                                    "joe@sender.example",
		"<SRS0=HHH=TT=origin.example=joe@forwarder.example>":                    "srs#@forwarder.example",
		"<SRS0+HHH=TT=origin.example=joe@forwarder.example>":                    "srs#@forwarder.example",
		"<srs1=HHH=other.example==HHH=TT=origin.example=joe@forwarder.example>": "srs#@forwarder.example",
		"<prvs=1234=SRS0=HHH=TT=origin.example=joe@forwarder.example>":          "srs#@forwarder.example",
		"<srs0@forwarder.example>":                                              "srs#@forwarder.example",
		"<srsly@forwarder.example>":                                             "srsly@forwarder.example",
		"<MAILER-DAEMON>":                                                       "mailer-daemon",
	} {
		local, domain := normal(mail.ParseAddress(in))
		got := local
		if domain != "" {
			got += "@" + domain
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7":             "192.0.0.0/19",
		"192.0.31.255":          "192.0.0.0/19",
		"192.0.32.0":            "192.0.32.0/19",
		"198.51.100.1":          "198.51.96.0/19",
		"203.0.113.255":         "203.0.96.0/19",
		"255.255.255.255":       "255.255.224.0/19",
		"::ffff:198.51.100.1":   "198.51.96.0/19",
		"2001:db8:1:2:3:4:5:6":  "2001:db8:1:2::/64",
		"2001:db8::1%eth0":      "2001:db8::/64",
		"2001:db8:ffff:ffff::":  "2001:db8:ffff:ffff::/64",
		"::ffff:192.0.2.7%eth0": "192.0.0.0/19",
	} {
		if got := network(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func addresses(list ...string) []mail.Address {
	var all []mail.Address
	for _, a := range list {
		all = append(all, mail.ParseAddress(a))
	}
	return all
}

func TestKeyTexts(t *testing.T) {
	many := make([]string, 10000)
	for i := range many {
		many[i] = strings.Repeat("x", i%300) + "@example.com"
	}
	g := New(DefaultConfig(), Env{Delimiter: "+", GreyPrefix: "grey.", WhitePrefix: "white."})
	for _, c := range []struct {
		name string
		q    Query
		want string // of the key that is read last; "~" is any hash
	}{
		{"plain", Query{From: mail.ParseAddress("<joe@sender.example>"), Rcpts: addresses("<Bob+x@example.com>", "<alice@example.com>", "<bob@example.com>")},
			"envelope 192.0.0.0/19 <joe@sender.example> alice@example.com,bob@example.com"},
		{"null sender, no domain", Query{Rcpts: addresses("<postmaster>")}, "envelope 192.0.0.0/19 <> postmaster"},
		{"hostile", Query{From: mail.Address{Local: "a b|{c}%~,<>\x00é@d", Domain: "x y"}, Rcpts: addresses(`<"a,b@c"@example.com>`)},
			"envelope 192.0.0.0/19 <a%20b%7C%7Bc%7D%25%7E%2C%3C%3E%00%C3%A9%40d@x%20y> a%2Cb%40c@example.com"},
		{"many", Query{From: mail.ParseAddress("<joe@sender.example>"), Rcpts: addresses(many...)}, "envelope 192.0.0.0/19 <joe@sender.example> @example.com,x@example.com,xx@example.com,xxx@example.com,xxxx@example.com,xxxxx@example.com,xxxxxx@example.com,xxxxxxx@example.com,xxxx~"},
		{"domain", Query{Domain: "sender.example", Rcpts: addresses("<b@example.org>", "<a@example.com>", "<c@example.org>", "<postmaster>")},
			"domain sender.example -,example.com,example.org"},
	} {
		c.q.Client = netip.MustParseAddr("192.0.2.7")
		keys := g.keys(&c.q)
		k := keys[len(keys)-1]
		got := readable(k.id)
		if i := strings.IndexByte(got, '~'); i >= 0 {
			if len(got) != maxID || len(got)-i-1 != 20 {
				t.Errorf("%s: %d bytes, want %d with a hash", c.name, len(got), maxID)
			}
			got = got[:i+1]
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if idOf(readable(k.id)) != k.id {
			t.Errorf("%s: %q is not read back", c.name, readable(k.id))
		}
		if key := g.greyKey(k); !strings.HasPrefix(key, "grey.{") || len(key) > 250 {
			t.Errorf("%s: the key in the store is %q", c.name, key)
		}
	}
}

// TestPrefixes has prefixes of all kinds: keys stay within their bounds, and those of grey
// and white records apart.
func TestPrefixes(t *testing.T) {
	for _, c := range []struct{ grey, white, wantGrey, wantWhite string }{
		{"grey", "white", "grey.", "white."},
		{"grey.", "white.", "grey.", "white."},
		{"", "", ".", "white."},
		{"g", "g.", "g.", "gwhite."},
		{"a{b} c", "w", "a%7Bb%7D%20c.", "w."},
	} {
		g := New(DefaultConfig(), Env{GreyPrefix: c.grey, WhitePrefix: c.white})
		if g.greyPrefix != c.wantGrey || g.whitePrefix != c.wantWhite {
			t.Errorf("%q, %q: got %q, %q", c.grey, c.white, g.greyPrefix, g.whitePrefix)
		}
	}
	long := strings.Repeat("p", 1000)
	g := New(DefaultConfig(), Env{GreyPrefix: long, WhitePrefix: long})
	if len(g.greyPrefix) != maxPrefix || len(g.whitePrefix) != maxPrefix || g.greyPrefix == g.whitePrefix {
		t.Errorf("long prefixes: got %q, %q", g.greyPrefix, g.whitePrefix)
	}
}

func FuzzNormal(f *testing.F) {
	for _, local := range []string{"joe", "prvs=1234=joe", "SRS0=a=b=c=d", "list-alice=example.com", "a1b2-3x4", "\xff\xfe", "İ", "prvs=a-b=c.d", "btv1==a==msprvs1=b=c=d.e"} {
		f.Add(local, "sender.example")
	}
	f.Fuzz(func(t *testing.T, local, domain string) {
		a := mail.Address{Local: local, Domain: domain}
		once, name := normal(a)
		again, same := normal(mail.Address{Local: once, Domain: name})
		if again != once || same != name {
			t.Errorf("%q: got %q, then %q", local, once, again)
		}
		if len(once) > 3*len(local)+4 {
			t.Errorf("%q: got %d bytes", local, len(once))
		}
		if strings.ContainsFunc(once, func(r rune) bool { return r >= '0' && r <= '9' }) {
			t.Errorf("%q: got %q, which has digits", local, once)
		}
		if (once == "") != (local == "") {
			t.Errorf("%q: got %q", local, once)
		}
	})
}

// FuzzKeys makes two envelopes: their keys are equal where their networks, normal senders
// and recipients are, and nowhere else.
func FuzzKeys(f *testing.F) {
	f.Add([]byte{192, 0, 2, 7}, "joe", "sender.example", "alice", "example.com,b@example.com", []byte{192, 0, 31, 1}, "joe", "sender.example", "b", "example.com", "+")
	f.Add([]byte{192, 0, 2, 7}, "", "", "a,b", "c", []byte{192, 0, 2, 7}, "<>", "", "a", "b", "")
	f.Add(bytes.Repeat([]byte{1}, 16), strings.Repeat("é", 300), "x", "y", "z", bytes.Repeat([]byte{1}, 16), strings.Repeat("é", 301), "x", "y", "z", "+-")
	f.Fuzz(func(t *testing.T, ip1 []byte, local1, domain1, rcpt1, at1 string, ip2 []byte, local2, domain2, rcpt2, at2, delimiter string) {
		if len(ip1) != 4 && len(ip1) != 16 || len(ip2) != 4 && len(ip2) != 16 {
			return
		}
		g := New(DefaultConfig(), Env{Delimiter: delimiter})
		one, parts1 := fuzzed(g, ip1, local1, domain1, rcpt1, at1)
		two, parts2 := fuzzed(g, ip2, local2, domain2, rcpt2, at2)
		if (one.id == two.id) != slices.Equal(parts1, parts2) {
			t.Errorf("%q and %q have keys %q and %q", parts1, parts2, one.id, two.id)
		}
		for _, k := range []key{one, two} {
			if key := g.greyKey(k); len(key) > 250 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("key %q of %d bytes", key, len(key))
			}
			if strings.Count(k.id, "|") > 3 || strings.ContainsAny(k.id, "{} ") || idOf(readable(k.id)) != k.id {
				t.Errorf("key %q can't be taken apart", k.id)
			}
			if got, ok := parseKey(k.tag + "." + k.id); !ok || got != k {
				t.Errorf("key %+v is read as %+v", k, got)
			}
		}
	})
}

// fuzzed returns the key of an envelope with the recipients rcpt@at and at@rcpt, and what
// has to be equal where keys are.
func fuzzed(g *Greylist, ip []byte, local, domain, rcpt, at string) (key, []string) {
	addr, _ := netip.AddrFromSlice(ip)
	q := Query{Client: addr, From: mail.Address{Local: local, Domain: domain}, Rcpts: []mail.Address{{Local: rcpt, Domain: at}, {Local: at, Domain: rcpt}}}
	normalLocal, normalDomain := normal(q.From)
	var list [][2]string
	for _, r := range q.Rcpts {
		list = append(list, [2]string{strings.ToLower(r.Strip(g.delimiter)), strings.ToLower(r.Domain)})
	}
	slices.SortFunc(list, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	parts := []string{network(addr).String(), normalLocal, normalDomain}
	for _, r := range slices.Compact(list) {
		parts = append(parts, r[0], r[1])
	}
	keys := g.keys(&q)
	return keys[0], parts
}

// FuzzRecord reads values of the store that others wrote.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"since":"2026-03-01T12:00:00Z","rcpts":["a"],"more":-1}`))
	f.Add([]byte(`{"since":"9999-12-31T23:59:59Z"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		e := decode(value)
		if !e.ok {
			return
		}
		if again := decode(e.record.encode()); !again.ok || !again.record.Since.Equal(e.record.Since) {
			t.Errorf("%q is written as %q", value, e.record.encode())
		}
	})
}
