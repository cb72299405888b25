package controller

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/policy"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// TestCommands asks for every path in several ways.
func TestCommands(t *testing.T) {
	r := build(t, nil)
	second, first := `{"is_skipped":false,`, `{"default":{`
	invalid := `{"error":"invalid command","error_domain":"protocol-error"}`
	gtube := clean + testString("X")
	for _, c := range []struct {
		method, path string
		body         string
		fields       []string
		code         int
		want         string // what the answer begins with
	}{
		{"POST", "/checkv2", gtube, nil, 200, second},
		{"POST", "/CheckV2", gtube, nil, 200, second},
		{"POST", "/check", gtube, nil, 200, first},
		{"POST", "/symbols", gtube, nil, 200, first},
		{"POST", "/scan", gtube, nil, 200, first},
		{"POST", "/process", gtube, nil, 200, first},
		{"POST", "/report", gtube, nil, 200, first},
		{"POST", "/report_ifspam", gtube, nil, 200, first},
		{"POST", "/skip", gtube, nil, 200, `{"is_skipped":true,"score":0,"required_score":15,"action":"no action",`},
		{"POST", "/checkv2", gtube, []string{"Flags", "skip"}, 200, `{"is_skipped":true,`},
		{"GET", "/checkv2", "", nil, 200, `{"is_skipped":false,"score":0,"required_score":15,"action":"no action","thresholds":{"add header":6,"greylist":4,"reject":15},"symbols":{},"messages":{},"time_real":0,"milter":{}}`},
		{"POST", "/checkv2", "", []string{"Queue-Id", "Q"}, 200, `{"is_skipped":false,"score":0,`},
		{"GET", "/ping", "", nil, 200, "pong\r\n"},
		{"POST", "/ping", "", nil, 200, "pong\r\n"},
		{"GET", "/", "", nil, 500, invalid},
		{"POST", "/checkv3", gtube, nil, 500, invalid},
		{"POST", "/checkv2/", gtube, nil, 500, invalid},
		{"PUT", "/checkv2", gtube, nil, 405, `{"error":"invalid method","error_domain":"protocol-error"}`},
		{"POST", "/checkv2", gtube, []string{"Origin", "http://evil.example"}, 403, `{"error":"web pages may not ask here",`},
		{"GET", "/checkv2?ip=203.0.113.7&rcpt=a@example.com", "", []string{"Sec-Fetch-Site", "cross-site"}, 403, `{"error":"web pages may not ask here",`},
		{"POST", "/checkv2", gtube, []string{"File", "/etc/passwd"}, 400, `{"error":"File is refused: send the message as the body of the request","error_domain":"protocol-error"}`},
		{"POST", "/checkv2", gtube, []string{"Compression", "zstd"}, 400, `{"error":"Decompression error: `},
		{"POST", "/checkv2", string(pack(t, []byte(gtube))), []string{"Compression", "zstd"}, 200, second},
		{"POST", "/checkv2", string(pack(t, []byte(gtube))), []string{"Content-Encoding", "zstd", "Accept", "application/msgpack"}, 200, second},
	} {
		a := r.ask(c.method, r.worker+c.path, []byte(c.body), c.fields...)
		if a.code != c.code || !strings.HasPrefix(string(a.body), c.want) {
			t.Errorf("%s %s %v: got %d %.200s, want %d %s", c.method, c.path, c.fields, a.code, a.body, c.code, c.want)
		}
		ctype := "application/json"
		if strings.HasPrefix(c.want, "pong") {
			ctype = "text/plain"
		}
		if got := a.header.Get("Content-Type"); got != ctype {
			t.Errorf("%s %s: Content-Type %q, want %q", c.method, c.path, got, ctype)
		}
		if got := a.header.Get("Content-Length"); got != fmt.Sprint(len(a.body)) {
			t.Errorf("%s %s: Content-Length %q, want %d", c.method, c.path, got, len(a.body))
		}
	}
	if n := len(r.results()); n != 0 {
		t.Errorf("%d messages are accounted for, want none", n)
	}
}

