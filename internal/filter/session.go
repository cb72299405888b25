package filter

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"rmilter/internal/mail"
	"rmilter/internal/policy"
	"rmilter/internal/spool"
	"rmilter/milter"
	"rmilter/ratelimit"
	"rmilter/scan"
)

// A Session follows one milter connection. It is a milter.Session.
type Session struct {
	env     *Env
	current func() *Filter // the Filter for the next message
	conn    milter.Conn
	client  milter.Connect
	helo    string
	trx     *transaction  // nil between messages
	done    *Result       // waits for the answer to have left
	kept    *spool.Buffer // done's message
	line    []byte        // one header field as it is written to the spool
	id      string        // of the session, for what is said to it between messages
}

// NewSession returns the Session of one connection; current tells the Filter that new
// messages are to be judged by.
func NewSession(env *Env, current func() *Filter, conn milter.Conn) *Session {
	env.Figures.SessionOpened()
	// Before CONNECT nothing is known of the client: no better than a stranger.
	s := &Session{env: env, current: current, conn: conn, client: milter.Connect{Family: milter.Unknown}, id: env.NewID()}
	s.between()
	return s
}

// restarting is what is said to strangers' new mail while the server drains, and to
// whatever comes next when it must end.
func (s *Session) restarting(id string) milter.Reply {
	return milter.Reply{Action: milter.Respond, Code: 421, Enhanced: "4.3.2",
		Text: s.env.Hostname + " restarting, try again [" + id + "]"}
}

// between readies the answer that a shutdown gives to the next message.
func (s *Session) between() {
	if localHost(s.client) {
		s.conn.SetParting(milter.Reply{}) // it would stick in the MTA
		return
	}
	s.conn.SetParting(s.restarting(s.id))
}

// A transaction is one message on its way.
type transaction struct {
	filter     *Filter
	env        mail.Envelope
	nrcpt      int
	refused    int
	held       int             // bytes of recipients
	first      policy.Settings // of the first recipient, with split_recipients
	buf        *spool.Buffer
	size       int64       // bytes so far
	body       bool        // the header has ended
	header     mail.Header // as it is verified; nil when it isn't
	headerSize int
	limit      int64 // of size, from which on it is oversize
	oversize   bool  // only the head is kept
	spoolErr   error // the message couldn't be kept

	view
	signature *signature         // in the making; nil when nothing is ever signed
	pledge    pledge             // what the limits gave
	over      *ratelimit.Verdict // of the user whose limit is reached
	flags     []string           // what was out of the ordinary before the end
}

// Connect begins an SMTP session.
func (s *Session) Connect(c milter.Connect) {
	s.abort()
	s.client, s.helo = c, ""
	s.between()
	if s.env.Log.Enabled(context.Background(), slog.LevelDebug) {
		s.env.Log.Debug("SMTP session", "id", s.id, "ip", c.Addr.String(), "port", c.Port, "host", c.Hostname)
	}
}

// Helo notes the client's HELO.
func (s *Session) Helo(name string) { s.helo = name }

// Mail begins a message, unless the server is about to stop or overloaded.
func (s *Session) Mail(_ context.Context, p milter.Path) milter.Reply {
	s.abort()
	f := s.current()
	t := &transaction{filter: f}
	t.view = s.env.view()
	s.trx = t
	user, _ := s.conn.Macro("{auth_authen}")
	daemon, _ := s.conn.Macro("{daemon_name}")
	t.env = mail.Envelope{
		ID:         s.env.NewID(),
		Time:       s.env.Now(),
		DaemonName: daemon,
		ClientIP:   s.client.Addr,
		ClientPort: s.client.Port,
		Hostname:   hostname(s.client.Hostname),
		Helo:       s.helo,
		User:       user,
		TLS:        s.tls(),
		From:       mail.Path{Address: mail.ParseAddress(p.Addr), Args: p.Args},
		Trust:      f.trust(s.client, user, daemon),
	}
	t.env.MTAName, _ = s.conn.Macro("j")
	if t.env.Trust == mail.Local {
		t.env.ClientIP, t.env.ClientPort = netip.Addr{}, 0
	}
	s.queueID()
	switch trust := t.env.Trust; {
	case trust == mail.Local || trust == mail.TrustedRelay || bool(f.conf.DryRun):
		// A refusal would stick in the MTA or come back from the relay.
	case s.conn.Draining() && !trust.Ours():
		return s.refuse(s.restarting(t.env.ID), "draining")
	case s.conn.Crowded():
		return s.refuse(milter.Reply{Action: milter.Respond, Code: 451, Enhanced: "4.7.1",
			Text: "Too many connections, try again later [" + t.env.ID + "]"}, "crowded")
	}
	if t.env.Trust != mail.Local {
		s.conn.SetParting(s.restarting(t.env.ID))
	}
	t.buf, t.limit = s.env.Spool.New(), f.SizeLimit()
	return milter.Reply{}
}

