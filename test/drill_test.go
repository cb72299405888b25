package test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rmilter/test/e2e"
	"rmilter/test/mta"
	"rmilter/test/smtpclient"
)

// pace is the time between two messages of one client in the drill.
const pace = 20 * time.Millisecond

// TestRestartDrill restarts and reloads the daemon under steady load: not one message
// may slip by it, get lost or arrive twice.
func TestRestartDrill(t *testing.T) {
	rounds, clients := 1, 4
	if e2e.Drilling() {
		rounds, clients = 5, 12
	}
	for _, kind := range []string{"postfix", "sendmail"} {
		for _, action := range []string{"accept", "tempfail"} {
			for _, socket := range []string{"inet", "unix"} {
				t.Run(kind+" "+action+" "+socket, func(t *testing.T) {
					d := startDaemon(t, setup{conf: strangers + extended, held: true, unix: socket == "unix"})
					o := mta.Options{Milter: d.milter, DefaultAction: action}
					var s mta.Server
					if kind == "postfix" {
						s = mta.StartPostfix(t, o)
					} else {
						s = mta.StartSendmail(t, o)
					}
					r := &drill{t: t, d: d, s: newSender(t, s), stop: make(chan struct{}), accepted: map[string]bool{}, idlers: map[string]*idler{}, refusals: map[string]int{}}
					r.run(rounds, clients)
				})
			}
		}
	}
}

// A drill is a load of mail and the account that is kept of it.
type drill struct {
	t    *testing.T
	d    *daemon
	s    *sender
	stop chan struct{} // closed to end the load

	mu       sync.Mutex
	serial   int
	accepted map[string]bool   // Message-IDs answered 250; true for our own mail
	idlers   map[string]*idler // the sessions that sat and waited, by the Message-ID of their letter
	refusals map[string]int    // temporary refusals by their text without ids
	sessions int
}

// run restarts and reloads the daemon under the load of so many clients, and looks
// through the mailbox. In each round sessions at every stage of a dialogue sit through
// two restarts: through one that waits for them until they go on, and through one that
// doesn't wait and is over when they go on.
func (r *drill) run(rounds, clients int) {
	var load sync.WaitGroup
	for n := range clients {
		load.Go(func() { r.client(n) })
	}
	for round := range rounds {
		r.reload("")
		r.more(3 * clients)
		r.restart(round, r.early)
		r.more(3 * clients)
		r.reload("shutdown_timeout = 1s;\n")
		r.more(3 * clients)
		r.restart(round, r.late)
	}
	r.more(3 * clients)
	close(r.stop)
	load.Wait()
	r.check()
}

// reload changes the configuration.
func (r *drill) reload(more string) {
	r.t.Helper()
	r.d.configure(r.t, more)
	if err := r.d.Reload(); err != nil {
		r.t.Error(err)
	}
}

// more waits until so many more messages have been accepted.
func (r *drill) more(n int) {
	r.t.Helper()
	count := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.accepted)
	}
	before := count()
	if !e2e.Eventually(func() bool { return count() >= before+n }) {
		r.t.Errorf("the load has come to a stand: %d messages more, want %d", count()-before, n)
	}
}

// letter returns a message that no other equals.
func (r *drill) letter() letter {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serial++
	return clean(fmt.Sprintf("drill-%d", r.serial))
}

// took notes that a message was accepted.
func (r *drill) took(l letter, ours bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, twice := r.accepted[l.messageID()]; twice {
		r.t.Errorf("%s was sent twice: the drill itself is wrong", l.id)
	}
	r.accepted[l.messageID()] = ours
}

// deferred notes a temporary refusal.
func (r *drill) deferred(reply smtpclient.Reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusals[idTag.ReplaceAllString(reply.String(), "")]++
}

