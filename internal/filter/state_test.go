package filter

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rmilter/greylist"
	"rmilter/internal/mail"
	"rmilter/internal/metrics"
	"rmilter/internal/policy"
	"rmilter/internal/replies"
	"rmilter/internal/store"
	"rmilter/internal/ucl"
	"rmilter/milter/miltertest"
	"rmilter/ratelimit"
	"rmilter/scan"
	"rmilter/scan/checks"
)

// A clock goes on only when it is told to, and rings its alarms then.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	alarms map[*alarm]bool
}

type alarm struct {
	at   time.Time
	ring func()
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), alarms: map[*alarm]bool{}}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration, f func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &alarm{c.now.Add(d), f}
	c.alarms[a] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.alarms, a)
	}
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	var due []func()
	for a := range c.alarms {
		if !a.at.After(c.now) {
			due = append(due, a.ring)
			delete(c.alarms, a)
		}
	}
	c.mu.Unlock()
	for _, ring := range due {
		ring()
	}
}

// stateful starts a rig that keeps state and whose clock can be moved. All mail of
// strangers has the score for greylisting.
func stateful(t *testing.T, prepare func(*rig)) (*rig, *clock) {
	c := newClock()
	r := start(t, func(r *rig) {
		r.env.Now, r.env.After, r.env.Figures = c.Now, c.After, metrics.New(c.Now)
		r.env.Stores, r.env.Users = store.Same(memory(t, c.Now)), ratelimit.NewWatch(c.Now)
		grey := greylist.DefaultConfig()
		grey.Warmup = 0
		r.rules.Greylist = greylist.New(grey, greylist.Env{Now: c.Now, Location: time.UTC, Delimiter: "+", GreyPrefix: "grey", WhitePrefix: "white"})
		r.rules.Replies = replies.New(replies.DefaultConfig(), replies.Env{Now: c.Now, IDPrefix: "id", Delimiter: "+"})
		r.pol.Actions.Greylist = policy.At(0)
		if prepare != nil {
			prepare(r)
		}
	})
	return r, c
}

// settled waits until the errands are done.
func (r *rig) settled() {
	r.t.Helper()
	for r.t.Context().Err() == nil {
		r.env.Errands.mu.Lock()
		idle := r.env.Errands.running == 0
		r.env.Errands.mu.Unlock()
		if idle {
			return
		}
	}
}

// try sends a message and wants a reply and what the log line says of greylisting.
func (c *client) try(what string, rcpts []string, raw, reply, grey string) (miltertest.Outcome, *Result) {
	c.t.Helper()
	o, res := c.send("<joe@sender.example>", rcpts, raw)
	id := ""
	if res != nil {
		id = res.Envelope.ID
	}
	if got := strings.ReplaceAll(o.Reply.String(), id, "ID"); got != reply {
		c.t.Errorf("%s: got reply %q, want %q", what, got, reply)
	}
	if res != nil && !strings.Contains(res.Line(), " grey="+grey+" ") {
		c.t.Errorf("%s: want grey=%s in the log line\n%s", what, grey, res.Line())
	}
	return o, res
}

const later = "451 4.7.1 Try again later [ID]"

// TestGreylisting follows a message through its attempts.
func TestGreylisting(t *testing.T) {
	r, clock := stateful(t, nil)
	c := r.dial(smtp{})
	_, res := c.try("the first attempt", alice, clean, later, "new")
	if !strings.Contains(res.Line(), `action=greylist reply="451 4.7.1"`) {
		t.Errorf("the log line of a deferred message: %s", res.Line())
	}
	c.try("another at once", alice, clean, later, "early")
	clock.advance(301 * time.Second)
	o, res := c.try("after the time", alice, clean, "continue", "passed:301s")
	if res.Verdict.Action != scan.NoAction || editList(o.Reply.Edits) != "addheader X-Rmilter-Greylist" {
		t.Errorf("a message that has passed: %v, %s", res.Verdict.Action, editList(o.Reply.Edits))
	}
	c.try("one like it", alice, clean, "continue", "white")
	s := r.env.Figures.Snapshot()
	if g := s.Total.Greylist; g.Deferred != 2 || g.New != 1 || g.Passed != 1 || g.White != 1 || s.Waiting != 0 || g.Delay.Median < 290_000 || g.Delay.Median > 312_000 {
		t.Errorf("got figures %+v with %d waiting", g, s.Waiting)
	}
}

