package checks

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
	"rmilter/scan"
)

// listEnvelope is the envelope of the tests.
func listEnvelope(from string, rcpts ...string) *mail.Envelope {
	e := &mail.Envelope{ClientIP: netip.MustParseAddr("192.0.2.25"), From: mail.Path{Address: mail.ParseAddress(from)}}
	for _, r := range rcpts {
		e.Rcpts = append(e.Rcpts, mail.Path{Address: mail.ParseAddress(r)})
	}
	return e
}

// listed runs Lists with the files given, by name, and returns what it found and
// demanded.
func listed(t *testing.T, files map[string]string, e *mail.Envelope, header string) string {
	t.Helper()
	data := t.TempDir()
	if err := os.Mkdir(filepath.Join(data, "lists"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(data, "lists", name+".list"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	engine, err := build("arc { trusted_sealers = relay.example }", scan.Env{Now: frozen, DataDir: data, Delimiter: "+"}, authChecks(Lists)...)
	if err != nil {
		t.Fatal(err)
	}
	raw, sign := strings.CutPrefix(header+"\n\nbody\n", "signed ")
	if sign {
		raw = signed(t, raw, "example.com")
	}
	raw, listSigned := strings.CutPrefix(raw, "list ")
	if listSigned {
		raw = signed(t, raw, "list.example")
	}
	raw, once := strings.CutPrefix(raw, "once ")
	if once {
		raw = signedOnce(t, raw, "example.com")
	}
	raw, relayed := strings.CutPrefix(raw, "relayed ")
	if relayed {
		raw = sealed(t, raw, "relay.example", "x; dmarc=pass header.from=strict.example")
	}
	top, rest, ok := strings.Cut(raw, "\nABOVE ")
	if ok {
		above, rest, _ := strings.Cut(rest, "\n")
		raw = above + "\n" + top + "\n" + rest
	}
	m := mail.Parse([]byte(raw), mail.DefaultLimits)
	r := engine.Scan(t.Context(), e, m, aids(t.Context(), texts{
		"example.com":                "v=spf1 ip4:192.0.2.25 -all",
		"s._domainkey.example.com":   testKey(t).Record(),
		"s._domainkey.evil.example":  testKey(t).Record(),
		"anyone.example":             "v=spf1 +all",
		"halves.example":             "v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all",
		"s._domainkey.list.example":  testKey(t).Record(),
		"s._domainkey.relay.example": testKey(t).Record(),
		"list.example":               "v=spf1 ip4:192.0.2.25 -all",
		"sub.strict.example":         "v=spf1 ip4:192.0.2.25 -all",
		"_dmarc.strict.example":      "v=DMARC1; p=reject; adkim=s; aspf=s",
	}, m))
	if r.Failed != nil {
		t.Error(r.Failed)
	}
	r.Findings = slices.DeleteFunc(r.Findings, func(f scan.Finding) bool { return !slices.Contains(Lists.Symbols, f.Symbol) })
	got := findings(r)
	if score := engine.Weights().Score(r.Findings).Total; score != 0 {
		got += fmt.Sprintf(" %g", score)
	}
	if p := r.Passthrough; p != nil {
		got += " " + p.Action.String()
		if p.Message != "" {
			got += ": " + p.Message
		}
	}
	return got
}

// texts is a Lookuper of TXT records.
type texts map[string]string

func (l texts) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	text, ok := l[name]
	if !ok || t != dns.TypeTXT {
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.NotFound}
	}
	return dns.Answer{Name: name, Type: t, Texts: []string{text}}, nil
}

func TestLists(t *testing.T) {
	const from = "From: Joe <joe@example.com>"
	joe := listEnvelope("<joe@example.com>", "<alice@example.org>")
	forged := listEnvelope("<joe@example.com>", "<alice@example.org>")
	forged.ClientIP = netip.MustParseAddr("192.0.2.26")
	ours := listEnvelope("<joe@example.com>", "<alice@example.org>")
	ours.ClientIP, ours.Trust = forged.ClientIP, mail.OurNetwork
	bossForged := listEnvelope("<boss@example.com>")
	bossForged.ClientIP = forged.ClientIP
	cut := listEnvelope("<joe@example.com>", "<alice@example.org>")
	cut.RcptsCut = true
	for _, c := range []struct {
		name   string
		files  map[string]string
		e      *mail.Envelope
		header string
		want   string
	}{
		{"nothing", nil, joe, from, ""},
		{"others", map[string]string{"allow_sender": "jane@example.com\n", "block_domain": "example.net\n", "block_network": "198.51.100.0/24\n", "block_header": "X: y\n", "allow_recipient": "bob@example.org"}, joe, from, ""},
		// Whoever sends can write such a sender: it has to be proved.
		{"allow sender", map[string]string{"allow_sender": "joe@example.com\n"}, joe, from, "ALLOW_LIST_SENDER{joe@example.com} -3"},
		{"allow From", map[string]string{"allow_sender": "joe@example.com\n"}, listEnvelope("<bounce@example.net>", "<alice@example.org>"), "signed " + from, "ALLOW_LIST_SENDER{joe@example.com} -3"},
		{"allow sender and its domain", map[string]string{"allow_sender": "joe@example.com\n", "allow_domain": ".example.com\n"}, joe, from, "ALLOW_LIST_SENDER{joe@example.com} -3"},
		{"allow domain", map[string]string{"allow_domain": ".example.com\n"}, joe, from, "ALLOW_LIST_DOMAIN{.example.com} -3"},
		{"allow domain of From, number", map[string]string{"allow_domain": "example.com -1.5\n"}, listEnvelope("<>", "<alice@example.org>"), "signed " + from, "ALLOW_LIST_DOMAIN{example.com} -1.5"},
		{"allow header", map[string]string{"allow_header": "List-Id: <news.example.com>\n"}, joe, from + "\nList-Id: <news.example.com>", "ALLOW_LIST_HEADER{list-id: <news.example.com>} -2"},
		{"allow sender, forged", map[string]string{"allow_sender": "joe@example.com\n"}, forged, from, "ALLOW_UNAUTHENTICATED{sender,<joe@example.com>}"},
		{"allow From, forged", map[string]string{"allow_sender": "joe@example.com\n"}, listEnvelope("<bounce@example.net>", "<alice@example.org>"), from, "ALLOW_UNAUTHENTICATED{sender,<joe@example.com>}"},
		{"allow From, bad signature", map[string]string{"allow_sender": "joe@example.com\n"}, listEnvelope("<bounce@example.net>"), "DKIM-Signature: v=1; a=ed25519-sha256; d=example.com; s=s; h=from; bh=eA==; b=eA==\n" + from, "ALLOW_UNAUTHENTICATED{sender,<joe@example.com>}"},
		{"allow one of two in From", map[string]string{"allow_sender": "joe@example.com\njim@example.net"}, joe, "From: jim@example.net, joe@example.com", "ALLOW_LIST_SENDER{joe@example.com} -3"},
		{"allow domain, forged", map[string]string{"allow_domain": ".example.com\n"}, forged, from, "ALLOW_UNAUTHENTICATED{domain,<joe@example.com>}"},
		{"allow domain that everybody may use", map[string]string{"allow_domain": "anyone.example\n"}, listEnvelope("<joe@anyone.example>"), "From: joe@anyone.example", "ALLOW_UNAUTHENTICATED{domain,<joe@anyone.example>}"},
		{"allow domain whose halves everybody may use", map[string]string{"allow_domain": "halves.example\n"}, listEnvelope("<joe@halves.example>"), "From: joe@halves.example", "ALLOW_UNAUTHENTICATED{domain,<joe@halves.example>}"},
		// A signature proves nothing of the envelope's sender, SPF nothing of an author in
		// another domain.
		{"allow sender of the envelope, forged beside a good signature", map[string]string{"allow_sender": "boss@example.com\n"}, bossForged, "signed From: ceo@example.com", "ALLOW_UNAUTHENTICATED{sender,<boss@example.com>}"},
		{"allow domain of the envelope, forged beside a good signature", map[string]string{"allow_domain": "example.com\n"}, bossForged, "list From: ceo@list.example", "ALLOW_UNAUTHENTICATED{domain,<boss@example.com>}"},
		{"allow From, SPF of another", map[string]string{"allow_sender": "joe@example.com\n"}, listEnvelope("<x@list.example>"), from, "ALLOW_UNAUTHENTICATED{sender,<joe@example.com>}"},
		{"allow From, second From on top", map[string]string{"allow_sender": "boss@example.com\n"}, listEnvelope("<x@example.net>"), "once From: Joe <joe@example.com>\nSubject: x\nABOVE From: boss@example.com", "ALLOW_UNAUTHENTICATED{sender,<boss@example.com>,several From fields}"},
		{"allow From, second From, SPF", map[string]string{"allow_sender": "boss@example.com\n"}, joe, "From: boss@example.com\nFrom: joe@example.com", "ALLOW_UNAUTHENTICATED{sender,<boss@example.com>,several From fields}"},
		{"allow From, DMARC fails", map[string]string{"allow_sender": "vip@strict.example\n"}, listEnvelope("<x@sub.strict.example>"), "From: vip@strict.example", "ALLOW_UNAUTHENTICATED{sender,<vip@strict.example>,DMARC fails for strict.example}"},
		{"allow header From, DMARC fails", map[string]string{"allow_header": "From: /vip/\n"}, listEnvelope("<x@sub.strict.example>"), "From: vip@strict.example", "ALLOW_UNAUTHENTICATED{header,From: vip@strict.example,DMARC fails for strict.example}"},
		{"allow sender of a list, DMARC fails for From", map[string]string{"allow_sender": "x@list.example\n"}, listEnvelope("<x@list.example>"), "list From: ceo@strict.example", "ALLOW_UNAUTHENTICATED{sender,<x@list.example>,DMARC fails for strict.example}"},
		{"allow sender of a list, trusted sealer", map[string]string{"allow_sender": "x@list.example\n"}, listEnvelope("<x@list.example>"), "relayed From: ceo@strict.example\nSubject: x", "ALLOW_LIST_SENDER{x@list.example} -3"},
		{"allow sender of a list", map[string]string{"allow_sender": "x@list.example\n"}, listEnvelope("<x@list.example>"), "list From: ceo@example.net", "ALLOW_LIST_SENDER{x@list.example} -3"},
		{"allow every domain, forged", map[string]string{"allow_sender": "joe@\n"}, forged, from, "ALLOW_UNAUTHENTICATED{sender,<joe@example.com>}"},
		{"allow bounces", map[string]string{"allow_sender": "<>\n"}, listEnvelope("<>"), from, "ALLOW_UNAUTHENTICATED{sender,<>}"},
		{"allow header From", map[string]string{"allow_header": "From: /joe/\n"}, joe, from, "ALLOW_LIST_HEADER{from: /joe/} -2"},
		{"allow header From, forged", map[string]string{"allow_header": "From: /joe/\n"}, forged, from, "ALLOW_UNAUTHENTICATED{header,From: Joe <joe@example.com>}"},
		{"allow header From and another, forged", map[string]string{"allow_header": "From: /joe/\nX-A: 1\n"}, forged, from + "\nX-A: 1", "ALLOW_LIST_HEADER{x-a: 1} -2"},
		{"allow our own", map[string]string{"allow_sender": "joe@example.com\n"}, ours, from, "ALLOW_LIST_SENDER{joe@example.com} -3"},
		{"block needs no proof", map[string]string{"block_sender": "joe@example.com\n", "allow_sender": "joe@example.com\n"}, forged, from, "ALLOW_UNAUTHENTICATED{sender,<joe@example.com>} BLOCK_LIST_SENDER{joe@example.com} 10 reject: Sender is blocked here"},
		// These can't be forged.
		{"allow network", map[string]string{"allow_network": "192.0.2.0/24\n"}, joe, from, "ALLOW_LIST_NETWORK{192.0.2.0/24} -5 no action"},
		{"allow network, number", map[string]string{"allow_network": "192.0.2.0/24 -1\n"}, joe, from, "ALLOW_LIST_NETWORK{192.0.2.0/24} -1"},
		{"allow recipient", map[string]string{"allow_recipient": "@example.org\n"}, listEnvelope("<joe@example.com>", "<alice+x@example.org>", "<bob@example.org>"), from, "ALLOW_LIST_RECIPIENT{@example.org} -5 no action"},
		{"allow recipient with an extension", map[string]string{"allow_recipient": "alice@example.org\n"}, listEnvelope("<joe@example.com>", "<Alice+x@example.org>"), from, "ALLOW_LIST_RECIPIENT{alice@example.org} -5 no action"},
		{"allow one recipient of two", map[string]string{"allow_recipient": "alice@example.org\n"}, listEnvelope("<joe@example.com>", "<alice@example.org>", "<bob@example.org>"), from, ""},
		{"no recipients", map[string]string{"allow_recipient": "*@*.org\n@example.org"}, listEnvelope("<joe@example.com>"), from, ""},
		{"recipients that nobody knows", map[string]string{"allow_recipient": "@example.org"}, cut, from, ""},
		{"block sender", map[string]string{"block_sender": "*@example.com\n"}, joe, "From: x@example.net", "BLOCK_LIST_SENDER{*@example.com} 10 reject: Sender is blocked here"},
		{"block From", map[string]string{"block_sender": "joe@\n"}, listEnvelope("<x@example.net>", "<alice@example.org>"), "From: y@example.net, Joe <joe@example.com>", "BLOCK_LIST_SENDER{joe@} 10 reject: Sender is blocked here"},
		{"block sender, number", map[string]string{"block_sender": "joe@example.com 4.5\n"}, joe, from, "BLOCK_LIST_SENDER{joe@example.com} 4.5"},
		{"block bounces", map[string]string{"block_sender": "<>\n"}, listEnvelope("<>", "<alice@example.org>"), from, "BLOCK_LIST_SENDER{<>} 10 reject: Sender is blocked here"},
		{"block bounces, From empty", map[string]string{"block_sender": "<>\n"}, joe, "From: <>", ""},
		{"block domain", map[string]string{"block_domain": "/^ex.mple\\.com$/\n"}, joe, "", "BLOCK_LIST_DOMAIN{/^ex.mple\\.com$/} 10 reject: Domain of the sender is blocked here"},
		{"block network", map[string]string{"block_network": "192.0.2.25\n2001:db8::/32"}, joe, from, "BLOCK_LIST_NETWORK{192.0.2.25} 10 reject: Network of the client is blocked here"},
		{"local injection has no network", map[string]string{"block_network": "0.0.0.0/0\n::/0"}, &mail.Envelope{}, from, ""},
		{"block recipient", map[string]string{"block_recipient": "alice@example.org\n"}, joe, from, "BLOCK_LIST_RECIPIENT{alice@example.org} 10 reject: Recipient takes no mail"},
		{"block one recipient of two", map[string]string{"block_recipient": "alice@example.org\n"}, listEnvelope("<joe@example.com>", "<alice@example.org>", "<bob@example.org>"), from, ""},
		{"block header", map[string]string{"block_header": "Subject: /\\bcheap\\b/i\nX-Mailer:\n"}, joe, from + "\nSubject: =?utf-8?q?Ch?= =?utf-8?q?eap?= things", "BLOCK_LIST_HEADER{subject: /\\bcheap\\b/i} 10 reject: Message is blocked here"},
		{"block header far down", map[string]string{"block_header": "X-A: 1\nX-B: 1"}, joe, strings.Repeat("X-A: 0\n", 1000) + "X-B: 1", ""},
		// Blocked wins.
		{"allow and block", map[string]string{"allow_network": "192.0.2.0/24\n", "block_sender": "joe@example.com\n"}, joe, from, "ALLOW_LIST_NETWORK{192.0.2.0/24} BLOCK_LIST_SENDER{joe@example.com} 5 reject: Sender is blocked here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := listed(t, c.files, c.e, c.header); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestListFiles has further files, and changes them.
func TestListFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mine")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	conf := fmt.Sprintf(`lists { block_sender = "%s"; }`, path)
	env := scan.Env{Now: func() time.Time { return now }, DataDir: dir}
	if _, err := build(conf, env, authChecks(Lists)...); err == nil || !strings.Contains(err.Error(), "section lists: open "+path) {
		t.Errorf("a file of the configuration that isn't there: got %v", err)
	}
	write("bad\n")
	if _, err := build(conf, env, authChecks(Lists)...); err == nil || !strings.Contains(err.Error(), path+":1: ") {
		t.Errorf("a bad file at start: got %v", err)
	}
	write("joe@example.com\n")
	e, err := build(conf, env, authChecks(Lists)...)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []struct{ text, want, fault string }{
		{"joe@example.com\n", "BLOCK_LIST_SENDER{joe@example.com}", ""},
		{"jane@example.com\n", "", ""},
		{"joe@example.com\nbad\n", "", path + `:2: "bad" is no address`},
		{"@example.com\n", "BLOCK_LIST_SENDER{@example.com}", ""},
	} {
		write(s.text)
		now = now.Add(time.Minute)
		err := e.Refresh()
		if s.fault == "" && err != nil || s.fault != "" && (err == nil || !strings.Contains(err.Error(), s.fault)) {
			t.Errorf("step %d: got %v, want %s", i, err, s.fault)
		}
		got := findings(e.Scan(t.Context(), listEnvelope("<joe@example.com>"), mail.Parse(nil, mail.DefaultLimits), scan.Aids{}))
		if got != s.want {
			t.Errorf("step %d: got %s, want %s", i, got, s.want)
		}
	}
	for _, conf := range []string{`lists { block_sender = mine }`, `lists { allow_header = "a", b }`} {
		if _, err := build(conf, env, authChecks(Lists)...); err == nil || !strings.Contains(err.Error(), "is not a path") {
			t.Errorf("%s: got %v", conf, err)
		}
	}
}

func BenchmarkLists(b *testing.B) {
	path := filepath.Join(b.TempDir(), "file")
	var text strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&text, "user%d@example.net\n", i)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	e, err := build(fmt.Sprintf(`lists { allow_sender = "%s"; block_sender = "%s"; }`, path, path), scan.Env{Now: time.Now}, authChecks(Lists)...)
	if err != nil {
		b.Fatal(err)
	}
	env, m := listEnvelope("<joe@example.com>", "<alice@example.org>"), mail.Parse([]byte("From: joe@example.com\n\n"), mail.DefaultLimits)
	for b.Loop() {
		e.Scan(b.Context(), env, m, scan.Aids{})
	}
}
