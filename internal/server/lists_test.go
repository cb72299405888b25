package server

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"rmilter/internal/controller"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/metrics"
	"rmilter/milter/miltertest"
	"rmilter/test/e2e"
)

// listsOn has mail looked up in DNS lists, also that of our own that is scanned.
const listsOn = "rbl { enabled = yes; } surbl { enabled = yes; }\nstrict_auth = yes; actions { greylist = off; }\n"

// listZones is what the lists know of the tests' senders and links.
const listZones = `
7.113.0.203.zen.spamhaus.org A 127.0.0.4
7.113.0.203.zen.spamhaus.org TXT "https://list.example/203.0.113.7"
8.113.0.203.zen.spamhaus.org A 127.255.255.254
9.113.0.203.zen.spamhaus.org A 127.0.0.10
1.0.0.127.zen.spamhaus.org SOA 60
7.113.0.203.list.dnswl.org A 127.0.5.1
spam.example.dbl.spamhaus.org A 127.0.1.2
www.spam.example A 198.51.100.9
9.100.51.198.zen.spamhaus.org A 127.0.0.2
`

const linkMail = "From: Joe <joe@sender.example>\r\nTo: alice@example.com\r\nSubject: hello\r\nReceived: from a (b [203.0.113.9]) by c; Mon, 2 Mar 2026 10:00:00 +0100\r\n\r\nSee http://www.spam.example/ and http://www.example.com/.\r\n"

// bootLists starts a daemon whose DNS has the lists, and returns when all have passed their
// tests.
func bootLists(t *testing.T, conf string) (*rig, *dnstest.Server, *clock) {
	t.Helper()
	dir, c := t.TempDir(), &clock{}
	must(t, os.Mkdir(dir+"/tmp", 0o700))
	names := dnstest.Start(t, e2e.ListZones()+listZones)
	r := bootIn(t, dir, names.Addr().String(), listsOn+conf, c.now)
	until(t, "all lists have passed their tests", func() bool {
		lists := r.status().Lists
		return len(lists) > 8 && !slices.ContainsFunc(lists, func(l metrics.DNSList) bool { return l.State != "ok" })
	})
	return r, names, c
}

// mailFrom sends linkMail from an address and returns its log line.
func (r *rig) mailFrom(addr string) string {
	r.t.Helper()
	before := len(r.logged())
	c := r.session(addr)
	_, err := c.Deliver(miltertest.Delivery{From: miltertest.Path{Addr: "<joe@sender.example>"}, Rcpts: []miltertest.Path{{Addr: "<alice@example.com>"}},
		Message: miltertest.ParseMessage([]byte(linkMail))}, miltertest.Options{})
	must(r.t, err)
	line := ""
	until(r.t, "a log line", func() bool {
		for l := range strings.Lines(r.logged()[before:]) {
			if strings.Contains(l, " msg=") && strings.Contains(l, "ip="+addr) {
				line = l
			}
		}
		return line != ""
	})
	return line
}

func wantIn(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("got %s, want %q in it", text, w)
		}
	}
}

func wantNotIn(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(text, w) {
			t.Errorf("got %s, want no %q in it", text, w)
		}
	}
}

// What is found in mail of the stranger.
var strangersLists = []string{
	"RBL_SPAMHAUS_XBL(4.00){203.0.113.7:127.0.0.4,7.113.0.203.zen.spamhaus.org}",
	"RCVD_IN_DNSWL_LOW(-0.10){203.0.113.7:127.0.5.1,7.113.0.203.list.dnswl.org}",
	"DBL_SPAM(6.50){www.spam.example:127.0.1.2,spam.example.dbl.spamhaus.org}",
	"URIBL_SBL(6.50){198.51.100.9:127.0.0.2,9.100.51.198.zen.spamhaus.org}",
}

