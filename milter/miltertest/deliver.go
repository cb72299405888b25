package miltertest

import "errors"

// Options say how [Conn.Deliver] sends a message. The zero value sends no macros
// and pieces of the body as large as MTAs make them.
type Options struct {
	// Macros gives the names and values to send before a command; nil or an empty
	// answer sends none. Postfix sends macros before every HEADER and BODY too,
	// sendmail doesn't.
	Macros func(stage Command) []string
	// Chunk is the size of a piece of the body, 65535 when 0.
	Chunk int
	// AbortBeforeEnd sends ABORT in place of EOM, as when the client is lost.
	AbortBeforeEnd bool
	// AbortAfterEnd sends ABORT after the verdict, as Postfix does.
	AbortAfterEnd bool
}

// Outcome is what became of a message.
type Outcome struct {
	Stage   Command // whose answer decided: CmdEOM for a message that was read to its end
	Reply   Reply   // that answer
	Refused []Refusal
	Aborted bool // by AbortBeforeEnd
}

// Refusal is a recipient the filter refused.
type Refusal struct {
	Rcpt  int // its place in Delivery.Rcpts, from 0
	Reply Reply
}

// Deliver sends a whole transaction, from MAIL to EOM, and reads the answers as
// an MTA does: it goes on without refused recipients, stops when none is left or
// when another event is answered by anything but continue, and says ABORT when it
// stops before EOM. The connection can take the next message unless the error is
// not nil or the reply has the code 421.
func (c *Conn) Deliver(d Delivery, o Options) (Outcome, error) {
	if len(d.Rcpts) == 0 {
		return Outcome{}, errors.New("miltertest: delivery without recipients")
	}
	t := transaction{Conn: c, Options: o}
	t.run(d)
	if t.err != nil {
		return t.Outcome, t.err
	}
	if t.Aborted || t.Stage != CmdEOM || o.AbortAfterEnd {
		return t.Outcome, c.Abort()
	}
	return t.Outcome, nil
}

// transaction is a Deliver under way.
type transaction struct {
	*Conn
	Options
	Outcome
	err error
}

func (t *transaction) run(d Delivery) {
	if !t.event(CmdMail, func() (Reply, error) { return t.Mail(d.From.Addr, d.From.Args...) }) {
		return
	}
	if !t.rcpts(d.Rcpts) {
		return
	}
	if t.version >= 4 && !t.event(CmdData, t.Data) {
		return
	}
	for _, f := range d.Message.Header {
		if t.protocol&NoHeaders != 0 {
			break
		}
		if !t.event(CmdHeader, func() (Reply, error) { return t.Header(f.Name, f.Value) }) {
			return
		}
	}
	if !t.event(CmdEOH, t.EOH) || !t.body(d.Message.Body) {
		return
	}
	if t.AbortBeforeEnd {
		t.Aborted = true
		return
	}
	t.event(CmdEOM, func() (Reply, error) { return t.EOM() })
}

// event sends macros and a command; it is false when the transaction is over.
func (t *transaction) event(cmd Command, send func() (Reply, error)) bool {
	t.Stage = cmd
	if t.Macros != nil {
		if kv := t.Macros(cmd); len(kv) > 0 {
			if t.err = t.Macro(cmd, kv...); t.err != nil {
				return false
			}
		}
	}
	if t.Reply, t.err = send(); t.err != nil {
		return false
	}
	return t.Reply.Action == ReplyContinue || t.Reply.Action == ReplySkip
}

func (t *transaction) rcpts(rcpts []Path) bool {
	left := len(rcpts)
	for i, r := range rcpts {
		if t.event(CmdRcpt, func() (Reply, error) { return t.Rcpt(r.Addr, r.Args...) }) {
			continue
		}
		if t.err != nil || t.Reply.Action == ReplyAccept || t.Reply.Action == ReplyDiscard || t.Reply.Code == 421 {
			return false
		}
		t.Refused = append(t.Refused, Refusal{i, t.Reply})
		left--
	}
	return left > 0
}

func (t *transaction) body(b []byte) bool {
	if t.protocol&NoBody != 0 {
		return true
	}
	chunk := t.Chunk
	if chunk <= 0 {
		chunk = 65535
	}
	for len(b) > 0 {
		n := min(len(b), chunk)
		if !t.event(CmdBody, func() (Reply, error) { return t.Body(b[:n]) }) {
			return false
		}
		if t.Reply.Action == ReplySkip {
			return true
		}
		b = b[n:]
	}
	return true
}
