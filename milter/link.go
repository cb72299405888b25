package milter

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// stage is how far a connection has come. Events out of this order end it.
type stage byte

const (
	stageNew     stage = iota // nothing but SMFIC_OPTNEG may come
	stageIdle                 // negotiated, no message
	stageMail                 // MAIL was let through
	stageMessage              // header or body is coming
)

// A link is one connection with an MTA. It stands between the network and go-milter:
// Read gives the library an empty packet for each answered one that the MTA sent and the
// backend takes the contents from the link; Write gathers the library's answers.
//
// All but Close, part and the progress ticker runs on the connection's own goroutine.
type link struct {
	net.Conn // the MTA's

	srv     *Server
	log     *slog.Logger
	r       *bufio.Reader
	sess    Session
	crowded bool

	stage   stage
	offer   offer // what was agreed on
	macros  macros
	payload []byte // of the packet at hand; for a body only its length counts
	body    int    // bytes of a body packet that are still to be read from r
	feed    []byte // what Read gives to the library next
	begun   time.Time
	dead    bool // a packet made no sense or the session panicked: nothing more is read

	mu              sync.Mutex  // guards what follows, and writes to Conn
	out             []byte      // whole answers that haven't left
	torn            []byte      // the beginning of an answer that the library writes in pieces
	after           bool        // Session.Answered is due once out has left
	parted          bool        // part has given the last answer
	wrote           time.Time   // the last write to Conn
	readBy, writeBy time.Time   // the deadlines that are set
	thinks          time.Time   // since when End is at work; zero when it is not
	ending          atomic.Bool // part is at work: the deadline is its own

	parting atomic.Pointer[Reply] // what part answers; nil for nothing
	closed  sync.Once
}

// stubs are the packets that the library gets to see: enough for it to call the
// backend, and never anything that it could refuse, keep or answer by itself.
const (
	stubConnect = "\x00\x00\x00\x04Cx\x00U"
	stubHelo    = "\x00\x00\x00\x01H"
	stubMail    = "\x00\x00\x00\x01M"
	stubRcpt    = "\x00\x00\x00\x01R"
	stubHeader  = "\x00\x00\x00\x05Lx\x00x\x00"
	stubEOH     = "\x00\x00\x00\x01N"
	stubBody    = "\x00\x00\x00\x01B"
	stubEOM     = "\x00\x00\x00\x01E"
)

// Macro returns a macro's value; see Conn.
func (l *link) Macro(name string) (string, bool) { return l.macros.get(name) }

// Draining tells whether the server is shutting down; see Conn.
func (l *link) Draining() bool { return l.srv.draining.Load() }

// Crowded tells whether the connection is over the limit; see Conn.
func (l *link) Crowded() bool { return l.crowded }

// Read gives the library its next packet. Whatever ends the connection is io.EOF to
// it: the reason has been logged here.
func (l *link) Read(p []byte) (int, error) {
	for len(l.feed) == 0 {
		stub, err := l.next()
		if err != nil {
			l.ended(err)
			return 0, io.EOF
		}
		l.feed = append(l.feed[:0], stub...)
	}
	n := copy(p, l.feed)
	l.feed = l.feed[n:]
	return n, nil
}

// Write takes the library's answers; they leave before the next wait for the MTA. The
// library writes large ones in pieces: only whole ones may be followed by part's.
func (l *link) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.parted {
		return len(p), nil
	}
	l.torn = append(l.torn, p...)
	whole := 0
	for len(l.torn)-whole >= 4 {
		n := 4 + int(binary.BigEndian.Uint32(l.torn[whole:]))
		if len(l.torn)-whole < n {
			break
		}
		whole += n
	}
	l.out = append(l.out, l.torn[:whole]...)
	if l.torn = append(l.torn[:0], l.torn[whole:]...); len(l.torn) == 0 && cap(l.torn) > 4096 {
		l.torn = nil
	}
	return len(p), nil
}

// Close ends the connection and the session, once.
func (l *link) Close() error {
	l.closed.Do(func() {
		l.Conn.Close()
		l.try("close", l.sess.Close)
		l.srv.remove(l)
	})
	return nil
}

// ended logs why a connection ends. An MTA that closes between two packets is nothing
// special: a session with a message open tells of it itself.
func (l *link) ended(err error) {
	if l.Parted() || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return
	}
	l.log.Warn("milter connection ended", "mta", l.RemoteAddr().String(), "reason", err.Error())
}

