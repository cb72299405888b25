package mail_test

import (
	"fmt"
	"strings"
	"testing"

	"rmilter/internal/mail"
	"rmilter/test/mimesuite"
)

// told writes a target: scheme, host, registered domain, port and what is odd.
func told(t mail.Target) string {
	s := t.Scheme + " " + t.Name()
	if t.Addr.IsValid() {
		s += " addr"
	} else {
		s += " " + t.Domain
	}
	if t.Port > 0 {
		s += fmt.Sprintf(" :%d", t.Port)
	}
	if t.User {
		s += " user"
	}
	if t.Disguised {
		s += " disguised"
	}
	return s
}

// TestTarget reads hosts as browsers do.
func TestTarget(t *testing.T) {
	for in, want := range map[string]string{
		"http://example.com":                                   "http example.com example.com",
		"https://WWW.Example.CO.UK/path?q#f":                   "https www.example.co.uk example.co.uk",
		"//www.example.com/x":                                  "http www.example.com example.com",
		`\\www.example.com\x`:                                  "http www.example.com example.com",
		"http:example.com":                                     "http example.com example.com",
		`http:\example.com\@example.org`:                       "http example.com example.com",
		"http:////example.com":                                 "http example.com example.com",
		" \x01ht\ntp:/\t/exa\r\nmple.com ":                     "http example.com example.com",
		"ftp://ftp.example.com/":                               "ftp ftp.example.com example.com",
		"ftps://ftp.example.com/":                              "ftps ftp.example.com example.com",
		"wss://example.com":                                    "wss example.com example.com",
		"file://server.example.com/share":                      "file server.example.com example.com",
		"http://example.com:8080/":                             "http example.com example.com :8080",
		"http://example.com:99999/":                            "http example.com example.com",
		"http://example.com:/":                                 "http example.com example.com",
		"http://example.com:port/":                             "http example.com example.com",
		"http://bank.example@example.com/":                     "http example.com example.com user",
		"http://bank.example:80@example.com:81/":               "http example.com example.com :81 user",
		"http://a@b@example.com/":                              "http example.com example.com user",
		"http://@example.com/":                                 "http example.com example.com user",
		"http://bank.example%2f@example.com":                   "http example.com example.com user",
		"http://bank.example?@example.com":                     "http bank.example bank.example",
		"http://bank.example#@example.com":                     "http bank.example bank.example",
		"http://example.com./":                                 "http example.com example.com",
		"http://example.com../":                                "http example.com example.com",
		"http://ex%61mple%2ecom/":                              "http example.com example.com disguised",
		"http://ex%2561mple.com/":                              "",
		"http://ＥＸＡＭＰＬＥ．ＣＯＭ/":                                  "http example.com example.com disguised",
		"http://example。com/":                                  "http example.com example.com disguised",
		"http://%EF%BC%85%EF%BC%94%EF%BC%91.com":               "",
		"http://ex\u00adam\u200bple.com":                       "http example.com example.com disguised",
		"http://ⓔxample.com":                                   "http example.com example.com disguised",
		"http://bücher.example/":                               "http xn--bcher-kva.example xn--bcher-kva.example",
		"http://BÜCHER。example/":                               "http xn--bcher-kva.example xn--bcher-kva.example",
		"http://b%C3%BCcher.example/":                          "http xn--bcher-kva.example xn--bcher-kva.example disguised",
		"http://faß.example/":                                  "http xn--fa-hia.example xn--fa-hia.example",
		"http://xn--bcher-kva.example/":                        "http xn--bcher-kva.example xn--bcher-kva.example",
		"http://foo_bar.example.com/":                          "http foo_bar.example.com example.com",
		"http://a=b.example.com/":                              "http a=b.example.com example.com",
		"http://-a-.example.com/":                              "http -a-.example.com example.com",
		"http://192.0.2.1/":                                    "http 192.0.2.1 addr",
		"http://192.0.2.1./":                                   "http 192.0.2.1 addr",
		"http://3221225985/":                                   "http 192.0.2.1 addr disguised",
		"http://0xC0000201/":                                   "http 192.0.2.1 addr disguised",
		"http://030000001001/":                                 "http 192.0.2.1 addr disguised",
		"http://0300.0.02.01/":                                 "http 192.0.2.1 addr disguised",
		"http://0xc0.0x0.0x2.0x1/":                             "http 192.0.2.1 addr disguised",
		"http://192.513/":                                      "http 192.0.2.1 addr disguised",
		"http://192.0.513/":                                    "http 192.0.2.1 addr disguised",
		"http://192.0.2.0x/":                                   "http 192.0.2.0 addr disguised",
		"http://１９２．０．２．１/":                                    "http 192.0.2.1 addr disguised",
		"http://①⑨②.0.2.1/":                                    "http 192.0.2.1 addr disguised",
		"http://%31%39%32.0.2.1/":                              "http 192.0.2.1 addr disguised",
		"http://user@3221225985:8080":                          "http 192.0.2.1 addr :8080 user disguised",
		"http://256.0.2.1/":                                    "",
		"http://192.0.2.256/":                                  "",
		"http://192.0.2.09/":                                   "",
		"http://192.0.2.1.1/":                                  "",
		"http://4294967296/":                                   "",
		"http://example.1/":                                    "",
		"http://99999999999999999999/":                         "",
		"http://[2001:DB8::1]/":                                "http 2001:db8::1 addr",
		"http://[2001:db8::1]:8080/":                           "http 2001:db8::1 addr :8080",
		"http://u@[::ffff:192.0.2.1]":                          "http 192.0.2.1 addr user",
		"http://[2001:db8::1%25eth0]/":                         "",
		"http://[192.0.2.1]/":                                  "",
		"http://[2001:db8::1/":                                 "",
		"http://[]/":                                           "",
		"http://localhost/":                                    "http localhost ",
		"http://com/":                                          "http com ",
		"http://co.uk/":                                        "http co.uk ",
		"http://a.github.io/":                                  "http a.github.io a.github.io",
		"http://\xff.example.com/":                             "",
		"http://℀.example.com/":                                "",
		"http://a b.example.com/":                              "",
		"http://a..example.com/":                               "",
		"http://.example.com/":                                 "",
		"http://example.com,/":                                 "",
		"http://" + strings.Repeat("a", 64) + ".com":           "",
		"http://" + strings.Repeat("a.", 200) + "com":          "",
		"http://" + strings.Repeat("u", 5000) + "@example.com": "http example.com example.com user",
		"http://" + strings.Repeat("a", 5000):                  "",
		"http://":                                              "", "http:": "", "": "", "http": "", "/path": "", "path": "", "#top": "", "example.com": "",
		"mailto:joe@example.com": "", "cid:1@example.com": "", "data:text/html,x": "", "tel:+1": "", "javascript://example.com/": "",
		"about:blank": "", "file:///etc/passwd": "", "file:c:/x": "", "tg://resolve": "", "https": "",
	} {
		l := mail.Link{URL: in}
		got := ""
		if to, ok := l.Target(); ok {
			got = told(to)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// html makes a message of HTML.
func html(body string) *mail.Message {
	return mail.Parse([]byte("Content-Type: text/html; charset=utf-8\n\n"+body), mail.Limits{})
}

// list writes the targets of a message.
func list(m *mail.Message) string {
	var all []string
	for _, t := range m.Targets() {
		all = append(all, t.Kind.String()+" "+told(t))
	}
	return strings.Join(all, "\n")
}

func TestTargets(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"kinds", `<a href="http://a.example/">x</a><img src="http://b.example/i"><form action="http://c.example/"><link href="//d.example/"></form>` +
			`<meta http-equiv=refresh content="0;url=http://e.example/"><p style="background:url(http://f.example/)">www.g.example hxxp://h.example joe@i.example j.com`,
			"anchor http a.example a.example\nimage http b.example b.example\nform http c.example c.example\nresource http d.example d.example\n" +
				"refresh http e.example e.example\nstyle http f.example f.example\ntext http www.g.example g.example\nobfuscated http h.example h.example disguised\nname http j.com j.com"},
		{"each host once", `<a href="http://A.example/1">x</a><a href="https://a.example./2">x</a><a href="https://a.example:81">x</a>`, "anchor http a.example a.example"},
		{"each address once", `<a href="http://3221225985/1">x</a><a href="https://0xc0000201/2">x</a>`, "anchor http 192.0.2.1 addr disguised"},
		{"one of them disguised", `<a href="http://3221225985/1">x</a><a href="https://192.0.2.1/2">x</a>`, "anchor http 192.0.2.1 addr"},
		{"disguised in text only", "hxxp://a.example http://a.example", "obfuscated http a.example a.example"},
		{"one of them with a user", `<a href="http://a.example/1">x</a><a href="https://u@a.example/2">x</a>`, "anchor http a.example a.example user"},
		{"base", `<base href="http://a.example/"><a href="/x">x</a><a href="//b.example">x</a><a href="y">x</a>`, "anchor http a.example a.example\nanchor http b.example b.example"},
		{"relative base", `<base href="www.a.example"><a href="x">x</a>`, "anchor http www.a.example a.example"},
		{"base without end", `<base href="http://a.example/` + strings.Repeat("x", 10_000) + `"><a href="/x">x</a>`, "anchor http a.example a.example"},
		{"disguised base", `<base href="http://%61.example/"><a href="x">x</a>`, "anchor http a.example a.example disguised"},
		{"nowhere", `<a href="mailto:joe@example.com">x</a><a href="cid:1@example.com">x</a><a href="x">x</a><a href="http://a..b/">x</a>`, ""},
	} {
		got := list(html(c.body))
		if got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestTargetsBound(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "http://h%d.example/ joe%d@example.com\n", i, i)
	}
	m := mail.Parse([]byte("Reply-To: late@example.org\n\n"+b.String()), mail.Limits{})
	if n := len(m.Targets()); n != 1000 {
		t.Errorf("%d targets, want 1000", n)
	}
	if n := len(m.MailAddresses()); n != 1000 {
		t.Errorf("%d addresses, want 1000", n)
	}
	if last := m.Targets()[999]; last.Host != "h999.example" {
		t.Errorf("the last one is %+v", last)
	}
}

func TestMailAddresses(t *testing.T) {
	m := mail.Parse([]byte("From: Joe <from@example.com>\nReply-To: Ann <Ann@Example.org>, b@example.net, nobody\nContent-Type: text/html\n\n"+
		`<a href="mailto:joe%2Bx@example.com?subject=a@b.example">x</a> <a href="MAILTO:c@example.com,%20d@b%C3%BCcher.example">x</a> joe+x@EXAMPLE.com `+
		`<a href="mailto:?to=e@example.com">x</a><a href="mailto:f@[192.0.2.1]">x</a><a href="mailto:@example.com">x</a><a href="mailto:g@">x</a><a href="mailto:h@a..b">x</a> ann@example.org i@example.com.`), mail.Limits{})
	var got []string
	for _, a := range m.MailAddresses() {
		got = append(got, a.String())
	}
	const want = "<joe+x@example.com> <c@example.com> <d@xn--bcher-kva.example> <f@[192.0.2.1]> <ann@example.org> <i@example.com> <b@example.net>"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// FuzzTarget wants hosts that DNS can be asked for and addresses in their one form.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{
		"http://u:p@[2001:db8::1]:80/", "http://0x7f.1/", "http://ＥＸ%41.example。com:1", `http:\\a\b`, "http://xn--a.example", "//a", "http://1.2.3.4.5.",
		"www . example . com", "hxxps[:]//a[.]bc[dot]com", "a (dot) b [.] com", "http://a dot com", "h**p://", "[:]//", "www dot", "example[.]com@", "@example[.]com",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check := func(l mail.Link) {
			to, ok := l.Target()
			if !ok {
				return
			}
			again := mail.Link{URL: "http://" + to.Name()}
			if to.Addr.Is6() {
				again.URL = "http://[" + to.Name() + "]"
			}
			if a, ok := again.Target(); !ok || a.Host != to.Host || a.Addr != to.Addr || a.Domain != to.Domain || a.Disguised {
				t.Errorf("%q leads to %+v, which leads to %+v, %t", l.URL, to, a, ok)
			}
			if (to.Host == "") != to.Addr.IsValid() || to.Addr.Is4In6() || to.Addr.Zone() != "" || len(to.Host) > 253 || !strings.HasSuffix(to.Host, to.Domain) {
				t.Errorf("%q: %+v", l.URL, to)
			}
		}
		check(mail.Link{URL: s})
		check(mail.Link{URL: "http://" + s, Kind: mail.LinkText})
		for _, l := range mail.TextLinks(s) {
			if !strings.Contains(s, l.Text) || l.Text == "" {
				t.Errorf("%q is shown as %q", l.URL, l.Text)
			}
			check(l)
		}
		m := html(s)
		if err := mimesuite.Check(m, mail.DefaultLimits); err != nil {
			t.Error(err)
		}
		for _, a := range m.MailAddresses() {
			if a.Local == "" || a.Domain == "" {
				t.Errorf("address %+v", a)
			}
		}
		if len(m.Targets()) > len(m.Links()) {
			t.Errorf("%d targets of %d links", len(m.Targets()), len(m.Links()))
		}
	})
}

