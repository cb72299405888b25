package filter

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
	"rmilter/internal/metrics"
	"rmilter/internal/policy"
	"rmilter/internal/spool"
	"rmilter/internal/store"
	"rmilter/internal/store/embedded"
	"rmilter/internal/ucl"
	"rmilter/milter"
	"rmilter/milter/miltertest"
	"rmilter/ratelimit"
	"rmilter/scan"
	"rmilter/scan/checks"
)

// A rig is a Filter behind a real milter server, with a clock that stands still and
// ids that count: 0 is the first session's, 1 its first message's.
type rig struct {
	t       *testing.T
	conf    Config
	pol     policy.Config
	scanner scan.Scanner
	rules   Rules // but for the scanner
	env     *Env
	filter  atomic.Pointer[Filter]
	srv     *milter.Server
	addr    string

	maxConns int

	mu   sync.Mutex
	logs strings.Builder
	ids  int
	done chan *Result
}

func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logs.Write(p)
}

func (r *rig) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logs.String()
}

func start(t *testing.T, prepare func(*rig)) *rig {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	r := &rig{t: t, conf: DefaultConfig(), pol: policy.DefaultConfig(), ids: -1, done: make(chan *Result, 100)}
	engine, err := scan.NewEngine(scan.NewConfig([]scan.Check{checks.GTUBE}), scan.Env{Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r.scanner = engine
	r.env = &Env{
		Hostname: "mx.example.com",
		Spool:    spool.New(t.TempDir(), 64<<20),
		Figures:  metrics.New(now),
		Log:      slog.New(slog.NewTextHandler(r, nil)),
		Now:      now,
		HardEnd:  10 * time.Second,
		Stores:   store.Same(memory(t, now)),
		Errands:  NewErrands(ErrandsEnv{}),
		Users:    ratelimit.NewWatch(now),
		Random:   func() float64 { return 0.5 },
		After:    After,
		Done: func(res *Result) {
			res.Flags = append([]string{}, res.Flags...)
			fmt.Fprintln(r, res.Line())
			r.done <- res
		},
		NewID: func() string {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ids++
			return fmt.Sprintf("%010x", r.ids)
		},
	}
	r.maxConns = 100
	if prepare != nil {
		prepare(r)
	}
	mc := milter.Config{Log: r.env.Log, MaxConns: r.maxConns, LingerTimeout: 100 * time.Millisecond}
	r.reload()
	mc.NewSession = func(c milter.Conn) milter.Session { return NewSession(r.env, r.filter.Load, c) }
	r.srv = milter.NewServer(mc)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	go r.srv.Serve(ln, false)
	t.Cleanup(func() {
		r.stop()
		if used := r.env.Spool.Used(); used != 0 {
			t.Errorf("%d bytes are left in the spool", used)
		}
		if s := r.env.Figures.Snapshot(); s.Sessions.Open != 0 || s.Sessions.InScan != 0 {
			t.Errorf("sessions are left: %+v", s.Sessions)
		}
	})
	return r
}

func (r *rig) reload() {
	rules := r.rules
	rules.Scanner = r.scanner
	r.filter.Store(New(r.conf, r.pol, rules, r.env))
}

// memory returns a store that is gone with the test.
func memory(t testing.TB, now func() time.Time) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(embedded.Options{Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (r *rig) stop() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.srv.Shutdown(ctx)
}

// A client is one SMTP session as the MTA shows it.
type client struct {
	*miltertest.Conn
	t *testing.T
	r *rig
}

// An smtp says who the client is.
type smtp struct {
	host, addr string // "" is a stranger
	port       uint16
	family     miltertest.Family
	macros     []string // at MAIL
}

func (r *rig) dial(s smtp) *client {
	r.t.Helper()
	c, err := miltertest.Dial("tcp", r.addr)
	must(r.t, err)
	r.t.Cleanup(func() { c.Close() })
	must(r.t, c.Negotiate(6, miltertest.AllActions, miltertest.AllProtocol))
	if s.family == 0 {
		s.family = miltertest.Inet
	}
	if s.host == "" && s.addr == "" && s.family == miltertest.Inet {
		s = smtp{"mx.sender.example", "203.0.113.7", 4711, s.family, s.macros}
	}
	_, err = c.Connect(s.host, s.family, s.port, s.addr)
	must(r.t, err)
	_, err = c.Helo("helo.sender.example")
	must(r.t, err)
	if s.macros != nil {
		must(r.t, c.Macro(miltertest.CmdMail, s.macros...))
	}
	return &client{c, r.t, r}
}

// send delivers a message and returns what the MTA was told and what was recorded.
func (c *client) send(from string, rcpts []string, raw string) (miltertest.Outcome, *Result) {
	c.t.Helper()
	d := delivery(from, rcpts, raw)
	o, err := c.Deliver(d, miltertest.Options{})
	must(c.t, err)
	if o.Stage == miltertest.CmdEOM || o.Stage == miltertest.CmdMail {
		// The account comes after the answer and before the next event.
		return o, <-c.r.done
	}
	return o, nil
}

func delivery(from string, rcpts []string, raw string) miltertest.Delivery {
	d := miltertest.Delivery{From: miltertest.Path{Addr: from}, Message: miltertest.ParseMessage([]byte(raw))}
	for _, r := range rcpts {
		d.Rcpts = append(d.Rcpts, miltertest.Path{Addr: r})
	}
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const clean = "From: <joe@sender.example>\nTo: <alice@example.com>\nSubject: lunch\nMessage-ID: <1@sender.example>\n\nTuesday?\n"

// testString is the test string for an action; X is GTUBE.
func testString(letter string) string {
	return letter + "JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" + "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
}

func asking(letter string) string { return clean + testString(letter) + "\n" }

var alice = []string{"<alice@example.com>"}

// TestTrust sends GTUBE from every kind of client and sees who is refused.
func TestTrust(t *testing.T) {
	stranger := "554 5.7.1 Gtube pattern [0000000001]"
	tests := []struct {
		name   string
		client smtp
		strict bool
		trust  mail.Trust
		reply  string // "continue" or the refusal
		edits  string // of a message that goes on
	}{
		{"stranger", smtp{}, false, mail.Stranger, stranger, ""},
		{"stranger by IPv6", smtp{"mx.sender.example", "IPv6:2001:db8::7", 25, miltertest.Inet6, nil}, false, mail.Stranger, stranger, ""},
		{"stranger after XCLIENT, port unknown", smtp{"mx.sender.example", "203.0.113.7", 0, miltertest.Inet, nil}, false, mail.Stranger, stranger, ""},
		{"stranger lost by the MTA", smtp{"unknown", "", 0, miltertest.Unspecified, nil}, false, mail.Stranger, stranger, ""},
		{"our network", smtp{"localhost", "127.0.0.1", 4711, miltertest.Inet, nil}, false, mail.OurNetwork, "continue", ""},
		{"our network, strict_auth", smtp{"localhost", "127.0.0.1", 4711, miltertest.Inet, nil}, true, mail.OurNetwork, stranger, ""},
		{"SASL user", smtp{"", "", 0, 0, []string{"{auth_authen}", "joe"}}, false, mail.Authenticated, "continue", ""},
		{"SASL user, strict_auth", smtp{"", "", 0, 0, []string{"{auth_authen}", "joe"}}, true, mail.Authenticated, stranger, ""},
		{"empty SASL user", smtp{"", "", 0, 0, []string{"{auth_authen}", ""}}, false, mail.Stranger, stranger, ""},
		{"originating daemon", smtp{"", "", 0, 0, []string{"{daemon_name}", "ORIGINATING"}}, false, mail.OurDaemon, "continue", ""},
		{"another daemon", smtp{"", "", 0, 0, []string{"{daemon_name}", "smtpd"}}, false, mail.Stranger, stranger, ""},
		{"trusted relay", smtp{"mx2.example.com", "198.51.100.5", 25, miltertest.Inet, nil}, false, mail.TrustedRelay, "continue", "addheader X-Spam"},
		{"relay in our network", smtp{"mx3.example.com", "127.0.0.3", 25, miltertest.Inet, nil}, false, mail.TrustedRelay, "continue", "addheader X-Spam"},
		{"Postfix's sendmail(1)", smtp{"localhost", "127.0.0.1", 0, miltertest.Inet, nil}, true, mail.Local, "continue", "addheader X-Spam"},
		{"sendmail's own", smtp{"localhost", "", 0, miltertest.Unspecified, nil}, true, mail.Local, "continue", "addheader X-Spam"},
		{"unix socket", smtp{"localhost", "/var/run/s", 0, miltertest.Unix, nil}, true, mail.Local, "continue", "addheader X-Spam"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, func(r *rig) {
				r.conf.StrictAuth = ucl.Flag(tt.strict)
				r.conf.TrustedRelays = ucl.MustNetworks("198.51.100.5", "127.0.0.3")
			})
			o, res := r.dial(tt.client).send("<joe@sender.example>", alice, asking("X"))
			if got := o.Reply.String(); got != tt.reply {
				t.Errorf("got reply %q, want %q", got, tt.reply)
			}
			if got := editList(o.Reply.Edits); got != tt.edits {
				t.Errorf("got edits %q, want %q", got, tt.edits)
			}
			if res.Envelope.Trust != tt.trust {
				t.Errorf("got trust %s, want %s", res.Envelope.Trust, tt.trust)
			}
		})
	}
}

func editList(edits []miltertest.Edit) string {
	var s []string
	for _, e := range edits {
		s = append(s, map[miltertest.Code]string{
			miltertest.EditAddHeader: "addheader ", miltertest.EditChangeHeader: "chgheader ", miltertest.EditQuarantine: "quarantine ",
		}[e.Op]+e.Name)
	}
	return strings.Join(s, ", ")
}

// TestActions is what each action does to a stranger's message, with its log line.
func TestActions(t *testing.T) {
	const rest = ` score=0.00/15.00 ip=203.0.113.7 host=mx.sender.example helo=helo.sender.example user=- from=<joe@sender.example> rcpt=<alice@example.com> nrcpt=1 qid=AB2C9A12409 mid=<1@sender.example> size=%d auth=- grey=- av=- dkim_sign=- trust=- ms=0 dry=0 flags=- sym=GTUBE(0.00){%s}`
	tests := []struct {
		letter, reply, edits, action, sent string
	}{
		{"X", "554 5.7.1 Gtube pattern [0000000001]", "", "reject", `"554 5.7.1"`},
		{"Y", "continue", "addheader X-Spam", "add header", "-"},
		{"Z", "continue", "chgheader Subject, addheader X-Spam", "rewrite subject", "-"},
		{"A", "continue", "", "no action", "-"},
		{"S", "451 4.7.1 Try again later [0000000001]", "", "soft reject", `"451 4.7.1"`},
		{"G", "continue", "", "greylist", "-"},
		{"Q", "continue", "quarantine ", "quarantine", "-"},
		{"D", "discard", "", "discard", "discard"},
	}
	for _, tt := range tests {
		t.Run(tt.action, func(t *testing.T) {
			r := start(t, nil)
			c := r.dial(smtp{macros: []string{"i", "AB2C9A12409"}})
			o, res := c.send("<Joe@Sender.example>", alice, asking(tt.letter))
			if got := o.Reply.String(); got != tt.reply {
				t.Errorf("got reply %q, want %q", got, tt.reply)
			}
			if got := editList(o.Reply.Edits); got != tt.edits {
				t.Errorf("got edits %q, want %q", got, tt.edits)
			}
			action := tt.action
			if strings.Contains(action, " ") {
				action = `"` + action + `"`
			}
			detail := tt.action
			if strings.Contains(detail, " ") {
				detail = `"` + detail + `"`
			}
			want := "0000000001: action=" + action + " reply=" + tt.sent +
				fmt.Sprintf(strings.Replace(rest, "<joe@", "<Joe@", 1), res.Size, detail)
			if d := cmp.Diff(want, res.Line()); d != "" {
				t.Errorf("log line (-want +got):\n%s", d)
			}
		})
	}
}

// TestOneLineEach follows a connection whose messages all end differently and counts
// the lines.
func TestOneLineEach(t *testing.T) {
	r := start(t, nil)
	c := r.dial(smtp{})
	c.send("<joe@sender.example>", alice, clean)
	_, err := c.Mail("<rset@sender.example>")
	must(t, err)
	must(t, c.Abort())
	_, err = c.Mail("<>")
	must(t, err)
	_, err = c.Rcpt("<alice@example.com>")
	must(t, err)
	_, err = c.Mail("<again@sender.example>") // the MTA begins anew without ABORT
	must(t, err)
	must(t, c.Close())
	var got []string
	for range 3 {
		res := <-r.done
		got = append(got, res.action()+" "+res.Envelope.From.String()+" "+res.Envelope.ID)
	}
	want := []string{"abort <rset@sender.example> 0000000002", "abort <> 0000000003", "abort <again@sender.example> 0000000004"}
	// The first was taken by send.
	if d := cmp.Diff(want, got[:3]); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
}

// TestReload changes the configuration in the middle of a message.
func TestReload(t *testing.T) {
	r := start(t, nil)
	c := r.dial(smtp{})
	_, err := c.Mail("<joe@sender.example>")
	must(t, err)
	r.pol.NeverReject = true
	r.reload()
	finish := func() miltertest.Reply {
		_, err := c.Rcpt("<alice@example.com>")
		must(t, err)
		_, err = c.Data()
		must(t, err)
		_, err = c.EOH()
		must(t, err)
		_, err = c.Body([]byte(testString("X")))
		must(t, err)
		reply, err := c.EOM()
		must(t, err)
		<-r.done
		return reply
	}
	if got := finish(); got.Action != miltertest.ReplyCode {
		t.Errorf("the message that had begun got %v, want what was configured at its MAIL FROM", got)
	}
	_, err = c.Mail("<joe@sender.example>")
	must(t, err)
	if got := finish(); got.Action != miltertest.ReplyContinue || editList(got.Edits) != "addheader X-Spam" {
		t.Errorf("the next message got %v with %s, want the spam header", got, editList(got.Edits))
	}
}

// TestRelayed judges the client that a relay names.
func TestRelayed(t *testing.T) {
	r := start(t, func(r *rig) { r.conf.TrustedRelays = ucl.MustNetworks("198.51.100.0/24") })
	received := "Received: from mx2.example.com (mx2.example.com [198.51.100.6])\n\tby mx1.example.com (Postfix) with ESMTP id 1\nReceived: from helo.other.example (mail.other.example [203.0.113.99])\n\tby mx2.example.com (Postfix) with ESMTP id 2\n"
	_, res := r.dial(smtp{"mx1.example.com", "198.51.100.5", 25, miltertest.Inet, nil}).send("<joe@sender.example>", alice, received+clean)
	e := res.Envelope
	if e.ClientIP != netip.MustParseAddr("203.0.113.99") || e.Hostname != "mail.other.example" || e.Helo != "helo.other.example" {
		t.Errorf("got client %s %q %q, want that of the second Received field", e.ClientIP, e.Hostname, e.Helo)
	}
	// Nothing to be found: no client rather than the relay's.
	_, res = r.dial(smtp{"mx1.example.com", "198.51.100.5", 25, miltertest.Inet, nil}).send("<joe@sender.example>", alice, clean)
	if res.Envelope.ClientIP.IsValid() {
		t.Errorf("got client %s, want none", res.Envelope.ClientIP)
	}
}

// TestRecipients is about recipients who want different things.
func TestRecipients(t *testing.T) {
	tests := []struct {
		name  string
		rcpts []string
		conf  func(*rig)
		reply string
		flags string
	}{
		{"whitelisted", []string{"<postmaster@example.com>"}, nil, "continue", "whitelist"},
		{"whitelisted by an address with an extension", []string{"<Postmaster+x@example.com>"}, nil, "continue", "whitelist"},
		{"one of two whitelisted", []string{"<postmaster@example.com>", "<alice@example.com>"}, nil, "554 5.7.1 Gtube pattern [0000000001]", ""},
		{"checks off", []string{"<off@example.com>"}, nil, "continue", "whitelist"},
		{"client whitelisted", alice, func(r *rig) { r.conf.ClientWhitelist = ucl.MustNetworks("203.0.113.0/24") }, "continue", "client_whitelist"},
		{"mildest counts", []string{"<alice@example.com>", "<mild@example.com>"}, nil, "continue", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, func(r *rig) {
				r.conf.Whitelist = ucl.MustRecipients("postmaster@example.com")
				r.pol.Blocks = []*policy.Block{
					{Name: "off", Rcpt: ucl.MustRecipients("off@example.com"), Enable: false},
					{Name: "mild", Rcpt: ucl.MustRecipients("mild@example.com"), Enable: true, NeverReject: new(ucl.Flag(true))},
				}
				if tt.conf != nil {
					tt.conf(r)
				}
			})
			o, res := r.dial(smtp{}).send("<joe@sender.example>", tt.rcpts, asking("X"))
			if got := o.Reply.String(); got != tt.reply {
				t.Errorf("got %q, want %q", got, tt.reply)
			}
			if got := res.flags(); got != tt.flags {
				t.Errorf("got flags %q, want %q", got, tt.flags)
			}
		})
	}
}