// symbols of a test's own.
func testSymbols() []*scan.Symbol {
	symbol := func(name string, score float64, group string) *scan.Symbol {
		return &scan.Symbol{Name: name, Score: score, Group: group, Doc: "The sentence of " + name + "."}
	}
	return []*scan.Symbol{symbol("ONE", 1, "small"), symbol("TENTH", 0.1, "small"), symbol("FIVE", 5, "subject"), symbol("SIX", 6, "subject"), symbol("GOOD", -2, "good")}
}

// sampled builds a rig whose one check reports what messages ask for.
func sampled(t *testing.T, prepare func(*rig)) *rig {
	return build(t, func(r *rig) {
		r.checks = []scan.Check{sampleCheck(testSymbols()...)}
		if prepare != nil {
			prepare(r)
		}
	})
}

// TestReply is about every field of a reply.
func TestReply(t *testing.T) {
	r := sampled(t, func(r *rig) {
		r.pol.Actions.RewriteSubject = policy.At(8)
		r.pol.ExtendedHeaders = true
	})
	letter := "Message-ID: <1@example.com>\r\nSubject: hi\r\nX-Spam: no\r\nContent-Type: text/html\r\n\r\n" +
		"report: ONE a b&lt;\r\nreport: FIVE\r\nreport: SIX\r\nreport: TENTH x\r\nreport: TENTH y\r\nreport: TENTH z\r\nreport: GOOD\r\n" +
		"http://www.example.co.uk/a?b http://www.example.co.uk/c <img src=\"https://pictures.example.net/1.png\"> mailto:joe@example.org\r\n"
	got := r.check(letter, "Flags", "groups,profile", "Queue-ID", "Q1")
	if got.Profile["sample"] < 0 || len(got.Profile) != 1 {
		t.Errorf("profile: %v", got.Profile)
	}
	got.Profile = nil
	symbol := func(name string, score, metric float64, options ...string) SymbolScore {
		return SymbolScore{name, score, metric, "The sentence of " + name + ".", options}
	}
	want := &Reply{
		Score: 5.3, Required: 15, Action: "greylist",
		Thresholds: map[string]float64{"greylist": 4, "add header": 6, "rewrite subject": 8, "reject": 15},
		Symbols: map[string]SymbolScore{
			"ONE": symbol("ONE", 1, 1, "a", "b&lt;"), "FIVE": symbol("FIVE", 5, 5), "SIX": symbol("SIX", 6, 6),
			"TENTH": symbol("TENTH", 0.3, 0.1, "x", "y", "z"), "GOOD": symbol("GOOD", -2, -2),
			"GROUP_CAP": {"GROUP_CAP", -5, 0, scan.GroupCap.Doc, []string{"subject 6.00 of 11.00"}},
		},
		Groups:    map[string]GroupScore{"small": {Score: 1.3}, "subject": {Score: 11}, "good": {Score: -2}, "caps": {Score: -5}},
		Messages:  map[string]string{},
		Links:     &Links{URLs: []URL{{Host: "pictures.example.net"}, {Host: "www.example.co.uk"}}, Emails: []string{"joe@example.org"}},
		MessageID: "1@example.com", QueueID: "Q1",
		Milter: Milter{
			Remove: map[string]int{"X-Spam": 0},
			Add: map[string]AddedFields{
				"X-Spamd-Result":     {{"default: False [5.30 / 15.00]\r\n\tSIX(6.00)[]\r\n\tFIVE(5.00)[]\r\n\tGROUP_CAP(-5.00)[subject 6.00 of 11.00]\r\n\tGOOD(-2.00)[]\r\n\tONE(1.00)[a, b&lt;]\r\n\tTENTH(0.30)[x, y, z]", -1}},
				"X-Rspamd-Server":    {{"mx.example.com", -1}},
				"X-Rspamd-Scan-Time": {{"0.00", -1}},
				"X-Rspamd-Queue-ID":  {{"Q1", -1}},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	addsUp(t, got)

	got = r.check(letter, "Flags", "ext_urls")
	wantURLs := []URL{
		{"https://pictures.example.net/1.png", "example.net", "pictures.example.net", []string{"image"}},
		{"http://www.example.co.uk/a?b", "example.co.uk", "www.example.co.uk", []string{"text"}},
		{"http://www.example.co.uk/c", "example.co.uk", "www.example.co.uk", []string{"text"}},
	}
	if diff := cmp.Diff(wantURLs, got.URLs); diff != "" {
		t.Errorf("extended URLs (-want +got):\n%s", diff)
	}
}

// addsUp wants the symbols' scores to make up the score.
func addsUp(t *testing.T, r *Reply) {
	t.Helper()
	sum := 0.0
	for _, s := range r.Symbols {
		sum += s.Score
	}
	if math.Abs(sum-r.Score) > 0.005001 {
		t.Errorf("the symbols add up to %v, the score is %v", sum, r.Score)
	}
}

// TestReplyActions is about what a client is told to do.
func TestReplyActions(t *testing.T) {
	r := build(t, func(r *rig) { r.pol.Blocks = []*policy.Block{vip()} })
	for letter, want := range map[string]*Reply{
		"A": {Action: "no action"},
		"Y": {Action: "add header", Passthrough: "gtube", Milter: Milter{Add: map[string]AddedFields{"X-Spam": {{"yes", -1}}}}},
		"Z": {Action: "rewrite subject", Passthrough: "gtube", Subject: "***SPAM*** lunch", Milter: Milter{Add: map[string]AddedFields{"X-Spam": {{"yes", -1}}}}},
		"G": {Action: "greylist", Passthrough: "gtube"},
		"S": {Action: "soft reject", Passthrough: "gtube", Messages: map[string]string{"smtp_message": "Try again later [0123456789]"}},
		"X": {Action: "reject", Passthrough: "gtube", Messages: map[string]string{"smtp_message": "Gtube pattern [0123456789]"}},
		"Q": {Action: "quarantine", Passthrough: "gtube", Reject: "quarantine", Milter: Milter{Reject: "quarantine"}},
		"D": {Action: "discard", Passthrough: "gtube", Reject: "discard", Milter: Milter{Reject: "discard"}},
	} {
		got := r.check(clean+testString(letter), "Ip", "203.0.113.7")
		want.Score, want.Required, want.Thresholds, want.Symbols = got.Score, 15, got.Thresholds, got.Symbols
		want.MessageID = "1@sender.example"
		if want.Messages == nil {
			want.Messages = map[string]string{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("test string %s (-want +got):\n%s", letter, diff)
		}
		addsUp(t, got)
	}
	marked := strings.Replace(clean, "lunch", "***SPAM*** lunch", 1) + testString("Z")
	if got := r.check(marked); got.Subject != "***SPAM*** lunch" {
		t.Errorf("a subject that bears the mark: got %q", got.Subject)
	}
}

// TestFirstReply is about the form of /check.
func TestFirstReply(t *testing.T) {
	r := sampled(t, func(r *rig) { r.pol.Actions.RewriteSubject = policy.At(5) })
	a := r.ask("POST", r.worker+"/check", []byte("Subject: hi\n\nreport: FIVE x\nreport: ONE\nhttp://www.example.net/\n"), "Flags", "groups")
	want := `{"default":{"FIVE":{"description":"The sentence of FIVE.","name":"FIVE","options":["x"],"score":5},"ONE":{"description":"The sentence of ONE.","name":"ONE","score":1},` +
		`"action":"rewrite subject","is_skipped":false,"is_spam":true,"required_score":15,"score":6,"subject":"***SPAM*** hi"},` +
		`"groups":{"small":{"score":1},"subject":{"score":5}},"messages":{},"urls":["www.example.net"],"emails":[],"message-id":"undef","time_real":0,"rmilter":{"add_headers":{"X-Spam":{"value":"yes","order":-1}}}}` + "\n"
	if diff := cmp.Diff(want, string(a.body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNotKnown has checks that give no answer and a client that tells nonsense.
func TestNotKnown(t *testing.T) {
	r := sampled(t, nil)
	got := r.check("\nfail: sulking\n", "Ip", "here", "Settings-Id", "nobody's")
	want := []string{`the client's address: "here" is none`, `Settings-ID: there are no settings "nobody's"`, "check sample: sulking"}
	if diff := cmp.Diff(want, got.NotKnown); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = r.check("\npanic: secret\n")
	if len(got.NotKnown) != 1 || strings.Contains(got.NotKnown[0], "goroutine") {
		t.Errorf("a panic is told as %q, want one line", got.NotKnown)
	}
	if !strings.Contains(r.log.String(), "unknown Settings-ID") {
		t.Error("the log doesn't tell of the unknown settings")
	}
}

// TestSettings chooses settings by recipient, by name and by the final mailbox.
func TestSettings(t *testing.T) {
	r := sampled(t, func(r *rig) {
		off := &policy.Block{Name: "off", Rcpt: ucl.MustRecipients("off@example.com")}
		r.pol.Blocks = []*policy.Block{vip(), off}
		r.conf.Whitelist = ucl.MustRecipients("postmaster")
	})
	mail := []string{"Ip", "203.0.113.7"}
	for _, c := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"nobody", nil, "add header 15"},
		{"others", []string{"Rcpt", "alice@example.com"}, "add header 15"},
		{"theirs", []string{"Rcpt", "vip+x@example.com"}, "add header 100"},
		{"by name", []string{"Rcpt", "alice@example.com", "Settings-Id", "vip"}, "add header 100"},
		{"the usual by name", []string{"Rcpt", "vip@example.com", "Settings-Id", "default"}, "add header 15"},
		{"by mailbox", []string{"Rcpt", "alice@example.com", "Deliver-To", "vip@example.com"}, "add header 100"},
		{"no checks wanted, inspected", []string{"Rcpt", "off@example.com"}, "no action 0"},
		{"whitelisted, inspected", []string{"Rcpt", "postmaster@example.com"}, "add header 15"},
		{"no checks wanted", append([]string{"Rcpt", "off@example.com"}, mail...), "no action 15 skipped"},
		{"whitelisted", append([]string{"Rcpt", "postmaster@example.com"}, mail...), "no action 15 skipped"},
		{"one whitelisted", append([]string{"Rcpt", "postmaster@example.com, alice@example.com"}, mail...), "add header 15"},
	} {
		got := r.check("\nreport: SIX\n", c.fields...)
		text := fmt.Sprintf("%s %v", got.Action, got.Required)
		if got.Skipped {
			text += " skipped"
		}
		if text != c.want {
			t.Errorf("%s: got %s, want %s", c.name, text, c.want)
		}
	}
}

// TestDryRun wants a client to be told to do nothing, and someone who inspects what
// would be done.
func TestDryRun(t *testing.T) {
	r := sampled(t, func(r *rig) { r.conf.DryRun = true })
	letter := "X-Spam: no\n\nreport: SIX\nreport: ONE\n"
	got := r.check(letter, "Ip", "203.0.113.7", "Rcpt", "alice@example.com")
	if got.Action != "no action" || got.DryRun != "add header" || got.Score != 7 || got.Milter.Add != nil || got.Milter.Remove != nil {
		t.Errorf("mail: got %+v", got)
	}
	got = r.check(letter, "Flags", "explain")
	if got.Action != "add header" || got.DryRun != "" || got.Milter.Add == nil || !got.Explanation.DryRun {
		t.Errorf("inspection: got %+v", got)
	}
}

// converse writes requests as they stand and returns the answers, for as long as the
// connection lives.
func converse(t *testing.T, at string, closeWrite bool, requests ...string) string {
	t.Helper()
	c, err := net.Dial("tcp", at)
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	in := bufio.NewReader(c)
	var all strings.Builder
	for i, request := range requests {
		_, err = io.WriteString(c, request)
		must(t, err)
		if closeWrite && i == len(requests)-1 {
			must(t, c.(*net.TCPConn).CloseWrite())
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		fmt.Fprintf(&all, "%s %d %t %s\n", resp.Proto, resp.StatusCode, resp.Close, body)
	}
	if _, err := in.ReadByte(); err == nil {
		t.Error("more came than was asked for")
	}
	return all.String()
}

// TestWire speaks HTTP as clients do.
func TestWire(t *testing.T) {
	r := sampled(t, nil)
	const letter = "\r\nreport: SIX\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len(letter))
	chunked := "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n%x;x=y\r\n%s\r\n0\r\n\r\n", 5, letter[:5], len(letter)-5, letter[5:])
	for _, c := range []struct {
		name     string
		half     bool // the client closes its side
		requests []string
		want     []string // how each answer begins
	}{
		{"HTTP/1.0", false, []string{"POST /checkv2 HTTP/1.0\r\n" + length + "\r\n" + letter}, []string{`HTTP/1.0 200 true {"is_skipped":false,"score":6,`}},
		{"HTTP/1.0, half closed", true, []string{"POST /checkv2 HTTP/1.0\r\n" + length + "\r\n" + letter}, []string{`HTTP/1.0 200 true {"is_skipped":false,"score":6,`}},
		{"HTTP/1.1, close", false, []string{"POST /checkv2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + length + "\r\n" + letter}, []string{`HTTP/1.1 200 true {"is_skipped":false,"score":6,`}},
		{"HTTP/1.1, kept", false, []string{
			"POST /checkv2 HTTP/1.1\r\nHost: anything.example\r\n" + length + "\r\n" + letter,
			"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
			"POST /check HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + length + "\r\n" + letter,
		}, []string{`HTTP/1.1 200 false {"is_skipped":false,"score":6,`, "HTTP/1.1 200 false pong", `HTTP/1.1 200 true {"default":`}},
		{"chunked", false, []string{"POST /checkv2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + chunked}, []string{`HTTP/1.1 200 true {"is_skipped":false,"score":6,`}},
		{"expect", false, []string{"GET /ping HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"}, []string{"HTTP/1.1 200 true pong"}},
		{"8-bit fields", false, []string{"POST /checkv2 HTTP/1.0\r\nHelo: \xfc\r\nRcpt: j\xc3\xb6@example.com\r\n" + length + "\r\n" + letter}, []string{`HTTP/1.0 200 true {"is_skipped":false,"score":6,`}},
		{"broken off", true, []string{"POST /checkv2 HTTP/1.0\r\nContent-Length: 100\r\n\r\n" + letter}, []string{`HTTP/1.0 400 true {"error":"the message did not come to its end",`}},
		{"no HTTP", false, []string{"SYMBOLS RSPAMC/1.2\r\n\r\n"}, []string{"HTTP/1.1 400 true 400 Bad Request"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Split(converse(t, r.worker, c.half, c.requests...), "\nHTTP")
			if len(got) != len(c.want) {
				t.Fatalf("got %d answers, want %d: %q", len(got), len(c.want), got)
			}
			for i, want := range c.want {
				if i > 0 {
					got[i] = "HTTP" + got[i]
				}
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("answer %d: got %.300s, want %s", i, got[i], want)
				}
			}
		})
	}
}

// TestTooLarge has a message over the limit.
func TestTooLarge(t *testing.T) {
	r := sampled(t, func(r *rig) { r.conf.MaxSize = 1 << 20 })
	a := r.ask("POST", r.worker+"/checkv2", pack(t, make([]byte, minBody+1)), "Compression", "zstd")
	if want := `{"error":"the message is larger than 52428800 bytes","error_domain":"task-error"}` + "\n"; a.code != 413 || string(a.body) != want {
		t.Errorf("got %d %s, want 413 %s", a.code, a.body, want)
	}
	// What is inspected is looked at as a whole, mail over max_size in part.
	letter := "\r\n" + strings.Repeat("all work and no play\r\n", 60_000) + "report: SIX\r\n"
	if got := r.check(letter); got.Score != 6 {
		t.Errorf("inspected: got score %v, want 6", got.Score)
	}
	if got := r.check(letter, "Ip", "203.0.113.7", "Rcpt", "alice@example.com"); got.Score != 0 {
		t.Errorf("mail: got score %v, want 0", got.Score)
	}
	if res := r.results(); len(res) != 1 || res[0].Size != int64(len(letter)) || res[0].Flags[0] != "oversize" {
		t.Errorf("accounts: %+v", res)
	}
}

// TestControllerInspects has the controller answer scan requests, which are never mail.
func TestControllerInspects(t *testing.T) {
	r := build(t, nil)
	mail := []string{"Ip", "203.0.113.7", "Rcpt", "alice@example.com"}
	for _, c := range []struct {
		method, path string
		fields       []string
		code         int
		want         string
	}{
		{"POST", "/checkv2", mail, 200, `{"is_skipped":false,`},
		{"POST", "/CHECKV2", mail, 200, `{"is_skipped":false,`},
		{"GET", "/checkv2", nil, 200, `{"is_skipped":false,"score":0,`},
		{"POST", "/check", mail, 200, `{"default":`},
		{"POST", "/scan", mail, 200, `{"default":`},
		{"PUT", "/scan", nil, 405, `{"error":"Invalid method"}`},
		{"POST", "/checkv2", []string{"Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"}, 403, `{"error":"Forbidden`},
		{"POST", "/symbols", mail, 405, `{"error":"Invalid method"}`},
	} {
		body := []byte(clean + testString("X"))
		if c.method == "GET" {
			body = nil
		}
		a := r.ask(c.method, r.server+c.path, body, c.fields...)
		if a.code != c.code || !strings.HasPrefix(string(a.body), c.want) {
			t.Errorf("%s %s: got %d %.200s, want %d %s", c.method, c.path, a.code, a.body, c.code, c.want)
		}
	}
	if n := len(r.results()); n != 0 {
		t.Errorf("%d messages are accounted for, want none", n)
	}
	if s := r.env.Figures.Snapshot(); s.Today.Scan.Count != 0 || s.Today.Messages != 0 {
		t.Errorf("inspections are counted: %+v", s.Today)
	}
}

// TestListings is about /symbols and /actions of the controller.
func TestListings(t *testing.T) {
	r := sampled(t, nil)
	a := r.ask("GET", r.server+"/symbols", nil)
	want := `[{"group":"good","rules":[{"symbol":"GOOD","weight":-2,"description":"The sentence of GOOD."}]},` +
		`{"group":"small","rules":[{"symbol":"ONE","weight":1,"description":"The sentence of ONE."},{"symbol":"TENTH","weight":0.1,"description":"The sentence of TENTH."}]},` +
		`{"group":"subject","rules":[{"symbol":"FIVE","weight":5,"description":"The sentence of FIVE."},{"symbol":"SIX","weight":6,"description":"The sentence of SIX."}]}]` + "\n"
	if diff := cmp.Diff(want, string(a.body)); diff != "" {
		t.Errorf("/symbols (-want +got):\n%s", diff)
	}
	a = r.ask("GET", r.server+"/actions", nil)
	want = `[{"action":"greylist","value":4},{"action":"add header","value":6},{"action":"reject","value":15},{"action":"soft reject","value":null},` +
		`{"action":"rewrite subject","value":null},{"action":"quarantine","value":null},{"action":"discard","value":null},{"action":"no action","value":null}]` + "\n"
	if diff := cmp.Diff(want, string(a.body)); diff != "" {
		t.Errorf("/actions (-want +got):\n%s", diff)
	}
}

// TestReplyForms reads replies back, as clients in Go do.
func TestReplyForms(t *testing.T) {
	in := `{"symbols":{},"urls":["a.example",{"url":"http://b.example/","tld":"b.example","host":"b.example","flags":[]}],"emails":[],` +
		`"milter":{"add_headers":{"X":{"value":"1","order":-1},"Y":[{"value":"2","order":0},{"value":"3","order":1}]}}}`
	var r Reply
	must(t, json.Unmarshal([]byte(in), &r))
	want := Reply{Symbols: map[string]SymbolScore{}, Links: &Links{URLs: []URL{{Host: "a.example"}, {"http://b.example/", "b.example", "b.example", []string{}}}, Emails: []string{}},
		Milter: Milter{Add: map[string]AddedFields{"X": {{"1", -1}}, "Y": {{"2", 0}, {"3", 1}}}}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	out, err := json.Marshal(r)
	must(t, err)
	var again Reply
	must(t, json.Unmarshal(out, &again))
	again.Messages = nil
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("written and read again (-want +got):\n%s", diff)
	}
}

// TestLate has a check that is given up and still reads the message: it is kept until
// the check lets go of it.
func TestLate(t *testing.T) {
	release := make(chan struct{})
	slow := &scan.Spec[struct{}, struct{}]{
		Name: "slow", Doc: "A check that takes its time.", Timeout: time.Millisecond, Network: true,
		New: func(struct{}, scan.Env) (scan.Runner[struct{}], error) {
			return scan.RunnerFunc[struct{}](func(_ context.Context, p *scan.Pass) (struct{}, error) {
				<-release
				if !bytes.HasSuffix(p.Message.Raw(), []byte("end\n")) {
					panic("the message is gone")
				}
				return struct{}{}, nil
			}), nil
		},
	}
	r := build(t, func(r *rig) {
		r.checks = []scan.Check{slow}
		r.env.HardEnd = 50 * time.Millisecond
	})
	got := r.check("\n" + strings.Repeat("all work and no play\n", 20_000) + "end\n")
	if len(got.NotKnown) != 1 || !strings.HasPrefix(got.NotKnown[0], "check slow: ") {
		t.Errorf("not known: got %q, want the slow check", got.NotKnown)
	}
	if r.env.Spool.Used() == 0 {
		t.Error("the message was let go of while a check reads it")
	}
	close(release)
	for deadline := time.Now().Add(20 * time.Second); r.env.Spool.Used() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the message is never let go of")
		}
	}
	if strings.Contains(r.log.String(), "the message is gone") {
		t.Error("the check found nothing to read")
	}
}

// TestManyAtOnce has a hundred clients ask at the same time.
func TestManyAtOnce(t *testing.T) {
	r := sampled(t, nil)
	packed := pack(t, []byte("\nreport: SIX\n"))
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			a := r.ask("POST", r.worker+"/checkv2", packed, "Compression", "zstd", "Ip", "203.0.113.7", "Rcpt", "alice@example.com", "Queue-Id", fmt.Sprint(i))
			var reply Reply
			if err := json.Unmarshal(a.body, &reply); err != nil || reply.Score != 6 || reply.QueueID != fmt.Sprint(i) {
				t.Errorf("request %d: got %d %s", i, a.code, a.body)
			}
		})
	}
	wg.Wait()
	if n := len(r.results()); n != 100 {
		t.Errorf("%d messages are accounted for, want 100", n)
	}
}
