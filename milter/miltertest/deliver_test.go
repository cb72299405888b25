package miltertest

import (
	"strings"
	"testing"
)

func letter() Delivery {
	return Delivery{
		From:  Path{Addr: "<joe@sender.example>"},
		Rcpts: []Path{{Addr: "<alice@example.com>"}, {Addr: "<bob@example.com>"}},
		Message: Message{
			Header: []Field{{"From", " joe@sender.example"}, {"Subject", " x"}},
			Body:   []byte("0123456789"),
		},
	}
}

func TestDeliver(t *testing.T) {
	reject := func(at Command, arg string) func(Command, []byte) []Packet {
		return func(cmd Command, b []byte) []Packet {
			if cmd == at && strings.Contains(string(b), arg) {
				return []Packet{{ReplyCode, []byte("550 5.7.1 no\x00")}}
			}
			return nil
		}
	}
	verdict := func(at Command, c Code) func(Command, []byte) []Packet {
		return func(cmd Command, _ []byte) []Packet {
			if cmd == at {
				return []Packet{{Code: c}}
			}
			return nil
		}
	}
	for _, tt := range []struct {
		name    string
		filter  Filter
		options Options
		seen    string // the commands that the filter must see
		stage   Command
		action  Code
		refused int
	}{
		{"all well", Filter{}, Options{}, "MRRTLLNBE", CmdEOM, ReplyContinue, 0},
		{"chunks", Filter{}, Options{Chunk: 4}, "MRRTLLNBBBE", CmdEOM, ReplyContinue, 0},
		{"as Postfix", Filter{}, Options{AbortAfterEnd: true}, "MRRTLLNBEA", CmdEOM, ReplyContinue, 0},
		{"client lost", Filter{}, Options{AbortBeforeEnd: true}, "MRRTLLNBA", CmdBody, ReplyContinue, 0},
		{"no body wanted", Filter{Protocol: NoBody | NoHeaders}, Options{}, "MRRTNE", CmdEOM, ReplyContinue, 0},
		{"version 2", Filter{Version: 2}, Options{}, "MRRLLNBE", CmdEOM, ReplyContinue, 0},
		{"refused sender", Filter{Answer: reject(CmdMail, "")}, Options{}, "MA", CmdMail, ReplyCode, 0},
		{"one recipient refused", Filter{Answer: reject(CmdRcpt, "alice")}, Options{}, "MRRTLLNBE", CmdEOM, ReplyContinue, 1},
		{"all recipients refused", Filter{Answer: reject(CmdRcpt, "")}, Options{}, "MRRA", CmdRcpt, ReplyCode, 2},
		{"refused at the end", Filter{Answer: reject(CmdEOM, "")}, Options{}, "MRRTLLNBE", CmdEOM, ReplyCode, 0},
		{"accepted at RCPT", Filter{Answer: verdict(CmdRcpt, ReplyAccept)}, Options{}, "MRA", CmdRcpt, ReplyAccept, 0},
		{"discarded at DATA", Filter{Answer: verdict(CmdData, ReplyDiscard)}, Options{}, "MRRTA", CmdData, ReplyDiscard, 0},
		{"rejected in the header", Filter{Answer: verdict(CmdHeader, ReplyReject)}, Options{}, "MRRTLA", CmdHeader, ReplyReject, 0},
		{"body skipped", Filter{Protocol: Skip, Answer: verdict(CmdBody, ReplySkip)}, Options{Chunk: 4}, "MRRTLLNBE", CmdEOM, ReplyContinue, 0},
		{"macros", Filter{}, Options{Macros: func(stage Command) []string {
			if stage == CmdHeader || stage == CmdEOM {
				return []string{"i", "4A"}
			}
			return nil
		}}, "MRRTDLDLNBDE", CmdEOM, ReplyContinue, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen strings.Builder
			answer := tt.filter.Answer
			tt.filter.Answer = func(cmd Command, b []byte) []Packet {
				seen.WriteByte(byte(cmd))
				if answer != nil {
					return answer(cmd, b)
				}
				return nil
			}
			c := start(t, &tt.filter)
			if err := c.Negotiate(6, AllActions, AllProtocol); err != nil {
				t.Fatal(err)
			}
			o, err := c.Deliver(letter(), tt.options)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Quit(); err != nil {
				t.Fatal(err)
			}
			if got, want := seen.String(), "O"+tt.seen+"Q"; got != want {
				t.Errorf("filter saw %s, want %s", got, want)
			}
			if o.Stage != tt.stage || o.Reply.Action != tt.action || len(o.Refused) != tt.refused || o.Aborted != tt.options.AbortBeforeEnd {
				t.Errorf("got %+v, want stage %v, %v, %d refused", o, tt.stage, tt.action, tt.refused)
			}
		})
	}
}

func TestDeliverWithoutRecipients(t *testing.T) {
	c := start(t, &Filter{})
	if _, err := c.Deliver(Delivery{From: Path{Addr: "<>"}}, Options{}); err == nil {
		t.Error("a message for nobody was sent")
	}
}
