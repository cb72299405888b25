package miltertest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	defaultTimeout = 10 * time.Second
	maxReply       = 16 << 20 // bytes of one packet from the filter
	maxPackets     = 10000    // packets of one answer
)

// A Violation is an answer that an MTA would not take as it was meant: a fault
// of the filter, as opposed to a lost connection.
type Violation struct {
	Stage Command // what was being answered
	What  string  // what is wrong
}

// Error says what is wrong and at which stage.
func (v *Violation) Error() string {
	return fmt.Sprintf("milter protocol violated at %v: %s", v.Stage, v.What)
}

func violate(stage Command, format string, args ...any) error {
	return &Violation{stage, fmt.Sprintf(format, args...)}
}

// Conn is the MTA's end of a milter connection. It is not safe for use by
// several goroutines at once. Packets are held back until an answer is due, as
// MTAs do; [Conn.Flush] sends them earlier.
type Conn struct {
	nc      net.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	timeout time.Duration

	last     Command // the command sent last
	version  uint32
	actions  uint32
	protocol uint32
	symLists map[uint32]string
}

// Dial connects to a filter. Network is "tcp", "tcp4", "tcp6" or "unix".
func Dial(network, addr string) (*Conn, error) {
	nc, err := net.DialTimeout(network, addr, defaultTimeout)
	if err != nil {
		return nil, err
	}
	return NewConn(nc), nil
}

// NewConn speaks over a connection that stands already, for example one end of
// a net.Pipe.
func NewConn(nc net.Conn) *Conn {
	return &Conn{
		nc:      nc,
		r:       bufio.NewReaderSize(nc, 4<<10),
		w:       bufio.NewWriterSize(nc, 64<<10),
		timeout: defaultTimeout,
	}
}

// SetTimeout bounds every read of a packet and every write from now on. The
// default is 10 s.
func (c *Conn) SetTimeout(d time.Duration) { c.timeout = d }

// NetConn is the connection underneath, for tests that break it.
func (c *Conn) NetConn() net.Conn { return c.nc }

// Close closes the connection without a word.
func (c *Conn) Close() error { return c.nc.Close() }

// Send writes one packet. The pieces of the payload are put together.
func (c *Conn) Send(cmd Command, payload ...[]byte) error {
	n := 1
	for _, p := range payload {
		n += len(p)
	}
	c.last = cmd
	var head [5]byte
	binary.BigEndian.PutUint32(head[:], uint32(n))
	head[4] = byte(cmd)
	if n+4 > c.w.Available() {
		c.writeDeadline()
	}
	if _, err := c.w.Write(head[:]); err != nil {
		return fmt.Errorf("sending %v: %w", cmd, err)
	}
	for _, p := range payload {
		if _, err := c.w.Write(p); err != nil {
			return fmt.Errorf("sending %v: %w", cmd, err)
		}
	}
	return nil
}

// SendRaw writes bytes that need not be a packet, after all that was held back,
// at once.
func (c *Conn) SendRaw(b []byte) error {
	c.writeDeadline()
	if _, err := c.w.Write(b); err != nil {
		return err
	}
	return c.w.Flush()
}

// Flush sends what has been held back.
func (c *Conn) Flush() error {
	if c.w.Buffered() == 0 {
		return nil
	}
	c.writeDeadline()
	return c.w.Flush()
}

// A deadline that cannot be set shows in the write or read that follows.
func (c *Conn) writeDeadline() { _ = c.nc.SetWriteDeadline(time.Now().Add(c.timeout)) }
func (c *Conn) readDeadline()  { _ = c.nc.SetReadDeadline(time.Now().Add(c.timeout)) }

// ReadPacket sends what has been held back and reads one packet, whatever it
// is. The error is io.EOF when the filter closed the connection between packets.
func (c *Conn) ReadPacket() (Code, []byte, error) {
	if err := c.Flush(); err != nil {
		return 0, nil, err
	}
	c.readDeadline()
	code, payload, err := readPacket(c.r)
	if v := (*Violation)(nil); errors.As(err, &v) {
		v.Stage = c.last
	}
	return code, payload, err
}

func readPacket(r io.Reader) (Code, []byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxReply {
		return 0, nil, violate(0, "packet of %d bytes", n)
	}
	b := make([]byte, min(n, 64<<10))
	for got := 0; ; {
		k, err := io.ReadFull(r, b[got:])
		got += k
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, nil, err
		}
		if got == int(n) {
			return Code(b[0]), b[1:], nil
		}
		// A length is believed only as far as bytes come.
		b = append(b, make([]byte, min(int(n)-got, got))...)
	}
}

// ReadReply sends what has been held back and reads the answer to cmd with all
// edits before it. A fault of the filter is a [Violation].
func (c *Conn) ReadReply(cmd Command) (Reply, error) {
	p := replyParser{stage: cmd, version: c.version, actions: c.actions, protocol: c.protocol}
	for {
		code, payload, err := c.ReadPacket()
		if err != nil {
			return p.reply, fmt.Errorf("reading the answer to %v: %w", cmd, err)
		}
		done, err := p.add(code, payload)
		if err != nil || done {
			return p.reply, err
		}
	}
}

// unasked reports a Violation when the filter has sent something that nothing
// asked for, as far as it has arrived.
func (c *Conn) unasked(stage Command) error {
	if n := c.r.Buffered(); n > 0 {
		b, _ := c.r.Peek(min(n, 16))
		return violate(stage, "%d bytes sent unasked before it: %q", n, b)
	}
	return nil
}

// drain is the second half of QUIT: it reads until the filter closes and reports a
// Violation when anything but the close comes.
func (c *Conn) drain(stage Command) error {
	if err := c.Flush(); err != nil {
		return fmt.Errorf("sending %v: %w", stage, err)
	}
	c.readDeadline()
	b := make([]byte, 64)
	n, err := c.r.Read(b)
	if n > 0 {
		return violate(stage, "sent unasked: %q", b[:n])
	}
	if err != io.EOF {
		return fmt.Errorf("waiting for the filter to close after %v: %w", stage, err)
	}
	return nil
}