// refuse ends a transaction at MAIL FROM.
func (s *Session) refuse(r milter.Reply, flag string) milter.Reply {
	t := s.trx
	s.trx = nil
	s.done = &Result{Envelope: t.env, End: NotTaken, Reply: r, Flags: []string{flag}}
	return r
}

// hostname returns the client's name as far as the MTA has found one.
func hostname(s string) string {
	if s == "unknown" || strings.HasPrefix(s, "[") {
		return ""
	}
	return s
}

// tls returns version and cipher of the client's TLS session.
func (s *Session) tls() string {
	version, _ := s.conn.Macro("{tls_version}")
	cipher, _ := s.conn.Macro("{cipher}")
	return strings.TrimSpace(version + " " + cipher)
}

// queueID asks for the MTA's queue id as long as it hasn't told it: sendmail has it at
// MAIL, Postfix 3.7 at the end of the header.
func (s *Session) queueID() {
	if t := s.trx; t != nil && t.env.QueueID == "" {
		t.env.QueueID, _ = s.conn.Macro("i")
	}
}

// Rcpt takes one recipient.
func (s *Session) Rcpt(ctx context.Context, p milter.Path) milter.Reply {
	t := s.trx
	if t == nil {
		return milter.Reply{}
	}
	rcpt := mail.Path{Address: mail.ParseAddress(p.Addr), Args: p.Args}
	if f := &t.filter.conf; bool(f.SplitRecipients) && !bool(f.DryRun) && t.env.Trust < mail.TrustedRelay {
		settings := t.filter.settings(rcpt.Address)
		if t.nrcpt == 0 {
			t.first = settings
		} else if !settings.Same(&t.first) {
			t.refused++
			return milter.Reply{Action: milter.Respond, Code: 451, Enhanced: "4.5.3",
				Text: "Recipient has other settings, send it a message of its own [" + t.env.ID + "]"}
		}
	}
	if r := s.limit(ctx, t, rcpt.Address); r.Action != milter.Continue {
		t.refused++
		return r
	}
	t.nrcpt++
	if t.held += len(p.Addr) + len(strings.Join(p.Args, " ")); len(t.env.Rcpts) < MaxRecipients && t.held < maxEnvelope {
		t.env.Rcpts = append(t.env.Rcpts, rcpt)
	} else {
		t.env.RcptsCut = true
	}
	return milter.Reply{}
}

// Data is where what the limits took back is asked for again, and where greylisting by
// envelope asks.
func (s *Session) Data(ctx context.Context) milter.Reply {
	s.queueID()
	t := s.trx
	if t == nil {
		return milter.Reply{}
	}
	for _, q := range t.pledge.settle() {
		if r := s.take(ctx, t, q); r.Action != milter.Continue {
			return s.refuseData(r, scan.SoftReject)
		}
	}
	t.pledge.settle() // the clock runs for what was taken just now
	if r := s.greylistAtData(ctx, t); r.Action != milter.Continue {
		return s.refuseData(r, scan.Greylist)
	}
	return milter.Reply{}
}

// refuseData ends a transaction before its message is sent.
func (s *Session) refuseData(r milter.Reply, a scan.Action) milter.Reply {
	t := s.trx
	s.trx, s.done, s.kept = nil, t.result(s), t.buf
	s.done.Verdict, s.done.Reply = policy.Verdict{Action: a, Reached: a}, r
	s.env.giveBack(t.pledge.release())
	return r
}

// result begins the account of a transaction.
func (t *transaction) result(s *Session) *Result {
	r := &Result{Envelope: t.env, NRcpt: t.nrcpt, Refused: t.refused, Size: t.size, Greylist: t.grey, Flags: t.flags, by: t.filter}
	if t.budget.Err() != nil {
		r.Flags = append(r.Flags, noStoreFlag)
	}
	return r
}

// Header takes one header field, as it will be parsed: with CRLF.
func (s *Session) Header(name, value string) {
	s.line = append(append(s.line[:0], name...), ':')
	for i := 0; i < len(value); i++ {
		if value[i] == '\n' && (i == 0 || value[i-1] != '\r') {
			s.line = append(s.line, '\r')
		}
		s.line = append(s.line, value[i])
	}
	s.line = append(s.line, "\r\n"...)
	if t := s.trx; t != nil && t.headerSize <= maxVerified && (t.filter.rules.Signing != nil || t.filter.verifies(&t.env)) {
		t.header = append(t.header, mail.Field{Name: name, Raw: value})
		t.headerSize += len(s.line)
	}
	s.write(s.line)
	if cap(s.line) > 4096 {
		s.line = nil
	}
}

