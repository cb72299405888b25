package miltertest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// Stream is what a filter sent over one connection, read without regard to what
// it answered.
type Stream struct {
	Version  uint32 // agreed on; 0 when no offer was answered
	Protocol uint32 // steps the filter asked for
	Offers   int    // how often an offer was answered
	Verdicts int    // answers but progress and edits
}

// ReadStream checks everything that a filter sent: packets that are whole, of
// known kinds and well formed. A packet cut off at the end is reported as
// io.ErrUnexpectedEOF, a fault of the filter as a [Violation].
func ReadStream(b []byte) (Stream, error) {
	var s Stream
	fresh := func() replyParser {
		return replyParser{stage: CmdEOM, version: 6, actions: AllActions, protocol: s.Protocol}
	}
	p := fresh()
	for r := bytes.NewReader(b); ; {
		code, payload, err := readPacket(r)
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		if Command(code) == CmdOptneg {
			if len(payload) < 12 {
				return s, violate(CmdOptneg, "answer of %d bytes, want 12", len(payload))
			}
			s.Version, s.Protocol = binary.BigEndian.Uint32(payload), binary.BigEndian.Uint32(payload[8:])
			s.Offers++
			p = fresh()
			continue
		}
		if code == ReplySkip && len(payload) == 0 {
			s.Verdicts++
			continue
		}
		done, err := p.add(code, payload)
		if err != nil {
			return s, err
		}
		if done {
			s.Verdicts++
			p = fresh()
		}
	}
}

// Answers tells whether a filter that asked for these protocol steps answers a
// command. Commands that it declined count as answered: an MTA doesn't send them.
func (c Command) Answers(protocol uint32) bool { return due(c, protocol) }

// Packet is the command as it goes over the wire.
func (c Command) Packet(payload ...string) []byte {
	n := 1
	for _, p := range payload {
		n += len(p)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(n))
	b = append(b, byte(c))
	for _, p := range payload {
		b = append(b, p...)
	}
	return b
}
