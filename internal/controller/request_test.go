package controller

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rmilter/internal/filter"
	"rmilter/internal/mail"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestSplitRcpts(t *testing.T) {
	for in, want := range map[string][]string{
		"":                                nil,
		" , ,":                            nil,
		"<>":                              nil,
		"a@example.com":                   {"a@example.com"},
		"<a@example.com>":                 {"<a@example.com>"},
		"a@x, <b@y> ,c@z":                 {"a@x", "<b@y>", "c@z"},
		`"a,b"@x,c@y`:                     {`"a,b"@x`, "c@y"},
		`<"a,\"b"@x>, c@y`:                {`<"a,\"b"@x>`, "c@y"},
		"<@a,@b:c@d>,e@f":                 {"<@a,@b:c@d>", "e@f"},
		`"a,b@x, c@y`:                     {`"a`, "b@x", "c@y"},
		"<a@x, b@y":                       {"<a@x", "b@y"},
		`a\,b@x,c@y`:                      {`a\,b@x`, "c@y"},
		"jos\u00e9@example.com, b@\u00e9": {"jos\u00e9@example.com", "b@\u00e9"},
	} {
		if diff := cmp.Diff(want, splitRcpts(in)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}

func header(fields ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(fields); i += 2 {
		h.Add(fields[i], fields[i+1])
	}
	return h
}

func TestParseRequest(t *testing.T) {
	q, err := parseRequest(header("IP", "::ffff:203.0.113.7", "Helo", "mx.example.org", "Hostname", "Mx.Example.ORG", "From", "<joe@Example.ORG>",
		"Rcpt", "alice@example.com, bob@example.com", "Rcpt", "<carol@example.net>", "User", "dave", "Queue-ID", "ABC",
		"Deliver-To", "erin@example.com", "Settings-ID", "vip", "MTA-Name", "mx.example.com", "TLS-Version", "TLSv1.3", "TLS-Cipher", "AES",
		"Flags", "GROUPS, ext_urls,body_block,nonsense", "Log", "no", "Subject", "hi", "Raw", "yes", "User-Agent", "rspamc", "Filename", "x", "Compression", "zstd"),
		"profile=1&milter=yes", discard())
	if err != nil {
		t.Fatal(err)
	}
	path := func(s string) mail.Path { return mail.Path{Address: mail.ParseAddress(s)} }
	want := &request{
		envelope: mail.Envelope{
			ClientIP: netip.MustParseAddr("203.0.113.7"), Helo: "mx.example.org", Hostname: "Mx.Example.ORG", From: path("<joe@Example.ORG>"),
			Rcpts: []mail.Path{path("alice@example.com"), path("bob@example.com"), path("<carol@example.net>")},
			User:  "dave", QueueID: "ABC", MTAName: "mx.example.com", TLS: "TLSv1.3 AES",
		},
		sender: true, nrcpt: 3, settingsID: "vip", mailbox: "erin@example.com", subject: "hi", raw: true, zstd: true, noLog: true,
		flags: map[string]bool{"groups": true, "ext_urls": true, "body_block": true, "profile": true, "milter": true},
	}
	if diff := cmp.Diff(want, q, cmp.AllowUnexported(request{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestParseRequestParts is about fields that come in several ways.
func TestParseRequestParts(t *testing.T) {
	parse := func(query string, fields ...string) *request {
		t.Helper()
		q, err := parseRequest(header(fields...), query, discard())
		if err != nil {
			t.Fatalf("%v: %v", fields, err)
		}
		return q
	}
	for _, c := range []struct {
		name string
		q    *request
		show func(*request) any
		want any
	}{
		{"nothing", parse(""), func(q *request) any { return fmt.Sprint(q.envelope.ClientIP, q.nrcpt, q.envelope.From) }, "invalid IP 0 <>"},
		{"no address", parse("", "Ip", "unknown"), func(q *request) any { return q.notes }, []string{`the client's address: "unknown" is none`}},
		{"literal", parse("", "Ip", "[2001:db8::1%eth0]"), func(q *request) any { return q.envelope.ClientIP.String() }, "2001:db8::1"},
		{"null sender", parse("", "From", "<>"), func(q *request) any { return q.envelope.From.String() }, "<>"},
		{"query", parse("ip=192.0.2.1&rcpt=a@x&rcpt=b@y", "Rcpt", "c@z"), func(q *request) any { return fmt.Sprint(q.envelope.ClientIP, q.nrcpt) }, "192.0.2.1 3"},
		{"field before query", parse("ip=192.0.2.1", "Ip", "192.0.2.2"), func(q *request) any { return q.envelope.ClientIP.String() }, "192.0.2.2"},
		{"content encoding", parse("", "Content-Encoding", "ZSTD"), func(q *request) any { return q.zstd }, true},
		{"flag zstd", parse("", "Flags", "zstd"), func(q *request) any { return q.zstd }, true},
		{"not packed", parse("", "Content-Encoding", "identity"), func(q *request) any { return q.zstd }, false},
		{"no_log", parse("", "Flags", "no_log"), func(q *request) any { return q.noLog }, true},
		{"log", parse("", "Log", "yes"), func(q *request) any { return q.noLog }, false},
		{"URL-Format", parse("", "URL-Format", "extended"), func(q *request) any { return q.flags["ext_urls"] }, true},
		{"not raw", parse("", "Raw", "no"), func(q *request) any { return q.raw }, false},
		{"settings", parse("", "Settings", "{}"), func(q *request) any { return len(q.notes) }, 1},
	} {
		if diff := cmp.Diff(c.want, c.show(c.q)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestParseRequestRefuses(t *testing.T) {
	many := http.Header{"Rcpt": make([]string, maxFields+1)}
	for _, c := range []struct {
		h     http.Header
		query string
		code  int
		want  string
	}{
		{header("File", "/etc/passwd"), "", 400, "File is refused: send the message as the body of the request"},
		{header("Path", "/etc/passwd"), "", 400, "Path is refused"},
		{header("Shm", "x"), "", 400, "Shm is refused"},
		{header(), "file=/etc/passwd", 400, "File is refused"},
		{header(), "a=%zz", 400, "the query cannot be read"},
		{header("Key", "abc"), "", 400, "HTTPCrypt"},
		{header("Dictionary", "1"), "", 400, "no dictionaries"},
		{header("Compression", "gzip"), "", 400, `Compression: "gzip" is not known; expected zstd`},
		{header("Helo", strings.Repeat("x", maxText+1)), "", 400, "Helo is longer than 1024 bytes"},
		{header("Rcpt", "a@x,"+strings.Repeat("x", maxText+1)), "", 400, "Rcpt is longer than 1024 bytes"},
		{header(), "rcpt=a%0a@x", 400, "Rcpt has control characters in it"},
		{header(), "user=a%00b", 400, "User has control characters in it"},
		{many, "", 431, "more than 20000 header fields"},
	} {
		_, err := parseRequest(c.h, c.query, discard())
		f, ok := err.(*failure)
		if !ok || f.code != c.code || !strings.Contains(f.text, c.want) {
			t.Errorf("got %#v, want %d %s", err, c.code, c.want)
		}
	}
}

// TestManyRcpts has more recipients than are kept.
func TestManyRcpts(t *testing.T) {
	q, err := parseRequest(header("Rcpt", strings.Repeat("a@example.com,", filter.MaxRecipients+5)), "", discard())
	if err != nil || q.nrcpt != filter.MaxRecipients+5 || len(q.envelope.Rcpts) != filter.MaxRecipients || !q.envelope.RcptsCut {
		t.Errorf("got %d recipients and %d of them kept, %v; want %d and %d", q.nrcpt, len(q.envelope.Rcpts), err, filter.MaxRecipients+5, filter.MaxRecipients)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("Ip: 192.0.2.1\nRcpt: \"a,b\"@x, <@y,@z:c@d>\nFlags: groups", "helo=x&flags=profile")
	f.Add("From: <>\nRcpt: <>,,\nCompression: zstd", "%")
	f.Fuzz(func(t *testing.T, fields, query string) {
		h := http.Header{}
		for line := range strings.Lines(fields) {
			name, value, _ := strings.Cut(line, ":")
			h.Add(name, strings.TrimSpace(value))
		}
		q, err := parseRequest(h, query, discard())
		if err != nil {
			if f, ok := err.(*failure); !ok || f.code < 400 || f.code > 499 || f.text == "" {
				t.Fatalf("%#v is no failure of the client", err)
			}
			return
		}
		e := &q.envelope
		for _, text := range []string{e.Helo, e.Hostname, e.User, e.QueueID, e.MTAName, q.settingsID, q.mailbox, q.subject} {
			if len(text) > maxText || strings.ContainsAny(text, "\x00\r\n") {
				t.Errorf("%q got through", text)
			}
		}
		for _, r := range e.Rcpts {
			if r.Raw == "" || strings.ContainsAny(r.Raw, "\r\n") {
				t.Errorf("recipient %q got through", r.Raw)
			}
		}
		if values, err := url.ParseQuery(query); err == nil && values.Has("file") {
			t.Error("a file got through")
		}
	})
}

func FuzzSplitRcpts(f *testing.F) {
	for _, s := range []string{`"a,b"@x,c@y`, "<@a,@b:c@d>,e@f", `\`, `"`, "<,>,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rest := s
		for _, item := range splitRcpts(s) {
			i := strings.Index(rest, item)
			if i < 0 || item == "" || item != strings.TrimSpace(item) {
				t.Fatalf("%q has the item %q", s, item)
			}
			rest = rest[i+len(item):]
		}
	})
}
