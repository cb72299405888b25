package milter_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"rmilter/milter"
)

// A judge is a Session that fails the test when events come out of order.
type judge struct {
	t      *testing.T
	conn   milter.Conn
	open   bool // a transaction
	body   bool // its header or body has begun
	ended  bool // End was answered, Answered is due
	closed chan struct{}
}

func (j *judge) want(ok bool, event string) {
	if !ok {
		j.t.Errorf("%s out of order: %+v", event, j)
	}
}

func (j *judge) Connect(milter.Connect) { j.want(!j.open, "connect") }
func (j *judge) Helo(string)            { j.conn.Macro("j") }
func (j *judge) Mail(_ context.Context, p milter.Path) milter.Reply {
	j.want(!j.open && !j.ended && p.Addr != "", "mail")
	if len(p.Addr)%2 == 1 {
		j.ended = true // a refusal is told of, too
		return milter.Reply{Action: milter.Respond, Code: 451, Text: p.Addr}
	}
	j.open, j.body = true, false
	return milter.Reply{}
}
func (j *judge) Rcpt(_ context.Context, p milter.Path) milter.Reply {
	j.want(j.open && !j.body, "rcpt")
	return milter.Reply{Action: milter.Respond, Code: 550, Enhanced: "5.1.1", Text: p.Addr}
}
func (j *judge) Data(context.Context) milter.Reply {
	j.want(j.open && !j.body, "data")
	return milter.Reply{}
}
func (j *judge) Header(name, value string) {
	j.want(j.open && name != "" && value != "", "header")
	j.body = true
}
func (j *judge) EndHeaders() { j.want(j.open, "eoh"); j.body = true }
func (j *judge) Chunk(b []byte) {
	j.want(j.open && len(b) > 0, "chunk")
	j.body = true
}
func (j *judge) End(context.Context) milter.Answer {
	j.want(j.open, "end")
	j.open, j.ended = false, true
	return milter.Answer{Edits: []milter.Edit{{Op: milter.AddHeader, Name: "X", Value: "v"}}}
}
func (j *judge) Answered() { j.want(j.ended, "answered"); j.ended = false }
func (j *judge) Abort()    { j.open = false }
func (j *judge) Close()    { close(j.closed) }

// A pipeListener gives out one connection.
type pipeListener struct {
	conn chan net.Conn
	done chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func packet(cmd byte, payload string) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(payload)+1)), cmd), payload...)
}

// FuzzStream sends any bytes: whatever they are, events come in order, every
// connection ends, and what is answered is a row of whole packets.
func FuzzStream(f *testing.F) {
	optneg := func(version byte, actions, steps uint32) []byte {
		p := binary.BigEndian.AppendUint32([]byte{0, 0, 0, version}, actions)
		return packet('O', string(binary.BigEndian.AppendUint32(p, steps)))
	}
	message := func(b []byte) []byte {
		for _, p := range [][]byte{
			packet('D', "Cj\x00mx.example.com\x00{daemon_name}\x00smtpd\x00"),
			packet('C', "client.example.org\x004\x12\x34192.0.2.7\x00"),
			packet('H', "client.example.org\x00"),
			packet('M', "<joe@example.org>\x00SIZE=100\x00"),
			packet('R', "<alice@example.com>\x00"),
			packet('T', ""),
			packet('L', "Subject\x00 hello\x00"),
			packet('N', ""),
			packet('B', "body\r\n"),
			packet('E', ""),
			packet('M', "<jo@example.org>\x00"),
			packet('A', ""),
			packet('K', ""),
			packet('C', "localhost\x00L\x00\x00/run/socket\x00"),
			packet('U', "NONSENSE\x00"),
			packet('Q', ""),
		} {
			b = append(b, p...)
		}
		return b
	}
	f.Add(message(optneg(6, 0x1ff, 0x1fffff)))
	f.Add(message(optneg(2, 0x3f, 0x7f)))
	f.Add(message(optneg(6, 0, 0)))
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 'O'})
	f.Fuzz(func(t *testing.T, stream []byte) {
		j := &judge{t: t, closed: make(chan struct{})}
		srv := milter.NewServer(milter.Config{NewSession: func(c milter.Conn) milter.Session { j.conn = c; return j }})
		ln := &pipeListener{conn: make(chan net.Conn, 1), done: make(chan struct{})}
		go srv.Serve(ln, false)
		mta, filter := net.Pipe()
		mta.SetDeadline(time.Now().Add(10 * time.Second))
		ln.conn <- filter
		read := make(chan error, 1)
		go func() { read <- readPackets(mta) }()
		mta.Write(stream) // an error is an early end, which is fine
		mta.Close()
		<-j.closed
		if err := <-read; err != nil {
			t.Error(err)
		}
		close(ln.done)
		srv.Shutdown(context.Background())
	})
}

// readPackets reads until the end and wants it between two packets, or where the
// reader itself hung up.
func readPackets(c net.Conn) error {
	for {
		var head [4]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return nil
		}
		n := binary.BigEndian.Uint32(head[:])
		if n == 0 || n > 1<<20 {
			return io.ErrShortBuffer
		}
		if _, err := io.CopyN(io.Discard, c, int64(n)); err != nil {
			return nil
		}
	}
}
