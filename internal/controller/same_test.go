package controller

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/filter"
	"rmilter/internal/policy"
	"rmilter/internal/ucl"
	"rmilter/milter"
	"rmilter/milter/miltertest"
	"rmilter/scan"
)

// testString is the test string for an action; X is GTUBE.
func testString(letter string) string {
	return letter + "JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" + "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
}

const clean = "From: Joe <joe@sender.example>\r\nTo: <alice@example.com>\r\nSubject: lunch\r\nMessage-ID: <1@sender.example>\r\nDate: Sun, 22 Nov 2026 11:59:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nTuesday?\r\n"

// letters are messages of many kinds, by name.
func letters() map[string]string {
	all := map[string]string{
		"clean":         clean,
		"no header":     "\r\nnothing else\r\n",
		"header only":   "Subject: x\r\n\r\n",
		"8-bit":         strings.Replace(clean, "lunch", "Mittagessen für München", 1),
		"encoded word":  strings.Replace(clean, "lunch", "=?utf-8?B?TWl0dGFn?=", 1),
		"folded":        strings.Replace(clean, "lunch", "lunch\r\n on Tuesday\r\n\tor Wednesday", 1),
		"foreign marks": "X-Spam: no\r\nX-Spam-Status: Yes\r\nx-spam: yes\r\n" + clean + testString("Y"),
		"flood":         strings.Repeat("X-Spam-Score: 1\r\n", 1100) + clean,
		"broken header": "no header at all\r\n" + clean,
		"html":          strings.Replace(clean, "text/plain", "text/html", 1) + "<a href=\"http://www.example.net/x\">http://bank.example</a>\r\n",
		"multipart":     strings.Replace(clean, "text/plain; charset=utf-8", "multipart/mixed; boundary=b", 1) + "--b\r\nContent-Type: text/plain\r\n\r\na\r\n--b\r\nContent-Type: application/zip; name=x.zip\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsDBA==\r\n--b--\r\n",
		"to a file":     clean + strings.Repeat("all work and no play\r\n", 20_000),
		"oversize":      clean + strings.Repeat("all work and no play\r\n", 60_000) + testString("X"),
		"dots":          clean + ".\r\n..\r\n.x\r\n",
		"relayed":       "Received: from mx.sender.example (mx.sender.example [203.0.113.99]) by relay.example.com (Postfix) with ESMTP id 1; Sun, 22 Nov 2026 11:59:00 +0000\r\n" + clean + testString("X"),
	}
	for _, letter := range []string{"A", "D", "G", "Q", "S", "X", "Y", "Z"} {
		all["test string "+letter] = clean + testString(letter)
	}
	return all
}

// A who is the client of a message, as both ways tell it.
type who struct {
	name, ip, host, user string
	rcpts                []string
}

func clients() []who {
	alice := []string{"<alice@example.com>"}
	return []who{
		{"stranger", "203.0.113.7", "mx.sender.example", "", alice},
		{"stranger without a name", "203.0.113.7", "unknown", "", alice},
		{"stranger by IPv6", "2001:db8::7", "mx.sender.example", "", alice},
		{"ours", "192.0.2.1", "pc.example.com", "", alice},
		{"user", "203.0.113.8", "dsl.example.net", "joe", alice},
		{"relay", "198.51.100.5", "relay.example.com", "", alice},
		{"whitelisted recipient", "203.0.113.7", "mx.sender.example", "", []string{"<postmaster@example.com>"}},
		{"several recipients", "203.0.113.7", "mx.sender.example", "", []string{"<alice@example.com>", "<vip+x@example.com>", `<"a,b"@example.com>`}},
	}
}