// TestDNSLists sends mail of a listed client, by milter and by HTTP, and our own.
func TestDNSLists(t *testing.T) {
	r, names, _ := bootLists(t, "")
	line := r.mailFrom(stranger)
	wantIn(t, line, strangersLists...)
	wantNotIn(t, line, "PBL", "RBL_FAIL", "SURBL_FAIL") // the earlier hop is dynamic

	code, reply := r.ask("tcp", r.service("scan", "tcp"), linkMail, "Ip", stranger, "Rcpt", "alice@example.com", "From", "joe@sender.example")
	if code != http.StatusOK || strings.Join(reply.Symbols["RBL_SPAMHAUS_XBL"].Options, " ") != "203.0.113.7:127.0.0.4 7.113.0.203.zen.spamhaus.org" || reply.Symbols["DBL_SPAM"].Score != 6.5 {
		t.Errorf("got %d, %+v", code, reply.Symbols)
	}
	if n := names.Queries("7.113.0.203.zen.spamhaus.org", "A"); n != 1 {
		t.Errorf("the list was asked %d times about the same client, want once", n)
	}
	// The recipient's own domain is nobody's business.
	for _, q := range names.Asked() {
		if strings.HasPrefix(q.Name, "example.com.") || strings.HasPrefix(q.Name, "www.example.com.") {
			t.Errorf("asked about the recipient's domain: %s", q.Name)
		}
	}

	asked := len(names.Asked())
	line = r.mailFrom(ours)
	wantIn(t, line, "trust=net", "sym=")
	wantNotIn(t, line, "RBL", "DBL")
	if now := names.Asked(); len(now) != asked {
		t.Errorf("our own mail was asked about: %v", now[asked:])
	}

	s := r.status()
	i := slices.IndexFunc(s.Lists, func(l metrics.DNSList) bool { return l.Section == "rbl" && l.Zone == "zen.spamhaus.org" })
	if i < 0 {
		t.Fatalf("got %+v, want zen.spamhaus.org", s.Lists)
	}
	if l := s.Lists[i]; l.Queries < 4 || l.Limit != 300_000 || l.Listed < 2 || l.Tested.IsZero() || s.State != metrics.OK {
		t.Errorf("got %+v, %s %v, want questions, what is allowed, and no problem", l, s.State, s.Problems)
	}
}

// TestDNSListBlocked has a list refuse to answer. It is out, also after a reload, until a
// test has shown that it works again.
func TestDNSListBlocked(t *testing.T) {
	r, names, clock := bootLists(t, "")
	line := r.mailFrom("203.0.113.8")
	wantNotIn(t, line, "SPAMHAUS")
	wantIn(t, line, "RBL_FAIL(0.00){zen.spamhaus.org:blocked:127.255.255.254}")
	problem := func() string {
		for _, p := range r.status().Problems {
			if strings.Contains(p.Text, "zen.spamhaus.org") {
				return p.Text
			}
		}
		return ""
	}
	wantIn(t, problem(), "127.255.255.254", names.Addr().String())
	if s := r.status(); s.State != metrics.Degraded || len(s.Problems) != 1 {
		t.Errorf("got %s, %v, want one problem", s.State, s.Problems)
	}
	if a, err := r.Reload(); err != nil || !a.Success {
		t.Fatalf("got %+v, %v", a, err)
	}
	wantNotIn(t, r.mailFrom(stranger), "RBL_SPAMHAUS_XBL", "URIBL_SBL")
	if n := names.Queries("7.113.0.203.zen.spamhaus.org", "A"); n != 0 {
		t.Errorf("the list was asked %d times while it was out", n)
	}
	// It can be asked by hand all the same.
	if a := r.rbl("203.0.113.7", "spamhaus"); len(a.Lists) != 1 || a.Lists[0].State != "out" || len(a.Lists[0].Symbols) != 1 {
		t.Errorf("by hand: got %+v, want the listing", a)
	}
	clock.forward(2 * 60 * 60 * 1e9)
	r.env.Lists.Check(t.Context())
	if text := problem(); text != "" || r.status().State != metrics.OK {
		t.Errorf("got the problem %q, state %s, after a test that was fine", text, r.status().State)
	}
	wantIn(t, r.mailFrom(stranger), strangersLists...)
}

