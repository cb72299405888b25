package server

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"rmilter/dkim"
	"rmilter/internal/mail"
	"rmilter/test/smtpclient"
)

// elsewhere is a client that no domain lets send its mail; second is another one of
// sender.example, far from the stranger.
const (
	elsewhere = "192.0.2.77"
	second    = "198.51.100.30"
)

// TestSecondHost has a domain send from one host and then from others. What SPF proves to
// come from it passes greylisting as soon as its mail has passed.
func TestSecondHost(t *testing.T) {
	onEachStore(t, "", func(t *testing.T, w *world) {
		first := w.letter("joe@sender.example", "alice@example.com", "doubtful offer")
		w.stranger().deferred(first).has(t, "grey=new ", "R_SPF_ALLOW(-0.20)")
		// Nobody else gets any nearer by it.
		w.client(elsewhere, "").deferred(w.letter("joe@sender.example", "bob@example.com", "doubtful forgery")).has(t, "grey=new ", "R_SPF_FAIL(1.00)")
		w.forward(6 * time.Minute)
		w.stranger().accepted(first).has(t, "grey=passed:36")
		w.next("alice")

		w.client(second, "").accepted(w.letter("jim@sender.example", "bob@example.com", "doubtful, of another host")).has(t, "grey=white ", "R_SPF_ALLOW(-0.20)")
		text := w.next("bob")
		if got := field(text, "X-Rmilter-Greylist"); len(got) != 1 || !strings.Contains(got[0], "type: domain") {
			t.Errorf("X-Rmilter-Greylist: %q, want one that tells of the domain", got)
		}
		w.client(elsewhere, "").deferred(w.letter("jim@sender.example", "bob@example.com", "doubtful forgery, too")).has(t, "grey=new ", "R_SPF_FAIL(1.00)")
		w.none("alice", "bob")
	})
}

// signed returns a letter of sender.example with its signature, as it is sent.
func (w *world) signed(l letter) []byte {
	w.t.Helper()
	key, err := dkim.GenerateEd25519()
	must(w.t, err)
	selector := fmt.Sprintf("s%d", w.count)
	w.names.AddTXT(dkim.RecordName("sender.example", selector), key.Record())
	text := smtpclient.CRLF(l.String())
	m := mail.Parse(text, mail.DefaultLimits)
	s, err := dkim.NewSigner([]dkim.SigningKey{{Domain: "sender.example", Selector: selector, Key: key}}, dkim.SignOptions{Now: w.now(), CRLF: true})
	must(w.t, err)
	s.Write(m.Body())
	fields, err := s.Sign(m.Header())
	must(w.t, err)
	return append([]byte(fields[0].Name+":"+fields[0].Raw+"\r\n"), text...)
}

// results returns the values of the fields Authentication-Results, unfolded, in order.
func results(text string) (all []string) {
	header, _, _ := strings.Cut(text, "\n\n")
	header = regexp.MustCompile(`\n[ \t]+`).ReplaceAllString(header, " ")
	return field(header+"\n\n", "Authentication-Results")
}