// TestSplitRecipients defers those whose settings differ.
func TestSplitRecipients(t *testing.T) {
	r := start(t, func(r *rig) {
		r.conf.SplitRecipients = true
		r.conf.Whitelist = ucl.MustRecipients("postmaster")
	})
	o, res := r.dial(smtp{}).send("<joe@sender.example>", []string{"<alice@example.com>", "<postmaster@example.com>", "<bob@example.com>"}, asking("X"))
	if len(o.Refused) != 1 || o.Refused[0].Rcpt != 1 || !strings.HasPrefix(o.Refused[0].Reply.String(), "451 4.5.3 ") ||
		!strings.HasSuffix(o.Refused[0].Reply.String(), " [0000000001]") {
		t.Errorf("refused: %v; want postmaster, 451 4.5.3", o.Refused)
	}
	if o.Reply.Code != 554 || res.flags() != "rcpt_refused:1" || res.NRcpt != 2 {
		t.Errorf("got %v, flags %q, %d recipients; want 554 for the other two", o.Reply, res.flags(), res.NRcpt)
	}
	// Local mail is never refused.
	o, _ = r.dial(smtp{"localhost", "127.0.0.1", 0, miltertest.Inet, nil}).send("<>", []string{"<alice@example.com>", "<postmaster@example.com>"}, clean)
	if len(o.Refused) != 0 {
		t.Errorf("local mail: refused %v", o.Refused)
	}
}

