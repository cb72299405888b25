package miltertest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// Packet is one packet from a filter.
type Packet struct {
	Code    Code
	Payload []byte
}

// Filter plays a filter, for tests of what talks to filters. The zero value asks
// for nothing and lets everything through. One Filter may serve any number of
// connections at once if Answer can.
type Filter struct {
	Version  uint32 // version wanted, 6 when 0; never more than is offered
	Actions  uint32 // actions wanted, as far as they are offered
	Protocol uint32 // protocol steps wanted, as far as they are offered
	// Answer gives what to send for a command: nil for continue where an answer is
	// due and silence where none is, else these packets whether one is due or not.
	Answer func(cmd Command, payload []byte) []Packet
}

// maxCommand bounds a packet that a Filter takes.
const maxCommand = 1 << 20

// Serve speaks to one MTA until it quits or is lost, and closes the connection.
// The error is nil when the MTA said QUIT or closed between packets.
func (f *Filter) Serve(nc net.Conn) error {
	defer nc.Close()
	r, w := bufio.NewReader(nc), bufio.NewWriter(nc)
	var nr uint32
	for {
		cmd, payload, err := readCommand(r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var out []Packet
		if f.Answer != nil {
			out = f.Answer(cmd, payload)
		}
		if cmd == CmdQuit && out == nil {
			return nil
		}
		if out == nil && cmd == CmdOptneg {
			if len(payload) < 12 {
				return errors.New("short offer")
			}
			out = []Packet{f.negotiate(payload)}
			nr = binary.BigEndian.Uint32(out[0].Payload[8:])
		}
		if out == nil && due(cmd, nr) {
			out = []Packet{{Code: ReplyContinue}}
		}
		for _, p := range out {
			if err := writePacket(w, p); err != nil {
				return err
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
}

func (f *Filter) negotiate(offer []byte) Packet {
	v := f.Version
	if v == 0 {
		v = 6
	}
	v = min(v, binary.BigEndian.Uint32(offer))
	a := f.Actions & binary.BigEndian.Uint32(offer[4:])
	p := f.Protocol & binary.BigEndian.Uint32(offer[8:])
	return Packet{Code(CmdOptneg), optneg(v, a, p)}
}

// due tells whether a command wants an answer.
func due(cmd Command, protocol uint32) bool {
	switch cmd {
	case CmdMacro, CmdAbort, CmdQuit, CmdQuitNC, CmdOptneg:
		return false
	}
	_, nr, _ := cmd.rules()
	return protocol&nr == 0
}

func readCommand(r *bufio.Reader) (Command, []byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxCommand {
		return 0, nil, fmt.Errorf("packet of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, nil, err
	}
	return Command(b[0]), b[1:], nil
}

func writePacket(w *bufio.Writer, p Packet) error {
	var head [5]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(p.Payload)+1))
	head[4] = byte(p.Code)
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(p.Payload)
	return err
}
