package miltertest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func index(n uint32, s string) []byte { return append(binary.BigEndian.AppendUint32(nil, n), s...) }

func TestAnswers(t *testing.T) {
	const all = AllActions
	for _, tt := range []struct {
		name    string
		stage   Command
		actions uint32
		flags   uint32
		packets []Packet
		what    string // of the violation, "" for none
	}{
		{"accept", CmdEOM, 0, 0, []Packet{{Code: ReplyAccept}}, ""},
		{"discard", CmdEOM, 0, 0, []Packet{{Code: ReplyDiscard}}, ""},
		{"discard at HELO", CmdHelo, 0, 0, []Packet{{Code: ReplyDiscard}}, "before there is a message"},
		{"payload after continue", CmdEOM, 0, 0, []Packet{{ReplyContinue, []byte{0}}}, "continue with 1 bytes"},
		{"shutdown", CmdMail, 0, 0, []Packet{{Code: ReplyShutdown}}, "shutdown"},
		{"connection failure", CmdMail, 0, 0, []Packet{{Code: ReplyConnFail}}, "connection failure"},
		{"unknown", CmdMail, 0, 0, []Packet{{'?', []byte("abc")}}, "answer '?'"},
		{"progress at EOM", CmdEOM, 0, 0, []Packet{{Code: ReplyProgress}, {Code: ReplyProgress}, {Code: ReplyContinue}}, ""},
		{"progress at MAIL", CmdMail, 0, 0, []Packet{{Code: ReplyProgress}}, "progress before"},
		{"skip", CmdBody, 0, Skip, []Packet{{Code: ReplySkip}}, ""},
		{"skip not negotiated", CmdBody, 0, 0, []Packet{{Code: ReplySkip}}, "skip"},
		{"skip at RCPT", CmdRcpt, 0, Skip, []Packet{{Code: ReplySkip}}, "skip"},
		{"edit at BODY", CmdBody, all, 0, []Packet{{EditAddHeader, []byte("A\x00b\x00")}}, "before the end of the message"},
		{"edit not negotiated", CmdEOM, all &^ ActAddHeaders, 0, []Packet{{EditInsertHeader, index(0, "A\x00b\x00")}}, "without action 0x1"},
		{"add header", CmdEOM, all, 0, []Packet{{EditAddHeader, []byte("A\x00b\n c\x00")}, {Code: ReplyAccept}}, ""},
		{"leading space missing", CmdEOM, all, LeadSpace, []Packet{{EditAddHeader, []byte("A\x00b\x00")}}, "leading space"},
		{"leading space surplus", CmdEOM, all, 0, []Packet{{EditAddHeader, []byte("A\x00 b\x00")}}, "leading space"},
		{"no NUL", CmdEOM, all, 0, []Packet{{EditAddHeader, []byte("A\x00b")}}, "doesn't end in NUL"},
		{"one string", CmdEOM, all, 0, []Packet{{EditAddHeader, []byte("A\x00")}}, "1 strings"},
		{"three strings", CmdEOM, all, 0, []Packet{{EditAddHeader, []byte("A\x00b\x00c\x00")}}, "3 strings"},
		{"empty name", CmdEOM, all, 0, []Packet{{EditAddHeader, []byte("\x00b\x00")}}, "empty field name"},
		{"colon in name", CmdEOM, all, 0, []Packet{{EditAddHeader, []byte("A:\x00b\x00")}}, "field name"},
		{"CR", CmdEOM, all, 0, []Packet{{EditAddHeader, []byte("A\x00b\r\n c\x00")}}, "CR in value"},
		{"second field", CmdEOM, all, 0, []Packet{{EditAddHeader, []byte("A\x00b\nB: c\x00")}}, "begins without white space"},
		{"body begun", CmdEOM, all, 0, []Packet{{EditAddHeader, []byte("A\x00b\n\x00")}}, "begins without white space"},
		{"line of space", CmdEOM, all, 0, []Packet{{EditAddHeader, []byte("A\x00b\n \n c\x00")}}, "line of white space"},
		{"long line", CmdEOM, all, 0, []Packet{{EditAddHeader, []byte("A\x00" + strings.Repeat("b", 998) + "\x00")}}, "line of 1000 bytes"},
		{"no index", CmdEOM, all, 0, []Packet{{EditInsertHeader, []byte("A\x00")}}, "too short for an index"},
		{"negative index", CmdEOM, all, 0, []Packet{{EditInsertHeader, index(0xffffffff, "A\x00b\x00")}}, "index 4294967295"},
		{"change number 0", CmdEOM, all, 0, []Packet{{EditChangeHeader, index(0, "A\x00b\x00")}}, "index 0"},
		{"delete downwards", CmdEOM, all, 0, []Packet{{EditChangeHeader, index(2, "A\x00\x00")}, {EditChangeHeader, index(1, "a\x00\x00")}, {Code: ReplyContinue}}, ""},
		{"delete upwards", CmdEOM, all, 0, []Packet{{EditChangeHeader, index(1, "A\x00\x00")}, {EditChangeHeader, index(2, "a\x00\x00")}}, "number 2 after number 1"},
		{"other name after delete", CmdEOM, all, 0, []Packet{{EditChangeHeader, index(1, "A\x00\x00")}, {EditChangeHeader, index(1, "B\x00\x00")}, {Code: ReplyContinue}}, ""},
		{"sender", CmdEOM, all, 0, []Packet{{EditChangeFrom, []byte("<>\x00")}, {EditChangeFrom, []byte("<a@example.com>\x00SIZE=1\x00")}, {Code: ReplyContinue}}, ""},
		{"half a bracket", CmdEOM, all, 0, []Packet{{EditChangeFrom, []byte("<a@example.com\x00")}}, "angle brackets"},
		{"recipients", CmdEOM, all, 0, []Packet{{EditAddRcpt, []byte("a@example.com\x00")}, {EditDelRcpt, []byte("<b@example.com>\x00")}, {EditAddRcptPar, []byte("<c@example.com>\x00NOTIFY=NEVER\x00")}, {Code: ReplyContinue}}, ""},
		{"null recipient", CmdEOM, all, 0, []Packet{{EditAddRcpt, []byte("<>\x00")}}, "null path"},
		{"empty recipient", CmdEOM, all, 0, []Packet{{EditDelRcpt, []byte("\x00")}}, "empty string"},
		{"line end in recipient", CmdEOM, all, 0, []Packet{{EditAddRcpt, []byte("a@example.com\r\n\x00")}}, "control character"},
		{"parameters to ADDRCPT", CmdEOM, all, 0, []Packet{{EditAddRcpt, []byte("a@example.com\x00X\x00")}}, "2 strings"},
		{"quarantine", CmdEOM, all, 0, []Packet{{EditQuarantine, []byte("virus\x00")}, {Code: ReplyContinue}}, ""},
		{"quarantine without NUL", CmdEOM, all, 0, []Packet{{EditQuarantine, []byte("virus")}}, "NUL"},
		{"body", CmdEOM, all, 0, []Packet{{EditReplaceBody, []byte("a")}, {EditReplaceBody, []byte("b")}, {EditAddHeader, []byte("A\x00b\x00")}, {Code: ReplyContinue}}, ""},
		{"body in two runs", CmdEOM, all, 0, []Packet{{EditReplaceBody, []byte("a")}, {EditAddHeader, []byte("A\x00b\x00")}, {EditReplaceBody, []byte("b")}}, "edit between"},
		{"empty piece", CmdEOM, all, 0, []Packet{{EditReplaceBody, nil}}, "piece of 0 bytes"},
		{"large piece", CmdEOM, all, 0, []Packet{{EditReplaceBody, make([]byte, 65536)}}, "piece of 65536 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := start(t, &Filter{Actions: tt.actions, Protocol: tt.flags, Answer: func(cmd Command, _ []byte) []Packet {
				if cmd == tt.stage {
					return tt.packets
				}
				return nil
			}})
			if err := c.Negotiate(6, AllActions, AllProtocol); err != nil {
				t.Fatal(err)
			}
			r, err := c.step(tt.stage, []byte("x\x00"))
			if tt.what != "" {
				wantViolation(t, err, tt.what)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			last := tt.packets[len(tt.packets)-1].Code
			if n := len(tt.packets) - 1; r.Action != last || len(r.Edits)+r.Progress != n {
				t.Errorf("got %v with %d edits and %d progress, want %v and %d in all", r.Action, len(r.Edits), r.Progress, last, n)
			}
		})
	}
}