// TestGreylistOnlyDoubtful wants greylisting to be asked about doubtful mail of strangers
// alone.
func TestGreylistOnlyDoubtful(t *testing.T) {
	local := smtp{"localhost", "127.0.0.1", 0, miltertest.Inet, nil}
	tests := []struct {
		name   string
		client smtp
		conf   func(*rig)
		raw    string
		reply  string
		grey   string
	}{
		{"greylist", smtp{}, nil, clean, later, "new"},
		{"add header", smtp{}, func(r *rig) { r.pol.Actions.AddHeader = policy.At(0) }, clean, later, "new"},
		{"rewrite subject", smtp{}, func(r *rig) { r.pol.Actions.RewriteSubject = policy.At(0) }, clean, later, "new"},
		{"quarantine", smtp{}, func(r *rig) { r.pol.Actions.Quarantine = policy.At(0) }, clean, "continue", "-"},
		{"soft reject", smtp{}, func(r *rig) { r.pol.Actions.SoftReject = policy.At(0) }, clean, later, "-"},
		{"reject", smtp{}, func(r *rig) { r.pol.Actions.Reject = policy.At(0) }, clean, "554 5.7.1 Spam message rejected; If this is not spam contact abuse team [ID]", "-"},
		{"discard", smtp{}, func(r *rig) { r.pol.Actions.Discard = policy.At(0) }, clean, "discard", "-"},
		{"no action", smtp{}, func(r *rig) { r.pol.Actions.Greylist = policy.At(1) }, clean, "continue", "-"},
		{"forced greylist", smtp{}, func(r *rig) { r.pol.Actions.Greylist = policy.At(100) }, asking("G"), later, "new"},
		{"forced mark", smtp{}, nil, asking("Y"), "continue", "-"},
		{"SASL user", smtp{macros: []string{"{auth_authen}", "joe"}}, strict, clean, "continue", "-"},
		{"our network", smtp{"localhost", "127.0.0.1", 4711, miltertest.Inet, nil}, strict, clean, "continue", "-"},
		{"local", local, strict, clean, "continue", "-"},
		{"relay", smtp{"mx2.example.com", "198.51.100.5", 25, miltertest.Inet, nil}, func(r *rig) { r.conf.TrustedRelays = ucl.MustNetworks("198.51.100.5") }, clean, "continue", "-"},
		{"dry run", smtp{}, func(r *rig) { r.conf.DryRun = true }, clean, "continue", "new"},
		{"off", smtp{}, func(r *rig) { r.rules.Greylist = nil }, clean, "continue", "-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := stateful(t, tt.conf)
			r.dial(tt.client).try(tt.name, alice, tt.raw, tt.reply, tt.grey)
		})
	}
}

func strict(r *rig) { r.conf.StrictAuth = true }

// TestGreylistAtData greylists by the envelope, before the message is sent.
func TestGreylistAtData(t *testing.T) {
	r, clock := stateful(t, func(r *rig) { r.conf.SpamdGreylist = false })
	c := r.dial(smtp{})
	deferred := func(what, grey string) {
		t.Helper()
		o, _ := c.send("<joe@sender.example>", alice, clean)
		res := <-r.done
		if got := strings.ReplaceAll(o.Reply.String(), res.Envelope.ID, "ID"); o.Stage != miltertest.CmdData || got != later {
			t.Fatalf("%s: %q at %c, want 451 at DATA", what, got, o.Stage)
		}
		if line := res.Line(); !strings.Contains(line, " grey="+grey+" ") || !strings.Contains(line, `action=greylist reply="451 4.7.1"`) {
			t.Errorf("%s: log line %s", what, line)
		}
	}
	deferred("the first attempt", "new")
	deferred("another at once", "early")
	clock.advance(301 * time.Second)
	_, res := c.try("after the time", alice, clean, "continue", "passed:301s")
	if res.Size == 0 {
		t.Error("the message didn't come to its end")
	}
	r.dial(smtp{macros: []string{"{auth_authen}", "joe"}}).try("a SASL user", alice, clean, "continue", "-")
}