// TestLarge sends messages around the sizes where something changes.
func TestLarge(t *testing.T) {
	r := start(t, func(r *rig) { r.conf.MaxSize = 1 << 20 })
	line := strings.Repeat("x", 62) + "\n"
	for _, tt := range []struct {
		name   string
		before int // bytes of body before GTUBE
		reply  string
		flags  string
	}{
		{"in memory", 100 << 10, "554", ""},
		{"in a file", 600 << 10, "554", ""},
		{"over max_size, GTUBE in its head", 1000, "554", "oversize"},
		{"over max_size, GTUBE behind it", 1200 << 10, "continue", "oversize"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.Repeat(line, tt.before/len(line)) + testString("X") + "\n"
			if tt.flags == "oversize" {
				body += strings.Repeat(line, 3<<20/len(line))
			}
			o, res := r.dial(smtp{}).send("<joe@sender.example>", alice, clean+body)
			if !strings.HasPrefix(o.Reply.String(), tt.reply) || res.flags() != tt.flags {
				t.Errorf("got %v, flags %q; want %s, %q", o.Reply, res.flags(), tt.reply, tt.flags)
			}
			if want := int64(len(strings.ReplaceAll(clean+body, "\n", "\r\n"))); res.Size != want {
				t.Errorf("got size %d, want %d", res.Size, want)
			}
		})
	}
}