// dial opens a session: ours on Postfix's submission port, else a stranger's.
func (r *drill) dial(ours bool) (*smtpclient.Conn, error) {
	r.mu.Lock()
	r.sessions++
	r.mu.Unlock()
	p, ok := r.s.mta.(*mta.Postfix)
	switch {
	case ok && ours:
		return smtpclient.DialAs(p.Originating(), "203.0.113.8", "client.example.com")
	case ok:
		return smtpclient.DialAs(p.Addr(), "203.0.113.7", "mx.sender.example")
	}
	return smtpclient.DialHello(r.s.mta.Addr(), "mx.sender.example")
}

// ours tells whether the n-th client is one of our users; sendmail has one port only.
func (r *drill) ours(n int) bool { return r.s.mta.Name() == "postfix" && n%4 == 3 }

// client sends messages until the drill stops, one to five in each session.
func (r *drill) client(n int) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	var c *smtpclient.Conn
	for m := n; ; m++ {
		select {
		case <-r.stop:
			if c != nil {
				c.Close()
			}
			return
		case <-tick.C:
		}
		c = r.deliver(c, r.letter(), r.ours(n), tick)
		if c != nil && m%5 == n%5 {
			if err := c.Quit(); err != nil {
				r.t.Errorf("QUIT: %v", err)
			}
			c = nil
		}
	}
}

// deliver sends a message as a real client does: after a temporary refusal it tries
// again in another session, for as long as patience lasts. It returns the session for
// the next message.
func (r *drill) deliver(c *smtpclient.Conn, l letter, ours bool, tick *time.Ticker) *smtpclient.Conn {
	end := time.Now().Add(e2e.Patience)
	for ; time.Now().Before(end); <-tick.C {
		if c == nil {
			var err error
			if c, err = r.dial(ours); err != nil {
				// sendmail says 451 for a greeting when its filter is away.
				r.deferred(smtpclient.Reply{Lines: []string{err.Error()}})
				continue
			}
		}
		res, err := c.Send("joe@sender.example", []string{"alice@example.com"}, smtpclient.CRLF(l.String()))
		switch last := res.Last(); {
		case err != nil:
			r.t.Errorf("%s: session broken off: %v after %v", l.id, err, res)
		case last.Is(250, "2.0.0"):
			r.took(l, ours)
			return c
		case last.Code/100 == 4:
			r.deferred(last)
		default:
			r.t.Errorf("%s: %v", l.id, res)
			return c
		}
		c.Close()
		c = nil
	}
	r.t.Errorf("%s: not accepted within %v", l.id, e2e.Patience)
	return c
}

// restart restarts the daemon while sessions at every stage of a dialogue sit and
// wait. goOn brings them to their end; restarted tells when the new daemon is ready.
func (r *drill) restart(round int, goOn func(idlers []*idler, restarted <-chan error)) {
	var idlers []*idler
	for stage := range stages {
		idlers = append(idlers, r.idle(stage, false))
		if r.ours(3) {
			idlers = append(idlers, r.idle(stage, true))
		}
	}
	stopping := r.d.Said("STOPPING=1") + 1
	restarted := make(chan error, 1)
	go func() { restarted <- r.d.Restart() }()
	if err := r.d.WaitSaid("STOPPING=1", stopping); err != nil {
		r.t.Error(err)
	}
	goOn(idlers, restarted)
	// What was refused comes again.
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for _, i := range idlers {
		if !i.taken {
			if c := r.deliver(nil, i.letter, i.ours, tick); c != nil {
				c.Close()
			}
		}
	}
	if r.t.Failed() {
		r.t.Logf("so much for round %d", round)
	}
}