// EndHeaders ends the header.
func (s *Session) EndHeaders() {
	s.queueID()
	s.endHeader()
}

func (s *Session) endHeader() {
	if t := s.trx; t != nil && !t.body {
		t.body = true
		s.write([]byte("\r\n"))
		t.authenticate()
	}
}

// authenticate begins to verify the signatures of a message, or to make one. Its header
// is complete.
func (t *transaction) authenticate() {
	if t.filter.verifies(&t.env) {
		t.evidence = t.filter.evidence(t.header, false)
	}
	if t.filter.rules.Signing != nil {
		t.signature = t.filter.signature(&t.env, t.header, t.headerSize <= maxVerified)
	}
	t.header = nil
}

// Chunk takes a piece of the body.
func (s *Session) Chunk(b []byte) {
	s.endHeader() // an MTA may leave EOH out
	if t := s.trx; t != nil {
		t.evidence.write(b)
		t.signature.write(b)
	}
	s.write(b)
}

// write keeps a piece of the message, as long as it is one that is kept.
func (s *Session) write(b []byte) {
	t := s.trx
	if t == nil || t.buf == nil {
		return
	}
	t.size += int64(len(b))
	if !t.oversize && t.size > t.limit {
		t.oversize = true
		t.fail(t.buf.Truncate(headSize))
	}
	if t.spoolErr != nil || t.oversize && t.buf.Len() >= headSize {
		return
	}
	if t.oversize {
		b = b[:min(int64(len(b)), headSize-t.buf.Len())]
	}
	_, err := t.buf.Write(b)
	t.fail(err)
}

// fail notes that the message cannot be kept and gives back its room; the rest of it
// is let go by.
func (t *transaction) fail(err error) {
	if err != nil && t.spoolErr == nil {
		t.spoolErr = err
		t.buf.Close()
	}
}

// End judges the message.
func (s *Session) End(ctx context.Context) milter.Answer {
	t := s.trx
	if t == nil {
		return milter.Answer{}
	}
	s.queueID()
	s.endHeader()
	start := s.env.Now()
	t.pledge.settle() // MTAs of old protocols have no DATA
	r := t.result(s)
	if t.oversize {
		r.Flags = append(r.Flags, "oversize")
	}
	j := s.judge(ctx, t, r)
	r.take(&t.env, j)
	r.Took = s.env.Now().Sub(start)
	t.filter.sign(t.env.ID, t.signature, &r.Verdict)
	if t.signature != nil {
		r.Signed = t.signature.word
	}
	a := answer(r.Verdict)
	if r.Reply = a.Reply; a.Reply.Action == milter.Respond {
		s.env.giveBack(t.pledge.release())
	}
	s.trx, s.done, s.kept = nil, r, t.buf
	t.evidence.close()
	return a
}

// Answered gives the account of the message that was answered.
func (s *Session) Answered() {
	if r := s.done; r != nil && r.End == Answered {
		s.env.Figures.Message(r.Verdict.Action.String(), r.Envelope.Trust.Ours())
		r.by.afterwards(r)
	}
	s.account()
}

// account gives the account of the message that has ended, and its room back.
func (s *Session) account() {
	r := s.done
	if r == nil {
		return
	}
	s.env.Done(r)
	s.done = nil
	s.between()
	if s.kept != nil {
		s.kept.Close()
		s.kept = nil
	}
}

// Abort ends a message without a verdict.
func (s *Session) Abort() { s.abort() }

func (s *Session) abort() {
	t := s.trx
	if t == nil {
		return
	}
	s.queueID()
	s.trx = nil
	t.evidence.close()
	s.env.giveBack(t.pledge.release())
	if t.buf != nil {
		t.buf.Close()
	}
	r := t.result(s)
	r.End = Aborted
	if s.conn.Parted() {
		r.End, r.Reply, r.Flags = NotTaken, s.restarting(t.env.ID), []string{"shutdown"}
	}
	s.env.Done(r)
	s.between()
}

// Close ends the connection. An answer that hasn't left by now never does.
func (s *Session) Close() {
	defer s.env.Figures.SessionClosed()
	switch r := s.done; {
	case s.trx != nil:
		s.abort()
	case r != nil:
		if !slices.Contains(r.Flags, "shutdown") {
			r.Flags = append(r.Flags, "answer_lost")
		}
		s.account()
	case s.conn.Parted():
		s.env.Log.Info("session cut off: its next message is refused", "id", s.id, "reply", "421 4.3.2", "ip", s.client.Addr.String(), "host", s.client.Hostname)
	}
}