// TestGreylistSenderDomain: where the sender's domain is authenticated it is known by any
// of its hosts.
func TestGreylistSenderDomain(t *testing.T) {
	vouch := &scan.Spec[struct{}, struct{}]{Name: "vouch", Doc: "Authenticates.", New: func(struct{}, scan.Env) (scan.Runner[struct{}], error) {
		return scan.RunnerFunc[struct{}](func(_ context.Context, p *scan.Pass) (struct{}, error) {
			p.Authenticate(p.Envelope.From.Domain)
			return struct{}{}, nil
		}), nil
	}}
	r, clock := stateful(t, func(r *rig) {
		engine, err := scan.NewEngine(scan.NewConfig([]scan.Check{vouch}), scan.Env{Now: r.env.Now, Log: r.env.Log})
		must(t, err)
		r.scanner = engine
	})
	first, second := r.dial(smtp{}), r.dial(smtp{"mx2.sender.example", "198.51.100.77", 25, miltertest.Inet, nil})
	first.try("the first host", alice, clean, later, "new")
	clock.advance(301 * time.Second)
	second.try("another host", alice, strings.Replace(clean, "lunch", "dinner", 1), "continue", "passed:301s")
	second.try("to another domain", []string{"<bob@example.org>"}, clean, "continue", "white")

	ours := r.dial(smtp{macros: []string{"{auth_authen}", "alice"}})
	ours.send("<alice@example.com>", []string{"<eve@known.example>"}, strings.ReplaceAll(sent, "joe@sender.example", "eve@known.example"))
	r.settled()
	eve := strings.Replace(clean, "joe@sender.example", "eve@known.example", 1)
	for from, want := range map[string]string{
		"<eve@known.example>":         "known",
		"<eve@bounces.known.example>": "known",
		"<x@spam.example>":            "new",
	} {
		if _, res := first.send(from, alice, eve); res.grey() != want {
			t.Errorf("mail of %s in the name of a correspondent: grey=%s, want %s", from, res.grey(), want)
		}
	}
}

// TestLimits: one recipient of three is refused, and what is not accepted is given back.
func TestLimits(t *testing.T) {
	r, clock := stateful(t, func(r *rig) {
		r.rules.Greylist = nil
		limits := ratelimit.DefaultConfig()
		limits.To = ucl.Bucket{Burst: 2, Rate: 0.001}
		r.rules.Limits = ratelimit.New(limits, ratelimit.Env{Delimiter: "+", Now: r.env.Now})
	})
	c := r.dial(smtp{})
	bob, carol := "<bob@example.com>", "<carol@example.com>"
	to := func(rcpts ...string) []string { return rcpts }
	refusals := func(what string, rcpts []string, raw, want string) {
		t.Helper()
		o, res := c.send("<joe@sender.example>", rcpts, raw)
		if res == nil {
			res = <-r.done
		}
		got := fmt.Sprint(o.Reply.String())
		for _, f := range o.Refused {
			got += " " + rcpts[f.Rcpt] + " " + f.Reply.String()
		}
		if got = strings.ReplaceAll(got, res.Envelope.ID, "ID"); got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
		r.settled()
	}
	refusals("two at once", to("<alice@example.com>"), clean, "continue")
	refusals("the second", to("<Alice+tag@example.com>"), clean, "continue")
	refusals("one of three", to(bob, "<alice@example.com>", carol), clean, "continue <alice@example.com> 451 4.7.1 Rate limit exceeded [ID]")
	gtube := "554 5.7.1 Gtube pattern [ID]"
	for range 5 {
		refusals("rejected mail counts for nothing", to(bob), asking("X"), gtube)
	}
	refusals("so bob has one left", to(bob), clean, "continue")

	_, err := c.Mail("<joe@sender.example>")
	must(t, err)
	_, err = c.Rcpt(carol)
	must(t, err)
	must(t, c.Abort())
	<-r.done
	r.settled()
	refusals("aborted mail counts for nothing", to(carol), clean, "continue")
	if s := r.env.Figures.Snapshot(); s.Total.Limited["to"] != 1 {
		t.Errorf("limits in the figures: %v, want one by to", s.Total.Limited)
	}
	clock.advance(1000 * time.Second)
	refusals("one more after its time", to("<alice@example.com>"), clean, "continue")
}