// early lets the sessions go on while the old daemon drains: a stranger's next message
// is refused, ours and all those that were begun are served to their end.
func (r *drill) early(idlers []*idler, restarted <-chan error) {
	for _, i := range idlers {
		last := r.resume(i)
		i.conn.Close()
		switch {
		case i.ours || i.stage >= stageMail:
			if !last.Is(250, "2.0.0") {
				r.t.Errorf("in the drain %v: %v, want 250", i, last)
			}
		case i.stage == stageGreeted && last.Is(250, "2.0.0"):
			// It was quicker than the daemon, which says STOPPING=1 first.
		case !last.Is(421, "4.3.2"):
			r.t.Errorf("in the drain %v: %v, want 421 4.3.2", i, last)
		default:
			refusalID(r.t, last)
		}
	}
	if err := <-restarted; err != nil {
		r.t.Fatal(err)
	}
}

// late lets the sessions go on when the new daemon runs. They were cut off from the
// old one, and whatever the MTA does with them, check finds what slipped by.
func (r *drill) late(idlers []*idler, restarted <-chan error) {
	if err := <-restarted; err != nil {
		r.t.Fatal(err)
	}
	for _, i := range idlers {
		last := r.resume(i)
		i.conn.Close()
		if last.Code/100 != 2 && last.Code/100 != 4 {
			r.t.Errorf("after the restart %v: %v", i, last)
		}
	}
}

// The stages of a dialogue at which a session can sit.
const (
	stageGreeted = iota // only the greeting was heard
	stageHello          // XCLIENT and EHLO are said
	stageUsed           // a message has been sent
	stageMail           // MAIL is said
	stageRcpt           // RCPT is said
	stageData           // DATA is said and half of the message sent
	stageLarge          // so, with a message that no buffer on the way holds
	stages
)

// An idler is a session that sits at some stage of a dialogue.
type idler struct {
	stage  int
	ours   bool
	letter letter // what it sends in the end
	taken  bool   // its letter was accepted
	conn   *smtpclient.Conn
}

func (i *idler) String() string {
	who := "a stranger's"
	if i.ours {
		who = "our own"
	}
	return fmt.Sprintf("%s session (%s) that sat %s", who, i.letter.id,
		[]string{"at the greeting", "after EHLO", "after a message", "after MAIL", "after RCPT", "in mid-message", "in the middle of a large message"}[i.stage])
}

// say says commands and returns the first refusal, or the last reply.
func (i *idler) say(cmds ...string) (last smtpclient.Reply, err error) {
	for _, cmd := range cmds {
		if last, err = i.conn.Cmd("%s", cmd); err != nil || last.Code >= 400 {
			return last, err
		}
	}
	return last, nil
}

// hello makes the session a stranger's, or one of our users'. One that sat at the
// greeting does without XCLIENT, as Postfix then connects to the milter anew.
func (r *drill) hello(i *idler) (smtpclient.Reply, error) {
	switch {
	case r.s.mta.Name() == "sendmail" || i.stage == stageGreeted:
		return i.say("EHLO mx.sender.example")
	case i.ours:
		return i.say("XCLIENT ADDR=203.0.113.8 NAME=client.example.com", "EHLO client.example.com")
	}
	return i.say("XCLIENT ADDR=203.0.113.7 NAME=mx.sender.example", "EHLO mx.sender.example")
}

// halves returns the two parts in which the message is sent.
func (i *idler) halves() (first, second []byte) {
	text := smtpclient.Stuffed(smtpclient.CRLF(i.letter.String()))
	return text[:len(text)/2], text[len(text)/2:]
}

const mailCmd, rcptCmd = "MAIL FROM:<joe@sender.example>", "RCPT TO:<alice@example.com>"