// TestSameByMilterAndHTTP sends messages of all kinds by milter and to the worker, from
// clients of all kinds, and compares the accounts, the log lines and what becomes of
// the message.
func TestSameByMilterAndHTTP(t *testing.T) {
	for name, prepare := range map[string]func(*rig){
		"defaults":     func(*rig) {},
		"strict":       func(r *rig) { r.conf.StrictAuth, r.pol.ExtendedHeaders = true, true },
		"rewritten":    func(r *rig) { r.pol.Actions.RewriteSubject = policy.At(3) },
		"dry run":      func(r *rig) { r.conf.DryRun = true },
		"with caution": func(r *rig) { r.pol.NeverReject, r.pol.SMTPCodes = true, policy.RmilterCodes },
	} {
		t.Run(name, func(t *testing.T) {
			r := build(t, func(r *rig) {
				r.conf.MaxSize = 1 << 20
				r.conf.OurNetworks = ucl.MustNetworks("192.0.2.0/24")
				r.conf.TrustedRelays = ucl.MustNetworks("198.51.100.5")
				r.conf.Whitelist = ucl.MustRecipients("postmaster")
				r.pol.Blocks = []*policy.Block{vip()}
				prepare(r)
			})
			at := r.milter()
			for _, kind := range slices.Sorted(maps.Keys(letters())) {
				for i, c := range clients() {
					if i > 0 && len(letters()[kind]) > 100<<10 || i%2 > 0 && name != "defaults" {
						continue // it takes its time
					}
					r.compare(at, kind+", "+c.name, c, letters()[kind])
				}
			}
			seen := map[scan.Action]bool{}
			for _, res := range r.results() {
				seen[res.Verdict.Action] = true
			}
			if name == "defaults" && len(seen) != int(scan.Discard)+1 {
				t.Errorf("the messages led to the actions %v only", seen)
			}
		})
	}
}

// vip are settings of their own.
func vip() *policy.Block {
	b := &policy.Block{Name: "vip", Enable: true, Rcpt: ucl.MustRecipients("vip@example.com")}
	b.Actions.AddHeader, b.Actions.Reject = policy.At(1), policy.At(100)
	return b
}

// milter serves the rig's Filter by milter, too.
func (r *rig) milter() string {
	r.t.Helper()
	current := func() *filter.Filter { return r.filter }
	s := milter.NewServer(milter.Config{Log: r.env.Log, MaxConns: 10, NewSession: func(c milter.Conn) milter.Session { return filter.NewSession(r.env, current, c) }})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	go s.Serve(ln, false)
	r.t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(ctx)
	})
	return ln.Addr().String()
}

// compare sends one message both ways.
func (r *rig) compare(milterAt, name string, c who, letter string) {
	r.t.Helper()
	d := miltertest.Delivery{From: miltertest.Path{Addr: "<joe@sender.example>"}, Message: miltertest.ParseMessage([]byte(letter))}
	for _, rcpt := range c.rcpts {
		d.Rcpts = append(d.Rcpts, miltertest.Path{Addr: rcpt})
	}
	before := len(r.results())
	outcome := r.deliver(milterAt, c, d)
	fields := []string{"Ip", c.ip, "Hostname", c.host, "Helo", "helo.sender.example", "From", "<joe@sender.example>", "Queue-Id", "4XYZ", "User", c.user,
		"Rcpt", strings.Join(c.rcpts, ", "), "Flags", "milter"}
	reply := r.check(string(d.Message.Bytes()), fields...)
	results := r.results()[before:]
	if len(results) != 2 {
		r.t.Errorf("%s: %d accounts, want one for each way", name, len(results))
		return
	}
	if diff := cmp.Diff(account(results[0]), account(results[1])); diff != "" {
		r.t.Errorf("%s: the account by HTTP is not that by milter (-milter +HTTP):\n%s", name, diff)
	}
	want, got := became(outcome, d), becomes(reply, d)
	if len(d.Message.Header) > 1000 {
		return // by milter a thousand fields are deleted at most, by HTTP all of a name
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("%s: what becomes of the message by HTTP is not that by milter (-milter +HTTP):\n%s", name, diff)
	}
}