// next reads packets until one comes that the library has to act on.
func (l *link) next() (stub string, err error) {
	for {
		if err := l.flush(); err != nil {
			return "", err
		}
		if l.dead {
			return "", io.EOF
		}
		if l.Parted() {
			// The MTA has its answer; what it sends now is read to let it arrive.
			io.Copy(io.Discard, l.r)
			return "", io.EOF
		}
		cmd, err := l.readPacket()
		if err != nil {
			return "", err
		}
		stub, err = l.dispatch(cmd)
		if stub != "" || err != nil {
			return stub, err
		}
	}
}

// flush sends what has gathered in one write. The session's afterwork is done when the
// answer has left.
func (l *link) flush() error {
	answered, err := l.write()
	if answered {
		l.try("afterwork", l.sess.Answered)
	}
	return err
}

// write sends what has gathered. It tells whether an answer has left that the session
// wants to know of.
func (l *link) write() (answered bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.out) > 0 && !l.parted {
		l.extendWrite()
		if _, err := l.Conn.Write(l.out); err != nil {
			l.after = false // Session.Close tells of it
			return false, fmt.Errorf("cannot answer: %w", err)
		}
		l.wrote = time.Now()
	}
	if l.out = l.out[:0]; cap(l.out) > 4096 {
		l.out = nil
	}
	answered, l.after = l.after, false
	return answered, nil
}

// extendWrite gives a write at least WriteTimeout. Setting a deadline costs more than
// most else that is done for a packet, so it is set when that has half run out.
func (l *link) extendWrite() {
	now := time.Now()
	if l.writeBy.Sub(now) >= l.srv.conf.WriteTimeout || l.ending.Load() {
		return
	}
	l.writeBy = now.Add(2 * l.srv.conf.WriteTimeout)
	l.SetWriteDeadline(l.writeBy)
}

// owe notes that the session wants to know when the answer has left.
func (l *link) owe() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.after = !l.parted
}