// TestNeverFits sends a message that is larger than the whole spool: it must not be
// deferred until its sender gives up.
func TestNeverFits(t *testing.T) {
	r := start(t, func(r *rig) {
		r.env.Spool = spool.New(t.TempDir(), 1<<20)
		r.conf.MaxSize = 0
	})
	o, res := r.dial(smtp{}).send("<joe@sender.example>", alice, clean+strings.Repeat("x\n", 1<<20))
	if o.Reply.Action != miltertest.ReplyContinue || res.flags() != "oversize" {
		t.Errorf("got %v, flags %q; want it judged by its head", o.Reply, res.flags())
	}
}

// TestManyRecipients sends more recipients than are kept.
func TestManyRecipients(t *testing.T) {
	r := start(t, nil)
	var rcpts []string
	for i := range 300 {
		rcpts = append(rcpts, "<"+strings.Repeat("x", 10<<10)+fmt.Sprint(i)+"@example.com>")
	}
	_, res := r.dial(smtp{}).send("<joe@sender.example>", rcpts, clean)
	if res.NRcpt != 300 || len(res.Envelope.Rcpts) >= 300 || len(res.Envelope.Rcpts) < 100 || !res.Envelope.RcptsCut {
		t.Errorf("%d recipients, %d kept", res.NRcpt, len(res.Envelope.Rcpts))
	}
}

