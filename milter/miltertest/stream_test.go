package miltertest

import (
	"errors"
	"io"
	"testing"
)

func TestReadStream(t *testing.T) {
	offer := string(CmdOptneg.Packet(string(optneg(6, 1, LeadSpace))))
	const c, edit, reply = "\x00\x00\x00\x01c", "\x00\x00\x00\x06hA\x00 b\x00", "\x00\x00\x00\x10y550 5.7.1 spam\x00"
	for _, tt := range []struct {
		name, in string
		want     Stream
		what     string // of the violation, "" for none
	}{
		{"nothing", "", Stream{}, ""},
		{"a session", offer + c + c + edit + "\x00\x00\x00\x01p" + reply + "\x00\x00\x00\x01s", Stream{6, LeadSpace, 1, 4}, ""},
		{"short offer", "\x00\x00\x00\x02Ox", Stream{}, "1 bytes"},
		{"bad edit", offer + "\x00\x00\x00\x05hA\x00b\x00", Stream{}, "leading space"},
		{"garbage", "\x00\x00\x00\x01?", Stream{}, "answer '?'"},
		{"no length", "\x00\x00\x00\x00", Stream{}, "packet of 0 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadStream([]byte(tt.in))
			if tt.what != "" {
				wantViolation(t, err, tt.what)
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %+v, error %v, want %+v", got, err, tt.want)
			}
		})
	}
	if _, err := ReadStream([]byte(c + "\x00\x00")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut off: got error %v, want unexpected EOF", err)
	}
}

func TestCommandAnswers(t *testing.T) {
	if !CmdHelo.Answers(0) || CmdHelo.Answers(NRHelo) || CmdMacro.Answers(0) || !CmdEOM.Answers(AllProtocol) {
		t.Error("HELO is answered unless NR_HELO, macros never, EOM always")
	}
}