// readPacket reads the next packet, all but the contents of a body. Deadlines are set
// only where the network is waited for.
func (l *link) readPacket() (cmd byte, err error) {
	var head [4]byte
	if l.r.Buffered() < len(head)+1 {
		l.setIdleDeadline()
		if _, err := l.r.Peek(1); err != nil {
			return 0, err
		}
	}
	// Once begun, a packet has to come in full: the rest of one is no place to idle.
	if l.r.Buffered() < len(head)+1 {
		l.setReadDeadline(l.srv.conf.PacketTimeout)
	}
	if _, err := io.ReadFull(l.r, head[:]); err != nil {
		return 0, notEOF(err)
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n == 0 || n > maxPacket {
		return 0, fmt.Errorf("%w: length %d, expected 1 to %d", errMalformed, n, maxPacket)
	}
	if cmd, err = l.r.ReadByte(); err != nil {
		return 0, notEOF(err)
	}
	if l.r.Buffered() < int(n)-1 {
		l.setReadDeadline(l.srv.conf.PacketTimeout)
	}
	if cmd == cmdBody || cmd == cmdEOM {
		l.body = int(n) - 1
		return cmd, nil
	}
	if n > maxCommand && (cmd == cmdConnect || cmd == cmdHelo || cmd == cmdMail || cmd == cmdRcpt) {
		return 0, fmt.Errorf("%w: %q of %d bytes, expected %d at most", errMalformed, cmd, n, maxCommand)
	}
	if int(n)-1 > cap(l.payload) || cap(l.payload) > 4096 && n < 1024 {
		l.payload = make([]byte, 0, max(256, int(n)-1))
	}
	l.payload = l.payload[:n-1]
	if _, err := io.ReadFull(l.r, l.payload); err != nil {
		return 0, notEOF(err)
	}
	return cmd, nil
}

// notEOF tells an end inside of a packet from one between two.
func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// setIdleDeadline bounds the wait for the next packet. An MTA negotiates at once; while
// a message streams it sends from its own disk; between commands a human may be typing.
func (l *link) setIdleDeadline() {
	switch l.stage {
	case stageNew:
		l.setReadDeadline(l.srv.conf.NegotiateTimeout)
	case stageMessage:
		l.setReadDeadline(time.Until(l.begun.Add(l.srv.conf.MessageTimeout)))
	default:
		l.setReadDeadline(l.srv.conf.IdleTimeout)
	}
}

// setReadDeadline sets when the wait for the MTA ends, unless what is set is at most an
// eighth too early.
func (l *link) setReadDeadline(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	by := time.Now().Add(d)
	if late := by.Sub(l.readBy); late >= 0 && late <= d/8 || l.ending.Load() {
		return // part has set the last deadline
	}
	l.readBy = by
	l.SetReadDeadline(by)
}

// dispatch checks the order of commands and does those that the library can't.
// It returns the stub of those that it can.
func (l *link) dispatch(cmd byte) (stub string, err error) {
	if (l.stage == stageNew) != (cmd == cmdOptneg) {
		return "", fmt.Errorf("%w: %q", errOrder, cmd)
	}
	l.macros.reached(cmd)
	switch cmd {
	case cmdOptneg:
		return "", l.negotiate()
	case cmdMacro:
		return "", l.macros.set(l.payload)
	case cmdConnect:
		l.abort()
		return l.quiet(stepNoReplyConnect, stubConnect, l.connect)
	case cmdHelo:
		return l.quiet(stepNoReplyHelo, stubHelo, l.helo)
	case cmdMail:
		l.abort()
		return stubMail, nil
	case cmdRcpt:
		return stubRcpt, l.expect(cmd, l.stage == stageMail)
	case cmdData:
		if err := l.expect(cmd, l.stage == stageMail); err != nil {
			return "", err
		}
		l.data()
		return "", nil
	case cmdHeader, cmdEOH, cmdBody:
		if err := l.streams(cmd); err != nil {
			return "", err
		}
		switch cmd {
		case cmdHeader:
			return l.quiet(stepNoReplyHeader, stubHeader, l.header)
		case cmdEOH:
			return l.quiet(stepNoReplyEOH, stubEOH, l.endHeaders)
		}
		return l.quiet(stepNoReplyBody, stubBody, l.chunks)
	case cmdEOM:
		return stubEOM, l.streams(cmd)
	case cmdAbort:
		l.abort()
		l.macros.forgetMessage()
		return "", nil
	case cmdUnknown:
		// Not asked for, but sendmail's older versions and an MTA that doesn't
		// offer SMFIP_NOUNKNOWN send it, and wait unless SMFIP_NR_UNKN is agreed on.
		if l.offer.steps&stepNoReplyUnknown == 0 {
			l.answer(respContinue, "")
		}
		return "", nil
	case cmdQuitNC:
		// The MTA keeps the connection for its next SMTP session.
		l.abort()
		l.macros.forget(0)
		return "", nil
	case cmdQuit:
		return "", io.EOF
	}
	return "", fmt.Errorf("%w: unknown command %q", errMalformed, cmd)
}

// quiet gives an event to the session at once where the MTA waits for no answer, and
// else leaves it to the library.
func (l *link) quiet(step uint32, stub string, event func() error) (string, error) {
	if l.offer.steps&step == 0 {
		return stub, nil
	}
	return "", event()
}

// streams notes that the message itself comes now.
func (l *link) streams(cmd byte) error {
	if l.stage == stageMail {
		l.stage, l.begun = stageMessage, time.Now()
	}
	return l.expect(cmd, l.stage == stageMessage)
}

// expect returns an error for a command that needs a transaction and has none.
func (l *link) expect(cmd byte, ok bool) error {
	if !ok {
		return fmt.Errorf("%w: %q without MAIL", errOrder, cmd)
	}
	return nil
}

// negotiate answers SMFIC_OPTNEG at once: Postfix and sendmail wait for it before
// they greet their client.
func (l *link) negotiate() error {
	o, err := parseOffer(l.payload)
	if err != nil {
		return err
	}
	if o.version < minVersion {
		return fmt.Errorf("the MTA speaks milter version %d, expected %d or later", o.version, minVersion)
	}
	l.stage = stageIdle
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offer = o.accept()
	if !l.parted {
		l.out = l.offer.append(l.out)
	}
	return nil
}

// abort ends a message that was begun, without a word from the MTA.
func (l *link) abort() {
	if l.stage >= stageMail {
		l.stage = stageIdle
		l.try("abort", l.sess.Abort)
	}
}

// answer adds a packet to what leaves next.
func (l *link) answer(code byte, payload string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.parted {
		l.out = appendPacket(l.out, code, payload)
	}
}

// kill ends the connection: what the MTA has sent already is not looked at.
func (l *link) kill() {
	l.dead = true
	l.Conn.Close()
}
