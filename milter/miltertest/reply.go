package miltertest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Reply is a filter's answer to one event.
type Reply struct {
	Action   Code     // the verdict; [ReplyContinue] also when no answer is sent
	Answered bool     // whether the filter sent it; false for declined and unanswered events
	Code     int      // with [ReplyCode]: the SMTP code
	Enhanced string   // with [ReplyCode]: the enhanced status code, "" without one
	Lines    []string // with [ReplyCode]: the text, "%%" made "%" again
	Edits    []Edit   // edits in the order sent, at EOM only
	Progress int      // how often the filter asked for patience, at EOM only
}

// Edit is one change to the message.
type Edit struct {
	Op    Code   // one of the Edit constants
	Index int    // insert header: position, 0 the top; change header: which one of that name, from 1
	Name  string // header field name
	Value string // header value as sent; address; reason; piece of the body
	Args  string // ESMTP parameters
}

// Continues tells whether the mail goes on.
func (r Reply) Continues() bool {
	return r.Action == ReplyContinue || r.Action == ReplyAccept || r.Action == ReplySkip
}

// String gives the SMTP reply, with its lines joined by " / ", or the name of
// the action.
func (r Reply) String() string {
	if r.Action != ReplyCode {
		return r.Action.String()
	}
	s := fmt.Sprint(r.Code)
	if r.Enhanced != "" {
		s += " " + r.Enhanced
	}
	return s + " " + strings.Join(r.Lines, " / ")
}

// replyParser puts the packets of one answer together and checks them.
type replyParser struct {
	stage                      Command
	version, actions, protocol uint32
	packets                    int
	reply                      Reply
	body                       bool           // a piece of the body has come
	deleted                    map[string]int // lowest index deleted, by field name
}

// add takes one packet; done is true with the verdict.
func (p *replyParser) add(code Code, payload []byte) (done bool, err error) {
	if p.packets++; p.packets > maxPackets {
		return false, violate(p.stage, "more than %d packets", maxPackets)
	}
	if action, edit := code.needs(); edit {
		if p.stage != CmdEOM {
			return false, violate(p.stage, "%v before the end of the message", code)
		}
		if p.actions&action == 0 {
			return false, violate(p.stage, "%v without action %#x having been negotiated", code, action)
		}
		e, err := parseEdit(code, payload)
		if err == nil {
			err = p.checkEdit(e)
		}
		if err != nil {
			return false, violate(p.stage, "%v: %v", code, err)
		}
		p.reply.Edits = append(p.reply.Edits, e)
		return false, nil
	}
	if code == ReplyCode {
		p.reply.Code, p.reply.Enhanced, p.reply.Lines, err = parseReplyCode(payload)
		if err != nil {
			return false, violate(p.stage, "reply %q: %v", clip(payload), err)
		}
		p.reply.Action, p.reply.Answered = code, true
		return true, nil
	}
	return p.verdict(code, payload)
}

// verdict takes the answers that are one byte long.
func (p *replyParser) verdict(code Code, payload []byte) (done bool, err error) {
	switch code {
	case ReplyContinue, ReplyAccept, ReplyReject, ReplyTempFail:
	case ReplyDiscard:
		// Postfix ignores it here with a warning.
		if p.stage == CmdConnect || p.stage == CmdHelo {
			return false, violate(p.stage, "discard before there is a message")
		}
	case ReplySkip:
		if p.stage != CmdBody || p.protocol&Skip == 0 {
			return false, violate(p.stage, "skip, which only BODY takes, and only when negotiated")
		}
	case ReplyProgress:
		// sendmail reads it only after the end of the message.
		if p.stage != CmdEOM {
			return false, violate(p.stage, "progress before the end of the message")
		}
		p.reply.Progress++
	default:
		// sendmail knows no SMFIR_SHUTDOWN, neither knows SMFIR_CONN_FAIL.
		return false, violate(p.stage, "%v, which not every MTA knows, payload %q", code, clip(payload))
	}
	if len(payload) != 0 {
		return false, violate(p.stage, "%v with %d bytes of payload", code, len(payload))
	}
	if code == ReplyProgress {
		return false, nil
	}
	p.reply.Action, p.reply.Answered = code, true
	return true, nil
}

