package oddtraffic

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"rmilter/milter/miltertest"
)

// ending says what the client does when all is sent.
type ending byte

const (
	halfClose ending = iota // it closes its half and reads on
	quit                    // it says QUIT, or has said it, and waits for the filter to close
	wait                    // it does nothing: what it sent must make the filter close
	vanish                  // it closes without reading
)

// play is one connection with odd traffic.
type play struct {
	name string
	send []byte
	end  ending
	slow bool // every byte is written by itself
	// whole is the dialogue that send is, when every answer due must come.
	whole dialogue
}

// maxAnswers bounds what a filter may send back in one play.
const maxAnswers = 8 << 20

// run plays p and tells what isn't clean about its end.
func (p play) run(dial func() (net.Conn, error), deadline time.Duration) error {
	nc, err := dial()
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(deadline)); err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() { written <- p.write(nc) }()
	if p.end == vanish {
		return timeout(<-written)
	}
	got, err := io.ReadAll(io.LimitReader(nc, maxAnswers))
	reset := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	if err != nil && !reset {
		nc.Close()
		<-written
		return fmt.Errorf("neither answered to the end nor closed, %d bytes came: %w", len(got), err)
	}
	nc.Close()
	if len(got) == maxAnswers {
		<-written
		return fmt.Errorf("%d bytes of answers and no end", len(got))
	}
	if err := timeout(<-written); err != nil {
		return err
	}
	return p.check(got, reset)
}

// timeout keeps of a writer's errors those that aren't the filter's close.
func timeout(err error) error {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return fmt.Errorf("neither read nor closed: %w", err)
	}
	return nil
}

func (p play) write(nc net.Conn) error {
	b := p.send
	if p.end == quit {
		b = append(b[:len(b):len(b)], miltertest.CmdQuit.Packet()...)
	}
	step := max(len(b), 1)
	if p.slow {
		step = 1
	}
	for len(b) > 0 {
		n := min(step, len(b))
		if _, err := nc.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	if p.end != halfClose {
		return nil
	}
	c, ok := nc.(interface{ CloseWrite() error })
	if !ok {
		return fmt.Errorf("oddtraffic: %T can't be closed by halves", nc)
	}
	return c.CloseWrite()
}

// check looks at what the filter sent. After a reset its last bytes may be lost.
func (p play) check(got []byte, reset bool) error {
	s, err := miltertest.ReadStream(got)
	if errors.Is(err, io.ErrUnexpectedEOF) && reset {
		return nil
	}
	if err != nil {
		return fmt.Errorf("answers %.200q: %w", got, err)
	}
	if s.Offers > 0 && (s.Version < 2 || s.Version > 6) {
		return fmt.Errorf("version %d agreed on, want 2 to 6", s.Version)
	}
	if p.whole == nil {
		return nil
	}
	if want := p.whole.verdicts(s.Protocol); reset || s.Offers != 1 || s.Verdicts != want {
		return fmt.Errorf("%d answers and %d to the offer, reset %v, want %d and 1", s.Verdicts, s.Offers, reset, want)
	}
	return nil
}
