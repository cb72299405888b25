package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"rmilter/milter/miltertest"
)

// sender sends messages one after the other over one connection at a time. It is
// used by one goroutine.
type sender struct {
	*load
	rng   *rand.Rand
	tally *tally

	conn   *miltertest.Conn // nil when there is none
	sent   int              // messages on conn
	client netip.Addr
	host   string
}

// result is what became of one message.
type result struct {
	Message string   `json:"message"`
	QueueID string   `json:"queue_id"`
	Client  string   `json:"client"`
	From    string   `json:"from"`
	Rcpts   []string `json:"rcpts"`
	Refused int      `json:"refused"`
	Bytes   int      `json:"bytes"`
	Stage   string   `json:"stage"` // where it ended, in lower case
	Final   string   `json:"final"` // continue, accept, discard …, "554 5.7.1", aborted, error
	Reply   string   `json:"reply,omitempty"`
	Edits   []string `json:"edits,omitempty"`
	Latency float64  `json:"ms"`     // from the start of the session, or of the message on a used connection
	EOM     float64  `json:"eom_ms"` // from EOM
	Error   string   `json:"error,omitempty"`
}

// send sends one message; a connection that fails is dropped.
func (s *sender) send(ctx context.Context, l *letter, start time.Time) {
	r := s.message(l, start)
	r.Latency = ms(time.Since(start))
	s.tally.add(r)
	if s.results != nil {
		s.write(r)
	}
	if r.Error != "" && s.conn == nil {
		// A milter that is down isn't to be called in a tight loop.
		pause(ctx, 10*time.Millisecond)
	}
	if s.conn != nil && (s.sent >= s.perConn || strings.HasPrefix(r.Final, "421 ")) {
		if err := s.hangUp(); err != nil {
			s.tally.errors["quit: "+brief(err)]++
		}
	}
}

func (s *sender) message(l *letter, start time.Time) result {
	r := result{Message: l.name, Bytes: l.size}
	d := s.delivery(l)
	r.From = strings.Trim(d.From.Addr, "<>")
	for _, p := range d.Rcpts {
		r.Rcpts = append(r.Rcpts, strings.Trim(p.Addr, "<>"))
	}
	if s.conn == nil {
		if stage, reply, err := s.open(); err != nil || !reply.Continues() {
			s.drop()
			r.end(stage, reply, err)
			return r
		}
	}
	s.sent++
	r.Client, r.QueueID = s.client.String(), fmt.Sprintf("4%010X", s.queueID.Add(1))
	var eom time.Time
	o := miltertest.Options{
		Chunk:          s.chunk,
		AbortBeforeEnd: s.rng.Float64() < s.abort,
		AbortAfterEnd:  s.mta == "postfix",
	}
	macros := s.messageMacros(r.QueueID, d, s.rng.Float64() < s.auth)
	o.Macros = func(stage miltertest.Command) []string {
		if stage == miltertest.CmdEOM {
			eom = time.Now()
		}
		return macros(stage)
	}
	out, err := s.conn.Deliver(d, o)
	if !eom.IsZero() {
		r.EOM = ms(time.Since(eom))
	}
	r.Refused = len(out.Refused)
	r.end(out.Stage, out.Reply, err)
	if err != nil {
		s.drop()
	} else if out.Aborted {
		r.Final = "aborted"
	}
	return r
}

// end notes the answer that decided.
func (r *result) end(stage miltertest.Command, reply miltertest.Reply, err error) {
	r.Stage = strings.ToLower(stage.String())
	if err != nil {
		r.Final, r.Error = "error", r.Stage+": "+brief(err)
		return
	}
	r.Final = reply.Action.String()
	if reply.Action == miltertest.ReplyCode {
		r.Final, r.Reply = strings.TrimSpace(fmt.Sprintf("%d %s", reply.Code, reply.Enhanced)), reply.String()
	}
	for _, e := range reply.Edits {
		r.Edits = append(r.Edits, strings.TrimSpace(e.Op.String()+" "+e.Name))
	}
}

func (s *sender) write(r result) {
	b, err := json.Marshal(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		_, err = s.results.Write(append(b, '\n'))
	}
	if err != nil {
		s.tally.errors["results: "+err.Error()]++
	}
}

// open begins an SMTP session on a new connection.
func (s *sender) open() (miltertest.Command, miltertest.Reply, error) {
	conn, err := miltertest.Dial(s.network, s.addr)
	if err != nil {
		return miltertest.CmdConnect, miltertest.Reply{}, fmt.Errorf("dial: %w", err)
	}
	s.conn, s.sent = conn, 0
	conn.SetTimeout(s.timeout)
	if err := conn.Negotiate(s.version, s.actions, s.protocol); err != nil {
		return miltertest.CmdOptneg, miltertest.Reply{}, err
	}
	agreed := fmt.Sprintf("version %d, actions %#x, protocol %#x", conn.Version(), conn.Actions(), conn.Protocol())
	s.negotiated.Store(&agreed)
	s.client = pick(s.rng, s.clients)
	s.host = "host-" + strings.NewReplacer(".", "-", ":", "-").Replace(s.client.String()) + ".isp.example"
	if s.idle > 0 && s.idleAfter == "optneg" {
		return miltertest.CmdOptneg, miltertest.Reply{Action: miltertest.ReplyContinue}, nil
	}
	family := miltertest.Inet
	if s.client.Is6() {
		family = miltertest.Inet6
	}
	if err := s.macro(miltertest.CmdConnect, s.connectMacros()); err != nil {
		return miltertest.CmdConnect, miltertest.Reply{}, err
	}
	reply, err := conn.Connect(s.host, family, uint16(1024+s.rng.IntN(60000)), s.client.String())
	if err != nil || !reply.Continues() {
		return miltertest.CmdConnect, reply, err
	}
	if err := s.macro(miltertest.CmdHelo, s.macros[miltertest.CmdHelo]); err != nil {
		return miltertest.CmdHelo, miltertest.Reply{}, err
	}
	reply, err = conn.Helo(s.host)
	return miltertest.CmdHelo, reply, err
}

// hangUp ends the session in good order.
func (s *sender) hangUp() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Quit()
	s.conn = nil
	return err
}

// drop ends it in bad order.
func (s *sender) drop() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// brief gives errors that differ only in numbers the same name.
func brief(err error) string {
	var v *miltertest.Violation
	switch {
	case errors.As(err, &v):
		return "violation: " + v.What
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.Is(err, syscall.EPIPE):
		return "broken pipe"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "connection closed"
	}
	return err.Error()
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