// TestSpoolFails has no room, or no directory, for a message.
func TestSpoolFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		dir  string
		used int
		text string
	}{
		{"full", t.TempDir(), 1<<20 - 1000, "451 4.7.1 Too busy, try again later. [0000000001]"},
		{"no directory", "/nonexistent", 0, "451 4.7.1 Temporary service failure. [0000000001]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var others *spool.Buffer
			r := start(t, func(r *rig) {
				r.env.Spool = spool.New(tt.dir, 1<<20)
				others = r.env.Spool.New()
			})
			t.Cleanup(others.Close)
			for n := 0; n < tt.used; n += 1 << 10 {
				if _, err := others.Write(make([]byte, min(1<<10, tt.used-n))); err != nil {
					t.Fatal(err)
				}
			}
			large := clean + strings.Repeat("x\n", 100<<10)
			o, res := r.dial(smtp{}).send("<joe@sender.example>", alice, large)
			if o.Reply.String() != tt.text || res.flags() != "spool" {
				t.Errorf("got %v, flags %q; want %s", o.Reply, res.flags(), tt.text)
			}
			if !strings.Contains(r.logged(), "message not kept") {
				t.Errorf("the log doesn't tell why: %s", r.logged())
			}
			// Local mail would be stuck: it passes.
			o, _ = r.dial(smtp{"localhost", "127.0.0.1", 0, miltertest.Inet, nil}).send("<>", alice, large)
			if o.Reply.Action != miltertest.ReplyContinue {
				t.Errorf("local mail: got %v, want it to pass", o.Reply)
			}
			// Small mail is not affected by the lack of a directory.
			o, _ = r.dial(smtp{}).send("<joe@sender.example>", alice, clean)
			if o.Reply.Action != miltertest.ReplyContinue {
				t.Errorf("small mail: got %v, want it to pass", o.Reply)
			}
		})
	}
}