// checkEdit applies the rules that depend on what was negotiated or sent before.
func (p *replyParser) checkEdit(e Edit) error {
	switch e.Op {
	case EditReplaceBody:
		// Postfix takes one run of pieces only.
		if last := len(p.reply.Edits) - 1; p.body && p.reply.Edits[last].Op != EditReplaceBody {
			return errors.New("pieces of the body with another edit between them")
		}
		p.body = true
	case EditAddHeader, EditInsertHeader, EditChangeHeader:
		lead := strings.HasPrefix(e.Value, " ") || strings.HasPrefix(e.Value, "\t")
		if want := p.protocol&LeadSpace != 0; e.Value != "" && lead != want {
			return fmt.Errorf("%s: value %q, leading space negotiated: %v", e.Name, e.Value, want)
		}
	}
	if e.Op == EditChangeHeader {
		return p.checkIndex(e)
	}
	return nil
}

// checkIndex refuses an index that means different fields to different MTAs:
// after a deletion Postfix counts what is left, sendmail counts the deleted too.
func (p *replyParser) checkIndex(e Edit) error {
	name := strings.ToLower(e.Name)
	if low, ok := p.deleted[name]; ok && e.Index >= low {
		return fmt.Errorf("%s number %d after number %d was deleted", e.Name, e.Index, low)
	}
	if e.Value == "" {
		if p.deleted == nil {
			p.deleted = map[string]int{}
		}
		p.deleted[name] = e.Index
	}
	return nil
}

// parseEdit reads the payload of an edit.
func parseEdit(op Code, payload []byte) (Edit, error) {
	e := Edit{Op: op}
	if op == EditInsertHeader || op == EditChangeHeader {
		if len(payload) < 4 {
			return e, fmt.Errorf("%d bytes, too short for an index", len(payload))
		}
		n := binary.BigEndian.Uint32(payload)
		if n > math.MaxInt32-1 || n == 0 && op == EditChangeHeader {
			return e, fmt.Errorf("index %d", n)
		}
		e.Index, payload = int(n), payload[4:]
	}
	switch op {
	case EditAddHeader, EditInsertHeader, EditChangeHeader:
		s, err := terminated(payload, 2, 2)
		if err != nil {
			return e, err
		}
		e.Name, e.Value = s[0], s[1]
		return e, checkField(e.Name, e.Value)
	case EditReplaceBody:
		// libmilter's piece; Postfix takes an empty one for a broken packet.
		if len(payload) == 0 || len(payload) > 65535 {
			return e, fmt.Errorf("piece of %d bytes, want 1 to 65535", len(payload))
		}
		e.Value = string(payload)
		return e, nil
	case EditAddRcpt, EditDelRcpt, EditQuarantine:
		s, err := terminated(payload, 1, 1)
		if err != nil {
			return e, err
		}
		e.Value = s[0]
	default:
		s, err := terminated(payload, 1, 2)
		if err != nil {
			return e, err
		}
		e.Value = s[0]
		if len(s) > 1 {
			e.Args = s[1]
		}
	}
	return e, checkText(e)
}

// terminated splits a payload into strings that each end in a NUL.
func terminated(b []byte, least, most int) ([]string, error) {
	if len(b) == 0 || b[len(b)-1] != 0 {
		return nil, fmt.Errorf("payload %q doesn't end in NUL", clip(b))
	}
	s := strings.Split(string(b[:len(b)-1]), "\x00")
	if len(s) < least || len(s) > most {
		return nil, fmt.Errorf("%d strings in payload %q, want %d to %d", len(s), clip(b), least, most)
	}
	return s, nil
}

func clip(b []byte) []byte { return b[:min(len(b), 80)] }