// TestAuthenticationResults sends mail that proves where it comes from, mail that fails to
// and mail that can't, each with fields that claim to be ours, and with one of another host.
func TestAuthenticationResults(t *testing.T) {
	w := newWorld(t, "actions { greylist = off; }\n", false)
	defer func() { w.t = t }()
	w.names.Add("_dmarc.sender.example", "TXT", "v=DMARC1; p=none")
	w.names.Add("_dmarc.plain.example", "TXT", "v=DMARC1; p=none")
	forged := []string{
		"Authentication-Results: mx.example.com; spf=pass smtp.mailfrom=joe@sender.example",
		"Authentication-Results: MX.Example.COM 1;\n\tdkim=pass header.d=bank.example",
		"Authentication-Results: (a comment) \"mx.example.com\" (another); dmarc=pass header.from=bank.example",
		"authentication-results: mx.example.com",
		"Authentication-Results: \"mx.example.com; spf=pass",
	}
	const others = "other.example; dkim=pass header.d=bank.example"
	for _, c := range []struct {
		name, ip, from string
		sign           bool
		spoil          bool // after the signature
		forge          bool
		want           string // our field, as a regular expression
		line           []string
	}{
		{name: "proved", ip: stranger, from: "joe@sender.example", sign: true,
			want: `mx\.example\.com; spf=pass \(203\.0\.113\.7 matches \+ip4:203\.0\.113\.0/24 of sender\.example\) smtp\.mailfrom=joe@sender\.example; ` +
				`dkim=pass \(ed25519 key of 256 bits\) header\.d=sender\.example header\.s=s\d+ header\.b=(?:\S{8}|"\S{8}"); dmarc=pass .*header\.from=sender\.example`,
			line: []string{"auth=spf:pass,dkim:pass,dmarc:pass ", "R_SPF_ALLOW(", "R_DKIM_ALLOW(", "DMARC_POLICY_ALLOW("}},
		{name: "proved and forged fields", ip: stranger, from: "joe@sender.example", sign: true, forge: true,
			want: `mx\.example\.com; spf=pass .*; dkim=pass .*; dmarc=pass .*`,
			line: []string{"auth=spf:pass,dkim:pass,dmarc:pass "}},
		{name: "spoiled, of another host", ip: elsewhere, from: "joe@sender.example", sign: true, spoil: true, forge: true,
			want: `mx\.example\.com; spf=fail \(192\.0\.2\.77 matches -all of sender\.example\) smtp\.mailfrom=joe@sender\.example; dkim=fail .*header\.d=sender\.example .*; dmarc=fail .*header\.from=sender\.example`,
			line: []string{"auth=spf:fail,dkim:fail,dmarc:fail ", "R_SPF_FAIL(1.00)", "R_DKIM_REJECT(1.00)", "DMARC_POLICY_SOFTFAIL("}},
		{name: "signed, of another host", ip: elsewhere, from: "joe@sender.example", sign: true,
			want: `mx\.example\.com; spf=fail .*; dkim=pass .*; dmarc=pass .*`,
			line: []string{"auth=spf:fail,dkim:pass,dmarc:pass "}},
		{name: "nothing to go by", ip: elsewhere, from: "joe@nowhere.example", forge: true,
			want: `mx\.example\.com; spf=none .*smtp\.mailfrom=joe@nowhere\.example; dkim=none; dmarc=none .*header\.from=nowhere\.example`,
			line: []string{"auth=spf:none,dkim:none,dmarc:none ", "R_SPF_NA(", "R_DKIM_NA(", "DMARC_NA("}},
		{name: "DMARC alone", ip: elsewhere, from: "joe@plain.example",
			want: `mx\.example\.com; spf=none .*; dkim=none; dmarc=fail .*header\.from=plain\.example`,
			line: []string{"auth=spf:none,dkim:none,dmarc:fail "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			l := w.letter(c.from, "alice@example.com", "hello")
			text := smtpclient.CRLF(l.String())
			if c.sign {
				text = w.signed(l)
			}
			if c.spoil {
				text = append(text, "one line more\r\n"...)
			}
			if c.forge {
				top := smtpclient.CRLF(strings.Join(forged, "\n") + "\nAuthentication-Results: " + others + "\n")
				text = bytes.Join([][]byte{top, text}, nil)
			}
			res, err := w.client(c.ip, "").Send(c.from, []string{"alice@example.com"}, text)
			if err != nil || !res.End.Is(250) {
				t.Fatalf("got %v, %v, want 250", res, err)
			}
			w.line(" mid=<"+l.id+"> ").has(t, c.line...)
			delivered := w.next("alice")
			got := results(delivered)
			want := 1
			if c.forge {
				want = 2
			}
			if len(got) != want || !regexp.MustCompile(`^`+c.want+`$`).MatchString(got[0]) || c.forge && got[1] != others {
				t.Errorf("Authentication-Results: %q, want %d: ours, as %s, above that of the other host", got, want, c.want)
			}
			if strings.Contains(delivered, "\r") {
				t.Errorf("a carriage return was delivered:\n%q", delivered)
			}
		})
	}
}

// TestOurMailIsNotAuthenticated has one of our users send: nobody is asked about his mail.
func TestOurMailIsNotAuthenticated(t *testing.T) {
	w := newWorld(t, "", false)
	l := w.letter("alice@example.com", "bob@example.com", "hello")
	l.fields = []string{"Authentication-Results: mx.example.com; spf=pass"}
	w.client(elsewhere, "alice").accepted(l).has(t, "auth=- ", "trust=auth ")
	if text := w.next("bob"); len(results(text)) != 0 {
		t.Errorf("Authentication-Results: %q, want none", results(text))
	}
	if n := w.names.Queries("", ""); n != 0 {
		t.Errorf("%d questions were asked: %v, want none", n, w.names.Asked())
	}
}

// TestStatusOfDNS wants the resolver's figures in the status.
func TestStatusOfDNS(t *testing.T) {
	w := newWorld(t, "actions { greylist = off; }\n", false)
	if d := w.status().DNS; d.Lookups != 0 || len(d.Servers) != 1 || !d.Servers[0].Up || d.Servers[0].Address != w.names.Addr().String() {
		t.Errorf("before any mail: got %+v, want one server that is up", d)
	}
	for range 2 {
		w.stranger().accepted(w.letter("joe@sender.example", "alice@example.com", "hello"))
	}
	asked := int64(w.names.Queries("", ""))
	if d := w.status().DNS; asked == 0 || d.Queries != asked || d.Servers[0].Answers != asked || d.Lookups <= d.Cached || d.Cached == 0 || d.Failures != 0 {
		t.Errorf("after two messages: got %+v, want %d queries, answers in the cache and no failure", d, asked)
	}
}