// TestLimitsWithoutData gives back what a client took that sends no DATA, and asks anew
// when it does after all.
func TestLimitsWithoutData(t *testing.T) {
	r, clock := stateful(t, func(r *rig) {
		r.rules.Greylist = nil
		limits := ratelimit.DefaultConfig()
		limits.To = ucl.Bucket{Burst: 1, Rate: 0.0001}
		r.rules.Limits = ratelimit.New(limits, ratelimit.Env{Delimiter: "+", Now: r.env.Now})
	})
	slow, other := r.dial(smtp{}), r.dial(smtp{})
	begin := func() {
		t.Helper()
		_, err := slow.Mail("<joe@sender.example>")
		must(t, err)
		reply, err := slow.Rcpt(alice[0])
		must(t, err)
		if got := reply.String(); got != "continue" {
			t.Fatalf("RCPT is answered %q", got)
		}
		clock.advance(31 * time.Second)
		r.settled()
	}
	begin()
	other.try("while the first waits", alice, clean, "continue", "-")
	reply, err := slow.Data()
	must(t, err)
	if got := reply.String(); !strings.HasPrefix(got, "451 4.7.1 Rate limit exceeded [") {
		t.Errorf("a late DATA is answered %q, want 451", got)
	}
	if res := <-r.done; !strings.Contains(res.Line(), "limited:to") || !strings.Contains(res.Line(), `reply="451 4.7.1"`) {
		t.Errorf("log line %s", res.Line())
	}
	clock.advance(24 * time.Hour)
	must(t, slow.Abort())
	begin()
	reply, err = slow.Data()
	must(t, err)
	if got := reply.String(); got != "continue" {
		t.Errorf("a late DATA that has room is answered %q", got)
	}
	must(t, slow.Abort())
	<-r.done
	r.settled()
	clock.advance(24 * time.Hour)
	begin()
	reply, err = slow.Rcpt("<bob@example.com>")
	must(t, err)
	if got := reply.String(); got != "continue" {
		t.Errorf("a late RCPT is answered %q", got)
	}
	reply, err = slow.Data()
	must(t, err)
	if got := reply.String(); got != "continue" {
		t.Errorf("DATA soon after a late RCPT is answered %q: the piece for that was asked for twice", got)
	}
	must(t, slow.Abort())
	<-r.done
}

// TestUserOverLimit raises one alert.
func TestUserOverLimit(t *testing.T) {
	r, _ := stateful(t, func(r *rig) {
		limits := ratelimit.DefaultConfig()
		limits.User = ucl.Bucket{Burst: 2, Rate: 0.001}
		r.rules.Limits = ratelimit.New(limits, ratelimit.Env{Delimiter: "+", Now: r.env.Now})
	})
	c := r.dial(smtp{})
	for _, want := range []int{0, 0, 1, 1} {
		must(t, c.Macro(miltertest.CmdMail, "{auth_authen}", "Joe"))
		o, _ := c.send("<joe@example.com>", []string{"<x@sender.example>"}, clean)
		if len(o.Refused) != want {
			t.Errorf("%d refused, want %d", len(o.Refused), want)
		}
		if want > 0 {
			<-r.done
		}
	}
	if n := strings.Count(r.logged(), "user over the limit"); n != 1 {
		t.Errorf("%d alerts, want 1", n)
	}
	over := r.env.Users.Over()
	if len(over) != 1 || over[0].User != "joe" || over[0].Refused != 2 {
		t.Errorf("users over their limits: %+v", over)
	}
}

const sent = "From: <alice@example.com>\nTo: <joe@sender.example>\nMessage-ID: <q1@example.com>\nDate: Sun, 22 Nov 2026 12:00:00 +0000\nSubject: lunch?\n\nTuesday?\n"

// TestReplies: an answer to our user's mail is not greylisted; one that only names it is.
func TestReplies(t *testing.T) {
	believe := &scan.Spec[struct{}, struct{}]{Name: "believe", Doc: "Takes authors for proved.", New: func(struct{}, scan.Env) (scan.Runner[struct{}], error) {
		return scan.RunnerFunc[struct{}](func(_ context.Context, p *scan.Pass) (struct{}, error) {
			p.Recognise(p.Envelope.Thread.Reply)
			return struct{}{}, nil
		}), nil
	}}
	r, _ := stateful(t, func(r *rig) {
		engine, err := scan.NewEngine(scan.NewConfig([]scan.Check{checks.GTUBE, believe}), scan.Env{Now: r.env.Now, Log: r.env.Log})
		must(t, err)
		r.scanner = engine
		r.rules.ReplySkip = []string{"gtube"}
	})
	ours := r.dial(smtp{macros: []string{"{auth_authen}", "alice"}})
	if o, _ := ours.send("<alice@example.com>", []string{"<joe@sender.example>"}, sent); o.Reply.String() != "continue" {
		t.Fatalf("our mail is answered %s", o.Reply)
	}
	r.settled()
	answer := strings.Replace(clean, "\n\n", "\nIn-Reply-To: <q1@example.com>\n\n", 1)
	c := r.dial(smtp{})
	_, res := c.try("an answer", alice, answer, "continue", "-")
	if res.Envelope.Thread.Reply != mail.Reply {
		t.Errorf("got %+v, want a reply", res.Envelope.Thread)
	}
	forged := strings.Replace(answer, "joe@sender.example", "joe@elsewhere.example", 1)
	_, res = c.try("a forged answer", alice, forged, later, "new")
	if res.Envelope.Thread.Reply != mail.ClaimedReply {
		t.Errorf("got %+v, want a claimed reply", res.Envelope.Thread)
	}
	if s := r.env.Figures.Snapshot(); s.Total.Replies.Stored != 1 || s.Total.Replies.Recognised != 1 {
		t.Errorf("figures: %+v", s.Total.Replies)
	}
	gtube := strings.Replace(answer, "Tuesday?", testString("Y"), 1)
	if _, res = c.send("<joe@sender.example>", alice, gtube); len(res.Report.Findings) != 0 {
		t.Errorf("a skipped check counts for an answer: %v", res.Report.Findings)
	}
	if _, res = c.send("<joe@sender.example>", alice, asking("Y")); len(res.Report.Findings) != 1 {
		t.Errorf("a skipped check doesn't count for other mail: %v", res.Report.Findings)
	}
}