// rbl asks the lists by hand.
func (r *rig) rbl(what, list string) (reply controller.ListsReply) {
	r.t.Helper()
	code, body := r.fetch("/rbl?" + url.Values{"what": {what}, "list": {list}}.Encode())
	if code != http.StatusOK {
		r.t.Fatalf("%s at %q: got %d %s", what, list, code, body)
	}
	must(r.t, json.Unmarshal([]byte(body), &reply))
	return reply
}

// fetch asks on the control socket.
func (r *rig) fetch(path string) (int, string) {
	r.t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", r.path("control.sock"))
	}}
	resp, err := (&http.Client{Transport: transport}).Get("http://localhost" + path)
	must(r.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(r.t, err)
	return resp.StatusCode, string(body)
}

// TestDNSListsByHand asks all lists, and one.
func TestDNSListsByHand(t *testing.T) {
	r, _, _ := bootLists(t, "")
	all := r.rbl("203.0.113.7", "")
	i := slices.IndexFunc(all.Lists, func(l controller.ListReply) bool { return l.Name == "spamhaus" })
	if len(all.Lists) < 5 || i < 0 {
		t.Fatalf("got %+v, want all lists of addresses", all)
	}
	l := all.Lists[i]
	if l.Asked != "7.113.0.203.zen.spamhaus.org" || len(l.Answers) != 1 || len(l.Symbols) != 1 || l.Symbols[0].Symbol != "RBL_SPAMHAUS_XBL" ||
		len(l.Texts) != 1 || l.Texts[0] != "https://list.example/203.0.113.7" || l.Error != "" || l.Server == "" || l.State != "ok" {
		t.Errorf("got %+v", l)
	}
	for _, l := range all.Lists {
		if l.Name == "blocklistde" && (len(l.Answers) != 0 || l.Answers == nil || l.Error != "") {
			t.Errorf("got %+v, want that it isn't listed", l)
		}
	}
	one := r.rbl("www.spam.example", "dbl.spamhaus.org")
	if len(one.Lists) != 1 || len(one.Lists[0].Symbols) != 1 || one.Lists[0].Symbols[0].Symbol != "DBL_SPAM" || one.Lists[0].Asked != "spam.example.dbl.spamhaus.org" {
		t.Errorf("got %+v, want DBL_SPAM", one)
	}
	for query, want := range map[string]int{"": 400, "what=nonsense": 400, "what=203.0.113.7&list=nothing": 404, "what=203.0.113.7&more=1": 400} {
		if code, body := r.fetch("/rbl?" + query); code != want {
			t.Errorf("%q: got %d %s, want %d", query, code, body, want)
		}
	}
	if code, body := boot(t, "").fetch("/rbl?what=203.0.113.7"); code != http.StatusConflict {
		t.Errorf("without lists: got %d %s, want 409", code, body)
	}
}

// TestNoDNS has no server that answers: that is no list's fault.
func TestNoDNS(t *testing.T) {
	r := boot(t, listsOn)
	wantNotIn(t, r.mailFrom(stranger), "RBL_SPAM", "DBL_")
	r.env.Lists.Check(t.Context())
	s := r.status()
	if len(s.Lists) < 9 || slices.ContainsFunc(s.Lists, func(l metrics.DNSList) bool { return l.State != "untested" }) {
		t.Errorf("got %+v, want lists that aren't tested", s.Lists)
	}
	if slices.ContainsFunc(s.Problems, func(p metrics.Problem) bool { return strings.Contains(p.ID, "dnslist") }) {
		t.Errorf("got the problems %+v, want none of lists", s.Problems)
	}
}
