package milter

import (
	"fmt"
	"io"
	"net"
	"net/textproto"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	lib "github.com/emersion/go-milter"
)

// backend is what the library calls for each packet that is answered. It reads the
// packet itself from its link and hands it to the session.
type backend struct {
	lib.NoOpMilter // for Abort, which the library never sees
	l              *link
}

// chunkSize is the piece in which bodies are passed on, and what Postfix sends.
const chunkSize = 64 << 10

func (b backend) Connect(string, string, uint16, net.IP, *lib.Modifier) (lib.Response, error) {
	return b.quiet(b.l.connect())
}

func (b backend) Helo(string, *lib.Modifier) (lib.Response, error) {
	return b.quiet(b.l.helo())
}

func (b backend) MailFrom(string, *lib.Modifier) (lib.Response, error) {
	l := b.l
	p, err := parsePath(l.payload)
	if err != nil {
		return b.fail(err)
	}
	var r Reply
	if !l.try("mail", func() { r = l.sess.Mail(l.srv.ctx, p) }) {
		return nil, nil
	}
	if r.Action == Continue {
		l.stage = stageMail
	} else {
		l.macros.forgetMessage()
		l.owe()
	}
	return r.response(), nil
}

func (b backend) RcptTo(string, *lib.Modifier) (lib.Response, error) {
	l := b.l
	p, err := parsePath(l.payload)
	if err != nil {
		return b.fail(err)
	}
	var r Reply
	if !l.try("rcpt", func() { r = l.sess.Rcpt(l.srv.ctx, p) }) {
		return nil, nil
	}
	return r.response(), nil
}

// data does what the library has no callback for.
func (l *link) data() {
	var r Reply
	if !l.try("data", func() { r = l.sess.Data(l.srv.ctx) }) {
		return
	}
	if r.Action != Continue {
		l.owe()
	}
	m := r.response().Response()
	l.answer(m.Code, string(m.Data))
}

func (b backend) Header(_, _ string, m *lib.Modifier) (lib.Response, error) {
	clear(m.Headers) // the library gathers them
	return b.quiet(b.l.header())
}

func (b backend) Headers(textproto.MIMEHeader, *lib.Modifier) (lib.Response, error) {
	return b.quiet(b.l.endHeaders())
}

func (b backend) BodyChunk([]byte, *lib.Modifier) (lib.Response, error) {
	return b.quiet(b.l.chunks())
}

// The events that have no answer of their own. An MTA that has agreed to wait for none
// has them given to the session without the library, thirty and more for a message.

func (l *link) connect() error {
	c, err := parseConnect(l.payload)
	if err == nil {
		l.try("connect", func() { l.sess.Connect(c) })
	}
	return err
}

func (l *link) helo() error {
	name, _ := cstring(l.payload)
	l.try("helo", func() { l.sess.Helo(name) })
	return nil
}

func (l *link) header() error {
	name, value, err := parseHeader(l.payload)
	if err != nil {
		return err
	}
	if l.offer.steps&stepLeadingSpace == 0 {
		value = " " + value // cut off by the MTA
	}
	l.try("header", func() { l.sess.Header(name, value) })
	return nil
}

func (l *link) endHeaders() error {
	l.try("end of header", l.sess.EndHeaders)
	return nil
}

// chunks passes the contents of a body packet on as they come.
func (l *link) chunks() error {
	if l.body == 0 {
		return nil
	}
	buf := l.srv.chunks.Get().(*[chunkSize]byte)
	defer l.srv.chunks.Put(buf)
	for l.body > 0 && !l.dead {
		p := buf[:min(l.body, chunkSize)]
		if _, err := io.ReadFull(l.r, p); err != nil {
			return notEOF(err)
		}
		l.body -= len(p)
		l.try("body", func() { l.sess.Chunk(p) })
	}
	return nil
}

// Body is the end of the message. While the session thinks, the MTA is told that
// work goes on; its patience begins anew with each word.
func (b backend) Body(m *lib.Modifier) (lib.Response, error) {
	l := b.l
	if err := l.chunks(); err != nil { // the packet may carry the body's last piece
		return b.fail(err)
	}
	if l.dead {
		return nil, nil
	}
	var a Answer
	l.think(time.Now())
	ok := l.try("end of message", func() { a = l.sess.End(l.srv.ctx) })
	l.think(time.Time{})
	if !ok {
		return nil, nil
	}
	l.stage = stageIdle
	l.macros.forgetMessage()
	l.owe()
	if a.Reply.Action == Continue || a.Reply.Action == Accept {
		if err := l.edit(m, a.Edits); err != nil {
			return nil, err
		}
	}
	return a.Reply.response(), nil
}