// A scannerFunc scans by a function.
type scannerFunc func(context.Context, *mail.Envelope, *mail.Message) *scan.Report

func (f scannerFunc) Scan(ctx context.Context, e *mail.Envelope, m *mail.Message, _ scan.Aids) *scan.Report {
	return f(ctx, e, m)
}

func (f scannerFunc) Weights() *scan.Weights { return nil }

func (f scannerFunc) Symbols() []scan.Listing { return nil }

func (f scannerFunc) Refresh() error { return nil }

// TestScannerFails has a scanner that panics and one that doesn't come back.
func TestScannerFails(t *testing.T) {
	release := make(chan struct{})
	for _, tt := range []struct {
		name    string
		scanner scannerFunc
		log     string
	}{
		{"panic", func(context.Context, *mail.Envelope, *mail.Message) *scan.Report { panic("told to") }, "told to"},
		{"hang", func(_ context.Context, _ *mail.Envelope, m *mail.Message) *scan.Report {
			<-release
			_ = len(m.Body()) + int(m.Raw()[0]) // still there
			return &scan.Report{}
		}, "not judged in time"},
	} {
		for _, tempfail := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, tempfail), func(t *testing.T) {
				r := start(t, func(r *rig) {
					r.scanner, r.pol.TempfailOnError = tt.scanner, ucl.Flag(tempfail)
					if tt.name == "hang" {
						r.env.HardEnd = time.Millisecond
						release = make(chan struct{})
					}
				})
				o, res := r.dial(smtp{}).send("<joe@sender.example>", alice, "X-Spam: yes\n"+clean)
				want := "continue"
				if tempfail {
					want = "451 4.7.1 Temporary service failure. [0000000001]"
				}
				if o.Reply.String() != want || res.flags() != "failed" {
					t.Errorf("got %v, flags %q; want %s", o.Reply, res.flags(), want)
				}
				if !strings.Contains(r.logged(), tt.log) {
					t.Errorf("log: %s", r.logged())
				}
				if tt.name == "hang" {
					close(release)
					for r.env.Figures.Snapshot().Sessions.InScan > 0 || r.env.Spool.Used() > 0 {
						time.Sleep(time.Millisecond) // the scanner's goroutine ends by itself
					}
				}
			})
		}
	}
}