// hostileTexts are texts of about n bytes that want to hurt.
func hostileTexts(n int) map[string]string {
	rep := func(s string) string { return strings.Repeat(s, n/len(s)) }
	var hosts strings.Builder
	for i := 0; hosts.Len() < n; i++ {
		fmt.Fprintf(&hosts, "http://ü%d.example/ ", i)
	}
	return map[string]string{
		"brackets": rep("["), "dots in brackets": rep("a[.]"), "long labels": rep(strings.Repeat("a", 62) + "[.]"), "no top level": rep("aa[.]bb[.]cc "),
		"www dot": rep("www dot "), "www . ": rep("www . "), "schemes": rep("hxxp://"), "colons": rep("[:]//"), "names": rep("aa[.]com "), "at": rep("at aa[.]com "),
		"hosts": hosts.String(), "one host": "http://" + rep("a."), "wide host": "http://" + rep("ａ"), "percent": "http://" + rep("%41"), "users": "http://" + rep("a@"),
		"links": rep("http://a.example/ "), "addresses": rep("a@b.example "),
	}
}

// BenchmarkTargets measures finding links and where they lead: the time for a byte is
// the same for texts of any length.
func BenchmarkTargets(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		for name, text := range hostileTexts(n) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					m := mail.Parse([]byte("\n"+text), mail.Limits{})
					m.Targets()
					m.MailAddresses()
				}
			})
		}
	}
}