// quiet answers an event that has no answer of its own, since the MTA waits for one.
func (b backend) quiet(err error) (lib.Response, error) {
	if err != nil {
		return b.fail(err)
	}
	if b.l.dead {
		return nil, nil
	}
	return lib.RespContinue, nil
}

// fail ends a connection whose packet makes no sense. The library is told of nothing
// but the end: it would log an error a second time.
func (b backend) fail(err error) (lib.Response, error) {
	b.l.ended(err)
	b.l.kill()
	return nil, nil
}

// try calls the session and turns a panic into the end of the connection: the MTA
// then does what it is told to do without a filter.
func (l *link) try(what string, call func()) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			l.panicked(what, v)
			l.kill()
		}
	}()
	call()
	return true
}

func (l *link) panicked(what string, v any) {
	if l.srv.conf.Panicked != nil {
		l.srv.conf.Panicked()
	}
	l.log.Error("panic in a milter session", "event", what, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
}

// think notes that End is at work, or no longer, for Server.progress.
func (l *link) think(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.thinks = at
}

// progress sends SMFIR_PROGRESS where End has been at work for an interval. Nothing
// else is written meanwhile: answers gather in out.
func (l *link) progress(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.thinks.IsZero() || l.parted || now.Sub(l.thinks) < l.srv.conf.ProgressInterval {
		return
	}
	l.thinks = now
	l.extendWrite()
	l.Conn.Write(appendPacket(nil, respProgress)) // a failure shows at the answer
}

// needs tells which of the MTA's allowances an edit rests on.
func (e Edit) needs() uint32 {
	switch e.Op {
	case AddHeader, InsertHeader:
		return actAddHeader
	case ChangeHeader, DeleteHeader:
		return actChangeHeader
	case ChangeFrom:
		return actChangeFrom
	case AddRcpt:
		if e.Args != "" {
			return actAddRcptPar
		}
		return actAddRcpt
	case DeleteRcpt:
		return actDeleteRcpt
	case Quarantine:
		return actQuarantine
	}
	return 0
}

// edit sends the edits. Deletions of one name go from the highest index down, since
// each moves those behind it.
func (l *link) edit(m *lib.Modifier, edits []Edit) error {
	edits = slices.Clone(edits)
	for i := 0; i < len(edits); {
		j := i
		for j < len(edits) && edits[j].Op == DeleteHeader {
			j++
		}
		slices.SortStableFunc(edits[i:j], func(a, b Edit) int { return b.Index - a.Index })
		i = j + 1
	}
	refused := map[string]int{}
	for _, e := range edits {
		if e.needs()&^l.offer.actions != 0 || e.needs() == 0 {
			refused[e.Op.String()]++
			continue
		}
		if err := l.editOne(m, e); err != nil {
			return err
		}
	}
	for op, n := range refused {
		l.log.Warn("the MTA doesn't allow an edit", "edit", op, "times", n)
	}
	return nil
}

func (l *link) editOne(m *lib.Modifier, e Edit) error {
	value := cut(e.Value)
	if l.offer.steps&stepLeadingSpace != 0 {
		value = " " + value // else the MTA adds one
	}
	switch e.Op {
	case AddHeader:
		return m.AddHeader(cut(e.Name), value)
	case InsertHeader:
		return m.InsertHeader(max(0, e.Index), cut(e.Name), value)
	case ChangeHeader:
		return m.ChangeHeader(max(1, e.Index), cut(e.Name), value)
	case DeleteHeader:
		return m.ChangeHeader(max(1, e.Index), cut(e.Name), "")
	case ChangeFrom:
		if e.Args != "" {
			return m.ChangeFrom("<" + bare(e.Value) + ">\x00" + cut(e.Args))
		}
		return m.ChangeFrom("<" + bare(e.Value) + ">")
	case AddRcpt:
		if e.Args != "" {
			_, err := l.Write(appendPacket(nil, respAddRcptPar, "<"+bare(e.Value)+">\x00", cut(e.Args), "\x00"))
			return err
		}
		return m.AddRecipient(bare(e.Value))
	case DeleteRcpt:
		return m.DeleteRecipient(bare(e.Value))
	default:
		return m.Quarantine(cut(e.Value))
	}
}

// cut takes out what would end a string of the protocol early.
func cut(s string) string { return strings.ReplaceAll(s, "\x00", "") }

// bare takes an address out of its brackets and keeps it on one line.
func bare(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == 0 || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, s)
	return strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">")
}