// TestDraining is what a server that is about to stop says to whom.
func TestDraining(t *testing.T) {
	r := start(t, func(r *rig) { r.conf.TrustedRelays = ucl.MustNetworks("198.51.100.5") })
	stranger := r.dial(smtp{})
	begun := r.dial(smtp{})
	_, err := begun.Mail("<joe@sender.example>")
	must(t, err)
	user := r.dial(smtp{macros: []string{"{auth_authen}", "joe"}})
	relay := r.dial(smtp{"mx2.example.com", "198.51.100.5", 25, miltertest.Inet, nil})
	local := r.dial(smtp{"localhost", "127.0.0.1", 0, miltertest.Inet, nil})
	r.srv.Drain()
	o, res := stranger.send("<joe@sender.example>", alice, clean)
	if got := o.Reply.String(); !strings.HasPrefix(got, "421 4.3.2 mx.example.com restarting, try again [") || res.flags() != "draining" {
		t.Errorf("stranger: got %q, flags %q", got, res.flags())
	}
	if !strings.Contains(res.Line(), `action="soft reject" reply="421 4.3.2"`) {
		t.Errorf("log line: %s", res.Line())
	}
	for name, c := range map[string]*client{"user": user, "relay": relay, "local": local} {
		if o, _ := c.send("<joe@sender.example>", alice, clean); o.Reply.Action != miltertest.ReplyContinue {
			t.Errorf("%s: got %v, want to be served", name, o.Reply)
		}
	}
	_, err = begun.Rcpt("<alice@example.com>")
	must(t, err)
	if reply, err := begun.EOM(); err != nil || reply.Action != miltertest.ReplyContinue {
		t.Errorf("a message that had begun: got %v, %v", reply, err)
	}
}

