package miltertest

import (
	"bytes"
	"encoding/binary"
)

// Version is the protocol version agreed on, 0 before the negotiation.
func (c *Conn) Version() uint32 { return c.version }

// Actions are what the filter asked to be allowed to do.
func (c *Conn) Actions() uint32 { return c.actions }

// Protocol are the steps that the filter asked for.
func (c *Conn) Protocol() uint32 { return c.protocol }

// SymLists are the macros that the filter asked for, by the number of the stage
// (SMFIM_*); nil when it asked for none.
func (c *Conn) SymLists() map[uint32]string { return c.symLists }

// Negotiate offers a version and masks and reads what the filter wants of them.
// A filter that wants more than was offered, another version than 2 to 6, or
// macros without having been offered their choice is reported as a [Violation]:
// Postfix and sendmail drop it.
func (c *Conn) Negotiate(version, actions, protocol uint32) error {
	if err := c.Send(CmdOptneg, optneg(version, actions, protocol)); err != nil {
		return err
	}
	code, payload, err := c.ReadPacket()
	if err != nil {
		return err
	}
	if Command(code) != CmdOptneg {
		return violate(CmdOptneg, "answered by %v", code)
	}
	if len(payload) < 12 {
		return violate(CmdOptneg, "answer of %d bytes, want 12", len(payload))
	}
	v := binary.BigEndian.Uint32(payload)
	a := binary.BigEndian.Uint32(payload[4:])
	p := binary.BigEndian.Uint32(payload[8:])
	if v < 2 || v > 6 || v > version {
		return violate(CmdOptneg, "version %d wanted, %d offered", v, version)
	}
	if more := a &^ actions; more != 0 {
		return violate(CmdOptneg, "actions %#x wanted, not offered", more)
	}
	if more := p &^ protocol; more != 0 {
		return violate(CmdOptneg, "protocol steps %#x wanted, not offered", more)
	}
	if p&MaxData256K != 0 && p&MaxData1M != 0 {
		return violate(CmdOptneg, "packets of 256 KB and of 1 MB wanted")
	}
	lists, err := symLists(payload[12:], a)
	if err != nil {
		return err
	}
	c.version, c.actions, c.protocol, c.symLists = v, a, p, lists
	return nil
}

func optneg(version, actions, protocol uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, version)
	b = binary.BigEndian.AppendUint32(b, actions)
	return binary.BigEndian.AppendUint32(b, protocol)
}

// symLists reads the macros wanted: a stage number and a string for each stage.
func symLists(b []byte, actions uint32) (map[uint32]string, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if actions&ActSetSymList == 0 {
		return nil, violate(CmdOptneg, "%d bytes too many", len(b))
	}
	lists := map[uint32]string{}
	for len(b) > 0 {
		end := -1
		if len(b) > 4 {
			end = bytes.IndexByte(b[4:], 0)
		}
		if end < 0 {
			return nil, violate(CmdOptneg, "list of macros cut off: %q", b)
		}
		stage := binary.BigEndian.Uint32(b)
		if stage > 6 {
			return nil, violate(CmdOptneg, "list of macros for stage %d, the last is 6", stage)
		}
		if _, twice := lists[stage]; twice {
			return nil, violate(CmdOptneg, "two lists of macros for stage %d", stage)
		}
		lists[stage] = string(b[4 : 4+end])
		b = b[4+end+1:]
	}
	return lists, nil
}
