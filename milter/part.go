package milter

import (
	"errors"
	"net"
	"os"
	"time"
)

// settleTime is how long after an answer the next may come without having been asked for.
const settleTime = 100 * time.Millisecond

// SetParting says what part answers; see Conn.
func (l *link) SetParting(r Reply) {
	if r.Action == Continue {
		l.parting.Store(nil)
		return
	}
	l.parting.Store(&r)
}

// Parted tells whether part has given its answer; see Conn.
func (l *link) Parted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parted
}

// part gives the last answer that this connection will have, as the server must stop:
// whatever the MTA asks next, MAIL, RCPT, DATA or the end of a message, it finds the
// reply there. Without it an MTA with milter_default_action = accept would let the
// session's next message through. Local mail is never refused: it has until the
// deadline to end by itself.
func (l *link) part() {
	// First, so that a write that waits for an MTA that doesn't read ends too.
	l.ending.Store(true)
	l.Conn.SetDeadline(time.Now().Add(l.srv.conf.LingerTimeout))
	r := l.parting.Load()
	if r == nil {
		return
	}
	l.settle()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Conn.SetDeadline(time.Now().Add(l.srv.conf.LingerTimeout))
	r = l.parting.Load()
	// Before SMFIC_OPTNEG there is nothing that an MTA would take for a refusal.
	if l.parted || r == nil || l.offer.version == 0 {
		return
	}
	l.parted = true
	l.Conn.Write(appendPacket(l.out, respReplyCode, r.format(), "\x00"))
	l.out = nil
	// The MTA must not see a reset before it has read the answer: say that nothing
	// more comes, and go on reading until it hangs up or the deadline is over.
	if c, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
}

// settle waits until the MTA has surely read the answer before. Postfix's smtpd reads
// what is there together with the answer to DATA, hands the connection to its cleanup
// process and forgets the rest.
func (l *link) settle() {
	for {
		l.mu.Lock()
		rest := settleTime - time.Since(l.wrote)
		l.mu.Unlock()
		if rest <= 0 {
			return
		}
		time.Sleep(rest)
	}
}

// dup returns a second descriptor of a connection that has parted, nil for another.
func (l *link) dup() *os.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.Conn.(interface{ File() (*os.File, error) })
	if !ok || !l.parted {
		return nil
	}
	f, err := c.File()
	if err != nil {
		if !errors.Is(err, net.ErrClosed) {
			l.log.Error("cannot hand a connection over", "reason", err.Error())
		}
		return nil
	}
	return f
}