// TestShutdownWhileScanning cuts a scan off: the account must not claim a verdict that
// the MTA didn't hear.
func TestShutdownWhileScanning(t *testing.T) {
	scanning := make(chan struct{})
	r := start(t, func(r *rig) {
		r.scanner = scannerFunc(func(ctx context.Context, _ *mail.Envelope, _ *mail.Message) *scan.Report {
			close(scanning)
			<-ctx.Done()
			return &scan.Report{}
		})
	})
	c := r.dial(smtp{})
	got := make(chan string, 1)
	go func() {
		o, err := c.Deliver(delivery("<joe@sender.example>", alice, clean), miltertest.Options{})
		got <- fmt.Sprint(o.Reply, err)
	}()
	<-scanning
	r.stop()
	if s := <-got; !strings.HasPrefix(s, "421 4.3.2 mx.example.com restarting, try again [") {
		t.Errorf("the MTA heard %q, want 421", s)
	}
	if res := <-r.done; !strings.Contains(res.flags(), "shutdown") || res.Verdict.Action != scan.SoftReject {
		t.Errorf("account: %s", res.Line())
	}
}

// TestCrowded is what connections over the limit hear.
func TestCrowded(t *testing.T) {
	r := start(t, nil)
	for range 100 {
		r.dial(smtp{})
	}
	o, res := r.dial(smtp{}).send("<joe@sender.example>", alice, clean)
	if got := o.Reply.String(); got != "451 4.7.1 Too many connections, try again later ["+res.Envelope.ID+"]" || res.flags() != "crowded" {
		t.Errorf("stranger: got %q, flags %q", got, res.flags())
	}
	if o, _ := r.dial(smtp{"localhost", "127.0.0.1", 0, miltertest.Inet, nil}).send("<root@example.com>", alice, clean); o.Reply.Action != miltertest.ReplyContinue {
		t.Errorf("local mail: got %v, want it to pass", o.Reply)
	}
}

// TestDryRun judges and changes nothing.
func TestDryRun(t *testing.T) {
	r := start(t, func(r *rig) { r.conf.DryRun = true })
	r.conf.SplitRecipients, r.conf.Whitelist = true, ucl.MustRecipients("postmaster")
	r.reload()
	if o, _ := r.dial(smtp{}).send("<joe@sender.example>", []string{"<alice@example.com>", "<postmaster@example.com>"}, clean); len(o.Refused) != 0 {
		t.Errorf("refused %v", o.Refused)
	}
	for _, letter := range []string{"X", "Y", "Z", "S", "Q", "D"} {
		o, res := r.dial(smtp{}).send("<joe@sender.example>", alice, "X-Spam: yes\n"+asking(letter))
		if o.Reply.Action != miltertest.ReplyContinue || len(o.Reply.Edits) != 0 {
			t.Errorf("%s: got %v, edits %v; want nothing done", letter, o.Reply, o.Reply.Edits)
		}
		if line := res.Line(); !strings.Contains(line, " dry=1 ") || strings.Contains(line, "action=\"no action\"") {
			t.Errorf("%s: log line %s", letter, line)
		}
	}
}

// TestMessageAsSent compares what the scanner sees with what was sent, byte by byte.
func TestMessageAsSent(t *testing.T) {
	var raw string
	r := start(t, func(r *rig) {
		r.scanner = scannerFunc(func(_ context.Context, _ *mail.Envelope, m *mail.Message) *scan.Report {
			raw = string(m.Raw())
			return &scan.Report{}
		})
	})
	for name, sent := range map[string]string{
		"plain":           "Subject: a\r\n\r\nbody\r\n",
		"folded":          "Subject: a\r\n\tb\r\nX:no space\r\nY:  two\r\n\r\nbody\r\n",
		"8 bit":           "Subject: \xe4\xf6\xfc\r\n\r\n\x80\xff\r\n",
		"header only":     "Subject: a\r\n\r\n",
		"empty":           "\r\n",
		"body only":       "\r\nbody without end of line",
		"dots, bare CRLF": "A: b\r\n\r\n.\r\n..\r\n\r\n\r\n",
	} {
		r.dial(smtp{}).send("<joe@sender.example>", alice, sent)
		if raw != sent {
			t.Errorf("%s: the scanner sees %q, want %q", name, raw, sent)
		}
	}
}