func TestEditFields(t *testing.T) {
	p := replyParser{stage: CmdEOM, version: 6, actions: AllActions}
	for _, x := range []Packet{
		{EditInsertHeader, index(1, "X-Spam\x00yes\x00")},
		{EditChangeHeader, index(2, "Subject\x00new\x00")},
		{EditChangeFrom, []byte("<a@example.com>\x00SIZE=1 BODY=8BITMIME\x00")},
	} {
		if done, err := p.add(x.Code, x.Payload); done || err != nil {
			t.Fatalf("%v: done %v, error %v", x.Code, done, err)
		}
	}
	want := []Edit{
		{Op: EditInsertHeader, Index: 1, Name: "X-Spam", Value: "yes"},
		{Op: EditChangeHeader, Index: 2, Name: "Subject", Value: "new"},
		{Op: EditChangeFrom, Value: "<a@example.com>", Args: "SIZE=1 BODY=8BITMIME"},
	}
	if !reflect.DeepEqual(p.reply.Edits, want) {
		t.Errorf("got %+v, want %+v", p.reply.Edits, want)
	}
}

func TestReplyCodes(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want string // Reply.String, "" for a violation
		what string
	}{
		{"550 5.7.1 spam\x00", "550 5.7.1 spam", ""},
		{"451 try again\x00", "451 try again", ""},
		{"550-5.7.1 a\r\n550 5.7.1 100%% b\x00", "550 5.7.1 a / 100% b", ""},
		{"550 5 things\x00", "550 5 things", ""},
		{"421 4.3.2 \x00", "421 4.3.2 ", ""},
		{"550 5.7.1 spam", "", "NUL"},
		{"550 5.7.1 sp\x00am\x00", "", "2 strings"},
		{"\x00", "", "begin with a code"},
		{"250 2.0.0 ok\x00", "", "begin with a code"},
		{"55 x\x00", "", "begin with a code"},
		{"550\x00", "", "begin with a code"},
		{"550_5.7.1 x\x00", "", "after the code"},
		{"550-5.7.1 x\x00", "", "after the code"},
		{"550 5.7.1 a\r\n550 5.7.1 b\x00", "", "after the code"},
		{"550-5.7.1 a\r\n551 5.7.1 b\x00", "", "codes 551"},
		{"550-5.7.1 a\r\n550 b\x00", "", "codes 550 \"\""},
		{"550-5.7.1 a\r\n550 5.7.2 b\x00", "", "5.7.2"},
		{"550 4.7.1 a\x00", "", "class '4' under code 550"},
		{"550 100 reasons\x00", "", "class '1' under code 550"},
		{"550 5.7.1 100% sure\x00", "", "single %"},
		{"550 5.7.1 %%%\x00", "", "single %"},
		{"550 5.7.1 a\nb\x00", "", "printable"},
		{"550 5.7.1 a\r\n\x00", "", "after the code"},
		{"550 5.7.1 caf\xc3\xa9\x00", "", "printable"},
		{"550 5.7.1 " + strings.Repeat("x", 501) + "\x00", "", "511 bytes"},
		{strings.Repeat("550-5.7.1 a\r\n", 32) + "550 5.7.1 a\x00", "", "33 lines"},
	} {
		p := replyParser{stage: CmdRcpt, version: 6}
		done, err := p.add(ReplyCode, []byte(tt.in))
		if tt.what != "" {
			wantViolation(t, err, tt.what)
			continue
		}
		if err != nil || !done || p.reply.String() != tt.want {
			t.Errorf("%q: got %q, done %v, error %v, want %q", tt.in, p.reply, done, err, tt.want)
		}
	}
}

