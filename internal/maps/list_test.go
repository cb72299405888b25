package maps

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"rmilter/internal/mail"
)

// parse reads a list from a text.
func parse(k Kind, text string) (*List, error) {
	r := &reading{list: List{kind: k}}
	if err := r.text("list", strings.NewReader(text)); err != nil {
		return nil, err
	}
	return r.finish()
}

func mustParse(t testing.TB, k Kind, text string) *List {
	t.Helper()
	l, err := parse(k, text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// show writes the result of a look-up.
func show(e Entry, ok bool) string {
	switch {
	case !ok:
		return "-"
	case e.Scored:
		return fmt.Sprintf("%s %g", e.Key, e.Score)
	}
	return e.Key
}

// find looks up a text as the kind of the list wants it.
func find(l *List, what string) string {
	switch l.kind {
	case Networks:
		return show(l.Network(netip.MustParseAddr(what)))
	case Domains:
		return show(l.Domain(what))
	case Addresses:
		return show(l.Address(mail.ParseAddress(what), "+"))
	case Headers:
		name, text, _ := strings.Cut(what, ": ")
		return show(l.Header(name, text))
	}
	return show(l.Text(what))
}

func TestFind(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		text string
		want map[string]string
	}{
		{Networks, "192.0.2.0/24\n192.0.2.7 5\n198.51.100.77/25\n2001:db8::/32\n[2001:db8:1::]/48 -2\n::ffff:203.0.113.5\n", map[string]string{
			"192.0.2.0": "192.0.2.0/24", "192.0.2.255": "192.0.2.0/24", "192.0.2.7": "192.0.2.7 5", "192.0.3.0": "-",
			"198.51.100.1": "198.51.100.0/25", "198.51.100.128": "-", "::ffff:192.0.2.1": "192.0.2.0/24",
			"2001:db8::1": "2001:db8::/32", "2001:db8:1::1": "2001:db8:1::/48 -2", "2001:db9::": "-", "203.0.113.5": "203.0.113.5", "2001:db8::1%eth0": "2001:db8::/32",
		}},
		{Networks, "0.0.0.0/0 1\n10.0.0.0/8\n", map[string]string{"192.0.2.1": "0.0.0.0/0 1", "10.1.1.1": "10.0.0.0/8", "2001:db8::": "-"}},
		{Networks, "", map[string]string{"192.0.2.1": "-"}},
		{Domains, "example.com\n.example.org 2\n*.example.net\nBÜCHER.example\nsub.mail.example.\n/^mx\\d+\\./ 3\ndyn*.example\n", map[string]string{
			"example.com": "example.com", "a.example.com": "-", "example.org": ".example.org 2", "a.b.example.org": ".example.org 2",
			"xexample.org": "-", "example.net": "-", "a.example.net": "*.example.net", "xn--bcher-kva.example": "xn--bcher-kva.example",
			"sub.mail.example": "sub.mail.example", "mail.example": "-", "mx12.mail.example": `/^mx\d+\./ 3`, "dyn-1.example": "dyn*.example", "xdyn.example": "-", "": "-",
		}},
		{Domains, "host.example.com 1\n.example.com 2\n", map[string]string{"host.example.com": "host.example.com 1", "a.host.example.com": ".example.com 2"}},
		{Addresses, "Joe@Example.COM\n@example.org 3\n@.example.net\n@*.mail.example\npostmaster@\n<>\nnews+x@example.info\n/^spam[0-9]+@/i\n*-bounces@list.example\n<jane@bücher.example>\nuser@[192.0.2.1]\n\"a b\"\n", nil},
		{Addresses, "Joe@Example.COM\n@example.org 3\n@.example.net\n@*.mail.example\npostmaster@\n<>\nnews+x@example.info\nplain@example.info\n/^spam[0-9]+@/i\n*-bounces@list.example\n<jane@bücher.example>\nuser@[192.0.2.1]\n\"o?o@example.com\"\n", map[string]string{
			"<joe@example.com>": "joe@example.com", "JOE+list@example.com": "joe@example.com", "joe@sub.example.com": "-", "anybody@example.org": "@example.org 3",
			"a@example.net": "@.example.net", "a@b.example.net": "@.example.net", "a@mail.example": "-", "a@b.mail.example": "@*.mail.example",
			"postmaster@nowhere.example": "postmaster@", "Postmaster": "postmaster@", "<>": "<>", "news+x@example.info": "news+x@example.info", "news@example.info": "-",
			"plain+ext@example.info": "plain@example.info", "SPAM1@nowhere.example": "/^spam[0-9]+@/i", "xspam1@nowhere.example": "-",
			"x-bounces@list.example": "*-bounces@list.example", "x-bounces@list.example.com": "-", "jane@xn--bcher-kva.example": "jane@xn--bcher-kva.example",
			"user@[192.0.2.1]": "user@[192.0.2.1]", "o?o@example.com": "o?o@example.com", "ooo@example.com": "-", "joe": "-", "@example.com": "-",
		}},
		{Headers, "List-Id: <news.example.org> -2\nX-Spam-Tool:\nSubject: \"Free  Money\" 4\nsubject: /\\bcasino\\b/i\nSubject: *lottery*\nX-Mailer: the?bat\n", map[string]string{
			"List-ID: <News.Example.org>": "list-id: <news.example.org> -2", "List-Id: News <news.example.org>": "-", "X-Spam-Tool: whatever": "x-spam-tool:",
			"X-Spam-Tool: ": "x-spam-tool:", "Subject:  free money ": "subject: free money 4", "Subject: free moneys": "-", "SUBJECT: Casino!": `subject: /\bcasino\b/i`,
			"Subject: casinos": "-", "Subject: a LOTTERY b": "subject: *lottery*", "X-Mailer: The Bat": "x-mailer: the?bat", "From: casino": "-", "Subject: the bat": "-",
		}},
		{Texts, "one\n\"two  Words\" # comment\n/thr[e]{2}/\nf*r\nhash#tag 1\n\"# no comment\"\n\"quote\\\"d\"\n", map[string]string{
			"ONE": "one", " one ": "one", "two words": "two words", "three": "/thr[e]{2}/", "THREE": "-", "four": "f*r", "fourth": "-", "hash#tag": "hash#tag 1",
			"# no comment": "# no comment", `quote"d`: `quote"d`, "": "-",
		}},
	} {
		l, err := parse(c.kind, c.text)
		if c.want == nil {
			if err == nil {
				t.Errorf("%q: no fault", c.text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		for what, want := range c.want {
			if got := find(l, what); got != want {
				t.Errorf("%v in %q: %q: got %s, want %s", c.kind, c.text, what, got, want)
			}
		}
	}
}

func TestComments(t *testing.T) {
	text := "\ufeff# a list\r\n\r\n  example.com  \t7.5 # why\r\n\texample.org# not a comment\r\n"
	if _, err := parse(Domains, text); err == nil || !strings.Contains(err.Error(), `list:4: "example.org#"`) {
		t.Errorf("a hash within a word: got %v", err)
	}
	l := mustParse(t, Domains, strings.Replace(text, "org#", "org #", 1)+"example.net")
	for name, want := range map[string]string{"example.com": "example.com 7.5", "example.org": "example.org", "example.net": "example.net"} {
		if got := find(l, name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got := l.Len(); got != 3 {
		t.Errorf("got %d entries, want 3", got)
	}
}

func TestDoubles(t *testing.T) {
	l := mustParse(t, Addresses, "a@example.com 1\nA@EXAMPLE.com 2\na@example.com\n")
	if got := find(l, "a@example.com"); got != "a@example.com 1" || l.Len() != 1 {
		t.Errorf("got %s of %d, want the first of one", got, l.Len())
	}
	l = mustParse(t, Networks, "192.0.2.0/24 1\n192.0.2.9/24 2\n192.0.2.0/24\n")
	if got := find(l, "192.0.2.1"); got != "192.0.2.0/24 1" || l.Len() != 1 {
		t.Errorf("got %s of %d, want the first of one", got, l.Len())
	}
}

func TestEmpty(t *testing.T) {
	var none *List
	for _, l := range []*List{none, mustParse(t, Addresses, "# nothing\n")} {
		_, a := l.Address(mail.ParseAddress("a@example.com"), "+")
		_, b := l.Address(mail.Address{}, "+")
		_, c := l.Domain("example.com")
		_, d := l.Network(netip.MustParseAddr("192.0.2.1"))
		_, e := l.Header("Subject", "x")
		_, f := l.Text("x")
		if a || b || c || d || e || f || l.Len() != 0 {
			t.Errorf("something is found in an empty list: %t %t %t %t %t %t %d", a, b, c, d, e, f, l.Len())
		}
	}
	if _, ok := mustParse(t, Networks, "0.0.0.0/0\n::/0").Network(netip.Addr{}); ok {
		t.Error("no address is found in the network of all")
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		kind       Kind
		text, want string
	}{
		{Networks, "192.0.2.0/33", `"192.0.2.0/33" has no valid mask`},
		{Networks, "ok", `"ok" is no network`},
		{Networks, "192.0.2", `no network`},
		{Networks, "[192.0.2.1]", `no network`},
		{Networks, "fe80::1%eth0", `no network`},
		{Networks, "/^10/", `no network`},
		{Networks, "10.*", `no network`},
		{Networks, "2001:db8::/129", `expected at most /128`},
		{Domains, "exa mple.com", `behind the entry is no number`},
		{Domains, "a..example", `"a..example" is no domain`},
		{Domains, "joe@example.com", `no domain`},
		{Domains, strings.Repeat("a", 64) + ".example", `no domain`},
		{Domains, ".", `no domain`},
		{Domains, "*.", `no domain`},
		{Domains, "*", `"*" matches everything`},
		{Domains, "*.*", `matches everything`},
		{Domains, "example.com 1001", `no number from -1000 to 1000`},
		{Domains, "example.com NaN", `no number`},
		{Domains, "example.com 1 2", `no number`},
		{Domains, "example.com\x00", `control character '\x00'`},
		{Domains, "b\xfccher.example", `no UTF-8`},
		{Domains, "/a(/", `missing closing )`},
		{Domains, "/a", `without its second slash`},
		{Domains, "//", `empty regular expression`},
		{Domains, "/a/x", `unknown flags "x"`},
		{Domains, "/(?:.?){900}(?:.?){900}/", `steps for each character`},
		{Domains, `"example.com`, `without its second one`},
		{Domains, strings.Repeat("x", 5000), "expected at most 4096"},
		{Domains, strings.Repeat("x", 200_000) + "\nexample.com", "list:1: the line has"},
		{Addresses, "example.com", `"example.com" is no address; expected user@example.com, @example.com, user@ or <>`},
		{Addresses, "@", `no address`},
		{Addresses, "a@b@.example.com", `no address`},
		{Addresses, "*@*", `matches everything`},
		{Headers, "Subject", `no header entry`},
		{Headers, "Bad Name: x", `no header entry`},
		{Headers, ": x", `no header entry`},
		{Headers, "Subject: two words", `no number`},
		{Texts, `""`, `an empty text`},
	} {
		_, err := parse(c.kind, c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "list:1: ") {
			t.Errorf("%.60q: got %v, want list:1: …%s", c.text, err, c.want)
		}
	}
	_, err := parse(Domains, "example.com\nb@d\n\n#x\n/(/\n")
	if want := "list:2: "; err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "\nlist:5: ") {
		t.Errorf("got %v, want faults in lines 2 and 5", err)
	}
	_, err = parse(Domains, strings.Repeat("@\n", 1000))
	if n := strings.Count(err.Error(), "\n") + 1; n != maxFaults {
		t.Errorf("got %d faults, want the first %d", n, maxFaults)
	}
}