// idle opens a session and brings it to a stage. It tries again where a refusal of
// the load's making gets in the way.
func (r *drill) idle(stage int, ours bool) *idler {
	r.t.Helper()
	addr := r.s.mta.Addr()
	if ours {
		addr = r.s.mta.(*mta.Postfix).Originating()
	}
	c, err := smtpclient.Dial(addr)
	if err != nil {
		r.t.Fatal(err)
	}
	i := &idler{stage: stage, ours: ours, letter: r.letter(), conn: c}
	if stage == stageLarge {
		i.letter.body += strings.Repeat("a line of sixty-four bytes, which stands here some thousand times\n", 8000)
	}
	var last smtpclient.Reply
	if stage >= stageHello {
		last, err = r.hello(i)
	}
	switch stage {
	case stageUsed:
		l := r.letter()
		var res smtpclient.Result
		if res, err = c.Send("joe@sender.example", []string{"alice@example.com"}, smtpclient.CRLF(l.String())); err == nil {
			r.took(l, ours)
		}
		last = res.Last()
	case stageMail:
		last, err = i.say(mailCmd)
	case stageRcpt:
		last, err = i.say(mailCmd, rcptCmd)
	case stageData, stageLarge:
		if last, err = i.say(mailCmd, rcptCmd, "DATA"); err == nil {
			first, _ := i.halves()
			err = c.Write(first)
		}
	}
	if err != nil || last.Code >= 400 {
		r.t.Fatalf("%v: %v, %v", i, last, err)
	}
	return i
}

// resume brings the session to its end and returns the reply that settled it.
func (r *drill) resume(i *idler) smtpclient.Reply {
	r.t.Helper()
	var last smtpclient.Reply
	var err error
	switch i.stage {
	case stageGreeted:
		if last, err = r.hello(i); err == nil && last.Code < 400 {
			last, err = i.say(mailCmd, rcptCmd, "DATA")
		}
	case stageHello, stageUsed:
		last, err = i.say(mailCmd, rcptCmd, "DATA")
	case stageMail:
		last, err = i.say(rcptCmd, "DATA")
	case stageRcpt:
		last, err = i.say("DATA")
	}
	first, second := i.halves()
	if i.stage < stageData {
		second = append(first[:len(first):len(first)], second...)
	}
	if err == nil && (last.Code == 354 || i.stage >= stageData) {
		if err = i.conn.Write(second); err == nil {
			last, err = i.conn.Read()
		}
	}
	switch {
	case err != nil:
		r.t.Errorf("%v: %v after %v", i, err, last)
	case last.Is(250, "2.0.0"):
		i.taken = true
		r.took(i.letter, i.ours)
		r.idlers[i.letter.messageID()] = i
	case last.Code/100 == 4:
		r.deferred(last)
	}
	return last
}

// check wants every accepted message in the mailbox once, filtered if it is a
// stranger's, and one log line for each.
func (r *drill) check() {
	mta.WaitQueue(r.t, r.s.mta)
	all, err := r.s.mta.Deliveries("alice")
	if err != nil {
		r.t.Fatal(err)
	}
	faults := map[string][]string{}
	fault := func(what, id string) {
		if i := r.idlers[id]; i != nil {
			id = i.String()
		}
		faults[what] = append(faults[what], id)
	}
	copies := map[string]int{}
	for _, m := range all {
		text := untraced(r.t, m)
		id := strings.Join(values(text, "Message-ID"), " ")
		copies[id]++
		ours, known := r.accepted[id]
		if !known {
			fault("delivered, but the client was not told so", id)
		}
		if !ours && !filtered(text) {
			fault("delivered unfiltered", id)
		}
	}
	judged := map[string]int{}
	for _, a := range r.d.accounts(r.t) {
		if a["action"] == "no action" {
			judged[a["mid"]]++
		}
	}
	for id := range r.accepted {
		if n := copies[id]; n != 1 {
			fault(fmt.Sprintf("accepted and delivered %d times", n), id)
		}
		if n := judged[id]; n != 1 {
			fault(fmt.Sprintf("accepted with %d log lines of that verdict", n), id)
		}
	}
	for what, ids := range faults {
		slices.Sort(ids)
		r.t.Errorf("%d messages were %s:\n%s", len(ids), what, strings.Join(ids[:min(len(ids), 20)], "\n"))
	}
	r.t.Logf("%d messages accepted in %d sessions; temporary refusals: %v", len(r.accepted), r.sessions, r.refusals)
}