func TestAnswerIsBounded(t *testing.T) {
	p := replyParser{stage: CmdEOM, version: 6}
	for range maxPackets {
		if _, err := p.add(ReplyProgress, nil); err != nil {
			t.Fatal(err)
		}
	}
	_, err := p.add(ReplyProgress, nil)
	wantViolation(t, err, "more than 10000 packets")
}

// FuzzReply feeds bytes to the reader of answers. What it takes must be what was
// sent: written again it gives the same bytes.
func FuzzReply(f *testing.F) {
	for _, s := range []string{
		"\x00\x00\x00\x01c",
		"\x00\x00\x00\x0fy550 5.7.1 spam\x00",
		"\x00\x00\x00\x1ey550-5.7.1 a\r\n550 5.7.1 1%% b\x00",
		"\x00\x00\x00\x01p\x00\x00\x00\x05hA\x00b\x00\x00\x00\x00\x01a",
		"\x00\x00\x00\x09m\x00\x00\x00\x02A\x00\x00",
		"\x00\x00\x00\x09i\x00\x00\x00\x01A\x00b\x00",
		"\x00\x00\x00\x04e<>\x00",
		"\x00\x00\x00\x0e2a@b.example\x00X\x00",
		"\x00\x00\x00\x03qv\x00",
		"\xff\xff\xff\xffc",
	} {
		f.Add(byte(CmdEOM), uint32(AllActions), uint32(Skip), []byte(s))
	}
	f.Fuzz(func(t *testing.T, stage byte, actions, protocol uint32, in []byte) {
		p := replyParser{stage: Command(stage), version: 6, actions: actions, protocol: protocol}
		r := bytes.NewReader(in)
		var out []byte
		for {
			edits, progress := len(p.reply.Edits), p.reply.Progress
			at := len(in) - r.Len()
			code, payload, err := readPacket(r)
			if err != nil {
				return
			}
			done, err := p.add(code, payload)
			if err != nil {
				if v := (*Violation)(nil); !errors.As(err, &v) {
					t.Fatalf("error %v is no violation", err)
				}
				return
			}
			switch {
			case done:
				out = encodeReply(p.reply)
			case len(p.reply.Edits) == edits+1:
				out = encodeEdit(p.reply.Edits[edits])
			case p.reply.Progress == progress+1:
				out = []byte{byte(ReplyProgress)}
			default:
				t.Fatalf("packet %q taken and lost", payload)
			}
			got := in[at+4 : len(in)-r.Len()]
			// An edit may end in an empty string or go without: the same meaning.
			if !bytes.Equal(out, bytes.TrimSuffix(got, []byte{0})) && !bytes.Equal(out, got) {
				t.Fatalf("took %q for %q", got, out)
			}
			if done {
				return
			}
		}
	})
}

func encodeReply(r Reply) []byte {
	b := []byte{byte(r.Action)}
	if r.Action != ReplyCode {
		return b
	}
	var lines []string
	for i, l := range r.Lines {
		s := Reply{Action: ReplyCode, Code: r.Code, Enhanced: r.Enhanced, Lines: []string{l}}.String()
		if r.Enhanced != "" && l == "" {
			s = strings.TrimSuffix(s, " ")
		}
		if i < len(r.Lines)-1 {
			s = s[:3] + "-" + s[4:]
		}
		lines = append(lines, strings.ReplaceAll(s, "%", "%%"))
	}
	return append(append(b, strings.Join(lines, "\r\n")...), 0)
}

func encodeEdit(e Edit) []byte {
	b := []byte{byte(e.Op)}
	switch e.Op {
	case EditInsertHeader, EditChangeHeader:
		b = append(b, index(uint32(e.Index), "")...)
		fallthrough
	case EditAddHeader:
		return append(b, zeros(e.Name, e.Value)...)
	case EditReplaceBody:
		return append(b, e.Value...)
	}
	b = append(b, zeros(e.Value)...)
	if e.Args != "" {
		b = append(b, zeros(e.Args)...)
	}
	return b
}