// deliver sends a message by milter and waits for its account.
func (r *rig) deliver(at string, c who, d miltertest.Delivery) miltertest.Outcome {
	r.t.Helper()
	conn, err := miltertest.Dial("tcp", at)
	must(r.t, err)
	defer conn.Close()
	must(r.t, conn.Negotiate(6, miltertest.AllActions, miltertest.AllProtocol))
	family, ip := miltertest.Family(miltertest.Inet), c.ip
	if strings.Contains(ip, ":") {
		family, ip = miltertest.Inet6, "IPv6:"+ip
	}
	_, err = conn.Connect(c.host, family, 4711, ip)
	must(r.t, err)
	_, err = conn.Helo("helo.sender.example")
	must(r.t, err)
	o, err := conn.Deliver(d, miltertest.Options{Macros: func(stage miltertest.Command) []string {
		if stage == miltertest.CmdMail {
			return []string{"i", "4XYZ", "{auth_authen}", c.user}
		}
		return nil
	}})
	must(r.t, err)
	must(r.t, conn.Quit()) // the account comes before the next event
	return o
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// account is what an account says, for comparing.
func account(r *filter.Result) map[string]any {
	a := map[string]any{
		"line": r.Line(), "skipped": r.Skipped, "action": r.Verdict.Action, "score": r.Verdict.Score, "required": r.Verdict.Required,
		"edits": r.Verdict.Edits, "reply": r.Verdict.Reply, "discard": r.Verdict.Discard, "rows": r.Verdict.Rows,
	}
	if r.Verdict.Counted != nil {
		a["counted"] = r.Verdict.Counted.Name
	}
	if r.Report != nil {
		a["findings"], a["failed"], a["passthrough"] = r.Report.Findings, fmt.Sprint(r.Report.Failed), r.Report.Passthrough
	}
	return a
}

// A fate is what becomes of a message.
type fate struct {
	Reply, Reject string
	Header        []string
	Rcpts         []string
}

// became tells it of a message that was sent by milter.
func became(o miltertest.Outcome, d miltertest.Delivery) fate {
	f := fate{}
	switch {
	case o.Reply.Action == miltertest.ReplyDiscard:
		f.Reject = scan.Discard.String()
		return f
	case !o.Reply.Continues():
		f.Reply = strings.Join(o.Reply.Lines, "\n")
		return f
	}
	d = d.Apply(o.Reply.Edits, true)
	if d.Quarantine != "" {
		f.Reject = scan.Quarantine.String()
	}
	f.show(d)
	return f
}

func (f *fate) show(d miltertest.Delivery) {
	for _, field := range d.Message.Header {
		value := field.Value
		if strings.EqualFold(field.Name, "Subject") {
			value = strings.ReplaceAll(value, "\n", "") // HTTP has it on one line
		}
		f.Header = append(f.Header, field.Name+": "+strings.TrimSpace(value))
	}
	slices.Sort(f.Header) // an object of JSON has no order
	for _, r := range d.Rcpts {
		f.Rcpts = append(f.Rcpts, r.Addr)
	}
}

// becomes tells what a client makes of a reply.
func becomes(r *Reply, d miltertest.Delivery) fate {
	f := fate{Reply: r.Messages["smtp_message"], Reject: r.Reject}
	if f.Reply != "" || r.Reject == "discard" {
		return f
	}
	var header []miltertest.Field
	for _, field := range d.Message.Header {
		removed := false
		for name := range r.Milter.Remove {
			removed = removed || strings.EqualFold(name, field.Name)
		}
		if strings.EqualFold(field.Name, "Subject") && r.Action == scan.RewriteSubject.String() {
			field.Value = r.Subject
		}
		if !removed {
			header = append(header, field)
		}
	}
	if _, there := d.Message.Get("Subject"); !there && r.Action == scan.RewriteSubject.String() {
		header = append(header, miltertest.Field{Name: "Subject", Value: r.Subject})
	}
	for name, fields := range r.Milter.Add {
		for _, field := range fields {
			header = append(header, miltertest.Field{Name: name, Value: field.Value})
		}
	}
	d.Message.Header = header
	for _, rcpt := range r.Milter.AddRcpt {
		d.Rcpts = append(d.Rcpts, miltertest.Path{Addr: rcpt})
	}
	f.show(d)
	return f
}