// A brokenStore answers nothing but Publish, which keeps what it is given.
type brokenStore struct {
	store.Store
	wait      func() // for each failure; nil is none
	mu        sync.Mutex
	published []string
	asked     int
}

func (b *brokenStore) fail() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.wait != nil {
		b.wait()
	}
	return fmt.Errorf("%w: out of order", store.ErrUnavailable)
}

func (b *brokenStore) Get(context.Context, ...string) ([][]byte, error) { return nil, b.fail() }
func (b *brokenStore) Put(context.Context, ...store.Change) ([]store.Outcome, error) {
	return nil, b.fail()
}
func (b *brokenStore) Take(context.Context, ...store.Bucket) ([]store.Grant, error) {
	return nil, b.fail()
}
func (b *brokenStore) Give(context.Context, ...store.Return) error { return b.fail() }

func (b *brokenStore) Publish(_ context.Context, channel string, message []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published = append(b.published, channel+"\n"+string(message))
	return 1, nil
}

// TestStoreDown: mail flows. A store that has to be waited for is asked once for each
// message, one that fails at once whenever there is a question.
func TestStoreDown(t *testing.T) {
	for name, test := range map[string]struct {
		wait  time.Duration
		asked int // for each message
	}{
		"waited for": {50 * time.Millisecond, 1},
		"at once":    {0, 4}, // for each of two recipients, the thread and greylisting
	} {
		t.Run(name, func(t *testing.T) {
			broken := &brokenStore{}
			r, clock := stateful(t, func(r *rig) {
				broken.Store = r.env.Stores.Main
				r.env.Stores = store.Same(broken)
				limits := ratelimit.DefaultConfig()
				limits.To = ucl.Bucket{Burst: 1, Rate: 0.001}
				r.rules.Limits = ratelimit.New(limits, ratelimit.Env{Delimiter: "+", Now: r.env.Now})
			})
			broken.wait = func() { clock.advance(test.wait) }
			c := r.dial(smtp{})
			for i := range 3 {
				_, res := c.try("without a store", []string{"<alice@example.com>", "<bob@example.com>"}, clean, "continue", "nostore")
				if !strings.Contains(res.Line(), "flags=no_store ") {
					t.Errorf("message %d: %s", i, res.Line())
				}
			}
			if want := 3 * test.asked; broken.asked != want {
				t.Errorf("the store was asked %d times for 3 messages, want %d", broken.asked, want)
			}
		})
	}
}

// TestPublish sends rejected messages and copies to their channels.
func TestPublish(t *testing.T) {
	broken := &brokenStore{}
	random := 0.0
	r, _ := stateful(t, func(r *rig) {
		broken.Store = r.env.Stores.Main
		r.env.Stores = store.Same(broken)
		r.env.Random = func() float64 { return random }
		r.rules.Greylist, r.rules.Replies = nil, nil
		r.rules.Channels = Channels{Spam: "spam", Copy: "copies", Probability: 0.5}
	})
	c := r.dial(smtp{})
	send := func(raw string, copied bool, want ...string) {
		t.Helper()
		if random = 0.5; copied {
			random = 0.49
		}
		c.send("<joe@sender.example>", alice, raw)
		r.settled()
		broken.mu.Lock()
		defer broken.mu.Unlock()
		var got []string
		for _, p := range broken.published {
			channel, message, _ := strings.Cut(p, "\n")
			head := "Received: from helo.sender.example (mx.sender.example [203.0.113.7]) by mx.example.com (rmilter) with ESMTP id "
			if !strings.HasPrefix(message, head) || !strings.Contains(message, "\r\nReturn-Path: <joe@sender.example>\r\nX-Rcpt-To: <alice@example.com>\r\nFrom:") {
				t.Errorf("published:\n%s", message)
			}
			got = append(got, channel)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("published on %v, want %v", got, want)
		}
		broken.published = nil
	}
	send(clean, false)
	send(clean, true, "copies")
	send(asking("X"), false, "spam")
}
